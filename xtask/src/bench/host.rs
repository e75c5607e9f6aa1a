//! `cargo xtask bench host`: how many values a second the host scores, and how a row at a time and NumPy do beside it.

use std::fs;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use rayon::ThreadPoolBuilder;
use serde_json::json;
use surprisal::{Columns, Nats, Reading, Sum};
use surprisal_trainer::artefact::Artefact;
use surprisal_trainer::batch::Batch;
use surprisal_trainer::data::Header;
use surprisal_trainer::with_shape;

use super::baseline::Python;
use crate::setup::root;
use crate::shuttle::Surprisal;

/// Each is timed so often, in turn, and its best time counts: others may be at work.
const TURNS: usize = 10;
/// At least this many times NumPy's speed, and so many million values a second.
const FLOORS: [f64; 2] = [10.0, 20.0];

/// Fits `accidents` with the default family and scores its test rows on one thread, in all three ways.
pub fn run(data: &Path) -> Result<()> {
    let folder = root().join("target/bench/host");
    fs::create_dir_all(&folder)?;
    let file = |part: &str| data.join(format!("accidents.{part}.csv.gz")).display().to_string();
    let model = folder.join("accidents.srp");
    let out = model.display().to_string();
    Surprisal::build()?.json(&["fit", &file("train"), "--valid", &file("valid"), "--flash", "16KiB", "-o", &out])?;
    let artefact = Artefact::read(&model)?;
    let frame = artefact.frame(Path::new(&file("test")), Header::Auto)?;
    let rows = artefact.schema.all_readings(&frame, &(0..frame.rows()).collect::<Vec<_>>())?;
    let python = Python::find()?;
    write(&artefact, &rows, &folder)?;

    let one = ThreadPoolBuilder::new().num_threads(1).build()?;
    let mut best = [f64::INFINITY; 3];
    let (by_block, by_row, by_numpy) = with_shape!(artefact.shape, N, H, K => {
        let table = artefact.table::<N, H, K>()?;
        let batch = Batch::new(&table).context("lin+tree has no mixture")?;
        let mut said = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..TURNS {
            let start = Instant::now();
            said.0 = one.install(|| batch.surprisals(&rows))?;
            best[0] = best[0].min(start.elapsed().as_secs_f64());
            let start = Instant::now();
            said.1 = rows.iter().map(|row| table.surprisal(row)).collect::<Result<Vec<Nats>, _>>()?;
            best[1] = best[1].min(start.elapsed().as_secs_f64());
            let (seconds, nats) = python.host(&folder)?;
            best[2] = best[2].min(seconds);
            said.2 = nats.into_iter().map(Nats::from_raw).collect();
        }
        said
    });
    ensure!(by_block == by_row, "blocks and rows differ");
    ensure!(by_block == by_numpy, "NumPy's scores differ from ours");
    let values = (rows.len() * artefact.schema.columns.len()) as f64;
    println!(
        "accidents, {} rows of {} flags, lintree, one thread; best of {TURNS}",
        rows.len(),
        artefact.schema.columns.len()
    );
    for (name, seconds) in ["blocks of rows", "a row at a time", "NumPy"].into_iter().zip(best) {
        println!(
            "{name:16} {:8.1} million values a second {:7.2} of a row at a time",
            values / seconds / 1e6,
            best[1] / seconds
        );
    }
    let reached = [best[2] / best[0], values / best[0] / 1e6];
    println!("blocks are {:.1} times as fast as NumPy; all three scores are the same in every row", reached[0]);
    ensure!(reached.iter().zip(FLOORS).all(|(reached, floor)| *reached >= floor), "missed a floor: {FLOORS:?}");
    Ok(())
}

/// The table's numbers and the rows, for the script.
fn write(artefact: &Artefact, rows: &[Vec<Reading>], folder: &Path) -> Result<()> {
    with_shape!(artefact.shape, N, H, K => {
        let table = artefact.table::<N, H, K>()?;
        let (Sum(Sum(linear, forest), _), _) = table.model.pieces();
        let (biases, scales, columns) = linear.slices();
        let (feature_bits, starts, splits, leaves, leaf_scales) = forest.slices();
        let (dense, entries) = match columns {
            LinearWeights::Dense(dense) => (dense.to_vec(), json!(null)),
            LinearWeights::Sparse { starts, entries } => (Vec::new(), json!([starts, entries])),
        };
        let flags: Vec<(u16, bool)> = table.encoder.columns()
            .map(|column| (column.source, column.kind == surprisal::Kind::Flag { flipped: true }))
            .collect();
        let numbers = json!({
            "flags": flags, "biases": biases, "scales": scales, "dense": dense, "entries": entries,
            "feature_bits": feature_bits, "starts": starts, "splits": splits, "leaves": leaves, "leaf_scales": leaf_scales,
            "likely": step_nats(true), "rare": step_nats(false),
        });
        fs::write(folder.join("table.json"), numbers.to_string())?;
    });
    let bytes: Vec<u8> = rows.iter().flatten().map(|reading| u8::from(*reading == Reading::Integer(1))).collect();
    fs::write(folder.join("rows.u8"), bytes)?;
    Ok(())
}

/// What each step of the link's grid costs, from zero up.
fn step_nats(likely: bool) -> Vec<u32> {
    (0..=352).map(|step| surprisal::Logit::from_raw(step << 11).surprisal(likely).raw()).collect()
}
