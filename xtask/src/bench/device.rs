//! `cargo xtask bench device`: what tables cost on emulated boards, in instructions and bytes, and whether that has grown.

mod c;
mod peers;
mod snapshot;
mod tables;

use crate::board::{BOARDS, Board};
use crate::firmware::{self, Run};
use crate::setup::{self, Toolchain, root};
use crate::size::Sizes;
use anyhow::{Context, Result, ensure};
use snapshot::Snapshot;
use std::path::{Path, PathBuf};
use std::time::Duration;
use surprisal_trainer::table::cost::Core;
use tables::{Group, Table};

/// Ample: the largest group takes seconds.
const LIMIT: Duration = Duration::from_secs(300);
/// Boards whose programs are weighed: the smallest code there is, and a common one.
const WEIGHED: [&str; 2] = ["m0", "m4f"];
/// As what they are built: for speed, and for size.
const OPT_LEVELS: [&str; 2] = ["3", "s"];
/// Verbs that get a program of their own.
const ALONE: [&str; 3] = ["surprisal", "score", "sample"];

/// What to measure, and what to do with it.
#[derive(clap::Args)]
pub struct Device {
    /// m0, m3, m4f, m7, m33 or riscv; all of them if none is named
    #[arg(value_name = "BOARD", value_parser = Board::named)]
    boards: Vec<Board>,
    /// The folder of debd/, the binary density-estimation benchmark
    #[arg(long, value_name = "DIR", default_value = "../shared/data")]
    data: PathBuf,
    /// Only the tables of tests/golden
    #[arg(long)]
    golden: bool,
    /// Take what was measured into docs/device.json and docs/device.md
    #[arg(long)]
    update: bool,
    /// Print JSON instead of tables
    #[arg(long)]
    json: bool,
    /// Measure what others offer beside ours instead, on m0 and m4f
    #[arg(long, conflicts_with_all = ["boards", "golden", "update", "json"])]
    peers: bool,
}

/// Measures and prints; an error if a number exceeds that of the snapshot.
pub fn run(args: &Device) -> Result<()> {
    if args.peers {
        return peers::run(&args.data);
    }
    let mut groups = vec![Group::golden()?];
    if !args.golden {
        groups.extend(Group::fitted(&args.data)?);
    }
    let measured = measure(if args.boards.is_empty() { BOARDS } else { &args.boards }, &groups)?;
    print!("{}", if args.json { measured.json()? } else { measured.page() });
    let mut kept = Snapshot::read()?;
    if args.update {
        kept.take(measured)?;
        return kept.write();
    }
    let (grown, notes) = kept.compare(&measured);
    notes.iter().for_each(|note| eprintln!("note: {note}"));
    ensure!(
        grown.is_empty(),
        "dearer than docs/device.json says; if that is meant, take it in by --update:\n  {}",
        grown.join("\n  ")
    );
    Ok(())
}

/// What every machine can check: the repository's own tables.
pub fn check() -> Result<()> {
    run(&Device { boards: Vec::new(), data: PathBuf::new(), golden: true, update: false, json: false, peers: false })
}

fn measure(boards: &[Board], groups: &[Group]) -> Result<Snapshot> {
    let toolchain = setup::targets(&boards.iter().map(|board| board.target).collect::<Vec<_>>())?;
    setup::qemu()?;
    let mut snapshot = Snapshot::by(toolchain.version()?);
    for group in groups {
        for table in &group.tables {
            snapshot.tables.insert(format!("{}/{}", group.name, table.name), table.identity.clone());
        }
        for board in boards {
            eprintln!("{} on {}", group.name, board.core);
            instructions(toolchain, board, group, &mut snapshot)?;
            for table in group.tables.iter().filter(|_| WEIGHED.contains(&board.name)) {
                for verb in ALONE {
                    let numbers = alone(toolchain, board, verb, table)?;
                    snapshot.add(board.name, group.name, &table.name, &format!("{verb} alone"), numbers);
                }
                for level in OPT_LEVELS {
                    let sizes = weigh(toolchain, board, level, "score", table)?;
                    snapshot.add(board.name, group.name, &table.name, &format!("bytes at {level}"), sizes.numbers());
                }
            }
        }
    }
    Ok(snapshot)
}

/// Runs a group's program and takes in what it prints.
fn instructions(toolchain: Toolchain, board: &Board, group: &Group, snapshot: &mut Snapshot) -> Result<()> {
    let tables = group.source()?;
    let program = program(toolchain, board, "device", &[], &[("DEVICE_TABLES", &tables)])?;
    let core = if board.name == "m0" { Core::Least } else { Core::Larger };
    for (table, verb, numbers) in printed(board, &program)? {
        if let Some(bound) = group.tables.iter().find(|of| of.name == table).map(|of| of.cost.instructions(core))
            && let ("surprisal", [.., worst, _]) = (verb.as_str(), &numbers[..])
        {
            ensure!(
                *worst <= bound as u64,
                "{table} on {}: {worst} instructions, more than the {bound} that trainer/src/quantise.rs promises",
                board.name
            );
        }
        if let ("steady", [mean, max, worst, _]) = (verb.as_str(), &numbers[..]) {
            ensure!(
                mean == max && max == worst,
                "{table} on {}: `steady` takes {mean} instructions at its mean, {max} or {worst} for some rows",
                board.name
            );
        }
        snapshot.add(board.name, group.name, &table, &verb, numbers);
    }
    Ok(())
}

/// What a verb costs in a program of its own.
fn alone(toolchain: Toolchain, board: &Board, verb: &str, table: &Table) -> Result<Vec<u64>> {
    let files = [("DEVICE_TABLE", table.source.as_path()), ("DEVICE_ROWS", &table.rows)];
    let program = program(toolchain, board, "alone", &["--features", verb], &files)?;
    let (_, _, numbers) = printed(board, &program)?.pop().context("the firmware printed nothing")?;
    Ok(numbers)
}

/// What a verb of a table adds to a program that does nothing.
fn weigh(toolchain: Toolchain, board: &Board, level: &str, verb: &str, table: &Table) -> Result<Sizes> {
    let sizes = |features: &str| Sizes::of(&size_program(toolchain, board, level, features, &table.source)?);
    Ok(sizes(verb)?.beyond(&sizes("")?))
}

/// Builds a program that does what the feature says by the table of this source, or nothing without any.
pub fn size_program(
    toolchain: Toolchain,
    board: &Board,
    level: &str,
    features: &str,
    source: &Path,
) -> Result<PathBuf> {
    let level = if level.parse::<u8>().is_ok() { level.to_owned() } else { format!("{level:?}") };
    let config = format!("profile.release.opt-level={level}");
    program(toolchain, board, "size", &["--features", features, "--config", &config], &[("DEVICE_TABLE", source)])
}

/// Builds one of the programs of `tests/device` around files that it includes.
fn program(toolchain: Toolchain, board: &Board, name: &str, args: &[&str], files: &[(&str, &Path)]) -> Result<PathBuf> {
    let mut cargo = toolchain.cargo();
    cargo.args(["build", "--target", board.target, "--bin", name]).args(args).envs(files.iter().copied());
    firmware::build_by(cargo, &root().join("tests/device"))
}

/// Table, verb and numbers of each line that a program prints.
fn printed(board: &Board, program: &Path) -> Result<Vec<(String, String, Vec<u64>)>> {
    let how = Run { dir: root(), icount: Some(firmware::SHIFT), limit: LIMIT };
    let output = firmware::run(&board.metered(), program, how)?;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "{} ended with {}; it had printed:\n{text}", program.display(), output.status);
    let parsed = |line: &str| {
        let mut words = line.split(' ');
        let names = (words.next()?.to_owned(), words.next()?.to_owned());
        Some((names.0, names.1, words.map(str::parse).collect::<Result<_, _>>().ok()?))
    };
    text.lines().map(|line| parsed(line).with_context(|| format!("the firmware printed `{line}`"))).collect()
}
