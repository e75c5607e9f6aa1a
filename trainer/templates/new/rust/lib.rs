//! Scores rows of readings with the model in `table.rs`. The rows in `rows.rs` come from the model; on your machine, fill a
//! `Row` from the sensors.

#![cfg_attr(not(test), no_std)]

//@board #[cfg(target_os = "none")]
//@board pub mod board;
#[rustfmt::skip]
pub mod rows;
#[rustfmt::skip]
pub mod table;
#[cfg(test)]
mod tests;

use core::fmt;
//@rows use surprisal::{EncodeError, Monitor, Reading, Report, SelfTestError};
//@series use surprisal::{EncodeError, Monitor, Reading, Report, SelfTestError, Stream};
//@rows use table::{COLUMNS, Row, TABLE};
//@series use table::{COLUMNS, ROW, Row, TABLE, WINDOW};

/// The number of readings that the table scores.
//@rows const READINGS: usize = COLUMNS.len();
//@series const READINGS: usize = ROW;

/// Scores the golden rows of the table. Call it at the start: a board that computes other scores is damaged.
///
/// # Errors
/// A score differs from that of the machine that fitted the table.
pub fn self_test() -> Result<(), SelfTestError> {
    TABLE.self_test::<READINGS>()
}

/// Scores rows, one after the other.
#[derive(Default)]
pub struct Scorer {
    monitor: Monitor,
//@series     stream: Stream<{ COLUMNS.len() }, WINDOW>,
}

/// What the model says of a row.
pub struct Judgement {
    /// Score, p-value and verdict.
    pub report: Report,
    /// The column at fault in an anomalous row.
    pub blamed: Option<&'static str>,
}

impl Judgement {
    /// Returns whether the row is anomalous.
    pub fn is_anomalous(&self) -> bool {
        self.report.verdict.is_anomalous()
    }
}

impl fmt::Display for Judgement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.report)?;
        match self.blamed {
            Some(column) => write!(f, "; column {column} is to blame"),
            None => Ok(()),
        }
    }
}

impl Scorer {
    /// Scores a row. `failed` are the positions of the columns whose sensors did not answer. Of a time series, the first rows
    /// have no score: as many as a prediction uses.
    ///
    /// # Errors
    /// A reading does not fit its column, which the type `Row` rules out.
    pub fn score(&mut self, row: &Row, failed: &[usize]) -> Result<Option<Judgement>, EncodeError> {
        let mut readings = row.readings();
        for &column in failed {
            if let Some(reading) = readings.get_mut(column) {
                *reading = Reading::Missing;
            }
        }
//@series         if !self.stream.push(&TABLE.predictor, &mut readings)? {
//@series             return Ok(None);
//@series         }
        let score = TABLE.score(&readings)?;
        let report = self.monitor.push(&TABLE.detector, &score);
        let blamed = match report.verdict.is_anomalous() {
            true => COLUMNS.get(usize::from(TABLE.blame(&mut readings)?.column)).copied(),
            false => None,
        };
        Ok(Some(Judgement { report, blamed }))
    }
}
