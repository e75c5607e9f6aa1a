//! Checks each learner against optimality conditions or a closed form.

#[path = "../../tests/support/budget.rs"]
mod budget;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use surprisal_trainer::bits::Bits;
use surprisal_trainer::fit::logistic::{Penalty, Problem, Solver};
use surprisal_trainer::fit::tree::{Evidence, Grower, learn_order};
use surprisal_trainer::fit::{Family, FitSettings, fit};
use surprisal_trainer::model::{FloatConditional, FloatModel, TreeSplit};

fn random(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

fn sigmoid(logit: f64) -> f64 {
    1.0 / (1.0 + (-logit).exp())
}

fn bits(rows: &[Vec<bool>]) -> Bits {
    let mut bits = Bits::new(rows[0].len());
    rows.iter().for_each(|row| bits.push(row));
    bits
}

fn settings(family: Family, gamma: f64, l2: f64) -> FitSettings<'static> {
    FitSettings { family, gamma, max_splits: 100, tree_features: None, l2 }
}

fn fit_one(rows: &[Vec<bool>], settings: &FitSettings, strength: f64) -> Vec<FloatConditional> {
    fit(&bits(rows), &[], settings, &[strength], &|| ()).remove(0)
}

/// Draws rows in which each bit depends on all earlier bits; bit j is one in a share of about `ones[j]`.
fn rows(count: usize, ones: &[f64], random: &mut ChaCha8Rng) -> Vec<Vec<bool>> {
    let weights: Vec<Vec<f64>> =
        ones.iter().map(|_| ones.iter().map(|_| random.random_range(-1.5..1.5)).collect()).collect();
    let mut draw = || {
        let mut row: Vec<bool> = Vec::new();
        for (i, &share) in ones.iter().enumerate() {
            let centred = row
                .iter()
                .zip(&weights[i])
                .zip(ones)
                .map(|((&bit, weight), share)| weight * (f64::from(u8::from(bit)) - share));
            let logit = (share / (1.0 - share)).ln() + centred.sum::<f64>();
            row.push(random.random_bool(sigmoid(logit)));
        }
        row
    };
    (0..count).map(|_| draw()).collect()
}

/// Asserts the Karush–Kuhn–Tucker conditions of max Σ ln p - l1·Σ|w| - l2/2·Σw²: a weight that is not zero has the
/// gradient l1·sign(w) + l2·w, a weight of zero has a gradient within ±l1, and the bias has none. `features` are the
/// columns x_j.
fn assert_optimal(outcomes: &[bool], features: &[Vec<bool>], bias: f64, weights: &[f64], penalty: Penalty) {
    let logit = |t: usize| bias + features.iter().zip(weights).map(|(x, w)| if x[t] { *w } else { 0.0 }).sum::<f64>();
    let p: Vec<f64> = (0..outcomes.len()).map(|t| sigmoid(logit(t))).collect();
    let sum = |x: &dyn Fn(usize) -> bool, value: &dyn Fn(usize) -> f64| {
        (0..p.len()).filter(|&t| x(t)).map(value).sum::<f64>()
    };
    let residual = |t: usize| f64::from(u8::from(outcomes[t])) - p[t];
    let curvature = |t: usize| p[t] * (1.0 - p[t]);
    let bias_gradient = sum(&|_| true, &residual);
    let bias_slack = (budget::LOGISTIC_GAIN * sum(&|_| true, &curvature)).sqrt();
    assert!(bias_gradient.abs() <= bias_slack, "bias: {bias_gradient}, slack {bias_slack}");
    for (j, (x, &weight)) in features.iter().zip(weights).enumerate() {
        let gradient = sum(&|t| x[t], &residual);
        // A feature that the solver stores by its zeros has the gradient of the bias added to its own.
        let slack = (budget::LOGISTIC_GAIN * (sum(&|t| x[t], &curvature) + penalty.l2)).sqrt() + bias_slack;
        let excess = if weight == 0.0 {
            gradient.abs() - penalty.l1
        } else {
            (gradient - penalty.l1 * weight.signum() - penalty.l2 * weight).abs()
        };
        assert!(excess <= slack, "weight {j} = {weight}: gradient {gradient}, excess {excess}, slack {slack}");
    }
}

#[test]
fn the_logistic_solver_ends_at_the_optimum_of_random_problems() {
    for seed in 0..12 {
        let mut random = random(seed);
        let rows = rows(400, &[0.3, 0.1, 0.5, 0.02, 0.4, 0.2, 0.45, 0.3], &mut random);
        let outcomes: Vec<bool> = rows.iter().map(|row| row[7]).collect();
        let features: Vec<Vec<bool>> = (0..7).map(|j| rows.iter().map(|row| row[j]).collect()).collect();
        let ones = |x: &Vec<bool>| (0..400u32).filter(|&t| x[t as usize]).collect();
        let problem = Problem { outcomes: outcomes.clone(), features: features.iter().map(ones).collect() };
        let mut solver = Solver::new(&problem);
        // From strong to weak penalties, each with a warm start.
        for l1 in [1e6, 20.0, 5.0, 1.0, 0.0] {
            let penalty = Penalty { l1, l2: 0.3 };
            solver.solve(penalty);
            assert_optimal(&outcomes, &features, solver.bias, &solver.weights, penalty);
            assert!(l1 < 1e6 || solver.weights.iter().all(|&weight| weight == 0.0));
        }
    }
}

#[test]
fn logistic_regressions_are_optimal_even_where_ones_are_common() {
    for seed in 20..26 {
        let rows = rows(400, &[0.9, 0.1, 0.7, 0.97, 0.4, 0.8], &mut random(seed));
        for strength in [10.0, 2.0, 0.5] {
            let fitted = fit_one(&rows, &settings(Family::Linear, 0.0, 0.3), strength);
            for (i, conditional) in fitted.iter().enumerate() {
                let outcomes: Vec<bool> = rows.iter().map(|row| row[i]).collect();
                let features: Vec<Vec<bool>> = (0..i).map(|j| rows.iter().map(|row| row[j]).collect()).collect();
                let mut weights = vec![0.0; i];
                conditional.weights.iter().for_each(|&(j, weight)| weights[j as usize] = weight);
                // The first bit has no features, and its bias comes from counts with one row of each value added.
                if i > 0 {
                    assert_optimal(&outcomes, &features, conditional.bias, &weights, Penalty { l1: strength, l2: 0.3 });
                }
            }
        }
    }
}

#[test]
fn one_feature_has_a_closed_form() {
    for (counts, l1) in [
        ([[60, 20], [10, 110]], 0.0),
        ([[60, 20], [10, 110]], 6.0),
        ([[150, 10], [5, 5]], 1.5),
        ([[20, 60], [90, 30]], 4.0),
    ] {
        let mut all = Vec::new();
        for (x, y) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            all.extend(vec![vec![x == 1, y == 1]; counts[x][y]]);
        }
        // The penalty moves l1 ones from the side with more of them to the other side.
        let share = |x: usize, moved: f64| (counts[x][1] as f64 + moved) / (counts[x][0] + counts[x][1]) as f64;
        let sign = (share(1, 0.0) - share(0, 0.0)).signum();
        let [p0, p1] = [share(0, l1 * sign), share(1, -l1 * sign)];
        let fitted = &fit_one(&all, &settings(Family::Linear, 0.0, 0.0), l1)[1];
        let weight: f64 = fitted.weights.iter().map(|(_, weight)| weight).sum();
        for (x, p) in [p0, p1].into_iter().enumerate() {
            let found = sigmoid(fitted.bias + if x == 1 { weight } else { 0.0 });
            let rows = (counts[x][0] + counts[x][1]) as f64;
            let gained = rows * (found - p).powi(2) / (p * (1.0 - p));
            assert!(gained < 2.0 * budget::LOGISTIC_GAIN, "{counts:?}, l1 {l1}: {found} for x = {x}, not {p}");
        }
    }
}

#[test]
fn a_tree_splits_on_relevant_bits_only() {
    // Bit 5 depends on bit 1, and on bit 3 where bit 1 is one.
    let mut random = random(40);
    let mut draw = || {
        let mut row: Vec<bool> = (0..5).map(|_| random.random_bool(0.5)).collect();
        let p = [[0.1, 0.1], [0.5, 0.95]][usize::from(row[1])][usize::from(row[3])];
        row.push(random.random_bool(p));
        row
    };
    let rows: Vec<Vec<bool>> = (0..2000).map(|_| draw()).collect();
    for family in [Family::Tree, Family::LinearTrees] {
        let fitted = fit_one(&rows, &settings(family, 5.0, 0.3), 8.0);
        // A joint fit expresses the root's split by a weight as far as possible.
        let features: Vec<u32> =
            fitted[5].trees.iter().flat_map(|tree| &tree.splits).map(|split| split.feature).collect();
        assert_eq!(features, [1, 3], "{family:?}");
        assert!(fitted[..5].iter().all(|conditional| conditional.splits() == 0), "{family:?}");
    }
    let conditional = &fit_one(&rows, &settings(Family::Tree, 5.0, 0.0), 8.0)[5];
    let [tree] = &conditional.trees[..] else { panic!("one tree: {:?}", conditional.trees) };
    assert_eq!(tree.splits, [TreeSplit { feature: 1, left: 0 }, TreeSplit { feature: 3, left: 0 }]);
    // Leaves are shares of ones, each shrunk towards the share of its parent by 8 rows.
    let share = |of: &dyn Fn(&Vec<bool>) -> bool, parent: f64| {
        let rows: Vec<_> = rows.iter().filter(|row| of(row)).collect();
        (rows.iter().filter(|row| row[5]).count() as f64 + 8.0 * parent) / (rows.len() as f64 + 8.0)
    };
    let root = (rows.iter().filter(|row| row[5]).count() as f64 + 1.0) / 2002.0;
    let right = share(&|row| row[1], root);
    let leaves =
        [share(&|row| !row[1], root), share(&|row| row[1] && !row[3], right), share(&|row| row[1] && row[3], right)];
    for (leaf, expected) in tree.leaves.iter().zip(leaves) {
        assert!((sigmoid(conditional.bias + leaf) - expected).abs() < budget::F64_SUM);
    }
}

/// Returns ln ∫ p^ones (1-p)^(rows-ones) dp over 0..1, by Simpson's rule.
fn log_evidence(rows: usize, ones: usize) -> f64 {
    let steps = 2000;
    let f = |k: usize| {
        let p = k as f64 / steps as f64;
        p.powi(ones as i32) * (1.0 - p).powi((rows - ones) as i32)
    };
    let sum: f64 = (0..=steps)
        .map(|k| {
            f(k) * if k == 0 || k == steps {
                1.0
            } else if k % 2 == 1 {
                4.0
            } else {
                2.0
            }
        })
        .sum();
    (sum / (3.0 * steps as f64)).ln()
}

#[test]
fn a_split_is_made_when_its_evidence_gains_more_than_gamma() {
    let evidence = Evidence::new(12);
    let mut split_count = 0;
    for zeros in 1..12 {
        for (ones_of_zeros, ones_of_ones) in (0..=zeros).flat_map(|a| (0..=12 - zeros).map(move |b| (a, b))) {
            let group = |x: bool, rows: usize, ones: usize| (0..rows).map(move |at| vec![x, at < ones]);
            let rows: Vec<_> =
                group(false, zeros, ones_of_zeros).chain(group(true, 12 - zeros, ones_of_ones)).collect();
            let gain = log_evidence(zeros, ones_of_zeros) + log_evidence(12 - zeros, ones_of_ones)
                - log_evidence(12, ones_of_zeros + ones_of_ones);
            let bits = bits(&rows);
            let splits = |gamma: f64| {
                let mut grower = Grower::new(&bits, &evidence, 1, bits.every());
                grower.grow(&[0], gamma, 1);
                grower.nodes.len() > 1
            };
            let pure = [0, 12].contains(&(ones_of_zeros + ones_of_ones));
            if pure || gain < 0.0 {
                assert!(!splits(0.0), "{zeros} {ones_of_zeros} {ones_of_ones}: gain {gain}");
            } else {
                let slack = budget::F64_SUM;
                assert!(
                    splits((gain - slack).max(0.0)) && !splits(gain + slack),
                    "{zeros} {ones_of_zeros} {ones_of_ones}: gain {gain}"
                );
                split_count += 1;
            }
        }
    }
    assert!(split_count > 50);
}

/// Draws rows of one-bit columns of which the first depends on the others.
fn effect_before_its_causes(seed: u64) -> Vec<Vec<bool>> {
    let mut random = random(seed);
    let mut draw = || {
        let causes: Vec<bool> = (0..4).map(|_| random.random_bool(0.5)).collect();
        let effect = if causes[0] { causes[1] } else { causes[2] } != random.random_bool(0.05);
        [vec![effect], causes].concat()
    };
    (0..1500).map(|_| draw()).collect()
}

#[test]
fn a_learned_order_is_one_of_all_columns_and_serves_trees_better() {
    for seed in 50..54 {
        let rows = effect_before_its_causes(seed);
        let bits = bits(&rows);
        let order = learn_order(&bits, &[], &[0, 1, 2, 3, 4], 2.5, 100);
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, [0, 1, 2, 3, 4]);
        let ll = |order: &[usize]| {
            let bits = bits.reordered(order);
            let conditionals = fit(&bits, &[], &settings(Family::Tree, 2.5, 0.0), &[1.0], &|| ()).remove(0);
            FloatModel { conditionals, ..FloatModel::default() }.log_likelihood(&bits)
        };
        let (natural, learned, backwards) = (ll(&[0, 1, 2, 3, 4]), ll(&order), ll(&[4, 3, 2, 1, 0]));
        assert!(
            learned >= natural - budget::ORDER && learned >= backwards - budget::ORDER,
            "{order:?}: {learned}, {natural}, {backwards}"
        );
    }
}

#[test]
fn trees_in_the_learned_order_split_on_earlier_columns_only() {
    // Three columns of two bits; the bits of a column stay together.
    for seed in 60..64 {
        let rows = rows(800, &[0.5, 0.3, 0.4, 0.5, 0.2, 0.5], &mut random(seed));
        let bits = bits(&rows);
        let order = learn_order(&bits, &[], &[0, 0, 1, 1, 2, 2], 2.5, 100);
        let bit_order: Vec<usize> = order.iter().flat_map(|&column| [2 * column, 2 * column + 1]).collect();
        let fitted = fit(&bits.reordered(&bit_order), &[], &settings(Family::Tree, 2.5, 0.0), &[1.0], &|| ()).remove(0);
        assert_eq!(fitted.len(), 6);
        for (i, conditional) in fitted.iter().enumerate() {
            assert!(conditional.trees.iter().flat_map(|tree| &tree.splits).all(|split| (split.feature as usize) < i));
        }
        assert_eq!(order, learn_order(&bits, &[], &[0, 0, 1, 1, 2, 2], 2.5, 100));
    }
}

#[test]
fn a_bit_that_never_varies_is_rarer_than_one_in_n_plus_two() {
    let rows = vec![vec![false, true]; 98];
    for family in [Family::Marginal, Family::Tree, Family::Linear, Family::LinearTrees] {
        let fitted = fit_one(&rows, &settings(family, 1.0, 0.3), 5.0);
        for (conditional, p) in fitted.iter().zip([0.01, 0.99]) {
            assert!((sigmoid(conditional.bias) - p).abs() < budget::F64_SUM, "{family:?}");
        }
    }
}

#[test]
fn families_have_the_names_of_the_command_line_in_files_and_keep_their_old_ones() {
    use surprisal_trainer::names::Named;
    for (_, family) in Family::NAMES {
        let json = serde_json::to_string(family).expect("a name");
        assert_eq!(json, format!("\"{}\"", family.name()));
        assert_eq!(serde_json::from_str::<Family>(&json).expect("a family"), *family);
        assert_eq!(Family::named(family.name()).ok(), Some(*family));
    }
    for (old, family) in [("lintree", Family::LinearTrees), ("flagship", Family::LinearTreesHidden)] {
        assert_eq!(serde_json::from_str::<Family>(&format!("\"{old}\"")).expect("a family"), family);
        assert_eq!(Family::named(old).ok(), Some(family));
    }
}
