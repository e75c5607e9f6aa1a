//! The command line.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};
use surprisal_trainer::data::Header;
use surprisal_trainer::divergence::SamplingSettings;
use surprisal_trainer::windows::Windows;

mod fit;
mod parse;

pub use fit::FitArgs;

/// Fits probability models that tell a microcontroller how surprising a reading is.
#[derive(Debug, Parser)]
#[command(name = "surprisal", version, about, max_term_width = 100)]
pub struct Cli {
    /// Print one JSON object instead of text.
    #[arg(long, global = true, display_order = 900)]
    pub json: bool,
    /// Number of threads, 1 to 1024. The result does not depend on it.
    #[arg(long, global = true, hide_short_help = true, display_order = 901, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
    /// The command to run.
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Fit a model on a CSV file (plain or .gz) and write it as a .srp file.
    ///
    /// Exactly the same command on the same file writes exactly the same bytes.
    #[command(mut_arg("bands", |arg| arg.hide_short_help(true)), mut_arg("sampling_rate", |arg| arg.hide_short_help(true)))]
    Fit(Box<FitArgs>),
    /// Convert the log of a board to CSV, which `fit` reads.
    ///
    /// A line that holds `surprisal: ` and then cells separated by commas is a row, whatever precedes the marker. If no
    /// line has the marker, lines of numbers alone are rows. A line of names begins a session: the board was started.
    /// Incomplete lines are left out and counted.
    Collect {
        /// Output of `probe-rs run` or a serial port; - reads standard input.
        capture: PathBuf,
        /// Add the session number, counted from 1, as the first column. Fit such a file with `--ignore session`.
        #[arg(long)]
        sessions: bool,
        #[command(flatten)]
        out: OutArgs,
    },
    /// Compute the features of a raw signal as CSV, one row per window, as `fit --signal` does.
    Features {
        /// The signal: .npy or CSV.
        data: PathBuf,
        #[command(flatten)]
        signal: SignalArgs,
        #[arg(long, default_value_t, value_name = "WHEN", value_parser = parse::named(header_help),
            help = "Whether the first line of a CSV file names the channels")]
        header: Header,
        #[command(flatten)]
        out: OutArgs,
    },
    /// Describe the columns of a file as TOML, to be corrected and passed to `fit --schema`.
    Schema {
        /// The training rows.
        data: PathBuf,
        #[arg(long, default_value_t, value_name = "WHEN", value_parser = parse::named(header_help),
            help = "Whether the first line names the columns")]
        header: Header,
        /// Leave this column out; may be repeated.
        #[arg(long, value_name = "COLUMN")]
        ignore: Vec<String>,
        #[command(flatten)]
        out: OutArgs,
    },
    /// Report the mean surprisal of a file's rows. With labels, report how well anomalies stand out; without, the drift
    /// since the fit.
    Eval {
        #[command(flatten)]
        rows: RowArgs,
        #[command(flatten)]
        out: OutArgs,
    },
    /// Score each row as CSV: surprisal, anomaly score, p-value, whether it is anomalous, and its most surprising column.
    Score {
        #[command(flatten)]
        rows: RowArgs,
        /// Add the mean surprisal of the last W rows up to each row.
        #[arg(long, value_name = "W", value_parser = clap::value_parser!(u32).range(1..))]
        mean: Option<u32>,
        #[command(flatten)]
        out: OutArgs,
    },
    /// Show the surprisal of each column, for the most anomalous rows.
    Explain {
        #[command(flatten)]
        rows: RowArgs,
        /// Number of rows to show.
        #[arg(long, default_value_t = 5, value_name = "N")]
        top: usize,
        /// Show the row on this line of the file instead, or the window of a signal that begins at this sample.
        #[arg(long, value_name = "LINE")]
        line: Option<u64>,
        #[command(flatten)]
        out: OutArgs,
    },
    /// Draw rows from the model as CSV; a model of a time series draws a series.
    Sample {
        /// The .srp file.
        model: PathBuf,
        /// Number of rows.
        #[arg(short = 'n', default_value_t = 10, value_name = "ROWS")]
        rows: u64,
        /// Seed of the random numbers.
        #[arg(long, default_value_t = 0)]
        seed: u64,
        #[command(flatten)]
        out: OutArgs,
    },
    /// Measure how far a model is from another model or from data: KL both ways, Jensen-Shannon, total variation,
    /// Wasserstein-1.
    ///
    /// The numbers are exact if at most 2^20 different rows are possible, as with 20 bits, and against data. Otherwise they
    /// are estimated from samples of the models, with a standard error after the ±. Wasserstein-1 counts the bits of A
    /// that have to be flipped; it is exact up to 2^16 possible rows. Probabilities are of outcomes, the cells that
    /// readings fall in; the widths of the cells cancel.
    Compare {
        #[command(flatten)]
        compared: CompareArgs,
        #[command(flatten)]
        out: OutArgs,
    },
    /// Show the content of a model: columns, sizes, provenance, worst-case work.
    Inspect {
        /// The .srp file.
        model: PathBuf,
        #[command(flatten)]
        out: OutArgs,
    },
    /// Write the table as Rust source, or as the bytes that a board reads.
    Export {
        /// The .srp file.
        model: PathBuf,
        /// File to write: .rs for Rust source, .srp for the table without names.
        #[arg(short, value_name = "FILE")]
        output: PathBuf,
    },
}

/// Where the text of an answer goes.
#[derive(Debug, Args)]
pub struct OutArgs {
    /// Write to this file instead of standard output.
    #[arg(short, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// A model and the rows to apply it to.
#[derive(Debug, Args)]
pub struct RowArgs {
    /// The .srp file.
    pub model: PathBuf,
    /// The rows, with the columns of the training data.
    pub data: PathBuf,
    #[arg(long, default_value_t, value_name = "WHEN", value_parser = parse::named(header_help),
        help = "Whether the first line names the columns")]
    pub header: Header,
    /// Use only the rows of the training file that `fit` did not see.
    #[arg(long)]
    pub held_out: bool,
    /// Column that marks anomalies; by default the one that was given to `fit`.
    #[arg(long, value_name = "COLUMN")]
    pub label: Option<String>,
    /// Label of normal rows; by default 0.
    #[arg(long, value_name = "VALUE", requires = "label")]
    pub normal: Option<String>,
}

/// How a raw signal becomes rows.
#[derive(Clone, Debug, Args)]
pub struct SignalArgs {
    /// Data are samples of a raw signal, cut into windows.
    ///
    /// The data are samples of a raw signal: .npy (f32, f64, i16 or i32; one axis, or samples x channels), or CSV with one
    /// column per channel. Each WINDOW samples become a row of features. The next window begins HOP samples later, by
    /// default where the last one ends.
    #[arg(long, value_name = "WINDOW[:HOP]", value_parser = parse::windows)]
    pub signal: Option<(usize, usize)>,
    /// Samples per second of the signal. Bands are then named by their centre in Hz.
    #[arg(long, value_name = "HZ", requires = "signal", value_parser = parse::sampling_rate, help_heading = "Data")]
    pub sampling_rate: Option<f64>,
    /// Number of bands that divide the range up to half the sampling rate.
    #[arg(long, value_name = "N", requires = "signal", default_value_t = 8, value_parser = clap::value_parser!(u16).range(0..=64), help_heading = "Data")]
    pub bands: u16,
}

impl SignalArgs {
    /// Returns how a signal becomes rows, or `None` if the data are rows.
    pub fn windows(&self) -> Result<Option<Windows>> {
        let windows = self.signal.map(|(window, hop)| Windows::new(window, hop, self.bands, self.sampling_rate));
        Ok(windows.transpose()?)
    }
}

/// A model, and what to compare it with.
#[derive(Debug, Args)]
pub struct CompareArgs {
    /// A: a .srp file.
    pub a: PathBuf,
    /// B: another .srp file with the same columns in any order, or rows as CSV (plain or .gz).
    pub b: PathBuf,
    /// Number of rows to draw from each model if there are too many to enumerate.
    #[arg(short = 'n', default_value_t = SamplingSettings::default().rows as u32, value_name = "ROWS",
        value_parser = clap::value_parser!(u32).range(2..))]
    pub rows: u32,
    /// Number of rows in each sample that Wasserstein-1 matches.
    ///
    /// Larger samples bring the estimate closer to the truth, in a time that grows as their cube.
    #[arg(long, default_value_t = SamplingSettings::default().pairs as u32, value_name = "ROWS",
        value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub pairs: u32,
    /// Seed of the samples.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    #[arg(long, default_value_t, value_name = "WHEN", value_parser = parse::named(header_help), help_heading = "Data",
        help = "Whether the first line names the columns")]
    pub header: Header,
    /// Use only the rows of the training file that `fit` did not see.
    #[arg(long, help_heading = "Data")]
    pub held_out: bool,
    /// Column that marks anomalies; by default the one that was given to `fit`. Only normal rows are compared.
    #[arg(long, value_name = "COLUMN", help_heading = "Data")]
    pub label: Option<String>,
    /// Label of normal rows; by default 0.
    #[arg(long, value_name = "VALUE", requires = "label", help_heading = "Data")]
    pub normal: Option<String>,
}

/// Describes a value of `--header`.
fn header_help(header: Header) -> &'static str {
    match header {
        Header::Auto => "Yes if none of its cells is a number",
        Header::Yes => "The first line names the columns",
        Header::No => "The first line is a row; columns are called x0, x1, …",
    }
}
