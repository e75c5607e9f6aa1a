//! The page that lists the machines of a fleet.

use std::path::Path;

use super::names::escaped;
use super::pages::MachinePage;
use super::status::{MachineStatus, State};
use crate::report::html::{Cell, escaped_html, page, paragraph, table, verdict};
use crate::report::words::{count, counted, number, percent};

impl State {
    /// Returns the state in words, as in "no threshold".
    pub fn words(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Alarms => "alarms",
            Self::Drifted => "drifted",
            Self::NoThreshold => "no threshold",
            Self::NoModel => "no model",
            Self::NoRows => "no rows",
            Self::Ok => "ok",
        }
    }

    /// Returns what the state means.
    fn meaning(self) -> &'static str {
        match self {
            Self::Failed => "the model is damaged or there twice, its last fit failed, or the rows cannot be scored",
            Self::Alarms => "more rows alarm than promised, beyond chance",
            Self::Drifted => "the mean surprisal has changed since the calibration, beyond chance",
            Self::NoThreshold => "the model never alarms, because its calibration rows were too few for the rate",
            Self::NoModel => "there are rows, but no model",
            Self::NoRows => "there is a model, but no row",
            Self::Ok => "none of these",
        }
    }

    /// Returns how strongly the state is coloured, in 0..=1.
    fn heat(self) -> f64 {
        match self {
            Self::Failed | Self::Alarms => 1.0,
            Self::Drifted => 0.6,
            Self::NoThreshold | Self::NoModel => 0.3,
            Self::NoRows | Self::Ok => 0.0,
        }
    }
}

/// Returns the page that lists machines, whose models are in a folder.
pub(super) fn index(machines: &[MachinePage], folder: &Path) -> String {
    let title = format!("Fleet of {}", counted(machines.len(), "machine"));
    let named = |state: State| machines.iter().filter(|one| one.status.state == state).count();
    let states =
        [State::Failed, State::Alarms, State::Drifted, State::NoThreshold, State::NoModel, State::NoRows, State::Ok];
    let found: Vec<(State, usize)> =
        states.into_iter().map(|state| (state, named(state))).filter(|found| found.1 > 0).collect();
    let counts: Vec<String> = found.iter().map(|(state, count)| format!("{}: {count}", state.words())).collect();
    let class = match found.iter().map(|(state, _)| state.heat()).fold(0.0, f64::max) {
        0.0 => "yes",
        1.0 => "no",
        _ => "partly",
    };
    let mut body = format!("<h1>{}</h1>\n", escaped_html(&title));
    body += &verdict(class, &format!("{}.", counts.join(", ")));
    body += &paragraph(&format!(
        "The models are in {}. Machines that need attention come first, and the name of a machine leads to its report.",
        folder.display()
    ));
    let has_labels = machines.iter().any(|one| one.recall.is_some());
    let head = ["machine", "state", "rows", "alarms", "promised", "drift, nats", "nats saved"];
    let head = head.into_iter().chain(has_labels.then_some("recall")).chain(["report"]);
    let head: Vec<String> = head.map(str::to_owned).collect();
    let rows: Vec<Vec<Cell>> = machines.iter().map(|one| row(one, has_labels)).collect();
    let meanings: Vec<String> =
        found.iter().map(|(state, _)| format!("{}: {}", state.words(), state.meaning())).collect();
    body += &table("Machines", &format!("Nats are per row. States: {}.", meanings.join("; ")), &head, &rows);
    page(&title, &body)
}

fn row(one: &MachinePage, has_labels: bool) -> Vec<Cell> {
    let MachineStatus { machine, rows, alarm_rate, promised, drift, drift_error, state, error } = &one.status;
    let share = |share: Option<f64>| Cell::new(share.map_or(String::new(), percent));
    let drift = match (drift, drift_error) {
        (Some(drift), Some(error)) => format!("{} ± {}", number(*drift), number(*error)),
        (Some(drift), None) => number(*drift),
        _ => String::new(),
    };
    let name = match &one.page {
        Some(page) => Cell::link(machine, &escaped(page)),
        None => Cell::head(machine),
    };
    let mut cells = vec![
        name,
        Cell::heat(state.words(), state.heat(), state.meaning()),
        Cell::new(count(*rows)),
        share(*alarm_rate),
        share(*promised),
        Cell::new(drift),
        Cell::new(one.saved.map_or(String::new(), number)),
    ];
    if has_labels {
        cells.push(share(one.recall));
    }
    let cautions = one.warnings.iter().map(|warning| format!("Caution: {}.", warning.message));
    // A verdict begins with the answer, and goes on with the reasons.
    let answer = one.verdict.iter().map(|verdict| format!("{}.", verdict.split(':').next().unwrap_or_default()));
    let said = error.iter().map(|error| format!("No report: {error}")).chain(answer).chain(cautions);
    cells.push(Cell::note(said.collect::<Vec<_>>().join(" ")).hint(one.verdict.clone().unwrap_or_default()));
    cells
}
