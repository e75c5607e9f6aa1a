//! The models in the folder of a fleet, and fresh rows for each of them.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::journal;
use super::names::file_names;
use super::status::{MachineStatus, State};
use crate::artefact::Artefact;
use crate::data::{Frame, ReadOptions, Texts};
use crate::error::{Error, Result};
use crate::observer::{Event, Observer};
use crate::recalibrate::{self, ENDING};
use crate::windows;

/// Rows of a fleet, which name their machine.
#[derive(Clone, Debug)]
pub enum FleetRows {
    /// Files, which are read once.
    Files(Vec<PathBuf>),
    /// Columns in memory: (name, cells).
    Columns(Vec<(String, Texts)>),
}

impl FleetRows {
    /// Returns the paths of the files.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        match self {
            Self::Files(files) => files.clone(),
            Self::Columns(_) => Vec::new(),
        }
    }

    fn read(self, options: &ReadOptions, observer: &dyn Observer) -> Result<Frame> {
        match self {
            Self::Files(files) => windows::read_observed(None, &files, options, observer),
            Self::Columns(columns) => Frame::from_columns("data", columns, options),
        }
    }
}

/// The model of a machine.
pub(super) struct Member {
    /// Path of its file.
    pub path: PathBuf,
    pub artefact: Artefact,
    /// Why its last fit failed, so that the model is from before.
    pub failure: Option<String>,
}

/// The models in a folder.
pub(super) struct Folder {
    /// Column that names the machines.
    pub column: String,
    /// The models by machine.
    pub members: BTreeMap<String, Member>,
    /// (name of a file without its ending, reason) of models that cannot be read.
    pub damaged: Vec<(String, String)>,
}

/// Fresh rows of a fleet.
pub(super) struct FreshRows {
    frame: Frame,
    options: ReadOptions,
    /// The rows of each machine.
    pub machines: BTreeMap<String, Vec<usize>>,
}

impl Folder {
    /// Reads the models of a folder.
    ///
    /// # Errors
    /// [`Error::Io`] if the folder cannot be read, [`Error::Input`] if no model in it is that of a machine.
    pub fn read(folder: &Path) -> Result<Self> {
        let failed = "the folder of models cannot be read";
        let entries = std::fs::read_dir(folder).map_err(Error::io(folder, failed))?;
        let mut paths = Vec::new();
        for entry in entries {
            let path = entry.map_err(Error::io(folder, failed))?.path();
            let is_model = |ending: &OsStr| ending == "srp" || ending == ENDING;
            if path.extension().is_some_and(is_model) {
                paths.push(path);
            }
        }
        paths.sort();
        let mut failures = journal::failures(folder)?;
        let (mut column, mut members, mut damaged) = (None, BTreeMap::new(), Vec::new());
        for path in paths {
            match recalibrate::read(&path) {
                Ok(artefact) => {
                    // The table that machines share is that of no machine.
                    let Some(machine) = artefact.notes.fit.machine.clone() else { continue };
                    column.get_or_insert(machine.column);
                    let failure = failures.remove(&machine.name);
                    members.insert(machine.name, Member { path, artefact, failure });
                }
                Err(error) => damaged.push((stem(&path), format!("{error:#}"))),
            }
        }
        let message = "holds no model of a machine; fit a fleet with `surprisal fit --by COLUMN -o FOLDER`";
        let column = column.ok_or_else(|| Error::input(folder, message))?;
        Ok(Self { column, members, damaged })
    }

    /// Adds what the reading of rows takes from the fits of these models to options.
    pub fn add_options(&self, options: &mut ReadOptions) {
        let Some(Member { artefact, .. }) = self.members.values().next() else { return };
        let fit = &artefact.notes.fit;
        options.missing.extend(&fit.missing);
        if options.time.is_empty() {
            options.time.clone_from(&fit.time);
        }
        if options.label.is_none() {
            options.label = artefact.notes.label.as_ref().map(|(column, _)| column.clone());
        }
    }
}

impl FreshRows {
    /// Reads rows of a fleet, whose machines a column names. `options` are those of the user and of the fits.
    ///
    /// # Errors
    /// [`Error::Io`] and [`Error::Input`] if the files cannot be read, or have no such column.
    pub fn read(column: &str, data: FleetRows, mut options: ReadOptions, observer: &dyn Observer) -> Result<Self> {
        options.machine = Some(column.to_owned());
        let frame = data.read(&options, observer)?;
        frame.remarks.iter().for_each(|remark| observer.event(Event::Warning(remark)));
        let machines = frame.machines(column)?;
        Ok(Self { frame, options, machines })
    }

    /// Returns some of the rows, those of one machine, as its model reads them.
    pub fn for_model(&self, member: &Member, rows: &[usize]) -> Result<Frame> {
        member.artefact.frame_from(&self.options, |_| Ok(self.frame.rows_of_a_machine(rows)))
    }
}

impl Member {
    /// Returns the reason why the model is not that of the last fit, if it is not.
    pub fn outdated(&self) -> Option<String> {
        let error = self.failure.as_ref()?;
        Some(format!("its last fit failed, and the model is from before: {error}"))
    }

    /// Returns the name of the file without its ending.
    pub fn stem(&self) -> String {
        stem(&self.path)
    }
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// Reads the models in a folder and fresh rows, and applies `score` to the model and the rows of each machine. Machines that need
/// attention come first. A machine that cannot be scored is a result with the reason.
///
/// # Errors
/// Those of [`Folder::read`] and [`FreshRows::read`]; [`Error::Cancelled`] if the observer cancels.
pub(super) fn each_machine<T: Send>(
    folder: &Path,
    data: FleetRows,
    options: &ReadOptions,
    observer: &dyn Observer,
    score: impl Fn(&str, &Member, Frame) -> Result<(MachineStatus, T)> + Sync,
) -> Result<Vec<(MachineStatus, Option<T>)>> {
    let (folder, mut options) = (Folder::read(folder)?, options.clone());
    folder.add_options(&mut options);
    let mut fresh = FreshRows::read(&folder.column, data, options, observer)?;
    let mut all: Vec<(MachineStatus, Option<T>)> = Vec::new();
    all.extend(folder.damaged.iter().map(|(stem, error)| (MachineStatus::failed(stem, 0, error), None)));
    let mut work = Vec::new();
    for (name, member) in &folder.members {
        match fresh.machines.remove(name) {
            Some(rows) => work.push((name, member, rows)),
            None => all.push((MachineStatus::of(name, 0, State::NoRows), None)),
        }
    }
    let files = file_names(fresh.machines.keys().map(String::as_str));
    for ((name, rows), file) in fresh.machines.iter().zip(files) {
        // The file of a model that cannot be read has the name of its machine.
        match all.iter_mut().find(|(status, _)| status.state == State::Failed && status.machine == file) {
            Some((failed, _)) => (failed.machine, failed.rows) = (name.clone(), rows.len()),
            None => all.push((MachineStatus::of(name, rows.len(), State::NoModel), None)),
        }
    }
    observer.event(Event::Stage { name: "machines", steps: work.len() });
    let scored: Vec<(MachineStatus, Option<T>)> = work
        .into_par_iter()
        .map(|(name, member, rows)| {
            if observer.is_cancelled() {
                return Err(Error::Cancelled);
            }
            let failed = |error: String| (MachineStatus::failed(name, rows.len(), &error), None);
            let done = match member.outdated() {
                Some(error) => failed(error),
                None => match fresh.for_model(member, &rows).and_then(|own| score(name, member, own)) {
                    Ok((status, more)) => (status, Some(more)),
                    Err(error) => failed(format!("{error:#}")),
                },
            };
            observer.event(Event::Step);
            Ok(done)
        })
        .collect::<Result<_>>()?;
    all.extend(scored);
    all.sort_by(|(a, _), (b, _)| a.state.cmp(&b.state).then_with(|| a.machine.cmp(&b.machine)));
    Ok(all)
}
