//! Checks the gradient against finite differences of a naive likelihood, and each vector width against the others.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use surprisal::Activation;

use super::{LayerShape, NadeObjective, SparseRows};
use crate::bits::Bits;
use crate::fit::optimizer::Objective;

const ROWS: usize = 21;
const CASES: [(usize, usize, Activation); 5] = [
    (10, 16, Activation::Relu),
    (40, 64, Activation::Relu),
    (70, 100, Activation::Relu),
    (90, 128, Activation::Sigmoid),
    (30, 256, Activation::Identity),
];

fn rows(width: usize, random: &mut ChaCha8Rng) -> SparseRows {
    let mut bits = Bits::new(width);
    for _ in 0..ROWS {
        let row: Vec<bool> = (0..width).map(|_| random.random::<f32>() < 0.3).collect();
        bits.push(&row);
    }
    SparseRows::new(&bits, &[], None)
}

/// Returns Σ ln p over all rows and bits in nats, computed naively from the definition.
fn likelihood(nade: &NadeObjective, theta: &[f32]) -> f64 {
    let (layer, bit_biases) = nade.layer(theta);
    let units = layer.biases.len();
    let output = |a: f64| match layer.activation {
        Activation::Relu => a.max(0.0),
        Activation::Sigmoid => 1.0 / (1.0 + (-a).exp()),
        _ => a,
    };
    let row_likelihood = |row| {
        let mut sums: Vec<f64> = layer.biases.iter().map(|&c| f64::from(c)).collect();
        let mut total = 0.0;
        for (i, &bias) in bit_biases.iter().enumerate() {
            let each = sums.iter().zip(&layer.outputs[i * units..]).map(|(&a, &v)| output(a) * f64::from(v));
            let logit = f64::from(bias) + each.sum::<f64>();
            let one = nade.train.ones(row).contains(&(i as u16));
            total -= if one { -logit } else { logit }.exp().ln_1p();
            if one {
                sums.iter_mut().zip(&layer.inputs[i * units..]).for_each(|(a, &w)| *a += f64::from(w));
            }
        }
        total
    };
    (0..ROWS).map(row_likelihood).sum()
}

#[test]
fn the_gradient_is_that_of_the_likelihood() {
    const STEP: f32 = 1e-5;
    for (width, units, activation) in CASES {
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let rows = rows(width, &mut random);
        let nade = NadeObjective::new(LayerShape { units, activation, dropout: 0.0, input_dropout: 0.0 }, &rows, &rows);
        let mut theta = nade.start(&mut random);
        let (padded, matrix) = (nade.padded, width * nade.padded);
        // Keeps the sums away from zero, where the slope of a rectifier jumps.
        (0..units).for_each(|unit| theta[2 * matrix + unit] = if unit % 2 == 0 { 0.02 } else { -0.02 });
        let each: Vec<u32> = (0..ROWS as u32).collect();
        let mut gradient = vec![0.0; theta.len()];
        let total = nade.gradient(&theta, &each, &mut random, &mut gradient);
        assert!((total - likelihood(&nade, &theta)).abs() < 1e-3, "{width} bits, {units} units: {total}");
        assert!((total - nade.validate(&theta) * ROWS as f64).abs() < 1e-6);
        let places = [0, matrix / 2 + 1, matrix - padded + 3, matrix + 2, 2 * matrix - 3 * padded, 2 * matrix + 5];
        for at in places.into_iter().chain([theta.len() - width, theta.len() - 1]) {
            let moved = |by: f32| {
                let mut theta = theta.clone();
                theta[at] += by;
                (likelihood(&nade, &theta), f64::from(theta[at]))
            };
            let (up, down) = (moved(STEP), moved(-STEP));
            let slope = (up.0 - down.0) / (up.1 - down.1);
            let found = f64::from(gradient[at]);
            assert!((found - slope).abs() < 2e-3 * (1.0 + slope.abs()), "{width}, {units}, {at}: {found}, not {slope}");
        }
    }
}

#[test]
fn the_width_of_vectors_changes_nothing() {
    for (width, units, activation) in CASES {
        let gradient_on = |arch: Option<pulp::Arch>| {
            let mut random = ChaCha8Rng::seed_from_u64(1);
            let rows = rows(width, &mut random);
            let mut nade =
                NadeObjective::new(LayerShape { units, activation, dropout: 0.25, input_dropout: 0.1 }, &rows, &rows);
            nade.arch = arch.unwrap_or(nade.arch);
            let theta = nade.start(&mut random);
            let each: Vec<u32> = (0..ROWS as u32).collect();
            let mut gradient = vec![0.0; theta.len()];
            let total = nade.gradient(&theta, &each, &mut random, &mut gradient);
            (total.to_bits(), gradient.into_iter().map(f32::to_bits).collect::<Vec<_>>())
        };
        let widest = gradient_on(None);
        assert!(widest == gradient_on(Some(pulp::Arch::Scalar)), "scalar, {units} units");
        #[cfg(target_arch = "x86_64")]
        if let Some(eight) = pulp::x86::V3::try_new() {
            assert!(widest == gradient_on(Some(pulp::Arch::V3(eight))), "AVX2, {units} units");
        }
    }
}
