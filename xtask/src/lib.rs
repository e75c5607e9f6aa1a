//! Code that `cargo xtask` and `cargo benches` share: boards, setup, firmware builds, and calls of the command `surprisal`.

pub mod board;
pub mod setup;
pub mod firmware;
pub mod elf;
pub mod measure;
pub mod size;
pub mod command;
pub mod shuttle;
#[path = "../../tests/support/signal.rs"]
pub mod signal;

/// The Rust examples of the documentation pages, which `cargo test` compiles and runs.
#[cfg(doctest)]
mod pages {
    #[doc = include_str!("../../docs/boards.md")]
    mod boards {}
    #[doc = include_str!("../../docs/families.md")]
    mod families {}
    #[doc = include_str!("../../docs/fitting.md")]
    mod fitting {}
    #[doc = include_str!("../../docs/grammar.md")]
    mod grammar {}
    #[doc = include_str!("../../docs/scoring.md")]
    mod scoring {}
    #[doc = include_str!("../../docs/signals.md")]
    mod signals {}
    #[doc = include_str!("../../docs/streams.md")]
    mod streams {}
    #[doc = include_str!("../../docs/telemetry.md")]
    mod telemetry {}
}

use std::process::ExitCode;

/// Prints the error of a command, if there is one, and returns the exit code of the program.
pub fn exit_code(result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
