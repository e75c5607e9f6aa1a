//! Typical values of a column's outcomes, which replace a reading that is under suspicion.

use super::{Column, Kind};
use crate::reading::{Reading, real_of, total_order};

impl Column<'_> {
    /// Returns a reading with this outcome: the middle of a cell, the code of a category, or the value of a flag.
    ///
    /// For the two outcomes beyond the outermost edges it is the value next to the edge. Returns `None` for "missing",
    /// for "all other codes", and for a number without edges.
    pub(crate) fn typical(&self, outcome: usize) -> Option<Reading> {
        let edge = |at: usize| self.values.get(at).copied();
        let key = match self.kind {
            Kind::Flag { flipped } if outcome < 2 => Some(i32::from((outcome == 1) != flipped)),
            Kind::Flag { .. } => None,
            Kind::Category => edge(outcome),
            Kind::Integer | Kind::Real => match (outcome.checked_sub(1).and_then(edge), edge(outcome)) {
                (Some(low), Some(high)) => Some(self.middle(low, high)),
                (Some(low), None) => Some(low.saturating_add(1)),
                (None, high) => high,
            },
        };
        key.map(|key| if self.kind == Kind::Real { real_of(key) } else { Reading::Integer(key) })
    }

    /// Returns the middle of the cell (low, high], as a value or, for real numbers, as its key in [`total_order`].
    fn middle(&self, low: i32, high: i32) -> i32 {
        if self.kind != Kind::Real {
            return ((i64::from(low) + i64::from(high) + 1) >> 1) as i32;
        }
        let steps = [low, high].map(|key| real_of(key).fixed(self.tail_scale));
        // Each is at most 2^61, so that the sum fits.
        let middle = match Reading::real_from_fixed((steps[0] + steps[1]) >> 1, self.tail_scale) {
            Reading::Real(value) => total_order(value),
            _ => high,
        };
        // A cell can be narrower than a step.
        middle.max(low.saturating_add(1)).min(high)
    }

    /// Yields at most `most` outcomes that represent the column: all codes from the most frequent one, both values of a
    /// flag, or cells that are spread evenly between the outermost edges.
    pub(crate) fn spread(&self, most: usize) -> impl Iterator<Item = usize> + use<> {
        let (first, count) = match (self.kind, self.values.len()) {
            (Kind::Flag { .. }, _) => (0, 2),
            (Kind::Category, known) => (0, known.min(most)),
            // A single edge has no cell on both sides of it that is not beyond the outermost edge.
            (_, edges @ 0..2) => (0, edges + 1),
            (_, edges) => (1, edges - 1),
        };
        let taken = count.min(most);
        // The middle of each of `taken` equal parts.
        (0..taken).map(move |at| first + (2 * at + 1) * count / 2 / taken.max(1))
    }
}
