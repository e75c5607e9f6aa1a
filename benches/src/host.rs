//! Values (cells of rows) per second that a host scores: in blocks of rows, one row at a time, and with NumPy.

use std::fs;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use rayon::ThreadPoolBuilder;
use serde_json::json;
use surprisal::{LinearWeights, Nats, Reading};
use surprisal_trainer::artefact::Artefact;
use surprisal_trainer::batch::Batch;
use surprisal_trainer::data::Header;
use surprisal_trainer::with_shape;

use xtask::command::Surprisal;
use xtask::setup::root;

use super::baseline::Python;

/// How often each way of scoring is timed, in turn. The best time counts, because other programs may run.
const TURNS: usize = 10;
/// The required speed of scoring blocks of rows: as a multiple of NumPy's, and in million values per second.
const FLOORS: [f64; 2] = [10.0, 20.0];

/// Fits `accidents` with the default family, and times scoring its test rows on one thread in three ways: in blocks of
/// rows, one row at a time, and with NumPy.
///
/// # Errors
/// The fit fails, the scores differ, or blocks of rows are slower than required.
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
        let batch = Batch::new(&table).context(
            "the model of `accidents` has a mixture, which `Batch` cannot score; expected a model without one: check \
             the default family of `surprisal fit`",
        )?;
        let mut scores = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..TURNS {
            let start = Instant::now();
            scores.0 = one.install(|| batch.surprisals(&rows))?;
            best[0] = best[0].min(start.elapsed().as_secs_f64());
            let start = Instant::now();
            scores.1 = rows.iter().map(|row| table.surprisal(row)).collect::<Result<Vec<Nats>, _>>()?;
            best[1] = best[1].min(start.elapsed().as_secs_f64());
            let (seconds, nats) = python.host(&folder)?;
            best[2] = best[2].min(seconds);
            scores.2 = nats.into_iter().map(Nats::from_raw).collect();
        }
        scores
    });
    ensure!(by_block == by_row, "`Batch::surprisals` and `Table::surprisal` return different surprisals");
    ensure!(by_block == by_numpy, "`Batch::surprisals` and benches/python/host.py return different surprisals");
    let values = (rows.len() * artefact.schema.columns.len()) as f64;
    println!(
        "accidents, {} rows of {} flags, linear-trees, one thread; best of {TURNS}",
        rows.len(),
        artefact.schema.columns.len()
    );
    for (name, seconds) in ["blocks of rows", "a row at a time", "NumPy"].into_iter().zip(best) {
        println!(
            "{name:16} {:8.1} million values per second {:7.2} of a row at a time",
            values / seconds / 1e6,
            best[1] / seconds
        );
    }
    let reached = [best[2] / best[0], values / best[0] / 1e6];
    println!("blocks are {:.1} times as fast as NumPy; all three scores are the same in every row", reached[0]);
    ensure!(
        reached.iter().zip(FLOORS).all(|(reached, floor)| *reached >= floor),
        "(multiple of NumPy's speed, million values per second): found {reached:.1?}, expected at least {FLOORS:?}"
    );
    Ok(())
}

/// Writes the numbers of the table and the rows to `folder`, as `table.json` and `rows.u8`, for the script in Python.
fn write(artefact: &Artefact, rows: &[Vec<Reading>], folder: &Path) -> Result<()> {
    with_shape!(artefact.shape, N, H, K => {
        let table = artefact.table::<N, H, K>()?;
        let terms = table.model.terms();
        let (linear, trees) = (terms.linear.slices(), terms.trees.slices());
        let (dense, entries) = match linear.weights {
            LinearWeights::Dense(dense) => (dense.to_vec(), json!(null)),
            LinearWeights::Sparse { starts, entries } => (Vec::new(), json!([starts, entries])),
        };
        let flags: Vec<(u16, bool)> = table.encoder.columns()
            .map(|(column, _)| (column.source, column.kind == surprisal::Kind::Flag { flipped: true }))
            .collect();
        let numbers = json!({
            "flags": flags, "biases": linear.biases, "scales": linear.scales, "dense": dense, "entries": entries,
            "feature_bits": trees.feature_bits, "starts": trees.starts, "splits": trees.splits, "leaves": trees.leaves,
            "leaf_scales": trees.scales,
            "likely": step_nats(true), "rare": step_nats(false),
        });
        fs::write(folder.join("table.json"), numbers.to_string())?;
    });
    let bytes: Vec<u8> = rows.iter().flatten().map(|reading| u8::from(*reading == Reading::Integer(1))).collect();
    fs::write(folder.join("rows.u8"), bytes)?;
    Ok(())
}

/// Returns `[step]` the surprisals at logits of 0, 1/32, 2/32 … 11 nats, in units of 1/65536 nat: of the likelier value
/// of the bit if `likely` is true, otherwise of the other value.
fn step_nats(likely: bool) -> Vec<u32> {
    (0..=352).map(|step| surprisal::Logit::from_raw(step << 11).surprisal(likely).raw()).collect()
}
