//! `surprisal export`: writes the table of a model as Rust source, as a C header, as bytes for a board, or as a library of an
//! ecosystem.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::json;
use surprisal::Nats;
use surprisal_trainer::alarms::no_alarm;
use surprisal_trainer::export::{Ecosystem, Package, READER, ReaderFile, c_name, package, write};
use surprisal_trainer::output::{check_folder, write_folder};
use surprisal_trainer::recalibrate;

use crate::answer::Answer;
use crate::terminal::{Lines, line};

/// What became of the files of the C reader.
#[derive(Default)]
struct Reader {
    /// Paths of all files of the reader, whether written or found.
    files: Vec<PathBuf>,
    /// A line of text per file, or one for all of them.
    lines: Vec<String>,
}

pub fn export(model: &Path, output: &Path, ecosystem: Option<Ecosystem>) -> Result<Answer> {
    let artefact = recalibrate::read(model)?;
    let shown = output.display();
    let extension = output.extension().and_then(|extension| extension.to_str());
    let reader;
    let mut prefix = None;
    match (ecosystem, extension) {
        (Some(ecosystem), _) => {
            let folder = folder_name(output)?;
            // A name without ASCII letters and digits gives no names in C; that of the model does.
            let has_words = folder.contains(|c: char| c.is_ascii_alphanumeric());
            let name = if has_words { folder.clone() } else { stem(model) };
            let package = package(&artefact, ecosystem, &folder, &name)?;
            reader = write_package(&package, output)?;
            prefix = Some(package.name);
        }
        (None, Some("rs" | "h" | "srp")) => {
            reader = beside(write(&artefact, output, &[model])?);
            if extension == Some("h") {
                prefix = Some(c_name(&stem(output))?);
            }
        }
        _ => bail!(
            "{shown}: expected a file name that ends in .rs (Rust source), .h (C header) or .srp (bytes for a board), or \
             --package for a folder"
        ),
    }
    let (table, bits) = (artefact.table_bytes().len(), artefact.shape.bits);
    let is_of_views = artefact.shape.views > 0;
    let (count, of) = if is_of_views { (artefact.schema.columns.len(), "columns") } else { (bits, "bits") };
    let mut text = Lines::default();
    line!(text, "{shown}: a table of {table} bytes for rows of {count} {of}");
    if let Some(prefix) = &prefix {
        line!(text, "  names in C begin with `{prefix}_`");
    }
    for line in reader.lines {
        line!(text, "  {line}");
    }
    if artefact.detector().threshold == Nats::IMPOSSIBLE {
        line!(text, "  {}", no_alarm(&artefact.detector()));
    }
    let mut value = json!({ "output": output, "table_bytes": table, "bits": bits });
    if let Some(prefix) = prefix {
        value["prefix"] = json!(prefix);
        value["reader"] = json!(reader.files);
    }
    Ok(Answer { text: text.into_text(), value })
}

/// Returns the last name of the path of a new folder, or an error if its end is no name or the name of a symbolic link.
fn folder_name(folder: &Path) -> Result<String> {
    let shown = folder.display();
    let Some(name) = folder.file_name() else {
        bail!("{shown}: expected the name of a new folder, beside which the C reader belongs, such as `-o pump`");
    };
    // The components have no `/` at the end, with which the system would follow the link.
    if folder.components().as_path().is_symlink() {
        bail!(
            "{shown}: is a symbolic link, which a folder does not replace; choose another name, or delete the link first"
        );
    }
    Ok(name.to_string_lossy().into_owned())
}

/// Returns the name of a file without its ending.
fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// Writes the folder of a model and beside it, unless it is there, that of the C reader: both or, after an error, none.
fn write_package(package: &Package, folder: &Path) -> Result<Reader> {
    check_folder(folder)?;
    let beside = folder.parent().unwrap_or(Path::new("")).join(Package::READER);
    let shown = beside.display();
    let mut states = Vec::new();
    for (name, content) in &package.reader {
        states.push(ReaderFile::of(&beside.join(name), content)?);
    }
    let is_new = check_folder(&beside).is_ok();
    // Every library has its sources; a folder without them is something else.
    let is_reader = READER.iter().all(|(name, _)| beside.join("src").join(name).is_file());
    let is_same_ecosystem = states.first() != Some(&ReaderFile::Written);
    let is_ours = is_reader && is_same_ecosystem;
    if !(is_new || is_ours) {
        bail!(
            "{shown}: exists and is not the library of the C reader for this ecosystem, which belongs beside {}; export into \
             another folder, such as the one where your other libraries are",
            folder.display()
        );
    }
    let what = if is_new {
        write_folder(&beside, &package.reader)?;
        "the C reader, which all models of a firmware share"
    } else if states.iter().all(|state| *state == ReaderFile::Unchanged) {
        what(ReaderFile::Unchanged)
    } else {
        what(ReaderFile::Kept)
    };
    if let Err(error) = write_folder(folder, &package.model) {
        if is_new {
            std::fs::remove_dir_all(&beside).with_context(|| format!("{shown}: cannot be removed again"))?;
        }
        return Err(error.into());
    }
    let files = package.reader.iter().map(|(name, _)| beside.join(name)).collect();
    Ok(Reader { files, lines: vec![format!("{shown}: {what}")] })
}

/// Says what became of the files of the C reader beside a header.
fn beside(files: Vec<(PathBuf, ReaderFile)>) -> Reader {
    let mut reader = Reader::default();
    for (path, state) in files {
        reader.lines.push(format!("{}: {}", path.display(), what(state)));
        reader.files.push(path);
    }
    reader
}

/// Says what became of a file of the C reader.
fn what(state: ReaderFile) -> &'static str {
    match state {
        ReaderFile::Written => "the C reader; compile it into the firmware",
        ReaderFile::Unchanged => "the C reader, as it is",
        ReaderFile::InLibrary => "the C reader of the library beside, which the header uses",
        ReaderFile::Kept => {
            "kept, although it differs from the reader of this version; delete it and export again to replace it"
        }
    }
}
