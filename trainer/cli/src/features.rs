//! `surprisal features`: computes the features of a raw signal as CSV.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use serde_json::json;
use surprisal_trainer::data::{Frame, ReadOptions};
use surprisal_trainer::windows;

use crate::answer::{Answer, csv_text};
use crate::args::SignalArgs;
use crate::observer::Progress;
use crate::terminal::remarks;

pub fn features(data: &[PathBuf], signal: &SignalArgs, options: &ReadOptions, progress: &Progress) -> Result<Answer> {
    let windows = signal
        .windows()?
        .context("--signal is missing; give the window and hop in samples, for example --signal 2048:512")?;
    let frame = windows::read_observed(Some(windows), data, options, progress)?;
    progress.clear();
    ensure_left_out(&frame, &options.channels_left_out)?;
    frame.require_stamps(&options.time)?;
    remarks(&frame.remarks);
    let names: Vec<&str> = frame.columns.iter().map(|column| column.name.as_str()).collect();
    let cells = |row| frame.columns.iter().map(move |column| column.text(row).into_owned());
    let text = csv_text(&names, (0..frame.rows()).map(cells))?;
    Ok(Answer { text, value: json!({ "rows": frame.rows(), "columns": names }) })
}

/// Checks that each ignored channel was there.
fn ensure_left_out(frame: &Frame, ignore: &[String]) -> Result<()> {
    let absent = ignore.iter().find(|name| !frame.left_out.contains(name));
    ensure!(
        absent.is_none(),
        "{}: no channel `{}`; check the names in its first line",
        frame.path.display(),
        absent.map_or("", |name| name)
    );
    Ok(())
}
