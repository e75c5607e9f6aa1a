//! Reads tables of readings from CSV, plain or gzipped, with or without a header, separated by comma, semicolon or tab.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use crate::error::{Error, Result};
use crate::names::{Named, display_by_name};

/// Whether the first line of a CSV file names the columns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Header {
    /// The first line names the columns if none of its cells is a number.
    #[default]
    Auto,
    /// The first line names the columns.
    Yes,
    /// The first line is a row; the columns are called x0, x1, …
    No,
}

impl Named for Header {
    const OPTION: &'static str = "--header";
    const NAMES: &'static [(&'static str, Self)] = &[("auto", Self::Auto), ("yes", Self::Yes), ("no", Self::No)];
}

display_by_name!(Header);

/// A file of readings. Each distinct text of a column is kept once.
#[derive(Clone, Debug)]
pub struct Frame {
    /// The file that the readings come from.
    pub path: PathBuf,
    /// The columns in file order.
    pub columns: Vec<Cells>,
    /// The line or the sample of a signal on which each row begins, counted from 1.
    pub lines: Vec<u64>,
    /// The unit of `lines`: "line" or "sample".
    pub unit: &'static str,
    /// CRC-32 of the file's bytes after decompression.
    pub digest: u32,
    /// Whether anomalous rows are in the window of each row; empty without a window.
    pub mixed: Vec<bool>,
}

/// One column of a [`Frame`].
#[derive(Clone, Debug, Default)]
pub struct Cells {
    /// Name from the header, or `x` and the position.
    pub name: String,
    /// The distinct texts, in the order in which they first appear.
    pub texts: Vec<String>,
    /// Position in `texts` of each row's text.
    pub codes: Vec<u32>,
}

/// Returns whether a text stands for a missing reading: empty, `?`, NA, N/A, NaN, null or none.
pub fn is_missing(text: &str) -> bool {
    matches!(text, "" | "?") || ["na", "n/a", "nan", "null", "none"].iter().any(|word| text.eq_ignore_ascii_case(word))
}

/// Returns the CRC-32 (ISO-HDLC) of the bytes, as a table contains it.
pub fn checksum(bytes: &[u8]) -> u32 {
    crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC).checksum(bytes)
}

/// Returns whether a path names a NumPy file.
pub(crate) fn is_npy(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("npy"))
}

/// Returns the name of the column at a position of a file without a header: x0, x1, …
pub fn default_name(at: usize) -> String {
    format!("x{at}")
}

impl Frame {
    /// Reads a CSV file.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be read; [`Error::Input`] if it has no rows, two columns of one name, or a row whose
    /// length differs from that of the first line.
    pub fn read(path: &Path, header: Header) -> Result<Self> {
        if is_npy(path) {
            return Err(Error::input(
                path,
                "a .npy file is a raw signal; fit it with --signal, for example --signal 2048:512, or pass rows as CSV",
            ));
        }
        let text = read_text(path)?;
        let digest = checksum(&text);
        let first = text.split(|&byte| byte == b'\n').next().unwrap_or_default();
        // As often as the others, a comma is taken for a decimal one.
        let delimiter = [b',', b'\t', b';']
            .into_iter()
            .max_by_key(|delimiter| first.iter().filter(|byte| *byte == delimiter).count())
            .unwrap_or(b',');
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(delimiter)
            .trim(csv::Trim::All)
            .from_reader(text.as_slice());
        let mut record = csv::StringRecord::new();
        let mut frame = Self {
            path: path.to_owned(),
            columns: Vec::new(),
            lines: Vec::new(),
            unit: "line",
            digest,
            mixed: Vec::new(),
        };
        let mut seen: Vec<HashMap<String, u32>> = Vec::new();
        let mut lines = Lines::default();
        loop {
            let from = reader.position().byte() as usize;
            let read = reader.read_record(&mut record);
            let line = lines.number(&text, record.position().map_or(from, |position| position.byte() as usize));
            let fault = |message: String| Error::input(path, message).at("line", line);
            let more = read.map_err(|error| {
                fault("cannot be read as CSV in UTF-8; save the file as UTF-8".into()).caused_by(error)
            })?;
            if !more {
                break;
            }
            if frame.columns.is_empty() {
                let named = match header {
                    Header::Yes => true,
                    Header::No => false,
                    Header::Auto => is_header(&record),
                };
                frame.columns = (0..record.len())
                    .map(|i| Cells {
                        name: if named && !record[i].is_empty() { record[i].to_owned() } else { default_name(i) },
                        ..Cells::default()
                    })
                    .collect();
                seen = vec![HashMap::new(); record.len()];
                let twice = |&at: &usize| frame.columns[..at].iter().any(|cells| cells.name == frame.columns[at].name);
                if let Some(twice) = (1..record.len()).find(twice) {
                    let name = &frame.columns[twice].name;
                    return Err(fault(format!("two columns are called `{name}`; rename one, or pass --header no")));
                }
                if named {
                    continue;
                }
            }
            let expected = frame.columns.len();
            if record.len() != expected {
                return Err(fault(format!(
                    "{} cells, but the first line has {expected}; every row needs one cell per column, and a missing \
                     reading is an empty cell",
                    record.len()
                )));
            }
            for ((text, cells), seen) in record.iter().zip(&mut frame.columns).zip(&mut seen) {
                cells.push(text, seen);
            }
            frame.lines.push(line);
        }
        if frame.lines.is_empty() {
            return Err(Error::input(path, "no rows; expected one row of readings per line"));
        }
        Ok(frame)
    }

    /// Returns the number of rows.
    pub fn rows(&self) -> usize {
        self.lines.len()
    }

    /// Returns the position of the column with this name.
    ///
    /// # Errors
    /// [`Error::Input`] if there is none; the message lists the names.
    pub fn position(&self, name: &str) -> Result<usize> {
        let found = self.columns.iter().position(|cells| cells.name == name);
        found.ok_or_else(|| {
            let names: Vec<_> = self.columns.iter().map(|cells| cells.name.as_str()).take(30).collect();
            Error::input(&self.path, format!("no column `{name}`; the columns are {}", names.join(", ")))
        })
    }

    /// Returns the number in a cell. Infinity is a number, far out of range.
    ///
    /// # Errors
    /// [`Error::Input`] if the cell is not a number.
    pub fn number(&self, row: usize, column: usize) -> Result<f64> {
        let text = self.columns[column].text(row);
        text.parse::<f64>().ok().filter(|number| !number.is_nan()).ok_or_else(|| {
            self.fault(row, column, format!("expected a number, found `{text}`; correct the cell or leave it empty"))
        })
    }

    /// Returns the error for a cell at fault.
    pub(crate) fn fault(&self, row: usize, column: usize, message: impl Into<String>) -> Error {
        Error::input(&self.path, message).at(self.unit, self.lines[row]).column(&self.columns[column].name)
    }

    /// Returns "FILE: line L, column `NAME`", or sample L of a signal, for messages about a cell.
    pub fn place(&self, row: usize, column: usize) -> String {
        let (path, unit, line) = (self.path.display(), self.unit, self.lines[row]);
        format!("{path}: {unit} {line}, column `{}`", self.columns[column].name)
    }
}

impl Cells {
    /// Makes a column of texts, one per row.
    pub fn new(name: String, texts: impl IntoIterator<Item = String>) -> Self {
        let (mut cells, mut seen) = (Self { name, ..Self::default() }, HashMap::new());
        texts.into_iter().for_each(|text| cells.push(&text, &mut seen));
        cells
    }

    /// Returns the text of a row's cell.
    pub fn text(&self, row: usize) -> &str {
        &self.texts[self.codes[row] as usize]
    }

    fn push(&mut self, text: &str, seen: &mut HashMap<String, u32>) {
        // Runs of equal cells are common; they need no hashing.
        if let Some(&last) = self.codes.last()
            && self.texts[last as usize] == text
        {
            return self.codes.push(last);
        }
        let code = seen.get(text).copied().unwrap_or_else(|| {
            let code = self.texts.len() as u32;
            self.texts.push(text.to_owned());
            seen.insert(text.to_owned(), code);
            code
        });
        self.codes.push(code);
    }
}

/// Returns whether cells are names: at least one is not missing, and none is a number.
pub(crate) fn is_header<'a, T: AsRef<str> + 'a + ?Sized>(cells: impl IntoIterator<Item = &'a T> + Clone) -> bool {
    let mut texts = cells.clone().into_iter().map(AsRef::as_ref);
    texts.any(|cell| !is_missing(cell)) && cells.into_iter().all(|cell| cell.as_ref().parse::<f64>().is_err())
}

/// Counts lines up to a byte. The byte must not decrease between calls.
#[derive(Debug, Default)]
struct Lines {
    byte: usize,
    breaks: u64,
}

impl Lines {
    /// Returns the line, counted from 1, on which the record that begins at or after `byte` has its first cell.
    fn number(&mut self, text: &[u8], byte: usize) -> u64 {
        // The reader's own count of lines is behind by one after CRLF, whose LF it leaves to the next record.
        let byte = byte.min(text.len());
        let rest = &text[byte..];
        let skipped = rest.iter().position(|byte| !b"\r\n".contains(byte)).unwrap_or(rest.len());
        while self.byte < byte + skipped {
            let lone_cr = text[self.byte] == b'\r' && text.get(self.byte + 1) != Some(&b'\n');
            self.breaks += u64::from(text[self.byte] == b'\n' || lone_cr);
            self.byte += 1;
        }
        self.breaks + 1
    }
}

/// Reads a file, decompresses it if it is gzipped, and removes a byte order mark.
pub(crate) fn read_text(path: &Path) -> Result<Vec<u8>> {
    let file = File::open(path).map_err(Error::io(path, "cannot be opened; check the path"))?;
    let mut reader = BufReader::new(file);
    let start = reader.fill_buf().map_err(Error::io(path, "cannot be read; check that it is a file"))?;
    let zipped = start.starts_with(&[0x1f, 0x8b]);
    let mut text = Vec::new();
    let read = if zipped { MultiGzDecoder::new(reader).read_to_end(&mut text) } else { reader.read_to_end(&mut text) };
    read.map_err(Error::io(path, "cannot be read to the end; a gzip file may be cut short"))?;
    if text.starts_with(&[0xEF, 0xBB, 0xBF]) {
        text.drain(..3);
    }
    Ok(text)
}
