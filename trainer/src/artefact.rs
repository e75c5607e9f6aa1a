//! The `.srp` file: the table that the board reads, and behind it what only the host needs.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result, anyhow, ensure};
use serde::{Deserialize, Serialize};
use surprisal::{Detector, Kind, Nats, Reading, Sum, Surprise, Table, TableError};

use crate::batch::Batch;
use crate::data::{Frame, Header, checksum, default_name};
use crate::schema::{Coding, Schema};
use crate::signal::{self, Windows};
use crate::split::{normal_rows, split};
use crate::stream::{History, PredictorTable, split_strategy};

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

/// The same for the [`Shape`](crate::artefact::Shape) of a table: N as above, and H and K zero if neither is needed.
#[macro_export]
macro_rules! with_shape {
    ($shape:expr, $N:ident, $H:ident, $K:ident => $body:expr) => {{
        let shape: $crate::artefact::Shape = $shape;
        if shape.units == 0 && shape.components == 0 {
            const $H: usize = 0;
            const $K: usize = 0;
            $crate::with_capacity!(shape.bits, $N => $body)
        } else {
            const $H: usize = $crate::artefact::Shape::MOST.units;
            const $K: usize = $crate::artefact::Shape::MOST.components;
            $crate::with_capacity!(shape.bits, $N => $body)
        }
    }};
}

/// What sizes the state of a table: N, H and K of [`surprisal::Table`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    /// Bits of a row.
    pub bits: usize,
    /// Hidden units.
    pub units: usize,
    /// Components of a mixture.
    pub components: usize,
}

impl Shape {
    /// What the host has room for.
    pub const MOST: Self = Self { bits: 4096, units: 256, components: 64 };

    /// That of a table's bytes.
    ///
    /// # Errors
    /// They are no table.
    pub fn of(bytes: &[u8]) -> Result<Self, TableError> {
        let table = Table::<{ Self::MOST.bits }, { Self::MOST.units }, { Self::MOST.components }>::from_bytes(bytes)?;
        let (Sum(_, Sum(nade, mixture)), _) = table.model.pieces();
        Ok(Self { bits: table.model.bits(), units: nade.units(), components: mixture.components() })
    }

    /// The state of a hidden unit, in bytes: its sum and itself.
    pub const UNIT_BYTES: usize = 6;

    /// The bytes that scoring keeps on the stack for a row and its walk: three a bit, those of each unit, four a component, and
    /// where the walk is.
    pub const fn state_bytes(self) -> usize {
        (3 * self.bits).next_multiple_of(4) + Self::UNIT_BYTES * self.units + 4 * self.components + 16
    }
}

/// A fitted model with its names.
#[derive(Clone, Debug)]
pub struct Artefact {
    /// The table's bytes, in words to be aligned.
    words: Vec<u32>,
    /// How many bits, units and components it has.
    pub shape: Shape,
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
        let mut settings = match (self.gamma, self.strength, &self.parts) {
            (Some(gamma), Some(strength), _) => format!("split gain {gamma}, strength {strength}"),
            (_, _, Some(parts)) => parts.clone(),
            _ => "settings by conditional".into(),
        };
        if let (Some(_), Some(parts)) = (self.gamma, &self.parts) {
            settings = format!("{parts}, {settings}");
        }
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
    /// What the model is made of, if the settings do not say it all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parts: Option<String>,
    pub seed: u64,
    pub digest: u32,
    pub train_rows: usize,
    /// Shares of training, validation, calibration and held-out rows when one file was split.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<[f64; 4]>,
    /// What is looked at besides a row, if anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<History>,
    /// What rows were made of, if they were made of a raw signal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<Windows>,
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
        let mut artefact = Self { words: words.collect(), shape: Shape::default(), schema: Schema::default(), notes };
        artefact.shape = Shape::of(artefact.table_bytes())?;
        artefact.schema = with_shape!(artefact.shape, N, H, K => {
            schema_of(&artefact.table::<N, H, K>()?, &artefact.notes)?
        });
        // A board makes sense of any table; what only the host does relies on these.
        for coding in artefact.schema.columns.iter().filter(|coding| matches!(coding.kind, Kind::Integer | Kind::Real))
        {
            let ascend = !coding.values.is_empty() && coding.values.windows(2).all(|pair| pair[0] < pair[1]);
            ensure!(ascend, "the edges of column {:?} do not ascend; fit again", artefact.schema.name(coding));
        }
        let channels = artefact.schema.predictor.view().width();
        let scored = artefact.schema.columns.iter().filter(|coding| !coding.given).count();
        ensure!(
            channels == 0 || channels == scored,
            "it has {channels} channels in time, and {scored} columns; fit again"
        );
        Ok(artefact)
    }

    /// The table's bytes, aligned.
    pub fn table_bytes(&self) -> &[u8] {
        bytemuck::cast_slice(&self.words)
    }

    /// The core's table; N, H and K from [`with_shape`].
    ///
    /// # Errors
    /// More bits than N, units than H or components than K.
    pub fn table<const N: usize, const H: usize, const K: usize>(&self) -> Result<Table<'_, N, H, K>, TableError> {
        Table::from_bytes(self.table_bytes())
    }

    /// The whole file: table, then notes.
    pub fn file_bytes(&self) -> Vec<u8> {
        [self.table_bytes(), &self.notes.bytes()].concat()
    }

    /// The table's detector.
    pub fn detector(&self) -> Detector<'_> {
        with_shape!(self.shape, N, H, K => self.table::<N, H, K>().expect("it was read before").detector)
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

    /// Reads a file of what the model was fitted on: rows, or a raw signal that is made into rows.
    ///
    /// # Errors
    /// Whatever is wrong with the file, with its place.
    pub fn frame(&self, path: &Path, header: Header) -> Result<Frame> {
        let frame = signal::read(self.notes.fit.signal, path, header)?;
        let Some(history) = &self.notes.fit.history else { return Ok(frame) };
        history.unroll(&frame, &self.channels(), &self.schema.predictor, self.notes.label.as_ref())
    }

    /// The columns of a row in time.
    fn channels(&self) -> Vec<String> {
        let mut scored: Vec<_> = self.schema.columns.iter().filter(|coding| !coding.given).collect();
        scored.sort_by_key(|coding| coding.source);
        scored.into_iter().map(|coding| self.schema.name(coding).to_owned()).collect()
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
        let ordinary = normal_rows(frame, self.notes.label.as_ref())?;
        let mut rows =
            split(ordinary.clone(), shares, split_strategy(fit.signal, fit.history.as_ref(), fit.seed)).held_out;
        rows.extend((0..frame.rows()).filter(|row| ordinary.binary_search(row).is_err()));
        rows.sort_unstable();
        Ok(rows)
    }

    /// The score of each row beside its largest part, as the board computes them.
    ///
    /// # Errors
    /// A reading that does not fit its column.
    pub fn surprises(&self, readings: &[Vec<Reading>]) -> Result<Vec<Surprise>> {
        use rayon::prelude::*;
        with_shape!(self.shape, N, H, K => {
            let table = self.table::<N, H, K>()?;
            Ok(match Batch::new(&table) {
                Some(batch) => batch.surprises(readings)?,
                None => readings.par_iter().map(|row| table.surprise(row)).collect::<Result<_, _>>()?,
            })
        })
    }

    /// The score of each row, as the board computes it.
    ///
    /// # Errors
    /// A reading that does not fit its column.
    pub fn scores(&self, readings: &[Vec<Reading>]) -> Result<Vec<Nats>> {
        use rayon::prelude::*;
        with_shape!(self.shape, N, H, K => {
            let table = self.table::<N, H, K>()?;
            Ok(match Batch::new(&table) {
                Some(batch) => batch.scores(readings)?,
                None => readings.par_iter().map(|row| table.score(row)).collect::<Result<_, _>>()?,
            })
        })
    }
}

/// The schema, from what the table and the notes each know.
fn schema_of<const N: usize, const H: usize, const K: usize>(table: &Table<N, H, K>, notes: &Notes) -> Result<Schema> {
    let channels = table.predictor.width();
    let names =
        if notes.names.is_empty() { (0..notes.columns).map(default_name).collect() } else { notes.names.clone() };
    let files: Vec<usize> = (0..notes.columns).filter(|i| !notes.left_out.contains(i)).collect();
    let columns = table.encoder.columns().map(|column| {
        let file = *files.get(usize::from(column.source)).context("the notes name fewer columns than the table has")?;
        let labels = notes.labels.iter().find(|(at, _)| *at == file).map(|(_, labels)| labels.clone());
        Ok(Coding {
            file,
            source: column.source,
            kind: column.kind,
            may_miss: column.may_miss,
            values: column.values.to_vec(),
            pivot: column.pivot,
            reach: column.reach,
            widths: column.widths.to_vec(),
            labels: labels.unwrap_or_default(),
            given: channels > 0 && usize::from(column.source) >= channels,
            ..Coding::default()
        })
    });
    let (words, weights) = table.predictor.slices();
    let predictor = PredictorTable { words: words.to_vec(), weights: weights.to_vec() };
    Ok(Schema { names, columns: columns.collect::<Result<_>>()?, predictor })
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
