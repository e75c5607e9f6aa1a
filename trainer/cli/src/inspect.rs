//! `surprisal inspect`: shows the content of a model.

use std::path::Path;

use anyhow::Result;
use serde_json::{Value, json};
use surprisal::{Detector, Kind, Nats};
use surprisal_trainer::alarms::{no_alarm, of_threshold};
use surprisal_trainer::artefact::Artefact;
use surprisal_trainer::counted::counted;
use surprisal_trainer::pipeline::finite;
use surprisal_trainer::recalibrate;
use surprisal_trainer::table::cost::{Core, Cost};
use surprisal_trainer::views::operations;
use surprisal_trainer::with_shape;

use crate::answer::Answer;
use crate::terminal::{Lines, line};

pub fn inspect(model: &Path) -> Result<Answer> {
    let artefact = recalibrate::read(model)?;
    let (schema, fit) = (&artefact.schema, &artefact.notes.fit);
    let detector = artefact.detector();
    let bytes = artefact.table_bytes().len();
    let mut text = Lines::default();
    let (count, bits) = (schema.columns.len(), artefact.shape.bits);
    let size = if artefact.shape.views > 0 { String::new() } else { format!(" {},", counted(bits, "bit")) };
    line!(text, "{}: {},{size} {bytes} bytes on the board", model.display(), counted(count, "column"));
    line!(text, "  {} (digest {:08x}), version {}", fit.summary(), fit.digest, fit.version);
    if let Some(windows) = fit.signal {
        line!(text, "  a row is {} samples of a signal, every {} samples", windows.window, windows.hop);
    }
    let mut value =
        if artefact.shape.views > 0 { show_views(&artefact, &mut text)? } else { show_cost(&artefact, &mut text)? };
    show_detector(&detector, &mut text);
    line!(text, "  in model order:");
    let columns = show_columns(&artefact, &detector, &mut text);
    let more = json!({
        "columns": columns, "bits": bits, "views": artefact.shape.views, "table_bytes": bytes,
        "state_bytes": artefact.shape.state_bytes(),
        "threshold": finite(detector.threshold), "false_alarm_ppm": detector.false_alarm_ppm,
        "calibration_rows": detector.rows, "entropy": f64::from(detector.entropy),
        "deviation": f64::from(detector.deviation),
        "reference": finite(detector.decision_interval).map(|_| f64::from(detector.reference)),
        "decision_interval": finite(detector.decision_interval), "average_run_length": detector.average_run_length, "fit": fit,
    });
    if let (Value::Object(value), Value::Object(more)) = (&mut value, more) {
        value.extend(more);
    }
    Ok(Answer { text: text.into_text(), value })
}

/// Prints the views of a table, and returns them for programs, with the prototypes in the units of the readings.
fn show_views(artefact: &Artefact, text: &mut Lines) -> Result<Value> {
    let state = artefact.shape.state_bytes();
    let mut listed = Vec::new();
    for (at, view) in artefact.views()?.iter().enumerate() {
        let (tables, prototypes) = (view.tables.slices(), view.prototypes);
        let rows: usize = tables.columns.iter().map(|&[_, rows, _]| usize::from(rows)).sum();
        let of = match prototypes.count() {
            0 => "the readings".to_owned(),
            count => format!("the differences from the nearest of {count} prototypes"),
        };
        let (columns, masses) = (counted(tables.columns.len(), "column"), counted(rows, "row"));
        line!(text, "  view {}: {of}; {columns}, {masses} of masses", at + 1);
        let axes = prototypes.slices().columns;
        let name = |&[source, ..]: &[i32; 4]| {
            let mut columns = artefact.schema.columns.iter();
            columns.find(|encoding| i32::from(encoding.source) == source).map(|encoding| artefact.schema.name(encoding))
        };
        let number = |(column, axis): (usize, &[i32; 4]), prototype: usize| {
            prototypes.centre(column, prototype as u8) as f64 * f64::from(axis[1]).exp2() / 256.0
        };
        let point = |prototype: usize| -> Value {
            axes.iter()
                .enumerate()
                .map(|(column, axis)| (name(axis).unwrap_or_default(), number((column, axis), prototype)))
                .collect()
        };
        let points: Vec<Value> = (0..prototypes.count()).map(point).collect();
        listed.push(json!({ "columns": tables.columns.len(), "rows_of_masses": rows, "prototypes": points }));
    }
    let operations: usize = artefact.views()?.iter().map(operations).sum();
    line!(
        text,
        "  a row that lacks no reading takes at most {operations} additions, multiplications, comparisons and tree steps beside \
         the fixed work per column, and {state} bytes of state"
    );
    Ok(json!({ "each_view": listed, "most_operations": operations }))
}

/// Prints the work of scoring a row by a model of bits, and returns it for programs.
fn show_cost(artefact: &Artefact, text: &mut Lines) -> Result<Value> {
    let cost = with_shape!(artefact.shape, N, H, K => Cost::of(&artefact.table::<N, H, K>()?));
    let Cost { bits: _, weights, dense, splits, tree_steps, units, multiplications, mixture } = cost;
    let [m0, larger] = [Core::Least, Core::Larger].map(|core| cost.instructions(core));
    let (additions, multiplications) = (weights + multiplications, multiplications + mixture);
    let hidden = if units > 0 { format!(", {units} hidden units") } else { String::new() };
    line!(text, "  {weights} {} weights, {splits} splits{hidden}", if dense { "dense" } else { "sparse" });
    line!(
        text,
        "  a row takes at most {additions} additions, {multiplications} multiplications and {tree_steps} tree steps, and {} \
         bytes of state",
        artefact.shape.state_bytes()
    );
    line!(
        text,
        "  that is at most {larger} instructions on a Cortex-M3 or larger and {m0} on a Cortex-M0, without encoding the readings"
    );
    Ok(json!({
        "weights": weights, "dense": dense, "splits": splits, "units": units, "most_additions": additions,
        "most_multiplications": multiplications, "most_tree_steps": tree_steps, "most_operations": cost.operations(),
        "most_instructions": { "m0": m0, "larger": larger },
    }))
}

fn show_detector(detector: &Detector, text: &mut Lines) {
    let Detector { threshold, rows, entropy, deviation, reference, decision_interval, average_run_length, .. } =
        *detector;
    if threshold == Nats::IMPOSSIBLE {
        line!(text, "  {}", no_alarm(detector));
    } else {
        line!(text, "  {}", of_threshold(detector));
    }
    if rows == 0 {
        return;
    }
    let least = detector.p_value(Nats::IMPOSSIBLE);
    line!(
        text,
        "  normal rows: mean surprisal {entropy} nats, standard deviation {deviation}; p-values down to {least}"
    );
    if decision_interval != Nats::IMPOSSIBLE {
        line!(
            text,
            "  cumulative sum above {reference} nats per row: alarm above {decision_interval}, average run length {average_run_length} rows"
        );
    }
}

fn show_columns(artefact: &Artefact, detector: &Detector, text: &mut Lines) -> Vec<Value> {
    let mut columns = Vec::new();
    for encoding in &artefact.schema.columns {
        let (name, bits) = (artefact.schema.name(encoding), encoding.column().bits());
        let baseline = detector.baseline(encoding.source);
        let (kind, for_programs) = match encoding.kind {
            Kind::Flag { flipped } => {
                (if flipped { "flag, mostly 1" } else { "flag" }, json!({ "flag": { "flipped": flipped } }))
            }
            Kind::Integer => ("integer", json!("integer")),
            Kind::Real => ("real", json!("real")),
            _ => ("category", json!("category")),
        };
        let given = if encoding.observed { ", given" } else { "" };
        let missing = if encoding.may_miss { ", may be missing" } else { "" };
        let size = if artefact.shape.views > 0 { encoding.column().outcomes() } else { bits };
        let unit = if artefact.shape.views > 0 { "outcomes" } else { "bits" };
        line!(text, "    {name:<20} {kind:<14} {size:>3} {unit}, baseline {baseline} nats{missing}{given}");
        columns.push(json!({
            "name": name, "kind": for_programs, "bits": bits, "may_miss": encoding.may_miss, "given": encoding.observed, "labels": encoding.labels,
            "baseline": f64::from(baseline),
        }));
    }
    columns
}
