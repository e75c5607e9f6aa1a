//! From scores to verdicts: is this row odd, how rare is a score like this, is it a trend, has the machine changed?
//!
//! [`Detector`] holds what was calibrated on held-out ordinary rows, and stays in flash. What is remembered of a stream
//! is small and the caller's: [`Cusum`], [`Drift`], [`Recent`], or the first two as a [`Monitor`].

use crate::error::TableError;
use crate::link::Nats;

mod monitor;
mod oddness;
mod p_value;
mod stream;

pub use monitor::{Monitor, Report};
pub use oddness::Oddness;
pub use p_value::PValue;
#[cfg(feature = "heapless")]
pub use stream::Recent;
pub use stream::{Cusum, Drift, Excess};

/// What held-out ordinary rows say of scores: threshold and p-values are of the [`Oddness`] of a row, the rest of its
/// score, the sum of the columns' surprisals, whose mean is an entropy.
///
/// With n calibration rows, the threshold for a false-alarm rate α is the ⌈(n+1)(1-α)⌉-th smallest of them. If a
/// fresh ordinary row is exchangeable with those, its alarm has probability at most α (split conformal prediction:
/// Vovk, Gammerman & Shafer, *Algorithmic Learning in a Random World*, 2005). When α < 1/(n+1) no such score exists
/// and the threshold is [`Nats::IMPOSSIBLE`]: no alarm, rather than a promise that n rows cannot support.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Detector<'t> {
    /// The largest oddness that is still ordinary.
    pub threshold: Nats,
    /// The false-alarm rate the threshold was set for, in parts per million.
    pub false_alarm_ppm: u32,
    /// How many held-out rows all of this rests on.
    pub rows: u32,
    /// The mean score, each counted up to [`most`](Self::most): the cross-entropy of the machine and the model.
    pub entropy: Nats,
    /// The standard deviation of the same.
    pub deviation: Nats,
    /// The largest held-out score, up to which [`Drift`] counts.
    pub most: Nats,
    /// The score up to which [`Cusum`] counts, so that one odd row is not taken for a trend: one that ordinary rows exceed
    /// at the false-alarm rate, or [`most`](Self::most) if there are too few of them.
    pub most_of_a_trend: Nats,
    /// What [`Cusum`] takes off every score.
    pub reference: Nats,
    /// The sum above which [`Cusum`] alarms; [`Nats::IMPOSSIBLE`] for never.
    pub limit: Nats,
    /// How many ordinary rows [`Cusum`] was set to let pass from one false alarm to the next, in the mean.
    pub mean_time: u32,
    /// log2 of τ in [`Surprise::oddness`](crate::Surprise::oddness).
    pub softness: u32,
    /// For each of the [`levels`](Self::levels), the oddness that so large a share exceeds, in units of 1/65536 nat:
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
        /// Oddness minus threshold.
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
        most: Nats::IMPOSSIBLE,
        most_of_a_trend: Nats::IMPOSSIBLE,
        reference: Nats::ZERO,
        limit: Nats::IMPOSSIBLE,
        mean_time: 0,
        softness: 0,
        quantiles: &[],
        usual: &[],
    };

    /// The verdict on a row's oddness.
    ///
    /// ```
    /// use surprisal::{Detector, Nats};
    /// let detector = Detector { threshold: Nats::from_raw(5 << 16), false_alarm_ppm: 1000, rows: 5000, ..Detector::OFF };
    /// assert!(!detector.judge(Nats::from_raw(5 << 16)).is_odd());
    /// assert!(detector.judge(Nats::from_raw(6 << 16)).is_odd());
    /// ```
    pub fn judge(&self, oddness: Nats) -> Verdict {
        if oddness > self.threshold {
            Verdict::Odd { excess: oddness.saturating_sub(self.threshold) }
        } else {
            Verdict::Ordinary
        }
    }

    /// The mean surprisal of the column at this position of the readings; zero if it is not known.
    pub fn usual_of(&self, column: u16) -> Nats {
        Nats::from_raw(self.usual.get(usize::from(column)).map_or(0, |&nats| u32::from(nats) << 6))
    }

    /// The largest of what is usual of single columns.
    pub fn most_usual(&self) -> Nats {
        Nats::from_raw(self.usual.iter().max().map_or(0, |&nats| u32::from(nats) << 6))
    }

    /// The numbers without slices, as they lie in a table.
    pub(crate) const fn words(&self) -> [u32; 11] {
        [
            self.threshold.raw(),
            self.false_alarm_ppm,
            self.rows,
            self.entropy.raw(),
            self.deviation.raw(),
            self.most.raw(),
            self.most_of_a_trend.raw(),
            self.reference.raw(),
            self.limit.raw(),
            self.mean_time,
            self.softness,
        ]
    }

    /// From [`words`](Self::words) and slices.
    pub(crate) fn from_words(words: &[u32], quantiles: &'t [u32], usual: &'t [u16]) -> Result<Self, TableError> {
        let &[
            threshold,
            false_alarm_ppm,
            rows,
            entropy,
            deviation,
            most,
            most_of_a_trend,
            reference,
            limit,
            mean_time,
            softness,
        ] = words
        else {
            return Err(TableError::Shape("calibration"));
        };
        if softness > 8 {
            return Err(TableError::Shape("calibration"));
        }
        let whole = quantiles.is_empty() || quantiles.len() == Self::levels(rows).count();
        if !whole || !quantiles.iter().is_sorted() {
            return Err(TableError::Shape("quantiles"));
        }
        Ok(Self {
            threshold: Nats::from_raw(threshold),
            false_alarm_ppm,
            rows,
            entropy: Nats::from_raw(entropy),
            deviation: Nats::from_raw(deviation),
            most: Nats::from_raw(most),
            most_of_a_trend: Nats::from_raw(most_of_a_trend),
            reference: Nats::from_raw(reference),
            limit: Nats::from_raw(limit),
            mean_time,
            softness,
            quantiles,
            usual,
        })
    }
}
