//! Rows of readings in typed columns. A column of a file of text holds texts; a computed column holds numbers.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::names::{Named, display_by_name};
use crate::warning::Warning;

pub(crate) mod blocks;
mod cells;
mod columns;
mod dialect;
mod files;
mod header;
pub mod input;
mod kind;
mod left_out;
mod lines;
mod machine;
pub mod missing;
mod number;
mod numpy;
mod options;
#[cfg(feature = "parquet")]
mod parquet;
mod read;
pub(crate) mod serial;
mod sound;
mod text;
mod time;

pub use lines::Separator;
pub use machine::Machine;
pub use missing::{MissingCodes, is_missing};
pub use options::{Decimal, ReadOptions};

pub use files::expand;
pub(crate) use files::join;
pub(crate) use kind::Kind as FileKind;
pub(crate) use number::{is_written, parse as parse_number};
pub(crate) use numpy::{Numbers, arrays};
pub(crate) use sound::channels as sound_channels;

/// Whether the first line of a file of rows names the columns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Header {
    /// The first line of the table names the columns if no cell of it is a reading.
    #[default]
    Auto,
    /// The first line names the columns.
    Yes,
    /// The first line is a row; the columns are called x0, x1, …
    No,
}

impl Named for Header {
    const OPTION: &'static str = "--header";
    const NAMES: &'static [(&'static str, Self)] = &[("auto", Self::Auto), ("yes", Self::Yes), ("no", Self::No)];
}

display_by_name!(Header);

/// Rows of readings from one file or several, by column.
#[derive(Clone, Debug, Default)]
pub struct Frame {
    /// The file that the readings come from; of several files, a text that names the first.
    pub path: PathBuf,
    /// (path, first row) of each file, if there are several.
    pub files: Vec<(PathBuf, usize)>,
    /// The columns in file order, all of the same length.
    pub columns: Vec<FrameColumn>,
    /// `[row]`: the line, or the sample of a signal, on which the row begins, counted from 1.
    pub lines: Vec<u64>,
    /// The unit of `lines`: "line", "sample", or "row" of an array.
    pub unit: &'static str,
    /// CRC-32 of the file's bytes after decompression.
    pub digest: u32,
    /// Number of bytes of the files after decompression; zero for signals, of which only the features are kept.
    pub bytes: usize,
    /// `[row]`: for a time series, whether any of the earlier rows that the row depends on is anomalous or without a
    /// label. Empty for other rows.
    pub mixed: Vec<bool>,
    /// `[row]`: whether the row has no reading, so that it is not normal. Empty if all rows have readings.
    pub blank: Vec<bool>,
    /// Rows, other than the first, with which a session begins: another file, or rows after a repeated header, a gap in time or a
    /// line that was left out.
    pub starts: Vec<usize>,
    /// Number of lines that were left out because they cannot be read.
    pub skipped: usize,
    /// Channels of a raw signal that were left out.
    pub left_out: Vec<String>,
    /// What was recognised in the file and may surprise.
    pub remarks: Vec<Warning>,
}

/// One column of a [`Frame`].
#[derive(Clone, Debug)]
pub struct FrameColumn {
    /// Name from the header, or `x` followed by the index of the column, for example `x0`.
    pub name: String,
    /// The cells, one per row.
    pub cells: Cells,
}

/// The cells of a column, by type.
#[derive(Clone, Debug)]
pub enum Cells {
    /// Texts of a CSV file, each of which may be a number.
    Text(Texts),
    /// `[row]`: features of a signal; NaN is a missing reading.
    Real(Vec<f32>),
    /// `[row]`: residuals of a predictor, in its fixed-point steps; `None` is a missing reading.
    Integer(Vec<Option<i32>>),
}

/// A column of texts that stores each distinct text once.
#[derive(Clone, Debug, Default)]
pub struct Texts {
    distinct: Vec<String>,
    codes: Vec<u32>,
}

/// One cell of a [`Frame`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cell<'a> {
    /// A text, which may be a number.
    Text(&'a str),
    /// A feature of a signal; NaN is a missing reading.
    Real(f32),
    /// A residual of a predictor, in its fixed-point steps; `None` is a missing reading.
    Integer(Option<i32>),
}

/// Returns whether cells are names: at least one is not missing, and none is a number.
pub(crate) fn is_header<'a, T: AsRef<str> + 'a + ?Sized>(cells: impl IntoIterator<Item = &'a T> + Clone) -> bool {
    let mut texts = cells.clone().into_iter().map(AsRef::as_ref);
    texts.any(|cell| !is_missing(cell)) && cells.into_iter().all(|cell| cell.as_ref().parse::<f64>().is_err())
}

/// Returns the CRC-32 (ISO-HDLC) of the bytes, as a table contains it.
pub fn checksum(bytes: &[u8]) -> u32 {
    crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC).checksum(bytes)
}

/// Returns whether a path names a NumPy file.
pub(crate) fn is_npy(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("npy"))
}

/// Returns the name of the column with index `at` in a file without a header: x0, x1, …
pub fn default_name(at: usize) -> String {
    format!("x{at}")
}

impl Frame {
    /// Returns the number of rows.
    pub fn rows(&self) -> usize {
        self.lines.len()
    }

    /// Returns the index of the column with this name.
    ///
    /// # Errors
    /// [`Error::Input`] if no column has the name; the message lists the names.
    pub fn position(&self, name: &str) -> Result<usize> {
        let found = self.columns.iter().position(|column| column.name == name);
        found.ok_or_else(|| self.no_column(&[name]))
    }

    /// Returns the indices of the columns with these names, in the order of the names.
    ///
    /// # Errors
    /// [`Error::Input`] if there are names that no column has; the message lists them.
    pub fn positions<'n>(&self, names: impl IntoIterator<Item = &'n String>) -> Result<Vec<usize>> {
        let columns = self.columns.iter().enumerate();
        let positions: HashMap<&str, usize> = columns.map(|(at, column)| (column.name.as_str(), at)).collect();
        let (mut found, mut absent) = (Vec::new(), Vec::new());
        for name in names {
            match positions.get(name.as_str()) {
                Some(&at) => found.push(at),
                None => absent.push(name.as_str()),
            }
        }
        if absent.is_empty() { Ok(found) } else { Err(self.no_column(&absent)) }
    }

    /// Returns the error that no column has these names.
    fn no_column(&self, absent: &[&str]) -> Error {
        let noun = if absent.len() == 1 { "column" } else { "columns" };
        let shown = |name: &&str| {
            let alike = self.columns.iter().find(|column| column.name.to_lowercase() == name.to_lowercase());
            let hint = alike.map_or(String::new(), |column| format!(" (did you mean `{}`?)", column.name));
            format!("`{name}`{hint}")
        };
        let more = if absent.len() > 30 { format!(" and {} more", absent.len() - 30) } else { String::new() };
        let absent: Vec<_> = absent.iter().take(30).map(shown).collect();
        let names: Vec<_> = self.columns.iter().map(|column| column.name.as_str()).take(30).collect();
        let message = format!("no {noun} {}{more}; the columns are {}", absent.join(", "), names.join(", "));
        Error::input(&self.path, message)
    }

    /// Returns the file that a row comes from.
    pub fn path_of(&self, row: usize) -> &Path {
        let at = self.files.partition_point(|(_, first)| *first <= row);
        at.checked_sub(1).map_or(&self.path, |file| &self.files[file].0)
    }

    /// Returns the file that a row comes from, and its line there.
    pub fn origin(&self, row: usize) -> (&Path, u64) {
        (self.path_of(row), self.lines[row])
    }

    /// Returns whether a row has no reading.
    pub fn is_blank(&self, row: usize) -> bool {
        self.blank.get(row).copied().unwrap_or(false)
    }

    /// Returns whether a row has a reading, and depends on no row that is anomalous or without a label: such rows are
    /// normal unless a label says otherwise.
    pub fn may_be_normal(&self, row: usize) -> bool {
        !self.is_blank(row) && !self.mixed.get(row).copied().unwrap_or(false)
    }

    /// Marks the rows that have no reading in the columns whose names `is_reading` accepts.
    pub(crate) fn mark_blank(&mut self, is_reading: impl Fn(&str) -> bool) {
        let mut blank = vec![true; self.rows()];
        for column in self.columns.iter().filter(|column| is_reading(&column.name)) {
            let missing = column.cells.map(|cell| cell.is_missing());
            blank.iter_mut().zip(missing).for_each(|(blank, missing)| *blank &= missing);
        }
        self.blank = if blank.contains(&true) { blank } else { Vec::new() };
    }

    /// Empties the cells that hold a code of a missing reading, except in the columns of labels and of time stamps.
    fn empty_codes(&mut self, options: &ReadOptions) {
        let (codes, label) = (&options.missing, options.label.as_deref());
        let is_read = |name: &str| label != Some(name) && !options.time.iter().any(|time| time == name);
        for column in self.columns.iter_mut().filter(|column| is_read(&column.name)) {
            let codes = codes.of(&column.name);
            if let (Cells::Text(texts), false) = (&mut column.cells, codes.is_empty()) {
                let is_code = |text: &String| missing::is_code(&codes, text, text.parse().ok());
                let emptied: Vec<_> = texts.distinct.iter().map(|text| is_code(text).then(String::new)).collect();
                texts.replace(&emptied);
            }
        }
    }

    /// Returns the rows with these indices, in the given order, with the sessions that begin between them.
    pub(crate) fn select(&self, rows: &[usize]) -> Self {
        let column = |column: &FrameColumn| FrameColumn { name: column.name.clone(), cells: column.cells.select(rows) };
        let first = |row: usize| rows.partition_point(|&kept| kept < row);
        Self {
            path: self.path.clone(),
            files: self.files.iter().map(|(path, row)| (path.clone(), first(*row))).collect(),
            columns: self.columns.iter().map(column).collect(),
            lines: rows.iter().map(|&row| self.lines[row]).collect(),
            unit: self.unit,
            digest: self.digest,
            bytes: self.bytes,
            mixed: if self.mixed.is_empty() { Vec::new() } else { rows.iter().map(|&row| self.mixed[row]).collect() },
            blank: if self.blank.is_empty() { Vec::new() } else { rows.iter().map(|&row| self.blank[row]).collect() },
            starts: self.starts.iter().map(|&row| first(row)).collect(),
            skipped: self.skipped,
            left_out: self.left_out.clone(),
            remarks: self.remarks.clone(),
        }
    }

    /// Returns the cell of a row in a column.
    pub fn cell(&self, row: usize, column: usize) -> Cell<'_> {
        self.columns[column].cells.get(row)
    }

    /// Returns the number in a cell, which may be infinite.
    ///
    /// # Errors
    /// [`Error::Input`] if the cell is not a number.
    pub fn number(&self, row: usize, column: usize) -> Result<f64> {
        let cell = self.cell(row, column);
        cell.number().filter(|number| !number.is_nan()).ok_or_else(|| {
            let text = cell.text();
            self.fault(row, column, format!("expected a number, found `{text}`; correct the cell or leave it empty"))
        })
    }

    /// Returns an [`Error::Input`] with this message that names the file, the line and the column of a cell.
    pub(crate) fn fault(&self, row: usize, column: usize, message: impl Into<String>) -> Error {
        Error::input(self.path_of(row), message).at(self.unit, self.lines[row]).column(&self.columns[column].name)
    }

    /// Returns "FILE: line L, column `NAME`" for messages about a cell, or "FILE: sample L, column `NAME`" for a
    /// signal.
    pub fn place(&self, row: usize, column: usize) -> String {
        let (path, unit, line) = (self.path_of(row).display(), self.unit, self.lines[row]);
        format!("{path}: {unit} {line}, column `{}`", self.columns[column].name)
    }
}

impl FrameColumn {
    /// Returns the cell of a row as text, as a CSV file has it.
    pub fn text(&self, row: usize) -> Cow<'_, str> {
        self.cells.get(row).text()
    }
}
