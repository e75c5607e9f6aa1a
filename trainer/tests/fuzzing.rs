//! The fuzz targets, each for a few thousand inputs: small valid ones, and what random damage makes of them. A long search
//! with coverage is in `fuzz/`.

#[path = "../../fuzz/src/lib.rs"]
#[allow(dead_code, reason = "the fuzzer uses the rest")]
mod fuzz;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Returns an input with some damage: bits, bytes, and ranges that are lost, doubled or of another input.
fn damaged(random: &mut ChaCha8Rng, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut input = seeds[random.random_range(0..seeds.len())].clone();
    for _ in 0..random.random_range(1..=4) {
        let at = random.random_range(0..input.len().max(1)).min(input.len());
        let until = (at + random.random_range(0..64)).min(input.len());
        match random.random_range(0..7) {
            0 => input[at..until].fill([0, 1, 127, 128, 255][random.random_range(0..5)]),
            1 => drop(input.drain(at..until)),
            2 => input.truncate(at),
            3 => {
                let copy = input[at..until].to_vec();
                input.splice(at..at, copy);
            }
            4 => {
                let other = &seeds[random.random_range(0..seeds.len())];
                let from = random.random_range(0..other.len().max(1)).min(other.len());
                let to = (from + random.random_range(0..256)).min(other.len());
                input.splice(at..until, other[from..to].iter().copied());
            }
            _ => {
                if let Some(byte) = input.get_mut(at) {
                    *byte ^= 1 << random.random_range(0..8);
                }
            }
        }
    }
    input
}

/// Runs a target on its seeds and on this many damaged ones.
fn run(target: &str, inputs: usize, read: fn(&[u8])) {
    let seeds = fuzz::seeds::of(target);
    assert!(seeds.len() > 2, "{target} has {} seeds", seeds.len());
    seeds.iter().for_each(|seed| read(seed));
    let mut random = ChaCha8Rng::seed_from_u64(1);
    for _ in 0..inputs {
        read(&damaged(&mut random, &seeds));
    }
}

macro_rules! targets {
    ($($name:ident: $inputs:literal;)+) => {
        /// Every target with seeds is among the tests.
        const NAMES: &[&str] = &[$(stringify!($name)),+];
        $(
            #[test]
            fn $name() {
                run(stringify!($name), $inputs, fuzz::$name);
            }
        )+
    };
}

targets! {
    rows: 4000;
    arrays: 4000;
    compressed: 4000;
    sounds: 4000;
    logs: 4000;
    schemas: 4000;
    models: 300;
    tables: 4000;
    updates: 4000;
    packets: 4000;
}

#[cfg(feature = "parquet")]
#[test]
fn parquet() {
    run("parquet", 3000, fuzz::parquet);
}

/// What the fuzzer found. Each was fixed as a whole kind, with a test of its own.
#[test]
fn what_the_fuzzer_found_is_fixed() {
    // Decimals that are too fine for the range of a channel: its cells were wider than 2^32 numbers.
    fuzz::packets(&[0xd7, 0xff, 9, 0, 0, 0]);
    // A packet that ended in zeros, check included, as erased flash does: no reader took it for a packet.
    fuzz::packets(&[2, 38, 16, 0, 43, 255, 117, 43, 0, 10, 0, 16, 2, 230, 255, 7, 48, 90, 127]);
}

#[test]
fn no_target_is_left_out() {
    assert_eq!(NAMES, fuzz::seeds::TARGETS);
}
