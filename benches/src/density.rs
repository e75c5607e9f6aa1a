//! Test log-likelihoods of exported tables on public binary data sets.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::path::Path;
use xtask::command::Surprisal;
use xtask::setup::root;

/// For each data set: its name, the largest size of the table, and the required test log-likelihood in nats per row.
type Sets = &'static [(&'static str, &'static str, f64)];

/// Requirements for fits with the default settings, which are quick and use no hidden layer.
const DEFAULT: Sets = &[
    ("nltcs", "2KiB", -6.01),
    ("plants", "12KiB", -12.55),
    ("jester", "16KiB", -51.70),
    ("dna", "20KiB", -80.1),
    ("accidents", "16KiB", -26.05),
    ("kosarek", "16KiB", -10.65),
    ("cwebkb", "100KiB", -147.5),
];
/// Requirements for fits with `--family auto` in small tables.
const SMALL: Sets = &[
    ("plants", "16KiB", -12.30),
    ("jester", "16KiB", -51.47),
    ("dna", "16KiB", -79.6),
    ("accidents", "16KiB", -25.92),
    ("kosarek", "16KiB", -10.55),
];
/// Requirements for fits with `--family auto` in large tables.
const LARGE: Sets = &[
    ("nltcs", "256KiB", -5.99),
    ("plants", "256KiB", -12.23),
    ("jester", "256KiB", -51.45),
    ("dna", "256KiB", -78.9),
    ("accidents", "256KiB", -25.90),
    ("kosarek", "256KiB", -10.49),
    ("cwebkb", "256KiB", -143.0),
];
const GROUPS: [(Sets, &[&str]); 3] = [(DEFAULT, &[]), (SMALL, &["--family", "auto"]), (LARGE, &["--family", "auto"])];
/// The largest allowed KL divergence of the exported integer table from the float model, in nats per row.
const MOST_KL: f64 = 0.005;

/// Fits the data sets named in `only`, or all if it is empty, with default settings and with `--family auto`.
///
/// Prints one line per fit: sizes, log-likelihoods, and the model that was chosen.
///
/// # Errors
/// A file is missing, a fit fails, a test log-likelihood is below its required value, or quantisation costs too
/// much.
pub fn run(data: &Path, only: &[String]) -> Result<()> {
    let file = |name: &str, part: &str| data.join(format!("{name}.{part}.csv.gz"));
    let wanted = |name: &str| only.is_empty() || only.iter().any(|only| only == name);
    for (name, ..) in DEFAULT.iter().filter(|(name, ..)| wanted(name)) {
        for part in ["train", "valid", "test"] {
            let path = file(name, part);
            ensure!(
                path.exists(),
                "{} cannot be found; pass the folder of the binary density-estimation benchmark, with files \
                 NAME.train.csv.gz, NAME.valid.csv.gz and NAME.test.csv.gz, by --data DIR",
                path.display()
            );
        }
    }
    let surprisal = Surprisal::build()?;
    let scratch = root().join("target/bench");
    std::fs::create_dir_all(&scratch)?;
    println!("test log-likelihood in nats per row; choices on validation rows; tables as exported");
    println!("set        flash     file  float_ll integer_ll    floor       KL seconds  model");
    let mut missed = Vec::new();
    for (sets, options) in GROUPS {
        println!("surprisal fit {}", options.join(" "));
        for (name, flash, floor) in sets.iter().filter(|(name, ..)| wanted(name)) {
            let path = |part| file(name, part).display().to_string();
            let output = scratch.join(format!("{name}-{flash}.srp")).display().to_string();
            let (train, valid, test) = (path("train"), path("valid"), path("test"));
            let fixed = ["fit", &train, "--valid", &valid, "--test", &test, "--flash", flash, "-o", &output];
            let report = surprisal.json(&[&fixed, options].concat())?;
            let number = |key: &str| {
                report[key].as_f64().with_context(|| format!("`surprisal fit --json` printed no number `{key}`"))
            };
            let (integer, divergence) = (number("test_ll")?, number("kl_quantisation")?);
            println!(
                "{name:<10} {flash:<7} {:>6} {:>9.3} {integer:>10.3} {floor:>8.2} {divergence:>8.4} {:>7.0}  {}",
                report["file_bytes"],
                number("float_test_ll")?,
                number("seconds")?,
                model(&report),
            );
            if integer < *floor || divergence > MOST_KL {
                missed.push(format!("{name} {flash}"));
            }
        }
    }
    ensure!(
        missed.is_empty(),
        "test log-likelihood below the required value (column `floor`), or quantisation KL above {MOST_KL} nats per \
         row: {}",
        missed.join(", ")
    );
    Ok(())
}

/// Describes the model in a report of `surprisal fit --json`, such as "learned order, linear-trees + 32 relu, split
/// gain 1, strength 5".
fn model(report: &Value) -> String {
    let mut text = format!("{} order", report["order"].as_str().unwrap_or_default());
    if let Some(terms) = report["terms"].as_str() {
        text += &format!(", {terms}");
    }
    match (report["gamma"].as_f64(), report["strength"].as_f64()) {
        (Some(gamma), Some(strength)) => text += &format!(", split gain {gamma}, strength {strength}"),
        _ => text += ", settings by conditional",
    }
    text
}
