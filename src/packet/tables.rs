//! What packets need of a table of either kind: the outcomes of a row, coded by its model.

use core::ops::Range;

use crate::codec::{Compressor, Decompressor};
use crate::encoder::{Column, Encoder};
use crate::error::EncodeError;
use crate::nats::Nats;
use crate::outcome_tables::OutcomeTables;
use crate::predictor::Predictor;
use crate::prototypes::Prototypes;
use crate::reading::Reading;
use crate::row_schema::RowSchema;
use crate::table::Table;
use crate::view_table::ViewTable;

/// A table whose rows fit packets: a [`Table`] or a [`ViewTable`].
///
/// The trait cannot be implemented elsewhere.
pub trait PacketTable: Outcomes {}

impl<const N: usize, const H: usize, const K: usize> PacketTable for Table<'_, N, H, K> {}
impl<const C: usize, const V: usize> PacketTable for ViewTable<'_, C, V> {}

/// The outcomes of the columns of a row, in one of the views of a table. A [`Table`] is its only view.
pub trait Outcomes {
    /// The outcomes of all columns.
    type Row;

    /// Returns the schema of a row.
    fn schema(&self) -> &RowSchema<'_>;
    /// Returns the predictor of a time series.
    fn predictor(&self) -> Predictor<'_>;
    /// Returns the number of views.
    fn views(&self) -> usize;
    /// Returns the encoder of a view.
    fn encoder(&self, view: usize) -> Encoder<'_>;
    /// Returns the prototypes of a view.
    fn prototypes(&self, view: usize) -> Prototypes<'_>;
    /// Returns (the view in which a row has the highest density, given the surprisal of each view itself; the index of its
    /// prototype that is nearest to the row).
    fn densest(&self, readings: &[Reading], of_view: impl Fn(usize) -> Nats) -> (usize, u8);
    /// Returns whether a column of a view, at this position and with this first bit, is not scored.
    fn is_observed(&self, view: usize, at: usize, first: usize) -> bool;
    /// Returns a row before its outcomes are known.
    fn start(&self) -> Self::Row;
    /// Sets the outcome of a column.
    fn set(row: &mut Self::Row, column: &Column, at: usize, bits: Range<usize>, outcome: Option<usize>);
    /// Returns the outcome of a column.
    fn outcome(row: &Self::Row, column: &Column, at: usize, bits: Range<usize>) -> Option<usize>;
    /// Encodes the outcomes of the scored columns of a view, or some of them if there is an error.
    ///
    /// # Errors
    /// [`EncodeError`], as for [`Model::compress`](crate::Model::compress).
    fn compress<S: FnMut(u8)>(&self, view: usize, row: &Self::Row, into: &mut Compressor<S>)
    -> Result<(), EncodeError>;
    /// Decodes the outcomes of the scored columns of a view.
    fn decompress<I: Iterator<Item = u8>>(&self, view: usize, row: &mut Self::Row, from: &mut Decompressor<I>);
}

impl<const N: usize, const H: usize, const K: usize> Outcomes for Table<'_, N, H, K> {
    type Row = [bool; N];

    fn schema(&self) -> &RowSchema<'_> {
        &self.schema
    }

    fn predictor(&self) -> Predictor<'_> {
        self.predictor
    }

    fn views(&self) -> usize {
        1
    }

    fn encoder(&self, _: usize) -> Encoder<'_> {
        self.encoder
    }

    fn prototypes(&self, _: usize) -> Prototypes<'_> {
        Prototypes::NONE
    }

    fn densest(&self, _: &[Reading], _: impl Fn(usize) -> Nats) -> (usize, u8) {
        (0, 0)
    }

    fn is_observed(&self, _: usize, _: usize, first: usize) -> bool {
        self.model.is_observed(first)
    }

    fn start(&self) -> [bool; N] {
        [false; N]
    }

    fn set(row: &mut [bool; N], column: &Column, _: usize, bits: Range<usize>, outcome: Option<usize>) {
        row.get_mut(bits).into_iter().for_each(|bits| column.set(outcome, bits));
    }

    fn outcome(row: &[bool; N], column: &Column, _: usize, bits: Range<usize>) -> Option<usize> {
        column.decode(row.get(bits)?)
    }

    fn compress<S: FnMut(u8)>(&self, _: usize, row: &[bool; N], into: &mut Compressor<S>) -> Result<(), EncodeError> {
        self.model.compress_possible(row, into)
    }

    fn decompress<I: Iterator<Item = u8>>(&self, _: usize, row: &mut [bool; N], from: &mut Decompressor<I>) {
        self.model.decompress(row, from);
    }
}

impl<const C: usize, const V: usize> ViewTable<'_, C, V> {
    fn tables(&self, view: usize) -> OutcomeTables<'_> {
        self.views.get(view).map_or(OutcomeTables::EMPTY, |view| view.tables)
    }
}

impl<const C: usize, const V: usize> Outcomes for ViewTable<'_, C, V> {
    type Row = [u8; C];

    fn schema(&self) -> &RowSchema<'_> {
        &self.schema
    }

    fn predictor(&self) -> Predictor<'_> {
        self.predictor
    }

    fn views(&self) -> usize {
        V
    }

    fn encoder(&self, view: usize) -> Encoder<'_> {
        self.views.get(view).map_or(Encoder::EMPTY, |view| view.encoder)
    }

    fn prototypes(&self, view: usize) -> Prototypes<'_> {
        self.views.get(view).map_or(Prototypes::NONE, |view| view.prototypes)
    }

    fn densest(&self, readings: &[Reading], of_view: impl Fn(usize) -> Nats) -> (usize, u8) {
        let views = self.views.iter().enumerate().filter_map(|(at, view)| {
            let scored = view.by_column::<C>(readings, |_| {}).ok()?;
            Some((scored.nats + of_view(at), at, scored.regime.map_or(0, |regime| regime.index)))
        });
        views.min().map_or((0, 0), |(_, at, nearest)| (at, nearest))
    }

    fn is_observed(&self, view: usize, at: usize, _: usize) -> bool {
        self.tables(view).slices().columns.get(at).is_some_and(|&[_, rows, _]| rows == 0)
    }

    fn start(&self) -> [u8; C] {
        [0; C]
    }

    fn set(row: &mut [u8; C], column: &Column, at: usize, _: Range<usize>, outcome: Option<usize>) {
        let outcome = outcome.unwrap_or(column.outcomes().wrapping_sub(1)).min(255) as u8;
        row.get_mut(at).into_iter().for_each(|slot| *slot = outcome);
    }

    fn outcome(row: &[u8; C], column: &Column, at: usize, _: Range<usize>) -> Option<usize> {
        let outcome = row.get(at).map_or(0, |&outcome| usize::from(outcome));
        (!column.may_miss || outcome + 1 < column.outcomes()).then_some(outcome)
    }

    fn compress<S: FnMut(u8)>(&self, view: usize, row: &[u8; C], into: &mut Compressor<S>) -> Result<(), EncodeError> {
        self.tables(view).compress(row, into);
        Ok(())
    }

    fn decompress<I: Iterator<Item = u8>>(&self, view: usize, row: &mut [u8; C], from: &mut Decompressor<I>) {
        self.tables(view).decompress(row, from);
    }
}
