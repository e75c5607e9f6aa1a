//! Rows of readings to symbols and back: the outcomes by the model, then the place of each reading within its cell.

use core::ops::Range;

use crc::{CRC_16_IBM_3740, Crc, Table};

use super::history::History;
use super::place::{Cell, Grid, around, raw};
use super::tables::PacketTable;
use crate::codec::{Compressor, Decompressor, Symbols};
use crate::encoder::{Column, Kind};
use crate::error::{EncodeError, TableError};
use crate::logit::Mass;
use crate::nats::Nats;
use crate::predictor::Predictor;
use crate::reading::Reading;
use crate::row_schema::RowSchema;
use crate::view::View;

/// The checksum of packets, which detects every error within 16 neighbouring bits.
pub(super) static CHECKSUM: Crc<u16, Table<1>> = Crc::<u16, Table<1>>::new(&CRC_16_IBM_3740);

/// The probability that a row has readings that do not fit their columns, 1/65536.
const MISFIT_ROW: Mass = Mass::new(1);
/// The probability that a reading of such a row does not fit, 1/16.
const MISFIT: Mass = Mass::new(1 << 12);
/// The probability of the second view at the beginning of a packet, and the largest one, in units of 1/65536.
const HALF: u16 = 1 << 15;
const LIKELIEST: u16 = 65_000;
/// log2 of the steps of a predictor per standard deviation, which the first row of a time series is coded with.
const SERIES_TAIL: i8 = 12;

/// Codes rows of readings by a table, without loss: the readings come back bit for bit.
///
/// A row takes as many nats as its surprisal in the readings themselves: -ln of the probability of its cells, plus ln of
/// the number of readings in each cell. That is the surprisal of [`Table::score`](crate::Table::score) plus a constant, the
/// logarithm of the number of readings in each column's narrowest cell, apart from the exceptions in `docs/telemetry.md`.
/// Of two views, the one in which the row is denser codes it.
///
/// `decimals` says which real numbers can occur: element `p` is the number of decimals (0 to 9) of the reading at position
/// `p` of a row. [`RowCodec::FLOAT`] stands for all real numbers, and so does a position past the end. The real numbers of a time
/// series need their decimals, because others do not fit. Both sides of a link
/// need the same table and the same decimals; [`tag`](Self::tag) tells whether they are.
///
/// Readings that do not fit their column (of another type, out of the grid of decimals, missing for the first time) take
/// about 40 bits each, and 16 bits once per row.
#[derive(Debug)]
pub struct RowCodec<'a, T> {
    table: &'a T,
    decimals: &'a [u8],
    history: History<'a>,
    /// The number of channels of a time series, and 0 for other rows.
    width: usize,
    /// The view of the readings themselves.
    plain: usize,
    /// Whether a view has columns that are not scored.
    has_observed: bool,
    /// The probability of the second view, in units of 1/65536, if a row is coded in one of two. It follows the earlier rows of
    /// the packet.
    second: Option<u16>,
    tag: u16,
}

impl<'a, T: PacketTable> RowCodec<'a, T> {
    /// Stands for real numbers without a number of decimals.
    pub const FLOAT: u8 = 255;

    /// Creates a codec. `history` is memory for the earlier rows of a time series, of
    /// [`history_length`](Self::history_length) elements, and may be empty for other tables.
    ///
    /// # Errors
    /// [`TableError::Inconsistent`] if the history is too short or the table has no view of the readings themselves.
    pub fn new(table: &'a T, decimals: &'a [u8], history: &'a mut [i32]) -> Result<Self, TableError> {
        let predictor = table.predictor();
        let history = History::new(&predictor, history).ok_or(TableError::Inconsistent("history"))?;
        let plain = (0..table.views()).find(|&view| table.prototypes(view).count() == 0);
        let plain = plain.ok_or(TableError::Inconsistent("view of the readings"))?;
        let schema = table.schema();
        let mut digest = CHECKSUM.digest();
        digest.update(&schema.fingerprint.get().to_le_bytes());
        schema.golden_scores.iter().for_each(|[nats, _]| digest.update(&nats.to_le_bytes()));
        digest.update(decimals);
        let has_observed = (0..table.views()).any(|view| {
            table.encoder(view).columns().enumerate().any(|(at, (_, bits))| table.is_observed(view, at, bits.start))
        });
        let (width, tag) = (predictor.width(), digest.finalize());
        let mut codec = Self { table, decimals, history, width, plain, has_observed, second: None, tag };
        // Residuals from prototypes are coded in decimals, and those of a time series are residuals already.
        let is_coarse = |(column, _): (Column, _)| column.kind != Kind::Real || codec.decimals_of(&column).is_some();
        let has_two = predictor.window() == 0 && table.views() == 2 && table.encoder(plain).columns().all(is_coarse);
        codec.second = has_two.then_some(HALF);
        Ok(codec)
    }

    /// Returns the number of elements that the history of a table takes: two more rows than the window of a time series.
    pub fn history_length(table: &T) -> usize {
        History::length(&table.predictor())
    }

    /// Returns a number that tells tables with other columns, other golden scores or other decimals apart.
    pub fn tag(&self) -> u16 {
        self.tag
    }

    /// Returns the number of readings of a row, or 0 if the table does not know it.
    pub fn readings(&self) -> usize {
        if self.width > 0 { self.width } else { self.table.schema().kinds.len() }
    }

    /// Begins a packet: forgets the earlier rows.
    pub(super) fn restart(&mut self) {
        self.history.restart();
        self.second = self.second.map(|_| HALF);
    }

    /// Encodes a row of the right length, after which no row can be encoded if there is an error.
    ///
    /// # Errors
    /// [`EncodeError::Impossible`] if the constraints of the table contradict its encoder.
    pub(super) fn encode<S: FnMut(u8)>(
        &mut self,
        readings: &[Reading],
        into: &mut Compressor<S>,
    ) -> Result<(), EncodeError> {
        let given = |at: u16| readings.get(usize::from(at)).copied().unwrap_or(Reading::Missing);
        let (mut view, nearest) = match self.second {
            Some(second) => {
                let mass = Mass::new(second);
                self.table.densest(readings, |view| Nats::of_mass(mass.of(view == 1)))
            }
            None => (self.plain, 0),
        };
        let mut row = self.table.start();
        let mut fits = self.outcomes(view, nearest, given, &mut row);
        if !fits && view != self.plain {
            (view, row) = (self.plain, self.table.start());
            fits = self.outcomes(view, nearest, given, &mut row);
        }
        into.flag(!fits, MISFIT_ROW);
        self.header(view, fits, into);
        self.observed(view, &mut row, into);
        if !self.is_first() {
            self.table.compress(view, &row, into)?;
        }
        self.places(view, nearest, &row, given, |_, _| {}, into);
        if !fits {
            self.misfits(given, |_, _| {}, into);
        }
        Ok(())
    }

    /// Decodes a row.
    ///
    /// # Errors
    /// [`EncodeError::RowLength`] if the table expects another number of readings.
    pub(super) fn decode<I: Iterator<Item = u8>>(
        &mut self,
        readings: &mut [Reading],
        from: &mut Decompressor<I>,
    ) -> Result<(), EncodeError> {
        self.check(readings)?;
        readings.fill(Reading::Missing);
        let mut store = |at: u16, reading| {
            readings.get_mut(usize::from(at)).into_iter().for_each(|slot| *slot = reading);
        };
        let given = |_| Reading::Missing;
        let fits = !from.flag(false, MISFIT_ROW);
        let view = self.header(self.plain, fits, from);
        let mut row = self.table.start();
        if self.width > 0 {
            self.history.begin(&self.table.predictor());
            self.last_states(&mut row);
        }
        self.observed(view, &mut row, from);
        if !self.is_first() {
            self.table.decompress(view, &mut row, from);
        }
        let nearest = self.regime(view, &row);
        self.places(view, nearest, &row, given, &mut store, from);
        if !fits {
            self.misfits(given, store, from);
        }
        Ok(())
    }

    /// Checks the length of a row.
    ///
    /// # Errors
    /// [`EncodeError::RowLength`] if the table expects another number of readings.
    pub(super) fn check(&self, readings: &[Reading]) -> Result<(), EncodeError> {
        let expected = self.readings();
        if expected != 0 && readings.len() != expected {
            return Err(EncodeError::RowLength { expected: expected as u16 });
        }
        Ok(())
    }

    /// Returns whether the next row is the first of a time series in its packet, which nothing predicts.
    fn is_first(&self) -> bool {
        self.width > 0 && self.history.is_empty()
    }

    fn decimals_of(&self, column: &Column) -> Option<u8> {
        let decimals = self.decimals.get(usize::from(column.source)).copied();
        decimals.filter(|&decimals| decimals <= Reading::MOST_DECIMALS)
    }

    /// Codes which view the rest of a row is coded in. Views come in runs, so that the probability follows the earlier rows.
    fn header(&mut self, view: usize, fits: bool, coder: &mut impl Symbols) -> usize {
        let Some(second) = self.second.filter(|_| fits) else { return self.plain };
        let is_second = coder.flag(view == 1, Mass::new(second));
        let limit = if is_second { LIKELIEST } else { u16::MAX - LIKELIEST };
        self.second = Some(second.wrapping_add_signed((i32::from(limit).wrapping_sub(second.into()) >> 4) as i16));
        is_second.into()
    }

    /// Returns the grid of a column. `next` is the column of the prototypes that comes next.
    #[inline(never)]
    fn grid(&self, view: usize, nearest: u8, column: &Column, next: &mut usize) -> Grid {
        let decimals = self.decimals_of(column);
        if self.width > 0
            && let Some((scale, centre)) = self.table.predictor().number(column.source.into())
        {
            let predicted = if self.is_first() {
                0
            } else {
                self.history.prediction(&self.table.predictor(), column.source.into())
            };
            let decimals = decimals.filter(|&decimals| decimals > 0);
            return Grid::Residual { decimals, scale, base: predicted.saturating_add(centre.into()) };
        }
        let prototypes = self.table.prototypes(view);
        if let Some(&[source, scale, ..]) = prototypes.slices().columns.get(*next)
            && source == i32::from(column.source)
        {
            let base = prototypes.centre(*next, nearest);
            *next += 1;
            let kind = self.table.schema().kinds.get(usize::from(column.source));
            let decimals = decimals.filter(|_| kind.is_some_and(|kind| kind & 15 == RowSchema::REAL));
            return Grid::Residual { decimals, scale: scale as i8, base };
        }
        match column.kind {
            Kind::Real => decimals.map_or(Grid::Float, Grid::Decimal),
            _ => Grid::Integer,
        }
    }

    /// Sets the outcomes of a row, and returns whether all its readings fit the columns of the view.
    #[inline(never)]
    fn outcomes(&mut self, view: usize, nearest: u8, given: impl Fn(u16) -> Reading, row: &mut T::Row) -> bool {
        let (table, mut next, mut fits) = (self.table, 0, true);
        if self.width > 0 {
            self.history.begin(&table.predictor());
            self.last_states(row);
        }
        each_column(table, view, &mut |at, column, bits| {
            let cell = if column.source == View::REGIME {
                let cell = Cell::of(column, Grid::Integer, Reading::Integer(nearest.into()));
                // The decoder knows the regime by its outcome.
                fits &= cell.outcome.map_or(0, |outcome| regime_of(column, outcome)) == nearest;
                cell
            } else {
                let grid = self.grid(view, nearest, column, &mut next);
                let cell = Cell::of(column, grid, given(column.source));
                if self.width > 0 {
                    self.history.push(&table.predictor(), column.source.into(), cell.reading(column, grid));
                }
                cell
            };
            fits &= cell.fits;
            T::set(row, column, at, bits, cell.outcome);
        });
        fits
    }

    /// Sets the outcomes of the last values of the states of a time series, which the model has as observed columns.
    #[inline(never)]
    fn last_states(&self, row: &mut T::Row) {
        let (predictor, encoder) = (self.table.predictor(), self.table.encoder(self.plain));
        for (slot, channel) in predictor.states().enumerate() {
            let mut columns = encoder.columns().enumerate();
            let source = self.width + slot;
            let found = columns.find(|(_, (column, _))| usize::from(column.source) == source);
            if let Some((at, (column, bits))) = found {
                let last = match self.history.last(channel) {
                    Predictor::STATE => Reading::Missing,
                    code => Reading::Integer(code),
                };
                T::set(row, &column, at, bits, Cell::of(&column, Grid::Integer, last).outcome);
            }
        }
    }

    /// Codes the outcomes that no model tells: those of observed columns, and in the first row of a time series those of states
    /// and whether numbers are missing.
    #[inline(never)]
    fn observed<S: Symbols>(&self, view: usize, row: &mut T::Row, coder: &mut S) {
        let is_first = self.is_first();
        if !is_first && !self.has_observed {
            return;
        }
        each_column(self.table, view, &mut |at, column, bits| {
            if !is_first && !self.table.is_observed(view, at, bits.start) {
                return;
            }
            let is_number = is_first && self.table.predictor().number(column.source.into()).is_some();
            let last = if is_number { column.may_miss.into() } else { column.outcomes().wrapping_sub(1) };
            let outcome =
                T::outcome(row, column, at, bits.clone()).map_or(last, |outcome| if is_number { 0 } else { outcome });
            let outcome = coder.up_to(outcome as u32, last as u32) as usize;
            if !S::ENCODES {
                T::set(row, column, at, bits, (!column.may_miss || outcome < last).then_some(outcome));
            }
        });
    }

    /// Codes the places of the readings of a row within their cells.
    fn places<S: Symbols>(
        &mut self,
        view: usize,
        nearest: u8,
        row: &T::Row,
        given: impl Fn(u16) -> Reading,
        mut store: impl FnMut(u16, Reading),
        coder: &mut S,
    ) {
        let (table, mut next) = (self.table, 0);
        each_column(table, view, &mut |at, column, bits| {
            if column.source == View::REGIME {
                return;
            }
            let grid = self.grid(view, nearest, column, &mut next);
            let cell = if S::ENCODES {
                Cell::of(column, grid, given(column.source))
            } else {
                Cell { outcome: T::outcome(row, column, at, bits), number: 0, fits: true }
            };
            let reading = match (self.is_first(), grid) {
                (true, Grid::Residual { .. }) if cell.outcome.is_some() => {
                    grid.reading(around(grid.last(0), cell.number, grid.tail_scale(SERIES_TAIL), coder))
                }
                _ => cell.code(column, grid, coder),
            };
            if self.width > 0 {
                self.history.push(&table.predictor(), column.source.into(), reading);
            }
            store(column.source, reading);
        });
        if self.width > 0 {
            self.history.commit();
        }
    }

    /// Codes the readings that do not fit their columns, bit for bit.
    fn misfits<S: Symbols>(&self, given: impl Fn(u16) -> Reading, mut store: impl FnMut(u16, Reading), coder: &mut S) {
        each_column(self.table, self.plain, &mut |_, column, _| {
            let reading = given(column.source);
            let fits = || Cell::of(column, self.grid(self.plain, 0, column, &mut 0), reading).fits;
            if coder.flag(S::ENCODES && !fits(), MISFIT) {
                store(column.source, raw(reading, coder));
            }
        });
    }

    /// Returns the index of the prototype that a decoded row belongs to.
    fn regime(&self, view: usize, row: &T::Row) -> u8 {
        let mut nearest = 0;
        if self.table.prototypes(view).count() > 0 {
            each_column(self.table, view, &mut |at, column, bits| {
                if column.source == View::REGIME {
                    nearest = regime_of(column, T::outcome(row, column, at, bits).unwrap_or(0));
                }
            });
        }
        nearest
    }
}

/// Returns the index of the prototype that an outcome stands for.
fn regime_of(column: &Column, outcome: usize) -> u8 {
    match column.typical(outcome) {
        Some(Reading::Integer(index)) => index as u8,
        _ => 0,
    }
}

/// Passes (position, column, bits) of each column of a view on, in model order or, for a time series, of each of its channels in
/// the order in which they are predicted.
// Not inlined, and without the type of `each`, so that a program holds it once.
#[inline(never)]
fn each_column<T: PacketTable>(table: &T, view: usize, each: &mut dyn FnMut(usize, &Column, Range<usize>)) {
    let width = table.predictor().width();
    for channel in 0..width.max(1) {
        for (at, (column, bits)) in table.encoder(view).columns().enumerate() {
            if width == 0 || usize::from(column.source) == channel {
                each(at, &column, bits);
            }
        }
    }
}
