//! Fleets: one model per machine, reports on them, and comparisons of two folders.

use std::path::PathBuf;

use pyo3::prelude::*;
use surprisal_trainer::alarms::AlarmSettings;
use surprisal_trainer::applied::SelectionSettings;
use surprisal_trainer::data::expand;
use surprisal_trainer::divergence::SamplingSettings;
use surprisal_trainer::fleet::{self, Fleet, FleetRows, PagesSettings, RefitSettings};

use crate::columns::{Source, frame};
use crate::errors::json;
use crate::options::Options;
use crate::work::supervised;

/// Column that marks anomalies, and its value in normal rows; by default those of the fits.
type Label = (Option<String>, Option<String>);

/// Fits a model for each machine of a fleet (column that names the machines, folder for the models, whether machines may share a
/// table), and returns the report as JSON.
#[pyfunction]
#[pyo3(signature = (source, fleet, options, threads, progress))]
pub fn fit_fleet(
    py: Python<'_>,
    source: Source,
    fleet: (String, PathBuf, bool),
    options: Options,
    threads: Option<usize>,
    progress: Option<Py<PyAny>>,
) -> PyResult<String> {
    let mut job = options.job()?;
    let (column, folder, is_shared) = fleet;
    let fleet = Fleet { column, folder, is_shared };
    let report = supervised(py, threads, progress.as_ref(), move |observer| match source {
        Source::Columns(columns) => {
            let frame = frame(columns, &fleet::read_options(&job, &fleet.column))?;
            fleet::fit_frame(&job, frame, &fleet, observer)
        }
        Source::Path(path) => {
            job.train = expand(&[path])?;
            fleet::fit(&job, &fleet, observer)
        }
    })?;
    json(&report)
}

/// Writes the pages of a fleet from (folder of models, folder of pages), and returns the machines as JSON. `rate` is the number of
/// rows per second.
#[pyfunction]
#[pyo3(signature = (source, folders, label, rate, threads, progress))]
pub fn fleet_report(
    py: Python<'_>,
    source: Source,
    folders: (PathBuf, PathBuf),
    label: Label,
    rate: Option<f64>,
    threads: Option<usize>,
    progress: Option<Py<PyAny>>,
) -> PyResult<String> {
    let settings = PagesSettings {
        selection: selection(label),
        alarms: AlarmSettings { rate, ..AlarmSettings::default() },
        ..PagesSettings::default()
    };
    let (models, pages) = folders;
    json(&supervised(py, threads, progress.as_ref(), move |observer| {
        fleet::report(&models, rows(source)?, &pages, &settings, observer)
    })?)
}

/// Compares two folders of models, also on rows if there are any, and returns the machines as JSON. `sampling` is (rows to draw from
/// each model, seed).
#[pyfunction]
#[pyo3(signature = (folders, source, label, sampling, threads, progress))]
pub fn fleet_compare(
    py: Python<'_>,
    folders: (PathBuf, PathBuf),
    source: Option<Source>,
    label: Label,
    sampling: (usize, u64),
    threads: Option<usize>,
    progress: Option<Py<PyAny>>,
) -> PyResult<String> {
    let (drawn, seed) = sampling;
    let sampling = SamplingSettings { rows: drawn, seed, ..SamplingSettings::default() };
    let settings = RefitSettings { selection: selection(label), sampling, ..RefitSettings::default() };
    let (a, b) = folders;
    json(&supervised(py, threads, progress.as_ref(), move |observer| {
        fleet::compare_refits([&a, &b], source.map(rows).transpose()?, &settings, observer)
    })?)
}

fn selection((label, normal): Label) -> SelectionSettings {
    SelectionSettings { label, normal, ..SelectionSettings::default() }
}

fn rows(source: Source) -> surprisal_trainer::Result<FleetRows> {
    Ok(match source {
        Source::Columns(columns) => {
            FleetRows::Columns(columns.into_iter().map(|(name, values)| (name, values.texts())).collect())
        }
        Source::Path(path) => FleetRows::Files(expand(&[path])?),
    })
}
