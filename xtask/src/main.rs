//! The project's own commands: `cargo xtask <COMMAND>`.

mod board;
mod firmware;
mod on_target;
mod setup;

use anyhow::Result;
use board::Board;
use clap::{Parser, Subcommand};
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
        /// m0, m3, m4f, m33 or riscv; all of them if none is named
        #[arg(value_name = "BOARD", value_parser = Board::named)]
        boards: Vec<Board>,
    },
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
    }
}
