//! `surprisal export`: writes the table of a model as Rust source, as a C header or as bytes for a board.

use std::path::Path;

use anyhow::Result;
use serde_json::json;
use surprisal::Nats;
use surprisal_trainer::artefact::Artefact;
use surprisal_trainer::export::{ReaderFile, write};

use crate::answer::Answer;
use crate::inspect::no_alarm;
use crate::terminal::{Lines, line};

pub fn export(model: &Path, output: &Path) -> Result<Answer> {
    let artefact = Artefact::read(model)?;
    let beside = write(&artefact, output, &[model])?;
    let (table, bits) = (artefact.table_bytes().len(), artefact.shape.bits);
    let mut text = Lines::default();
    let is_of_views = artefact.shape.views > 0;
    let (count, of) = if is_of_views { (artefact.schema.columns.len(), "columns") } else { (bits, "bits") };
    line!(text, "{}: a table of {table} bytes for rows of {count} {of}", output.display());
    for (path, state) in beside {
        let what = match state {
            ReaderFile::Written => "the C reader; compile it into the firmware",
            ReaderFile::Unchanged => "the C reader, as it is",
            ReaderFile::Kept => {
                "kept, although it differs from the reader of this version; delete it and export again to replace it"
            }
        };
        line!(text, "  {}: {what}", path.display());
    }
    if artefact.detector().threshold == Nats::IMPOSSIBLE {
        line!(text, "  {}", no_alarm(&artefact.detector()));
    }
    let value = json!({ "output": output, "table_bytes": table, "bits": bits });
    Ok(Answer { text: text.into_text(), value })
}
