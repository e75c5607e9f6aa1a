//! Applies a model to the rows of a file.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use serde_json::{Value, json};
use surprisal::{Blame, Nats, RowScore};
use surprisal_trainer::artefact::Artefact;
use surprisal_trainer::data::{Frame, ReadOptions};
use surprisal_trainer::sample::text;
use surprisal_trainer::split::anomalous_rows;
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
        let mut unknown = self.artefact.schema.unknown_texts(&self.frame, rows)?;
        unknown.extend(self.artefact.schema.unexpected_missing(&self.frame, rows)?);
        remarks(&unknown);
        Ok(unknown)
    }
}

/// A model, a data file, and the scores of selected rows of the file.
pub struct Applied {
    /// Model with which the rows are scored.
    pub artefact: Artefact,
    /// Names of the columns of time stamps that the file has.
    pub time: Vec<String>,
    /// Content of the data file.
    pub frame: Frame,
    /// Indices in `frame` of the rows that are scored.
    pub rows: Vec<usize>,
    /// Whether each scored row has an anomalous label: `[row]`. `None` without a label column.
    pub anomalous: Option<Vec<bool>>,
    /// Surprisal, anomaly score and most surprising column of each scored row: `[row]`.
    pub scores: Vec<RowScore>,
    /// Surprisal of each scored row: `[row]`.
    pub surprisals: Vec<Nats>,
    /// Texts of categories that no training row has, and readings that are missing for the first time.
    pub unknown: Vec<Warning>,
}

impl Applied {
    /// Returns the time stamp of a row of the file as text, or `None` if it has none.
    pub fn time_of(&self, row: usize) -> Option<String> {
        let each = self.frame.time_of(row, &self.time);
        let texts: Vec<String> = each.into_iter().map(|(_, text)| text).collect();
        (!texts.is_empty()).then(|| texts.join(" "))
    }

    /// Returns what was recognised in the files, and other findings, for programs.
    pub fn warnings(&self) -> Value {
        let all: Vec<&Warning> = self.frame.remarks.iter().chain(&self.unknown).collect();
        json!(all)
    }
}

/// The column that is most likely at fault in a row.
pub struct Blamed {
    /// Name of the column.
    pub column: String,
    /// Value that makes the row most normal; empty for a time series, whose model sees residuals.
    pub expected: String,
    /// What the device would report.
    pub blame: Blame,
    /// Name of the column that explains the row second best.
    pub runner_up: Option<String>,
}

impl Applied {
    /// Returns the column at fault in each of these scored rows, which are positions in `rows`.
    pub fn blame(&self, chosen: &[usize]) -> Result<Vec<Blamed>> {
        let rows: Vec<usize> = chosen.iter().map(|&at| self.rows[at]).collect();
        let schema = &self.artefact.schema;
        let find = |source: u16| schema.columns.iter().find(|encoding| encoding.source == source);
        let name = |source: u16| find(source).map_or(String::new(), |encoding| schema.name(encoding).to_owned());
        let is_series = schema.predictor.view().window() > 0;
        let blamed = |blame: Blame| Blamed {
            column: name(blame.column),
            expected: find(blame.column).filter(|_| !is_series).map_or(String::new(), |at| text(at, blame.expected)),
            runner_up: blame.runner_up.map(|(column, _)| name(column)),
            blame,
        };
        let readings = schema.all_readings(&self.frame, &rows)?;
        Ok(self.artefact.blame(&readings)?.into_iter().map(blamed).collect())
    }
}

impl RowArgs {
    /// Returns the paths of the files that the command reads.
    pub fn inputs(&self) -> Vec<&Path> {
        std::iter::once(&self.model).chain(&self.data).map(PathBuf::as_path).collect()
    }

    /// Reads the model and the data file, and selects rows.
    pub fn read(&self, progress: &Progress) -> Result<Read> {
        let artefact = Artefact::read(&self.model)?;
        let fit = &artefact.notes.fit;
        let has_own_sessions = !self.time.is_empty() && self.time != fit.time && fit.history.is_some();
        if self.held_out && has_own_sessions {
            bail!("--time: --held-out needs the sessions of the fit; leave --time out, or fit with it");
        }
        let options = ReadOptions { time: self.time.clone(), ..self.reading.options() };
        let frame = artefact.frame_observed(&self.data, &options, progress)?;
        progress.clear();
        remarks(&frame.remarks);
        let rows = if self.held_out { artefact.held_out(&frame)? } else { (0..frame.rows()).collect() };
        let label = match &self.label {
            Some(column) => Some((column.clone(), self.normal.clone().unwrap_or_else(|| "0".into()))),
            // Rows without the label column, for example from devices in use, are scored without labels.
            None => artefact.notes.label.clone().filter(|(column, _)| frame.position(column).is_ok()),
        };
        let anomalous = label.map(|(column, normal)| anomalous_rows(&frame, &column, &normal)).transpose()?;
        let anomalous = anomalous.map(|anomalous| rows.iter().map(|&row| anomalous[row]).collect());
        Ok(Read { artefact, frame, rows, anomalous })
    }

    /// Reads the model and the data file and scores the selected rows.
    pub fn apply(&self, progress: &Progress) -> Result<Applied> {
        let read = self.read(progress)?;
        let unknown = read.warn_of_unknown(&read.rows)?;
        let Read { artefact, frame, rows, anomalous } = read;
        let row_scores = artefact.scores_of(&frame, &rows, progress)?;
        progress.clear();
        let mut time = if self.time.is_empty() { artefact.notes.fit.time.clone() } else { self.time.clone() };
        time.retain(|name| frame.position(name).is_ok());
        let surprisals = row_scores.iter().map(|score| score.nats).collect();
        Ok(Applied { time, unknown, artefact, frame, rows, anomalous, scores: row_scores, surprisals })
    }
}
