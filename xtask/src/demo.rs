//! `cargo xtask demo`: from a CSV file to verdicts on an emulated microcontroller, and the proof that both agree.

use crate::board::{Board, Region};
use crate::firmware;
use crate::setup;
use crate::shuttle::{DATA, HeldOut, Surprisal};
use anyhow::{Context, Result, bail, ensure};
use object::{Object, ObjectSegment};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use surprisal_trainer::evaluate::auc_roc;

/// Files, relative to the project's folder.
const FIRMWARE: &str = "examples/cortex-m";
const TABLE: &str = "examples/cortex-m/src/shuttle.rs";
const MODEL: &str = "target/demo/shuttle.srp";
const SCORES: &str = "target/demo/scores.csv";
/// What the device has to reach on the anomalies of this file.
const LEAST_AUC: f64 = 0.99;

/// Fits, exports, builds, runs and compares; an error unless device and host agree on every row.
pub fn run() -> Result<()> {
    let board = Board::named("m3").map_err(anyhow::Error::msg)?;
    let toolchain = setup::targets(&[board.target])?;
    setup::qemu()?;
    let qemu_run = setup::qemu_run()?;
    let root = setup::root();
    let dir = root.join("target/demo");
    fs::create_dir_all(&dir)?;

    let surprisal = Surprisal::build()?;
    surprisal.fit(MODEL)?;
    surprisal.run(&["eval", MODEL, DATA, "--held-out"])?;
    surprisal.run(&["score", MODEL, DATA, "--held-out", "-o", SCORES])?;
    surprisal.run(&["export", MODEL, "-o", TABLE])?;

    let held_out = HeldOut::of(&root.join(MODEL))?;
    let readings: Vec<u8> = held_out.readings.as_flattened().iter().flat_map(|value| value.to_le_bytes()).collect();
    fs::write(dir.join("readings.bin"), readings)?;
    println!("\ntarget/demo/readings.bin: those {} rows, for the device", held_out.readings.len());

    println!("\n$ cd {FIRMWARE} && cargo build --release");
    let program = firmware::build(&toolchain, &root.join(FIRMWARE), &board, &[])?;
    let log = run_logging(&qemu_run, &program, &board, &dir)?;

    let host = host_scores(&root.join(SCORES), &held_out.lines)?;
    let device = fs::read(dir.join("scores.bin")).context("the firmware wrote no scores")?;
    let numbers: Vec<u32> = device.as_chunks().0.iter().map(|&bytes| u32::from_le_bytes(bytes)).collect();
    let device: Vec<Said> = numbers.as_chunks().0.to_vec();
    let auc = summary(&held_out, &device, &program, &board, &log)?;
    let same = host.iter().zip(&device).filter(|(host, device)| host == device).count();
    println!("\nhost and device agree bit for bit on {same} of {} rows", host.len());
    ensure!(same == host.len() && device.len() == host.len(), "host and device disagree");
    ensure!(auc >= LEAST_AUC, "the AUC of the device's oddness is {auc:.4}, expected at least {LEAST_AUC}");
    Ok(())
}

/// Runs the firmware, passes its log on as it comes, and returns it.
fn run_logging(qemu_run: &Path, program: &Path, board: &Board, dir: &Path) -> Result<Vec<String>> {
    let machine = *board.qemu.last().context("a board names its machine")?;
    let args = ["--machine", machine, "--arg", "icount=shift=8"];
    let shown =
        program.strip_prefix(setup::root()).map_or(program.to_owned(), |inside| Path::new("../..").join(inside));
    println!("\n$ cd target/demo && qemu-run {} {}", args.join(" "), shown.display());
    let mut child = Command::new(qemu_run)
        .args(args)
        .arg(program)
        .current_dir(dir)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start qemu-run")?;
    let lines = BufReader::new(child.stdout.take().context("the output is piped")?).lines();
    let log = lines.inspect(|line| line.iter().for_each(|line| println!("{line}"))).collect::<Result<_, _>>()?;
    let status = child.wait()?;
    if !status.success() {
        bail!("the firmware ended with {status}");
    }
    Ok(log)
}

/// Score and oddness of a row, in units of 1/65536 nat.
type Said = [u32; 2];

/// What `surprisal score` wrote.
fn host_scores(path: &Path, lines: &[u64]) -> Result<Vec<Said>> {
    let text = fs::read_to_string(path)?;
    let rows = text.lines().skip(1).map(|row| {
        let mut cells = row.split(',');
        let line: u64 = cells.next().unwrap_or_default().parse()?;
        let mut nats = || -> Result<u32> { Ok((cells.next().unwrap_or_default().parse::<f64>()? * 65536.0) as u32) };
        Ok((line, [nats()?, nats()?]))
    });
    let rows: Vec<_> = rows.collect::<Result<_>>().with_context(|| format!("{} is not as expected", path.display()))?;
    ensure!(rows.iter().map(|(line, _)| line).eq(lines), "{} speaks of other rows", path.display());
    Ok(rows.into_iter().map(|(_, said)| said).collect())
}

/// Prints what the device did and what it took; returns the AUC of its oddness.
fn summary(held_out: &HeldOut, device: &[Said], program: &Path, board: &Board, log: &[String]) -> Result<f64> {
    ensure!(device.len() == held_out.odd.len(), "the device scored {} of {} rows", device.len(), held_out.odd.len());
    let detector = held_out.artefact.detector();
    let anomaly: Vec<u32> = device.iter().map(|&[_, oddness]| oddness).collect();
    let count = |odd: bool| {
        let of_kind = || held_out.odd.iter().zip(&oddness).filter(move |row| *row.0 == odd);
        (of_kind().filter(|row| *row.1 > detector.threshold.raw()).count(), of_kind().count())
    };
    let ((found, odd), (false_alarms, ordinary)) = (count(true), count(false));
    let auc = auc_roc(&oddness, &held_out.odd).context("no rows of both kinds are held out")?;
    let (flash, ram) = occupied(program, board.ram)?;
    let said = |what: &str| {
        let line = log.iter().find_map(|line| line.split_once(what));
        line.map(|(_, rest)| rest.trim().to_owned()).with_context(|| format!("the firmware did not report `{what}`"))
    };

    println!();
    for (what, value) in [
        ("rows held out", device.len().to_string()),
        ("odd rows found", format!("{found} of {odd}")),
        (
            "false alarms",
            format!(
                "{false_alarms} of {ordinary} ordinary rows, {:.2} %; calibrated for {} %",
                100.0 * false_alarms as f64 / ordinary as f64,
                f64::from(detector.false_alarm_ppm) / 1e4
            ),
        ),
        ("AUC of the device's oddness", format!("{auc:.4}")),
        ("table", format!("{} bytes of flash", held_out.artefact.table_bytes().len())),
        ("whole firmware", format!("{flash} bytes of flash")),
        ("static RAM", format!("{ram} bytes")),
        ("stack of a score", said("stack of a score:")?),
        ("instructions per score", said("instructions per score:")?),
    ] {
        println!("{what:<28} {value}");
    }
    Ok(auc)
}

/// How many bytes of flash a program fills, initial values of variables included, and how many of RAM.
pub fn occupied(program: &Path, ram: Region) -> Result<(u64, u64)> {
    let elf = fs::read(program)?;
    let segments: Vec<_> = object::File::parse(&*elf)?
        .segments()
        .map(|segment| (segment.address(), segment.size(), segment.file_range().1))
        .collect();
    let of_ram = segments.iter().filter(|(address, ..)| *address >= u64::from(ram.origin));
    Ok((segments.iter().map(|(.., in_file)| in_file).sum(), of_ram.map(|(_, size, _)| size).sum()))
}
