//! The commands that read a model.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use surprisal::{Detector, Drift, Kind, Nats};

use super::{Applied, RowArgs};
use crate::artefact::{Artefact, write_whole};
use crate::data::{Frame, Header};
use crate::evaluate::{Alarms, auc_pr, auc_roc, mean};
use crate::export::rust_source;
use crate::pipeline::finite;
use crate::quantise::{Core, Cost};
use crate::sample::sampled_rows;
use crate::schema::{Given, Schema};
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
    Ok((finished(csv)?, json!({ "rows": frame.rows(), "columns": names })))
}

pub(super) fn eval(args: &RowArgs) -> Result<(String, Value)> {
    let Applied { artefact, rows, odd, surprises, scores, .. } = args.apply()?;
    let mean_nats = mean(&scores);
    let mut text = format!("{} rows, {mean_nats:.4} nats a row", rows.len());
    let mut value = json!({ "rows": rows.len(), "mean_nats": mean_nats, "log_likelihood": -mean_nats });
    let detector = artefact.detector();
    let oddness: Vec<Nats> = surprises.iter().map(|surprise| surprise.oddness).collect();
    let alarms: Vec<bool> = oddness.iter().map(|&oddness| detector.judge(oddness).is_odd()).collect();
    let raised = alarms.iter().filter(|&&alarm| alarm).count();
    writeln!(text, ", {raised} alarms")?;
    if detector.threshold == Nats::IMPOSSIBLE {
        writeln!(text, "  {}", no_alarm(&detector))?;
    }
    value["alarms"] = json!(raised);
    if let Some(odd) = odd {
        let (roc, pr) = (auc_roc(&oddness, &odd), auc_pr(&oddness, &odd));
        value["auc_roc"] = json!(roc);
        value["auc_pr"] = json!(pr);
        for (kind, name) in [(false, "ordinary"), (true, "odd")] {
            let of_kind: Vec<usize> = (0..odd.len()).filter(|&i| odd[i] == kind).collect();
            let alarms = of_kind.iter().filter(|&&i| alarms[i]).count();
            let scores: Vec<Nats> = of_kind.iter().map(|&i| scores[i]).collect();
            writeln!(text, "  {name:<8} {:>8} rows, {:>9.4} nats a row, {alarms} alarms", scores.len(), mean(&scores))?;
            value[name] = json!({ "rows": scores.len(), "mean_nats": mean(&scores), "alarms": alarms });
        }
        let largest: Vec<Nats> = surprises.iter().map(|surprise| surprise.largest).collect();
        let (roc_sum, roc_largest) = (auc_roc(&scores, &odd), auc_roc(&largest, &odd));
        value["auc_roc_sum"] = json!(roc_sum);
        value["auc_roc_largest"] = json!(roc_largest);
        match (roc, pr, roc_sum, roc_largest) {
            (Some(roc), Some(pr), Some(sum), Some(largest)) => writeln!(
                text,
                "  AUC-ROC {roc:.4}, AUC-PR {pr:.4} of the oddness; AUC-ROC of the sum {sum:.4}, of the largest column {largest:.4}"
            )?,
            _ => writeln!(text, "  no AUC: it takes ordinary and odd rows")?,
        }
        let found = Alarms::of(&alarms, &odd);
        let measures = [
            ("precision", found.precision),
            ("recall", found.recall),
            ("f1", found.f1),
            ("false_alarm_rate", found.false_alarm_rate),
        ];
        let mut shown = Vec::new();
        for (name, measure) in measures {
            value[name] = json!(measure);
            shown.extend(measure.map(|measure| format!("{} {measure:.4}", name.replace('_', " "))));
        }
        writeln!(text, "  alarms: {}", shown.join(", "))?;
    } else {
        let mut drift = Drift::new();
        scores.iter().for_each(|&nats| drift.push(&detector, nats));
        let excess = drift.excess(&detector);
        let share = (!alarms.is_empty()).then(|| raised as f64 / alarms.len() as f64);
        value["alarm_rate"] = json!(share);
        value["drift"] = json!({
            "excess": f64::from(excess.raw) / 65536.0, "error": finite(excess.error), "drifted": excess.is_drifted()
        });
        writeln!(text, "  alarms on {:.3} % of rows", 100.0 * share.unwrap_or(0.0))?;
        if excess.error < Nats::IMPOSSIBLE {
            let drifted = if excess.is_drifted() { "drifted" } else { "no drift" };
            writeln!(text, "  {drifted}: {excess} a row more than ordinary rows at the time of the fit")?;
        }
    }
    Ok((text, value))
}

pub(super) fn score(args: &RowArgs, last: Option<u32>) -> Result<(String, Value)> {
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
        ("oddness", each(&|at| json!(f64::from(surprises[at].oddness)))),
        ("p", each(&|at| json!(f64::from(detector.p_value(surprises[at].oddness).ppm()) / 1e6))),
        ("odd", each(&|at| json!(detector.judge(surprises[at].oddness).is_odd()))),
        ("largest", each(&|at| json!(f64::from(surprises[at].largest)))),
        ("column", each(&|at| json!(name(surprises[at].column)))),
    ];
    if let Some(last) = last {
        columns.push(("recent", recent(&scores, last as usize).into_iter().map(Value::from).collect()));
    }
    let mut csv = csv::Writer::from_writer(Vec::new());
    csv.write_record(columns.iter().map(|(name, _)| name))?;
    let cell = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Bool(bit) => u8::from(*bit).to_string(),
        number => number.to_string(),
    };
    for at in 0..rows.len() {
        csv.write_record(columns.iter().map(|(_, values)| cell(&values[at])))?;
    }
    let mut value = json!({ "rows": rows.len(), "mean_nats": mean(&scores) });
    for (name, values) in columns {
        value[name] = values.into();
    }
    Ok((finished(csv)?, value))
}

/// The mean over the last rows up to each, at most `last` of them.
fn recent(scores: &[Nats], last: usize) -> Vec<f64> {
    let mut sum = 0;
    let mean = |at: usize| {
        sum += u64::from(scores[at].raw());
        sum -= at.checked_sub(last).map_or(0, |left| u64::from(scores[left].raw()));
        sum as f64 / 65536.0 / last.min(at + 1) as f64
    };
    (0..scores.len()).map(mean).collect()
}

/// The text of a CSV.
fn finished(csv: csv::Writer<Vec<u8>>) -> Result<String> {
    Ok(String::from_utf8(csv.into_inner().context("the CSV cannot be finished")?)?)
}

pub(super) fn explain(args: &RowArgs, top: usize, line: Option<u64>) -> Result<(String, Value)> {
    let Applied { artefact, frame, rows, surprises, .. } = args.apply()?;
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
        shown.sort_by_key(|&at| std::cmp::Reverse(surprises[at].oddness));
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
    let detector = artefact.detector();
    let (mut text, mut values) = (String::new(), Vec::new());
    for ((&at, &row), (nats, each)) in shown.iter().zip(&chosen).zip(&explained) {
        let mut columns: Vec<_> = by_source.iter().zip(each).collect();
        let excess = |source, nats: Nats| i64::from(nats.raw()) - i64::from(detector.usual_of(source).raw());
        columns.sort_by_key(|(coding, nats)| std::cmp::Reverse(excess(coding.source, **nats)));
        let p = detector.p_value(surprises[at].oddness);
        writeln!(text, "{} {}: {nats} nats, p {p}", frame.unit, frame.lines[row])?;
        let mut listed = Vec::new();
        for (coding, &nats) in columns {
            let (name, reading) = (aligned.name(coding), frame.columns[coding.file].text(row));
            let usual = detector.usual_of(coding.source);
            writeln!(text, "  {name:<20} {reading:>14} {:>10}, usually {usual}", nats.to_string())?;
            listed.push(
                json!({ "column": name, "reading": reading, "nats": f64::from(nats), "usual": f64::from(usual) }),
            );
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
    Ok((finished(csv)?, json!({ "columns": names, "rows": cells })))
}

pub(super) fn schema(data: &Path, header: Header, ignore: &[String]) -> Result<(String, Value)> {
    let frame = Frame::read(data, header)?;
    let rows: Vec<usize> = (0..frame.rows()).collect();
    let schema =
        Schema::find(&frame, &rows, &Given { keep_constant: true, ignore: ignore.to_vec(), ..Given::default() })?;
    let text = crate::schema::toml::write(&frame, &schema);
    Ok((text.clone(), json!({ "schema": text })))
}

pub(super) fn inspect(model: &Path) -> Result<(String, Value)> {
    let artefact = Artefact::read(model)?;
    let schema = &artefact.schema;
    let fit = &artefact.notes.fit;
    let (mut text, mut columns) = (String::new(), Vec::new());
    let cost = with_shape!(artefact.shape, N, H, K => Cost::of(&artefact.table::<N, H, K>()?));
    let detector = artefact.detector();
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
    let Cost { bits: _, weights, dense, splits, tree_steps, units, multiplications, mixture } = cost;
    let [m0, larger] = [Core::Least, Core::Larger].map(|core| cost.instructions(core));
    let (additions, multiplications) = (weights + multiplications, multiplications + mixture);
    write!(text, "  {weights} {} weights, {splits} splits", if dense { "dense" } else { "sparse" })?;
    writeln!(text, "{}", if units > 0 { format!(", {units} hidden units") } else { String::new() })?;
    writeln!(
        text,
        "  a row costs at most {additions} additions, {multiplications} multiplications and {tree_steps} tree steps, and {} bytes of state",
        artefact.shape.state_bytes()
    )?;
    writeln!(
        text,
        "  that is at most {larger} instructions on a Cortex-M3 or larger, {m0} on a Cortex-M0, readings not yet encoded"
    )?;
    if detector.threshold == Nats::IMPOSSIBLE {
        writeln!(text, "  {}", no_alarm(&detector))?;
    } else {
        writeln!(
            text,
            "  alarm above an oddness of {} nats, for {} false alarms a million, by {} rows",
            detector.threshold, detector.false_alarm_ppm, detector.rows
        )?;
    }
    if detector.rows > 0 {
        let Detector { entropy, deviation, reference, limit, mean_time, .. } = detector;
        writeln!(
            text,
            "  ordinary rows score a sum of {entropy} nats, standard deviation {deviation}; p-values down to {}",
            detector.p_value(Nats::IMPOSSIBLE)
        )?;
        if limit != Nats::IMPOSSIBLE {
            writeln!(
                text,
                "  cumulative sum over {reference} nats a row: alarm above {limit}, falsely once in {mean_time} independent rows"
            )?;
        }
    }
    writeln!(text, "  in model order:")?;
    for coding in &schema.columns {
        let (name, column, usual) = (schema.name(coding), coding.column(), detector.usual_of(coding.source));
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
            "    {name:<20} {meaning:<14} {:>3} bits, usually {usual} nats{}",
            column.bits(),
            if coding.may_miss { ", may miss" } else { "" }
        )?;
        columns.push(json!({ "name": name, "meaning": for_programs, "bits": column.bits(), "may_miss": coding.may_miss, "labels": coding.labels, "usual": f64::from(usual) }));
    }
    let value = json!({
        "columns": columns, "bits": artefact.shape.bits, "table_bytes": bytes, "weights": weights, "dense": dense, "splits": splits,
        "units": units, "most_additions": additions, "most_multiplications": multiplications,
        "most_tree_steps": tree_steps, "most_operations": cost.operations(), "most_instructions": { "m0": m0, "larger": larger }, "state_bytes": artefact.shape.state_bytes(),
        "threshold": finite(detector.threshold), "false_alarm_ppm": detector.false_alarm_ppm, "calibration_rows": detector.rows,
        "entropy": f64::from(detector.entropy), "deviation": f64::from(detector.deviation),
        "reference": finite(detector.limit).map(|_| f64::from(detector.reference)), "limit": finite(detector.limit),
        "mean_time": detector.mean_time, "fit": fit,
    });
    Ok((text, value))
}

/// What is said of a detector without a threshold.
pub(super) fn no_alarm(Detector { rows, false_alarm_ppm, .. }: &Detector) -> String {
    let rate = 1.05 / (f64::from(*rows) + 1.0);
    let remedy = if rate < 0.5 { format!("fit with --false-alarm {rate:.1e}, or ") } else { String::new() };
    let most = if *false_alarm_ppm == 0 { "not even 1".to_owned() } else { false_alarm_ppm.to_string() };
    format!(
        "no alarm ever: {rows} calibration rows are too few for {most} in a million false alarms; {remedy}give more rows to \
         --calibrate"
    )
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
    let mut text = format!("{}: a table of {table} bytes for rows of {} bits\n", output.display(), artefact.shape.bits);
    if artefact.detector().threshold == Nats::IMPOSSIBLE {
        writeln!(text, "  {}", no_alarm(&artefact.detector()))?;
    }
    Ok((text, json!({ "output": output, "table_bytes": table, "bits": artefact.shape.bits })))
}
