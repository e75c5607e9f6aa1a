//! `cargo xtask bench density`: the log-likelihoods that the exported tables reach on public binary data sets.

use crate::shuttle::Surprisal;
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::path::Path;

/// A data set, the size its table must stay under, and the test log-likelihood in nats a row it must not miss.
const SETS: &[(&str, &str, f64)] = &[
    ("nltcs", "2KiB", -6.01),
    ("plants", "12KiB", -12.55),
    ("jester", "16KiB", -51.70),
    ("dna", "20KiB", -80.1),
    ("accidents", "16KiB", -26.05),
    ("kosarek", "16KiB", -10.65),
    ("cwebkb", "100KiB", -147.5),
];
/// What quantisation may cost, in nats a row.
const MOST_KL: f64 = 0.005;

/// Fits every set with the default settings and prints a table; an error if a floor is missed.
pub fn density(data: &Path) -> Result<()> {
    let file = |name: &str, part: &str| data.join(format!("{name}.{part}.csv.gz"));
    for (name, ..) in SETS {
        for part in ["train", "valid", "test"] {
            let path = file(name, part);
            ensure!(
                path.exists(),
                "{} is not there; pass the folder of the binary density-estimation benchmark, with files \
                 NAME.train.csv.gz, NAME.valid.csv.gz and NAME.test.csv.gz, by --data DIR",
                path.display()
            );
        }
    }
    let surprisal = Surprisal::build()?;
    let scratch = crate::setup::root().join("target/bench");
    std::fs::create_dir_all(&scratch)?;
    println!("test log-likelihood in nats a row; choices on validation rows; tables as exported");
    println!("set        flash     file  order     gamma strength float_ll integer_ll     floor       KL  seconds");
    let mut missed = Vec::new();
    for (name, flash, floor) in SETS {
        let path = |part| file(name, part).display().to_string();
        let output = scratch.join(name).with_extension("srp").display().to_string();
        let (train, valid, test) = (path("train"), path("valid"), path("test"));
        let report =
            surprisal.json(&["fit", &train, "--valid", &valid, "--test", &test, "--flash", flash, "-o", &output])?;
        let number = |key: &str| report[key].as_f64().with_context(|| format!("`fit --json` printed no `{key}`"));
        let setting = |key: &str| report[key].as_f64().map_or("mixed".into(), |value| value.to_string());
        let (integer, divergence) = (number("test_ll")?, number("kl_quantisation")?);
        println!(
            "{name:<10} {flash:<7} {:>6}  {:<9} {:<5} {:<8} {:>8.3} {integer:>10.3} {floor:>9.2} {divergence:>8.4} {:>8.1}",
            report["file_bytes"],
            report["order"].as_str().unwrap_or_default(),
            setting("gamma"),
            setting("strength"),
            number("float_test_ll")?,
            number("seconds")?,
        );
        if integer < *floor || divergence > MOST_KL {
            missed.push(*name);
        }
    }
    ensure!(missed.is_empty(), "below the floor, or KL above {MOST_KL}: {}", missed.join(", "));
    Ok(())
}

impl Surprisal {
    /// Runs it with `--json` and returns what it answers.
    fn json(&self, args: &[&str]) -> Result<Value> {
        let output = self.command(args).arg("--json").stderr(std::process::Stdio::inherit()).output()?;
        ensure!(output.status.success(), "surprisal {} ended with {}", args.join(" "), output.status);
        Ok(serde_json::from_slice(&output.stdout)?)
    }
}
