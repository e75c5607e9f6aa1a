//! The encoding of one column as bits, and the owned tables of all encodings.

use surprisal::{Column, Encoder, EncoderSlices, Kind, Reading, total_order};

/// Default number of cells (bins) between the smallest and the largest training value of a numeric column.
pub const CELLS: usize = 16;

/// The encoding of one column: an owned [`Column`], with further data that only the host needs.
#[derive(Clone, Debug)]
pub struct ColumnEncoding {
    /// Index of the column in the file.
    pub file: usize,
    /// Position of the column among the readings of a row, which are the modelled columns in file order.
    pub source: u16,
    /// Kind of the values.
    pub kind: Kind,
    /// Whether readings may be missing.
    pub may_miss: bool,
    /// Edges or codes, as in [`Column::values`].
    pub values: Vec<i32>,
    /// Outcome at which the thermometer code starts, as in [`Column::pivot`].
    pub pivot: u16,
    /// Scale of the tails, as in [`Column::tail_scale`].
    pub tail_scale: i8,
    /// Log-widths of the cells, as in [`Column::log_widths`].
    pub log_widths: Vec<u16>,
    /// `[code]`: the texts of a category. Empty if the codes are the values themselves.
    pub labels: Vec<String>,
    /// Whether the column has one value in all training rows.
    pub constant: bool,
    /// Whether the column is context for the others and not scored: the last value of a state, or a column of `--given`.
    pub observed: bool,
    /// Largest number of cells of a numeric column. Known during a fit only.
    pub cells: usize,
    /// Natural logarithm of the width of the narrowest cell, in units of the column. Known during a fit only.
    pub unit: f64,
    /// (smallest, largest) training number that is no isolated extreme, if the column is numeric and has such extremes.
    /// Known during a fit only.
    pub bulk: Option<(f64, f64)>,
}

impl Default for ColumnEncoding {
    fn default() -> Self {
        Self {
            file: 0,
            source: 0,
            kind: Kind::Category,
            may_miss: false,
            values: Vec::new(),
            pivot: 0,
            tail_scale: 0,
            log_widths: Vec::new(),
            labels: Vec::new(),
            constant: false,
            observed: false,
            cells: 0,
            unit: 0.0,
            bulk: None,
        }
    }
}

impl ColumnEncoding {
    /// Returns whether the column holds numbers, whose outcomes are cells in ascending order.
    pub fn is_number(&self) -> bool {
        matches!(self.kind, Kind::Integer | Kind::Real)
    }

    /// Yields (code, text) of each value of a category, in ascending order of the codes. Texts are empty if the codes are
    /// the values of the file.
    pub fn codes(&self) -> impl ExactSizeIterator<Item = (i32, &str)> {
        let mut codes = self.values.clone();
        codes.sort_unstable();
        codes.into_iter().map(|code| (code, self.labels.get(code as usize).map_or("", String::as_str)))
    }

    /// Returns the device crate's column over these slices.
    pub fn column(&self) -> Column<'_> {
        Column {
            source: self.source,
            kind: self.kind,
            may_miss: self.may_miss,
            values: &self.values,
            pivot: self.pivot,
            tail_scale: self.tail_scale,
            log_widths: &self.log_widths,
        }
    }

    /// Returns the number with the fewest decimals in the cell of a real number, or the reading itself if it is none.
    pub fn plainest(&self, reading: Reading) -> Reading {
        let Reading::Real(value) = reading else { return reading };
        let cell = |value: f32| self.values.partition_point(|&edge| total_order(value) > edge);
        let mut rounded = (0..8).map(|decimals| {
            let steps = 10f64.powi(decimals);
            ((f64::from(value) * steps).round() / steps) as f32 + 0.0
        });
        rounded.find(|&rounded| cell(rounded) == cell(value)).map_or(reading, Reading::Real)
    }

    /// Returns whether a reading is within the bulk of the column's training numbers. Any reading is, if there are no
    /// isolated extremes.
    pub fn is_in_bulk(&self, reading: Reading) -> bool {
        let number = match reading {
            Reading::Integer(number) => f64::from(number),
            Reading::Real(number) => number.into(),
            _ => return true,
        };
        self.bulk.is_none_or(|(smallest, largest)| (smallest..=largest).contains(&number))
    }
}

/// The owned storage of an [`Encoder`], with the fields of [`EncoderSlices`].
#[derive(Clone, Debug, Default)]
pub struct EncoderTable {
    /// The words of all columns, in model order.
    pub columns: Vec<u16>,
    /// The edges and codes of all columns.
    pub values: Vec<i32>,
    /// The log-widths of all numeric columns, in units of 1/2048 nat.
    pub log_widths: Vec<u16>,
}

impl EncoderTable {
    /// Returns the device crate's encoder over these slices.
    pub fn view(&self) -> Encoder<'_> {
        let Self { columns, values, log_widths } = self;
        Encoder::new(EncoderSlices { columns, values, log_widths })
    }
}

/// Returns the number as an integer, or `None` if it is not an integer of 32 bits.
pub(super) fn integer(number: f64) -> Option<i32> {
    (number.fract() == 0.0 && number.abs() < 2_147_483_648.0).then_some(number as i32)
}

/// Returns the number whose [`total_order`] is `key`.
pub fn from_total_order(key: i32) -> f32 {
    f32::from_bits(total_order(f32::from_bits(key as u32)) as u32)
}
