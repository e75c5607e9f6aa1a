//! The compiled part of the Python package `surprisal`: the trainer, with data and results as bytes.
//!
//! Columns of numbers come and go as `bytes` of a NumPy array, so that no unsafe code and no NumPy binding is needed. The
//! Python code in `python/surprisal` turns data frames into such columns, and results into arrays.

use pyo3::prelude::*;

mod arrow;
mod columns;
mod errors;
mod fleet;
mod model;
mod number;
mod options;
mod work;

use columns::Source;
use errors::SurprisalError;
use model::Model;
use options::Options;
use surprisal_trainer::pipeline::{self, Gain};

/// Fits a model. `progress` is called with (stage, steps done, steps in all).
#[pyfunction]
#[pyo3(signature = (source, options, threads, progress))]
fn fit(
    py: Python<'_>,
    source: Source,
    options: Options,
    threads: Option<usize>,
    progress: Option<Py<PyAny>>,
) -> PyResult<Model> {
    let mut job = options.job()?;
    let (artefact, report) = work::supervised(py, threads, progress.as_ref(), move |observer| match source {
        Source::Columns(columns) => {
            let frame = columns::frame(columns, &job.read_options())?;
            pipeline::run_frame(&job, frame, observer)
        }
        Source::Path(path) => {
            job.train = surprisal_trainer::data::expand(&[path])?;
            pipeline::run_observed(&job, observer)
        }
    })?;
    Model::fitted(artefact, &report)
}

/// Returns what `factor` times as many rows gain over a sample, from log-densities of the same rows under a fit of the sample and
/// fits of its four quarters: (gain over a quarter, chance, least gain, largest gain).
#[pyfunction]
fn gain(whole: Vec<f64>, quarters: Vec<Vec<f64>>, factor: f64) -> (f64, f64, f64, f64) {
    let Gain { over_quarter, chance, least, most } = Gain::of(&whole, &quarters, factor);
    (over_quarter, chance, least, most)
}

#[pymodule]
fn _surprisal(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add("SurprisalError", module.py().get_type::<SurprisalError>())?;
    module.add_class::<Model>()?;
    module.add_function(wrap_pyfunction!(fit, module)?)?;
    module.add_function(wrap_pyfunction!(arrow::arrow_array, module)?)?;
    module.add_function(wrap_pyfunction!(gain, module)?)?;
    module.add_function(wrap_pyfunction!(fleet::fit_fleet, module)?)?;
    module.add_function(wrap_pyfunction!(fleet::fleet_report, module)?)?;
    module.add_function(wrap_pyfunction!(fleet::fleet_compare, module)?)
}
