//! Checks that glitches and repeated extremes do not decide the resolution of a column, and that columns that number the
//! rows are refused with advice that works.

#[path = "../../tests/support/budget.rs"]
mod budget;

use std::sync::Mutex;

use proptest::prelude::*;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use surprisal_trainer::data::{Frame, Header};
use surprisal_trainer::fit::Family;
use surprisal_trainer::history::History;
use surprisal_trainer::observer::{Event, Observer};
use surprisal_trainer::pipeline::{Job, run, run_observed};
use surprisal_trainer::schema::{ColumnEncoding, Schema, SchemaOptions};

/// A file of columns, which is removed at the end.
struct File(tempfile::NamedTempFile);

impl File {
    fn new(columns: &[(&str, &[String])]) -> Self {
        let file = tempfile::Builder::new().suffix(".csv").tempfile().expect("a temporary file");
        let row = |cells: Vec<&str>| cells.join(",") + "\n";
        let rows = (0..columns[0].1.len()).map(|k| row(columns.iter().map(|(_, cells)| cells[k].as_str()).collect()));
        let text = row(columns.iter().map(|(name, _)| *name).collect()) + &rows.collect::<String>();
        std::fs::write(file.path(), text).expect("the file can be written");
        Self(file)
    }

    fn job(&self) -> Job {
        let mut job = Job { reading: Header::Yes.into(), ..Job::new(self.0.path()) };
        job.choices.family = Family::Marginal;
        job
    }

    /// Finds the schema of all rows.
    fn schema(&self, options: &SchemaOptions) -> surprisal_trainer::Result<Schema> {
        let frame = Frame::read(self.0.path(), Header::Yes).expect("the file is whole");
        Schema::find(&frame, &(0..frame.rows()).collect::<Vec<_>>(), options)
    }
}

fn texts(values: impl IntoIterator<Item = f64>) -> Vec<String> {
    values.into_iter().map(|value| value.to_string()).collect()
}

/// Draws `count` numbers that are roughly normal, of a scale and with a number of decimals.
fn normal(count: usize, scale: f64, decimals: i32, random: &mut ChaCha8Rng) -> Vec<f64> {
    let unit = 10f64.powi(decimals);
    let mut draw = || (0..12).map(|_| random.random_range(-0.5..0.5f64)).sum::<f64>();
    (0..count).map(|_| (draw() * scale * unit).round() / unit).collect()
}

fn encoding(values: &[f64]) -> ColumnEncoding {
    let file = File::new(&[("x", &texts(values.iter().copied()))]);
    file.schema(&SchemaOptions::default()).expect("plain numbers").columns.remove(0)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Up to 0.5 % glitches of any size leave the least width of a cell within a factor of 3, the scale of the tails of 2.
    #[test]
    fn glitches_do_not_decide_the_resolution(
        seed in any::<u64>(),
        rows in 400..3000usize,
        decimals in 0..3i32,
        scale in 5.0..500.0f64,
        share in 0.0..0.005f64,
        is_repeated in any::<bool>(),
        exponent in 0.0..30.0f64,
    ) {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut values = normal(rows, scale, decimals, &mut random);
        let clean = encoding(&values);
        let glitches = (share * rows as f64) as usize;
        for at in rand::seq::index::sample(&mut random, rows, glitches) {
            let size = if is_repeated { 10f64.powf(exponent) } else { 10f64.powf(random.random_range(0.0..30.0)) };
            values[at] = if random.random_bool(0.5) || is_repeated { size } else { -size };
        }
        let wild = encoding(&values);
        prop_assert!((wild.unit - clean.unit).abs() <= budget::GRAIN, "{} and {}", clean.unit, wild.unit);
        prop_assert!((wild.tail_scale - clean.tail_scale).abs() <= 1);
    }

    /// A value that stands for a missing reading leaves all cells of the other values as they were, and has a cell of its
    /// own.
    #[test]
    fn a_sentinel_leaves_the_cells_of_other_values(
        seed in any::<u64>(), share in 0.002..0.2f64, sentinel in prop::sample::select(vec![-9999.0, -999.0, 65535.0, 1e30]),
    ) {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut values = normal(2000, 5.0, 2, &mut random);
        let clean = encoding(&values);
        values.extend(std::iter::repeat_n(sentinel, ((2000.0 * share) as usize).max(3)));
        let wild = encoding(&values);
        let added: Vec<i32> = wild.values.iter().filter(|edge| !clean.values.contains(edge)).copied().collect();
        prop_assert!(clean.values.iter().all(|edge| wild.values.contains(edge)), "{:?} and {:?}", clean.values, wild.values);
        // The edges just below the sentinel and at it.
        prop_assert!(added.len() == 2 && added[1] - added[0] == 1, "{added:?}");
        prop_assert!((wild.unit - clean.unit).abs() <= budget::GRAIN);
    }
}

/// Observer that collects the warnings.
#[derive(Default)]
struct Warnings(Mutex<Vec<String>>);

impl Observer for Warnings {
    fn event(&self, event: Event<'_>) {
        if let Event::Warning(warning) = event {
            self.0.lock().expect("no thread panics").push(warning.to_string());
        }
    }
}

#[test]
fn a_repeated_extreme_is_named_and_the_advice_works() {
    let mut random = ChaCha8Rng::seed_from_u64(3);
    let (mut heat, flow) = (texts(normal(600, 4.0, 2, &mut random)), texts(normal(600, 40.0, 1, &mut random)));
    for row in [5, 100, 101, 350, 599] {
        heat[row] = "65535".into();
    }
    heat[7] = "-1e6".into();
    let file = File::new(&[("heat", &heat), ("flow", &flow)]);
    let seen = Warnings::default();
    let (_, report) = run_observed(&file.job(), &seen).expect("a warning does not prevent a fit");
    let seen = seen.0.into_inner().expect("no thread panics");
    assert_eq!(seen, report.warnings.iter().map(ToString::to_string).collect::<Vec<_>>());
    assert_eq!(seen.len(), 1, "{seen:?}");
    for word in ["column `heat`", "65535 occurs 5 times in 600 normal rows", "pass --missing='heat=65535'"] {
        assert!(seen[0].contains(word), "no {word:?} in {seen:?}");
    }
    // A time series warns of the values in the file, not of residuals.
    let job = Job { history: Some(History { window: 2, session: None }), ..file.job() };
    assert_eq!(run(&job).expect("numbers").1.warnings, report.warnings);

    let empty: Vec<String> = heat.into_iter().map(|cell| if cell == "65535" { String::new() } else { cell }).collect();
    let file = File::new(&[("heat", &empty), ("flow", &flow)]);
    assert_eq!(run(&file.job()).expect("empty cells are missing readings").1.warnings, []);
}

/// Values that anomalous rows alone have are no reason for a warning, and neither are two states of a machine.
#[test]
fn no_warning_of_values_that_are_meant() {
    let mut random = ChaCha8Rng::seed_from_u64(4);
    let mut heat = normal(600, 4.0, 2, &mut random);
    let state: Vec<f64> =
        normal(600, 1.0, 2, &mut random).iter().map(|x| x + random.random_range(0..2) as f64 * 1e4).collect();
    let code: Vec<f64> = (0..600).map(|_| [0.0, 1.0, 2.0, 9.0][random.random_range(0..4)]).collect();
    let label: Vec<f64> = (0..600).map(|row| f64::from(row % 50 == 0)).collect();
    heat.iter_mut().zip(&label).filter(|(_, label)| **label == 1.0).for_each(|(heat, _)| *heat = 65535.0);
    let columns =
        [("heat", heat), ("state", state), ("code", code), ("label", label)].map(|(name, x)| (name, texts(x)));
    let file = File::new(&columns.each_ref().map(|(name, cells)| (*name, cells.as_slice())));
    let job = Job { label: Some(("label".into(), "0".into())), ..file.job() };
    assert_eq!(run(&job).expect("plain numbers").1.warnings, []);
}

/// Returns columns of 200 rows by name, each with whether it numbers the rows, in a file of rows and in a time series.
fn numberings(random: &mut ChaCha8Rng) -> Vec<(&'static str, [bool; 2], Vec<String>)> {
    let mut sum = 0.0;
    let mut meter = || {
        sum += random.random_range(0.1..3.0f64);
        sum
    };
    let meter: Vec<f64> = (0..200).map(|_| (meter() * 100.0).round() / 100.0).collect();
    let mut shuffled: Vec<f64> = (1000..1300).map(f64::from).collect();
    shuffled.shuffle(random);
    shuffled.truncate(200);
    let sparse: Vec<f64> = shuffled.iter().map(|id| id * 37.0 % 4001.0).collect();
    let mut counter = texts((0..200).map(f64::from));
    counter[20].clear();
    let noise = normal(200, 3.0, 3, random);
    vec![
        ("counter", [true, true], counter),
        ("epoch", [true, true], texts((0..200).map(|k| 1_709_280_000.0 + 60.0 * f64::from(k)))),
        ("milliseconds", [true, true], texts((0..200).map(|k| 1_709_280_000_000.0 + 60.0 * f64::from(k)))),
        ("jitter", [true, true], texts((0..200).map(|k| 0.1 * f64::from(k) + 0.001 * f64::from(k % 5)))),
        ("meter", [true, false], texts(meter)),
        ("identifier", [true, true], texts(shuffled)),
        ("countdown", [true, true], texts((0..200).rev().map(f64::from))),
        ("sparse", [false, false], texts(sparse)),
        ("noise", [false, false], texts(noise)),
        ("ties", [true, false], texts((0..200).map(|k| f64::from(k / 2)))),
        ("restarts", [false, false], texts((0..200).map(|k| f64::from(k % 120)))),
        ("short", [false, false], (0..200).map(|k| if k < 50 { k.to_string() } else { String::new() }).collect()),
    ]
}

#[test]
fn columns_that_number_the_rows_are_refused() {
    for (name, expected, cells) in numberings(&mut ChaCha8Rng::seed_from_u64(5)) {
        let file = File::new(&[(name, &cells)]);
        for (is_time_series, expected) in [false, true].into_iter().zip(expected) {
            let options = SchemaOptions { is_time_series, ..SchemaOptions::default() };
            let found = file.schema(&options).map_err(|error| error.to_string());
            assert_eq!(found.is_err(), expected, "{name} in a time series {is_time_series}: {found:?}");
            let Err(message) = found else { continue };
            assert!(message.contains(&format!("column `{name}`: ")), "{message}");
            assert!(message.contains(&format!("--ignore {name}")), "{message}");
            let can_keep = name != "milliseconds";
            assert_eq!(message.contains(&format!("--keep {name}")), can_keep, "{message}");
            let kept = file.schema(&SchemaOptions { keep: vec![name.into()], ..options });
            assert_eq!(kept.is_ok(), can_keep, "{name}");
        }
    }
}

/// One message names the columns of all clocks, so that the user corrects the command once.
#[test]
fn one_message_names_all_columns() {
    let columns = numberings(&mut ChaCha8Rng::seed_from_u64(6));
    let columns: Vec<(&str, &[String])> = columns.iter().map(|(name, _, cells)| (*name, cells.as_slice())).collect();
    let file = File::new(&columns);
    let message = run(&file.job()).expect_err("a counter").to_string();
    let option = |line: &str, option: &str| -> Vec<String> {
        line.split(option).skip(1).map(|rest| rest.split([' ', ',']).nth(1).expect("a name").to_owned()).collect()
    };
    let ignore = option(&message, "--ignore");
    assert_eq!(ignore, ["counter", "epoch", "milliseconds", "jitter", "meter", "identifier", "countdown", "ties"]);
    assert_eq!(option(&message, "--keep"), [""; 0], "one of them cannot be kept: {message}");
    run(&Job { ignore, ..file.job() }).expect("the advice works");

    let file = File::new(&[columns[0], columns[8], columns[1]]);
    let message = run(&file.job()).expect_err("a counter").to_string();
    let keep = option(&message, "--keep");
    assert_eq!(keep, ["counter", "epoch"]);
    run(&Job { keep, ..file.job() }).expect("the advice works");
    let message = run(&Job { keep: vec!["nope".into()], ..file.job() }).expect_err("no such column").to_string();
    assert!(message.contains("no column `nope`; the columns are counter, noise, epoch"), "{message}");
}
