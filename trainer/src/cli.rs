//! The command line: arguments in, one answer on stdout, everything else on stderr.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand};
use serde_json::{Value, json};
use surprisal::{Nats, Surprise};

use crate::artefact::Artefact;
use crate::collect::Capture;
use crate::data::{Frame, Header};
use crate::signal::SignalArgs;
use crate::split::anomalous_rows;

mod apply;
mod compare;
mod fit;

/// Fits models that tell a microcontroller how surprising a reading is.
#[derive(Debug, Parser)]
#[command(name = "surprisal", version, about)]
struct Cli {
    /// Print one JSON object on stdout instead of text.
    #[arg(long, global = true)]
    json: bool,
    /// How many threads to use; the result does not depend on it.
    #[arg(long, global = true, value_name = "N")]
    threads: Option<usize>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Fit a model on a CSV file (plain or .gz) and write it as a .srp file.
    Fit(Box<fit::FitArgs>),
    /// The readings that a board logged, as CSV: what `fit` fits.
    ///
    /// Lines that hold `surprisal: ` and then cells with commas between are taken, whatever stands before; without any
    /// such line, lines of numbers alone are. A line of names begins a session: the board was started. Half lines are
    /// left out and counted.
    Collect {
        /// What `probe-rs run` printed, or a serial port; - for standard input.
        capture: PathBuf,
        /// Add a first column with the session, from 1; `fit` wants it gone: --ignore session.
        #[arg(long)]
        sessions: bool,
        #[command(flatten)]
        out: OutArgs,
    },
    /// The features of a raw signal, a row a window, as CSV: what `fit --signal` fits.
    Features {
        /// The signal.
        data: PathBuf,
        #[command(flatten)]
        signal: SignalArgs,
        /// Of CSV: does the first line name the channels?
        #[arg(long, value_enum, default_value_t)]
        header: Header,
        #[command(flatten)]
        out: OutArgs,
    },
    /// What the columns of a file mean, as a TOML file to correct and pass to `fit --schema`.
    Schema {
        /// The training rows.
        data: PathBuf,
        /// Does the first line name the columns?
        #[arg(long, value_enum, default_value_t)]
        header: Header,
        /// Leave this column out; may be repeated.
        #[arg(long, value_name = "COLUMN")]
        ignore: Vec<String>,
        #[command(flatten)]
        out: OutArgs,
    },
    /// Mean surprisal of a file's rows; with labels, how well anomalies stand out, and without, drift since the fit.
    Eval {
        #[command(flatten)]
        rows: RowArgs,
        #[command(flatten)]
        out: OutArgs,
    },
    /// The surprisal of each row, as CSV: with its p-value, whether it is odd, and the column that surprises most.
    Score {
        #[command(flatten)]
        rows: RowArgs,
        /// Add the mean over the last W rows up to each.
        #[arg(long, value_name = "W", value_parser = clap::value_parser!(u32).range(1..))]
        mean: Option<u32>,
        #[command(flatten)]
        out: OutArgs,
    },
    /// The surprisal of each column, for the most surprising rows.
    Explain {
        #[command(flatten)]
        rows: RowArgs,
        /// How many rows to show.
        #[arg(long, default_value_t = 5, value_name = "N")]
        top: usize,
        /// Show this line of the file instead, or of a signal the window that begins at this sample.
        #[arg(long, value_name = "LINE")]
        line: Option<u64>,
        #[command(flatten)]
        out: OutArgs,
    },
    /// Draw rows from the model, as CSV; of rows in time a series.
    Sample {
        /// The .srp file.
        model: PathBuf,
        /// How many rows.
        #[arg(short = 'n', default_value_t = 10, value_name = "ROWS")]
        rows: usize,
        /// Of the random numbers.
        #[arg(long, default_value_t = 0)]
        seed: u64,
        #[command(flatten)]
        out: OutArgs,
    },
    /// How far a model is from another, or from data: KL both ways, Jensen-Shannon, total variation, Wasserstein-1.
    ///
    /// Exact where at most 2^20 different rows are possible, as with 20 bits, and against data; otherwise estimated
    /// from the models' own samples, with a standard error after the ±. Wasserstein-1 counts the bits of A that have
    /// to be flipped; it is exact up to 2^16 possible rows. Probabilities are of outcomes, the cells that readings
    /// fall in; the widths of the cells cancel.
    Compare {
        #[command(flatten)]
        compared: compare::CompareArgs,
        #[command(flatten)]
        out: OutArgs,
    },
    /// What is in a model: columns, sizes, provenance, worst-case work.
    Inspect {
        /// The .srp file.
        model: PathBuf,
        #[command(flatten)]
        out: OutArgs,
    },
    /// Write the table as Rust source, or as the bare bytes a board reads.
    Export {
        /// The .srp file.
        model: PathBuf,
        /// Where to: a .rs file, or a .srp file without names.
        #[arg(short, value_name = "FILE")]
        output: PathBuf,
    },
}

/// Where the answer for people goes.
#[derive(Debug, Args)]
struct OutArgs {
    /// Write here instead of stdout.
    #[arg(short, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl OutArgs {
    /// Writes the text to the file, which must be none of the inputs, or else leaves it as the answer.
    fn deliver(&self, answer: Result<(String, Value)>, inputs: &[&Path]) -> Result<(String, Value)> {
        let (text, value) = answer?;
        let Some(path) = &self.output else { return Ok((text, value)) };
        crate::artefact::write_whole(path, text.as_bytes(), inputs)?;
        Ok((String::new(), value))
    }
}

/// A model and the rows to apply it to.
#[derive(Debug, Args)]
struct RowArgs {
    /// The .srp file.
    model: PathBuf,
    /// The rows, in the same columns as the training data.
    data: PathBuf,
    /// Does the first line name the columns?
    #[arg(long, value_enum, default_value_t)]
    header: Header,
    /// Only the rows of the training file that `fit` did not see.
    #[arg(long)]
    held_out: bool,
    /// The column that marks anomalies, if not the one of `fit`.
    #[arg(long, value_name = "COLUMN")]
    label: Option<String>,
    /// The label of ordinary rows.
    #[arg(long, value_name = "VALUE", requires = "label")]
    normal: Option<String>,
}

/// A model, a file, which of its rows, and which of those are odd if that is known.
struct Applied {
    artefact: Artefact,
    frame: Frame,
    rows: Vec<usize>,
    odd: Option<Vec<bool>>,
    surprises: Vec<Surprise>,
    scores: Vec<Nats>,
}

impl RowArgs {
    fn inputs(&self) -> [&Path; 2] {
        [&self.model, &self.data]
    }

    fn apply(&self) -> Result<Applied> {
        let artefact = Artefact::read(&self.model)?;
        let frame = artefact.frame(&self.data, self.header)?;
        let rows = if self.held_out { artefact.held_out(&frame)? } else { (0..frame.rows()).collect() };
        let label = match &self.label {
            Some(column) => Some((column.clone(), self.normal.clone().unwrap_or_else(|| "0".into()))),
            // Rows from the field carry no label, and need none.
            None => artefact.notes.label.clone().filter(|(column, _)| frame.position(column).is_ok()),
        };
        let odd = label.map(|(column, normal)| anomalous_rows(&frame, &column, &normal)).transpose()?;
        let odd = odd.map(|odd| rows.iter().map(|&row| odd[row]).collect());
        let surprises = artefact.surprises(&artefact.schema.all_readings(&frame, &rows)?)?;
        let scores = surprises.iter().map(|surprise| surprise.total).collect();
        Ok(Applied { artefact, frame, rows, odd, surprises, scores })
    }
}

/// Runs the command; exit code 2 when the input is at fault, which is the only fault there should be.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let json = cli.json;
    match answer(cli) {
        Ok((text, value)) => {
            let out = if json { format!("{value}\n") } else { text };
            let mut stdout = std::io::stdout().lock();
            match stdout.write_all(out.as_bytes()).and_then(|()| stdout.flush()) {
                // A closed pipe is the reader's choice, not a fault.
                Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
                    eprintln!("error: standard output: {error}");
                    ExitCode::from(2)
                }
                _ => ExitCode::SUCCESS,
            }
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// The answer for people and the answer for programs.
fn answer(cli: Cli) -> Result<(String, Value)> {
    if let Some(threads) = cli.threads {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build_global().context("--threads: cannot be set")?;
    }
    match cli.command {
        Command::Fit(args) => fit::fit(*args),
        Command::Collect { capture, sessions, out } => out.deliver(collect(&capture, sessions), &[&capture]),
        Command::Features { data, signal, header, out } => {
            out.deliver(apply::features(&data, &signal, header), &[&data])
        }
        Command::Schema { data, header, ignore, out } => out.deliver(apply::schema(&data, header, &ignore), &[&data]),
        Command::Eval { rows, out } => out.deliver(apply::eval(&rows), &rows.inputs()),
        Command::Score { rows, mean, out } => out.deliver(apply::score(&rows, mean), &rows.inputs()),
        Command::Explain { rows, top, line, out } => out.deliver(apply::explain(&rows, top, line), &rows.inputs()),
        Command::Sample { model, rows, seed, out } => out.deliver(apply::sample(&model, rows, seed), &[&model]),
        Command::Compare { compared, out } => out.deliver(compare::compare(&compared), &compared.inputs()),
        Command::Inspect { model, out } => out.deliver(apply::inspect(&model), &[&model]),
        Command::Export { model, output } => apply::export(&model, &output),
    }
}

/// The rows of a capture as CSV; what was left out is said on stderr.
fn collect(path: &Path, with_sessions: bool) -> Result<(String, Value)> {
    let capture = Capture::read(path)?;
    let (rows, sessions, dropped) = (capture.rows.len(), capture.sessions(), capture.dropped.len());
    let first = capture.dropped.first().map_or(String::new(), |line| format!(", the first on line {line}"));
    eprintln!("rows: {rows}; sessions: {sessions}; half lines left out: {dropped}{first}");
    let value = json!({ "rows": rows, "columns": capture.names, "sessions": sessions, "dropped": capture.dropped });
    Ok((capture.csv(with_sessions)?, value))
}
