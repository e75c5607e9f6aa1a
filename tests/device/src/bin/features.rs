//! Counts the instructions per window of features: `cargo benches features`.

#![no_std]
#![no_main]

#[allow(dead_code, reason = "the stack is not measured")]
#[path = "../../../support/meter.rs"]
mod meter;
#[path = "../../../support/signal.rs"]
mod signal;

use core::hint::black_box;
use core::panic::PanicInfo;
use semihosting::{println, process};
use surprisal::{Feature, Features, Libm, Math, Micromath};

/// The defaults of `surprisal fit --signal`.
const BANDS: [Feature; 8] = {
    let mut bands = [Feature::Mean; 8];
    let mut k = 0;
    while k < bands.len() {
        bands[k] = Feature::band(k as u16, 8);
        k += 1;
    }
    bands
};
/// A window that fits the RAM of every board. The cost is proportional to it.
const WINDOW: usize = 2048;

#[cfg_attr(target_arch = "arm", cortex_m_rt::entry)]
#[cfg_attr(target_arch = "riscv32", riscv_rt::entry)]
fn main() -> ! {
    let instructions = meter::Instructions::new();
    let mut samples = [0.0; WINDOW];
    samples.iter_mut().zip(signal::motor(false)).for_each(|(slot, sample)| *slot = f32::from(sample));
    for (name, features) in [("6 statistics", &Feature::STATISTICS[..]), ("8 bands", &BANDS)] {
        let features = Features { window: WINDOW, hop: WINDOW, bands: 8, features };
        let count = |row: fn(&Features, &[f32], &mut [f32])| {
            instructions.count(|| row(&features, black_box(&samples), black_box(&mut [0.0; 8]))).1
        };
        let (libm, micromath) = (count(row::<Libm>), count(row::<Micromath>));
        println!("{name} of {WINDOW} samples: {libm} with Libm, {micromath} with Micromath");
    }
    process::exit(0)
}

/// Inlined, so that the features are constants to the compiler, as in a product.
#[inline(always)]
fn row<M: Math>(features: &Features, samples: &[f32], row: &mut [f32]) {
    features.row::<M>(samples, row);
}

#[panic_handler]
fn panic(info: &PanicInfo) -> ! {
    println!("{info}");
    process::exit(101)
}
