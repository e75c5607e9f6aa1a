//! The proof that the core cannot panic: `tests/no-panic` links, and with a planted panic it does not. And what links
//! without the features of raw signals holds no floating-point arithmetic, which a core without FPU would show as calls.

use crate::board::Board;
use crate::firmware;
use crate::setup::{self, Toolchain};
use anyhow::{Context, Result, bail, ensure};
use object::{Object, ObjectSymbol};
use std::fs;
use std::path::Path;

/// With little and with much of the inlining that makes checks vanish.
const OPT_LEVELS: [&str; 2] = ["\"s\"", "3"];

/// Links the probe for the smallest and for a common core.
pub fn run() -> Result<()> {
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
            let program = firmware::build(&toolchain, &dir, &board, &["--config", &config])?;
            let floats = float_calls(&program)?;
            ensure!(floats.is_empty(), "at opt-level {level} for {}: calls {}", board.target, floats.join(", "));
        }
        let said = refused(&toolchain, &board, OPT_LEVELS[0], "planted")?;
        let said = said.context("the probe links with a panic planted in it: it proves nothing")?;
        ensure!(said.contains("a panic path is still linked"), "the probe failed for another reason:\n{said}");
    }
    Ok(())
}

/// The functions of software floating point that a program holds.
fn float_calls(program: &Path) -> Result<Vec<String>> {
    let elf = fs::read(program)?;
    let file = object::File::parse(&*elf)?;
    let names: Vec<&str> = file.symbols().filter_map(|symbol| symbol.name().ok()).collect();
    ensure!(names.iter().any(|name| name.contains("main")), "{} has no symbols to look at", program.display());
    let float = |name: &&str| {
        ["__aeabi_f", "__aeabi_d"].iter().any(|start| name.starts_with(start)) && !name.contains("div0")
            || ["sf2", "sf3", "df2", "df3"].iter().any(|end| name.ends_with(end))
    };
    Ok(names.into_iter().filter(float).map(str::to_owned).collect())
}

/// What the linker says if it refuses the probe.
fn refused(toolchain: &Toolchain, board: &Board, level: &str, features: &str) -> Result<Option<String>> {
    let mut build = toolchain.cargo();
    build.args(["build", "--release", "--quiet", "--target", board.target, "--features", features]);
    build.args(["--config", &format!("profile.release.opt-level={level}")]);
    let output = build.current_dir(setup::root().join("tests/no-panic")).output().context("cannot start cargo")?;
    Ok((!output.status.success()).then(|| String::from_utf8_lossy(&output.stderr).into_owned()))
}
