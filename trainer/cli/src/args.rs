//! Definition of the command line: commands and their options.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};
use surprisal_trainer::data::expand;
use surprisal_trainer::export::{Board, Ecosystem, Language};

mod fit;
mod fleet;
mod help;
mod parse;
mod rates;
mod reading;
mod rows;
mod signing;
mod telemetry;

use help::{board_help, ecosystem_help, language_help};

pub use fit::FitArgs;
pub use fleet::{FleetCommand, FleetCompareArgs, FleetReportArgs};
pub use rates::RateArgs;
pub use reading::ReadingArgs;
pub use rows::{AlarmArgs, CompareArgs, RowArgs, SelectionArgs, SignalArgs};
pub use signing::{SignArgs, VerifyArgs};
pub use telemetry::{CompressArgs, DecompressArgs};

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
    /// Write nothing but errors to standard error: no progress, no warnings.
    #[arg(short, long, global = true, hide_short_help = true, display_order = 902)]
    pub quiet: bool,
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
    #[command(after_help = "Example: surprisal fit pico.csv -o pico.srp")]
    Fit(Box<FitArgs>),
    /// Convert the log of a board to CSV, which `fit` reads.
    ///
    /// A line that contains the marker `surprisal: `, followed by cells separated by commas, is a row; text before the
    /// marker is ignored. If no line has the marker, lines that consist of numbers are rows. A line of names begins a
    /// session, because a board prints the names when it starts. Incomplete lines are left out and counted.
    #[command(after_help = "Example: surprisal collect examples/data/pico.log -o pico.csv")]
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
    #[command(after_help = "Example: surprisal features pico.csv --signal 64 --bands 4 -o features.csv")]
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
    #[command(after_help = "Example: surprisal schema pico.csv -o pico.toml")]
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
    #[command(after_help = "Example: surprisal calibrate pico.srp pico.csv --false-alarm 0.001 -o winter.srp")]
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
    #[command(after_help = "Example: surprisal eval pico.srp pico.csv --held-out --sweep")]
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
    #[command(after_help = "Example: surprisal score pico.srp pico.csv -o scores.csv")]
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
    #[command(after_help = "Example: surprisal explain pico.srp pico.csv --top 3")]
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
    /// Write a page of HTML that shows whether a model is good enough: false alarms, recall, figures, and what each column
    /// contributes.
    ///
    /// The page needs neither scripts nor a network. Rows are selected as for `eval`, and the numbers are the same.
    #[command(after_help = "Example: surprisal report pico.srp pico.csv --rate 10 -o report.html")]
    Report {
        #[command(flatten)]
        rows: RowArgs,
        #[command(flatten)]
        alarms: AlarmArgs,
        /// Compare with this model, a .srp file, on the same rows.
        #[arg(long, value_name = "MODEL")]
        against: Option<PathBuf>,
        /// The .html file to write.
        #[arg(short, value_name = "FILE")]
        output: PathBuf,
    },
    /// Draw rows from a model and write them as CSV. From the model of a time series, draw a series.
    #[command(after_help = "Example: surprisal sample pico.srp -n 100 --seed 1 -o sampled.csv")]
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
    #[command(after_help = "Example: surprisal compare pico.srp pico.csv")]
    Compare {
        #[command(flatten)]
        compared: CompareArgs,
        #[command(flatten)]
        out: OutArgs,
    },
    /// Show the content of a model: columns, sizes, provenance, worst-case work per row.
    #[command(after_help = "Example: surprisal inspect pico.srp")]
    Inspect {
        /// Model: a .srp file that `fit` wrote.
        model: PathBuf,
        #[command(flatten)]
        out: OutArgs,
    },
    /// Write the table of a model as Rust source, as a C header, as bytes that a board reads, or as a library of an
    /// ecosystem.
    ///
    /// With `--package zephyr -o modules/pump`, the existing folder `modules` gets the module `pump` with an example, and
    /// beside it the module `surprisal`, which holds the C reader for all models of a firmware.
    #[command(after_help = "Example: surprisal export pico.srp -o pico.h")]
    Export {
        /// Model: a .srp file that `fit` wrote.
        model: PathBuf,
        /// File to write: a name ending in .rs for Rust source, in .h for a C header (the C reader is written beside it, unless its library is there), in .srp for
        /// the bytes of the table without names. With --package, the new folder of the model.
        #[arg(short, value_name = "FILE")]
        output: PathBuf,
        /// Write a library of this ecosystem. Names in C begin with the name of the folder.
        #[arg(long, value_name = "ECOSYSTEM", value_parser = parse::named(ecosystem_help))]
        package: Option<Ecosystem>,
    },
    /// Write a firmware project that scores rows with a model, and builds and runs as it is.
    ///
    /// `cargo run --release` in the folder of an emulated board scores rows there.
    #[command(after_help = "Example: surprisal new monitor --board qemu-m3")]
    New {
        /// Name of the project and of its folder, which is made in the current one.
        name: String,
        /// Board that the project is for.
        #[arg(long, value_parser = parse::named(board_help))]
        board: Board,
        /// Language of the project.
        #[arg(long, default_value = "rust", value_parser = parse::named(language_help))]
        lang: Language,
        /// Model: a .srp file that `fit` wrote. By default the model of a pump, as an example.
        #[arg(long, value_name = "MODEL")]
        model: Option<PathBuf>,
    },
    /// Generate the key pair with which you sign updates and by which your devices know them.
    ///
    /// The private key never leaves the file. The public key goes into the firmware.
    #[command(after_help = "Example: surprisal keygen -o update.pem")]
    Keygen {
        /// New PEM file for the private key.
        #[arg(short, value_name = "FILE")]
        output: PathBuf,
    },
    /// Sign the table of a model as an update, which devices with the public key accept while they run.
    #[command(
        after_help = "Example: surprisal keygen -o my.pem && surprisal sign pico.srp --key my.pem --release 2 -o pico.sru"
    )]
    Sign(SignArgs),
    /// Check that an update is whole and signed by the owner of a key.
    #[command(after_help = "Example: surprisal verify pico.sru --key my.pem --model pico.srp")]
    Verify(VerifyArgs),
    /// Compress rows by the table of a model into packets that stand alone, in as many bytes as the rows surprise.
    ///
    /// Every cell of the model's columns comes back as it is written. Other columns are left out.
    #[command(after_help = "Example: surprisal compress pico.srp pico.csv -o pico.srpd")]
    Compress(CompressArgs),
    /// Decompress a file that `compress` wrote, or the packets of a board.
    ///
    /// If packets are damaged, the rows of all others are written, and the command ends with an error.
    #[command(after_help = "Example: surprisal decompress pico.srp pico.srpd -o again.csv")]
    Decompress(DecompressArgs),
    /// Look after the machines of a fleet, whose tables `fit --by` writes.
    #[command(
        after_help = "Example: surprisal fit pico.csv --by running -o models && surprisal fleet status models pico.csv"
    )]
    Fleet {
        /// What to do.
        #[command(subcommand)]
        command: FleetCommand,
    },
    /// Print the completion script of a shell.
    #[command(after_help = "Example: surprisal completions bash > surprisal.bash")]
    Completions {
        /// Shell that will read the script.
        shell: clap_complete::Shell,
    },
    /// Write the man pages of all commands.
    #[command(after_help = "Example: surprisal man -o man")]
    Man {
        /// Folder for the pages; pages of an earlier version there are replaced.
        #[arg(short, value_name = "FOLDER")]
        output: PathBuf,
    },
}

impl Command {
    /// Replaces wildcards in the names of data files, which not every shell does.
    pub fn expanded(mut self) -> Result<Self> {
        let data = match &mut self {
            Self::Fit(args) => &mut args.data,
            Self::Features { data, .. } | Self::Schema { data, .. } => data,
            Self::Fleet { command } => command.data_mut(),
            Self::Eval { rows, .. }
            | Self::Score { rows, .. }
            | Self::Explain { rows, .. }
            | Self::Report { rows, .. }
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
    /// Write the text to this file instead of standard output, where --json still prints its object.
    #[arg(short, value_name = "FILE")]
    pub output: Option<PathBuf>,
}
