//! Rules: a flag or a text that the numbers of a row determine must not contradict them.

use std::fmt::Write as _;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use surprisal::Reading;
use surprisal_trainer::artefact::Artefact;
use surprisal_trainer::pipeline::{Job, run};

const RUNNING: u16 = 0;
const MODE: u16 = 1;

/// Returns (mode, flow, current) of a machine that idles or runs, slowly or fast. One in `noise` rows has a mode that does not
/// depend on the numbers.
fn state(random: &mut ChaCha8Rng, noise: Option<u32>) -> (usize, f64, f64) {
    let mode = random.random_range(0..3usize);
    let mut around = |level: f64, spread: f64| level + spread * (random.random::<f64>() + random.random::<f64>() - 1.0);
    let (flow, current) = (around([0.0, 30.0, 55.0][mode], 4.0), around([0.2, 4.0, 9.0][mode], 0.8));
    let is_noise = noise.is_some_and(|noise| random.random_ratio(1, noise));
    (if is_noise { random.random_range(0..3) } else { mode }, flow, current)
}

fn fit(rows: usize, noise: Option<u32>) -> Artefact {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let mut text = "running,mode,flow,current\n".to_owned();
    for _ in 0..rows {
        let (mode, flow, current) = state(&mut random, noise);
        let (running, mode) = (u8::from(mode > 0), ["idle", "slow", "fast"][mode]);
        writeln!(text, "{running},{mode},{flow:.1},{current:.2}").expect("a string takes text");
    }
    let folder = tempfile::tempdir().expect("a folder can be made");
    let path = folder.path().join("rows.csv");
    std::fs::write(&path, text).expect("the folder can be written to");
    run(&Job::new(&path)).expect("the rows can be fitted").0
}

/// Returns the share of fresh rows that alarm, and the share of these in which the column at `contradicted` is named, which
/// contradicts the others.
fn alarms(artefact: &Artefact, contradicted: Option<u16>, noise: Option<u32>) -> [f64; 2] {
    let mut random = ChaCha8Rng::seed_from_u64(2);
    let mut row = || {
        let (mode, flow, current) = state(&mut random, noise);
        let shown = if contradicted == Some(MODE) { (mode + random.random_range(1..3)) % 3 } else { mode };
        let running = (mode > 0) != (contradicted == Some(RUNNING));
        // Codes are in the order of the texts: fast, idle, slow.
        let codes = [i32::from(running), [1, 2, 0][shown]].map(Reading::Integer);
        codes.into_iter().chain([flow, current].map(|number| Reading::Real(number as f32))).collect()
    };
    let rows: Vec<Vec<Reading>> = (0..2000).map(|_| row()).collect();
    let blamed = artefact.blame(&rows).expect("the rows fit");
    let is_alarm = |at: &usize| artefact.detector().judge(blamed[*at].before).is_anomalous();
    let alarms: Vec<usize> = (0..rows.len()).filter(is_alarm).collect();
    let named = alarms.iter().filter(|&&at| Some(blamed[at].column) == contradicted).count();
    [alarms.len() as f64 / rows.len() as f64, named as f64 / alarms.len().max(1) as f64]
}

#[test]
fn a_flag_or_a_text_that_contradicts_the_numbers_alarms_and_is_named() {
    for rows in [1000, 3000] {
        let artefact = fit(rows, None);
        let [normal, _] = alarms(&artefact, None, None);
        assert!(normal < 0.03, "{rows} rows: {normal} of normal rows alarm");
        for column in [RUNNING, MODE] {
            let [alarms, named] = alarms(&artefact, Some(column), None);
            assert!(alarms > 0.95 && named > 0.9, "{rows} rows, column {column}: {alarms} alarm, {named} named");
        }
    }
}

/// Where one row in fifty is an exception, exceptions are normal.
#[test]
fn exceptions_that_occur_do_not_alarm_beyond_the_promise() {
    let artefact = fit(3000, Some(50));
    let [normal, _] = alarms(&artefact, None, Some(50));
    assert!(normal < 0.03, "{normal} of normal rows alarm");
}
