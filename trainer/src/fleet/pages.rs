//! Reports on the machines of a fleet: a page for each of them, and one that lists them all.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use serde::Serialize;

use super::folder::{FleetRows, Member, each_machine, files};
use super::index::index;
use super::names::page_name;
use super::shared;
use super::status::MachineStatus;
use crate::alarms::AlarmSettings;
use crate::applied::{Applied, Selection, SelectionSettings};
use crate::data::{Frame, ReadOptions};
use crate::error::{Error, Result};
use crate::observer::{Event, Observer};
use crate::output::{Output, write_whole};
use crate::report::{Grade, PageSettings, page};
use crate::warning::Warning;

/// Name of the page that lists the machines.
pub const INDEX: &str = "index.html";

/// Settings of the reports on a fleet.
#[derive(Clone, Debug, Default)]
pub struct PagesSettings {
    /// How the files are read.
    pub reading: ReadOptions,
    /// Which rows of a machine its page is about.
    pub selection: SelectionSettings,
    /// The rule of alarms, and the number of rows per second.
    pub alarms: AlarmSettings,
}

/// One machine and its page.
#[derive(Clone, Debug, Serialize)]
pub struct MachinePage {
    /// State of the machine; `error` says why there is no page.
    #[serde(flatten)]
    pub status: MachineStatus,
    /// Name of its page in the folder of pages; `None`, as are the next four, if there is none.
    pub page: Option<String>,
    /// How good the model is.
    pub grade: Option<Grade>,
    /// The answer of the page in one sentence.
    pub verdict: Option<String>,
    /// Nats per row that the model saves against independent columns; `None` also for too few rows.
    pub saved: Option<f64>,
    /// Share of the rows with an anomalous label that alarm, in 0..=1; `None` also without such rows.
    pub recall: Option<f64>,
    /// What was found in the rows.
    pub warnings: Vec<Warning>,
}

/// Writes a page for each machine that has a model in a folder and fresh rows, as [`page`] makes it, and `index.html`, which lists
/// all machines in the order of [`status`](super::status()). The files of rows are read once.
///
/// A machine whose page cannot be written does not stop the others. Pages that exist are replaced, and other files in the folder of
/// pages stay; the observer gets a warning if there are other pages, which may be those of an earlier report.
///
/// # Errors
/// The errors of [`status`](super::status()); [`Error::Option`] if `pages` is a file or the folder of the models; [`Error::Io`] if
/// the list cannot be written, before any page is; [`Error::OutputIsInput`] if it would replace a file of rows or a model.
pub fn report(
    folder: &Path,
    data: FleetRows,
    pages: &Path,
    settings: &PagesSettings,
    observer: &dyn Observer,
) -> Result<Vec<MachinePage>> {
    if pages.is_file() {
        let message = format!("{} is a file; name a folder for the pages", pages.display());
        return Err(Error::option("-o", message));
    }
    // A folder of models is all that a fleet is, and is copied and listed as such.
    if let (Ok(own), Ok(other)) = (pages.canonicalize(), folder.canonicalize())
        && own == other
    {
        let message = format!("{} is the folder of the models; name another folder for the pages", pages.display());
        return Err(Error::option("-o", message));
    }
    let (files, list, models) = (data.files(), pages.join(INDEX), files(folder)?);
    let inputs = super::paths(&files);
    let all_inputs = [inputs.as_slice(), &super::paths(&models)].concat();
    if pages.is_dir() {
        // Whether the list can be written shows before the work.
        drop(Output::create(&list, &all_inputs)?);
    }
    let options = settings.selection.read_options(settings.reading.clone());
    let one = |name: &str, member: &Member, frame: Frame| of_machine(name, member, frame, (pages, &inputs), settings);
    let machines = each_machine(folder, data, &options, observer, one)?;
    let machines: Vec<MachinePage> =
        machines.into_iter().map(|(status, page)| page.unwrap_or_else(|| MachinePage::without(status))).collect();
    fs::create_dir_all(pages).map_err(Error::io(pages, "the folder of pages cannot be made"))?;
    write_whole(&list, index(&machines, folder).as_bytes(), &all_inputs)?;
    if let Some(warning) = others(pages, &machines) {
        observer.event(Event::Warning(&warning));
    }
    Ok(machines)
}

/// Returns a warning of pages in the folder that are not of this report, such as those of machines that have none now.
fn others(pages: &Path, machines: &[MachinePage]) -> Option<Warning> {
    let own: HashSet<&str> = machines.iter().filter_map(|one| one.page.as_deref()).chain([INDEX]).collect();
    let names =
        fs::read_dir(pages).ok()?.filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()));
    let mut others: Vec<String> =
        names.filter(|name| name.ends_with(".html") && !own.contains(name.as_str())).collect();
    others.sort();
    let first = others.first()?;
    let more = if others.len() > 1 { format!(" and {} more", others.len() - 1) } else { String::new() };
    let message = format!(
        "holds {first}{more}, which this report did not write and does not list; the numbers of pages of an earlier report are old, so \
         delete them"
    );
    Some(Warning { file: pages.display().to_string(), column: String::new(), message })
}

/// Writes the page of a machine.
fn of_machine(
    name: &str,
    member: &Member,
    frame: Frame,
    (pages, data): (&Path, &[&Path]),
    settings: &PagesSettings,
) -> Result<(MachineStatus, MachinePage)> {
    let selection = Selection::of(&member.artefact, &frame, &settings.selection)?;
    let mut applied = Applied::new(member.artefact.clone(), frame, selection, &())?;
    applied.check_labels(settings.selection.normal.is_some())?;
    let status = MachineStatus::of_applied(name, &applied);
    let of_page = PageSettings {
        alarms: settings.alarms,
        model: member.path.file_name().unwrap_or_default().display().to_string(),
        ..PageSettings::default()
    };
    let written = page(&applied, None, &of_page).and_then(|page| {
        let file = page_name(&member.stem());
        let shared = member.path.with_file_name(shared::FILE);
        let inputs = [data, &[&member.path, &shared]].concat();
        fs::create_dir_all(pages).map_err(Error::io(pages, "the folder of pages cannot be made"))?;
        write_whole(&pages.join(&file), page.html.as_bytes(), &inputs)?;
        Ok((file, page))
    });
    let mut done = MachinePage { warnings: applied.unknown, ..MachinePage::without(status.clone()) };
    match written {
        Ok((file, page)) => {
            done.page = Some(file);
            (done.grade, done.verdict) = (Some(page.grade), Some(page.verdict));
            (done.saved, done.recall) = (page.saved, page.recall);
        }
        Err(error) => done.status.error = Some(format!("{error:#}")),
    }
    Ok((status, done))
}

impl MachinePage {
    fn without(status: MachineStatus) -> Self {
        Self { status, page: None, grade: None, verdict: None, saved: None, recall: None, warnings: Vec::new() }
    }
}
