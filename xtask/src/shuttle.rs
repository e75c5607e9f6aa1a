//! The shuttle data of the repository, as the demo and the golden tables use it.

use crate::setup::root;
use anyhow::{Context, Result};
use std::path::Path;
use surprisal::Reading;
use surprisal_trainer::artefact::Artefact;
use surprisal_trainer::data::{Frame, Header};
use surprisal_trainer::split::anomalous_rows;

/// The data file, relative to the folder of the repository.
pub const DATA: &str = "examples/data/shuttle.csv.gz";
/// The number of readings per row.
pub const READINGS: usize = 9;

/// The rows of the data that a fit did not see.
pub struct HeldOut {
    /// Model that was fitted to the shuttle data.
    pub artefact: Artefact,
    /// `[row]`: the line in the file.
    pub lines: Vec<u64>,
    /// `[row]`: whether the row is an anomaly.
    pub anomalous: Vec<bool>,
    /// `[row]`: the readings.
    pub readings: Vec<[i32; READINGS]>,
}

impl HeldOut {
    /// Reads a model that was fitted to the shuttle data, and the rows that were held out from the fit.
    ///
    /// # Errors
    /// The model or the data cannot be read, or the model was fitted to other data.
    pub fn of(model: &Path) -> Result<Self> {
        let artefact = Artefact::read(model)?;
        let frame = Frame::read(&root().join(DATA), Header::Auto)?;
        let rows = artefact.held_out(&frame)?;
        let anomalous = anomalous_rows(&frame, "Class", "Rad.Flow")?;
        let kinds: Option<Vec<bool>> = rows.iter().map(|&row| anomalous[row]).collect();
        let readings = artefact.schema.all_readings(&frame, &rows)?;
        Ok(Self {
            lines: rows.iter().map(|&row| frame.lines[row]).collect(),
            anomalous: kinds.with_context(|| format!("{DATA}: expected a label in every row"))?,
            readings: readings.iter().map(|row| integers(row)).collect::<Result<_>>()?,
            artefact,
        })
    }
}

fn integers(row: &[Reading]) -> Result<[i32; READINGS]> {
    let value = |reading: &Reading| if let Reading::Integer(value) = reading { Some(*value) } else { None };
    let values: Option<Vec<i32>> = row.iter().map(value).collect();
    values
        .and_then(|values| values.try_into().ok())
        .with_context(|| format!("{DATA}: expected {READINGS} integers per row"))
}
