//! Checks that any four shares split rows into disjoint lists, and that neighbours that resemble each other stay together.

use std::path::Path;

use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use surprisal_trainer::data::Header;
use surprisal_trainer::pipeline::{Job, run};
use surprisal_trainer::split::{SHARES, SplitStrategy, split};

proptest! {
    /// The shares of a model file come from strangers, so that even a sum above 1 must not lead to a panic.
    #[test]
    fn shares_of_any_sum_give_disjoint_ascending_rows(
        rows in 0usize..2000, shares in prop::array::uniform4(0.0..=1.0f64), gap in 0usize..5, stretch in 0usize..9, seed: u64, shuffled: bool,
    ) {
        let strategy = if shuffled { SplitStrategy::Shuffled { seed, stretch } } else { SplitStrategy::InOrder { gap } };
        let found = split((0..rows).collect(), shares, strategy);
        let lists = [&found.train, &found.valid, &found.calibrate, &found.held_out];
        let mut all: Vec<usize> = lists.into_iter().flatten().copied().collect();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        prop_assert_eq!(all.len(), count, "a row is in two lists");
        prop_assert!(all.last().is_none_or(|&last| last < rows));
        prop_assert!(lists.into_iter().all(|list| list.is_sorted()));
        if shuffled && shares.iter().sum::<f64>() >= 1.0 {
            prop_assert_eq!(count, rows);
        }
    }
}

/// Consecutive rows of a stretch are in one share, except where a share ends.
#[test]
fn stretches_stay_together() {
    for stretch in [1, 7, 40] {
        let rows: Vec<usize> = (0..4000).collect();
        let found = split(rows.clone(), SHARES, SplitStrategy::Shuffled { seed: 3, stretch });
        let share = |row| [&found.train, &found.valid, &found.calibrate].iter().position(|list| list.contains(&row));
        let cut = rows.chunks(stretch).filter(|rows| rows.iter().any(|&row| share(row) != share(rows[0]))).count();
        assert!(cut <= 3, "{cut} stretches of {stretch} rows are in two shares");
        assert_eq!([&found.train, &found.valid, &found.calibrate].map(Vec::len), [2800, 400, 400]);
    }
}

/// Writes rows of two sensors that follow an autoregression.
fn autoregressive(path: &Path, rho: f64, seed: u64) {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let (mut text, mut state) = (String::from("clock,a,b\n"), [0.0f64; 2]);
    for row in 0..4000 {
        for value in &mut state {
            *value = rho * *value + random.random::<f64>() - 0.5;
        }
        text += &format!("{row},{:.3},{:.3}\n", state[0], state[1]);
    }
    std::fs::write(path, text).unwrap();
}

/// Fits such rows. Returns (length of stretches, share of the held-out rows whose next row is held out as well).
fn fitted(rho: f64) -> (usize, f64) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.csv");
    autoregressive(&path, rho, 7);
    let job = Job { ignore: vec!["clock".into()], ..Job::new(path.clone()) };
    let (artefact, report) = run(&job).unwrap();
    let held_out = artefact.held_out(&artefact.frame(&path, Header::Yes).unwrap()).unwrap();
    assert_eq!(held_out.len(), 400);
    let neighbours = held_out.windows(2).filter(|pair| pair[1] == pair[0] + 1).count();
    (report.stretch, neighbours as f64 / 400.0)
}

#[test]
fn rows_that_resemble_their_neighbours_are_split_in_stretches() {
    // A clock that is not modelled resembles itself for ever, and does not count.
    let (stretch, neighbours) = fitted(0.0);
    assert!(stretch == 1 && neighbours < 0.2, "{stretch}, {neighbours}");
    let (stretch, neighbours) = fitted(0.95);
    assert!(stretch == 40 && neighbours > 0.9, "{stretch}, {neighbours}");
}

#[test]
fn files_that_are_not_split_have_no_stretches() {
    let folder = tempfile::tempdir().unwrap();
    let paths = ["train.csv", "valid.csv", "calibrate.csv"].map(|name| folder.path().join(name));
    (1..).zip(&paths).for_each(|(seed, path)| autoregressive(path, 0.95, seed));
    let [train, valid, calibrate] = paths;
    let mut job = Job { ignore: vec!["clock".into()], valid: Some(valid), ..Job::new(train) };
    assert!(run(&job).unwrap().1.stretch > 1, "the file for validation calibrates as well");
    job.calibrate = Some(calibrate);
    assert_eq!(run(&job).unwrap().1.stretch, 1);
}
