//! The scores of a task's test rows by a fit with default settings: from the exported table, and from the float model.

use anyhow::{Context, Result};
use surprisal::{Nats, Reading, RowScore};
use surprisal_trainer::artefact::Artefact;
use surprisal_trainer::calibrate::{Calibration, Rates};
use surprisal_trainer::data::{Frame, Header};
use surprisal_trainer::evaluate::{auc_pr, auc_roc};
use surprisal_trainer::fit::Family;
use surprisal_trainer::history::History;
use surprisal_trainer::model::FloatModel;
use surprisal_trainer::pipeline::{Job, run};
use surprisal_trainer::split::{SplitStrategy, split};
use surprisal_trainer::with_shape;

use super::sets::{LABEL, Task};

/// Names of three row scores, computed from the surprisals of the row's columns: the anomaly score, which headlines
/// report, the sum, and the largest.
pub const STATISTICS: [&str; 3] = ["anomaly", "sum", "largest"];
/// The largest size of an exported table of [`FAMILY`] and of family `marginal`, in bytes.
pub const FLASH: usize = 64 << 10;
/// The model family with the best scores at the size of [`FLASH`]; a fit takes seconds to minutes.
pub const FAMILY: Family = Family::LinearTreesHidden;

/// How well scores separate anomalous from normal rows: areas under two curves, in percent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quality {
    /// AUC-ROC: the area under the receiver operating characteristic, in percent.
    pub roc: f64,
    /// AUC-PR: the average precision, in percent.
    pub pr: f64,
}

impl Quality {
    /// Computes both areas from `[row]` scores, larger for more anomalous rows, and `[row]` whether the row is
    /// anomalous.
    ///
    /// An area is NaN if all rows are of one kind.
    pub fn of(scores: &[f64], anomalous: &[bool]) -> Self {
        // Integers in the same order.
        let ranks: Vec<i64> = scores.iter().map(|score| score.to_bits() as i64).collect();
        let ranks: Vec<i64> = ranks.iter().map(|bits| bits ^ (bits >> 63 & i64::MAX)).collect();
        let percent = |share: Option<f64>| 100.0 * share.unwrap_or(f64::NAN);
        Self { roc: percent(auc_roc(&ranks, anomalous)), pr: percent(auc_pr(&ranks, anomalous)) }
    }
}

/// A fitted model with the readings of the test rows.
pub struct Fitted {
    /// The exported table with its notes.
    pub artefact: Artefact,
    float: FloatModel,
    /// `[row]`: the readings of the test rows.
    pub readings: Vec<Vec<Reading>>,
    /// `[row]`: the readings of the rows that calibrated the detector.
    calibration: Vec<Vec<Reading>>,
}

impl Fitted {
    /// Fits the training file of a task with the given family, size limit and seed, as a user of `surprisal fit` would.
    ///
    /// # Errors
    /// The fit fails.
    pub fn new(task: &Task, family: Family, flash: Option<usize>, seed: u64) -> Result<Self> {
        let mut job = Job { seed, ..job(task, family, flash) };
        let train = Frame::read(&job.train[0], Header::Yes)?;
        // Some columns of public sets look like identifiers.
        job.keep = train.columns.iter().map(|column| column.name.clone()).collect();
        let (artefact, report) = run(&job)?;
        let fit = &artefact.notes.fit;
        let strategy = SplitStrategy::Shuffled { seed: job.seed, stretch: fit.stretch.unwrap_or(1) };
        let calibration = split((0..train.rows()).collect(), fit.split.unwrap_or_default(), strategy).calibrate;
        let calibration = artefact.schema.all_readings(&train, &calibration)?;
        let test = Frame::read(&task.folder.join("test.csv"), Header::Yes)?;
        let every: Vec<usize> = (0..test.rows()).collect();
        let readings = artefact.schema.all_readings(&test, &every)?;
        Ok(Self { artefact, float: report.float, readings, calibration })
    }

    /// Returns `[statistic][row]`: for each of the [`STATISTICS`] the scores of the test rows in nats, from the
    /// exported table.
    ///
    /// # Errors
    /// A row does not fit the columns.
    pub fn surprisals(&self) -> Result<[Vec<f64>; 3]> {
        let each = self.artefact.scores(&self.readings)?;
        let of = |statistic: fn(&RowScore) -> Nats| each.iter().map(|row| statistic(row).into()).collect();
        Ok([of(|row| row.anomaly), of(|row| row.nats), of(|row| row.largest)])
    }

    /// Returns `[row]` the anomaly scores of the test rows, in nats, from the float model before quantisation. The model
    /// must be a model of bits.
    ///
    /// # Errors
    /// A row does not fit the columns.
    pub fn float_scores(&self) -> Result<Vec<f64>> {
        let schema = &self.artefact.schema;
        let (bits, _) = schema.encode(&self.readings)?;
        let float = self.float.log_likelihoods(&bits);
        let detector = self.artefact.detector();
        let columns = schema.columns.len() as u16;
        let baselines: Vec<f64> = (0..columns).map(|column| detector.baseline(column).into()).collect();
        let mut scores = Vec::new();
        with_shape!(self.artefact.shape, N, H, K => {
            let table = self.artefact.table::<N, H, K>()?;
            let (mut row, mut of_bits) = ([false; N], [Nats::ZERO; N]);
            for (at, readings) in self.readings.iter().enumerate() {
                let mut of_columns = vec![Nats::ZERO; schema.columns.len()];
                table.explain(readings, &mut of_columns)?;
                table.encoder.encode(readings, &mut row)?;
                table.model.explain(&row, &mut of_bits);
                let mut of_columns: Vec<f64> = of_columns.into_iter().map(f64::from).collect();
                let mut bit = 0;
                // The log-widths of cells are the same in both models.
                for (encoding, bits) in schema.columns.iter().zip(schema.bits()) {
                    for i in bit..bit + bits {
                        of_columns[usize::from(encoding.source)] -= float[i][at] + f64::from(of_bits[i]);
                    }
                    bit += bits;
                }
                scores.push(anomaly_score(&of_columns, &baselines, f64::from(1 << detector.log2_temperature)));
            }
        });
        Ok(scores)
    }

    /// Calibrates the detector for `rate` false alarms per row and counts its alarms on the normal test rows.
    ///
    /// Returns `None` if fewer than 10/`rate` normal test rows are there, too few to check the rate.
    ///
    /// # Errors
    /// A row does not fit the columns.
    pub fn alarms(&self, task: &Task, rate: f64) -> Result<Option<Alarms>> {
        let normal = self.readings.iter().zip(&task.anomalous).filter(|(_, anomalous)| !**anomalous);
        let fresh: Vec<Vec<Reading>> = normal.map(|(row, _)| row.clone()).collect();
        if (fresh.len() as f64) < 10.0 / rate {
            return Ok(None);
        }
        let rates = Rates { false_alarm: rate, ..Rates::default() };
        let calibration = Calibration::of(&self.artefact, &self.calibration, &[], rates)?;
        let detector = calibration.view();
        let scores = self.artefact.scores(&fresh)?;
        let raised = scores.iter().filter(|row| detector.judge(row.anomaly).is_anomalous()).count();
        let p_values = scores.iter().map(|row| f64::from(detector.p_value(row.anomaly).ppm()) / 1e6).collect();
        let distance = kolmogorov_smirnov(p_values);
        Ok(Some(Alarms { fresh: scores.len(), calibration: self.calibration.len(), raised, distance }))
    }
}

/// Returns the settings of a fit of `family` to a task, with the size limit `flash`. Constant columns are kept, and all
/// other settings are defaults.
fn job(task: &Task, family: Family, flash: Option<usize>) -> Job {
    let mut job = Job::new(task.folder.join("train.csv"));
    job.label = Some((LABEL.into(), "0".into()));
    job.keep_constant = true;
    job.flash = flash;
    job.choices.family = family;
    job
}

/// Fits the first `trained` rows of a time series, and returns `[row]` the anomaly scores of all rows, in nats.
///
/// The model sees the `window` rows before each row; the first `window` rows get the median score of the training rows.
/// Settings are chosen on the last 30 % of the training rows.
///
/// # Errors
/// The fit fails.
pub fn time_series_scores(task: &Task, window: usize, trained: usize) -> Result<Vec<f64>> {
    // A hidden layer whose settings are chosen on a few hundred training rows overfits.
    let mut job = job(task, Family::LinearTrees, Some(FLASH));
    let text = std::fs::read_to_string(&job.train[0])?;
    let (header, rows) = text.split_once('\n').context("the training file of a task has no header line")?;
    let last: Vec<&str> = rows.lines().skip(trained * 7 / 10).collect();
    let valid = task.folder.join("valid.csv");
    std::fs::write(&valid, format!("{header}\n{}\n", last.join("\n")))?;
    job.valid = Some(valid);
    job.history = Some(History { window, session: None });
    let (artefact, _) = run(&job)?;
    let frame = artefact.frame(&task.folder.join("test.csv"), Header::Yes)?;
    let every: Vec<usize> = (0..frame.rows()).collect();
    let all = artefact.scores(&artefact.schema.all_readings(&frame, &every)?)?;
    let scores: Vec<f64> = all.iter().map(|row| row.anomaly.into()).collect();
    let mut of_training = scores[..trained - window].to_vec();
    of_training.sort_by(f64::total_cmp);
    Ok([vec![of_training[of_training.len() / 2]; window], scores].concat())
}

/// Computes [`surprisal::AnomalyScore`] in floats, from each column's surprisal and baseline; all numbers are in nats.
fn anomaly_score(each: &[f64], baselines: &[f64], temperature: f64) -> f64 {
    let most = baselines.iter().copied().fold(0.0, f64::max);
    let lifted: Vec<f64> = each.iter().zip(baselines).map(|(nats, mean)| (nats + most - mean) / temperature).collect();
    let largest = lifted.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    temperature * (largest + lifted.iter().map(|nats| (nats - largest).exp()).sum::<f64>().ln())
}

/// Counts of alarms on normal rows that were used neither for fitting nor for calibration.
#[derive(Clone, Copy, Debug)]
pub struct Alarms {
    /// Number of normal test rows.
    pub fresh: usize,
    /// Number of calibration rows.
    pub calibration: usize,
    /// Number of normal test rows with an alarm.
    pub raised: usize,
    /// Kolmogorov-Smirnov distance, in 0..=1, of the p-values of the normal test rows from the uniform distribution.
    pub distance: f64,
}

impl Alarms {
    /// Returns the Kolmogorov-Smirnov distance, in 0..=1, that two samples from one distribution exceed with
    /// probability `level` (first term of Smirnov, 1939). The samples are the test rows and the calibration rows,
    /// because p-values are ranks among the calibration rows. With ties the probability is smaller.
    pub fn most_distance(&self, level: f64) -> f64 {
        let scatter = 1.0 / self.fresh as f64 + 1.0 / self.calibration as f64;
        (-0.5 * (level / 2.0).ln() * scatter).sqrt()
    }

    /// Returns (found, largest allowed) alarms per normal test row, pooled over several splits.
    ///
    /// The second is `promised`, the rate of the calibration, plus three standard errors. The error comes from the
    /// finite numbers of both test rows and calibration rows.
    pub fn rate(splits: &[Self], promised: f64) -> (f64, f64) {
        let sum = |of: fn(&Self) -> usize| splits.iter().map(of).sum::<usize>() as f64;
        let (fresh, calibration) = (sum(|alarms| alarms.fresh), sum(|alarms| alarms.calibration));
        let error = (promised * (1.0 - promised) * (1.0 / fresh + 1.0 / calibration)).sqrt();
        (sum(|alarms| alarms.raised) / fresh, promised + 3.0 * error)
    }
}

/// Returns the Kolmogorov-Smirnov distance of numbers in 0..=1 from the uniform distribution: the largest difference
/// between a value p and the share of the numbers up to p.
fn kolmogorov_smirnov(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    let n = numbers.len() as f64;
    let distance = |(i, p): (usize, &f64)| (p - i as f64 / n).abs().max(((i + 1) as f64 / n - p).abs());
    numbers.iter().enumerate().map(distance).fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_anomaly_score_lies_between_the_largest_excess_and_their_sum() {
        // One column: the surprisal of the column.
        assert!((anomaly_score(&[3.0], &[1.0], 4.0) - 3.0).abs() < 1e-12);
        // Two equal columns: one of them plus 4 ln 2.
        assert!((anomaly_score(&[3.0, 5.0], &[0.0, 2.0], 4.0) - (5.0 + 4.0 * 2f64.ln())).abs() < 1e-12);
        // A column far above the others counts alone.
        assert!((anomaly_score(&[4000.0, 1.0], &[0.0, 0.0], 4.0) - 4000.0).abs() < 1e-9);
    }

    #[test]
    fn infinite_and_negative_scores_keep_their_order() {
        let anomalous = [false, false, true, true];
        assert_eq!(Quality::of(&[-2.0, -1.0, 0.5, f64::INFINITY], &anomalous), Quality { roc: 100.0, pr: 100.0 });
        assert_eq!(Quality::of(&[0.5, f64::INFINITY, -2.0, -1.0], &anomalous).roc, 0.0);
    }

    #[test]
    fn uniform_p_values_are_near_and_crowded_ones_far() {
        let uniform = (1..=99).map(|p| f64::from(p) / 100.0).collect();
        assert!(kolmogorov_smirnov(uniform) <= 0.0101);
        assert!((kolmogorov_smirnov(vec![0.1; 50]) - 0.9).abs() < 1e-12);
    }
}
