//! Converts the log of a board to CSV: finds the lines that carry readings.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::data::{default_name, is_header, is_missing, read_text};
use crate::error::{Error, Result};

/// Marker before the cells of a line with readings.
const MARKER: &str = "surprisal: ";

/// The rows found in a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capture {
    /// Names of the columns, from the header, or `x0`, `x1`, …
    pub names: Vec<String>,
    /// The session of each row, counted from 1, and its cells. A header begins a new session.
    pub rows: Vec<(usize, Vec<String>)>,
    /// Lines, counted from 1, that should be rows but are cut short or run together.
    pub dropped: Vec<usize>,
}

impl Capture {
    /// Reads a log from a file, plain or gzipped, or from standard input for `-`.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be read, and those of [`parse`](Self::parse).
    pub fn read(path: &Path) -> Result<Self> {
        let (shown, bytes) = if path == Path::new("-") {
            let (shown, mut bytes) = (PathBuf::from("standard input"), Vec::new());
            std::io::stdin().lock().read_to_end(&mut bytes).map_err(Error::io(&shown, "cannot be read"))?;
            (shown, bytes)
        } else {
            (path.to_owned(), read_text(path)?)
        };
        // A board that is reset in the middle of a byte logs invalid UTF-8; the line around it is dropped.
        Self::parse(&shown, &String::from_utf8_lossy(&bytes))
    }

    /// Finds the rows in the text of a log. If no line has the marker, lines of comma-separated numbers are rows, and a
    /// line of as many words directly before such a line is a header. `path` names the log in messages.
    ///
    /// # Errors
    /// [`Error::Input`] if there is no row, or a header differs from the first one.
    pub fn parse(path: &Path, text: &str) -> Result<Self> {
        let plain = without_colours(text);
        let whole = plain.ends_with('\n');
        let lines: Vec<&str> = plain.lines().collect();
        let marked = lines.iter().any(|line| after_marker(line).is_some());
        let cells = |at: usize| lines.get(at).and_then(|line| if marked { after_marker(line) } else { alone(line) });
        let mut capture = Self::default();
        let mut sessions = 0;
        for at in 0..lines.len() {
            let Some(cells) = cells(at) else { continue };
            if is_header(&cells) {
                let leads = marked || leads(&cells, lines.get(at + 1).and_then(|line| alone(line)));
                // Of a header cut short nothing is known but that the board began anew.
                if leads && (at + 1 < lines.len() || whole) {
                    capture.begin(path, at + 1, cells, &mut sessions)?;
                }
                continue;
            }
            if capture.names.is_empty() {
                capture.names = (0..cells.len()).map(default_name).collect();
            }
            let number = |cell: &String| is_missing(cell) || cell.parse::<f64>().is_ok_and(f64::is_finite);
            // A last line without an end may lack digits.
            let cut = at + 1 == lines.len() && !whole;
            if cells.len() == capture.names.len() && cells.iter().all(number) && !cut {
                capture.rows.push((sessions.max(1), cells));
            } else {
                capture.dropped.push(at + 1);
            }
        }
        if let (true, Some(line)) = (capture.rows.is_empty(), capture.dropped.first()) {
            let count = capture.names.len();
            let message = format!("no row is whole; line {line} should have {count} numbers with commas between");
            return Err(Error::input(path, message));
        }
        if capture.rows.is_empty() {
            let message = format!(
                "no rows; expected lines such as `{MARKER}x,y` and then `{MARKER}1,2`, as a board's `capture` program logs \
                 them, or lines of numbers with commas between"
            );
            return Err(Error::input(path, message));
        }
        Ok(capture)
    }

    /// Reads a header: the first one names the columns, and each begins a session.
    fn begin(&mut self, path: &Path, line: usize, names: Vec<String>, sessions: &mut usize) -> Result<()> {
        // Rows from before the board's start are a session of their own.
        let first = *sessions == 0;
        *sessions += if first && !self.rows.is_empty() { 2 } else { 1 };
        if self.names.is_empty() || first && self.names.len() == names.len() {
            self.names = names;
            return Ok(());
        }
        if self.names != names {
            let (here, before) = (names.join(","), self.names.join(","));
            let message = format!(
                "the columns are {here} here and {before} before; capture each firmware into a file of its own"
            );
            return Err(Error::input(path, message).at("line", line as u64));
        }
        Ok(())
    }

    /// Returns the number of sessions that have rows.
    pub fn sessions(&self) -> usize {
        self.rows.chunk_by(|a, b| a.0 == b.0).count()
    }

    /// Returns the rows as CSV, with the session number as the first column if `with_sessions`.
    ///
    /// # Errors
    /// [`Error::Option`] if a column is already called `session`.
    pub fn csv(&self, with_sessions: bool) -> Result<String> {
        if with_sessions && self.names.iter().any(|name| name == "session") {
            let message = "a column is called `session` already; rename it in the firmware, or leave --sessions out";
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

/// The cells behind the marker of a line. What may follow them, such as the place in the source, is behind a space.
fn after_marker(line: &str) -> Option<Vec<String>> {
    let mut ends = line.match_indices(MARKER.trim_end()).map(|(at, mark)| &line[at + mark.len()..]);
    // `surprisal::…` is a path of Rust's, which logs are full of.
    let rest = ends.find(|rest| !rest.starts_with(':'))?;
    let cells = rest.strip_prefix(' ').unwrap_or(rest).split_whitespace().next().unwrap_or_default();
    Some(cells.split(',').map(str::to_owned).collect())
}

/// The cells of a line without a marker, if it is one of numbers alone or of words alone.
fn alone(line: &str) -> Option<Vec<String>> {
    let cells: Vec<String> = line.trim().split(',').map(|cell| cell.trim().to_owned()).collect();
    let number = |cell: &String| is_missing(cell) || cell.parse::<f64>().is_ok();
    let word = |cell: &String| !cell.contains(char::is_whitespace);
    let row = cells.iter().all(number) && cells.iter().any(|cell| !is_missing(cell));
    (row || is_header(&cells) && cells.iter().all(word)).then_some(cells)
}

/// Are these words right before that row names of its cells?
fn leads(words: &[String], next: Option<Vec<String>>) -> bool {
    next.is_some_and(|next| next.len() == words.len() && !is_header(&next))
}

/// Leaves out what colours a terminal: an escape, a bracket, and all up to a letter.
fn without_colours(text: &str) -> String {
    let mut pieces = text.split("\u{1b}[");
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces.fold(first, |plain, piece| {
        plain + piece.trim_start_matches(|c: char| !c.is_ascii_alphabetic() && c != '\n').trim_start_matches('m')
    })
}
