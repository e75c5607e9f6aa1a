//! Settings of a fit.

use std::path::PathBuf;

use pyo3::prelude::*;
use surprisal_trainer::calibrate::Rates;
use surprisal_trainer::data::{Machine, MissingCodes, ReadOptions};
use surprisal_trainer::fit::Family;
use surprisal_trainer::history::History;
use surprisal_trainer::like::Like;
use surprisal_trainer::names::Named;
use surprisal_trainer::order::Order;
use surprisal_trainer::pipeline::{Contamination, Job};
use surprisal_trainer::schema::toml::Overrides;
use surprisal_trainer::select::{Choices, LayerChoices};

use crate::errors::exception;
use crate::model::Model;

/// Settings of a fit, which the Python code passes as a dict with all of these keys.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct Options {
    average_run_length: u32,
    /// Whether the report leaves out what takes long.
    brief: bool,
    calibrate: Option<PathBuf>,
    cells: Option<usize>,
    components: Option<usize>,
    /// A share, or "auto" as a negative number.
    contamination: Option<f64>,
    false_alarm: f64,
    family: Option<String>,
    flash: Option<usize>,
    gamma: Option<f64>,
    given: Vec<String>,
    ignore: Vec<String>,
    keep: Vec<String>,
    keep_constant: bool,
    /// (column, value in normal rows).
    label: Option<(String, String)>,
    /// (earlier model, its name for messages).
    like: Option<(Py<Model>, String)>,
    /// (column, name of the machine).
    machine: Option<(String, String)>,
    max_rows: Option<usize>,
    may_fail: Option<f64>,
    missing: Vec<String>,
    ops: Option<usize>,
    order: Option<String>,
    prototypes: Option<usize>,
    ram: Option<usize>,
    schema: Option<PathBuf>,
    seed: u64,
    session: Option<String>,
    strength: Option<f64>,
    test: Option<PathBuf>,
    time: Vec<String>,
    units: Option<usize>,
    valid: Option<PathBuf>,
    views: Option<usize>,
    window: Option<usize>,
}

impl Options {
    /// Returns the job of a fit, without its files. Reads the schema file.
    pub fn job(self) -> PyResult<Job> {
        self.try_job().map_err(exception)
    }

    fn try_job(self) -> surprisal_trainer::Result<Job> {
        let mut missing = MissingCodes::default();
        self.missing.iter().for_each(|code| missing.add(code));
        // As the command does: models of bits detect better in a time series.
        let family = if self.window.is_some() { Family::LinearTrees } else { Family::default() };
        // Every text is an order; one that is no name is a path.
        let Ok(order) = self.order.as_deref().unwrap_or("auto").parse::<Order>();
        let contamination = |share: f64| if share < 0.0 { Contamination::Auto } else { Contamination::Share(share) };
        let job = Job {
            valid: self.valid,
            calibrate: self.calibrate,
            test: self.test,
            history: self.window.map(|window| History { window, session: self.session }),
            reading: ReadOptions { missing, ..ReadOptions::default() },
            ignore: self.ignore,
            time: self.time,
            machine: self.machine.map(|(column, name)| Machine { column, name }),
            contamination: self.contamination.map(contamination),
            may_fail: self.may_fail,
            given: self.given,
            label: self.label,
            keep_constant: self.keep_constant,
            keep: self.keep,
            cells: self.cells,
            overrides: self.schema.as_deref().map(Overrides::read).transpose()?.unwrap_or_default(),
            like: self.like.map(|(model, name)| Like::new(model.get().artefact(), name)),
            max_rows: self.max_rows,
            choices: Choices {
                family: self.family.as_deref().map_or(Ok(family), Family::named)?,
                order,
                gamma: self.gamma,
                strength: self.strength,
                components: self.components,
                views: self.views,
                prototypes: self.prototypes,
                layer: LayerChoices { units: self.units, ..LayerChoices::default() },
                ..Choices::default()
            },
            flash: self.flash,
            ram: self.ram,
            operations: self.ops,
            seed: self.seed,
            rates: Rates { false_alarm: self.false_alarm, average_run_length: self.average_run_length },
            is_brief: self.brief,
            ..Job::default()
        };
        job.check()?;
        Ok(job)
    }
}
