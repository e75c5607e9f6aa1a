//! Calibration of a detector on normal rows: threshold, quantiles, entropy, decision interval of the cumulative sum,
//! and the baseline of each column.

use rayon::prelude::*;
use surprisal::{AnomalyScore, Detector, Nats, Reading, RowScore};

use crate::artefact::Artefact;
use crate::error::Result;

mod interval;
mod trend;

pub use interval::rate_interval;
use trend::Trend;
pub use trend::average_run_length;

/// Rates of false alarms for which a detector is calibrated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rates {
    /// Largest fraction of normal rows whose anomaly score may exceed the threshold.
    pub false_alarm: f64,
    /// Mean number of normal rows between false alarms of the cumulative sum (ARL0).
    pub average_run_length: u32,
}

impl Rates {
    /// Returns the rates of a machine that raises `alarms` false alarms per day, at `rate` rows per second: nine tenths of
    /// them by single rows, one tenth by the cumulative sum.
    ///
    /// ```
    /// use surprisal_trainer::calibrate::Rates;
    /// let rates = Rates::per_day(2.0, 1.0);
    /// assert_eq!((rates.false_alarm, rates.average_run_length), (1.8 / 86400.0, 432_000));
    /// ```
    pub fn per_day(alarms: f64, rate: f64) -> Self {
        let rows = 86_400.0 * rate;
        Self { false_alarm: 0.9 * alarms / rows, average_run_length: (rows / (0.1 * alarms)).clamp(2.0, 1e9) as u32 }
    }
}

impl Default for Rates {
    fn default() -> Self {
        Self { false_alarm: 0.01, average_run_length: 10_000 }
    }
}

/// Calibration of a [`Detector`] with owned slices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Calibration {
    /// Scalar fields of the detector; its slices are empty.
    numbers: Detector<'static>,
    /// Quantiles of the anomaly score in units of 1/65536 nat, as in [`Detector`].
    quantiles: Vec<u32>,
    /// Baseline (mean surprisal) of each column in units of 1/1024 nat, by the index of the column's reading:
    /// `[source]`.
    baselines: Vec<u16>,
    /// Number of consecutive rows by which the decision interval was found: 1 if rows are independent of their neighbours.
    block: usize,
}

impl Default for Calibration {
    fn default() -> Self {
        Self { numbers: Detector::OFF, quantiles: Vec::new(), baselines: Vec::new(), block: 1 }
    }
}

impl Calibration {
    /// Computes all fields except the baselines from the surprisals and the anomaly scores of the calibration rows.
    ///
    /// [`Detector`] documents how each field is computed. `stream` holds the surprisals of normal rows in the order in which
    /// they came, which tell how much neighbours resemble each other; without them rows count as independent. Only their
    /// ranks count, so that rows that the fit has seen may be among them.
    ///
    /// ```
    /// use surprisal::Nats;
    /// use surprisal_trainer::calibrate::{Calibration, Rates};
    /// let scores: Vec<Nats> = (1..=99).map(Nats::from_raw).collect();
    /// let rates = Rates { false_alarm: 0.02, ..Rates::default() };
    /// let calibration = Calibration::of_scores(scores.clone(), scores, &[], rates);
    /// let detector = calibration.view();
    /// assert_eq!((detector.threshold, detector.entropy), (Nats::from_raw(98), Nats::from_raw(50)));
    /// ```
    pub fn of_scores(mut scores: Vec<Nats>, mut anomaly_scores: Vec<Nats>, stream: &[Nats], rates: Rates) -> Self {
        scores.sort_unstable();
        anomaly_scores.sort_unstable();
        let rows = scores.len() as u32;
        let score_cap = scores.last().copied().unwrap_or(Nats::IMPOSSIBLE);
        let cusum_cap = score_cap.min(threshold(&scores, rates.false_alarm));
        let capped = |cap: Nats| -> Vec<f64> { scores.iter().map(|&score| score.min(cap).into()).collect() };
        let (entropy, deviation) = moments(&capped(score_cap));
        let capped = capped(cusum_cap);
        let (mean, spread) = moments(&capped);
        let mut numbers = Detector {
            threshold: threshold(&anomaly_scores, rates.false_alarm),
            false_alarm_ppm: (rates.false_alarm * 1e6).round() as u32,
            rows,
            entropy: nats(entropy),
            deviation: nats(deviation),
            score_cap,
            cusum_cap,
            average_run_length: rates.average_run_length,
            ..Detector::OFF
        };
        let mut block = 1;
        // If all rows have the same score, there is no scale for a rise, and the cumulative sum stays off.
        if spread > 0.0 {
            let reference = mean + 0.5 * spread;
            let steps: Vec<f64> = capped.iter().map(|score| score - reference).collect();
            let trend = Trend::of(&steps, &by_rank(stream, &steps), spread, rates.average_run_length.into());
            // A mean that comes out too small by chance would make false alarms many times as frequent.
            numbers.reference = nats(reference + trend.error);
            numbers.decision_interval = nats(trend.interval);
            block = trend.block;
        }
        let quantiles =
            Detector::levels(rows).map(|(_, k)| anomaly_scores[anomaly_scores.len() - k as usize].raw()).collect();
        Self { numbers, quantiles, baselines: Vec::new(), block }
    }

    /// Scores normal rows by the artefact's table and computes all fields, including the baselines of the columns.
    ///
    /// `stream` is as for [`of_scores`](Self::of_scores).
    ///
    /// # Errors
    /// [`Error::Encode`](crate::Error::Encode) if a reading does not fit its column.
    pub fn of(artefact: &Artefact, readings: &[Vec<Reading>], stream: &[Nats], rates: Rates) -> Result<Self> {
        let columns = artefact.schema.columns.len();
        let table = artefact.open()?;
        let explain = |row: &Vec<Reading>| {
            let mut each = vec![Nats::ZERO; columns];
            table.explain(row, &mut each).map(|score| (score, each))
        };
        let each: Vec<(Nats, Vec<Nats>)> = readings.par_iter().map(explain).collect::<Result<_, _>>()?;
        let mean = |column: usize| {
            let sum: u64 = each.iter().map(|(_, columns)| u64::from(columns[column].raw())).sum();
            let mean = sum as f64 / (64 * each.len().max(1)) as f64;
            mean.round().min(f64::from(u16::MAX)) as u16
        };
        let baselines: Vec<u16> = (0..columns).map(mean).collect();
        if artefact.shape.views > 0 {
            // The views compute anomaly scores from baselines of their own, which the table holds already.
            let scores: Vec<RowScore> = readings.par_iter().map(|row| table.score(row)).collect::<Result<_, _>>()?;
            let anomaly_scores = scores.iter().map(|score| score.anomaly).collect();
            let nats = scores.iter().map(|score| score.nats).collect();
            let calibration = Self::of_scores(nats, anomaly_scores, stream, rates);
            let numbers = Detector { log2_temperature: table.detector().log2_temperature, ..calibration.numbers };
            return Ok(Self { numbers, baselines, ..calibration });
        }
        let order: Vec<u16> = artefact
            .schema
            .columns
            .iter()
            .filter(|encoding| !encoding.observed)
            .map(|encoding| encoding.source)
            .collect();
        let log2_temperature = log2_temperature(order.len());
        let detector = Detector { baselines: &baselines, log2_temperature, ..Detector::OFF };
        let anomaly_score = |columns: &[Nats]| {
            let mut anomaly_score = AnomalyScore::new(&detector);
            order.iter().for_each(|&column| anomaly_score.push(&detector, column, columns[usize::from(column)]));
            anomaly_score.nats(&detector)
        };
        let anomaly_scores = each.iter().map(|(_, columns)| anomaly_score(columns)).collect();
        let nats = each.iter().map(|(score, _)| *score).collect();
        let mut calibration = Self::of_scores(nats, anomaly_scores, stream, rates);
        calibration.numbers.log2_temperature = log2_temperature;
        Ok(Self { baselines, ..calibration })
    }

    /// Returns the calibration of a detector.
    pub(crate) fn of_detector(detector: &Detector, block: usize) -> Self {
        let numbers = Detector { quantiles: &[], baselines: &[], ..*detector };
        Self { numbers, quantiles: detector.quantiles.to_vec(), baselines: detector.baselines.to_vec(), block }
    }

    /// Returns a calibration that only sets the temperature of the anomaly score of a row of `columns` columns.
    pub fn of_columns(columns: usize) -> Self {
        Self { numbers: Detector { log2_temperature: log2_temperature(columns), ..Detector::OFF }, ..Self::default() }
    }

    /// Returns the number of consecutive rows by which the decision interval was found: 1 if rows are independent of their
    /// neighbours, or nothing is known of their order.
    pub fn block(&self) -> usize {
        self.block
    }

    /// Returns a detector that borrows this calibration's slices.
    pub fn view(&self) -> Detector<'_> {
        Detector { quantiles: &self.quantiles, baselines: &self.baselines, ..self.numbers }
    }

    /// Returns the number of bytes that a calibration on `rows` rows adds to a table of `columns` columns.
    pub fn bytes(rows: usize, columns: usize) -> usize {
        4 * Detector::levels(rows as u32).count() + (2 * columns).next_multiple_of(4)
    }
}

/// Returns the log2 of the temperature of the anomaly score: of the square root of the number of columns.
fn log2_temperature(columns: usize) -> u32 {
    ((columns.max(1) as f64).log2() / 2.0).round() as u32
}

/// Returns the threshold for a false-alarm rate, given ascending scores: a conformal quantile, as [`Detector`]
/// documents it.
///
/// The threshold is [`Nats::IMPOSSIBLE`] if there are too few scores for the rate.
///
/// ```
/// use surprisal::Nats;
/// use surprisal_trainer::calibrate::threshold;
/// let scores: Vec<Nats> = (1..=99).map(Nats::from_raw).collect();
/// assert_eq!(threshold(&scores, 0.02), Nats::from_raw(98));
/// assert_eq!(threshold(&scores, 0.001), Nats::IMPOSSIBLE);
/// ```
pub fn threshold(scores: &[Nats], false_alarm: f64) -> Nats {
    let rank = ((scores.len() + 1) as f64 * (1.0 - false_alarm) - 1e-9).ceil() as usize;
    scores.get(rank.max(1) - 1).copied().unwrap_or(Nats::IMPOSSIBLE)
}

/// Returns a series with the order of `stream` and the values of `sorted`: each score is replaced by the value of the same
/// rank.
fn by_rank(stream: &[Nats], sorted: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..stream.len()).collect();
    order.sort_by_key(|&at| stream[at]);
    let mut series = vec![0.0; stream.len()];
    for equal in order.chunk_by(|&a, &b| stream[a] == stream[b]) {
        // Equal scores have their middle rank.
        let first = order.partition_point(|&at| stream[at] < stream[equal[0]]);
        let value = sorted[(first + equal.len() / 2) * sorted.len() / stream.len()];
        equal.iter().for_each(|&at| series[at] = value);
    }
    series
}

/// Returns the squared distance from the nearest prototype that a fresh normal row exceeds with at most the probability
/// `rate`, by the conformal rank as for the threshold, or `u32::MAX` if there are too few rows or no prototypes.
pub(crate) fn reach(artefact: &Artefact, rows: &[Vec<Reading>], rate: f64) -> Result<u32> {
    let views = artefact.views()?;
    let Some(view) = views.iter().find(|view| view.prototypes.count() > 0) else { return Ok(u32::MAX) };
    let mut distances: Vec<u32> = rows.iter().map(|row| view.distance::<4096>(row)).collect();
    distances.sort_unstable();
    let rank = ((distances.len() + 1) as f64 * (1.0 - rate)).ceil() as usize;
    Ok(distances.get(rank.saturating_sub(1)).copied().unwrap_or(u32::MAX))
}

/// Rounds a value in nats to a multiple of 1/65536 nat.
fn nats(value: f64) -> Nats {
    Nats::from_raw((value * 65536.0).round() as u32)
}

/// Returns (mean, standard deviation with denominator n - 1). Both are zero for an empty slice.
fn moments(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n.max(1.0);
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, (squares / (n - 1.0).max(1.0)).sqrt())
}
