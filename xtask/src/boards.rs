//! `cargo xtask boards`: the examples for boards that one can buy, from a capture to two programs and their sizes.
//!
//! There is no board here, so the captures are made up, by the formulas below from fixed seeds.

use crate::board::Region;
use crate::demo::occupied;
use crate::firmware;
use crate::golden::signal;
use crate::setup::{self, Toolchain, root};
use crate::shuttle::Surprisal;
use anyhow::{Result, ensure};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::fs;

/// The programs of each example.
const PROGRAMS: [&str; 2] = ["capture", "watch"];
/// Where all these chips have their RAM.
const RAM: Region = Region { origin: 0x2000_0000, kib: 0 };
/// The capture that the README collects, beside other data.
const SHOWN: &str = "examples/data/pico.log";

/// An example, and what stands for its machine.
struct Example {
    name: &'static str,
    target: &'static str,
    header: &'static str,
    rows: fn() -> Vec<String>,
    fit: &'static [&'static str],
}

const EXAMPLES: [Example; 3] = [
    Example {
        name: "microbit",
        target: "thumbv7em-none-eabihf",
        header: "across",
        rows: vibration,
        fit: &["--signal", "128:64", "--sampling-rate", "400", "--bands", "4", "--false-alarm", "0.05"],
    },
    Example { name: "pico", target: "thumbv6m-none-eabi", header: "temperature,current,running", rows: pump, fit: &[] },
    Example { name: "nucleo", target: "thumbv7em-none-eabihf", header: "voltage,current,off", rows: supply, fit: &[] },
];

/// Makes captures, collects, fits, exports, builds, and prints what the programs fill.
pub fn run() -> Result<()> {
    let toolchain = setup::targets(&EXAMPLES.map(|example| example.target))?;
    let surprisal = Surprisal::build()?;
    fs::create_dir_all(root().join("target/boards"))?;
    let mut sizes = Vec::new();
    for Example { name, target, header, rows, fit } in EXAMPLES {
        let [log, csv, model] = ["log", "csv", "srp"].map(|suffix| format!("target/boards/{name}.{suffix}"));
        let log = if name == "pico" { SHOWN.to_owned() } else { log };
        fs::write(root().join(&log), capture(header, &rows()))?;
        surprisal.run(&["collect", &log, "-o", &csv])?;
        surprisal.run(&[&["fit", &csv, "-o", &model], fit].concat())?;
        surprisal.run(&["export", &model, "-o", &format!("examples/{name}/src/table.rs")])?;
        // Clippy comes with rustup's compiler only.
        if toolchain == Toolchain::Own {
            let mut lint = toolchain.cargo();
            lint.args(["clippy", "--release", "--quiet", "--target", target, "--target-dir"]);
            lint.arg(root().join("target/boards")).args(["--", "--deny", "warnings"]);
            let status = lint.current_dir(root().join("examples").join(name)).status()?;
            ensure!(status.success(), "examples/{name}: clippy is not content");
        }
        for program in PROGRAMS {
            let mut build = toolchain.cargo();
            build
                .args(["build", "--target", target, "--bin", program, "--target-dir"])
                .arg(root().join("target/boards"));
            let file = firmware::build_by(build, &root().join("examples").join(name))?;
            sizes.push((name, program, occupied(&file, RAM)?));
        }
    }
    println!("\n{:<10} {:<8} {:>12} {:>11}", "example", "program", "flash bytes", "static RAM");
    for (name, program, (flash, ram)) in sizes {
        println!("{name:<10} {program:<8} {flash:>12} {ram:>11}");
    }
    Ok(())
}

/// As `probe-rs run` would show it: what it says of itself, the board's start, rows.
fn capture(header: &str, rows: &[String]) -> String {
    let mut log = format!("      Erasing ✔ 100%\n  Programming ✔ 100%\n     Finished\nsurprisal: {header}\n");
    rows.iter().for_each(|row| log += &format!("surprisal: {row}\n"));
    log
}

/// A motor's vibration about the pull of the earth.
fn vibration() -> Vec<String> {
    signal::motor(false).take(signal::RECORDED).map(|x| (i32::from(x) / 8 - 1000).to_string()).collect()
}

/// A pump that runs for minutes and rests for minutes: its current is that of its state, and it warms the board.
fn pump() -> Vec<String> {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let (mut heat, mut running) = (0.0, false);
    let mut noise = |wide: i32| random.random_range(-wide..=wide) + random.random_range(-wide..=wide);
    let mut row = |_| {
        running ^= noise(50) > 97;
        heat += 0.01 * (f64::from(u8::from(running)) - heat);
        // The sensor's voltage falls as it warms.
        let temperature = 880 - (20.0 * heat) as i32 + noise(2);
        let current = if running { 1900 + noise(60) } else { 40 + noise(6) };
        format!("{temperature},{current},{}", u8::from(running))
    };
    (0..3000).map(&mut row).collect()
}

/// A supply whose voltage sags as the current rises; nothing flows while it is off.
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
