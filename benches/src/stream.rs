//! The RAM of a time series on boards.

use anyhow::{Context, Result, ensure};
use xtask::board::Board;
use xtask::firmware::{self, Run};
use xtask::measure::{self, LIMIT};
use xtask::setup::{self, root};

/// The limit for the golden time series, in bytes, the window and the whole stack included.
const MOST: usize = 1024;

/// Prints the RAM of the window, the monitor and the stack while rows of the golden time series are pushed and scored.
///
/// # Errors
/// They take a KiB or more, or the program fails.
pub fn run() -> Result<()> {
    setup::qemu()?;
    for name in ["m0", "m4f"] {
        let board = Board::named(name).map_err(anyhow::Error::msg)?;
        setup::targets(&[board])?;
        let program = measure::program(&board, "stream", &["--features", "stream"], &[])?;
        let how = Run { dir: root(), icount: None, limit: LIMIT };
        let output = firmware::run(&board, &program, how)?;
        let text = String::from_utf8_lossy(&output.stdout);
        print!("{} bytes of RAM: {text}", board.core);
        let together = text.trim().rsplit(' ').next().and_then(|bytes| bytes.parse::<usize>().ok());
        let together = together.with_context(|| format!("{} ended with {}", program.display(), output.status))?;
        ensure!(together < MOST, "a time series takes {together} bytes on {name}, expected less than {MOST}");
    }
    Ok(())
}
