//! Model files, `.srp`: reading them, and all operations of the host on what was read.
//!
//! Two checksums would stop nearly every mutation, so that a file is read as it is and once more with correct lengths and
//! checksums, as an attacker would write them.

use std::path::Path;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use surprisal_trainer::artefact::Artefact;
use surprisal_trainer::calibrate::Rates;
use surprisal_trainer::data::{Frame, Header, ReadOptions};
use surprisal_trainer::divergence::{self, SamplingSettings};
use surprisal_trainer::export::rust_source;
use surprisal_trainer::recalibrate::recalibrate;
use surprisal_trainer::sample::{sampled_rows, text};
use surprisal_trainer::table::cost::Cost;
use surprisal_trainer::views::operations;
use surprisal_trainer::with_shape;

use super::{LIMITS, repaired, with_file};

/// Reads a model file as it is, and with correct checksums.
pub fn models(input: &[u8]) {
    for bytes in [Some(input.to_vec()), repaired(input)].into_iter().flatten() {
        let mut read = None;
        with_file(".srp", &bytes, |path| read = Artefact::read(path).ok());
        if let Some(artefact) = read {
            use_artefact(&artefact);
        }
    }
}

/// Runs what `inspect`, `export`, `sample`, `score`, `explain` and `compare` run. Errors are fine, panics are not.
fn use_artefact(artefact: &Artefact) {
    let _ = rust_source(artefact);
    let _ = artefact.file_bytes();
    let _ = artefact.notes.fit.summary();
    let detector = artefact.detector();
    for encoding in &artefact.schema.columns {
        let _ = (artefact.schema.name(encoding), encoding.column().bits(), detector.baseline(encoding.source));
    }
    if artefact.shape.views == 0 {
        let _ = with_shape!(artefact.shape, N, H, K => artefact.table::<N, H, K>().map(|table| Cost::of(&table)));
    }
    for view in artefact.views().unwrap_or_default() {
        let _ = operations(&view);
        let axes = view.prototypes.slices().columns.len();
        for prototype in 0..view.prototypes.count() {
            (0..axes).for_each(|axis| _ = view.prototypes.centre(axis, prototype as u8));
        }
    }
    let _ = divergence::models(artefact, artefact, &SamplingSettings { rows: 8, pairs: 4, seed: 0 });
    let Ok((names, rows)) = sampled_rows(artefact, 4, &mut ChaCha8Rng::seed_from_u64(1)) else { return };
    // The rows are read again, with cells that are missing and cells that no training row has.
    let others = ["", "1e30", "unseen"].map(|cell| vec![cell.to_owned(); names.len()]);
    let line = |cells: &Vec<String>| {
        let quoted: Vec<_> = cells.iter().map(|cell| format!("\"{}\"", cell.replace('"', "\"\""))).collect();
        quoted.join(",") + "\n"
    };
    let csv: String = std::iter::once(&names).chain(&rows).chain(&others).map(line).collect();
    score(artefact, csv.as_bytes());
    if let Some(windows) = artefact.notes.fit.signal {
        let samples = windows.window + 2 * windows.hop;
        let csv: String = (0..samples).map(|t| format!("{}\n", t * t % 977)).collect();
        score(artefact, csv.as_bytes());
    }
}

/// Scores the rows of a file, and finds the columns at fault.
fn score(artefact: &Artefact, csv: &[u8]) {
    let options = ReadOptions { header: Header::Auto, skip_bad: 1, limits: LIMITS, ..ReadOptions::default() };
    with_file(".csv", csv, |path: &Path| {
        let Ok(frame) = artefact.frame_of(&[path.to_owned()], &options) else { return };
        use_rows(artefact, &frame);
    });
}

fn use_rows(artefact: &Artefact, frame: &Frame) {
    let rows: Vec<usize> = (0..frame.rows()).collect();
    let _ = artefact.held_out(frame);
    let _ = artefact.schema.unknown_texts(frame, &rows);
    let Ok(readings) = artefact.schema.all_readings(frame, &rows) else { return };
    let _ = artefact.scores(&readings);
    let _ = artefact.surprisals(&readings);
    let blamed = artefact.blame(&readings).unwrap_or_default();
    for blame in blamed {
        let column = artefact.schema.columns.iter().find(|encoding| encoding.source == blame.column);
        let _ = column.map(|encoding| text(encoding, blame.expected));
    }
    // A calibration needs twenty rows.
    let repeated: Vec<usize> = rows.iter().copied().cycle().take(if rows.is_empty() { 0 } else { 24 }).collect();
    let _ = recalibrate(artefact, frame, &repeated, Rates::default(), repeated.len() > 3);
}
