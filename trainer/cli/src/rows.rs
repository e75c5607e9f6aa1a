//! Applies a model to the rows of a file.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use surprisal_trainer::applied::{Applied, Selection};
use surprisal_trainer::artefact::Artefact;
use surprisal_trainer::data::{Frame, ReadOptions};
use surprisal_trainer::fleet::SHARED_FILE;
use surprisal_trainer::recalibrate;
use surprisal_trainer::split::{anomalous_rows, no_normal_row};
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
    /// Rows of `frame` that are selected.
    pub selection: Selection,
}

impl Read {
    /// Returns the selected rows with a reading that are normal or anomalous by their labels; without labels all are normal.
    pub fn of_kind(&self, anomalous: bool) -> Vec<usize> {
        self.selection.of_kind(&self.frame, anomalous)
    }

    /// Returns the selected rows that are normal and do not follow an anomalous row on which they depend. If no label of the
    /// file is that of normal rows, the error names the labels.
    pub fn normal_rows(&self) -> Result<Vec<usize>> {
        if let (Some((column, normal)), Some(_)) = (&self.selection.label, &self.selection.anomalous)
            && !anomalous_rows(&self.frame, column, normal)?.contains(&Some(false))
        {
            return Err(no_normal_row(&self.frame, column, normal, "")?.into());
        }
        Ok(self.of_kind(false).into_iter().filter(|&row| self.frame.may_be_normal(row)).collect())
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
        self.selection.settings().read_options(self.reading.options())
    }

    /// Reads the model and the data file, and selects rows.
    pub fn read(&self, progress: &Progress) -> Result<Read> {
        let artefact = recalibrate::read(&self.model)?;
        let frame = artefact.frame_observed(&self.data, &self.options(), progress)?;
        progress.clear();
        remarks(&frame.remarks);
        if self.selection.held_out && self.model.file_name().is_some_and(|name| name == SHARED_FILE) {
            bail!(
                "--held-out: {} was fitted on the training rows of all machines, each with held-out rows of its own; pass the file \
                 of a machine, which lies beside it, in its place",
                self.model.display()
            );
        }
        let selection = Selection::of(&artefact, &frame, &self.selection.settings())?;
        Ok(Read { artefact, frame, selection })
    }

    /// Reads the model and the data file and scores the selected rows.
    pub fn apply(&self, progress: &Progress) -> Result<Applied> {
        let Read { artefact, frame, selection } = self.read(progress)?;
        let applied = Applied::new(artefact, frame, selection, progress)?;
        progress.clear();
        remarks(&applied.unknown);
        Ok(applied)
    }

    /// Applies the model as [`apply`](Self::apply) does, for figures by label and for figures that are to hold for new rows.
    /// If no label is that of normal rows, refuses them if they seem to be labels of another kind than those of the fit, and
    /// otherwise warns, unless the user names the label of normal rows. Warns as well if the model was fitted on these rows.
    pub fn apply_to_measure(&self, progress: &Progress) -> Result<Applied> {
        let mut applied = self.apply(progress)?;
        let before = applied.unknown.len();
        applied.check_labels(self.selection.normal.is_some())?;
        remarks(&applied.unknown[before..]);
        Ok(applied)
    }
}
