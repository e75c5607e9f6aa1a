//! `surprisal fit`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhow::{Context, Result};
use clap::Args;
use serde_json::{Value, json};
use surprisal::Activation;

use super::apply::no_alarm;
use crate::artefact::write_whole;
use crate::calibrate::Rates;
use crate::data::Header;
use crate::fit::Family;
use crate::fit::nade::activation_named;
use crate::fit::optimizer::OptimizerChoices;
use crate::journal::Journal;
use crate::order::Order;
use crate::pipeline::{Job, run_watched};
use crate::schema::toml::Wishes;
use crate::select::auto::Watch;
use crate::select::{Choices, LayerChoices};
use crate::signal::SignalArgs;
use crate::stream::History;

#[derive(Debug, Args)]
pub(super) struct FitArgs {
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
    #[command(flatten)]
    signal: SignalArgs,
    /// Does the first line name the columns?
    #[arg(long, value_enum, default_value_t)]
    header: Header,
    /// Leave this column out; may be repeated.
    #[arg(long, value_name = "COLUMN")]
    ignore: Vec<String>,
    /// Rows are a stream in time: what a row is, given so many rows before it. Rows are then dealt in order.
    #[arg(long, value_name = "ROWS", conflicts_with = "signal", value_parser = clap::value_parser!(u16).range(1..=4096))]
    window: Option<u16>,
    /// The column whose change begins a stream anew: a run, a file, a restart. It is not modelled.
    #[arg(long, value_name = "COLUMN", requires = "window")]
    session: Option<String>,
    /// The column that marks anomalies: never modelled, and abnormal rows are not fitted.
    #[arg(long, value_name = "COLUMN", conflicts_with = "signal")]
    label: Option<String>,
    /// The label of ordinary rows.
    #[arg(long, value_name = "VALUE", default_value = "0", requires = "label")]
    normal: String,
    /// Keep numeric columns that never change in the training rows; any change will be a surprise.
    #[arg(long)]
    keep_constant: bool,
    /// What columns mean, in a file that `surprisal schema` begins; what it leaves out is found.
    #[arg(long, value_name = "FILE")]
    schema: Option<PathBuf>,
    /// How many cells a numeric column of more values gets; chosen on validation rows if not given.
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u16).range(2..=256))]
    cells: Option<u16>,
    /// What each conditional is made of.
    #[arg(long, value_enum, default_value_t)]
    family: Family,
    /// auto (by the validation rows), natural, learned, search (a local search from the learned one), chow-liu, mutual
    /// (greedy mutual information), or a file of column names.
    #[arg(long, default_value = "auto", value_name = "ORDER")]
    order: Order,
    /// The file never exceeds this size, for example 16KiB.
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    flash: Option<usize>,
    /// A row and its walk never take more bytes than this while scoring, for example 1KiB.
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    ram: Option<usize>,
    /// A row never takes more additions, multiplications and tree steps than this.
    #[arg(long, value_name = "N")]
    ops: Option<usize>,
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
    #[command(flatten, next_help_heading = "Hidden layers (families nade, linear-trees+hidden and auto)")]
    layer: LayerArgs,
    #[command(flatten, next_help_heading = "Stochastic gradient ascent (hidden layers)")]
    optimizer: OptimizerChoices,
    /// The share of ordinary rows that may raise an alarm, if they are exchangeable with the calibration rows.
    #[arg(long, value_name = "RATE", default_value_t = Rates::default().false_alarm)]
    false_alarm: f64,
    /// The mean number of ordinary rows from one false alarm of the cumulative sum to the next, if rows are independent.
    #[arg(long, value_name = "ROWS", default_value_t = Rates::default().average_run_length, value_parser = clap::value_parser!(u32).range(2..=1_000_000_000))]
    mean_time: u32,
    /// Of the split, and of all that is drawn in fitting.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// The .srp file to write.
    #[arg(short, value_name = "FILE", default_value = "model.srp")]
    output: PathBuf,
}

/// What may be fixed of a hidden layer; what is not given is chosen on the validation rows.
#[derive(Debug, Args)]
struct LayerArgs {
    /// How many units, up to 256.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    units: Option<u16>,
    /// What they make of their sums: relu, sigmoid or identity.
    #[arg(long, value_name = "NAME", value_parser = parse_activation)]
    activation: Option<Activation>,
    /// The share of units that each row does without while it is learned from.
    #[arg(long, value_name = "SHARE", value_parser = parse_share)]
    dropout: Option<f32>,
    /// The share of ones that each row does not feed to the layer meanwhile.
    #[arg(long, value_name = "SHARE", value_parser = parse_share)]
    input_dropout: Option<f32>,
    /// Layers of each size to fit from different starts; the best are also put side by side.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    restarts: Option<u16>,
    /// For the flagship: fit layers on top of the best lintree, whose logits stay as they are, instead of averaging.
    #[arg(long)]
    offset: bool,
}

pub(super) fn fit(args: FitArgs) -> Result<(String, Value)> {
    anyhow::ensure!(
        args.false_alarm > 0.0 && args.false_alarm < 1.0,
        "--false-alarm {}: expected a rate between 0 and 1, for example 0.001",
        args.false_alarm
    );
    anyhow::ensure!(
        args.strength != Some(0.0) || !matches!(args.family, Family::Tree | Family::ChowLiu | Family::Mixture),
        "--strength 0: leaves need a pseudo-count above zero, for example 1"
    );
    if let Some(fault) = args.optimizer.fault() {
        anyhow::bail!("{fault}");
    }
    let watch = watch(&args)?;
    let job = Job {
        train: args.data,
        valid: args.valid,
        calibrate: args.calibrate,
        test: args.test,
        signal: args.signal.windows()?,
        history: args.window.map(|window| History { window: window.into(), session: args.session }),
        header: args.header,
        ignore: args.ignore,
        label: args.label.map(|column| (column, args.normal)),
        keep_constant: args.keep_constant,
        cells: args.cells.map(usize::from),
        wishes: args.schema.as_deref().map(Wishes::read).transpose()?.unwrap_or_default(),
        choices: Choices {
            family: args.family,
            order: args.order,
            gamma: args.gamma,
            strength: args.strength,
            components: args.components.map(usize::from),
            l2: args.l2,
            layer: LayerChoices {
                units: args.layer.units.map(usize::from),
                activation: args.layer.activation,
                dropout: args.layer.dropout,
                input_dropout: args.layer.input_dropout,
                restarts: args.layer.restarts.map(usize::from),
                offset: args.layer.offset,
            },
            optimizer: args.optimizer,
            ..Choices::default()
        },
        flash: args.flash,
        ram: args.ram,
        operations: args.ops,
        seed: args.seed,
        rates: Rates { false_alarm: args.false_alarm, average_run_length: args.mean_time },
    };
    let fitted = run_watched(&job, &watch);
    if let (Err(_), Some(journal)) = (&fitted, &watch.journal) {
        journal.remove_if_empty();
    }
    let (artefact, report) = fitted?;
    let inputs = [Some(&job.train), job.valid.as_ref(), job.calibrate.as_ref(), job.test.as_ref()];
    let inputs: Vec<&Path> = inputs.into_iter().flatten().map(PathBuf::as_path).collect();
    write_whole(&args.output, &artefact.file_bytes(), &inputs)?;
    // Stopped early, the search may go on another time.
    if let (false, Some(journal)) = (watch.stopped.load(Ordering::Relaxed), &watch.journal) {
        journal.remove();
    }
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
    let gained = report.float_valid_ll - report.marginal_valid_ll;
    if gained > 0.0 {
        writeln!(out, "  {gained:.4} nats a validation row better than every column on its own")?;
    } else if job.choices.family != Family::Marginal {
        writeln!(
            out,
            "  no better than every column on its own ({:.4}): the columns tell nothing of each other, or the rows are too \
             few; --family marginal is smaller",
            report.marginal_valid_ll
        )?;
    }
    if let Some(natural) = report.orders.iter().find(|tried| tried.order == "natural")
        && report.order != "natural"
    {
        let taken = report.orders.iter().find(|tried| tried.order == report.order).unwrap_or(natural);
        let gained = taken.valid_ll - natural.valid_ll;
        writeln!(
            out,
            "  order {}: {gained:+.4} nats a validation row over the natural one, by one middling fit",
            report.order
        )?;
    }
    writeln!(out, "  KL(float || integer) {:.5} nats a row", report.kl_quantisation)?;
    match report.threshold {
        Some(threshold) => writeln!(
            out,
            "  alarm above an oddness of {threshold:.3} nats: at most {} % of ordinary rows, by {} held-out ones",
            (1e8 * report.false_alarm).round() / 1e6,
            report.calibration_rows
        )?,
        None => writeln!(out, "  {}", no_alarm(&artefact.detector()))?,
    }
    writeln!(
        out,
        "  ordinary rows score a sum of {:.3} nats, standard deviation {:.3}",
        report.entropy, report.deviation
    )?;
    if let (Some(reference), Some(limit)) = (report.reference, report.limit) {
        writeln!(
            out,
            "  cumulative sum over {reference:.3} nats a row: alarm above {limit:.3}, falsely once in {} independent rows",
            report.mean_time
        )?;
    }
    let mut value = serde_json::to_value(&report)?;
    value["output"] = json!(args.output);
    Ok((text, value))
}

/// What a search of `auto` looks at: Ctrl-C, and a file beside the output that keeps what it has fitted.
fn watch(args: &FitArgs) -> Result<Arc<Watch>> {
    let mut watch = Watch::default();
    if args.family != Family::Auto {
        return Ok(Arc::new(watch));
    }
    let mut path = args.output.clone().into_os_string();
    path.push(".search");
    let path = PathBuf::from(path);
    let journal = Journal::open(&path)?;
    if !journal.is_empty() {
        eprintln!("{}: goes on with {} layers that were fitted before", path.display(), journal.len());
    }
    watch.journal = Some(journal);
    let watch = Arc::new(watch);
    let seen = Arc::clone(&watch);
    ctrlc::set_handler(move || {
        if seen.stopped.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
        eprintln!("\nstopping; the best so far is exported. Once more to quit without it.");
    })
    .context("Ctrl-C cannot be caught")?;
    Ok(watch)
}

fn parse_activation(text: &str) -> Result<Activation, String> {
    activation_named(text).ok_or_else(|| "expected relu, sigmoid or identity".to_owned())
}

/// A share from 0 to below 1.
fn parse_share(text: &str) -> Result<f32, String> {
    let share = text.parse::<f32>().ok().filter(|share| (0.0..1.0).contains(share));
    share.ok_or_else(|| "expected a share from 0 to below 1, for example 0.2".to_owned())
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
