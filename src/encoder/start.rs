//! Where a column of an encoder begins, so that it can be read without the columns before it.

use super::{Column, Encoder, EncoderSlices};

/// Where the parts of a column begin in the slices of its encoder.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ColumnStart {
    /// The position of its first word.
    pub word: usize,
    /// The position of its first value.
    pub value: usize,
    /// The position of its first log-width.
    pub log_width: usize,
}

impl ColumnStart {
    /// Moves past `column`, which begins here.
    pub(crate) fn skip(&mut self, column: &Column) {
        self.word += column.words().count();
        self.value += column.values.len();
        self.log_width += column.log_widths.len();
    }
}

impl<'t> Encoder<'t> {
    /// Returns the column whose parts begin at `start`, or `None` if there is none.
    pub(crate) fn column(&self, start: ColumnStart) -> Option<Column<'t>> {
        let columns = self.slices.columns.get(start.word..)?;
        let values = self.slices.values.get(start.value..)?;
        let log_widths = self.slices.log_widths.get(start.log_width..)?;
        Self::new(EncoderSlices { columns, values, log_widths }).columns().next().map(|(column, _)| column)
    }
}
