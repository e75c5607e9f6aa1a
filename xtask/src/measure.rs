//! Builds and runs the programs of `tests/device`, which count instructions and bytes on emulated boards.

use crate::board::Board;
use crate::firmware::{self, Run};
use crate::setup::{cargo, root};
use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The time limit of a program. The longest takes about a minute.
pub const LIMIT: Duration = Duration::from_secs(300);

/// A line that a program printed.
#[derive(Clone, Debug)]
pub struct Line {
    /// Name of the table, such as `golden/shuttle`.
    pub table: String,
    /// Name of the operation on the table, such as `score`.
    pub operation: String,
    /// The numbers: mean, max and worst number of instructions, and bytes of stack.
    pub numbers: Vec<u64>,
}

/// Builds a program of `tests/device` around files that it includes, by the variables that name them.
///
/// # Errors
/// The build fails.
pub fn program(board: &Board, name: &str, args: &[&str], files: &[(&str, &Path)]) -> Result<PathBuf> {
    let mut build = cargo();
    build.args(["build", "--target", board.target, "--bin", name]).args(args).envs(files.iter().copied());
    firmware::build_with(build, &root().join("tests/device"))
}

/// Builds a program that calls an operation of a table, or nothing if `operation` is empty.
///
/// # Errors
/// The build fails.
pub fn size_program(board: &Board, level: &str, operation: &str, table: &Path) -> Result<PathBuf> {
    let level = if level.parse::<u8>().is_ok() { level.to_owned() } else { format!("{level:?}") };
    let config = format!("profile.release.opt-level={level}");
    program(board, "size", &["--features", operation, "--config", &config], &[("DEVICE_TABLE", table)])
}

/// Measures one operation of a table in a program of its own, over rows as `tests/device/src/tally.rs` reads them, and
/// returns mean, max and worst number of instructions, and bytes of stack.
///
/// # Errors
/// The build fails, or the program.
pub fn alone(board: &Board, operation: &str, table: &Path, rows: &Path) -> Result<Vec<u64>> {
    let files = [("DEVICE_TABLE", table), ("DEVICE_ROWS", rows)];
    let program = program(board, "alone", &["--features", operation], &files)?;
    Ok(lines(board, &program)?.pop().context("the firmware printed nothing")?.numbers)
}

/// Runs a program and returns the lines that it prints.
///
/// # Errors
/// The program fails, or prints something else.
pub fn lines(board: &Board, program: &Path) -> Result<Vec<Line>> {
    let how = Run { dir: root(), icount: Some(firmware::SHIFT), limit: LIMIT };
    let output = firmware::run(&board.metered(), program, how)?;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "{} ended with {}; its output:\n{text}", program.display(), output.status);
    let parsed = |line: &str| {
        let mut words = line.split(' ').map(str::to_owned);
        let (table, operation) = (words.next()?, words.next()?);
        Some(Line { table, operation, numbers: words.map(|word| word.parse()).collect::<Result<_, _>>().ok()? })
    };
    text.lines().map(|line| parsed(line).with_context(|| format!("the firmware printed `{line}`"))).collect()
}

/// Returns the bytes of a file of rows: the number of normal rows, then the readings of normal and of other rows.
///
/// # Errors
/// A reading does not fit 16 bits, or there are too many normal rows.
pub fn rows<'r>(normal: usize, readings: impl IntoIterator<Item = &'r i32>) -> Result<Vec<u8>> {
    let mut bytes = u16::try_from(normal)?.to_le_bytes().to_vec();
    for &reading in readings {
        bytes.extend(i16::try_from(reading).context("a reading does not fit 16 bits")?.to_le_bytes());
    }
    Ok(bytes)
}
