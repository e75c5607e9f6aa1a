//! Detection: turns scores of rows into verdicts, p-values, and reports of trends and drift.
//!
//! [`Detector`] holds constants that were calibrated on normal rows, and stays in flash. The caller keeps the small
//! state of a stream of rows: [`Cusum`], [`Drift`] and `Recent`, or a [`Monitor`], which holds a `Cusum` and a `Drift`.

use crate::error::TableError;
use crate::nats::Nats;

mod p_value;
mod anomaly_score;
mod row_score;
mod soft_maximum;
mod cusum;
mod drift;
mod severity;
mod calibrator;
mod adaptation;
mod absence;
#[cfg(feature = "heapless")]
mod recent;
mod monitor;

pub use absence::Absence;
pub use adaptation::Adaptation;
pub use anomaly_score::AnomalyScore;
pub use calibrator::{Calibrator, Recalibration};
pub use cusum::Cusum;
pub use drift::{Drift, DriftEstimate};
pub use monitor::{AlarmRule, Monitor, Report};
pub use p_value::PValue;
#[cfg(feature = "heapless")]
pub use recent::Recent;
pub use row_score::RowScore;
pub(crate) use row_score::RowScorer;
pub use severity::Severity;
pub(crate) use soft_maximum::SoftMaximum;

/// The calibration of a table: numbers that were computed from calibration rows, which are normal rows that the fit did
/// not use.
///
/// The threshold and the quantiles refer to the [`AnomalyScore`] of a row. The mean, deviation, caps, reference and
/// decision interval refer to its *score*, the sum of the surprisals of its columns.
///
/// With n calibration rows, the threshold for a false-alarm rate α is the ⌈(n+1)(1-α)⌉-th smallest of their anomaly
/// scores. If a fresh normal row is exchangeable with the calibration rows, it raises an alarm with probability at most
/// α (split conformal prediction: Vovk, Gammerman & Shafer, *Algorithmic Learning in a Random World*, 2005). If α <
/// 1/(n+1) there is no such score, and the threshold is [`Nats::IMPOSSIBLE`]: the detector never alarms, because n rows
/// are too few to guarantee α.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Detector<'t> {
    /// The largest anomaly score that is still normal.
    pub threshold: Nats,
    /// The false-alarm rate of the threshold, in parts per million.
    pub false_alarm_ppm: u32,
    /// The number of calibration rows.
    pub rows: u32,
    /// The mean score of the calibration rows: an estimate of the cross-entropy between machine and model.
    pub entropy: Nats,
    /// The standard deviation of the scores of the calibration rows.
    pub deviation: Nats,
    /// The cap of scores in [`Drift`]: the largest score of a calibration row.
    pub score_cap: Nats,
    /// The cap of scores in [`Cusum`], so that one anomalous row does not count as a trend. Normal rows exceed it at
    /// the false-alarm rate; with too few calibration rows it equals [`score_cap`](Self::score_cap).
    pub cusum_cap: Nats,
    /// The reference value, which [`Cusum`] subtracts from every score: half a standard deviation and one standard error of
    /// the mean above the mean of the calibration scores, all computed with the [`cusum_cap`](Self::cusum_cap).
    pub reference: Nats,
    /// The decision interval: [`Cusum`] alarms if its sum exceeds it. [`Nats::IMPOSSIBLE`] means never.
    pub decision_interval: Nats,
    /// The average run length ARL0: the mean number of normal rows between false alarms of [`Cusum`].
    pub average_run_length: u32,
    /// log2 of the temperature τ of the soft maximum in [`AnomalyScore`], at most 8.
    pub log2_temperature: u32,
    /// `[level]`: for each of the [`levels`](Self::levels), the anomaly score that this share of normal rows exceeds,
    /// in units of 1/65536 nat, ascending. If empty, all p-values are one.
    pub quantiles: &'t [u32],
    /// `[reading]`: the baseline of the column of each reading, its mean surprisal over the calibration rows, in units
    /// of 1/1024 nat. Columns without a baseline have a baseline of zero.
    pub baselines: &'t [u16],
}

/// The length of the array that [`Detector::words`] returns, which is the section `calibration` of a table.
pub(crate) const WORDS: usize = 11;

/// The judgement of a detector on one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Verdict {
    /// The anomaly score does not exceed the threshold.
    Normal,
    /// The anomaly score exceeds the threshold.
    Anomalous {
        /// The anomaly score minus the threshold.
        excess: Nats,
    },
}

impl Verdict {
    /// Returns whether the verdict is [`Anomalous`](Self::Anomalous).
    pub const fn is_anomalous(self) -> bool {
        matches!(self, Self::Anomalous { .. })
    }
}

impl<'t> Detector<'t> {
    /// A detector without calibration, which never alarms.
    pub const OFF: Self = Self {
        threshold: Nats::IMPOSSIBLE,
        false_alarm_ppm: 0,
        rows: 0,
        entropy: Nats::ZERO,
        deviation: Nats::ZERO,
        score_cap: Nats::IMPOSSIBLE,
        cusum_cap: Nats::IMPOSSIBLE,
        reference: Nats::ZERO,
        decision_interval: Nats::IMPOSSIBLE,
        average_run_length: 0,
        log2_temperature: 0,
        quantiles: &[],
        baselines: &[],
    };

    /// Returns the verdict on an anomaly score: whether it exceeds the threshold.
    ///
    /// ```
    /// use surprisal::{Detector, Nats};
    /// let detector = Detector { threshold: Nats::from_raw(5 << 16), false_alarm_ppm: 1000, rows: 5000, ..Detector::OFF
    /// }; assert!(!detector.judge(Nats::from_raw(5 << 16)).is_anomalous()); assert!(detector.judge(Nats::from_raw(6 <<
    /// 16)).is_anomalous());
    /// ```
    pub fn judge(&self, anomaly: Nats) -> Verdict {
        if anomaly > self.threshold {
            Verdict::Anomalous { excess: anomaly.saturating_sub(self.threshold) }
        } else {
            Verdict::Normal
        }
    }

    /// Returns this detector with the threshold of another rate of false alarms: a score is then anomalous exactly if its
    /// [`p_value`](Self::p_value) is at most `rate`. Rates that the calibration rows do not support give
    /// [`Nats::IMPOSSIBLE`], as in [`Detector`].
    ///
    /// Between the [`levels`](Self::levels) of p-values the threshold is interpolated, and so may differ a little from that
    /// of a fit for the same rate.
    ///
    /// ```
    /// use surprisal::{Detector, Nats, PValue};
    /// // 31 calibration rows with the scores 1, 2, … 31.
    /// let quantiles: Vec<u32> = Detector::levels(31).map(|(_, k)| 32 - k).collect();
    /// let detector = Detector { rows: 31, quantiles: &quantiles, ..Detector::OFF };
    /// assert_eq!(detector.at(PValue::from_ppm(250_000)).threshold, Nats::from_raw(24)); // seven of 31 rows exceed it
    /// assert_eq!(detector.at(PValue::from_ppm(1000)).threshold, Nats::IMPOSSIBLE); // 31 rows cannot support it
    /// ```
    pub fn at(self, rate: PValue) -> Self {
        let (mut low, mut high) = (0, u32::MAX);
        // The p-value falls with the score. `high` is the smallest score that is known to be rare enough.
        while low < high {
            let middle = low + (high - low) / 2;
            if self.p_value(Nats::from_raw(middle)) <= rate { high = middle } else { low = middle + 1 }
        }
        let is_supported = self.p_value(Nats::IMPOSSIBLE) <= rate;
        let threshold = if is_supported { Nats::from_raw(low.saturating_sub(1)) } else { Nats::IMPOSSIBLE };
        Self { threshold, false_alarm_ppm: rate.ppm(), ..self }
    }

    /// Returns the baseline of the column with this position among the readings: its mean surprisal over calibration
    /// rows, or zero if the table has no baseline for the column.
    pub fn baseline(&self, column: u16) -> Nats {
        Nats::from_raw(self.baselines.get(usize::from(column)).map_or(0, |&nats| u32::from(nats) << 6))
    }

    /// Returns the largest baseline of all columns, or zero if the table has no baselines.
    pub fn largest_baseline(&self) -> Nats {
        Nats::from_raw(self.baselines.iter().max().map_or(0, |&nats| u32::from(nats) << 6))
    }

    /// Returns the fields of the detector, without its slices, as words in the order that `docs/format.md` lists under
    /// the section `calibration`.
    pub const fn words(&self) -> [u32; WORDS] {
        [
            self.threshold.raw(),
            self.false_alarm_ppm,
            self.rows,
            self.entropy.raw(),
            self.deviation.raw(),
            self.score_cap.raw(),
            self.cusum_cap.raw(),
            self.reference.raw(),
            self.decision_interval.raw(),
            self.average_run_length,
            self.log2_temperature,
        ]
    }

    /// Creates a detector from its [`words`](Self::words) and slices, which are not checked.
    ///
    /// ```
    /// # use surprisal::Detector;
    /// let detector = Detector { rows: 99, ..Detector::OFF };
    /// assert_eq!(Detector::from_words(&detector.words(), &[], &[]).words(), detector.words());
    /// ```
    pub const fn from_words(words: &[u32; WORDS], quantiles: &'t [u32], baselines: &'t [u16]) -> Self {
        let &[
            threshold,
            false_alarm_ppm,
            rows,
            entropy,
            deviation,
            score_cap,
            cusum_cap,
            reference,
            decision_interval,
            average_run_length,
            log2_temperature,
        ] = words;
        Self {
            threshold: Nats::from_raw(threshold),
            false_alarm_ppm,
            rows,
            entropy: Nats::from_raw(entropy),
            deviation: Nats::from_raw(deviation),
            score_cap: Nats::from_raw(score_cap),
            cusum_cap: Nats::from_raw(cusum_cap),
            reference: Nats::from_raw(reference),
            decision_interval: Nats::from_raw(decision_interval),
            average_run_length,
            log2_temperature,
            quantiles,
            baselines,
        }
    }

    /// Checks the temperature and the quantiles, and returns the detector.
    ///
    /// # Errors
    /// [`TableError::Inconsistent`] for a temperature above 2^8, for quantiles that descend, and for a number of
    /// quantiles other than zero or the number of levels.
    pub(crate) const fn check(self) -> Result<Self, TableError> {
        if self.log2_temperature > 8 {
            return Err(TableError::Inconsistent("calibration"));
        }
        let mut left = self.quantiles;
        while let Some((quantile, rest)) = left.split_first() {
            if let Some(next) = rest.first()
                && *next < *quantile
            {
                return Err(TableError::Inconsistent("quantiles"));
            }
            left = rest;
        }
        if !self.quantiles.is_empty() && self.quantiles.len() != p_value::level_count(self.rows) {
            return Err(TableError::Inconsistent("quantiles"));
        }
        Ok(self)
    }
}
