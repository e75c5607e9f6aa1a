//! `cargo xtask bench stream`: the RAM that it takes to watch a stream.

use crate::board::Board;
use crate::firmware::{self, Run};
use crate::setup::{self, root};
use anyhow::{Context, Result, ensure};
use std::time::Duration;

/// What the golden stream may take, its window and all of the stack included.
const MOST: usize = 1024;

/// Prints what the window, the monitor and the stack take while rows of the golden stream are pushed, scored and judged; an
/// error if that is a KiB or more.
pub fn run() -> Result<()> {
    setup::qemu()?;
    let dir = root().join("examples/cortex-m");
    for name in ["m0", "m4f"] {
        let board = Board::named(name).map_err(anyhow::Error::msg)?;
        let toolchain = setup::targets(&[board.target])?;
        let program = firmware::build(&toolchain, &dir, &board, &["--features", "bench", "--bin", "stream"])?;
        let output = firmware::run(&board, &program, Run { dir: &dir, icount: None, limit: Duration::from_secs(60) })?;
        let said = String::from_utf8_lossy(&output.stdout);
        print!("{} bytes of RAM: {said}", board.core);
        let together = said.trim().rsplit(' ').next().and_then(|bytes| bytes.parse::<usize>().ok());
        let together = together.with_context(|| format!("{} ended with {}", program.display(), output.status))?;
        ensure!(together < MOST, "a stream takes {together} bytes on {name}, expected less than {MOST}");
    }
    Ok(())
}
