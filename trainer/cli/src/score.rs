//! `surprisal score`: the surprisal of each row as CSV.

use anyhow::Result;
use serde_json::{Value, json};
use surprisal::Nats;
use surprisal_trainer::evaluate::mean;

use crate::answer::{Answer, csv_text};
use crate::args::RowArgs;
use crate::rows::Applied;

pub fn score(args: &RowArgs, last: Option<u32>) -> Result<Answer> {
    let Applied { artefact, frame, rows, surprises, scores, .. } = args.apply()?;
    let (detector, schema) = (artefact.detector(), &artefact.schema);
    let name = |column: u16| {
        let coding = schema.columns.iter().find(|coding| coding.source == column);
        coding.map_or("", |coding| schema.name(coding))
    };
    let each = |value: &dyn Fn(usize) -> Value| (0..rows.len()).map(value).collect::<Vec<_>>();
    let mut columns = vec![
        (frame.unit, each(&|at| json!(frame.lines[rows[at]]))),
        ("nats", each(&|at| json!(f64::from(scores[at])))),
        ("anomaly", each(&|at| json!(f64::from(surprises[at].oddness)))),
        ("p", each(&|at| json!(f64::from(detector.p_value(surprises[at].oddness).ppm()) / 1e6))),
        ("anomalous", each(&|at| json!(detector.judge(surprises[at].oddness).is_odd()))),
        ("largest", each(&|at| json!(f64::from(surprises[at].largest)))),
        ("column", each(&|at| json!(name(surprises[at].column)))),
    ];
    if let Some(last) = last {
        columns.push(("recent", recent(&scores, last as usize).into_iter().map(Value::from).collect()));
    }
    let cell = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Bool(bit) => u8::from(*bit).to_string(),
        number => number.to_string(),
    };
    let header: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
    let text = csv_text(&header, (0..rows.len()).map(|at| columns.iter().map(move |(_, values)| cell(&values[at]))))?;
    let mut value = json!({ "rows": rows.len(), "mean_nats": mean(&scores) });
    for (name, values) in columns {
        value[name] = values.into();
    }
    Ok(Answer { text, value })
}

/// Returns for each row the mean over the last rows up to it, at most `last` of them.
fn recent(scores: &[Nats], last: usize) -> Vec<f64> {
    let mut sum = 0;
    let mean = |at: usize| {
        sum += u64::from(scores[at].raw());
        sum -= at.checked_sub(last).map_or(0, |left| u64::from(scores[left].raw()));
        sum as f64 / 65536.0 / last.min(at + 1) as f64
    };
    (0..scores.len()).map(mean).collect()
}
