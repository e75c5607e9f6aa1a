//! `cargo xtask demo`: from a CSV file to verdicts on an emulated microcontroller, compared with the host bit for bit.

use crate::copy::{Library, copy_package};
use anyhow::{Context, Result, bail, ensure};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use surprisal::Nats;
use surprisal_trainer::evaluate::auc_roc;
use xtask::board::Board;
use xtask::command::Surprisal;
use xtask::shuttle::{DATA, HeldOut};
use xtask::size::occupied;
use xtask::{firmware, measure, setup};

/// Files, relative to the folder of the repository.
const FIRMWARE: &str = "target/demo/firmware";
const TABLE: &str = "target/demo/firmware/src/shuttle.rs";
const MODEL: &str = "target/demo/shuttle.srp";
const SCORES: &str = "target/demo/scores.csv";
const PACKETS: &str = "target/demo/packets.bin";
const RECEIVED: &str = "target/demo/received.csv";
/// The AUC that the anomaly score of the device must reach.
const LEAST_AUC: f64 = 0.99;

/// Fits, exports, builds, runs, measures and compares. Returns the closing table, which it prints.
///
/// # Errors
/// A step fails, the device and the host disagree on a row, or the AUC is too low.
pub fn run() -> Result<String> {
    let board = Board::named("m3").map_err(anyhow::Error::msg)?;
    setup::targets(&[board])?;
    setup::qemu()?;
    let qemu_run = setup::qemu_run()?;
    let root = setup::root();
    let dir = root.join("target/demo");
    fs::create_dir_all(&dir)?;

    let surprisal = Surprisal::build()?;
    surprisal.fit_shuttle(MODEL, &[])?;
    surprisal.run(&["eval", MODEL, DATA, "--held-out"])?;
    surprisal.run(&["score", MODEL, DATA, "--held-out", "-o", SCORES])?;
    println!("\n{FIRMWARE}: a copy of examples/cortex-m, for the table");
    copy_package("examples/cortex-m", &root.join(FIRMWARE), Library::Path(root))?;
    surprisal.run(&["export", MODEL, "-o", TABLE])?;

    let held_out = HeldOut::of(&root.join(MODEL))?;
    let readings = held_out.readings.as_flattened();
    fs::write(dir.join("readings.bin"), readings.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>())?;
    println!("\ntarget/demo/readings.bin: the readings of {} held-out rows", held_out.readings.len());

    println!("\n$ cd {FIRMWARE} && cargo build --release");
    let program = firmware::build(&root.join(FIRMWARE), &board, &["--bin", "shuttle-monitor"])?;
    run_logging(&qemu_run, &program, &board, &dir)?;
    let rows = dir.join("held-out.rows");
    fs::write(&rows, measure::rows(held_out.readings.len(), readings)?)?;
    let cost = measure::alone(&board, "score", &root.join(TABLE), &rows)?;

    let host = host_scores(&root.join(SCORES), &held_out.lines)?;
    let device = fs::read(dir.join("scores.bin")).context("the firmware wrote no scores")?;
    let numbers: Vec<u32> = device.as_chunks().0.iter().map(|&bytes| u32::from_le_bytes(bytes)).collect();
    let device: Vec<Scores> = numbers.as_chunks().0.to_vec();
    let (auc, mut table) = summary(&held_out, &device, occupied(&program, board.ram)?, &cost)?;
    let same = host.iter().zip(&device).filter(|(host, device)| host == device).count();
    table += &format!("\nhost and device agree bit for bit on {same} of {} rows\n", host.len());
    println!("\n{}", table.trim_end());
    ensure!(same == host.len() && device.len() == host.len(), "host and device disagree");
    let sender = firmware::build(&root.join(FIRMWARE), &board, &["--bin", "telemetry"])?;
    run_logging(&qemu_run, &sender, &board, &dir)?;
    packets_return(&surprisal, &held_out, &device)?;
    ensure!(auc >= LEAST_AUC, "the AUC of the anomaly score is {auc:.4}, expected at least {LEAST_AUC}");
    Ok(table)
}

/// Decompresses the packets of the board, and compares them with the rows whose anomaly scores exceed the threshold.
fn packets_return(surprisal: &Surprisal, held_out: &HeldOut, device: &[Scores]) -> Result<()> {
    surprisal.run(&["decompress", MODEL, PACKETS, "-o", RECEIVED])?;
    let detector = held_out.artefact.detector();
    let is_sent = |scores: &Scores| detector.judge(Nats::from_raw(scores[1])).is_anomalous();
    let sent = held_out.readings.iter().zip(device).filter(|(_, scores)| is_sent(scores));
    let lines = sent.map(|(row, _)| row.map(|value| value.to_string()).join(","));
    let text = fs::read_to_string(setup::root().join(RECEIVED))?;
    ensure!(
        text.lines().skip(1).eq(lines),
        "the packets of the board hold other rows than those that it found anomalous"
    );
    Ok(())
}

/// Runs the firmware and prints its log while it runs.
fn run_logging(qemu_run: &Path, program: &Path, board: &Board, dir: &Path) -> Result<()> {
    let machine = *board.qemu.last().context("a board names its machine")?;
    let args = ["--machine", machine];
    println!(
        "\n$ cd target/demo && qemu-run {} {}",
        args.join(" "),
        program.strip_prefix(dir).unwrap_or(program).display()
    );
    let mut child = Command::new(qemu_run)
        .args(args)
        .arg(program)
        .current_dir(dir)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start qemu-run")?;
    for line in BufReader::new(child.stdout.take().context("the output is piped")?).lines() {
        println!("{}", line?);
    }
    let status = child.wait()?;
    if !status.success() {
        bail!("the firmware ended with {status}");
    }
    Ok(())
}

/// The surprisal and the anomaly score of a row, in units of 1/65536 nat.
type Scores = [u32; 2];

/// Reads the file that `surprisal score` wrote.
fn host_scores(path: &Path, lines: &[u64]) -> Result<Vec<Scores>> {
    let text = fs::read_to_string(path)?;
    let rows = text.lines().skip(1).map(|row| {
        let mut cells = row.split(',');
        let line: u64 = cells.next().unwrap_or_default().parse()?;
        let mut nats = || -> Result<u32> { Ok((cells.next().unwrap_or_default().parse::<f64>()? * 65536.0) as u32) };
        Ok((line, [nats()?, nats()?]))
    });
    let rows: Vec<_> =
        rows.collect::<Result<_>>().with_context(|| format!("{}: expected line and scores", path.display()))?;
    ensure!(rows.iter().map(|(line, _)| line).eq(lines), "{} lists other rows than were held out", path.display());
    Ok(rows.into_iter().map(|(_, scores)| scores).collect())
}

/// Returns the AUC of the anomaly score, and the results of the device and their cost as a table.
fn summary(held_out: &HeldOut, device: &[Scores], (flash, ram): (u64, u64), cost: &[u64]) -> Result<(f64, String)> {
    let anomalous = &held_out.anomalous;
    ensure!(device.len() == anomalous.len(), "the device scored {} of {} rows", device.len(), anomalous.len());
    let &[mean, max, _, stack] = cost else { bail!("expected four numbers of the measured program") };
    let detector = held_out.artefact.detector();
    let scores: Vec<u32> = device.iter().map(|&[_, anomaly]| anomaly).collect();
    let count = |kind: bool| {
        let of_kind = || anomalous.iter().zip(&scores).filter(move |row| *row.0 == kind);
        (of_kind().filter(|row| *row.1 > detector.threshold.raw()).count(), of_kind().count())
    };
    let ((found, all), (false_alarms, normal)) = (count(true), count(false));
    let auc = auc_roc(&scores, anomalous).context("expected held-out rows of both kinds")?;

    let mut table = String::new();
    let rate = 100.0 * false_alarms as f64 / normal as f64;
    let promised = f64::from(detector.false_alarm_ppm) / 1e4;
    for (name, value) in [
        ("rows held out", device.len().to_string()),
        ("anomalous rows found", format!("{found} of {all}")),
        ("false alarms", format!("{false_alarms} of {normal} normal rows, {rate:.2} %; calibrated for {promised} %")),
        ("AUC of the anomaly score", format!("{auc:.4}")),
        ("table", format!("{} bytes of flash", held_out.artefact.table_bytes().len())),
        ("whole firmware", format!("{flash} bytes of flash")),
        ("static RAM", format!("{ram} bytes")),
        ("stack of a score", format!("{stack} bytes")),
        ("instructions per score", format!("mean {mean}, max {max}")),
    ] {
        table += &format!("{name:<28} {value}\n");
    }
    Ok((auc, table))
}
