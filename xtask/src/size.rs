//! `cargo xtask size`: what a program for a board is made of.

use crate::bench::device::size_program;
use crate::board::Board;
use crate::setup::{self, root};
use anyhow::{Context, Result};
use object::{Object, ObjectSection, ObjectSymbol, SymbolKind};
use std::fs;
use std::path::{Path, PathBuf};

/// Whose program, and for what.
#[derive(clap::Args)]
pub struct Size {
    /// A table, as `surprisal export` writes it
    #[arg(value_name = "FILE.rs", default_value = "tests/golden/shuttle.rs")]
    table: PathBuf,
    /// m0, m3, m4f, m7, m33 or riscv
    #[arg(long, value_name = "BOARD", value_parser = Board::named, default_value = "m0")]
    board: Board,
    /// 1, 2, 3, s or z
    #[arg(long, value_name = "LEVEL", default_value = "s")]
    opt_level: String,
}

/// Bytes of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Code.
    pub text: u64,
    /// Constants: tables of the link.
    pub link: u64,
    /// Constants: the model's table.
    pub table: u64,
    /// All other constants.
    pub others: u64,
    /// Variables, with initial values or without.
    pub ram: u64,
}

/// A function or a constant.
struct Symbol {
    bytes: u64,
    name: String,
}

impl Sizes {
    /// Of a linked program.
    pub fn of(program: &Path) -> Result<Self> {
        let elf = fs::read(program)?;
        let file = object::File::parse(&*elf)?;
        let section = |names: &[&str]| {
            let sections = file.sections().filter(|section| section.name().is_ok_and(|name| names.contains(&name)));
            sections.map(|section| section.size()).sum::<u64>()
        };
        let symbols = symbols(&file);
        let named =
            |part: &str| symbols.iter().filter(|symbol| symbol.name.contains(part)).map(|symbol| symbol.bytes).sum();
        let (link, table) = (named("link::table::"), named("size::table::"));
        Ok(Self {
            text: section(&[".text"]),
            link,
            table,
            others: section(&[".rodata"]) - link - table,
            ram: section(&[".data", ".bss"]),
        })
    }

    /// What is more than in another program.
    pub fn beyond(&self, other: &Self) -> Self {
        Self {
            text: self.text.saturating_sub(other.text),
            link: self.link.saturating_sub(other.link),
            table: self.table.saturating_sub(other.table),
            others: self.others.saturating_sub(other.others),
            ram: self.ram.saturating_sub(other.ram),
        }
    }

    /// In the order of the fields.
    pub fn numbers(&self) -> Vec<u64> {
        vec![self.text, self.link, self.table, self.others, self.ram]
    }
}

/// Prints all functions and constants of a program that scores by a table, the largest first.
pub fn run(args: &Size) -> Result<()> {
    let table = root().join(&args.table);
    let table = table.canonicalize().with_context(|| format!("{} is not there", table.display()))?;
    let toolchain = setup::targets(&[args.board.target])?;
    let elf = fs::read(size_program(toolchain, &args.board, &args.opt_level, "score", &table)?)?;
    let mut symbols = symbols(&object::File::parse(&*elf)?);
    symbols.sort_by(|a, b| (b.bytes, &a.name).cmp(&(a.bytes, &b.name)));
    symbols.iter().for_each(|symbol| println!("{:>7}  {}", symbol.bytes, symbol.name));
    Ok(())
}

fn symbols(file: &object::File) -> Vec<Symbol> {
    let sized = file
        .symbols()
        .filter(|symbol| matches!(symbol.kind(), SymbolKind::Text | SymbolKind::Data) && symbol.size() > 0);
    // Without the hash that ends a name.
    let name = |name: &str| format!("{:#}", rustc_demangle::demangle(name));
    sized.map(|symbol| Symbol { bytes: symbol.size(), name: name(symbol.name().unwrap_or_default()) }).collect()
}
