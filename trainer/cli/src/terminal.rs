//! Standard output and standard error. A full or closed stream never makes the command panic.

use std::fmt::{Arguments, Display, Write as _};
use std::io::{self, Write};

use anyhow::{Context, Result};
use surprisal_trainer::Error;
use surprisal_trainer::escape::escaped;

/// Text for people, line by line. Control characters in a line, which come from names and cells of files, are escaped.
#[derive(Debug, Default)]
pub struct Lines(String);

impl Lines {
    /// Appends a line.
    pub fn push(&mut self, line: impl Display) {
        self.0 += &escaped(&line.to_string());
        self.0.push('\n');
    }

    /// Returns the text.
    pub fn into_text(self) -> String {
        self.0
    }
}

/// Appends a formatted line to [`Lines`].
macro_rules! line {
    ($lines:expr, $($format:tt)*) => { $lines.push(format_args!($($format)*)) };
}

pub(crate) use line;

/// Writes a line to standard error. If that fails, there is nowhere to say so.
pub fn note(line: Arguments<'_>) {
    let line = escaped(&line.to_string()).into_owned() + "\n";
    let _ = io::stderr().lock().write_all(line.as_bytes());
}

/// Writes an error and its causes to standard error.
pub fn report(error: &anyhow::Error) {
    let mut text = String::from("error");
    for (depth, cause) in error.chain().enumerate() {
        let message = cause.to_string();
        // Parsers show the place in lines of their own; all other line breaks come from names and cells.
        let parsers_own = depth > 0 && !cause.is::<Error>();
        let lines: Vec<_> = if parsers_own { message.trim_end().split('\n').collect() } else { vec![&*message] };
        let lines: Vec<_> = lines.into_iter().map(escaped).collect();
        write!(text, ": {}", lines.join("\n")).expect("a string takes any text");
    }
    text.push('\n');
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// Writes to standard output.
///
/// # Errors
/// It cannot be written, unless its reader closed it.
pub fn print(bytes: &[u8]) -> Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) if !is_closed(&error) => Err(error).context("standard output"),
        _ => Ok(()),
    }
}

/// Returns whether a write failed because the reader closed the pipe, which is the reader's choice and no fault.
pub fn is_closed(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::BrokenPipe
}
