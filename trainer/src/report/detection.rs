//! How well a model detects: false alarms, recall, delays, curves and p-values.

use std::collections::BTreeMap;

use serde::Serialize;
use surprisal::{Detector, PValue, Report};

use super::interval::{Measured, Share};
use crate::alarms::{AlarmSettings, Raised, Threshold, promised_interval, sweep};
use crate::applied::Applied;
use crate::calibrate::rate_interval;
use crate::evaluate::{auc_pr, auc_roc};
use crate::pipeline::finite;

/// Largest number of points of a curve.
const POINTS: usize = 250;

/// What a model says about the rows of a file.
#[derive(Clone, Debug, Serialize)]
pub struct Detection {
    /// Number of scored rows.
    pub rows: usize,
    /// Number of normal rows; without labels, of all rows with a reading.
    pub normal_rows: usize,
    /// Number of rows with an anomalous label; `None` without labels.
    pub anomalous_rows: Option<usize>,
    /// Number of rows without any reading, which all figures leave out.
    pub rows_without_reading: usize,
    /// Number of other rows without a label in the label column, which are neither normal nor anomalous.
    pub rows_without_label: usize,
    /// Mean surprisal of all rows with a reading, in nats; `None` if there are none.
    pub mean_nats: Option<f64>,
    /// Number of rows that the threshold calls anomalous.
    pub alarms: usize,
    /// Share of those among normal rows.
    pub false_alarms: Option<Share>,
    /// Share of those among rows with an anomalous label.
    pub recall: Option<Share>,
    /// Share of anomalous labels among the alarms.
    pub precision: Option<f64>,
    /// Harmonic mean of precision and recall.
    pub f1: Option<f64>,
    /// Area under the ROC curve.
    pub auc_roc: Option<Measured>,
    /// Average precision.
    pub auc_pr: Option<f64>,
    /// Alarms that a board raises by its rule.
    pub raised: Raised,
    /// The rule, in words.
    pub rule: String,
    /// Anomaly score above which a row is anomalous, in nats; `None` if there is no threshold.
    pub threshold: Option<f64>,
    /// 90 % interval of the threshold that exactly the promised share of normal rows exceeds; `None` where it is unknown.
    pub threshold_interval: [Option<f64>; 2],
    /// The promised share of false alarms.
    pub promised: f64,
    /// 90 % interval of the share of normal rows above the threshold, by the number of calibration rows.
    pub promised_interval: [f64; 2],
    /// Number of calibration rows.
    pub calibration_rows: u32,
    /// Recall and delay by label value, the most frequent value first.
    pub labels: Vec<OfLabel>,
    /// Thresholds at several rates.
    pub thresholds: Vec<Threshold>,
    /// Promised and observed shares of p-values on normal rows.
    pub p_values: Vec<PShare>,
    /// Drift of the normal rows, in nats per row, its standard error, and whether it is significant.
    pub drift: OfDrift,
}

/// Drift since the calibration.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct OfDrift {
    /// Mean surprisal minus that of the calibration rows, in nats per row.
    pub estimate: f64,
    /// Standard error; `None` for fewer than two rows.
    pub error: Option<f64>,
    /// Whether the drift is significant.
    pub drifted: bool,
}

/// How well the rows of one label value are found.
#[derive(Clone, Debug, Serialize)]
pub struct OfLabel {
    /// The value.
    pub label: String,
    /// Share of rows that the threshold calls anomalous.
    pub recall: Share,
    /// Number of episodes: runs of rows of this value.
    pub episodes: usize,
    /// Number of episodes in which a board raises an alarm by its rule.
    pub found: usize,
    /// Rows from the begin of an episode to its first alarm, for the median of the episodes that are found.
    pub median_delay: Option<usize>,
    /// The same for the slowest of them.
    pub longest_delay: Option<usize>,
    /// Number of rows of the median episode.
    pub median_length: usize,
}

/// Share of normal rows whose p-value is at most a promised share.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct PShare {
    /// The promised share.
    pub promised: f64,
    /// 90 % interval of the true share, by the number of calibration rows.
    pub low: f64,
    /// Upper end of that interval.
    pub high: f64,
    /// The observed share.
    pub observed: Share,
}

impl Detection {
    /// Measures the detection on the rows of a file. `reports` are those of the monitor.
    pub fn of(applied: &Applied, reports: &[Report], settings: &AlarmSettings) -> Self {
        let detector = applied.artefact.detector();
        let verdicts = applied.verdicts(&detector);
        let (normal, anomalous) = (applied.of_kind(false), applied.of_kind(true));
        let share = |of: &[usize]| Share::of(of.iter().filter(|&&at| verdicts[at]).count(), of.len());
        let found = applied.alarms(&verdicts);
        let known = [&normal[..], &anomalous].concat();
        let is_anomalous: Vec<bool> = (0..known.len()).map(|at| at >= normal.len()).collect();
        let scores: Vec<_> = known.iter().map(|&at| applied.scores[at].anomaly).collect();
        let [rows_without_reading, rows_without_label] = applied.unknown_rows();
        let (low, high) = promised_interval(&detector);
        let drift = applied.drift(&normal);
        Self {
            rows: applied.rows.len(),
            normal_rows: normal.len(),
            anomalous_rows: applied.anomalous.is_some().then_some(anomalous.len()),
            rows_without_reading,
            rows_without_label,
            mean_nats: applied.mean_nats(&applied.with_reading()),
            alarms: verdicts.iter().filter(|&&alarm| alarm).count(),
            false_alarms: share(&normal),
            recall: share(&anomalous),
            precision: found.precision,
            f1: found.f1,
            auc_roc: auc_roc(&scores, &is_anomalous).map(|auc| Measured::auc(auc, anomalous.len(), normal.len())),
            auc_pr: auc_pr(&scores, &is_anomalous),
            raised: Raised::of(applied, reports, settings),
            rule: settings.words(),
            threshold: finite(detector.threshold),
            threshold_interval: [high, low].map(|rate| at_rate(&detector, rate)),
            promised: f64::from(detector.false_alarm_ppm) / 1e6,
            promised_interval: [low, high],
            calibration_rows: detector.rows,
            labels: labels(applied, &verdicts, reports),
            thresholds: sweep(applied, settings),
            p_values: p_values(applied, &detector, &normal),
            drift: OfDrift {
                estimate: f64::from(drift.raw) / 65536.0,
                error: finite(drift.error),
                drifted: drift.is_drifted(),
            },
        }
    }
}

/// Returns the threshold at a rate, if the calibration rows determine one.
fn at_rate(detector: &Detector, rate: f64) -> Option<f64> {
    let ppm = (1e6 * rate).round();
    (1.0..1e6).contains(&ppm).then(|| finite(detector.at(PValue::from_ppm(ppm as u32)).threshold)).flatten()
}

/// Rows of one label value.
#[derive(Default)]
struct Episodes {
    /// (number of rows, rows until the first alarm) of each episode.
    each: Vec<(usize, Option<usize>)>,
    rows: usize,
    found: usize,
}

impl Episodes {
    fn of_label(self, label: String) -> Option<OfLabel> {
        let mut delays: Vec<usize> = self.each.iter().filter_map(|(_, delay)| *delay).collect();
        let mut lengths: Vec<usize> = self.each.iter().map(|(length, _)| *length).collect();
        delays.sort_unstable();
        lengths.sort_unstable();
        Some(OfLabel {
            label,
            recall: Share::of(self.found, self.rows)?,
            episodes: lengths.len(),
            found: delays.len(),
            median_delay: delays.get(delays.len() / 2).copied(),
            longest_delay: delays.last().copied(),
            median_length: lengths[lengths.len() / 2],
        })
    }
}

/// Returns recall and delays by label value, the most frequent value first.
fn labels(applied: &Applied, verdicts: &[bool], reports: &[Report]) -> Vec<OfLabel> {
    let resumes = applied.resumes();
    let mut by_label: BTreeMap<String, Episodes> = BTreeMap::new();
    let mut before: Option<String> = None;
    for at in 0..applied.rows.len() {
        if !applied.is_anomalous(at) {
            before = None;
            continue;
        }
        let label = applied.label_of(at).into_owned();
        let continues = !resumes[at] && before.as_ref() == Some(&label);
        let episodes = by_label.entry(label.clone()).or_default();
        if !continues {
            episodes.each.push((0, None));
        }
        if let Some((length, delay)) = episodes.each.last_mut() {
            if reports[at].alarm && delay.is_none() {
                *delay = Some(*length);
            }
            *length += 1;
        }
        episodes.rows += 1;
        episodes.found += usize::from(verdicts[at]);
        before = Some(label);
    }
    let mut labels: Vec<OfLabel> =
        by_label.into_iter().filter_map(|(label, episodes)| episodes.of_label(label)).collect();
    labels.sort_by_key(|label| std::cmp::Reverse(label.recall.of));
    labels
}

/// Returns the share of normal rows whose p-value is at most each level, from the smallest level.
fn p_values(applied: &Applied, detector: &Detector, normal: &[usize]) -> Vec<PShare> {
    let mut each: Vec<PValue> = normal.iter().map(|&at| detector.p_value(applied.scores[at].anomaly)).collect();
    each.sort_unstable();
    let levels = Detector::levels(detector.rows).filter(|_| !detector.quantiles.is_empty());
    let point = |(level, k): (PValue, u32)| {
        let (low, high) = rate_interval(k as usize, detector.rows as usize);
        let observed = Share::of(each.partition_point(|&p| p <= level), each.len())?;
        Some(PShare { promised: f64::from(level.ppm()) / 1e6, low, high, observed })
    };
    let mut points: Vec<PShare> = levels.filter_map(point).collect();
    points.sort_by(|a, b| a.promised.total_cmp(&b.promised));
    points
}

/// The curves of a detector over all thresholds.
pub struct Curves {
    /// (share of false alarms, recall).
    pub roc: Vec<(f64, f64)>,
    /// (recall, precision).
    pub precision: Vec<(f64, f64)>,
}

/// Returns the curves over all thresholds; `None` unless there are rows of both kinds.
pub fn curves(applied: &Applied) -> Option<Curves> {
    let mut ranked = applied.positions(|at| applied.kind(at).is_some());
    ranked.sort_by_key(|&at| std::cmp::Reverse(applied.scores[at].anomaly));
    let anomalous = ranked.iter().filter(|&&at| applied.is_anomalous(at)).count();
    let normal = ranked.len() - anomalous;
    if anomalous == 0 || normal == 0 {
        return None;
    }
    let (mut hits, mut false_alarms) = (0usize, 0usize);
    let mut points = vec![(0usize, 0usize)];
    for equal in ranked.chunk_by(|&a, &b| applied.scores[a].anomaly == applied.scores[b].anomaly) {
        let found = equal.iter().filter(|&&at| applied.is_anomalous(at)).count();
        (hits, false_alarms) = (hits + found, false_alarms + equal.len() - found);
        points.push((hits, false_alarms));
    }
    // A step of the curve is drawn when it is visible on a logarithmic or on a linear scale.
    let mut kept: Vec<(usize, usize)> = Vec::new();
    for (at, &point) in points.iter().enumerate() {
        let is_visible = kept.last().is_none_or(|last| {
            let moved = (point.0 - last.0) * POINTS >= anomalous;
            moved || (point.1 - last.1) * POINTS >= normal || point.1 as f64 > 1.05 * last.1 as f64
        });
        if is_visible || at + 1 == points.len() {
            kept.push(point);
        }
    }
    let share = |part: usize, all: usize| part as f64 / all as f64;
    Some(Curves {
        roc: kept.iter().map(|&(hits, alarms)| (share(alarms, normal), share(hits, anomalous))).collect(),
        precision: kept
            .iter()
            .filter(|(hits, alarms)| hits + alarms > 0)
            .map(|&(hits, alarms)| (share(hits, anomalous), share(hits, hits + alarms)))
            .collect(),
    })
}
