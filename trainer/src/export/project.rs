//! Writes a firmware project around a model, which builds and runs as it is.

use super::c::{READER, c_source};
use super::example::{c_rows, rust_rows};
use super::package::{c_recorded, filled};
use super::rust_source;
use crate::artefact::Artefact;
use crate::error::{Error, Result};
use crate::names::Named;

/// The model of a pump that a project has if no other one is given: a `.srp` file.
pub const EXAMPLE_MODEL: &[u8] = include_bytes!("../../templates/new/pump.srp");

/// A board for which there is a project.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Board {
    /// A BBC micro:bit v2.
    Microbit,
    /// A Raspberry Pi Pico.
    Pico,
    /// An STM32 NUCLEO-F401RE.
    Nucleo,
    /// QEMU's MPS2 board with a Cortex-M3.
    QemuM3,
    /// QEMU's MPS2 board with a Cortex-M4F.
    QemuM4,
}

/// The language of a project.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// Rust, with the crate `surprisal`.
    Rust,
    /// C99, with the C reader. For emulated boards only.
    C,
}

impl Named for Board {
    const OPTION: &'static str = "--board";
    const NAMES: &'static [(&'static str, Self)] = &[
        ("microbit", Self::Microbit),
        ("pico", Self::Pico),
        ("nucleo", Self::Nucleo),
        ("qemu-m3", Self::QemuM3),
        ("qemu-m4", Self::QemuM4),
    ];
}

impl Named for Language {
    const OPTION: &'static str = "--lang";
    const NAMES: &'static [(&'static str, Self)] = &[("rust", Self::Rust), ("c", Self::C)];
}

/// Files of a project: (path in its folder with `/` between folders, content).
type Files = Vec<(String, String)>;

/// Includes a file of `trainer/templates/new`.
macro_rules! template {
    ($($part:expr),*) => { include_str!(concat!("../../templates/new/", $($part),*)) };
}

/// Files of an example in the folder `examples` of the repository, with which a project for a real board begins.
struct Hardware {
    /// The name of the example.
    example: &'static str,
    /// The name of the board in a sentence.
    name: &'static str,
    /// What follows on `Board::take()`.
    unwrapped: &'static str,
    manifest: &'static str,
    config: &'static str,
    memory: &'static str,
    board: &'static str,
    capture: &'static str,
}

/// Includes the files of an example.
macro_rules! hardware {
    ($example:literal, $name:literal, $unwrapped:literal) => {
        Hardware {
            example: $example,
            name: $name,
            unwrapped: $unwrapped,
            manifest: template!("boards/", $example, ".toml"),
            config: template!("boards/", $example, "-config.toml"),
            memory: template!("boards/", $example, ".x"),
            board: template!("boards/", $example, ".rs"),
            capture: template!("boards/", $example, "-capture.rs"),
        }
    };
}

const MICROBIT: Hardware =
    hardware!("microbit", "a BBC micro:bit v2", ".expect(\"the accelerometer does not answer\")");
const PICO: Hardware = hardware!("pico", "a Raspberry Pi Pico", "");
const NUCLEO: Hardware = hardware!("nucleo", "an STM32 NUCLEO-F401RE", "");

impl Board {
    /// Returns the names of the crates on which the projects in Rust of any board depend, as their manifests write them and
    /// possibly more than once. No project can have the name of one.
    pub fn dependencies() -> impl Iterator<Item = &'static str> {
        let manifests = [MICROBIT.manifest, PICO.manifest, NUCLEO.manifest, template!("rust/qemu.toml")];
        manifests.into_iter().flat_map(|manifest| {
            let mut is_dependency = false;
            manifest.lines().filter_map(move |line| {
                if line.starts_with('[') {
                    is_dependency = line.ends_with("dependencies]");
                }
                line.split_once(" = ").filter(|_| is_dependency).map(|(name, _)| name)
            })
        })
    }

    /// Returns the files of a real board.
    fn hardware(self) -> Option<Hardware> {
        match self {
            Self::Microbit => Some(MICROBIT),
            Self::Pico => Some(PICO),
            Self::Nucleo => Some(NUCLEO),
            Self::QemuM3 | Self::QemuM4 => None,
        }
    }

    /// Returns the Rust target, and for emulated boards QEMU's machine and the options of gcc.
    fn target(self) -> [&'static str; 3] {
        match self {
            Self::Microbit | Self::Nucleo => ["thumbv7em-none-eabihf", "", ""],
            Self::Pico => ["thumbv6m-none-eabi", "", ""],
            Self::QemuM3 => ["thumbv7m-none-eabi", "mps2-an385", "-mcpu=cortex-m3"],
            Self::QemuM4 => {
                ["thumbv7em-none-eabihf", "mps2-an386", "-mcpu=cortex-m4 -mfpu=fpv4-sp-d16 -mfloat-abi=hard"]
            }
        }
    }
}

/// Returns the files of a firmware project called `name`, a valid name of a crate. `is_example` says that the model is
/// [`EXAMPLE_MODEL`], which the README then says as well.
///
/// # Errors
/// [`Error::Option`] if there is no such project: in C for a real board, or for the model of a raw signal. Otherwise those of
/// [`rust_source`] and [`c_source`].
pub fn project(artefact: &Artefact, name: &str, board: Board, language: Language, is_example: bool) -> Result<Files> {
    if artefact.notes.fit.signal.is_some() {
        let message = "a model of a raw signal is scored by windows of samples, for which there is no project; export it and \
                       start from the example for the micro:bit, which docs/boards.md describes";
        return Err(Error::option("--model", message));
    }
    let [target, machine, core] = board.target();
    let source = match language {
        Language::Rust => "src/table.rs",
        Language::C => "model.h",
    };
    let values = [
        ("MODEL", about_model(artefact, is_example, [board.name(), language.name(), source])),
        ("NAME", name.to_owned()),
        ("CRATE", name.replace('-', "_")),
        ("VERSION", env!("CARGO_PKG_VERSION").to_owned()),
        ("TARGET", target.to_owned()),
        ("MACHINE", machine.to_owned()),
        ("CORE", core.to_owned()),
    ];
    let is_series = artefact.schema.predictor.view().window() > 0;
    match (language, board.hardware()) {
        (Language::Rust, hardware) => rust(artefact, name, hardware.as_ref(), is_series, &values),
        (Language::C, None) => c(artefact, &values),
        (Language::C, Some(_)) => {
            let message = "projects in C are for qemu-m3 and qemu-m4; for a real board, make a project with the tools of its \
                           vendor and add the model by `surprisal export MODEL.srp --package zephyr`, `arduino`, \
                           `platformio` or `esp-idf`";
            Err(Error::option("--lang", message))
        }
    }
}

/// Returns the end of the README: which model it is, and how to replace it.
fn about_model(artefact: &Artefact, is_example: bool, [board, lang, source]: [&str; 3]) -> String {
    let columns: Vec<String> =
        super::fields::fields(&artefact.schema).iter().map(|field| format!("`{}`", field.name)).collect();
    let columns = columns.join(", ");
    let begin = match is_example {
        true => format!(
            "## The model is an example: replace it\n\nThe model is that of a simulated pump with the columns {columns}.\n\
             It knows nothing of your machine."
        ),
        false => format!("## The model\n\nThe columns are {columns}."),
    };
    format!(
        "{begin} Fit a model on rows of your machine, and make a project for its columns:\n\n```sh\n\
         surprisal fit rows.csv -o model.srp\n\
         surprisal new another-name --board {board} --lang {lang} --model model.srp\n```\n\n\
         Where the columns stay the same, `surprisal export model.srp -o {source}` replaces the model alone."
    )
}

/// Returns a template with values in place of `@KEY@`. Of the lines that begin with `//@WORD `, those of the given words are kept.
fn chosen(template: &str, words: &[&str], values: &[(&str, String)]) -> String {
    let line = |line: &str| match line.strip_prefix("//@").and_then(|line| line.split_once(' ')) {
        Some((word, rest)) => words.contains(&word).then(|| format!("{rest}\n")),
        None => Some(format!("{line}\n")),
    };
    filled(&template.lines().filter_map(line).collect::<String>(), values)
}

fn rust(
    artefact: &Artefact,
    name: &str,
    hardware: Option<&Hardware>,
    is_series: bool,
    values: &[(&str, String)],
) -> Result<Files> {
    let rows = rust_rows(artefact)?;
    let mut lines = String::new();
    for row in &rows {
        let fields: Vec<String> = row.fields.iter().map(|(field, value)| format!("{field}: {value}")).collect();
        lines += &format!("    (Row {{ {} }}, &{:?}),\n", fields.join(", "), row.failed);
    }
    let unwrapped = hardware.map_or("", |hardware| hardware.unwrapped);
    let mut values = values.to_vec();
    values.extend([("COUNT", rows.len().to_string()), ("ROWS", lines), ("UNWRAPPED", unwrapped.to_owned())]);
    values.push(("BOARD", hardware.map_or("", |hardware| hardware.name).to_owned()));
    let kind = if is_series { "series" } else { "rows" };
    let words = if hardware.is_some() { vec![kind, "board"] } else { vec![kind] };
    let with_heapless = |manifest: String| match is_series {
        true => manifest.replacen("features = [", "features = [\"heapless\", ", 1).replace(", ]", "]"),
        false => manifest.replace(", features = []", ""),
    };
    let own = |text: &str| chosen(text, &words, &values);
    let mut files = vec![
        (".gitignore", "target/\n".to_owned()),
        ("src/lib.rs", own(template!("rust/lib.rs"))),
        ("src/rows.rs", own(template!("rust/rows.rs"))),
        ("src/table.rs", rust_source(artefact)?),
        ("src/tests.rs", own(template!("rust/tests.rs"))),
    ];
    match hardware {
        None => files.extend([
            ("Cargo.toml", with_heapless(own(template!("rust/qemu.toml")))),
            (".cargo/config.toml", own(template!("rust/qemu-config.toml"))),
            ("memory.x", template!("boards/qemu.x").to_owned()),
            ("src/main.rs", own(template!("rust/qemu.rs"))),
            ("README.md", own(template!("rust/qemu.md"))),
        ]),
        Some(hardware) => files.extend([
            ("Cargo.toml", with_heapless(manifest(hardware, name))),
            (".cargo/config.toml", hardware.config.to_owned()),
            ("memory.x", hardware.memory.to_owned()),
            ("src/board.rs", hardware.board.to_owned()),
            (
                "src/bin/capture.rs",
                own(&hardware.capture.replace(&format!("use {}::", hardware.example), "use @CRATE@::")),
            ),
            ("src/main.rs", own(template!("rust/board.rs"))),
            ("README.md", own(template!("rust/board.md"))),
        ]),
    }
    Ok(files.into_iter().map(|(path, content)| (path.to_owned(), content)).collect())
}

/// Returns the manifest of an example as that of a project, which depends on the published crate.
fn manifest(hardware: &Hardware, name: &str) -> String {
    let lines =
        hardware.manifest.lines().filter(|line| !line.starts_with("description") && !line.contains("delete the path"));
    let text: String = lines.map(|line| format!("{line}\n")).collect();
    text.replace(
        &format!("name = \"{}\"\n", hardware.example),
        &format!("name = \"{name}\"\ndefault-run = \"{name}\"\n"),
    )
    .replace("version = \"0.0.0\"", "version = \"0.1.0\"")
    .replace(", path = \"../..\"", "")
}

fn c(artefact: &Artefact, values: &[(&str, String)]) -> Result<Files> {
    let program = [
        ("NAME", "model".to_owned()),
        ("UPPER", "MODEL".to_owned()),
        ("ROWS", c_recorded(&c_rows(artefact, "model")?, "model")),
        ("MAIN", "int main(void)".to_owned()),
        ("RETURN", "    return (status == SURPRISAL_OK) ? 0 : 1;\n".to_owned()),
    ];
    let files = [
        (".gitignore", "build/\n".to_owned()),
        ("Makefile", filled(template!("c/Makefile"), values)),
        ("README.md", filled(template!("c/README.md"), values)),
        ("main.c", filled(template!("../score.c"), &program)),
        ("model.h", c_source(artefact, "model")?),
        ("printf.c", template!("c/printf.c").to_owned()),
        ("board.c", template!("c/board.c").to_owned()),
        ("board.h", template!("c/board.h").to_owned()),
        ("board.ld", template!("c/m4f.ld").to_owned()),
        ("sections.ld", template!("c/sections.ld").to_owned()),
    ];
    let reader = READER.map(|(name, content)| (name, content.to_owned()));
    Ok(files.into_iter().chain(reader).map(|(path, content)| (path.to_owned(), content)).collect())
}
