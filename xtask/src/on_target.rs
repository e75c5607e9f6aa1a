//! `cargo xtask on-target`: the tests of `tests/on-target`, on every board.

use crate::board::Board;
use crate::firmware::{self, Run};
use crate::setup;
use anyhow::{Result, bail};
use std::time::Duration;

/// Ample: the slowest board takes a few seconds.
const LIMIT: Duration = Duration::from_secs(120);

/// Builds and runs the tests on these boards; an error if any of them fails.
pub fn run(boards: &[Board]) -> Result<()> {
    let toolchain = setup::targets(&boards.iter().map(|board| board.target).collect::<Vec<_>>())?;
    setup::qemu()?;
    let dir = setup::root().join("tests/on-target");
    let mut failed = Vec::new();
    for board in boards {
        let program = firmware::build(&toolchain, &dir, board, &[])?;
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
