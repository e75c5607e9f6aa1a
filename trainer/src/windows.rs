//! Raw signals to rows: each window of samples becomes a row of features, by the code that the board runs.

use std::path::Path;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use surprisal::{Feature, Features, Libm, Math};

use crate::data::{Cells, Frame, Header, default_name, is_npy};
use crate::error::{Error, Result};
use crate::split::SplitStrategy;

/// Names of [`Feature::STATISTICS`].
pub(crate) const STATISTICS: [&str; 6] = ["mean", "rms", "peak_to_peak", "crest", "kurtosis", "crossings"];

/// How a raw signal becomes rows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Windows {
    /// Samples that a row is made of.
    pub window: usize,
    /// Samples from the beginning of one window to that of the next.
    pub hop: usize,
    /// Equal parts of the range up to half the sampling rate, each a feature.
    pub bands: u16,
    /// Samples a second, to name the bands by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
}

impl Windows {
    /// Samples per window, and samples from the beginning of one window to that of the next.
    ///
    /// # Errors
    /// [`Error::Option`] if the window is too short for the bands.
    pub fn new(window: usize, hop: usize, bands: u16, rate: Option<f64>) -> Result<Self> {
        let windows = Self { window, hop, bands, rate };
        let least = windows.segment();
        if window < least {
            return Err(Error::option(
                "--signal",
                format!(
                    "{bands} bands need windows of at least {least} samples, found {window}; make it longer, or --bands fewer"
                ),
            ));
        }
        Ok(windows)
    }

    /// How many samples the bands of one segment take.
    fn segment(&self) -> usize {
        2 * usize::from(self.bands)
    }

    /// The features of a channel.
    pub fn features(&self) -> Vec<Feature> {
        Feature::STATISTICS.into_iter().chain((0..self.bands).map(|k| Feature::band(k, self.bands))).collect()
    }

    /// Their names: "rms", "band_1500" at a known rate, "band_0" otherwise.
    fn names(&self) -> Vec<String> {
        let band = |k: u16| {
            let Some(rate) = self.rate else { return format!("band_{k}") };
            let centre = (f64::from(k) + 0.5) * rate / f64::from(2 * self.bands);
            // Four digits tell 64 bands apart.
            let unit = 10f64.powf(3.0 - centre.log10().floor());
            format!("band_{}", (centre * unit).round() / unit)
        };
        STATISTICS.into_iter().map(str::to_owned).chain((0..self.bands).map(band)).collect()
    }

    /// The rows of one channel: the features of each whole window.
    pub fn rows<M: Math>(&self, samples: &[f32]) -> Vec<Vec<f32>> {
        let Self { window, hop, bands, .. } = *self;
        let features = self.features();
        let row = |at: usize| {
            let mut row = vec![0.0; features.len()];
            Features { window, hop, bands, features: &features }.row::<M>(&samples[at..at + window], &mut row);
            row
        };
        let count = (samples.len() + hop).saturating_sub(window) / hop;
        (0..count).into_par_iter().map(|k| row(k * hop)).collect()
    }

    /// Reads a signal as a table of features, a row a window, in place of [`Frame::read`].
    ///
    /// # Errors
    /// Whatever is wrong with the file, with its place; a signal shorter than a window.
    pub fn frame(&self, path: &Path, header: Header) -> Result<Frame> {
        let Signal { channels, digest } = Signal::read(path, header)?;
        let length = channels.first().map_or(0, |(_, samples)| samples.len());
        if length < self.window {
            let message = format!(
                "{length} samples, fewer than the window of {}; supply a longer signal, or fit with a shorter --signal",
                self.window
            );
            return Err(Error::input(path, message));
        }
        let mut columns = Vec::new();
        for (channel, samples) in &channels {
            let rows = self.rows::<Libm>(samples);
            for (k, name) in self.names().into_iter().enumerate() {
                let name = if channels.len() > 1 { format!("{channel}.{name}") } else { name };
                columns.push(Cells::new(name, rows.iter().map(|row| row[k].to_string())));
            }
        }
        let lines = (0..columns[0].codes.len()).map(|k| (k * self.hop) as u64 + 1).collect();
        Ok(Frame { path: path.to_owned(), columns, lines, unit: "sample", digest, mixed: Vec::new() })
    }
}

/// Reads a file of rows, or of a signal that becomes rows.
///
/// # Errors
/// Whatever is wrong with the file, with its place.
pub fn read(signal: Option<Windows>, path: &Path, header: Header) -> Result<Frame> {
    signal.map_or_else(|| Frame::read(path, header), |windows| windows.frame(path, header))
}

/// How the rows of a file are dealt. Windows of a signal resemble their neighbours and may share samples with them, so
/// that shares are stretches of time with a gap between.
pub fn split_strategy(signal: Option<Windows>, seed: u64) -> SplitStrategy {
    signal.map_or(SplitStrategy::Shuffled { seed }, |Windows { window, hop, .. }| SplitStrategy::InOrder {
        gap: (window - 1) / hop,
    })
}

/// The channels of a recording, each with its name.
#[derive(Clone, Debug)]
pub struct Signal {
    /// Names and samples, as many of each.
    pub channels: Vec<(String, Vec<f32>)>,
    /// CRC-32 of the file.
    pub digest: u32,
}

impl Signal {
    /// Reads a .npy file, or CSV.
    ///
    /// # Errors
    /// Whatever is wrong with the file, with its place.
    pub fn read(path: &Path, header: Header) -> Result<Self> {
        if is_npy(path) { Self::npy(path) } else { Self::csv(path, header) }
    }

    fn npy(path: &Path) -> Result<Self> {
        let fault = |message: String| Error::input(path, message);
        let bytes = std::fs::read(path).map_err(Error::io(path, "cannot be opened; check the path"))?;
        let digest = crate::data::checksum(&bytes);
        let file = npyz::NpyFile::new(&bytes[..])
            .map_err(|error| fault("not a .npy file; write it with numpy.save, or pass CSV".into()).caused_by(error))?;
        let (shape, order, dtype) = (file.shape().to_vec(), file.order(), file.dtype().descr());
        let count = match shape[..] {
            [_] => 1,
            [_, channels] => channels as usize,
            _ => return Err(fault(format!("{} axes; expected samples, or samples x channels", shape.len()))),
        };
        let expected = shape.iter().try_fold(1u64, |all, axis| all.checked_mul(*axis));
        // A header may promise anything.
        if expected.is_none_or(|all| all > bytes.len() as u64) {
            return Err(fault("cut short; copy the whole file".into()));
        }
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
        Ok(Self { channels: (0..count).map(channel).collect(), digest })
    }

    /// A missing sample is NaN.
    fn csv(path: &Path, header: Header) -> Result<Self> {
        let frame = Frame::read(path, header)?;
        let channel = |column: usize| {
            let cells = &frame.columns[column];
            let number = |text: &String| match text.parse::<f64>() {
                Ok(number) => Some(number as f32),
                Err(_) if crate::data::is_missing(text) => Some(f32::NAN),
                Err(_) => None,
            };
            let numbers: Vec<Option<f32>> = cells.texts.iter().map(number).collect();
            let sample = |(row, &code): (usize, &u32)| {
                numbers[code as usize].ok_or_else(|| {
                    let found = cells.text(row);
                    let message =
                        format!("expected a sample of a signal, found `{found}`; correct the cell or leave it empty");
                    frame.fault(row, column, message)
                })
            };
            Ok((cells.name.clone(), cells.codes.iter().enumerate().map(sample).collect::<Result<_>>()?))
        };
        Ok(Self { channels: (0..frame.columns.len()).map(channel).collect::<Result<_>>()?, digest: frame.digest })
    }
}

/// All numbers of a file, as the board would have them.
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
