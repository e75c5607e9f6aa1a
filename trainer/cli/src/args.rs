//! Definition of the command line: commands and their options.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};
use surprisal::AlarmRule;
use surprisal_trainer::data::{Header, expand};
use surprisal_trainer::divergence::SamplingSettings;
use surprisal_trainer::windows::Windows;

mod fit;
mod parse;
mod rates;
mod reading;
mod target;

pub use fit::FitArgs;
pub use rates::RateArgs;
pub use reading::ReadingArgs;
pub use target::{BoardArg, EcosystemArg, LanguageArg};

/// Fits probability models that tell a microcontroller how surprising a reading is.
#[derive(Debug, Parser)]
#[command(name = "surprisal", version, about, max_term_width = 100)]
pub struct Cli {
    /// Print one JSON object instead of text.
    #[arg(long, global = true, display_order = 900)]
    pub json: bool,
    /// Number of threads, 1 to 1024. The results do not depend on this number.
    #[arg(long, global = true, hide_short_help = true, display_order = 901, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
    /// Command to run.
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Fit a model on files of rows (CSV and its relatives, plain, .gz or .zst) and write it as a .srp file.
    ///
    /// The same command on the same file always writes the same bytes.
    #[command(mut_arg("bands", |arg| arg.hide_short_help(true)), mut_arg("sampling_rate", |arg| arg.hide_short_help(true)))]
    Fit(Box<FitArgs>),
    /// Convert the log of a board to CSV, which `fit` reads.
    ///
    /// A line that contains the marker `surprisal: `, followed by cells separated by commas, is a row; text before the
    /// marker is ignored. If no line has the marker, lines that consist of numbers are rows. A line of names begins a
    /// session, because a board prints the names when it starts. Incomplete lines are left out and counted.
    Collect {
        /// File with the output of `probe-rs run` or of a serial port; - reads standard input.
        capture: PathBuf,
        /// Add the session number, counted from 1, as the first column. Fit such a file with `--ignore session`.
        #[arg(long)]
        sessions: bool,
        #[command(flatten)]
        out: OutArgs,
    },
    /// Compute the features of a raw signal as CSV, one row per window, as `fit --signal` does.
    Features {
        /// Files with the signal: .npy, .npz, .wav, or text with one column per channel; - reads standard input.
        #[arg(required = true)]
        data: Vec<PathBuf>,
        #[command(flatten)]
        signal: SignalArgs,
        /// Leave this channel out. The option may be repeated.
        #[arg(long, value_name = "CHANNEL")]
        ignore: Vec<String>,
        /// Channel of time stamps: each row has the stamp of its first sample, and a gap begins a new session.
        #[arg(long, value_name = "CHANNEL")]
        time: Vec<String>,
        #[command(flatten)]
        reading: ReadingArgs,
        #[command(flatten)]
        out: OutArgs,
    },
    /// Describe the columns of a file as TOML, which you can edit and pass to `fit --schema`.
    Schema {
        /// Files with the training rows; - reads standard input.
        #[arg(required = true)]
        data: Vec<PathBuf>,
        #[command(flatten)]
        reading: ReadingArgs,
        /// Leave this column out. The option may be repeated.
        #[arg(long, value_name = "COLUMN")]
        ignore: Vec<String>,
        #[command(flatten)]
        out: OutArgs,
    },
    /// Calibrate a model anew for another machine of the same kind or another season, by its normal rows.
    ///
    /// Threshold, quantiles, baselines and trend are computed from the rows; what the model has learned stays as it is.
    Calibrate {
        #[command(flatten)]
        rows: RowArgs,
        /// The .srp file to write.
        #[arg(short, value_name = "FILE")]
        output: PathBuf,
        /// Shift numeric columns by constants that make the rows most likely, for sensors that read a little more or less.
        ///
        /// One row in three then determines the constants, and all others the threshold.
        #[arg(long)]
        offsets: bool,
        #[command(flatten)]
        rates: RateArgs,
    },
    /// Report the mean surprisal of a file's rows. With labels, also report how well the scores separate anomalous from
    /// normal rows; without labels, the drift since the fit.
    Eval {
        #[command(flatten)]
        rows: RowArgs,
        #[command(flatten)]
        alarms: AlarmArgs,
        /// Show thresholds and alarms at other rates of false alarms, without a refit.
        #[arg(long)]
        sweep: bool,
        #[command(flatten)]
        out: OutArgs,
    },
    /// Score each row as CSV: surprisal, anomaly score, p-value, whether the row is anomalous, and the most surprising
    /// column.
    Score {
        #[command(flatten)]
        rows: RowArgs,
        #[command(flatten)]
        alarms: AlarmArgs,
        /// Add a column with the mean surprisal of the last W rows, including the current row.
        #[arg(long, value_name = "W", value_parser = clap::value_parser!(u32).range(1..))]
        mean: Option<u32>,
        #[command(flatten)]
        out: OutArgs,
    },
    /// Show the surprisal of each column for the most anomalous rows.
    Explain {
        #[command(flatten)]
        rows: RowArgs,
        /// Number of rows to show.
        #[arg(long, default_value_t = 5, value_name = "N")]
        top: usize,
        /// Show only the row on this line of the file or, for a signal, the window that begins at this sample.
        #[arg(long, value_name = "LINE")]
        line: Option<u64>,
        #[command(flatten)]
        out: OutArgs,
    },
    /// Draw rows from a model and write them as CSV. From the model of a time series, draw a series.
    Sample {
        /// Model: a .srp file that `fit` wrote.
        model: PathBuf,
        /// Number of rows to draw.
        #[arg(short = 'n', default_value_t = 10, value_name = "ROWS")]
        rows: u64,
        /// Seed of the random numbers.
        #[arg(long, default_value_t = 0)]
        seed: u64,
        #[command(flatten)]
        out: OutArgs,
    },
    /// Measure divergences between a model and another model or data: KL in both directions, Jensen-Shannon, total
    /// variation, Wasserstein-1.
    ///
    /// The divergences are exact between a model and data, and between models with at most 2^20 possible rows, for
    /// example of 20 bits. Otherwise they are estimated from samples of the models, with a standard error after the ±.
    /// Wasserstein-1 counts the bits of A that have to be flipped; it is exact up to 2^16 possible rows. Probabilities
    /// refer to outcomes, the bins that readings fall into; the widths of the bins cancel.
    Compare {
        #[command(flatten)]
        compared: CompareArgs,
        #[command(flatten)]
        out: OutArgs,
    },
    /// Show the content of a model: columns, sizes, provenance, worst-case work per row.
    Inspect {
        /// Model: a .srp file that `fit` wrote.
        model: PathBuf,
        #[command(flatten)]
        out: OutArgs,
    },
    /// Write the table of a model as Rust source, as a C header, as bytes that a board reads, or as a library of an
    /// ecosystem.
    ///
    /// `surprisal export pump.srp --package zephyr -o modules/pump` writes the module `pump` with an example, and beside it
    /// the module `surprisal`, which holds the C reader for all models of a firmware.
    Export {
        /// Model: a .srp file that `fit` wrote.
        model: PathBuf,
        /// File to write: a name ending in .rs for Rust source, in .h for a C header (the C reader is written beside it), in .srp for
        /// the bytes of the table without names. With --package, the new folder of the model.
        #[arg(short, value_name = "FILE")]
        output: PathBuf,
        /// Write a library of this ecosystem. Names in C begin with the name of the folder.
        #[arg(long, value_name = "ECOSYSTEM")]
        package: Option<EcosystemArg>,
    },
    /// Write a firmware project that scores rows with a model, and builds and runs as it is.
    ///
    /// `surprisal new monitor --board qemu-m3` writes the folder `monitor`; `cargo run --release` in it scores rows on an
    /// emulated board.
    New {
        /// Name of the project and of its folder, which is made in the current one.
        name: String,
        /// Board that the project is for.
        #[arg(long)]
        board: BoardArg,
        /// Language of the project.
        #[arg(long, default_value = "rust")]
        lang: LanguageArg,
        /// Model: a .srp file that `fit` wrote. By default the model of a pump, as an example.
        #[arg(long, value_name = "MODEL")]
        model: Option<PathBuf>,
    },
}

impl Command {
    /// Replaces wildcards in the names of data files, which not every shell does.
    pub fn expanded(mut self) -> Result<Self> {
        let data = match &mut self {
            Self::Fit(args) => &mut args.data,
            Self::Features { data, .. } | Self::Schema { data, .. } => data,
            Self::Eval { rows, .. }
            | Self::Score { rows, .. }
            | Self::Explain { rows, .. }
            | Self::Calibrate { rows, .. } => &mut rows.data,
            _ => return Ok(self),
        };
        *data = expand(data)?;
        Ok(self)
    }
}

/// Option that redirects the text output of a command.
#[derive(Debug, Args)]
pub struct OutArgs {
    /// Write to this file instead of standard output.
    #[arg(short, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// Arguments that name a model and the rows to which the model is applied.
#[derive(Debug, Args)]
pub struct RowArgs {
    /// Model: a .srp file that `fit` wrote.
    pub model: PathBuf,
    /// Files with rows that have the columns of the training data; each file begins a session. Names may have wildcards,
    /// and - reads standard input.
    #[arg(required = true)]
    pub data: Vec<PathBuf>,
    #[command(flatten)]
    pub reading: ReadingArgs,
    /// Column of time stamps, which is shown beside each row; by default that of the fit. A gap begins a new session.
    #[arg(long, value_name = "COLUMN")]
    pub time: Vec<String>,
    /// Use only the rows of the training file that `fit` did not use.
    #[arg(long)]
    pub held_out: bool,
    /// Column that marks anomalies; by default the label column of the fit.
    #[arg(long, value_name = "COLUMN")]
    pub label: Option<String>,
    /// Value of the label column in normal rows; by default 0.
    #[arg(long, value_name = "VALUE", requires = "label", allow_hyphen_values = true)]
    pub normal: Option<String>,
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
    /// Returns the rule of the monitor.
    pub fn rule(&self) -> AlarmRule {
        AlarmRule { votes: self.votes.0, of: self.votes.1, hold_off: self.hold_off }
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
    /// Model A: a .srp file.
    pub a: PathBuf,
    /// Model or data B: a .srp file with the same columns in any order, or rows as CSV (plain or .gz).
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
    /// Value of the label column in normal rows; by default 0.
    #[arg(long, value_name = "VALUE", requires = "label", help_heading = "Data", allow_hyphen_values = true)]
    pub normal: Option<String>,
}

/// Returns the help text of a value of `--header`.
fn header_help(header: Header) -> &'static str {
    match header {
        Header::Auto => "The first line names the columns if no cell of it is a reading",
        Header::Yes => "The first line names the columns",
        Header::No => "The first line is a row; columns are called x0, x1, …",
    }
}
