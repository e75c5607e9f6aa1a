//! The commands of the repository: `cargo xtask <COMMAND>`.

mod book;
mod copy;
mod demo;
mod documents;
mod examples;
mod golden;
mod link_table;
mod new;
mod no_panic;
mod on_target;
mod package;
mod packages;
mod python;
mod readme;
mod report;
mod test;
mod update;

use anyhow::Result;
use clap::{Parser, Subcommand};
use std::process::ExitCode;
use test::Part;
use xtask::board::Board;
use xtask::exit_code;
use xtask::{setup, size};

/// The commands of the repository
#[derive(Parser)]
#[command(bin_name = "cargo xtask", disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Find or install the tools that `cargo xtask test` needs
    Setup,
    /// Fit a model on a CSV file, score rows on an emulated microcontroller, and compare with the host bit for bit
    Demo,
    /// Check format, lints and docs, and run the tests of the host; installs nothing
    Check,
    /// Run everything that must hold, or only some parts
    Test {
        /// The parts to run; without any, all of them
        #[arg(value_name = "PART", value_enum)]
        parts: Vec<Part>,
        /// Run on-target on this board only: m0, m3, m4f, m7, m33 or riscv; may be repeated
        #[arg(long = "board", value_name = "BOARD", value_parser = Board::named)]
        boards: Vec<Board>,
    },
    /// Write the tables of `tests/golden` and their exact results
    Golden {
        /// shuttle, flagship, mixture, motor, stream or link-table; without any, all of them
        #[arg(value_name = "TABLE")]
        tables: Vec<String>,
    },
    /// Run the commands that print the tables of README and docs, and write what they print there; benchmarks take hours
    Numbers {
        /// Run only commands that contain this text, for example `xtask demo`
        #[arg(value_name = "TEXT")]
        only: Option<String>,
    },
    /// List the functions and constants of a program that scores, the largest first
    Size(size::Size),
}

fn main() -> ExitCode {
    exit_code(run(Cli::parse().command))
}

fn run(command: Command) -> Result<()> {
    match command {
        Command::Setup => setup::everything(),
        Command::Demo => demo::run().map(drop),
        Command::Check => test::check(),
        Command::Test { parts, boards } => test::run(&parts, &boards),
        Command::Golden { tables } => golden::run(&tables),
        Command::Numbers { only } => documents::renew(only.as_deref()),
        Command::Size(args) => size::run(&args),
    }
}
