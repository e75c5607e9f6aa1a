//! Columns that number the rows instead of describing the machine: clocks, counters and identifiers.

use rayon::prelude::*;

use super::encoding::integer;
use super::{Schema, SchemaOptions};
use crate::data::Frame;
use crate::error::{Error, Result};
use crate::escape::column_option;

/// Largest number of rows in which numbers may rise, or be dense, by chance.
const ROWS: usize = 50;
/// Largest ratio of the range of identifiers to their number.
const DENSITY: f64 = 2.0;
/// Largest deviation of a clock's step from the median step, as a fraction of the median.
const JITTER: f64 = 0.1;
/// Smallest share of a clock's steps that deviate no more than that.
const REGULAR: f64 = 0.9;
/// Largest number of columns that one message names.
const NAMED: usize = 8;

/// How the values of a numeric column number the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Numbering {
    /// No value is smaller than the one before it, and many are larger, as in a clock or a counter.
    Rising {
        /// Whether every value is larger than the one before it.
        is_strict: bool,
        /// Whether most values stay distinct as `f32` or `i32`, so that the column can be modelled.
        is_distinct: bool,
    },
    /// The values are distinct whole numbers of a dense range, as of an identifier.
    Identifier,
}

impl Numbering {
    /// Returns how a column numbers the rows, or `None` if it does not. `rows` are the indices of the training rows in
    /// file order.
    ///
    /// A clock or counter never falls in the training rows, and rises at least 50 times. An identifier has a different whole
    /// number in every row of the file, from a range that is less than twice as wide as the number of rows. Missing cells are
    /// left out. Neither is found in 50 rows or fewer.
    ///
    /// In a time series, a number is predicted from the numbers before it, so that a rising column such as an energy
    /// meter tells something by its increments. Only a clock is found there, which rises in every row: nine of ten steps are
    /// within 10 % of the median step.
    pub fn find(frame: &Frame, file: usize, rows: &[usize], is_time_series: bool) -> Option<Self> {
        let numbers = frame.columns[file].cells.map(|cell| (cell.is_missing(), cell.number()));
        let present = |row: usize| (!numbers[row].0).then_some(numbers[row].1);
        // A text that is no number ends the search.
        let values: Vec<f64> = rows.iter().filter_map(|&row| present(row)).collect::<Option<_>>()?;
        let rises = values.windows(2).filter(|pair| pair[0] < pair[1]).count();
        if rises >= ROWS && values.is_sorted() {
            let as_integers = values.iter().all(|&value| integer(value).is_some());
            let steps = values.windows(2);
            let distinct = steps.filter(|pair| as_integers || (pair[0] as f32) < pair[1] as f32).count();
            let is_strict = rises + 1 == values.len();
            let rising = Self::Rising { is_strict, is_distinct: 2 * distinct >= rises };
            let is_clock = || is_strict && is_regular(&values);
            return (!is_time_series || is_clock()).then_some(rising);
        }
        let mut every: Vec<f64> = (0..frame.rows()).filter_map(present).collect::<Option<_>>()?;
        let count = every.len();
        if count <= ROWS || every.iter().any(|&value| integer(value).is_none()) {
            return None;
        }
        every.sort_unstable_by(f64::total_cmp);
        let is_distinct = every.windows(2).all(|pair| pair[0] < pair[1]);
        let is_dense = every[count - 1] - every[0] < DENSITY * count as f64;
        (is_distinct && is_dense).then_some(Self::Identifier)
    }
}

/// Returns whether nearly all steps between rising values have the same size.
fn is_regular(values: &[f64]) -> bool {
    let mut steps: Vec<f64> = values.windows(2).map(|pair| pair[1] - pair[0]).collect();
    steps.sort_unstable_by(f64::total_cmp);
    let median = steps[steps.len() / 2];
    let regular = steps.iter().filter(|step| (**step - median).abs() <= JITTER * median).count();
    regular as f64 >= REGULAR * steps.len() as f64
}

impl Schema {
    /// Returns the modelled columns that number the rows and are not kept by the options, with one error for all of them, or
    /// `None` if there are none. `modelled` are the indices of the modelled columns in the file.
    ///
    /// # Errors
    /// [`Error::Input`] if a kept column is absent.
    pub(super) fn check_numbering(
        frame: &Frame,
        modelled: &[usize],
        rows: &[usize],
        options: &SchemaOptions,
    ) -> Result<Option<(Vec<usize>, Error)>> {
        let SchemaOptions { keep, overrides, is_time_series, .. } = options;
        frame.positions(keep)?;
        let found: Vec<(usize, Numbering)> = modelled
            .par_iter()
            .filter_map(|&file| {
                let name = &frame.columns[file].name;
                let settings = overrides.of(name);
                let is_code = settings.is_code();
                if is_code || settings.keep == Some(true) || keep.contains(name) {
                    return None;
                }
                Some((file, Numbering::find(frame, file, rows, *is_time_series)?))
            })
            .collect();
        let Some(&(file, numbering)) = found.first() else { return Ok(None) };
        let column = &frame.columns[file];
        let description = match numbering {
            Numbering::Identifier => format!(
                "has {} different whole numbers, none of them twice and most of them in sequence, as an identifier has, which \
                 says nothing about the state of the machine",
                (0..frame.rows()).filter(|&row| !frame.cell(row, file).is_missing()).count()
            ),
            Numbering::Rising { is_strict, .. } => {
                let mut present = rows.iter().filter(|&&row| !frame.cell(row, file).is_missing());
                let (first, last) = (present.next().unwrap_or(&0), present.next_back().unwrap_or(&0));
                let value = |row: usize| format!("`{}` in {} {}", column.text(row), frame.unit, frame.lines[row]);
                let (first, last) = (value(*first), value(*last));
                let consequence = if *is_time_series {
                    "which says nothing about the state of the machine"
                } else {
                    "so that every later row would be out of range"
                };
                let how = if is_strict {
                    ["only rises", "a clock or a counter does"]
                } else {
                    ["never falls", "a counter does, or a column by which the rows are sorted"]
                };
                format!("{}, from {first} to {last}, as {}, {consequence}", how[0], how[1])
            }
        };
        let names: Vec<&str> = found.iter().take(NAMED).map(|&(file, _)| frame.columns[file].name.as_str()).collect();
        let all = |option: &str| names.iter().map(|name| column_option(option, name)).collect::<Vec<_>>().join(" ");
        let others = match found.len() {
            1 => String::new(),
            2..=NAMED => format!(" (and the same holds for `{}`)", names[1..].join("`, `")),
            count => format!(" (and the same holds for {} more columns)", count - 1),
        };
        let (it, ignore) = (if names.len() > 1 { "them" } else { "it" }, all("--ignore"));
        let can_keep =
            !found.iter().any(|(_, numbering)| matches!(numbering, Numbering::Rising { is_distinct: false, .. }));
        let keep = if can_keep { format!(", or keep {it} with {}", all("--keep")) } else { String::new() };
        let clock = found.iter().find(|(_, numbering)| matches!(numbering, Numbering::Rising { is_strict: true, .. }));
        let time = clock.map_or(String::new(), |&(file, _)| {
            let option = column_option("--time", &frame.columns[file].name);
            match found.len() {
                1 => format!(", or carry it along as a time stamp with {option}"),
                _ => format!(", and if `{}` is a time stamp, pass {option} in its place", frame.columns[file].name),
            }
        });
        let message = format!("{description}{others}; leave {it} out with {ignore}{time}{keep}");
        let files = found.iter().map(|(file, _)| *file).collect();
        Ok(Some((files, Error::input(&frame.path, message).column(&column.name))))
    }
}
