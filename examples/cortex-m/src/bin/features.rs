//! Counts the instructions of a window's features on an emulated core: `cargo xtask bench features` runs it.

#![no_std]
#![no_main]

#[allow(dead_code, reason = "the stack is not measured here")]
#[path = "../../../../tests/support/meter.rs"]
mod meter;
#[path = "../../../../tests/support/signal.rs"]
mod signal;

use core::hint::black_box;
use core::panic::PanicInfo;
// Its critical section is what the log needs.
use cortex_m as _;
use defmt_semihosting as _;
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
/// Small enough for the RAM of any board; the cost is that of a sample times their number.
const WINDOW: usize = 2048;

#[cortex_m_rt::entry]
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

/// Inlined, so that the features are constants to it, as those of a product are.
#[inline(always)]
fn row<M: Math>(features: &Features, samples: &[f32], row: &mut [f32]) {
    features.row::<M>(samples, row);
}

#[panic_handler]
fn panic(info: &PanicInfo) -> ! {
    println!("{info}");
    process::exit(101)
}
