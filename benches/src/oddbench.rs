//! The sets of OddBench: default settings of several families, and the nearest neighbours of scikit-learn.

use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use surprisal::Reading;
use surprisal_trainer::data::Frame;
use surprisal_trainer::fit::Family;
use surprisal_trainer::names::Named;

use super::baseline::{self, Python};
use super::fitted::{Fitted, Quality};
use super::sets::{self, Task};

/// The families that are fitted if none is requested. Differences are to the first.
const FAMILIES: [Family; 2] = [Family::LinearTrees, Family::Tables];
/// The method of scikit-learn: the distance to the fifth nearest neighbour.
const NEIGHBOURS: &str = "knn";
/// The numbers of columns of the sets that [`OddSet::largest`] returns.
const COLUMNS: std::ops::RangeInclusive<usize> = 5..=12;
/// The number of sets on which columns go missing.
const MISSING_SETS: usize = 10;
/// The column of the test files that is 1 in anomalous rows.
const LABEL: &str = "label";

/// Arguments of `cargo benches oddbench`.
#[derive(clap::Args)]
pub struct OddBench {
    /// A family to fit, which can be given several times; if none is given, linear-trees and tables. Differences are to
    /// the first
    #[arg(long = "family", value_name = "F")]
    families: Vec<Family>,
    /// The folder that holds oddbench/
    #[arg(long, value_name = "DIR", default_value = "../shared/data")]
    data: PathBuf,
    /// Seed of the fits, which draws the rows of each purpose
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Run without scikit-learn
    #[arg(long)]
    no_baselines: bool,
    /// Let each column in turn be missing in all test rows instead, on the ten largest sets of 5 to 12 columns
    #[arg(long, conflicts_with_all = ["families", "no_baselines", "sets"])]
    missing: bool,
    /// The sets to fit; if none is given, all are fitted
    #[arg(value_name = "SET")]
    sets: Vec<String>,
}

/// A set of OddBench: its name and the folder of its files.
pub struct OddSet {
    /// The name of the set.
    pub name: String,
    folder: PathBuf,
}

impl OddSet {
    /// Returns the sets in the folder `oddbench/` of `data`, sorted by name.
    ///
    /// # Errors
    /// The folder is missing, or holds no set.
    pub fn all(data: &Path) -> Result<Vec<Self>> {
        let folder = data.join("oddbench");
        let listed = std::fs::read_dir(&folder).with_context(|| {
            format!("{}: cannot list the folder; pass the folder of oddbench/ by --data DIR", folder.display())
        })?;
        let mut sets = Vec::new();
        for path in listed {
            if let Some(name) = path?.file_name().to_string_lossy().strip_suffix(".train.csv.gz") {
                sets.push(Self { name: name.to_owned(), folder: folder.clone() });
            }
        }
        if sets.is_empty() {
            bail!("{}: expected files NAME.train.csv.gz, found none", folder.display());
        }
        sets.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(sets)
    }

    /// Returns the `count` sets in the folder `oddbench/` of `data` that have the most training rows, among those with
    /// [`COLUMNS`].
    ///
    /// # Errors
    /// The errors of [`all`](Self::all) and [`train`](Self::train).
    pub fn largest(data: &Path, count: usize) -> Result<Vec<Self>> {
        let mut sized = Vec::new();
        for set in Self::all(data)? {
            let train = set.train()?;
            if COLUMNS.contains(&train.columns.len()) {
                sized.push((train.rows(), set));
            }
        }
        sized.sort_by_key(|(rows, _)| std::cmp::Reverse(*rows));
        Ok(sized.into_iter().take(count).map(|(_, set)| set).collect())
    }

    /// Reads the file of training rows, all of which are normal.
    ///
    /// # Errors
    /// The file is missing or malformed.
    pub fn train(&self) -> Result<Frame> {
        sets::read(&self.folder.join(format!("{}.train.csv.gz", self.name)))
    }

    /// Writes the files of the task `prefix-NAME`: all training rows, and the test rows that are normal or, if
    /// `with_anomalous` is true, all test rows.
    ///
    /// # Errors
    /// A file is missing or malformed, or the files of the task cannot be written.
    pub fn task(&self, prefix: &str, with_anomalous: bool) -> Result<Task> {
        let (train, test) = (self.train()?, sets::read(&self.folder.join(format!("{}.test.csv.gz", self.name)))?);
        let label = test.position(LABEL)?;
        let columns: Vec<usize> = (0..test.columns.len()).filter(|&column| column != label).collect();
        let names = |frame: &Frame, columns: &[usize]| -> Vec<String> {
            columns.iter().map(|&column| frame.columns[column].name.clone()).collect()
        };
        let of_train: Vec<usize> = (0..train.columns.len()).collect();
        if names(&train, &of_train) != names(&test, &columns) || of_train != columns {
            bail!("{}: the columns of the training and the test file differ", self.name);
        }
        let is_anomalous = |row: usize| test.columns[label].text(row).parse::<f64>().is_ok_and(|value| value != 0.0);
        let of_train: Vec<(usize, bool)> = (0..train.rows()).map(|row| (row, false)).collect();
        let of_test = (0..test.rows()).map(|row| (row, is_anomalous(row)));
        let of_test: Vec<(usize, bool)> = of_test.filter(|(_, anomalous)| with_anomalous || !anomalous).collect();
        sets::write(&format!("{prefix}-{}", self.name), &columns, (&train, &of_train), (&test, &of_test))
    }
}

/// Fits each set with each family and prints the AUC-ROC of the exported tables, in percent.
///
/// # Errors
/// Data is missing, or a fit fails.
pub fn run(args: &OddBench) -> Result<()> {
    if args.missing {
        return missing(&args.data, args.seed);
    }
    let python = if args.no_baselines { None } else { Some(Python::find()?) };
    let families = if args.families.is_empty() { &FAMILIES[..] } else { &args.families };
    let mut methods: Vec<&str> = families.iter().map(|family| family.name()).collect();
    methods.extend(python.as_ref().map(|_| NEIGHBOURS));
    let heading = methods.iter().fold(format!("{:<30}", "AUC-ROC"), |line, method| line + &format!("{method:>14}"));
    println!("{heading}");
    let (mut rows, mut failed) = (Vec::new(), Vec::new());
    let mut sets = OddSet::all(&args.data)?;
    sets.retain(|set| args.sets.is_empty() || args.sets.contains(&set.name));
    for set in sets {
        // The other sets run even if one fails.
        match areas(&set, families, args.seed, python.as_ref()) {
            Ok(areas) => {
                println!("{}", line(&set.name, &areas));
                rows.push(areas);
            }
            Err(error) => failed.push(format!("{}: {error:#}", set.name)),
        }
    }
    let of = |method: usize| rows.iter().map(|areas| areas[method]).collect::<Vec<_>>();
    let means: Vec<f64> = (0..methods.len()).map(|method| moments(&of(method)).0).collect();
    println!("{}", line(&format!("mean of {}", rows.len()), &means));
    for (method, name) in methods.iter().enumerate().skip(1) {
        let differences: Vec<f64> = rows.iter().map(|areas| areas[method] - areas[0]).collect();
        let (mean, error) = moments(&differences);
        println!("{name} minus {}: {mean:+.2} (standard error {error:.2})", methods[0]);
    }
    if !failed.is_empty() {
        bail!("sets without a result: {}", failed.join("; "));
    }
    Ok(())
}

/// Returns the AUC-ROC of each method on a set, in percent: of the families, and of the nearest neighbours if there is a
/// Python environment.
fn areas(set: &OddSet, families: &[Family], seed: u64, python: Option<&Python>) -> Result<Vec<f64>> {
    let task = set.task("oddbench", true)?;
    let area = |scores: &[f64]| Quality::of(scores, &task.anomalous).roc;
    let mut areas = Vec::new();
    for &family in families {
        let [anomaly, ..] = Fitted::new(&task, family, None, seed)?.surprisals()?;
        areas.push(area(&anomaly));
    }
    if let Some(python) = python {
        python.score(&[NEIGHBOURS], true, &task)?;
        areas.push(area(&baseline::read(&task, NEIGHBOURS)?));
    }
    Ok(areas)
}

/// Fits tables to the [`MISSING_SETS`] largest sets, and prints AUC-ROC and false alarms with all readings, and in the mean
/// over the columns if one column is missing in all test rows although no training row misses it.
fn missing(data: &Path, seed: u64) -> Result<()> {
    println!("tables, percentages; alarms on normal test rows are calibrated for at most 1 %");
    println!("{:<30}{:>14}{:>14}{:>14}{:>14}", "", "AUC of all", "one missing", "alarms of all", "one missing");
    let mut rows = Vec::new();
    for set in OddSet::largest(data, MISSING_SETS)? {
        let task = set.task("oddbench", true)?;
        let Fitted { artefact, readings, .. } = Fitted::new(&task, Family::Tables, None, seed)?;
        let detector = artefact.detector();
        let measure = |rows: &[Vec<Reading>]| -> Result<[f64; 2]> {
            let scores = artefact.scores(rows)?;
            let anomaly: Vec<f64> = scores.iter().map(|score| score.anomaly.into()).collect();
            let normal = scores.iter().zip(&task.anomalous).filter(|(_, anomalous)| !**anomalous);
            let alarms = normal.filter(|(score, _)| detector.judge(score.anomaly).is_anomalous()).count();
            let share = 100.0 * alarms as f64 / task.normal() as f64;
            Ok([Quality::of(&anomaly, &task.anomalous).roc, share])
        };
        let [auc, alarms] = measure(&readings)?;
        let columns = artefact.schema.columns.len();
        let mut sums = [0.0; 2];
        for column in 0..columns {
            let mut without = readings.clone();
            without.iter_mut().for_each(|row| row[column] = Reading::Missing);
            sums.iter_mut().zip(measure(&without)?).for_each(|(sum, number)| *sum += number / columns as f64);
        }
        let numbers = [auc, sums[0], alarms, sums[1]];
        println!("{}", line(&set.name, &numbers));
        rows.push(numbers);
    }
    let means = [0, 1, 2, 3].map(|at| moments(&rows.iter().map(|numbers| numbers[at]).collect::<Vec<_>>()).0);
    println!("{}", line(&format!("mean of {}", rows.len()), &means));
    Ok(())
}

fn line(first: &str, areas: &[f64]) -> String {
    areas.iter().fold(format!("{first:<30}"), |line, area| line + &format!("{area:>14.2}"))
}

/// Returns (mean, standard error of the mean) of numbers.
fn moments(numbers: &[f64]) -> (f64, f64) {
    let n = numbers.len() as f64;
    let mean = numbers.iter().sum::<f64>() / n;
    let squares: f64 = numbers.iter().map(|number| (number - mean).powi(2)).sum();
    (mean, (squares / (n - 1.0) / n).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standard_error_is_that_of_the_mean() {
        let (mean, error) = moments(&[1.0, 2.0, 3.0, 6.0]);
        // The variance is 14/3 with denominator 3.
        assert!((mean - 3.0).abs() < 1e-12 && (error - (14.0f64 / 12.0).sqrt()).abs() < 1e-12);
    }
}
