//! Writes a memory map that is larger than any board of the targets, because the probe is linked and never run.

use std::path::PathBuf;
use std::{env, fs};

const MEMORY: &str = "MEMORY
{
  FLASH : ORIGIN = 0x00000000, LENGTH = 4M
  RAM : ORIGIN = 0x20000000, LENGTH = 4M
}
";

fn main() {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    fs::write(out.join("memory.x"), MEMORY).expect("OUT_DIR can be written");
    println!("cargo::rustc-link-search={}", out.display());
    println!("cargo::rustc-link-arg=-Tlink.x");
    // Otherwise sections are aligned to a host's pages, and the first one would begin before the flash.
    println!("cargo::rustc-link-arg=--nmagic");
    println!("cargo::rerun-if-changed=build.rs");
}
