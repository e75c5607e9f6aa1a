//! Bytes of rows in packets of a table, beside compressors of text, and models of independent columns.

mod boards;
mod data;
mod peers;

use anyhow::{Context, Result, ensure};
use std::path::PathBuf;
use surprisal_trainer::artefact::Artefact;
use surprisal_trainer::data::Header;
use surprisal_trainer::telemetry::{PacketSize, compress, decompress};
use xtask::command::Surprisal;

use data::Files;
use peers::{Columns, PEERS, dictionary};

/// Numbers of rows per packet; 0 stands for the whole file.
const ROWS: [usize; 3] = [0, 64, 16];
/// Rows per packet of a whole file, which holds as many as fit.
const WHOLE: usize = 65535;
/// The most that packets may take beyond the surprisal of their rows and their overhead, in percent.
const MOST_EXCESS: f64 = 0.3;

#[derive(clap::Args)]
pub struct Compress {
    /// The folder that holds debd/, adbench/, shuttle/ and skab/
    #[arg(long, value_name = "DIR", default_value = "../shared/data")]
    data: PathBuf,
    /// Measure instructions and stack on emulated boards instead
    #[arg(long)]
    boards: bool,
    /// Sets to measure; if none is given, all are measured
    #[arg(value_name = "SET")]
    sets: Vec<String>,
}

/// Fits a model on the training rows of each set, and compresses its test rows.
///
/// # Errors
/// Data are missing, a command fails, or rows do not come back as they were.
pub fn run(args: &Compress) -> Result<()> {
    if args.boards {
        return boards::run();
    }
    let surprisal = Surprisal::build()?;
    println!(
        "bytes per test row: of their text, compressed, and in packets with all overhead (whole files with header)"
    );
    println!(
        "surprisal: the score of the rows in bytes; excess: what packets of 64 rows take beyond it and their overhead"
    );
    print!("{:<10} {:>6} {:>5} {:>8}", "set", "rows", "per", "text");
    PEERS.iter().for_each(|(name, _)| print!(" {name:>8}"));
    println!(" {:>8} {:>8} {:>9} {:>7}", "columns", "packets", "surprisal", "excess");
    for set in data::SETS.iter().filter(|set| args.sets.is_empty() || args.sets.iter().any(|name| name == *set)) {
        measure(set, &data::files(set, &args.data)?, &surprisal)?;
    }
    Ok(())
}

fn measure(set: &str, files: &Files, surprisal: &Surprisal) -> Result<()> {
    let path = |name: &str| files.folder.join(name);
    let model = path("model.srp");
    let [train, test, written] = ["train.csv", "test.csv", "model.srp"].map(|name| path(name).display().to_string());
    let valid = path("valid.csv").display().to_string();
    let mut fit = vec!["fit", &train, "-o", &written];
    if files.has_valid {
        fit.extend(["--valid", &valid]);
    }
    let report = surprisal.json(&fit)?;
    let artefact = Artefact::read(&model)?;
    let text = std::fs::read_to_string(path("test.csv"))?;
    // Without the line of names, which takes nothing from packets either.
    let body = if files.has_names { text.split_once('\n').context("no rows")?.1 } else { &text };
    let lines: Vec<&str> = body.split_inclusive('\n').collect();
    let of_training = std::fs::read_to_string(path("train.csv"))?;
    let columns = Columns::new(of_training.lines().skip(usize::from(files.has_names)));

    let frame = artefact.frame(test.as_ref(), Header::Auto)?;
    let every: Vec<usize> = (0..frame.rows()).collect();
    let scores = artefact.scores(&artefact.schema.all_readings(&frame, &every)?)?;
    // A density in units of the readings, whose grid is finer for numbers with decimals.
    let unit = report["log_unit"].as_f64().context("`surprisal fit --json` printed no `log_unit`")?
        + files.decimals(&artefact, &frame)?;
    let nats: f64 = scores.iter().map(|score| f64::from(score.nats) + unit).sum();
    let in_bytes = nats / 256f64.ln() / lines.len() as f64;

    for rows in ROWS {
        let (packed, back) = (path("test.srpd"), path("back.csv"));
        let size = PacketSize { rows: if rows == 0 { WHOLE } else { rows }, bytes: 32767 };
        let done = compress(&artefact, test.as_ref(), &packed, &Header::Auto.into(), size, &[], &())?;
        decompress(&artefact, &packed, &back, &[], &[], &())?;
        ensure!(std::fs::read(&back)? == text.as_bytes(), "{set}: rows come back otherwise than they were");
        let parts: Vec<String> =
            if rows == 0 { vec![body.to_owned()] } else { lines.chunks(rows).map(|part| part.concat()).collect() };
        let dictionary = dictionary(&of_training, if rows == 0 { 64 } else { rows });
        let per_row = |bytes: usize| bytes as f64 / lines.len() as f64;
        let bytes = done.file_bytes - if rows == 0 { 0 } else { header(&packed)? };
        let shown = if rows == 0 { "file".to_owned() } else { rows.to_string() };
        print!("{set:<10} {:>6} {shown:>5} {:>8.2}", lines.len(), per_row(body.len()));
        for (_, peer) in PEERS {
            let bytes: usize = parts.iter().map(|part| peer(part.as_bytes(), &dictionary)).sum::<Result<usize>>()?;
            print!(" {:>8.3}", per_row(bytes));
        }
        let alone: usize = parts.iter().map(|part| columns.bytes(part.lines())).sum::<Result<usize>>()?;
        print!(" {:>8.3} {:>8.3} {in_bytes:>9.3}", per_row(alone), per_row(bytes));
        // Each payload ends with a whole byte, half a byte more in the mean.
        let payload = per_row(done.packet_bytes - done.overhead_bytes);
        let excess = 100.0 * (payload / in_bytes - 1.0);
        println!(" {excess:>6.2}%{}", if excess > MOST_EXCESS { " *" } else { "" });
    }
    Ok(())
}

/// Returns the number of bytes of the header of a file of packets.
fn header(path: &std::path::Path) -> Result<usize> {
    let bytes = std::fs::read(path)?;
    let length = bytes.get(4..8).context("the file has no header")?;
    Ok(12 + u32::from_le_bytes([length[0], length[1], length[2], length[3]]) as usize)
}
