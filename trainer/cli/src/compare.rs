//! `surprisal compare`: divergences between a model and another model, or between a model and data.

mod readings;

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use surprisal::Reading;
use surprisal_trainer::artefact::Artefact;
use surprisal_trainer::counted::counted;
use surprisal_trainer::divergence::readings::Pair;
use surprisal_trainer::divergence::{
    Comparison, DataLikelihood, Divergences, ENUMERABLE, Estimate, SamplingSettings, data, models, share_a_grid,
};
use surprisal_trainer::recalibrate;

use crate::answer::Answer;
use crate::args::{CompareArgs, ReadingArgs, RowArgs, SelectionArgs};
use crate::observer::Progress;
use crate::rows::Read;
use crate::terminal::{Lines, line};

impl CompareArgs {
    /// Returns the paths of the files that the command reads.
    pub fn inputs(&self) -> Vec<&Path> {
        [&self.a, &self.b].into_iter().chain(&self.data).map(PathBuf::as_path).collect()
    }
}

/// (name, JSON key, unit) of the divergences that are in nats per row.
const KL: [(&str, &str, &str); 2] =
    [("KL(A || B)", "kl_a_b", "nats per row"), ("KL(B || A)", "kl_b_a", "nats per row")];
/// (name, JSON key, unit) of the bounded divergences.
const BOUNDED: [(&str, &str, &str); 2] = [
    ("Jensen-Shannon", "jensen_shannon", "nats, at most 0.69315"),
    ("total variation", "total_variation", "of probability, at most 1"),
];

pub fn compare(args: &CompareArgs, progress: &Progress) -> Result<Answer> {
    let settings = SamplingSettings { rows: args.rows as usize, pairs: args.pairs as usize, seed: args.seed };
    let (a, b) = (args.a.display(), args.b.display());
    let mut text = Lines::default();
    line!(text, "A = {a}, a model");
    let mut value = json!({ "a": args.a, "b": args.b, "seed": settings.seed });
    if !is_model(&args.b) {
        ensure!(
            args.data.is_none(),
            "{b}: expected a .srp or .cal file, because rows of data come last: surprisal compare A B ROWS"
        );
        let (artefact, readings) = args.normal_readings(progress)?;
        line!(text, "B = {b}, {} of data", counted(readings.len(), "row"));
        value["data_rows"] = json!(readings.len());
        head(&artefact, &mut text, &mut value);
        if artefact.shape.views > 0 {
            readings::data(&artefact, &readings, &settings, &mut text, &mut value)?;
        } else {
            let (comparison, likelihood) = data(&artefact, &readings, &settings).with_context(|| a.to_string())?;
            divergences(&comparison, "data", "exact, over the rows of B", &settings, &mut text, &mut value);
            let DataLikelihood { cross_entropy, entropy } = likelihood;
            line!(text, "  mean surprisal of B under A {cross_entropy:.4} = entropy of B {entropy:.4} + KL(B || A)");
            value["cross_entropy"] = json!(cross_entropy.is_finite().then_some(cross_entropy));
            value["entropy"] = json!(entropy);
        }
        return Ok(Answer { text: text.into_text(), value });
    }
    ensure!(
        is_model(&args.a),
        "{a}: expected a .srp or .cal file, because the model comes first: surprisal compare MODEL MODEL_OR_DATA"
    );
    let for_data = args.held_out
        || args.label.is_some()
        || args.normal.is_some()
        || !args.time.is_empty()
        || args.reading != ReadingArgs::default();
    ensure!(
        !for_data || args.data.is_some(),
        "--time, --held-out, --label, --normal and options for reading apply to data, but {b} is a model; leave them out, or pass a CSV file"
    );
    let (p, q) = (recalibrate::read(&args.a)?, recalibrate::read(&args.b)?);
    line!(text, "B = {b}, a model");
    head(&p, &mut text, &mut value);
    let cannot = || format!("{a} and {b} cannot be compared");
    if share_a_grid(&p, &q) {
        let comparison = models(&p, &q, &settings).with_context(cannot)?;
        let how = format!("± one standard error, from {} rows of each model", settings.rows);
        divergences(&comparison, "samples", &how, &settings, &mut text, &mut value);
    } else {
        let pair = Pair::new(&p, &q).with_context(cannot)?;
        readings::models(&pair, &settings, &mut text, &mut value)?;
    }
    if let Some(data) = &args.data {
        let pair = Pair::new(&p, &q).with_context(cannot)?;
        readings::on_data(args, data, &pair, progress, &mut text, &mut value)?;
    }
    Ok(Answer { text: text.into_text(), value })
}

/// Adds the size of a model.
fn head(artefact: &Artefact, text: &mut Lines, value: &mut Value) {
    let (columns, bits) = (artefact.schema.columns.len(), artefact.shape.bits);
    value["columns"] = json!(columns);
    if artefact.shape.views == 0 {
        value["bits"] = json!(bits);
        line!(text, "{}, {}", counted(columns, "column"), counted(bits, "bit"));
    } else {
        line!(text, "{}", counted(columns, "column"));
    }
}

/// Adds divergences over the bits of model A. If there are too many rows to enumerate, they follow from `method`, which
/// `how` describes.
fn divergences(
    comparison: &Comparison,
    method: &str,
    how: &str,
    settings: &SamplingSettings,
    text: &mut Lines,
    value: &mut Value,
) {
    let Comparison { outcomes, divergences, wasserstein, baseline } = *comparison;
    let Divergences { forward, reverse, jensen_shannon, total_variation } = divergences;
    let exact = outcomes <= ENUMERABLE as f64;
    match exact {
        true => line!(text, "exact, over all {outcomes} possible rows"),
        false => line!(text, "{how}"),
    }
    value["method"] = json!(if exact { "enumeration" } else { method });
    value["outcomes"] = json!(exact.then_some(outcomes as u64));
    value["sampled_rows"] = json!((value["method"] == "samples").then_some(settings.rows));
    let names = KL.into_iter().chain(BOUNDED).chain([("Wasserstein-1", "wasserstein", "bits flipped per row")]);
    for ((name, key, unit), estimate) in names.zip([forward, reverse, jensen_shannon, total_variation, wasserstein]) {
        line!(text, "  {name:<16} {} {unit}", shown(estimate));
        value[key] = json!(estimate);
    }
    if let Some(baseline) = baseline {
        let (pairs, own) = (settings.pairs, shown(baseline));
        line!(
            text,
            "    between two samples of A: {} bits. Samples of {pairs} rows are further apart",
            own.trim_start()
        );
        line!(text, "    than the distributions that they are drawn from; --pairs takes larger samples");
        value["wasserstein_baseline"] = json!(baseline);
        value["wasserstein_rows"] = json!(pairs);
    }
    if forward.value.is_infinite() || reverse.value.is_infinite() {
        let [sure, other] = if forward.value.is_infinite() { ["A", "B"] } else { ["B", "A"] };
        line!(text, "  inf: {sure} gives probability to rows that {other} does not have");
    }
}

impl CompareArgs {
    /// Returns the arguments that apply a model to the rows of a file.
    fn rows_of(&self, model: &Path, data: &Path) -> RowArgs {
        RowArgs {
            model: model.to_owned(),
            data: vec![data.to_owned()],
            reading: self.reading.clone(),
            selection: SelectionArgs {
                time: self.time.clone(),
                held_out: self.held_out,
                label: self.label.clone(),
                normal: self.normal.clone(),
            },
        }
    }

    /// Returns model A and the readings of the normal rows of B.
    fn normal_readings(&self, progress: &Progress) -> Result<(Artefact, Vec<Vec<Reading>>)> {
        let rows = self.rows_of(&self.a, &self.b);
        let read = rows.read(progress)?;
        read.warn_of_unknown(&read.selection.rows)?;
        let rows = read.of_kind(false);
        let Read { artefact, frame, .. } = read;
        ensure!(
            !rows.is_empty(),
            "{}: no normal rows to compare; check the label column, or --label and --normal",
            self.b.display()
        );
        let readings = artefact.schema.fitting_readings(&frame, &rows)?;
        Ok((artefact, readings))
    }
}

fn is_model(path: &Path) -> bool {
    let mut start = [0; 4];
    // Bytes that are read from a pipe are lost to the command.
    let read = path.is_file() && File::open(path).and_then(|mut file| file.read_exact(&mut start)).is_ok();
    read && start == *b"SRPL" || path.extension().is_some_and(|extension| extension == "srp" || extension == "cal")
}

/// Formats an estimate as "0.01230" if exact, "0.01230 ± 0.00040" with a standard error, or "inf".
pub fn shown(Estimate { value, standard_error }: Estimate) -> String {
    match standard_error {
        _ if value.is_infinite() => format!("{:>9}", "inf"),
        None => format!("{value:>9.5}"),
        Some(error) if error.is_infinite() => format!("{value:>9.5} (one row has no standard error)"),
        Some(error) => format!("{value:>9.5} ± {error:.5}"),
    }
}
