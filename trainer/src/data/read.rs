//! Reads CSV files: plain or gzipped, with or without a header, separated by comma, semicolon or tab.

use std::collections::{HashMap, HashSet};
use std::io::{self, Read};
use std::path::Path;

use super::input::{Bytes, InputLimits, read_text};
use super::{Cells, Frame, FrameColumn, Header, Texts, checksum, default_name, is_header, is_npy};
use crate::error::{Error, Result};

impl Frame {
    /// Reads a CSV file within the default [`InputLimits`].
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be read; [`Error::Input`] if it has no rows, two columns of one name, a row
    /// whose length differs from that of the first line, or exceeds the limits.
    pub fn read(path: &Path, header: Header) -> Result<Self> {
        Self::read_within(path, header, &InputLimits::default())
    }

    /// Reads a CSV file, and refuses a file that exceeds `limits`.
    ///
    /// # Errors
    /// The errors of [`read`](Self::read).
    pub fn read_within(path: &Path, header: Header, limits: &InputLimits) -> Result<Self> {
        if is_npy(path) {
            return Err(Error::input(
                path,
                "a .npy file is a raw signal; fit it with --signal, for example --signal 2048:512, or pass rows as CSV",
            ));
        }
        let text = read_text(path, limits)?;
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(delimiter(&text))
            .trim(csv::Trim::All)
            .from_reader(RowReader { rest: &text, budget: limits.row_bytes });
        let mut record = csv::StringRecord::new();
        let mut names: Vec<String> = Vec::new();
        let mut columns: Vec<(Texts, HashMap<String, u32>)> = Vec::new();
        let mut lines = Vec::new();
        let mut counter = LineCounter::default();
        loop {
            reader.get_mut().budget = limits.row_bytes;
            let from = reader.position().byte() as usize;
            let read = reader.read_record(&mut record);
            let line = counter.line(&text, record.position().map_or(from, |position| position.byte() as usize));
            let fault = |message: String| Error::input(path, message).at("line", line);
            if !read.map_err(|error| unreadable(error, limits, &fault))? {
                break;
            }
            if names.is_empty() {
                limits.check_columns(path, record.len())?;
                let is_named = match header {
                    Header::Yes => true,
                    Header::No => false,
                    Header::Auto => is_header(&record),
                };
                names = column_names(&record, is_named, header).map_err(fault)?;
                columns.resize_with(record.len(), Default::default);
                if is_named {
                    continue;
                }
            }
            if record.len() != names.len() {
                let (found, expected) = (record.len(), names.len());
                return Err(fault(format!(
                    "{found} cells, but the first line has {expected}; every row needs one cell per column, and a missing \
                     reading is an empty cell"
                )));
            }
            limits.check_cells(path, lines.len() + 1, names.len())?;
            record.iter().zip(&mut columns).for_each(|(text, (texts, codes))| texts.push(text, codes));
            lines.push(line);
        }
        if lines.is_empty() {
            return Err(Error::input(path, "no rows; expected one row of readings per line"));
        }
        let column = |(name, (texts, _))| FrameColumn { name, cells: Cells::Text(texts) };
        Ok(Self {
            path: path.to_owned(),
            columns: names.into_iter().zip(columns).map(column).collect(),
            lines,
            unit: "line",
            digest: checksum(&text),
            mixed: Vec::new(),
        })
    }
}

/// Returns the delimiter of the first line: the most frequent of comma, semicolon and tab.
fn delimiter(text: &[u8]) -> u8 {
    let first = text.split(|&byte| byte == b'\n').next().unwrap_or_default();
    // On a tie, a comma may be a decimal comma.
    let count = |delimiter: &u8| first.iter().filter(|byte| *byte == delimiter).count();
    [b',', b'\t', b';'].into_iter().max_by_key(count).unwrap_or(b',')
}

/// Returns the names of the columns, or a message if two are equal. `is_named` tells whether the first line holds names;
/// otherwise the names are x0, x1, …
fn column_names(first: &csv::StringRecord, is_named: bool, header: Header) -> Result<Vec<String>, String> {
    let name = |(at, cell): (usize, &str)| {
        if is_named && !cell.is_empty() { cell.to_owned() } else { default_name(at) }
    };
    let names: Vec<String> = first.iter().enumerate().map(name).collect();
    let mut known = HashSet::new();
    match names.iter().find(|name| !known.insert(name.as_str())) {
        Some(name) => {
            let or = if header == Header::Auto {
                ", or pass --header no if the first line is a row of readings"
            } else {
                ""
            };
            Err(format!("two columns are called `{name}`; rename one{or}"))
        }
        None => Ok(names),
    }
}

/// Converts an error of the CSV parser to an error that tells how to correct the file. `fault` adds the place.
fn unreadable(error: csv::Error, limits: &InputLimits, fault: &dyn Fn(String) -> Error) -> Error {
    if error.is_io_error() {
        let most = Bytes(limits.row_bytes as u64);
        return fault(format!("a row of more than {most}; check that each row has its own line and quotes are closed"));
    }
    fault("cannot be read as CSV in UTF-8; save the file as UTF-8".into()).caused_by(error)
}

/// A reader that fails when one row takes too many bytes, because the parser keeps all cells of a row in memory.
///
/// The caller renews the budget for each row.
struct RowReader<'t> {
    rest: &'t [u8],
    /// Number of bytes that may be read until the next row begins.
    budget: usize,
}

impl Read for RowReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer.len().min(self.budget);
        if most == 0 && !self.rest.is_empty() {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let read = self.rest.read(&mut buffer[..most])?;
        self.budget -= read;
        Ok(read)
    }
}

/// A counter of lines, which finds the line of a byte offset. Offsets must not decrease between calls.
#[derive(Debug, Default)]
struct LineCounter {
    byte: usize,
    breaks: u64,
}

impl LineCounter {
    /// Returns the line, counted from 1, on which the first record at or after the offset `byte` of `text` begins.
    fn line(&mut self, text: &[u8], byte: usize) -> u64 {
        // The parser's own count of lines is behind by one after CRLF, whose LF it leaves to the next record.
        let byte = byte.min(text.len());
        let rest = &text[byte..];
        let skipped = rest.iter().position(|byte| !b"\r\n".contains(byte)).unwrap_or(rest.len());
        while self.byte < byte + skipped {
            let is_lone_cr = text[self.byte] == b'\r' && text.get(self.byte + 1) != Some(&b'\n');
            self.breaks += u64::from(text[self.byte] == b'\n' || is_lone_cr);
            self.byte += 1;
        }
        self.breaks + 1
    }
}
