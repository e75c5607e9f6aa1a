//! What each column means, found from the training rows: the encoder before it is a table.

use rayon::prelude::*;
use surprisal::{Column, Constraint, Encoder, EncoderSlices, Kind, Reading, total_order};

use crate::bits::Bits;
use crate::data::{Frame, default_name, is_missing};
use crate::error::{Error, Result};
use crate::predictor::PredictorTable;
use crate::with_capacity;

mod find;
pub mod toml;

use toml::Overrides;

/// All columns of a file, the modelled ones in the order the model sees them.
#[derive(Clone, Debug, Default)]
pub struct Schema {
    /// The file's columns in file order.
    pub names: Vec<String>,
    /// The columns that are modelled, in model order.
    pub columns: Vec<ColumnEncoding>,
    /// What is made of the rows before; empty for rows on their own.
    pub predictor: PredictorTable,
}

/// What is said of columns beforehand.
#[derive(Clone, Debug, Default)]
pub struct SchemaOptions {
    /// Columns that are not modelled.
    pub ignore: Vec<String>,
    /// Are columns that never change kept?
    pub keep_constant: bool,
    /// How many cells a numeric column of more values gets, if `overrides` do not say; [`CELLS`] if zero.
    pub cells: usize,
    /// What the user says of single columns.
    pub overrides: Overrides,
}

/// Cells between the smallest and the largest training value of a numeric column, unless another number is better.
pub const CELLS: usize = 16;

/// How one column becomes bits.
#[derive(Clone, Debug)]
pub struct ColumnEncoding {
    /// Its position in the file.
    pub file: usize,
    /// Its position among the readings, which are the modelled columns in file order.
    pub source: u16,
    /// What its values mean.
    pub kind: Kind,
    /// Does a training row miss it?
    pub may_miss: bool,
    /// Edges or codes, as in [`Column::values`].
    pub values: Vec<i32>,
    /// As in [`Column::pivot`].
    pub pivot: u16,
    /// As in [`Column::tail_scale`].
    pub tail_scale: i8,
    /// As in [`Column::log_widths`].
    pub log_widths: Vec<u16>,
    /// The texts of a category, by code; empty when the codes are the values themselves.
    pub labels: Vec<String>,
    /// Did it never change in the training rows?
    pub constant: bool,
    /// Is it a state before, which is seen but not scored?
    pub observed: bool,
    /// ln of the width of its narrowest cell, known while it is fitted.
    pub unit: f64,
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
            unit: 0.0,
        }
    }
}

impl ColumnEncoding {
    /// The core's view of it.
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

impl Schema {
    /// Finds the meaning of every column that is not to be ignored, its edges from the given rows.
    ///
    /// # Errors
    /// A bad cell, with its place; a column that is constant in the given rows, unless it is to be kept or all columns
    /// are flags; a text column that looks like an identifier; more columns or bits than a table holds; a wish for a
    /// column that is not there or cannot be what it says.
    pub fn find(frame: &Frame, rows: &[usize], given: &SchemaOptions) -> Result<Self> {
        let SchemaOptions { ignore, keep_constant, cells, overrides } = given;
        let cells = if *cells == 0 { CELLS } else { *cells };
        let known = overrides.columns.keys().try_for_each(|name| frame.position(name).map(|_| ()));
        known.map_err(|error| Error::option("--schema", error.to_string()))?;
        let fault = |message: String| Err(Error::input(&frame.path, message));
        let leave_out = ignore.iter().chain(overrides.ignored()).map(|name| frame.position(name));
        let leave_out = leave_out.collect::<Result<Vec<_>>>()?;
        let modelled: Vec<usize> = (0..frame.columns.len()).filter(|i| !leave_out.contains(i)).collect();
        if modelled.is_empty() {
            return fault("every column is left out; keep at least one".into());
        }
        if modelled.len() >= 4096 {
            let count = modelled.len();
            return fault(format!("{count} columns, but a table holds at most 4095; leave some out with --ignore"));
        }
        let columns = modelled
            .par_iter()
            .enumerate()
            .map(|(source, &file)| {
                let wish = overrides.of(&frame.columns[file].name);
                find::encoding(frame, file, source as u16, rows, wish.cells.unwrap_or(cells), wish)
            })
            .collect::<Result<Vec<_>>>()?;
        // Among bits alone a bit that never changed is a bit; among sensors a value that never changes is a dead one.
        let all_flags = columns.iter().all(|encoding| matches!(encoding.kind, Kind::Flag { .. }));
        for encoding in columns.iter().filter(|encoding| encoding.constant && !encoding.may_miss && !all_flags) {
            if *keep_constant {
                continue;
            }
            let cells = &frame.columns[encoding.file];
            let (name, text, line, count) = (&cells.name, cells.text(rows[0]), frame.lines[rows[0]], rows.len());
            let message = format!(
                "constant in the {count} training rows: always `{text}`, from {} {line} on; leave it out with --ignore \
                 {name}, or keep it with --keep-constant, so that any other value is a surprise",
                frame.unit
            );
            return Err(Error::input(&frame.path, message).column(name));
        }
        let schema = Self {
            names: frame.columns.iter().map(|cells| cells.name.clone()).collect(),
            columns,
            predictor: PredictorTable::default(),
        };
        let bits: usize = schema.bits().sum();
        if bits > 4096 {
            return fault(format!("{bits} bits, but a table holds at most 4096; leave some columns out with --ignore"));
        }
        Ok(schema)
    }

    /// How many bits each column takes, in model order.
    pub fn bits(&self) -> impl Iterator<Item = usize> {
        self.columns.iter().map(|encoding| encoding.column().bits())
    }

    /// Returns the first bit of each column in model order, and the number of all bits at the end.
    pub fn bit_offsets(&self) -> Vec<usize> {
        let mut end = 0;
        let ends = self.bits().map(|bits| {
            end += bits;
            end
        });
        std::iter::once(0).chain(ends).collect()
    }

    /// The name of a modelled column.
    pub fn name(&self, encoding: &ColumnEncoding) -> &str {
        &self.names[encoding.file]
    }

    /// Did the file not name its columns?
    pub fn is_unnamed(&self) -> bool {
        self.names.iter().enumerate().all(|(at, name)| *name == default_name(at))
    }

    /// The same schema with its columns in another order; `order[k]` is the present place of column k.
    pub fn reordered(&self, order: &[usize]) -> Self {
        Self { columns: order.iter().map(|&k| self.columns[k].clone()).collect(), ..self.clone() }
    }

    /// The encoder's slices.
    pub fn table(&self) -> EncoderTable {
        let mut table = EncoderTable::default();
        for encoding in &self.columns {
            table.columns.extend(encoding.column().words());
            table.values.extend(&encoding.values);
            table.log_widths.extend(&encoding.log_widths);
        }
        table
    }

    /// One constraint a bit, or none at all when every bit is free. Below a "missing" that is a one, and after a level that
    /// was not reached, everything is zero; and of the two ways from the pivot one is shut.
    pub fn constraints(&self) -> Vec<u16> {
        let mut constraints = Vec::new();
        for encoding in &self.columns {
            let column = encoding.column();
            let pivot = constraints.len() + usize::from(encoding.may_miss);
            let end = constraints.len() + column.bits();
            let downwards = end - usize::from(encoding.pivot);
            for bit in constraints.len()..end {
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

    /// The same schema for a file that may lack, add or move columns, as long as the modelled ones are there.
    ///
    /// # Errors
    /// A modelled column is absent. Columns without names are told by their position, so that all must be there.
    pub fn aligned(&self, frame: &Frame) -> Result<Self> {
        let plain = self.is_unnamed();
        let (have, want) = (frame.columns.len(), self.names.len());
        if plain && have != want {
            let message = format!(
                "{have} columns, but the training data had {want} columns without names; pass a file of the same columns"
            );
            return Err(Error::input(&frame.path, message));
        }
        let mut aligned =
            Self { names: frame.columns.iter().map(|cells| cells.name.clone()).collect(), ..self.clone() };
        for encoding in aligned.columns.iter_mut().filter(|_| !plain) {
            encoding.file = frame.position(&self.names[encoding.file])?;
        }
        Ok(aligned)
    }

    /// The readings of the given rows of a file.
    ///
    /// # Errors
    /// As [`aligned`](Self::aligned) and [`readings`](Self::readings).
    pub fn all_readings(&self, frame: &Frame, rows: &[usize]) -> Result<Vec<Vec<Reading>>> {
        let aligned = self.aligned(frame)?;
        rows.par_iter().map(|&row| aligned.readings(frame, row)).collect()
    }

    /// The readings of one row, in the order of the core's [`Reading`]s.
    ///
    /// # Errors
    /// A bad cell or a missing reading, with its place.
    pub fn readings(&self, frame: &Frame, row: usize) -> Result<Vec<Reading>> {
        let mut readings = vec![Reading::Missing; self.columns.len()];
        for encoding in &self.columns {
            let cells = &frame.columns[encoding.file];
            let text = cells.text(row);
            readings[usize::from(encoding.source)] = if is_missing(text) {
                if !encoding.may_miss {
                    let message = "the reading is missing, but no training row misses it; fill it in, or fit on rows that miss it too";
                    return Err(frame.fault(row, encoding.file, message));
                }
                Reading::Missing
            } else if encoding.labels.is_empty() {
                let number = frame.number(row, encoding.file)?;
                match encoding.kind {
                    Kind::Real => Reading::Real(number as f32),
                    // Between two whole numbers x > e is ⌈x⌉ > e.
                    Kind::Integer => Reading::Integer(number.ceil() as i32),
                    // Half a flag or code is none.
                    _ => Reading::Integer(integer(number).unwrap_or(i32::MIN)),
                }
            } else {
                // No code is negative: a text that no training row has is one of "all others".
                Reading::Integer(encoding.labels.iter().position(|label| label == text).map_or(-1, |code| code as i32))
            };
        }
        Ok(readings)
    }

    /// The bits of the given rows of readings, and their log-widths in nats.
    ///
    /// # Errors
    /// A reading that does not fit its column.
    pub fn encode(&self, readings: &[Vec<Reading>]) -> Result<(Bits, Vec<f64>)> {
        let (table, width) = (self.table(), self.bits().sum());
        let mut bits = Bits::new(width);
        let mut widths = Vec::new();
        with_capacity!(width, N => {
            let mut row = [false; N];
            for readings in readings {
                widths.push(table.view().encode(readings, &mut row)?.into());
                bits.push(&row);
            }
        });
        Ok((bits, widths))
    }
}

fn parse(text: &str) -> Option<f64> {
    text.parse::<f64>().ok().filter(|number| (*number as f32).is_finite())
}

fn integer(number: f64) -> Option<i32> {
    (number.fract() == 0.0 && number.abs() < 2_147_483_648.0).then_some(number as i32)
}

/// The inverse of [`total_order`], which is its own.
pub fn from_total_order(key: i32) -> f32 {
    f32::from_bits(total_order(f32::from_bits(key as u32)) as u32)
}
