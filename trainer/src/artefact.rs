//! The `.srp` file: the table that the board reads, and behind it what only the host needs.

use std::path::Path;

use serde::{Deserialize, Serialize};
use surprisal::{Detector, Kind, Nats, Reading, RowScore, Table, TableError};

use crate::batch::Batch;
use crate::data::{Frame, Header, checksum, default_name};
use crate::error::{Error, Result};
use crate::history::{History, split_strategy};
use crate::names::Named;
use crate::predictor::PredictorTable;
use crate::schema::{ColumnEncoding, Schema};
use crate::shape::Shape;
use crate::split::{normal_rows, split};
use crate::windows::{self, Windows};
use crate::with_shape;

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
    /// Describes the fit in one line: "linear-trees, learned order, split gain 2.5, strength 5, seed 0; 1600 training rows".
    pub fn summary(&self) -> String {
        let mut settings = match (self.gamma, self.strength, &self.terms) {
            (Some(gamma), Some(strength), _) => format!("split gain {gamma}, strength {strength}"),
            (_, _, Some(terms)) => terms.clone(),
            _ => "settings by conditional".into(),
        };
        if let (Some(_), Some(terms)) = (self.gamma, &self.terms) {
            settings = format!("{terms}, {settings}");
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
    /// The terms of the model, if the settings do not describe it completely.
    #[serde(default, alias = "parts", skip_serializing_if = "Option::is_none")]
    pub terms: Option<String>,
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
        let modelled = |i: &usize| schema.columns.iter().any(|encoding| encoding.file == *i);
        let labelled = schema.columns.iter().filter(|encoding| !encoding.labels.is_empty());
        Self {
            names: if schema.is_unnamed() { Vec::new() } else { schema.names.clone() },
            columns: schema.names.len(),
            left_out: (0..schema.names.len()).filter(|i| !modelled(i)).collect(),
            labels: labelled.map(|encoding| (encoding.file, encoding.labels.clone())).collect(),
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
        for encoding in
            artefact.schema.columns.iter().filter(|encoding| matches!(encoding.kind, Kind::Integer | Kind::Real))
        {
            let ascend = !encoding.values.is_empty() && encoding.values.windows(2).all(|pair| pair[0] < pair[1]);
            if !ascend {
                let name = artefact.schema.name(encoding);
                return Err(Error::Inconsistent(format!("the edges of column `{name}` do not ascend; fit again")));
            }
        }
        let channels = artefact.schema.predictor.view().width();
        let scored = artefact.schema.columns.iter().filter(|encoding| !encoding.observed).count();
        if channels != 0 && channels != scored {
            let message = format!("the predictor has {channels} channels, but the model {scored} columns; fit again");
            return Err(Error::Inconsistent(message));
        }
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
    /// [`Error::Io`] if it cannot be read; [`Error::Model`] if it is no `.srp` file with notes, or not whole.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes =
            std::fs::read(path).map_err(Error::io(path, "cannot be read; pass the file that `surprisal fit` wrote"))?;
        let fault = |error: TableError| Error::model(path, error.to_string());
        let word =
            |at: usize| bytes.get(at..at + 4).map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]]));
        if !bytes.starts_with(b"SRPL") {
            return Err(fault(TableError::NotATable));
        }
        let whole = || fault(TableError::Truncated);
        let length = word(8).ok_or_else(whole)? as usize;
        let table = bytes.get(..length).ok_or_else(whole)?;
        let (size, crc) = word(length).zip(word(length + 4)).ok_or_else(|| {
            let message = "a bare table without names, as `surprisal export` writes for a board; pass the file that \
                           `surprisal fit` wrote";
            Error::model(path, message)
        })?;
        let notes = bytes.get(length + 8..length + 8 + size as usize).ok_or_else(whole)?;
        if checksum(notes) != crc {
            return Err(fault(TableError::Corrupt));
        }
        let notes = serde_json::from_slice(notes)
            .map_err(|error| Error::model(path, "notes of another version; fit again").caused_by(error))?;
        Self::assemble(table, notes).map_err(|error| Error::model(path, "cannot be used").caused_by(error))
    }

    /// Reads a file of what the model was fitted on: rows, or a raw signal that is made into rows.
    ///
    /// # Errors
    /// Whatever is wrong with the file, with its place.
    pub fn frame(&self, path: &Path, header: Header) -> Result<Frame> {
        let frame = windows::read(self.notes.fit.signal, path, header)?;
        let Some(history) = &self.notes.fit.history else { return Ok(frame) };
        history.unroll(&frame, &self.channels(), &self.schema.predictor, self.notes.label.as_ref())
    }

    /// The columns of a row in time.
    fn channels(&self) -> Vec<String> {
        let mut scored: Vec<_> = self.schema.columns.iter().filter(|encoding| !encoding.observed).collect();
        scored.sort_by_key(|encoding| encoding.source);
        scored.into_iter().map(|encoding| self.schema.name(encoding).to_owned()).collect()
    }

    /// The rows of the training file that the fit did not see: its held-out share and every abnormal row.
    ///
    /// # Errors
    /// The model was fitted on separate files, or on another file than this.
    pub fn held_out(&self, frame: &Frame) -> Result<Vec<usize>> {
        let fit = &self.notes.fit;
        let shown = frame.path.display();
        let fault = |message: String| Error::option("--held-out", message);
        let shares = fit.split.ok_or_else(|| {
            let what = "the model was fitted on separate files";
            fault(format!("{what}, so that no row of {shown} was held out; leave the flag out"))
        })?;
        if frame.digest != fit.digest {
            let what = "is not the file that the model was fitted on, or was changed since";
            return Err(fault(format!("{shown} {what}; leave the flag out to use all its rows")));
        }
        let normal = normal_rows(frame, self.notes.label.as_ref())?;
        let strategy = split_strategy(fit.signal, fit.history.as_ref(), fit.seed);
        let mut rows = split(normal.clone(), shares, strategy).held_out;
        rows.extend((0..frame.rows()).filter(|row| normal.binary_search(row).is_err()));
        rows.sort_unstable();
        Ok(rows)
    }

    /// The score of each row beside its largest part, as the board computes them.
    ///
    /// # Errors
    /// A reading that does not fit its column.
    pub fn scores(&self, readings: &[Vec<Reading>]) -> Result<Vec<RowScore>> {
        use rayon::prelude::*;
        with_shape!(self.shape, N, H, K => {
            let table = self.table::<N, H, K>()?;
            Ok(match Batch::new(&table) {
                Some(batch) => batch.scores(readings)?,
                None => readings.par_iter().map(|row| table.score(row)).collect::<Result<_, _>>()?,
            })
        })
    }

    /// The score of each row, as the board computes it.
    ///
    /// # Errors
    /// A reading that does not fit its column.
    pub fn surprisals(&self, readings: &[Vec<Reading>]) -> Result<Vec<Nats>> {
        use rayon::prelude::*;
        with_shape!(self.shape, N, H, K => {
            let table = self.table::<N, H, K>()?;
            Ok(match Batch::new(&table) {
                Some(batch) => batch.surprisals(readings)?,
                None => readings.par_iter().map(|row| table.surprisal(row)).collect::<Result<_, _>>()?,
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
    let columns = table.encoder.columns().map(|(column, _)| {
        let file = *files
            .get(usize::from(column.source))
            .ok_or_else(|| Error::Inconsistent("the notes name fewer columns than the table has; fit again".into()))?;
        let labels = notes.labels.iter().find(|(at, _)| *at == file).map(|(_, labels)| labels.clone());
        Ok(ColumnEncoding {
            file,
            source: column.source,
            kind: column.kind,
            may_miss: column.may_miss,
            values: column.values.to_vec(),
            pivot: column.pivot,
            tail_scale: column.tail_scale,
            log_widths: column.log_widths.to_vec(),
            labels: labels.unwrap_or_default(),
            observed: channels > 0 && usize::from(column.source) >= channels,
            ..ColumnEncoding::default()
        })
    });
    let slices = table.predictor.slices();
    let predictor = PredictorTable { words: slices.words.to_vec(), weights: slices.weights.to_vec() };
    Ok(Schema { names, columns: columns.collect::<Result<_>>()?, predictor })
}
