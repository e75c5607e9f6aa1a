//! Runs the commands that README and docs show.

use crate::copy::copy_folder;
use anyhow::{Result, ensure};
use std::fs;
use xtask::command::Surprisal;
use xtask::setup::root;

/// The pages, with the number of commands that each shows at least.
const PAGES: [(&str, usize); 6] = [
    ("README.md", 5),
    ("docs/fitting.md", 1),
    ("docs/families.md", 0),
    ("docs/signals.md", 4),
    ("docs/streams.md", 5),
    ("docs/boards.md", 5),
];

/// Runs every line of a page that begins with `surprisal `, in order, in a folder with the data of the examples.
///
/// # Errors
/// A command fails, or a page shows fewer commands than expected.
pub fn run() -> Result<()> {
    let surprisal = Surprisal::build()?;
    let mut passed = 0;
    for (page, least) in PAGES {
        let dir = root().join("target/readme").join(page.replace('/', "-"));
        if dir.exists() {
            fs::remove_dir_all(&dir)?;
        }
        copy_folder(&root().join("examples/data"), &dir.join("examples/data"))?;
        let text = fs::read_to_string(root().join(page))?;
        // A line that ends with a backslash continues on the next.
        let text = text.replace("\\\n", " ");
        let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| line.starts_with("surprisal ")).collect();
        println!("\n{page}: {} commands", lines.len());
        ensure!(lines.len() >= least, "{page} shows {} commands, expected at least {least}", lines.len());
        for line in &lines {
            let args: Vec<&str> = line.split_whitespace().skip(1).take_while(|word| !word.starts_with('#')).collect();
            surprisal.run_in(&dir, &args)?;
        }
        passed += lines.len();
    }
    println!("\n{passed} passed, 0 failed");
    Ok(())
}
