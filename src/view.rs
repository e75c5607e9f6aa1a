//! A view: one way to look at a row, as a density of its own. A table of outcome tables holds one or two views.
//!
//! The first view usually models the readings themselves, and the second the residuals from the nearest prototype.

use crate::encoder::{Column, Encoder, Kind};
use crate::error::{EncodeError, TableError};
use crate::nats::Nats;
use crate::outcome_tables::OutcomeTables;
use crate::prototypes::Prototypes;
use crate::reading::Reading;

/// Prototypes, an encoder and outcome tables, which together give a row of readings a density.
///
/// The encoder and the tables have the same columns in the same order. The source [`View::REGIME`] stands for the index
/// of the nearest prototype, and the columns of the prototypes are encoded as residuals, in steps, as
/// [`Kind::Integer`].
#[derive(Clone, Copy, Debug)]
pub struct View<'t> {
    /// The prototypes, or [`Prototypes::NONE`] for a view of the readings themselves.
    pub prototypes: Prototypes<'t>,
    /// The encoder, which turns each reading or residual into an outcome.
    pub encoder: Encoder<'t>,
    /// The model of the outcomes.
    pub tables: OutcomeTables<'t>,
    /// The part of the log-width that all rows have in common: ln(volume of the narrowest cells of this view / volume
    /// of the narrowest cells of all views).
    pub log_unit: Nats,
    /// `[column]`: the mean surprisal of each column over normal rows, in units of 1/1024 nat, from which the anomaly
    /// score of the view is computed. Empty before calibration.
    pub baselines: &'t [u16],
}

/// One column of a row in a view, as it is scored.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scored {
    /// The position of the column's reading, or [`View::REGIME`].
    pub column: u16,
    /// The surprisal given the columns before it, including the log-width.
    pub nats: Nats,
    /// The mean surprisal of the column over normal rows.
    pub baseline: Nats,
}

impl<'t> View<'t> {
    /// A view without columns.
    pub const EMPTY: Self = Self {
        prototypes: Prototypes::NONE,
        encoder: Encoder::EMPTY,
        tables: OutcomeTables::EMPTY,
        log_unit: Nats::ZERO,
        baselines: &[],
    };
    /// The source of the column that holds the index of the nearest prototype, in place of a position of a reading.
    pub const REGIME: u16 = 4095;

    /// Checks that the parts of the view have the same columns.
    ///
    /// # Errors
    /// [`TableError::Inconsistent`] if the encoder and the tables have different numbers of columns or outcomes, or if
    /// a column of the prototypes is not an integer column of the encoder.
    pub(crate) fn check(&self) -> Result<(), TableError> {
        let mut columns = self.tables.slices().columns.iter();
        let mut residuals = self.prototypes.slices().columns.iter().peekable();
        for (column, _) in self.encoder.columns() {
            let &[outcomes, ..] = columns.next().ok_or(TableError::Inconsistent("outcome columns"))?;
            if usize::from(outcomes) != column.outcomes() {
                return Err(TableError::Inconsistent("outcome columns"));
            }
            if residuals.next_if(|&&[source, ..]| source == i32::from(column.source)).is_some()
                && column.kind != Kind::Integer
            {
                return Err(TableError::Inconsistent("prototype columns"));
            }
        }
        if !self.baselines.is_empty() && self.baselines.len() != self.tables.columns() {
            return Err(TableError::Inconsistent("view baselines"));
        }
        match (columns.next(), residuals.next()) {
            (None, None) => Ok(()),
            (Some(_), _) => Err(TableError::Inconsistent("outcome columns")),
            _ => Err(TableError::Inconsistent("prototype columns")),
        }
    }

    /// Returns the largest baseline, or zero if there are none.
    pub(crate) fn largest_baseline(&self) -> Nats {
        Nats::from_raw(self.baselines.iter().max().map_or(0, |&nats| u32::from(nats) << 6))
    }

    /// Returns the index of the nearest prototype, or `None` for a view without prototypes. Columns of the prototypes
    /// after the first C do not count.
    pub fn regime<const C: usize>(&self, readings: &[Reading]) -> Option<u8> {
        (self.prototypes.count() > 0).then(|| self.prototypes.nearest::<C>(readings))
    }

    /// Passes (position in the view, column, reading or residual) of each column to `each`, in model order.
    #[inline]
    fn columns<const C: usize>(
        &self,
        readings: &[Reading],
        mut each: impl FnMut(usize, &Column<'t>, Reading) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        let nearest = self.regime::<C>(readings).unwrap_or(0);
        let (residuals, mut next) = (self.prototypes.slices().columns, 0);
        for (at, (column, _)) in self.encoder.columns().enumerate() {
            let source = column.source;
            let reading = match readings.get(usize::from(source)) {
                _ if source == Self::REGIME => Reading::Integer(nearest.into()),
                Some(&reading) if residuals.get(next).is_some_and(|column| column[0] == i32::from(source)) => {
                    next += 1;
                    self.prototypes.residual(next - 1, nearest, reading)
                }
                Some(&reading) => reading,
                None => return Err(EncodeError::NoReading { column: source }),
            };
            each(at, &column, reading)?;
        }
        Ok(())
    }

    /// Writes the outcome of each column to `row`, and returns the sum of the log-widths of the scored columns.
    ///
    /// # Errors
    /// [`EncodeError`], as for [`Encoder::encode`].
    pub fn encode<const C: usize>(&self, readings: &[Reading], row: &mut [u8; C]) -> Result<Nats, EncodeError> {
        let mut total = self.log_unit;
        self.columns::<C>(readings, |at, column, reading| {
            let (outcome, log_width, beyond) = column.classify(reading)?;
            *row.get_mut(at).ok_or(EncodeError::TooManyBits)? = outcome;
            if self.tables.slices().columns.get(at).is_some_and(|&[_, rows, _]| rows > 0) {
                total += log_width + beyond;
            }
            Ok(())
        })?;
        Ok(total)
    }

    /// Writes the surprisal of each column given the columns before it to `each[p]`, where p is the position of the
    /// column in the view, and returns the surprisal of the row in this view. Observed columns get zero.
    ///
    /// # Errors
    /// [`EncodeError`], as for [`Encoder::encode`].
    pub fn explain<const C: usize>(&self, readings: &[Reading], each: &mut [Nats]) -> Result<Nats, EncodeError> {
        each.fill(Nats::ZERO);
        let mut scored_columns = self.tables.slices().columns.iter().enumerate().filter(|(_, column)| column[1] > 0);
        self.by_column::<C>(readings, |scored, _| {
            if let Some(slot) = scored_columns.next().and_then(|(at, _)| each.get_mut(at)) {
                *slot = scored.nats;
            }
        })
    }

    /// Passes each scored column to `each`, in model order, with the tail of a number (the surprisal of a reading at
    /// least as far from the middle), and returns the surprisal of the row in this view.
    #[inline]
    pub(crate) fn by_column<const C: usize>(
        &self,
        readings: &[Reading],
        mut each: impl FnMut(Scored, Option<Nats>),
    ) -> Result<Nats, EncodeError> {
        let (mut row, mut walk, mut total) = ([0; C], self.tables.walk(), self.log_unit);
        self.columns::<C>(readings, |at, column, reading| {
            let (outcome, log_width, beyond) = column.classify(reading)?;
            let conditional = walk.next(&row);
            *row.get_mut(at).ok_or(EncodeError::TooManyBits)? = outcome;
            if let Some(Some(masses)) = conditional {
                let (surprisal, tail) = masses.surprisal_and_tail(outcome);
                // Each is less than 2^24.
                let nats = surprisal.wrapping_add(log_width).wrapping_add(beyond);
                total += nats;
                let ordered = matches!(column.kind, Kind::Integer | Kind::Real) && !reading.is_missing();
                let baseline = self.baselines.get(at).map_or(0, |&nats| u32::from(nats) << 6);
                let scored = Scored { column: column.source, nats, baseline: Nats::from_raw(baseline) };
                each(scored, ordered.then_some(tail.wrapping_add(beyond)));
            }
            Ok(())
        })?;
        Ok(total)
    }
}
