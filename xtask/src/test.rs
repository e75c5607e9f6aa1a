//! `cargo xtask test`: everything that must hold before a change goes in, in parts.

use crate::{
    book, demo, documents, examples, new, no_panic, on_target, package, packages, python, readme, report, update,
};
use anyhow::{Context, Result};
use clap::ValueEnum;
use std::process::Command;
use xtask::board::{BOARDS, Board};
use xtask::command::program;
use xtask::setup::{self, cargo, cargo_of, output, root, succeed};

/// Packages outside the workspace, each with its own lock file.
const OUTSIDE: [&str; 12] = [
    "tests/on-target",
    "tests/no-panic",
    "tests/device",
    "examples/cortex-m",
    "examples/embassy",
    "examples/microbit",
    "examples/nucleo",
    "examples/pico",
    "examples/pump",
    "examples/update",
    "fuzz",
    "python",
];
/// All features of the device crate.
const ALL: &str = "defmt,ed25519,embedded-hal-async,heapless,libm,micromath";
/// The sets of features with which the device crate is built.
const FEATURES: [&str; 10] = [
    "",
    "defmt",
    "ed25519",
    "embedded-hal",
    "embedded-hal-async",
    "embedded-storage",
    "heapless",
    "libm",
    "micromath",
    ALL,
];

/// A part of the tests. The order is that in which they run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Part {
    /// rustfmt on all packages
    Format,
    /// Clippy without warnings
    Lints,
    /// rustdoc without warnings
    Docs,
    /// The tests of the workspace
    Host,
    /// Licences, sources and duplicates of dependencies
    Deny,
    /// The device crate on bare metal, with each of its features alone, and the optional feature of the command
    Features,
    /// The three published crates with their minimum supported Rust versions
    Msrv,
    /// The device crate cannot panic, and computes with integers outside the features of raw signals
    NoPanic,
    /// The golden cases on emulated boards
    OnTarget,
    /// Instructions and bytes of the golden tables, against docs/device.json
    Device,
    /// The RAM of a time series
    Stream,
    /// The C reader against the golden tables, on the host and on emulated boards
    C,
    /// The reader in Python, written from docs/format.md, against the golden tables
    FormatPage,
    /// Packages of models for Zephyr, Arduino, PlatformIO and ESP-IDF
    Packages,
    /// Projects that `surprisal new` writes, built for all boards and run on the emulated ones
    New,
    /// Captures, tables and programs of the firmware examples
    Examples,
    /// The example device takes an update over the air, and refuses a cut, a forged, a foreign and an old one
    Update,
    /// `cargo xtask demo`
    Demo,
    /// The pages of `surprisal report` in a browser
    Report,
    /// The commands that README and docs show
    Readme,
    /// The pages of `docs/` as a book, and its links
    Book,
    /// The Python package: its wheel, tests and documentation
    Python,
    /// The fleet jobs of the Python package on local clusters of Ray and Spark
    Engines,
    /// Packages as they would be published, and what users build from them
    Package,
}

/// Runs the parts that need only the compiler and its components.
///
/// # Errors
/// A part fails, or rustfmt or Clippy is missing.
pub fn check() -> Result<()> {
    setup::component("rustfmt")?;
    setup::component("clippy")?;
    [Part::Format, Part::Lints, Part::Docs, Part::Host].into_iter().try_for_each(|part| part.run(&[]))
}

/// Runs these parts, or all of them if there are none.
///
/// # Errors
/// A part fails, or something that it needs cannot be installed.
pub fn run(parts: &[Part], boards: &[Board]) -> Result<()> {
    if parts.is_empty() {
        setup::everything()?;
    }
    let mut parts = if parts.is_empty() { Part::value_variants().to_vec() } else { parts.to_vec() };
    parts.sort_unstable();
    parts.dedup();
    parts.into_iter().try_for_each(|part| part.run(if boards.is_empty() { BOARDS } else { boards }))
}

impl Part {
    fn run(self, boards: &[Board]) -> Result<()> {
        let value = self.to_possible_value().context("every part has a name")?;
        let (name, help) = (value.get_name(), value.get_help().map(ToString::to_string).unwrap_or_default());
        println!("\n== {name}: {help}");
        let done = match self {
            Self::Format => format(),
            Self::Lints => lints(),
            Self::Docs => docs(),
            Self::Host => succeed(cargo().args(["test", "--workspace", "--quiet"])),
            Self::Deny => deny(),
            Self::Features => features(),
            Self::Msrv => msrv(),
            Self::NoPanic => no_panic::run(),
            Self::OnTarget => on_target::run(boards),
            Self::Device => succeed(&mut benches(&["device", "--golden"])?),
            Self::Stream => documents::hold("cargo benches stream", &printed(&["stream"])?),
            Self::C => c(),
            Self::FormatPage => format_page(),
            Self::Examples => examples::run().and_then(|table| documents::hold("cargo xtask test examples", &table)),
            Self::Demo => demo::run().and_then(|table| documents::hold("cargo xtask demo", &table)),
            Self::Report => report::run(),
            Self::Update => update::run(),
            Self::Packages => packages::run(),
            Self::New => new::run(),
            Self::Readme => readme::run(),
            Self::Book => book::run(),
            Self::Python => python::run(),
            Self::Engines => python::engines(),
            Self::Package => package::run(),
        };
        done.with_context(|| format!("{name} failed"))
    }
}

fn c() -> Result<()> {
    setup::c()?;
    setup::qemu()?;
    let make = |dir: &str, goals: &[&str]| succeed(Command::new("make").args(goals).current_dir(root().join(dir)));
    make("tests/c", &["check"])?;
    make("examples/c", &["run", "run-m0", "run-m4f"])
}

fn format_page() -> Result<()> {
    setup::python()?;
    succeed(Command::new("python3").args(["-B", "tests/format/check.py"]).current_dir(root()))
}

fn format() -> Result<()> {
    setup::component("rustfmt")?;
    succeed(cargo().args(["fmt", "--all", "--check"]))?;
    OUTSIDE.iter().try_for_each(|dir| succeed(cargo().args(["fmt", "--check"]).current_dir(root().join(dir))))
}

fn lints() -> Result<()> {
    setup::component("clippy")?;
    succeed(cargo().args(["clippy", "--workspace", "--all-targets", "--quiet", "--", "--deny", "warnings"]))
}

fn docs() -> Result<()> {
    let mut docs = cargo();
    docs.args(["doc", "--workspace", "--no-deps", "--quiet"]);
    succeed(docs.env("RUSTDOCFLAGS", "--deny warnings"))
}

fn deny() -> Result<()> {
    let deny = setup::cargo_deny()?;
    // The database of advisories lies on GitHub, which a machine without access to it cannot reach.
    ["Cargo.toml", "python/Cargo.toml"].into_iter().try_for_each(|manifest| {
        let mut check = Command::new(&deny);
        check.args(["--manifest-path", manifest, "--workspace", "--config"]).arg(root().join("deny.toml"));
        check.args(["check", "--hide-inclusion-graph", "bans", "licenses", "sources"]);
        succeed(check.current_dir(root()))
    })
}

/// Builds the device crate alone, because the features of a workspace add up. Tests the feature of the trainer, and builds
/// the command with it.
fn features() -> Result<()> {
    let smallest = BOARDS[0];
    setup::targets(&[smallest])?;
    for features in FEATURES {
        println!("surprisal for {} with features [{features}]", smallest.target);
        succeed(&mut device_crate(cargo(), &["--target", smallest.target, "--features", features], "target/features"))?;
    }
    println!("surprisal-trainer and surprisal-cli with features [parquet]");
    let parquet = ["--quiet", "--features", "parquet", "--package", "surprisal-trainer"];
    succeed(cargo().arg("test").args(parquet).args(["--test", "parquet"]))?;
    succeed(cargo().arg("test").args(parquet).args(["--test", "fuzzing", "parquet"]))?;
    let lints = ["--package", "surprisal-cli", "--", "--deny", "warnings"];
    succeed(cargo().arg("clippy").args(parquet).args(lints))
}

fn msrv() -> Result<()> {
    setup::msrv()?;
    let (old, target) = (setup::DEVICE_MSRV, BOARDS[0].target);
    for args in [&["--features", ALL][..], &["--features", ALL, "--target", target]] {
        println!("rust {old}: surprisal, {}", args.join(" "));
        succeed(&mut device_crate(cargo_of(old), args, "target/msrv"))?;
    }
    println!("rust {}: surprisal-trainer and surprisal-cli", setup::TRAINER_MSRV);
    let mut check = cargo_of(setup::TRAINER_MSRV);
    check.args(["check", "--quiet", "--package", "surprisal-trainer", "--package", "surprisal-cli"]);
    succeed(check.args(["--locked", "--target-dir", "target/msrv"]))
}

fn device_crate(mut cargo: Command, args: &[&str], target_dir: &str) -> Command {
    cargo.args(["build", "--quiet", "--locked", "--package", "surprisal", "--no-default-features"]).args(args);
    cargo.args(["--target-dir", target_dir]);
    cargo
}

/// Returns a command that runs a benchmark.
fn benches(args: &[&str]) -> Result<Command> {
    let mut benches = Command::new(program("benches")?);
    benches.args(args).current_dir(root());
    Ok(benches)
}

/// Runs a benchmark and returns what it prints, which is shown when it ends.
fn printed(args: &[&str]) -> Result<String> {
    let text = output(&mut benches(args)?)?;
    println!("{text}");
    Ok(text)
}
