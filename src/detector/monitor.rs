//! All that is said of a stream, row by row.

use core::fmt;

use super::{Cusum, Detector, Drift, Excess, PValue, Verdict};
use crate::explain::Surprise;
use crate::link::Nats;

/// Watches one stream of rows for odd rows, trends and drift.
///
/// ```
/// use surprisal::{Detector, Monitor, Nats, Surprise};
/// let nats = |nats: u32| Nats::from_raw(nats << 16);
/// let quantiles: Vec<u32> = Detector::levels(31).map(|(_, k)| (32 - k) << 16).collect();
/// let detector = Detector { threshold: nats(30), rows: 31, quantiles: &quantiles, ..Detector::OFF };
/// let mut monitor = Monitor::new();
/// let row = |score| Surprise { total: nats(score), oddness: nats(score), ..Surprise::default() };
/// assert_eq!(format!("{}", monitor.push(&detector, &row(31))), "odd: 31.000 nats, p 0.032");
/// assert_eq!(format!("{}", monitor.push(&detector, &row(16))), "ordinary: 16.000 nats, p 0.51");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Monitor {
    /// Piles up small surprises.
    pub cusum: Cusum,
    /// Compares with the held-out rows.
    pub drift: Drift,
}

/// What a [`Monitor`] says of a row and of the stream up to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// How surprising the row is in all.
    pub score: Nats,
    /// Is its oddness an alarm?
    pub verdict: Verdict,
    /// How rare is that among ordinary rows?
    pub p: PValue,
    /// Does [`Cusum`] alarm?
    pub trend: bool,
    /// How far the stream has moved.
    pub excess: Excess,
}

impl Monitor {
    /// Before the first row.
    pub const fn new() -> Self {
        Self { cusum: Cusum::new(), drift: Drift::new() }
    }

    /// Takes in what a [`Table::surprise`](crate::Table::surprise) said, and says what is to be said.
    // Apart, as `Table::surprise` is.
    #[inline(never)]
    pub fn push(&mut self, detector: &Detector, surprise: &Surprise) -> Report {
        let score = surprise.total;
        self.drift.push(detector, score);
        Report {
            score,
            verdict: detector.judge(surprise.oddness),
            p: detector.p_value(surprise.oddness),
            trend: self.cusum.push(detector, score),
            excess: self.drift.excess(detector),
        }
    }

    /// Begins anew: after a repair, or with another machine. After a mere gap, reset [`cusum`](Self::cusum) alone.
    pub const fn reset(&mut self) {
        *self = Self::new();
    }
}

impl Report {
    /// The words before the score, and those after the p-value.
    fn words(&self) -> (&'static str, &'static str) {
        let verdict = if self.verdict.is_odd() { "odd" } else { "ordinary" };
        (verdict, if self.trend { "; surprises pile up" } else { "" })
    }
}

/// A sentence: "ordinary: 3.102 nats, p 0.43; drifted by 0.812 ± 0.103 nats".
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (verdict, trend) = self.words();
        write!(f, "{verdict}: {} nats, p {}{trend}", self.score, self.p)?;
        if self.excess.is_drifted() {
            write!(f, "; drifted by {}", self.excess)?;
        }
        Ok(())
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for Report {
    fn format(&self, f: defmt::Formatter<'_>) {
        let (verdict, trend) = self.words();
        // `Nats` says its unit itself.
        if self.excess.is_drifted() {
            defmt::write!(f, "{=str}: {}, p {}{=str}; drifted by {}", verdict, self.score, self.p, trend, self.excess);
        } else {
            defmt::write!(f, "{=str}: {}, p {}{=str}", verdict, self.score, self.p, trend);
        }
    }
}
