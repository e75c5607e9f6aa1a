//! Comparisons over readings: of two models that have no bits in common, of two models on data, and of outcome tables
//! with data.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Result, ensure};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use surprisal::Reading;
use surprisal_trainer::artefact::Artefact;
use surprisal_trainer::counted::counted;
use surprisal_trainer::divergence::readings::{Agreement, Pair};
use surprisal_trainer::divergence::{Divergences, Estimate, SamplingSettings};
use surprisal_trainer::pipeline::finite;
use surprisal_trainer::sample::readings;

use super::{BOUNDED, KL, shown};
use crate::args::CompareArgs;
use crate::observer::Progress;
use crate::rows::Read;
use crate::terminal::{Lines, line};
use surprisal_trainer::alarms::no_alarm;

/// Adds the divergences of two models over readings, estimated from rows that are drawn from each.
pub fn models(pair: &Pair, settings: &SamplingSettings, text: &mut Lines, value: &mut Value) -> Result<()> {
    let (divergences, agreements) = pair.divergences(settings)?;
    let Divergences { forward, reverse, jensen_shannon, total_variation } = divergences;
    line!(text, "compared over readings, ± one standard error, from {} rows of each model", settings.rows);
    value["method"] = json!("readings");
    value["sampled_rows"] = json!(settings.rows);
    for ((name, key, unit), estimate) in
        KL.into_iter().chain(BOUNDED).zip([forward, reverse, jensen_shannon, total_variation])
    {
        line!(text, "  {name:<16} {} {unit}", shown(estimate));
        value[key] = json!(estimate);
    }
    line!(text, "  Wasserstein-1 is not defined: the models encode readings differently and have no bits in common");
    for (name, key, agreement) in [("A", "on_a", &agreements[0]), ("B", "on_b", &agreements[1])] {
        line!(text, "  alarms on {} rows of {name}: {}", agreement.rows, alarms(agreement));
        value[key] = json!(agreement);
    }
    for (name, detector) in ["A", "B"].into_iter().zip(pair.detectors()) {
        if finite(detector.threshold).is_none() {
            line!(text, "  {name}: {}", no_alarm(&detector));
        }
    }
    Ok(())
}

/// Adds how two models agree on the rows of a file, the normal and the anomalous ones apart.
pub fn on_data(
    args: &CompareArgs,
    data: &Path,
    pair: &Pair,
    progress: &Progress,
    text: &mut Lines,
    value: &mut Value,
) -> Result<()> {
    ensure!(data != Path::new("-"), "-: standard input can be read by one model only; pass a file");
    let read = |model: &Path| -> Result<Read> {
        let read = args.rows_of(model, data).read(progress)?;
        read.warn_of_unknown(&read.selection.rows)?;
        Ok(read)
    };
    let (a, b) = (read(&args.a)?, read(&args.b)?);
    // Each model left out other rows if both were fitted to the file.
    let lines = b.selection.rows.iter().map(|&row| (b.frame.lines[row], row));
    let of_b: HashMap<u64, usize> = lines.collect();
    let any = a.selection.rows.iter().any(|&row| of_b.contains_key(&a.frame.lines[row]));
    let why = if args.held_out {
        "no row is common to what both models left out; leave --held-out out"
    } else {
        "no row is one of both machines; compare models of one machine on its rows"
    };
    ensure!(any, "{}: {why}", data.display());
    for (name, wanted) in [("normal", false), ("anomalous", true)] {
        let rows = a.of_kind(wanted).into_iter();
        let both = rows.filter_map(|row| Some((row, *of_b.get(&a.frame.lines[row])?)));
        let (of_a, of_b): (Vec<usize>, Vec<usize>) = both.unzip();
        if of_a.is_empty() {
            continue;
        }
        let of_a = a.artefact.schema.fitting_readings(&a.frame, &of_a)?;
        let of_b = b.artefact.schema.fitting_readings(&b.frame, &of_b)?;
        let agreement = pair.agreement(&[of_a, of_b])?;
        let kind = if a.selection.anomalous.is_some() { format!("{name} row") } else { "row".into() };
        line!(text, "on {} of {}", counted(agreement.rows, &kind), data.display());
        line!(text, "  mean of ln A/B   {} nats per row", shown(agreement.ratio));
        line!(text, "  alarms: {}", alarms(&agreement));
        value[format!("on_{name}_data")] = json!(agreement);
    }
    Ok(())
}

/// Adds the mean surprisal of rows of data under outcome tables, and that of rows that the tables draw. No divergence is
/// defined between the two.
pub fn data(
    artefact: &Artefact,
    rows: &[Vec<Reading>],
    settings: &SamplingSettings,
    text: &mut Lines,
    value: &mut Value,
) -> Result<()> {
    let mut random = ChaCha8Rng::seed_from_u64(settings.seed);
    let drawn = readings(artefact, settings.rows, &mut random)?;
    let mean = |rows: &[Vec<Reading>]| -> Result<Estimate> {
        let nats: Vec<f64> = artefact.surprisals(rows)?.into_iter().map(f64::from).collect();
        Ok(Estimate::mean(&nats))
    };
    let (of_data, of_own) = (mean(rows)?, mean(&drawn)?);
    line!(text, "compared over readings, ± one standard error");
    line!(text, "  mean surprisal of B under A {} nats per row", shown(of_data));
    line!(text, "  of {} rows that A draws {} nats per row", settings.rows, shown(of_own));
    line!(text, "  Divergences are not defined, because A gives readings a density, and rows of data have none");
    value["method"] = json!("readings");
    value["sampled_rows"] = json!(settings.rows);
    value["cross_entropy"] = json!(of_data.value);
    value["own_entropy"] = json!(of_own);
    Ok(())
}

/// Describes the alarms of two models, as in "A 1.20 %, B 0.90 %, both 0.80 %".
fn alarms(Agreement { rows, alarms: [a, b], both, .. }: &Agreement) -> String {
    let [a, b, both] = [a, b, both].map(|&count| 100.0 * count as f64 / *rows as f64);
    format!("A {a:.2} %, B {b:.2} %, both {both:.2} %")
}
