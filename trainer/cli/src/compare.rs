//! `surprisal compare`: divergences between a model and another model, or between a model and data.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use surprisal_trainer::artefact::Artefact;
use surprisal_trainer::divergence::{Comparison, DataLikelihood, ENUMERABLE, Estimate, SamplingSettings, data, models};

use crate::answer::Answer;
use crate::args::{CompareArgs, ReadingArgs, RowArgs};
use crate::observer::Progress;
use crate::rows::Applied;
use crate::terminal::{Lines, line};

impl CompareArgs {
    /// Returns the paths of the files that the command reads.
    pub fn inputs(&self) -> [&Path; 2] {
        [&self.a, &self.b]
    }
}

pub fn compare(args: &CompareArgs, progress: &Progress) -> Result<Answer> {
    let settings = SamplingSettings { rows: args.rows as usize, pairs: args.pairs as usize, seed: args.seed };
    let Compared { artefact, comparison, likelihood, rows } = args.compared(&settings, progress)?;
    let Comparison { outcomes, divergences, wasserstein, baseline } = comparison;
    let exact = outcomes <= ENUMERABLE as f64;
    let (columns, bits) = (artefact.schema.columns.len(), artefact.shape.bits);
    let mut text = Lines::default();
    line!(text, "A = {}, a model", args.a.display());
    line!(
        text,
        "B = {}, {}",
        args.b.display(),
        rows.map_or("a model".to_owned(), |rows| format!("{rows} rows of data"))
    );
    let (method, how) = match (exact, rows) {
        (true, _) => ("enumeration", format!("exact, over all {outcomes} possible rows")),
        (false, Some(_)) => ("data", "exact, over the rows of B".to_owned()),
        (false, None) => ("samples", format!("± one standard error, from {} rows of each model", settings.rows)),
    };
    line!(text, "{columns} columns, {bits} bits; {how}");
    let mut value = json!({
        "a": args.a, "b": args.b, "columns": columns, "bits": bits, "method": method,
        "outcomes": exact.then_some(outcomes as u64), "data_rows": rows,
        "sampled_rows": (method == "samples").then_some(settings.rows), "seed": settings.seed,
    });
    for (name, key, estimate, unit) in [
        ("KL(A || B)", "kl_a_b", divergences.forward, "nats per row"),
        ("KL(B || A)", "kl_b_a", divergences.reverse, "nats per row"),
        ("Jensen-Shannon", "jensen_shannon", divergences.jensen_shannon, "nats, at most 0.69315"),
        ("total variation", "total_variation", divergences.total_variation, "of probability, at most 1"),
        ("Wasserstein-1", "wasserstein", wasserstein, "bits flipped per row"),
    ] {
        line!(text, "  {name:<16} {} {unit}", shown(estimate));
        value[key] = for_programs(estimate);
    }
    if let Some(baseline) = baseline {
        let (pairs, own) = (settings.pairs, shown(baseline));
        line!(
            text,
            "    between two samples of A: {} bits. Samples of {pairs} rows are further apart",
            own.trim_start()
        );
        line!(text, "    than the distributions that they are drawn from; --pairs takes larger samples");
        value["wasserstein_baseline"] = for_programs(baseline);
        value["wasserstein_rows"] = json!(pairs);
    }
    if divergences.forward.value.is_infinite() || divergences.reverse.value.is_infinite() {
        let [sure, other] = if divergences.forward.value.is_infinite() { ["A", "B"] } else { ["B", "A"] };
        line!(text, "  inf: {sure} gives probability to rows that {other} does not have");
    }
    if let Some(DataLikelihood { cross_entropy, entropy }) = likelihood {
        line!(text, "  mean surprisal of B under A {cross_entropy:.4} = entropy of B {entropy:.4} + KL(B || A)");
        value["cross_entropy"] = json!(cross_entropy.is_finite().then_some(cross_entropy));
        value["entropy"] = json!(entropy);
    }
    Ok(Answer { text: text.into_text(), value })
}

/// Comparison of a model with another model or with rows of data.
struct Compared {
    artefact: Artefact,
    comparison: Comparison,
    likelihood: Option<DataLikelihood>,
    rows: Option<usize>,
}

impl CompareArgs {
    fn compared(&self, settings: &SamplingSettings, progress: &Progress) -> Result<Compared> {
        let (a, b) = (self.a.display(), self.b.display());
        let model = is_model(&self.b);
        ensure!(
            !model || is_model(&self.a),
            "{a}: expected a .srp file, because the model comes first: surprisal compare MODEL MODEL_OR_DATA"
        );
        if model {
            let for_data = self.held_out
                || self.label.is_some()
                || !self.time.is_empty()
                || self.reading != ReadingArgs::default();
            ensure!(
                !for_data,
                "--time, --held-out, --label and options for reading apply to data, but {b} is a model; leave them out, or pass a \
                 CSV file"
            );
            let (p, q) = (Artefact::read(&self.a)?, Artefact::read(&self.b)?);
            let comparison = models(&p, &q, settings).with_context(|| format!("{a} and {b} cannot be compared"))?;
            return Ok(Compared { artefact: p, comparison, likelihood: None, rows: None });
        }
        let rows = RowArgs {
            model: self.a.clone(),
            data: vec![self.b.clone()],
            reading: self.reading.clone(),
            time: self.time.clone(),
            held_out: self.held_out,
            label: self.label.clone(),
            normal: self.normal.clone(),
        };
        let Applied { artefact, frame, mut rows, anomalous, .. } = rows.apply(progress)?;
        if let Some(anomalous) = anomalous {
            let mut anomalous = anomalous.into_iter();
            rows.retain(|_| anomalous.next() == Some(false));
        }
        ensure!(!rows.is_empty(), "{b}: no normal rows to compare; check the label column, or --label and --normal");
        let readings = artefact.schema.fitting_readings(&frame, &rows)?;
        let (comparison, likelihood) = data(&artefact, &readings, settings).with_context(|| a.to_string())?;
        Ok(Compared { artefact, comparison, likelihood: Some(likelihood), rows: Some(rows.len()) })
    }
}

fn is_model(path: &Path) -> bool {
    let mut start = [0; 4];
    // Bytes that are read from a pipe are lost to the command.
    let read = path.is_file() && File::open(path).and_then(|mut file| file.read_exact(&mut start)).is_ok();
    read && start == *b"SRPL" || path.extension().is_some_and(|extension| extension == "srp")
}

/// Formats an estimate as "0.01230" if exact, "0.01230 ± 0.00040" with a standard error, or "inf".
fn shown(Estimate { value, standard_error }: Estimate) -> String {
    match standard_error {
        _ if value.is_infinite() => format!("{:>9}", "inf"),
        None => format!("{value:>9.5}"),
        Some(error) => format!("{value:>9.5} ± {error:.5}"),
    }
}

fn for_programs(Estimate { value, standard_error }: Estimate) -> Value {
    json!({
        "value": value.is_finite().then_some(value), "infinite": value.is_infinite(),
        "exact": standard_error.is_none(), "standard_error": standard_error,
    })
}
