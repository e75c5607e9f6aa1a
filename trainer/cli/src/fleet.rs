//! `surprisal fit --by` and `surprisal fleet`: one table per machine, and a fleet in use.

use std::path::Path;

use anyhow::{Result, bail};
use serde_json::json;
use surprisal_trainer::counted::counted;
use surprisal_trainer::data::ReadOptions;
use surprisal_trainer::evaluate::median;
use surprisal_trainer::fleet::{self, Fleet, FleetReport, FleetRows, MachineStatus, SharedReport};
use surprisal_trainer::pipeline::Job;

use crate::answer::Answer;
use crate::args::FleetCommand;
use crate::observer::Progress;
use crate::paths;
use crate::terminal::{Lines, line};

mod compare;
mod report;

/// Largest number of machines that a list for people names.
const NAMED: usize = 20;

/// Runs a command for fleets, and prints its answer by `print`.
///
/// # Errors
/// The errors of the library. If some machines failed, `print` prints the answer first, and then there is an error.
pub fn run(command: FleetCommand, progress: &Progress, print: impl FnOnce(Answer) -> Result<()>) -> Result<()> {
    match command {
        FleetCommand::Status { models, data, reading, time, out } => {
            let options = ReadOptions { time, ..reading.options() };
            let inputs = [data.clone(), fleet::files(&models)?].concat();
            let (mut failed, mut all) = (0, 0);
            print(out.deliver(&paths(&inputs), || {
                let machines = fleet::status(&models, FleetRows::Files(data.clone()), &options, progress)?;
                progress.clear();
                (failed, all) = (machines.iter().filter(|one| one.error.is_some()).count(), machines.len());
                Ok(Answer { text: status_table(&machines).into_text(), value: json!({ "machines": machines }) })
            })?)?;
            if failed > 0 {
                bail!("{failed} of {} cannot be scored; the list says why", counted(all, "machine"));
            }
            Ok(())
        }
        FleetCommand::Report(args) => report::report(args, progress, print),
        FleetCommand::Compare(args) => compare::compare(args, progress, print),
    }
}

/// Fits a table for each machine that a column names.
///
/// # Errors
/// The errors of the library. If some machines have no model, `print` prints the answer first, and then there is an error.
pub fn fit(job: &Job, fleet: &Fleet, progress: &Progress, print: impl FnOnce(Answer) -> Result<()>) -> Result<()> {
    let report = fleet::fit(job, fleet, progress)?;
    let folder = &fleet.folder;
    progress.clear();
    let failed = report.machines.iter().filter(|fit| fit.error.is_some()).count();
    let all = report.machines.len();
    print(Answer { text: summary(&report, folder), value: json!({ "folder": folder, "fleet": report }) })?;
    if failed > 0 {
        bail!(
            "{failed} of {} have no model; correct their rows and run the same command again, which keeps the other models",
            counted(all, "machine")
        );
    }
    Ok(())
}

fn summary(report: &FleetReport, folder: &Path) -> String {
    let mut text = Lines::default();
    let fitted: Vec<_> = report.machines.iter().filter_map(|fit| fit.fitted.as_ref()).collect();
    let kept = if report.kept > 0 { format!(", {} of them kept from before", report.kept) } else { String::new() };
    line!(
        text,
        "{}: {} of {}{kept}",
        folder.display(),
        counted(fitted.len(), "model"),
        counted(report.machines.len(), "machine")
    );
    let mut spread = |name: &str, digits: usize, of: &dyn Fn(&fleet::Fitted) -> Option<f64>| {
        let mut each: Vec<f64> = fitted.iter().filter_map(|fit| of(fit)).collect();
        each.sort_by(f64::total_cmp);
        if let (Some(least), Some(median), Some(most)) = (each.first(), median(&each), each.last()) {
            line!(text, "  {name:<36} {least:>10.digits$} {median:>10.digits$} {most:>10.digits$}");
        }
    };
    spread("least, median, most: table bytes", 0, &|fit| Some(fit.table_bytes as f64));
    spread("threshold in nats", 3, &|fit| fit.threshold);
    spread("nats per validation row", 3, &|fit| Some(fit.nats));
    spread("better than independent columns by", 3, &|fit| fit.gain);
    spread("nats that a shared table loses", 3, &|fit| fit.shared_loss);
    if let Some(SharedReport { file, table_bytes, machines }) = &report.shared {
        let of_calibration = |fit: &&fleet::MachineFit| fit.file.as_ref().is_some_and(|file| file.ends_with(".cal"));
        let sizes =
            report.machines.iter().filter(of_calibration).filter_map(|fit| Some(fit.fitted.as_ref()?.file_bytes));
        let most = sizes.max().unwrap_or(0);
        let others = if *machines < fitted.len() { "; the others predict better by tables of their own" } else { "" };
        line!(
            text,
            "  {machines} of these use {file} ({table_bytes} bytes for the board) with calibrations of {most} bytes at most{others}"
        );
    }
    let silent = fitted.iter().filter(|fit| fit.threshold.is_none()).count();
    if silent > 0 {
        line!(
            text,
            "  {silent} of these never alarm, because their calibration rows are too few for the rate; pass a higher --false-alarm, \
             or more rows"
        );
    }
    if report.nameless > 0 {
        line!(text, "  {} without the name of a machine left out", counted(report.nameless, "row"));
    }
    if let Some(typical) = report.typical.as_ref().filter(|_| !report.unlike.is_empty()) {
        line!(text, "  unlike the others, by nats per row that `{typical}`'s table loses on their rows:");
        for (name, nats) in report.unlike.iter().take(NAMED) {
            line!(text, "    {name:<30} {nats:>10.3}");
        }
        more(&mut text, report.unlike.len());
    }
    for (name, reason) in report.apart.iter().take(NAMED) {
        line!(text, "  `{name}` cannot be compared with the others: {reason}");
    }
    more(&mut text, report.apart.len());
    let failed: Vec<_> = report.machines.iter().filter_map(|fit| Some((&fit.machine, fit.error.as_ref()?))).collect();
    for (name, error) in failed.iter().take(NAMED) {
        line!(text, "  `{name}` has no model: {error}");
    }
    more(&mut text, failed.len());
    text.into_text()
}

fn more(text: &mut Lines, count: usize) {
    if count > NAMED {
        line!(text, "    and {} more, which --json lists", count - NAMED);
    }
}

/// Lists the states of machines.
fn status_table<'m>(machines: impl IntoIterator<Item = &'m MachineStatus>) -> Lines {
    let mut text = Lines::default();
    line!(text, "{:<12} {:>8} {:>8} {:>9} {:>19}  machine", "state", "rows", "alarms", "promised", "drift in nats");
    for MachineStatus { machine, rows, alarm_rate, promised, drift, drift_error, state, error } in machines {
        let drift = drift.zip(*drift_error).map_or(String::new(), |(drift, error)| format!("{drift:+.3} ± {error:.3}"));
        let percent = |share: &Option<f64>| share.map_or(String::new(), |share| format!("{:.2} %", 100.0 * share));
        let [alarms, promised] = [alarm_rate, promised].map(percent);
        let why = error.as_ref().map_or(String::new(), |error| format!(": {error}"));
        line!(text, "{:<12} {rows:>8} {alarms:>8} {promised:>9} {drift:>19}  {machine}{why}", state.words());
    }
    text
}
