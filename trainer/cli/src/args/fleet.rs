//! The commands for fleets.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use surprisal_trainer::divergence::SamplingSettings;

use super::{AlarmArgs, OutArgs, ReadingArgs, SelectionArgs};

#[derive(Debug, Subcommand)]
pub enum FleetCommand {
    /// Compare the scores of fresh rows with the training of each machine's model; machines that need attention come first.
    #[command(after_help = "Example: surprisal fleet status models pico.csv")]
    Status {
        /// Folder of models that `fit --by` wrote.
        models: PathBuf,
        /// Files with fresh rows that name their machine. Names may have wildcards, and - reads standard input.
        #[arg(required = true)]
        data: Vec<PathBuf>,
        #[command(flatten)]
        reading: ReadingArgs,
        /// Column of time stamps; by default that of the fit.
        #[arg(long, value_name = "COLUMN")]
        time: Vec<String>,
        #[command(flatten)]
        out: OutArgs,
    },
    /// Write a report on each machine's model and fresh rows, and a page that lists all machines.
    ///
    /// Each page is that of `report`, and needs neither scripts nor a network. `index.html` lists the machines in the order of
    /// `fleet status`. A machine without a page does not stop the others: the command ends with an error after all are done.
    #[command(after_help = "Example: surprisal fleet report models pico.csv -o pages")]
    Report(FleetReportArgs),
    /// Compare the models of each machine in two folders, such as before and after a refit; the largest differences come
    /// first.
    ///
    /// The divergences are those of `compare`. A machine whose models cannot be compared does not stop the others: the command ends
    /// with an error after all are done.
    #[command(after_help = "Example: surprisal fleet compare models refitted pico.csv")]
    Compare(FleetCompareArgs),
}

/// Options of `fleet report`.
#[derive(Debug, Args)]
pub struct FleetReportArgs {
    /// Folder of models that `fit --by` wrote.
    pub models: PathBuf,
    /// Files with rows that name their machine. Names may have wildcards, and - reads standard input.
    #[arg(required = true)]
    pub data: Vec<PathBuf>,
    /// Folder for the pages; pages of an earlier report there are replaced.
    #[arg(short, value_name = "FOLDER")]
    pub output: PathBuf,
    #[command(flatten)]
    pub reading: ReadingArgs,
    #[command(flatten)]
    pub selection: SelectionArgs,
    #[command(flatten)]
    pub alarms: AlarmArgs,
}

/// Options of `fleet compare`.
#[derive(Debug, Args)]
pub struct FleetCompareArgs {
    /// Folder A: models that `fit --by` wrote, such as those before a refit.
    #[arg(value_name = "OLD")]
    pub a: PathBuf,
    /// Folder B: models of the same machines, such as those after the refit.
    #[arg(value_name = "NEW")]
    pub b: PathBuf,
    /// Files with rows that name their machine, on which both models are compared as well. Names may have wildcards, and -
    /// reads standard input.
    pub data: Vec<PathBuf>,
    /// Number of rows to draw from each model if there are too many possible rows to enumerate.
    #[arg(short = 'n', default_value_t = SamplingSettings::default().rows as u32, value_name = "ROWS",
        value_parser = clap::value_parser!(u32).range(2..))]
    pub rows: u32,
    /// Seed of the random samples.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    #[command(flatten)]
    pub out: OutArgs,
    #[command(flatten)]
    pub reading: ReadingArgs,
    /// Column of time stamps; by default that of the fit. A gap begins a new session of a time series.
    #[arg(long, value_name = "COLUMN", help_heading = "Data")]
    pub time: Vec<String>,
    /// Column that marks anomalies; by default the label column of the fit. Normal and anomalous rows are compared apart.
    #[arg(long, value_name = "COLUMN", help_heading = "Data")]
    pub label: Option<String>,
    /// Value of the label column in normal rows; by default that of the fit for its column, and 0 for others.
    #[arg(long, value_name = "VALUE", help_heading = "Data", allow_hyphen_values = true)]
    pub normal: Option<String>,
}

impl FleetCommand {
    /// Returns the names of the data files.
    pub fn data_mut(&mut self) -> &mut Vec<PathBuf> {
        match self {
            Self::Status { data, .. } => data,
            Self::Report(args) => &mut args.data,
            Self::Compare(args) => &mut args.data,
        }
    }
}
