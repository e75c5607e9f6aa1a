//! `surprisal explain`: shows the surprisal of each column of a row.

use anyhow::{Result, bail};
use serde_json::{Value, json};
use surprisal::Nats;
use surprisal_trainer::applied::{Applied, Blamed};

use crate::answer::Answer;
use crate::args::RowArgs;
use crate::observer::Progress;
use crate::terminal::{Lines, line};

pub fn explain(args: &RowArgs, top: usize, line: Option<u64>, progress: &Progress) -> Result<Answer> {
    let applied = args.apply(progress)?;
    let Applied { artefact, frame, rows, scores, .. } = &applied;
    let mut shown: Vec<usize> = (0..rows.len()).collect();
    if let Some(line) = line {
        shown.retain(|&at| frame.lines[rows[at]] == line);
        if shown.is_empty() {
            let (path, unit) = (frame.path.display(), frame.unit);
            bail!("{path}: no selected row is on {unit} {line}; `surprisal score` lists the {unit}s of all rows");
        }
    } else {
        shown.sort_by_key(|&at| std::cmp::Reverse(scores[at].anomaly));
        shown.truncate(top);
    }
    let chosen: Vec<usize> = shown.iter().map(|&at| rows[at]).collect();
    let aligned = artefact.schema.aligned(frame)?;
    let mut by_source: Vec<_> = aligned.columns.iter().collect();
    by_source.sort_by_key(|encoding| encoding.source);
    let explained = applied.explain(&shown)?;
    let detector = artefact.detector();
    let (mut text, mut values) = (Lines::default(), Vec::new());
    let blamed = applied.blame(&shown)?;
    for ((&at, &row), (each, blamed)) in shown.iter().zip(&chosen).zip(explained.iter().zip(&blamed)) {
        let nats = scores[at].nats;
        let mut columns: Vec<_> = by_source.iter().zip(each).collect();
        let excess = |source, nats: Nats| i64::from(nats.raw()) - i64::from(detector.baseline(source).raw());
        columns.sort_by_key(|(encoding, nats)| std::cmp::Reverse(excess(encoding.source, **nats)));
        let p = detector.p_value(scores[at].anomaly);
        let file = if frame.files.is_empty() { String::new() } else { format!("{}: ", frame.path_of(row).display()) };
        let time = applied.time_of(row).map_or(String::new(), |time| format!(", {time}"));
        line!(text, "{file}{} {}{time}: {nats} nats, p {p}", frame.unit, frame.lines[row]);
        if applied.is_blank(at) {
            line!(text, "  no reading, so that nothing is known of this row");
            columns.clear();
        }
        let is_alarm = detector.judge(scores[at].anomaly).is_anomalous() && !applied.is_blank(at);
        let fault = is_alarm.then(|| fault(blamed, &mut text));
        let regime = scores[at].regime;
        if let Some(regime) = regime {
            let far = if regime.is_far { ", the nearest, but the row is far from every regime" } else { "" };
            line!(text, "  regime {}{far}", regime.index);
        }
        let mut listed = Vec::new();
        for (encoding, &nats) in columns {
            let (name, reading) = (aligned.name(encoding), frame.columns[encoding.file].text(row));
            let baseline = detector.baseline(encoding.source);
            let shown = if reading.is_empty() { "missing" } else { &*reading };
            line!(text, "  {name:<20} {shown:>14} {:>10}, baseline {baseline}", nats.to_string());
            listed.push(json!({
                "column": name, "reading": reading, "nats": f64::from(nats), "baseline": f64::from(baseline)
            }));
        }
        values.push(json!({
            frame.unit: frame.lines[row], "time": applied.time_of(row), "nats": f64::from(nats), "blame": fault,
            "regime": regime.map(|regime| json!({ "index": regime.index, "far": regime.is_far })), "columns": listed
        }));
    }
    Ok(Answer { text: text.into_text(), value: json!({ "rows": values }) })
}

/// Prints the column that is most likely at fault in an anomalous row, and returns it for programs.
fn fault(blamed: &Blamed, text: &mut Lines) -> Value {
    let Blamed { column, expected, blame, runner_up } = blamed;
    let value = if expected.is_empty() { String::new() } else { format!(", expected {expected}") };
    let other = match runner_up {
        Some(other) if blame.is_ambiguous() => format!("; or {other}"),
        _ => String::new(),
    };
    line!(
        text,
        "  most likely at fault: {column}{value} (anomaly score {} in place of {}){other}",
        blame.anomaly,
        blame.before
    );
    json!({
        "column": column, "expected": expected, "anomaly": f64::from(blame.anomaly), "runner_up": runner_up,
        "ambiguous": blame.is_ambiguous(),
    })
}
