//! Other libraries in Python: an environment of their own, and the scripts that run in it.

use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use xtask::setup::{output, root};

use super::sets::Task;

/// The versions with which the numbers in `docs/anomaly.md` were measured.
const PACKAGES: [&str; 4] = ["numpy==2.4.6", "scipy==1.17.1", "scikit-learn==1.9.1", "emlearn==0.23.2"];

/// A Python with the packages of the baselines.
pub struct Python(PathBuf);

impl Python {
    /// Finds the environment below `target/bench`, or creates it there.
    ///
    /// # Errors
    /// There is no `python3` with `venv`, or pip cannot install the packages.
    pub fn find() -> Result<Self> {
        let folder = root().join("target/bench/venv");
        let python = folder.join("bin/python");
        let installed = folder.join("packages");
        let wanted = PACKAGES.join(" ");
        if fs::read_to_string(&installed).is_ok_and(|packages| packages == wanted) {
            return Ok(Self(python));
        }
        eprintln!("benches: python3 -m venv target/bench/venv; pip install {wanted} (once)");
        output(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder)).context(
            "the baselines need Python 3.11 or later with venv and pip (on Debian: `apt-get install python3-venv`); or \
             pass --no-baselines",
        )?;
        output(Command::new(&python).args(["-m", "pip", "install", "--quiet"]).args(PACKAGES)).with_context(|| {
            format!("pip cannot install {wanted}; give it access to a package index, or pass --no-baselines")
        })?;
        fs::write(installed, wanted)?;
        Ok(Self(python))
    }

    /// Writes the digits of scikit-learn as CSV.
    ///
    /// # Errors
    /// The script fails.
    pub fn digits(&self, path: &Path) -> Result<()> {
        output(self.script("anomaly.py").arg("digits").arg(path)).map(drop)
    }

    /// Scores a task with each method, on columns of one scale or on raw columns. [`read`] returns the scores.
    ///
    /// # Errors
    /// The script fails.
    pub fn score(&self, methods: &[&str], scaled: bool, task: &Task) -> Result<()> {
        let how = if scaled { "score" } else { "score-raw" };
        output(self.script("anomaly.py").args([how, &methods.join(",")]).arg(&task.folder)).map(drop)
    }

    /// Scores the rows of a folder with NumPy, and returns the seconds and the nats of each row.
    ///
    /// # Errors
    /// The script fails.
    pub fn host(&self, folder: &Path) -> Result<(f64, Vec<u32>)> {
        let printed = output(self.script("host.py").arg(folder))?;
        let seconds = printed.trim().parse().with_context(|| format!("host.py printed `{printed}`"))?;
        let nats = fs::read(folder.join("numpy.u32"))?;
        Ok((seconds, nats.as_chunks().0.iter().map(|&word| u32::from_le_bytes(word)).collect()))
    }

    /// Fits models to a task and lets emlearn write `NAME.h` for each. The readings are divided by `divisor`, or scaled if it
    /// is zero. Returns the folder of emlearn's own headers, and the names.
    ///
    /// # Errors
    /// The script fails.
    pub fn emlearn(&self, divisor: u8, task: &Task) -> Result<(PathBuf, Vec<String>)> {
        let printed = output(self.script("peers.py").arg(divisor.to_string()).arg(&task.folder))?;
        let mut lines = printed.lines().map(str::to_owned);
        Ok((lines.next().context("peers.py printed nothing")?.into(), lines.collect()))
    }

    fn script(&self, name: &str) -> Command {
        let mut command = Command::new(&self.0);
        // Without `-B`, Python writes compiled files beside the scripts.
        command.arg("-B").arg(root().join("benches/python").join(name));
        command
    }
}

/// Reads the scores of a method for the test rows of a task.
///
/// # Errors
/// The file is missing, or has another number of rows.
pub fn read(task: &Task, method: &str) -> Result<Vec<f64>> {
    let path = task.folder.join(method).with_extension("txt");
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let scores: Vec<f64> = text.lines().map(str::parse).collect::<Result<_, _>>()?;
    let rows = task.anomalous.len();
    ensure!(scores.len() == rows, "{}: {} scores, expected {rows}", path.display(), scores.len());
    Ok(scores)
}
