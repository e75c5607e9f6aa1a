//! Reads files of rows: text in any common dialect, and tables in NumPy's formats.

use std::collections::HashMap;
use std::path::Path;

use super::dialect::Dialect;
use super::header::column_names;
use super::input::{Bytes, STEP, read_decompressed, shown};
use super::kind::Kind;
use super::left_out::{LeftOut, Line};
use super::lines::{Record, Records, Separator};
use super::options::{Decimal, ReadOptions};
use super::{Cells, Frame, FrameColumn, Header, Texts, checksum, number, numpy, text};
use crate::counted::counted;
use crate::error::{Error, Result};
use crate::observer::{Event, Observer};
use crate::warning::Warning;

impl Frame {
    /// Reads a file of rows within the default limits, and recognises how it is written.
    ///
    /// # Errors
    /// The errors of [`read_with`](Self::read_with).
    pub fn read(path: &Path, header: Header) -> Result<Self> {
        Self::read_with(path, &header.into())
    }

    /// Reads a file of rows: text whose lines are rows, plain or compressed, or a table in NumPy's formats. The path `-`
    /// is standard input.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be read; [`Error::Input`] if it is of another kind, has no rows, has more lines
    /// than allowed that cannot be read, or exceeds the limits.
    pub fn read_with(path: &Path, options: &ReadOptions) -> Result<Self> {
        Self::read_observed(path, options, &())
    }

    /// Reads a file of rows as [`read_with`](Self::read_with) does, and reports progress to an observer.
    ///
    /// # Errors
    /// The errors of [`read_with`](Self::read_with).
    pub fn read_observed(path: &Path, options: &ReadOptions, observer: &dyn Observer) -> Result<Self> {
        Self::decode(&shown(path), read_decompressed(path, &options.limits, observer)?, options, observer)
    }

    /// Reads rows from the decompressed bytes of a file. `path` names the file in messages.
    ///
    /// # Errors
    /// The errors of [`read_with`](Self::read_with).
    pub fn from_bytes(path: &Path, bytes: Vec<u8>, options: &ReadOptions) -> Result<Self> {
        Self::decode(path, bytes, options, &())
    }

    /// Reads rows as [`from_bytes`](Self::from_bytes) does, and reports progress to an observer.
    ///
    /// # Errors
    /// The errors of [`read_with`](Self::read_with).
    pub(crate) fn decode(path: &Path, bytes: Vec<u8>, options: &ReadOptions, observer: &dyn Observer) -> Result<Self> {
        let kind = Kind::of(&bytes);
        match kind {
            Kind::Text => {}
            Kind::Npy | Kind::Zip => {
                let mut frame = numpy::table(path, &bytes, options, observer)?;
                frame.empty_codes(options);
                return Ok(frame);
            }
            #[cfg(feature = "parquet")]
            Kind::Parquet => {
                let mut frame = super::parquet::table(path, bytes, options, observer)?;
                frame.empty_codes(options);
                return Ok(frame);
            }
            Kind::Wav => {
                let message = "is a sound; fit it as a raw signal with --signal, for example --signal 2048:512";
                return Err(Error::input(path, message));
            }
            Kind::Other(name, advice) => return Err(Error::input(path, format!("is {name}; {advice}"))),
        }
        if super::is_npy(path) {
            let message = "not a .npy file; write it with numpy.save, or pass rows as CSV";
            return Err(Error::input(path, message));
        }
        let (digest, length) = (checksum(&bytes), bytes.len());
        let (text, encoding) = text::decode(path, bytes, &options.limits)?;
        let mut frame = rows(path, &text, options, observer)?;
        (frame.digest, frame.bytes) = (digest, length);
        if let Some(encoding) = encoding {
            frame.remark(format!("read as {encoding}, because it is not UTF-8"));
        }
        frame.rewrite_numbers(options);
        frame.empty_codes(options);
        Ok(frame)
    }

    /// Adds a remark about the whole file.
    fn remark(&mut self, message: String) {
        let file = self.path.display().to_string();
        self.remarks.push(Warning { file, column: String::new(), message });
    }

    /// Adds a remark about columns whose names had to be made distinct.
    pub(super) fn remark_renamed(&mut self, renamed: &[String]) {
        if !renamed.is_empty() {
            self.remark(format!("several columns have one name; they are called {}", renamed.join(", ")));
        }
    }

    /// Rewrites numbers with decimal commas, thousands separators or units as programs write numbers.
    pub(super) fn rewrite_numbers(&mut self, options: &ReadOptions) {
        let decimal = options.decimal;
        let is_comma = decimal == Some(Decimal::Comma);
        let find = |column: &FrameColumn| match &column.cells {
            Cells::Text(texts) if !options.time.contains(&column.name) => number::unusual(texts, is_comma),
            _ => None,
        };
        let mut found: Vec<Option<number::Unusual>> = self.columns.iter().map(find).collect();
        let evidence = || found.iter().flatten().map(|unusual| unusual.evidence);
        let (comma, point) = (evidence().any(|found| found.comma), evidence().any(|found| found.point));
        if decimal.is_none() && comma && !point {
            // Where other columns have decimal commas, the point of `1.234` groups thousands.
            for (column, unusual) in self.columns.iter().zip(&mut found).filter(|(_, unusual)| unusual.is_none()) {
                if let Cells::Text(texts) = &column.cells
                    && !options.time.contains(&column.name)
                {
                    *unusual = number::grouped(texts);
                }
            }
        }
        for (column, unusual) in self.columns.iter_mut().zip(&found) {
            let (Some(unusual), Cells::Text(texts)) = (unusual, &mut column.cells) else { continue };
            let own = unusual.evidence;
            let decimal = match decimal {
                Some(Decimal::Comma) => b',',
                Some(Decimal::Point) => b'.',
                None if own.comma && !own.point => b',',
                None if own.point || !own.is_open => b'.',
                // `1,234` alone may be either; other columns may tell.
                None if comma && !point => b',',
                None if point && !comma => b'.',
                None => continue,
            };
            let Some((unit, example)) = number::rewrite(texts, unusual, decimal) else { continue };
            let unit = if unit.is_empty() { String::new() } else { format!(", in the unit `{unit}`") };
            let message = format!("numbers are read as in this example: {example}{unit}");
            let file = self.path.display().to_string();
            self.remarks.push(Warning { file, column: column.name.clone(), message });
        }
    }
}

/// Reads the rows of a text.
fn rows(path: &Path, text: &str, options: &ReadOptions, observer: &dyn Observer) -> Result<Frame> {
    let limits = &options.limits;
    let dialect = Dialect::find(path, text, options)?;
    let names = dialect.names.as_deref();
    let width = dialect.width;
    limits.check_columns(path, width)?;
    let mut columns: Vec<(Texts, HashMap<String, u32>)> = Vec::new();
    columns.resize_with(width, Default::default);
    let mut frame = Frame { path: path.to_owned(), unit: "line", ..Frame::default() };
    let mut left_out = LeftOut::default();
    let mut records = Records::new(text, dialect.separator.unwrap_or(Separator::Comma), limits.row_bytes);
    let mut record = Record::default();
    let mut blank: Vec<u64> = Vec::new();
    observer.event(Event::Stage { name: &format!("reading {}", path.display()), steps: text.len().div_ceil(STEP) });
    let mut read = 0;
    while let Some(outcome) = records.next(&mut record) {
        let line = record.line;
        while read + STEP <= records.position(text) {
            read += STEP;
            observer.event(Event::Step);
        }
        let is_cut = records.is_at_end() && !text.ends_with(['\n', '\r']);
        match dialect.line(outcome, &record, line, is_cut) {
            Line::TooLong => {
                let most = Bytes(limits.row_bytes as u64);
                let message =
                    format!("a row of more than {most}; check that each row has its own line and quotes are closed");
                return Err(Error::input(path, message).at("line", line));
            }
            Line::Blank => {
                // Rows without any cell are spreadsheet padding at the end, and rows in the middle.
                blank.push(line);
                limits.check_cells(path, frame.lines.len() + blank.len(), width)?;
            }
            Line::Row => {
                if left_out.take_gap() && !frame.lines.is_empty() {
                    frame.starts.push(frame.lines.len());
                }
                limits.check_cells(path, frame.lines.len() + 1 + blank.len(), width)?;
                for line in blank.drain(..) {
                    columns.iter_mut().for_each(|(texts, codes)| texts.push("", codes));
                    frame.lines.push(line);
                }
                for (at, (texts, codes)) in columns.iter_mut().enumerate() {
                    texts.push(record.cell(at), codes);
                }
                frame.lines.push(line);
            }
            other => left_out.add(other, line),
        }
    }
    if left_out.bad.count > options.skip_bad {
        return Err(left_out.bad.error(path, frame.lines.len(), names.is_some()));
    }
    if frame.lines.is_empty() {
        return Err(Error::input(path, "no rows; expected one row of readings per line"));
    }
    frame.skipped = left_out.bad.count;
    dialect.remarks.iter().for_each(|remark| frame.remark(remark.clone()));
    left_out.remarks("; a new session begins after each").into_iter().for_each(|remark| frame.remark(remark));
    if !blank.is_empty() {
        frame.remark(format!("{} without any cell at the end left out", counted(blank.len(), "row")));
    }
    let (names, renamed) = column_names(names, width);
    frame.remark_renamed(&renamed);
    let is_padding = |(at, texts): (usize, &Texts)| {
        dialect.names.as_ref().is_none_or(|names| names[at].is_empty()) && texts.distinct.iter().all(String::is_empty)
    };
    let columns = columns.into_iter().map(|(texts, _)| texts).enumerate();
    let kept = columns.filter(|(at, texts)| width == 1 || !is_padding((*at, texts)));
    let mut names = names.into_iter().map(Some).collect::<Vec<_>>();
    let column = |(at, texts): (usize, Texts)| FrameColumn {
        name: names[at].take().unwrap_or_default(),
        cells: Cells::Text(texts),
    };
    frame.columns = kept.map(column).collect();
    Ok(frame)
}
