//! Absence: sensors that have given no reading for long.

use crate::reading::Reading;

/// Counts how many rows in a row each of C readings has been missing, to tell a sensor that failed from one that skipped a
/// row.
///
/// A score leaves a missing reading out, so that a dead sensor does not stop the watch. But somebody should hear of it.
///
/// ```
/// use surprisal::{Absence, Reading};
/// let mut absence = Absence::<2>::new(3);
/// let [on, off] = [Reading::Integer(7), Reading::Missing];
/// let verdicts = [[on, off], [on, on], [on, off], [on, off], [on, off]].map(|row| absence.push(&row));
/// assert_eq!(verdicts, [None, None, None, None, Some(1)]); // the second sensor, three rows in a row
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Absence<const C: usize> {
    /// The number of rows in a row without a reading after which a column counts as absent.
    pub limit: u16,
    missing: [u16; C],
}

impl<const C: usize> Absence<C> {
    /// Creates a count for rows of C readings. A limit of zero counts as one.
    pub const fn new(limit: u16) -> Self {
        Self { limit, missing: [0; C] }
    }

    /// Counts one row of readings, and returns the position of a column that has been missing for at least `limit` rows, the
    /// one that has been missing longest. Readings after the first C do not count.
    pub fn push(&mut self, readings: &[Reading]) -> Option<u16> {
        for (count, reading) in self.missing.iter_mut().zip(readings) {
            *count = if reading.is_missing() { count.saturating_add(1) } else { 0 };
        }
        let longest = (0..).zip(&self.missing).max_by_key(|&(at, count)| (*count, core::cmp::Reverse(at)));
        longest.filter(|&(_, count)| *count >= self.limit.max(1)).map(|(at, _): (u16, _)| at)
    }

    /// Returns how many rows in a row the reading of a column has been missing, at most 65535.
    pub fn rows(&self, column: u16) -> u16 {
        self.missing.get(usize::from(column)).copied().unwrap_or(0)
    }
}
