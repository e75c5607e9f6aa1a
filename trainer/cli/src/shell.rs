//! `surprisal completions` and `surprisal man`: what shells and `man` read about the command.

use std::path::Path;

use anyhow::{Context, Result};
use clap::CommandFactory;
use clap_complete::Shell;
use clap_mangen::Man;
use serde_json::json;
use surprisal_trainer::output::write_whole;

use crate::answer::Answer;
use crate::args::Cli;
use crate::terminal::{Lines, line};

/// Returns the completion script of a shell.
pub fn completions(shell: Shell) -> Answer {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "surprisal", &mut script);
    let text = String::from_utf8_lossy(&script).into_owned();
    let value = json!({ "shell": shell.to_string(), "script": text });
    Answer { text, value }
}

/// Writes a man page for the command, and one for each of its commands, to a folder.
pub fn man(folder: &Path) -> Result<Answer> {
    let shown = folder.display();
    std::fs::create_dir_all(folder).with_context(|| format!("{shown}: the folder cannot be made"))?;
    let mut all = Cli::command().disable_help_subcommand(true);
    all.build();
    let mut files = Vec::new();
    for command in std::iter::once(&all).chain(all.get_subcommands()) {
        let mut text = Vec::new();
        Man::new(command.clone()).render(&mut text)?;
        // The display name of `fit` is `surprisal-fit`.
        let path = folder.join(format!("{}.1", command.get_display_name().unwrap_or(command.get_name())));
        write_whole(&path, &text, &[])?;
        files.push(path);
    }
    let mut text = Lines::default();
    line!(text, "{shown}: {} man pages; read one with `man {}`", files.len(), folder.join("surprisal.1").display());
    Ok(Answer { text: text.into_text(), value: json!({ "files": files }) })
}
