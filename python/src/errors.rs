//! Errors of the library as Python exceptions.

use std::any::Any;

use pyo3::create_exception;
use pyo3::exceptions::{PyKeyboardInterrupt, PyOSError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use surprisal_trainer::Error;

create_exception!(
    surprisal,
    SurprisalError,
    PyValueError,
    "Data, a setting or a model file that cannot be used. The message names the row, column or setting, and what to do."
);

/// Returns the exception for an error of the library. Settings have the names that they have on the command line.
pub fn exception(error: Error) -> PyErr {
    let message = format!("{error:#}");
    match error {
        Error::Cancelled => PyKeyboardInterrupt::new_err(message),
        Error::Io { path, message, source } => match source.raw_os_error() {
            // Python makes FileNotFoundError and the like of the number.
            Some(number) => PyOSError::new_err((number, format!("{message}: {source}"), path.into_os_string())),
            None => PyOSError::new_err(format!("{}: {message}: {source}", path.display())),
        },
        _ => SurprisalError::new_err(message),
    }
}

/// Returns the exception for a panic, which is a bug.
pub fn panicked(panic: &(dyn Any + Send)) -> PyErr {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message");
    PyRuntimeError::new_err(format!("this is a bug of surprisal, please report it: {text}"))
}

/// Returns a report as JSON.
pub fn json(report: &impl serde::Serialize) -> PyResult<String> {
    serde_json::to_string(report).map_err(|error| PyRuntimeError::new_err(error.to_string()))
}
