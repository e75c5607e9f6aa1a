//! Reads a file of rows block by block, so that a file of any length takes little memory.

use std::io::{BufRead, Read};
use std::path::{Path, PathBuf};

use super::dialect::Dialect;
use super::header::column_names;
use super::input::{InputLimits, decompressed, shown};
use super::kind::Kind;
use super::left_out::{LeftOut, Line};
use super::lines::{Record, Records, Separator};
use super::{Cells, Frame, FrameColumn, ReadOptions, Texts};
use crate::error::{Error, Result};
use crate::observer::Observer;
use crate::warning::Warning;

/// Number of bytes of a block, after which it ends with its line.
const BLOCK: u64 = 1 << 20;

/// The rows of a file of text, in blocks.
pub(crate) struct Blocks<'o> {
    path: PathBuf,
    reader: Box<dyn BufRead + 'o>,
    advice: &'static str,
    limits: InputLimits,
    dialect: Dialect,
    /// Names of the columns.
    pub names: Vec<String>,
    /// The block that was read last, and the number of lines before it.
    text: String,
    lines: u64,
    is_first: bool,
    /// Number of rows so far, the lines that are none, and how many of these may be bad.
    rows: usize,
    left_out: LeftOut,
    skip_bad: usize,
}

impl<'o> Blocks<'o> {
    /// Opens a file, plain or compressed, and recognises how it is written.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be read, [`Error::Input`] if it is no text in UTF-8 or has no rows.
    pub fn open(path: &Path, options: &ReadOptions, observer: &'o dyn Observer) -> Result<Self> {
        let (reader, advice) = decompressed(path, &options.limits, observer)?;
        let (path, limits, dialect) = (shown(path), options.limits, Dialect::default());
        let (names, text) = (Vec::new(), String::new());
        let (left_out, skip_bad) = (LeftOut::default(), options.skip_bad);
        let (rows, lines, is_first) = (0, 0, true);
        let mut blocks =
            Self { path, reader, advice, limits, dialect, names, text, lines, is_first, rows, left_out, skip_bad };
        blocks.fill()?;
        blocks.dialect = Dialect::find(&blocks.path, &blocks.text, options)?;
        blocks.limits.check_columns(&blocks.path, blocks.dialect.width)?;
        blocks.names = column_names(blocks.dialect.names.as_deref(), blocks.dialect.width).0;
        Ok(blocks)
    }

    /// Returns what separates the cells.
    pub fn separator(&self) -> Separator {
        self.dialect.separator.unwrap_or(Separator::Comma)
    }

    /// Returns whether the file names its columns.
    pub fn is_named(&self) -> bool {
        self.dialect.names.is_some()
    }

    /// Reads the next block of whole lines, which ends within no quotes.
    fn fill(&mut self) -> Result<()> {
        let failed = |error| Error::io(&self.path, self.advice)(error);
        let mut bytes = Vec::new();
        (&mut self.reader).take(BLOCK).read_to_end(&mut bytes).map_err(failed)?;
        if self.is_first {
            match Kind::of(&bytes) {
                Kind::Text => {}
                Kind::Other(name, advice) => return Err(Error::input(&self.path, format!("is {name}; {advice}"))),
                _ => return Err(Error::input(&self.path, "is no text; only rows of text can be compressed")),
            }
            if bytes.starts_with(b"\xEF\xBB\xBF") {
                bytes.drain(..3);
            }
        }
        // Counted once per byte, because a stray quote leaves all later lines open.
        let quotes = |bytes: &[u8]| memchr::memchr_iter(b'"', bytes).count();
        let mut open = quotes(&bytes);
        while !bytes.ends_with(b"\n") || open % 2 == 1 {
            let before = bytes.len();
            if before as u64 > BLOCK + self.limits.row_bytes as u64 {
                let message = "a row without an end; check that each row has its own line and quotes are closed";
                return Err(Error::input(&self.path, message).at("line", self.lines + 1));
            }
            if self.reader.read_until(b'\n', &mut bytes).map_err(failed)? == 0 {
                break;
            }
            open += quotes(&bytes[before..]);
        }
        self.text = String::from_utf8(bytes).map_err(|error| {
            let line = self.lines
                + 1
                + error.as_bytes()[..error.utf8_error().valid_up_to()].iter().filter(|byte| **byte == b'\n').count()
                    as u64;
            Error::input(&self.path, "is not UTF-8; save it as text in UTF-8").at("line", line)
        })?;
        Ok(())
    }

    /// Returns remarks on the lines so far that are no rows.
    pub fn remarks(&self) -> Vec<Warning> {
        let messages = self.dialect.remarks.iter().cloned().chain(self.left_out.remarks(""));
        let file = self.path.display().to_string();
        messages.map(|message| Warning { file: file.clone(), column: String::new(), message }).collect()
    }

    /// Returns the rows of the next block that has any, or `None` after the last one.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be read; [`Error::Input`], with the lines, if more lines than allowed are no rows.
    pub fn next(&mut self) -> Result<Option<Frame>> {
        loop {
            let frame = self.read()?;
            // The error names the bad lines of the whole file.
            let is_refused = self.left_out.bad.count > self.skip_bad;
            match frame {
                None if is_refused => {
                    let bad = std::mem::take(&mut self.left_out.bad);
                    return Err(bad.error(&self.path, self.rows, self.is_named()));
                }
                Some(frame) if is_refused || frame.lines.is_empty() => {}
                frame => return Ok(frame),
            }
        }
    }

    /// Reads the rows of the next block.
    fn read(&mut self) -> Result<Option<Frame>> {
        if !std::mem::take(&mut self.is_first) {
            self.lines += memchr::memchr_iter(b'\n', self.text.as_bytes()).count() as u64;
            self.fill()?;
        }
        if self.text.is_empty() {
            return Ok(None);
        }
        let mut columns = vec![Vec::new(); self.dialect.width];
        let mut frame = Frame { path: self.path.clone(), unit: "line", ..Frame::default() };
        let mut records = Records::new(&self.text, self.separator(), self.limits.row_bytes);
        let mut record = Record::default();
        while let Some(outcome) = records.next(&mut record) {
            let line = self.lines + record.line;
            let is_cut = records.is_at_end() && !self.text.ends_with(['\n', '\r']);
            match self.dialect.line(outcome, &record, line, is_cut) {
                Line::TooLong => {
                    let message = "a row without an end; check that each row has its own line and quotes are closed";
                    return Err(Error::input(&self.path, message).at("line", line));
                }
                Line::Row | Line::Blank => {
                    columns.iter_mut().enumerate().for_each(|(at, column)| column.push(record.cell(at).to_owned()));
                    frame.lines.push(line);
                    self.left_out.take_gap();
                }
                other => self.left_out.add(other, line),
            }
        }
        self.rows += frame.lines.len();
        let of_name = |(name, cells): (&String, Vec<String>)| FrameColumn {
            name: name.clone(),
            cells: Cells::Text(cells.into_iter().collect::<Texts>()),
        };
        frame.columns = self.names.iter().zip(columns).map(of_name).collect();
        Ok(Some(frame))
    }
}
