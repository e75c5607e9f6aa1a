//! A view: one way to look at a row, as a density of its own. A table of outcome tables holds one or two views.
//!
//! The first view usually models the readings themselves, and the second the residuals from the nearest prototype.

use crate::encoder::{ColumnStart, Encoder, EncoderSlices, Kind};
use crate::error::{EncodeError, TableError};
use crate::nats::Nats;
use crate::outcome_tables::{Masses, OutcomeTables, Start};
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
    /// `[column]`: where the parts of the column begin, so that a score need not add up the lengths of earlier columns: what
    /// [`starts`](Self::starts) yields.
    pub starts: &'t [[u32; 5]],
    /// The part of the log-width that all rows have in common: ln(volume of the narrowest cells of this view / volume
    /// of the narrowest cells of all views).
    pub log_unit: Nats,
    /// The largest squared distance from the nearest prototype that is still usual: normal rows exceed it at the
    /// false-alarm rate of the detector. `u32::MAX` before calibration and without prototypes.
    pub reach: u32,
    /// `[column]`: the mean surprisal of each column over normal rows, in units of 1/1024 nat, from which the anomaly
    /// score of the view is computed. Empty before calibration.
    pub baselines: &'t [u16],
}

/// The operating regime of a row: the prototype that is nearest to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Regime {
    /// The index of the nearest prototype.
    pub index: u8,
    /// Whether the row is farther from every prototype than normal rows are, see [`View::reach`].
    pub is_far: bool,
}

/// One column of a row in a view, as it is scored.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scored {
    /// The position of the column in the view.
    pub at: usize,
    /// The position of the column's reading, or [`View::REGIME`].
    pub column: u16,
    /// The surprisal given the columns before it, including the log-width.
    pub nats: Nats,
    /// The [bounds](crate::Masses::bounds) of the outcome of a number.
    pub bounds: Option<(u32, u32)>,
}

/// A row in a view, as it is scored.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ScoredRow {
    /// The surprisal of the row in this view.
    pub nats: Nats,
    /// The number of columns that are left out because a reading is missing although none was missing in training.
    pub missing: u16,
    /// The regime, or `None` without prototypes.
    pub regime: Option<Regime>,
}

impl<'t> View<'t> {
    /// A view without columns.
    pub const EMPTY: Self = Self {
        prototypes: Prototypes::NONE,
        encoder: Encoder::EMPTY,
        tables: OutcomeTables::EMPTY,
        starts: &[],
        log_unit: Nats::ZERO,
        reach: u32::MAX,
        baselines: &[],
    };
    /// The source of the column that holds the index of the nearest prototype, in place of a position of a reading.
    pub const REGIME: u16 = 4095;

    /// Yields, for each column of an encoder and of the outcome tables of its outcomes, the positions of its first word,
    /// value and log-width in the [slices of the encoder](crate::EncoderSlices), and of its first group or split and its
    /// first number of rows in the [slices of the tables](crate::OutcomeTablesSlices).
    pub fn starts(encoder: &Encoder<'t>, tables: &OutcomeTables<'t>) -> impl Iterator<Item = [u32; 5]> + use<'t> {
        let (mut start, mut walk) = (ColumnStart::default(), tables.walk());
        // Without tables, no column is scored.
        let outcomes = tables.slices().columns.iter().copied().chain(core::iter::repeat([0; 3]));
        encoder.columns().zip(outcomes).map(move |((column, _), outcomes)| {
            let ColumnStart { word, value, log_width } = start;
            let Start { link, row } = walk.start(outcomes);
            start.skip(&column);
            walk.skip(outcomes);
            [word, value, log_width, link, row].map(|position| position as u32)
        })
    }

    /// Checks that the parts of the view have the same columns.
    ///
    /// # Errors
    /// [`TableError::Inconsistent`] if the encoder and the tables have different numbers of columns or outcomes, if a column
    /// of the prototypes is not an integer column of the encoder, or if a view without prototypes has a column of regimes.
    pub(crate) fn check(&self) -> Result<(), TableError> {
        let mut columns = self.tables.slices().columns.iter();
        let mut residuals = self.prototypes.slices().columns.iter().peekable();
        for (column, _) in self.encoder.columns() {
            let &[outcomes, ..] = columns.next().ok_or(TableError::Inconsistent("outcome columns"))?;
            if usize::from(outcomes) != column.outcomes() {
                return Err(TableError::Inconsistent("outcome columns"));
            }
            let is_residual = residuals.next_if(|&&[source, ..]| source == i32::from(column.source)).is_some();
            let is_regime = column.source == Self::REGIME;
            if is_residual && column.kind != Kind::Integer || is_regime && self.prototypes.count() == 0 {
                return Err(TableError::Inconsistent("prototype columns"));
            }
        }
        if !Self::starts(&self.encoder, &self.tables).eq(self.starts.iter().copied()) {
            return Err(TableError::Inconsistent("view starts"));
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

    /// Returns the baseline of the column at a position in the view.
    #[inline]
    pub(crate) fn baseline(&self, at: usize) -> Nats {
        Nats::from_raw(self.baselines.get(at).map_or(0, |&nats| u32::from(nats) << 6))
    }

    /// Returns the largest baseline, or zero if there are none.
    pub(crate) fn largest_baseline(&self) -> Nats {
        Nats::from_raw(self.baselines.iter().max().map_or(0, |&nats| u32::from(nats) << 6))
    }

    /// Returns the regime of a row, or `None` for a view without prototypes. Columns of the prototypes after the first C
    /// do not count.
    pub fn regime<const C: usize>(&self, readings: &[Reading]) -> Option<Regime> {
        (self.prototypes.count() > 0).then(|| {
            let (index, distance) = self.prototypes.locate(readings, &mut [0; C]);
            Regime { index, is_far: distance > self.reach }
        })
    }

    /// Returns the squared distance of a row from the nearest prototype, in the coordinates of [`Prototypes`], which is
    /// compared with [`reach`](Self::reach). Columns of the prototypes after the first C do not count.
    pub fn distance<const C: usize>(&self, readings: &[Reading]) -> u32 {
        self.prototypes.locate(readings, &mut [0; C]).1
    }

    /// Passes (position in the view, word and start of the column, reading or residual) of each column to `each`, in model
    /// order, and returns the regime of the row.
    #[inline]
    fn readings_of<const C: usize>(
        &self,
        readings: &[Reading],
        mut each: impl FnMut(usize, u16, &[u32; 5], Reading) -> Result<(), EncodeError>,
    ) -> Result<Option<Regime>, EncodeError> {
        let mut steps = [0; C];
        let (nearest, distance) = self.prototypes.locate(readings, &mut steps);
        let (words, residuals, mut next) = (self.encoder.slices().columns, self.prototypes.slices().columns, 0);
        for (at, start) in self.starts.iter().enumerate() {
            let Some(&word) = words.get(start[0] as usize) else { break };
            let source = word & 0xFFF;
            let reading = match readings.get(usize::from(source)) {
                _ if source == Self::REGIME => Reading::Integer(nearest.into()),
                Some(&reading) if residuals.get(next).is_some_and(|column| column[0] == i32::from(source)) => {
                    next += 1;
                    let steps = steps.get(next - 1).copied();
                    self.prototypes.residual_from(next - 1, nearest, reading, steps)
                }
                Some(&reading) => reading,
                None => return Err(EncodeError::NoReading { column: source }),
            };
            each(at, word, start, reading)?;
        }
        let is_any = !residuals.is_empty();
        Ok(is_any.then_some(Regime { index: nearest, is_far: distance > self.reach }))
    }

    /// Returns the outcome and the log-width of a reading or residual in the column at `at` with this word and start. For a
    /// reading that is missing although none was missing in training, it is the likeliest outcome given the outcomes of the
    /// columns before it, which are in `row`, and [`LEFT_OUT`].
    ///
    /// # Errors
    /// [`EncodeError`] if the reading does not fit the column.
    #[inline]
    fn classify(
        &self,
        at: usize,
        word: u16,
        start: &[u32; 5],
        reading: Reading,
        row: &[u8],
    ) -> Result<(u8, Nats), EncodeError> {
        let &[first, value, log_width, ..] = start;
        let EncoderSlices { columns, values, log_widths } = self.encoder.slices();
        // A short way for integers between the outermost edges, which most readings and residuals are.
        if let (INTEGER, Reading::Integer(reading)) = (word >> 12 & 7, reading)
            && let Some(&count) = columns.get(first as usize + 1)
            && let Some(edges) = values.get(value as usize..).and_then(|values| values.get(..usize::from(count)))
        {
            let outcome = edges.partition_point(|&edge| reading > edge);
            if outcome != 0
                && outcome < edges.len().min(256)
                && let Some(&raw) = log_widths.get(log_width as usize + outcome)
            {
                return Ok((outcome as u8, Nats::from_raw(u32::from(raw) << 5)));
            }
        }
        self.classify_any(at, start, reading, row)
    }

    /// Returns what [`classify`](Self::classify) returns, for columns and readings of all kinds.
    #[inline(never)]
    fn classify_any(
        &self,
        at: usize,
        start: &[u32; 5],
        reading: Reading,
        row: &[u8],
    ) -> Result<(u8, Nats), EncodeError> {
        let &[word, value, log_width, link, first] = &start.map(|position| position as usize);
        let column = self.encoder.column(ColumnStart { word, value, log_width }).ok_or(EncodeError::TooManyBits)?;
        match column.classify(reading) {
            Err(EncodeError::UnexpectedMissing { .. }) => {
                let shape = self.tables.slices().columns.get(at).copied().unwrap_or_default();
                let masses = self.tables.conditional(shape, Start { link, row: first }, row);
                // A column that is not scored has no masses. The outcome in the middle misleads least.
                let middle = if matches!(column.kind, Kind::Integer | Kind::Real) { column.outcomes() / 2 } else { 0 };
                Ok((masses.map_or(middle as u8, |masses| masses.mode()), LEFT_OUT))
            }
            classified => classified,
        }
    }

    /// Returns, of the conditionals of the column at `at` for the outcomes that earlier columns without a reading may have had,
    /// the one that gives its outcome the largest mass: `known`, and those in which each of these columns has its outcome 0, 1
    /// and so on up to the last one.
    ///
    /// A reading is not surprising as long as it fits one of the values that the lost reading may have had.
    // Not inlined, because no reading is missing in most rows.
    #[inline(never)]
    fn likeliest<const C: usize>(
        &self,
        at: usize,
        start: &[u32; 5],
        known: Masses<'t>,
        row: &[u8; C],
        readings: &[Reading],
    ) -> Masses<'t> {
        let &[.., link, first] = start;
        let start = Start { link: link as usize, row: first as usize };
        let shapes = self.tables.slices().columns;
        let shape = shapes.get(at).copied().unwrap_or_default();
        // [position]: the largest outcome of a column without a reading, and that of the row of any other.
        let (mut last, mut is_lost, mut most) = (*row, [false; C], 0);
        let columns = self.encoder.columns().zip(shapes).take(at);
        for (((column, _), &[outcomes, ..]), (last, is_lost)) in columns.zip(last.iter_mut().zip(&mut is_lost)) {
            let is_missing = readings.get(usize::from(column.source)).is_some_and(|reading| reading.is_missing());
            if is_missing && !column.may_miss {
                (*last, *is_lost) = (outcomes.wrapping_sub(1) as u8, true);
                most = most.max(*last);
            }
        }
        if !self.tables.depends(shape, start, &is_lost) {
            return known;
        }
        let outcome = row.get(at).copied().unwrap_or(0);
        let others = (0..=most).filter_map(|value| {
            let mut other = last;
            let lost = other.iter_mut().zip(&is_lost).filter(|&(_, &is_lost)| is_lost);
            lost.for_each(|(outcome, _)| *outcome = value.min(*outcome));
            self.tables.conditional(shape, start, &other)
        });
        others.fold(known, |best, other| if other.mass(outcome) > best.mass(outcome) { other } else { best })
    }

    /// Writes the outcome of each column to `row`, and returns the sum of the log-widths of the scored columns. A column
    /// whose reading is missing although none was missing in training gets its likeliest outcome given the columns before
    /// it, and no log-width.
    ///
    /// # Errors
    /// [`EncodeError`], as for [`Encoder::encode`], except for such columns.
    pub fn encode<const C: usize>(&self, readings: &[Reading], row: &mut [u8; C]) -> Result<Nats, EncodeError> {
        let mut total = self.log_unit;
        self.readings_of::<C>(readings, |at, word, start, reading| {
            let (outcome, log_width) = self.classify(at, word, start, reading, row)?;
            *row.get_mut(at).ok_or(EncodeError::TooManyBits)? = outcome;
            let is_scored = self.tables.slices().columns.get(at).is_some_and(|&[_, rows, _]| rows > 0);
            if is_scored && log_width != LEFT_OUT {
                total += log_width;
            }
            Ok(())
        })?;
        Ok(total)
    }

    /// Returns whether the readings of all scored columns are missing although none was missing in training.
    // Not inlined, because no reading is missing in most rows.
    #[inline(never)]
    pub(crate) fn lacks_all(&self, readings: &[Reading]) -> bool {
        self.encoder.columns().zip(self.tables.slices().columns).all(|((column, _), &[_, rows, _])| {
            let is_missing = readings.get(usize::from(column.source)).is_some_and(|reading| reading.is_missing());
            rows == 0 || column.source == Self::REGIME || is_missing && !column.may_miss
        })
    }

    /// Writes the surprisal of each column given the columns before it to `each[p]`, where p is the position of the
    /// column in the view, and returns the surprisal of the row in this view. Observed columns get zero.
    ///
    /// # Errors
    /// [`EncodeError`], as for [`Encoder::encode`].
    pub fn explain<const C: usize>(&self, readings: &[Reading], each: &mut [Nats]) -> Result<Nats, EncodeError> {
        each.fill(Nats::ZERO);
        let scored = self.by_column::<C>(readings, |scored| {
            if let Some(slot) = each.get_mut(scored.at) {
                *slot = scored.nats;
            }
        })?;
        Ok(scored.nats)
    }

    /// Passes each scored column to `each`, in model order, and returns what is known of the row as a whole.
    #[inline]
    pub(crate) fn by_column<const C: usize>(
        &self,
        readings: &[Reading],
        mut each: impl FnMut(Scored),
    ) -> Result<ScoredRow, EncodeError> {
        let (mut row, mut nats, mut missing) = ([0; C], self.log_unit, 0);
        let shapes = self.tables.slices().columns;
        let regime = self.readings_of::<C>(readings, |at, word, start, reading| {
            let (outcome, log_width) = self.classify(at, word, start, reading, &row)?;
            *row.get_mut(at).ok_or(EncodeError::TooManyBits)? = outcome;
            if log_width == LEFT_OUT {
                missing += 1;
                return Ok(());
            }
            let (Some(&shape), &[.., link, first]) = (shapes.get(at), start) else { return Ok(()) };
            let place = Start { link: link as usize, row: first as usize };
            if let Some(mut masses) = self.tables.conditional(shape, place, &row) {
                if missing > 0 {
                    masses = self.likeliest(at, start, masses, &row, readings);
                }
                let (low, high) = masses.bounds(outcome);
                // Each is less than 2^24.
                let own = Nats::of_valid_mass(high.wrapping_sub(low)).wrapping_add(log_width);
                nats += own;
                let is_number = (word >> 12 & 7) | 1 == REAL && !reading.is_missing();
                each(Scored { at, column: word & 0xFFF, nats: own, bounds: is_number.then_some((low, high)) });
            }
            Ok(())
        })?;
        Ok(ScoredRow { nats, missing, regime })
    }
}

/// Stands for the log-width of a column that is left out of a score.
const LEFT_OUT: Nats = Nats::IMPOSSIBLE;
/// The codes of numeric kinds in the first word of a column.
const INTEGER: u16 = 2;
const REAL: u16 = 3;
