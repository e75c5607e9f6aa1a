//! Instructions and stack of a row that is added to a packet, beside those of its score.

use anyhow::{Context, Result};
use std::fs;
use xtask::board::Board;
use xtask::measure::{alone, rows};
use xtask::setup::{self, root};

/// Numbers of rows: those that are measured, and those in the file, the first half of which are normal.
const MEASURED: usize = 256;

/// Measures both operations with the golden tables of views and of bits.
///
/// # Errors
/// A build or a program fails.
pub fn run() -> Result<()> {
    setup::qemu()?;
    let dir = root().join("target/bench/compress");
    fs::create_dir_all(&dir)?;
    let bytes = fs::read(root().join("tests/golden/shuttle.readings"))?;
    let readings: Vec<i32> = bytes.as_chunks::<2>().0.iter().map(|&two| i16::from_le_bytes(two).into()).collect();
    let every = readings.len() / 9 / MEASURED;
    let chosen: Vec<i32> = readings.chunks_exact(9).step_by(every).flatten().copied().collect();
    let file = dir.join("golden.rows");
    fs::write(&file, rows(MEASURED, &chosen)?)?;
    println!(
        "{:<8} {:<6} {:>12} {:>12} {:>7} {:>12} {:>12}",
        "table", "board", "score", "pack", "ratio", "score stack", "pack stack"
    );
    for name in ["m4f", "m0"] {
        let board = Board::named(name).map_err(anyhow::Error::msg)?;
        setup::targets(&[board])?;
        for table in ["views", "shuttle"] {
            let source = root().join("tests/golden").join(table).with_extension("rs");
            let [score, pack] = ["score", "pack"].map(|operation| alone(&board, operation, &source, &file));
            let (score, pack) = (score?, pack?);
            let number = |numbers: &[u64], at: usize| numbers.get(at).copied().context("expected four numbers");
            let [mean, packed] = [number(&score, 0)?, number(&pack, 0)?];
            let ratio = packed as f64 / mean as f64;
            println!(
                "{table:<8} {name:<6} {mean:>12} {packed:>12} {ratio:>7.2} {:>12} {:>12}",
                number(&score, 3)?,
                number(&pack, 3)?
            );
        }
    }
    Ok(())
}
