//! Rows of readings in typed columns. A column of a CSV file holds texts; a computed column holds numbers.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::Hash;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::names::{Named, display_by_name};

pub mod input;
mod read;

/// Whether the first line of a CSV file names the columns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Header {
    /// The first line names the columns if none of its cells is a number.
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

/// Rows of readings from one file, by column.
#[derive(Clone, Debug)]
pub struct Frame {
    /// The file that the readings come from.
    pub path: PathBuf,
    /// The columns in file order, all of the same length.
    pub columns: Vec<FrameColumn>,
    /// `[row]`: the line, or the sample of a signal, on which the row begins, counted from 1.
    pub lines: Vec<u64>,
    /// The unit of `lines`: "line" or "sample".
    pub unit: &'static str,
    /// CRC-32 of the file's bytes after decompression.
    pub digest: u32,
    /// `[row]`: for a time series, whether any of the earlier rows that the row depends on is anomalous. Empty for
    /// other rows.
    pub mixed: Vec<bool>,
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

/// Returns whether a text stands for a missing reading: empty, `?`, NA, N/A, NaN, null or none.
pub fn is_missing(text: &str) -> bool {
    matches!(text, "" | "?") || ["na", "n/a", "nan", "null", "none"].iter().any(|word| text.eq_ignore_ascii_case(word))
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
        found.ok_or_else(|| self.no_column(name))
    }

    /// Returns the indices of the columns with these names, in the order of the names.
    ///
    /// # Errors
    /// [`Error::Input`] for the first name that no column has.
    pub fn positions<'n>(&self, names: impl IntoIterator<Item = &'n String>) -> Result<Vec<usize>> {
        let columns = self.columns.iter().enumerate();
        let positions: HashMap<&str, usize> = columns.map(|(at, column)| (column.name.as_str(), at)).collect();
        let position = |name: &String| positions.get(name.as_str()).copied().ok_or_else(|| self.no_column(name));
        names.into_iter().map(position).collect()
    }

    fn no_column(&self, name: &str) -> Error {
        let names: Vec<_> = self.columns.iter().map(|column| column.name.as_str()).take(30).collect();
        Error::input(&self.path, format!("no column `{name}`; the columns are {}", names.join(", ")))
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
        Error::input(&self.path, message).at(self.unit, self.lines[row]).column(&self.columns[column].name)
    }

    /// Returns "FILE: line L, column `NAME`" for messages about a cell, or "FILE: sample L, column `NAME`" for a
    /// signal.
    pub fn place(&self, row: usize, column: usize) -> String {
        let (path, unit, line) = (self.path.display(), self.unit, self.lines[row]);
        format!("{path}: {unit} {line}, column `{}`", self.columns[column].name)
    }
}

impl FrameColumn {
    /// Returns the cell of a row as text, as a CSV file has it.
    pub fn text(&self, row: usize) -> Cow<'_, str> {
        self.cells.get(row).text()
    }
}

impl Cells {
    /// Returns the cell of a row.
    pub fn get(&self, row: usize) -> Cell<'_> {
        match self {
            Self::Text(texts) => Cell::Text(&texts.distinct[texts.codes[row] as usize]),
            Self::Real(values) => Cell::Real(values[row]),
            Self::Integer(values) => Cell::Integer(values[row]),
        }
    }

    /// Applies a function to the cell of each row, and returns the results as `[row]`. The function is called once per
    /// distinct text.
    pub fn map<T: Clone>(&self, mut function: impl FnMut(Cell<'_>) -> T) -> Vec<T> {
        match self {
            Self::Text(texts) => {
                let each: Vec<T> = texts.distinct.iter().map(|text| function(Cell::Text(text))).collect();
                texts.codes.iter().map(|&code| each[code as usize].clone()).collect()
            }
            Self::Real(values) => values.iter().map(|&value| function(Cell::Real(value))).collect(),
            Self::Integer(values) => values.iter().map(|&value| function(Cell::Integer(value))).collect(),
        }
    }

    /// Returns (cell, number of its occurrences in `rows`) for each distinct cell of the column; the number may be
    /// zero.
    ///
    /// `rows` holds row indices. Texts are in the order in which they first appear.
    pub fn counts(&self, rows: &[usize]) -> Vec<(Cell<'_>, usize)> {
        match self {
            Self::Text(texts) => {
                let mut counts = vec![0; texts.distinct.len()];
                rows.iter().for_each(|&row| counts[texts.codes[row] as usize] += 1);
                texts.distinct.iter().map(|text| Cell::Text(text)).zip(counts).collect()
            }
            Self::Real(values) => {
                let counts = counts_of(values.iter().map(|value| value.to_bits()), rows, |row| values[row].to_bits());
                counts.map(|(bits, count)| (Cell::Real(f32::from_bits(bits)), count)).collect()
            }
            Self::Integer(values) => counts_of(values.iter().copied(), rows, |row| values[row])
                .map(|(value, count)| (Cell::Integer(value), count))
                .collect(),
        }
    }

    /// Returns the cells of the rows with these indices, in the given order.
    pub fn select(&self, rows: &[usize]) -> Self {
        match self {
            Self::Text(texts) => {
                let mut selected = Texts::default();
                let mut codes = vec![None; texts.distinct.len()];
                for &row in rows {
                    let from = texts.codes[row] as usize;
                    let code = codes[from].unwrap_or_else(|| {
                        selected.distinct.push(texts.distinct[from].clone());
                        selected.distinct.len() as u32 - 1
                    });
                    codes[from] = Some(code);
                    selected.codes.push(code);
                }
                Self::Text(selected)
            }
            Self::Real(values) => Self::Real(rows.iter().map(|&row| values[row]).collect()),
            Self::Integer(values) => Self::Integer(rows.iter().map(|&row| values[row]).collect()),
        }
    }
}

/// Yields (value, number of its occurrences) for each distinct value in `all`, where occurrences are counted over the
/// indices in `rows` and `value` returns the value of a row.
fn counts_of<K: Hash + Eq>(
    all: impl Iterator<Item = K>,
    rows: &[usize],
    value: impl Fn(usize) -> K,
) -> impl Iterator<Item = (K, usize)> {
    let mut counts: HashMap<K, usize> = all.map(|value| (value, 0)).collect();
    rows.iter().for_each(|&row| *counts.entry(value(row)).or_default() += 1);
    counts.into_iter()
}

impl FromIterator<String> for Texts {
    fn from_iter<T: IntoIterator<Item = String>>(texts: T) -> Self {
        let (mut column, mut codes) = (Self::default(), HashMap::new());
        texts.into_iter().for_each(|text| column.push(&text, &mut codes));
        column
    }
}

impl Texts {
    /// Appends a cell. `codes` maps each distinct text so far to its index in `distinct`.
    fn push(&mut self, text: &str, codes: &mut HashMap<String, u32>) {
        // Runs of equal cells are common; they need no hashing.
        if let Some(&last) = self.codes.last()
            && self.distinct[last as usize] == text
        {
            return self.codes.push(last);
        }
        let code = codes.get(text).copied().unwrap_or_else(|| {
            let code = self.distinct.len() as u32;
            self.distinct.push(text.to_owned());
            codes.insert(text.to_owned(), code);
            code
        });
        self.codes.push(code);
    }
}

impl<'a> Cell<'a> {
    /// Returns whether the cell stands for a missing reading.
    pub fn is_missing(self) -> bool {
        match self {
            Self::Text(text) => is_missing(text),
            Self::Real(value) => value.is_nan(),
            Self::Integer(value) => value.is_none(),
        }
    }

    /// Returns the number in the cell, or `None` if the cell is a text that is not a number, or a missing residual.
    pub fn number(self) -> Option<f64> {
        match self {
            Self::Text(text) => text.parse().ok(),
            Self::Real(value) => Some(value.into()),
            Self::Integer(value) => value.map(f64::from),
        }
    }

    /// Returns the cell as text. A number becomes the shortest text that parses as the same number.
    pub fn text(self) -> Cow<'a, str> {
        match self {
            Self::Text(text) => text.into(),
            Self::Real(value) => value.to_string().into(),
            Self::Integer(value) => value.map_or(String::new(), |value| value.to_string()).into(),
        }
    }
}
