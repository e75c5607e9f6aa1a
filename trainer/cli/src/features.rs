//! `surprisal features`: computes the features of a raw signal as CSV.

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::json;
use surprisal_trainer::data::Header;

use crate::answer::{Answer, csv_text};
use crate::args::SignalArgs;

pub fn features(data: &Path, signal: &SignalArgs, header: Header) -> Result<Answer> {
    let windows = signal
        .windows()?
        .context("--signal is missing; give the window and hop in samples, for example --signal 2048:512")?;
    let frame = windows.frame(data, header)?;
    let names: Vec<&str> = frame.columns.iter().map(|column| column.name.as_str()).collect();
    let cells = |row| frame.columns.iter().map(move |column| column.text(row).into_owned());
    let text = csv_text(&names, (0..frame.rows()).map(cells))?;
    Ok(Answer { text, value: json!({ "rows": frame.rows(), "columns": names }) })
}
