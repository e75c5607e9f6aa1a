//! The moving average of scores.

use heapless::Deque;

use crate::nats::Nats;

/// A window of the last W scores, and their mean.
///
/// ```
/// use surprisal::{Nats, Recent};
/// let mut recent = Recent::<2>::new();
/// [1, 4, 6].map(|nats| recent.push(Nats::from_raw(nats << 16)));
/// assert_eq!(recent.mean(), Some(Nats::from_raw(5 << 16)));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Recent<const W: usize> {
    scores: Deque<Nats, W>,
    /// The exact sum of `scores`, in units of 1/65536 nat.
    sum: u64,
}

impl<const W: usize> Recent<W> {
    /// Creates a window without scores.
    pub const fn new() -> Self {
        Self { scores: Deque::new(), sum: 0 }
    }

    /// Adds a score, and removes the oldest score if the window holds W scores already.
    pub fn push(&mut self, score: Nats) {
        if self.scores.is_full() {
            let oldest = self.scores.pop_front().unwrap_or(Nats::ZERO);
            self.sum = self.sum.saturating_sub(oldest.raw().into());
        }
        if self.scores.push_back(score).is_ok() {
            self.sum = self.sum.saturating_add(score.raw().into());
        }
    }

    /// Returns the mean of the scores in the window, rounded down, or `None` if the window is empty.
    pub fn mean(&self) -> Option<Nats> {
        self.sum.checked_div(self.scores.len() as u64).map(|mean| Nats::from_raw(mean as u32))
    }

    /// Discards all scores, for example after a gap in the stream.
    pub fn reset(&mut self) {
        *self = Self::new();
    }
}
