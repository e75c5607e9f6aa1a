//! Writes to standard output and standard error without panics, even if a stream is full or closed.

use std::fmt::{Arguments, Display, Write as _};
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};
use surprisal_trainer::Error;
use surprisal_trainer::escape::escaped;
use surprisal_trainer::warning::Warning;

mod excerpt;

use excerpt::excerpt;

/// Whether standard error gets errors only.
static QUIET: AtomicBool = AtomicBool::new(false);

/// Text for people, line by line. Control characters in a line, which come from names and cells of files, are escaped.
#[derive(Debug, Default)]
pub struct Lines(String);

impl Lines {
    /// Appends a line of text with control characters escaped.
    pub fn push(&mut self, line: impl Display) {
        self.0 += &escaped(&line.to_string());
        self.0.push('\n');
    }

    /// Returns all lines as one text.
    pub fn into_text(self) -> String {
        self.0
    }
}

/// Appends a formatted line to [`Lines`].
macro_rules! line {
    ($lines:expr, $($format:tt)*) => { $lines.push(format_args!($($format)*)) };
}

pub(crate) use line;

/// Writes nothing but errors to standard error from now on.
pub fn be_quiet() {
    QUIET.store(true, Ordering::Relaxed);
}

/// Returns whether standard error gets errors only.
pub fn is_quiet() -> bool {
    QUIET.load(Ordering::Relaxed)
}

/// Writes a line to standard error, unless it is quiet. Write errors are ignored, because they cannot be reported anywhere.
pub fn note(line: Arguments<'_>) {
    if is_quiet() {
        return;
    }
    let line = escaped(&line.to_string()).into_owned() + "\n";
    let _ = io::stderr().lock().write_all(line.as_bytes());
}

/// Writes remarks on the input files to standard error.
pub fn remarks(warnings: &[Warning]) {
    warnings.iter().for_each(|warning| note(format_args!("warning: {warning}")));
}

/// Writes an error, its causes and the line of the file that holds it to standard error; several errors of the same input
/// are shown one after the other.
pub fn report(error: &anyhow::Error) {
    let shown = |error: &Error| excerpt(error).unwrap_or_default();
    let text = match error.downcast_ref() {
        Some(Error::Several(errors)) => {
            let each = errors.iter().map(|error| format!("error: {}\n{}", escaped(&error.to_string()), shown(error)));
            each.collect()
        }
        of_library => with_causes(error) + &of_library.map(shown).unwrap_or_default(),
    };
    let _ = anstream::stderr().lock().write_all(text.as_bytes());
}

/// Returns the lines of an error and its causes.
fn with_causes(error: &anyhow::Error) -> String {
    let mut text = String::from("error");
    for (depth, cause) in error.chain().enumerate() {
        let message = cause.to_string();
        // Messages of parsers show the place on separate lines; all other line breaks come from names and cells.
        let parsers_own = depth > 0 && !cause.is::<Error>();
        let lines: Vec<_> = if parsers_own { message.trim_end().split('\n').collect() } else { vec![&*message] };
        let lines: Vec<_> = lines.into_iter().map(escaped).collect();
        write!(text, ": {}", lines.join("\n")).expect("a string takes any text");
    }
    text.push('\n');
    text
}

/// Writes bytes to standard output.
///
/// # Errors
/// Returns an error if the write fails, unless the reader closed the pipe.
pub fn print(bytes: &[u8]) -> Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) if !is_closed(&error) => Err(error).context("standard output"),
        _ => Ok(()),
    }
}

/// Returns whether a write failed because the reader closed the pipe, which is not an error of the command.
pub fn is_closed(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::BrokenPipe
}
