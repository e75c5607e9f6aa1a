//! Other libraries in Python: creates a virtual environment for them and runs the scripts of `benches/python` in it.

use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use xtask::setup::{output, root};

use super::sets::Task;

/// The Python packages to install, in the versions with which the numbers in `docs/anomaly.md` were measured.
const PACKAGES: [&str; 4] = ["numpy==2.4.6", "scipy==1.17.1", "scikit-learn==1.9.1", "emlearn==0.23.2"];

/// The path of a Python interpreter in an environment that has all [`PACKAGES`].
pub struct Python(PathBuf);

impl Python {
    /// Finds the Python environment in `target/bench/venv`, or creates it there and installs the packages.
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

    /// Writes scikit-learn's data set of 8x8 images of digits to `path` as CSV.
    ///
    /// # Errors
    /// The script fails.
    pub fn digits(&self, path: &Path) -> Result<()> {
        output(self.script("anomaly.py").arg("digits").arg(path)).map(drop)
    }

    /// Fits each method to a task's training rows and scores its test rows; [`read`] returns the scores.
    ///
    /// If `scaled` is true, the columns are brought to a common scale first; otherwise methods get the raw readings.
    ///
    /// # Errors
    /// The script fails.
    pub fn score(&self, methods: &[&str], scaled: bool, task: &Task) -> Result<()> {
        let how = if scaled { "score" } else { "score-raw" };
        output(self.script("anomaly.py").args([how, &methods.join(",")]).arg(&task.folder)).map(drop)
    }

    /// Scores the rows of `folder/rows.u8` with NumPy. Returns the seconds for all rows, and `[row]` the surprisals in
    /// units of 1/65536 nat.
    ///
    /// # Errors
    /// The script fails.
    pub fn host(&self, folder: &Path) -> Result<(f64, Vec<u32>)> {
        let printed = output(self.script("host.py").arg(folder))?;
        let seconds = printed
            .trim()
            .parse()
            .with_context(|| format!("host.py: expected a number of seconds, found `{printed}`"))?;
        let nats = fs::read(folder.join("numpy.u32"))?;
        Ok((seconds, nats.as_chunks().0.iter().map(|&word| u32::from_le_bytes(word)).collect()))
    }

    /// Fits models to a task and lets emlearn write each as a C header `NAME.h`. The readings are divided by `divisor`,
    /// or scaled if it is zero. Returns the folder of the headers that come with emlearn, and each NAME.
    ///
    /// # Errors
    /// The script fails.
    pub fn emlearn(&self, divisor: u8, task: &Task) -> Result<(PathBuf, Vec<String>)> {
        let printed = output(self.script("peers.py").arg(divisor.to_string()).arg(&task.folder))?;
        let mut lines = printed.lines().map(str::to_owned);
        Ok((
            lines.next().context("peers.py: expected the folder of emlearn's headers, found no output")?.into(),
            lines.collect(),
        ))
    }

    fn script(&self, name: &str) -> Command {
        let mut command = Command::new(&self.0);
        // Without `-B`, Python writes compiled files beside the scripts.
        command.arg("-B").arg(root().join("benches/python").join(name));
        command
    }
}

/// Reads the scores `[row]` of a method for the test rows of a task, as [`Python::score`] wrote them.
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
