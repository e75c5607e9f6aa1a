//! Programs in C: builds them for boards, where the timer of the programs in Rust measures them, and for the host.

use anyhow::{Context, Result, ensure};
use object::{Object, ObjectSection};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use xtask::board::Board;
use xtask::firmware::{self, Run};
use xtask::measure::LIMIT;
use xtask::setup::{output, root};

/// For each board: its name, and the options of gcc for its core and its floating-point unit.
const CORES: [(&str, &[&str]); 2] =
    [("m0", &["-mcpu=cortex-m0"]), ("m4f", &["-mcpu=cortex-m4", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard"])];

/// A program in C: a source file of `benches/peers`, a generated model, and the rows to score.
pub struct Model<'a> {
    /// The name of the source file in `benches/peers`. `nothing.c` needs no model.
    pub source: &'static str,
    /// The folder that holds `rows.h`, the rows to score, and the header of the model.
    pub folder: &'a Path,
    /// The name of the model's header, without `.h`.
    pub name: &'a str,
    /// The folder of the headers that the model's header includes.
    pub headers: &'a Path,
}

/// The measured cost of a program with a model on a board, and the scores that it computed.
pub struct Cost {
    /// Mean number of instructions per row.
    pub instructions: u64,
    /// Largest number of bytes of stack.
    pub stack: u64,
    /// Bytes of flash for code, constants and initial values of variables.
    pub flash: u64,
    /// Bytes of RAM for static variables, without the stack.
    pub ram: u64,
    /// `[row]`: the 32 bits of each score: nats in units of 1/65536 for `nade.c`, an `f32` for `emlearn.c`.
    pub scores: Vec<u32>,
}

/// Writes `rows.h`, which defines `rows` `[row][column]` as a constant array of the C type `cell`.
///
/// # Errors
/// The file cannot be written.
pub fn write_rows(folder: &Path, cell: &str, rows: &[Vec<i16>]) -> Result<()> {
    let mut text = format!("#include <stdint.h>\n#define COLUMNS {}\n#define ROWS {}\n", rows[0].len(), rows.len());
    write!(text, "typedef {cell} Cell;\n__attribute__((unused)) static const Cell rows[ROWS][COLUMNS] = {{\n")?;
    for row in rows {
        writeln!(text, "    {{{}}},", list(row))?;
    }
    fs::write(folder.join("rows.h"), text + "};\n")?;
    Ok(())
}

/// Returns the numbers as text, separated by commas.
pub fn list<T: ToString>(numbers: &[T]) -> String {
    numbers.iter().map(T::to_string).collect::<Vec<_>>().join(", ")
}

impl Model<'_> {
    /// Builds the program, runs it on an emulated board, and returns its cost per row.
    ///
    /// # Errors
    /// The program does not build, or does not print three numbers per row.
    pub fn on(&self, board: &Board) -> Result<Cost> {
        let (_, core) = CORES
            .iter()
            .find(|(name, _)| *name == board.name)
            .context("benches/src/device/c.rs has no options of gcc for this board; add them to `CORES`")?;
        let mut gcc = Command::new("arm-none-eabi-gcc");
        gcc.args(*core).args([
            "-mthumb",
            "-nostartfiles",
            "--specs=nano.specs",
            "-ffunction-sections",
            "-fdata-sections",
        ]);
        gcc.arg("-Wl,--gc-sections").arg("-T").arg(sources().join("link.ld"));
        let program = self.build(gcc, "board.c", board.name)?;
        let how = Run { dir: root(), icount: Some(firmware::SHIFT), limit: LIMIT };
        let run = firmware::run(&board.metered(), &program, how)?;
        // The simplest call of semihosting prints to standard error.
        let text = String::from_utf8_lossy(&run.stderr);
        let row =
            |line: &str| line.split(' ').map(|word| u32::from_str_radix(word, 16).ok()).collect::<Option<Vec<_>>>();
        let lines: Option<Vec<_>> = text.lines().map(row).collect();
        let lines = lines.filter(|lines| !lines.is_empty() && lines.iter().all(|line| line.len() == 3));
        let lines = lines.with_context(|| {
            format!("{}: expected three hexadecimal numbers per line, found:\n{text}", program.display())
        })?;
        let elf = fs::read(&program)?;
        let file = object::File::parse(&*elf)?;
        let size = |name| file.section_by_name(name).map_or(0, |section| section.size());
        let (rows, sum) = (lines.len() as u64, lines.iter().map(|line| u64::from(line[0])).sum::<u64>());
        Ok(Cost {
            instructions: (sum + rows / 2) / rows,
            stack: lines.iter().map(|line| line[1].into()).max().unwrap_or(0),
            flash: size(".text") + size(".data"),
            ram: size(".data") + size(".bss"),
            scores: lines.iter().map(|line| line[2]).collect(),
        })
    }

    /// Returns what [`on`](Self::on) does, with flash and RAM beyond those of a program without a model.
    ///
    /// # Errors
    /// A program does not build, or does not print three numbers per row.
    pub fn alone_on(&self, board: &Board) -> Result<Cost> {
        let nothing = Model { source: "nothing.c", name: "", ..*self }.on(board)?;
        let cost = self.on(board)?;
        Ok(Cost { flash: cost.flash.saturating_sub(nothing.flash), ram: cost.ram.saturating_sub(nothing.ram), ..cost })
    }

    /// Runs the program on the host and returns `[row]` the 32 bits of each score of the rows in the file `rows`.
    ///
    /// # Errors
    /// The program does not build, or fails.
    pub fn on_host(&self, rows: &Path) -> Result<Vec<u32>> {
        let program = self.build(Command::new("cc"), "host.c", "host")?;
        let output = Command::new(&program).stdin(File::open(rows)?).output()?;
        ensure!(output.status.success(), "{} ended with {}", program.display(), output.status);
        let words = String::from_utf8_lossy(&output.stdout);
        Ok(words.lines().map(|word| u32::from_str_radix(word, 16)).collect::<Result<_, _>>()?)
    }

    fn build(&self, mut compiler: Command, main: &str, machine: &str) -> Result<PathBuf> {
        let name = if self.name.is_empty() { "nothing" } else { self.name };
        let program = self.folder.join(format!("{name}-{machine}.elf"));
        // System headers, so that gcc does not warn of generated code.
        compiler.args(["-O2", "-Wall", "-Wextra", "-isystem"]).arg(self.folder).arg("-isystem").arg(self.headers);
        compiler.arg(format!("-DMODEL=\"{name}.h\""));
        compiler.args([sources().join(main), sources().join(self.source)]).args(["-lm", "-o"]).arg(&program);
        let output = compiler.output().with_context(|| format!("cannot start {:?}", compiler.get_program()))?;
        let message = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{} does not build:\n{message}", program.display());
        Ok(program)
    }
}

/// Returns the version of `arm-none-eabi-gcc`, such as "12.2.1".
///
/// # Errors
/// The compiler does not start.
pub fn version() -> Result<String> {
    output(Command::new("arm-none-eabi-gcc").arg("-dumpfullversion"))
}

fn sources() -> PathBuf {
    root().join("benches/peers")
}
