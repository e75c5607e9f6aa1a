//! Published protocols of anomaly detection, for exported tables and for scikit-learn's detectors on the same rows.

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use surprisal_trainer::fit::Family;
use surprisal_trainer::names::Named;

use super::baseline::{self, Python};
use super::fitted::{FAMILY, FLASH, Fitted, Quality, STATISTICS, time_series_scores};
use super::report::Report;
use super::sets::{self, Halves, Set};
use super::skab::{self, Changes, Outliers, PROFILES, Run, TRAIN, WINDOW};

/// The data sets of ADBench whose mean AUC the documentation publishes.
const SETS: [&str; 6] = ["annthyroid", "cardio", "fault", "magic_gamma", "satellite", "shuttle"];
const FILE_ORDER: &str = "file order";
const SHUFFLED: &str = "shuffled";
const SEEDS: u64 = 3;
/// The largest number of rows of a set of ADBench; more are reduced to this by random choice, as in its protocol.
const MOST_ROWS: usize = 50_000;
/// The number of training rows, drawn from the images of the nine digits that count as normal.
const DIGITS: usize = 1000;
const BASELINES: [&str; 4] = ["iforest", "lof", "knn", "gmm10"];
const OF_DIGITS: [&str; 3] = ["kmeans32", "gmm8", "knn"];
const FLOAT: &str = "float";
/// The names, in the printed tables, of the [`STATISTICS`] of a model with independent columns (family `marginal`).
const MARGINAL: [&str; 3] = ["marginal", "marg-sum", "marg-lrg"];
/// The families that are fitted if none is requested. The first two have a size limit.
const FAMILIES: [Family; 4] = [FAMILY, Family::Marginal, Family::LinearTrees, Family::Tables];
/// The names, in the printed tables, of the two families that are compared set by set: tables, and linear-trees with
/// default settings.
const COMPARED: [&str; 2] = ["tables", "lintrees"];
/// The false-alarm rates, per row, that detectors are calibrated for and checked against.
const RATES: [f64; 2] = [0.01, 0.001];
/// How far the exported table may stay below the float model on a set, in percent of AUC.
const ROUNDING: f64 = 0.3;
/// How far the exported table may stay below the model with independent columns on a set, in percent of AUC.
const BELOW_MARGINAL: f64 = 3.0;

/// A group of protocols that is run and reported together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "lower")]
pub enum Part {
    /// The six data sets of the published mean AUC, and all other sets in adbench/
    AdBench,
    /// SKAB: alarms and change points of a water-pump loop
    Skab,
    /// AI4I: failures of a milling machine, from data with a category column
    Ai4i,
    /// Images of digits: nine digits train, the tenth counts as anomalous
    Digits,
    /// Alarms per normal row outside the training rows, compared with the rate that was asked for
    Alarms,
}

/// Arguments of `cargo benches anomaly`.
#[derive(clap::Args)]
pub struct Anomaly {
    /// The groups of protocols to run; if none is given, all are run
    #[arg(value_name = "PART", value_enum)]
    parts: Vec<Part>,
    /// The folder that holds adbench/, shuttle/ and skab/
    #[arg(long, value_name = "DIR", default_value = "../shared/data")]
    data: PathBuf,
    /// A family to fit, which can be given several times; if none is given, linear-trees+hidden, marginal, linear-trees
    /// and tables. Alarms are those of the first. Required values are checked for linear-trees+hidden only
    #[arg(long = "family", value_name = "F")]
    families: Vec<Family>,
    /// The folder with the recordings of SKAB; if absent, skab/ in the folder of --data
    #[arg(long, value_name = "DIR")]
    runs: Option<PathBuf>,
    /// Seed of the fits, which draws the rows of each purpose; those of SKAB do not depend on it
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Run without scikit-learn, and without its data set of digits
    #[arg(long)]
    no_baselines: bool,
    /// Print one JSON object instead of tables
    #[arg(long)]
    json: bool,
}

struct Bench<'a> {
    args: &'a Anomaly,
    python: Option<Python>,
    report: Report,
}

/// Runs the requested groups of protocols and prints their results.
///
/// # Errors
/// Data is missing, a fit fails, or a result is below its required value.
pub fn run(args: &Anomaly) -> Result<()> {
    let python = if args.no_baselines { None } else { Some(Python::find()?) };
    let mut bench = Bench { args, python, report: Report::default() };
    if bench.wants(Part::AdBench) || bench.wants(Part::Alarms) {
        bench.adbench()?;
    }
    if bench.wants(Part::Ai4i) || bench.wants(Part::Alarms) {
        bench.ai4i()?;
    }
    if bench.wants(Part::Alarms) {
        bench.report.alarms_table();
    }
    if bench.wants(Part::Digits) {
        bench.digits()?;
    }
    if bench.wants(Part::Skab) {
        bench.skab()?;
    }
    let report = bench.report;
    if args.json {
        println!("{}", report.json());
    } else {
        println!("{}\nBearings: cargo benches features", report.text);
    }
    ensure!(report.missed.is_empty(), "results below their required values: {}", report.missed.join("; "));
    Ok(())
}

/// Returns (name without extension, path) of each CSV file in a folder, plain or gzipped, sorted by name.
fn files_of(folder: &Path) -> Result<Vec<(String, PathBuf)>> {
    let listed = std::fs::read_dir(folder).with_context(|| {
        format!(
            "{}: cannot list the folder; pass the folder of adbench/, shuttle/ and skab/ by --data DIR",
            folder.display()
        )
    })?;
    let mut files = Vec::new();
    for path in listed {
        let path = path?.path();
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if let Some(name) = file.strip_suffix(".gz").unwrap_or(&file).strip_suffix(".csv") {
            files.push((name.to_owned(), path));
        }
    }
    files.sort();
    ensure!(!files.is_empty(), "{}: expected files NAME.csv or NAME.csv.gz, found none", folder.display());
    Ok(files)
}

/// Returns (name in the printed tables, `[row]` scores of the test rows) of each statistic of a fit that is reported.
fn methods(fitted: &Fitted, family: Family) -> Result<Vec<(&'static str, Vec<f64>)>> {
    let scores = fitted.surprisals()?;
    Ok(match family {
        FAMILY => {
            let float = fitted.float_scores()?;
            STATISTICS.into_iter().zip(scores).chain([(FLOAT, float)]).collect()
        }
        Family::Marginal => MARGINAL.into_iter().zip(scores).collect(),
        Family::LinearTrees => scores.into_iter().take(1).map(|scores| (COMPARED[1], scores)).collect(),
        family => scores.into_iter().take(1).map(|scores| (family.name(), scores)).collect(),
    })
}

impl Bench<'_> {
    fn wants(&self, part: Part) -> bool {
        self.args.parts.is_empty() || self.args.parts.contains(&part)
    }

    /// Returns the families to fit.
    fn families(&self) -> &[Family] {
        if self.args.families.is_empty() { &FAMILIES } else { &self.args.families }
    }

    fn adbench(&mut self) -> Result<()> {
        let mut files = files_of(&self.args.data.join("adbench"))?;
        // AI4I is a part of its own, and shuttle lies in a folder of its own.
        files.retain(|(name, _)| name != "ai4i" && name != "shuttle");
        files.push(("shuttle".into(), self.args.data.join("shuttle/shuttle.csv.gz")));
        // The sets of the mean first.
        files.sort_by_key(|(name, _)| !SETS.contains(&name.as_str()));
        for (name, path) in files {
            // The other sets run even if one fails.
            if let Err(error) = self.adbench_set(&name, &path) {
                eprintln!("benches: {name}: {error:#}");
                self.report.missed.push(format!("{name}: {error:#}"));
            }
        }
        if !self.wants(Part::AdBench) {
            return Ok(());
        }
        let is_flagship = self.families().contains(&FAMILY);
        let report = &mut self.report;
        report.table("ADBench: the first half of the normal rows trains, in file order", FILE_ORDER, &SETS);
        report.differences(FILE_ORDER, COMPARED, &SETS);
        report.table("ADBench: half of the normal rows trains, shuffled; mean of three", SHUFFLED, &SETS);
        report.differences(SHUFFLED, COMPARED, &SETS);
        if !is_flagship {
            return Ok(());
        }
        for (protocol, least) in [(FILE_ORDER, 86.0), (SHUFFLED, 90.0)] {
            let roc = |report: &Report, sets: &[&str], method| report.mean(protocol, sets, method).map(|mean| mean.roc);
            let mean = roc(report, &SETS, STATISTICS[0]);
            report.floor(&format!("mean AUC, {protocol}"), mean, least);
            if let (SHUFFLED, Some(neighbours)) = (protocol, roc(report, &SETS, "knn")) {
                report.floor("mean AUC, shuffled, against kNN", mean, neighbours);
            }
            for set in SETS {
                let table = roc(report, &[set], STATISTICS[0]);
                for (other, below) in [(FLOAT, ROUNDING), (MARGINAL[0], BELOW_MARGINAL)] {
                    if let Some(other_auc) = roc(report, &[set], other) {
                        report.floor(&format!("{set}, {protocol}, against {other}"), table, other_auc - below);
                    }
                }
            }
        }
        Ok(())
    }

    fn adbench_set(&mut self, name: &str, path: &Path) -> Result<()> {
        let frame = sets::read(path)?;
        let mut set = match name {
            // The set of ADBench has no rows of the class High.
            "shuttle" => Set::new(&frame, "Class", |text| (text != "High").then_some(text != "Rad.Flow"))?,
            _ => Set::labelled(&frame)?,
        };
        set.keep(MOST_ROWS)?;
        if self.wants(Part::AdBench) {
            self.split(Part::AdBench, FILE_ORDER, name, &set, &set.halves(None))?;
        }
        for seed in 0..SEEDS {
            self.split(Part::AdBench, SHUFFLED, name, &set, &set.halves(Some(seed)).in_random_order(seed))?;
        }
        Ok(())
    }

    fn ai4i(&mut self) -> Result<()> {
        let frame = sets::read(&self.args.data.join("adbench/ai4i.csv.gz"))?;
        let set = Set::labelled(&frame)?;
        for seed in 0..SEEDS {
            self.split(Part::Ai4i, "ai4i", "ai4i", &set, &set.halves(Some(seed)).in_random_order(seed))?;
        }
        if self.wants(Part::Ai4i) {
            self.report.table("AI4I: half of the normal rows trains, shuffled; mean of three", "ai4i", &[]);
            self.report.differences("ai4i", COMPARED, &["ai4i"]);
            if !self.families().contains(&FAMILY) {
                return Ok(());
            }
            let precision = self.report.mean("ai4i", &["ai4i"], STATISTICS[0]).map(|mean| mean.pr);
            self.report.floor("AI4I, AUC-PR", precision, 55.0);
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<()> {
        let Some(python) = &self.python else {
            self.report.say("\n8x8 digits: left out with the baselines");
            return Ok(());
        };
        let path = xtask::setup::root().join("target/bench/digits.csv");
        python.digits(&path)?;
        let frame = sets::read(&path)?;
        let names = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
        for (seed, name) in (0..).zip(names) {
            let set = Set::new(&frame, "digit", |text| Some(text == name))?;
            self.split(Part::Digits, "digits", name, &set, &set.share(DIGITS, seed))?;
        }
        self.report.table("8x8 digits: 1000 rows of nine train, the tenth is anomalous", "digits", &[]);
        self.report.differences("digits", COMPARED, &names);
        if !self.families().contains(&FAMILY) {
            return Ok(());
        }
        let mean = self.report.mean("digits", &names, STATISTICS[0]).map(|mean| mean.roc);
        self.report.floor("digits, mean AUC", mean, 96.0);
        Ok(())
    }

    /// Fits the training rows `halves.train` of a set, and adds to the report how well all methods score its test rows.
    ///
    /// `part` is the group of protocols that needs the scores; if only `Alarms` was requested, alarms alone are
    /// counted.
    fn split(&mut self, part: Part, protocol: &'static str, name: &str, set: &Set, halves: &Halves) -> Result<()> {
        let task = set.task(&format!("{protocol}-{name}").replace(' ', "-"), halves)?;
        eprintln!("benches: {name}, {protocol}, {} rows train, {} test", halves.train.len(), task.anomalous.len());
        for (at, family) in self.families().to_vec().into_iter().enumerate() {
            let counts_alarms = at == 0 && self.wants(Part::Alarms) && protocol != FILE_ORDER;
            if !counts_alarms && !self.wants(part) {
                continue;
            }
            let flash = [FAMILY, Family::Marginal].contains(&family).then_some(FLASH);
            let fitted = Fitted::new(&task, family, flash, self.args.seed)?;
            if counts_alarms {
                for rate in RATES {
                    if let Some(alarms) = fitted.alarms(&task, rate)? {
                        self.report.note_alarms(name, rate, alarms);
                    }
                }
            }
            if self.wants(part) {
                for (method, scores) in methods(&fitted, family)? {
                    self.report.note(protocol, name, method, &scores, &task.anomalous);
                }
            }
        }
        if !self.wants(part) {
            return Ok(());
        }
        if let Some(python) = &self.python {
            let methods = if part == Part::Digits { &OF_DIGITS[..] } else { &BASELINES };
            // Pixels have one scale already.
            python.score(methods, part != Part::Digits, &task)?;
            for &method in methods {
                self.report.note(protocol, name, method, &baseline::read(&task, method)?, &task.anomalous);
            }
        }
        Ok(())
    }

    fn skab(&mut self) -> Result<()> {
        let folder = self.args.runs.clone().unwrap_or_else(|| self.args.data.join("skab"));
        let files = files_of(&folder)?;
        let [mut ours, mut forest, mut all] = [(); 3].map(|()| (Outliers::default(), Changes::default()));
        let mut areas = 0.0;
        for (name, path) in &files {
            let frame = sets::read(path)?;
            let run = Run::of(&frame)?;
            let task = run.task(&format!("skab-{name}"), &frame)?;
            eprintln!("benches: SKAB, {name}, {TRAIN} rows train, {} test", task.anomalous.len() - TRAIN);
            let scores = time_series_scores(&task, WINDOW, TRAIN)?;
            areas += Quality::of(&scores[TRAIN..], &run.anomalous[TRAIN..]).roc;
            let count = |(outliers, changes): &mut (Outliers, Changes), alarms: &[bool], for_changes: &[bool]| {
                outliers.add(&alarms[TRAIN..], &run.anomalous[TRAIN..]);
                changes.add(&skab::switches(&for_changes[TRAIN..]), &run.changes[TRAIN..], &run.seconds[TRAIN..]);
            };
            let alarms = skab::alarms(&scores);
            count(&mut ours, &alarms, &alarms);
            let always = vec![true; run.anomalous.len()];
            count(&mut all, &always, &always);
            if let Some(python) = &self.python {
                python.score(&["iforest-alarms"], false, &task)?;
                let found = baseline::read(&task, "iforest-alarms")?;
                let found: Vec<bool> = found.into_iter().map(|alarm| alarm > 0.0).collect();
                let (alarms, for_changes) = skab::smoothed(&found);
                count(&mut forest, &alarms, &for_changes);
            }
        }
        let report = &mut self.report;
        report.say(&format!("\nSKAB: {} runs, rows 0 to {} of each train, one rule for all", files.len(), TRAIN - 1));
        report.say("                F1   FAR %   MAR %   NAB: standard   low FP   low FN   missed   stray");
        report.skab = json!({ "runs": files.len() });
        let mut lines = vec![("surprisal", ours), ("all alarms", all)];
        if self.python.is_some() {
            lines.insert(1, ("iforest", forest));
        }
        for (name, (outliers, changes)) in lines {
            let (f1, far, mar) = outliers.rates();
            let ([standard, low_fp, low_fn], (missed, windows, stray)) = (changes.nab(), changes.counts());
            report.say(&format!(
                "{name:<12} {f1:>5.3} {far:>7.2} {mar:>7.2} {standard:>15.2} {low_fp:>8.2} {low_fn:>8.2} \
                 {missed:>4}/{windows} {stray:>7}"
            ));
            report.skab[name] = json!({ "f1": f1, "far": far, "mar": mar, "missed": missed, "stray": stray });
            for ((profile, _), score) in PROFILES.iter().zip(changes.nab()) {
                report.skab[name][*profile] = Value::from(score);
            }
        }
        report.say(&format!("surprisal's scores, row by row: mean AUC-ROC {:.2}", areas / files.len() as f64));
        let (f1, far, _) = ours.0.rates();
        report.floor("SKAB, F1", Some(f1), 0.82);
        report.floor("SKAB, normal rows without alarm, in percent,", Some(100.0 - far), 80.0);
        Ok(())
    }
}
