//! Scikit-learn beside us: an environment of its own, and the script in it.

use crate::setup::root;
use anyhow::{Context, Result, bail, ensure};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::sets::Task;

/// What the numbers in `docs/anomaly.md` were made with.
const PACKAGES: [&str; 4] = ["numpy==2.4.6", "scipy==1.17.1", "scikit-learn==1.9.1", "emlearn==0.23.2"];
const SCRIPT: &str = "xtask/src/bench/anomaly.py";
/// What generates C of baselines.
const CONVERTER: &str = "xtask/src/bench/peers.py";

/// A Python with the packages of the baselines.
pub struct Python(PathBuf);

impl Python {
    /// Finds it below `target/bench`, or makes it there and says so.
    ///
    /// # Errors
    /// No `python3` with `venv`, or no way to the packages.
    pub fn find() -> Result<Self> {
        let folder = root().join("target/bench/venv");
        let python = folder.join("bin/python");
        let stamp = folder.join("packages");
        let wanted = PACKAGES.join(" ");
        if fs::read_to_string(&stamp).is_ok_and(|made| made == wanted) {
            return Ok(Self(python));
        }
        eprintln!("bench: python3 -m venv target/bench/venv; pip install {wanted} (once)");
        done(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder)).context(
            "the baselines need Python 3.11 or later with venv and pip (on Debian: `apt-get install python3-venv`); or \
             pass --no-baselines",
        )?;
        done(Command::new(&python).args(["-m", "pip", "install", "--quiet"]).args(PACKAGES)).with_context(|| {
            format!("pip cannot install {wanted}; see to its access to a package index, or pass --no-baselines")
        })?;
        fs::write(stamp, wanted)?;
        Ok(Self(python))
    }

    /// Scikit-learn's digits as CSV.
    pub fn digits(&self, path: &Path) -> Result<()> {
        done(self.script().arg("digits").arg(path)).map(drop)
    }

    /// Lets each method score a task, on columns of one scale or as they are; [`read`] fetches what it says.
    pub fn score(&self, methods: &[&str], scaled: bool, task: &Task) -> Result<()> {
        let how = if scaled { "score" } else { "score-raw" };
        done(self.script().args([how, &methods.join(",")]).arg(&task.folder)).map(drop)
    }

    /// What `bench host`'s script makes of a folder: its seconds, and the nats of all rows.
    pub fn host(&self, folder: &Path) -> Result<(f64, Vec<u32>)> {
        let mut command = Command::new(&self.0);
        let printed = done(command.arg(root().join("xtask/src/bench/host.py")).arg(folder))?;
        let seconds = printed.trim().parse().with_context(|| format!("host.py printed `{printed}`"))?;
        let nats = fs::read(folder.join("numpy.u32"))?;
        Ok((seconds, nats.as_chunks().0.iter().map(|&word| u32::from_le_bytes(word)).collect()))
    }

    /// Has emlearn write `NAME.h` for each model that it converts, fitted on a task whose readings are divided by `divisor` or,
    /// if that is zero, scaled; says where the generated code's own headers lie, and the names.
    pub fn emlearn(&self, divisor: u8, task: &Task) -> Result<(PathBuf, Vec<String>)> {
        let mut command = Command::new(&self.0);
        // Without `-B` Python would leave what it compiled among the sources.
        let said = done(command.arg("-B").arg(root().join(CONVERTER)).arg(divisor.to_string()).arg(&task.folder))?;
        let mut lines = said.lines().map(str::to_owned);
        Ok((lines.next().context("peers.py printed nothing")?.into(), lines.collect()))
    }

    fn script(&self) -> Command {
        let mut command = Command::new(&self.0);
        command.arg(root().join(SCRIPT));
        command
    }
}

/// What a method said of each test row of a task.
pub fn read(task: &Task, method: &str) -> Result<Vec<f64>> {
    let path = task.folder.join(method).with_extension("txt");
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let scores: Vec<f64> = text.lines().map(str::parse).collect::<Result<_, _>>()?;
    ensure!(scores.len() == task.odd.len(), "{}: {} scores, {} rows", path.display(), scores.len(), task.odd.len());
    Ok(scores)
}

/// What a command prints; if it fails, an error with the end of what it said.
fn done(command: &mut Command) -> Result<String> {
    let words = [command.get_program()].into_iter().chain(command.get_args()).take(4).collect::<Vec<_>>();
    let name = words.join(OsStr::new(" ")).display().to_string();
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot start {name}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let lines: Vec<_> = said.lines().collect();
        bail!("{name} failed:\n{}", lines[lines.len().saturating_sub(10)..].join("\n"));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
