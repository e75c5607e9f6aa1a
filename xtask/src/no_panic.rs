//! The proof that the core cannot panic: `tests/no-panic` links all of its public functions, and with a planted panic it
//! does not. And what links without the features of raw signals computes with integers, by no division of 64 bits where
//! it scores, and has no variables.

use crate::board::Board;
use crate::setup::{self, Toolchain};
use crate::{elf, firmware};
use anyhow::{Context, Result, bail, ensure};
use std::fs;

/// With little and with much of the inlining that makes checks vanish.
const OPT_LEVELS: [&str; 2] = ["\"s\"", "3"];

/// Probes that compute with integers, and whether they may divide 64 bits. Scoring and sampling do not. Sums and counts of
/// many rows take 64 bits, and are divided a few times a row: by `Detector::p_value` and `levels` (which `from_bytes` checks
/// and a `Monitor` asks), `Drift::excess`, `Recent::mean`, and `Predictor::mean`, which `Stream::push` calls.
const INTEGER: [(&str, bool); 2] = [("", true), ("scoring", false)];

/// Links the probe for the smallest and for a common core.
pub fn run() -> Result<()> {
    let missed = unprobed()?;
    ensure!(missed.is_empty(), "tests/no-panic/src/every.rs does not link {}", missed.join(", "));
    for name in ["m0", "m4f"] {
        let board = Board::named(name).map_err(anyhow::Error::msg)?;
        let toolchain = setup::targets(&[board.target])?;
        for level in OPT_LEVELS {
            for features in ["", "features"] {
                if let Some(said) = refused(&toolchain, &board, level, features)? {
                    bail!("at opt-level {level} for {} with features [{features}]:\n{said}", board.target);
                }
            }
            println!("no panic path at opt-level {level} for {}", board.target);
            let dir = setup::root().join("tests/no-panic");
            let config = format!("profile.release.opt-level={level}");
            let found = |features, may_divide| -> Result<Vec<String>> {
                let args = ["--config", &config, "--features", features];
                elf::offenders(&firmware::build(&toolchain, &dir, &board, &args)?, may_divide)
            };
            for (features, may_divide) in INTEGER {
                let found = found(features, may_divide)?;
                let shown = format!("at opt-level {level} for {} with features [{features}]", board.target);
                ensure!(found.is_empty(), "{shown}:\n  {}", found.join("\n  "));
                println!(
                    "no floating point, no variables{} {shown}",
                    if may_divide { "" } else { ", no long division" }
                );
            }
            ensure!(!found("features", true)?.is_empty(), "floats are not found where they are: that proves nothing");
        }
        let said = refused(&toolchain, &board, OPT_LEVELS[0], "planted")?;
        let said = said.context("the probe links with a panic planted in it: it proves nothing")?;
        ensure!(said.contains("a panic path is still linked"), "the probe failed for another reason:\n{said}");
    }
    Ok(())
}

/// The public functions of the core, by type, that the probe does not link.
fn unprobed() -> Result<Vec<String>> {
    let probe = setup::root().join("tests/no-panic/src");
    let [list, calls] = ["every.rs", "main.rs"].map(|file| fs::read_to_string(probe.join(file)));
    let (list, calls) = (list?, calls?);
    let missing = |text: String| {
        let list = &list;
        let calls = &calls;
        functions(&text).into_iter().filter(move |function| !function.is_linked(list, calls)).collect::<Vec<_>>()
    };
    let mut missed = Vec::new();
    let mut folders = vec![setup::root().join("src")];
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
    missed.sort();
    Ok(missed)
}

/// A public function, the type that it belongs to, and whether it takes a closure.
struct Function {
    of: String,
    name: String,
    takes_closure: bool,
}

impl Function {
    fn name(&self) -> String {
        format!("{}::{}", self.of, self.name)
    }

    /// By the name of its type in a line of the list; without a type or an address by a call.
    fn is_linked(&self, list: &str, calls: &str) -> bool {
        let names = |line: &str| {
            let (of, names) = line.trim().split_once(": ")?;
            let is_it = |name: &str| name.trim_end_matches(';').split('<').next() == Some(&self.name);
            (of.split('<').next() == Some(&self.of) && names.split(' ').any(is_it)).then_some(())
        };
        let called = format!("{}(", self.name);
        list.lines().any(|line| names(line).is_some())
            || (self.takes_closure || self.of.is_empty()) && calls.contains(&called)
    }
}

/// The public functions of a source file as rustfmt lays it out: their types stand at its left edge.
fn functions(text: &str) -> Vec<Function> {
    let (mut found, mut of) = (Vec::new(), String::new());
    for (at, line) in text.lines().enumerate() {
        if let Some(rest) = line.strip_prefix("impl") {
            // Behind the generics, which may hold angle brackets of their own.
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
            let takes_closure =
                ["impl Fn", ": impl Iterator", "<impl Iterator"].iter().any(|generic| signature.contains(generic));
            found.push(Function { of: of.clone(), name, takes_closure });
        }
    }
    found
}

/// What the linker says if it refuses the probe.
fn refused(toolchain: &Toolchain, board: &Board, level: &str, features: &str) -> Result<Option<String>> {
    let mut build = toolchain.cargo();
    build.args(["build", "--release", "--quiet", "--target", board.target, "--features", features]);
    build.args(["--config", &format!("profile.release.opt-level={level}")]);
    let output = build.current_dir(setup::root().join("tests/no-panic")).output().context("cannot start cargo")?;
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
        assert_eq!(linked("    Model<64, Terms>: new bits;", "model.sample(coin); flags()"), [true; 3]);
        assert_eq!(linked("    Model: new;\n    Other: bits sample;", "bits()"), [false; 3]);
    }
}
