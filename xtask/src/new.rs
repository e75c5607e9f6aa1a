//! Projects of `surprisal new`, made outside the repository as a user would: built for every board, run on the emulated ones.

use crate::packages;
use anyhow::{Result, ensure};
use std::path::Path;
use std::process::Command;
use xtask::board::Board;
use xtask::command::Surprisal;
use xtask::setup::{self, cargo, output, root, succeed};

/// The emulated boards of projects, and those of [`Board`] with the same target.
const EMULATED: [(&str, &str); 2] = [("qemu-m3", "m3"), ("qemu-m4", "m4f")];
/// The real boards of projects, likewise.
const REAL: [(&str, &str); 3] = [("microbit", "m4f"), ("pico", "m0"), ("nucleo", "m4f")];

/// Makes, builds, tests and runs projects.
///
/// # Errors
/// A project does not build or warns, its logic fails on the host, or a program ends with another exit status than 0.
pub fn run() -> Result<()> {
    setup::c()?;
    setup::qemu()?;
    setup::component("clippy")?;
    let boards: Vec<Board> = EMULATED.iter().chain(&REAL).filter_map(|(_, board)| Board::named(board).ok()).collect();
    setup::targets(&boards)?;
    let surprisal = Surprisal::build()?;
    let scratch = tempfile::tempdir()?;
    let dir = scratch.path();
    packages::fit(&surprisal, dir)?;
    // Without a model, the one of the example. Bits with categories and missing readings, and a series, on one core each.
    for (board, models) in [("qemu-m3", &["", "valve"][..]), ("qemu-m4", &["", "series"])] {
        for model in models {
            let name = format!("{board}-{model}rust");
            make(&surprisal, dir, &name, &[board, "--lang", "rust"], model)?;
            rust(&dir.join(name))?;
            let name = format!("{board}-{model}c");
            make(&surprisal, dir, &name, &[board, "--lang", "c"], model)?;
            c(&dir.join(name))?;
        }
    }
    for (board, _) in REAL {
        for model in ["", "series"] {
            let name = format!("my-{board}{model}");
            make(&surprisal, dir, &name, &[board], model)?;
            println!("\n{name}: build");
            succeed(&mut outside(&dir.join(&name), &["build", "--release", "--bins"]))?;
        }
    }
    // The logic is the same for all boards, beside those of QEMU.
    host(&dir.join("my-pico"))?;
    host(&dir.join("my-picoseries"))
}

fn make(surprisal: &Surprisal, dir: &Path, name: &str, board: &[&str], model: &str) -> Result<()> {
    let file = format!("{model}.srp");
    let model: &[&str] = if model.is_empty() { &[] } else { &["--model", &file] };
    surprisal.run_in(dir, &[&["new", name, "--board"], board, model].concat())
}

/// Runs a project in Rust on its emulated board, and its logic on the host.
fn rust(project: &Path) -> Result<()> {
    succeed(outside(project, &["clippy", "--release"]).args(["--", "--deny", "warnings"]))?;
    said(&output(&mut outside(project, &["run", "--release"]))?)?;
    host(project)
}

/// Runs the tests of a project on the host.
fn host(project: &Path) -> Result<()> {
    let version = output(Command::new("rustc").arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap_or_default();
    succeed(&mut outside(project, &["test", "--lib", "--target", host]))
}

/// Runs a project in C on its emulated board and on the host, with the same output.
fn c(project: &Path) -> Result<()> {
    // QEMU prints what a program says to standard error.
    let make = |goal: &str| {
        output(Command::new("sh").args(["-c", &format!("make --silent {goal} 2>&1")]).current_dir(project))
    };
    println!("{}", make("build/firmware.elf")?);
    let [board, host] = [make("run")?, make("test")?];
    said(&board)?;
    ensure!(board == host, "the host printed something else:\n{host}");
    Ok(())
}

/// Prints the output of a program, which must have passed the self-test and scored rows.
fn said(text: &str) -> Result<()> {
    println!("{text}");
    let scored = text.lines().filter(|line| line.contains(" nats, p")).count();
    ensure!(text.starts_with("self-test passed") && scored >= 4, "expected a self-test and four rows");
    Ok(())
}

/// Returns a cargo command in a project.
fn outside(project: &Path, args: &[&str]) -> Command {
    let mut command = cargo();
    command.args(args).args(["--quiet", "--target-dir"]).arg(root().join("target/new"));
    command.current_dir(project);
    command
}
