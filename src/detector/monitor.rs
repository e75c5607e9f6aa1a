//! The monitor: reports verdict, p-value, trend and drift for each row of a stream, and when to raise an alarm.

use core::fmt;

use super::{Cusum, Detector, Drift, DriftEstimate, PValue, RowScore, Severity, Verdict};
use crate::nats::Nats;
use crate::view::Regime;

/// The state of one stream of rows, which reports anomalous rows, trends and drift, and decides when to raise an alarm.
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
    /// When an alarm is raised: at every anomalous row unless you set another rule.
    pub rule: AlarmRule,
    /// Whether each of the last 32 rows was anomalous; the last row is the lowest bit.
    recent: u32,
    /// The number of rows until the next alarm may be raised.
    quiet: u16,
}

/// When a [`Monitor`] raises an alarm: at least `votes` of the last `of` rows are anomalous, or scores have been too large
/// for long (a trend), and no alarm was raised in the last `hold_off` rows.
///
/// Single rows of a normal machine exceed the threshold at the rate of false alarms, which at one row per second and a
/// rate of 0.5 % is 432 times a day. A fault that lasts is found by 3 of 5 rows as well, and chance much less often: if
/// rows were independent, 3 of 5 at 0.5 % would be true of about one row in a million. Rows that resemble their neighbours
/// exceed the threshold together, so that `surprisal eval --votes` counts the alarms of real rows.
///
/// ```
/// use surprisal::{AlarmRule, Detector, Monitor, Nats, RowScore};
/// let detector = Detector { threshold: Nats::from_raw(9 << 16), ..Detector::OFF };
/// let mut monitor = Monitor::new();
/// monitor.rule = AlarmRule { votes: 2, of: 3, hold_off: 2 };
/// let mut alarm = |nats: u32| monitor.push(&detector, &RowScore::of(&detector, &[(0, Nats::from_raw(nats << 16))])).alarm;
/// // A single anomalous row, then a fault that lasts: it raises one alarm, and another after the two rows of hold-off.
/// assert_eq!([10, 5, 5, 10, 10, 10, 10, 10].map(&mut alarm), [false, false, false, false, true, false, false, true]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct AlarmRule {
    /// The number of anomalous rows that raise an alarm; 0 counts as 1.
    pub votes: u8,
    /// The number of last rows among which these are, including the current row: 1 to 32. Larger numbers count as 32.
    pub of: u8,
    /// The number of rows after an alarm in which no other alarm is raised, at most 65535.
    pub hold_off: u16,
}

impl AlarmRule {
    /// An alarm at every anomalous row and every trend.
    pub const EVERY: Self = Self { votes: 1, of: 1, hold_off: 0 };

    /// Returns whether enough of the last rows are anomalous. The lowest bit of `recent` is the last row.
    const fn is_met(&self, recent: u32) -> bool {
        if self.votes <= 1 && self.of <= 1 {
            return recent & 1 == 1;
        }
        let last = u32::MAX
            >> (32
                - if self.of > 32 {
                    32
                } else if self.of == 0 {
                    1
                } else {
                    self.of as u32
                });
        let votes = if self.votes == 0 { 1 } else { self.votes as u32 };
        (recent & last).count_ones() >= votes
    }
}

impl Default for AlarmRule {
    fn default() -> Self {
        Self::EVERY
    }
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
    /// How far beyond the threshold the row is.
    pub severity: Severity,
    /// Whether enough of the last rows are anomalous by the monitor's [`AlarmRule`]: the state of a machine, for a lamp.
    pub is_agreed: bool,
    /// Whether to raise an alarm at this row by the monitor's [`AlarmRule`]: an event, for a message.
    pub alarm: bool,
    /// The operating regime of the row, or `None` if the table has no prototypes.
    pub regime: Option<Regime>,
    /// The number of readings that are missing although none was missing in training, see [`RowScore::missing`].
    pub missing: u16,
}

impl Monitor {
    /// Creates a monitor that has seen no rows.
    pub const fn new() -> Self {
        Self { cusum: Cusum::new(), drift: Drift::new(), rule: AlarmRule::EVERY, recent: 0, quiet: 0 }
    }

    /// Updates the monitor with one scored row, and returns the verdict, the p-value, the trend, the drift, and whether to
    /// raise an alarm.
    ///
    /// `score` comes from [`Table::score`](crate::Table::score).
    // Not inlined, so that its stack is never in use together with the stack of `Table::score`.
    #[inline(never)]
    pub fn push(&mut self, detector: &Detector, score: &RowScore) -> Report {
        self.drift.push(detector, score.nats);
        let verdict = detector.judge(score.anomaly);
        let trend = self.cusum.push(detector, score.nats);
        self.recent = self.recent << 1 | u32::from(verdict.is_anomalous());
        let is_agreed = self.rule.is_met(self.recent);
        let alarm = (is_agreed || trend) && self.quiet == 0;
        self.quiet = if alarm { self.rule.hold_off } else { self.quiet.saturating_sub(1) };
        Report {
            score: score.nats,
            verdict,
            p: detector.p_value(score.anomaly),
            trend,
            drift: self.drift.estimate(detector),
            severity: detector.severity(score.anomaly),
            is_agreed,
            alarm,
            regime: score.regime,
            missing: score.missing,
        }
    }

    /// Restarts the monitor after a gap in the stream: rows before and after it neither accumulate nor agree. The drift and
    /// the time until the next alarm go on.
    pub const fn resume(&mut self) {
        self.cusum.reset();
        self.recent = 0;
    }

    /// Restarts the monitor, after a repair or for another machine. It keeps its rule.
    pub const fn reset(&mut self) {
        *self = Self { rule: self.rule, ..Self::new() };
    }
}

impl Report {
    /// Returns three parts of the printed report: (verdict as a word, note that is appended if there is a trend, note on the
    /// regime).
    fn words(&self) -> (&'static str, &'static str, &'static str) {
        let verdict = if self.verdict.is_anomalous() { "anomalous" } else { "normal" };
        let trend = if self.trend { "; surprises accumulate" } else { "" };
        let is_far = self.verdict.is_anomalous() && self.regime.is_some_and(|regime| regime.is_far);
        (verdict, trend, if is_far { "; far from every regime" } else { "" })
    }
}

/// Prints a sentence such as "normal: 3.102 nats, p 0.43; drifted by 0.812 ± 0.103 nats".
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (verdict, trend, regime) = self.words();
        write!(f, "{verdict}: {} nats, p {}{trend}{regime}", self.score, self.p)?;
        if self.drift.is_drifted() {
            write!(f, "; drifted by {}", self.drift)?;
        }
        Ok(())
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for Report {
    fn format(&self, f: defmt::Formatter<'_>) {
        let (verdict, trend, regime) = self.words();
        // The defmt format of `Nats` includes the unit, unlike its `Display`.
        if self.drift.is_drifted() {
            defmt::write!(
                f,
                "{=str}: {}, p {}{=str}{=str}; drifted by {}",
                verdict,
                self.score,
                self.p,
                trend,
                regime,
                self.drift
            );
        } else {
            defmt::write!(f, "{=str}: {}, p {}{=str}{=str}", verdict, self.score, self.p, trend, regime);
        }
    }
}
