//! The project's own commands: `cargo xtask <COMMAND>`.

mod bench;
mod board;
mod boards;
mod demo;
mod firmware;
mod elf;
mod golden;
mod link_table;
mod no_panic;
mod on_target;
mod setup;
mod shuttle;
mod size;
mod test;

use anyhow::Result;
use board::Board;
use clap::{Parser, Subcommand};
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

/// The project's own commands
#[derive(Parser)]
#[command(bin_name = "cargo xtask", disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Find or install all that the other commands need
    Setup,
    /// Run the tests on emulated microcontrollers
    OnTarget {
        /// m0, m3, m4f, m7, m33 or riscv; all of them if none is named
        #[arg(value_name = "BOARD", value_parser = Board::named)]
        boards: Vec<Board>,
    },
    /// From a CSV file to verdicts on an emulated microcontroller, compared with the host's bit for bit
    Demo,
    /// The examples for boards: tables from made-up captures, both programs, what they fill
    Boards,
    /// Everything that must hold: format, lints, docs, host tests, on-target tests, README
    Test,
    /// Measure what the documentation claims
    #[command(subcommand)]
    Bench(Bench),
    /// Make `tests/golden` anew: tables, rows, and their exact scores
    Golden {
        /// Only these tables
        #[arg(value_name = "TABLE")]
        tables: Vec<String>,
    },
    /// What scoring fills on a board: functions and constants, the largest first
    Size(size::Size),
    /// Make `src/link/table.rs` anew
    LinkTable,
    /// Prove that the core cannot panic and computes with integers
    NoPanic,
}

#[derive(Subcommand)]
enum Bench {
    /// Test log-likelihoods of exported tables on public binary data sets
    Density {
        /// The folder of NAME.{train,valid,test}.csv.gz
        #[arg(long, value_name = "DIR", default_value = "../shared/data/debd")]
        data: PathBuf,
        /// Only these sets
        #[arg(value_name = "SET")]
        sets: Vec<String>,
    },
    /// Bearing faults told by features of a raw signal, with each math, and what a window costs on a board
    Features {
        /// The folder of normal.npy, ball_007.npy, inner_race_007.npy and outer_race_007.npy
        #[arg(long, value_name = "DIR", default_value = "../shared/data/bearings")]
        data: PathBuf,
    },
    /// Instructions, stack and flash on emulated boards, compared with docs/device.json
    Device(bench::device::Device),
    /// How many values a second the host scores, beside NumPy
    Host {
        /// The folder of accidents.{train,valid,test}.csv.gz
        #[arg(long, value_name = "DIR", default_value = "../shared/data/debd")]
        data: PathBuf,
    },
    /// The RAM that it takes to watch a stream of eight channels, given the ten rows before, on boards
    Stream,
    /// Published protocols of anomaly detection, with scikit-learn's detectors beside exported tables
    Anomaly(bench::anomaly::Anomaly),
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<()> {
    match command {
        Command::Setup => setup::everything(),
        Command::OnTarget { boards } if boards.is_empty() => on_target::run(board::BOARDS),
        Command::OnTarget { boards } => on_target::run(&boards),
        Command::Demo => demo::run(),
        Command::Boards => boards::run(),
        Command::Test => test::run(),
        Command::NoPanic => no_panic::run(),
        Command::Bench(Bench::Density { data, sets }) => bench::density(&data, &sets),
        Command::Bench(Bench::Host { data }) => bench::host::run(&data),
        Command::Bench(Bench::Features { data }) => bench::features::run(&data),
        Command::Bench(Bench::Device(args)) => bench::device::run(&args),
        Command::Size(args) => size::run(&args),
        Command::Bench(Bench::Stream) => bench::stream::run(),
        Command::Golden { tables } => golden::run(&tables),
        Command::Bench(Bench::Anomaly(args)) => bench::anomaly::run(&args),
        Command::LinkTable => Ok(fs::write(setup::root().join("src/link/table.rs"), link_table::source())?),
    }
}
