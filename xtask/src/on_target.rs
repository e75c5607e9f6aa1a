//! The tests of `tests/on-target`, on emulated boards.

use anyhow::{Result, bail};
use std::time::Duration;
use xtask::board::Board;
use xtask::firmware::{self, Run};
use xtask::setup;

/// The time limit of a board. The slowest takes a few seconds.
const LIMIT: Duration = Duration::from_secs(120);

/// Builds and runs the tests on these boards.
///
/// # Errors
/// A test fails on a board; the error names the boards.
pub fn run(boards: &[Board]) -> Result<()> {
    setup::targets(boards)?;
    setup::qemu()?;
    let dir = setup::root().join("tests/on-target");
    let mut failed = Vec::new();
    for board in boards {
        let program = firmware::build(&dir, board, &[])?;
        println!("\n{} ({}, {})", board.name, board.core, board.target);
        match firmware::run(board, &program, Run { dir: &dir, icount: None, limit: LIMIT }) {
            Ok(output) => {
                print!("{}", String::from_utf8_lossy(&output.stdout));
                eprint!("{}", String::from_utf8_lossy(&output.stderr));
                if output.status.success() {
                    continue;
                }
                println!("\n{} ended with {}", board.name, output.status);
            }
            Err(error) => println!("{error:#}"),
        }
        failed.push(board.name);
    }
    if !failed.is_empty() {
        bail!("tests failed on {}", failed.join(", "));
    }
    Ok(())
}
