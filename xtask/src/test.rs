//! `cargo xtask test`: everything that must hold before a change goes in. CI runs this and nothing else.

use crate::board::{BOARDS, Board};
use crate::setup::{self, Toolchain, root};
use crate::shuttle::Surprisal;
use crate::{bench, boards, demo, no_panic, on_target};
use anyhow::{Context, Result, ensure};
use std::fs;
use std::process::Command;

/// Packages outside the workspace, each with its own lock file.
const OUTSIDE: [&str; 7] = [
    "tests/on-target",
    "tests/no-panic",
    "tests/device",
    "examples/cortex-m",
    "examples/microbit",
    "examples/nucleo",
    "examples/pico",
];
/// The features of the core, each built alone, and all together.
const FEATURES: [&str; 7] =
    ["", "defmt", "embedded-hal", "heapless", "libm", "micromath", "defmt,embedded-hal,heapless,libm,micromath"];

/// Format, lints, docs, host tests, each feature on bare metal, all boards, the README.
pub fn run() -> Result<()> {
    setup::everything()?;
    let cargo = |args: &[&str]| {
        let mut command = Toolchain::Own.cargo();
        command.args(args).current_dir(root());
        command
    };
    step("format", &mut cargo(&["fmt", "--all", "--check"]))?;
    for dir in OUTSIDE {
        step("format", cargo(&["fmt", "--check"]).current_dir(root().join(dir)))?;
    }
    step("lints", &mut cargo(&["clippy", "--workspace", "--all-targets", "--quiet", "--", "--deny", "warnings"]))?;
    let mut docs = cargo(&["doc", "--workspace", "--no-deps", "--quiet"]);
    step("docs", docs.env("RUSTDOCFLAGS", "--deny warnings"))?;
    step("host tests", &mut cargo(&["test", "--workspace", "--quiet"]))?;

    // Features add up in a workspace, so that only a build of the core alone shows what each of them needs.
    let m0 = Board::named("m0").map_err(anyhow::Error::msg)?;
    let bare = setup::targets(&[m0.target])?;
    for feature in FEATURES {
        let mut build = bare.cargo();
        build.args(["build", "--quiet", "--package", "surprisal", "--no-default-features", "--target", m0.target]);
        build.args(["--features", feature, "--target-dir", "target/features"]).current_dir(root());
        step(&format!("the core on {} with features [{feature}]", m0.target), &mut build)?;
    }
    announce("the core cannot panic");
    no_panic::run()?;
    announce("on-target tests");
    on_target::run(BOARDS)?;
    announce("what tables cost on boards");
    bench::device::check()?;
    announce("the RAM of a stream");
    bench::stream::run()?;
    announce("the examples for boards");
    boards::run()?;
    announce("the README's first command");
    demo::run()?;
    announce("the README's other commands");
    readme()
}

fn announce(what: &str) {
    println!("\n== {what}");
}

fn step(what: &str, command: &mut Command) -> Result<()> {
    announce(what);
    let status = command.status().with_context(|| format!("{what}: cannot start cargo"))?;
    ensure!(status.success(), "{what}: failed");
    Ok(())
}

/// Runs every line of the README that begins with `surprisal `, in order, in a folder that has `examples`.
fn readme() -> Result<()> {
    let surprisal = Surprisal::build()?;
    let dir = root().join("target/readme");
    if dir.exists() {
        fs::remove_dir_all(&dir)?;
    }
    fs::create_dir_all(dir.join("examples/data"))?;
    for file in fs::read_dir(root().join("examples/data"))? {
        let file = file?;
        fs::copy(file.path(), dir.join("examples/data").join(file.file_name()))?;
    }
    let text = fs::read_to_string(root().join("README.md"))?;
    // A backslash at its end continues a line.
    let text = text.replace("\\\n", " ");
    let lines: Vec<&str> = text.lines().filter(|line| line.starts_with("surprisal ")).collect();
    ensure!(lines.len() >= 4, "the README shows {} commands, expected at least 4", lines.len());
    for line in &lines {
        let args: Vec<&str> = line.split_whitespace().skip(1).take_while(|word| !word.starts_with('#')).collect();
        surprisal.run_in(&dir, &args)?;
    }
    println!("{} passed, 0 failed", lines.len());
    Ok(())
}
