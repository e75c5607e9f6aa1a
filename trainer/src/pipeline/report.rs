//! The report on a fit: log-likelihoods, sizes and thresholds.

use serde::Serialize;
use surprisal::Nats;

use super::sampling::Sampling;
use crate::fit::Family;
use crate::model::FloatModel;
use crate::select::{Excluded, OrderTrial};
use crate::warning::Warning;

/// Report on a fit. Log-likelihoods are means in nats per row, under the integer table unless the name has `float`.
#[derive(Clone, Debug, Serialize)]
pub struct FitReport {
    /// Requested model family.
    pub family: Family,
    /// Order of the columns: its name, or a file.
    pub order: String,
    /// Smallest gain of a tree split, in nats of the training set; `None` when conditionals were chosen one by one to
    /// fit `--flash`.
    pub gamma: Option<f64>,
    /// Strength of regularisation; `None` when conditionals were chosen one by one to fit `--flash`.
    pub strength: Option<f64>,
    /// The terms of the model, if the settings do not describe it completely.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub terms: Option<String>,
    /// Validation log-likelihood of a single fit in each order that was tried.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub orders: Vec<OrderTrial>,
    /// Number of modelled columns.
    pub columns: usize,
    /// Number of bits per row.
    pub bits: usize,
    /// Number of training rows.
    pub train_rows: usize,
    /// Number of validation rows.
    pub valid_rows: usize,
    /// Number of calibration rows.
    pub calibration_rows: usize,
    /// Log-likelihood of the validation rows under the float model.
    pub float_valid_ll: f64,
    /// Log-likelihood of the validation rows if every column is modelled on its own.
    pub marginal_valid_ll: f64,
    /// Log-likelihood of the validation rows under the integer table.
    pub valid_ll: f64,
    /// Logarithm of the unit in which all these log-likelihoods are densities. Models with other cells compare by
    /// log-likelihood minus this.
    pub log_unit: f64,
    /// If a sample of the training rows was fitted: how many, and what the rest would gain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sampling: Option<Sampling>,
    /// For outcome tables: what a quick fit of terms over bits gains.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bits_gain: Option<BitsGain>,
    /// What a larger model would gain that the limits exclude.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub excluded: Option<Excluded>,
    /// Number of test rows, if there is a test file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_rows: Option<usize>,
    /// Log-likelihood of the test rows under the float model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub float_test_ll: Option<f64>,
    /// Log-likelihood of the test rows under the integer table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_ll: Option<f64>,
    /// KL divergence of the integer table from the float model, in nats per row.
    pub kl_quantisation: f64,
    /// Size of the table that the board reads, in bytes.
    pub table_bytes: usize,
    /// Size of the `.srp` file with its notes, in bytes.
    pub file_bytes: usize,
    /// Bytes of state while a row is scored.
    pub state_bytes: usize,
    /// Upper bound on the additions, multiplications and tree steps per row.
    pub operations: usize,
    /// Anomaly score above which a row is anomalous, in nats; `None` when the calibration rows are too few for the
    /// rate.
    pub threshold: Option<f64>,
    /// Requested false-alarm rate: the share of normal rows that may be judged as anomalous, in 0..=1.
    pub false_alarm: f64,
    /// Mean surprisal of the calibration rows, in nats.
    pub entropy: f64,
    /// Standard deviation of the surprisal of the calibration rows, in nats.
    pub deviation: f64,
    /// Reference of the cumulative sum, in nats per row; `None` if the calibration rows do not determine it.
    pub reference: Option<f64>,
    /// Decision interval of the cumulative sum, in nats; `None` if the calibration rows do not determine it.
    pub decision_interval: Option<f64>,
    /// Requested average run length of the cumulative sum: the mean number of normal rows between false alarms.
    pub average_run_length: u32,
    /// Number of consecutive rows that got into the same share of training, validation, calibration and held-out rows: 1 if rows
    /// are independent of their neighbours, or the shares follow each other.
    pub stretch: usize,
    /// Number of consecutive rows by which the decision interval was found: 1 if rows are independent of their neighbours.
    pub block: usize,
    /// Findings in the training file that may spoil the fit.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Warning>,
    /// Duration of the fit in seconds.
    pub seconds: f64,
    /// The fitted model before quantisation.
    #[serde(skip)]
    pub float: FloatModel,
}

/// Returns a threshold or decision interval in nats, or `None` for [`Nats::IMPOSSIBLE`], which no score exceeds.
pub fn finite(limit: Nats) -> Option<f64> {
    (limit != Nats::IMPOSSIBLE).then(|| limit.into())
}

/// What terms over bits, the family linear-trees, gain over outcome tables on validation rows.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct BitsGain {
    /// Log-likelihood of a validation row under the terms over bits minus that under the tables, in nats: negative if the
    /// tables predict better.
    pub nats: f64,
    /// Number of training rows of the quick fit; the tables were fitted to all of them.
    pub rows: usize,
}
