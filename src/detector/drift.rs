//! Drift: the change of the mean score between the calibration rows and the rows in the field.

use core::fmt;

use super::Detector;
use crate::nats::Nats;

/// Running sums over the scores of a stream, from which drift is estimated.
///
/// The mean score of rows from a distribution p under the model q is H(p) + KL(p ‖ q). Its growth since calibration is
/// therefore the growth of the divergence from the model *plus* the change of the entropy of the rows; scores cannot
/// separate the two. A machine at rest may have a negative drift.
///
/// Scores are capped at [`score_cap`](Detector::score_cap), the largest score of a calibration row. So one glitch of
/// thousands of nats counts as one very anomalous row. Without drift the cap changes little; with drift the estimate is
/// too small rather than too large.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Drift {
    rows: u32,
    /// Σ (score - calibration mean), in units of 1/65536 nat.
    sum: i64,
    /// Σ (score - calibration mean)², in units of (1/4096 nat)².
    squares: u64,
}

/// An estimate of the drift of a stream: the mean surprisal of its rows minus the mean of the calibration
/// rows, with the standard error of this difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DriftEstimate {
    /// The mean score of the stream minus the mean score of the calibration rows, in units of 1/65536 nat.
    pub raw: i32,
    /// The standard error of the drift if rows are independent: √(variance in the stream / rows in the stream +
    /// variance in calibration / calibration rows). [`Nats::IMPOSSIBLE`] if either side has fewer than two rows.
    pub error: Nats,
    /// The number of rows in the stream.
    pub rows: u32,
}

impl Drift {
    /// Creates sums without rows.
    pub const fn new() -> Self {
        Self { rows: 0, sum: 0, squares: 0 }
    }

    /// Adds the score of a row (not its anomaly score). A score that would overflow a sum is ignored. Sums overflow
    /// after 2³² rows, or if the squared distances of that many scores from the mean average (16 nats)².
    pub fn push(&mut self, detector: &Detector, score: Nats) {
        let difference = i64::from(score.min(detector.score_cap).raw()) - i64::from(detector.entropy.raw());
        let coarse = ((difference + 8) >> 4).unsigned_abs();
        let sums =
            (self.rows.checked_add(1), self.sum.checked_add(difference), self.squares.checked_add(coarse * coarse));
        if let (Some(rows), Some(sum), Some(squares)) = sums {
            *self = Self { rows, sum, squares };
        }
    }

    /// Returns the drift of the rows since the start or the last [`reset`](Self::reset), and its standard error.
    ///
    /// ```
    /// use surprisal::{Detector, Drift, Nats};
    /// let nats = |nats: u32| Nats::from_raw(nats << 16);
    /// let detector = Detector { rows: 1000, entropy: nats(8), deviation: nats(2), ..Detector::OFF };
    /// let mut drift = Drift::new();
    /// (0..100).for_each(|row| drift.push(&detector, nats(9 + 2 * (row % 2))));
    /// let estimate = drift.estimate(&detector);
    /// assert_eq!(format!("{estimate}"), "2.000 ± 0.119 nats"); // √(1/99 + 4/1000)
    /// assert!(estimate.is_drifted());
    /// ```
    pub fn estimate(&self, detector: &Detector) -> DriftEstimate {
        let mean = self.sum.checked_div(self.rows.into()).unwrap_or(0);
        let square = self.squares.checked_div(self.rows.into()).unwrap_or(0);
        let mean_square = mean.unsigned_abs().saturating_mul(mean.unsigned_abs()) >> 8;
        // Both variances are in units of 1/65536² nat². A variance that exceeds 64 bits saturates.
        let variance = square.saturating_sub(mean_square).min(u64::MAX >> 8) << 8;
        let deviation = u64::from(detector.deviation.raw());
        let field = variance.checked_div(self.rows.saturating_sub(1).into());
        let calibration = (deviation * deviation).checked_div(if detector.rows < 2 { 0 } else { detector.rows.into() });
        let error = match (field, calibration) {
            (Some(field), Some(calibration)) => field.saturating_add(calibration).isqrt() as u32,
            _ => u32::MAX,
        };
        let raw = mean.clamp(i32::MIN.into(), i32::MAX.into()) as i32;
        DriftEstimate { raw, error: Nats::from_raw(error), rows: self.rows }
    }

    /// Discards all rows, so that the estimate starts anew.
    pub const fn reset(&mut self) {
        *self = Self::new();
    }
}

impl DriftEstimate {
    /// The number of rows below which a drift is never significant, because the distribution of a mean of fewer rows is
    /// not close enough to a normal distribution.
    pub const MIN_ROWS: u32 = 32;
    /// The number of standard errors beyond which a drift, positive or negative, is significant.
    ///
    /// Without drift, one estimate in 15,000 is significant by chance. Testing after every row, or rows that resemble
    /// their neighbours, makes that more frequent.
    pub const STANDARD_ERRORS: u32 = 4;

    /// Returns whether the drift is significant: it exceeds [`STANDARD_ERRORS`](Self::STANDARD_ERRORS) in either
    /// direction, over at least [`MIN_ROWS`](Self::MIN_ROWS) rows.
    pub const fn is_drifted(&self) -> bool {
        self.rows >= Self::MIN_ROWS
            && self.raw.unsigned_abs() as u64 > Self::STANDARD_ERRORS as u64 * self.error.raw() as u64
    }

    /// Returns (text of the drift's sign, absolute value of the drift).
    fn sign_and_size(&self) -> (&'static str, Nats) {
        (if self.raw < 0 { "-" } else { "" }, Nats::from_raw(self.raw.unsigned_abs()))
    }
}

/// Prints the drift and its standard error, as in "0.812 ± 0.103 nats".
impl fmt::Display for DriftEstimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, nats) = self.sign_and_size();
        write!(f, "{sign}{nats} ± {} nats", self.error)
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for DriftEstimate {
    fn format(&self, f: defmt::Formatter<'_>) {
        let (sign, nats) = self.sign_and_size();
        defmt::write!(f, "{=str}{} ± {}", sign, nats, self.error);
    }
}
