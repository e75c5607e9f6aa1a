//! `surprisal score`: writes the surprisal and anomaly score of each row as CSV.

use std::collections::HashMap;

use anyhow::Result;
use serde_json::{Value, json};
use surprisal::{Nats, Regime};

use crate::answer::{Answer, csv_text};
use crate::args::{AlarmArgs, RowArgs};
use crate::observer::Progress;
use surprisal_trainer::applied::Applied;

/// Largest number of alarms whose column at fault is found.
const MOST_BLAMED: usize = 1000;

/// The cells of a column by row.
type Cells<'a> = Box<dyn Fn(usize) -> Value + 'a>;

/// Scores rows. The answer has a value for programs only if `json` asks for it, because it takes much memory.
pub fn score(args: &RowArgs, rule: &AlarmArgs, last: Option<u32>, progress: &Progress, json: bool) -> Result<Answer> {
    let applied = args.apply(progress)?;
    let Applied { artefact, frame, rows, scores, surprisals, .. } = &applied;
    let (detector, schema) = (artefact.detector(), &artefact.schema);
    let name = |column: u16| schema.of_source(column).map_or("", |encoding| schema.name(encoding));
    let mut alarms = applied.positions(|at| detector.judge(scores[at].anomaly).is_anomalous() && !applied.is_blank(at));
    // A replacement is scored many times, so that only the most anomalous rows get one.
    alarms.sort_by_key(|&at| std::cmp::Reverse(scores[at].anomaly));
    alarms.truncate(MOST_BLAMED);
    let blamed = applied.blame(&alarms)?.into_iter().map(|blamed| [blamed.column, blamed.expected]);
    let of_alarms: HashMap<usize, [String; 2]> = alarms.into_iter().zip(blamed).collect();
    let reports = applied.monitored(&detector, rule.settings().rule);
    // Computed row by row, because the cells of a large file do not fit into memory as values.
    let mut columns: Vec<(&str, Cells)> = Vec::new();
    if !frame.files.is_empty() {
        columns.push(("file", Box::new(|at| json!(frame.path_of(rows[at]).display().to_string()))));
    }
    columns.push((frame.unit, Box::new(|at| json!(frame.lines[rows[at]]))));
    let stamps = columns.len()..columns.len() + applied.time.len();
    for time in &applied.time {
        let column = frame.position(time)?;
        columns.push((time, Box::new(move |at| json!(frame.columns[column].text(rows[at])))));
    }
    columns.push(("nats", Box::new(|at| json!(f64::from(surprisals[at])))));
    columns.push(("anomaly", Box::new(|at| json!(f64::from(scores[at].anomaly)))));
    columns.push(("p", Box::new(|at| json!(f64::from(detector.p_value(scores[at].anomaly).ppm()) / 1e6))));
    columns.push(("anomalous", Box::new(|at| json!(detector.judge(scores[at].anomaly).is_anomalous()))));
    columns.push(("severity", Box::new(|at| json!(reports[at].severity.word()))));
    columns.push(("trend", Box::new(|at| json!(reports[at].trend))));
    columns.push(("alarm", Box::new(|at| json!(reports[at].alarm))));
    columns.push(("largest", Box::new(|at| json!(f64::from(scores[at].largest)))));
    columns.push(("column", Box::new(|at| json!(name(scores[at].column)))));
    columns.push(("blamed", Box::new(|at| json!(of_alarms.get(&at).map_or("", |alarm| &alarm[0])))));
    columns.push(("expected", Box::new(|at| json!(of_alarms.get(&at).map_or("", |alarm| &alarm[1])))));
    if scores.iter().any(|score| score.regime.is_some()) {
        columns.push(("regime", Box::new(|at| json!(scores[at].regime.map(|regime| shown(&regime))))));
    }
    if scores.iter().any(|score| score.missing > 0) {
        columns.push(("missing", Box::new(|at| json!(scores[at].missing))));
    }
    if let Some(last) = last {
        let recent = recent(surprisals, last as usize);
        columns.push(("recent", Box::new(move |at| json!(recent[at]))));
    }
    let cell = |value: Value| match value {
        Value::String(text) => text,
        Value::Bool(bit) => u8::from(bit).to_string(),
        number => number.to_string(),
    };
    // Columns of time stamps have names of the file, which may be those of other columns.
    let mut header: Vec<String> = columns.iter().map(|(name, _)| (*name).to_owned()).collect();
    for at in stamps.clone() {
        while (0..header.len()).any(|other| other != at && header[other] == header[at]) {
            header[at] += "_2";
        }
    }
    let text = csv_text(&header, (0..rows.len()).map(|at| columns.iter().map(move |(_, value)| cell(value(at)))))?;
    let mut value = json!({ "rows": rows.len(), "mean_nats": applied.mean_nats(&applied.with_reading()), "warnings": json!(applied.warnings()) });
    for (at, (name, of_row)) in columns.iter().enumerate().filter(|_| json) {
        let values: Vec<Value> = (0..rows.len()).map(of_row).collect();
        let entries = if stamps.contains(&at) { &mut value["time"] } else { &mut value };
        entries[*name] = values.into();
    }
    Ok(Answer { text, value })
}

/// Returns the index of a regime, or "none" for a row that is far from every regime.
fn shown(regime: &Regime) -> String {
    if regime.is_far { "none".into() } else { regime.index.to_string() }
}

/// Returns the mean surprisal, in nats, of the last `last` rows up to and including each row: `[row]`.
fn recent(surprisals: &[Nats], last: usize) -> Vec<f64> {
    let mut sum = 0;
    let mean = |at: usize| {
        sum += u64::from(surprisals[at].raw());
        sum -= at.checked_sub(last).map_or(0, |left| u64::from(surprisals[left].raw()));
        sum as f64 / 65536.0 / last.min(at + 1) as f64
    };
    (0..surprisals.len()).map(mean).collect()
}
