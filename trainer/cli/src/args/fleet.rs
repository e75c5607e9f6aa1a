//! The commands for fleets.

use std::path::PathBuf;

use clap::Subcommand;

use super::{OutArgs, ReadingArgs};

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
}
