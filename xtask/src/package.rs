//! Tests the packages as they would be published, and builds programs that depend on them.

use crate::copy::{Library, VERSION, copy_package};
use anyhow::Result;
use std::fs;
use std::path::Path;
use std::process::Command;
use xtask::board::Board;
use xtask::setup::{self, cargo, root, succeed};

/// The published packages. Each depends on those before it.
const PUBLISHED: [&str; 3] = ["surprisal", "surprisal-trainer", "surprisal-cli"];
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

/// Packages the three published crates and checks that each compiles from its package, runs the documentation tests of the
/// packaged device crate, and builds a new user's crate and all firmware examples against it, outside the repository.
///
/// Cargo's own check of packages takes the device crate from the folder where an earlier check has unpacked it, as long as
/// the version is the same. The packages are therefore unpacked and compiled here.
///
/// # Errors
/// A package does not build from its own files, or something fails that depends on it.
pub fn run() -> Result<()> {
    let mut package = cargo();
    package.args(["package", "--workspace", "--exclude", "xtask", "--exclude", "surprisal-benches", "--quiet"]);
    succeed(package.args(["--allow-dirty", "--locked", "--no-verify"]))?;

    let scratch = tempfile::tempdir()?;
    let mut patch = String::from("\n[patch.crates-io]\n");
    for name in PUBLISHED {
        println!("\n{name} from its package");
        let folder = scratch.path().join(format!("{name}-{VERSION}"));
        let archive = root().join(format!("target/package/{name}-{VERSION}.crate"));
        // With the present time in place of the archive's, by which cargo would take an earlier build for this one.
        succeed(Command::new("tar").arg("-xmzf").arg(archive).arg("-C").arg(scratch.path()))?;
        let manifest = folder.join("Cargo.toml");
        let text = fs::read_to_string(&manifest)?;
        fs::write(&manifest, text.clone() + &patch)?;
        // Other parts of the tests build this code. A check finds what a package lacks, and takes less time.
        succeed(&mut outside(&folder, &["check"]))?;
        fs::write(&manifest, text)?;
        patch += &format!("{name} = {{ path = {folder:?} }}\n");
    }

    let library = scratch.path().join(format!("surprisal-{VERSION}"));
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
