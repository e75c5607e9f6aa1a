//! The proof that the core cannot panic: `tests/no-panic` links, and with a planted panic it does not.

use crate::board::Board;
use crate::setup::{self, Toolchain};
use anyhow::{Context, Result, bail, ensure};

/// With little and with much of the inlining that makes checks vanish.
const OPT_LEVELS: [&str; 2] = ["\"s\"", "3"];

/// Links the probe for the smallest and for a common core.
pub fn run() -> Result<()> {
    for name in ["m0", "m4f"] {
        let board = Board::named(name).map_err(anyhow::Error::msg)?;
        let toolchain = setup::targets(&[board.target])?;
        for level in OPT_LEVELS {
            if let Some(said) = refused(&toolchain, &board, level, "")? {
                bail!("at opt-level {level} for {}:\n{said}", board.target);
            }
            println!("no panic path at opt-level {level} for {}", board.target);
        }
        let said = refused(&toolchain, &board, OPT_LEVELS[0], "planted")?;
        let said = said.context("the probe links with a panic planted in it: it proves nothing")?;
        ensure!(said.contains("a panic path is still linked"), "the probe failed for another reason:\n{said}");
    }
    Ok(())
}

/// What the linker says if it refuses the probe.
fn refused(toolchain: &Toolchain, board: &Board, level: &str, features: &str) -> Result<Option<String>> {
    let mut build = toolchain.cargo();
    build.args(["build", "--release", "--quiet", "--target", board.target, "--features", features]);
    build.args(["--config", &format!("profile.release.opt-level={level}")]);
    let output = build.current_dir(setup::root().join("tests/no-panic")).output().context("cannot start cargo")?;
    Ok((!output.status.success()).then(|| String::from_utf8_lossy(&output.stderr).into_owned()))
}
