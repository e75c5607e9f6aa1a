//! The options of `surprisal fit`. Common options come first; all other options appear in `--help` only, in groups with
//! headings.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use surprisal::Activation;
use surprisal_trainer::calibrate::Rates;
use surprisal_trainer::fit::Family;
use surprisal_trainer::fit::optimizer::{Method, OptimizerChoices, Schedule};
use surprisal_trainer::history::History;
use surprisal_trainer::like::Like;
use surprisal_trainer::order::Order;
use surprisal_trainer::pipeline::{Contamination, Job};
use surprisal_trainer::schema::toml::Overrides;
use surprisal_trainer::select::{Choices, LayerChoices};

use super::help::{activation_help, family_help, method_help, schedule_help};
use super::{RateArgs, ReadingArgs, SignalArgs, parse};

#[derive(Debug, Args)]
pub struct FitArgs {
    /// Files with the training rows, or signals with --signal; each file begins a session.
    ///
    /// Files are text with one row per line (CSV and its relatives, plain, .gz or .zst), or .npy and .npz tables. Names may
    /// have wildcards, and - reads standard input.
    ///
    /// Without --valid, 70 % of the rows are used for training, 10 % to choose settings, 10 % to calibrate the
    /// detector, and 10 % are held out for `eval --held-out`.
    #[arg(required = true)]
    pub data: Vec<PathBuf>,
    /// The .srp file to write; by default model.srp. With --by, the folder for the models; by default models.
    #[arg(short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Fit a table for each machine that this column names. The column is not modelled.
    ///
    /// Writes a file MACHINE.srp for each machine. A machine whose fit fails does not stop the others, and the same command goes
    /// on where it was interrupted.
    #[arg(long, value_name = "COLUMN", hide_short_help = true, conflicts_with_all = ["signal", "valid", "calibrate", "test"])]
    pub by: Option<String>,
    /// Fit one table for all machines as well, and give a machine a table of its own only where that predicts better.
    ///
    /// shared.srp is fitted to the training rows of all machines. For each machine, MACHINE.cal holds the offsets of its sensors,
    /// baselines, threshold and quantiles in some hundred bytes, unless a table of its own predicts its validation rows better by
    /// more than one standard error. All commands read a .cal file in place of a .srp file.
    #[arg(long, hide_short_help = true, requires = "by", conflicts_with = "window")]
    pub shared: bool,
    /// Column that marks anomalies. The column is not modelled, and only normal rows are used.
    #[arg(long, value_name = "COLUMN", conflicts_with = "signal")]
    pub label: Option<String>,
    /// Value of the label column in normal rows.
    #[arg(long, value_name = "VALUE", default_value = "0", requires = "label", allow_hyphen_values = true)]
    pub normal: String,
    /// Leave this column, or this channel of a signal, out of the model. The option may be repeated.
    #[arg(long, value_name = "COLUMN")]
    pub ignore: Vec<String>,
    /// Take this column as given: predict the others by it, but do not score it. The option may be repeated.
    ///
    /// For a set point, a speed or the weather: a rare but legal value then raises no alarm by itself, and the other columns
    /// are judged by what is normal at that value.
    #[arg(long, value_name = "COLUMN", hide_short_help = true)]
    pub given: Vec<String>,
    /// Column of time stamps, or channel of a signal, which is not modelled. A gap begins a new session, and `score` and
    /// `explain` show the stamp.
    ///
    /// Give the option twice if date and time of day are in two columns.
    #[arg(long, value_name = "COLUMN", hide_short_help = true)]
    pub time: Vec<String>,
    /// Kinds of columns, from a file that `surprisal schema` writes.
    ///
    /// Kinds that the file leaves out are derived from the rows.
    #[arg(long, value_name = "FILE")]
    pub schema: Option<PathBuf>,
    /// Keep the columns, their order, kinds and category codes of this earlier model, and so the fingerprint that firmware
    /// expects.
    #[arg(long, value_name = "MODEL", hide_short_help = true)]
    pub like: Option<PathBuf>,
    /// Read the rows as a time series and model each row given this many preceding rows.
    ///
    /// The training, validation, calibration and held-out rows are then consecutive.
    #[arg(long, value_name = "ROWS", conflicts_with = "signal", value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub window: Option<u16>,
    /// Column that begins a new time series where its value changes. The column is not modelled.
    ///
    /// The column may, for example, number runs, files or restarts.
    #[arg(long, value_name = "COLUMN", requires = "window", hide_short_help = true)]
    pub session: Option<String>,
    #[command(flatten)]
    pub signal: SignalArgs,
    /// File with validation rows, on which settings are chosen.
    ///
    /// A quarter of these rows calibrates the detector unless --calibrate is given. Rows recorded on another day give
    /// more realistic results than rows recorded between the training rows.
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    pub valid: Option<PathBuf>,
    #[arg(long, value_name = "FAMILY", value_parser = parse::named(family_help),
        help = "Family of models; by default tables, or linear-trees with --window or if no column is numeric")]
    pub family: Option<Family>,
    /// Largest size of the .srp file, for example 16KiB.
    #[arg(long, value_name = "SIZE", value_parser = parse::size)]
    pub flash: Option<usize>,
    /// Seed of the split and of all random numbers in fitting.
    #[arg(long, default_value_t = 0, hide_short_help = true)]
    pub seed: u64,
    #[command(flatten)]
    pub data_options: DataArgs,
    #[command(flatten)]
    pub reading: ReadingArgs,
    #[command(flatten)]
    pub columns: ColumnArgs,
    #[command(flatten)]
    pub model: ModelArgs,
    #[command(flatten)]
    pub layer: LayerArgs,
    #[command(flatten)]
    pub optimizer: OptimizerArgs,
    #[command(flatten)]
    pub limits: LimitArgs,
    #[command(flatten)]
    pub calibration: CalibrationArgs,
    #[command(flatten)]
    pub rates: RateArgs,
}

/// Options for further files.
#[derive(Debug, Args)]
#[command(next_help_heading = "Data")]
pub struct DataArgs {
    /// Largest number of training rows to fit: a random sample of more. `all` fits all rows.
    ///
    /// By default 1,000,000 for the family tables and 200,000 for all others. The report says what the other rows would gain.
    #[arg(long, value_name = "N", value_parser = parse::rows, hide_short_help = true)]
    pub max_rows: Option<usize>,
    /// Leave out rows that the others do not explain, as likely faults: a share of the rows such as 0.02, or auto.
    ///
    /// For training rows that may hold faults nobody has labelled. The report names the rows.
    #[arg(long, value_name = "SHARE", value_parser = parse::contamination, hide_short_help = true)]
    pub contamination: Option<Contamination>,
    /// Empty this share of the readings at random, so that the model knows rows in which a sensor fails.
    ///
    /// Without it, a reading that is missing for the first time is left out of the score.
    #[arg(long, value_name = "SHARE", hide_short_help = true)]
    pub may_fail: Option<f64>,
    /// File with test rows, whose log-likelihood is reported once, after the fit.
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    pub test: Option<PathBuf>,
}

/// Options for the encoding of columns.
#[derive(Debug, Args)]
#[command(next_help_heading = "Columns")]
pub struct ColumnArgs {
    /// Keep numeric columns that never change in the training rows; any other value then raises the surprisal.
    #[arg(long, hide_short_help = true)]
    pub keep_constant: bool,
    /// Keep this column, although it never changes, or looks like a clock, a counter or an identifier.
    ///
    /// The option may be repeated. Without it, `fit` refuses such a column and says why.
    #[arg(long, value_name = "COLUMN", hide_short_help = true)]
    pub keep: Vec<String>,
    /// Largest number of bins (cells) of a numeric column; by default 24 for tables, else chosen on the validation rows.
    #[arg(long, value_name = "K", hide_short_help = true, value_parser = clap::value_parser!(u16).range(2..=256))]
    pub cells: Option<u16>,
}

/// Options for the model; settings without a value are chosen on the validation rows.
#[derive(Debug, Args)]
#[command(next_help_heading = "Model")]
pub struct ModelArgs {
    /// Gain of log-likelihood that a tree's split must exceed, in nats of the training set; by default chosen on the
    /// validation rows.
    #[arg(long, value_name = "NATS", hide_short_help = true, value_parser = parse::amount)]
    pub gamma: Option<f64>,
    /// Strength of regularisation; by default chosen on the validation rows.
    ///
    /// STRENGTH is the L1 penalty of linear terms, in nats of the training set; the pseudo-count, in rows, of the
    /// families tree, chow-liu and mixture; the weight, in rows, of a column's own distribution in the family tables; and the
    /// learning rate of the family boost.
    #[arg(long, value_name = "STRENGTH", hide_short_help = true, value_parser = parse::amount)]
    pub strength: Option<f64>,
    /// Number of components of a mixture; by default chosen on the validation rows.
    #[arg(long, value_name = "K", hide_short_help = true, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub components: Option<u16>,
    /// Number of views of the family tables: 1 for the readings, 2 to add residuals from prototypes.
    #[arg(long, value_name = "COUNT", hide_short_help = true, value_parser = clap::value_parser!(u16).range(1..=2))]
    pub views: Option<u16>,
    /// Number of prototypes of the family tables; by default 16 to 64, depending on the numbers of columns and rows, or fewer within limits.
    #[arg(long, value_name = "K", hide_short_help = true, value_parser = clap::value_parser!(u16).range(2..=255))]
    pub prototypes: Option<u16>,
    /// Quadratic penalty on weights, in nats of the training set.
    #[arg(long, value_name = "L2", hide_short_help = true, value_parser = parse::amount, default_value_t = Choices::default().l2)]
    pub l2: f64,
    /// Order in which columns are predicted.
    ///
    /// auto uses natural or learned, whichever predicts the validation rows better; natural is the order of the file;
    /// learned results from growing all trees together; search improves the learned order by local search; chow-liu
    /// results from a maximum spanning tree of mutual information; mutual adds columns greedily by mutual information.
    /// Any other value is the path of a file of column names, one per line.
    #[arg(long, default_value = "auto", value_name = "ORDER", hide_short_help = true, help_heading = "Order")]
    pub order: Order,
}

/// Options for hidden layers; settings without a value are chosen on the validation rows.
#[derive(Debug, Args)]
#[command(next_help_heading = "Hidden layers (families nade, linear-trees+hidden and auto)")]
pub struct LayerArgs {
    /// Number of hidden units, up to 256; by default chosen on the validation rows.
    #[arg(long, value_name = "N", hide_short_help = true, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub units: Option<u16>,
    #[arg(long, value_name = "NAME", hide_short_help = true, value_parser = parse::named(activation_help),
        help = "Activation function of the units; by default chosen on the validation rows")]
    pub activation: Option<Activation>,
    /// Share of hidden units that are dropped at random for each training row.
    #[arg(long, value_name = "SHARE", hide_short_help = true, value_parser = parse::share)]
    pub dropout: Option<f32>,
    /// Share of the one bits of each training row that are dropped at random from the layer's input.
    #[arg(long, value_name = "SHARE", hide_short_help = true, value_parser = parse::share)]
    pub input_dropout: Option<f32>,
    /// Number of layers of each size that are fitted from different random starts. Means of the best layers are tried
    /// too.
    #[arg(long, value_name = "N", hide_short_help = true, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub restarts: Option<u16>,
    /// Fit layers on top of the fixed logits of the best linear-trees model, instead of averaging the logits of both.
    #[arg(long, hide_short_help = true)]
    pub offset: bool,
}

/// Options for stochastic gradient ascent.
#[derive(Debug, Args)]
#[command(next_help_heading = "Stochastic gradient ascent (hidden layers)")]
pub struct OptimizerArgs {
    #[arg(long, value_name = "METHOD", hide_short_help = true, value_parser = parse::named(method_help),
        help = "Optimizer; without --learning-rate, a range test finds the learning rate")]
    optimizer: Option<Method>,
    /// Highest learning rate of the schedule.
    #[arg(long, value_name = "RATE", hide_short_help = true)]
    learning_rate: Option<f32>,
    #[arg(long, value_name = "SCHEDULE", hide_short_help = true, value_parser = parse::named(schedule_help),
        help = "Schedule of the learning rate")]
    schedule: Option<Schedule>,
    /// Share of all steps, at the start, over which the learning rate rises.
    #[arg(long, value_name = "SHARE", hide_short_help = true)]
    warm_up: Option<f32>,
    /// Number of rows per step.
    #[arg(long, value_name = "ROWS", hide_short_help = true)]
    batch: Option<usize>,
    /// Largest number of passes over the training rows.
    #[arg(long, value_name = "N", hide_short_help = true)]
    epochs: Option<usize>,
    /// Number of epochs without a better validation log-likelihood after which fitting stops.
    #[arg(long, value_name = "N", hide_short_help = true)]
    patience: Option<usize>,
    /// Share of the running mean of the parameters that each step keeps; 0 turns averaging off.
    #[arg(long, value_name = "SHARE", hide_short_help = true)]
    average: Option<f32>,
    /// Decoupled weight decay: the share of each weight that a step removes, divided by the learning rate.
    #[arg(long, value_name = "SHARE", hide_short_help = true)]
    weight_decay: Option<f32>,
}

/// Options that limit the model's use of the board's resources.
#[derive(Debug, Args)]
#[command(next_help_heading = "Search and limits")]
pub struct LimitArgs {
    /// Largest number of bytes of RAM for the state while a row is scored, for example 1KiB.
    #[arg(long, value_name = "SIZE", hide_short_help = true, value_parser = parse::size)]
    pub ram: Option<usize>,
    /// Largest number of additions, multiplications and tree steps per row.
    #[arg(long, value_name = "N", hide_short_help = true)]
    pub ops: Option<usize>,
}

/// Options for the calibration of the detector.
#[derive(Debug, Args)]
#[command(next_help_heading = "Calibration")]
pub struct CalibrationArgs {
    /// File with normal rows, on which the detector is calibrated.
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    pub calibrate: Option<PathBuf>,
}

impl FitArgs {
    /// Returns the paths of all files that the command reads.
    pub fn inputs(&self) -> Vec<&Path> {
        let order = if let Order::File(path) = &self.model.order { Some(path) } else { None };
        let others = [&self.valid, &self.calibration.calibrate, &self.data_options.test, &self.schema, &self.like];
        let others = others.into_iter().flatten().chain(order);
        self.data.iter().chain(others).map(PathBuf::as_path).collect()
    }

    /// Returns the file or, with `--by`, the folder to write.
    pub fn target(&self) -> &Path {
        let default = if self.by.is_some() { "models" } else { "model.srp" };
        self.output.as_deref().unwrap_or(Path::new(default))
    }

    /// Returns the chosen family of models, or the default one. Models of bits detect better in a time series, measured on
    /// the valve runs of SKAB.
    pub fn family(&self) -> Family {
        let default = if self.window.is_some() { Family::LinearTrees } else { Family::default() };
        self.family.unwrap_or(default)
    }

    /// Returns the job that the options describe. Reads the schema file.
    pub fn job(&self) -> Result<Job> {
        let (model, layer) = (&self.model, &self.layer);
        Ok(Job {
            train: self.data.clone(),
            valid: self.valid.clone(),
            calibrate: self.calibration.calibrate.clone(),
            test: self.data_options.test.clone(),
            signal: self.signal.windows()?,
            history: self.window.map(|window| History { window: window.into(), session: self.session.clone() }),
            reading: self.reading.options(),
            ignore: self.ignore.clone(),
            given: self.given.clone(),
            machine: None,
            contamination: self.data_options.contamination,
            may_fail: self.data_options.may_fail,
            time: self.time.clone(),
            max_rows: self.data_options.max_rows,
            label: self.label.clone().map(|column| (column, self.normal.clone())),
            keep_constant: self.columns.keep_constant,
            keep: self.columns.keep.clone(),
            cells: self.columns.cells.map(usize::from),
            overrides: self.schema.as_deref().map(Overrides::read).transpose()?.unwrap_or_default(),
            like: self.like.as_deref().map(Like::read).transpose()?,
            choices: Choices {
                family: self.family(),
                order: model.order.clone(),
                gamma: model.gamma,
                strength: model.strength,
                components: model.components.map(usize::from),
                views: model.views.map(usize::from),
                prototypes: model.prototypes.map(usize::from),
                l2: model.l2,
                layer: LayerChoices {
                    units: layer.units.map(usize::from),
                    activation: layer.activation,
                    dropout: layer.dropout,
                    input_dropout: layer.input_dropout,
                    restarts: layer.restarts.map(usize::from),
                    offset: layer.offset,
                },
                optimizer: self.optimizer.choices(),
                ..Choices::default()
            },
            flash: self.flash,
            ram: self.limits.ram,
            operations: self.limits.ops,
            seed: self.seed,
            rates: self.rates.rates(Rates::default())?,
            is_brief: false,
        })
    }
}

impl OptimizerArgs {
    fn choices(&self) -> OptimizerChoices {
        OptimizerChoices {
            optimizer: self.optimizer,
            rate: self.learning_rate,
            schedule: self.schedule,
            warm_up: self.warm_up,
            batch: self.batch,
            epochs: self.epochs,
            patience: self.patience,
            average: self.average,
            weight_decay: self.weight_decay,
        }
    }
}
