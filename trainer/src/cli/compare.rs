//! `surprisal compare`: a model against another, or against data.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde_json::{Value, json};

use super::{Applied, RowArgs};
use crate::artefact::Artefact;
use crate::data::Header;
use crate::divergence::{Comparison, ENUMERABLE, Estimate, SamplingSettings, data, models};

#[derive(Debug, Args)]
pub(super) struct CompareArgs {
    /// A: a .srp file.
    a: PathBuf,
    /// B: another .srp file with the same columns in any order, or rows as CSV (plain or .gz).
    b: PathBuf,
    /// How many rows to draw from each model where there are too many to enumerate.
    #[arg(short = 'n', default_value_t = SamplingSettings::default().rows as u32, value_name = "ROWS",
        value_parser = clap::value_parser!(u32).range(2..))]
    rows: u32,
    /// How many rows to draw for each sample that Wasserstein-1 pairs off; more bring it closer to the truth, in a time
    /// that grows as their cube.
    #[arg(long, default_value_t = SamplingSettings::default().pairs as u32, value_name = "ROWS",
        value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pairs: u32,
    /// Of the draws.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Of data: does the first line name the columns?
    #[arg(long, value_enum, default_value_t)]
    header: Header,
    /// Of data: only the rows of the training file that `fit` did not see.
    #[arg(long)]
    held_out: bool,
    /// Of data: the column that marks anomalies, if not the one of `fit`; only ordinary rows are compared.
    #[arg(long, value_name = "COLUMN")]
    label: Option<String>,
    /// Of data: the label of ordinary rows.
    #[arg(long, value_name = "VALUE", requires = "label")]
    normal: Option<String>,
}

impl CompareArgs {
    pub(super) fn inputs(&self) -> [&Path; 2] {
        [&self.a, &self.b]
    }
}

pub(super) fn compare(args: &CompareArgs) -> Result<(String, Value)> {
    let (a, b) = (args.a.display(), args.b.display());
    let settings = SamplingSettings { rows: args.rows as usize, pairs: args.pairs as usize, seed: args.seed };
    let model = is_model(&args.b);
    ensure!(
        !model || is_model(&args.a),
        "{a}: not a .srp file; the model comes first: surprisal compare MODEL MODEL_OR_DATA"
    );
    let (artefact, comparison, likelihood, rows) = if model {
        let for_data = args.held_out || args.label.is_some() || args.header != Header::Auto;
        ensure!(
            !for_data,
            "--header, --held-out and --label are for data, but {b} is a model; leave them out, or pass a CSV file"
        );
        let (p, q) = (Artefact::read(&args.a)?, Artefact::read(&args.b)?);
        let comparison = models(&p, &q, &settings).with_context(|| format!("{a} and {b} cannot be compared"))?;
        (p, comparison, None, None)
    } else {
        let rows = RowArgs {
            model: args.a.clone(),
            data: args.b.clone(),
            header: args.header,
            held_out: args.held_out,
            label: args.label.clone(),
            normal: args.normal.clone(),
        };
        let Applied { artefact, frame, mut rows, odd, .. } = rows.apply()?;
        if let Some(odd) = odd {
            let mut odd = odd.into_iter();
            rows.retain(|_| odd.next() == Some(false));
        }
        ensure!(!rows.is_empty(), "{b}: no ordinary rows to compare; check the label column, or --label and --normal");
        let (comparison, likelihood) =
            data(&artefact, &artefact.schema.all_readings(&frame, &rows)?, &settings).with_context(|| a.to_string())?;
        (artefact, comparison, Some(likelihood), Some(rows.len()))
    };

    let Comparison { outcomes, divergences, wasserstein, baseline } = comparison;
    let exact = outcomes <= ENUMERABLE as f64;
    let kind = rows.map_or("a model".to_owned(), |rows| format!("{rows} rows of data"));
    let mut text = format!("A = {a}, a model\nB = {b}, {kind}\n");
    write!(text, "{} columns, {} bits; ", artefact.schema.columns.len(), artefact.shape.bits)?;
    let method = match (exact, rows) {
        (true, _) => {
            writeln!(text, "exact, over all {outcomes} rows that there can be")?;
            "enumeration"
        }
        (false, Some(_)) => {
            writeln!(text, "exact, over the rows of B")?;
            "data"
        }
        (false, None) => {
            writeln!(text, "± one standard error, from {} rows of each model", settings.rows)?;
            "samples"
        }
    };
    let mut value = json!({
        "a": args.a, "b": args.b, "columns": artefact.schema.columns.len(), "bits": artefact.shape.bits, "method": method,
        "outcomes": exact.then_some(outcomes as u64), "data_rows": rows,
        "sampled_rows": (method == "samples").then_some(settings.rows), "seed": settings.seed,
    });
    for (name, key, estimate, unit) in [
        ("KL(A || B)", "kl_a_b", divergences.forward, "nats a row"),
        ("KL(B || A)", "kl_b_a", divergences.reverse, "nats a row"),
        ("Jensen-Shannon", "jensen_shannon", divergences.jensen_shannon, "nats, of at most 0.69315"),
        ("total variation", "total_variation", divergences.total_variation, "of probability, of at most 1"),
        ("Wasserstein-1", "wasserstein", wasserstein, "bits flipped a row"),
    ] {
        writeln!(text, "  {name:<16} {} {unit}", shown(estimate))?;
        value[key] = for_programs(estimate);
    }
    if let Some(baseline) = baseline {
        let pairs = settings.pairs;
        writeln!(
            text,
            "    of two samples of A {} bits; each sample is of {pairs} rows, which puts them",
            shown(baseline).trim_start()
        )?;
        writeln!(text, "    further apart than what they are drawn from; more --pairs, less so")?;
        value["wasserstein_baseline"] = for_programs(baseline);
        value["wasserstein_rows"] = json!(pairs);
    }
    if divergences.forward.value.is_infinite() || divergences.reverse.value.is_infinite() {
        let [sure, other] = if divergences.forward.value.is_infinite() { ["A", "B"] } else { ["B", "A"] };
        writeln!(text, "  inf: {sure} gives probability to rows that {other} does not have")?;
    }
    if let Some(likelihood) = likelihood {
        let (surprisal, entropy) = (likelihood.cross_entropy, likelihood.entropy);
        writeln!(text, "  mean surprisal of B under A {surprisal:.4} = entropy of B {entropy:.4} + KL(B || A)")?;
        value["cross_entropy"] = json!(surprisal.is_finite().then_some(surprisal));
        value["entropy"] = json!(entropy);
    }
    Ok((text, value))
}

fn is_model(path: &Path) -> bool {
    let mut start = [0; 4];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut start));
    read.is_ok() && start == *b"SRPL" || path.extension().is_some_and(|extension| extension == "srp")
}

/// "0.01230", "0.01230 ± 0.00040" or "inf".
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
