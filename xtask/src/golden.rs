//! `cargo xtask golden`: writes the files of `tests/golden`.

use crate::link_table;
use anyhow::{Context, Result, ensure};
use std::fs;
use surprisal::{Libm, Reading};
use surprisal_trainer::artefact::Artefact;
use surprisal_trainer::data::Header;
use surprisal_trainer::row_table;
use surprisal_trainer::shape::Shape;
use surprisal_trainer::with_shape;
use xtask::command::Surprisal;
use xtask::setup::root;
use xtask::shuttle::HeldOut;
use xtask::signal;

#[path = "../../tests/support/coin.rs"]
mod coin;
#[path = "../../tests/support/tank.rs"]
mod tank;

/// The number of rows of each kind, normal and anomalous.
const OF_A_KIND: usize = 512;
/// The number of sampled rows.
const SAMPLED: usize = 64;
/// The number of rows in packets.
const PACKED: usize = 200;

/// The tables of the shuttle data, and their options of `surprisal fit`.
const TABLES: [(&str, &[&str]); 3] = [
    ("shuttle", &["--family", "linear-trees"]),
    (
        "flagship",
        &["--family", "linear-trees+hidden", "--units", "12", "--restarts", "1", "--strength", "20", "--gamma", "5"],
    ),
    ("mixture", &["--family", "mixture", "--components", "4"]),
];

/// Other things that `cargo xtask golden` writes.
const OTHERS: [&str; 5] = ["motor", "stream", "views", "packets", "link-table"];

/// Writes the tables with these names and their exact results, or all of them.
///
/// # Errors
/// A name is unknown, or a command fails.
pub fn run(only: &[String]) -> Result<()> {
    let names: Vec<&str> = TABLES.iter().map(|(name, _)| *name).chain(OTHERS).collect();
    for name in only {
        ensure!(names.contains(&name.as_str()), "there is no table `{name}`; choose from {}", names.join(", "));
    }
    let wanted = |name: &str| only.is_empty() || only.iter().any(|only| only == name);
    if wanted("link-table") {
        fs::write(root().join(link_table::PATH), link_table::source())?;
    }
    let surprisal = Surprisal::build()?;
    fs::create_dir_all(root().join("target/golden"))?;
    for (name, options) in TABLES.into_iter().filter(|(name, _)| wanted(name)) {
        let model = format!("target/golden/{name}.srp");
        surprisal.fit_shuttle(&model, options)?;
        export(&surprisal, name)?;
        streams(name, &HeldOut::of(&root().join(model))?)?;
    }
    if wanted("motor") {
        motor(&surprisal)?;
    }
    if wanted("views") {
        views(&surprisal)?;
    }
    if wanted("stream") {
        stream(&surprisal)?;
    }
    if wanted("packets") { packets() } else { Ok(()) }
}

/// The name of the packets of readings in hundredths.
const DECIMALS: &str = "decimals";

/// Packs the first rows of the golden tables into packets for a slow radio. Some rows lack a reading that no training row lacks.
fn packets() -> Result<()> {
    let dir = root().join("tests/golden");
    for (name, rows, packets) in [
        ("shuttle", "shuttle.readings", "shuttle"),
        ("mixture", "shuttle.readings", "mixture"),
        ("views", "shuttle.readings", "views"),
        ("motor", "motor.rows", "motor"),
        ("motor", "motor.rows", DECIMALS),
    ] {
        let (table, bytes) = (fs::read(dir.join(name).with_extension("srp"))?, fs::read(dir.join(rows))?);
        // A table is read at an address that is a multiple of four.
        let words: Vec<u32> = table.chunks_exact(4).map(bytemuck::pod_read_unaligned).collect();
        let table = bytemuck::cast_slice(&words);
        let table = row_table::open(table, Shape::of(table)?)?;
        let readings: Vec<Reading> = match rows {
            "motor.rows" => {
                bytes.as_chunks::<4>().0.iter().map(|&four| Reading::Real(f32::from_le_bytes(four))).collect()
            }
            _ => bytes.as_chunks::<2>().0.iter().map(|&two| Reading::Integer(i16::from_le_bytes(two).into())).collect(),
        };
        let width = table.encoder().columns().count();
        let mut rows: Vec<Vec<Reading>> = readings.chunks_exact(width).take(PACKED).map(<[Reading]>::to_vec).collect();
        for (at, row) in rows.iter_mut().enumerate().filter(|(at, _)| at % 50 == 7) {
            row[at % width] = Reading::Missing;
        }
        let mut decimals = Vec::new();
        if packets == DECIMALS {
            decimals = vec![2; width];
            let hundredths = |value: f32| Reading::from_decimal((f64::from(value) * 100.0 + 0.5).floor() as i32, 2);
            for reading in rows.iter_mut().flatten() {
                if let Reading::Real(value) = *reading {
                    *reading = hundredths(value);
                }
            }
        }
        let bytes: Vec<u8> = table.pack(&decimals, &rows, 222)?.into_iter().flat_map(|(_, packet)| packet).collect();
        fs::write(dir.join(packets).with_extension("packets"), bytes)?;
    }
    Ok(())
}

/// Fits two views of the shuttle data, and writes the surprisals and anomaly scores of the rows of all golden tables.
fn views(surprisal: &Surprisal) -> Result<()> {
    let model = "target/golden/views.srp";
    // Small, because the board with the least flash holds all golden tables.
    surprisal.fit_shuttle(model, &["--family", "tables", "--cells", "8", "--prototypes", "4", "--flash", "5KiB"])?;
    export(surprisal, "views")?;
    // Not into the folder itself, because the C reader is written beside a header.
    let header = "target/golden/views.h";
    surprisal.run(&["export", model, "-o", header])?;
    fs::copy(root().join(header), root().join("tests/golden/views.h"))?;
    let held_out = HeldOut::of(&root().join(model))?;
    let rows: Vec<Vec<Reading>> =
        spread(&held_out).into_iter().map(|row| held_out.readings[row].map(Reading::Integer).to_vec()).collect();
    let scores = held_out.artefact.scores(&rows)?;
    let words = scores.iter().flat_map(|score| [score.nats, score.anomaly]);
    let bytes: Vec<u8> = words.flat_map(|nats| nats.raw().to_le_bytes()).collect();
    Ok(fs::write(root().join("tests/golden/views.nats"), bytes)?)
}

/// Returns the rows of the golden tables: evenly spaced rows of both kinds.
fn spread(held_out: &HeldOut) -> Vec<usize> {
    let mut rows: Vec<usize> = [false, true].into_iter().flat_map(|kind| evenly(&held_out.anomalous, kind)).collect();
    rows.sort_unstable();
    rows
}

/// Exports a model as bytes and as Rust source.
fn export(surprisal: &Surprisal, name: &str) -> Result<()> {
    let model = format!("target/golden/{name}.srp");
    for suffix in ["srp", "rs"] {
        surprisal.run(&["export", &model, "-o", &format!("tests/golden/{name}.{suffix}")])?;
    }
    Ok(())
}

/// Writes the simulated signal of a motor, fits it, and writes the features and scores of the sound and of the worn motor.
fn motor(surprisal: &Surprisal) -> Result<()> {
    const SIGNAL: &str = "examples/data/motor.npy";
    let samples: Vec<i16> = signal::motor(false).take(signal::RECORDED).collect();
    npyz::to_file_1d(root().join(SIGNAL), samples)?;
    let model = "target/golden/motor.srp";
    let options =
        ["--signal", "256:128", "--sampling-rate", "8000", "--false-alarm", "0.1", "--family", "linear-trees"];
    surprisal.run(&[&["fit", SIGNAL, "-o", model], &options[..]].concat())?;
    export(surprisal, "motor")?;
    let artefact = Artefact::read(&root().join(model))?;
    let windows = artefact.notes.fit.signal.context("the model has no signal")?;
    let heard = [false, true].map(|worn| signal::motor(worn).skip(signal::RECORDED).take(signal::HEARD).map(f32::from));
    let rows = windows.rows::<Libm>(&heard.into_iter().flatten().collect::<Vec<f32>>());
    let readings: Vec<Vec<Reading>> = rows.iter().map(|row| row.iter().copied().map(Reading::Real).collect()).collect();
    let nats: Vec<u8> = artefact.surprisals(&readings)?.iter().flat_map(|nats| nats.raw().to_le_bytes()).collect();
    let rows: Vec<u8> = rows.concat().iter().flat_map(|value| value.to_le_bytes()).collect();
    fs::write(root().join("tests/golden/motor.nats"), nats)?;
    fs::write(root().join("tests/golden/motor.rows"), rows)?;
    Ok(())
}

/// Fits the rows of the simulated tank as a time series, and writes the scores of later rows.
fn stream(surprisal: &Surprisal) -> Result<()> {
    let [fitted, heard, model] = ["fitted.csv", "heard.csv", "stream.srp"].map(|file| format!("target/golden/{file}"));
    fs::write(root().join(&fitted), csv(tank::rows().take(tank::FITTED), |row| row / (tank::FITTED / 4)))?;
    fs::write(root().join(&heard), csv(tank::heard(), |row| usize::from(row >= tank::GAP)))?;
    let window = tank::WINDOW.to_string();
    surprisal.run(&["fit", &fitted, "--window", &window, "--session", "run", "--cells", "8", "-o", &model])?;
    export(surprisal, "stream")?;
    let artefact = Artefact::read(&root().join(model))?;
    let frame = artefact.frame(&root().join(heard), Header::Yes)?;
    let every: Vec<usize> = (0..frame.rows()).collect();
    let scores = artefact.surprisals(&artefact.schema.all_readings(&frame, &every)?)?;
    let nats: Vec<u8> = scores.iter().flat_map(|nats| nats.raw().to_le_bytes()).collect();
    Ok(fs::write(root().join("tests/golden/stream.nats"), nats)?)
}

/// Returns rows of the tank as CSV, with the session of each row as the first column.
fn csv(rows: impl Iterator<Item = tank::Row>, session: impl Fn(usize) -> usize) -> String {
    let mut text = format!("run,{}\n", tank::CHANNELS.join(","));
    for (at, [numbers @ .., mode]) in rows.enumerate() {
        let cells = numbers.map(|cell| cell.map_or(String::new(), |number| number.to_string())).join(",");
        let mode = mode.map_or("", |mode| tank::MODES[mode as usize]);
        text += &format!("{},{cells},{mode}\n", session(at));
    }
    text
}

/// Writes the rows, which are the same for all tables, and the scores and samples of a table.
fn streams(name: &str, held_out: &HeldOut) -> Result<()> {
    let rows = spread(held_out);
    let small = |value: i32| i16::try_from(value).context("a reading does not fit 16 bits");
    let mut readings = Vec::new();
    let mut nats = Vec::new();
    let mut samples = Vec::new();
    for value in rows.iter().flat_map(|&row| held_out.readings[row]) {
        readings.extend(small(value)?.to_le_bytes());
    }
    with_shape!(held_out.artefact.shape, N, H, K => {
        let table = held_out.artefact.table::<N, H, K>()?;
        for &row in &rows {
            nats.extend(table.surprisal(&held_out.readings[row].map(Reading::Integer))?.raw().to_le_bytes());
        }
        let mut coin = coin::Coin::default();
        for _ in 0..SAMPLED {
            let row = table.model.sample(|| coin.toss());
            samples.extend(row[..held_out.artefact.shape.bits].chunks(8).map(coin::pack));
        }
    });
    let dir = root().join("tests/golden");
    fs::write(dir.join("shuttle.readings"), readings)?;
    fs::write(dir.join(name).with_extension("nats"), nats)?;
    fs::write(dir.join(name).with_extension("samples"), samples)?;
    Ok(())
}

/// Returns evenly spaced rows of one kind.
fn evenly(anomalous: &[bool], kind: bool) -> Vec<usize> {
    let of_kind: Vec<usize> = (0..anomalous.len()).filter(|&row| anomalous[row] == kind).collect();
    (0..OF_A_KIND).map(|i| of_kind[i * of_kind.len() / OF_A_KIND]).collect()
}
