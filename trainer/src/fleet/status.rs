//! A fleet in use: the scores of fresh rows beside the calibration of each machine's model.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::Serialize;
use surprisal::{Drift, Nats};

use super::journal;
use super::names::file_names;
use crate::alarms::promised_interval;
use crate::artefact::Artefact;
use crate::data::{Frame, Machine, ReadOptions};
use crate::error::{Error, Result};
use crate::observer::Observer;
use crate::pipeline::finite;
use crate::recalibrate::{self, ENDING};
use crate::windows;

/// Standard deviations by which the share of alarms must exceed the highest rate that the calibration leaves open.
const CLEAR: f64 = 3.0;

/// The fresh rows of one machine under its model.
#[derive(Clone, Debug, Serialize)]
pub struct MachineStatus {
    /// Name of the machine.
    pub machine: String,
    /// Number of fresh rows.
    pub rows: usize,
    /// Share of the rows that alarm, in 0..=1; `None`, as are the next two, if no row was scored.
    pub alarm_rate: Option<f64>,
    /// Share of normal rows that may alarm, in 0..=1.
    pub promised: Option<f64>,
    /// How much the mean surprisal is above that of the calibration rows, in nats per row.
    pub drift: Option<f64>,
    /// Standard error of the drift, in nats per row; `None` if there are too few rows.
    pub drift_error: Option<f64>,
    /// What to look at.
    pub state: State,
    /// Why the rows cannot be scored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What to look at in a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// The rows cannot be scored.
    Failed,
    /// More rows alarm than promised, beyond chance.
    Alarms,
    /// The mean surprisal has changed beyond chance.
    Drifted,
    /// The model never alarms, because its calibration rows are too few for the rate.
    NoThreshold,
    /// There are rows, but no model.
    NoModel,
    /// There is a model, but no row.
    NoRows,
    /// None of these.
    Ok,
}

/// Scores fresh rows of a fleet with the models in a folder, machine by machine. Machines that need attention come first.
///
/// # Errors
/// [`Error::Io`] if the folder or the files cannot be read, [`Error::Input`] if no model in the folder is that of a machine, or
/// the files lack the column that names machines.
pub fn status(
    folder: &Path,
    data: &[PathBuf],
    options: &ReadOptions,
    observer: &dyn Observer,
) -> Result<Vec<MachineStatus>> {
    let entries = std::fs::read_dir(folder).map_err(Error::io(folder, "the folder of models cannot be read"))?;
    let mut models = Vec::new();
    for entry in entries {
        let path = entry.map_err(Error::io(folder, "the folder of models cannot be read"))?.path();
        let is_model = |ending: &OsStr| ending == "srp" || ending == ENDING;
        if path.extension().is_some_and(is_model) {
            models.push(path);
        }
    }
    models.sort();
    let mut all: Vec<MachineStatus> = Vec::new();
    let mut artefacts: Vec<Artefact> = Vec::new();
    for path in &models {
        match recalibrate::read(path) {
            Ok(artefact) => artefacts.push(artefact),
            Err(error) => all.push(MachineStatus {
                error: Some(format!("{error:#}")),
                ..MachineStatus::of(&path.file_stem().unwrap_or_default().to_string_lossy(), 0, State::Failed)
            }),
        }
    }
    let failures = journal::failures(folder)?;
    let of_machines: Vec<(&Machine, &Artefact)> =
        artefacts.iter().filter_map(|artefact| Some((artefact.notes.fit.machine.as_ref()?, artefact))).collect();
    let Some(&(Machine { column, .. }, first)) = of_machines.first() else {
        let message = "holds no model of a machine; fit a fleet with `surprisal fit --by COLUMN -o FOLDER`";
        return Err(Error::input(folder, message));
    };
    let mut options = options.clone();
    options.missing.extend(&first.notes.fit.missing);
    if options.time.is_empty() {
        options.time.clone_from(&first.notes.fit.time);
    }
    options.machine = Some(column.clone());
    let frame = windows::read_observed(None, data, &options, observer)?;
    let mut machines = frame.machines(column)?;
    let mut work = Vec::new();
    for (machine, artefact) in of_machines {
        match machines.remove(&machine.name) {
            Some(rows) => work.push((machine, artefact, rows)),
            None => all.push(MachineStatus::of(&machine.name, 0, State::NoRows)),
        }
    }
    let names = file_names(machines.keys().map(String::as_str));
    for ((name, rows), file) in machines.iter().zip(names) {
        // The file of a model that cannot be read has the name of its machine.
        match all.iter_mut().find(|status| status.state == State::Failed && status.machine == file) {
            Some(failed) => (failed.machine, failed.rows) = (name.clone(), rows.len()),
            None => all.push(MachineStatus::of(name, rows.len(), State::NoModel)),
        }
    }
    let scored = work.into_par_iter().map(|(machine, artefact, rows)| {
        if let Some(error) = failures.get(&machine.name) {
            let error = format!("its last fit failed, and the model is from before: {error}");
            return MachineStatus { error: Some(error), ..MachineStatus::of(&machine.name, rows.len(), State::Failed) };
        }
        let own = frame.rows_of_a_machine(&rows);
        let read = artefact.frame_from(&options, |_| Ok(own));
        let scored = read.and_then(|own| of_machine(&machine.name, artefact, &own));
        scored.unwrap_or_else(|error| MachineStatus {
            error: Some(format!("{error:#}")),
            ..MachineStatus::of(&machine.name, rows.len(), State::Failed)
        })
    });
    all.par_extend(scored);
    all.sort_by(|a, b| a.state.cmp(&b.state).then_with(|| a.machine.cmp(&b.machine)));
    Ok(all)
}

fn of_machine(name: &str, artefact: &Artefact, frame: &Frame) -> Result<MachineStatus> {
    let rows: Vec<usize> = (0..frame.rows()).filter(|&row| !frame.is_blank(row)).collect();
    let scores = artefact.scores_of(frame, &rows, &())?;
    let detector = artefact.detector();
    let mut drift = Drift::new();
    scores.iter().for_each(|score| drift.push(&detector, score.nats));
    let estimate = drift.estimate(&detector);
    let alarms = scores.iter().filter(|score| detector.judge(score.anomaly).is_anomalous()).count();
    let count = rows.len() as f64;
    let promised = f64::from(detector.false_alarm_ppm) / 1e6;
    // The calibration rows determine the rate only so well, and the fresh rows the share of alarms.
    let (_, most) = promised_interval(&detector);
    let is_alarming = alarms as f64 > count * most + CLEAR * (count * most * (1.0 - most)).sqrt().max(1.0);
    let state = if is_alarming {
        State::Alarms
    } else if estimate.is_drifted() {
        State::Drifted
    } else if detector.threshold == Nats::IMPOSSIBLE {
        State::NoThreshold
    } else {
        State::Ok
    };
    Ok(MachineStatus {
        alarm_rate: (count > 0.0).then(|| alarms as f64 / count),
        promised: Some(promised),
        drift: (count > 0.0).then(|| f64::from(estimate.raw) / 65536.0),
        drift_error: finite(estimate.error),
        ..MachineStatus::of(name, frame.rows(), state)
    })
}

impl MachineStatus {
    fn of(machine: &str, rows: usize, state: State) -> Self {
        let machine = machine.to_owned();
        Self { machine, rows, alarm_rate: None, promised: None, drift: None, drift_error: None, state, error: None }
    }
}
