//! The schema of a file: which columns are modelled, in which order, and how each becomes bits.

use std::collections::HashSet;

use rayon::prelude::*;
use surprisal::{Constraint, Kind, Nats, Reading};

use crate::bits::Bits;
use crate::data::{Frame, MissingCodes, default_name};
use crate::error::{Error, Result};
use crate::escape::ignore_option;
use crate::predictor::PredictorTable;
use crate::with_capacity;

mod cells;
mod encoding;
mod extremes;
mod faults;
mod find;
mod given;
mod numbering;
pub mod toml;

pub use encoding::{CELLS, ColumnEncoding, EncoderTable, from_total_order};

pub(crate) use cells::{has_nominal_widths, true_log_widths};
use encoding::integer;
pub use faults::without_bad_rows;
use find::ColumnSearch;
pub(crate) use find::{encode_integers, runs};
use toml::Overrides;

/// The columns of a file, and the encodings of the modelled columns.
#[derive(Clone, Debug, Default)]
pub struct Schema {
    /// Names of all columns of the file, in file order.
    pub names: Vec<String>,
    /// Encodings of the modelled columns, in model order.
    pub columns: Vec<ColumnEncoding>,
    /// Predictor of a time series; empty for rows that do not depend on earlier rows.
    pub predictor: PredictorTable,
}

/// Settings of [`Schema::find`].
#[derive(Clone, Debug, Default)]
pub struct SchemaOptions {
    /// Names of the columns that are not modelled.
    pub ignore: Vec<String>,
    /// Whether columns that never change are kept.
    pub keep_constant: bool,
    /// Names of the columns that are kept although they never change, or look like a clock, a counter or an identifier.
    pub keep: Vec<String>,
    /// Whether readings were emptied at random, so that a column that may be missing can be constant.
    pub is_emptied: bool,
    /// Whether the rows are a time series, in which each number is predicted from earlier rows.
    pub is_time_series: bool,
    /// Number of cells (bins) of each numeric column with more distinct values; [`CELLS`] if zero. `overrides` have
    /// precedence.
    pub cells: usize,
    /// Settings of single columns by name, which take precedence over the rows.
    pub overrides: Overrides,
}

/// Largest number of columns, and of bits, that a table holds.
const MAX_COLUMNS: usize = 4095;
const MAX_BITS: usize = 4096;

impl Schema {
    /// Finds the encoding of every column that is not ignored. `rows` are the indices of the training rows, which
    /// determine the edges of the cells.
    ///
    /// # Errors
    /// [`Error::Input`] if a cell does not fit its column, a column has the same value in all given rows (unless it is
    /// kept, or all columns are flags) or looks like a clock, a counter or an identifier (unless it is kept), a text column has too many texts, or there are more than 4095 columns;
    /// [`Error::Option`] if the overrides name a column that is absent.
    pub fn find(frame: &Frame, rows: &[usize], options: &SchemaOptions) -> Result<Self> {
        let (schema, mut errors) = Self::search(frame, rows, options)?;
        errors.extend(schema.check_constant(frame, rows, options).err());
        if let Some(error) = Error::all(errors) {
            return Err(error);
        }
        Ok(schema)
    }

    /// Checks that a model of bits can hold the columns.
    ///
    /// # Errors
    /// [`Error::Input`] if there are more than 4096 bits.
    pub(crate) fn check_bits(&self, frame: &Frame) -> Result<()> {
        let bits: usize = self.bits().sum();
        if bits <= MAX_BITS {
            return Ok(());
        }
        let has_numbers = self.columns.iter().any(|encoding| encoding.is_number() && !encoding.observed);
        let other =
            if has_numbers { ", choose fewer --cells, or choose --family tables, which has no such limit" } else { "" };
        let message = format!(
            "{bits} bits, but a model of bits holds at most {MAX_BITS}; leave some columns out with --ignore{other}"
        );
        Err(Error::input(&frame.path, message))
    }

    /// Returns the indices of the columns that are not left out.
    ///
    /// # Errors
    /// [`Error::Input`] if the options name a column that is absent, leave out all columns, or leave too many.
    fn modelled(frame: &Frame, options: &SchemaOptions) -> Result<Vec<usize>> {
        let SchemaOptions { ignore, overrides, .. } = options;
        let named = frame.positions(overrides.columns.keys());
        named.map_err(|error| Error::option("--schema", error.to_string()))?;
        let fault = |message: String| Err(Error::input(&frame.path, message));
        let mut is_modelled = vec![true; frame.columns.len()];
        frame.positions(ignore.iter().chain(overrides.ignored()))?.into_iter().for_each(|at| is_modelled[at] = false);
        let modelled: Vec<usize> = (0..frame.columns.len()).filter(|&at| is_modelled[at]).collect();
        match modelled.len() {
            0 => fault("every column is left out; keep at least one".into()),
            1..=MAX_COLUMNS => Ok(modelled),
            count => {
                fault(format!("{count} columns, but a table holds at most {MAX_COLUMNS}; leave some out with --ignore"))
            }
        }
    }

    /// Finds the encodings of the columns that can be used, and the errors of all others.
    fn search(frame: &Frame, rows: &[usize], options: &SchemaOptions) -> Result<(Self, Vec<Error>)> {
        let modelled = Self::modelled(frame, options)?;
        let cells = if options.cells == 0 { CELLS } else { options.cells };
        let faults = faults::find(frame, &modelled, options);
        let mut errors: Vec<Error> = Vec::new();
        if !faults.is_empty() {
            errors.push(faults::error(frame, &faults));
        }
        let mut refused: HashSet<usize> = faults.iter().map(|fault| fault.file).collect();
        if let Some((files, error)) = Self::check_numbering(frame, &modelled, rows, options)? {
            refused.extend(files);
            errors.push(error);
        }
        let found: Vec<Result<ColumnEncoding>> = modelled
            .par_iter()
            .enumerate()
            .filter(|(_, file)| !refused.contains(*file))
            .map(|(source, &file)| {
                let settings = options.overrides.of(&frame.columns[file].name);
                let cells = settings.cells.unwrap_or(cells);
                ColumnSearch { frame, file, source: source as u16, cells, settings }.encoding(rows)
            })
            .collect();
        let mut columns = Vec::new();
        for encoding in found {
            match encoding {
                Ok(encoding) => columns.push(encoding),
                Err(error) => errors.push(error),
            }
        }
        let names = frame.columns.iter().map(|column| column.name.clone()).collect();
        Ok((Self { names, columns, predictor: PredictorTable::default() }, errors))
    }

    /// Returns the schema file of all rows of a frame. Columns that cannot be used as they are are left out there, with
    /// the reason.
    ///
    /// # Errors
    /// [`Error::Input`] if an ignored column is absent, or there are too many columns.
    pub fn describe(frame: &Frame, ignore: &[String], codes: &MissingCodes) -> Result<String> {
        let rows: Vec<usize> = (0..frame.rows()).collect();
        let options = SchemaOptions {
            keep_constant: true,
            keep: frame.columns.iter().map(|column| column.name.clone()).collect(),
            ignore: ignore.to_vec(),
            ..SchemaOptions::default()
        };
        let (schema, errors) = Self::search(frame, &rows, &options)?;
        let mut faults = Vec::new();
        for file in Self::modelled(frame, &options)? {
            let name = Some(&frame.columns[file].name);
            let of_column = |error: &&Error| matches!(error, Error::Input { column, .. } if column.as_ref() == name);
            if let Some(Error::Input { message, .. }) = errors.iter().find(of_column) {
                faults.push((file, message.clone()));
            }
        }
        Ok(toml::write_with(frame, &schema.columns, codes, &faults))
    }

    /// Returns an error if a column has one value in all given rows, which may mean a dead sensor. If all columns are
    /// flags, constant flags are allowed.
    fn check_constant(&self, frame: &Frame, rows: &[usize], options: &SchemaOptions) -> Result<()> {
        let SchemaOptions { keep, keep_constant, overrides, .. } = options;
        if *keep_constant || self.columns.iter().all(|encoding| matches!(encoding.kind, Kind::Flag { .. })) {
            return Ok(());
        }
        let is_kept = |name: &String| keep.contains(name) || overrides.of(name).keep == Some(true);
        let is_constant = |encoding: &&ColumnEncoding| encoding.constant && (!encoding.may_miss || options.is_emptied);
        let constant: Vec<&ColumnEncoding> =
            self.columns.iter().filter(is_constant).filter(|encoding| !is_kept(&self.names[encoding.file])).collect();
        let Some(encoding) = constant.first() else { return Ok(()) };
        let column = &frame.columns[encoding.file];
        let ignore: Vec<String> = constant.iter().map(|encoding| ignore_option(&self.names[encoding.file])).collect();
        let ignore = ignore.join(" ");
        let (text, line, count) = (column.text(rows[0]), frame.lines[rows[0]], rows.len());
        let others: Vec<String> =
            constant.iter().skip(1).map(|encoding| format!("`{}`", self.names[encoding.file])).collect();
        let (others, it, any) = match others.len() {
            0 => (String::new(), "it", ""),
            _ => (format!(" (and so are {})", others.join(", ")), "them", " in one of them"),
        };
        let message = format!(
            "constant in the {count} training rows: always `{text}`, from {} {line} on{others}; leave {it} out with {ignore}, \
             or keep {it} with --keep-constant, so that any other value{any} is a surprise",
            frame.unit
        );
        Err(Error::input(&frame.path, message).column(&column.name))
    }

    /// Yields the number of bits of each column, in model order.
    pub fn bits(&self) -> impl Iterator<Item = usize> {
        self.columns.iter().map(|encoding| encoding.column().bits())
    }

    /// Returns the index of the first bit of each column in model order, followed by the number of all bits.
    pub fn bit_offsets(&self) -> Vec<usize> {
        let mut end = 0;
        let ends = self.bits().map(|bits| {
            end += bits;
            end
        });
        std::iter::once(0).chain(ends).collect()
    }

    /// Returns the name of a modelled column.
    pub fn name(&self, encoding: &ColumnEncoding) -> &str {
        &self.names[encoding.file]
    }

    /// Returns the column whose reading is at this position of a row, if it is modelled.
    pub fn of_source(&self, source: u16) -> Option<&ColumnEncoding> {
        self.columns.iter().find(|encoding| encoding.source == source)
    }

    /// Returns whether all columns have the default names x0, x1, … of a file without a header.
    pub fn is_unnamed(&self) -> bool {
        self.names.iter().enumerate().all(|(at, name)| *name == default_name(at))
    }

    /// Returns the schema with its modelled columns in another order. Column k of the result is column `order[k]` of
    /// this schema.
    pub fn reordered(&self, order: &[usize]) -> Self {
        let columns = order.iter().map(|&k| self.columns[k].clone()).collect();
        Self { names: self.names.clone(), columns, predictor: self.predictor.clone() }
    }

    /// Returns the encoder of the modelled columns.
    pub fn table(&self) -> EncoderTable {
        let mut table = EncoderTable::default();
        for encoding in &self.columns {
            table.columns.extend(encoding.column().words());
            table.values.extend(&encoding.values);
            table.log_widths.extend(&encoding.log_widths);
        }
        table
    }

    /// Returns `[bit]` the [`Constraint::raw`] of each bit. Empty if no bit has a constraint.
    ///
    /// If the bit "missing" of a column is one, the other bits of the column are zero. In a thermometer code, all bits
    /// after the first zero are zero. Of the two directions from the pivot outcome, at most one has ones.
    pub fn constraints(&self) -> Vec<u16> {
        let mut constraints = Vec::new();
        for (encoding, start) in self.columns.iter().zip(self.bit_offsets()) {
            let pivot = start + usize::from(encoding.may_miss);
            let end = start + encoding.column().bits();
            let downwards = end - usize::from(encoding.pivot);
            for bit in start..end {
                let constraint = match bit {
                    _ if encoding.observed => Constraint::OBSERVED,
                    _ if bit < pivot => Constraint::FREE,
                    _ if bit == pivot && !encoding.may_miss => Constraint::FREE,
                    _ if bit == pivot => Constraint::implied(bit as u16 - 1, true, false),
                    _ if bit == downwards => Constraint::implied(pivot as u16, true, false),
                    _ => Constraint::implied(bit as u16 - 1, false, false),
                };
                constraints.push(constraint.raw());
            }
        }
        if constraints.iter().all(|&constraint| constraint == Constraint::FREE.raw()) {
            Vec::new()
        } else {
            constraints
        }
    }

    /// Returns this schema for another file, in which the modelled columns may be at other positions among other
    /// columns.
    ///
    /// # Errors
    /// [`Error::Input`] if a modelled column is absent, or the number of columns differs and they have no names.
    pub fn aligned(&self, frame: &Frame) -> Result<Self> {
        let (found, expected) = (frame.columns.len(), self.names.len());
        let mut aligned = self.clone();
        aligned.names = frame.columns.iter().map(|column| column.name.clone()).collect();
        if !self.is_unnamed() {
            let files = frame.positions(self.columns.iter().map(|encoding| &self.names[encoding.file]))?;
            aligned.columns.iter_mut().zip(files).for_each(|(encoding, file)| encoding.file = file);
        } else if found != expected {
            let message = format!(
                "{found} columns, but the training data had {expected} columns without names; pass a file of the same columns"
            );
            return Err(Error::input(&frame.path, message));
        }
        Ok(aligned)
    }

    /// Returns the readings of the rows with these indices as `[row][source]`. The source is the position of a modelled
    /// column among the modelled columns in file order. A cell may be missing in every column.
    ///
    /// # Errors
    /// The errors of [`aligned`](Self::aligned) and [`readings`](Self::readings).
    pub fn all_readings(&self, frame: &Frame, rows: &[usize]) -> Result<Vec<Vec<Reading>>> {
        let aligned = self.aligned(frame)?;
        rows.par_iter().map(|&row| aligned.readings(frame, row)).collect()
    }

    /// Returns what [`all_readings`](Self::all_readings) returns, for rows to which a model is fitted or compared: they lack
    /// only readings that training rows lack as well.
    ///
    /// # Errors
    /// The errors of [`all_readings`](Self::all_readings), and [`Error::Input`] if a cell is missing in a column that is
    /// never missing in training.
    pub fn fitting_readings(&self, frame: &Frame, rows: &[usize]) -> Result<Vec<Vec<Reading>>> {
        let aligned = self.aligned(frame)?;
        let strict = || aligned.columns.iter().filter(|encoding| !encoding.may_miss);
        let lacking =
            |&row: &usize| strict().find(|encoding| frame.cell(row, encoding.file).is_missing()).map(|at| (row, at));
        if let Some((row, encoding)) = rows.par_iter().find_map_first(lacking) {
            let message =
                "the reading is missing, but no training row misses it; fill it in, or fit on rows that miss it too";
            return Err(frame.fault(row, encoding.file, message));
        }
        rows.par_iter().map(|&row| aligned.readings(frame, row)).collect()
    }

    /// Returns `[source]` the readings of one row of a file with exactly the columns of this schema, see
    /// [`aligned`](Self::aligned).
    ///
    /// # Errors
    /// [`Error::Input`] if a cell is not a number.
    pub fn readings(&self, frame: &Frame, row: usize) -> Result<Vec<Reading>> {
        let mut readings = vec![Reading::Missing; self.columns.len()];
        for encoding in &self.columns {
            let cell = frame.cell(row, encoding.file);
            readings[usize::from(encoding.source)] = if cell.is_missing() {
                Reading::Missing
            } else if encoding.labels.is_empty() {
                let number = frame.number(row, encoding.file)?;
                match encoding.kind {
                    Kind::Real => Reading::Real(number as f32),
                    // An integer edge e is exceeded by x if and only if it is exceeded by ⌈x⌉.
                    Kind::Integer => Reading::Integer(number.ceil() as i32),
                    // A fraction is no flag and no code.
                    _ => Reading::Integer(integer(number).unwrap_or(i32::MIN)),
                }
            } else {
                // Codes are not negative: -1 stands for all texts that no training row has.
                let code = encoding.labels.iter().position(|label| *label == cell.text());
                Reading::Integer(code.map_or(-1, |code| code as i32))
            };
        }
        Ok(readings)
    }

    /// Encodes rows of readings (`[row][source]`), and returns (bits, `[row]` the log-width of each row in nats).
    ///
    /// The log-width of the scored columns, see [`Encoder::encode`](surprisal::Encoder::encode), turns the surprisal of bits
    /// into that of readings.
    ///
    /// # Errors
    /// [`Error::Encode`] if a reading does not fit its column.
    pub fn encode(&self, readings: &[Vec<Reading>]) -> Result<(Bits, Vec<f64>)> {
        let (table, width) = (self.table(), self.bits().sum());
        let mut bits = Bits::new(width);
        let mut log_widths = Vec::new();
        with_capacity!(width, N => {
            for readings in readings {
                let (mut row, mut log_width) = ([false; N], Nats::ZERO);
                for ((column, own), encoding) in table.view().columns().zip(&self.columns) {
                    let of_column = column.encode(readings, &mut row[own])?;
                    // A column that is not scored has no density.
                    if !encoding.observed {
                        log_width += of_column;
                    }
                }
                log_widths.push(log_width.into());
                bits.push(&row);
            }
        });
        Ok((bits, log_widths))
    }
}
