//! The models in the folder of a fleet, and fresh rows for each of them.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
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
    /// Why it cannot be taken for the machine's model, if it cannot.
    faults: Vec<String>,
}

/// The models in a folder.
pub(super) struct Folder {
    /// Column that names the machines.
    pub column: String,
    /// The models by machine.
    members: BTreeMap<String, Member>,
    /// (name of a file without its ending, reason) of models that cannot be read.
    damaged: Vec<(String, String)>,
}

/// Fresh rows of a fleet.
pub(super) struct FreshRows {
    frame: Frame,
    options: ReadOptions,
    /// The rows of each machine.
    pub machines: BTreeMap<String, Vec<usize>>,
}

/// Returns the paths of the models in a folder, in alphabetical order.
fn models(folder: &Path) -> Result<Vec<PathBuf>> {
    let failed = "the folder of models cannot be read";
    let entries = std::fs::read_dir(folder).map_err(Error::io(folder, failed))?;
    let paths = entries.map(|entry| entry.map(|entry| entry.path())).collect::<std::io::Result<Vec<_>>>();
    let mut paths = paths.map_err(Error::io(folder, failed))?;
    let is_model = |ending: &OsStr| ending == "srp" || ending == ENDING;
    paths.retain(|path| path.extension().is_some_and(is_model));
    paths.sort();
    Ok(paths)
}

/// Returns the paths of all files that the commands for fleets read in a folder of models, which no output may replace.
///
/// # Errors
/// [`Error::Io`] if the folder cannot be read.
pub fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    Ok([models(folder)?, vec![folder.join(journal::FILE)]].concat())
}

/// Returns machines by the names of their files without endings, as a fit of all these machines names the files, and as the models
/// that can be read have them.
pub(super) fn names_by_stem(folders: &[&Folder], fresh: Option<&FreshRows>) -> HashMap<String, String> {
    let members = || folders.iter().flat_map(|folder| &folder.members);
    let of_rows = fresh.into_iter().flat_map(|fresh| fresh.machines.keys());
    let all: BTreeSet<&String> = members().map(|(name, _)| name).chain(of_rows).collect();
    let files = file_names(all.iter().map(|name| name.as_str()));
    let of_fit = files.into_iter().zip(all).map(|(stem, name)| (stem, name.clone()));
    of_fit.chain(members().map(|(name, member)| (member.stem(), name.clone()))).collect()
}

impl Folder {
    /// Reads the models of a folder.
    ///
    /// # Errors
    /// [`Error::Io`] if the folder cannot be read, [`Error::Input`] if no model in it is that of a machine.
    pub fn read(folder: &Path) -> Result<Self> {
        let mut failures = journal::failures(folder)?;
        let (mut column, mut members, mut damaged) = (None, BTreeMap::new(), Vec::new());
        for path in models(folder)? {
            match recalibrate::read(&path) {
                Ok(artefact) => {
                    // The table that machines share is that of no machine.
                    let Some(machine) = artefact.notes.fit.machine.clone() else { continue };
                    column.get_or_insert(machine.column);
                    let failed = failures.remove(&machine.name);
                    let faults =
                        failed.map(|error| format!("its last fit failed, and the model is from before: {error}"));
                    match members.entry(machine.name) {
                        Entry::Vacant(new) => {
                            new.insert(Member { path, artefact, faults: faults.into_iter().collect() });
                        }
                        Entry::Occupied(mut first) => {
                            let Member { path: other, faults, .. } = first.get_mut();
                            let [other, path] = [other.as_path(), &path].map(Path::display);
                            faults.push(format!("{other} and {path} are both models of this machine; remove one"));
                        }
                    }
                }
                Err(error) => damaged.push((stem(&path), format!("{error:#}"))),
            }
        }
        let Some(column) = column else {
            // Calibrations without the table that they share can be made whole; a new fit would replace them.
            let first =
                damaged.first().map(|(stem, error): &(String, String)| format!("cannot be used: {stem}: {error}"));
            let none = "holds no model of a machine; fit a fleet with `surprisal fit --by COLUMN -o FOLDER`";
            return Err(Error::input(folder, first.unwrap_or_else(|| none.into())));
        };
        Ok(Self { column, members, damaged })
    }

    /// Returns the model of each machine, or why it has none that can be taken. A file that cannot be read is that of the machine
    /// with this name, or else stands for itself.
    pub fn models(self, names: &HashMap<String, String>) -> BTreeMap<String, Result<Member, String>> {
        let mut faults = BTreeMap::<String, Vec<String>>::new();
        for (stem, error) in self.damaged {
            faults.entry(names.get(&stem).cloned().unwrap_or(stem)).or_default().push(error);
        }
        let mut all = BTreeMap::new();
        for (name, mut member) in self.members {
            member.faults.extend(faults.remove(&name).unwrap_or_default());
            let model = if member.faults.is_empty() { Ok(member) } else { Err(member.faults.join("; ")) };
            all.insert(name, model);
        }
        all.extend(faults.into_iter().map(|(name, errors)| (name, Err(errors.join("; ")))));
        all
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
            options.label = self.label().map(str::to_owned);
        }
    }

    /// Returns the label column of the fits, if they have one.
    pub fn label(&self) -> Option<&str> {
        let label = self.members.values().next()?.artefact.notes.label.as_ref();
        label.map(|(column, _)| column.as_str())
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
    let names = names_by_stem(&[&folder], Some(&fresh));
    let (mut all, mut work): (Vec<(MachineStatus, Option<T>)>, _) = (Vec::new(), Vec::new());
    for (name, model) in folder.models(&names) {
        match (model, fresh.machines.remove(&name)) {
            (Ok(member), Some(rows)) => work.push((name, member, rows)),
            (Ok(_), None) => all.push((MachineStatus::of(&name, 0, State::NoRows), None)),
            (Err(error), rows) => {
                all.push((MachineStatus::failed(&name, rows.map_or(0, |rows| rows.len()), &error), None))
            }
        }
    }
    let others = fresh.machines.iter();
    all.extend(others.map(|(name, rows)| (MachineStatus::of(name, rows.len(), State::NoModel), None)));
    observer.event(Event::Stage { name: "machines", steps: work.len() });
    let scored: Vec<(MachineStatus, Option<T>)> = work
        .into_par_iter()
        .map(|(name, member, rows)| {
            if observer.is_cancelled() {
                return Err(Error::Cancelled);
            }
            let done = match fresh.for_model(&member, &rows).and_then(|own| score(&name, &member, own)) {
                Ok((status, more)) => (status, Some(more)),
                Err(error) => (MachineStatus::failed(&name, rows.len(), &format!("{error:#}")), None),
            };
            observer.event(Event::Step);
            Ok(done)
        })
        .collect::<Result<_>>()?;
    all.extend(scored);
    all.sort_by(|(a, _), (b, _)| a.state.cmp(&b.state).then_with(|| a.machine.cmp(&b.machine)));
    Ok(all)
}
