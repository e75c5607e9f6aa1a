//! Programs in C: for boards, measured by the same timer as ours, and for the host.

use super::LIMIT;
use crate::board::Board;
use crate::firmware::{self, Run};
use crate::setup::root;
use anyhow::{Context, Result, ensure};
use object::{Object, ObjectSection};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

/// By board, for which core and floats gcc builds.
const CORES: [(&str, &[&str]); 2] =
    [("m0", &["-mcpu=cortex-m0"]), ("m4f", &["-mcpu=cortex-m4", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard"])];

/// A file of `tests/device/peers` around a generated model, in a folder that holds `rows.h`.
pub struct Model<'a> {
    /// The file: `nothing.c` takes no model.
    pub source: &'static str,
    /// The folder.
    pub folder: &'a Path,
    /// The generated file in it.
    pub name: &'a str,
    /// Where the generated file's own headers lie.
    pub headers: &'a Path,
}

/// What a model takes on a board. Bytes of flash and RAM are of the whole program.
pub struct Cost {
    /// Mean instructions a row.
    pub instructions: u64,
    /// Bytes of stack, at most.
    pub stack: u64,
    /// Bytes of code and constants.
    pub flash: u64,
    /// Bytes of variables.
    pub ram: u64,
    /// What it says of each row.
    pub scores: Vec<u32>,
}

/// Writes `rows.h` for rows of this type of C.
pub fn write_rows(folder: &Path, cell: &str, rows: &[Vec<i16>]) -> Result<()> {
    let mut text = format!("#include <stdint.h>\n#define COLUMNS {}\n#define ROWS {}\n", rows[0].len(), rows.len());
    write!(text, "typedef {cell} Cell;\n__attribute__((unused)) static const Cell rows[ROWS][COLUMNS] = {{\n")?;
    for row in rows {
        writeln!(text, "    {{{}}},", list(row))?;
    }
    fs::write(folder.join("rows.h"), text + "};\n")?;
    Ok(())
}

/// Numbers with commas between them.
pub fn list<T: ToString>(numbers: &[T]) -> String {
    numbers.iter().map(T::to_string).collect::<Vec<_>>().join(", ")
}

impl Model<'_> {
    /// Builds and runs the program on a board.
    pub fn on(&self, board: &Board) -> Result<Cost> {
        let (_, core) = CORES.iter().find(|(name, _)| *name == board.name).context("gcc is not told of this core")?;
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
        let output = firmware::run(&board.metered(), &program, how)?;
        // QEMU prints what is said by the simplest call of semihosting there.
        let text = String::from_utf8_lossy(&output.stderr);
        let row =
            |line: &str| line.split(' ').map(|word| u32::from_str_radix(word, 16).ok()).collect::<Option<Vec<_>>>();
        let lines: Option<Vec<_>> = text.lines().map(row).collect();
        let lines = lines.filter(|lines| !lines.is_empty() && lines.iter().all(|line| line.len() == 3));
        let lines = lines.with_context(|| format!("{} printed:\n{text}", program.display()))?;
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

    /// What it says of the rows of a file on the host.
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
        // As system headers, so that nobody is warned of what is generated.
        compiler.args(["-O2", "-Wall", "-Wextra", "-isystem"]).arg(self.folder).arg("-isystem").arg(self.headers);
        compiler.arg(format!("-DMODEL=\"{name}.h\""));
        compiler.args([sources().join(main), sources().join(self.source)]).args(["-lm", "-o"]).arg(&program);
        let output = compiler.output().with_context(|| format!("cannot start {:?}", compiler.get_program()))?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{} does not build:\n{said}", program.display());
        Ok(program)
    }
}

/// Of the compiler for boards.
pub fn version() -> Result<String> {
    let output = Command::new("arm-none-eabi-gcc").arg("-dumpfullversion").output()?;
    Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
}

fn sources() -> PathBuf {
    root().join("tests/device/peers")
}
