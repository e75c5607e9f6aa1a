//! Which rows of a file a model is applied to, and which of them are anomalous, by the options of the commands.

use super::Applied;
use crate::artefact::Artefact;
use crate::data::{Frame, ReadOptions};
use crate::error::{Error, Result};
use crate::escape::column_option;
use crate::split::{Labels, anomalous_rows, labels_of, no_normal_row};
use crate::warning::Warning;

/// Rows to which a model is applied.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Indices of the rows in the frame, ascending.
    pub rows: Vec<usize>,
    /// Column of the labels, and its value in normal rows.
    pub label: Option<(String, String)>,
    /// Whether each selected row has an anomalous label: `[row]`. `None` without labels.
    pub anomalous: Option<Labels>,
    /// Names of the columns of time stamps; if empty, those of the fit. Columns that the frame lacks are left out.
    pub time: Vec<String>,
}

/// How rows are selected, as the options of the commands name it.
#[derive(Clone, Debug, Default)]
pub struct SelectionSettings {
    /// Whether to take only the rows of the training file that the fit did not use.
    pub held_out: bool,
    /// Column that marks anomalies; by default that of the fit, if the rows have it.
    pub label: Option<String>,
    /// Value of the label column in normal rows; by default that of the fit for its column, and 0 for others.
    pub normal: Option<String>,
    /// Names of the columns of time stamps; by default those of the fit.
    pub time: Vec<String>,
}

impl Selection {
    /// Selects rows of a frame that a model has read.
    ///
    /// # Errors
    /// [`Error::Option`] if the held-out rows are not known, or labels are needed and absent; [`Error::Input`] if there is no such
    /// column of labels.
    pub fn of(artefact: &Artefact, frame: &Frame, settings: &SelectionSettings) -> Result<Self> {
        let fit = &artefact.notes.fit;
        let has_own_sessions = !settings.time.is_empty() && settings.time != fit.time && fit.history.is_some();
        if settings.held_out && has_own_sessions {
            let message = "--held-out needs the sessions of the fit; leave --time out, or fit with it";
            return Err(Error::option("--time", message));
        }
        let rows = if settings.held_out { artefact.held_out(frame)? } else { (0..frame.rows()).collect() };
        let of_fit = artefact.notes.label.clone();
        let mut label = match &settings.label {
            Some(column) => of_fit.filter(|of_fit| of_fit.0 == *column).or_else(|| Some((column.clone(), "0".into()))),
            // Rows without the label column, for example from devices in use, are scored without labels.
            None => of_fit.filter(|(column, _)| settings.normal.is_some() || frame.position(column).is_ok()),
        };
        if let Some(normal) = &settings.normal {
            let message = "the model was fitted without labels; name their column with --label";
            let of = label.as_mut().ok_or_else(|| Error::option("--normal", message))?;
            of.1.clone_from(normal);
        }
        let anomalous = labels_of(frame, &rows, label.as_ref())?;
        Ok(Self { rows, label, anomalous, time: settings.time.clone() })
    }

    /// Returns the selected rows of a frame with a reading that are normal or anomalous by their labels; without labels all are
    /// normal.
    pub fn of_kind(&self, frame: &Frame, anomalous: bool) -> Vec<usize> {
        let kind = |at: usize| self.anomalous.as_ref().map_or(Some(false), |labels| labels[at]);
        let rows = self.rows.iter().enumerate();
        rows.filter(|&(at, &row)| kind(at) == Some(anomalous) && !frame.is_blank(row)).map(|(_, &row)| row).collect()
    }
}

impl SelectionSettings {
    /// Returns the options for reading the files of the rows, which name the columns that are no readings.
    pub fn read_options(&self, reading: ReadOptions) -> ReadOptions {
        ReadOptions { time: self.time.clone(), label: self.label.clone(), ..reading }
    }
}

impl Applied {
    /// Checks the labels of rows that are to be measured, and adds warnings to `unknown`: if no label is that of normal rows,
    /// and if the model was fitted on these rows. `is_named` is whether the user named the label of normal rows.
    ///
    /// # Errors
    /// [`Error::Input`] if no label is that of normal rows, and the labels seem to be of another kind than those of the fit.
    pub fn check_labels(&mut self, is_named: bool) -> Result<()> {
        if let Some((column, normal)) = self.label.as_ref().filter(|_| !is_named) {
            let (frame, labels) = (&self.frame, anomalous_rows(&self.frame, column, normal)?);
            if labels.contains(&Some(true)) && !labels.contains(&Some(false)) {
                let is_of_fit = self.artefact.notes.label.as_ref().is_some_and(|(of_fit, _)| of_fit == column);
                if !is_of_fit || is_of_another_kind(frame, frame.position(column)?, normal) {
                    let or = format!("; if all rows are anomalous, pass {}", column_option("--normal", normal));
                    return Err(no_normal_row(frame, column, normal, &or)?);
                }
                let message =
                    format!("no row has the value `{normal}` of normal rows, so that all labels count as anomalous");
                let file = frame.path.display().to_string();
                self.unknown.push(Warning { file, column: column.clone(), message });
            }
        }
        self.unknown.extend(self.of_fit());
        Ok(())
    }
}

/// Returns whether the labels in a column are numbers, but that of normal rows is not, or the reverse.
fn is_of_another_kind(frame: &Frame, column: usize, normal: &str) -> bool {
    let is_number = normal.parse::<f64>().is_ok();
    let labels = frame.columns[column].cells.counts(&[]);
    let mut labels = labels.into_iter().map(|(cell, _)| cell).filter(|cell| !cell.is_missing());
    labels.all(|cell| cell.number().is_some() != is_number)
}
