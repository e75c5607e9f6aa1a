//! Measures what the documentation claims: `cargo benches <COMMAND>`.

mod anomaly;
mod baseline;
mod blame;
mod compress;
mod contradictions;
mod density;
mod device;
mod features;
mod fitted;
mod fleet;
mod host;
mod large;
mod oddbench;
mod operation;
mod pump;
mod report;
mod sets;
mod skab;
mod stream;
mod update;

use anyhow::Result;
use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;
use xtask::exit_code;

/// Measure what the documentation claims
#[derive(Parser)]
#[command(bin_name = "cargo benches", disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Test log-likelihoods of exported tables on public binary data sets
    Density {
        /// The folder of NAME.{train,valid,test}.csv.gz
        #[arg(long, value_name = "DIR", default_value = "../shared/data/debd")]
        data: PathBuf,
        /// The data sets to fit; if none is given, all are fitted
        #[arg(value_name = "SET")]
        sets: Vec<String>,
    },
    /// Published protocols of anomaly detection, with scikit-learn's detectors on the same rows
    Anomaly(anomaly::Anomaly),
    /// AUC on 60 sets of OddBench, set by set, with the nearest neighbours of scikit-learn on the same rows
    #[command(name = "oddbench")]
    OddBench(oddbench::OddBench),
    /// How often the faulty column of an anomalous row is named
    Blame(blame::Args),
    /// How often a flag or a text that contradicts the numbers of its row alarms and is named
    Contradictions(contradictions::Args),
    /// A second unit, faults among the training rows, and trends of rows that resemble their neighbours
    Operation(operation::Operation),
    /// Bearing faults detected by features of a raw signal, and the instructions per window on boards
    Features {
        /// The folder of normal.npy, ball_007.npy, inner_race_007.npy and outer_race_007.npy
        #[arg(long, value_name = "DIR", default_value = "../shared/data/bearings")]
        data: PathBuf,
    },
    /// Instructions, stack and flash on emulated boards, compared with docs/device.json
    Device(device::Device),
    /// Values per second that a host scores, compared with NumPy
    Host {
        /// The folder of accidents.{train,valid,test}.csv.gz
        #[arg(long, value_name = "DIR", default_value = "../shared/data/debd")]
        data: PathBuf,
    },
    /// Time, memory and likelihood of fits of large files: of a sample, and of all rows
    Large(large::Large),
    /// Time and memory of the fits of a fleet, with one thread and with two
    Fleet(fleet::Fleet),
    /// Instructions, stack and flash of an update: reading and checking a table, its self-test, its signature
    Update,
    /// Bytes of rows in packets, beside compressors of text and independent columns
    Compress(compress::Compress),
    /// RAM that scoring a time series of eight channels with a window of ten rows takes on boards
    Stream,
}

fn main() -> ExitCode {
    exit_code(run(Cli::parse().command))
}

fn run(command: Command) -> Result<()> {
    match command {
        Command::Density { data, sets } => density::run(&data, &sets),
        Command::Anomaly(args) => anomaly::run(&args),
        Command::OddBench(args) => oddbench::run(&args),
        Command::Blame(args) => blame::run(&args),
        Command::Contradictions(args) => contradictions::run(&args),
        Command::Operation(args) => operation::run(&args),
        Command::Features { data } => features::run(&data),
        Command::Device(args) => device::run(&args),
        Command::Host { data } => host::run(&data),
        Command::Large(args) => large::run(&args),
        Command::Fleet(args) => fleet::run(&args),
        Command::Update => update::run(),
        Command::Compress(args) => compress::run(&args),
        Command::Stream => stream::run(),
    }
}
