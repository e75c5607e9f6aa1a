//! The command line: arguments in, one answer on stdout, everything else on stderr.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand};
use serde_json::{Value, json};

use crate::artefact::Artefact;
use crate::data::{Frame, Header};
use crate::fit::Family;
use crate::order::Order;
use crate::pipeline::{Job, run};
use crate::select::Choices;
use crate::split::odd_rows;

mod apply;

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
    Fit(FitArgs),
    /// Mean surprisal of a file's rows and, with labels, how well anomalies stand out.
    Eval {
        #[command(flatten)]
        rows: RowArgs,
        #[command(flatten)]
        out: OutArgs,
    },
    /// The surprisal of each row, as CSV.
    Score {
        #[command(flatten)]
        rows: RowArgs,
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
        /// Show this line of the file instead.
        #[arg(long, value_name = "LINE")]
        line: Option<u64>,
        #[command(flatten)]
        out: OutArgs,
    },
    /// Draw rows from the model, as CSV.
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

#[derive(Debug, Args)]
struct FitArgs {
    /// The training rows. Without --valid, 70 % of them are fitted, 10 % choose settings, 10 % calibrate the
    /// detector, and 10 % are held out for `eval --held-out`.
    data: PathBuf,
    /// Rows to choose settings on; a quarter of them calibrate if --calibrate is not given. Rows of another day's
    /// recording show better what to expect than rows between those of training.
    #[arg(long, value_name = "FILE")]
    valid: Option<PathBuf>,
    /// Rows to calibrate the detector on.
    #[arg(long, value_name = "FILE")]
    calibrate: Option<PathBuf>,
    /// Rows to report the log-likelihood of, once, at the end.
    #[arg(long, value_name = "FILE")]
    test: Option<PathBuf>,
    /// Does the first line name the columns?
    #[arg(long, value_enum, default_value_t)]
    header: Header,
    /// Leave this column out; may be repeated.
    #[arg(long, value_name = "COLUMN")]
    ignore: Vec<String>,
    /// The column that marks anomalies: never modelled, and abnormal rows are not fitted.
    #[arg(long, value_name = "COLUMN")]
    label: Option<String>,
    /// The label of ordinary rows.
    #[arg(long, value_name = "VALUE", default_value = "0", requires = "label")]
    normal: String,
    /// Keep numeric columns that never change in the training rows; any change will be a surprise.
    #[arg(long)]
    keep_constant: bool,
    /// What each conditional is made of.
    #[arg(long, value_enum, default_value_t)]
    family: Family,
    /// auto (learned or natural, by the validation rows), natural, learned, chow-liu, or a file of column names.
    #[arg(long, default_value = "auto", value_name = "ORDER")]
    order: Order,
    /// The file never exceeds this size, for example 16KiB.
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    flash: Option<usize>,
    /// What a tree's split must gain, in nats of the training set; chosen if not given.
    #[arg(long, value_name = "NATS", value_parser = parse_amount)]
    gamma: Option<f64>,
    /// The L1 penalty in nats of the training set (for tree families and mixtures a pseudo-count); chosen if not given.
    #[arg(long, value_name = "STRENGTH", value_parser = parse_amount)]
    strength: Option<f64>,
    /// How many components a mixture has; chosen if not given.
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u16).range(1..=64))]
    components: Option<u16>,
    /// The quadratic penalty on weights, in nats of the training set.
    #[arg(long, value_name = "L2", value_parser = parse_amount, default_value_t = Choices::default().l2)]
    l2: f64,
    /// The share of ordinary rows that may raise an alarm, if they are exchangeable with the calibration rows.
    #[arg(long, value_name = "RATE", default_value_t = 0.01)]
    false_alarm: f64,
    /// Of the split.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// The .srp file to write.
    #[arg(short, value_name = "FILE", default_value = "model.srp")]
    output: PathBuf,
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
    scores: Vec<surprisal::Nats>,
}

impl RowArgs {
    fn inputs(&self) -> [&Path; 2] {
        [&self.model, &self.data]
    }

    fn apply(&self) -> Result<Applied> {
        let artefact = Artefact::read(&self.model)?;
        let frame = Frame::read(&self.data, self.header)?;
        let rows = if self.held_out { artefact.held_out(&frame)? } else { (0..frame.rows()).collect() };
        let label = match &self.label {
            Some(column) => Some((column.clone(), self.normal.clone().unwrap_or_else(|| "0".into()))),
            // Rows from the field carry no label, and need none.
            None => artefact.notes.label.clone().filter(|(column, _)| frame.position(column).is_ok()),
        };
        let odd = label.map(|(column, normal)| odd_rows(&frame, &column, &normal)).transpose()?;
        let odd = odd.map(|odd| rows.iter().map(|&row| odd[row]).collect());
        let scores = artefact.scores(&artefact.schema.all_readings(&frame, &rows)?)?;
        Ok(Applied { artefact, frame, rows, odd, scores })
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
        Command::Fit(args) => fit(args),
        Command::Eval { rows, out } => out.deliver(apply::eval(&rows), &rows.inputs()),
        Command::Score { rows, out } => out.deliver(apply::score(&rows), &rows.inputs()),
        Command::Explain { rows, top, line, out } => out.deliver(apply::explain(&rows, top, line), &rows.inputs()),
        Command::Sample { model, rows, seed, out } => out.deliver(apply::sample(&model, rows, seed), &[&model]),
        Command::Inspect { model, out } => out.deliver(apply::inspect(&model), &[&model]),
        Command::Export { model, output } => apply::export(&model, &output),
    }
}

fn fit(args: FitArgs) -> Result<(String, Value)> {
    anyhow::ensure!(
        args.false_alarm > 0.0 && args.false_alarm < 1.0,
        "--false-alarm {}: expected a rate between 0 and 1, for example 0.001",
        args.false_alarm
    );
    anyhow::ensure!(
        args.strength != Some(0.0) || !matches!(args.family, Family::Tree | Family::ChowLiu | Family::Mixture),
        "--strength 0: leaves need a pseudo-count above zero, for example 1"
    );
    let job = Job {
        train: args.data,
        valid: args.valid,
        calibrate: args.calibrate,
        test: args.test,
        header: args.header,
        ignore: args.ignore,
        label: args.label.map(|column| (column, args.normal)),
        keep_constant: args.keep_constant,
        choices: Choices {
            family: args.family,
            order: args.order,
            gamma: args.gamma,
            strength: args.strength,
            components: args.components.map(usize::from),
            seed: args.seed,
            l2: args.l2,
        },
        flash: args.flash,
        seed: args.seed,
        false_alarm: args.false_alarm,
    };
    let (artefact, report) = run(&job)?;
    let inputs = [Some(&job.train), job.valid.as_ref(), job.calibrate.as_ref(), job.test.as_ref()];
    let inputs: Vec<&Path> = inputs.into_iter().flatten().map(PathBuf::as_path).collect();
    crate::artefact::write_whole(&args.output, &artefact.file_bytes(), &inputs)?;
    let mut text = String::new();
    let out = &mut text;
    writeln!(
        out,
        "{}: {} bytes, of which the board needs {}",
        args.output.display(),
        report.file_bytes,
        report.table_bytes
    )?;
    writeln!(out, "  {} columns, {} bits; {}", report.columns, report.bits, artefact.notes.fit.summary())?;
    writeln!(out, "  log-likelihood in nats a row    float    integer")?;
    let mut line = |name: &str, rows: usize, float: f64, integer: f64| {
        writeln!(out, "    {name:<11} {rows:>8} rows {float:>12.4} {integer:>10.4}")
    };
    line("validation", report.valid_rows, report.float_valid_ll, report.valid_ll)?;
    if let (Some(rows), Some(float), Some(integer)) = (report.test_rows, report.float_test_ll, report.test_ll) {
        line("test", rows, float, integer)?;
    }
    writeln!(out, "  KL(float || integer) {:.5} nats a row", report.kl_quantisation)?;
    match report.threshold {
        Some(threshold) => writeln!(
            out,
            "  alarm above {threshold:.3} nats: at most {} % of ordinary rows, by {} held-out ones",
            100.0 * report.false_alarm,
            report.calibration_rows
        )?,
        None => writeln!(
            out,
            "  no alarm ever: {} calibration rows are too few for a false-alarm rate of {}; raise --false-alarm to {:.1e}",
            report.calibration_rows,
            report.false_alarm,
            1.05 / (report.calibration_rows + 1) as f64
        )?,
    }
    let mut value = serde_json::to_value(&report)?;
    value["output"] = json!(args.output);
    Ok((text, value))
}

/// A finite number that is not negative.
fn parse_amount(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok().filter(|number| number.is_finite() && *number >= 0.0);
    number.ok_or_else(|| "expected a number that is zero or more, for example 2.5".to_owned())
}

/// Bytes from `16KiB`, `16k`, `0.5MiB` or `16384`.
fn parse_size(text: &str) -> Result<usize, String> {
    let lower = text.trim().to_ascii_lowercase();
    let digits = lower.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(lower.len());
    let factor = match lower[digits..].trim() {
        "" | "b" => 1.0,
        "k" | "kb" | "kib" => 1024.0,
        "m" | "mb" | "mib" => 1024.0 * 1024.0,
        unit => return Err(format!("unknown unit `{unit}`; write for example 16KiB")),
    };
    let number: f64 = lower[..digits].parse().map_err(|_| "expected a size, for example 16KiB".to_owned())?;
    Ok((number * factor) as usize)
}
