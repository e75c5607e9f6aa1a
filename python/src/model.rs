//! A fitted model: its table, and what it says of rows.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use surprisal::Nats;
use surprisal_trainer::alarms::AlarmSettings;
use surprisal_trainer::applied::{Applied, Selection, blamed};
use surprisal_trainer::artefact::Artefact;
use surprisal_trainer::data::{Frame, ReadOptions, expand};
use surprisal_trainer::export::write;
use surprisal_trainer::golden::fingerprint;
use surprisal_trainer::output::write_whole;
use surprisal_trainer::pipeline::{FitReport, finite};
use surprisal_trainer::recalibrate;
use surprisal_trainer::report::{PageSettings, page};
use surprisal_trainer::sample::{sample, sampled_columns};
use surprisal_trainer::schema::{ColumnEncoding, Schema};
use surprisal_trainer::split::labels_of;
use surprisal_trainer::{Error, Result};

use crate::columns::{Source, frame};
use crate::errors::{exception, json};
use crate::work::supervised;

/// Columns of results as bytes of NumPy arrays: the numbers of the rows in the data (from 1), and their results.
type Scores<'py> = (Vec<Bound<'py, PyBytes>>, Vec<String>);

/// Column at fault, expected value and runner-up of a row.
type Fault = (String, String, Option<String>);

/// A model as a `.srp` file stores it.
#[pyclass(frozen, module = "surprisal._surprisal")]
pub struct Model {
    artefact: Arc<Artefact>,
    /// The report on the fit as JSON, if this process fitted the model.
    #[pyo3(get)]
    report: Option<String>,
}

impl Model {
    /// Returns a model that was fitted just now.
    pub fn fitted(artefact: Artefact, report: &FitReport) -> PyResult<Self> {
        Ok(Self { artefact: Arc::new(artefact), report: Some(json(report)?) })
    }

    /// Returns the table and its notes.
    pub fn artefact(&self) -> &Artefact {
        &self.artefact
    }

    /// Runs a function of the model and the rows of the data without Python's lock.
    fn on_rows<T: Send + 'static>(
        &self,
        py: Python<'_>,
        source: Source,
        work: impl FnOnce(&Artefact, &Frame, &[usize]) -> Result<T> + Send + 'static,
    ) -> PyResult<T> {
        let artefact = Arc::clone(&self.artefact);
        supervised(py, None, None, move |observer| {
            let options = ReadOptions::default();
            let frame = match source {
                Source::Columns(columns) => artefact.frame_from(&options, |options| frame(columns, options)),
                Source::Path(path) => artefact.frame_observed(&expand(&[path])?, &options, observer),
            }?;
            let rows: Vec<usize> = (0..frame.rows()).collect();
            work(&artefact, &frame, &rows)
        })
    }
}

#[pymethods]
impl Model {
    /// Reads a `.srp` file.
    #[staticmethod]
    fn load(path: PathBuf) -> PyResult<Self> {
        recalibrate::read(&path).map(Self::from).map_err(exception)
    }

    /// Reads the bytes of a `.srp` file.
    #[staticmethod]
    fn from_bytes(bytes: &[u8]) -> PyResult<Self> {
        Artefact::from_bytes(Path::new("bytes"), bytes).map(Self::from).map_err(exception)
    }

    /// Returns the bytes of the `.srp` file.
    fn to_bytes<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.artefact.file_bytes())
    }

    /// Returns the bytes of the table that a board reads.
    fn table_bytes<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.artefact.table_bytes())
    }

    /// Writes the `.srp` file.
    fn save(&self, path: PathBuf) -> PyResult<()> {
        write_whole(&path, &self.artefact.file_bytes(), &[]).map_err(exception)
    }

    /// Writes the table as Rust source, C header or bytes. The C reader is written beside a header, unless its library is there.
    fn export(&self, path: PathBuf) -> PyResult<()> {
        write(&self.artefact, &path, &[]).map(drop).map_err(exception)
    }

    /// Names of the columns of a row, in the order of the data.
    #[getter]
    fn columns(&self) -> Vec<String> {
        let schema = &self.artefact.schema;
        schema.readings_of_a_row().into_iter().map(|encoding| schema.name(encoding).to_owned()).collect()
    }

    /// Fingerprint that firmware compares, as eight hexadecimal digits.
    #[getter]
    fn fingerprint(&self) -> String {
        format!("{:08x}", fingerprint(&self.artefact.schema).get())
    }

    /// Anomaly score above which a row is anomalous, in nats; `None` if the calibration rows are too few.
    #[getter]
    fn threshold(&self) -> Option<f64> {
        finite(self.artefact.detector().threshold)
    }

    /// Scores rows: (row numbers u64, surprisal u32, anomaly score u32, p-value in parts per million u32, anomalous u8) as
    /// bytes, and warnings.
    fn score<'py>(&self, py: Python<'py>, source: Source) -> PyResult<Scores<'py>> {
        let (columns, warnings) = self.on_rows(py, source, |artefact, frame, rows| {
            let scores = artefact.scores_of(frame, rows, &())?;
            let detector = artefact.detector();
            let nats = |of: &dyn Fn(usize) -> u32| rows.iter().flat_map(|&row| of(row).to_ne_bytes()).collect();
            let mut warnings = frame.remarks.clone();
            warnings.extend(artefact.schema.unfamiliar(frame, rows)?);
            let columns: Vec<Vec<u8>> = vec![
                lines(frame),
                nats(&|row| scores[row].nats.raw()),
                nats(&|row| scores[row].anomaly.raw()),
                nats(&|row| detector.p_value(scores[row].anomaly).ppm()),
                rows.iter().map(|&row| detector.judge(scores[row].anomaly).is_anomalous().into()).collect(),
            ];
            Ok((columns, warnings.iter().map(ToString::to_string).collect()))
        })?;
        Ok((columns.iter().map(|bytes| PyBytes::new(py, bytes)).collect(), warnings))
    }

    /// Returns the names of the columns that explain a score, and as bytes the row numbers (u64) and the surprisal of each
    /// column of each row (u32).
    fn explain<'py>(&self, py: Python<'py>, source: Source) -> PyResult<(Vec<String>, Vec<Bound<'py, PyBytes>>)> {
        let (names, columns) = self.on_rows(py, source, |artefact, frame, rows| {
            let schema = artefact.schema.aligned(frame)?;
            let table = artefact.open()?;
            let mut each = vec![Nats::ZERO; schema.columns.len()];
            let mut bytes = Vec::with_capacity(4 * rows.len() * each.len());
            for readings in schema.all_readings(frame, rows)? {
                table.explain(&readings, &mut each)?;
                bytes.extend(each.iter().flat_map(|nats| nats.raw().to_ne_bytes()));
            }
            let names = by_source(&schema).into_iter().map(|encoding| schema.name(encoding).to_owned()).collect();
            Ok((names, [lines(frame), bytes]))
        })?;
        Ok((names, columns.iter().map(|bytes| PyBytes::new(py, bytes)).collect()))
    }

    /// Returns the row numbers (u64) as bytes, and for each row the column at fault, its expected value, and the column that
    /// explains the row second best.
    fn blame<'py>(&self, py: Python<'py>, source: Source) -> PyResult<(Bound<'py, PyBytes>, Vec<Fault>)> {
        let (lines, faults) = self.on_rows(py, source, |artefact, frame, rows| {
            let faults = blamed(artefact, &artefact.schema.all_readings(frame, rows)?)?;
            let faults = faults.into_iter().map(|found| (found.column, found.expected, found.runner_up));
            Ok((lines(frame), faults.collect()))
        })?;
        Ok((PyBytes::new(py, &lines), faults))
    }

    /// Writes the page of HTML about the model on rows of data, and returns its numbers as JSON. `label` is (column that marks
    /// anomalies, its value in normal rows); without it, the column of the fit counts where the data has it.
    fn write_report(
        &self,
        py: Python<'_>,
        source: Source,
        path: PathBuf,
        name: String,
        label: Option<(String, String)>,
        rate: Option<f64>,
    ) -> PyResult<String> {
        let inputs = match &source {
            Source::Path(path) => expand(std::slice::from_ref(path)).map_err(exception)?,
            Source::Columns(_) => Vec::new(),
        };
        let inputs: Vec<&Path> = inputs.iter().map(PathBuf::as_path).collect();
        let page = self.on_rows(py, source, move |artefact, frame, rows| {
            let of_fit = artefact.notes.label.clone().filter(|(column, _)| frame.position(column).is_ok());
            let label = label.or(of_fit);
            let anomalous = labels_of(frame, rows, label.as_ref())?;
            let selection = Selection { rows: rows.to_vec(), label, anomalous, time: Vec::new() };
            let applied = Applied::new(artefact.clone(), frame.clone(), selection, &())?;
            let alarms = AlarmSettings { rate, ..AlarmSettings::default() };
            page(&applied, None, &PageSettings { alarms, model: name, ..PageSettings::default() })
        })?;
        write_whole(&path, page.html.as_bytes(), &inputs).map_err(exception)?;
        Ok(page.numbers.to_string())
    }

    /// Draws rows, and returns the names of the columns and the cells of each row as texts.
    fn sample(&self, py: Python<'_>, rows: u64, seed: u64) -> PyResult<(Vec<String>, Vec<Vec<String>>)> {
        let artefact = Arc::clone(&self.artefact);
        supervised(py, None, None, move |observer| {
            let names = sampled_columns(&artefact)?;
            let mut drawn = Vec::new();
            sample(&artefact, rows, &mut ChaCha8Rng::seed_from_u64(seed), |cells| {
                drawn.push(cells);
                if observer.is_cancelled() { Err(Error::Cancelled) } else { Ok(()) }
            })?;
            Ok((names, drawn))
        })
    }
}

impl From<Artefact> for Model {
    fn from(artefact: Artefact) -> Self {
        Self { artefact: Arc::new(artefact), report: None }
    }
}

/// Returns the encodings of the columns in the order in which the table explains them.
fn by_source(schema: &Schema) -> Vec<&ColumnEncoding> {
    let mut columns: Vec<_> = schema.columns.iter().collect();
    columns.sort_by_key(|encoding| encoding.source);
    columns
}

/// Returns the numbers of the rows of a frame, from 1, as bytes.
fn lines(frame: &Frame) -> Vec<u8> {
    frame.lines.iter().flat_map(|line| line.to_ne_bytes()).collect()
}
