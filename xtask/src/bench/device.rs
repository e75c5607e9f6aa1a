//! `cargo xtask bench device`: what tables cost on emulated boards, in instructions and bytes, and whether that has grown.

mod snapshot;
mod tables;

use crate::board::{BOARDS, Board};
use crate::firmware::{self, Run};
use crate::setup::{self, Toolchain, root};
use crate::size::Sizes;
use anyhow::{Context, Result, bail, ensure};
use snapshot::Snapshot;
use std::path::PathBuf;
use std::time::Duration;
use tables::{Group, Table};

/// Ample: the largest group takes seconds.
const LIMIT: Duration = Duration::from_secs(300);
/// Boards whose programs are weighed: the smallest code there is, and a common one.
const WEIGHED: [&str; 2] = ["m0", "m4f"];
/// As what they are built: for speed, and for size.
const OPT_LEVELS: [&str; 2] = ["3", "s"];

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
}

/// Measures and prints; an error if a number exceeds that of the snapshot.
pub fn run(args: &Device) -> Result<()> {
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
    run(&Device { boards: Vec::new(), data: PathBuf::new(), golden: true, update: false, json: false })
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
            for level in OPT_LEVELS.iter().filter(|_| WEIGHED.contains(&board.name)) {
                for table in &group.tables {
                    let sizes = scoring(toolchain, board, level, table)?;
                    snapshot.add(board.name, group.name, &table.name, &format!("bytes at {level}"), sizes.numbers());
                }
            }
        }
    }
    Ok(snapshot)
}

/// Runs a group's program and takes in what it prints.
fn instructions(toolchain: Toolchain, board: &Board, group: &Group, snapshot: &mut Snapshot) -> Result<()> {
    let program = program(toolchain, board, "device", &[], |cargo| {
        cargo.env("DEVICE_TABLES", group.source()?);
        Ok(())
    })?;
    let how = Run { dir: root(), icount: Some(firmware::SHIFT), limit: LIMIT };
    let output = firmware::run(&board.metered(), &program, how)?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        bail!("{} ended with {}; it had printed:\n{text}", program.display(), output.status);
    }
    for line in text.lines() {
        let mut words = line.split(' ');
        let (Some(table), Some(verb)) = (words.next(), words.next()) else { bail!("the firmware printed `{line}`") };
        let numbers = words.map(str::parse).collect::<Result<_, _>>();
        let numbers = numbers.with_context(|| format!("the firmware printed `{line}`"))?;
        snapshot.add(board.name, group.name, table, verb, numbers);
    }
    Ok(())
}

/// What scoring with a table adds to a program that does nothing.
fn scoring(toolchain: Toolchain, board: &Board, level: &str, table: &Table) -> Result<Sizes> {
    let config = format!("profile.release.opt-level={}", if level == "s" { "\"s\"" } else { level });
    let sizes = |features: &str| {
        let program = program(toolchain, board, "size", &["--features", features, "--config", &config], |cargo| {
            cargo.env("DEVICE_TABLE", &table.source);
            Ok(())
        })?;
        Sizes::of(&program)
    };
    Ok(sizes("score")?.beyond(&sizes("")?))
}

/// Builds one of the programs of `tests/device`.
fn program(
    toolchain: Toolchain,
    board: &Board,
    name: &str,
    args: &[&str],
    set: impl Fn(&mut std::process::Command) -> Result<()>,
) -> Result<PathBuf> {
    let mut cargo = toolchain.cargo();
    cargo.args(["build", "--target", board.target, "--bin", name]).args(args);
    set(&mut cargo)?;
    firmware::build_by(cargo, &root().join("tests/device"))
}
