//! Tables in README and docs that a command prints.
//!
//! The line `<!-- printed by: COMMAND -->` before a block of text says which command prints it. With `printed among others
//! by`, the command prints other lines between those of the block.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use xtask::setup::root;

/// Largest relative difference between a number of a document and the same number printed by another compiler.
const NOISE: f64 = 0.03;
const BEGIN: &str = "<!-- printed ";
const OTHERS: &str = "among others ";

/// A block of text of a document.
#[derive(Debug, Clone, PartialEq)]
struct Block {
    command: String,
    /// Whether the command prints other lines between those of the block.
    among_others: bool,
    /// Index of the first line in the document.
    start: usize,
    lines: Vec<String>,
}

/// Fails if a block that this command prints differs from `printed` by more than noise.
///
/// # Errors
/// A block is stale, or no document shows what the command prints.
pub fn hold(command: &str, printed: &str) -> Result<()> {
    let mut held = 0;
    for path in pages()? {
        let text = fs::read_to_string(&path)?;
        for block in blocks(&text)?.into_iter().filter(|block| block.command == command) {
            let page = path.strip_prefix(root()).unwrap_or(&path).display();
            let advice = format!("run `cargo xtask numbers \"{command}\"` and check the sentences around the table");
            block.check(printed).with_context(|| format!("{page}: line {}: {advice}", block.start + 1))?;
            held += 1;
        }
    }
    ensure!(held > 0, "no document shows what `{command}` prints");
    println!("documents: {held} tables printed by `{command}` are up to date");
    Ok(())
}

/// Runs the commands of all blocks, or those whose text contains `only`, and writes what they print to the documents.
///
/// # Errors
/// A command fails or prints no lines like those of a block.
pub fn renew(only: Option<&str>) -> Result<()> {
    let mut commands: Vec<String> = Vec::new();
    for path in pages()? {
        commands.extend(blocks(&fs::read_to_string(&path)?)?.into_iter().map(|block| block.command));
    }
    commands.sort();
    commands.dedup();
    commands.retain(|command| only.is_none_or(|only| command.contains(only)));
    ensure!(!commands.is_empty(), "no table is printed by a command with this text; see `grep -rn \"{BEGIN}\" docs`");
    for command in &commands {
        println!("$ {command}");
        let mut words = command.split_whitespace();
        let program = words.next().context("a command has words")?;
        let output = Command::new(program).args(words).current_dir(root()).stderr(Stdio::inherit()).output()?;
        let printed = String::from_utf8(output.stdout).with_context(|| format!("{command}: expected text"))?;
        // A part of the tests that found a stale table fails after it printed the new one.
        for path in pages()? {
            let mut lines: Vec<String> = fs::read_to_string(&path)?.lines().map(str::to_owned).collect();
            for block in blocks(&(lines.join("\n") + "\n"))?.into_iter().rev().filter(|block| block.command == *command)
            {
                let new = block.among(&printed).with_context(|| format!("`{command}` prints {printed}"))?;
                lines.splice(block.start..block.start + block.lines.len(), new);
            }
            fs::write(&path, lines.join("\n") + "\n")?;
        }
    }
    Ok(())
}

/// Returns the paths of all pages.
fn pages() -> Result<Vec<PathBuf>> {
    let mut pages = vec![root().join("README.md")];
    for entry in fs::read_dir(root().join("docs"))? {
        pages.extend(Some(entry?.path()).filter(|path| path.extension().is_some_and(|end| end == "md")));
    }
    pages.sort();
    Ok(pages)
}

/// Returns the marked blocks of a page, in order.
fn blocks(page: &str) -> Result<Vec<Block>> {
    let lines: Vec<&str> = page.lines().collect();
    let mut blocks = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Some(marker) = line.strip_prefix(BEGIN) else { continue };
        let (among_others, marker) = marker.strip_prefix(OTHERS).map_or((false, marker), |rest| (true, rest));
        let command = marker.strip_prefix("by: ").and_then(|marker| marker.strip_suffix(" -->"));
        let command = command.with_context(|| format!("`{line}`: expected `{BEGIN}by: COMMAND -->`"))?.to_owned();
        let fence = (at + 1..lines.len()).find(|&at| !lines[at].is_empty()).filter(|&at| lines[at].starts_with("```"));
        let start = fence.with_context(|| format!("`{line}`: expected a block of text after it"))? + 1;
        let length = lines[start..].iter().position(|line| *line == "```").context("a block ends with ```")?;
        ensure!(length > 0, "`{line}`: the block is empty; write its first and last line");
        let lines = lines[start..start + length].iter().map(|line| (*line).to_owned()).collect();
        blocks.push(Block { command, among_others, start, lines });
    }
    Ok(blocks)
}

impl Block {
    /// Returns the lines among those that the command printed which this block shows: from the one that resembles the
    /// first to the one that resembles the last.
    fn among(&self, printed: &str) -> Result<Vec<String>> {
        let printed: Vec<&str> = printed.lines().map(str::trim_end).collect();
        let shapes: Vec<String> = self.lines.iter().map(|line| shape(line).0).collect();
        let (first, last) = (shapes.first().context("a block has lines")?, shapes.last().context("a block has lines")?);
        let start = printed.iter().position(|line| shape(line).0 == *first);
        let start = start.with_context(|| format!("no printed line resembles `{}`", self.lines[0]))?;
        // The last line may resemble others before it, as in a table without a footer.
        let least = if self.among_others { start } else { (start + self.lines.len() - 1).min(printed.len() - 1) };
        let end = (least..printed.len()).chain((start..least).rev()).find(|&at| shape(printed[at]).0 == *last);
        let end = end.with_context(|| format!("no printed line resembles `{}`", self.lines[self.lines.len() - 1]))?;
        let shown = printed[start..=end].iter().filter(|line| !self.among_others || shapes.contains(&shape(line).0));
        Ok(shown.map(|line| (*line).to_owned()).collect())
    }

    fn check(&self, printed: &str) -> Result<()> {
        let new = self.among(printed)?;
        ensure!(new.len() == self.lines.len(), "{} lines, and {} are printed now", self.lines.len(), new.len());
        for (old, new) in self.lines.iter().zip(&new) {
            let ((old_shape, old_numbers), (new_shape, new_numbers)) = (shape(old), shape(new));
            let differs = |(a, b): (&f64, &f64)| (a - b).abs() > NOISE * a.abs().max(b.abs());
            if old_shape != new_shape || old_numbers.iter().zip(&new_numbers).any(differs) {
                bail!("the document says\n  {old}\nand the command prints\n  {new}");
            }
        }
        Ok(())
    }
}

/// Returns a line with `#` for each number and one space for several, and the numbers. Commas and signs are text.
fn shape(line: &str) -> (String, Vec<f64>) {
    let mut text = String::new();
    let mut numbers = Vec::new();
    let mut rest = line.trim_end();
    while let Some(first) = rest.chars().next() {
        let length = if first.is_ascii_digit() {
            rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len())
        } else {
            first.len_utf8()
        };
        let (piece, after) = rest.split_at(length);
        match piece.trim_end_matches('.').parse::<f64>() {
            Ok(number) if first.is_ascii_digit() => {
                numbers.push(number);
                text.push('#');
            }
            _ if first == ' ' && text.ends_with(' ') => {}
            _ => text.push_str(piece),
        }
        rest = after;
    }
    (text, numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# Page\n\n<!-- printed by: cargo xtask demo -->\n```text\nrows      100\nAUC    0.9986\n```\n\n\
                        <!-- printed among others by: cargo benches x -->\n\n```text\na 1\nb 2\n```\n";
    const DEMO: &str = "building\nrows       101\nAUC    0.9985\ndone\n";

    #[test]
    fn a_block_is_found_and_compared_beyond_noise() {
        let blocks = blocks(PAGE).unwrap();
        assert_eq!((blocks.len(), blocks[0].start, &*blocks[1].command), (2, 4, "cargo benches x"));
        blocks[0].check(DEMO).unwrap();
        for stale in
            ["rows 104\nAUC 0.9986\n", "rows 100\nAUC 0.9\n", "rows 100\nnew 5\nAUC 0.9986\n", "rows 100\n", ""]
        {
            assert!(blocks[0].check(stale).is_err(), "{stale}");
        }
        assert_eq!(blocks[0].among(DEMO).unwrap(), ["rows       101", "AUC    0.9985"]);
        assert_eq!(blocks[1].among("a 7\nfitting\nb 9\nfitted").unwrap(), ["a 7", "b 9"]);
    }

    #[test]
    fn a_table_without_a_footer_keeps_its_length() {
        let page = "<!-- printed by: c -->\n```text\nset a 1\nset a 2\nset a 3\n```\n";
        let block = &blocks(page).unwrap()[0];
        assert_eq!(block.among("x\nset a 4\nset a 5\nset a 6\nend 7").unwrap().len(), 3);
    }

    #[test]
    fn a_marker_without_a_block_is_an_error() {
        assert!(blocks("<!-- printed by: c -->\ntext\n").is_err());
        assert!(blocks("<!-- printed by c -->\n```text\na\n```\n").is_err());
    }

    #[test]
    fn every_marker_of_the_documents_is_well_formed() {
        let count: usize =
            pages().unwrap().iter().map(|page| blocks(&fs::read_to_string(page).unwrap()).unwrap().len()).sum();
        assert!(count >= 4, "{count} blocks");
    }
}
