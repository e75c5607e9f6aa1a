//! Options for the rates of alarms.

use anyhow::{Result, bail};
use clap::Args;
use surprisal_trainer::calibrate::Rates;

use super::parse;

/// How often a detector may alarm on normal rows.
#[derive(Debug, Args)]
#[command(next_help_heading = "Calibration")]
pub struct RateArgs {
    /// Share of normal rows that may raise an alarm; by default 0.01, or that of the model.
    ///
    /// The rate is valid if the rows are exchangeable with the calibration rows.
    #[arg(long, value_name = "RATE", conflicts_with = "alarms_per_day", help_heading = None)]
    pub false_alarm: Option<f64>,
    /// Number of false alarms per day, in place of --false-alarm: nine tenths by single rows, one tenth by trends.
    #[arg(long, value_name = "N", requires = "rate", value_parser = parse::positive, hide_short_help = true)]
    pub alarms_per_day: Option<f64>,
    /// Number of rows per second.
    #[arg(long, value_name = "HZ", requires = "alarms_per_day", value_parser = parse::positive, hide_short_help = true)]
    pub rate: Option<f64>,
    /// Average run length (ARL0): mean number of normal rows between false alarms of the cumulative sum; by default 10000, or
    /// that of the model.
    #[arg(long, alias = "mean-time", value_name = "ROWS", hide_short_help = true, value_parser = clap::value_parser!(u32).range(2..=1_000_000_000))]
    pub average_run_length: Option<u32>,
}

impl RateArgs {
    /// Returns the rates, where options that were not given have these defaults.
    pub fn rates(&self, defaults: Rates) -> Result<Rates> {
        let mut rates = match (self.alarms_per_day, self.rate) {
            (Some(alarms), Some(rate)) => Rates::per_day(alarms, rate),
            _ => Rates { false_alarm: self.false_alarm.unwrap_or(defaults.false_alarm), ..defaults },
        };
        // A model holds the rate in parts per million.
        if !(rates.false_alarm >= 1e-6 && rates.false_alarm < 1.0) {
            let option = if self.alarms_per_day.is_some() { "--alarms-per-day" } else { "--false-alarm" };
            bail!(
                "{option}: expected a rate between 0 and 1 per row, at least one in a million, for example 0.001, found {}; for \
                 fewer alarms let several rows agree (AlarmRule on the board, --votes in eval)",
                rates.false_alarm
            );
        }
        if let Some(rows) = self.average_run_length {
            rates.average_run_length = rows;
        }
        Ok(rates)
    }
}
