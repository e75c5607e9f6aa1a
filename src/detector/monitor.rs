//! The monitor: reports verdict, p-value, trend and drift for each row of a stream.

use core::fmt;

use super::{Cusum, Detector, Drift, DriftEstimate, PValue, RowScore, Verdict};
use crate::nats::Nats;

/// The state of one stream of rows, which reports anomalous rows, trends and drift.
///
/// ```
/// use surprisal::{Detector, Monitor, Nats, RowScore};
/// let nats = |nats: u32| Nats::from_raw(nats << 16);
/// let quantiles: Vec<u32> = Detector::levels(31).map(|(_, k)| (32 - k) << 16).collect();
/// let detector = Detector { threshold: nats(30), rows: 31, quantiles: &quantiles, ..Detector::OFF };
/// let mut monitor = Monitor::new();
/// let row = |score| RowScore::of(&detector, &[(0, nats(score))]);
/// assert_eq!(format!("{}", monitor.push(&detector, &row(31))), "anomalous: 31.000 nats, p 0.032");
/// assert_eq!(format!("{}", monitor.push(&detector, &row(16))), "normal: 16.000 nats, p 0.51");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Monitor {
    /// The cumulative sum, which detects trends.
    pub cusum: Cusum,
    /// The sums over all scores of the stream, from which its drift is estimated.
    pub drift: Drift,
}

/// The report of a [`Monitor`] on a row, and on the stream up to this row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// The score of the row: its surprisal, [`RowScore::nats`].
    pub score: Nats,
    /// The verdict on the row's anomaly score.
    pub verdict: Verdict,
    /// The p-value of the row's anomaly score: the share of normal rows that score at least as high.
    pub p: PValue,
    /// Whether [`Cusum`] alarms at this row: scores of several rows have been too large.
    pub trend: bool,
    /// The drift of the stream since the monitor started or was reset.
    pub drift: DriftEstimate,
}

impl Monitor {
    /// Creates a monitor that has seen no rows.
    pub const fn new() -> Self {
        Self { cusum: Cusum::new(), drift: Drift::new() }
    }

    /// Updates the monitor with one scored row, and returns the verdict, the p-value, the trend and the drift.
    ///
    /// `score` comes from [`Table::score`](crate::Table::score).
    // Not inlined, so that its stack is never in use together with the stack of `Table::score`.
    #[inline(never)]
    pub fn push(&mut self, detector: &Detector, score: &RowScore) -> Report {
        self.drift.push(detector, score.nats);
        Report {
            score: score.nats,
            verdict: detector.judge(score.anomaly),
            p: detector.p_value(score.anomaly),
            trend: self.cusum.push(detector, score.nats),
            drift: self.drift.estimate(detector),
        }
    }

    /// Restarts the monitor, after a repair or for another machine. After a gap in the stream, reset only
    /// [`cusum`](Self::cusum).
    pub const fn reset(&mut self) {
        *self = Self::new();
    }
}

impl Report {
    /// Returns two parts of the printed report: (verdict as a word, note that is appended if there is a trend).
    fn words(&self) -> (&'static str, &'static str) {
        let verdict = if self.verdict.is_anomalous() { "anomalous" } else { "normal" };
        (verdict, if self.trend { "; surprises accumulate" } else { "" })
    }
}

/// Prints a sentence such as "normal: 3.102 nats, p 0.43; drifted by 0.812 ± 0.103 nats".
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (verdict, trend) = self.words();
        write!(f, "{verdict}: {} nats, p {}{trend}", self.score, self.p)?;
        if self.drift.is_drifted() {
            write!(f, "; drifted by {}", self.drift)?;
        }
        Ok(())
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for Report {
    fn format(&self, f: defmt::Formatter<'_>) {
        let (verdict, trend) = self.words();
        // The defmt format of `Nats` includes the unit, unlike its `Display`.
        if self.drift.is_drifted() {
            defmt::write!(f, "{=str}: {}, p {}{=str}; drifted by {}", verdict, self.score, self.p, trend, self.drift);
        } else {
            defmt::write!(f, "{=str}: {}, p {}{=str}", verdict, self.score, self.p, trend);
        }
    }
}
