//! Raw signals to rows: each window of samples becomes a row of features, by the code that the board runs.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use surprisal::{Feature, Features, Libm, Math};

use crate::data::{Cells, Frame, Header, default_name, is_npy};
use crate::schema::Schema;
use crate::split::SplitStrategy;

/// Names of [`Feature::STATISTICS`].
const STATISTICS: [&str; 6] = ["mean", "rms", "peak_to_peak", "crest", "kurtosis", "crossings"];

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

/// How a raw signal becomes rows, as arguments.
#[derive(Clone, Debug, Args)]
pub struct SignalArgs {
    /// The data are samples of a raw signal: .npy (f32, f64, i16 or i32; one axis, or samples x channels), or CSV with
    /// a column a channel. Each WINDOW samples become a row of features; the next window begins HOP samples later, or
    /// where the last one ends.
    #[arg(long, value_name = "WINDOW[:HOP]", value_parser = parse_windows)]
    signal: Option<(usize, usize)>,
    /// Samples a second: bands are then named by their centre in Hz.
    #[arg(long, value_name = "HZ", requires = "signal", value_parser = parse_rate)]
    sampling_rate: Option<f64>,
    /// How many bands the range up to half the sampling rate is cut into.
    #[arg(long, value_name = "N", requires = "signal", default_value_t = 8, value_parser = clap::value_parser!(u16).range(0..=64))]
    bands: u16,
}

impl SignalArgs {
    /// The arguments as one, or none if the data are rows.
    ///
    /// # Errors
    /// A window without room for the bands.
    pub fn windows(&self) -> Result<Option<Windows>> {
        let Some((window, hop)) = self.signal else { return Ok(None) };
        let windows = Windows { window, hop, bands: self.bands, rate: self.sampling_rate };
        ensure!(
            window >= windows.segment(),
            "--signal {window}: {} bands take windows of {} samples at least; make it longer, or --bands fewer",
            self.bands,
            windows.segment()
        );
        Ok(Some(windows))
    }
}

impl Windows {
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
        ensure!(
            length >= self.window,
            "{}: {length} samples, fewer than the window of {}; supply a longer signal, or fit with a shorter --signal",
            path.display(),
            self.window
        );
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

    /// The Rust source of what a board makes of each channel, for its table: only the features that are modelled.
    pub fn source(&self, schema: &Schema) -> String {
        let Self { window, hop, bands, .. } = self;
        let features = self.features();
        let named = |(at, feature): (usize, &Feature)| match at.checked_sub(STATISTICS.len()) {
            Some(band) => format!("Feature::band({band}, {bands})"),
            None => format!("Feature::{feature:?}"),
        };
        let channels: Vec<String> = (0..schema.names.len())
            .step_by(features.len())
            .map(|first| {
                let modelled = |at: usize| schema.columns.iter().any(|coding| coding.file == first + at);
                let kept: Vec<String> =
                    features.iter().enumerate().filter(|(at, _)| modelled(*at)).map(named).collect();
                let kept = kept.join(", ");
                format!("    Features {{ window: {window}, hop: {hop}, bands: {bands}, features: &[{kept}] }},\n")
            })
            .collect();
        format!(
            "\n/// What is made of the samples of each channel; their rows, one after another, are the readings.\n\
             #[rustfmt::skip]\npub static CHANNELS: [Features<'static>; {}] = [\n{}];\n",
            channels.len(),
            channels.concat()
        )
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
        let shown = path.display();
        let bytes = std::fs::read(path).with_context(|| format!("{shown}: cannot be opened; check the path"))?;
        let digest = crate::data::checksum(&bytes);
        let file = npyz::NpyFile::new(&bytes[..])
            .with_context(|| format!("{shown}: not a .npy file; write it by numpy.save, or pass CSV"))?;
        let (shape, order, dtype) = (file.shape().to_vec(), file.order(), file.dtype().descr());
        let count = match shape[..] {
            [_] => 1,
            [_, channels] => channels as usize,
            _ => bail!("{shown}: {} axes; expected samples, or samples x channels", shape.len()),
        };
        let expected = shape.iter().try_fold(1u64, |all, axis| all.checked_mul(*axis));
        // A header may promise anything.
        ensure!(expected.is_some_and(|all| all <= bytes.len() as u64), "{shown}: cut short; copy the whole file");
        let flat = samples(file).with_context(|| {
            format!("{shown}: not readable to the end as samples of type {dtype}; expected f32, f64, i16 or i32, uncut")
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
                numbers[code as usize].with_context(|| {
                    format!(
                        "{}: expected a sample of a signal, found `{}`; correct the cell or leave it empty",
                        frame.place(row, column),
                        cells.text(row)
                    )
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

/// Window and hop from `2048` or `2048:512`.
fn parse_windows(text: &str) -> Result<(usize, usize), String> {
    let (window, hop) = text.split_once(':').unwrap_or((text, text));
    let windows = window.parse().ok().zip(hop.parse().ok());
    windows.filter(|&(window, hop)| (2..=65536).contains(&window) && (1..=window).contains(&hop)).ok_or_else(|| {
        "expected WINDOW or WINDOW:HOP in samples, for example 2048:512; a window has 2 to 65536, a hop 1 to WINDOW"
            .into()
    })
}

/// A finite number above zero.
fn parse_rate(text: &str) -> Result<f64, String> {
    let rate = text.parse::<f64>().ok().filter(|rate| rate.is_finite() && *rate > 0.0);
    rate.ok_or_else(|| "expected samples a second, for example 48000".to_owned())
}
