//! Boosted trees: each against what a Newton step must gain, and all of them as one table.

#[path = "../../tests/support/budget.rs"]
mod budget;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use surprisal::{Conditional as Next, Guard};
use surprisal_trainer::bits::Bits;
use surprisal_trainer::fit::boost::{Boost, boost};
use surprisal_trainer::fit::{Family, Recipe, fit};
use surprisal_trainer::model::{Conditional, Model, Tree};
use surprisal_trainer::quantise::TableData;
use surprisal_trainer::schema::Schema;

const N: usize = 9;

/// Rows of which each bit hangs on three before it; some bits are mostly ones.
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

/// Σ ln p(x_i) over the rows.
fn likelihood(bits: &Bits, guards: &[u16], i: usize, bias: f64, trees: &[Tree]) -> f64 {
    let conditional = Conditional { bias, weights: Vec::new(), trees: trees.to_vec() };
    conditional.log_likelihoods(bits, guards, i).iter().sum()
}

#[test]
fn every_tree_raises_the_training_likelihood_and_asks_earlier_bits_only() {
    let bits = rows(1500, 1);
    let mut guards = [Guard::FREE.raw(); N];
    guards[6] = Guard::new(2, true, true).raw();
    for (depth, rate, gamma) in [(1, 0.3, 2.0), (3, 0.1, 0.7), (6, 0.1, 5.0)] {
        let settings = Boost { depth, rate, gamma, rounds: 30, ..Boost::default() };
        for i in 0..N {
            let trees = boost(&bits, &bits.free(&guards, i), i, -0.2, &settings);
            assert!(trees.len() <= 30 && (i < 4 || !trees.is_empty()), "bit {i}: {} trees", trees.len());
            let mut last = likelihood(&bits, &guards, i, -0.2, &[]);
            for count in 1..=trees.len() {
                let reached = likelihood(&bits, &guards, i, -0.2, &trees[..count]);
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
    // Rows by (feature, outcome); in the second case the feature is mostly a one.
    for counts in [[[60, 20], [10, 110]], [[30, 10], [150, 40]], [[80, 30], [20, 9]]] {
        let mut bits = Bits::new(2);
        for (x, y) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            (0..counts[x][y]).for_each(|_| bits.push(&[x == 1, y == 1]));
        }
        let (bias, ridge, rate) = (0.3f64, 2.0, 0.7);
        let p = 1.0 / (1.0 + (-bias).exp());
        // Gradient and curvature of the rows of both kinds.
        let slope = |rows: &[usize; 2]| {
            let n = (rows[0] + rows[1]) as f64;
            (rows[1] as f64 - n * p, n * p * (1.0 - p))
        };
        let gain = |(gradient, curvature): (f64, f64)| 0.5 * gradient * gradient / (curvature + ridge);
        let [zeros, ones] = [slope(&counts[0]), slope(&counts[1])];
        let gained = gain(zeros) + gain(ones) - gain((zeros.0 + ones.0, zeros.1 + ones.1));
        let trees =
            |gamma: f64| boost(&bits, &bits.every(), 1, bias, &Boost { depth: 1, rate, gamma, ridge, rounds: 1 });
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
fn nothing_is_grown_where_nothing_gains_enough() {
    let bits = rows(400, 2);
    let settings = Boost { gamma: 1e9, ..Boost::default() };
    assert!((0..N).all(|i| boost(&bits, &bits.every(), i, 0.0, &settings).is_empty()));
    let noise = rows(0, 0);
    assert!(boost(&noise, &noise.every(), 3, 0.0, &Boost::default()).is_empty(), "no rows");
}

#[test]
fn the_joined_trees_of_the_table_say_what_the_floats_say() {
    let bits = rows(1200, 3);
    let recipe = Recipe { family: Family::Boost, gamma: 1.0, most_splits: 100, askable: None, l2: 0.0 };
    let conditionals = fit(&bits, &[], &recipe, &[0.2], &|| ()).remove(0);
    let count = |i: usize| conditionals[i].trees.len();
    assert!((0..N).map(count).sum::<usize>() > 20 && count(0) == 0, "there are many");
    let model = Model { conditionals: conditionals.clone(), ..Model::default() };
    let data = TableData::new(&Schema::default(), &model).expect("it can be addressed");
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
            let Next::Open(logit) = next else { panic!("nothing is forced") };
            // A bias is off by half a unit of 1/1024 nat, every leaf by half of its scale.
            let slack = 0.5 / 1024.0 + (0.5 * count(i) as f64 * f64::from(data.leaf_scales[i]) + 1.0) / 65536.0;
            let (found, expected) = (f64::from(logit.raw()) / 65536.0, logits[i][at]);
            assert!((found - expected).abs() < slack, "row {at}, bit {i}: {found}, not {expected} ± {slack}");
            walk.observe(row[i]);
        }
    }
}
