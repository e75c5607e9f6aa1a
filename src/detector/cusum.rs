//! The cumulative sum (CUSUM) over scores, which detects trends.

use super::Detector;
use crate::nats::Nats;

/// A cumulative sum of scores, which alarms when many scores are slightly too large (Page, *Continuous Inspection
/// Schemes*, 1954).
///
/// Each score changes the sum S to max(0, S + min(score, [`cusum_cap`](Detector::cusum_cap)) -
/// [`reference`](Detector::reference)). The sum alarms if S exceeds the
/// [`decision_interval`](Detector::decision_interval). The reference is about half a standard deviation above the mean
/// score of normal rows, so S returns to zero on normal rows, and grows if the mean has risen by more than that. The mean
/// number of normal rows between false alarms is about the [`average_run_length`](Detector::average_run_length), if rows
/// resemble their neighbours as much as those of the fit did.
///
/// ```
/// use surprisal::{Cusum, Detector, Nats};
/// let nats = |nats: u32| Nats::from_raw(nats << 16);
/// let detector = Detector { reference: nats(4), decision_interval: nats(5), ..Detector::OFF };
/// let mut cusum = Cusum::new();
/// let alarms = [3, 6, 7, 5, 3].map(|score| cusum.push(&detector, nats(score)));
/// assert_eq!(alarms, [false, false, false, true, false]); // 0, 2, 5, 6: alarm, 0
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Cusum {
    sum: Nats,
}

impl Cusum {
    /// Creates a cumulative sum that starts at zero.
    pub const fn new() -> Self {
        Self { sum: Nats::ZERO }
    }

    /// Adds the score of a row (not its anomaly score) and returns true if the sum alarms. After an alarm the sum
    /// restarts at zero.
    pub fn push(&mut self, detector: &Detector, score: Nats) -> bool {
        self.sum = (self.sum + score.min(detector.cusum_cap)).saturating_sub(detector.reference);
        let alarm = self.sum > detector.decision_interval;
        if alarm {
            self.reset();
        }
        alarm
    }

    /// Returns the present sum S.
    pub const fn sum(&self) -> Nats {
        self.sum
    }

    /// Restarts the sum at zero, for example after a gap in the stream.
    pub const fn reset(&mut self) {
        *self = Self::new();
    }
}
