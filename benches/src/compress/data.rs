//! Training and test rows of the sets whose bytes are compared.

use anyhow::{Context, Result, ensure};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use surprisal_trainer::artefact::Artefact;
use surprisal_trainer::data::Frame;
use xtask::setup::root;

use crate::sets::{LABEL, Set, read};

/// The names of the sets.
pub const SETS: [&str; 6] = ["shuttle", "skab", "satellite", "nltcs", "plants", "accidents"];

/// The folder with `train.csv`, `test.csv` and, where there are some, `valid.csv` of a set.
pub struct Files {
    pub folder: PathBuf,
    pub has_valid: bool,
    pub has_names: bool,
}

impl Files {
    /// Returns the logarithm of the number of steps per unit in all readings of a row together: ln 10 for each decimal of a
    /// column of real numbers.
    pub fn decimals(&self, artefact: &Artefact, frame: &Frame) -> Result<f64> {
        let mut all = 0;
        for encoding in artefact.schema.columns.iter().filter(|encoding| encoding.kind == surprisal::Kind::Real) {
            let column = &frame.columns[frame.position(artefact.schema.name(encoding))?];
            let decimals =
                (0..frame.rows()).map(|row| column.text(row).split_once('.').map_or(0, |(_, digits)| digits.len()));
            let mut decimals: Vec<usize> = decimals.collect();
            decimals.sort_unstable();
            all += decimals[decimals.len() - 1 - decimals.len() / 100];
        }
        Ok(all as f64 * 10f64.ln())
    }
}

/// Writes the files of a set from the data in `data`.
///
/// Of shuttle and satellite, one half of the normal rows, drawn at random, is for training and the other for the test, in file
/// order. Of SKAB, the normal rows of the first eight runs are for training, and all rows of the other runs for the test.
///
/// # Errors
/// Data are missing.
pub fn files(set: &str, data: &Path) -> Result<Files> {
    let folder = root().join("target/bench/compress").join(set);
    std::fs::create_dir_all(&folder)?;
    match set {
        "shuttle" => {
            let frame = read(&data.join("shuttle/shuttle.csv.gz"))?;
            halves(&frame, &Set::new(&frame, "Class", |text| Some(text != "Rad.Flow"))?, "Class", &folder)?;
        }
        "satellite" => {
            let frame = read(&data.join("adbench/satellite.csv.gz"))?;
            halves(&frame, &Set::labelled(&frame)?, LABEL, &folder)?;
        }
        "skab" => skab(&data.join("skab"), &folder)?,
        _ => {
            for part in ["train", "valid", "test"] {
                let frame = read(&data.join(format!("debd/{set}.{part}.csv.gz")))?;
                let every: Vec<usize> = (0..frame.rows()).collect();
                write(&folder.join(format!("{part}.csv")), &[(&frame, every)], &[], false)?;
            }
        }
    }
    let is_binary = !["shuttle", "satellite", "skab"].contains(&set);
    Ok(Files { folder, has_valid: is_binary, has_names: !is_binary })
}

fn halves(frame: &Frame, set: &Set, label: &str, folder: &Path) -> Result<()> {
    let halves = set.halves(Some(0));
    for (name, mut rows) in [("train.csv", halves.train), ("test.csv", halves.fresh)] {
        rows.sort_unstable();
        write(&folder.join(name), &[(frame, rows)], &[label], true)?;
    }
    Ok(())
}

fn skab(data: &Path, folder: &Path) -> Result<()> {
    let mut runs: Vec<PathBuf> = std::fs::read_dir(data)
        .with_context(|| format!("{} cannot be read; pass the folder that holds skab/ by --data DIR", data.display()))?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    runs.sort();
    ensure!(runs.len() == 16, "{}: {} files, expected 16 runs", data.display(), runs.len());
    let frames: Vec<Frame> = runs.iter().map(|run| read(run)).collect::<Result<_>>()?;
    let (train, test) = frames.split_at(8);
    let is_normal = |frame: &Frame, row: usize| frame.columns[frame.columns.len() - 2].text(row) == "0.0";
    let normal = train.iter().map(|frame| (frame, (0..frame.rows()).filter(|&row| is_normal(frame, row)).collect()));
    let every = test.iter().map(|frame| (frame, (0..frame.rows()).collect()));
    let left_out = ["datetime", "anomaly", "changepoint"];
    write(&folder.join("train.csv"), &normal.collect::<Vec<_>>(), &left_out, true)?;
    write(&folder.join("test.csv"), &every.collect::<Vec<_>>(), &left_out, true)
}

/// Writes rows without the columns that are left out.
fn write(path: &Path, parts: &[(&Frame, Vec<usize>)], left_out: &[&str], has_names: bool) -> Result<()> {
    let mut text = String::new();
    for (at, (frame, rows)) in parts.iter().enumerate() {
        let columns: Vec<_> = frame.columns.iter().filter(|column| !left_out.contains(&column.name.as_str())).collect();
        if has_names && at == 0 {
            let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
            writeln!(text, "{}", names.join(","))?;
        }
        for &row in rows {
            let cells: Vec<_> = columns.iter().map(|column| column.text(row)).collect();
            writeln!(text, "{}", cells.join(","))?;
        }
    }
    std::fs::write(path, text)?;
    Ok(())
}
