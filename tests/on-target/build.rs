//! Writes the memory map of the board that has the target.

#[path = "../../xtask/src/board.rs"]
mod board;

use std::path::PathBuf;
use std::{env, fs};

fn main() {
    let target = env::var("TARGET").expect("cargo sets TARGET");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    match board::Board::of_target(&target) {
        Ok(board) => fs::write(out.join("memory.x"), board.memory_x()).expect("OUT_DIR can be written"),
        Err(error) => println!("cargo::error={error}"),
    }
    println!("cargo::rustc-link-search={}", out.display());
    println!("cargo::rustc-link-arg=-Tlink.x");
    // Otherwise sections are aligned to a host's pages, and the first one would begin before the flash.
    println!("cargo::rustc-link-arg=--nmagic");
    println!("cargo::rerun-if-changed=build.rs");
}
