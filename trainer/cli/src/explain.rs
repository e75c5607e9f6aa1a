//! `surprisal explain`: shows the surprisal of each column of a row.

use anyhow::{Result, bail};
use serde_json::json;
use surprisal::Nats;

use crate::answer::Answer;
use crate::args::RowArgs;
use crate::rows::Applied;
use crate::terminal::{Lines, line};

pub fn explain(args: &RowArgs, top: usize, line: Option<u64>) -> Result<Answer> {
    let Applied { artefact, frame, rows, scores, .. } = args.apply()?;
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
    let aligned = artefact.schema.aligned(&frame)?;
    let readings = aligned.all_readings(&frame, &chosen)?;
    let mut by_source: Vec<_> = aligned.columns.iter().collect();
    by_source.sort_by_key(|encoding| encoding.source);
    let table = artefact.open()?;
    let explain = |readings: &Vec<_>| {
        let mut each = vec![Nats::ZERO; by_source.len()];
        table.explain(readings, &mut each).map(|nats| (nats, each))
    };
    let explained: Vec<(Nats, Vec<Nats>)> = readings.iter().map(explain).collect::<Result<_, _>>()?;
    let detector = artefact.detector();
    let (mut text, mut values) = (Lines::default(), Vec::new());
    for ((&at, &row), (nats, each)) in shown.iter().zip(&chosen).zip(&explained) {
        let mut columns: Vec<_> = by_source.iter().zip(each).collect();
        let excess = |source, nats: Nats| i64::from(nats.raw()) - i64::from(detector.baseline(source).raw());
        columns.sort_by_key(|(encoding, nats)| std::cmp::Reverse(excess(encoding.source, **nats)));
        let p = detector.p_value(scores[at].anomaly);
        line!(text, "{} {}: {nats} nats, p {p}", frame.unit, frame.lines[row]);
        let mut listed = Vec::new();
        for (encoding, &nats) in columns {
            let (name, reading) = (aligned.name(encoding), frame.columns[encoding.file].text(row));
            let baseline = detector.baseline(encoding.source);
            line!(text, "  {name:<20} {reading:>14} {:>10}, baseline {baseline}", nats.to_string());
            listed.push(json!({
                "column": name, "reading": reading, "nats": f64::from(nats), "baseline": f64::from(baseline)
            }));
        }
        values.push(json!({ frame.unit: frame.lines[row], "nats": f64::from(*nats), "columns": listed }));
    }
    Ok(Answer { text: text.into_text(), value: json!({ "rows": values }) })
}
