//! Proves that the device crate cannot panic. The program `tests/no-panic` calls all public functions, and its panic
//! handler calls a function that does not exist, so that it links only if nothing can panic. As a cross-check, linking
//! must fail after a panic is added on purpose. The linked program must not compute with floating point outside the
//! features of raw signals, must have no static variables, and must not divide 64-bit integers in the functions that
//! score.

use anyhow::{Context, Result, bail, ensure};
use std::fs;
use xtask::board::Board;
use xtask::setup::{self, cargo, root};
use xtask::{elf, firmware};

/// Optimisation levels of the probe: fewer and more calls are inlined, which lets the compiler remove checks.
const OPT_LEVELS: [&str; 2] = ["\"s\"", "3"];

/// Features of the probe that must compute with integers, and whether 64-bit divisions are allowed. Scoring and sampling
/// need none. Sums over many rows need 64 bits, and a few functions divide them once per row: `Detector::p_value` and
/// `levels`, `Drift::estimate`, `Recent::mean` and `Predictor::mean`.
const INTEGER: [(&str, bool); 2] = [("", true), ("scoring", false)];

/// Public functions that the probe leaves out, because they call a library whose code may panic.
const FOREIGN: [&str; 1] = ["Received::verify"];

/// Links the probe for the smallest core and for a common one.
///
/// # Errors
/// A panic, a float, a variable or a long division is linked, or the probe does not link every public function.
pub fn run() -> Result<()> {
    let missed = unprobed()?;
    ensure!(missed.is_empty(), "tests/no-panic/src/every.rs does not link {}", missed.join(", "));
    let dir = root().join("tests/no-panic");
    for name in ["m0", "m4f"] {
        let board = Board::named(name).map_err(anyhow::Error::msg)?;
        setup::targets(&[board])?;
        for level in OPT_LEVELS {
            for features in ["", "features"] {
                if let Some(message) = refused(&board, level, features)? {
                    bail!("at opt-level {level} for {} with features [{features}]:\n{message}", board.target);
                }
            }
            println!("no panic path at opt-level {level} for {}", board.target);
            let config = format!("profile.release.opt-level={level}");
            let found = |features, may_divide| -> Result<Vec<String>> {
                let args = ["--config", &config, "--features", features];
                elf::offenders(&firmware::build(&dir, &board, &args)?, may_divide)
            };
            for (features, may_divide) in INTEGER {
                let found = found(features, may_divide)?;
                let shown = format!("at opt-level {level} for {} with features [{features}]", board.target);
                ensure!(found.is_empty(), "{shown}:\n  {}", found.join("\n  "));
                let division = if may_divide { "" } else { ", no long division" };
                println!("no floating point, no variables{division} {shown}");
            }
            ensure!(
                !found("features", true)?.is_empty(),
                "the check misses floats where they are, so it proves nothing"
            );
        }
        let message = refused(&board, OPT_LEVELS[0], "planted")?;
        let message = message.context("the probe links with a planted panic, so it proves nothing")?;
        ensure!(message.contains("a panic path is still linked"), "the probe fails for another reason:\n{message}");
    }
    Ok(())
}

/// Lists the public functions of the device crate that the probe does not link.
fn unprobed() -> Result<Vec<String>> {
    let probe = root().join("tests/no-panic/src");
    let [list, calls, flash] = ["every.rs", "main.rs", "flash.rs"].map(|file| fs::read_to_string(probe.join(file)));
    let (list, calls) = (list?, calls? + &flash?);
    let missing = |text: String| {
        let list = &list;
        let calls = &calls;
        functions(&text).into_iter().filter(move |function| !function.is_linked(list, calls)).collect::<Vec<_>>()
    };
    let mut missed = Vec::new();
    let mut folders = vec![root().join("src")];
    while let Some(folder) = folders.pop() {
        for file in fs::read_dir(folder)? {
            let path = file?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                missed.extend(missing(fs::read_to_string(path)?).into_iter().map(|function| function.name()));
            }
        }
    }
    missed.retain(|name| !FOREIGN.contains(&name.as_str()));
    missed.sort();
    Ok(missed)
}

/// A public function: its type, its name, and whether it takes a closure.
struct Function {
    of: String,
    name: String,
    takes_closure: bool,
}

impl Function {
    fn name(&self) -> String {
        format!("{}::{}", self.of, self.name)
    }

    /// Returns whether the list holds the address of the function, after the name of its type if it has one. A function that
    /// takes a closure has no address and must be called instead.
    fn is_linked(&self, list: &str, calls: &str) -> bool {
        if self.takes_closure {
            return calls.contains(&format!("{}(", self.name));
        }
        let name = |word: &str| word.trim_end_matches(';').split('<').next() == Some(&self.name);
        let names = |line: &str| {
            let (of, names) = line.trim().split_once(": ")?;
            (of.split('<').next() == Some(&self.of) && names.split(' ').any(name)).then_some(())
        };
        let address = [format!("{}::<", self.name), format!("{} as *const ()", self.name)];
        list.lines().any(|line| names(line).is_some())
            || self.of.is_empty() && address.iter().any(|address| list.contains(address))
    }
}

/// Lists the public functions of a source file in the layout of rustfmt, where `impl` starts at the left edge.
fn functions(text: &str) -> Vec<Function> {
    let (mut found, mut of) = (Vec::new(), String::new());
    for (at, line) in text.lines().enumerate() {
        if let Some(rest) = line.strip_prefix("impl") {
            // The type follows the generics, which may contain angle brackets.
            let mut depth = 0;
            let open = |c: char| {
                depth += i32::from(c == '<') - i32::from(c == '>');
                depth == 0 && c != '>'
            };
            let start = rest.find(open).unwrap_or(0);
            of = rest[start..].trim().split(['<', ' ']).next().unwrap_or_default().to_owned();
        } else if line == "}" {
            of.clear();
        }
        let Some((before, rest)) = line.split_once("fn ") else { continue };
        if ["pub", "pub const"].contains(&before.trim()) {
            let name = rest.split(['<', '(']).next().unwrap_or_default().to_owned();
            let signature: String = text.lines().skip(at).take_while(|line| !line.ends_with('{')).collect();
            let signature = signature + line;
            let takes_closure = ["impl Fn", ": impl Iterator", ": impl ExactSizeIterator", "<impl Iterator"]
                .iter()
                .any(|generic| signature.contains(generic));
            found.push(Function { of: of.clone(), name, takes_closure });
        }
    }
    found
}

/// Returns the output of the linker if it refuses the probe.
fn refused(board: &Board, level: &str, features: &str) -> Result<Option<String>> {
    let mut build = cargo();
    build.args(["build", "--release", "--quiet", "--target", board.target, "--features", features]);
    build.args(["--config", &format!("profile.release.opt-level={level}")]);
    let output = build.current_dir(root().join("tests/no-panic")).output().context("cannot start cargo")?;
    Ok((!output.status.success()).then(|| String::from_utf8_lossy(&output.stderr).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::functions;

    #[test]
    fn a_function_that_the_list_lacks_is_noticed() {
        let text = "impl<'t, P: Term<8>> Model<'t, P> {\n    pub const fn bits(&self) -> usize {\n    }\n    fn own() {}\n    \
                    pub fn sample(\n        coin: impl FnMut() -> u16,\n    ) -> bool {\n    }\n}\n\npub fn flags() {}\n";
        let found = functions(text);
        assert_eq!(
            found.iter().map(|function| function.name()).collect::<Vec<_>>(),
            ["Model::bits", "Model::sample", "::flags"]
        );
        let linked = |list: &str, calls: &str| found.iter().map(|it| it.is_linked(list, calls)).collect::<Vec<_>>();
        let list = "    Model<64, Terms>: new bits;\n    black_box(flags::<Pin, 2> as *const ());";
        assert_eq!(linked(list, "model.sample(coin)"), [true; 3]);
        assert_eq!(linked("    Model: new;\n    Other: bits sample;", "bits() flags()"), [false; 3]);
    }
}
