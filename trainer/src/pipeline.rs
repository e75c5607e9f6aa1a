//! Fits a model on files: everything that `surprisal fit` does, except that no output is written.
//!
//! A fit is a chain of stages, each of which consumes the one before: `Loaded` (files), `Split` (rows by purpose),
//! `Encoded` (bits), `Selected` (model), `Calibrated` (table with detector), [`Artefact`].

use std::sync::Arc;
use std::time::Instant;

use crate::artefact::Artefact;
use crate::data::Frame;
use crate::error::{Error, Result};
use crate::fit::Family;
use crate::observer::{Event, Observer};
use crate::select::Choices;
use crate::warning::Warning;
use crate::windows;

mod job;
mod load;
mod report;
mod sampling;
mod stages;
mod trim;
mod views;

pub use crate::select::Excluded;
pub use job::{Contamination, Job};
pub use report::{BitsGain, FitReport, finite};
pub use sampling::{BITS_ROWS, Gain, Sampling, TABLES_ROWS};

use load::Loaded;
use stages::Fitted;

/// Reads the files, fits, quantises and calibrates. Writes nothing.
///
/// ```
/// use surprisal_trainer::pipeline::{Job, run};
/// // A machine whose two flags agree nine times of ten.
/// let file = tempfile::Builder::new().suffix(".csv").tempfile()?;
/// let rows: String = (0..400).map(|i| format!("{},{}\n", i / 10 % 2, (i / 10 + usize::from(i % 10 == 0)) %
/// 2)).collect(); std::fs::write(file.path(), format!("pump,flow\n{rows}"))?;
///
/// let (artefact, report) = run(&Job::new(file.path()))?;
/// let independent = 2.0 * 2f64.ln();
/// assert!(-report.valid_ll < independent - 0.2);
/// assert_eq!(artefact.shape.bits, 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`Error::Io`] and [`Error::Input`] name the file and the place at fault;
/// [`Error::Option`] names a setting that cannot be
/// honoured, such as a limit that no model fits.
pub fn run(job: &Job) -> Result<(Artefact, FitReport)> {
    run_observed(job, &())
}

/// Reads, fits, quantises and calibrates as [`run`] does, and reports progress to an observer that may cancel the fit.
///
/// # Errors
/// The errors of [`run`], and [`Error::Cancelled`] if the observer cancels before there is a
/// model.
pub fn run_observed(job: &Job, observer: &dyn Observer) -> Result<(Artefact, FitReport)> {
    let start = Instant::now();
    job.check()?;
    let train = windows::read_observed(job.signal, &job.train, &job.read_options(), observer)?;
    fit(job, train, start, observer)
}

/// Fits a job as [`run_observed`] does, on rows that are in memory in place of its training files.
///
/// Make them with [`Frame::from_columns`] and the [options](Job::read_options) of the job.
///
/// # Errors
/// The errors of [`run_observed`].
pub fn run_frame(job: &Job, train: Frame, observer: &dyn Observer) -> Result<(Artefact, FitReport)> {
    let start = Instant::now();
    job.check()?;
    fit(job, train, start, observer)
}

/// The rows of a training file by purpose.
pub(crate) struct Shares {
    pub frame: Arc<Frame>,
    pub train: Vec<usize>,
    pub valid: Vec<usize>,
    pub calibrate: Vec<usize>,
    /// All rows that the fit may see, in the order in which they came.
    pub seen: Vec<usize>,
    /// Number of consecutive rows that got into the same share, if it is not 1.
    pub stretch: Option<usize>,
}

/// Splits the rows of a job as its fit does.
pub(crate) fn shares(job: &Job, train: Frame) -> Result<Shares> {
    let split = Loaded::new(job, train, &())?.split()?.trimmed(&())?;
    let (valid, calibrate, seen, stretch) = (split.valid.rows, split.calibrate.rows, split.seen, split.stretch);
    Ok(Shares { frame: split.train.frame, train: split.train.rows, valid, calibrate, seen, stretch })
}

/// Fits a job that was checked. The report counts the seconds since `start`.
fn fit(job: &Job, train: Frame, start: Instant, observer: &dyn Observer) -> Result<(Artefact, FitReport)> {
    let loaded = Loaded::new(job, train, observer)?;
    // What was recognised may explain an error that follows.
    loaded.remarks().iter().for_each(|remark| observer.event(Event::Warning(remark)));
    let split = loaded.split()?.trimmed(observer)?;
    let file = split.train.frame.path.display().to_string();
    // The family auto takes outcome tables where they predict better, unless the job has settings that they do not have.
    let mut tables = None;
    if job.choices.family == Family::Auto && split.has_numbers()? {
        // Without the observer, so that it hears each warning once.
        tables = match split.fit_views(&(), start) {
            Err(Error::Option { .. }) => None,
            fitted => Some(fitted?),
        };
    }
    if job.choices.family == Family::Tables {
        if split.has_numbers()? {
            let Fitted { artefact, report, .. } = split.fit_views(observer, start)?;
            return Ok((artefact, report));
        }
        // Without numbers there are no cells and no residuals, and terms over bits predict better. The files stay as they
        // are, because standard input cannot be read twice.
        let choices = Choices { family: Family::LinearTrees, ..job.choices.clone() };
        let job = Job { choices, ..job.clone() };
        let fitted = split.with_job(&job).encode(observer)?.select(observer)?.calibrate()?.report(start)?;
        return Ok((fitted.artefact, fitted.report));
    }
    let bits = split
        .encode(observer)
        .and_then(|encoded| encoded.select(observer))
        .and_then(|selected| selected.calibrate())
        .and_then(|calibrated| calibrated.report(start));
    let best = match (bits, tables) {
        // Only tables are within the limits of the job, or of the device.
        (Err(error @ (Error::Option { .. } | Error::Input { .. })), Some(mut tables)) => {
            let message = format!("the family auto took outcome tables, because no terms over bits fit: {error}");
            let warning = Warning { file, column: String::new(), message };
            observer.event(Event::Warning(&warning));
            tables.report.warnings.push(warning);
            tables
        }
        (bits, None) => bits?,
        (bits, Some(tables)) => bits.map(|bits| if tables.density() > bits.density() { tables } else { bits })?,
    };
    Ok((best.artefact, best.report))
}
