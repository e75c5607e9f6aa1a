//! Drift: how far the mean score in the field has moved from the calibration rows.

use core::fmt;

use super::Detector;
use crate::nats::Nats;

/// Running sums of scores since the start or the last [`reset`](Self::reset), which estimate drift.
///
/// The mean score of rows from p under the model q is H(p) + KL(p ‖ q). Its growth since calibration is therefore the
/// growth of the divergence from the model *plus* the change of the field's own entropy; scores cannot tell the two apart.
/// A machine that stands still may drift below zero.
///
/// Scores are capped at the largest score of a calibration row, both in the field and in calibration. So one glitch of
/// thousands of nats counts as one very anomalous row, the two means stay comparable, the estimate is unbiased without
/// drift, and with drift it is too small rather than too large.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Drift {
    rows: u32,
    /// Σ (score - calibration mean), in units of 1/65536 nat.
    sum: i64,
    /// Σ (score - calibration mean)², in units of (1/4096 nat)².
    squares: u64,
}

/// The drift of a stream: the difference of mean scores, with its standard error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DriftEstimate {
    /// The mean score in the field minus that of the calibration rows, in units of 1/65536 nat.
    pub raw: i32,
    /// The standard error if rows are independent: √(field variance / field rows + calibration variance / calibration
    /// rows). [`Nats::IMPOSSIBLE`] if either side has fewer than two rows.
    pub error: Nats,
    /// The number of rows from the field.
    pub rows: u32,
}

impl Drift {
    /// Creates sums over no rows.
    pub const fn new() -> Self {
        Self { rows: 0, sum: 0, squares: 0 }
    }

    /// Adds a score. Sums that are full, after 2³² rows or as many that are 16 nats off the mean, stay as they are.
    pub fn push(&mut self, detector: &Detector, score: Nats) {
        let difference = i64::from(score.min(detector.score_cap).raw()) - i64::from(detector.entropy.raw());
        let coarse = ((difference + 8) >> 4).unsigned_abs();
        let sums =
            (self.rows.checked_add(1), self.sum.checked_add(difference), self.squares.checked_add(coarse * coarse));
        if let (Some(rows), Some(sum), Some(squares)) = sums {
            *self = Self { rows, sum, squares };
        }
    }

    /// Returns the drift and its standard error.
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
        // Both variances are in units of 1/65536² nat²; one that exceeds 64 bits saturates.
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

    /// Discards all rows.
    pub const fn reset(&mut self) {
        *self = Self::new();
    }
}

impl DriftEstimate {
    /// The fewest rows from the field that are judged: the mean of fewer is not close enough to a normal distribution.
    pub const MIN_ROWS: u32 = 32;
    /// The number of standard errors, on either side, that count as drift.
    ///
    /// Without drift, one look in 15,000 exceeds it. Looking after every row, or at rows that resemble their neighbours,
    /// exceeds it more often.
    pub const STANDARD_ERRORS: u32 = 4;

    /// Returns whether the machine has changed: the drift, up or down, exceeds
    /// [`STANDARD_ERRORS`](Self::STANDARD_ERRORS) on at least [`MIN_ROWS`](Self::MIN_ROWS) rows.
    pub const fn is_drifted(&self) -> bool {
        self.rows >= Self::MIN_ROWS
            && self.raw.unsigned_abs() as u64 > Self::STANDARD_ERRORS as u64 * self.error.raw() as u64
    }

    /// Returns the sign and the size of the drift.
    fn sign_and_size(&self) -> (&'static str, Nats) {
        (if self.raw < 0 { "-" } else { "" }, Nats::from_raw(self.raw.unsigned_abs()))
    }
}

/// Prints as in "0.812 ± 0.103 nats".
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
