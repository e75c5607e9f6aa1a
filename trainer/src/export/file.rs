//! Writes an export to a file whose ending names its kind, with the C reader beside a header.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::{Package, READER, c_source, rust_source};
use crate::artefact::Artefact;
use crate::error::{Error, Result};
use crate::output::write_whole;

/// A file of the C reader beside an exported header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReaderFile {
    /// The file was written.
    Written,
    /// The file was there already, as this version writes it.
    Unchanged,
    /// A file of another content was there and is kept, because it may hold changes.
    Kept,
    /// Not written, because the header lies in a library of [`package`](super::package()), which has its reader beside it:
    /// the path is that of the library's file.
    InLibrary,
}

impl ReaderFile {
    /// Returns what would become of a file with this content.
    ///
    /// # Errors
    /// [`Error::Io`] if there is a file that cannot be read.
    pub fn of(path: &Path, content: &str) -> Result<Self> {
        match std::fs::read(path) {
            Ok(found) if found == content.as_bytes() => Ok(Self::Unchanged),
            Ok(_) => Ok(Self::Kept),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(Self::Written),
            Err(error) => Err(Error::io(path, "cannot be compared with the C reader")(error)),
        }
    }
}

/// Writes the table to `output`, whose name ends in `.rs` (Rust source), `.h` (C header) or `.srp` (bytes for a board), and
/// never over one of `inputs`. The files of the C reader are written beside a header where they are not there yet, unless the
/// header lies in a library of [`package`](super::package()), which has its reader beside it; each file is returned with what
/// became of it.
///
/// # Errors
/// [`Error::Option`] if the name has another ending; [`Error::OutputIsInput`]; [`Error::Io`] if a file cannot be written;
/// [`Error::Table`] if the table of the artefact cannot be read.
pub fn write(artefact: &Artefact, output: &Path, inputs: &[&Path]) -> Result<Vec<(PathBuf, ReaderFile)>> {
    let ending = output.extension().and_then(|extension| extension.to_str());
    let bytes = match ending {
        Some("rs") => rust_source(artefact)?.into_bytes(),
        Some("h") => {
            let name = output.file_stem().unwrap_or_default().to_string_lossy();
            c_source(artefact, &name)?.into_bytes()
        }
        Some("srp") => artefact.table_bytes().to_vec(),
        _ => {
            let message = format!(
                "{}: expected a file name that ends in .rs (Rust source), .h (C header) or .srp (bytes for a board)",
                output.display()
            );
            return Err(Error::option("-o", message));
        }
    };
    write_whole(output, &bytes, inputs)?;
    if ending != Some("h") {
        return Ok(Vec::new());
    }
    let folder = output.parent().unwrap_or(Path::new(""));
    // With a second copy beside the header, a build would define every function of the reader twice.
    let library = folder.join("../..").join(Package::READER).join("src");
    if READER.iter().all(|(name, _)| library.join(name).is_file()) {
        return Ok(READER.map(|(name, _)| (library.join(name), ReaderFile::InLibrary)).into());
    }
    let beside = |(name, content): (&str, &str)| {
        let path = folder.join(name);
        let state = ReaderFile::of(&path, content)?;
        if state == ReaderFile::Written {
            write_whole(&path, content.as_bytes(), &[])?;
        }
        Ok((path, state))
    };
    READER.into_iter().map(beside).collect()
}
