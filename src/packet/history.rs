//! The earlier rows of a packet, from which a time series is predicted.

use crate::predictor::Predictor;
use crate::reading::Reading;

/// The last rows of a packet, in steps of the predictor, in memory of the caller: `[row][channel]`, and then the means over
/// the rows and the present row.
///
/// The first row of a packet stands for all rows before it as well, so that a packet can be read alone.
#[derive(Debug)]
pub(super) struct History<'a> {
    steps: &'a mut [i32],
    width: usize,
    window: usize,
    /// The number of rows since the start of the packet.
    rows: usize,
    /// Where the oldest row is, which the next one replaces.
    oldest: usize,
}

impl<'a> History<'a> {
    /// Returns a history without rows, or `None` if the memory is too small.
    pub(super) fn new(predictor: &Predictor, steps: &'a mut [i32]) -> Option<Self> {
        let (width, window) = (predictor.width(), predictor.window());
        let steps = steps.get_mut(..Self::length(predictor))?;
        Some(Self { steps, width, window, rows: 0, oldest: 0 })
    }

    /// Returns the number of elements that the history of a predictor takes.
    pub(super) fn length(predictor: &Predictor) -> usize {
        if predictor.window() == 0 { 0 } else { (predictor.window() + 2) * predictor.width() }
    }

    /// Forgets all rows.
    pub(super) fn restart(&mut self) {
        self.rows = 0;
    }

    /// Returns whether there is an earlier row.
    pub(super) fn is_empty(&self) -> bool {
        self.rows == 0
    }

    fn row(&self, at: usize) -> &[i32] {
        self.steps.get(at * self.width..).and_then(|steps| steps.get(..self.width)).unwrap_or_default()
    }

    /// Returns the row before the present one.
    pub(super) fn before(&self) -> &[i32] {
        self.row(self.oldest.checked_sub(1).unwrap_or(self.window.wrapping_sub(1)))
    }

    /// Returns the value of a channel in the row before the present one, in steps.
    pub(super) fn last(&self, channel: usize) -> i32 {
        self.before().get(channel).copied().unwrap_or(0)
    }

    /// Begins the present row: computes the means of the rows before it.
    pub(super) fn begin(&mut self, predictor: &Predictor) {
        for channel in 0..self.width {
            let values = (0..self.window).map(|row| self.row(row).get(channel).copied().unwrap_or(0));
            let mean = predictor.mean(values);
            self.set(self.window, channel, mean);
        }
    }

    fn set(&mut self, row: usize, channel: usize, value: i32) {
        self.steps.get_mut(row * self.width + channel).into_iter().for_each(|slot| *slot = value);
    }

    /// Returns the prediction of a number from the rows before the present one and the channels before it, in steps.
    pub(super) fn prediction(&self, predictor: &Predictor, channel: usize) -> i64 {
        predictor.prediction(channel, self.before(), self.row(self.window), self.row(self.window + 1))
    }

    /// Sets a channel of the present row: a number in steps, or the code of a state. A missing number keeps its last value.
    pub(super) fn push(&mut self, predictor: &Predictor, channel: usize, reading: Reading) {
        let value = match reading {
            Reading::Integer(code) if predictor.number(channel).is_none() => code.max(Predictor::STATE + 1),
            _ if predictor.number(channel).is_none() => Predictor::STATE,
            Reading::Missing if self.rows == 0 => 0,
            Reading::Missing => self.last(channel),
            reading => predictor.fixed(channel, reading).unwrap_or(0),
        };
        self.set(self.window + 1, channel, value);
    }

    /// Ends the present row, which becomes an earlier one.
    pub(super) fn commit(&mut self) {
        let rows = if self.rows == 0 { 0..self.window } else { self.oldest..self.oldest + 1 };
        for row in rows {
            for channel in 0..self.width {
                let value = self.row(self.window + 1).get(channel).copied().unwrap_or(0);
                self.set(row, channel, value);
            }
        }
        self.oldest = if self.oldest + 1 >= self.window { 0 } else { self.oldest + 1 };
        self.rows = self.rows.saturating_add(1);
    }
}
