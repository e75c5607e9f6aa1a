//! Windows of a raw signal: each window becomes a row of features, which the board computes with the same code.

use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use surprisal::{Feature, Features, Libm, Math};

use crate::data::{
    Cell, Cells, FileKind, Frame, FrameColumn, Header, Numbers, ReadOptions, arrays, checksum, input, join,
    sound_channels,
};
use crate::error::{Error, Result};
use crate::escape::column_option;
use crate::observer::{Event, Observer};
use crate::warning::Warning;

/// Names of the features in [`Feature::STATISTICS`], in the same order.
pub(crate) const STATISTICS: [&str; 6] = ["mean", "rms", "peak_to_peak", "crest", "kurtosis", "crossings"];

/// Number of windows per step of progress.
const STEP: usize = 512;

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
    /// Returns the number of windows between two shares of a split, because neighbours share samples.
    pub(crate) fn gap(self) -> usize {
        (self.window - 1) / self.hop
    }

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
        let starts: Vec<usize> = (0..self.count(samples.len())).map(|k| k * self.hop).collect();
        self.rows_at::<M>(samples, &starts)
    }

    /// Computes the features of the windows that begin at these samples, and returns them as `[window][feature]`.
    fn rows_at<M: Math>(&self, samples: &[f32], starts: &[usize]) -> Vec<Vec<f32>> {
        let Self { window, hop, bands, .. } = *self;
        let features = self.features();
        let row = |&at: &usize| {
            let mut row = vec![0.0; features.len()];
            Features { window, hop, bands, features: &features }.row::<M>(&samples[at..at + window], &mut row);
            row
        };
        starts.par_iter().map(row).collect()
    }

    /// Reads a signal and returns the features of its windows as rows, one row per window, with the time stamp of the
    /// window's first sample in the last columns. No window spans two sessions.
    ///
    /// # Errors
    /// The errors of [`Signal::read`], and [`Error::Input`] if every session is shorter than a window, there are too many
    /// windows, or a column of time stamps has the name of a feature.
    pub fn frame(&self, path: &Path, options: &ReadOptions) -> Result<Frame> {
        self.frame_observed(path, options, &())
    }

    /// Reads a signal as [`frame`](Self::frame) does, and reports progress to an observer.
    ///
    /// # Errors
    /// The errors of [`frame`](Self::frame).
    fn frame_observed(&self, path: &Path, options: &ReadOptions, observer: &dyn Observer) -> Result<Frame> {
        let limits = options.limits;
        let Signal { channels, stamps, starts, left_out, digest, remarks } =
            Signal::read_observed(path, options, observer)?;
        let path = &input::shown(path);
        check_clocks(path, &channels, options)?;
        let length = channels.first().map_or(0, |(_, samples)| samples.len());
        let bounds: Vec<usize> = [0].into_iter().chain(starts).chain([length]).collect();
        // The first sample of each window.
        let firsts =
            bounds.windows(2).flat_map(|ends| (0..self.count(ends[1] - ends[0])).map(|k| ends[0] + k * self.hop));
        let firsts: Vec<usize> = firsts.collect();
        if firsts.is_empty() {
            let longest = bounds.windows(2).map(|ends| ends[1] - ends[0]).max().unwrap_or(0);
            let sessions = if bounds.len() > 2 { " in the longest session" } else { "" };
            let message = format!(
                "{longest} samples{sessions}, fewer than the window of {}; supply a longer signal, or fit with a shorter --signal",
                self.window
            );
            return Err(Error::input(path, message));
        }
        let names = self.names();
        limits.check_columns(path, channels.len() * names.len())?;
        limits.check_cells(path, firsts.len(), channels.len() * names.len())?;
        let mut columns = Vec::new();
        let stage = format!("features of {}", path.display());
        observer.event(Event::Stage { name: &stage, steps: channels.len() * firsts.len().div_ceil(STEP) });
        for (channel, samples) in &channels {
            let mut rows = Vec::with_capacity(firsts.len());
            for some in firsts.chunks(STEP) {
                rows.append(&mut self.rows_at::<Libm>(samples, some));
                observer.event(Event::Step);
            }
            for (k, name) in names.iter().enumerate() {
                let name = if channels.len() > 1 { format!("{channel}.{name}") } else { name.clone() };
                if stamps.iter().any(|column| column.name == name) {
                    let message = "a feature has the name of this column of time stamps; rename the column";
                    return Err(Error::input(path, message).column(&name));
                }
                columns.push(FrameColumn { name, cells: Cells::Real(rows.iter().map(|row| row[k]).collect()) });
            }
        }
        let stamp = |FrameColumn { name, cells }| FrameColumn { name, cells: cells.select(&firsts) };
        columns.extend(stamps.into_iter().map(stamp));
        let starts = bounds[1..bounds.len() - 1].iter().map(|&start| firsts.partition_point(|&first| first < start));
        let mut starts: Vec<usize> = starts.filter(|row| (1..firsts.len()).contains(row)).collect();
        starts.dedup();
        Ok(Frame {
            path: path.to_owned(),
            columns,
            lines: firsts.iter().map(|&first| first as u64 + 1).collect(),
            starts,
            unit: "sample",
            digest,
            left_out,
            remarks,
            ..Frame::default()
        })
    }
}

/// Reads files of rows or, if `signal` is given, files of signals whose windows become rows. Each file begins a session,
/// and so does each gap between the time stamps of a file that has them; `-` is standard input. The files share the limits
/// on bytes and cells. [`expand`](crate::data::expand) replaces wildcards.
///
/// # Errors
/// The errors of [`Frame::read_with`] or [`Windows::frame`], and [`Error::Input`] if the files have different columns.
pub fn read(signal: Option<Windows>, paths: &[PathBuf], options: &ReadOptions) -> Result<Frame> {
    read_observed(signal, paths, options, &())
}

/// Reads files as [`read`] does, and reports progress to an observer.
///
/// # Errors
/// The errors of [`read`].
pub fn read_observed(
    signal: Option<Windows>,
    paths: &[PathBuf],
    options: &ReadOptions,
    observer: &dyn Observer,
) -> Result<Frame> {
    let mut options = options.clone();
    let read = |path: &PathBuf| {
        let frame = match signal {
            Some(windows) => windows.frame_observed(path, &options, observer)?,
            None => {
                let mut frame = Frame::read_observed(path, &options, observer)?;
                frame.find_sessions_if_any(&options)?;
                frame
            }
        };
        options.limits.bytes_before += frame.bytes as u64;
        options.limits.cells_before += frame.rows() * frame.columns.len();
        Ok(frame)
    };
    join(paths.iter().map(read))
}

/// Number of samples in which a channel may rise by chance.
const RISING: usize = 50;

/// Checks that no channel only rises, as a clock beside the samples does, unless it is kept.
fn check_clocks(path: &Path, channels: &[(String, Vec<f32>)], options: &ReadOptions) -> Result<()> {
    let Some(kept) = &options.channels_kept else { return Ok(()) };
    let rises = |samples: &[f32]| samples.len() > RISING && samples.is_sorted_by(|a, b| a < b);
    let clocks: Vec<&str> = channels
        .iter()
        .filter(|(name, samples)| !kept.contains(name) && rises(samples))
        .map(|(name, _)| name.as_str())
        .collect();
    let Some(first) = clocks.first() else { return Ok(()) };
    let all = |option: &str| clocks.iter().map(|name| column_option(option, name)).collect::<Vec<_>>().join(" ");
    let message = format!(
        "only rises, as a clock or a counter does, and is no signal; leave it out with {}, carry it as a time stamp with {}, or \
         keep it with {}",
        all("--ignore"),
        column_option("--time", first),
        all("--keep")
    );
    Err(Error::input(path, message).column(first))
}

/// Channels of a recording.
#[derive(Clone, Debug)]
pub struct Signal {
    /// (name, samples) of each channel; all channels have the same number of samples. A missing sample is NaN.
    pub channels: Vec<(String, Vec<f32>)>,
    /// Columns of time stamps, one per sample.
    pub stamps: Vec<FrameColumn>,
    /// Samples, other than the first, with which a session begins.
    pub starts: Vec<usize>,
    /// Names of the channels that were left out.
    pub left_out: Vec<String>,
    /// CRC-32 of the file after decompression.
    pub digest: u32,
    /// What was recognised in the file and may surprise.
    pub remarks: Vec<Warning>,
}

impl Signal {
    /// Reads a file of samples: arrays in NumPy's formats, a sound in RIFF format, or text with a column per channel.
    ///
    /// # Errors
    /// The errors of [`Frame::read`] for text. For other files, [`Error::Io`] if the file cannot be read, and
    /// [`Error::Input`] if it is damaged or holds no samples.
    pub fn read(path: &Path, header: Header) -> Result<Self> {
        Self::read_with(path, &header.into())
    }

    /// Reads a file of samples as the options say, without the channels that they leave out.
    ///
    /// # Errors
    /// The errors of [`read`](Self::read), and [`Error::Input`] if no channel is left.
    pub fn read_with(path: &Path, options: &ReadOptions) -> Result<Self> {
        Self::read_observed(path, options, &())
    }

    fn read_observed(path: &Path, options: &ReadOptions, observer: &dyn Observer) -> Result<Self> {
        let mut signal = Self::whole(path, options, observer)?;
        let is_left_out = |(name, _): &mut (String, _)| options.channels_left_out.contains(name);
        let left_out = signal.channels.extract_if(.., is_left_out).map(|(name, _)| name);
        signal.left_out.extend(left_out);
        if signal.channels.is_empty() && !(signal.left_out.is_empty() && signal.stamps.is_empty()) {
            return Err(Error::input(&input::shown(path), "every channel is left out; keep at least one"));
        }
        Ok(signal)
    }

    fn whole(path: &Path, options: &ReadOptions, observer: &dyn Observer) -> Result<Self> {
        let limits = &options.limits;
        let bytes = input::read_decompressed(path, limits, observer)?;
        let shown = &input::shown(path);
        let digest = checksum(&bytes);
        let mut channels = match FileKind::of(&bytes) {
            FileKind::Wav => sound_channels(shown, &bytes, limits, observer)?,
            FileKind::Npy | FileKind::Zip => arrays(shown, &bytes, limits, observer)?.columns,
            _ => return Self::text(Frame::decode(shown, bytes, options, observer)?, options),
        };
        let count = channels.first().map_or(0, |(_, numbers)| numbers.len());
        let stamps = channels.extract_if(.., |(name, _)| options.time.contains(name));
        let stamp = |(name, numbers): (String, Numbers)| FrameColumn { name, cells: Cells::Text(numbers.texts(&())) };
        let columns: Vec<FrameColumn> = stamps.map(stamp).collect();
        let mut stamps = Frame {
            path: shown.clone(),
            lines: if columns.is_empty() { Vec::new() } else { (1..=count as u64).collect() },
            columns,
            unit: "sample",
            ..Frame::default()
        };
        stamps.find_sessions_if_any(options)?;
        let channels = channels.into_iter().map(|(name, numbers)| (name, numbers.samples())).collect();
        let Frame { columns: stamps, starts, remarks, .. } = stamps;
        let mut signal = Self { channels, stamps, starts, left_out: Vec::new(), digest, remarks };
        signal.empty_codes(options);
        Ok(signal)
    }

    /// Replaces samples that are a code of a missing reading by NaN.
    fn empty_codes(&mut self, options: &ReadOptions) {
        for (name, samples) in &mut self.channels {
            let codes = options.missing.numbers(name);
            samples.iter_mut().filter(|sample| codes.contains(sample)).for_each(|sample| *sample = f32::NAN);
        }
    }

    fn text(mut frame: Frame, options: &ReadOptions) -> Result<Self> {
        frame.find_sessions_if_any(options)?;
        let stamps = frame.columns.extract_if(.., |column| options.time.contains(&column.name)).collect();
        let sample = |cell: Cell| match cell.number() {
            Some(number) => Some(number as f32),
            None => cell.is_missing().then_some(f32::NAN),
        };
        let channel = |(at, column): (usize, &FrameColumn)| {
            let samples = column.cells.map(sample).into_iter().enumerate().map(|(row, sample)| {
                sample.ok_or_else(|| {
                    let found = column.text(row);
                    let advice = match column.cells.get(row).is_time() {
                        true => {
                            let [time, ignore] =
                                ["--time", "--ignore"].map(|option| column_option(option, &column.name));
                            format!("carry time stamps with {time}, or leave the column out with {ignore}")
                        }
                        false => "correct the cell or leave it empty".to_owned(),
                    };
                    let message = format!("expected a sample of a signal, found `{found}`; {advice}");
                    frame.fault(row, at, message)
                })
            });
            Ok((column.name.clone(), samples.collect::<Result<_>>()?))
        };
        let is_kept = |(_, column): &(usize, &FrameColumn)| !options.channels_left_out.contains(&column.name);
        let columns = frame.columns.iter().enumerate();
        let channels: Vec<_> = columns.filter(is_kept).map(channel).collect::<Result<_>>()?;
        if channels.is_empty() {
            return Err(Error::input(&frame.path, "every channel is left out; keep at least one"));
        }
        let columns = frame.columns.iter().map(|column| &column.name);
        let left_out = columns.filter(|name| options.channels_left_out.contains(name)).cloned().collect();
        let Frame { starts, digest, remarks, .. } = frame;
        Ok(Self { channels, stamps, starts, left_out, digest, remarks })
    }
}
