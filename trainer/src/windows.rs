//! Windows of a raw signal: each window becomes a row of features, which the board computes with the same code.

use std::path::Path;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use surprisal::{Feature, Features, Libm, Math};

use crate::data::input::{InputLimits, read_bytes};
use crate::data::{Cell, Cells, Frame, FrameColumn, Header, checksum, default_name, is_npy};
use crate::error::{Error, Result};
use crate::split::SplitStrategy;

/// Names of the features in [`Feature::STATISTICS`], in the same order.
pub(crate) const STATISTICS: [&str; 6] = ["mean", "rms", "peak_to_peak", "crest", "kurtosis", "crossings"];

/// Size and spacing of the windows of a signal, and the features of each window.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Windows {
    /// Number of samples per window.
    pub window: usize,
    /// Number of samples from the start of one window to the start of the next.
    pub hop: usize,
    /// Number of equally wide frequency bands from zero to half the sampling rate. The power of each band is a feature.
    pub bands: u16,
    /// Sampling rate in Hz, which is used only to name the bands; `None` if it is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
}

impl Windows {
    /// Creates windows of `window` samples with `bands` frequency bands; a window begins `hop` samples after the one
    /// before. `rate` is the sampling rate in Hz.
    ///
    /// # Errors
    /// [`Error::Option`] if the window is too short for the bands or for two samples, or the hop is zero.
    pub fn new(window: usize, hop: usize, bands: u16, rate: Option<f64>) -> Result<Self> {
        // A band takes two samples of each segment that is transformed.
        let least = 2 * usize::from(bands).max(1);
        if window < least {
            let message = format!(
                "{bands} bands need windows of at least {least} samples, found {window}; make it longer, or --bands fewer"
            );
            return Err(Error::option("--signal", message));
        }
        if hop == 0 {
            return Err(Error::option("--signal", "expected a hop of at least one sample, found 0"));
        }
        Ok(Self { window, hop, bands, rate })
    }

    /// Returns the features that are computed for each channel: the statistics, then the bands.
    pub fn features(&self) -> Vec<Feature> {
        Feature::STATISTICS.into_iter().chain((0..self.bands).map(|k| Feature::band(k, self.bands))).collect()
    }

    /// Returns the names of the [`features`](Self::features). A band has its centre in Hz as its name if the rate is
    /// known, for example "band_1500", and its position otherwise, for example "band_0".
    fn names(&self) -> Vec<String> {
        let band = |k: u16| {
            let Some(rate) = self.rate else { return format!("band_{k}") };
            let centre = (f64::from(k) + 0.5) * rate / f64::from(2 * self.bands);
            // Four digits distinguish 64 bands.
            let unit = 10f64.powf(3.0 - centre.log10().floor());
            format!("band_{}", (centre * unit).round() / unit)
        };
        STATISTICS.into_iter().map(str::to_owned).chain((0..self.bands).map(band)).collect()
    }

    /// Returns the number of complete windows in a signal of `samples` samples.
    fn count(&self, samples: usize) -> usize {
        (samples + self.hop).saturating_sub(self.window) / self.hop
    }

    /// Computes the features of each complete window of one channel, and returns them as `[window][feature]`.
    pub fn rows<M: Math>(&self, samples: &[f32]) -> Vec<Vec<f32>> {
        let Self { window, hop, bands, .. } = *self;
        let features = self.features();
        let row = |at: usize| {
            let mut row = vec![0.0; features.len()];
            Features { window, hop, bands, features: &features }.row::<M>(&samples[at..at + window], &mut row);
            row
        };
        (0..self.count(samples.len())).into_par_iter().map(|k| row(k * hop)).collect()
    }

    /// Reads a signal and returns the features of its windows as rows, one row per window.
    ///
    /// # Errors
    /// The errors of [`Signal::read`], and [`Error::Input`] if the signal is shorter than a window or has too many
    /// windows.
    pub fn frame(&self, path: &Path, header: Header) -> Result<Frame> {
        let limits = InputLimits::default();
        let Signal { channels, digest } = Signal::read_within(path, header, &limits)?;
        let length = channels.first().map_or(0, |(_, samples)| samples.len());
        if length < self.window {
            let message = format!(
                "{length} samples, fewer than the window of {}; supply a longer signal, or fit with a shorter --signal",
                self.window
            );
            return Err(Error::input(path, message));
        }
        let (names, count) = (self.names(), self.count(length));
        limits.check_columns(path, channels.len() * names.len())?;
        limits.check_cells(path, count, channels.len() * names.len())?;
        let mut columns = Vec::new();
        for (channel, samples) in &channels {
            let rows = self.rows::<Libm>(samples);
            for (k, name) in names.iter().enumerate() {
                let name = if channels.len() > 1 { format!("{channel}.{name}") } else { name.clone() };
                columns.push(FrameColumn { name, cells: Cells::Real(rows.iter().map(|row| row[k]).collect()) });
            }
        }
        let lines = (0..count).map(|k| (k * self.hop) as u64 + 1).collect();
        Ok(Frame { path: path.to_owned(), columns, lines, unit: "sample", digest, mixed: Vec::new() })
    }
}

/// Reads a file of rows or, if `signal` is given, a file of a signal whose windows become rows.
///
/// # Errors
/// The errors of [`Frame::read`] or [`Windows::frame`].
pub fn read(signal: Option<Windows>, path: &Path, header: Header) -> Result<Frame> {
    signal.map_or_else(|| Frame::read(path, header), |windows| windows.frame(path, header))
}

/// Returns the strategy that splits the rows of a file: shuffled with this seed or, for windows of a signal, in order.
///
/// Windows of a signal resemble their neighbours and may share samples with them, so there is a gap between the shares.
pub fn split_strategy(signal: Option<Windows>, seed: u64) -> SplitStrategy {
    signal.map_or(SplitStrategy::Shuffled { seed }, |Windows { window, hop, .. }| SplitStrategy::InOrder {
        gap: (window - 1) / hop,
    })
}

/// Channels of a recording.
#[derive(Clone, Debug)]
pub struct Signal {
    /// (name, samples) of each channel; all channels have the same number of samples. A missing sample is NaN.
    pub channels: Vec<(String, Vec<f32>)>,
    /// CRC-32 of the file after decompression.
    pub digest: u32,
}

/// Largest size of the header of a .npy file, in bytes: the limit that NumPy's reader has as well.
const NPY_HEADER: usize = 10_000;
/// Deepest nesting of brackets in the header of a .npy file. The parser of headers recurses into each.
const NPY_NESTING: usize = 16;

impl Signal {
    /// Reads a .npy or CSV file within the default [`InputLimits`].
    ///
    /// # Errors
    /// The errors of [`Frame::read`] for CSV. For .npy, [`Error::Io`] if the file cannot be read, and [`Error::Input`]
    /// if it is not a whole .npy file of f32, f64, i16 or i32 with one axis or two.
    pub fn read(path: &Path, header: Header) -> Result<Self> {
        Self::read_within(path, header, &InputLimits::default())
    }

    /// Reads a .npy or CSV file, and refuses a file that exceeds `limits`.
    ///
    /// # Errors
    /// The errors of [`read`](Self::read).
    pub fn read_within(path: &Path, header: Header, limits: &InputLimits) -> Result<Self> {
        if is_npy(path) { Self::npy(path, limits) } else { Self::csv(&Frame::read_within(path, header, limits)?) }
    }

    fn npy(path: &Path, limits: &InputLimits) -> Result<Self> {
        let fault = |message: String| Error::input(path, message);
        let bytes = read_bytes(path, limits, "cannot be opened; check the path")?;
        let not_npy = || fault("not a .npy file; write it with numpy.save, or pass CSV".into());
        if !has_plain_header(&bytes) {
            return Err(not_npy());
        }
        let file = npyz::NpyFile::new(&bytes[..]).map_err(|error| not_npy().caused_by(error))?;
        let (shape, order, dtype) = (file.shape().to_vec(), file.order(), file.dtype().descr());
        let count = match shape[..] {
            [_] => 1,
            [_, channels] => channels as usize,
            _ => return Err(fault(format!("{} axes; expected samples, or samples x channels", shape.len()))),
        };
        // A header may promise more than the file has.
        let expected = shape.iter().try_fold(1u64, |all, axis| all.checked_mul(*axis));
        if expected.is_none_or(|all| all > bytes.len() as u64) {
            return Err(fault("cut short; copy the whole file".into()));
        }
        limits.check_columns(path, count)?;
        let flat = samples(file).map_err(|error| {
            let expected = "expected f32, f64, i16 or i32, uncut";
            fault(format!("cannot be read to the end as samples of type {dtype}; {expected}")).caused_by(error)
        })?;
        let length = flat.len() / count.max(1);
        let at = |channel: usize, k: usize| match order {
            npyz::Order::C => k * count + channel,
            npyz::Order::Fortran => channel * length + k,
        };
        let channel = |channel| (default_name(channel), (0..length).map(|k| flat[at(channel, k)]).collect());
        Ok(Self { channels: (0..count).map(channel).collect(), digest: checksum(&bytes) })
    }

    fn csv(frame: &Frame) -> Result<Self> {
        let sample = |cell: Cell| match cell.number() {
            Some(number) => Some(number as f32),
            None => cell.is_missing().then_some(f32::NAN),
        };
        let channel = |(at, column): (usize, &FrameColumn)| {
            let samples = column.cells.map(sample).into_iter().enumerate().map(|(row, sample)| {
                sample.ok_or_else(|| {
                    let found = column.text(row);
                    let message =
                        format!("expected a sample of a signal, found `{found}`; correct the cell or leave it empty");
                    frame.fault(row, at, message)
                })
            });
            Ok((column.name.clone(), samples.collect::<Result<_>>()?))
        };
        let channels = frame.columns.iter().enumerate().map(channel).collect::<Result<_>>()?;
        Ok(Self { channels, digest: frame.digest })
    }
}

/// Returns whether the header of a .npy file is complete, within [`NPY_HEADER`] and [`NPY_NESTING`], and the product of
/// its numbers does not overflow.
fn has_plain_header(bytes: &[u8]) -> bool {
    let header = match *bytes {
        [_, _, _, _, _, _, 1, _, a, b, ref rest @ ..] => rest.get(..u16::from_le_bytes([a, b]).into()),
        [_, _, _, _, _, _, _, _, a, b, c, d, ref rest @ ..] => rest.get(..u32::from_le_bytes([a, b, c, d]) as usize),
        _ => None,
    };
    let Some(header) = header.filter(|header| header.len() <= NPY_HEADER) else { return false };
    let (mut depth, mut deepest) = (0_usize, 0);
    for byte in header {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    let mut numbers = header.split(|byte| !byte.is_ascii_digit()).filter(|digits| !digits.is_empty());
    let number = |digits: &[u8]| std::str::from_utf8(digits).ok()?.parse::<u64>().ok();
    deepest <= NPY_NESTING && numbers.try_fold(1_u64, |all, digits| all.checked_mul(number(digits)?.max(1))).is_some()
}

/// Reads all samples of a file as `f32`, the type that the board computes with.
fn samples(file: npyz::NpyFile<&[u8]>) -> std::io::Result<Vec<f32>> {
    let file = match file.try_data::<f32>() {
        Ok(numbers) => return numbers.collect(),
        Err(file) => file,
    };
    let file = match file.try_data::<f64>() {
        Ok(numbers) => return numbers.map(|number| Ok(number? as f32)).collect(),
        Err(file) => file,
    };
    let file = match file.try_data::<i16>() {
        Ok(numbers) => return numbers.map(|number| Ok(f32::from(number?))).collect(),
        Err(file) => file,
    };
    file.into_vec::<i32>().map(|numbers| numbers.into_iter().map(|number| number as f32).collect())
}
