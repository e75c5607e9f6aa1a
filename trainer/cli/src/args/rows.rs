//! Options that name models, rows and signals, and the rule of alarms.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use surprisal::AlarmRule;
use surprisal_trainer::alarms::AlarmSettings;
use surprisal_trainer::applied::SelectionSettings;
use surprisal_trainer::divergence::SamplingSettings;
use surprisal_trainer::windows::Windows;

use super::{ReadingArgs, parse};

/// Arguments that name a model and the rows to which the model is applied.
#[derive(Clone, Debug, Args)]
pub struct RowArgs {
    /// Model: a .srp file that `fit` wrote, or the .cal file of a machine.
    pub model: PathBuf,
    /// Files with rows that have the columns of the training data; each file begins a session. Names may have wildcards,
    /// and - reads standard input.
    #[arg(required = true)]
    pub data: Vec<PathBuf>,
    #[command(flatten)]
    pub reading: ReadingArgs,
    #[command(flatten)]
    pub selection: SelectionArgs,
}

/// Options that select rows, and say which of them are anomalous.
#[derive(Clone, Debug, Args)]
pub struct SelectionArgs {
    /// Column of time stamps, which is shown beside each row; by default that of the fit. A gap begins a new session.
    #[arg(long, value_name = "COLUMN")]
    pub time: Vec<String>,
    /// Use only the rows of the training file that `fit` did not use.
    #[arg(long)]
    pub held_out: bool,
    /// Column that marks anomalies; by default the label column of the fit.
    #[arg(long, value_name = "COLUMN")]
    pub label: Option<String>,
    /// Value of the label column in normal rows; by default that of the fit for its column, and 0 for others.
    #[arg(long, value_name = "VALUE", allow_hyphen_values = true)]
    pub normal: Option<String>,
}

impl SelectionArgs {
    /// Returns which rows are selected.
    pub fn settings(&self) -> SelectionSettings {
        let Self { time, held_out, label, normal } = self.clone();
        SelectionSettings { held_out, label, normal, time }
    }
}

/// The rule by which a board raises alarms.
#[derive(Clone, Copy, Debug, Args)]
#[command(next_help_heading = "Alarms of a board")]
pub struct AlarmArgs {
    /// Raise an alarm when VOTES of the last ROWS rows are anomalous.
    #[arg(long, value_name = "VOTES:ROWS", default_value = "1:1", value_parser = parse::votes)]
    pub votes: (u8, u8),
    /// Raise no other alarm within this many rows after an alarm.
    #[arg(long, value_name = "ROWS", default_value_t = 0)]
    pub hold_off: u16,
    /// Number of rows per second, to show alarms per day.
    #[arg(long, value_name = "HZ", value_parser = parse::positive)]
    pub rate: Option<f64>,
}

impl AlarmArgs {
    /// Returns the rule of the monitor, and the number of rows per second.
    pub fn settings(&self) -> AlarmSettings {
        AlarmSettings {
            rule: AlarmRule { votes: self.votes.0, of: self.votes.1, hold_off: self.hold_off },
            rate: self.rate,
        }
    }
}

/// Options that convert a raw signal to rows of features.
#[derive(Clone, Debug, Args)]
pub struct SignalArgs {
    /// Read the data as samples of a raw signal, cut into windows of this many samples.
    ///
    /// The data are a .npy file (one axis, or samples x channels), a .npz or .wav file, or text with one column per
    /// channel. Each window of WINDOW samples becomes a row of features. The next window begins HOP samples after the
    /// start of the previous window, by default at its end.
    #[arg(long, value_name = "WINDOW[:HOP]", value_parser = parse::windows)]
    pub signal: Option<(usize, usize)>,
    /// Sampling rate of the signal, in samples per second. With this option, bands are named by their centre in Hz.
    #[arg(long, value_name = "HZ", requires = "signal", value_parser = parse::positive, help_heading = "Data")]
    pub sampling_rate: Option<f64>,
    /// Number of frequency bands into which the range from 0 to half the sampling rate is divided.
    #[arg(long, value_name = "N", requires = "signal", default_value_t = 8, value_parser = clap::value_parser!(u16).range(0..=64), help_heading = "Data")]
    pub bands: u16,
}

impl SignalArgs {
    /// Returns the windows of a signal, or `None` if the data are rows already.
    pub fn windows(&self) -> Result<Option<Windows>> {
        let windows = self.signal.map(|(window, hop)| Windows::new(window, hop, self.bands, self.sampling_rate));
        Ok(windows.transpose()?)
    }
}

/// Arguments that name a model and the model or rows to compare it with.
#[derive(Debug, Args)]
pub struct CompareArgs {
    /// Model A: a .srp file, or the .cal file of a machine.
    pub a: PathBuf,
    /// Model or data B: a .srp or .cal file with the same columns in any order, or rows as CSV (plain or .gz).
    pub b: PathBuf,
    /// Rows on which models A and B are compared as well, as CSV (plain or .gz).
    pub data: Option<PathBuf>,
    /// Number of rows to draw from each model if there are too many possible rows to enumerate.
    #[arg(short = 'n', default_value_t = SamplingSettings::default().rows as u32, value_name = "ROWS",
        value_parser = clap::value_parser!(u32).range(2..))]
    pub rows: u32,
    /// Number of rows in each of the two samples from which Wasserstein-1 is estimated.
    ///
    /// Larger samples bring the estimate closer to the exact value; the time grows with the cube of this number.
    #[arg(long, default_value_t = SamplingSettings::default().pairs as u32, value_name = "ROWS",
        value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub pairs: u32,
    /// Seed of the random samples.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    #[command(flatten)]
    pub reading: ReadingArgs,
    /// Column of time stamps; by default that of the fit. A gap begins a new session of a time series.
    #[arg(long, value_name = "COLUMN", help_heading = "Data")]
    pub time: Vec<String>,
    /// Use only the rows of the training file that `fit` did not use.
    #[arg(long, help_heading = "Data")]
    pub held_out: bool,
    /// Column that marks anomalies; by default the label column of the fit. Only normal rows are compared.
    #[arg(long, value_name = "COLUMN", help_heading = "Data")]
    pub label: Option<String>,
    /// Value of the label column in normal rows; by default that of the fit for its column, and 0 for others.
    #[arg(long, value_name = "VALUE", help_heading = "Data", allow_hyphen_values = true)]
    pub normal: Option<String>,
}
