//! `cargo benches device --c`: the C reader beside the device crate, with the same tables, rows, boards and timer.

use super::c::{self, Cost, Model};
use super::tables::{Group, Table, scratch};
use super::{WEIGHED, in_rust};
use anyhow::{Result, bail, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use surprisal::{EncodeError, Reading};
use surprisal_trainer::export::READER;
use surprisal_trainer::row_table;
use surprisal_trainer::shape::Shape;
use xtask::board::Board;
use xtask::setup;

/// Measures the golden tables in Rust and in C, checks that both compute the same scores, and prints their costs.
///
/// # Errors
/// A tool is missing, a program fails, or the scores differ.
pub fn run() -> Result<()> {
    let boards: Vec<Board> =
        WEIGHED.iter().map(|name| Board::named(name)).collect::<Result<_, _>>().map_err(anyhow::Error::msg)?;
    setup::c()?;
    setup::qemu()?;
    setup::targets(&boards)?;
    println!("{}\narm-none-eabi-gcc {}, -O2", setup::rustc_version()?, c::version()?);
    println!(
        "{:<10}{:<6}{:<6}{:>14}{:>8}{:>8}{:>6}{:>7}",
        "table", "board", "in", "instructions", "ratio", "flash", "RAM", "stack"
    );
    for table in Group::golden()?.iter().flat_map(|group| &group.tables) {
        let bytes = fs::read(table.source.with_extension("srp"))?;
        let words: Vec<u32> = bytes.as_chunks().0.iter().map(|&word| u32::from_ne_bytes(word)).collect();
        let folder = written(table, &words)?;
        let opened = row_table::open(bytemuck::cast_slice(&words), table.shape)?;
        let expected: Vec<u32> =
            table.normal.iter().map(|row| Ok(opened.score(row)?.anomaly.raw())).collect::<Result<_, EncodeError>>()?;
        for board in &boards {
            let rust = in_rust(board, "score", table)?;
            let reader = Model { source: "reader.c", folder: &folder, name: "model", headers: &folder };
            let c = reader.alone_on(board)?;
            ensure!(
                c.scores == expected,
                "{} on {}: surprisal.c and `Table::score` return different scores",
                table.name,
                board.name
            );
            for (language, Cost { instructions, stack, flash, ram, .. }) in [("Rust", &rust), ("C", &c)] {
                let ratio = *instructions as f64 / rust.instructions as f64;
                let (name, board) = (&table.name, board.name);
                println!("{name:<10}{board:<6}{language:<6}{instructions:>14}{ratio:>8.2}{flash:>8}{ram:>6}{stack:>7}");
            }
        }
    }
    Ok(())
}

/// Writes the C reader, the table with the capacities that it needs, and its rows, and returns their folder.
fn written(table: &Table, words: &[u32]) -> Result<PathBuf> {
    let folder = scratch(&format!("reader-{}", table.name))?;
    fs::create_dir_all(&folder)?;
    for (name, text) in READER {
        fs::write(folder.join(name), text)?;
    }
    let text = format!("static const uint32_t model_table[{}] = {{{}}};\n", words.len(), c::list(words));
    fs::write(folder.join("model.h"), text)?;
    fs::write(folder.join("capacities.h"), capacities(table))?;
    write_rows(&folder, &table.normal)?;
    Ok(folder)
}

fn capacities(table: &Table) -> String {
    let Shape { bits, units, components, views } = table.shape;
    let columns = table.normal[0].len();
    let numbers = if views > 0 {
        vec![("COLUMNS", columns.max(bits)), ("VIEWS", views)]
    } else {
        vec![
            ("COLUMNS", columns),
            ("VIEWS", 1),
            ("BITS", bits),
            ("UNITS", units.max(1)),
            ("COMPONENTS", components.max(1)),
        ]
    };
    let no_bits = if views > 0 { "#define SURPRISAL_NO_BITS\n" } else { "" };
    numbers
        .iter()
        .fold(no_bits.to_owned(), |text, (name, number)| text + &format!("#define SURPRISAL_MAX_{name} {number}\n"))
}

fn write_rows(folder: &Path, rows: &[Vec<Reading>]) -> Result<()> {
    let integer = |reading: &Reading| match reading {
        Reading::Integer(value) => Ok(i16::try_from(*value)?),
        _ => bail!("expected readings that are integers, found {reading:?}"),
    };
    let rows: Vec<Vec<i16>> =
        rows.iter().map(|row| row.iter().map(integer).collect::<Result<_>>()).collect::<Result<_>>()?;
    c::write_rows(folder, "int16_t", &rows)
}
