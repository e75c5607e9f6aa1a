//! A fleet in use: the scores of fresh rows beside the calibration of each machine's model.

use std::path::Path;

use serde::Serialize;
use surprisal::Nats;

use super::folder::{FleetRows, Member, each_machine};
use crate::alarms::promised_interval;
use crate::applied::{Applied, Selection, SelectionSettings};
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
    /// Share of the rows that alarm, in 0..=1; `None` if no row was scored or the model never alarms. Rows with an anomalous
    /// label do not count, here and in the next three, unless all have one.
    pub alarm_rate: Option<f64>,
    /// Share of normal rows that may alarm, in 0..=1; `None` as above.
    pub promised: Option<f64>,
    /// How much the mean surprisal is above that of the calibration rows, in nats per row; `None` if no row was scored.
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
    /// There is a model, but no row with a reading.
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
        let selection = Selection::of(artefact, &frame, &SelectionSettings::default())?;
        let applied = Applied::new(artefact.clone(), frame, selection, &())?;
        Ok((MachineStatus::of_applied(name, &applied), ()))
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

    /// Judges scored rows by those that have a reading.
    pub(super) fn of_applied(name: &str, applied: &Applied) -> Self {
        let all = applied.with_reading();
        // A model that finds the faults is no machine to look at.
        let mut judged: Vec<usize> = all.iter().copied().filter(|&at| !applied.is_anomalous(at)).collect();
        if judged.is_empty() {
            judged = all;
        }
        let detector = applied.artefact.detector();
        let estimate = applied.drift(&judged);
        let is_alarm = |at: &&usize| detector.judge(applied.scores[**at].anomaly).is_anomalous();
        let alarms = judged.iter().filter(is_alarm).count();
        let count = judged.len() as f64;
        let promised = f64::from(detector.false_alarm_ppm) / 1e6;
        // The calibration rows determine the rate only so well, and the fresh rows the share of alarms.
        let (_, most) = promised_interval(&detector);
        let is_alarming = alarms as f64 > count * most + CLEAR * (count * most * (1.0 - most)).sqrt().max(1.0);
        let is_silent = detector.threshold == Nats::IMPOSSIBLE;
        let state = if judged.is_empty() {
            State::NoRows
        } else if is_alarming {
            State::Alarms
        } else if estimate.is_drifted() {
            State::Drifted
        } else if is_silent {
            State::NoThreshold
        } else {
            State::Ok
        };
        Self {
            alarm_rate: (count > 0.0 && !is_silent).then(|| alarms as f64 / count),
            promised: (count > 0.0 && !is_silent).then_some(promised),
            drift: (count > 0.0).then(|| f64::from(estimate.raw) / 65536.0),
            drift_error: finite(estimate.error),
            ..Self::of(name, applied.rows.len(), state)
        }
    }
}
