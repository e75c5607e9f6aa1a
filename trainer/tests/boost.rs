//! Checks boosted trees against the gain of a Newton step, and their table against the floats.

#[path = "../../tests/support/budget.rs"]
mod budget;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use surprisal::{Conditional as Next, Constraint};
use surprisal_trainer::bits::Bits;
use surprisal_trainer::fit::boost::{BoostSettings, boost};
use surprisal_trainer::fit::{Family, FitSettings, fit};
use surprisal_trainer::model::{FloatConditional, FloatModel, Tree};
use surprisal_trainer::schema::Schema;
use surprisal_trainer::table::quantise::quantise;

const N: usize = 9;

/// Draws rows in which each bit depends on the three before it; some bits are mostly one.
fn rows(count: usize, seed: u64) -> Bits {
    let (mut random, mut bits) = (ChaCha8Rng::seed_from_u64(seed), Bits::new(N));
    for _ in 0..count {
        let mut row = [false; N];
        for i in 0..N {
            let before = |k: usize| i >= k && row[i - k];
            let p = match (before(1) || before(3), before(2)) {
                (true, true) => 0.85,
                (true, false) => 0.65,
                (false, _) => [0.15, 0.3][i % 2],
            };
            row[i] = random.random_bool(p);
        }
        bits.push(&row);
    }
    bits
}

/// Returns Σ ln p(x_i) over the rows.
fn likelihood(bits: &Bits, constraints: &[u16], i: usize, bias: f64, trees: &[Tree]) -> f64 {
    let conditional = FloatConditional { bias, weights: Vec::new(), trees: trees.to_vec() };
    conditional.log_likelihoods(bits, constraints, i).iter().sum()
}

#[test]
fn every_tree_raises_the_training_likelihood_and_splits_on_earlier_bits_only() {
    let bits = rows(1500, 1);
    let mut constraints = [Constraint::FREE.raw(); N];
    constraints[6] = Constraint::implied(2, true, true).raw();
    for (depth, rate, gamma) in [(1, 0.3, 2.0), (3, 0.1, 0.7), (6, 0.1, 5.0)] {
        let settings = BoostSettings { depth, rate, gamma, rounds: 30, ..BoostSettings::default() };
        for i in 0..N {
            let trees = boost(&bits, &bits.free(&constraints, i), i, -0.2, &settings);
            assert!(trees.len() <= 30 && (i < 4 || !trees.is_empty()), "bit {i}: {} trees", trees.len());
            let mut last = likelihood(&bits, &constraints, i, -0.2, &[]);
            for count in 1..=trees.len() {
                let reached = likelihood(&bits, &constraints, i, -0.2, &trees[..count]);
                assert!(reached > last, "depth {depth}, bit {i}, tree {count}: {last} to {reached}");
                last = reached;
            }
            for tree in &trees {
                assert!(!tree.splits.is_empty() && tree.splits.len() < 1 << depth);
                assert_eq!(tree.leaves.len(), tree.splits.len() + 1);
                assert!(tree.splits.iter().all(|split| (split.feature as usize) < i), "bit {i}: {:?}", tree.splits);
            }
        }
    }
}

#[test]
fn one_split_has_a_closed_form_and_is_made_when_it_gains_more_than_gamma() {
    // Numbers of rows by (feature, outcome). In the second case the feature is mostly one.
    for counts in [[[60, 20], [10, 110]], [[30, 10], [150, 40]], [[80, 30], [20, 9]]] {
        let mut bits = Bits::new(2);
        for (x, y) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            (0..counts[x][y]).for_each(|_| bits.push(&[x == 1, y == 1]));
        }
        let (bias, ridge, rate) = (0.3f64, 2.0, 0.7);
        let p = 1.0 / (1.0 + (-bias).exp());
        // Gradient and curvature of the rows of each feature value.
        let slope = |rows: &[usize; 2]| {
            let n = (rows[0] + rows[1]) as f64;
            (rows[1] as f64 - n * p, n * p * (1.0 - p))
        };
        let gain = |(gradient, curvature): (f64, f64)| 0.5 * gradient * gradient / (curvature + ridge);
        let [zeros, ones] = [slope(&counts[0]), slope(&counts[1])];
        let gained = gain(zeros) + gain(ones) - gain((zeros.0 + ones.0, zeros.1 + ones.1));
        let trees = |gamma: f64| {
            boost(&bits, &bits.every(), 1, bias, &BoostSettings { depth: 1, rate, gamma, ridge, rounds: 1 })
        };
        let grown = trees(gained - budget::F64_SUM);
        let [tree] = &grown[..] else { panic!("one tree: {grown:?}") };
        assert_eq!((tree.splits.len(), tree.splits[0].feature), (1, 0));
        for (leaf, (gradient, curvature)) in tree.leaves.iter().zip([zeros, ones]) {
            let expected = rate * gradient / (curvature + ridge);
            assert!((leaf - expected).abs() < budget::F64_SUM, "{counts:?}: {leaf}, not {expected}");
        }
        assert!(trees(gained + budget::F64_SUM).is_empty(), "{counts:?}");
    }
}

#[test]
fn no_tree_is_grown_without_a_sufficient_gain() {
    let bits = rows(400, 2);
    let settings = BoostSettings { gamma: 1e9, ..BoostSettings::default() };
    assert!((0..N).all(|i| boost(&bits, &bits.every(), i, 0.0, &settings).is_empty()));
    let noise = rows(0, 0);
    assert!(boost(&noise, &noise.every(), 3, 0.0, &BoostSettings::default()).is_empty(), "no rows");
}

#[test]
fn the_joined_trees_of_the_table_equal_the_floats() {
    let bits = rows(1200, 3);
    let settings = FitSettings { family: Family::Boost, gamma: 1.0, max_splits: 100, tree_features: None, l2: 0.0 };
    let conditionals = fit(&bits, &[], &settings, &[0.2], &|| ()).remove(0);
    let count = |i: usize| conditionals[i].trees.len();
    assert!((0..N).map(count).sum::<usize>() > 20 && count(0) == 0, "there are many");
    let model = FloatModel { conditionals: conditionals.clone(), ..FloatModel::default() };
    let data = quantise(&Schema::default(), &model).expect("it can be addressed");
    let table = data.view::<N, 0, 0>().expect("it is a table");
    let logits = model.logits(&bits);
    let each = (0..bits.rows).map(|at| {
        let mut row = [false; N];
        bits.row(at, &mut row);
        (at, row)
    });
    for (at, row) in each {
        let mut walk = table.model.walk();
        while let Some((i, next)) = walk.next(&row) {
            let Next::Free(logit) = next else { panic!("every bit is free") };
            // A bias is rounded to 1/1024 nat, every leaf to its scale.
            let slack = 0.5 / 1024.0 + (0.5 * count(i) as f64 * f64::from(data.trees.scales[i]) + 1.0) / 65536.0;
            let (found, expected) = (f64::from(logit.raw()) / 65536.0, logits[i][at]);
            assert!((found - expected).abs() < slack, "row {at}, bit {i}: {found}, not {expected} ± {slack}");
            walk.observe(row[i]);
        }
    }
}
