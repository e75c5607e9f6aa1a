//! Lines of a text that are no rows: comments, repeated headers, and lines that cannot be read.

use std::path::Path;

use super::dialect::{Dialect, is_comment};
use super::lines::{Outcome, Record};
use crate::counted::counted;
use crate::error::Error;

/// Largest number of bad lines that a message names.
const NAMED: usize = 20;

/// What a line of a text is.
#[derive(Debug)]
pub(super) enum Line {
    /// A row.
    Row,
    /// A row without any cell.
    Blank,
    /// A comment, a line without text, or a line above the table.
    Passed,
    /// The header, a row of units or the preamble again.
    Repeated,
    /// NUL bytes, which a file system leaves where a write was lost.
    Lost,
    /// The last line of the file, with too few cells and without an end.
    Cut,
    /// A line that cannot be read, and why.
    Bad(String),
    /// A row with more bytes than the limit.
    TooLong,
}

impl Dialect {
    /// Returns what a line is. `is_cut` says whether it is the last one of the file and has no end.
    pub(super) fn line(&self, outcome: Outcome, record: &Record, line: u64, is_cut: bool) -> Line {
        let is_last_name = |names: &Vec<String>| names.iter().rposition(|name| !name.is_empty());
        let required = self.names.as_ref().map_or(self.width, |names| is_last_name(names).map_or(0, |last| last + 1));
        let (width, found, filled) = (self.width, record.len(), record.trimmed_len());
        match outcome {
            Outcome::TooLong => Line::TooLong,
            _ if line <= self.rows_after => Line::Passed,
            Outcome::Empty => Line::Passed,
            Outcome::Lost => Line::Lost,
            Outcome::Bad(reason) => Line::Bad(reason.into()),
            Outcome::Row
                if self.has_comments
                    && is_comment(record.cell(0))
                    && (width == 1 || found != width || !self.begins_with_names) =>
            {
                Line::Passed
            }
            Outcome::Row if self.is_repeated(record) => Line::Repeated,
            Outcome::Row if filled == 0 && width > 1 => Line::Blank,
            Outcome::Row if found < required && is_cut => Line::Cut,
            Outcome::Row if found < required || filled > width => Line::Bad(format!("{found} cells, expected {width}")),
            Outcome::Row => Line::Row,
        }
    }

    /// Returns whether a record repeats the header, a row of units or the preamble, as in logs that were joined.
    fn is_repeated(&self, record: &Record) -> bool {
        let Some(names) = &self.names else { return false };
        let is = |cells: &Vec<String>| record.iter().eq(cells.iter().map(String::as_str));
        is(names)
            || self.units.iter().any(is)
            || !self.preamble.is_empty()
                && record.len() != self.width
                && self.preamble.contains(&record.iter().collect::<Vec<_>>().join("\t"))
    }
}

/// Lines that cannot be read.
#[derive(Debug, Default)]
pub(super) struct BadLines {
    /// (line, reason) of the first ones.
    first: Vec<(u64, String)>,
    /// Number of bad lines.
    pub count: usize,
}

impl BadLines {
    fn push(&mut self, line: u64, reason: impl Into<String>) {
        self.count += 1;
        if self.first.len() < NAMED {
            self.first.push((line, reason.into()));
        }
    }

    /// Returns the error that names the bad lines. `rows` is the number of other lines.
    pub fn error(self, path: &Path, rows: usize, is_named: bool) -> Error {
        let count = self.count;
        let hint = if rows < count && is_named {
            "; most lines differ from the line of names: give each column a name there, or pass --header no and --skip with \
             the number of lines before the rows; if commas are decimals too, export with semicolons"
        } else {
            ""
        };
        let (line, reason) = self.first.first().cloned().unwrap_or_default();
        let others: Vec<String> =
            self.first.iter().skip(1).map(|(line, reason)| format!("line {line}: {reason}")).collect();
        let more = if count > NAMED { format!("; and {} more", count - NAMED) } else { String::new() };
        let others = if others.is_empty() { String::new() } else { format!("; {}{more}", others.join("; ")) };
        let what = if count == 1 { "the line".into() } else { format!("the {count} lines") };
        let message = format!(
            "{reason}{others}; correct {what}, or leave {} out with --skip-bad {count}{hint}",
            if count == 1 { "it" } else { "them" }
        );
        Error::input(path, message).at("line", line)
    }
}

/// Lines that are no rows.
#[derive(Debug, Default)]
pub(super) struct LeftOut {
    /// Lines that cannot be read.
    pub bad: BadLines,
    headers: usize,
    lost: usize,
    cut: Option<u64>,
    /// Whether the lines since the last row repeat a header, and whether others were left out.
    is_header: bool,
    is_apart: bool,
}

impl LeftOut {
    /// Counts a line that is no row.
    pub fn add(&mut self, line: Line, number: u64) {
        match line {
            Line::Repeated => self.headers += usize::from(!std::mem::replace(&mut self.is_header, true)),
            Line::Lost => self.lost += 1,
            Line::Bad(ref reason) => self.bad.push(number, reason),
            Line::Cut => self.cut = Some(number),
            _ => {}
        }
        self.is_apart |= matches!(line, Line::Lost | Line::Bad(_));
    }

    /// Returns, at a row, whether lines were left out since the last one.
    pub fn take_gap(&mut self) -> bool {
        std::mem::take(&mut self.is_header) | std::mem::take(&mut self.is_apart)
    }

    /// Returns remarks on the lines. `after` says what each means for the rows after it.
    pub fn remarks(&self, after: &str) -> Vec<String> {
        let Self { bad, headers, lost, cut, .. } = self;
        let mut remarks = Vec::new();
        if bad.count > 0 {
            let lines: Vec<_> = bad.first.iter().map(|(line, _)| line.to_string()).collect();
            let more = if bad.count > lines.len() { ", …" } else { "" };
            remarks.push(format!("{} left out: {}{more}{after}", counted(bad.count, "bad line"), lines.join(", ")));
        }
        if *headers > 0 {
            remarks.push(format!("the header is repeated {}{after}", counted(*headers, "time")));
        }
        if *lost > 0 {
            let lines = counted(*lost, "line");
            remarks.push(format!("{lines} of NUL bytes left out, as after a loss of power{after}"));
        }
        remarks.extend(cut.map(|line| format!("the last line, {line}, is cut short and left out")));
        remarks
    }
}
