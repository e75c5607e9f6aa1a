//! `cargo xtask bench anomaly`: published protocols of anomaly detection, on exported tables and on scikit-learn's
//! detectors beside them.

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use surprisal_trainer::fit::Family;

use super::baseline::{self, Python};
use super::ours::{Alarms, Fitted, Quality, STATISTICS};
use super::sets::{self, Dealt, Set};
use super::skab::{self, Changes, Outliers, PROFILES, Run, TRAIN};

/// The sets of the published mean; shuttle has a folder of its own.
const SETS: [&str; 6] = ["annthyroid", "cardio", "fault", "magic_gamma", "satellite", "shuttle"];
const SEEDS: u64 = 3;
/// Rows of nine digits that train.
const DIGITS: usize = 1000;
const BASELINES: [&str; 4] = ["iforest", "lof", "knn", "gmm10"];
const OF_DIGITS: [&str; 3] = ["kmeans32", "gmm8", "knn"];
/// What is shown of the marginal model, by statistic.
const MARGINAL: [&str; 3] = ["marginal", "marg-sum", "marg-lrg"];
const FLOAT: &str = "float";
/// Rates that the detector's promise is put to the test at, and the level of the test of p-values.
const RATES: [f64; 2] = [0.01, 0.001];
const LEVEL: f64 = 0.001;

/// Which protocols.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "lower")]
pub enum Part {
    /// Five sets of ADBench, shuttle, and whatever else lies in adbench/
    AdBench,
    /// Alarms and change points of a water-pump loop
    Skab,
    /// Failures of a milling machine, one category among its readings
    Ai4i,
    /// A digit that the nine others do not know
    Digits,
    /// Do alarms on fresh ordinary rows keep the promised rate?
    Alarms,
}

/// What to run, on what.
#[derive(clap::Args)]
pub struct Anomaly {
    /// All of them if none is named
    #[arg(value_name = "PART", value_enum)]
    parts: Vec<Part>,
    /// The folder of adbench/, shuttle/ and skab/
    #[arg(long, value_name = "DIR", default_value = "../shared/data")]
    data: PathBuf,
    /// The runs of SKAB, if they lie elsewhere than in skab/
    #[arg(long, value_name = "DIR")]
    runs: Option<PathBuf>,
    /// Leave scikit-learn out, and the digits, which are its own
    #[arg(long)]
    no_baselines: bool,
    /// Print one JSON object instead of tables
    #[arg(long)]
    json: bool,
}

/// What a method makes of one deal of a set.
struct Outcome {
    protocol: &'static str,
    set: String,
    method: &'static str,
    quality: Quality,
}

/// All that was measured, and which floors were missed.
struct Bench {
    python: Option<Python>,
    outcomes: Vec<Outcome>,
    alarms: Vec<(String, f64, Alarms)>,
    text: String,
    missed: Vec<String>,
}

/// Runs the parts and prints what they say; an error if a floor is missed.
pub fn run(args: &Anomaly) -> Result<()> {
    let wanted = |part: Part| args.parts.is_empty() || args.parts.contains(&part);
    let python = if args.no_baselines { None } else { Some(Python::find()?) };
    let mut bench = Bench { python, outcomes: Vec::new(), alarms: Vec::new(), text: String::new(), missed: Vec::new() };
    let mut skab = Value::Null;
    if wanted(Part::AdBench) || wanted(Part::Alarms) {
        for name in sets_of(&args.data)? {
            bench.adbench(&args.data, &name, wanted(Part::AdBench), wanted(Part::Alarms))?;
        }
    }
    if wanted(Part::AdBench) {
        bench.adbench_tables();
    }
    if wanted(Part::Ai4i) || wanted(Part::Alarms) {
        bench.ai4i(&args.data, wanted(Part::Ai4i), wanted(Part::Alarms))?;
    }
    if wanted(Part::Digits) && bench.python.is_some() {
        bench.digits()?;
    }
    if wanted(Part::Alarms) {
        bench.alarms_table();
    }
    if wanted(Part::Skab) {
        skab = bench.skab(args.runs.as_deref().unwrap_or(&args.data.join("skab")))?;
    }
    if args.json {
        println!("{}", bench.json(skab));
    } else {
        print!("{}", bench.text);
        println!("\nbearings: cargo xtask bench features");
    }
    ensure!(bench.missed.is_empty(), "missed: {}", bench.missed.join("; "));
    Ok(())
}

/// The sets of the mean, then the others that lie beside them.
fn sets_of(data: &Path) -> Result<Vec<String>> {
    let mut names: Vec<String> = SETS.map(String::from).into();
    let mut others: Vec<String> = files_of(&data.join("adbench"))?.into_iter().map(|(name, _)| name).collect();
    others.retain(|name| name != "ai4i" && !names.contains(name));
    names.append(&mut others);
    Ok(names)
}

/// The CSV files of a folder, plain or gzipped, with their names before that, sorted.
fn files_of(folder: &Path) -> Result<Vec<(String, PathBuf)>> {
    let listed = std::fs::read_dir(folder).with_context(|| {
        format!(
            "{} is not there; pass the folder that holds adbench/, shuttle/ and skab/ by --data DIR",
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
    Ok(files)
}

impl Bench {
    /// One set by both protocols.
    fn adbench(&mut self, data: &Path, name: &str, quality: bool, alarms: bool) -> Result<()> {
        let frame = match name {
            "shuttle" => sets::read(&data.join("shuttle/shuttle.csv.gz"))?,
            _ => {
                let files = files_of(&data.join("adbench"))?;
                let found = files.into_iter().find(|(file, _)| file == name);
                sets::read(&found.map_or(data.join("adbench").join(name).with_extension("csv.gz"), |(_, path)| path))?
            }
        };
        let set = match name {
            // ADBench's set has no rows of the class High.
            "shuttle" => Set::new(&frame, "Class", |text| (text != "High").then_some(text != "Rad.Flow"))?,
            _ => Set::labelled(&frame)?,
        };
        if quality {
            self.deal("file order", name, &set, &set.halves(None), &BASELINES, true, false)?;
        }
        for seed in 0..SEEDS {
            self.deal("shuffled", name, &set, &set.halves(Some(seed)), &BASELINES, quality, alarms)?;
        }
        Ok(())
    }

    fn ai4i(&mut self, data: &Path, quality: bool, alarms: bool) -> Result<()> {
        let frame = sets::read(&data.join("adbench/ai4i.csv.gz"))?;
        let set = Set::labelled(&frame)?;
        for seed in 0..SEEDS {
            self.deal("ai4i", "ai4i", &set, &set.halves(Some(seed)), &BASELINES, quality, alarms)?;
        }
        if quality {
            self.table("AI4I, half of the ordinary rows after a shuffle, mean of three", "ai4i", &BASELINES);
            self.floor("AI4I AUC-PR", self.mean("ai4i", &["ai4i"], STATISTICS[0]).map(|quality| quality.pr), 55.0);
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<()> {
        let path = crate::setup::root().join("target/bench/digits.csv");
        if let Some(python) = &self.python {
            python.digits(&path)?;
        }
        let frame = sets::read(&path)?;
        for digit in 0..10 {
            let name = digit.to_string();
            let set = Set::new(&frame, "digit", |text| Some(text == name))?;
            self.deal("digits", &name, &set, &set.share(DIGITS, digit), &OF_DIGITS, true, false)?;
        }
        self.table("8x8 digits, one left out, 1000 rows of the others train", "digits", &OF_DIGITS);
        let all: Vec<String> = (0..10).map(|digit| digit.to_string()).collect();
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        self.floor("digits AUC", self.mean("digits", &all, STATISTICS[0]).map(|quality| quality.roc), 96.0);
        Ok(())
    }

    /// Fits one deal of a set and notes what all methods make of it.
    #[allow(clippy::too_many_arguments)]
    fn deal(
        &mut self,
        protocol: &'static str,
        name: &str,
        set: &Set,
        dealt: &Dealt,
        baselines: &[&'static str],
        quality: bool,
        alarms: bool,
    ) -> Result<()> {
        let deal = self.outcomes.len().max(self.alarms.len());
        let task = set.task(&format!("{protocol}-{name}-{deal}").replace(' ', "-"), dealt)?;
        eprintln!("bench: {name}, {protocol}, {} rows train, {} test", dealt.train.len(), task.odd.len());
        let fitted = Fitted::new(&task, Family::default())?;
        if alarms {
            for rate in RATES {
                self.alarms.extend(fitted.alarms(&task, rate)?.map(|found| (name.to_owned(), rate, found)));
            }
        }
        if !quality {
            return Ok(());
        }
        let mut note = |method, scores: &[f64]| {
            let quality = Quality::of(scores, &task.odd);
            self.outcomes.push(Outcome { protocol, set: name.to_owned(), method, quality });
        };
        for (method, scores) in STATISTICS.into_iter().zip(fitted.scores()?) {
            note(method, &scores);
        }
        note(FLOAT, &fitted.float_scores()?[0]);
        for (method, scores) in MARGINAL.into_iter().zip(Fitted::new(&task, Family::Marginal)?.scores()?) {
            note(method, &scores);
        }
        if let Some(python) = &self.python {
            python.score(baselines, protocol != "digits", &task)?;
            for &method in baselines {
                note(method, &baseline::read(&task, method)?);
            }
        }
        Ok(())
    }

    fn adbench_tables(&mut self) {
        for (protocol, title, least) in [
            ("file order", "ADBench, the first half of the ordinary rows in file order trains", 86.0),
            ("shuffled", "ADBench, half of the ordinary rows after a shuffle trains, mean of three", 90.0),
        ] {
            self.table(title, protocol, &BASELINES);
            let mean = |method| self.mean(protocol, &SETS, method).map(|quality| quality.roc);
            let (ours, knn) = (mean(STATISTICS[0]), mean("knn"));
            self.floor(&format!("mean AUC, {protocol}"), ours, least);
            if let (Some(knn), "shuffled") = (knn, protocol) {
                self.floor("mean AUC, shuffled, beside kNN", ours, knn);
            }
            for set in SETS {
                let roc = |method| self.mean(protocol, &[set], method).map(|quality| quality.roc);
                let (ours, float, marginal) = (roc(STATISTICS[0]), roc(FLOAT), roc(MARGINAL[0]));
                self.floor(&format!("{set}, {protocol}, table beside float"), ours, float.unwrap_or_default() - 0.3);
                self.floor(&format!("{set}, {protocol}, beside marginal"), ours, marginal.unwrap_or_default() - 3.0);
            }
        }
    }

    /// The mean over deals of the mean over sets.
    fn mean(&self, protocol: &str, sets: &[&str], method: &str) -> Option<Quality> {
        let of = |set: &str| {
            let deals = self
                .outcomes
                .iter()
                .filter(|outcome| outcome.protocol == protocol && outcome.set == set && outcome.method == method);
            average(deals.map(|outcome| outcome.quality))
        };
        average(sets.iter().map(|set| of(set)).collect::<Option<Vec<_>>>()?.into_iter())
    }

    fn floor(&mut self, what: &str, found: Option<f64>, least: f64) {
        match found {
            Some(found) if found >= least => {}
            Some(found) => self.missed.push(format!("{what} {found:.2}, expected at least {least:.2}")),
            None => self.missed.push(format!("{what} was not measured")),
        }
    }

    fn say(&mut self, line: &str) {
        self.text += line.trim_end();
        self.text.push('\n');
    }

    /// Both measures of a protocol, a line a set; the mean is that of the published sets alone where there are others.
    fn table(&mut self, title: &str, protocol: &str, baselines: &[&str]) {
        let mut sets: Vec<&str> = Vec::new();
        let mut methods: Vec<&str> = Vec::new();
        for outcome in self.outcomes.iter().filter(|outcome| outcome.protocol == protocol) {
            if !sets.contains(&outcome.set.as_str()) {
                sets.push(&outcome.set);
            }
            if !methods.contains(&outcome.method) {
                methods.push(outcome.method);
            }
        }
        methods
            .retain(|method| !OF_DIGITS.contains(method) && !BASELINES.contains(method) || baselines.contains(method));
        let known = sets.iter().any(|set| SETS.contains(set));
        let averaged: Vec<&str> = sets.iter().copied().filter(|set| !known || SETS.contains(set)).collect();
        let mut lines = vec![format!("\n{title}")];
        for (measure, of) in
            [("AUC-ROC", (|quality| quality.roc) as fn(Quality) -> f64), ("AUC-PR", |quality| quality.pr)]
        {
            let line = |first: &str, cell: &dyn Fn(&str) -> String| {
                methods.iter().fold(format!("{first:<12}"), |line, method| line + &format!("{:>9}", cell(method)))
            };
            let values = |sets: &[&str], method: &str| {
                self.mean(protocol, sets, method).map_or("-".into(), |quality| format!("{:.2}", of(quality)))
            };
            lines.push(line(measure, &|method| method.to_owned()));
            lines.extend(sets.iter().map(|set| line(set, &|method| values(&[set], method))));
            if averaged.len() > 1 {
                lines.push(line("mean", &|method| values(&averaged, method)));
            }
        }
        lines.iter().for_each(|line| self.say(line));
    }

    fn alarms_table(&mut self) {
        self.say("\nAlarms on fresh ordinary rows, and the largest distance of their p-values to uniform ones");
        self.say("set          promised   fresh  calibration    rate    bound  distances (at most)");
        let mut groups: Vec<(String, f64)> = self.alarms.iter().map(|(set, rate, _)| (set.clone(), *rate)).collect();
        groups.dedup();
        groups.sort_by(|a, b| a.0.cmp(&b.0).then(b.1.total_cmp(&a.1)));
        groups.dedup();
        for (set, promised) in groups {
            let of_group = self.alarms.iter().filter(|(name, rate, _)| *name == set && *rate == promised);
            let deals: Vec<Alarms> = of_group.map(|(.., alarms)| *alarms).collect();
            let (rate, bound) = Alarms::rate(&deals, promised);
            let far = |deal: &Alarms| format!("{:.4} ({:.4})", deal.distance, deal.most_distance(LEVEL));
            self.say(&format!(
                "{set:<12} {promised:>8} {:>7} {:>12} {rate:>7.4} {bound:>8.4}  {}",
                deals[0].fresh,
                deals[0].calibration,
                deals.iter().map(far).collect::<Vec<_>>().join(" ")
            ));
            if rate > bound {
                self.missed.push(format!("{set}: alarms at {promised}: {rate:.5}, expected at most {bound:.5}"));
            }
            if deals.iter().any(|deal| deal.distance > deal.most_distance(LEVEL)) {
                self.missed.push(format!("{set}: p-values are not uniform"));
            }
        }
        self.say(&format!(
            "bound: the promise and three standard errors of both samples; distances: Kolmogorov-Smirnov, both samples \
             counted, level {LEVEL}"
        ));
    }

    fn skab(&mut self, folder: &Path) -> Result<Value> {
        let files = files_of(folder)?;
        let (mut ours, mut forest, mut everywhere) = <(Outliers, Outliers, Outliers)>::default();
        let (mut our_changes, mut forest_changes) = <(Changes, Changes)>::default();
        let mut auc = Vec::new();
        for (name, path) in &files {
            let frame = sets::read(path)?;
            let run = Run::of(&frame)?;
            let task = run.task(&format!("skab-{name}"), &frame)?;
            eprintln!("bench: skab, {name}, {TRAIN} rows train, {} test", task.odd.len() - TRAIN);
            let [scores, ..] = Fitted::new(&task, Family::default())?.scores()?;
            let (odd, changes, seconds) = (&run.odd[TRAIN..], &run.changes[TRAIN..], &run.seconds[TRAIN..]);
            auc.push(Quality::of(&scores[TRAIN..], odd).roc);
            let alarms = &skab::alarms(&scores)[TRAIN..];
            ours.add(alarms, odd);
            our_changes.add(&skab::switches(alarms), changes, seconds);
            everywhere.add(&vec![true; odd.len()], odd);
            if let Some(python) = &self.python {
                python.score(&["iforest-alarms"], false, &task)?;
                let found: Vec<bool> =
                    baseline::read(&task, "iforest-alarms")?.into_iter().map(|alarm| alarm > 0.0).collect();
                let (alarms, of_thirty) = skab::smoothed(&found);
                forest.add(&alarms[TRAIN..], odd);
                forest_changes.add(&skab::switches(&of_thirty[TRAIN..]), changes, seconds);
            }
        }
        ensure!(!files.is_empty(), "{}: no CSV files; expected runs of SKAB", folder.display());
        self.say(&format!("\nSKAB, {} runs, rows 0 to 399 of each train, one rule for all", files.len()));
        self.say("              F1    FAR %  MAR %   NAB standard  low FP  low FN  missed  stray");
        let mut value = json!({ "runs": files.len(), "auc_roc": auc.iter().sum::<f64>() / auc.len() as f64 });
        let mut lines = vec![("surprisal", ours, Some(our_changes)), ("all alarms", everywhere, None)];
        if self.python.is_some() {
            lines.insert(1, ("iforest", forest, Some(forest_changes)));
        }
        for (name, outliers, changes) in lines {
            let (f1, far, mar) = outliers.rates();
            let mut line = format!("{name:<12} {f1:>5.3} {far:>7.2} {mar:>6.2}");
            value[name] = json!({ "f1": f1, "far": far, "mar": mar });
            if let Some(changes) = changes {
                let ([standard, low_fp, low_fn], (missed, windows, stray)) = (changes.nab(), changes.counts());
                line += &format!("   {standard:>12.2} {low_fp:>7.2} {low_fn:>7.2}  {missed:>3}/{windows} {stray:>6}");
                for ((profile, _), score) in PROFILES.iter().zip([standard, low_fp, low_fn]) {
                    value[name][*profile] = json!(score);
                }
            }
            self.say(&line);
        }
        self.say(&format!("mean AUC-ROC of single rows {:.2}", value["auc_roc"].as_f64().unwrap_or_default()));
        let (f1, far, _) = ours.rates();
        self.floor("SKAB F1", Some(f1), 0.82);
        self.floor("SKAB share of ordinary rows without alarm, %", Some(100.0 - far), 80.0);
        Ok(value)
    }

    fn json(&self, skab: Value) -> Value {
        let outcome = |outcome: &Outcome| {
            let Outcome { protocol, set, method, quality } = outcome;
            json!({ "protocol": protocol, "set": set, "method": method, "auc_roc": quality.roc, "auc_pr": quality.pr })
        };
        let alarms = |(set, promised, alarms): &(String, f64, Alarms)| {
            json!({
                "set": set,
                "promised": promised,
                "fresh": alarms.fresh,
                "calibration": alarms.calibration,
                "raised": alarms.raised,
                "distance": alarms.distance,
                "most_distance": alarms.most_distance(LEVEL),
            })
        };
        json!({
            "outcomes": self.outcomes.iter().map(outcome).collect::<Vec<_>>(),
            "alarms": self.alarms.iter().map(alarms).collect::<Vec<_>>(),
            "skab": skab,
            "missed": self.missed,
        })
    }
}

fn average(qualities: impl Iterator<Item = Quality>) -> Option<Quality> {
    let all: Vec<Quality> = qualities.collect();
    let mean = |of: fn(&Quality) -> f64| all.iter().map(of).sum::<f64>() / all.len() as f64;
    (!all.is_empty()).then(|| Quality { roc: mean(|quality| quality.roc), pr: mean(|quality| quality.pr) })
}
