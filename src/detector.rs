//! From scores to verdicts: is this row odd, how rare is a score like this, is it a trend, has the machine changed?
//!
//! [`Detector`] holds what was calibrated on held-out ordinary rows, and stays in flash. What is remembered of a stream
//! is small and the caller's: [`Cusum`], [`Drift`], [`Recent`], or the first two as a [`Monitor`].

use crate::error::TableError;
use crate::link::Nats;

mod monitor;
mod p_value;
mod stream;

pub use monitor::{Monitor, Report};
pub use p_value::PValue;
#[cfg(feature = "heapless")]
pub use stream::Recent;
pub use stream::{Cusum, Drift, Excess};

/// What held-out ordinary rows say of scores.
///
/// With n calibration scores, the threshold for a false-alarm rate α is the ⌈(n+1)(1-α)⌉-th smallest of them. If a
/// fresh ordinary row is exchangeable with those, its alarm has probability at most α (split conformal prediction:
/// Vovk, Gammerman & Shafer, *Algorithmic Learning in a Random World*, 2005). When α < 1/(n+1) no such score exists
/// and the threshold is [`Nats::IMPOSSIBLE`]: no alarm, rather than a promise that n rows cannot support.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Detector<'t> {
    /// The largest score that is still ordinary.
    pub threshold: Nats,
    /// The false-alarm rate the threshold was set for, in parts per million.
    pub false_alarm_ppm: u32,
    /// How many held-out rows all of this rests on.
    pub rows: u32,
    /// The mean score, each counted up to [`most`](Self::most): the cross-entropy of the machine and the model.
    pub entropy: Nats,
    /// The standard deviation of the same.
    pub deviation: Nats,
    /// What [`Cusum`] takes off every score.
    pub reference: Nats,
    /// The sum above which [`Cusum`] alarms; [`Nats::IMPOSSIBLE`] for never.
    pub limit: Nats,
    /// How many ordinary rows [`Cusum`] was set to let pass from one false alarm to the next, in the mean.
    pub mean_time: u32,
    /// For each of the [`levels`](Self::levels), the score that so large a share exceeds, in units of 1/65536 nat:
    /// ascending. None at all: all p-values are one.
    pub quantiles: &'t [u32],
    /// The mean surprisal of each column, in the order of the readings, in units of 1/1024 nat; may be empty.
    pub usual: &'t [u16],
}

/// What a detector says of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Verdict {
    /// No more surprising than held-out ordinary rows are.
    Ordinary,
    /// More surprising than the threshold, by this much.
    Odd {
        /// Score minus threshold.
        excess: Nats,
    },
}

impl Verdict {
    /// Is it an alarm?
    pub const fn is_odd(self) -> bool {
        matches!(self, Self::Odd { .. })
    }
}

impl<'t> Detector<'t> {
    /// Knows nothing, never alarms.
    pub const OFF: Self = Self {
        threshold: Nats::IMPOSSIBLE,
        false_alarm_ppm: 0,
        rows: 0,
        entropy: Nats::ZERO,
        deviation: Nats::ZERO,
        reference: Nats::ZERO,
        limit: Nats::IMPOSSIBLE,
        mean_time: 0,
        quantiles: &[],
        usual: &[],
    };

    /// The verdict on a score.
    ///
    /// ```
    /// use surprisal::{Detector, Nats};
    /// let detector = Detector { threshold: Nats::from_raw(5 << 16), false_alarm_ppm: 1000, rows: 5000, ..Detector::OFF };
    /// assert!(!detector.judge(Nats::from_raw(5 << 16)).is_odd());
    /// assert!(detector.judge(Nats::from_raw(6 << 16)).is_odd());
    /// ```
    pub fn judge(&self, score: Nats) -> Verdict {
        if score > self.threshold {
            Verdict::Odd { excess: score.saturating_sub(self.threshold) }
        } else {
            Verdict::Ordinary
        }
    }

    /// The largest score that [`Drift`] counts whole: the largest quantile, which is the largest held-out score unless
    /// there were more than 180,000 of them.
    pub fn most(&self) -> Nats {
        self.quantiles.last().map_or(Nats::IMPOSSIBLE, |&raw| Nats::from_raw(raw))
    }

    /// The largest score that [`Cusum`] counts whole, so that one odd row is not taken for a trend: the threshold, or
    /// [`most`](Self::most) where that is less.
    pub fn most_of_a_trend(&self) -> Nats {
        self.threshold.min(self.most())
    }

    /// The mean surprisal of the column at this position of the readings; zero if it is not known.
    pub fn usual_of(&self, column: u16) -> Nats {
        Nats::from_raw(self.usual.get(usize::from(column)).map_or(0, |&nats| u32::from(nats) << 6))
    }

    /// The numbers without slices, as they lie in a table.
    pub(crate) const fn words(&self) -> [u32; 8] {
        [
            self.threshold.raw(),
            self.false_alarm_ppm,
            self.rows,
            self.entropy.raw(),
            self.deviation.raw(),
            self.reference.raw(),
            self.limit.raw(),
            self.mean_time,
        ]
    }

    /// From [`words`](Self::words) and slices.
    pub(crate) fn from_words(words: &[u32], quantiles: &'t [u32], usual: &'t [u16]) -> Result<Self, TableError> {
        let &[threshold, false_alarm_ppm, rows, entropy, deviation, reference, limit, mean_time] = words else {
            return Err(TableError::Shape("calibration"));
        };
        let whole = quantiles.is_empty() || quantiles.len() == Self::levels(rows).count();
        if !whole || !quantiles.iter().is_sorted() {
            return Err(TableError::Shape("quantiles"));
        }
        let [threshold, entropy, deviation, reference, limit] =
            [threshold, entropy, deviation, reference, limit].map(Nats::from_raw);
        Ok(Self { threshold, false_alarm_ppm, rows, entropy, deviation, reference, limit, mean_time, quantiles, usual })
    }
}
