//! What an update costs a board: reading and checking the table, its self-test, and the signature.

use std::fs;

use anyhow::{Context, Result};
use surprisal_trainer::artefact::Artefact;
use surprisal_trainer::signing::PrivateKey;
use xtask::board::Board;
use xtask::command::Surprisal;
use xtask::measure;
use xtask::setup::{self, root};
use xtask::size::occupied;

/// A key that everybody knows, with which the table is signed.
const KEY: &str = "examples/update/demo.pem";

/// Prints instructions, stack and flash on the smallest core and on a common one.
///
/// # Errors
/// A table cannot be fitted, or a program does not build or fails.
pub fn run() -> Result<()> {
    setup::qemu()?;
    let dir = root().join("target/update-cost");
    fs::create_dir_all(&dir)?;
    let path = |name: &str| dir.join(name);
    let named = |name: &str| path(name).to_str().map(str::to_owned).context("the folder of the repository is no text");
    let surprisal = Surprisal::build()?;
    surprisal.fit_shuttle(&named("shuttle.srp")?, &[])?;
    surprisal.run(&["export", &named("shuttle.srp")?, "-o", &named("shuttle.rs")?])?;
    // A fixed key, because the instructions depend on the signature.
    let (key, artefact) = (PrivateKey::read(&root().join(KEY))?, Artefact::read(&path("shuttle.srp"))?);
    fs::write(path("shuttle.sru"), key.sign(artefact.table_bytes(), 1))?;
    fs::write(path("key"), key.public().bytes())?;
    let files =
        [("DEVICE_TABLE", &path("shuttle.rs")), ("DEVICE_UPDATE", &path("shuttle.sru")), ("DEVICE_KEY", &path("key"))];
    let files = files.map(|(name, path)| (name, path.as_path()));

    let bytes = artefact.table_bytes().len();
    println!("\na table of {bytes} bytes\n");
    println!("{:<10} {:<12} {:>12} {:>9} {:>12}", "operation", "core", "instructions", "per byte", "stack bytes");
    let mut flash = Vec::new();
    for name in ["m0", "m4f"] {
        let board = Board::named(name).map_err(anyhow::Error::msg)?;
        setup::targets(&[board])?;
        let without = occupied(&measure::program(&board, "update", &["--features", "load"], &files)?, board.ram)?;
        let program = measure::program(&board, "update", &["--features", "load,verify"], &files)?;
        let with = occupied(&program, board.ram)?;
        for line in measure::lines(&board, &program)? {
            let [instructions, stack] = line.numbers[..] else { continue };
            let per_byte = instructions as f64 / bytes as f64;
            println!("{:<10} {:<12} {instructions:>12} {per_byte:>9.1} {stack:>12}", line.operation, board.core);
        }
        flash.push(format!("the code of the signature takes {} bytes on {}", with.0 - without.0, board.core));
    }
    println!("\n{}", flash.join("\n"));
    Ok(())
}
