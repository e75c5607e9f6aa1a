//! Where the model and the numbers come from.

use serde_json::{Value, json};
use surprisal::Detector;

use super::words::{count, number};
use crate::applied::Applied;
use crate::pipeline::finite;
use crate::table::cost::{Core, Cost};
use crate::views::operations;
use crate::with_shape;

/// The work of scoring a row.
pub enum Work {
    /// Largest number of instructions on a Cortex-M0, and on a Cortex-M3 or larger.
    Instructions([usize; 2]),
    /// Largest number of operations beside the fixed work per column.
    Operations(usize),
}

/// Returns the worst-case work of scoring a row, or `None` if the table cannot be read.
pub fn work(applied: &Applied) -> Option<Work> {
    let artefact = &applied.artefact;
    if artefact.shape.views > 0 {
        return Some(Work::Operations(artefact.views().ok()?.iter().map(operations).sum()));
    }
    let cost = with_shape!(artefact.shape, N, H, K => Cost::of(&artefact.table::<N, H, K>().ok()?));
    Some(Work::Instructions([Core::Least, Core::Larger].map(|core| cost.instructions(core))))
}

/// Returns the work in words.
pub fn work_in_words(applied: &Applied) -> String {
    match work(applied) {
        Some(Work::Instructions([least, larger])) => format!(
            "at most {} instructions per row on a Cortex-M3 or larger and {} on a Cortex-M0, without encoding the readings",
            count(larger),
            count(least)
        ),
        Some(Work::Operations(operations)) => format!(
            "at most {} additions, multiplications, comparisons and tree steps per row beside the fixed work per column",
            count(operations)
        ),
        None => "unknown".into(),
    }
}

/// Returns (name, value) of everything that is needed to make the page again.
pub fn facts(applied: &Applied) -> Vec<(String, String)> {
    let (artefact, frame) = (&applied.artefact, &applied.frame);
    let (fit, detector) = (&artefact.notes.fit, artefact.detector());
    let Detector { false_alarm_ppm, rows, average_run_length, .. } = detector;
    let same = if fit.digest == frame.digest { "the file of the fit" } else { "another file than that of the fit" };
    let columns = artefact.schema.columns.len();
    let mut facts = vec![
        ("fit", fit.summary()),
        ("file of the fit", format!("CRC-32 {:08x}", fit.digest)),
        ("version of the fit", fit.version.clone()),
        ("version of this page", env!("CARGO_PKG_VERSION").to_owned()),
        ("file of this page", format!("{}, CRC-32 {:08x}: {same}", frame.path.display(), frame.digest)),
        ("rows of this page", format!("{} of {} rows of the file", count(applied.rows.len()), count(frame.rows()))),
        ("columns", columns.to_string()),
        ("table", format!("{} bytes", count(artefact.table_bytes().len()))),
        ("state while a row is scored", format!("{} bytes", artefact.shape.state_bytes())),
        ("work", work_in_words(applied)),
        (
            "calibration",
            format!(
                "{} rows; at most {} % false alarms; average run length of the cumulative sum {average_run_length} rows",
                count(rows as usize),
                number(f64::from(false_alarm_ppm) / 1e4)
            ),
        ),
    ];
    if let Some((column, normal)) = &applied.label {
        facts.push(("labels", format!("column {column}; {normal} is normal")));
    }
    if let Some(shares) = fit.split {
        facts.push(("shares of training, validation, calibration and held-out rows", shares.map(number).join(", ")));
    }
    if let Some(windows) = fit.signal {
        facts.push(("signal", format!("a row is {} samples, every {} samples", windows.window, windows.hop)));
    }
    if fit.history.is_some() {
        facts.push(("time series", "each row is predicted from earlier rows; the columns are residuals".into()));
    }
    if let [Some(first), Some(last)] = [applied.rows.first(), applied.rows.last()].map(|row| applied.time_of(*row?)) {
        facts.push(("time stamps", format!("from {first} to {last}")));
    }
    facts.extend(applied.left_out().into_iter().map(|sentence| ("rows of this page", sentence)));
    // The caution on rows of the fit stands beside the verdict.
    let of_fit = applied.of_fit();
    let others = applied.warnings().into_iter().filter(|&warning| Some(warning) != of_fit.as_ref());
    facts.extend(others.map(|warning| ("remark", warning.to_string())));
    facts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Returns the facts for programs.
pub fn numbers(applied: &Applied) -> Value {
    let (artefact, frame) = (&applied.artefact, &applied.frame);
    let fit = &artefact.notes.fit;
    let mut value = json!({
        "fit": fit, "version": env!("CARGO_PKG_VERSION"), "file": frame.path, "digest": frame.digest,
        "is_file_of_fit": fit.digest == frame.digest, "table_bytes": artefact.table_bytes().len(),
        "state_bytes": artefact.shape.state_bytes(), "threshold": finite(artefact.detector().threshold),
        "warnings": applied.warnings(),
    });
    match work(applied) {
        Some(Work::Instructions([m0, larger])) => value["most_instructions"] = json!({ "m0": m0, "larger": larger }),
        Some(Work::Operations(count)) => value["most_operations"] = json!(count),
        None => {}
    }
    value
}
