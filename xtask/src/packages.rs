//! Packages of models for Zephyr, Arduino, PlatformIO and ESP-IDF: checked by the tools of the ecosystems, compiled for the host
//! and for a board, and linked with several models in one program.

use anyhow::{Result, bail, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use xtask::command::Surprisal;
use xtask::setup::{self, output, root, succeed};

/// The models, and the options that fit them to a file: outcome tables, bits with categories and missing readings, a series.
const MODELS: [(&str, &str, &[&str]); 3] = [
    ("pump", "pump.csv", &[]),
    ("valve", "valve.csv", &["--family", "linear", "--false-alarm", "0.05"]),
    ("series", "pump.csv", &["--window", "4"]),
];
/// Warnings that must not occur in C.
const C: [&str; 7] = ["-std=c99", "-Wall", "-Wextra", "-Wconversion", "-pedantic", "-Werror", "-O2"];
/// Warnings that must not occur in a sketch.
const CPP: [&str; 5] = ["-std=gnu++17", "-Wall", "-Wextra", "-Werror", "-O2"];
/// The keys that the specification of Arduino libraries requires in `library.properties`.
const PROPERTIES: [&str; 9] =
    ["name", "version", "author", "maintainer", "sentence", "paragraph", "category", "url", "architectures"];

/// Fits models, exports each for every ecosystem, and checks the packages.
///
/// # Errors
/// A tool refuses a package, or something does not compile, link or run.
pub fn run() -> Result<()> {
    setup::c()?;
    let python = setup::python_tools()?;
    let surprisal = Surprisal::build()?;
    let scratch = tempfile::tempdir()?;
    let dir = scratch.path();
    fit(&surprisal, dir)?;
    for (model, ..) in MODELS {
        let file = format!("{model}.srp");
        for ecosystem in ["zephyr", "arduino", "platformio", "esp-idf"] {
            fs::create_dir_all(dir.join(ecosystem))?;
            let folder = format!("{ecosystem}/{model}");
            surprisal.run_in(dir, &["export", &file, "--package", ecosystem, "-o", &folder])?;
        }
    }
    zephyr(&dir.join("zephyr"), &python)?;
    arduino(&dir.join("arduino"))?;
    platformio(&dir.join("platformio"), &python)?;
    esp_idf(&dir.join("esp-idf"), &python)
}

/// Fits the models of the tests in a folder: `pump.srp`, `valve.srp` and `series.srp`.
///
/// # Errors
/// A fit fails.
pub fn fit(surprisal: &Surprisal, dir: &Path) -> Result<()> {
    let log = root().join("examples/data/pico.log");
    surprisal.run_in(dir, &["collect", &log.display().to_string(), "-o", "pump.csv"])?;
    fs::write(dir.join("valve.csv"), valve())?;
    for (model, data, options) in MODELS {
        surprisal.run_in(dir, &[&["fit", data, "-o", &format!("{model}.srp")], options].concat())?;
    }
    Ok(())
}

/// Returns rows with categories, flags and missing readings.
fn valve() -> String {
    let row = |at: u32| {
        let (mode, noise) =
            (["idle", "fill up", "drain"][(at * at % 7 % 3) as usize], at.wrapping_mul(2_654_435_761) >> 16);
        let flow = if at.is_multiple_of(11) { String::new() } else { format!("{:.2}", f64::from(noise % 997) / 100.0) };
        let class = if at.is_multiple_of(13) { String::new() } else { (40 + noise % 59).to_string() };
        format!("{mode},{},{},{flow},{class}\n", noise % 5 / 4, noise % 901)
    };
    format!("mode,open,level,flow rate,class\n{}", (0..600).map(row).collect::<String>())
}

/// The folder of the files that stand in for build systems.
fn stand_ins() -> PathBuf {
    root().join("tests/packages")
}

/// Compiles C for a Cortex-M0, and compiles, links and runs it on the host. `folders` hold headers.
fn compile(folders: &[PathBuf], sources: &[PathBuf], program: &Path) -> Result<()> {
    let includes: Vec<String> = folders.iter().map(|folder| format!("-I{}", folder.display())).collect();
    for source in sources {
        let mut board = Command::new("arm-none-eabi-gcc");
        board.args(["-mcpu=cortex-m0", "-mthumb", "-c", "-o"]).arg(program.with_extension("o"));
        succeed(board.args(C).args(&includes).arg(source))?;
    }
    succeed(Command::new("gcc").args(C).args(&includes).args(sources).arg("-o").arg(program))?;
    passes(program)
}

/// Runs a program on the host, which must pass its self-test.
fn passes(program: &Path) -> Result<()> {
    let text = output(&mut Command::new(program))?;
    ensure!(text.contains("self-test") && text.contains("passed"), "{} printed:\n{text}", program.display());
    println!("{text}\n");
    Ok(())
}

/// Links a program with two models and one reader.
fn two(dir: &Path) -> Result<()> {
    let folders = ["surprisal", "pump", "valve"].map(|name| dir.join(name).join("src"));
    let sources = [stand_ins().join("two.c"), dir.join("surprisal/src/surprisal.c")];
    compile(&folders, &sources, &dir.join("two"))
}

fn built_by_cmake(project: &Path, to: &Path, set: &[String], environment: [(&str, PathBuf); 1]) -> Result<()> {
    let flags = format!("-DCMAKE_C_FLAGS={}", C.join(" "));
    let mut configure = Command::new("cmake");
    configure.args(["-Wno-dev", "-S"]).arg(project).arg("-B").arg(to).arg(flags).args(set).envs(environment);
    output(&mut configure)?;
    output(Command::new("cmake").arg("--build").arg(to))?;
    passes(&to.join("app"))
}

fn zephyr(dir: &Path, python: &Path) -> Result<()> {
    println!("\nZephyr: module.yml by pykwalify, Kconfig by kconfiglib, samples by CMake with a stand-in for Zephyr");
    for name in ["surprisal", "pump", "valve", "series"] {
        let mut check = Command::new(python.join("pykwalify"));
        check.arg("-d").arg(dir.join(name).join("zephyr/module.yml"));
        output(check.arg("-s").arg(stand_ins().join("zephyr/module-schema.yml")))?;
    }
    for (model, ..) in MODELS {
        let set = [format!("-DPYTHON={}", python.join("python3").display())];
        let base = [("ZEPHYR_BASE", stand_ins().join("zephyr"))];
        built_by_cmake(&dir.join(model).join("samples/score"), &dir.join("build").join(model), &set, base)?;
    }
    two(dir)
}

fn arduino(dir: &Path) -> Result<()> {
    println!("\nArduino: library.properties by its specification, sketches with a stand-in for a board");
    for name in ["surprisal", "pump", "valve", "series"] {
        let text = fs::read_to_string(dir.join(name).join("library.properties"))?;
        let value = |key: &str| text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        for key in PROPERTIES {
            ensure!(value(key).is_some_and(|value| !value.is_empty()), "{name}/library.properties lacks {key}");
        }
        ensure!(value("name") == Some(name) && value("category") == Some("Data Processing"), "{name}: {text}");
        ensure!(value("version").is_some_and(|version| version.split('.').count() == 3), "{name}: {text}");
    }
    let board = stand_ins().join("arduino");
    for (model, ..) in MODELS {
        let folders = [&board, &dir.join("surprisal/src"), &dir.join(model).join("src")];
        let includes: Vec<String> = folders.iter().map(|folder| format!("-I{}", folder.display())).collect();
        let sketch = dir.join(model).join("examples/score/score.ino");
        let program = dir.join(format!("{model}.program"));
        // The build of a sketch adds this header.
        let as_sketch = |compiler: &str, options: &[&str], to: &Path| {
            let mut compile = Command::new(compiler);
            compile.args(CPP).args(options).args(&includes).args(["-include", "Arduino.h", "-x", "c++", "-c"]);
            succeed(compile.arg(&sketch).arg("-o").arg(to))
        };
        as_sketch("arm-none-eabi-g++", &["-mcpu=cortex-m0", "-mthumb"], &program.with_extension("board.o"))?;
        as_sketch("g++", &[], &program.with_extension("o"))?;
        let reader = program.with_extension("c.o");
        succeed(
            Command::new("gcc").args(C).arg("-c").arg(dir.join("surprisal/src/surprisal.c")).arg("-o").arg(&reader),
        )?;
        let mut link = Command::new("g++");
        link.args(CPP).args(&includes).arg(board.join("main.cpp")).args([&program.with_extension("o"), &reader]);
        succeed(link.arg("-o").arg(&program))?;
        passes(&program)?;
    }
    two(dir)
}

fn platformio(dir: &Path, python: &Path) -> Result<()> {
    println!("\nPlatformIO: packages by `pio pkg pack`");
    for name in ["surprisal", "pump", "valve", "series"] {
        let mut pack = Command::new(python.join("pio"));
        pack.args(["pkg", "pack", "-o"]).arg(dir.join(format!("{name}.tar.gz"))).arg(dir.join(name));
        // Its settings stay out of the home folder.
        println!("{}", output(pack.env("PLATFORMIO_CORE_DIR", dir.join("core")))?);
    }
    for (model, ..) in MODELS {
        let folders = ["surprisal", model].map(|name| dir.join(name).join("src"));
        let sources = [dir.join(model).join("examples/score/src/main.c"), dir.join("surprisal/src/surprisal.c")];
        compile(&folders, &sources, &dir.join(format!("{model}.program")))?;
    }
    two(dir)
}

fn esp_idf(dir: &Path, python: &Path) -> Result<()> {
    println!("\nESP-IDF: components by `compote component pack`, examples by CMake with a stand-in for ESP-IDF");
    for name in ["surprisal", "pump", "valve", "series"] {
        let mut pack = Command::new(python.join("compote"));
        pack.args(["component", "pack", "--name", name, "--dest-dir"]).arg(dir.join("packed").join(name));
        println!("{}", output(pack.current_dir(dir.join(name)))?);
    }
    for (model, ..) in MODELS {
        let example = dir.join(model).join("examples/score");
        built_by_cmake(&example, &dir.join("build").join(model), &[], [("IDF_PATH", stand_ins().join("esp-idf"))])?;
    }
    if dir.join("pump/dist").exists() {
        bail!("compote wrote into the component");
    }
    two(dir)
}
