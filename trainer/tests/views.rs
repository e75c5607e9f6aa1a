//! Fits of outcome tables in two views.

use std::fmt::Write as _;
use std::path::PathBuf;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use surprisal::{Nats, Reading};
use surprisal_trainer::artefact::Artefact;
use surprisal_trainer::error::Error;
use surprisal_trainer::export::rust_source;
use surprisal_trainer::fit::Family;
use surprisal_trainer::pipeline::{FitReport, Job, run};
use surprisal_trainer::sample::sampled_rows;
use tempfile::TempDir;

/// A folder with a CSV file.
struct File {
    path: PathBuf,
    _folder: TempDir,
}

fn write(text: &str) -> File {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let path = folder.path().join("data.csv");
    std::fs::write(&path, text).expect("the folder can be written to");
    File { path, _folder: folder }
}

/// A machine with two operating regimes, in which two numbers depend on each other, and a flag that names the regime.
/// `offset` and `spread` move and scale the first number.
fn machine(rows: usize, offset: f64, spread: f64) -> String {
    let mut text = "heat,speed,pump\n".to_owned();
    let mut state = 1u64;
    let mut uniform = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f64 / (1 << 24) as f64
    };
    for row in 0..rows {
        let pump = row / 7 % 2;
        let load = uniform() - 0.5;
        let heat = offset + spread * (3.0 * pump as f64 + load + 0.1 * uniform());
        writeln!(text, "{heat:.7},{:.0},{pump}", 1000.0 + 500.0 * pump as f64 - 200.0 * load)
            .expect("a string takes text");
    }
    text
}

fn fit(text: &str, change: impl Fn(&mut Job)) -> Result<(Artefact, FitReport), Error> {
    let file = write(text);
    let mut job = Job::new(&file.path);
    change(&mut job);
    run(&job)
}

fn nats(artefact: &Artefact, heat: f64, speed: i32, pump: i32) -> (f64, f64) {
    let row = vec![Reading::Real(heat as f32), Reading::Integer(speed), Reading::Integer(pump)];
    let score = artefact.scores(&[row]).expect("the row fits")[0];
    (score.nats.into(), score.anomaly.into())
}

#[test]
fn two_views_see_a_broken_relation() {
    let (artefact, report) = fit(&machine(3000, 20.0, 1.0), |_| ()).unwrap();
    assert_eq!((report.family, artefact.shape.views), (Family::Tables, 2));
    assert!(report.valid_ll > report.marginal_valid_ll + 0.5, "{} {}", report.valid_ll, report.marginal_valid_ll);
    // Each number is usual on its own, but not for the state of the pump.
    let (normal, broken) = (nats(&artefact, 23.0, 1500, 1), nats(&artefact, 23.0, 1000, 1));
    assert!(broken.0 > normal.0 + 3.0 && broken.1 > normal.1 + 3.0, "{normal:?} {broken:?}");
    let row = vec![Reading::Real(23.0), Reading::Integer(1000), Reading::Integer(1)];
    assert_eq!(artefact.blame(&[row]).unwrap()[0].column, 1);
}

/// The family auto takes the kind of model that predicts better: tables for set points that residuals show, and terms over
/// bits for a relation of many columns.
#[test]
fn auto_takes_the_kind_that_predicts_better() {
    let (mut points, mut parity) = ("heat,speed\n".to_owned(), "a,b,c,d\n".to_owned());
    for row in 0..600u32 {
        let noise = |salt: u32| (row + 600 * salt).wrapping_mul(2_654_435_761) >> 24;
        let (point, [heat, speed]) = (noise(1) % 12, [2, 3].map(|salt| noise(salt) % 4));
        writeln!(points, "{},{}", 1000 * point + heat, 7000 * (point * 5 % 12) + speed).expect("a string takes text");
        let [a, b, c] = [4, 5, 6].map(|salt| noise(salt) >> 4);
        writeln!(parity, "{a},{b},{c},{}", a / 4 + b / 4 + c / 4).expect("a string takes text");
    }
    for (text, views) in [(points, 2), (parity, 0)] {
        let (artefact, report) = fit(&text, |job| job.choices.family = Family::Auto).unwrap();
        assert_eq!(artefact.shape.views, views, "{report:?}");
    }
}

/// A large offset leaves few steps for the spread, but the residuals stay right.
#[test]
fn the_scale_of_a_number_does_not_matter() {
    let gain = |offset, spread| {
        let (_, report) = fit(&machine(3000, offset, spread), |_| ()).unwrap();
        report.valid_ll - report.marginal_valid_ll
    };
    let usual = gain(20.0, 1.0);
    for (offset, spread) in [(0.0, 1000.0), (52.5, 0.02), (-3000.0, 1.0), (1e6, 1000.0)] {
        let found = gain(offset, spread);
        assert!((found - usual).abs() < 1.0, "{offset} {spread}: {found}, usually {usual}");
    }
}

/// A position in degrees has a spread of a millionth of its value.
#[test]
fn samples_of_a_position_lie_near_it() {
    let mut text = "latitude,pump\n".to_owned();
    for row in 0..3000u32 {
        let step = row.wrapping_mul(2_654_435_761) >> 28;
        writeln!(text, "{:.5},{}", 52.52 + 1e-5 * f64::from(step), row % 2).expect("a string takes text");
    }
    let (artefact, _) = fit(&text, |_| ()).unwrap();
    assert_eq!(artefact.shape.views, 2);
    let (_, rows) = sampled_rows(&artefact, 200, &mut ChaCha8Rng::seed_from_u64(1)).unwrap();
    for row in rows {
        let latitude: f64 = row[0].parse().expect("a number");
        assert!((52.5199..52.5203).contains(&latitude), "{latitude}");
    }
}

#[test]
fn limits_are_kept_and_named() {
    let text = machine(1000, 20.0, 1.0);
    let whole = fit(&text, |_| ()).unwrap().1;
    let mut last = usize::MAX;
    for flash in [whole.file_bytes, whole.file_bytes - 1, whole.file_bytes - 20, 2000] {
        let found = fit(&text, |job| job.flash = Some(flash)).unwrap().1.file_bytes;
        assert!(found <= flash && found <= last, "{found} bytes in {flash}");
        last = found;
    }
    let refused = fit(&text, |job| job.flash = Some(100)).unwrap_err().to_string();
    assert!(refused.contains("pass at least --flash "), "{refused}");
    let operations = fit(&text, |job| job.operations = Some(40)).unwrap().1.operations;
    assert!(operations <= 40 && whole.operations > 40, "{operations}, {}", whole.operations);
}

/// Two views with few prototypes are worth more than one view, if the limits allow them.
#[test]
fn limits_take_prototypes_before_a_view() {
    let text = machine(3000, 20.0, 1.0);
    let of = |change: &dyn Fn(&mut Job)| {
        let (artefact, report) = fit(&text, change).unwrap();
        let prototypes = artefact.views().unwrap().last().map_or(0, |view| view.prototypes.count());
        (prototypes, report)
    };
    let (all, whole) = of(&|_| ());
    assert_eq!(all, 16);
    // Three operations for each of two numeric columns: a prototype fewer saves six.
    let (half, _) = of(&|job| job.operations = Some(whole.operations - 6 * 8 + 12));
    assert!((4..=8).contains(&half), "{half}");
    let (quarter, small) = of(&|job| job.operations = Some(whole.operations - 6 * 12 + 4));
    assert_eq!(quarter, 4);
    let (none, one) = of(&|job| job.operations = Some(40));
    assert_eq!(none, 0);
    let density = |report: &FitReport| report.valid_ll - report.log_unit;
    assert!(density(&small) > density(&one), "{} and {}", density(&small), density(&one));
    // Named numbers are kept.
    for change in [|job: &mut Job| job.choices.prototypes = Some(16), |job: &mut Job| job.choices.views = Some(2)] {
        let refused = fit(&text, |job| {
            change(job);
            job.operations = Some(one.operations);
        });
        let refused = refused.unwrap_err().to_string();
        let advised: usize =
            refused.split("--ops ").nth(1).and_then(|rest| rest.split(',').next()?.parse().ok()).expect("a number");
        let (artefact, _) = fit(&text, |job| {
            change(job);
            job.operations = Some(advised);
        })
        .expect("the advice works");
        assert_eq!(artefact.shape.views, 2);
    }
}

#[test]
fn views_belong_to_tables_and_prototypes_to_two_of_them() {
    let text = machine(300, 20.0, 1.0);
    let refused = |family: Family, views: Option<usize>, prototypes: Option<usize>| {
        let found = fit(&text, |job| {
            job.choices.family = family;
            (job.choices.views, job.choices.prototypes) = (views, prototypes);
        });
        found.map(|_| ()).unwrap_err().to_string()
    };
    assert!(refused(Family::Tables, Some(1), Some(8)).contains("--prototypes: one view has no prototypes"));
    assert!(refused(Family::LinearTrees, Some(2), None).contains("--views: only the family tables has views"));
    assert!(refused(Family::Marginal, None, Some(8)).contains("--prototypes: only the family tables has views"));
}

#[test]
fn settings_are_honoured_or_refused() {
    let text = machine(1000, 20.0, 1.0);
    for (views, prototypes) in [(1, None), (2, Some(2)), (2, Some(255))] {
        let (artefact, _) = fit(&text, |job| {
            (job.choices.views, job.choices.prototypes) = (Some(views), prototypes);
        })
        .unwrap();
        assert_eq!(artefact.shape.views, views);
        let found = artefact.views().unwrap().last().map_or(0, |view| view.prototypes.count());
        assert!(found <= prototypes.unwrap_or(0), "{found}");
    }
    let wide = fit(&text, |job| job.cells = Some(256)).unwrap().0;
    assert!(wide.views().unwrap()[0].tables.slices().columns.iter().all(|column| column[0] <= 256));
    for change in [
        (|job: &mut Job| job.choices.gamma = Some(1.0)) as fn(&mut Job),
        |job| job.choices.components = Some(2),
        |job| job.choices.layer.units = Some(8),
        |job| job.choices.strength = Some(0.0),
    ] {
        assert!(matches!(fit(&text, change), Err(Error::Option { .. })));
    }
}

/// Outcome tables have no limit on bits.
#[test]
fn many_columns_of_numbers_fit() {
    let mut text = (0..200).map(|at| format!("c{at}")).collect::<Vec<_>>().join(",") + "\n";
    for row in 0..400u64 {
        let cell = |at: u64| (row.wrapping_mul(2_654_435_761).wrapping_add(at * 40_503) >> 7) % 100;
        text += &((0..200).map(|at| cell(at).to_string()).collect::<Vec<_>>().join(",") + "\n");
    }
    let (artefact, report) = fit(&text, |_| ()).unwrap();
    assert_eq!((report.columns, artefact.shape.views), (200, 2));
    assert!(rust_source(&artefact).unwrap().contains("ViewTable<'static, CAPACITY, VIEWS>"));
}

#[test]
fn missing_readings_and_rows_far_away_are_scored() {
    let text = machine(2000, 20.0, 1.0).lines().enumerate().fold(String::new(), |mut text, (at, line)| {
        // Every tenth row has no heat.
        let line = if at % 10 == 5 { line.split_once(',').map_or(line, |(_, rest)| rest) } else { line };
        text += if at % 10 == 5 { "," } else { "" };
        text + line + "\n"
    });
    let (artefact, _) = fit(&text, |_| ()).unwrap();
    for heat in [Reading::Missing, Reading::Real(f32::NAN), Reading::Real(f32::INFINITY), Reading::Real(f32::MIN)] {
        for speed in [i32::MIN, 0, 1500, i32::MAX] {
            let row = vec![heat, Reading::Integer(speed), Reading::Integer(1)];
            let score = artefact.scores(std::slice::from_ref(&row)).unwrap()[0];
            assert!(score.nats < Nats::IMPOSSIBLE && score.anomaly < Nats::IMPOSSIBLE);
            artefact.blame(&[row]).unwrap();
        }
    }
}
