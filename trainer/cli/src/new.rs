//! `surprisal new`: writes a firmware project around a model.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use serde_json::json;
use surprisal::Nats;
use surprisal_trainer::alarms::no_alarm;
use surprisal_trainer::artefact::Artefact;
use surprisal_trainer::export::{Board, EXAMPLE_MODEL, Language, project};
use surprisal_trainer::output::write_folder;
use surprisal_trainer::recalibrate;

use crate::answer::Answer;
use crate::terminal::{Lines, line};

/// Names that Cargo refuses, that the project's own programs have, or that would hide a crate on which its dependencies rest.
const TAKEN: &str = "alloc build capture core critical_section deps examples heapless incremental proc_macro std test";
/// Words of Rust, which are no names of crates.
const KEYWORDS: &str = "Self abstract as async await become box break const continue crate do dyn else enum extern false final fn for \
    gen if impl in let loop macro match mod move mut override priv pub ref return self static struct super trait true try \
    type typeof unsafe unsized use virtual where while yield";

pub fn new(name: &str, board: Board, language: Language, model: Option<&Path>) -> Result<Answer> {
    check_name(name)?;
    let artefact = match model {
        Some(model) => recalibrate::read(model)?,
        None => Artefact::from_bytes(Path::new("the model of the example"), EXAMPLE_MODEL)?,
    };
    let mut files = project(&artefact, name, board, language, model.is_none())?;
    let repository = repository().filter(|_| language == Language::Rust);
    if let (Some(repository), Some((_, manifest))) =
        (&repository, files.iter_mut().find(|(path, _)| path == "Cargo.toml"))
    {
        manifest.push_str(&patch(repository));
    }
    write_folder(Path::new(name), &files)?;
    let mut text = Lines::default();
    line!(text, "{name}: a project with {} files; {name}/README.md says how to use it", files.len());
    if model.is_none() {
        line!(text, "  the model is an example; make a project of your own model with --model MODEL.srp");
    }
    let is_emulated = matches!(board, Board::QemuM3 | Board::QemuM4);
    line!(text, "  cd {name} && {}", if language == Language::C { "make run" } else { "cargo run --release" });
    if !is_emulated {
        line!(text, "  this needs probe-rs and the board");
    }
    if let Some(repository) = repository {
        line!(text, "  the crate `surprisal` comes from {}, until it is on crates.io", repository.display());
    }
    if artefact.detector().threshold == Nats::IMPOSSIBLE {
        line!(text, "  {}", no_alarm(&artefact.detector()));
    }
    let paths: Vec<PathBuf> = files.iter().map(|(path, _)| Path::new(name).join(path)).collect();
    Ok(Answer { text: text.into_text(), value: json!({ "output": name, "model": model, "files": paths }) })
}

/// Returns the repository from which this command was built, if it is still there. A command from crates.io has none.
fn repository() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().ok()?;
    let manifest = std::fs::read_to_string(root.join("Cargo.toml")).ok()?;
    (manifest.starts_with("[package]\nname = \"surprisal\"") && root.join("src/lib.rs").exists()).then_some(root)
}

/// Returns the part of a manifest that takes the device crate from the repository.
fn patch(repository: &Path) -> String {
    let path = serde_json::Value::from(repository.to_string_lossy());
    format!(
        "\n# Delete this when `surprisal` {} is on crates.io.\n[patch.crates-io]\nsurprisal = {{ path = {path} }}\n",
        env!("CARGO_PKG_VERSION")
    )
}

/// Returns an error unless the name is one of a crate and of a folder here.
fn check_name(name: &str) -> Result<()> {
    let is_plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if !is_plain || !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        bail!(
            "`{name}` is no name of a project: use letters, digits, - and _, with a letter first; the folder is made here"
        );
    }
    let word = name.replace('-', "_");
    let mut taken = TAKEN.split_whitespace().chain(KEYWORDS.split_whitespace()).chain(Board::dependencies());
    if taken.any(|taken| taken.replace('-', "_") == word) {
        bail!(
            "`{name}` is no name of a project, because Rust or the project uses it; choose another one, such as {name}-monitor"
        );
    }
    Ok(())
}
