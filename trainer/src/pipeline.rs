//! From files to an artefact: the whole of `surprisal fit`.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Result, ensure};
use serde::Serialize;
use surprisal::Nats;

use crate::artefact::{Artefact, Notes, Provenance};
use crate::calibrate::{Calibration, Rates};
use crate::data::{Frame, Header};
use crate::evaluate::mean;
use crate::fit::Family;
use crate::model::Model;
use crate::quantise::divergence;
use crate::schema::Schema;
use crate::select::search::Watch;
use crate::select::{Budget, Choices, Made, OrderTried, select};
use crate::split::{SHARES, Split, VALID_SHARES, check_enough, ordinary_rows, split};

/// What to fit, on what.
#[derive(Clone, Debug)]
pub struct Job {
    /// The training rows; split when there is no `valid`.
    pub train: PathBuf,
    /// Rows to choose settings on; a quarter of them calibrate if there is no `calibrate`.
    pub valid: Option<PathBuf>,
    /// Rows to calibrate on.
    pub calibrate: Option<PathBuf>,
    /// Rows to report on at the end.
    pub test: Option<PathBuf>,
    /// Do the files name their columns?
    pub header: Header,
    /// Columns that are not modelled.
    pub ignore: Vec<String>,
    /// The column that marks anomalies and its value on ordinary rows.
    pub label: Option<(String, String)>,
    /// Keep columns that never change.
    pub keep_constant: bool,
    /// Family, order and penalties, where they are given.
    pub choices: Choices,
    /// Bytes that the whole file must not exceed.
    pub flash: Option<usize>,
    /// Bytes that a row and its walk must not exceed.
    pub ram: Option<usize>,
    /// Additions, multiplications and tree steps that a row must not exceed.
    pub operations: Option<usize>,
    /// Of the split and of sampling.
    pub seed: u64,
    /// The rates to calibrate the detector for.
    pub rates: Rates,
}

impl Job {
    /// All defaults, on one file.
    pub fn new(train: impl Into<PathBuf>) -> Self {
        Self {
            train: train.into(),
            valid: None,
            calibrate: None,
            test: None,
            header: Header::Auto,
            ignore: Vec::new(),
            label: None,
            keep_constant: false,
            choices: Choices::default(),
            flash: None,
            ram: None,
            operations: None,
            seed: 0,
            rates: Rates::default(),
        }
    }
}

/// What came out. Log-likelihoods are nats a row; those without `float` are of the integer table.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct Report {
    pub family: Family,
    pub order: String,
    /// None when conditionals were chosen one by one to fit `--flash`.
    pub gamma: Option<f64>,
    /// Likewise.
    pub strength: Option<f64>,
    /// What the model is made of, if that does not say it all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parts: Option<String>,
    /// What one middling fit says of each order that was tried.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub orders: Vec<OrderTried>,
    pub columns: usize,
    pub bits: usize,
    pub train_rows: usize,
    pub valid_rows: usize,
    pub calibration_rows: usize,
    pub float_valid_ll: f64,
    pub valid_ll: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_rows: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub float_test_ll: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_ll: Option<f64>,
    pub kl_quantisation: f64,
    pub table_bytes: usize,
    pub file_bytes: usize,
    /// Of the row and its walk.
    pub state_bytes: usize,
    /// Additions, multiplications and tree steps of a row, at most.
    pub operations: usize,
    /// `None` when the calibration rows are too few for the rate.
    pub threshold: Option<f64>,
    pub false_alarm: f64,
    /// Mean and standard deviation of the calibration rows' scores.
    pub entropy: f64,
    pub deviation: f64,
    /// Of the cumulative sum; `None` when the calibration rows tell no limit.
    pub reference: Option<f64>,
    pub limit: Option<f64>,
    pub mean_time: u32,
    pub seconds: f64,
    /// As fitted, before it was put on the table's grid.
    #[serde(skip)]
    pub float: Model,
}

/// Prefixes on which the cost of quantisation is measured.
const PREFIXES: usize = 2000;

/// Reads, fits, quantises and calibrates. Writes nothing.
///
/// ```
/// use surprisal_trainer::pipeline::{Job, run};
/// // A machine whose two flags agree nine times of ten.
/// let file = tempfile::Builder::new().suffix(".csv").tempfile()?;
/// let rows: String = (0..400).map(|i| format!("{},{}\n", i / 10 % 2, (i / 10 + usize::from(i % 10 == 0)) % 2)).collect();
/// std::fs::write(file.path(), format!("pump,flow\n{rows}"))?;
///
/// let (artefact, report) = run(&Job::new(file.path()))?;
/// let independent = 2.0 * 2f64.ln();
/// assert!(-report.valid_ll < independent - 0.2);
/// assert_eq!(artefact.shape.bits, 2);
/// # Ok::<(), anyhow::Error>(())
/// ```
///
/// # Errors
/// Anything wrong with the data, with its place; a size that nothing fits into.
pub fn run(job: &Job) -> Result<(Artefact, Report)> {
    run_watched(job, &Watch::default())
}

/// The same for a search that is watched: that may be stopped, and go on another time.
///
/// # Errors
/// As [`run`].
pub fn run_watched(job: &Job, watch: &Watch) -> Result<(Artefact, Report)> {
    let start = Instant::now();
    let train = Frame::read(&job.train, job.header)?;
    let (rows, shares) = deal(job, &train)?;
    check_enough(&train, [rows.train.len(), usize::MAX, usize::MAX])?;
    let mut left_out = job.ignore.clone();
    left_out.extend(job.label.iter().map(|(column, _)| column.clone()));
    let schema = Schema::find(&train, &rows.train, &left_out, job.keep_constant)?;
    let readings = |frame: &Frame, rows: &[usize]| schema.all_readings(frame, rows);
    let ordinary = |path: &PathBuf| -> Result<(Frame, Vec<usize>)> {
        let frame = Frame::read(path, job.header)?;
        let rows = ordinary_rows(&frame, job.label.as_ref())?;
        Ok((frame, rows))
    };
    let (valid, mut calibration) = match &job.valid {
        Some(path) => {
            let (frame, rows) = ordinary(path)?;
            let rows = split(rows, if job.calibrate.is_some() { [0.0, 1.0, 0.0, 0.0] } else { VALID_SHARES }, job.seed);
            (readings(&frame, &rows.valid)?, readings(&frame, &rows.calibrate)?)
        }
        None => (readings(&train, &rows.valid)?, readings(&train, &rows.calibrate)?),
    };
    if let Some(path) = &job.calibrate {
        let (frame, rows) = ordinary(path)?;
        calibration = readings(&frame, &rows)?;
    }
    check_enough(&train, [rows.train.len(), valid.len(), calibration.len()])?;
    let test = job.test.as_ref().map(|path| ordinary(path).and_then(|(frame, rows)| readings(&frame, &rows)));
    let test = test.transpose()?;
    let (train_bits, _) = schema.encode(&readings(&train, &rows.train)?)?;
    let (valid_bits, valid_widths) = schema.encode(&valid)?;

    let provenance = Provenance {
        version: env!("CARGO_PKG_VERSION").into(),
        family: job.choices.family,
        seed: job.seed,
        digest: train.digest,
        train_rows: rows.train.len(),
        split: shares,
        ..Provenance::default()
    };
    let provenance = |made: &Made| Provenance {
        order: made.order.clone(),
        gamma: made.setting.map(|(gamma, _)| gamma),
        strength: made.setting.map(|(_, strength)| strength),
        parts: made.parts.clone(),
        ..provenance.clone()
    };
    let calibrated = Calibration::bytes(calibration.len(), schema.columns.len());
    let beside = |made: &Made| calibrated + Notes::new(&schema, job.label.clone(), provenance(made)).bytes().len();
    let budget = Budget {
        flash: job.flash.unwrap_or(usize::MAX),
        ram: job.ram.unwrap_or(usize::MAX),
        operations: job.operations.unwrap_or(usize::MAX),
        beside: &beside,
    };
    let choices = Choices { seed: job.seed, ..job.choices.clone() };
    let chosen = select(&schema, &train_bits, &valid_bits, &choices, &budget, watch)?;

    let mut data = chosen.table;
    let provenance = provenance(&chosen.made);
    let assemble = |data: &crate::quantise::TableData| {
        Artefact::new(&data.bytes()?, &chosen.schema, job.label.clone(), provenance.clone())
    };
    data.calibration = Calibration::of(&assemble(&data)?, &calibration, job.rates)?;
    let artefact = assemble(&data)?;
    let file_bytes = artefact.file_bytes().len();
    ensure!(
        job.flash.is_none_or(|flash| file_bytes <= flash),
        "--flash: the file came out at {file_bytes} bytes; raise --flash"
    );

    let float_ll = |readings: &[_]| -> Result<f64> {
        let (bits, widths) = chosen.schema.encode(readings)?;
        Ok(chosen.model.log_likelihood(&bits) - widths)
    };
    let integer_ll = |readings: &[_]| -> Result<f64> { Ok(-mean(&artefact.scores(readings)?)) };
    let detector = data.calibration.view();
    let report = Report {
        family: job.choices.family,
        order: provenance.order.clone(),
        gamma: provenance.gamma,
        strength: provenance.strength,
        parts: provenance.parts.clone(),
        orders: chosen.orders,
        columns: chosen.schema.columns.len(),
        bits: artefact.shape.bits,
        train_rows: rows.train.len(),
        valid_rows: valid.len(),
        calibration_rows: calibration.len(),
        float_valid_ll: chosen.valid_ll - valid_widths,
        valid_ll: integer_ll(&valid)?,
        test_rows: test.as_ref().map(Vec::len),
        float_test_ll: test.as_deref().map(float_ll).transpose()?,
        test_ll: test.as_deref().map(integer_ll).transpose()?,
        kl_quantisation: divergence(&chosen.model, artefact.table_bytes(), PREFIXES, job.seed)?,
        table_bytes: artefact.table_bytes().len(),
        file_bytes,
        state_bytes: data.shape().state_bytes(),
        operations: data.operations()?,
        threshold: told(detector.threshold),
        false_alarm: job.rates.false_alarm,
        entropy: detector.entropy.into(),
        deviation: detector.deviation.into(),
        reference: told(detector.limit).map(|_| detector.reference.into()),
        limit: told(detector.limit),
        mean_time: detector.mean_time,
        seconds: start.elapsed().as_secs_f64(),
        float: chosen.model,
    };
    Ok((artefact, report))
}

/// A threshold or limit, unless it is never exceeded.
pub(crate) fn told(limit: Nats) -> Option<f64> {
    (limit != Nats::IMPOSSIBLE).then(|| limit.into())
}

/// Deals the training file's ordinary rows, keeping no share for what has a file of its own.
fn deal(job: &Job, train: &Frame) -> Result<(Split, Option<[f64; 4]>)> {
    let ordinary = ordinary_rows(train, job.label.as_ref())?;
    if job.valid.is_some() {
        return Ok((Split { train: ordinary, ..Split::default() }, None));
    }
    let mut shares = SHARES;
    for (share, file) in [(2, &job.calibrate), (3, &job.test)] {
        if file.is_some() {
            shares[0] += std::mem::take(&mut shares[share]);
        }
    }
    Ok((split(ordinary, shares, job.seed), Some(shares)))
}
