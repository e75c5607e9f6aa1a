//! Finds the encoding of a column from its cells.

use std::borrow::Cow;
use std::collections::BTreeMap;

use surprisal::{Kind, total_order};

use super::cells::cut;
use super::encoding::{ColumnEncoding, from_total_order, integer};
use super::toml::{ColumnKind, ColumnOverride, Pinned};
use crate::data::{Cell, Cells, Frame};
use crate::error::{Error, Result};
use crate::escape::{column_option, ignore_option};

/// Largest number of texts of a category. A column with more texts is probably an identifier.
const MANY: usize = 64;

/// A column during the search for its encoding.
pub(super) struct ColumnSearch<'a> {
    /// The rows that hold the column.
    pub frame: &'a Frame,
    /// Index of the column in the file.
    pub file: usize,
    /// Position of the column among the readings of a row.
    pub source: u16,
    /// Number of cells (bins), if the column is numeric and has more distinct values.
    pub cells: usize,
    /// Settings that the user fixes.
    pub settings: ColumnOverride,
}

impl ColumnSearch<'_> {
    /// Finds the encoding of the column. The cells of all rows of the file determine the set of values, so that a rare
    /// value is known even if it is in no training row. The training rows, whose indices are `rows` in file order, determine
    /// frequencies and edges.
    ///
    /// # Errors
    /// [`Error::Input`] if no row has a reading, a cell does not fit the kind, a text column has more than 64 texts, or
    /// numbers need more digits than 32 bits hold.
    pub fn encoding(&self, rows: &[usize]) -> Result<ColumnEncoding> {
        let Self { frame, file, source, ref settings, .. } = *self;
        let name = &frame.columns[file].name;
        let (missing, present): (Vec<(Cell, usize)>, Vec<_>) =
            frame.columns[file].cells.counts(rows).into_iter().partition(|(cell, _)| cell.is_missing());
        let total: usize = present.iter().map(|(_, count)| count).sum();
        let ignore = ignore_option(name);
        if total == 0 {
            return Err(self.fault(format!("no readings in the training rows; leave it out with {ignore}")));
        }
        let numbers: Vec<(f64, usize)> =
            present.iter().filter_map(|&(cell, count)| Some((finite_number(cell)?, count))).collect();
        let mut encoding = ColumnEncoding {
            file,
            source,
            cells: self.cells,
            may_miss: settings.missing.unwrap_or(false) || !missing.is_empty(),
            ..ColumnEncoding::default()
        };
        let kind = self.kind();
        let all_integer =
            numbers.len() == present.len() && numbers.iter().all(|&(number, _)| integer(number).is_some());
        if let Some(pinned) = settings.pinned.as_ref().filter(|_| kind == Some(ColumnKind::Category)) {
            return self.pinned_category(encoding, pinned, &present);
        }
        if kind == Some(ColumnKind::Category) && !all_integer || kind.is_none() && numbers.len() < present.len() {
            self.category(&mut encoding, &present)?;
            return Ok(encoding);
        }
        if numbers.len() < present.len() {
            let row = self.first_row(|cell| !cell.is_missing() && finite_number(cell).is_none());
            let text = frame.columns[file].text(row);
            let message =
                format!("expected a number, as in most rows, found `{text}`; correct the cell or leave it empty");
            return Err(frame.fault(row, file, message));
        }
        if let Some(kind @ (ColumnKind::Integer | ColumnKind::Flag)) = kind {
            let (range, expected) = match kind {
                ColumnKind::Flag => (0..=1, "a flag (0 or 1)"),
                _ => (i32::MIN..=i32::MAX, "a whole number of 32 bits"),
            };
            let fits = |number: f64| integer(number).is_some_and(|value| range.contains(&value));
            if !numbers.iter().all(|&(number, _)| fits(number)) {
                let row = self.first_row(|cell| finite_number(cell).is_some_and(|number| !fits(number)));
                let text = frame.columns[file].text(row);
                let message = match &settings.pinned {
                    Some(Pinned { model, .. }) => format!(
                        "expected {expected}, as the column is in {model}, found `{text}`; correct the cell, or fit without \
                         --like and compile the exported rows again"
                    ),
                    None => {
                        format!("expected {expected} by the schema file, found `{text}`; make the column `real` there")
                    }
                };
                return Err(frame.fault(row, file, message));
            }
        }
        let cells = rows.iter().map(|&row| frame.cell(row, file)).filter(|cell| !cell.is_missing());
        let runs = || runs(cells.map(Cell::number));
        let distinct = number(&mut encoding, &numbers, runs, self.cells, kind);
        // One number may be written in several ways, such as 1 and 1.0.
        let mut values: Vec<f64> = numbers.iter().map(|(number, _)| *number).collect();
        values.sort_unstable_by(f64::total_cmp);
        values.dedup();
        let is_lost = |number: &&f64| **number != 0.0 && **number as f32 == 0.0;
        if let Some(number) = values.iter().find(is_lost).filter(|_| 2 * distinct < values.len()) {
            return Err(self.fault(format!(
                "has numbers that are nearer to zero than the smallest f32 (1.4e-45), such as {number:e}; write them in another \
                 unit, or leave the column out with {ignore}"
            )));
        }
        if 2 * distinct < values.len() {
            let numbers = values.len();
            return Err(self.fault(format!(
                "needs more digits than an f32 or i32 holds ({numbers} numbers, of which {distinct} stay distinct), as a \
                 counter or a time does; leave it out with {ignore}, or rescale it"
            )));
        }
        Ok(encoding)
    }

    /// Returns the kind of the column that the user or the type of its cells determines, or `None` if it depends on the
    /// values.
    fn kind(&self) -> Option<ColumnKind> {
        match self.frame.columns[self.file].cells {
            Cells::Text(_) => self.settings.kind,
            // Features are reals, even if all values are whole.
            Cells::Real(_) => self.settings.kind.or(Some(ColumnKind::Real)),
            Cells::Integer(_) => Some(ColumnKind::Integer),
        }
    }

    fn fault(&self, message: String) -> Error {
        Error::input(&self.frame.path, message).column(&self.frame.columns[self.file].name)
    }

    /// Returns the index of the first row of the file whose cell has a property. Panics if no cell has it.
    fn first_row(&self, has_property: impl Fn(Cell) -> bool) -> usize {
        let row = (0..self.frame.rows()).find(|&row| has_property(self.frame.cell(row, self.file)));
        row.expect("the caller found such a cell among the distinct ones")
    }

    /// Makes the column a category with the distinct cells and their counts in `present`. Codes are in the order of
    /// texts, so that they do not depend on the order of rows; outcomes are in the order of falling frequency.
    fn category(&self, encoding: &mut ColumnEncoding, present: &[(Cell, usize)]) -> Result<()> {
        self.check_few(present, present.len())?;
        let mut by_text: Vec<(Cow<str>, usize)> = present.iter().map(|(cell, count)| (cell.text(), *count)).collect();
        by_text.sort_unstable();
        Self::set_texts(encoding, by_text);
        Ok(())
    }

    /// Makes the column a category with the codes of an earlier model, and the next codes for other values in `present`.
    fn pinned_category(
        &self,
        mut encoding: ColumnEncoding,
        pinned: &Pinned,
        present: &[(Cell, usize)],
    ) -> Result<ColumnEncoding> {
        if pinned.has_texts() {
            let mut counts: BTreeMap<Cow<str>, usize> =
                present.iter().map(|(cell, count)| (cell.text(), *count)).collect();
            let known: Vec<(Cow<str>, usize)> = pinned
                .codes
                .iter()
                .map(|(_, text)| (Cow::from(text.as_str()), counts.remove(text.as_str()).unwrap_or(0)))
                .collect();
            self.check_few(present, known.len() + counts.len())?;
            Self::set_texts(&mut encoding, known.into_iter().chain(counts).collect());
            return Ok(encoding);
        }
        let is_code = |cell: Cell| cell.number().and_then(integer).is_some();
        if !present.iter().all(|&(cell, _)| is_code(cell)) {
            let row = self.first_row(|cell| !cell.is_missing() && !is_code(cell));
            let message = format!(
                "expected a whole number, as the codes of the column are in {}, found `{}`; correct the cell, or fit without \
                 --like and compile the exported rows again",
                pinned.model,
                self.frame.columns[self.file].text(row)
            );
            return Err(self.frame.fault(row, self.file, message));
        }
        let found = present.iter().filter_map(|&(cell, count)| Some((cell.number().and_then(integer)?, count)));
        let counts = merged(pinned.codes.iter().map(|&(code, _)| (code, 0)).chain(found).collect());
        encoding.constant = counts.iter().filter(|(_, count)| *count > 0).count() == 1;
        encoding.values = by_frequency(counts.into_iter());
        Ok(encoding)
    }

    /// Sets (text, count in the training rows) of each code, in ascending order of the codes from zero on.
    fn set_texts(encoding: &mut ColumnEncoding, texts: Vec<(Cow<str>, usize)>) {
        encoding.values = by_frequency((0..).zip(texts.iter().map(|(_, count)| *count)));
        encoding.constant = texts.iter().filter(|(_, count)| *count > 0).count() == 1;
        encoding.labels = texts.into_iter().map(|(text, _)| text.into_owned()).collect();
    }

    /// Checks that a category has at most 64 texts. `count` is their number.
    fn check_few(&self, present: &[(Cell, usize)], count: usize) -> Result<()> {
        if count > MANY {
            let name = &self.frame.columns[self.file].name;
            let ignore = ignore_option(name);
            let is_time = present.iter().take(MANY).all(|(cell, _)| cell.is_time());
            let time = if is_time {
                format!(", or carry it along as a time stamp with {}", column_option("--time", name))
            } else {
                String::new()
            };
            return Err(self.fault(format!(
                "looks like an identifier or a time; leave it out with {ignore}{time}: {count} different texts, a category \
                 has at most {MANY}"
            )));
        }
        Ok(())
    }
}

/// Returns the number in a cell if it is finite as `f32`.
pub(super) fn finite_number(cell: Cell) -> Option<f64> {
    cell.number().filter(|number| (*number as f32).is_finite())
}

/// Sorts (value, count) by falling count and returns the values.
fn by_frequency(values: impl Iterator<Item = (i32, usize)>) -> Vec<i32> {
    let mut values: Vec<(i32, usize)> = values.collect();
    values.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
    values.into_iter().map(|(value, _)| value).collect()
}

/// Encodes a column of (number, count in the training rows) and returns how many numbers stay distinct as `i32` or
/// `f32`.
fn number(
    encoding: &mut ColumnEncoding,
    numbers: &[(f64, usize)],
    runs: impl FnOnce() -> usize,
    cells: usize,
    kind: Option<ColumnKind>,
) -> usize {
    let integers: Option<Vec<(i32, usize)>> =
        numbers.iter().map(|&(number, count)| Some((integer(number)?, count))).collect();
    let integers = integers.filter(|_| kind != Some(ColumnKind::Real));
    let is_real = integers.is_none();
    let reals = || numbers.iter().map(|&(number, count)| (total_order(number as f32), count)).collect();
    let keys = merged(integers.unwrap_or_else(reals));
    encoding.constant = keys.iter().filter(|(_, count)| *count > 0).count() == 1;
    let are_bits = keys.iter().all(|(value, _)| (0..=1).contains(value));
    if is_real {
        encoding.kind = Kind::Real;
        cut(encoding, &keys, runs, cells, |key| f64::from(from_total_order(key)));
    } else if kind == Some(ColumnKind::Flag) || kind.is_none() && are_bits {
        let ones: usize = keys.iter().filter(|(value, _)| *value == 1).map(|(_, count)| count).sum();
        let total: usize = keys.iter().map(|(_, count)| count).sum();
        encoding.kind = Kind::Flag { flipped: 2 * ones > total };
    } else if kind == Some(ColumnKind::Category) {
        encoding.values = by_frequency(keys.iter().copied());
    } else {
        encoding.kind = Kind::Integer;
        cut(encoding, &keys, runs, cells, f64::from);
    }
    keys.len()
}

/// Makes a column of integers with at most `cells` cells. The integers come from readings, whose [`runs`] `runs` counts.
pub fn encode_integers(
    encoding: &mut ColumnEncoding,
    integers: impl Iterator<Item = i32>,
    runs: impl FnOnce() -> usize,
    cells: usize,
) {
    encoding.kind = Kind::Integer;
    cut(encoding, &merged(integers.map(|integer| (integer, 1)).collect()), runs, cells, f64::from);
}

/// Returns the number of runs of equal readings.
pub fn runs<T: PartialEq>(readings: impl Iterator<Item = T>) -> usize {
    let (mut runs, mut last) = (0, None);
    for reading in readings {
        if last.as_ref() != Some(&reading) {
            runs += 1;
            last = Some(reading);
        }
    }
    runs
}

/// Sorts (key, count) by ascending key, and adds up the counts of equal keys.
fn merged(mut keys: Vec<(i32, usize)>) -> Vec<(i32, usize)> {
    keys.sort_unstable();
    keys.chunk_by(|a, b| a.0 == b.0).map(|equal| (equal[0].0, equal.iter().map(|(_, count)| count).sum())).collect()
}
