//! Checks time series: the host computes the same history features as the board, and history improves the likelihood.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::fmt::Write as _;
use surprisal::{Reading, RowScore, Stream};
use surprisal_trainer::artefact::Artefact;
use surprisal_trainer::data::Header;
use surprisal_trainer::evaluate::mean;
use surprisal_trainer::history::History;
use surprisal_trainer::pipeline::{Job, run};
use surprisal_trainer::sample::sampled_rows;

const WINDOW: usize = 3;
type TestRow = (Option<i32>, f32, i32, &'static str);

/// Draws a series of a random-walk level, a noisy reading of it, a pump that rarely switches, and a mode that follows
/// the pump.
fn rows(count: usize, seed: u64) -> Vec<TestRow> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut dice = move |sides: u32| (random.next_u32() % sides) as i32;
    let (mut level, mut pump) = (1000, 0);
    let mut each = || {
        level += dice(21) - 10;
        pump ^= i32::from(dice(20) == 0);
        let missing = dice(50) == 0;
        let reading = level as f32 / 8.0 + dice(5) as f32 / 4.0;
        ((!missing).then_some(level), reading, pump, if dice(10) < 1 { "idle" } else { ["low", "high"][pump as usize] })
    };
    (0..count).map(|_| each()).collect()
}

fn write(rows: &[TestRow], session_after: usize) -> tempfile::NamedTempFile {
    let mut text = "run,level,reading,pump,mode\n".to_owned();
    for (at, (level, reading, pump, mode)) in rows.iter().enumerate() {
        let level = level.map_or(String::new(), |level| level.to_string());
        writeln!(text, "{},{level},{reading},{pump},{mode}", at / session_after).unwrap();
    }
    let file = tempfile::Builder::new().suffix(".csv").tempfile().unwrap();
    std::fs::write(file.path(), text).unwrap();
    file
}

fn fit(rows: &[TestRow], history: Option<History>) -> Artefact {
    let file = write(rows, usize::MAX);
    let mut job = Job::new(file.path());
    job.ignore = if history.is_some() { Vec::new() } else { vec!["run".into()] };
    job.history = history;
    run(&job).expect("rows in time can be fitted").0
}

fn in_sessions() -> History {
    History { window: WINDOW, session: Some("run".into()) }
}

/// Returns the board's score of each row, or `None` while its window is not full.
fn pushed(artefact: &Artefact, rows: &[TestRow], session_after: usize) -> Vec<Option<RowScore>> {
    let labels = |name: &str| {
        let encoding = artefact.schema.columns.iter().find(|encoding| artefact.schema.name(encoding) == name);
        encoding.expect("the column is modelled").labels.clone()
    };
    let modes = labels("mode");
    let table = artefact.open().unwrap();
    let mut stream = Stream::<4, WINDOW>::new();
    let each = rows.iter().enumerate().map(|(at, &(level, reading, pump, mode))| {
        if at % session_after == 0 {
            stream.reset();
        }
        let mode = modes.iter().position(|label| label == mode).unwrap() as i32;
        let [pump, mode] = [pump, mode].map(Reading::Integer);
        let mut row = [level.into(), reading.into(), pump, mode, Reading::Missing, Reading::Missing];
        let whole = stream.push(&table.predictor(), &mut row).expect("the row fits its channels");
        whole.then(|| table.score(&row).expect("the table takes what the stream makes"))
    });
    each.collect()
}

#[test]
fn the_host_scores_a_file_like_the_board_scores_a_stream() {
    let artefact = fit(&rows(2000, 1), Some(in_sessions()));
    let mut fresh = rows(300, 2);
    // At the start of a session there is no earlier level to fill in.
    [0, 100, 200].iter().for_each(|&at| fresh[at].0 = None);
    for session_after in [usize::MAX, 100] {
        let file = write(&fresh, session_after);
        let frame = artefact.frame(file.path(), Header::Auto).unwrap();
        let every: Vec<usize> = (0..frame.rows()).collect();
        let host = artefact.scores(&artefact.schema.all_readings(&frame, &every).unwrap()).unwrap();
        let board = pushed(&artefact, &fresh, session_after);
        let sessions = if session_after == 100 { 3 } else { 1 };
        assert_eq!(board.iter().filter(|row| row.is_none()).count(), sessions * WINDOW);
        assert_eq!(board.into_iter().flatten().collect::<Vec<_>>(), host);
    }
}

#[test]
fn history_predicts_a_pump_that_rarely_switches() {
    let training = rows(2000, 3);
    let [alone, in_time] = [None, Some(in_sessions())].map(|history| {
        let artefact = fit(&training, history);
        // States only, because the nats of numbers depend on the width of their cells.
        [2, 3].map(|column| f64::from(artefact.detector().baseline(column))).iter().sum::<f64>()
    });
    // The pump switches in one row of twenty: 0.2 nats instead of ln 2.
    assert!(in_time + 0.3 < alone, "{in_time} and {alone}");
}

#[test]
fn a_jump_scores_higher_than_an_unseen_level() {
    let artefact = fit(&rows(2000, 4), Some(in_sessions()));
    let mut quiet: Vec<TestRow> = (0..12).map(|at| (Some(5000 + at % 3), 625.5, 0, "low")).collect();
    let anomaly_score = |rows: &[TestRow]| pushed(&artefact, rows, usize::MAX)[10].unwrap().anomaly;
    let before = anomaly_score(&quiet);
    quiet[10].0 = Some(5200);
    let jump = anomaly_score(&quiet);
    assert!(jump > artefact.detector().threshold.max(before), "{jump} and {before}");
}

#[test]
fn rows_after_anomalous_rows_are_not_fitted() {
    let mut text = "x,bad\n".to_owned();
    (0..400).for_each(|at| writeln!(text, "{},{}", 10 + at % 7, u8::from(at == 200)).unwrap());
    let file = tempfile::Builder::new().suffix(".csv").tempfile().unwrap();
    std::fs::write(file.path(), text).unwrap();
    let mut job = Job::new(file.path());
    job.label = Some(("bad".into(), "0".into()));
    job.history = Some(History { window: WINDOW, session: None });
    let (artefact, _) = run(&job).unwrap();
    let frame = artefact.frame(file.path(), Header::Auto).unwrap();
    assert_eq!(frame.rows(), 400 - WINDOW);
    let mixed: Vec<u64> = (0..frame.rows()).filter(|&row| frame.mixed[row]).map(|row| frame.lines[row]).collect();
    assert_eq!(mixed, [203, 204, 205]); // row 200 is on line 202
}

#[test]
fn a_sampled_series_has_the_entropy_of_the_model() {
    let artefact = fit(&rows(2000, 6), Some(in_sessions()));
    let (names, cells) = sampled_rows(&artefact, 1000, &mut ChaCha8Rng::seed_from_u64(7)).unwrap();
    assert_eq!(names, ["level", "reading", "pump", "mode"]);
    let flips = cells.windows(2).filter(|pair| pair[0][2] != pair[1][2]).count();
    // Fifty are expected, with a standard deviation of seven; the fit adds as much.
    assert!((20..90).contains(&flips), "{flips}");
    let file = tempfile::Builder::new().suffix(".csv").tempfile().unwrap();
    let lines: Vec<String> = cells.iter().map(|row| format!("0,{}\n", row.join(","))).collect();
    std::fs::write(file.path(), format!("run,{}\n{}", names.join(","), lines.concat())).unwrap();
    let frame = artefact.frame(file.path(), Header::Auto).unwrap();
    let every: Vec<usize> = (0..frame.rows()).collect();
    let scores = artefact.surprisals(&artefact.schema.all_readings(&frame, &every).unwrap()).unwrap();
    let (mean, detector) = (mean(&scores), artefact.detector());
    // The calibration rows determine the entropy to within a few tenths of a nat.
    assert!((mean - f64::from(detector.entropy)).abs() < 0.5, "{mean} and {}", detector.entropy);
}

#[test]
fn a_window_longer_than_the_file_is_refused() {
    let file = write(&rows(30, 5), 4);
    let mut job = Job::new(file.path());
    job.history = Some(History { window: 5, session: Some("run".into()) });
    let error = run(&job).unwrap_err().to_string();
    assert!(error.contains("no row has 5 rows before it"), "{error}");
}
