//! Reads files within limits, so that no input exhausts the memory of the host.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use crate::error::{Error, Result};
use crate::observer::{Event, Observer};

/// Number of bytes per step of progress.
pub(crate) const STEP: usize = 1 << 20;

/// Limits on the input files that are read together, which share those on bytes and cells. A file that exceeds a limit is refused
/// with [`Error::Input`].
///
/// Reading takes up to about 150 bytes of memory per cell, if all texts differ, and 10 bytes per sample of a .npy file:
/// 10 GiB for files at the default limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InputLimits {
    /// Largest number of bytes, after decompression.
    pub bytes: u64,
    /// Largest number of bytes of one row of a CSV file.
    pub row_bytes: usize,
    /// Largest number of columns.
    pub columns: usize,
    /// Largest number of cells: rows times columns.
    pub cells: usize,
    /// Number of bytes of files that were read before, which count too.
    pub bytes_before: u64,
    /// Number of cells of files that were read before, which count too.
    pub cells_before: usize,
}

impl Default for InputLimits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Limits on files that people write, such as a schema or an order of columns.
pub(crate) const SMALL: InputLimits =
    InputLimits { bytes: 16 << 20, row_bytes: 0, columns: 0, cells: 0, ..InputLimits::DEFAULT };

/// A number of bytes, which is printed in the largest unit that divides it.
pub(crate) struct Bytes(pub u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            bytes if bytes.is_multiple_of(1 << 30) => write!(f, "{} GiB", bytes >> 30),
            bytes if bytes.is_multiple_of(1 << 20) => write!(f, "{} MiB", bytes >> 20),
            bytes => write!(f, "{bytes} bytes"),
        }
    }
}

impl InputLimits {
    /// The default limits.
    pub const DEFAULT: Self = Self {
        bytes: 1 << 30,
        row_bytes: 64 << 20,
        columns: 1 << 16,
        cells: 1 << 26,
        bytes_before: 0,
        cells_before: 0,
    };

    /// Returns the limits for what is read after so many more bytes.
    pub(crate) fn after(&self, bytes: usize) -> Self {
        Self { bytes_before: self.bytes_before + bytes as u64, ..*self }
    }

    /// Checks a number of bytes after decompression.
    ///
    /// # Errors
    /// [`Error::Input`] if there are too many.
    pub(crate) fn check_bytes(&self, path: &Path, bytes: u64) -> Result<()> {
        if bytes.saturating_add(self.bytes_before) <= self.bytes {
            return Ok(());
        }
        let most = Bytes(self.bytes);
        let message = format!(
            "more than {most} after decompression, the limit for all files together; supply fewer or smaller files"
        );
        Err(Error::input(path, message))
    }

    /// Checks the size of a frame before it takes memory.
    ///
    /// # Errors
    /// [`Error::Input`] if there are too many cells.
    pub(crate) fn check_cells(&self, path: &Path, rows: usize, columns: usize) -> Result<()> {
        if rows.saturating_mul(columns).saturating_add(self.cells_before) <= self.cells {
            return Ok(());
        }
        let most = self.cells;
        let message =
            format!("more than {most} cells ({columns} columns), the limit for all files together; supply fewer rows");
        Err(Error::input(path, message))
    }

    /// Checks the number of columns, or of channels of a signal.
    ///
    /// # Errors
    /// [`Error::Input`] if there are too many.
    pub(crate) fn check_columns(&self, path: &Path, columns: usize) -> Result<()> {
        if columns <= self.columns {
            return Ok(());
        }
        let most = self.columns;
        let message =
            format!("{columns} columns, but a file has at most {most}; keep one row per line, or fewer columns");
        Err(Error::input(path, message))
    }
}

/// Opens a file or a pipe. A device is refused, because most devices have no end. `advice` completes the message if
/// the file cannot be opened.
///
/// # Errors
/// [`Error::Io`] if the file cannot be opened, [`Error::Input`] if it is a device.
fn open(path: &Path, advice: &str) -> Result<File> {
    let file = File::open(path).map_err(Error::io(path, advice))?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        let kind = file.metadata().map_err(Error::io(path, advice))?.file_type();
        if kind.is_char_device() || kind.is_block_device() {
            return Err(Error::input(path, "is a device; pass a file or a pipe"));
        }
    }
    Ok(file)
}

/// Reports the progress of a reader: one step per MiB.
pub(crate) struct Observed<'o, R> {
    reader: R,
    observer: &'o dyn Observer,
    read: usize,
}

impl<'o, R> Observed<'o, R> {
    /// Begins the stage of reading so many bytes.
    pub fn new(reader: R, path: &Path, bytes: u64, observer: &'o dyn Observer) -> Self {
        let steps = usize::try_from(bytes.div_ceil(STEP as u64)).unwrap_or(usize::MAX);
        observer.event(Event::Stage { name: &format!("reading {}", path.display()), steps });
        Self { reader, observer, read: 0 }
    }
}

impl<R: Read> Read for Observed<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        let before = self.read;
        self.read += count;
        (before / STEP..self.read / STEP).for_each(|_| self.observer.event(Event::Step));
        Ok(count)
    }
}

/// Reads to the end, within the limit on bytes. `path` names the input in messages, and `advice` completes the message
/// if reading fails.
///
/// # Errors
/// [`Error::Io`] if reading fails, [`Error::Input`] if there are more bytes.
pub(crate) fn read_to_limit(reader: impl Read, path: &Path, limits: &InputLimits, advice: &str) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let left = limits.bytes.saturating_sub(limits.bytes_before);
    reader.take(left.saturating_add(1)).read_to_end(&mut bytes).map_err(Error::io(path, advice))?;
    limits.check_bytes(path, bytes.len() as u64)?;
    Ok(bytes)
}

/// Reads a file as it is. `advice` completes the message if that fails.
///
/// # Errors
/// [`Error::Io`] if the file cannot be read, [`Error::Input`] if it is a device or too large.
pub(crate) fn read_bytes(path: &Path, limits: &InputLimits, advice: &str) -> Result<Vec<u8>> {
    read_to_limit(open(path, advice)?, path, limits, advice)
}

/// Reads a file that people write. `advice` completes the message if that fails.
///
/// # Errors
/// [`Error::Io`] if the file cannot be read, [`Error::Input`] if it is a device, too large, or not UTF-8.
pub(crate) fn read_small(path: &Path, advice: &str) -> Result<String> {
    let bytes = read_bytes(path, &SMALL, advice)?;
    String::from_utf8(bytes)
        .map_err(|error| Error::input(path, "is not text in UTF-8; save it as UTF-8").caused_by(error))
}

/// Path that stands for standard input.
pub(crate) const STDIN: &str = "-";

/// Returns the path that messages name for an input: the path, or "standard input" for `-`.
pub(crate) fn shown(path: &Path) -> PathBuf {
    if path == Path::new(STDIN) { "standard input".into() } else { path.to_owned() }
}

/// Opens a file, or standard input for `-`, and decompresses it if it is a gzip or Zstandard file, the latter in memory. Returns
/// the bytes as a stream, and what completes the message if reading fails.
///
/// # Errors
/// [`Error::Io`] if the file cannot be read, [`Error::Input`] if it is a device, or a Zstandard file that is too large.
pub(crate) fn decompressed<'o>(
    path: &Path,
    limits: &InputLimits,
    observer: &'o dyn Observer,
) -> Result<(Box<dyn BufRead + 'o>, &'static str)> {
    let (source, bytes): (Box<dyn Read>, _) = if path == Path::new(STDIN) {
        (Box::new(std::io::stdin().lock()), 0)
    } else {
        let file = open(path, "cannot be opened; check the path")?;
        let bytes = file.metadata().map_or(0, |metadata| metadata.len());
        (Box::new(file), bytes)
    };
    let path = &shown(path);
    let mut reader = BufReader::new(Observed::new(source, path, bytes, observer));
    let start = reader.fill_buf().map_err(Error::io(path, "cannot be read; check that it is a file"))?;
    if start.starts_with(&[0x1f, 0x8b]) {
        let advice = "cannot be read to the end; a gzip file may be cut short";
        return Ok((Box::new(BufReader::new(MultiGzDecoder::new(reader))), advice));
    }
    let advice = "cannot be read to the end";
    if start.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        return Ok((Box::new(io::Cursor::new(zstandard(reader, path, limits)?)), advice));
    }
    Ok((Box::new(reader), advice))
}

/// Reads a file, or standard input for `-`, and decompresses it if it is a gzip or Zstandard file.
///
/// # Errors
/// [`Error::Io`] if the file cannot be read, [`Error::Input`] if it is a device or too large.
pub(crate) fn read_decompressed(path: &Path, limits: &InputLimits, observer: &dyn Observer) -> Result<Vec<u8>> {
    let (reader, advice) = decompressed(path, limits, observer)?;
    read_to_limit(reader, &shown(path), limits, advice)
}

/// Decompresses all frames of a Zstandard file.
fn zstandard(mut reader: impl BufRead, path: &Path, limits: &InputLimits) -> Result<Vec<u8>> {
    let advice = "cannot be read to the end; a Zstandard file may be cut short";
    let mut bytes = Vec::new();
    while !reader.fill_buf().map_err(Error::io(path, advice))?.is_empty() {
        let frame = ruzstd::decoding::StreamingDecoder::new(&mut reader);
        let frame = frame.map_err(|error| Error::input(path, advice).caused_by(error.to_string()))?;
        bytes.append(&mut read_to_limit(frame, path, &limits.after(bytes.len()), advice)?);
    }
    Ok(bytes)
}

/// Reads a file as [`read_decompressed`], and removes a byte order mark.
///
/// # Errors
/// The errors of [`read_decompressed`].
pub(crate) fn read_text(path: &Path, limits: &InputLimits) -> Result<Vec<u8>> {
    let mut text = read_decompressed(path, limits, &())?;
    if text.starts_with(&[0xEF, 0xBB, 0xBF]) {
        text.drain(..3);
    }
    Ok(text)
}
