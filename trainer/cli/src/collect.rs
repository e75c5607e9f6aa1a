//! `surprisal collect`: converts the log of a board to CSV.

use std::path::Path;

use anyhow::Result;
use serde_json::json;
use surprisal_trainer::collect::Capture;

use crate::answer::Answer;
use crate::terminal::note;

pub fn collect(path: &Path, with_sessions: bool) -> Result<Answer> {
    let capture = Capture::read(path)?;
    let (rows, sessions, dropped) = (capture.rows.len(), capture.sessions(), capture.dropped.len());
    let text = capture.csv(with_sessions)?;
    let first = capture.dropped.first().map_or(String::new(), |line| format!(", the first on line {line}"));
    note(format_args!("rows: {rows}; sessions: {sessions}; incomplete lines left out: {dropped}{first}"));
    let value = json!({ "rows": rows, "columns": capture.names, "sessions": sessions, "dropped": capture.dropped });
    Ok(Answer { text, value })
}
