//! Data from models whose likelihood is known.

use crate::budget;
use crate::data::{Folder, flags, number, random};
use rand::RngExt;

/// ln p of a row under a known model, and a row drawn from it: a tree 0 -> 1 -> 2, 0 -> 3, its edges out of order.
struct Known;

impl Known {
    const PARENTS: [Option<usize>; 4] = [None, Some(0), Some(1), Some(0)];
    /// p(one | parent is zero), p(one | parent is one).
    const ONES: [[f64; 2]; 4] = [[0.3, 0.3], [0.1, 0.8], [0.7, 0.2], [0.05, 0.6]];

    fn one(i: usize, row: &[bool]) -> f64 {
        Self::ONES[i][Self::PARENTS[i].map_or(0, |parent| usize::from(row[parent]))]
    }

    fn log_probability(row: &[bool]) -> f64 {
        (0..4).map(|i| if row[i] { Self::one(i, row) } else { 1.0 - Self::one(i, row) }.ln()).sum()
    }

    fn rows(count: usize, seed: u64) -> Vec<Vec<bool>> {
        let mut random = random(seed);
        let mut draw = || {
            let mut row = vec![false; 4];
            (0..4).for_each(|i| row[i] = random.random_bool(Self::one(i, &row)));
            row
        };
        (0..count).map(|_| draw()).collect()
    }
}

#[test]
fn chow_liu_recovers_the_likelihood_of_a_tree() {
    let folder = Folder::new();
    let [train, valid, test] = [(4000, 1), (1000, 2), (4000, 3)].map(|(count, seed)| Known::rows(count, seed));
    for (name, rows) in [("train.csv", &train), ("valid.csv", &valid), ("test.csv", &test)] {
        folder.write(name, flags(rows));
    }
    let report = folder.json("fit train.csv --valid valid.csv --test test.csv --family chow-liu -o model.srp");
    let truth = test.iter().map(|row| Known::log_probability(row)).sum::<f64>() / test.len() as f64;
    for key in ["test_ll", "float_test_ll"] {
        let found = number(&report, key);
        assert!((found - truth).abs() < budget::ESTIMATION, "{key}: {found}, the truth is {truth}");
    }
    assert_eq!((report["order"].as_str(), number(&report, "train_rows")), (Some("chow-liu"), 4000.0));
}

#[test]
fn marginals_are_counts_with_one_row_of_each_kind_added() {
    let folder = Folder::new();
    let (train, valid) = (Known::rows(500, 4), Known::rows(200, 5));
    folder.write("train.csv", flags(&train));
    folder.write("valid.csv", flags(&valid));
    let report = folder.json("fit train.csv --valid valid.csv --calibrate valid.csv --family marginal -o model.srp");
    let one = |i: usize| (train.iter().filter(|row| row[i]).count() as f64 + 1.0) / (train.len() as f64 + 2.0);
    let log_probability =
        |row: &Vec<bool>| (0..4).map(|i| if row[i] { one(i) } else { 1.0 - one(i) }.ln()).sum::<f64>();
    let expected = valid.iter().map(log_probability).sum::<f64>() / valid.len() as f64;
    let found = number(&report, "float_valid_ll");
    assert!((found - expected).abs() < budget::F64_SUM, "{found} and {expected}");
}
