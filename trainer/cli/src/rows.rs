//! Applies a model to the rows of a file.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use surprisal_trainer::applied::{Applied, Selection};
use surprisal_trainer::artefact::Artefact;
use surprisal_trainer::data::{Frame, ReadOptions};
use surprisal_trainer::recalibrate;
use surprisal_trainer::split::labels_of;
use surprisal_trainer::warning::Warning;

use crate::args::RowArgs;
use crate::observer::Progress;
use crate::terminal::remarks;

/// A model, a data file, and a selection of its rows.
pub struct Read {
    /// Model for the rows.
    pub artefact: Artefact,
    /// Content of the data file.
    pub frame: Frame,
    /// Indices in `frame` of the selected rows.
    pub rows: Vec<usize>,
    /// Column of the labels, and its value in normal rows. `None` without a label column.
    pub label: Option<(String, String)>,
    /// Whether each selected row has an anomalous label: `[row]`. `None` without a label column.
    pub anomalous: Option<Vec<bool>>,
}

impl Read {
    /// Returns the selected rows that are normal: those with a reading that neither have an anomalous label nor follow a row
    /// that has one.
    pub fn normal_rows(&self) -> Vec<usize> {
        let is_anomalous = |at: usize| self.anomalous.as_ref().is_some_and(|anomalous| anomalous[at]);
        let unlabelled = self.rows.iter().enumerate().filter(|(at, _)| !is_anomalous(*at));
        unlabelled.map(|(_, &row)| row).filter(|&row| self.frame.may_be_normal(row)).collect()
    }

    /// Warns of texts of categories that no training row has, and of readings that no training row lacks, in some rows of
    /// the file. Returns the warnings.
    pub fn warn_of_unknown(&self, rows: &[usize]) -> Result<Vec<Warning>> {
        let unknown = self.artefact.schema.unfamiliar(&self.frame, rows)?;
        remarks(&unknown);
        Ok(unknown)
    }
}

impl RowArgs {
    /// Returns the paths of the files that the command reads.
    pub fn inputs(&self) -> Vec<&Path> {
        std::iter::once(&self.model).chain(&self.data).map(PathBuf::as_path).collect()
    }

    /// Returns the options for reading the data files.
    pub fn options(&self) -> ReadOptions {
        ReadOptions { time: self.time.clone(), ..self.reading.options() }
    }

    /// Reads the model and the data file, and selects rows.
    pub fn read(&self, progress: &Progress) -> Result<Read> {
        let artefact = recalibrate::read(&self.model)?;
        let fit = &artefact.notes.fit;
        let has_own_sessions = !self.time.is_empty() && self.time != fit.time && fit.history.is_some();
        if self.held_out && has_own_sessions {
            bail!("--time: --held-out needs the sessions of the fit; leave --time out, or fit with it");
        }
        let frame = artefact.frame_observed(&self.data, &self.options(), progress)?;
        progress.clear();
        remarks(&frame.remarks);
        let rows = if self.held_out { artefact.held_out(&frame)? } else { (0..frame.rows()).collect() };
        let label = match &self.label {
            Some(column) => Some((column.clone(), self.normal.clone().unwrap_or_else(|| "0".into()))),
            // Rows without the label column, for example from devices in use, are scored without labels.
            None => artefact.notes.label.clone().filter(|(column, _)| frame.position(column).is_ok()),
        };
        let anomalous = labels_of(&frame, &rows, label.as_ref())?;
        Ok(Read { artefact, frame, rows, label, anomalous })
    }

    /// Reads the model and the data file and scores the selected rows.
    pub fn apply(&self, progress: &Progress) -> Result<Applied> {
        let read = self.read(progress)?;
        let Read { artefact, frame, rows, label, anomalous } = read;
        let selection = Selection { rows, label, anomalous, time: self.time.clone() };
        let applied = Applied::new(artefact, frame, selection, progress)?;
        progress.clear();
        remarks(&applied.unknown);
        Ok(applied)
    }
}
