//! Runs the commands that README and docs show.

use crate::copy::{Library, copy_folder, copy_package};
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use xtask::board::Board;
use xtask::command::Surprisal;
use xtask::setup::{self, root};

/// The pages, with the number of commands that each shows at least.
const PAGES: [(&str, usize); 7] = [
    ("README.md", 5),
    ("docs/fitting.md", 1),
    ("docs/report.md", 4),
    ("docs/families.md", 0),
    ("docs/signals.md", 4),
    ("docs/streams.md", 5),
    ("docs/boards.md", 5),
];
/// The pages whose commands stand in blocks ```` ```console ````, each after a `$`, with what they print.
const CONSOLES: [(&str, usize); 4] =
    [(TUTORIAL, 9), ("docs/alarms.md", 7), ("docs/theory.md", 15), ("docs/grammar.md", 1)];
/// The page whose text explains the numbers that its commands print.
const TUTORIAL: &str = "docs/tutorial.md";
/// The table of the tutorial, which is in the repository so that its firmware builds.
const TABLE: &str = "examples/pump/src/table.rs";

/// Runs every line of a page that begins with `surprisal `, in order, in a folder with the data of the examples; then the
/// commands of the pages that show what is printed.
///
/// # Errors
/// A command fails or prints something else, or a page shows fewer commands than expected.
pub fn run() -> Result<()> {
    let surprisal = Surprisal::build()?;
    let mut passed = 0;
    for (page, least) in PAGES {
        let (dir, text) = start(page)?;
        let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| line.starts_with("surprisal ")).collect();
        println!("\n{page}: {} commands", lines.len());
        ensure!(lines.len() >= least, "{page} shows {} commands, expected at least {least}", lines.len());
        for line in &lines {
            let args: Vec<&str> = line.split_whitespace().skip(1).take_while(|word| !word.starts_with('#')).collect();
            surprisal.run_in(&dir, &args)?;
        }
        passed += lines.len();
    }
    setup::targets(&[Board::named("m3").map_err(anyhow::Error::msg)?])?;
    setup::qemu()?;
    setup::c()?;
    for (page, least) in CONSOLES {
        let (dir, text) = start(page)?;
        let commands = commands(&text);
        let unshown = if page == TUTORIAL { unshown(&text) } else { Vec::new() };
        ensure!(unshown.is_empty(), "{page} speaks of {}, which none of its blocks shows", unshown.join(", "));
        println!("\n{page}: {} commands", commands.len());
        ensure!(commands.len() >= least, "{page} shows {} commands, expected at least {least}", commands.len());
        copy_folder(&root().join("examples/c"), &dir.join("examples/c"))?;
        copy_package("examples/pump", &dir.join("examples/pump"), Library::Path(root()))?;
        // What the tutorial exports may lie there from an earlier run of it by hand.
        for file in ["pump.h", "surprisal.h", "surprisal.c"] {
            let file = dir.join("examples/pump").join(file);
            if file.exists() {
                fs::remove_file(file)?;
            }
        }
        for (command, shown) in &commands {
            check(page, command, shown, &dir, &surprisal)?;
        }
        let [exported, committed] = [dir.join(TABLE), root().join(TABLE)].map(fs::read);
        ensure!(exported? == committed?, "{page} exports another table than {TABLE} holds; export that again");
        passed += commands.len();
    }
    println!("\n{passed} passed, 0 failed");
    Ok(())
}

/// Makes an empty folder for a page, with the data of the examples, and returns it with the text of the page.
fn start(page: &str) -> Result<(PathBuf, String)> {
    let dir = root().join("target/readme").join(page.replace('/', "-"));
    if dir.exists() {
        fs::remove_dir_all(&dir)?;
    }
    copy_folder(&root().join("examples/data"), &dir.join("examples/data"))?;
    // A line that ends with a backslash continues on the next.
    Ok((dir, fs::read_to_string(root().join(page))?.replace("\\\n", " ")))
}

/// Returns the commands in the blocks ```` ```console ```` of a page, each with the lines that stand below it.
fn commands(text: &str) -> Vec<(&str, Vec<&str>)> {
    let (mut commands, mut is_inside): (Vec<(&str, Vec<&str>)>, bool) = (Vec::new(), false);
    for line in text.lines() {
        if line.starts_with("```") {
            is_inside = line == "```console";
        } else if let (true, Some(command)) = (is_inside, line.strip_prefix("$ ")) {
            commands.push((command, Vec::new()));
        } else if let (true, Some((_, shown))) = (is_inside, commands.last_mut()) {
            shown.push(line);
        }
    }
    commands
}

/// Returns the numbers with three decimals or more in the text of a page that none of its blocks holds.
fn unshown(text: &str) -> Vec<&str> {
    // Blocks and text take turns.
    let parts: Vec<&str> = text.split("```").collect();
    let words = |first| {
        let parts = parts.iter().skip(first).step_by(2);
        let words = parts.flat_map(|part| part.split(|sign: char| !sign.is_ascii_digit() && sign != '.'));
        words.map(|word| word.trim_matches('.'))
    };
    let has_decimals = |word: &&str| word.split_once('.').is_some_and(|(_, decimals)| decimals.len() >= 3);
    words(0).filter(has_decimals).filter(|word| !words(1).any(|shown| shown == *word)).collect()
}

/// Runs a command of a page in a shell, and compares what it prints.
fn check(page: &str, command: &str, shown: &[&str], dir: &Path, surprisal: &Surprisal) -> Result<()> {
    println!("\n$ {command}");
    let path = surprisal.0.parent().context("the command lies in a folder")?;
    let path = format!("{}:{}", path.display(), std::env::var("PATH").unwrap_or_default());
    // Cargo finds the examples of the trainer in the repository only.
    let dir = if command.starts_with("cargo ") { root() } else { dir };
    // Both outputs in one, in the order in which they are written.
    let output = setup::shell(&format!("exec 2>&1\n{command}")).current_dir(dir).env("PATH", path).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    print!("{text}");
    ensure!(output.status.success(), "`{command}` ended with {}", output.status);
    let printed: Vec<&str> = text.lines().map(str::trim_end).collect();
    ensure!(is_shown(shown, &printed), "{page} shows another output of `{command}`:\n{}", shown.join("\n"));
    Ok(())
}

/// Returns whether these lines of a page show what was printed. A line `...` stands for any number of lines.
fn is_shown(page: &[&str], printed: &[&str]) -> bool {
    match page {
        [] => printed.is_empty(),
        ["...", rest @ ..] => (0..=printed.len()).any(|skipped| is_shown(rest, &printed[skipped..])),
        [line, rest @ ..] => printed.split_first().is_some_and(|(first, more)| first == line && is_shown(rest, more)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_no_block_shows_is_noticed() {
        let page =
            "0.105 nats, 2 of 3,000 and 1.5; 20.259.\n```console\n$ first\n0.105 ± 0.2071\n```\n7.321 `0.105` 0.207\n";
        assert_eq!(unshown(page), ["20.259", "7.321", "0.207"]);
    }

    #[test]
    fn another_output_is_noticed() {
        let page = "text\n```console\n$ first\na\n...\nd\n$ second\n```\n```sh\n$ no command\n```\n";
        let commands = commands(page);
        assert_eq!(commands, [("first", vec!["a", "...", "d"]), ("second", vec![])]);
        let shown = &commands[0].1;
        assert!(is_shown(shown, &["a", "b", "c", "d"]) && is_shown(shown, &["a", "d"]));
        for other in [&["a", "b"][..], &["b", "d"], &["a", "d", "e"], &[]] {
            assert!(!is_shown(shown, other), "{other:?}");
        }
    }
}
