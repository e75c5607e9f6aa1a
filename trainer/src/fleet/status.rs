//! A fleet in use: the scores of fresh rows beside the calibration of each machine's model.

use std::path::Path;

use serde::Serialize;
use surprisal::{Drift, Nats, RowScore};

use super::folder::{FleetRows, Member, each_machine};
use crate::alarms::promised_interval;
use crate::artefact::Artefact;
use crate::data::ReadOptions;
use crate::error::Result;
use crate::observer::Observer;
use crate::pipeline::finite;

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
/// [`Error::Io`](crate::Error::Io) if the folder or the files cannot be read, [`Error::Input`](crate::Error::Input) if no model in
/// the folder is that of a machine, or the files lack the column that names machines.
pub fn status(
    folder: &Path,
    data: FleetRows,
    options: &ReadOptions,
    observer: &dyn Observer,
) -> Result<Vec<MachineStatus>> {
    let machines = each_machine(folder, data, options, observer, |name, Member { artefact, .. }, frame| {
        let rows: Vec<usize> = (0..frame.rows()).filter(|&row| !frame.is_blank(row)).collect();
        let scores = artefact.scores_of(&frame, &rows, &())?;
        Ok((MachineStatus::of_scores(name, frame.rows(), artefact, &scores), ()))
    })?;
    Ok(machines.into_iter().map(|(status, _)| status).collect())
}

impl MachineStatus {
    pub(super) fn of(machine: &str, rows: usize, state: State) -> Self {
        let machine = machine.to_owned();
        Self { machine, rows, alarm_rate: None, promised: None, drift: None, drift_error: None, state, error: None }
    }

    pub(super) fn failed(machine: &str, rows: usize, error: &str) -> Self {
        Self { error: Some(error.to_owned()), ..Self::of(machine, rows, State::Failed) }
    }

    /// Judges a number of rows by the scores of those that have a reading.
    pub(super) fn of_scores(name: &str, rows: usize, artefact: &Artefact, scores: &[RowScore]) -> Self {
        let detector = artefact.detector();
        let mut drift = Drift::new();
        scores.iter().for_each(|score| drift.push(&detector, score.nats));
        let estimate = drift.estimate(&detector);
        let alarms = scores.iter().filter(|score| detector.judge(score.anomaly).is_anomalous()).count();
        let count = scores.len() as f64;
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
        Self {
            alarm_rate: (count > 0.0).then(|| alarms as f64 / count),
            promised: Some(promised),
            drift: (count > 0.0).then(|| f64::from(estimate.raw) / 65536.0),
            drift_error: finite(estimate.error),
            ..Self::of(name, rows, state)
        }
    }
}
