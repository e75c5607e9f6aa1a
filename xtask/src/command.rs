//! The command `surprisal`, built from `trainer/cli` and run as a user would type it.

use crate::firmware;
use crate::setup::{cargo, root};
use crate::shuttle::DATA;
use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Builds `surprisal` or `benches`, the programs of the workspace that use the trainer, unless that was done before. Returns the
/// path of the program.
///
/// The build always selects the packages of both programs. Cargo then gives the trainer the same features for either program, so
/// that it builds the trainer once.
///
/// # Errors
/// The build fails.
pub fn program(name: &str) -> Result<PathBuf> {
    let mut build = cargo();
    build.args(["build", "--package", "surprisal-cli", "--package", "surprisal-benches", "--bin", name]);
    firmware::build_with(build, root())
}

/// The command `surprisal`.
pub struct Surprisal(pub PathBuf);

impl Surprisal {
    /// Builds the command, unless that was done before.
    ///
    /// # Errors
    /// The build fails.
    pub fn build() -> Result<Self> {
        program("surprisal").map(Self)
    }

    /// Fits a model of the shuttle data.
    ///
    /// # Errors
    /// As for [`run`](Self::run).
    pub fn fit_shuttle(&self, model: &str, options: &[&str]) -> Result<()> {
        self.run(&[&["fit", DATA, "--label", "Class", "--normal", "Rad.Flow", "-o", model], options].concat())
    }

    /// Returns a call of the command in the folder of the repository.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.0);
        command.args(args).current_dir(root());
        command
    }

    /// Prints the command line and runs it in the folder of the repository.
    ///
    /// # Errors
    /// The command fails.
    pub fn run(&self, args: &[&str]) -> Result<()> {
        self.run_in(root(), args)
    }

    /// Prints the command line and runs it in another folder.
    ///
    /// # Errors
    /// The command fails.
    pub fn run_in(&self, dir: &Path, args: &[&str]) -> Result<()> {
        println!("\n$ surprisal {}", args.join(" "));
        let status = self.command(args).current_dir(dir).status().context("cannot start surprisal")?;
        if !status.success() {
            bail!("`surprisal {}` ended with {status}", args.join(" "));
        }
        Ok(())
    }

    /// Runs the command with `--json` and returns its output.
    ///
    /// # Errors
    /// The command fails, or prints something else than JSON.
    pub fn json(&self, args: &[&str]) -> Result<Value> {
        let output = self.command(args).arg("--json").stderr(Stdio::inherit()).output()?;
        ensure!(output.status.success(), "`surprisal {}` ended with {}", args.join(" "), output.status);
        Ok(serde_json::from_slice(&output.stdout)?)
    }
}
