//! `surprisal schema`: describes the kinds of a file's columns as TOML.

use std::path::PathBuf;

use anyhow::Result;
use serde_json::json;
use surprisal_trainer::schema::Schema;
use surprisal_trainer::windows;

use crate::answer::Answer;
use crate::args::ReadingArgs;
use crate::observer::Progress;
use crate::terminal::remarks;

pub fn schema(data: &[PathBuf], reading: &ReadingArgs, ignore: &[String], progress: &Progress) -> Result<Answer> {
    let options = reading.options();
    let frame = windows::read_observed(None, data, &options, progress)?;
    progress.clear();
    remarks(&frame.remarks);
    let text = Schema::describe(&frame, ignore, &options.missing)?;
    Ok(Answer { value: json!({ "schema": text }), text })
}
