//! Checks the likelihood of a hidden layer and its gradient against their definitions, and the contract of the
//! optimizer.

#[path = "../../tests/support/budget.rs"]
mod budget;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use surprisal::{Activation, Constraint};
use surprisal_trainer::bits::{Bits, PerBit};
use surprisal_trainer::fit::nade::{LayerShape, NadeObjective, SparseRows};
use surprisal_trainer::fit::optimizer::{Best, Method, Objective, Optimizer, optimize};
use surprisal_trainer::model::{FloatConditional, FloatModel, HiddenLayer};

const ACTIVATIONS: [Activation; 3] = [Activation::Relu, Activation::Sigmoid, Activation::Identity];

fn random(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

fn shape(units: usize, activation: Activation) -> LayerShape {
    LayerShape { units, activation, dropout: 0.0, input_dropout: 0.0 }
}

/// Draws rows in which each bit depends on the two before it.
fn rows(count: usize, width: usize, seed: u64) -> Bits {
    let (mut random, mut bits) = (random(seed), Bits::new(width));
    for _ in 0..count {
        let mut row = vec![false; width];
        for i in 0..width {
            let before = |k: usize| i >= k && row[i - k];
            row[i] = random.random_bool(if before(1) != before(2) { 0.8 } else { 0.25 });
        }
        bits.push(&row);
    }
    bits
}

/// Constraints that imply bit 2 after a one at 0 and bit 4 after a zero at 1, and rows that satisfy them.
fn constrained(bits: &Bits) -> (Bits, Vec<u16>) {
    let mut constraints = vec![Constraint::FREE; bits.width()];
    (constraints[2], constraints[4]) = (Constraint::implied(0, true, true), Constraint::implied(1, false, false));
    let mut obeying = Bits::new(bits.width());
    for at in 0..bits.rows {
        let mut row = vec![false; bits.width()];
        bits.row(at, &mut row);
        constraints
            .iter()
            .enumerate()
            .for_each(|(i, constraint)| row[i] = constraint.implied_value(&row).unwrap_or(row[i]));
        obeying.push(&row);
    }
    (obeying, constraints.into_iter().map(Constraint::raw).collect())
}

/// Draws a layer and biases with all parameters in ±1.
fn layer(width: usize, units: usize, activation: Activation, random: &mut ChaCha8Rng) -> (HiddenLayer, Vec<f32>) {
    let mut some = |count: usize| -> Vec<f32> { (0..count).map(|_| random.random_range(-1.0..1.0)).collect() };
    let hidden =
        HiddenLayer { activation, biases: some(units), inputs: some(width * units), outputs: some(width * units) };
    (hidden, some(width))
}

/// Returns Σ ln p(row) by definition; the parameters are v, w, c and b without padding.
fn likelihood(
    theta: &[f64],
    units: usize,
    activation: Activation,
    bits: &Bits,
    constraints: &[u16],
    offset: &PerBit,
) -> f64 {
    let n = bits.width();
    let (v, rest) = theta.split_at(n * units);
    let (w, rest) = rest.split_at(n * units);
    let (c, b) = rest.split_at(units);
    let mut total = 0.0;
    for at in 0..bits.rows {
        let mut row = vec![false; n];
        bits.row(at, &mut row);
        for i in 0..n {
            if constraints
                .get(i)
                .is_some_and(|&constraint| Constraint::from_raw(constraint).implied_value(&row).is_some())
            {
                continue;
            }
            let mut logit = b[i] + offset.get(i).map_or(0.0, |offset| offset[at]);
            for u in 0..units {
                let sum = c[u] + (0..i).filter(|&j| row[j]).map(|j| w[j * units + u]).sum::<f64>();
                logit += v[i * units + u]
                    * match activation {
                        Activation::Relu => sum.max(0.0),
                        Activation::Sigmoid => 1.0 / (1.0 + (-sum).exp()),
                        _ => sum,
                    };
            }
            total -= (1.0 + if row[i] { -logit } else { logit }.exp()).ln();
        }
    }
    total
}

fn flat((layer, bit_biases): (HiddenLayer, Vec<f32>)) -> Vec<f64> {
    let all = [layer.outputs, layer.inputs, layer.biases, bit_biases].concat();
    all.into_iter().map(f64::from).collect()
}

#[test]
fn gradients_equal_finite_differences() {
    let bits = rows(37, 7, 1);
    let offset: PerBit =
        (0..7).map(|i| (0..37).map(|row| 0.3 * f64::from((row * (i + 2)) % 5) - 0.6).collect()).collect();
    for (activation, units, implied, with_offset) in ACTIVATIONS.into_iter().flat_map(|activation| {
        [(activation, 5, false, false), (activation, 17, true, false), (activation, 3, true, true)]
    }) {
        let (bits, constraints) = if implied { constrained(&bits) } else { (bits.clone(), Vec::new()) };
        let offset = if with_offset { offset.clone() } else { Vec::new() };
        let rows = SparseRows::new(&bits, &constraints, Some(&offset).filter(|_| with_offset));
        let nade = NadeObjective::new(shape(units, activation), &rows, &rows);
        let (hidden, bit_biases) = layer(7, units, activation, &mut random(2));
        let theta = nade.theta(&hidden, &bit_biases);
        let mut gradient = vec![0.0; nade.parameters()];
        let each: Vec<u32> = (0..37).collect();
        let found = nade.gradient(&theta, &each, &mut random(3), &mut gradient);
        let (of_layer, of_biases) = nade.layer(&gradient);
        assert_eq!(nade.theta(&of_layer, &of_biases), gradient, "the padding has no gradient");

        let (point, case) = (flat((hidden, bit_biases)), format!("{activation:?}, {units}, {implied}, {with_offset}"));
        let at = |point: &[f64]| likelihood(point, units, activation, &bits, &constraints, &offset);
        assert!((found - at(&point)).abs() < 37.0 * budget::F32_LIKELIHOOD, "{case}: {found} is not {}", at(&point));
        for (k, found) in flat((of_layer, of_biases)).into_iter().enumerate() {
            let shifted = |step: f64| {
                let mut point = point.clone();
                point[k] += step;
                at(&point)
            };
            let expected = (shifted(1e-5) - shifted(-1e-5)) / 2e-5;
            let slack = budget::F32_GRADIENT * (1.0 + expected.abs());
            assert!((found - expected).abs() < slack, "{case}: parameter {k}: {found}, not {expected}");
        }
    }
}

#[test]
fn the_objective_and_the_model_agree_on_the_likelihood_whatever_the_number_of_units() {
    let (bits, constraints) = constrained(&rows(150, 9, 4));
    for (activation, units) in ACTIVATIONS.into_iter().flat_map(|a| [1, 5, 16, 17, 40].map(|units| (a, units))) {
        let base = FloatModel {
            conditionals: (0..9)
                .map(|i| FloatConditional { bias: 0.2 * f64::from(i) - 0.8, ..FloatConditional::default() })
                .collect(),
            constraints: constraints.clone(),
            ..FloatModel::default()
        };
        let rows = SparseRows::new(&bits, &constraints, Some(&base.logits(&bits)));
        let nade = NadeObjective::new(shape(units, activation), &rows, &rows);
        let (hidden, bit_biases) = layer(9, units, activation, &mut random(5));
        let theta = nade.theta(&hidden, &bit_biases);
        assert_eq!(nade.layer(&theta), (hidden.clone(), bit_biases.clone()));
        let mut model = FloatModel { hidden: Some(hidden), ..base };
        model
            .conditionals
            .iter_mut()
            .zip(bit_biases)
            .for_each(|(conditional, bias)| conditional.bias += f64::from(bias));
        let (found, expected) = (nade.validate(&theta), model.log_likelihood(&bits));
        assert!((found - expected).abs() < budget::F32_LIKELIHOOD, "{activation:?}, {units}: {found}, not {expected}");
    }
}

#[test]
fn dropout_leaves_the_expected_activation_as_it_was() {
    let mut bits = Bits::new(3);
    (0..4096).for_each(|_| bits.push(&[true, false, true]));
    let rows = SparseRows::new(&bits, &[], None);
    let each: Vec<u32> = (0..4096).collect();
    for activation in ACTIVATIONS {
        // With output weights of zero, the residuals do not depend on the dropout.
        let (mut hidden, bit_biases) = layer(3, 5, activation, &mut random(6));
        hidden.outputs.fill(0.0);
        hidden.biases.iter_mut().for_each(|bias| *bias += 2.0);
        let gradient = |dropout: f32| {
            let nade = NadeObjective::new(LayerShape { dropout, ..shape(5, activation) }, &rows, &rows);
            let mut sum = vec![0.0; nade.parameters()];
            nade.gradient(&nade.theta(&hidden, &bit_biases), &each, &mut random(7), &mut sum);
            nade.layer(&sum).0.outputs
        };
        let (whole, dropped) = (gradient(0.0), gradient(0.3));
        for (whole, dropped) in whole.into_iter().zip(dropped) {
            let share = f64::from(dropped / whole);
            assert!((share - 1.0).abs() < budget::STANDARD_ERRORS * (0.3f64 / 0.7 / 4096.0).sqrt(), "{share}");
            assert!(share != 1.0, "some units are dropped");
        }
    }
}

/// Fits a layer for a few epochs, on enough rows for several threads.
fn optimized(settings: &Optimizer) -> Best {
    let (train, valid) = (rows(600, 60, 8), rows(200, 60, 9));
    let [train, valid] = [&train, &valid].map(|bits| SparseRows::new(bits, &[], None));
    let nade = NadeObjective::new(
        LayerShape { dropout: 0.2, input_dropout: 0.1, ..shape(70, Activation::Relu) },
        &train,
        &valid,
    );
    optimize(&nade, nade.start(&mut random(10)), settings, |_, _| true)
}

#[test]
fn the_seed_decides_every_bit_and_the_threads_none() {
    let settings = Optimizer { rate: Some(0.01), batch: 256, epochs: 3, ..Optimizer::default() };
    let run = |threads: usize, seed: u64| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads start");
        let best = pool.install(|| optimized(&Optimizer { seed, ..settings }));
        best.theta.iter().map(|parameter| parameter.to_bits()).collect::<Vec<_>>()
    };
    let one = run(1, 0);
    assert!(one == run(1, 0) && one == run(3, 0));
    assert!(one != run(3, 1));
}

#[test]
fn every_method_raises_the_training_likelihood_at_a_fixed_rate_and_at_that_of_the_range_test() {
    let train = SparseRows::new(&rows(800, 10, 11), &[], None);
    let nade = NadeObjective::new(shape(8, Activation::Relu), &train, &train);
    let start = nade.start(&mut random(12));
    let before = nade.validate(&start);
    for (method, rate) in
        [(Method::Adam, Some(0.01)), (Method::Adam, None), (Method::Momentum, None), (Method::Sgd, None)]
    {
        let best =
            optimize(&nade, start.clone(), &Optimizer { method, rate, epochs: 15, ..Optimizer::default() }, |_, _| {
                true
            });
        assert!(best.rate.is_finite() && best.rate > 0.0, "{method:?}: {}", best.rate);
        assert!(rate.is_none_or(|rate| rate == best.rate));
        assert!(best.valid_ll > before + 0.3, "{method:?}, {rate:?}: {before} to {}", best.valid_ll);
    }
}

#[test]
fn early_stopping_returns_the_best_epoch() {
    let [train, valid] = [rows(60, 12, 13), rows(300, 12, 14)].map(|bits| SparseRows::new(&bits, &[], None));
    let nade = NadeObjective::new(shape(32, Activation::Relu), &train, &valid);
    let mut reports = Vec::new();
    let settings = Optimizer { rate: Some(0.03), batch: 16, epochs: 500, patience: 6, ..Optimizer::default() };
    let best = optimize(&nade, nade.start(&mut random(15)), &settings, |epoch, valid_ll| {
        reports.push(valid_ll);
        assert_eq!(epoch, reports.len());
        true
    });
    let best_at = reports.iter().position(|&ll| ll == best.valid_ll).expect("the best was reported") + 1;
    assert_eq!((best.epochs, reports.len()), (best_at + 6, best_at + 6), "sixty rows are soon overfitted");
    assert!(best.valid_ll == nade.validate(&best.theta));
    assert!(reports.is_sorted());
    // The callback can stop the optimizer.
    let best = optimize(&nade, best.theta, &settings, |epoch, _| epoch < 2);
    assert_eq!(best.epochs, 2);
}
