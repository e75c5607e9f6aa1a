//! Sizes of linked programs: sections, functions and constants.

use crate::board::{Board, Region};
use crate::measure::size_program;
use crate::setup::{self, root};
use anyhow::{Context, Result};
use object::{Object, ObjectSection, ObjectSegment, ObjectSymbol, SymbolKind};
use std::fs;
use std::path::{Path, PathBuf};

/// Arguments of `cargo xtask size`.
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
    /// Bytes of code.
    pub text: u64,
    /// The link table between logits, masses and nats.
    pub link: u64,
    /// The table of the model.
    pub table: u64,
    /// Constants other than the two tables.
    pub others: u64,
    /// Variables, with and without initial values.
    pub ram: u64,
}

/// A function or a constant.
struct Symbol {
    bytes: u64,
    name: String,
}

impl Sizes {
    /// Returns the sizes of the program `size` of `tests/device`.
    ///
    /// # Errors
    /// The file cannot be read as a program.
    pub fn of(program: &Path) -> Result<Self> {
        let elf = fs::read(program)?;
        let file = object::File::parse(&*elf)?;
        let section = |names: &[&str]| {
            let sections = file.sections().filter(|section| section.name().is_ok_and(|name| names.contains(&name)));
            sections.map(|section| section.size()).sum::<u64>()
        };
        let symbols = symbols(&file);
        let named =
            |path: &str| symbols.iter().filter(|symbol| symbol.name.contains(path)).map(|symbol| symbol.bytes).sum();
        let (link, table) = (named("logit::table::"), named("size::table::"));
        Ok(Self {
            text: section(&[".text"]),
            link,
            table,
            others: section(&[".rodata"]) - link - table,
            ram: section(&[".data", ".bss"]),
        })
    }

    /// Returns how much larger this program is than another.
    pub fn beyond(&self, other: &Self) -> Self {
        Self {
            text: self.text.saturating_sub(other.text),
            link: self.link.saturating_sub(other.link),
            table: self.table.saturating_sub(other.table),
            others: self.others.saturating_sub(other.others),
            ram: self.ram.saturating_sub(other.ram),
        }
    }

    /// Returns the sizes in the order of the fields.
    pub fn numbers(&self) -> Vec<u64> {
        vec![self.text, self.link, self.table, self.others, self.ram]
    }
}

/// Returns the bytes of flash of a program, initial values of variables included, and its bytes of static RAM.
///
/// # Errors
/// The file cannot be read as a program.
pub fn occupied(program: &Path, ram: Region) -> Result<(u64, u64)> {
    let elf = fs::read(program)?;
    let segments: Vec<_> = object::File::parse(&*elf)?
        .segments()
        .map(|segment| (segment.address(), segment.size(), segment.file_range().1))
        .collect();
    let of_ram = segments.iter().filter(|(address, ..)| *address >= u64::from(ram.origin));
    Ok((segments.iter().map(|(.., in_file)| in_file).sum(), of_ram.map(|(_, size, _)| size).sum()))
}

/// Prints all functions and constants of a program that scores with a table, the largest first.
///
/// # Errors
/// The table is missing, or the program does not build.
pub fn run(args: &Size) -> Result<()> {
    let table = root().join(&args.table);
    let table = table.canonicalize().with_context(|| format!("{} cannot be found", table.display()))?;
    setup::targets(&[args.board])?;
    let elf = fs::read(size_program(&args.board, &args.opt_level, "surprisal", &table)?)?;
    let mut symbols = symbols(&object::File::parse(&*elf)?);
    symbols.sort_by(|a, b| (b.bytes, &a.name).cmp(&(a.bytes, &b.name)));
    symbols.iter().for_each(|symbol| println!("{:>7}  {}", symbol.bytes, symbol.name));
    Ok(())
}

/// Returns the functions and constants of a program, their names without the hash at the end.
fn symbols(file: &object::File) -> Vec<Symbol> {
    let sized = file
        .symbols()
        .filter(|symbol| matches!(symbol.kind(), SymbolKind::Text | SymbolKind::Data) && symbol.size() > 0);
    let name = |name: &str| format!("{:#}", rustc_demangle::demangle(name));
    sized.map(|symbol| Symbol { bytes: symbol.size(), name: name(symbol.name().unwrap_or_default()) }).collect()
}
