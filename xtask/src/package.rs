//! Tests the packages as they would be published, and builds programs that depend on them.

use crate::copy::{Library, VERSION, copy_folder, copy_package};
use anyhow::Result;
use std::fs;
use std::path::Path;
use std::process::Command;
use xtask::board::Board;
use xtask::setup::{self, cargo, root, succeed};

/// Features of the device crate whose documentation tests run on a host.
const HOST: &str = "ed25519,embedded-hal-async,heapless,libm,micromath";
/// The firmware examples, each with an emulated board that has its target.
const EXAMPLES: [(&str, &str); 7] = [
    ("cortex-m", "m3"),
    ("embassy", "m0"),
    ("microbit", "m4f"),
    ("nucleo", "m4f"),
    ("pico", "m0"),
    ("pump", "m3"),
    ("update", "m0"),
];
/// The library of a new user, who scores with an exported table.
const NEW_USER: &str = "#![no_std]\n\npub mod table;\n\nuse surprisal::{EncodeError, Reading};\n\n\
    pub fn is_anomalous(row: &[Reading; 9]) -> Result<bool, EncodeError> {\n    \
    Ok(table::TABLE.judge(row)?.is_anomalous())\n}\n";

/// Packages the three published crates, runs the documentation tests of the packaged device crate, and builds a new user's
/// crate and all firmware examples against it, outside the repository.
///
/// # Errors
/// A package does not build from its own files, or something fails that depends on it.
pub fn run() -> Result<()> {
    let mut package = cargo();
    package.args(["package", "--workspace", "--exclude", "xtask", "--exclude", "surprisal-benches", "--quiet"]);
    succeed(package.args(["--allow-dirty", "--locked"]))?;

    let scratch = tempfile::tempdir()?;
    let library = scratch.path().join("surprisal");
    copy_folder(&root().join("target/package").join(format!("surprisal-{VERSION}")), &library)?;
    println!("\ndocumentation tests of the packaged surprisal");
    succeed(&mut outside(&library, &["test", "--doc", "--features", HOST]))?;

    println!("\na new crate that depends on the packaged surprisal");
    let user = scratch.path().join("new-user");
    fs::create_dir_all(user.join("src"))?;
    fs::write(user.join("src/lib.rs"), NEW_USER)?;
    fs::copy(root().join("tests/golden/shuttle.rs"), user.join("src/table.rs"))?;
    let manifest = format!(
        "[package]\nname = \"new-user\"\nedition = \"2024\"\n\n[dependencies]\nsurprisal = \"{VERSION}\"\n\n\
         [patch.crates-io]\nsurprisal = {{ path = {library:?} }}\n"
    );
    fs::write(user.join("Cargo.toml"), manifest)?;
    build(&user, "m0", &[])?;

    for (name, board) in EXAMPLES {
        println!("\nexamples/{name}, copied out of the repository");
        let dir = scratch.path().join(name);
        copy_package(&format!("examples/{name}"), &dir, Library::Published(&library))?;
        build(&dir, board, &["--bins"])?;
    }
    Ok(())
}

fn build(dir: &Path, board: &str, args: &[&str]) -> Result<()> {
    let board = Board::named(board).map_err(anyhow::Error::msg)?;
    setup::targets(&[board])?;
    succeed(outside(dir, &["build", "--release", "--target", board.target]).args(args))
}

/// Returns a cargo command in a folder outside the repository, with a target folder that keeps what was built.
fn outside(dir: &Path, args: &[&str]) -> Command {
    let mut command = cargo();
    command.args(args).args(["--quiet", "--target-dir"]).arg(root().join("target/outside")).current_dir(dir);
    command
}
