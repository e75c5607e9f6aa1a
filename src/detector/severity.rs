//! Severity: how far beyond the threshold an anomaly score lies.

use super::Detector;
use crate::nats::Nats;

/// The severity of a row: a name for the distance of its anomaly score from the threshold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Severity {
    /// The score does not exceed the threshold.
    #[default]
    Normal,
    /// The score exceeds the threshold.
    Anomalous,
    /// The score exceeds the threshold by more than the threshold exceeds the median of normal rows.
    Critical,
}

impl Severity {
    /// Returns the name in lower case: "normal", "anomalous" or "critical".
    pub const fn word(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Anomalous => "anomalous",
            Self::Critical => "critical",
        }
    }
}

impl Detector<'_> {
    /// Returns the severity of an anomaly score. Without quantiles the median counts as zero.
    ///
    /// ```
    /// use surprisal::{Detector, Nats, Severity};
    /// // 31 calibration rows with the scores 1, 2, … 31, whose median is 16.
    /// let quantiles: Vec<u32> = Detector::levels(31).map(|(_, k)| 32 - k).collect();
    /// let detector = Detector { threshold: Nats::from_raw(30), rows: 31, quantiles: &quantiles, ..Detector::OFF };
    /// let of = |score| detector.severity(Nats::from_raw(score));
    /// assert_eq!([30, 31, 44, 45].map(of), [Severity::Normal, Severity::Anomalous, Severity::Anomalous, Severity::Critical]);
    /// ```
    pub fn severity(&self, anomaly: Nats) -> Severity {
        let median = self.median().unwrap_or_default();
        match anomaly.saturating_sub(self.threshold) {
            Nats::ZERO => Severity::Normal,
            excess if excess > self.threshold.saturating_sub(median) => Severity::Critical,
            _ => Severity::Anomalous,
        }
    }
}
