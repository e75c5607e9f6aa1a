//! `surprisal export`: writes the table of a model as Rust source, as a C header or as bytes for a board.

use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::json;
use surprisal::Nats;
use surprisal_trainer::artefact::Artefact;
use surprisal_trainer::export::{READER, c_source, rust_source};
use surprisal_trainer::output::write_whole;

use crate::answer::Answer;
use crate::terminal::{Lines, line};
use surprisal_trainer::alarms::no_alarm;

pub fn export(model: &Path, output: &Path) -> Result<Answer> {
    let artefact = Artefact::read(model)?;
    let bytes = match output.extension().and_then(|extension| extension.to_str()) {
        Some("rs") => rust_source(&artefact)?.into_bytes(),
        Some("h") => {
            let name = output.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
            c_source(&artefact, name)?.into_bytes()
        }
        Some("srp") => artefact.table_bytes().to_vec(),
        _ => bail!(
            "{}: expected a file name that ends in .rs (Rust source), .h (C header) or .srp (bytes for a board)",
            output.display()
        ),
    };
    write_whole(output, &bytes, &[model])?;
    let (table, bits) = (artefact.table_bytes().len(), artefact.shape.bits);
    let mut text = Lines::default();
    let is_c = output.extension().is_some_and(|extension| extension == "h");
    let beside = if is_c { reader_beside(output)? } else { Vec::new() };
    let is_of_views = artefact.shape.views > 0;
    let (count, of) = if is_of_views { (artefact.schema.columns.len(), "columns") } else { (bits, "bits") };
    line!(text, "{}: a table of {table} bytes for rows of {count} {of}", output.display());
    for line in beside {
        line!(text, "  {line}");
    }
    if artefact.detector().threshold == Nats::IMPOSSIBLE {
        line!(text, "  {}", no_alarm(&artefact.detector()));
    }
    let value = json!({ "output": output, "table_bytes": table, "bits": bits });
    Ok(Answer { text: text.into_text(), value })
}

/// Writes the files of the C reader beside a header, where they are not there yet, and returns a line per file. A file of
/// another content is kept, because it may hold changes.
fn reader_beside(header: &Path) -> Result<Vec<String>> {
    let folder = header.parent().unwrap_or(Path::new(""));
    let mut lines = Vec::new();
    for (name, content) in READER {
        let path = folder.join(name);
        let shown = path.display();
        match std::fs::read(&path) {
            Ok(found) if found == content.as_bytes() => lines.push(format!("{shown}: the C reader, as it is")),
            Ok(_) => lines.push(format!(
                "{shown}: kept, although it differs from the reader of this version; delete it and export again to replace it"
            )),
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("{shown}: cannot be compared with the C reader"));
            }
            Err(_) => {
                write_whole(&path, content.as_bytes(), &[])?;
                lines.push(format!("{shown}: the C reader; compile it into the firmware"));
            }
        }
    }
    Ok(lines)
}
