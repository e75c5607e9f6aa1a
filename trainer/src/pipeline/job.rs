//! Input of a fit: files and settings.

use std::path::PathBuf;

use crate::calibrate::Rates;
use crate::data::Header;
use crate::error::{Error, Result};
use crate::fit::Family;
use crate::history::History;
use crate::schema::toml::Overrides;
use crate::select::Choices;
use crate::windows::Windows;

/// Files to fit on, and all settings of a fit.
#[derive(Clone, Debug, Default)]
pub struct Job {
    /// The training rows; split when there is no `valid`.
    pub train: PathBuf,
    /// Rows to choose settings on; a quarter of them calibrate if there is no `calibrate`.
    pub valid: Option<PathBuf>,
    /// Rows to calibrate on.
    pub calibrate: Option<PathBuf>,
    /// Rows to report on at the end.
    pub test: Option<PathBuf>,
    /// Windows of the files if they hold raw signals; `None` for rows.
    pub signal: Option<Windows>,
    /// Earlier rows that each row depends on; `None` for rows that are independent of each other.
    pub history: Option<History>,
    /// Whether the files name their columns.
    pub header: Header,
    /// Columns that are not modelled.
    pub ignore: Vec<String>,
    /// The column that marks anomalies, and its value on normal rows.
    pub label: Option<(String, String)>,
    /// Whether columns that never change in the training rows are kept.
    pub keep_constant: bool,
    /// Number of cells of a numeric column; `None` to choose it on the validation rows.
    pub cells: Option<usize>,
    /// Overrides for single columns.
    pub overrides: Overrides,
    /// Family, order and penalties; those that are `None` are chosen on the validation rows.
    pub choices: Choices,
    /// Limit on the size of the file in bytes.
    pub flash: Option<usize>,
    /// Limit on the bytes of state while a row is scored.
    pub ram: Option<usize>,
    /// Limit on the additions, multiplications and tree steps per row.
    pub operations: Option<usize>,
    /// Seed of the split and of all random numbers in fitting.
    pub seed: u64,
    /// Rates of false alarms that the detector is calibrated for.
    pub rates: Rates,
}

impl Job {
    /// Fits one file with all defaults.
    pub fn new(train: impl Into<PathBuf>) -> Self {
        Self { train: train.into(), ..Self::default() }
    }

    /// Checks the settings that do not depend on data.
    ///
    /// # Errors
    /// [`Error::Option`] with what was expected.
    pub fn check(&self) -> Result<()> {
        let rate = self.rates.false_alarm;
        if !(rate > 0.0 && rate < 1.0) {
            let message = format!("expected a rate between 0 and 1, for example 0.001, found {rate}");
            return Err(Error::option("--false-alarm", message));
        }
        let of_counts = matches!(self.choices.family, Family::Tree | Family::ChowLiu | Family::Mixture);
        if of_counts && self.choices.strength == Some(0.0) {
            return Err(Error::option("--strength", "leaves need a pseudo-count above zero, for example 1; found 0"));
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
