//! `surprisal score`: writes the surprisal and anomaly score of each row as CSV.

use anyhow::Result;
use serde_json::{Value, json};
use surprisal::{Nats, Regime};
use surprisal_trainer::evaluate::mean;

use crate::answer::{Answer, csv_text};
use crate::args::RowArgs;
use crate::rows::Applied;

/// Largest number of alarms whose column at fault is found.
const MOST_BLAMED: usize = 1000;

pub fn score(args: &RowArgs, last: Option<u32>) -> Result<Answer> {
    let applied = args.apply()?;
    let Applied { artefact, frame, rows, scores, surprisals, .. } = &applied;
    let (detector, schema) = (artefact.detector(), &artefact.schema);
    let name = |column: u16| {
        let encoding = schema.columns.iter().find(|encoding| encoding.source == column);
        encoding.map_or("", |encoding| schema.name(encoding))
    };
    let each = |value: &dyn Fn(usize) -> Value| (0..rows.len()).map(value).collect::<Vec<_>>();
    let mut columns = Vec::new();
    if !frame.files.is_empty() {
        columns.push(("file", each(&|at| json!(frame.path_of(rows[at]).display().to_string()))));
    }
    columns.extend([
        (frame.unit, each(&|at| json!(frame.lines[rows[at]]))),
        ("nats", each(&|at| json!(f64::from(surprisals[at])))),
        ("anomaly", each(&|at| json!(f64::from(scores[at].anomaly)))),
        ("p", each(&|at| json!(f64::from(detector.p_value(scores[at].anomaly).ppm()) / 1e6))),
        ("anomalous", each(&|at| json!(detector.judge(scores[at].anomaly).is_anomalous()))),
        ("largest", each(&|at| json!(f64::from(scores[at].largest)))),
        ("column", each(&|at| json!(name(scores[at].column)))),
    ]);
    let is_alarm = |&at: &usize| detector.judge(scores[at].anomaly).is_anomalous();
    let mut alarms: Vec<usize> = (0..rows.len()).filter(is_alarm).collect();
    // A replacement is scored many times, so that only the most anomalous rows get one.
    alarms.sort_by_key(|&at| std::cmp::Reverse(scores[at].anomaly));
    alarms.truncate(MOST_BLAMED);
    let mut of_alarms = vec![[const { String::new() }; 2]; rows.len()];
    for (&at, blamed) in alarms.iter().zip(applied.blame(&alarms)?) {
        of_alarms[at] = [blamed.column, blamed.expected];
    }
    columns.push(("blamed", each(&|at| json!(of_alarms[at][0]))));
    columns.push(("expected", each(&|at| json!(of_alarms[at][1]))));
    if artefact.views()?.iter().any(|view| view.prototypes.count() > 0) {
        let regimes = applied.regimes(&(0..rows.len()).collect::<Vec<_>>())?;
        columns
            .push(("regime", regimes.into_iter().map(|regime| json!(regime.map(|regime| shown(&regime)))).collect()));
    }
    if scores.iter().any(|score| score.missing > 0) {
        columns.push(("missing", each(&|at| json!(scores[at].missing))));
    }
    if let Some(last) = last {
        columns.push(("recent", recent(surprisals, last as usize).into_iter().map(Value::from).collect()));
    }
    let cell = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Bool(bit) => u8::from(*bit).to_string(),
        number => number.to_string(),
    };
    let header: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
    let text = csv_text(&header, (0..rows.len()).map(|at| columns.iter().map(move |(_, values)| cell(&values[at]))))?;
    let mut value = json!({ "rows": rows.len(), "mean_nats": mean(surprisals), "warnings": applied.warnings() });
    for (name, values) in columns {
        value[name] = values.into();
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
