//! Reads files of rows: text in any common dialect, and tables in NumPy's formats.

use std::collections::HashMap;
use std::path::Path;

use super::dialect::{Dialect, is_comment};
use super::header::column_names;
use super::input::{Bytes, STEP, read_decompressed, shown};
use super::kind::Kind;
use super::lines::{Outcome, Record, Records, Separator};
use super::options::{Decimal, ReadOptions};
use super::{Cells, Frame, FrameColumn, Header, Texts, checksum, number, numpy, text};
use crate::counted::counted;
use crate::error::{Error, Result};
use crate::observer::{Event, Observer};
use crate::warning::Warning;

/// Largest number of bad lines that a message names.
const NAMED: usize = 20;

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

/// Lines that cannot be read.
#[derive(Debug, Default)]
struct BadLines {
    /// (line, reason) of the first ones.
    first: Vec<(u64, String)>,
    count: usize,
}

impl BadLines {
    fn push(&mut self, line: u64, reason: impl Into<String>) {
        self.count += 1;
        if self.first.len() < NAMED {
            self.first.push((line, reason.into()));
        }
    }

    /// Returns the error that names the bad lines. `rows` is the number of other lines.
    fn error(self, path: &Path, rows: usize, is_named: bool) -> Error {
        let count = self.count;
        let hint = if rows < count && is_named {
            "; most lines differ from the line of names: give each column a name there, or pass --header no and --skip with \
             the number of lines before the rows; if commas are decimals too, export with semicolons"
        } else {
            ""
        };
        let (line, reason) = self.first.first().cloned().unwrap_or_default();
        let others: Vec<String> =
            self.first.iter().skip(1).map(|(line, reason)| format!("line {line}: {reason}")).collect();
        let more = if count > NAMED { format!("; and {} more", count - NAMED) } else { String::new() };
        let others = if others.is_empty() { String::new() } else { format!("; {}{more}", others.join("; ")) };
        let what = if count == 1 { "the line".into() } else { format!("the {count} lines") };
        let message = format!(
            "{reason}{others}; correct {what}, or leave {} out with --skip-bad {count}{hint}",
            if count == 1 { "it" } else { "them" }
        );
        Error::input(path, message).at("line", line)
    }
}

/// Counts of lines that are no rows, but no faults either.
#[derive(Debug, Default)]
struct LeftOut {
    headers: usize,
    lost: usize,
    blank: usize,
    cut: Option<u64>,
}

/// Reads the rows of a text.
fn rows(path: &Path, text: &str, options: &ReadOptions, observer: &dyn Observer) -> Result<Frame> {
    let limits = &options.limits;
    let dialect = Dialect::find(path, text, options)?;
    let names = dialect.names.as_deref();
    let width = dialect.width;
    limits.check_columns(path, width)?;
    let required =
        names.map_or(width, |names| names.iter().rposition(|name| !name.is_empty()).map_or(0, |last| last + 1));
    let mut columns: Vec<(Texts, HashMap<String, u32>)> = Vec::new();
    columns.resize_with(width, Default::default);
    let mut frame = Frame { path: path.to_owned(), unit: "line", ..Frame::default() };
    let (mut bad, mut left_out) = (BadLines::default(), LeftOut::default());
    let mut records = Records::new(text, dialect.separator.unwrap_or(Separator::Comma), limits.row_bytes);
    let mut record = Record::default();
    // Whether the next row follows a header, or a line that was left out.
    let (mut is_start, mut is_apart) = (false, false);
    let mut blank: Vec<u64> = Vec::new();
    observer.event(Event::Stage { name: &format!("reading {}", path.display()), steps: text.len().div_ceil(STEP) });
    let mut read = 0;
    while let Some(outcome) = records.next(&mut record) {
        let line = record.line;
        while read + STEP <= records.position(text) {
            read += STEP;
            observer.event(Event::Step);
        }
        match outcome {
            Outcome::TooLong => {
                let most = Bytes(limits.row_bytes as u64);
                let message =
                    format!("a row of more than {most}; check that each row has its own line and quotes are closed");
                return Err(Error::input(path, message).at("line", line));
            }
            _ if line <= dialect.rows_after => continue,
            Outcome::Empty => continue,
            Outcome::Lost => {
                left_out.lost += 1;
                is_apart = true;
            }
            Outcome::Bad(reason) => {
                bad.push(line, reason);
                is_apart = true;
            }
            Outcome::Row
                if dialect.has_comments
                    && is_comment(record.cell(0))
                    && (width == 1 || record.len() != width || !dialect.begins_with_names) => {}
            Outcome::Row if is_repeated(&dialect, &record) => {
                left_out.headers += usize::from(!is_start);
                is_start = true;
            }
            Outcome::Row => {
                let (found, filled) = (record.len(), record.trimmed_len());
                if filled == 0 && width > 1 {
                    // Rows without any cell are spreadsheet padding at the end, and rows in the middle.
                    blank.push(line);
                    limits.check_cells(path, frame.lines.len() + blank.len(), width)?;
                    continue;
                }
                if found < required || filled > width {
                    let is_cut = found < required && records.is_at_end() && !text.ends_with(['\n', '\r']);
                    if is_cut {
                        left_out.cut = Some(line);
                    } else {
                        bad.push(line, format!("{found} cells, expected {width}"));
                        is_apart = true;
                    }
                    continue;
                }
                if (std::mem::take(&mut is_start) | std::mem::take(&mut is_apart)) && !frame.lines.is_empty() {
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
        }
    }
    left_out.blank = blank.len();
    if bad.count > options.skip_bad {
        return Err(bad.error(path, frame.lines.len(), names.is_some()));
    }
    if frame.lines.is_empty() {
        return Err(Error::input(path, "no rows; expected one row of readings per line"));
    }
    frame.skipped = bad.count;
    dialect.remarks.iter().for_each(|remark| frame.remark(remark.clone()));
    left_out.report(&mut frame, &bad);
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

/// Returns whether a record repeats the header, a row of units or the preamble, as in logs that were joined.
pub(super) fn is_repeated(dialect: &Dialect, record: &Record) -> bool {
    let Some(names) = &dialect.names else { return false };
    let is = |cells: &Vec<String>| record.iter().eq(cells.iter().map(String::as_str));
    is(names)
        || dialect.units.iter().any(is)
        || !dialect.preamble.is_empty()
            && record.len() != dialect.width
            && dialect.preamble.contains(&record.iter().collect::<Vec<_>>().join("\t"))
}

impl LeftOut {
    /// Adds remarks on the lines that were left out.
    fn report(&self, frame: &mut Frame, bad: &BadLines) {
        let Self { headers, lost, blank, cut } = *self;
        if bad.count > 0 {
            let lines: Vec<_> = bad.first.iter().map(|(line, _)| line.to_string()).collect();
            let more = if bad.count > lines.len() { ", …" } else { "" };
            frame.remark(format!(
                "{} left out: {}{more}; a new session begins after each",
                counted(bad.count, "bad line"),
                lines.join(", ")
            ));
        }
        if headers > 0 {
            frame.remark(format!(
                "the header is repeated {}; a new session begins after each",
                counted(headers, "time")
            ));
        }
        if lost > 0 {
            frame.remark(format!(
                "{} of NUL bytes left out, as after a loss of power; a new session begins after each",
                counted(lost, "line")
            ));
        }
        if blank > 0 {
            frame.remark(format!("{} without any cell at the end left out", counted(blank, "row")));
        }
        if let Some(line) = cut {
            frame.remark(format!("the last line, {line}, is cut short and left out"));
        }
    }
}
