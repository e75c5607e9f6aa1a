//! The likelihood of a hidden layer and its gradient by definition, and what a climb promises.

#[path = "../../tests/support/budget.rs"]
mod budget;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use surprisal::{Activation, Guard};
use surprisal_trainer::bits::Bits;
use surprisal_trainer::fit::ascent::{Ascent, Method, Objective, Summit, climb};
use surprisal_trainer::fit::nade::{Nade, Rows, Shape};
use surprisal_trainer::model::{Conditional, Hidden, Model, PerBit};

const ACTIVATIONS: [Activation; 3] = [Activation::Relu, Activation::Sigmoid, Activation::Identity];

fn random(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

fn shape(units: usize, activation: Activation) -> Shape {
    Shape { units, activation, dropout: 0.0, input_dropout: 0.0 }
}

/// Rows of which each bit hangs on the two before it.
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

/// Guards that force bit 2 after a one at 0, and bit 4 after a zero at 1, and rows that obey them.
fn guarded(bits: &Bits) -> (Bits, Vec<u16>) {
    let mut guards = vec![Guard::FREE; bits.width()];
    (guards[2], guards[4]) = (Guard::new(0, true, true), Guard::new(1, false, false));
    let mut obeying = Bits::new(bits.width());
    for at in 0..bits.rows {
        let mut row = vec![false; bits.width()];
        bits.row(at, &mut row);
        guards.iter().enumerate().for_each(|(i, guard)| row[i] = guard.forces(&row).unwrap_or(row[i]));
        obeying.push(&row);
    }
    (obeying, guards.into_iter().map(Guard::raw).collect())
}

/// A layer and biases with every parameter within one.
fn layer(width: usize, units: usize, activation: Activation, random: &mut ChaCha8Rng) -> (Hidden, Vec<f32>) {
    let mut some = |count: usize| -> Vec<f32> { (0..count).map(|_| random.random_range(-1.0..1.0)).collect() };
    let hidden = Hidden { activation, biases: some(units), inputs: some(width * units), outputs: some(width * units) };
    (hidden, some(width))
}

/// Σ ln p(row) by definition; the parameters are v, w, c and b, none rounded up.
fn likelihood(
    theta: &[f64],
    units: usize,
    activation: Activation,
    bits: &Bits,
    guards: &[u16],
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
            if guards.get(i).is_some_and(|&guard| Guard::from_raw(guard).forces(&row).is_some()) {
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

fn flat((layer, of_bits): (Hidden, Vec<f32>)) -> Vec<f64> {
    let all = [layer.outputs, layer.inputs, layer.biases, of_bits].concat();
    all.into_iter().map(f64::from).collect()
}

#[test]
fn gradients_are_what_differences_say() {
    let bits = rows(37, 7, 1);
    let offset: PerBit =
        (0..7).map(|i| (0..37).map(|row| 0.3 * f64::from((row * (i + 2)) % 5) - 0.6).collect()).collect();
    for (activation, units, forced, with_offset) in ACTIVATIONS.into_iter().flat_map(|activation| {
        [(activation, 5, false, false), (activation, 17, true, false), (activation, 3, true, true)]
    }) {
        let (bits, guards) = if forced { guarded(&bits) } else { (bits.clone(), Vec::new()) };
        let offset = if with_offset { offset.clone() } else { Vec::new() };
        let rows = Rows::new(&bits, &guards, Some(&offset).filter(|_| with_offset));
        let nade = Nade::new(shape(units, activation), &rows, &rows);
        let (hidden, of_bits) = layer(7, units, activation, &mut random(2));
        let theta = nade.theta(&hidden, &of_bits);
        let mut gradient = vec![0.0; nade.parameters()];
        let each: Vec<u32> = (0..37).collect();
        let found = nade.gradient(&theta, &each, &mut random(3), &mut gradient);
        let (of_layer, of_biases) = nade.layer(&gradient);
        assert_eq!(nade.theta(&of_layer, &of_biases), gradient, "nothing pulls at what only rounds up the vectors");

        let (point, case) = (flat((hidden, of_bits)), format!("{activation:?}, {units}, {forced}, {with_offset}"));
        let at = |point: &[f64]| likelihood(point, units, activation, &bits, &guards, &offset);
        assert!((found - at(&point)).abs() < 37.0 * budget::F32_LIKELIHOOD, "{case}: {found} is not {}", at(&point));
        for (k, found) in flat((of_layer, of_biases)).into_iter().enumerate() {
            let beside = |step: f64| {
                let mut point = point.clone();
                point[k] += step;
                at(&point)
            };
            let expected = (beside(1e-5) - beside(-1e-5)) / 2e-5;
            let slack = budget::F32_GRADIENT * (1.0 + expected.abs());
            assert!((found - expected).abs() < slack, "{case}: parameter {k}: {found}, not {expected}");
        }
    }
}

#[test]
fn the_objective_and_the_model_agree_on_the_likelihood_whatever_the_number_of_units() {
    let (bits, guards) = guarded(&rows(150, 9, 4));
    for (activation, units) in ACTIVATIONS.into_iter().flat_map(|a| [1, 5, 16, 17, 40].map(|units| (a, units))) {
        let beside = Model {
            conditionals: (0..9)
                .map(|i| Conditional { bias: 0.2 * f64::from(i) - 0.8, ..Conditional::default() })
                .collect(),
            guards: guards.clone(),
            ..Model::default()
        };
        let rows = Rows::new(&bits, &guards, Some(&beside.logits(&bits)));
        let nade = Nade::new(shape(units, activation), &rows, &rows);
        let (hidden, of_bits) = layer(9, units, activation, &mut random(5));
        let theta = nade.theta(&hidden, &of_bits);
        assert_eq!(nade.layer(&theta), (hidden.clone(), of_bits.clone()));
        let mut model = Model { hidden: Some(hidden), ..beside };
        model.conditionals.iter_mut().zip(of_bits).for_each(|(conditional, bias)| conditional.bias += f64::from(bias));
        let (found, expected) = (nade.validate(&theta), model.log_likelihood(&bits));
        assert!((found - expected).abs() < budget::F32_LIKELIHOOD, "{activation:?}, {units}: {found}, not {expected}");
    }
}

#[test]
fn dropout_leaves_the_expected_activation_as_it_was() {
    let mut bits = Bits::new(3);
    (0..4096).for_each(|_| bits.push(&[true, false, true]));
    let rows = Rows::new(&bits, &[], None);
    let each: Vec<u32> = (0..4096).collect();
    for activation in ACTIVATIONS {
        // As nothing comes out of the units, residuals are the same whatever is dropped.
        let (mut hidden, of_bits) = layer(3, 5, activation, &mut random(6));
        hidden.outputs.fill(0.0);
        hidden.biases.iter_mut().for_each(|bias| *bias += 2.0);
        let pull = |dropout: f32| {
            let nade = Nade::new(Shape { dropout, ..shape(5, activation) }, &rows, &rows);
            let mut gradient = vec![0.0; nade.parameters()];
            nade.gradient(&nade.theta(&hidden, &of_bits), &each, &mut random(7), &mut gradient);
            nade.layer(&gradient).0.outputs
        };
        let (whole, dropped) = (pull(0.0), pull(0.3));
        for (whole, dropped) in whole.into_iter().zip(dropped) {
            let share = f64::from(dropped / whole);
            assert!((share - 1.0).abs() < budget::STANDARD_ERRORS * (0.3f64 / 0.7 / 4096.0).sqrt(), "{share}");
            assert!(share != 1.0, "some units are dropped");
        }
    }
}

/// A short climb of a layer, on rows that are many enough for threads to share.
fn climbed(settings: &Ascent) -> Summit {
    let (train, valid) = (rows(600, 60, 8), rows(200, 60, 9));
    let [train, valid] = [&train, &valid].map(|bits| Rows::new(bits, &[], None));
    let nade = Nade::new(Shape { dropout: 0.2, input_dropout: 0.1, ..shape(70, Activation::Relu) }, &train, &valid);
    climb(&nade, nade.start(&mut random(10)), settings, |_, _| true)
}

#[test]
fn the_seed_decides_every_bit_and_the_threads_none() {
    let settings = Ascent { rate: Some(0.01), batch: 256, epochs: 3, ..Ascent::default() };
    let run = |threads: usize, seed: u64| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads start");
        let summit = pool.install(|| climbed(&Ascent { seed, ..settings }));
        summit.theta.iter().map(|parameter| parameter.to_bits()).collect::<Vec<_>>()
    };
    let one = run(1, 0);
    assert!(one == run(1, 0) && one == run(3, 0));
    assert!(one != run(3, 1));
}

#[test]
fn a_climb_raises_the_training_likelihood_and_so_does_one_at_the_rate_of_the_range_test() {
    let train = Rows::new(&rows(800, 10, 11), &[], None);
    let nade = Nade::new(shape(8, Activation::Relu), &train, &train);
    let start = nade.start(&mut random(12));
    let before = nade.validate(&start);
    for (method, rate) in
        [(Method::Adam, Some(0.01)), (Method::Adam, None), (Method::Momentum, None), (Method::Sgd, None)]
    {
        let summit =
            climb(&nade, start.clone(), &Ascent { method, rate, epochs: 15, ..Ascent::default() }, |_, _| true);
        assert!(summit.rate.is_finite() && summit.rate > 0.0, "{method:?}: {}", summit.rate);
        assert!(rate.is_none_or(|rate| rate == summit.rate));
        assert!(summit.valid_ll > before + 0.3, "{method:?}, {rate:?}: {before} to {}", summit.valid_ll);
    }
}

#[test]
fn what_early_stopping_returns_is_the_best_epoch() {
    let [train, valid] = [rows(60, 12, 13), rows(300, 12, 14)].map(|bits| Rows::new(&bits, &[], None));
    let nade = Nade::new(shape(32, Activation::Relu), &train, &valid);
    let mut heard = Vec::new();
    let settings = Ascent { rate: Some(0.03), batch: 16, epochs: 500, patience: 6, ..Ascent::default() };
    let summit = climb(&nade, nade.start(&mut random(15)), &settings, |epoch, valid_ll| {
        heard.push(valid_ll);
        assert_eq!(epoch, heard.len());
        true
    });
    let best_at = heard.iter().position(|&ll| ll == summit.valid_ll).expect("the best was heard of") + 1;
    assert_eq!((summit.epochs, heard.len()), (best_at + 6, best_at + 6), "sixty rows are soon learned by heart");
    assert!(summit.valid_ll == nade.validate(&summit.theta));
    assert!(heard.is_sorted());
    // Whoever listens may end it.
    let summit = climb(&nade, summit.theta, &settings, |epoch, _| epoch < 2);
    assert_eq!(summit.epochs, 2);
}
