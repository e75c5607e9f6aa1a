//! Input of a fit: files and settings.

use std::fmt;
use std::path::PathBuf;

use crate::calibrate::Rates;
use crate::data::{Machine, ReadOptions};
use crate::error::{Error, Result};
use crate::fit::Family;
use crate::history::History;
use crate::like::Like;
use crate::schema::toml::Overrides;
use crate::select::Choices;
use crate::windows::Windows;

/// Share of the rows that are faults, which a fit leaves out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Contamination {
    /// As many as lie beyond the tail of the others.
    Auto,
    /// This share of the rows, in 0..0.5.
    Share(f64),
}

/// Files to fit on, and all settings of a fit.
#[derive(Clone, Debug, Default)]
pub struct Job {
    /// Files of training rows, each of which begins a session. If there is no `valid`, their rows are split into training,
    /// validation and other rows.
    pub train: Vec<PathBuf>,
    /// File of validation rows, on which settings are chosen. If there is no `calibrate`, a quarter of them calibrate.
    pub valid: Option<PathBuf>,
    /// File of calibration rows.
    pub calibrate: Option<PathBuf>,
    /// File of test rows, whose log-likelihood is reported at the end.
    pub test: Option<PathBuf>,
    /// Windows of the files if they hold raw signals; `None` for rows.
    pub signal: Option<Windows>,
    /// Window and sessions of a time series, if the rows depend on earlier rows.
    pub history: Option<History>,
    /// How the files are to be read.
    pub reading: ReadOptions,
    /// Names of the columns that are not modelled.
    pub ignore: Vec<String>,
    /// Names of the columns that make up the time stamp of a row. They are not modelled; a gap begins a session.
    pub time: Vec<String>,
    /// The machine of a fleet whose rows are fitted; `None` fits all rows.
    pub machine: Option<Machine>,
    /// Share of the rows that are faults, which are found and left out; `None` leaves out no row.
    pub contamination: Option<Contamination>,
    /// Share of the readings that are left out at random, so that the model knows rows with missing readings; `None` leaves
    /// them as they are.
    pub may_fail: Option<f64>,
    /// Names of the columns that are context for the others: the model conditions on them and does not score them.
    pub given: Vec<String>,
    /// (column that marks anomalies, its value in normal rows).
    pub label: Option<(String, String)>,
    /// Whether columns that never change in the training rows are kept.
    pub keep_constant: bool,
    /// Names of the columns that are kept although they never change, or look like a clock, a counter or an identifier.
    pub keep: Vec<String>,
    /// Number of cells (bins) per numeric column, or `None` to choose it on the validation rows.
    pub cells: Option<usize>,
    /// Settings of single columns, which take precedence over the settings that the rows determine.
    pub overrides: Overrides,
    /// An earlier model, whose columns, kinds and category codes the fit keeps, so that its firmware can read the table.
    pub like: Option<Like>,
    /// Largest number of training rows that are fitted: a seeded sample of more. Zero fits all rows, and `None` sets the
    /// limit by the family.
    pub max_rows: Option<usize>,
    /// Family, order and penalties. Settings that are `None` are chosen on the validation rows.
    pub choices: Choices,
    /// Largest size of the `.srp` file, in bytes.
    pub flash: Option<usize>,
    /// Largest size of a row and its state while it is scored, in bytes.
    pub ram: Option<usize>,
    /// Largest number of additions, multiplications and tree steps per row.
    pub operations: Option<usize>,
    /// Seed of the split and of all random numbers in fitting.
    pub seed: u64,
    /// Rates of false alarms that the detector is calibrated for.
    pub rates: Rates,
    /// Whether the report leaves out what takes further fits: [`FitReport::bits_gain`](super::FitReport::bits_gain) and
    /// [`Sampling::gain`](super::Sampling::gain).
    pub is_brief: bool,
}

impl Job {
    /// Creates a job that fits one file with default settings.
    pub fn new(train: impl Into<PathBuf>) -> Self {
        Self { train: vec![train.into()], ..Self::default() }
    }

    /// Returns how the files are to be read, with the codes of missing readings of the schema file.
    pub fn read_options(&self) -> ReadOptions {
        let mut options = self.reading.clone();
        options.missing.extend(&self.overrides.codes());
        options.time.clone_from(&self.time);
        options.machine = self.machine.as_ref().map(|machine| machine.column.clone());
        options.label = self.label.as_ref().map(|(column, _)| column.clone());
        if self.signal.is_some() {
            options.channels_left_out = self.ignore.clone();
            options.channels_kept = Some(self.keep.clone());
        }
        options
    }

    /// Yields the names of the columns of labels, sessions, time stamps and machines, which are not modelled.
    pub(super) fn unmodelled(&self) -> impl Iterator<Item = &String> {
        let session = self.history.as_ref().and_then(|history| history.session.as_ref());
        let machine = self.machine.as_ref().map(|machine| &machine.column);
        session.into_iter().chain(&self.time).chain(self.label.as_ref().map(|(column, _)| column)).chain(machine)
    }

    /// Checks the settings that do not depend on data.
    ///
    /// # Errors
    /// [`Error::Option`] names the setting and the expected value.
    pub fn check(&self) -> Result<()> {
        let rate = self.rates.false_alarm;
        // A model holds the rate in parts per million.
        if !(1e-6..1.0).contains(&rate) {
            let message = format!("expected a rate from 0.000001 to below 1, for example 0.001, found {rate}");
            return Err(Error::option("--false-alarm", message));
        }
        self.contamination.map_or(Ok(()), Contamination::check)?;
        if let Some(like) = &self.like {
            like.check_inputs(self.history.is_some(), self.signal.is_some())?;
            self.unmodelled().chain(&self.ignore).try_for_each(|name| like.check_left_out(name))?;
            like.check_overrides(&self.overrides)?;
        }
        if let Some(share) = self.may_fail.filter(|share| !(*share > 0.0 && *share < 0.5)) {
            let message = format!("expected a share between 0 and 0.5, for example 0.01, found {share}");
            return Err(Error::option("--may-fail", message));
        }
        if let Some(rows @ 1..20) = self.max_rows {
            let message = format!("expected at least 20 rows, or 0 for all, found {rows}");
            return Err(Error::option("--max-rows", message));
        }
        let of_counts =
            matches!(self.choices.family, Family::Tree | Family::ChowLiu | Family::Mixture | Family::Tables);
        if of_counts && self.choices.strength == Some(0.0) {
            return Err(Error::option("--strength", "leaves need a pseudo-count above zero, for example 1; found 0"));
        }
        let &Choices { family, views, prototypes, .. } = &self.choices;
        for (option, given) in [("--views", views.is_some()), ("--prototypes", prototypes.is_some())] {
            if given && !matches!(family, Family::Tables | Family::Auto) {
                let message = "only the family tables has views; leave it out, or choose --family tables";
                return Err(Error::option(option, message));
            }
        }
        if views == Some(1) && prototypes.is_some() {
            return Err(Error::option("--prototypes", "one view has no prototypes; leave it out, or pass --views 2"));
        }
        if self.history.as_ref().is_some_and(|history| history.window == 0) {
            return Err(Error::option("--window", "expected at least one earlier row, found 0"));
        }
        if let Some(Windows { window, hop, bands, rate }) = self.signal {
            Windows::new(window, hop, bands, rate)?;
        }
        self.choices.optimizer.check()
    }
}

impl fmt::Display for Contamination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Share(share) => write!(f, "{share}"),
        }
    }
}

impl Contamination {
    /// Checks the share.
    ///
    /// # Errors
    /// [`Error::Option`] if the share is not in 0..0.5.
    pub fn check(self) -> Result<()> {
        match self {
            Self::Share(share) if !(0.0..0.5).contains(&share) => {
                let message = format!("expected auto or a share from 0 to below 0.5, for example 0.02, found {share}");
                Err(Error::option("--contamination", message))
            }
            _ => Ok(()),
        }
    }
}
