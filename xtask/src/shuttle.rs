//! The shuttle data and the `surprisal` command over it: what the demo and the golden streams are made of.

use crate::firmware;
use crate::setup::{Toolchain, root};
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;
use surprisal::Reading;
use surprisal_trainer::artefact::Artefact;
use surprisal_trainer::data::{Frame, Header};
use surprisal_trainer::split::anomalous_rows;

/// The file, relative to the project's folder.
pub const DATA: &str = "examples/data/shuttle.csv.gz";
/// The readings of a row.
pub const READINGS: usize = 9;

/// The `surprisal` command.
pub struct Surprisal(pub PathBuf);

impl Surprisal {
    /// Builds it, if it is not built yet.
    pub fn build() -> Result<Self> {
        let mut cargo = Toolchain::Own.cargo();
        cargo.args(["build", "--package", "surprisal-trainer", "--bin", "surprisal"]);
        firmware::build_by(cargo, root()).map(Self)
    }

    /// Fits a model with the default settings.
    pub fn fit(&self, model: &str) -> Result<()> {
        self.fit_with(model, &[])
    }

    /// Fits a model with other settings.
    pub fn fit_with(&self, model: &str, options: &[&str]) -> Result<()> {
        self.run(&[&["fit", DATA, "--label", "Class", "--normal", "Rad.Flow", "-o", model], options].concat())
    }

    /// A call of it in the project's folder.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.0);
        command.args(args).current_dir(root());
        command
    }

    /// Runs it in the project's folder, as a user would type it.
    pub fn run(&self, args: &[&str]) -> Result<()> {
        self.run_in(root(), args)
    }

    /// Runs it in another folder.
    pub fn run_in(&self, dir: &Path, args: &[&str]) -> Result<()> {
        println!("\n$ surprisal {}", args.join(" "));
        let status = self.command(args).current_dir(dir).status().context("cannot start surprisal")?;
        if !status.success() {
            bail!("surprisal {} ended with {status}", args.join(" "));
        }
        Ok(())
    }
}

/// The rows that a fit did not see.
pub struct HeldOut {
    /// The model of that fit.
    pub artefact: Artefact,
    /// Where each row is in the file.
    pub lines: Vec<u64>,
    /// Whether it is an anomaly.
    pub odd: Vec<bool>,
    /// Its readings.
    pub readings: Vec<[i32; READINGS]>,
}

impl HeldOut {
    /// Reads the data again, with the model that was fitted to it.
    pub fn of(model: &Path) -> Result<Self> {
        let artefact = Artefact::read(model)?;
        let frame = Frame::read(&root().join(DATA), Header::Auto)?;
        let rows = artefact.held_out(&frame)?;
        let odd = anomalous_rows(&frame, "Class", "Rad.Flow")?;
        let readings = artefact.schema.all_readings(&frame, &rows)?;
        Ok(Self {
            lines: rows.iter().map(|&row| frame.lines[row]).collect(),
            odd: rows.iter().map(|&row| odd[row]).collect(),
            readings: readings.iter().map(|row| integers(row)).collect::<Result<_>>()?,
            artefact,
        })
    }
}

fn integers(row: &[Reading]) -> Result<[i32; READINGS]> {
    let value = |reading: &Reading| if let Reading::Integer(value) = reading { Some(*value) } else { None };
    let values: Option<Vec<i32>> = row.iter().map(value).collect();
    values
        .and_then(|values| values.try_into().ok())
        .with_context(|| format!("{DATA}: expected {READINGS} integers a row"))
}
