//! How often blame names the column whose reading is wrong.

use anyhow::{Result, ensure};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use std::path::{Path, PathBuf};
use surprisal::Reading;
use surprisal_trainer::fit::Family;
use surprisal_trainer::names::Named;

use super::fitted::Fitted;
use super::oddbench::OddSet;
use super::pump::{self, FAULTS};
use super::sets::{self, Set, Task};

/// The sets outside OddBench.
const SETS: [&str; 3] = ["shuttle", "magic_gamma", "annthyroid"];
/// The number of the largest sets of OddBench that are used.
const ODD_SETS: usize = 7;
/// The largest number of rows of a set in which a reading is replaced.
const MOST_ROWS: usize = 4000;
/// The name of the row of the table for the mean of all sets.
const MEAN: &str = "mean";
/// (set, smallest share of alarms for which the replaced column is named first, in percent).
const LEAST: [(&str, f64); 4] = [("shuttle", 97.0), ("magic_gamma", 95.0), (MEAN, 85.0), ("pump", 95.0)];
/// The smallest mean share of alarms for which the replaced column is named first or second, in percent.
const LEAST_EITHER: f64 = 93.0;

/// Arguments of `cargo benches blame`.
#[derive(clap::Args)]
pub struct Args {
    /// A family to fit, which can be given several times; if none is given, tables. Required values are checked for
    /// tables only
    #[arg(long = "family", value_name = "F")]
    families: Vec<Family>,
    /// The folder that holds adbench/, oddbench/ and shuttle/
    #[arg(long, value_name = "DIR", default_value = "../shared/data")]
    data: PathBuf,
    /// The sets to fit, by name; if none is given, all are fitted
    #[arg(value_name = "SET")]
    sets: Vec<String>,
}

/// A row with one wrong reading.
struct Wrong {
    readings: Vec<Reading>,
    /// The position of the wrong reading.
    column: usize,
    /// The readings before one was replaced, if they are known.
    before: Option<Vec<Reading>>,
}

/// Answers about rows with a wrong reading, in numbers of rows.
#[derive(Clone, Copy, Default)]
struct Counts {
    rows: usize,
    /// Alarms of rows that did not alarm before a reading was replaced. The other counts are of these.
    alarms: usize,
    /// Alarms for which blame names the wrong column first, and first or second.
    first: usize,
    either: usize,
    /// Alarms for which the wrong column has the largest surprisal.
    largest: usize,
    /// Alarms whose blame is ambiguous.
    ambiguous: usize,
    /// Alarms of rows that alarmed before a reading was replaced, and those for which blame names the wrong column first.
    already: usize,
    already_first: usize,
}

impl Counts {
    fn plus(self, other: Self) -> Self {
        Self {
            rows: self.rows + other.rows,
            alarms: self.alarms + other.alarms,
            first: self.first + other.first,
            either: self.either + other.either,
            largest: self.largest + other.largest,
            ambiguous: self.ambiguous + other.ambiguous,
            already: self.already + other.already,
            already_first: self.already_first + other.already_first,
        }
    }

    /// Returns the shares of the alarms in percent: [`first`](Self::first), [`either`](Self::either),
    /// [`largest`](Self::largest), [`ambiguous`](Self::ambiguous), and the first of these if rows that alarmed already
    /// count as well.
    fn shares(self) -> [f64; 5] {
        let share = |count: usize, of: usize| 100.0 * count as f64 / of.max(1) as f64;
        let [first, either, largest, ambiguous] =
            [self.first, self.either, self.largest, self.ambiguous].map(|count| share(count, self.alarms));
        [first, either, largest, ambiguous, share(self.first + self.already_first, self.alarms + self.already)]
    }
}

/// Replaces readings of normal rows, and prints how often the replaced column is blamed.
///
/// # Errors
/// Data is missing, a fit fails, or a share is below its required value.
pub fn run(args: &Args) -> Result<()> {
    let mut tasks = Vec::new();
    for name in SETS.into_iter().filter(|name| args.wants(name)) {
        tasks.push((name.to_owned(), task(&args.data, name)?));
    }
    for set in OddSet::largest(&args.data, ODD_SETS)?.into_iter().filter(|set| args.wants(&set.name)) {
        tasks.push((set.name.clone(), set.task("blame", false)?));
    }
    let families = if args.families.is_empty() { &[Family::Tables][..] } else { &args.families };
    let mut missed = Vec::new();
    for &family in families {
        println!(
            "\n{}: rows that alarm since one reading is wrong, and percentages whose column is named",
            family.name()
        );
        println!(
            "{:<24}{:>6}{:>8}{:>8}{:>11}{:>14}{:>11}{:>9}{:>14}",
            "", "rows", "alarms", "first", "or second", "largest term", "ambiguous", "already", "first of all"
        );
        let mut found: Vec<(&str, f64)> = Vec::new();
        let mut each = Vec::new();
        for (name, task) in &tasks {
            let fitted = Fitted::new(task, family, None, 0)?;
            let counts = counts(&fitted, replaced(&fitted.readings))?;
            print(name, counts);
            found.push((name, counts.shares()[0]));
            each.push(counts.shares());
        }
        let mean =
            [0, 1, 2, 3, 4].map(|at| each.iter().map(|shares| shares[at]).sum::<f64>() / each.len().max(1) as f64);
        println!("{MEAN:<24}{:>14}{}", "", columns(mean, ""));
        if args.sets.is_empty() {
            found.push((MEAN, mean[0]));
        }
        if args.wants("pump") {
            found.push(("pump", pump(family)?));
        }
        if family == Family::Tables {
            for (name, least) in LEAST {
                let below = found.iter().find(|(found, share)| *found == name && *share < least);
                missed.extend(below.map(|(_, share)| format!("{name} first {share:.1}, expected at least {least}")));
            }
            if args.sets.is_empty() && mean[1] < LEAST_EITHER {
                missed.push(format!("{MEAN} first or second {:.1}, expected at least {LEAST_EITHER}", mean[1]));
            }
        }
    }
    ensure!(missed.is_empty(), "results below their required values: {}", missed.join("; "));
    Ok(())
}

impl Args {
    fn wants(&self, name: &str) -> bool {
        self.sets.is_empty() || self.sets.iter().any(|set| set == name)
    }
}

/// Writes the files of a set outside OddBench: half of the normal rows train, and the others test.
fn task(data: &Path, name: &str) -> Result<Task> {
    let path = if name == "shuttle" { "shuttle".into() } else { Path::new("adbench").to_owned() };
    let frame = sets::read(&data.join(path).join(format!("{name}.csv.gz")))?;
    let set = match name {
        "shuttle" => Set::new(&frame, "Class", |text| Some(text != "Rad.Flow"))?,
        _ => Set::labelled(&frame)?,
    };
    let task = set.task(&format!("blame-{name}"), &set.halves(Some(0)))?;
    // The normal rows come first.
    let normal = task.normal();
    let test = task.folder.join("test.csv");
    let lines: Vec<String> = std::fs::read_to_string(&test)?.lines().take(1 + normal).map(str::to_owned).collect();
    std::fs::write(test, lines.join("\n") + "\n")?;
    Ok(Task { anomalous: vec![false; normal], ..task })
}

/// Replaces one reading of each of at most [`MOST_ROWS`] rows (`[row][column]`) by that of another row. Rows in which
/// both are equal are left out.
fn replaced(rows: &[Vec<Reading>]) -> Vec<Wrong> {
    let mut random = ChaCha8Rng::seed_from_u64(0);
    let replace = |before: &Vec<Reading>| {
        let column = random.random_range(0..before.len());
        let mut readings = before.clone();
        readings[column] = rows[random.random_range(0..rows.len())][column];
        (readings[column] != before[column]).then(|| Wrong { readings, column, before: Some(before.clone()) })
    };
    rows.iter().take(MOST_ROWS).filter_map(replace).collect()
}

/// Counts the answers to rows with a wrong reading.
fn counts(fitted: &Fitted, rows: Vec<Wrong>) -> Result<Counts> {
    let table = fitted.artefact.open()?;
    let detector = table.detector();
    let count = |mut row: Wrong| -> Result<Counts> {
        let score = table.score(&row.readings)?;
        let mut counts = Counts { rows: 1, ..Counts::default() };
        if !detector.judge(score.anomaly).is_anomalous() {
            return Ok(counts);
        }
        let before = row.before.map(|before| table.score(&before)).transpose()?;
        let blame = table.blame(&mut row.readings)?;
        let is = |column: u16| usize::from(usize::from(column) == row.column);
        if before.is_some_and(|score| detector.judge(score.anomaly).is_anomalous()) {
            return Ok(Counts { already: 1, already_first: is(blame.column), ..counts });
        }
        counts.alarms = 1;
        counts.first = is(blame.column);
        counts.either = counts.first.max(blame.runner_up.map_or(0, |(column, _)| is(column)));
        counts.largest = is(score.column);
        counts.ambiguous = usize::from(blame.is_ambiguous());
        Ok(counts)
    };
    rows.into_par_iter().map(count).try_reduce(Counts::default, |a, b| Ok(a.plus(b)))
}

/// Prints the answers on the simulated pump by kind of fault, and returns the share of alarms in percent for which the
/// faulty sensor is named first.
fn pump(family: Family) -> Result<f64> {
    let faults = pump::faults()?;
    let fitted = Fitted::new(&faults.task, family, None, 0)?;
    let mut total = Counts::default();
    for (fault, name) in FAULTS.iter().enumerate() {
        let rows = faults.rows.iter().zip(&fitted.readings).filter(|((of, _), _)| *of == fault);
        let wrong = rows.map(|(&(_, column), row)| Wrong { readings: row.clone(), column, before: None });
        let counts = counts(&fitted, wrong.collect())?;
        print(&format!("pump, {name}"), counts);
        total = total.plus(counts);
    }
    print("pump", total);
    Ok(total.shares()[0])
}

fn print(name: &str, counts: Counts) {
    let already = counts.already.to_string();
    println!("{name:<24}{:>6}{:>8}{}", counts.rows, counts.alarms, columns(counts.shares(), &already));
}

/// Returns the columns of the table that follow the number of alarms.
fn columns([first, either, largest, ambiguous, of_all]: [f64; 5], already: &str) -> String {
    format!("{first:>8.1}{either:>11.1}{largest:>14.1}{ambiguous:>11.1}{already:>9}{of_all:>14.1}")
}
