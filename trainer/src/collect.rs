//! Converts a board's log to the CSV file that `surprisal fit` reads: extracts the lines that hold readings.

use std::path::{Path, PathBuf};

use crate::data::input::{InputLimits, read_text, read_to_limit};
use crate::data::serial::{after_stamp, plotted};
use crate::data::{default_name, is_header, is_missing};
use crate::error::{Error, Result};

/// Marker before the cells of a line with readings.
const MARKER: &str = "surprisal: ";

/// The rows of readings in a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capture {
    /// Names of the columns, from the header, or `x0`, `x1`, …
    pub names: Vec<String>,
    /// (session, cells) of each row. Sessions are counted from 1; each line of column names begins a new session.
    pub rows: Vec<(usize, Vec<String>)>,
    /// Line numbers, counted from 1, of damaged rows, which are cut short or merged with another line.
    pub dropped: Vec<usize>,
}

impl Capture {
    /// Reads a log from a file, plain or gzipped, or from standard input for `-`, within the default [`InputLimits`].
    ///
    /// # Errors
    /// [`Error::Io`] if the log cannot be read, [`Error::Input`] if it is too large, and the errors of
    /// [`parse`](Self::parse).
    pub fn read(path: &Path) -> Result<Self> {
        let limits = InputLimits::default();
        let (shown, bytes) = if path == Path::new("-") {
            let shown = PathBuf::from("standard input");
            let bytes = read_to_limit(std::io::stdin().lock(), &shown, &limits, "cannot be read")?;
            (shown, bytes)
        } else {
            (path.to_owned(), read_text(path, &limits)?)
        };
        // A board that is reset in the middle of a byte logs invalid UTF-8; the line around it is dropped.
        Self::parse(&shown, &String::from_utf8_lossy(&bytes))
    }

    /// Parses the rows in the text of a log. `path` names the log in messages.
    ///
    /// Rows and headers (column names) follow the marker `surprisal: `. If no line has the marker, every line of numbers
    /// separated by commas, semicolons or tabs is a row, and a line of as many words directly before a row is a header.
    /// Time stamps such as `12:01:00.250 -> ` are removed, and lines such as `temp:22,press:108` name their values.
    ///
    /// # Errors
    /// [`Error::Input`] if there is no complete row, or a header differs from the first one.
    pub fn parse(path: &Path, text: &str) -> Result<Self> {
        let plain = strip_escapes(text);
        let is_terminated = plain.ends_with('\n');
        let lines: Vec<&str> = plain.lines().collect();
        let marked = lines.iter().any(|line| after_marker(line).is_some());
        let cells =
            |at: usize| lines.get(at).and_then(|line| if marked { after_marker(line) } else { unmarked_cells(line) });
        let pairs = |at: usize| if marked { None } else { plotted(after_stamp(lines[at].trim())) };
        let mut capture = Self::default();
        let mut sessions = 0;
        for at in 0..lines.len() {
            // A plotter's line has the names of its values.
            let pairs = pairs(at);
            let named: Option<Vec<String>> =
                pairs.as_ref().map(|pairs| pairs.iter().map(|(name, _)| (*name).to_owned()).collect());
            let values = pairs.map(|pairs| pairs.into_iter().map(|(_, value)| value.to_owned()).collect());
            let Some(cells) = values.or_else(|| cells(at)) else { continue };
            if let Some(named) = named {
                if capture.names.is_empty() {
                    capture.names = named;
                } else if capture.names != named {
                    capture.dropped.push(at + 1);
                    continue;
                }
            } else if is_header(&cells) {
                let is_header = marked || precedes_row(&cells, lines.get(at + 1).and_then(|line| unmarked_cells(line)));
                // The last line may be cut short if it has no line break.
                if is_header && (at + 1 < lines.len() || is_terminated) {
                    capture.begin(path, at + 1, cells, &mut sessions)?;
                }
                continue;
            }
            if capture.names.is_empty() {
                capture.names = (0..cells.len()).map(default_name).collect();
            }
            let number = |cell: &String| is_missing(cell) || cell.parse::<f64>().is_ok_and(f64::is_finite);
            // The last line may lack digits if it has no line break.
            let cut = at + 1 == lines.len() && !is_terminated;
            if cells.len() == capture.names.len() && cells.iter().all(number) && !cut {
                capture.rows.push((sessions.max(1), cells));
            } else {
                capture.dropped.push(at + 1);
            }
        }
        if let (true, Some(line)) = (capture.rows.is_empty(), capture.dropped.first()) {
            let count = capture.names.len();
            let message = format!("no complete row; line {line} should have {count} comma-separated numbers");
            return Err(Error::input(path, message));
        }
        if capture.rows.is_empty() {
            let message = format!(
                "no rows; expected lines such as `{MARKER}x,y` and then `{MARKER}1,2`, as a board's `capture` program logs \
                 them, or lines of comma-separated numbers"
            );
            return Err(Error::input(path, message));
        }
        Ok(capture)
    }

    /// Begins a session at a header with these column names, which must equal the names of the first header. `sessions`
    /// is the number of sessions so far.
    fn begin(&mut self, path: &Path, line: usize, names: Vec<String>, sessions: &mut usize) -> Result<()> {
        // Rows before the first header are a session of their own.
        let first = *sessions == 0;
        *sessions += if first && !self.rows.is_empty() { 2 } else { 1 };
        if self.names.is_empty() || first && self.names.len() == names.len() {
            self.names = names;
            return Ok(());
        }
        if self.names != names {
            let (here, before) = (names.join(","), self.names.join(","));
            let message =
                format!("the columns are {here} here and {before} before; capture each firmware into its own file");
            return Err(Error::input(path, message).at("line", line as u64));
        }
        Ok(())
    }

    /// Returns the number of sessions that have rows.
    pub fn sessions(&self) -> usize {
        self.rows.chunk_by(|a, b| a.0 == b.0).count()
    }

    /// Returns the rows as CSV, with the session number as the first column if `with_sessions` is set.
    ///
    /// # Errors
    /// [`Error::Option`] if `with_sessions` is set and a column has the name `session`.
    pub fn csv(&self, with_sessions: bool) -> Result<String> {
        if with_sessions && self.names.iter().any(|name| name == "session") {
            let message = "a column has the name `session`; rename it in the firmware, or leave --sessions out";
            return Err(Error::option("--sessions", message));
        }
        let mut csv = csv::Writer::from_writer(Vec::new());
        const TAKEN: &str = "a vector takes any record";
        let first = |text: String| with_sessions.then_some(text);
        csv.write_record(first("session".into()).iter().chain(&self.names)).expect(TAKEN);
        for (session, cells) in &self.rows {
            csv.write_record(first(session.to_string()).iter().chain(cells)).expect(TAKEN);
        }
        Ok(String::from_utf8(csv.into_inner().expect(TAKEN)).expect("cells are text"))
    }
}

/// Returns the cells after the word that marks a row in the log of a board, or `None` if the line has no such word. The
/// cells end at the next space, after
/// which loggers print the source location.
fn after_marker(line: &str) -> Option<Vec<String>> {
    let mut ends = line.match_indices(MARKER.trim_end()).map(|(at, mark)| &line[at + mark.len()..]);
    // `surprisal::…` is a Rust path, which loggers print too.
    let rest = ends.find(|rest| !rest.starts_with(':'))?;
    let cells = rest.strip_prefix(' ').unwrap_or(rest).split_whitespace().next().unwrap_or_default();
    Some(cells.split(',').map(str::to_owned).collect())
}

/// Returns the cells of a line without a marker if all are numbers or all are words, otherwise `None`.
fn unmarked_cells(line: &str) -> Option<Vec<String>> {
    let line = after_stamp(line.trim());
    // Commas come first: a semicolon or a tab may stand in a text.
    let separator = [',', ';', '\t'].into_iter().find(|separator| line.contains(*separator)).unwrap_or(',');
    let cells: Vec<String> = line.split(separator).map(|cell| cell.trim().to_owned()).collect();
    let number = |cell: &String| is_missing(cell) || cell.parse::<f64>().is_ok();
    let word = |cell: &String| !cell.contains(char::is_whitespace);
    let row = cells.iter().all(number) && cells.iter().any(|cell| !is_missing(cell));
    (row || is_header(&cells) && cells.iter().all(word)).then_some(cells)
}

/// Returns whether the cells of the next line, `next`, are numbers and as many as `words`.
fn precedes_row(words: &[String], next: Option<Vec<String>>) -> bool {
    next.is_some_and(|next| next.len() == words.len() && !is_header(&next))
}

/// Removes terminal escape sequences, such as colours: an escape, a bracket, and all up to a letter.
fn strip_escapes(text: &str) -> String {
    let mut pieces = text.split("\u{1b}[");
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces.fold(first, |plain, piece| {
        plain + piece.trim_start_matches(|c: char| !c.is_ascii_alphabetic() && c != '\n').trim_start_matches('m')
    })
}
