//! The machines of a fleet that are done, one line of JSON for each, so that a fit can go on where it ended.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use serde::{Deserialize, Serialize};

use super::MachineFit;
use crate::data::checksum;
use crate::error::{Error, Result};
use crate::pipeline::Job;

/// Name of the file in the folder of models.
pub(super) const FILE: &str = "fleet.jsonl";

/// The file, and what it held when it was opened.
pub(super) struct Journal {
    folder: PathBuf,
    path: PathBuf,
    settings: u32,
    done: HashMap<String, MachineFit>,
    file: Mutex<File>,
}

/// A line of the file.
#[derive(Serialize, Deserialize)]
struct Line {
    /// Checksum of the settings of the fit.
    settings: u32,
    #[serde(flatten)]
    fit: MachineFit,
}

impl Journal {
    /// Opens the journal of a folder, or begins one. `is_shared` is whether machines may share a table.
    pub fn open(folder: &Path, job: &Job, is_shared: bool) -> Result<Self> {
        let path = folder.join(FILE);
        let text = read(&path, "cannot be read; delete it to fit all machines anew")?;
        let settings = settings(job, is_shared);
        let lines = lines(&text).filter(|line| line.settings == settings && line.fit.error.is_none());
        let done = lines.map(|line| (line.fit.machine.clone(), line.fit)).collect();
        let failed = "cannot be written; check the folder";
        let mut file = OpenOptions::new().create(true).append(true).open(&path).map_err(Error::io(&path, failed))?;
        if !text.is_empty() && !text.ends_with('\n') {
            file.write_all(b"\n").map_err(Error::io(&path, failed))?;
        }
        Ok(Self { folder: folder.to_owned(), path, settings, done, file: Mutex::new(file) })
    }

    /// Returns the fit of a machine if it was fitted from rows with this digest, and its file is as it was written.
    pub fn kept(&self, machine: &str, digest: u32) -> Option<MachineFit> {
        let done = self.done.get(machine).filter(|done| done.digest == digest)?;
        let bytes = std::fs::read(self.folder.join(done.file.as_ref()?)).ok()?;
        (checksum(&bytes) == done.fitted.as_ref()?.crc).then(|| done.clone())
    }

    /// Adds a fit, and returns it.
    pub fn add(&self, fit: MachineFit) -> Result<MachineFit> {
        let line = Line { settings: self.settings, fit };
        let text = serde_json::to_string(&line).expect("a fit has names for its fields") + "\n";
        let mut file = self.file.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        file.write_all(text.as_bytes()).map_err(Error::io(&self.path, "cannot be written; check the disk"))?;
        Ok(line.fit)
    }
}

/// Returns the text of a journal, which is empty if there is none yet.
fn read(path: &Path, failed: &str) -> Result<String> {
    match std::fs::read_to_string(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(String::new()),
        other => other.map_err(Error::io(path, failed)),
    }
}

/// Yields the lines of a journal. The last line of a fit that was interrupted may be cut short; other lines that are no JSON are
/// not ours to judge.
fn lines(text: &str) -> impl Iterator<Item = Line> {
    text.lines().filter_map(|line| serde_json::from_str(line).ok())
}

/// Returns the machines in a folder whose last fit failed, each with the reason.
pub(super) fn failures(folder: &Path) -> Result<HashMap<String, String>> {
    let text = read(&folder.join(FILE), "cannot be read; check the folder")?;
    let last: HashMap<String, Option<String>> = lines(&text).map(|line| (line.fit.machine, line.fit.error)).collect();
    Ok(last.into_iter().filter_map(|(machine, error)| Some((machine, error?))).collect())
}

/// Returns a checksum of the settings of a job: all but its files and its machine.
fn settings(job: &Job, is_shared: bool) -> u32 {
    let like = job.like.as_ref().map(|like| like.fingerprint());
    let job = Job { train: Vec::new(), machine: None, like: None, ..job.clone() };
    let shared = if is_shared { " shared" } else { "" };
    checksum(format!("{} {job:?} {like:?}{shared}", env!("CARGO_PKG_VERSION")).as_bytes())
}
