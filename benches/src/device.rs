//! Costs of tables on emulated boards in instructions and bytes, compared with `docs/device.json`.

mod c;
mod peers;
mod reader;
mod snapshot;
mod tables;

use anyhow::{Result, ensure};
use c::Cost;
use snapshot::Snapshot;
use std::path::PathBuf;
use surprisal_trainer::table::cost::Core;
use tables::{Fitter, Group, Table};
use xtask::board::{BOARDS, Board};
use xtask::measure::{self, lines, program, size_program};
use xtask::setup;
use xtask::size::Sizes;

/// The boards for which code size is measured: m0 has the smallest instruction set, m4f is a common core.
const WEIGHED: [&str; 2] = ["m0", "m4f"];
/// The optimisation levels (`opt-level`) at which code size is measured: for speed, and for size.
const OPT_LEVELS: [&str; 2] = ["3", "s"];
/// The operations that are measured in a program that contains nothing else, so that no other code affects inlining.
const ALONE: [&str; 3] = ["model", "surprisal", "sample"];
/// The operations of a table of views that are measured so: it has no operations on bits.
const ALONE_OF_VIEWS: [&str; 2] = ["surprisal", "score"];

/// Arguments of `cargo benches device`.
#[derive(clap::Args)]
pub struct Device {
    /// m0, m3, m4f, m7, m33 or riscv; if none is given, all boards are measured
    #[arg(value_name = "BOARD", value_parser = Board::named)]
    boards: Vec<Board>,
    /// The folder that holds debd/, the binary density-estimation benchmark
    #[arg(long, value_name = "DIR", default_value = "../shared/data")]
    data: PathBuf,
    /// Measure only the tables of tests/golden
    #[arg(long)]
    golden: bool,
    /// Measure only the tables of tests/golden and the tables of views of the shuttle data
    #[arg(long, conflicts_with = "golden")]
    views: bool,
    /// Store the numbers in docs/device.json and docs/device.md
    #[arg(long)]
    update: bool,
    /// Print JSON instead of tables
    #[arg(long)]
    json: bool,
    /// Measure other libraries on m0 and m4f instead
    #[arg(long, conflicts_with_all = ["boards", "golden", "views", "update", "json"])]
    peers: bool,
    /// Measure the C reader beside the device crate on m0 and m4f instead, with the tables of tests/golden
    #[arg(long, conflicts_with_all = ["boards", "golden", "views", "update", "json", "peers"])]
    c: bool,
}

/// Measures all requested boards and tables, prints the numbers, and compares them with `docs/device.json`.
///
/// # Errors
/// A number exceeds the stored one by more than 0.5 %, or a program fails.
pub fn run(args: &Device) -> Result<()> {
    if args.peers {
        return peers::run(&args.data);
    }
    if args.c {
        return reader::run();
    }
    let mut groups = Group::golden()?;
    if args.views {
        groups.push(Group::views(&Fitter::new(&args.data)?)?);
    } else if !args.golden {
        groups.extend(Group::fitted(&args.data)?);
    }
    let measured = measure(if args.boards.is_empty() { BOARDS } else { &args.boards }, &groups)?;
    print!("{}", if args.json { measured.json()? } else { measured.page() });
    let mut stored = Snapshot::read()?;
    if args.update {
        stored.take(measured)?;
        return stored.write();
    }
    let (grown, notes) = stored.compare(&measured);
    notes.iter().for_each(|note| eprintln!("note: {note}"));
    ensure!(
        grown.is_empty(),
        "numbers regressed against docs/device.json; if intended, rerun with --update:\n  {}",
        grown.join("\n  ")
    );
    Ok(())
}

fn measure(boards: &[Board], groups: &[Group]) -> Result<Snapshot> {
    setup::targets(boards)?;
    setup::qemu()?;
    let mut snapshot = Snapshot::by(setup::rustc_version()?);
    for group in groups {
        for table in &group.tables {
            snapshot.tables.insert(format!("{}/{}", group.name, table.name), table.identity.clone());
        }
        for board in boards {
            eprintln!("{} on {}", group.name, board.core);
            let operations = if group.has_views() {
                &ALONE_OF_VIEWS[..]
            } else {
                instructions(board, group, &mut snapshot)?;
                &ALONE
            };
            for table in group.tables.iter().filter(|_| WEIGHED.contains(&board.name)) {
                for &operation in operations {
                    let numbers = alone(board, operation, table)?;
                    snapshot.add(board.name, group.name, &table.name, &format!("{operation} alone"), numbers);
                }
                for level in OPT_LEVELS {
                    let sizes = weigh(board, level, "surprisal", table)?;
                    snapshot.add(board.name, group.name, &table.name, &format!("bytes at {level}"), sizes.numbers());
                }
            }
        }
    }
    Ok(snapshot)
}

/// Runs the program that measures all tables of a group on a board, and adds its numbers to the snapshot.
fn instructions(board: &Board, group: &Group, snapshot: &mut Snapshot) -> Result<()> {
    let tables = group.source()?;
    let program = program(board, "device", &[], &[("DEVICE_TABLES", &tables)])?;
    let core = if board.name == "m0" { Core::Least } else { Core::Larger };
    for line in lines(board, &program)? {
        let cost = group.tables.iter().find(|table| table.name == line.table).and_then(|table| table.cost.as_ref());
        let cost = cost.map(|cost| cost.instructions(core));
        if let (Some(bound), "model", [.., worst, _]) = (cost, line.operation.as_str(), &line.numbers[..]) {
            ensure!(
                *worst <= bound as u64,
                "{} on {}: {worst} instructions, more than the bound of {bound} in trainer/src/table/cost.rs",
                line.table,
                board.name
            );
        }
        snapshot.add(board.name, group.name, &line.table, &line.operation, line.numbers);
    }
    Ok(())
}

/// Measures an operation of a table in a program of its own: [mean, max, worst instructions, bytes of stack].
///
/// The mean and max are over normal rows, the worst over all rows.
fn alone(board: &Board, operation: &str, table: &Table) -> Result<Vec<u64>> {
    measure::alone(board, operation, &table.source, &table.rows)
}

/// Returns how many bytes of flash and RAM an operation of a table adds to a program that does nothing, compiled at the
/// optimisation level `level`, one of [`OPT_LEVELS`].
fn weigh(board: &Board, level: &str, operation: &str, table: &Table) -> Result<Sizes> {
    let sizes = |operation: &str| Sizes::of(&size_program(board, level, operation, &table.source)?);
    Ok(sizes(operation)?.beyond(&sizes("")?))
}

/// Returns what an operation of a table costs in a program of its own.
fn in_rust(board: &Board, operation: &str, table: &Table) -> Result<Cost> {
    let numbers = alone(board, operation, table)?;
    let bytes = weigh(board, "3", operation, table)?;
    let flash = bytes.text + bytes.link + bytes.table + bytes.others;
    Ok(Cost { instructions: numbers[0], stack: numbers[3], flash, ram: bytes.ram, scores: Vec::new() })
}
