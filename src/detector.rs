//! From a score to a verdict.

use crate::link::Nats;

/// Calls a row odd when its score exceeds a threshold calibrated on held-out rows.
///
/// With n calibration scores, the threshold for a false-alarm rate α is the ⌈(n+1)(1-α)⌉-th smallest of them. If a
/// fresh ordinary row is exchangeable with those, its alarm has probability at most α (split conformal prediction:
/// Vovk, Gammerman & Shafer, *Algorithmic Learning in a Random World*, 2005). When α < 1/(n+1) no such score exists
/// and the threshold is [`Nats::IMPOSSIBLE`]: no alarm, rather than a promise that n rows cannot support.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Detector {
    /// The largest score that is still ordinary.
    pub threshold: Nats,
    /// The false-alarm rate the threshold was set for, in parts per million.
    pub false_alarm_ppm: u32,
    /// How many held-out rows the threshold rests on.
    pub rows: u32,
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

impl Detector {
    /// Never alarms.
    pub const OFF: Self = Self { threshold: Nats::IMPOSSIBLE, false_alarm_ppm: 0, rows: 0 };

    /// The verdict on a score.
    ///
    /// ```
    /// use surprisal::{Detector, Nats};
    /// let detector = Detector { threshold: Nats::from_raw(5 << 16), false_alarm_ppm: 1000, rows: 5000 };
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
}
