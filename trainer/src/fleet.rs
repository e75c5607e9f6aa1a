//! One table per machine of a fleet, from rows that name their machine, and the state of a fleet in use.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::artefact::Artefact;
use crate::data::{Frame, Machine, checksum};
use crate::error::{Error, Result};
use crate::evaluate::mean;
use crate::observer::{Event, Observer};
use crate::output::write_whole;
use crate::pipeline::{FitReport, Job, run_frame};
use crate::windows;

mod journal;
mod status;

pub use status::{MachineStatus, State, status};

use journal::Journal;

/// Number of rows of each machine that the table of the typical machine scores.
const COMPARED: usize = 500;
/// A machine is unlike the others if its rows are this many times farther from the typical machine than those of the median
/// machine, in median absolute deviations that a normal distribution would call standard deviations.
const UNLIKE: f64 = 5.0;
/// Ratio of the standard deviation of a normal distribution to its median absolute deviation.
const MAD_TO_DEVIATION: f64 = 1.4826;
/// Number of machines, in the middle by surprisal, of which one is the typical machine.
const CANDIDATES: usize = 5;
/// Least number of machines among which one can be unlike the others.
const LEAST: usize = 8;

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
    /// How much less that is than if every column were modelled on its own.
    pub gain: f64,
    /// Number of warnings about the rows.
    pub warnings: usize,
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
}

/// Fits a table for each machine that a column names, and writes it to a folder as `MACHINE.srp`.
///
/// The files of the job are read once; the machines are fitted in parallel. Each file holds the bytes that a fit of the same job
/// with [`Job::machine`] writes. A machine whose fit fails does not stop the others. `fleet.jsonl` in the folder has a line for
/// each machine as it is done, so that a fit that was interrupted goes on where it ended: a model that was fitted from the same
/// rows with the same settings is kept.
///
/// # Errors
/// [`Error::Io`] and [`Error::Input`] if the files cannot be read, have no such column, or the folder cannot be written;
/// [`Error::Option`] if a setting is invalid; [`Error::Cancelled`] if the observer cancels.
pub fn fit(job: &Job, column: &str, folder: &Path, observer: &dyn Observer) -> Result<FleetReport> {
    check(job)?;
    fit_frame(job, windows::read_observed(None, &job.train, &job.read_options(), observer)?, column, folder, observer)
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
/// Make them with [`Frame::from_columns`] and the [options](Job::read_options) of the job.
///
/// # Errors
/// The errors of [`fit`].
pub fn fit_frame(job: &Job, frame: Frame, column: &str, folder: &Path, observer: &dyn Observer) -> Result<FleetReport> {
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
    let journal = Journal::open(folder, job)?;
    observer.event(Event::Stage { name: "machines", steps: machines.len() });
    let fits: Vec<(MachineFit, bool)> = machines
        .par_iter()
        .map(|(name, rows)| {
            if observer.is_cancelled() {
                return Err(Error::Cancelled);
            }
            let machine = Machine { column: column.to_owned(), name: name.clone() };
            let rows = frame.rows_of_a_machine(rows);
            let done = match journal.kept(name, rows.digest) {
                Some(done) => (done, true),
                None => (journal.add(of_machine(job, machine, rows, folder)?)?, false),
            };
            observer.event(Event::Step);
            Ok(done)
        })
        .collect::<Result<_>>()?;
    let kept = fits.iter().filter(|(_, kept)| *kept).count();
    let fits: Vec<MachineFit> = fits.into_iter().map(|(fit, _)| fit).collect();
    let named: usize = machines.iter().map(|(_, rows)| rows.len()).sum();
    let (typical, unlike) = unlike_others(&fits, &frame, &machines, folder);
    Ok(FleetReport { nameless: frame.rows() - named, kept, machines: fits, typical, unlike })
}

/// Fits a machine and writes its file. A fit that fails is a result; only a file that cannot be written is an error.
fn of_machine(job: &Job, machine: Machine, rows: Frame, folder: &Path) -> Result<MachineFit> {
    let (name, count, digest) = (machine.name.clone(), rows.rows(), rows.digest);
    let job = Job { machine: Some(machine), ..job.clone() };
    let mut done = MachineFit { machine: name, file: None, rows: count, digest, error: None, fitted: None };
    match run_frame(&job, rows, &()) {
        Ok((artefact, report)) => {
            let (file, bytes) = (file_name(&done.machine), artefact.file_bytes());
            write_whole(&folder.join(&file), &bytes, &paths(&job.train))?;
            done.file = Some(file);
            done.fitted = Some(fitted(&report, &bytes));
        }
        Err(error) => done.error = Some(format!("{error:#}")),
    }
    Ok(done)
}

fn fitted(report: &FitReport, bytes: &[u8]) -> Fitted {
    Fitted {
        file_bytes: report.file_bytes,
        table_bytes: report.table_bytes,
        crc: checksum(bytes),
        threshold: report.threshold,
        nats: -report.valid_ll,
        gain: report.valid_ll - report.marginal_valid_ll,
        warnings: report.warnings.len(),
    }
}

fn paths(files: &[PathBuf]) -> Vec<&Path> {
    files.iter().map(PathBuf::as_path).collect()
}

/// Returns the name of the file of a machine: letters, digits, `-`, `_` and dots other than the first stay, and each other byte
/// becomes `%` and its two hexadecimal digits, so that any two machines have different files.
pub fn file_name(machine: &str) -> String {
    let mut name = String::new();
    for (at, byte) in machine.bytes().enumerate() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => name.push(char::from(byte)),
            b'.' if at > 0 => name.push('.'),
            _ => name += &format!("%{byte:02X}"),
        }
    }
    name + ".srp"
}

/// Returns the typical machine, and the machines unlike the others. See [`FleetReport`].
fn unlike_others(
    fits: &[MachineFit],
    frame: &Frame,
    machines: &[(String, Vec<usize>)],
    folder: &Path,
) -> (Option<String>, Vec<(String, f64)>) {
    let mut by_nats: Vec<(f64, &MachineFit)> =
        fits.iter().filter_map(|fit| Some((fit.fitted.as_ref()?.nats, fit))).collect();
    by_nats.sort_by(|a, b| a.0.total_cmp(&b.0));
    if by_nats.len() < LEAST {
        return (None, Vec::new());
    }
    let middle = (by_nats.len() - CANDIDATES) / 2;
    let read = |fit: &MachineFit| Artefact::read(&folder.join(fit.file.as_deref().unwrap_or_default()));
    let candidates: Vec<Artefact> =
        by_nats[middle..middle + CANDIDATES].iter().filter_map(|(_, fit)| read(fit).ok()).collect();
    let rows: BTreeMap<&str, &Vec<usize>> = machines.iter().map(|(name, rows)| (name.as_str(), rows)).collect();
    // A machine whose columns or codes are others cannot be compared, and is as unlike as can be.
    let gaps: Vec<Vec<f64>> = by_nats
        .par_iter()
        .map(|(_, fit)| {
            let all = rows[fit.machine.as_str()];
            let some: Vec<usize> = all.iter().copied().step_by(all.len().div_ceil(COMPARED)).collect();
            let rows = frame.rows_of_a_machine(&some);
            let own = read(fit).and_then(|own| mean_nats(&own, &rows));
            let gap = |candidate| match (mean_nats(candidate, &rows), &own) {
                (Ok(nats), Ok(own)) => nats - own,
                _ => f64::INFINITY,
            };
            candidates.iter().map(gap).collect()
        })
        .collect();
    let of_candidate = |at: usize| gaps.iter().map(move |gaps| gaps[at]);
    let centres: Vec<f64> = (0..candidates.len()).map(|at| median(of_candidate(at))).collect();
    let Some(at) = (0..centres.len()).min_by(|&a, &b| centres[a].total_cmp(&centres[b])) else {
        return (None, Vec::new());
    };
    let deviation = MAD_TO_DEVIATION * median(of_candidate(at).map(|gap| (gap - centres[at]).abs()));
    let named = by_nats.iter().zip(of_candidate(at)).map(|((_, fit), gap)| (fit.machine.clone(), gap));
    let mut unlike: Vec<(String, f64)> = named.filter(|(_, gap)| gap - centres[at] > UNLIKE * deviation).collect();
    unlike.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    (candidates[at].notes.fit.machine.as_ref().map(|machine| machine.name.clone()), unlike)
}

fn mean_nats(artefact: &Artefact, rows: &Frame) -> Result<f64> {
    let every: Vec<usize> = (0..rows.rows()).collect();
    let scores = artefact.scores_of(rows, &every, &())?;
    Ok(mean(&scores.iter().map(|score| score.nats).collect::<Vec<_>>()))
}

fn median(each: impl Iterator<Item = f64>) -> f64 {
    let mut each: Vec<f64> = each.collect();
    each.sort_by(f64::total_cmp);
    each[each.len() / 2]
}

#[cfg(test)]
mod tests {
    use super::file_name;

    #[test]
    fn machines_have_different_and_harmless_files() {
        let machines = ["pump 7", "pump/7", "pump%207", "..", ".", "7.5", "é", "con\n", "a.srp", ""];
        let names = machines.map(file_name);
        assert_eq!(names[..6], ["pump%207.srp", "pump%2F7.srp", "pump%25207.srp", "%2E..srp", "%2E.srp", "7.5.srp"]);
        for (at, name) in names.iter().enumerate() {
            assert!(!name.contains(['/', '\\', '\n']) && !name.starts_with('.') || machines[at].is_empty(), "{name}");
            assert!(!names[..at].contains(name), "{name}");
        }
    }
}
