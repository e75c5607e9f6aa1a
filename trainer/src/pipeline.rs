//! Fits a model on files: everything that `surprisal fit` does but for writing the result.

use std::path::{Path, PathBuf};
use std::time::Instant;

use surprisal::Nats;

use crate::artefact::{Artefact, Notes, Provenance};
use crate::calibrate::{Calibration, Rates};
use crate::data::{Frame, Header};
use crate::error::{Error, Result};
use crate::evaluate::mean;
use crate::fit::Family;
use crate::history::{History, split_strategy};
use crate::observer::Observer;
use crate::predictor::PredictorTable;
use crate::schema::toml::{ColumnKind, Overrides};
use crate::schema::{CELLS, Schema, SchemaOptions};
use crate::select::cells::choose_cells;
use crate::select::{Budget, Choices, Recipe, select, trial};
use crate::split::{SHARES, Split, VALID_SHARES, check_enough, normal_rows, split};
use crate::table::loss::divergence;
use crate::windows::{self, Windows};

mod report;

pub use report::FitReport;

/// Files to fit on, and all settings of a fit.
#[derive(Clone, Debug, Default)]
pub struct Job {
    /// The training rows; split when there is no `valid`.
    pub train: PathBuf,
    /// Rows to choose settings on; a quarter of them calibrate if there is no `calibrate`.
    pub valid: Option<PathBuf>,
    /// Rows to calibrate on.
    pub calibrate: Option<PathBuf>,
    /// Rows to report on at the end.
    pub test: Option<PathBuf>,
    /// Windows of the files, if they hold raw signals.
    pub signal: Option<Windows>,
    /// Window of a time series, if rows are one.
    pub history: Option<History>,
    /// Whether the files name their columns.
    pub header: Header,
    /// Columns that are not modelled.
    pub ignore: Vec<String>,
    /// The column that marks anomalies, and its value on normal rows.
    pub label: Option<(String, String)>,
    /// Whether columns that never change in the training rows are kept.
    pub keep_constant: bool,
    /// Number of cells of a numeric column; chosen on the validation rows if not given.
    pub cells: Option<usize>,
    /// Overrides for single columns.
    pub overrides: Overrides,
    /// Family, order and penalties; those that are not given are chosen on the validation rows.
    pub choices: Choices,
    /// Limit on the size of the file in bytes.
    pub flash: Option<usize>,
    /// Limit on the bytes of state while a row is scored.
    pub ram: Option<usize>,
    /// Limit on the additions, multiplications and tree steps per row.
    pub operations: Option<usize>,
    /// Seed of the split and of all random numbers in fitting.
    pub seed: u64,
    /// Rates of false alarms that the detector is calibrated for.
    pub rates: Rates,
}

impl Job {
    /// Fits one file with all defaults.
    pub fn new(train: impl Into<PathBuf>) -> Self {
        Self { train: train.into(), ..Self::default() }
    }

    /// Checks the settings that do not depend on data.
    ///
    /// # Errors
    /// [`Error::Option`] with what was expected.
    pub fn check(&self) -> Result<()> {
        let rate = self.rates.false_alarm;
        if !(rate > 0.0 && rate < 1.0) {
            let message = format!("expected a rate between 0 and 1, for example 0.001, found {rate}");
            return Err(Error::option("--false-alarm", message));
        }
        let of_counts = matches!(self.choices.family, Family::Tree | Family::ChowLiu | Family::Mixture);
        if of_counts && self.choices.strength == Some(0.0) {
            return Err(Error::option("--strength", "leaves need a pseudo-count above zero, for example 1; found 0"));
        }
        self.choices.optimizer.check()
    }

    fn read(&self, path: &Path) -> Result<Frame> {
        windows::read(self.signal, path, self.header)
    }

    /// What is said of the columns of the training file.
    fn given(&self, train: &Frame, cells: usize) -> SchemaOptions {
        let mut given = SchemaOptions {
            ignore: self.ignore.clone(),
            keep_constant: self.keep_constant,
            cells,
            overrides: self.overrides.clone(),
        };
        given.ignore.extend(self.history.iter().filter_map(|history| history.session.clone()));
        given.ignore.extend(self.label.iter().map(|(column, _)| column.clone()));
        if self.signal.is_some() {
            // Features are reals, even where all that were seen are whole.
            for cells in &train.columns {
                given.overrides.columns.entry(cells.name.clone()).or_default().kind.get_or_insert(ColumnKind::Real);
            }
        }
        given
    }

    fn split(&self, rows: Vec<usize>, shares: [f64; 4]) -> Split {
        split(rows, shares, split_strategy(self.signal, self.history.as_ref(), self.seed))
    }
}

/// What is made of the rows before, once it is fitted; nothing for rows on their own.
#[derive(Default)]
struct Past {
    channels: Vec<String>,
    predictor: PredictorTable,
}

impl Job {
    /// Fits what is made of the rows before a row, and puts the file's rows in those terms.
    fn past(&self, train: &mut Frame) -> Result<Past> {
        let Some(history) = &self.history else { return Ok(Past::default()) };
        let every: Vec<usize> = (0..train.rows()).collect();
        let schema = Schema::find(train, &every, &self.given(train, CELLS))?;
        let channels = schema.columns.iter().map(|encoding| schema.name(encoding).to_owned()).collect();
        let mut past = Past { channels, predictor: history.blank(&schema) };
        // Rows are dealt before it is known what is made of them.
        let (rows, _) = deal(self, &past.unroll(self, train.clone())?)?;
        let valid = if rows.valid.is_empty() { &rows.train } else { &rows.valid };
        past.predictor = history.fit(train, &schema, &rows.train, valid)?;
        *train = past.unroll(self, train.clone())?;
        Ok(past)
    }
}

impl Past {
    fn unroll(&self, job: &Job, frame: Frame) -> Result<Frame> {
        let Some(history) = &job.history else { return Ok(frame) };
        history.unroll(&frame, &self.channels, &self.predictor, job.label.as_ref())
    }

    fn find(&self, job: &Job, train: &Frame, rows: &[usize], cells: usize) -> Result<Schema> {
        let mut given = job.given(train, cells);
        let Some(history) = &job.history else { return Schema::find(train, rows, &given) };
        given.overrides = history.overrides(given.overrides, &self.channels, &self.predictor);
        let mut schema = Schema::find(train, rows, &given)?;
        history.give(&mut schema, &self.channels, &self.predictor);
        Ok(schema)
    }
}

/// Prefixes on which the cost of quantisation is measured.
const PREFIXES: usize = 2000;

/// Reads the files, fits, quantises and calibrates. Writes nothing.
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
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`Error::Io`] and [`Error::Input`] name the file and the place at fault; [`Error::Option`] names a setting that cannot be
/// honoured, such as a limit that no model fits.
pub fn run(job: &Job) -> Result<(Artefact, FitReport)> {
    run_observed(job, &())
}

/// Reads, fits, quantises and calibrates as [`run`] does, and reports progress to an observer that may cancel the fit.
///
/// # Errors
/// Those of [`run`], and [`Error::Cancelled`] if the observer cancels before there is a model.
pub fn run_observed(job: &Job, observer: &dyn Observer) -> Result<(Artefact, FitReport)> {
    let start = Instant::now();
    job.check()?;
    let mut train = job.read(&job.train)?;
    let past = job.past(&mut train)?;
    let read = |path: &Path| past.unroll(job, job.read(path)?);
    let (rows, shares) = deal(job, &train)?;
    check_enough(&train, [rows.train.len(), usize::MAX, usize::MAX])?;
    let find = |cells| past.find(job, &train, &rows.train, cells);
    let schema = find(job.cells.unwrap_or(CELLS))?;
    let readings = |frame: &Frame, rows: &[usize]| schema.all_readings(frame, rows);
    let normal = |path: &PathBuf| -> Result<(Frame, Vec<usize>)> {
        let frame = read(path)?;
        let rows = normal_rows(&frame, job.label.as_ref())?;
        Ok((frame, rows))
    };
    let (valid, mut calibration) = match &job.valid {
        Some(path) => {
            let (frame, rows) = normal(path)?;
            let rows = job.split(rows, if job.calibrate.is_some() { [0.0, 1.0, 0.0, 0.0] } else { VALID_SHARES });
            (readings(&frame, &rows.valid)?, readings(&frame, &rows.calibrate)?)
        }
        None => (readings(&train, &rows.valid)?, readings(&train, &rows.calibrate)?),
    };
    if let Some(path) = &job.calibrate {
        let (frame, rows) = normal(path)?;
        calibration = readings(&frame, &rows)?;
    }
    check_enough(&train, [rows.train.len(), valid.len(), calibration.len()])?;
    let test = job.test.as_ref().map(|path| normal(path).and_then(|(frame, rows)| readings(&frame, &rows)));
    let test = test.transpose()?;
    let fitted = readings(&train, &rows.train)?;
    // What a reading is does not depend on the cells it may fall into.
    let schema = if job.cells.is_some() {
        schema
    } else {
        choose_cells(schema, &find, &fitted, &valid, &job.choices, observer)?
    };
    let (train_bits, _) = schema.encode(&fitted)?;
    let (valid_bits, valid_widths) = schema.encode(&valid)?;

    let provenance = Provenance {
        version: env!("CARGO_PKG_VERSION").into(),
        family: job.choices.family,
        seed: job.seed,
        digest: train.digest,
        train_rows: rows.train.len(),
        split: shares,
        signal: job.signal,
        history: job.history.clone(),
        ..Provenance::default()
    };
    let provenance = |recipe: &Recipe| Provenance {
        order: recipe.order.clone(),
        gamma: recipe.setting.map(|(gamma, _)| gamma),
        strength: recipe.setting.map(|(_, strength)| strength),
        terms: recipe.parts.clone(),
        ..provenance.clone()
    };
    let calibrated = Calibration::bytes(calibration.len(), schema.columns.len());
    let overhead =
        |recipe: &Recipe| calibrated + Notes::new(&schema, job.label.clone(), provenance(recipe)).bytes().len();
    let budget = Budget {
        flash: job.flash.unwrap_or(usize::MAX),
        ram: job.ram.unwrap_or(usize::MAX),
        operations: job.operations.unwrap_or(usize::MAX),
        overhead: &overhead,
    };
    let choices = Choices { seed: job.seed, ..job.choices.clone() };
    let chosen = select(&schema, &train_bits, &valid_bits, &choices, &budget, observer)?;

    let marginal = trial(&schema, &train_bits, &valid_bits, &choices, Family::Marginal, observer);
    let mut data = chosen.table;
    let provenance = provenance(&chosen.recipe);
    let assemble = |data: &crate::table::OwnedTable| {
        Artefact::new(&data.bytes()?, &chosen.schema, job.label.clone(), provenance.clone())
    };
    data.calibration = Calibration::of(&assemble(&data)?, &calibration, job.rates)?;
    let artefact = assemble(&data)?;
    let file_bytes = artefact.file_bytes().len();
    if job.flash.is_some_and(|flash| file_bytes > flash) {
        return Err(Error::option("--flash", format!("the file takes {file_bytes} bytes; raise the limit")));
    }

    let float_ll = |readings: &[_]| -> Result<f64> {
        let (bits, widths) = chosen.schema.encode(readings)?;
        Ok(chosen.model.log_likelihood(&bits) - mean(&widths))
    };
    let integer_ll = |readings: &[_]| -> Result<f64> { Ok(-mean(&artefact.surprisals(readings)?)) };
    let detector = data.calibration.view();
    let report = FitReport {
        family: job.choices.family,
        order: provenance.order.clone(),
        gamma: provenance.gamma,
        strength: provenance.strength,
        terms: provenance.terms.clone(),
        orders: chosen.orders,
        columns: chosen.schema.columns.len(),
        bits: artefact.shape.bits,
        train_rows: rows.train.len(),
        valid_rows: valid.len(),
        calibration_rows: calibration.len(),
        marginal_valid_ll: mean(&marginal) - mean(&valid_widths),
        float_valid_ll: chosen.valid_ll - mean(&valid_widths),
        valid_ll: integer_ll(&valid)?,
        test_rows: test.as_ref().map(Vec::len),
        float_test_ll: test.as_deref().map(float_ll).transpose()?,
        test_ll: test.as_deref().map(integer_ll).transpose()?,
        kl_quantisation: divergence(&chosen.model, artefact.table_bytes(), PREFIXES, job.seed)?,
        table_bytes: artefact.table_bytes().len(),
        file_bytes,
        state_bytes: data.shape().state_bytes(),
        operations: data.operations()?,
        threshold: finite(detector.threshold),
        false_alarm: job.rates.false_alarm,
        entropy: detector.entropy.into(),
        deviation: detector.deviation.into(),
        reference: finite(detector.decision_interval).map(|_| detector.reference.into()),
        decision_interval: finite(detector.decision_interval),
        average_run_length: detector.average_run_length,
        seconds: start.elapsed().as_secs_f64(),
        float: chosen.model,
    };
    Ok((artefact, report))
}

/// Returns a threshold or decision interval in nats, or `None` if no score exceeds it.
pub fn finite(limit: Nats) -> Option<f64> {
    (limit != Nats::IMPOSSIBLE).then(|| limit.into())
}

/// Deals the training file's normal rows, keeping no share for what has a file of its own.
fn deal(job: &Job, train: &Frame) -> Result<(Split, Option<[f64; 4]>)> {
    let normal = normal_rows(train, job.label.as_ref())?;
    if job.valid.is_some() {
        return Ok((Split { train: normal, ..Split::default() }, None));
    }
    let mut shares = SHARES;
    for (share, file) in [(2, &job.calibrate), (3, &job.test)] {
        if file.is_some() {
            shares[0] += std::mem::take(&mut shares[share]);
        }
    }
    Ok((job.split(normal, shares), Some(shares)))
}
