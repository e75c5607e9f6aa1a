//! The firmware examples: tables from simulated captures, and builds of all programs with their sizes.

use anyhow::{Result, ensure};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::fs;
use std::path::PathBuf;
use xtask::board::{Board, Region};
use xtask::command::Surprisal;
use xtask::setup::{self, cargo, root, succeed};
use xtask::size::occupied;
use xtask::{firmware, signal};

/// The RAM of all these chips.
const RAM: Region = Region { origin: 0x2000_0000, kib: 0 };
/// The capture that docs/boards.md collects, which is in the repository.
pub const SHOWN: &str = "examples/data/pico.log";
/// The options that fit the small table of `examples/cortex-m`.
const SMALL: [&str; 4] = ["--family", "marginal", "--cells", "4"];

/// An example for a board, and a simulation of its machine.
struct Example {
    name: &'static str,
    /// An emulated board with the same target.
    board: &'static str,
    header: &'static str,
    rows: fn() -> Vec<String>,
    fit: &'static [&'static str],
}

const EXAMPLES: [Example; 3] = [
    Example {
        name: "microbit",
        board: "m4f",
        header: "across",
        rows: vibration,
        fit: &["--signal", "128:64", "--sampling-rate", "400", "--bands", "4", "--false-alarm", "0.05"],
    },
    Example { name: "pico", board: "m0", header: "temperature,current,running", rows: pump, fit: &[] },
    Example { name: "nucleo", board: "m4f", header: "voltage,current,off", rows: supply, fit: &[] },
];

/// Simulates captures, collects, fits, exports and builds. Returns the sizes of the programs as a table, which it prints.
///
/// # Errors
/// A command fails, or Clippy warns.
pub fn run() -> Result<String> {
    let surprisal = Surprisal::build()?;
    fs::create_dir_all(root().join("target/examples"))?;
    let small = "target/examples/shuttle.srp";
    surprisal.fit_shuttle(small, &SMALL)?;
    surprisal.run(&["export", small, "-o", "examples/cortex-m/src/shuttle.rs"])?;
    build("cortex-m", "m3", "shuttle-monitor")?;
    build("pump", "m3", "pump")?;

    let mut sizes = Vec::new();
    for Example { name, board, header, rows, fit } in EXAMPLES {
        let [log, csv, model] = ["log", "csv", "srp"].map(|suffix| format!("target/examples/{name}.{suffix}"));
        let log = if name == "pico" { SHOWN.to_owned() } else { log };
        fs::write(root().join(&log), capture(header, &rows()))?;
        surprisal.run(&["collect", &log, "-o", &csv])?;
        surprisal.run(&[&["fit", &csv, "-o", &model], fit].concat())?;
        surprisal.run(&["export", &model, "-o", &format!("examples/{name}/src/table.rs")])?;
        if name == "pico" {
            // The model of a project of `surprisal new` that is given none, and of two more examples.
            fs::copy(root().join(&model), root().join("trainer/templates/new/pump.srp"))?;
            for (name, program) in [("update", "update"), ("embassy", "watch")] {
                surprisal.run(&["export", &model, "-o", &format!("examples/{name}/src/table.rs")])?;
                build(name, "m0", program)?;
            }
            let dir = root().join("examples/embassy");
            succeed(cargo().args(["build", "--release", "--quiet", "--test", "board"]).current_dir(dir))?;
        }
        for program in ["capture", "watch"] {
            sizes.push((name, program, occupied(&build(name, board, program)?, RAM)?));
        }
    }
    let mut table = format!("{:<10} {:<8} {:>12} {:>11}\n", "example", "program", "flash bytes", "static RAM");
    for (name, program, (flash, ram)) in sizes {
        table += &format!("{name:<10} {program:<8} {flash:>12} {ram:>11}\n");
    }
    println!("\n{}", table.trim_end());
    Ok(table)
}

/// Builds a program of an example, without any warning of Clippy, and returns its path.
fn build(name: &str, board: &str, program: &str) -> Result<PathBuf> {
    let board = Board::named(board).map_err(anyhow::Error::msg)?;
    setup::targets(&[board])?;
    setup::component("clippy")?;
    let (dir, target_dir) = (root().join("examples").join(name), root().join("target/examples"));
    let run = |subcommand: &str| {
        let mut run = cargo();
        run.args([subcommand, "--target", board.target, "--bin", program, "--target-dir"]).arg(&target_dir);
        run
    };
    let mut lint = run("clippy");
    let status = lint.args(["--release", "--quiet", "--", "--deny", "warnings"]).current_dir(&dir).status()?;
    ensure!(status.success(), "examples/{name}: Clippy warns");
    // The part `format` comes before the export of these tables and sees the committed ones only.
    let status = cargo().args(["fmt", "--check"]).current_dir(&dir).status()?;
    ensure!(status.success(), "examples/{name}: the exported table is not in the layout of rustfmt");
    firmware::build_with(run("build"), &dir)
}

/// Returns the output that `probe-rs run` would show.
fn capture(header: &str, rows: &[String]) -> String {
    let mut log = format!("      Erasing ✔ 100%\n  Programming ✔ 100%\n     Finished\nsurprisal: {header}\n");
    rows.iter().for_each(|row| log += &format!("surprisal: {row}\n"));
    log
}

/// Simulates the vibration of a motor around the acceleration of gravity.
fn vibration() -> Vec<String> {
    signal::motor(false).take(signal::RECORDED).map(|x| (i32::from(x) / 8 - 1000).to_string()).collect()
}

/// Simulates the rows `temperature,current,running` of a pump that runs for minutes and rests for minutes. The current
/// depends on whether the pump runs, and a running pump warms the board.
fn pump() -> Vec<String> {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let (mut heat, mut running) = (0.0, false);
    let mut noise = |wide: i32| random.random_range(-wide..=wide) + random.random_range(-wide..=wide);
    let mut row = |_| {
        running ^= noise(50) > 97;
        heat += 0.01 * (f64::from(u8::from(running)) - heat);
        // The voltage of the sensor falls with rising temperature.
        let temperature = 880 - (20.0 * heat) as i32 + noise(2);
        let current = if running { 1900 + noise(60) } else { 40 + noise(6) };
        format!("{temperature},{current},{}", u8::from(running))
    };
    (0..3000).map(&mut row).collect()
}

/// Simulates a supply whose voltage falls with rising current. No current flows while it is off.
fn supply() -> Vec<String> {
    let mut random = ChaCha8Rng::seed_from_u64(2);
    let mut load = 1200;
    let mut noise = |wide: i32| random.random_range(-wide..=wide) + random.random_range(-wide..=wide);
    let mut row = |_| {
        load = (load + noise(40)).clamp(600, 2400);
        let off = noise(50) > 80;
        let (voltage, current) = if off { (8 + noise(4), 6 + noise(3)) } else { (3300 - load / 10 + noise(8), load) };
        format!("{voltage},{current},{}", u8::from(off))
    };
    (0..2000).map(&mut row).collect()
}
