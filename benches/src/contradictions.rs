//! Flags and texts that contradict the numbers beside them, by the number of rows of the file of the fit.

use anyhow::Result;
use rand::seq::IndexedRandom as _;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::fmt::Write as _;
use std::fs;
use surprisal::Reading;
use surprisal_trainer::artefact::Artefact;
use surprisal_trainer::fit::Family;
use surprisal_trainer::names::Named;
use surprisal_trainer::pipeline::{Job, run as fit};

use super::sets;

/// Arguments of `cargo benches contradictions`.
#[derive(clap::Args)]
pub struct Args {
    /// A family to fit, which can be given several times; if none is given, tables and linear-trees
    #[arg(long = "family", value_name = "F")]
    families: Vec<Family>,
}

/// Numbers of rows of the file of the fit, of which a tenth calibrates.
const ROWS: [usize; 3] = [1000, 2000, 5000];
/// Number of files of each length, over which the shares are means.
const FILES: u64 = 10;
/// Number of rows of each kind that are scored.
const SCORED: usize = 2000;
/// The texts of the column `mode`, whose position and that of the flag `running` come first.
const MODES: [&str; 3] = ["idle", "slow", "fast"];
const RUNNING: u16 = 0;
const MODE: u16 = 1;

/// Returns a row of a machine in one of three modes.
fn row(random: &mut ChaCha8Rng) -> (usize, [f64; 4]) {
    let mode = *[0, 0, 1, 1, 2].choose(random).unwrap_or(&0);
    let mut noise = |scale: f64| scale * ((0..12).map(|_| random.random::<f64>()).sum::<f64>() - 6.0);
    let at = mode as f64;
    let numbers = [
        40.0 + 15.0 * at + noise(3.0),
        [0.0, 30.0, 55.0][mode] + noise(1.5),
        [0.2, 4.0, 9.0][mode] + noise(0.3),
        0.5 + 0.8 * at + noise(0.2).abs(),
    ];
    (mode, numbers)
}

/// Returns rows of the machine; `contradicted` is the position of the column that contradicts the others.
fn rows(seed: u64, contradicted: Option<u16>) -> Vec<Vec<Reading>> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut one = || {
        let (mode, numbers) = row(&mut random);
        let shown = if contradicted == Some(MODE) { (mode + random.random_range(1..3)) % 3 } else { mode };
        let is_running = (mode > 0) != (contradicted == Some(RUNNING));
        // Codes of texts are in the order of the texts: fast, idle, slow.
        let codes = [Reading::Integer(is_running.into()), Reading::Integer([1, 2, 0][shown])];
        codes.into_iter().chain(numbers.map(|number| Reading::Real(number as f32))).collect()
    };
    (0..SCORED).map(|_| one()).collect()
}

/// Prints the shares of rows that alarm, and of those in which the contradicting column is named first.
///
/// # Errors
/// A file cannot be written, or a fit fails.
pub fn run(args: &Args) -> Result<()> {
    let families = if args.families.is_empty() { &[Family::Tables, Family::LinearTrees][..] } else { &args.families };
    println!(
        "percentages of rows that alarm, at a rate of 1 %, and of the alarms that name the contradicting column first; {FILES} files"
    );
    println!("family        rows of the file   normal   flag: alarm   named   text: alarm   named");
    for family in families {
        for count in ROWS {
            // [rows of no, of a contradicting flag, of a contradicting text][alarms, those in which it is named].
            let mut sums = [[0; 2]; 3];
            for seed in 0..FILES {
                let artefact = fitted(*family, count, 10 * seed)?;
                for (at, column) in [None, Some(RUNNING), Some(MODE)].into_iter().enumerate() {
                    let counts = counts(&artefact, &rows(10 * seed + 1 + at as u64, column), column)?;
                    sums[at].iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
                }
            }
            let share = |part: usize, of: usize| 100.0 * part as f64 / of.max(1) as f64;
            let scored = SCORED * FILES as usize;
            let of = |[alarms, named]: [usize; 2]| [share(alarms, scored), share(named, alarms)];
            let [[normal, _], [flag, flag_named], [text, text_named]] = sums.map(of);
            println!(
                "{:<14}{count:>16}{normal:>9.2}{flag:>14.1}{flag_named:>8.1}{text:>14.1}{text_named:>8.1}",
                family.name()
            );
        }
    }
    Ok(())
}

/// Returns the number of rows that alarm, and of those in which the column at `contradicted` is named first.
fn counts(artefact: &Artefact, rows: &[Vec<Reading>], contradicted: Option<u16>) -> Result<[usize; 2]> {
    let blamed = artefact.blame(rows)?;
    let alarms = blamed.iter().filter(|blame| artefact.detector().judge(blame.before).is_anomalous());
    let named = alarms.clone().filter(|blame| Some(blame.column) == contradicted);
    Ok([alarms.count(), named.count()])
}

fn fitted(family: Family, count: usize, seed: u64) -> Result<Artefact> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut text = "running,mode,temperature,flow,current,vibration\n".to_owned();
    for _ in 0..count {
        let (mode, [temperature, flow, current, vibration]) = row(&mut random);
        let (running, mode) = (u8::from(mode > 0), MODES[mode]);
        writeln!(text, "{running},{mode},{temperature:.1},{flow:.1},{current:.2},{vibration:.2}")?;
    }
    let path = sets::folder("contradictions")?.join("rows.csv");
    fs::write(&path, text)?;
    let mut job = Job::new(&path);
    job.choices.family = family;
    Ok(fit(&job)?.0)
}
