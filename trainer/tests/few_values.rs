//! Numeric columns with few distinct values: each value and each gap between two values has a cell of its own.

use std::fmt::Write as _;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use surprisal::{Blame, Reading};
use surprisal_trainer::artefact::Artefact;
use surprisal_trainer::fit::Family;
use surprisal_trainer::pipeline::{Job, run};
use surprisal_trainer::sample::readings;

const FAMILIES: [Family; 4] = [Family::Tables, Family::Marginal, Family::ChowLiu, Family::LinearTrees];
const VALVE: [i32; 3] = [0, 5, 10];
const STEP: [i32; 7] = [0, 1, 2, 5, 9, 20, 21];
const HEAT: [f32; 4] = [21.5, 22.0, 22.5, 24.0];

/// Fits a model of a valve, a step, the set point of a heater and the flow through the valve. `extra` are further rows.
fn fit_with(family: Family, extra: &str) -> Artefact {
    let mut text = "valve,step,heat,flow\n".to_owned();
    let mut state = 1u64;
    let mut uniform = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f64 / (1 << 24) as f64
    };
    let mut pick = |count: usize| (uniform() * count as f64) as usize;
    for _ in 0..3000 {
        let (valve, step, heat) = (VALVE[pick(3)], STEP[pick(7)], HEAT[pick(4)]);
        let flow = f64::from(valve) * 3.0 + (pick(1000) + pick(1000)) as f64 / 1000.0;
        writeln!(text, "{valve},{step},{heat:.1},{flow:.3}").expect("a string takes text");
    }
    run_on(text + extra, family)
}

fn fit(family: Family) -> Artefact {
    fit_with(family, "")
}

fn run_on(text: String, family: Family) -> Artefact {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let path = folder.path().join("data.csv");
    std::fs::write(&path, text).expect("the folder can be written to");
    let mut job = Job::new(&path);
    job.choices.family = family;
    run(&job).expect("the rows can be fitted").0
}

fn row(valve: i32, step: i32, heat: f32) -> Vec<Reading> {
    let flow = Reading::Real(valve as f32 * 3.0 + 1.0);
    vec![Reading::Integer(valve), Reading::Integer(step), Reading::Real(heat), flow]
}

fn nats(artefact: &Artefact, rows: &[Vec<Reading>]) -> Vec<f64> {
    artefact.scores(rows).expect("the rows fit").iter().map(|score| score.nats.into()).collect()
}

fn blame(artefact: &Artefact, row: &[Reading]) -> Blame {
    artefact.blame(&[row.to_vec()]).expect("the row fits")[0]
}

/// The probabilities of the values of integer columns, given a row's other columns, add up to no more than those of the values
/// of the training rows do.
#[test]
fn densities_of_integers_add_up() {
    for family in FAMILIES {
        let artefact = fit(family);
        let sum = |rows: Vec<Vec<Reading>>| nats(&artefact, &rows).iter().map(|nats| (-nats).exp()).sum::<f64>();
        // A step depends on no other column, and all of its values are known.
        let known = sum(STEP.iter().map(|&step| row(5, step, 22.0)).collect());
        let all = sum((-3000..3000).map(|step| row(5, step, 22.0)).collect());
        assert!(all > known && all < 1.03 * known, "{family:?}: {all:e} is not just above {known:e}");
    }
}

#[test]
fn a_reading_in_a_gap_alarms_and_is_blamed() {
    for family in FAMILIES {
        let artefact = fit(family);
        let is_anomalous = |row: &[Reading]| artefact.detector().judge(blame(&artefact, row).before).is_anomalous();
        assert!(!is_anomalous(&row(5, 9, 22.0)), "{family:?}");
        let gaps = [
            (1, row(5, 3, 22.0), STEP.map(Reading::Integer).to_vec()),
            (1, row(5, 8, 22.0), STEP.map(Reading::Integer).to_vec()),
            (1, row(5, 14, 22.0), STEP.map(Reading::Integer).to_vec()),
            (2, row(5, 9, 22.25), Vec::new()),
            (2, row(5, 9, 23.4), Vec::new()),
        ];
        for (column, row, expected) in gaps {
            let blame = blame(&artefact, &row);
            assert!(is_anomalous(&row), "{family:?}: {row:?} is no anomaly");
            assert_eq!(blame.column, column, "{family:?}: {row:?}");
            assert!(expected.is_empty() || expected.contains(&blame.expected), "{family:?}: {blame:?}");
        }
        // The flow tells the true state of the valve, unless columns are independent.
        let mut half = row(5, 9, 22.0);
        half[0] = Reading::Integer(3);
        let blame = blame(&artefact, &half);
        let known: &[i32] = if family == Family::Marginal { &VALVE } else { &[5] };
        assert_eq!(blame.column, 0, "{family:?}");
        assert!(known.iter().any(|&value| blame.expected == Reading::Integer(value)), "{family:?}: {blame:?}");
        assert!(is_anomalous(&half), "{family:?}");
    }
}

/// A device may compute a number that the file holds rounded.
#[test]
fn a_real_reading_counts_as_the_value_that_it_rounds_to() {
    for family in FAMILIES {
        let artefact = fit(family);
        for heat in HEAT {
            let near: Vec<Vec<Reading>> =
                [0.0, -0.04, 0.04, 1e-5].iter().map(|error| row(10, 2, heat + error)).collect();
            let each = nats(&artefact, &near);
            assert!(each.iter().all(|nats| *nats == each[0]), "{family:?}: {heat} {each:?}");
            let far = nats(&artefact, &[row(10, 2, heat - 0.07), row(10, 2, heat + 0.07)]);
            assert!(far.iter().all(|nats| *nats > each[0] + 3.0), "{family:?}: {heat} {far:?} {each:?}");
        }
    }
}

/// A single odd row does not make the values of all other rows narrower.
#[test]
fn an_odd_value_leaves_the_others_alone() {
    for family in FAMILIES {
        let artefact = fit_with(family, "5,9,21.5001,16.0\n0,2,21.96,1.0\n");
        let near: Vec<Vec<Reading>> = [0.0, -0.03, 0.0001, 0.03].iter().map(|error| row(10, 2, 21.5 + error)).collect();
        let each = nats(&artefact, &near);
        assert!(each.iter().all(|nats| *nats == each[0]), "{family:?}: {each:?}");
    }
}

/// Values that do not come back, as in the daily means of two weeks, leave no gaps: the next day may lie between them.
#[test]
fn values_that_do_not_come_back_leave_no_gaps() {
    for family in FAMILIES {
        let days: [i32; 14] = [113, 131, 97, 145, 122, 108, 139, 127, 103, 117, 134, 111, 125, 100];
        let mut text = "temperature,flow\n".to_owned();
        for at in 0..2100u32 {
            let flow = at.wrapping_mul(2_654_435_761) >> 24;
            writeln!(text, "{}.{},{flow}", days[at as usize / 150] / 10, days[at as usize / 150] % 10)
                .expect("a string takes text");
        }
        let artefact = run_on(text, family);
        let of_day = |day: f32| nats(&artefact, &[vec![Reading::Real(day), Reading::Integer(100)]])[0];
        assert!(of_day(11.5) < of_day(11.7) + 4.0, "{family:?}: {} {}", of_day(11.5), of_day(11.7));
    }
}

/// The largest numbers and those next to zero have finite edges.
#[test]
fn extreme_values_have_cells() {
    for values in [["0", "1e-45", "-1e-45"], ["3.4028235e38", "-3.4028235e38", "0"], ["2147483647", "-2147483648", "7"]]
    {
        let mut text = "a,b\n".to_owned();
        (0..600u32).for_each(|at| {
            let value = values[at.wrapping_mul(2_654_435_761) as usize % 3];
            writeln!(text, "{value},{}", at.wrapping_mul(2_246_822_519) >> 26).expect("a string takes text");
        });
        for family in FAMILIES {
            let artefact = run_on(text.clone(), family);
            let drawn = readings(&artefact, 500, &mut ChaCha8Rng::seed_from_u64(1)).expect("the model can be sampled");
            let is_finite = |reading: &Reading| match reading {
                Reading::Real(value) => value.is_finite(),
                reading => !reading.is_missing(),
            };
            assert!(drawn.iter().flatten().all(is_finite), "{family:?}: {values:?}");
            assert!(nats(&artefact, &drawn).iter().all(|nats| nats.is_finite()), "{family:?}: {values:?}");
        }
    }
}

/// Samples hold known values, apart from the share of rows that the model gives to others.
#[test]
fn samples_hold_the_values() {
    for family in FAMILIES {
        let artefact = fit(family);
        let drawn =
            readings(&artefact, 2000, &mut ChaCha8Rng::seed_from_u64(7)).expect("a model of rows can be sampled");
        let (valves, steps) = (VALVE.map(Reading::Integer), STEP.map(Reading::Integer));
        let is_known = |row: &&Vec<Reading>| valves.contains(&row[0]) && steps.contains(&row[1]);
        let known = drawn.iter().filter(is_known).count();
        assert!(known > 1950, "{family:?}: {known} of 2000 rows hold known values");
    }
}
