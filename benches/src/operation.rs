//! A machine in operation: a second unit, faults among the training rows, and trends of rows that resemble their
//! neighbours.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use surprisal::{Calibrator, Cusum, Detector, Nats, PValue, Reading, search_offsets};
use surprisal_trainer::artefact::Artefact;
use surprisal_trainer::calibrate::Rates;
use surprisal_trainer::data::{Frame, Header};
use surprisal_trainer::pipeline::{Contamination, Job, run as fit};
use surprisal_trainer::recalibrate::{grains, less_offsets, recalibrate, sums, together};
use surprisal_trainer::split::{SplitStrategy, split};

use super::fitted::Quality;
use super::oddbench::OddSet;
use super::sets::{self, LABEL, Task, folder};

/// Rates of false alarms of the studies of units and of faults.
const RATE: f64 = 0.01;
/// Shares of the training rows that are faults.
const SHARES: [f64; 3] = [0.01, 0.02, 0.05];
/// Number of second units, and rows of each that calibrate.
const UNITS: u64 = 10;
const ROWS: usize = 500;
/// On the board, one row in this many determines offsets, up to a number that fits its RAM. The others determine the threshold.
const OFFSETS_SHARE: usize = 3;
const OFFSETS_ROWS: usize = 100;
/// Largest offset of a column of the second unit, in distances between its quartiles.
const OFFSET: f64 = 0.25;
/// Sets of ADBench in which faults are mixed into the training rows, beside those of OddBench.
const ADBENCH: [&str; 5] = ["annthyroid", "cardio", "fault", "magic_gamma", "satellite"];

/// Arguments of `cargo benches operation`.
#[derive(clap::Args)]
pub struct Operation {
    /// The folder that holds adbench/, oddbench/, shuttle/ and skab/
    #[arg(long, value_name = "DIR", default_value = "../shared/data")]
    data: PathBuf,
    /// The studies to run; if none is given, all are run
    #[arg(value_name = "STUDY", value_enum)]
    studies: Vec<Study>,
}

/// A study of a machine in operation.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Study {
    /// Another unit of the same machine, whose sensors have offsets
    Units,
    /// Faults among the training rows
    Faults,
    /// Trends of rows that resemble their neighbours
    Trends,
}

/// Runs the studies and prints their tables.
///
/// # Errors
/// Data is missing, or a fit fails.
pub fn run(args: &Operation) -> Result<()> {
    let wants = |study| args.studies.is_empty() || args.studies.contains(&study);
    if wants(Study::Units) {
        units(&args.data)?;
    }
    if wants(Study::Faults) {
        faults(&args.data)?;
    }
    if wants(Study::Trends) {
        trends()?;
    }
    Ok(())
}

/// Returns (AUC-ROC in percent, share of normal rows that alarm) of an artefact on rows of a frame.
fn judged(artefact: &Artefact, frame: &Frame, rows: &[usize], anomalous: &[bool]) -> Result<(f64, f64)> {
    let scores: Vec<Nats> = artefact.scores_of(frame, rows, &())?.iter().map(|score| score.anomaly).collect();
    Ok(judged_by(&artefact.detector(), &scores, anomalous))
}

/// Returns (AUC-ROC in percent, share of normal rows that alarm) of anomaly scores.
fn judged_by(detector: &Detector, scores: &[Nats], anomalous: &[bool]) -> (f64, f64) {
    let normal: Vec<bool> = scores
        .iter()
        .zip(anomalous)
        .filter(|(_, anomalous)| !**anomalous)
        .map(|(&score, _)| detector.judge(score).is_anomalous())
        .collect();
    let alarms = normal.iter().filter(|&&alarm| alarm).count() as f64 / normal.len().max(1) as f64;
    let scores: Vec<f64> = scores.iter().map(|&score| score.into()).collect();
    (Quality::of(&scores, anomalous).roc, alarms)
}

/// Returns a job that fits the training file of a task with default settings.
fn job(task: &Task) -> Result<Job> {
    let train = task.folder.join("train.csv");
    let frame = Frame::read(&train, Header::Yes)?;
    let mut job = Job::new(train);
    job.ignore = vec![LABEL.into()];
    job.keep = frame.columns.iter().map(|column| column.name.clone()).collect();
    job.keep_constant = true;
    job.rates = Rates { false_alarm: RATE, ..Rates::default() };
    Ok(job)
}

/// Fits one unit, and applies the model to another whose columns have offsets: as it is, with a new threshold, and with new
/// offsets.
fn units(data: &Path) -> Result<()> {
    println!("a second unit: alarms on its normal rows in percent for {} promised, and AUC-ROC", 100.0 * RATE);
    println!("means of {UNITS} units with random offsets; in brackets the largest share of alarms");
    let titles = ["first unit", "second unit", "new threshold", "new offsets", "on the board"];
    println!("{:<16}{}", "set", titles.map(|title| format!("{title:>24}")).concat());
    let shuttle = sets::read(&data.join("shuttle/shuttle.csv.gz"))?;
    let set = sets::Set::new(&shuttle, "Class", |class| Some(class != "Rad.Flow"))?;
    let mut tasks = vec![("shuttle", set.task("operation-shuttle", &set.halves(Some(0)))?, 0)];
    let valve = sets::read(&data.join("skab/valve1_0.csv.gz"))?;
    let recorded = super::skab::Run::of(&valve)?;
    // Its test file begins with the training rows.
    tasks.push(("skab valve1_0", recorded.task("operation-skab", &valve)?, super::skab::TRAIN));
    for (name, task, from) in tasks {
        let (artefact, _) = fit(&job(&task)?)?;
        let (mut all, mut search) = (Vec::new(), [0; 2]);
        for seed in 0..UNITS {
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            let second = shifted(&task, &mut random)?;
            let first = Frame::read(&task.folder.join("test.csv"), Header::Yes)?;
            let frame = Frame::read(&second, Header::Yes)?;
            let every: Vec<usize> = (from..frame.rows()).collect();
            let normal: Vec<usize> = every.iter().copied().filter(|&row| !task.anomalous[row]).collect();
            let share = (ROWS as f64 / normal.len() as f64).min(0.5);
            let of_normal = split(normal, [share, 0.0, 0.0, 1.0 - share], SplitStrategy::Shuffled { seed, stretch: 1 });
            let mut rows = of_normal.held_out;
            rows.extend(every.iter().copied().filter(|&row| task.anomalous[row]));
            let anomalous: Vec<bool> = rows.iter().map(|&row| task.anomalous[row]).collect();
            let rates = Rates { false_alarm: RATE, ..Rates::default() };
            let again = |offsets| recalibrate(&artefact, &frame, &of_normal.train, rates, offsets);
            all.push([
                judged(&artefact, &first, &rows, &anomalous)?,
                judged(&artefact, &frame, &rows, &anomalous)?,
                judged(&again(false)?.0, &frame, &rows, &anomalous)?,
                judged(&again(true)?.0, &frame, &rows, &anomalous)?,
                on_board(&artefact, &frame, &of_normal.train, (&rows, &anomalous), &mut search)?,
            ]);
        }
        let cell = |at: usize| {
            let of = |value: fn((f64, f64)) -> f64| all.iter().map(|unit| value(unit[at])).collect::<Vec<f64>>();
            let (auc, alarms) = (of(|unit| unit.0), of(|unit| 100.0 * unit.1));
            let mean = |each: &[f64]| each.iter().sum::<f64>() / each.len() as f64;
            let most = alarms.iter().copied().fold(0.0, f64::max);
            format!("{:>8.2} ({most:>5.2}){:>8.2}", mean(&alarms), mean(&auc))
        };
        println!("{name:<16}{}", (0..titles.len()).map(cell).collect::<String>());
        let [rows, passes] = search;
        println!(
            "{:<16}on the board, the search scores its {rows} rows {} times in the mean",
            "",
            passes / UNITS as usize
        );
    }
    Ok(())
}

/// Returns what [`judged`] returns after a calibration as a board does it. Writes how many rows the search
/// scores, and adds how often it does.
fn on_board(
    artefact: &Artefact,
    frame: &Frame,
    normal: &[usize],
    (rows, anomalous): (&[usize], &[bool]),
    [scored, passes]: &mut [usize; 2],
) -> Result<(f64, f64)> {
    let part = |is_first: bool| -> Result<Vec<Vec<Reading>>> {
        let rows = (0..normal.len()).filter(|&at| (at % OFFSETS_SHARE == 0) == is_first).map(|at| normal[at]);
        Ok(artefact.schema.all_readings(frame, &rows.collect::<Vec<usize>>())?)
    };
    let (mut first, rest) = (part(true)?, part(false)?);
    first.truncate(OFFSETS_ROWS);
    let table = artefact.open()?;
    let mut scales = vec![Reading::Missing; artefact.schema.columns.len()];
    table.offset_scales(&mut scales);
    let (mut offsets, mut scratch) = (scales.clone(), scales.clone());
    let solutions = [&mut offsets[..], &mut scratch];
    *scored = first.len();
    search_offsets(&scales, &grains(&first, &scales), together(&first), solutions, first.len(), |offsets, other| {
        *passes += 1 + usize::from(other.is_some());
        sums(&*table, &first, offsets, other)
    })?;
    let mut calibrator = Calibrator::<ROWS>::new();
    for row in &rest {
        calibrator.push(&table.score(&less_offsets(row, &offsets))?);
    }
    let factory = artefact.detector();
    let found = calibrator.finish(&factory, PValue::from_ppm((1e6 * RATE) as u32));
    let rows = artefact.schema.all_readings(frame, rows)?;
    let scores =
        rows.iter().map(|row| Ok(table.score(&less_offsets(row, &offsets))?.anomaly)).collect::<Result<Vec<_>>>()?;
    Ok(judged_by(&found.detector(&factory), &scores, anomalous))
}

/// Writes the test file of a task with a random offset in half of its numeric columns, and returns its path.
fn shifted(task: &Task, random: &mut ChaCha8Rng) -> Result<PathBuf> {
    let frame = Frame::read(&task.folder.join("test.csv"), Header::Yes)?;
    let mut offsets = Vec::new();
    for (at, column) in frame.columns.iter().enumerate() {
        let mut values: Vec<f64> = (0..frame.rows()).filter_map(|row| frame.number(row, at).ok()).collect();
        values.sort_by(f64::total_cmp);
        let quartiles = values.get(values.len() * 3 / 4).unwrap_or(&0.0) - values.get(values.len() / 4).unwrap_or(&0.0);
        let is_whole = values.iter().all(|value| value.fract() == 0.0);
        let mut offset =
            if random.random_bool(0.5) { OFFSET * quartiles * (2.0 * random.random::<f64>() - 1.0) } else { 0.0 };
        if is_whole {
            offset = offset.round();
        }
        offsets.push(if column.name == LABEL { 0.0 } else { offset });
    }
    let mut text = frame.columns.iter().map(|column| column.name.clone()).collect::<Vec<_>>().join(",") + "\n";
    for row in 0..frame.rows() {
        let cells: Vec<String> = offsets
            .iter()
            .enumerate()
            .map(|(at, offset)| match frame.number(row, at) {
                Ok(value) if *offset != 0.0 => format!("{}", value + offset),
                _ => frame.columns[at].text(row).into_owned(),
            })
            .collect();
        writeln!(text, "{}", cells.join(","))?;
    }
    let path = task.folder.join("second.csv");
    fs::write(&path, text)?;
    Ok(path)
}

/// Mixes faults into the training rows of each set, and prints AUC-ROC of fits of clean rows, of all rows, and of rows
/// that `--contamination` leaves.
fn faults(data: &Path) -> Result<()> {
    println!(
        "\nfaults among the training rows: AUC-ROC in percent, and alarms on normal rows in percent for {}",
        100.0 * RATE
    );
    println!(
        "{:<30}{:>7}{:>9}{:>9}{:>9}{:>9}{:>9}{:>9}",
        "set", "faults", "clean", "mixed", "auto", "share", "alarms", "auto"
    );
    let mut all: Vec<[f64; 6]> = Vec::new();
    for name in ADBENCH {
        let frame = sets::read(&data.join(format!("adbench/{name}.csv.gz")))?;
        let set = sets::Set::labelled(&frame)?;
        let task = set.task(&format!("faults-{name}"), &set.halves(Some(0)))?;
        of_set(name, &task, &mut all)?;
    }
    for set in OddSet::all(data)? {
        let task = set.task("faults", true)?;
        of_set(&set.name, &task, &mut all)?;
    }
    if all.is_empty() {
        bail!("no set has enough anomalous rows");
    }
    let mean = |at: usize| all.iter().map(|row| row[at]).sum::<f64>() / all.len() as f64;
    println!(
        "{:<37}{}",
        format!("mean of {}", all.len()),
        (0..6).map(|at| format!("{:>9.2}", mean(at))).collect::<String>()
    );
    Ok(())
}

/// Adds the lines of one set, for each share of faults for which it has twice as many anomalous rows.
fn of_set(name: &str, task: &Task, all: &mut Vec<[f64; 6]>) -> Result<()> {
    let read = |file: &str| fs::read_to_string(task.folder.join(file));
    let (train, test) = (read("train.csv")?, read("test.csv")?);
    let (header, normal) = train.split_once('\n').unwrap_or((&train, ""));
    let (tests, count) = (test.lines().skip(1).collect::<Vec<_>>(), normal.lines().count());
    for share in SHARES {
        let wanted = (share * count as f64 / (1.0 - share)).round() as usize;
        let mut random = ChaCha8Rng::seed_from_u64(7);
        let mut anomalous: Vec<usize> = (0..tests.len()).filter(|&row| task.anomalous[row]).collect();
        if wanted == 0 || anomalous.len() < 2 * wanted {
            continue;
        }
        // The first rows after a shuffle become training rows, and no test rows.
        for at in 0..wanted {
            let other = random.random_range(at..anomalous.len());
            anomalous.swap(at, other);
        }
        let used = &anomalous[..wanted];
        let mixed = Task { folder: folder(&format!("mixed-{name}"))?, anomalous: Vec::new() };
        let lines: String = used.iter().map(|&row| tests[row].to_owned() + "\n").collect();
        fs::write(mixed.folder.join("train.csv"), format!("{header}\n{normal}{lines}"))?;
        let frame = Frame::read(&task.folder.join("test.csv"), Header::Yes)?;
        let rows: Vec<usize> = (0..frame.rows()).filter(|row| !used.contains(row)).collect();
        let labels: Vec<bool> = rows.iter().map(|&row| task.anomalous[row]).collect();
        let of = |task: &Task, contamination| -> Result<(f64, f64)> {
            let job = Job { contamination, ..job(task)? };
            judged(&fit(&job)?.0, &frame, &rows, &labels)
        };
        let clean = of(task, None)?;
        let plain = of(&mixed, None)?;
        let auto = of(&mixed, Some(Contamination::Auto))?;
        let known = of(&mixed, Some(Contamination::Share(share)))?;
        let line = [clean.0, plain.0, auto.0, known.0, 100.0 * clean.1, 100.0 * auto.1];
        let cells: String = line.iter().map(|number| format!("{number:>9.2}")).collect();
        println!("{name:<30}{:>7}{cells}", format!("{} %", 100.0 * share));
        all.push(line);
    }
    Ok(())
}

/// Measures the run length of the cumulative sum on fresh rows of autoregressive sensors.
fn trends() -> Result<()> {
    let promised = 1000;
    println!(
        "\ntrends: rows between false alarms of the cumulative sum for {promised} promised, rows per block, and percent of"
    );
    println!("rows that alarm for {} promised", 100.0 * RATE);
    for rho in [0.0, 0.5, 0.9, 0.98] {
        for seed in 0..3 {
            let path = folder("trends")?.join("train.csv");
            fs::write(&path, autoregressive(10_000, rho, seed)?)?;
            let rates = Rates { false_alarm: RATE, average_run_length: promised };
            let (artefact, report) = fit(&Job { rates, ..Job::new(path) })?;
            let fresh = folder("trends")?.join("fresh.csv");
            fs::write(&fresh, autoregressive(200_000, rho, seed + 100)?)?;
            let frame = Frame::read(&fresh, Header::Yes)?;
            let every: Vec<usize> = (0..frame.rows()).collect();
            let (detector, mut cusum) = (artefact.detector(), Cusum::new());
            let scores = artefact.scores_of(&frame, &every, &())?;
            let alarms = scores.iter().filter(|score| cusum.push(&detector, score.nats)).count();
            let single = scores.iter().filter(|score| detector.judge(score.anomaly).is_anomalous()).count();
            let (apart, percent) = (200_000.0 / alarms as f64, single as f64 / 2000.0);
            println!("AR(1), rho {rho:<4} seed {seed}: {apart:>7.0} rows, block {:>3}, {percent:.2} %", report.block);
        }
    }
    Ok(())
}

/// Draws rows of three sensors as CSV. Each value of a sensor is ρ times its last value plus noise.
fn autoregressive(rows: usize, rho: f64, seed: u64) -> Result<String> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let (mut text, mut state) = (String::from("a,b,c\n"), [0.0f64; 3]);
    for _ in 0..rows {
        for value in &mut state {
            let noise: f64 = (0..12).map(|_| random.random::<f64>()).sum::<f64>() - 6.0;
            *value = rho * *value + (1.0 - rho * rho).sqrt() * noise;
        }
        writeln!(text, "{:.4},{:.4},{:.4}", state[0], state[1], state[2] + 0.5 * state[0])?;
    }
    Ok(text)
}
