//! The `.srp` file: the table that the board reads, and behind it what only the host needs.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result, anyhow, ensure};
use serde::{Deserialize, Serialize};
use surprisal::{Detector, Encoder, Nats, Reading, Table, TableError};

use crate::data::{Frame, checksum, default_name};
use crate::schema::{Coding, Schema};
use crate::split::{ordinary_rows, split};

/// Runs an expression with a const row length that `bits` fits: the smallest of 64, 256, 1024 and 4096.
#[macro_export]
macro_rules! with_capacity {
    ($bits:expr, $N:ident => $body:expr) => {
        match $bits {
            0..=64 => {
                const $N: usize = 64;
                $body
            }
            65..=256 => {
                const $N: usize = 256;
                $body
            }
            257..=1024 => {
                const $N: usize = 1024;
                $body
            }
            _ => {
                const $N: usize = 4096;
                $body
            }
        }
    };
}

/// A fitted model with its names.
#[derive(Clone, Debug)]
pub struct Artefact {
    /// The table's bytes, in words to be aligned.
    words: Vec<u32>,
    /// How many bits a row has.
    pub bits: usize,
    /// The columns, in model order.
    pub schema: Schema,
    /// What the host wants to know besides.
    pub notes: Notes,
}

/// What a `.srp` file says after its table, as JSON.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Notes {
    /// The file's columns; none when they are called x0, x1, …
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// How many columns the file has.
    pub columns: usize,
    /// The positions of the columns that are not modelled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<usize>,
    /// The texts of each category column, by code, with its position in the file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<(usize, Vec<String>)>,
    /// The column that marks anomalies, and its value on ordinary rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<(String, String)>,
    /// How it was fitted.
    pub fit: Provenance,
}

impl Provenance {
    /// "lintree, learned order, split gain 2.5, strength 5, seed 0; 1600 training rows".
    pub fn summary(&self) -> String {
        let settings = match (self.gamma, self.strength) {
            (Some(gamma), Some(strength)) => format!("split gain {gamma}, strength {strength}"),
            _ => "settings by conditional".into(),
        };
        let (family, order) = (self.family.name(), &self.order);
        format!("{family}, {order} order, {settings}, seed {}; {} training rows", self.seed, self.train_rows)
    }
}

/// Enough to make the same file again.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Provenance {
    pub version: String,
    pub family: crate::fit::Family,
    pub order: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gamma: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strength: Option<f64>,
    pub seed: u64,
    pub digest: u32,
    pub train_rows: usize,
    /// Shares of training, validation, calibration and held-out rows when one file was split.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<[f64; 4]>,
}

impl Notes {
    /// What is worth knowing of a schema and a fit.
    pub fn new(schema: &Schema, label: Option<(String, String)>, fit: Provenance) -> Self {
        let modelled = |i: &usize| schema.columns.iter().any(|coding| coding.file == *i);
        let labelled = schema.columns.iter().filter(|coding| !coding.labels.is_empty());
        Self {
            names: if schema.is_unnamed() { Vec::new() } else { schema.names.clone() },
            columns: schema.names.len(),
            left_out: (0..schema.names.len()).filter(|i| !modelled(i)).collect(),
            labels: labelled.map(|coding| (coding.file, coding.labels.clone())).collect(),
            label,
            fit,
        }
    }

    /// As they stand in the file: length, CRC-32, JSON.
    pub fn bytes(&self) -> Vec<u8> {
        let json = serde_json::to_vec(self).expect("notes are plain data");
        [&(json.len() as u32).to_le_bytes()[..], &checksum(&json).to_le_bytes(), &json].concat()
    }
}

impl Artefact {
    /// From a table's bytes and what belongs to it.
    ///
    /// # Errors
    /// The bytes are no table.
    pub fn new(table: &[u8], schema: &Schema, label: Option<(String, String)>, fit: Provenance) -> Result<Self> {
        Self::assemble(table, Notes::new(schema, label, fit))
    }

    fn assemble(table: &[u8], notes: Notes) -> Result<Self> {
        let words = table.chunks(4).map(|word| u32::from_ne_bytes(std::array::from_fn(|i| *word.get(i).unwrap_or(&0))));
        let mut artefact = Self { words: words.collect(), bits: 0, schema: Schema::default(), notes };
        let table = artefact.table::<4096>()?;
        (artefact.bits, artefact.schema) = (table.model.bits(), schema_of(table.encoder, &artefact.notes)?);
        Ok(artefact)
    }

    /// The table's bytes, aligned.
    pub fn table_bytes(&self) -> &[u8] {
        bytemuck::cast_slice(&self.words)
    }

    /// The core's table; N from [`with_capacity`].
    ///
    /// # Errors
    /// More bits than N.
    pub fn table<const N: usize>(&self) -> Result<Table<'_, N>, TableError> {
        Table::from_bytes(self.table_bytes())
    }

    /// The whole file: table, then notes.
    pub fn file_bytes(&self) -> Vec<u8> {
        [self.table_bytes(), &self.notes.bytes()].concat()
    }

    /// The table's detector.
    pub fn detector(&self) -> Detector {
        self.table::<4096>().expect("it was read before").detector
    }

    /// Reads a `.srp` file.
    ///
    /// # Errors
    /// It is not one, or not whole.
    pub fn read(path: &Path) -> Result<Self> {
        let shown = path.display();
        let bytes = std::fs::read(path)
            .with_context(|| format!("{shown}: cannot be read; pass the file that `surprisal fit` wrote"))?;
        let word =
            |at: usize| bytes.get(at..at + 4).map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]]));
        ensure!(bytes.starts_with(b"SRPL"), "{shown}: {}", TableError::Foreign);
        let whole = || anyhow!("{shown}: {}", TableError::Truncated);
        let length = word(8).ok_or_else(whole)? as usize;
        let table = bytes.get(..length).ok_or_else(whole)?;
        let (size, crc) = word(length).zip(word(length + 4)).with_context(|| {
            format!("{shown}: a bare table without names, as `surprisal export` writes for a board; pass the file that `surprisal fit` wrote")
        })?;
        let notes = bytes.get(length + 8..length + 8 + size as usize).ok_or_else(whole)?;
        ensure!(checksum(notes) == crc, "{shown}: {}", TableError::Corrupt);
        let notes =
            serde_json::from_slice(notes).with_context(|| format!("{shown}: notes of another version; fit again"))?;
        Self::assemble(table, notes).with_context(|| format!("{shown}: not usable"))
    }

    /// The rows of the training file that the fit did not see: its held-out share and every abnormal row.
    ///
    /// # Errors
    /// The model was fitted on separate files, or on another file than this.
    pub fn held_out(&self, frame: &Frame) -> Result<Vec<usize>> {
        let fit = &self.notes.fit;
        let shown = frame.path.display();
        let shares = fit.split.with_context(|| {
            format!("--held-out: the model was fitted on separate files, so no row of {shown} was held out; leave the flag out")
        })?;
        ensure!(
            frame.digest == fit.digest,
            "--held-out: {shown} is not the file that the model was fitted on, or was changed since; leave the flag out to use all its rows"
        );
        let ordinary = ordinary_rows(frame, self.notes.label.as_ref())?;
        let mut rows = split(ordinary.clone(), shares, fit.seed).held_out;
        rows.extend((0..frame.rows()).filter(|row| ordinary.binary_search(row).is_err()));
        rows.sort_unstable();
        Ok(rows)
    }

    /// The score of each row, as the board computes it.
    ///
    /// # Errors
    /// A reading that does not fit its column.
    pub fn scores(&self, readings: &[Vec<Reading>]) -> Result<Vec<Nats>> {
        use rayon::prelude::*;
        with_capacity!(self.bits, N => {
            let table = self.table::<N>()?;
            Ok(readings.par_iter().map(|row| table.score(row)).collect::<Result<_, _>>()?)
        })
    }
}

/// The schema, from what the table and the notes each know.
fn schema_of(encoder: Encoder, notes: &Notes) -> Result<Schema> {
    let names =
        if notes.names.is_empty() { (0..notes.columns).map(default_name).collect() } else { notes.names.clone() };
    let files: Vec<usize> = (0..notes.columns).filter(|i| !notes.left_out.contains(i)).collect();
    let columns = encoder.columns().map(|column| {
        let file = *files.get(usize::from(column.source)).context("the notes name fewer columns than the table has")?;
        let labels = notes.labels.iter().find(|(at, _)| *at == file).map(|(_, labels)| labels.clone());
        Ok(Coding {
            file,
            source: column.source,
            kind: column.kind,
            may_miss: column.may_miss,
            values: column.values.to_vec(),
            pivot: column.pivot,
            widths: column.widths.to_vec(),
            labels: labels.unwrap_or_default(),
            constant: false,
        })
    });
    Ok(Schema { names, columns: columns.collect::<Result<_>>()? })
}

/// Writes a file whole or not at all: into a temporary file beside it, then renamed. What is no ordinary file (a pipe,
/// a device) is written to as it is, and a link's target takes its place.
///
/// # Errors
/// The folder does not exist or cannot be written; the file is one of `inputs`, which would be lost.
pub fn write_whole(path: &Path, bytes: &[u8], inputs: &[&Path]) -> Result<()> {
    let failed = || format!("{}: cannot be written; check that the folder exists and is writable", path.display());
    let target = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    for input in inputs {
        let same = input.canonicalize().is_ok_and(|input| input == target);
        ensure!(!same, "{}: is an input and would be overwritten; name another file by -o", path.display());
    }
    if target.exists() && !target.is_file() {
        return std::fs::write(&target, bytes).with_context(failed);
    }
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    // As any new file; a temporary one would be its owner's alone.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.tempfile_in(folder).with_context(failed)?;
    file.write_all(bytes).and_then(|()| file.as_file().sync_all()).with_context(failed)?;
    file.persist(&target).with_context(failed)?;
    Ok(())
}
