//! The commands that read a model.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use surprisal::{Kind, Nats};

use super::{Applied, RowArgs};
use crate::artefact::{Artefact, write_whole};
use crate::data::Header;
use crate::evaluate::{auc_pr, auc_roc, mean};
use crate::export::{rust_source, sampled_rows};
use crate::quantise::Cost;
use crate::signal::SignalArgs;
use crate::with_shape;

pub(super) fn features(data: &Path, signal: &SignalArgs, header: Header) -> Result<(String, Value)> {
    let windows =
        signal.windows()?.context("--signal is missing; say what a row is made of, for example --signal 2048:512")?;
    let frame = windows.frame(data, header)?;
    let names: Vec<&str> = frame.columns.iter().map(|cells| cells.name.as_str()).collect();
    let mut csv = csv::Writer::from_writer(Vec::new());
    csv.write_record(&names)?;
    (0..frame.rows()).try_for_each(|row| csv.write_record(frame.columns.iter().map(|cells| cells.text(row))))?;
    let text = String::from_utf8(csv.into_inner().context("the CSV cannot be finished")?)?;
    Ok((text, json!({ "rows": frame.rows(), "columns": names })))
}

pub(super) fn eval(args: &RowArgs) -> Result<(String, Value)> {
    let Applied { artefact, rows, odd, scores, .. } = args.apply()?;
    let mean_nats = mean(&scores);
    let mut text = format!("{} rows, {mean_nats:.4} nats a row", rows.len());
    let mut value = json!({ "rows": rows.len(), "mean_nats": mean_nats, "log_likelihood": -mean_nats });
    let detector = artefact.detector();
    let alarms: Vec<bool> = scores.iter().map(|&nats| detector.judge(nats).is_odd()).collect();
    let raised = alarms.iter().filter(|&&alarm| alarm).count();
    writeln!(text, ", {raised} alarms")?;
    value["alarms"] = json!(raised);
    if let Some(odd) = odd {
        let (roc, pr) = (auc_roc(&scores, &odd), auc_pr(&scores, &odd));
        value["auc_roc"] = json!(roc);
        value["auc_pr"] = json!(pr);
        for (kind, name) in [(false, "ordinary"), (true, "odd")] {
            let of_kind: Vec<usize> = (0..odd.len()).filter(|&i| odd[i] == kind).collect();
            let alarms = of_kind.iter().filter(|&&i| alarms[i]).count();
            let scores: Vec<Nats> = of_kind.iter().map(|&i| scores[i]).collect();
            writeln!(text, "  {name:<8} {:>8} rows, {:>9.4} nats a row, {alarms} alarms", scores.len(), mean(&scores))?;
            value[name] = json!({ "rows": scores.len(), "mean_nats": mean(&scores), "alarms": alarms });
        }
        match (roc, pr) {
            (Some(roc), Some(pr)) => writeln!(text, "  AUC-ROC {roc:.4}, AUC-PR {pr:.4}")?,
            _ => writeln!(text, "  no AUC: it takes ordinary and odd rows")?,
        }
    }
    Ok((text, value))
}

pub(super) fn score(args: &RowArgs) -> Result<(String, Value)> {
    let Applied { artefact, frame, rows, scores, .. } = args.apply()?;
    let detector = artefact.detector();
    let each: Vec<f64> = scores.iter().map(|&nats| nats.into()).collect();
    let lines: Vec<u64> = rows.iter().map(|&row| frame.lines[row]).collect();
    let odd: Vec<bool> = scores.iter().map(|&nats| detector.judge(nats).is_odd()).collect();
    let mut csv = format!("{},nats,odd\n", frame.unit);
    for ((line, nats), &odd) in lines.iter().zip(&each).zip(&odd) {
        writeln!(csv, "{line},{nats},{}", u8::from(odd))?;
    }
    let value = json!({ "rows": rows.len(), "mean_nats": mean(&scores), frame.unit: lines, "nats": each, "odd": odd });
    Ok((csv, value))
}

pub(super) fn explain(args: &RowArgs, top: usize, line: Option<u64>) -> Result<(String, Value)> {
    let Applied { artefact, frame, rows, scores, .. } = args.apply()?;
    let mut shown: Vec<usize> = (0..rows.len()).collect();
    if let Some(line) = line {
        shown.retain(|&at| frame.lines[rows[at]] == line);
        anyhow::ensure!(
            !shown.is_empty(),
            "{}: no row on {} {line} among the rows asked for",
            frame.path.display(),
            frame.unit
        );
    } else {
        shown.sort_by_key(|&at| std::cmp::Reverse(scores[at]));
        shown.truncate(top);
    }
    let chosen: Vec<usize> = shown.iter().map(|&at| rows[at]).collect();
    let aligned = artefact.schema.aligned(&frame)?;
    let readings = aligned.all_readings(&frame, &chosen)?;
    let mut by_source: Vec<_> = aligned.columns.iter().collect();
    by_source.sort_by_key(|coding| coding.source);
    let explained: Vec<(Nats, Vec<Nats>)> = with_shape!(artefact.shape, N, H, K => {
        let table = artefact.table::<N, H, K>()?;
        let explain = |readings: &Vec<_>| {
            let mut each = vec![Nats::ZERO; by_source.len()];
            table.explain(readings, &mut each).map(|nats| (nats, each))
        };
        readings.iter().map(explain).collect::<Result<_, _>>()?
    });
    let (mut text, mut values) = (String::new(), Vec::new());
    for (&row, (nats, each)) in chosen.iter().zip(&explained) {
        let mut columns: Vec<_> = by_source.iter().zip(each).collect();
        columns.sort_by_key(|(_, nats)| std::cmp::Reverse(**nats));
        writeln!(text, "{} {}: {nats} nats", frame.unit, frame.lines[row])?;
        let mut listed = Vec::new();
        for (coding, &nats) in columns {
            let (name, reading) = (aligned.name(coding), frame.columns[coding.file].text(row));
            writeln!(text, "  {name:<20} {reading:>14} {:>10}", nats.to_string())?;
            listed.push(json!({ "column": name, "reading": reading, "nats": f64::from(nats) }));
        }
        values.push(json!({ frame.unit: frame.lines[row], "nats": f64::from(*nats), "columns": listed }));
    }
    Ok((text, json!({ "rows": values })))
}

pub(super) fn sample(model: &Path, rows: usize, seed: u64) -> Result<(String, Value)> {
    let artefact = Artefact::read(model)?;
    let (names, cells) = sampled_rows(&artefact, rows, &mut ChaCha8Rng::seed_from_u64(seed))?;
    let mut csv = csv::Writer::from_writer(Vec::new());
    csv.write_record(&names)?;
    cells.iter().try_for_each(|row| csv.write_record(row))?;
    let text = String::from_utf8(csv.into_inner().context("the CSV cannot be finished")?)?;
    Ok((text, json!({ "columns": names, "rows": cells })))
}

pub(super) fn inspect(model: &Path) -> Result<(String, Value)> {
    let artefact = Artefact::read(model)?;
    let schema = &artefact.schema;
    let fit = &artefact.notes.fit;
    let (mut text, mut columns) = (String::new(), Vec::new());
    let (cost, detector) = with_shape!(artefact.shape, N, H, K => {
        let table = artefact.table::<N, H, K>()?;
        (Cost::of(&table), table.detector)
    });
    let bytes = artefact.table_bytes().len();
    writeln!(
        text,
        "{}: {} columns, {} bits, {bytes} bytes on the board",
        model.display(),
        schema.columns.len(),
        artefact.shape.bits
    )?;
    writeln!(text, "  {} (digest {:08x}), version {}", fit.summary(), fit.digest, fit.version)?;
    if let Some(windows) = fit.signal {
        writeln!(text, "  rows are made of {} samples of a signal, every {} samples", windows.window, windows.hop)?;
    }
    let Cost { weights, dense, splits, tree_steps, units, multiplications, mixture } = cost;
    let (additions, multiplications) = (weights + multiplications, multiplications + mixture);
    write!(text, "  {weights} {} weights, {splits} splits", if dense { "dense" } else { "sparse" })?;
    writeln!(text, "{}", if units > 0 { format!(", {units} hidden units") } else { String::new() })?;
    writeln!(
        text,
        "  a row costs at most {additions} additions, {multiplications} multiplications and {tree_steps} tree steps, and {} bytes of state",
        artefact.shape.state_bytes()
    )?;
    if detector.rows > 0 && detector.threshold != Nats::IMPOSSIBLE {
        writeln!(
            text,
            "  alarm above {} nats, for {} false alarms a million, by {} rows",
            detector.threshold, detector.false_alarm_ppm, detector.rows
        )?;
    }
    writeln!(text, "  in model order:")?;
    for coding in &schema.columns {
        let (name, column) = (schema.name(coding), coding.column());
        let (meaning, for_programs) = match coding.kind {
            Kind::Flag { flipped } => {
                (if flipped { "flag, mostly 1" } else { "flag" }, json!({ "flag": { "flipped": flipped } }))
            }
            Kind::Integer => ("integer", json!("integer")),
            Kind::Real => ("real", json!("real")),
            _ => ("category", json!("category")),
        };
        writeln!(
            text,
            "    {name:<20} {meaning:<14} {:>3} bits{}",
            column.bits(),
            if coding.may_miss { ", may miss" } else { "" }
        )?;
        columns.push(json!({ "name": name, "meaning": for_programs, "bits": column.bits(), "may_miss": coding.may_miss, "labels": coding.labels }));
    }
    let value = json!({
        "columns": columns, "bits": artefact.shape.bits, "table_bytes": bytes, "weights": weights, "dense": dense, "splits": splits,
        "units": units, "most_additions": additions, "most_multiplications": multiplications,
        "most_tree_steps": tree_steps, "most_operations": cost.operations(), "state_bytes": artefact.shape.state_bytes(),
        "threshold": (detector.threshold != Nats::IMPOSSIBLE).then(|| f64::from(detector.threshold)),
        "false_alarm_ppm": detector.false_alarm_ppm, "calibration_rows": detector.rows, "fit": fit,
    });
    Ok((text, value))
}

pub(super) fn export(model: &Path, output: &Path) -> Result<(String, Value)> {
    let artefact = Artefact::read(model)?;
    let bytes = match output.extension().and_then(|extension| extension.to_str()) {
        Some("rs") => rust_source(&artefact)?.into_bytes(),
        Some("srp") => artefact.table_bytes().to_vec(),
        _ => anyhow::bail!(
            "{}: expected a name that ends in .rs (Rust source) or .srp (bytes for a board)",
            output.display()
        ),
    };
    write_whole(output, &bytes, &[model])?;
    let table = artefact.table_bytes().len();
    let text = format!("{}: a table of {table} bytes for rows of {} bits\n", output.display(), artefact.shape.bits);
    Ok((text, json!({ "output": output, "table_bytes": table, "bits": artefact.shape.bits })))
}
