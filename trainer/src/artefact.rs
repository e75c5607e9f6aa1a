//! The artefact of a fit: the table that the device reads, and the notes that only the host reads. A `.srp` file holds
//! both.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use surprisal::{Blame, Detector, Fingerprint, Nats, Reading, RowScore, Table, TableError, View, ViewTable};

use crate::batch::Batch;
use crate::data::input::{InputLimits, read_bytes};
use crate::data::{Frame, Header, ReadOptions, checksum};
use crate::error::{Error, Result};
use crate::history::split_strategy;
use crate::observer::{Event, Observer};
use crate::row_table::{self, RowTable};
use crate::schema::Schema;
use crate::shape::Shape;
use crate::split::{normal_rows, split};
use crate::warning::Warning;
use crate::windows;
use crate::{with_shape, with_views};

mod check;
mod notes;

/// Number of rows that are in memory as readings at a time while a file is scored.
pub const ROWS_AT_ONCE: usize = 1 << 15;

pub use notes::{Notes, Provenance, Recalibrated};

/// A fitted model as a `.srp` file stores it: its table and its notes.
#[derive(Clone, Debug)]
pub struct Artefact {
    /// Bytes of the table, stored as words because a table must be aligned to four bytes.
    words: Vec<u32>,
    /// Capacities N, H and K that the table needs.
    pub shape: Shape,
    /// Columns of the table, in model order.
    pub schema: Schema,
    /// Column names, labels and provenance of the model.
    pub notes: Notes,
}

impl Artefact {
    /// Creates an artefact from the bytes of a table, its schema, the label column with its normal value, and the
    /// provenance.
    ///
    /// # Errors
    /// [`Error::Table`] if the bytes are not a table; [`Error::Inconsistent`] if they do not fit the schema.
    pub fn new(table: &[u8], schema: &Schema, label: Option<(String, String)>, fit: Provenance) -> Result<Self> {
        Self::assemble(table, Notes::new(schema, label, fit))
    }

    /// Returns this artefact with another table of the same columns.
    ///
    /// # Errors
    /// The errors of [`new`](Self::new).
    pub fn with_table(&self, table: &[u8]) -> Result<Self> {
        Self::assemble(table, self.notes.clone())
    }

    fn assemble(table: &[u8], notes: Notes) -> Result<Self> {
        notes.check()?;
        let words = table.chunks(4).map(|word| u32::from_ne_bytes(std::array::from_fn(|i| *word.get(i).unwrap_or(&0))));
        let mut artefact = Self { words: words.collect(), shape: Shape::default(), schema: Schema::default(), notes };
        artefact.shape = Shape::of(artefact.table_bytes())?;
        let schema = check::schema(&*artefact.open()?, &artefact.notes)?;
        check::views(&artefact.views()?, &schema)?;
        artefact.schema = schema;
        Ok(artefact)
    }

    /// Returns the bytes of the table, which are aligned to four bytes.
    pub fn table_bytes(&self) -> &[u8] {
        bytemuck::cast_slice(&self.words)
    }

    /// Returns the device crate's table. Take N, H and K from [`with_shape`].
    ///
    /// # Errors
    /// [`TableError`] if the table exceeds the capacities N, H and K.
    pub fn table<const N: usize, const H: usize, const K: usize>(&self) -> Result<Table<'_, N, H, K>, TableError> {
        Table::from_bytes(self.table_bytes(), Fingerprint::ANY)
    }

    /// Returns the device crate's table of views. Take C and V from [`with_views`].
    ///
    /// # Errors
    /// [`TableError`] if the table has other views, or more columns than C.
    pub fn view_table<const C: usize, const V: usize>(&self) -> Result<ViewTable<'_, C, V>, TableError> {
        ViewTable::from_bytes(self.table_bytes(), Fingerprint::ANY)
    }

    /// Returns the table, of either kind, as a trait object.
    ///
    /// # Errors
    /// [`TableError`] if the table cannot be read.
    pub fn open(&self) -> Result<Box<dyn RowTable + '_>, TableError> {
        row_table::open(self.table_bytes(), self.shape)
    }

    /// Returns the views of a table of outcome tables; none if it holds a model of bits.
    ///
    /// # Errors
    /// [`TableError`] if the table cannot be read.
    pub fn views(&self) -> Result<Vec<View<'_>>, TableError> {
        Ok(match self.shape.views {
            0 => Vec::new(),
            _ => with_views!(self.shape, C, V => self.view_table::<C, V>()?.views.to_vec()),
        })
    }

    /// Returns the bytes of the `.srp` file: the table, then the notes.
    pub fn file_bytes(&self) -> Vec<u8> {
        [self.table_bytes(), &self.notes.bytes()].concat()
    }

    /// Returns the detector in the table, which is off if the model was not calibrated.
    pub fn detector(&self) -> Detector<'_> {
        // Read with the lifetime of the bytes, which the trait object hides.
        match self.shape.views {
            0 => with_shape!(self.shape, N, H, K => self.table::<N, H, K>().map(|table| table.detector)),
            _ => with_views!(self.shape, C, V => self.view_table::<C, V>().map(|table| table.detector)),
        }
        .expect("`assemble` has read the table before")
    }

    /// Reads a `.srp` file.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be read; [`Error::Model`] if it is not a `.srp` file with notes, is truncated
    /// or corrupt, or if its notes contradict each other or the table.
    pub fn read(path: &Path) -> Result<Self> {
        let advice = "cannot be read; pass the file that `surprisal fit` wrote";
        Self::from_bytes(path, &read_bytes(path, &InputLimits::default(), advice)?)
    }

    /// Reads the bytes of a `.srp` file, which [`file_bytes`](Self::file_bytes) returns. `path` names them in messages.
    ///
    /// # Errors
    /// The errors of [`read`](Self::read), except [`Error::Io`].
    pub fn from_bytes(path: &Path, bytes: &[u8]) -> Result<Self> {
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
            let message = "is a bare table without names, as `surprisal export` writes for a board; pass the file that \
                           `surprisal fit` wrote";
            Error::model(path, message)
        })?;
        let notes = bytes.get(length + 8..length + 8 + size as usize).ok_or_else(whole)?;
        if checksum(notes) != crc {
            return Err(fault(TableError::Corrupt));
        }
        let notes = serde_json::from_slice(notes).map_err(|error| {
            Error::model(path, "the notes are from another version of surprisal; fit again").caused_by(error)
        })?;
        Self::assemble(table, notes).map_err(|error| {
            Error::model(
                path,
                "has an invalid table, or notes that contradict it; pass the file that `surprisal fit` wrote",
            )
            .caused_by(error)
        })
    }

    /// Reads one file of the kind that the model was fitted on, as [`frame_of`](Self::frame_of) does.
    ///
    /// # Errors
    /// The errors of [`frame_of`](Self::frame_of).
    pub fn frame(&self, path: &Path, header: Header) -> Result<Frame> {
        self.frame_of(&[path.to_owned()], &header.into())
    }

    /// Reads files of the kind that the model was fitted on: rows, a time series or a raw signal. The codes of missing
    /// readings are those of the fit and those of the options; the column of labels is that of the options, or else of the fit.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be read; [`Error::Input`], with the place in the file, if it is invalid.
    pub fn frame_of(&self, paths: &[PathBuf], options: &ReadOptions) -> Result<Frame> {
        self.frame_observed(paths, options, &())
    }

    /// Reads files as [`frame_of`](Self::frame_of) does, and reports progress to an observer.
    ///
    /// # Errors
    /// The errors of [`frame_of`](Self::frame_of).
    pub fn frame_observed(&self, paths: &[PathBuf], options: &ReadOptions, observer: &dyn Observer) -> Result<Frame> {
        self.frame_from(options, |options| windows::read_observed(self.notes.fit.signal, paths, options, observer))
    }

    /// Prepares rows that `read` returns, as [`frame_of`](Self::frame_of) does those of a file. `read` gets the options with
    /// those of the fit.
    ///
    /// # Errors
    /// The errors of `read`, and those of [`frame_of`](Self::frame_of).
    pub fn frame_from(&self, options: &ReadOptions, read: impl FnOnce(&ReadOptions) -> Result<Frame>) -> Result<Frame> {
        let mut options = options.clone();
        let Provenance { missing, channels_left_out, time, .. } = &self.notes.fit;
        options.missing.extend(missing);
        let is_required = !options.time.is_empty();
        if !is_required {
            options.time.clone_from(time);
        }
        options.label = options.label.or_else(|| self.notes.label.as_ref().map(|(column, _)| column.clone()));
        options.channels_left_out.clone_from(channels_left_out);
        options.machine = self.notes.fit.machine.as_ref().map(|machine| machine.column.clone());
        let mut frame = read(&options)?;
        // A file of one machine need not name it.
        if let Some(machine) = self.notes.fit.machine.as_ref().filter(|machine| frame.position(&machine.column).is_ok())
        {
            frame = frame.of_machine(machine, &options.time)?;
        }
        // Rows of devices in use may come without the time stamps of the fit.
        if is_required {
            frame.require_stamps(&options.time)?;
        }
        self.prepared(frame, options.skip_bad)
    }

    /// Returns rows as the model reads them: without bad rows, of which there may be `skip_bad`, and as residuals of a time
    /// series.
    pub(crate) fn prepared(&self, mut frame: Frame, skip_bad: usize) -> Result<Frame> {
        if self.notes.fit.signal.is_none() {
            frame = self.schema.without_bad_rows(frame, skip_bad)?;
        }
        let modelled: HashSet<&str> = self.schema.columns.iter().map(|encoding| self.schema.name(encoding)).collect();
        frame.mark_blank(|name| modelled.contains(name));
        let Some(history) = &self.notes.fit.history else { return Ok(frame) };
        history.residuals(&frame, &self.channels(), &self.schema.predictor, self.notes.label.as_ref())
    }

    /// Returns the names of the channels of a time series, in the order in which the device receives the readings.
    fn channels(&self) -> Vec<String> {
        let columns = self.schema.readings_of_a_row();
        columns.into_iter().map(|encoding| self.schema.name(encoding).to_owned()).collect()
    }

    /// Returns the indices of the rows of the training file that the fit did not use: the held-out share and all
    /// anomalous rows.
    ///
    /// # Errors
    /// [`Error::Option`] if the model was fitted on separate files, or if `frame` is not the file on which it was
    /// fitted.
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
        if let Some(rows) = fit.rows.filter(|&rows| rows != frame.rows()) {
            let found = frame.rows();
            return Err(fault(format!(
                "the fit read {rows} rows of {shown}, and now there are {found}; pass the options of the fit, such as \
                 --skip-bad, or leave the flag out"
            )));
        }
        let normal = normal_rows(frame, self.notes.label.as_ref())?;
        let strategy = split_strategy(fit.signal, fit.history.as_ref(), fit.seed, fit.stretch);
        let mut rows = split(normal.clone(), shares, strategy).held_out;
        rows.extend((0..frame.rows()).filter(|&row| normal.binary_search(&row).is_err() && !frame.is_blank(row)));
        rows.sort_unstable();
        Ok(rows)
    }

    /// Returns a warning if the model was fitted on this file and all its rows are selected, so that it knows most of them.
    pub fn warning_of_fit(&self, frame: &Frame, selected: usize) -> Option<Warning> {
        let message = "the model was fitted on this file, and knows its training rows too well for figures and thresholds that \
                       hold for new rows; pass --held-out, or rows of another day";
        let is_own = self.notes.fit.digest == frame.digest && selected == frame.rows();
        let file = frame.path.display().to_string();
        is_own.then(|| Warning { file, column: String::new(), message: message.into() })
    }

    /// Returns the scores of the rows with these indices of a file, and reports progress to an observer. Only a part of
    /// the rows is in memory as readings at any time.
    ///
    /// # Errors
    /// The errors of [`Schema::all_readings`], and [`Error::Encode`] if a reading does not fit its column.
    pub fn scores_of(&self, frame: &Frame, rows: &[usize], observer: &dyn Observer) -> Result<Vec<RowScore>> {
        observer.event(Event::Stage { name: "scoring", steps: rows.len().div_ceil(ROWS_AT_ONCE) });
        let mut scores = Vec::with_capacity(rows.len());
        for some in rows.chunks(ROWS_AT_ONCE) {
            scores.append(&mut self.scores(&self.schema.all_readings(frame, some)?)?);
            observer.event(Event::Step);
        }
        Ok(scores)
    }

    /// Returns the score of each row, with the same result as [`Table::score`] on the device.
    ///
    /// # Errors
    /// [`Error::Encode`] if a reading does not fit its column.
    pub fn scores(&self, readings: &[Vec<Reading>]) -> Result<Vec<RowScore>> {
        if self.shape.views > 0 {
            let table = self.open()?;
            return Ok(readings.par_iter().map(|row| table.score(row)).collect::<Result<_, _>>()?);
        }
        with_shape!(self.shape, N, H, K => {
            let table = self.table::<N, H, K>()?;
            Ok(match Batch::new(&table).filter(|_| !readings.iter().any(|row| self.lacks(row))) {
                Some(batch) => batch.scores(readings)?,
                None => readings.par_iter().map(|row| table.score(row)).collect::<Result<_, _>>()?,
            })
        })
    }

    /// Returns whether a row lacks a reading that no training row lacks, which the device leaves out of the score.
    pub(crate) fn lacks(&self, row: &[Reading]) -> bool {
        let mut strict = self.schema.columns.iter().filter(|encoding| !encoding.may_miss);
        strict.any(|encoding| row.get(usize::from(encoding.source)).is_some_and(|reading| reading.is_missing()))
    }

    /// Returns for each row (`[row][source]`) the column that is most likely at fault, and its expected value, as
    /// [`Table::blame`] does on the device.
    ///
    /// # Errors
    /// [`Error::Encode`] if a reading does not fit its column.
    pub fn blame(&self, readings: &[Vec<Reading>]) -> Result<Vec<Blame>> {
        let table = self.open()?;
        Ok(readings.par_iter().map(|row| table.blame(&mut row.clone())).collect::<Result<_, _>>()?)
    }

    /// Returns the surprisal of each row, with the same result as [`Table::surprisal`] on the device.
    ///
    /// # Errors
    /// [`Error::Encode`] if a reading does not fit its column.
    pub fn surprisals(&self, readings: &[Vec<Reading>]) -> Result<Vec<Nats>> {
        if self.shape.views > 0 {
            let table = self.open()?;
            return Ok(readings.par_iter().map(|row| table.surprisal(row)).collect::<Result<_, _>>()?);
        }
        with_shape!(self.shape, N, H, K => {
            let table = self.table::<N, H, K>()?;
            Ok(match Batch::new(&table) {
                Some(batch) => batch.surprisals(readings)?,
                None => readings.par_iter().map(|row| table.surprisal(row)).collect::<Result<_, _>>()?,
            })
        })
    }
}
