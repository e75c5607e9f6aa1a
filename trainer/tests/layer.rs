//! Checks how hidden layers are quantised and blended.

#[path = "../../tests/support/budget.rs"]
mod budget;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use surprisal::{Activation, Term};
use surprisal_trainer::bits::{Bits, PerBit};
use surprisal_trainer::blend::weigh;
use surprisal_trainer::fit::layer::{LayerSettings, fit};
use surprisal_trainer::fit::nade::{LayerShape, SparseRows};
use surprisal_trainer::fit::optimizer::Optimizer;
use surprisal_trainer::model::{FloatConditional, FloatModel, HiddenLayer, Tree, TreeSplit, mean_log_likelihood};
use surprisal_trainer::schema::Schema;
use surprisal_trainer::table::hidden::HiddenTable;
use surprisal_trainer::table::{loss::divergence, quantise::quantise};

const N: usize = 12;
const ACTIVATIONS: [Activation; 3] = [Activation::Relu, Activation::Sigmoid, Activation::Identity];

fn random(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

/// Draws a layer whose units differ in the size of their weights.
fn layer(units: usize, activation: Activation, random: &mut ChaCha8Rng) -> HiddenLayer {
    let spreads: Vec<[f32; 2]> =
        (0..units).map(|_| [random.random_range(0.02..3.0), random.random_range(0.02..2.0)]).collect();
    let mut some = |bits: usize, way: usize| -> Vec<f32> {
        (0..bits * units).map(|at| spreads[at % units][way] * random.random_range(-1.0..1.0)).collect()
    };
    HiddenLayer { activation, biases: some(1, 0), inputs: some(N, 0), outputs: some(N, 1) }
}

/// Draws a model with every term except a mixture.
fn model(seed: u64, activation: Option<Activation>) -> FloatModel {
    let mut random = random(seed);
    let conditional = |i: u32, random: &mut ChaCha8Rng| FloatConditional {
        bias: random.random_range(-2.0..2.0),
        weights: (0..i)
            .filter(|j| (i + j + seed as u32).is_multiple_of(3))
            .map(|j| (j, random.random_range(-2.0..2.0)))
            .collect(),
        trees: (0..i.min(2))
            .map(|feature| Tree {
                splits: vec![TreeSplit { feature, left: 0 }],
                leaves: vec![random.random_range(-1.0..1.0), random.random_range(-1.0..1.0)],
            })
            .collect(),
    };
    FloatModel {
        conditionals: (0..N as u32).map(|i| conditional(i, &mut random)).collect(),
        hidden: activation.map(|activation| layer(3 + seed as usize % 3, activation, &mut random)),
        ..FloatModel::default()
    }
}

/// Returns the quantisation step of a unit's inputs: 127 steps hold the largest weight, and 16 bits every sum.
fn step(layer: &HiddenLayer, table: &HiddenTable, unit: usize) -> f64 {
    if layer.activation == Activation::Sigmoid {
        return f64::from(table.gains[unit]) / 65536.0;
    }
    let inputs = || (0..N).map(|i| f64::from(layer.rows(i).0[unit]));
    let widest: f64 = inputs().map(f64::abs).sum::<f64>() + f64::from(layer.biases[unit].abs());
    (inputs().map(f64::abs).fold(0.0, f64::max) / 127.0).max(widest / 32000.0)
}

#[test]
fn integer_logits_stay_within_the_rounding_of_their_weights() {
    for (activation, seed) in ACTIVATIONS.into_iter().flat_map(|activation| (0..6).map(move |seed| (activation, seed)))
    {
        let mut random = random(seed);
        let layer = layer(1 + seed as usize * 3, activation, &mut random);
        let table = HiddenTable::new(&layer);
        let part = table.view::<16>().expect("the layer is valid");
        for _ in 0..50 {
            let row: [bool; N] = std::array::from_fn(|_| random.random_bool(0.4));
            let mut state = Term::<N>::start(&part);
            for i in 0..N {
                let (mut expected, mut slack) = (0.0, 1.0 / 65536.0 + budget::F32_LOGIT);
                let scale = f64::from(table.scales[i]) / 65536.0 / f64::from(1u32 << table.shift);
                for unit in 0..layer.units() {
                    let ones = (0..i).filter(|&j| row[j]);
                    let inputs: Vec<f64> = ones.map(|j| f64::from(layer.rows(j).0[unit])).collect();
                    let (sum, step) =
                        (f64::from(layer.biases[unit]) + inputs.iter().sum::<f64>(), step(&layer, &table, unit));
                    let of_sum = 0.5 * step * (inputs.len() + 1) as f64;
                    let (unit_is, off, unit_value) = match activation {
                        // A quarter of the sum's error and of half a step of the link, and the roundings of a mass.
                        Activation::Sigmoid => {
                            (1.0 / (1.0 + (-sum).exp()), 0.25 * (of_sum + 1.0 / 64.0) + 2.0 / 32768.0, 1.0 / 32768.0)
                        }
                        Activation::Relu => (sum.max(0.0), of_sum, step),
                        _ => (sum, of_sum, step),
                    };
                    let v = f64::from(layer.rows(i).1[unit]);
                    expected += v * unit_is;
                    slack += v.abs() * off + 0.5 * scale * (unit_is.abs() + off) / unit_value;
                }
                let found = f64::from(part.logit(&mut state, &row, i).raw()) / 65536.0;
                assert!(
                    (found - expected).abs() < slack,
                    "{activation:?} {seed}, bit {i}: {found}, not {expected} ± {slack}"
                );
                if row[i] {
                    Term::<N>::observe(&part, &mut state, i);
                }
            }
        }
    }
}

#[test]
fn a_rounded_layer_stays_as_it_is() {
    let near = |a: f32, b: f32| (a - b).abs() <= budget::F32_LOGIT as f32 * (1e-3 + b.abs());
    for (activation, seed) in ACTIVATIONS.into_iter().flat_map(|activation| (0..40).map(move |seed| (activation, seed)))
    {
        let layer = layer(8, activation, &mut random(100 + seed));
        let rounded = HiddenTable::rounded(&layer);
        assert_ne!(rounded.inputs, layer.inputs);
        let again = HiddenTable::rounded(&rounded);
        let pairs = |a: &HiddenLayer, b: &HiddenLayer| -> Vec<(f32, f32)> {
            a.inputs.iter().chain(&a.biases).copied().zip(b.inputs.iter().chain(&b.biases).copied()).collect()
        };
        assert!(pairs(&again, &rounded).iter().all(|&(a, b)| near(a, b)), "{activation:?} {seed}: rounded twice");
        assert_eq!(rounded.outputs, layer.outputs);
        // The quantised inputs are those of the rounded layer.
        let table = HiddenTable::new(&rounded);
        for unit in 0..8 {
            let step = step(&rounded, &table, unit) as f32;
            for i in 0..N {
                let (found, expected) = (f32::from(table.inputs[i * 8 + unit]) * step, rounded.rows(i).0[unit]);
                assert!(near(found, expected), "{activation:?} {seed}, unit {unit}, bit {i}: {found}, not {expected}");
            }
            assert!(
                near(f32::from(table.biases[unit]) * step, rounded.biases[unit]),
                "{activation:?} {seed}, unit {unit}"
            );
        }
    }
}

#[test]
fn a_fitted_layer_costs_little_in_integers() {
    for (activation, seed) in [(Activation::Relu, 1), (Activation::Sigmoid, 2), (Activation::Identity, 3)] {
        let truth = model(seed, Some(activation));
        let [train, valid] = [2000, 500].map(|rows| truth.sample(rows, &mut random(rows as u64)));
        let [train_rows, valid_rows] = [&train, &valid].map(|bits| SparseRows::new(bits, &[], None));
        let recipe = LayerSettings {
            shape: LayerShape { units: 8, activation, dropout: 0.0, input_dropout: 0.0 },
            optimizer: Optimizer { rate: Some(0.02), epochs: 20, ..Optimizer::default() },
        };
        let (fitted, valid_ll) = fit(&train_rows, &valid_rows, &[], &recipe, |_, _| true);
        assert!((fitted.log_likelihood(&valid) - valid_ll).abs() < budget::F32_LIKELIHOOD);
        let bytes = quantise(&Schema::default(), &fitted).expect("it is small").bytes().expect("it is valid");
        let word = |bytes: &[u8; 4]| u32::from_le_bytes(*bytes);
        let words: Vec<u32> = bytes.as_chunks::<4>().0.iter().map(word).collect();
        let kl = divergence(&fitted, bytemuck::cast_slice(&words), 1000, 7).expect("it is a table");
        assert!((1e-9..budget::KL_A_BIT * N as f64).contains(&kl), "{activation:?}: {kl}");
    }
}

#[test]
fn the_logits_of_a_blend_are_the_weighted_sum_of_its_terms() {
    for activation in ACTIVATIONS {
        let (a, b, plain) = (model(20, Some(activation)), model(21, Some(activation)), model(22, None));
        let bits = a.sample(100, &mut random(23));
        let blend = FloatModel::blend(&[(&a, 0.5), (&plain, 0.25), (&b, -1.5)]).expect("one activation");
        assert_eq!(blend.hidden.as_ref().map(HiddenLayer::units), Some(5 + 3), "units stand side by side");
        for (i, conditional) in blend.conditionals.iter().enumerate() {
            assert!(conditional.weights.is_sorted_by(|a, b| a.0 < b.0), "bit {i}: every earlier bit is weighed once");
            assert_eq!(conditional.trees.len(), 3 * i.min(2));
        }
        let [of_a, of_plain, of_b, found] = [&a, &plain, &b, &blend].map(|model| model.logits(&bits));
        for (i, row) in (0..N).flat_map(|i| (0..100).map(move |row| (i, row))) {
            let expected = 0.5 * of_a[i][row] + 0.25 * of_plain[i][row] - 1.5 * of_b[i][row];
            assert!((found[i][row] - expected).abs() < budget::F32_LOGIT, "{activation:?}, bit {i}, row {row}");
        }
    }
    let [relu, sigmoid] = [Activation::Relu, Activation::Sigmoid].map(|activation| model(20, Some(activation)));
    assert!(FloatModel::blend(&[(&relu, 0.5), (&sigmoid, 0.5)]).is_none());
    assert!(FloatModel::blend(&[]).is_none());
}

/// Returns the weighted sum of logits.
fn weighted(each: &[&PerBit], weights: &[f64]) -> PerBit {
    let logit = |i: usize, row: usize| each.iter().zip(weights).map(|(logits, weight)| weight * logits[i][row]).sum();
    (0..N).map(|i| (0..each[0][i].len()).map(|row| logit(i, row)).collect()).collect()
}

#[test]
fn weights_of_logits_end_at_the_optimum_or_stay_equal() {
    for seed in 30..34 {
        let truth = model(seed, None);
        let bits: Bits = truth.sample(1500, &mut random(seed));
        let noise: PerBit = model(seed + 50, None).logits(&bits);
        let half: PerBit =
            truth.logits(&bits).into_iter().map(|bit| bit.into_iter().map(|logit| 0.5 * logit).collect()).collect();
        let each = [&half, &noise];
        let every: Vec<u32> = (0..1500).collect();
        let rows: [(usize, &[u32]); N] = std::array::from_fn(|i| (i, &every[..]));
        let weights = weigh(&each, &bits, &rows, &[0.5; 2], 1.0);
        // The truth is twice the half, and the noise has no weight.
        assert!((weights[0] - 2.0).abs() < 0.3 && weights[1].abs() < 0.1, "seed {seed}: {weights:?}");
        let objective = |weights: &[f64]| {
            let ridge: f64 = weights.iter().map(|weight| 0.5 * (weight - 0.5) * (weight - 0.5)).sum();
            mean_log_likelihood(&weighted(&each, weights), &bits, &[]) - ridge / 1500.0
        };
        for k in 0..2 {
            let shifted = |step: f64| {
                let mut weights = weights.clone();
                weights[k] += step;
                objective(&weights)
            };
            let gradient = (shifted(1e-4) - shifted(-1e-4)) / 2e-4;
            assert!(gradient.abs() < budget::NEWTON_GRADIENT, "seed {seed}: {gradient} a row");
        }
        for weight in weigh(&each, &bits, &rows, &[0.5; 2], 1e12) {
            assert!((weight - 0.5).abs() < budget::F64_SUM * 1e3, "seed {seed}: {weight}");
        }
    }
}
