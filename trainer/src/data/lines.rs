//! Lines of a text, and the cells of a line.

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};
use memchr::memchr2;

use crate::names::{Named, display_by_name};

/// What separates the cells of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Separator {
    /// A comma.
    Comma,
    /// A semicolon.
    Semicolon,
    /// A tab.
    Tab,
    /// A vertical bar.
    Pipe,
    /// One or more spaces or tabs.
    Spaces,
}

impl Named for Separator {
    const OPTION: &'static str = "--separator";
    const NAMES: &'static [(&'static str, Self)] = &[
        ("comma", Self::Comma),
        ("semicolon", Self::Semicolon),
        ("tab", Self::Tab),
        ("pipe", Self::Pipe),
        ("spaces", Self::Spaces),
    ];
    const ALIASES: &'static [(&'static str, Self)] = &[
        (",", Self::Comma),
        (";", Self::Semicolon),
        ("\t", Self::Tab),
        ("\\t", Self::Tab),
        ("|", Self::Pipe),
        (" ", Self::Spaces),
        ("space", Self::Spaces),
    ];
}

display_by_name!(Separator);

impl Separator {
    /// All separators, from the one that occurs least within cells.
    pub(crate) const ALL: [Self; 5] = [Self::Tab, Self::Semicolon, Self::Pipe, Self::Comma, Self::Spaces];

    pub(crate) fn byte(self) -> u8 {
        match self {
            Self::Comma => b',',
            Self::Semicolon => b';',
            Self::Pipe => b'|',
            Self::Tab | Self::Spaces => b'\t',
        }
    }
}

/// Yields (number, line) for each line that ends in LF, CRLF or CR, without its end. Numbers count from 1.
#[derive(Clone, Debug)]
pub(crate) struct Lines<'t> {
    rest: &'t str,
    number: u64,
}

impl<'t> Lines<'t> {
    pub fn new(text: &'t str) -> Self {
        Self { rest: text, number: 0 }
    }

    /// Returns the number of bytes of `text` that were read.
    pub fn position(&self, text: &str) -> usize {
        text.len() - self.rest.len()
    }

    /// Returns whether no text is left after the last line.
    pub fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }
}

impl<'t> Iterator for Lines<'t> {
    type Item = (u64, &'t str);

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        self.number += 1;
        let bytes = self.rest.as_bytes();
        let end = memchr2(b'\n', b'\r', bytes).unwrap_or(bytes.len());
        let is_pair = bytes.get(end) == Some(&b'\r') && bytes.get(end + 1) == Some(&b'\n');
        let line = &self.rest[..end];
        self.rest = self.rest.get(end + 1 + usize::from(is_pair)..).unwrap_or_default();
        Some((self.number, line))
    }
}

/// Cells of one record, trimmed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Record {
    /// Line on which the record begins.
    pub line: u64,
    text: String,
    ends: Vec<usize>,
}

impl Record {
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    pub fn iter(&self) -> impl Iterator<Item = &str> + Clone {
        let starts = std::iter::once(&0).chain(&self.ends);
        starts.zip(&self.ends).map(|(&from, &to)| &self.text[from..to])
    }

    /// Returns the cell with index `at`, or an empty text.
    pub fn cell(&self, at: usize) -> &str {
        let Some(&end) = self.ends.get(at) else { return "" };
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.text[start..end]
    }

    /// Returns the number of cells up to the last one that is not empty.
    pub fn trimmed_len(&self) -> usize {
        (0..self.len()).rev().find(|&at| !self.cell(at).is_empty()).map_or(0, |last| last + 1)
    }

    fn clear(&mut self) {
        self.text.clear();
        self.ends.clear();
    }

    fn push(&mut self, cell: &str) {
        self.text.push_str(cell.trim());
        self.ends.push(self.text.len());
    }

    /// Splits a line that contains no quotes.
    fn split(&mut self, line: &str, separator: Separator) {
        self.clear();
        match separator {
            Separator::Spaces => line.split_whitespace().for_each(|cell| self.push(cell)),
            _ => line.split(char::from(separator.byte())).for_each(|cell| self.push(cell)),
        }
    }
}

/// Result of [`Records::next`].
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The record holds the cells of a line.
    Row,
    /// The line has no text.
    Empty,
    /// The line consists of NUL bytes, which a file system leaves where a write was lost.
    Lost,
    /// The line cannot be read, and why.
    Bad(&'static str),
    /// The record has more bytes than the limit.
    TooLong,
}

/// Largest number of lines of one record with quoted line breaks.
const QUOTED_LINES: usize = 100;
/// Number of quotes without an end after which quotes end with their line, so that a hostile file takes linear time.
const OPEN_QUOTES: usize = 100;

/// Reads the records of a text one after the other.
pub(crate) struct Records<'t> {
    lines: Lines<'t>,
    separator: Separator,
    row_bytes: usize,
    parser: Reader,
    output: Vec<u8>,
    ends: Vec<usize>,
    open_quotes: usize,
}

impl<'t> Records<'t> {
    pub fn new(text: &'t str, separator: Separator, row_bytes: usize) -> Self {
        Self {
            lines: Lines::new(text),
            separator,
            row_bytes,
            parser: ReaderBuilder::new().delimiter(separator.byte()).build(),
            output: Vec::new(),
            ends: Vec::new(),
            open_quotes: 0,
        }
    }

    /// Returns the number of bytes of `text`, the whole text, that were read.
    pub fn position(&self, text: &str) -> usize {
        self.lines.position(text)
    }

    /// Returns whether the last record was the last of the text, and its line has no end.
    pub fn is_at_end(&self) -> bool {
        self.lines.is_at_end()
    }

    /// Reads the next line, or the lines of a record with quoted line breaks. `None` is the end of the text.
    pub fn next(&mut self, record: &mut Record) -> Option<Outcome> {
        let (number, line) = self.lines.next()?;
        // Files that were joined begin with a byte order mark each.
        let line = line.trim_start_matches('\u{feff}');
        record.line = number;
        record.clear();
        if line.len() > self.row_bytes {
            return Some(Outcome::TooLong);
        }
        // Ctrl-Z ends the files of old programs.
        let is_blank = |c: char| c.is_whitespace() || c == '\u{1a}' || c == '\u{feff}';
        if line.as_bytes().first().is_none_or(|byte| *byte <= b' ' || *byte >= 0x80) && line.chars().all(is_blank) {
            return Some(Outcome::Empty);
        }
        if memchr::memchr(0, line.as_bytes()).is_some() {
            let is_lost = line.chars().all(|c| c == '\0' || is_blank(c));
            return Some(if is_lost {
                Outcome::Lost
            } else {
                Outcome::Bad("holds NUL bytes, as after a loss of power")
            });
        }
        if memchr::memchr(b'"', line.as_bytes()).is_none() {
            record.split(line, self.separator);
            return Some(Outcome::Row);
        }
        Some(self.quoted(line, record))
    }

    /// Splits a line, and the lines after it that belong to the same quoted cell.
    fn quoted(&mut self, line: &str, record: &mut Record) -> Outcome {
        self.parser.reset();
        let (mut written, mut fields) = (0, 0);
        if self.feed(line, &mut written, &mut fields) {
            return self.finish(record, written, fields);
        }
        let mut ahead = self.lines.clone();
        if self.open_quotes < OPEN_QUOTES {
            let mut bytes = line.len();
            for (_, next) in ahead.by_ref().take(QUOTED_LINES) {
                bytes += next.len();
                if bytes > self.row_bytes {
                    return Outcome::TooLong;
                }
                if self.feed(next, &mut written, &mut fields) {
                    self.lines = ahead;
                    return self.finish(record, written, fields);
                }
            }
        }
        self.open_quotes += 1;
        Outcome::Bad("opens a quote that is not closed")
    }

    /// Parses a line and its end, and returns whether it completes the record.
    fn feed(&mut self, line: &str, written: &mut usize, fields: &mut usize) -> bool {
        let collapsed;
        let line = if self.separator == Separator::Spaces {
            collapsed = collapse(line);
            &collapsed
        } else {
            line
        };
        for mut input in [line.as_bytes(), b"\n"] {
            while !input.is_empty() {
                if self.output.len() - *written < input.len() + 1 {
                    self.output.resize(2 * self.output.len() + input.len() + 64, 0);
                }
                if self.ends.len() - *fields < 2 {
                    self.ends.resize(2 * self.ends.len() + 64, 0);
                }
                let output = (&mut self.output[*written..], &mut self.ends[*fields..]);
                let (result, read, wrote, ended) = self.parser.read_record(input, output.0, output.1);
                input = &input[read..];
                *written += wrote;
                *fields += ended;
                if result == ReadRecordResult::Record {
                    return true;
                }
            }
        }
        false
    }

    fn finish(&mut self, record: &mut Record, written: usize, fields: usize) -> Outcome {
        let Ok(text) = std::str::from_utf8(&self.output[..written]) else { return Outcome::Bad("is no text") };
        let mut start = 0;
        for &end in &self.ends[..fields] {
            record.push(text.get(start..end).unwrap_or_default());
            start = end;
        }
        Outcome::Row
    }
}

/// Returns the line with a tab in place of each run of spaces and tabs outside quotes, and none at its ends.
fn collapse(line: &str) -> String {
    let (mut out, mut is_quoted, mut is_gap) = (String::with_capacity(line.len()), false, false);
    for character in line.trim().chars() {
        if character.is_whitespace() && !is_quoted {
            is_gap = true;
            continue;
        }
        if std::mem::take(&mut is_gap) {
            out.push('\t');
        }
        is_quoted ^= character == '"';
        out.push(character);
    }
    out
}
