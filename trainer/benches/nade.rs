//! Utilisation of the processor's multiply-adds by the fit of a hidden layer.
//!
//! ```text
//! cargo bench -p surprisal-trainer --bench nade              # a table
//! cargo bench -p surprisal-trainer --bench nade -- --json    # one JSON object per line
//! ```
//!
//! RAYON_NUM_THREADS sets the number of threads. The peak is measured between the fits, on the same number of threads,
//! because other processes may share the machine.

use std::hint::black_box;
use std::time::Instant;

use pulp::{Simd, WithSimd};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use surprisal::Activation;
use surprisal_trainer::bits::Bits;
use surprisal_trainer::fit::nade::{LayerShape, NadeObjective, SparseRows};
use surprisal_trainer::fit::optimizer::{Optimizer, optimize};

/// Bits per row, share of ones, and units, similar to the data sets plants, kosarek and accidents.
const SHAPES: [(usize, f64, usize); 5] =
    [(69, 0.18, 64), (190, 0.02, 64), (111, 0.17, 64), (69, 0.18, 128), (190, 0.02, 128)];
/// Number of rows: few, so that some epochs pass without an interruption.
const ROWS: usize = 1024;
const EPOCHS: usize = 100;
const REPEATS: usize = 5;

/// A loop of multiply-adds in registers.
struct Peak;

impl Peak {
    const ROUNDS: usize = 200_000;
    const CHAINS: usize = 12;
}

impl WithSimd for Peak {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> usize {
        let [shrink, add] = [0.9999, 1e-7].map(|number| simd.splat_f32s(black_box(number)));
        let mut chains = [simd.splat_f32s(1.0); Self::CHAINS];
        for _ in 0..Self::ROUNDS {
            for chain in &mut chains {
                *chain = simd.mul_add_f32s(*chain, shrink, add);
            }
        }
        black_box(chains);
        Self::ROUNDS * Self::CHAINS * S::F32_LANES
    }
}

/// Returns the multiply-adds per second of [`Peak`] on all threads.
fn peak() -> f64 {
    let begun = Instant::now();
    let each = rayon::broadcast(|_| pulp::Arch::new().dispatch(Peak));
    each.iter().sum::<usize>() as f64 / begun.elapsed().as_secs_f64()
}

/// Draws rows in which every bit is one with probability `ones`.
fn rows(width: usize, ones: f64, count: usize) -> SparseRows {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let mut bits = Bits::new(width);
    for _ in 0..count {
        let row: Vec<bool> = (0..width).map(|_| random.random::<f64>() < ones).collect();
        bits.push(&row);
    }
    SparseRows::new(&bits, &[], None)
}

/// Returns the rows per second of the fastest of many epochs of Adam: forward, backward and update.
fn trained(train: &SparseRows, units: usize) -> f64 {
    let none = rows(train.width, 0.0, 0);
    let shape = LayerShape { units, activation: Activation::Relu, dropout: 0.0, input_dropout: 0.0 };
    let nade = NadeObjective::new(shape, train, &none);
    let start = nade.start(&mut ChaCha8Rng::seed_from_u64(0));
    let settings = Optimizer { rate: Some(0.001), epochs: EPOCHS, patience: EPOCHS, ..Optimizer::default() };
    let (mut begun, mut fastest) = (Instant::now(), f64::INFINITY);
    optimize(&nade, start, &settings, |_, _| {
        fastest = fastest.min(begun.elapsed().as_secs_f64());
        begun = Instant::now();
        true
    });
    train.len() as f64 / fastest
}

fn main() {
    let json = std::env::args().any(|arg| arg == "--json");
    let threads = rayon::current_num_threads();
    if !json {
        println!("{threads} threads; rows x bits x units and multiply-adds (three each) in 10^9 per second");
        println!(
            "{:>5} {:>6} {:>6} {:>14} {:>14} {:>8} {:>14}",
            "bits", "ones", "units", "row bit unit", "multiply-adds", "peak", "peak/achieved"
        );
    }
    for (width, ones, units) in SHAPES {
        let train = rows(width, ones, ROWS);
        let (mut rate, mut most) = (0f64, 0f64);
        for _ in 0..REPEATS {
            most = (0..EPOCHS).map(|_| peak()).fold(most, f64::max);
            rate = rate.max(trained(&train, units));
        }
        let each = rate * (width * units) as f64 / 1e9;
        let (added, most) = (3.0 * each, most / 1e9);
        let ratio = most / added;
        if json {
            let line = serde_json::json!({ "bits": width, "ones": ones, "units": units, "threads": threads, "rows_per_second": rate, "peak_over_achieved": ratio });
            println!("{line}");
        } else {
            println!("{width:>5} {ones:>6} {units:>6} {each:>14.2} {added:>14.1} {most:>8.1} {ratio:>14.2}");
        }
    }
}
