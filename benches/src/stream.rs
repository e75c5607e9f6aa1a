//! The RAM that scoring a time series takes on boards.

use anyhow::{Context, Result, ensure};
use xtask::board::Board;
use xtask::firmware::{self, Run};
use xtask::measure::{self, LIMIT};
use xtask::setup::{self, root};

/// The required RAM for scoring the time series of `tests/golden`, in bytes, must be less than this; it includes the
/// window of earlier rows and the whole stack.
const MOST: usize = 1024;

/// Prints the bytes of RAM that scoring the time series of `tests/golden` takes: the window of earlier rows, the
/// monitor and the stack.
///
/// # Errors
/// The sum is 1 KiB or more, or the program fails.
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
