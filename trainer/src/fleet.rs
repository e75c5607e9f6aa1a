//! One table per machine of a fleet, from rows that name their machine, and the state of a fleet in use.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::data::{Frame, ReadOptions, checksum};
use crate::error::{Error, Result};
use crate::observer::{Event, Observer};
use crate::output::write_whole;
use crate::pipeline::{FitReport, Job, run_frame};
use crate::recalibrate::ENDING;
use crate::windows;

mod compare;
mod folder;
mod index;
mod journal;
mod names;
mod pages;
mod refit;
mod shared;
mod status;

pub use folder::{FleetRows, files};
pub use pages::{INDEX, MachinePage, PagesSettings, report};
pub use refit::{Refit, RefitSettings, RefitState, compare_refits};
pub use shared::{FILE as SHARED_FILE, SharedReport};
pub use status::{MachineStatus, State, status};

use compare::{Compared, Gap, compare};
use journal::Journal;
use names::file_names;
use shared::Shared;

/// The fit of one machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MachineFit {
    /// Name of the machine.
    pub machine: String,
    /// Name of its file in the folder of models; `None` if the fit failed.
    pub file: Option<String>,
    /// Number of its rows.
    pub rows: usize,
    /// Digest of its rows.
    pub digest: u32,
    /// Why there is no model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What the fit reports, if there is a model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fitted: Option<Fitted>,
}

/// Results of the fit of one machine. Surprisals are means in nats per row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fitted {
    /// Size of the `.srp` file in bytes.
    pub file_bytes: usize,
    /// Size of the table that the board reads, in bytes.
    pub table_bytes: usize,
    /// CRC-32 of the `.srp` file.
    pub crc: u32,
    /// Anomaly score above which a row is anomalous, in nats; `None` if the calibration rows are too few for the rate.
    pub threshold: Option<f64>,
    /// Surprisal of the validation rows.
    pub nats: f64,
    /// How much less that is than if every column were modelled on its own; `None` if only the shared table could be fitted.
    pub gain: Option<f64>,
    /// Number of warnings about the rows.
    pub warnings: usize,
    /// By how much the shared table with the calibration of the machine predicts the validation rows worse than the machine's own;
    /// `None` without a shared table, or if only one of both could be fitted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared_loss: Option<f64>,
}

/// The fits of a fleet.
#[derive(Clone, Debug, Serialize)]
pub struct FleetReport {
    /// The machines in alphabetical order.
    pub machines: Vec<MachineFit>,
    /// Number of machines whose model was there already, from the same rows and settings.
    pub kept: usize,
    /// Number of rows that name no machine, which belong to no model.
    pub nameless: usize,
    /// The machine whose table describes the rows of the others best, of some that are in the middle by surprisal.
    pub typical: Option<String>,
    /// (machine, by how many nats its rows surprise the typical machine's table more than its own), for machines that are
    /// unlike the others, the most unlike first.
    pub unlike: Vec<(String, f64)>,
    /// (machine, reason) for machines whose rows the typical machine's table cannot score, such as those with other columns.
    pub apart: Vec<(String, String)>,
    /// The table that machines share, if they may.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shared: Option<SharedReport>,
}

/// A fleet to fit.
#[derive(Clone, Debug)]
pub struct Fleet {
    /// Name of the column that names the machines.
    pub column: String,
    /// Folder for the models.
    pub folder: PathBuf,
    /// Whether machines may share one table, each with a small calibration.
    pub is_shared: bool,
}

/// Fits a table for each machine that a column names, and writes it to a folder as `MACHINE.srp`.
///
/// If machines may share a table, `shared.srp` is fitted to the training rows of all machines, and calibrated for each of them. A machine
/// gets a table of its own only if that predicts its validation rows better by more than one standard error (the one-standard-error
/// rule of Breiman et al., *Classification and Regression Trees*, 1984), and otherwise `MACHINE.cal`, which
/// [`recalibrate::read`](crate::recalibrate::read) reads.
///
/// The files of the job are read once; the machines are fitted in parallel. Each file holds the bytes that a fit of the same job
/// with [`Job::machine`] writes. A machine whose fit fails does not stop the others. `fleet.jsonl` in the folder has a line for
/// each machine as it is done, so that a fit that was interrupted goes on where it ended: a model that was fitted from the same
/// rows with the same settings is kept.
///
/// # Errors
/// [`Error::Io`] and [`Error::Input`] if the files cannot be read, have no such column, or the folder cannot be written;
/// [`Error::Option`] if a setting is invalid; [`Error::Cancelled`] if the observer cancels.
pub fn fit(job: &Job, fleet: &Fleet, observer: &dyn Observer) -> Result<FleetReport> {
    check(job)?;
    let options = read_options(job, &fleet.column);
    fit_frame(job, windows::read_observed(None, &job.train, &options, observer)?, fleet, observer)
}

/// Returns how the files of a fleet are to be read, whose machines a column names.
pub fn read_options(job: &Job, column: &str) -> ReadOptions {
    ReadOptions { machine: Some(column.to_owned()), ..job.read_options() }
}

/// Checks the settings of a job that do not depend on data.
fn check(job: &Job) -> Result<()> {
    job.check()?;
    if job.signal.is_some() || [&job.valid, &job.calibrate, &job.test].into_iter().any(Option::is_some) {
        let message =
            "expected rows of all machines in the training files; leave out --signal, --valid, --calibrate and --test";
        return Err(Error::option("--by", message));
    }
    Ok(())
}

/// Fits tables as [`fit`] does, to rows that are in memory in place of the files of the job.
///
/// Make them with [`Frame::from_columns`] and [`read_options`].
///
/// # Errors
/// The errors of [`fit`].
pub fn fit_frame(job: &Job, frame: Frame, fleet: &Fleet, observer: &dyn Observer) -> Result<FleetReport> {
    let Fleet { column, folder, is_shared } = fleet;
    check(job)?;
    frame.require_stamps(&job.time)?;
    frame.remarks.iter().for_each(|remark| observer.event(Event::Warning(remark)));
    let machines: Vec<(String, Vec<usize>)> = frame.machines(column)?.into_iter().collect();
    if machines.is_empty() {
        return Err(Error::input(&frame.path, "no row names its machine").column(column));
    }
    if folder.is_file() {
        let message = format!("{} is a file; name a folder for the models", folder.display());
        return Err(Error::option("-o", message));
    }
    fs::create_dir_all(folder).map_err(Error::io(folder, "the folder of models cannot be made"))?;
    let journal = Journal::open(folder, job, *is_shared)?;
    let fit_shared = || Shared::fit((job, column), (&frame, &machines), (folder, &journal), observer);
    let shared = is_shared.then(fit_shared).transpose()?;
    observer.event(Event::Stage { name: "machines", steps: machines.len() });
    let files = file_names(machines.iter().map(|(name, _)| name.as_str()));
    let fits: Vec<(MachineFit, bool)> = machines
        .par_iter()
        .zip(&files)
        .map(|((name, rows), file)| {
            if observer.is_cancelled() {
                return Err(Error::Cancelled);
            }
            let rows = frame.rows_of_a_machine(rows);
            let is_current = |done: &MachineFit| shared.as_ref().is_none_or(|shared| shared.is_current(folder, done));
            let done = match journal.kept(name, rows.digest).filter(is_current) {
                Some(done) => (done, true),
                None => {
                    let job = shared::of(job, column, name);
                    (journal.add(of_machine(&job, name, rows, &folder.join(file), shared.as_ref()))?, false)
                }
            };
            observer.event(Event::Step);
            Ok(done)
        })
        .collect::<Result<_>>()?;
    let kept = fits.iter().filter(|(_, kept)| *kept).count();
    let fits: Vec<MachineFit> = fits.into_iter().map(|(fit, _)| fit).collect();
    let named: usize = machines.iter().map(|(_, rows)| rows.len()).sum();
    let Compared { typical, unlike, apart } = compare(job, &fits, &frame, &machines, folder);
    let users = fits.iter().filter(|fit| fit.file.as_ref().is_some_and(|file| file.ends_with(ENDING))).count();
    let shared = shared.map(|shared| shared.report(users));
    Ok(FleetReport { nameless: frame.rows() - named, kept, machines: fits, typical, unlike, apart, shared })
}

/// Fits a machine and writes its file. A fit that fails is a result, and so is a file that cannot be written. `path` is that of the
/// file without its ending.
fn of_machine(job: &Job, name: &str, rows: Frame, path: &Path, shared: Option<&Shared>) -> MachineFit {
    let (count, digest) = (rows.rows(), rows.digest);
    let mut done = MachineFit { machine: name.to_owned(), file: None, rows: count, digest, error: None, fitted: None };
    let written = chosen(job, rows, shared).and_then(|(ending, bytes, fitted)| {
        // Names of machines may have dots.
        let file = |ending: &str| {
            PathBuf::from([path.as_os_str(), OsStr::new("."), OsStr::new(ending)].into_iter().collect::<OsString>())
        };
        write_whole(&file(ending), &bytes, &paths(&job.train))?;
        // A file of an earlier fit with the other ending is of no use.
        let _ = fs::remove_file(file(if ending == ENDING { "srp" } else { ENDING }));
        Ok((file(ending), fitted))
    });
    match written {
        Ok((file, fitted)) => {
            done.file = file.file_name().map(|name| name.to_string_lossy().into_owned());
            done.fitted = Some(fitted);
        }
        Err(error) => done.error = Some(format!("{error:#}")),
    }
    done
}

/// Returns the table of a machine, or its calibration of the shared table: ending and bytes of its file, and results.
fn chosen(job: &Job, rows: Frame, shared: Option<&Shared>) -> Result<(&'static str, Vec<u8>, Fitted)> {
    // A machine whose rows the shared table cannot read has a table of its own.
    let candidate = shared.and_then(|shared| shared.calibrated(job, rows.clone()).ok());
    let own = run_frame(job, rows, &());
    let Some(candidate) = candidate else {
        let (artefact, report) = own?;
        let bytes = artefact.file_bytes();
        let fitted = fitted(&report, &bytes);
        return Ok(("srp", bytes, fitted));
    };
    let Ok((artefact, report)) = own else {
        let fitted = candidate.fitted(None);
        return Ok((ENDING, candidate.bytes, fitted));
    };
    let Gap { nats, error } = candidate.gap(&artefact)?;
    let (ending, bytes, fitted) = if nats > error {
        let bytes = artefact.file_bytes();
        let fitted = fitted(&report, &bytes);
        ("srp", bytes, fitted)
    } else {
        let fitted = candidate.fitted(Some(&report));
        (ENDING, candidate.bytes, fitted)
    };
    Ok((ending, bytes, Fitted { shared_loss: Some(nats), ..fitted }))
}

fn fitted(report: &FitReport, bytes: &[u8]) -> Fitted {
    Fitted {
        file_bytes: report.file_bytes,
        table_bytes: report.table_bytes,
        crc: checksum(bytes),
        threshold: report.threshold,
        nats: -report.valid_ll,
        gain: Some(report.valid_ll - report.marginal_valid_ll),
        warnings: report.warnings.len(),
        shared_loss: None,
    }
}

fn paths(files: &[PathBuf]) -> Vec<&Path> {
    files.iter().map(PathBuf::as_path).collect()
}
