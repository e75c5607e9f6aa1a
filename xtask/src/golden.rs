//! `cargo xtask golden`: what `tests/golden` holds.

use crate::setup::root;
use crate::shuttle::{HeldOut, Surprisal};
use anyhow::{Context, Result};
use std::fs;
use surprisal::Reading;
use surprisal_trainer::with_shape;

#[path = "../../tests/support/coin.rs"]
mod coin;

/// Rows of each kind, ordinary and odd.
const OF_A_KIND: usize = 512;
/// Rows that are sampled.
const SAMPLED: usize = 64;

/// Fits, and writes the table and its streams.
pub fn run() -> Result<()> {
    let surprisal = Surprisal::build()?;
    fs::create_dir_all(root().join("target/golden"))?;
    surprisal.fit("target/golden/shuttle.srp")?;
    for table in ["tests/golden/shuttle.srp", "tests/golden/shuttle.rs"] {
        surprisal.run(&["export", "target/golden/shuttle.srp", "-o", table])?;
    }
    let held_out = HeldOut::of(&root().join("target/golden/shuttle.srp"))?;

    let mut rows: Vec<usize> = [false, true].into_iter().flat_map(|odd| evenly(&held_out.odd, odd)).collect();
    rows.sort_unstable();
    let small = |value: i32| i16::try_from(value).context("a reading does not fit 16 bits");
    let mut readings = Vec::new();
    let mut nats = Vec::new();
    let mut samples = Vec::new();
    for value in rows.iter().flat_map(|&row| held_out.readings[row]) {
        readings.extend(small(value)?.to_le_bytes());
    }
    with_shape!(held_out.artefact.shape, N, H, K => {
        let table = held_out.artefact.table::<N, H, K>()?;
        for &row in &rows {
            nats.extend(table.score(&held_out.readings[row].map(Reading::Integer))?.raw().to_le_bytes());
        }
        let mut coin = coin::Coin::default();
        for _ in 0..SAMPLED {
            let row = table.model.sample(|| coin.toss());
            samples.extend(row[..held_out.artefact.shape.bits].chunks(8).map(coin::pack));
        }
    });
    for (name, bytes) in [("readings", readings), ("nats", nats), ("samples", samples)] {
        fs::write(root().join("tests/golden/shuttle").with_extension(name), bytes)?;
    }
    Ok(())
}

/// Rows of one kind, evenly spaced.
fn evenly(odd: &[bool], kind: bool) -> Vec<usize> {
    let of_kind: Vec<usize> = (0..odd.len()).filter(|&row| odd[row] == kind).collect();
    (0..OF_A_KIND).map(|i| of_kind[i * of_kind.len() / OF_A_KIND]).collect()
}
