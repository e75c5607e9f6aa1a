//! Converts rows of a time series to the readings that a board scores: residuals of a linear prediction from earlier
//! rows, and the last values of states (flags and categories).

use nalgebra::{DMatrix, DVector};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use surprisal::{Kind, Predictor, Reading};

use crate::data::{Cells, Frame, FrameColumn};
use crate::error::{Error, Result};
use crate::predictor::PredictorTable;
use crate::schema::{ColumnEncoding, Schema};
use crate::split::{SplitStrategy, anomalous_rows};
use crate::windows::Windows;

/// The earlier rows that each row of a time series depends on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// Number of earlier rows.
    pub window: usize,
    /// Name of the column whose changes separate sessions: rows depend on earlier rows of the same session only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
}

/// Ridge penalties to choose from, where regressors have unit variance: a penalty of 1 counts like one row.
const PENALTIES: [f64; 6] = [1.0, 3.0, 10.0, 30.0, 100.0, 300.0];
/// Number of fixed-point steps per standard deviation of a number. The size of a step is rounded to a power of two.
const STEPS: f64 = 4096.0;
/// Largest number of numeric columns of a time series. The weights of the predictor grow with its square, and the time
/// to fit them with its fourth power.
const MAX_NUMBERS: usize = 256;

/// Returns the name of the added column that holds the previous value of the state `name`.
pub(crate) fn last_name(name: &str) -> String {
    format!("{name} before")
}

impl History {
    /// Returns `[row]` the index of the row with which the session of each row begins.
    fn session_starts(&self, frame: &Frame) -> Result<Vec<usize>> {
        let of_session = |name: &String| {
            frame.position(name).map_err(|_| {
                let message = format!(
                    "no column `{name}`, whose changes separate the sessions of the time series (--session); add it, with one value \
                     in all rows if they are one session"
                );
                Error::input(&frame.path, message)
            })
        };
        let session = self.session.as_ref().map(of_session).transpose()?;
        let mut start = 0;
        let rows = (0..frame.rows()).map(|row| {
            let changes = |column: usize| frame.cell(row, column) != frame.cell(row - 1, column);
            if row > 0 && (frame.starts.binary_search(&row).is_ok() || session.is_some_and(changes)) {
                start = row;
            }
            start
        });
        Ok(rows.collect())
    }

    /// Returns the indices of the rows that have a full window of earlier rows in their session. `starts` is `[row]`,
    /// as [`session_starts`](Self::session_starts) returns it.
    fn complete_rows(&self, frame: &Frame, starts: &[usize]) -> Result<Vec<usize>> {
        let rows: Vec<usize> = (0..frame.rows()).filter(|&row| row - starts[row] >= self.window).collect();
        if rows.is_empty() {
            let message = format!("no row has {} rows before it; supply more rows, or a shorter --window", self.window);
            return Err(Error::input(&frame.path, message));
        }
        Ok(rows)
    }

    /// Returns the rows that have a full window of earlier rows, with their cells as they are in the file.
    ///
    /// `label` is (column that marks anomalies, its value in normal rows); a frame without this column has no anomalous
    /// rows.
    ///
    /// # Errors
    /// [`Error::Input`] if the session column is absent or no row has a full window.
    pub fn complete(&self, frame: &Frame, label: Option<&(String, String)>) -> Result<Frame> {
        let rows = self.complete_rows(frame, &self.session_starts(frame)?)?;
        self.select(frame, &rows, label)
    }

    fn select(&self, frame: &Frame, rows: &[usize], label: Option<&(String, String)>) -> Result<Frame> {
        let label = label.filter(|(column, _)| frame.position(column).is_ok());
        let anomalous = label.map(|(column, normal)| anomalous_rows(frame, column, normal)).transpose()?;
        let anomalous = anomalous.unwrap_or_default();
        let is_mixed = |&row: &usize| {
            let window = anomalous.get(row - self.window..row);
            window.is_some_and(|window| window.iter().any(|label| *label != Some(false)))
        };
        Ok(Frame { mixed: rows.iter().map(is_mixed).collect(), ..frame.select(rows) })
    }

    /// Returns the rows that have a full window of earlier rows, as the readings that [`surprisal::Stream`] produces.
    ///
    /// Numbers become residuals, states stay, and the last value of each state is an additional column at the end.
    /// Columns that are not channels stay as well.
    ///
    /// # Errors
    /// [`Error::Input`] if a channel is absent, a cell of a number is not a number, or no row has a full window.
    pub fn residuals(
        &self,
        frame: &Frame,
        channels: &[String],
        table: &PredictorTable,
        label: Option<&(String, String)>,
    ) -> Result<Frame> {
        let starts = self.session_starts(frame)?;
        let rows = self.complete_rows(frame, &starts)?;
        let columns = frame.positions(channels)?;
        let (predictor, numbers) = (table.view(), table.numbers());
        // `[row][channel]`, in steps.
        let mut steps = vec![vec![0_i32; channels.len()]; frame.rows()];
        for &channel in &numbers {
            for (row, value) in steps.iter_mut().zip(forward_filled(frame, columns[channel], &starts)?) {
                row[channel] = value.and_then(|value| predictor.fixed(channel, reading(value))).unwrap_or(0);
            }
        }
        let means = |&row: &usize| -> Vec<i32> {
            let window = &steps[row - self.window..row];
            (0..channels.len()).map(|channel| predictor.mean(window.iter().map(|past| past[channel]))).collect()
        };
        let means: Vec<Vec<i32>> = rows.iter().map(means).collect();
        let mut complete = self.select(frame, &rows, label)?;
        for &channel in &numbers {
            let residual = |(&row, means): (&usize, &Vec<i32>)| {
                let is_missing = frame.cell(row, columns[channel]).is_missing();
                (!is_missing).then(|| predictor.residual(channel, &steps[row - 1], means, &steps[row]))
            };
            complete.columns[columns[channel]].cells = Cells::Integer(rows.iter().zip(&means).map(residual).collect());
        }
        let earlier: Vec<usize> = rows.iter().map(|row| row - 1).collect();
        for channel in predictor.states() {
            let FrameColumn { name, cells } = &frame.columns[columns[channel]];
            let last = last_name(name);
            if let Ok(at) = frame.position(&last) {
                let message =
                    format!("the model adds a column of this name, for the last value of `{name}`; rename the column");
                return Err(Error::input(&frame.path, message).column(&frame.columns[at].name));
            }
            complete.columns.push(FrameColumn { name: last, cells: cells.select(&earlier) });
        }
        Ok(complete)
    }

    /// Fits the predictor by ridge regression (Hoerl & Kennard, *Ridge Regression*, 1970) of each number on the last
    /// values and the window means of all numbers, and on the numbers before it in the row.
    ///
    /// `train` and `valid` are indices of the rows that [`complete`](Self::complete) returns; the validation rows
    /// choose the penalty.
    ///
    /// # Errors
    /// [`Error::Input`] if a cell of a number is not a number, or there are more than 256 numeric columns.
    pub fn fit(&self, frame: &Frame, schema: &Schema, train: &[usize], valid: &[usize]) -> Result<PredictorTable> {
        let channels = channels(schema);
        let numbers: Vec<usize> = (0..channels.len()).filter(|&channel| channels[channel].1).collect();
        let n = numbers.len();
        if n > MAX_NUMBERS {
            let message = format!(
                "{n} numeric columns, but a time series has at most {MAX_NUMBERS}; leave some out with --ignore"
            );
            return Err(Error::input(&frame.path, message));
        }
        let starts = self.session_starts(frame)?;
        let complete = self.complete_rows(frame, &starts)?;
        let in_frame = |rows: &[usize]| -> Vec<usize> { rows.iter().map(|&row| complete[row]).collect() };
        let (train, valid) = (in_frame(train), in_frame(valid));
        let mut words = vec![self.window as i32];
        words.extend(channels.iter().flat_map(|&(_, is_number)| [if is_number { 0 } else { Predictor::STATE }, 0]));
        // Standardised numbers, `[number][row]`, and their standard deviations, in steps.
        let (mut standardised, mut deviations) = (Vec::new(), Vec::new());
        for &channel in &numbers {
            let values = forward_filled(frame, channels[channel].0, &starts)?;
            let known: Vec<f64> = train.iter().filter_map(|&row| values[row]).collect();
            let mean_of = |sum: f64| sum / known.len().max(1) as f64;
            let mean = mean_of(known.iter().sum());
            let variance = mean_of(known.iter().map(|value| (value - mean).powi(2)).sum());
            let deviation = if variance > 0.0 { variance.sqrt() } else { 1.0 };
            let scale = (deviation * 256.0 / STEPS).log2().round().clamp(-126.0, 126.0);
            let step = scale.exp2() / 256.0;
            words[1 + 2 * channel] = scale as i32;
            words[2 + 2 * channel] = (mean / step).round().clamp(-2e9, 2e9) as i32;
            deviations.push(deviation / step);
            let standard = |value: Option<f64>| value.map_or(0.0, |value| (value - mean) / deviation);
            standardised.push(values.into_iter().map(standard).collect::<Vec<f64>>());
        }
        let regressors = |&row: &usize| {
            let last = standardised.iter().map(|values| values[row - 1]);
            let means = standardised.iter().map(|values| values[row - self.window..row].iter().sum::<f64>());
            let now = standardised.iter().map(|values| values[row]);
            DVector::from_iterator(3 * n, last.chain(means.map(|sum| sum / self.window as f64)).chain(now))
        };
        let solutions = ridge(n, train.iter().map(regressors), &valid.iter().map(regressors).collect::<Vec<_>>());
        let weight = |(place, solution): (usize, DVector<f64>)| {
            let rescaled = |(k, weight): (usize, &f64)| {
                let from = if k < 2 * n { k % n } else { k - 2 * n };
                let weight = weight * deviations[place] / deviations[from] * 4096.0;
                weight.round().clamp(-32767.0, 32767.0) as i16
            };
            solution.iter().enumerate().map(rescaled).collect::<Vec<_>>()
        };
        Ok(PredictorTable { words, weights: solutions.into_iter().enumerate().flat_map(weight).collect() })
    }

    /// Adds the last values of states to a schema, as observed columns that come first in model order. Each has the
    /// encoding of its state. `channels` holds the names of the predictor's channels.
    pub fn observe_states(schema: &mut Schema, channels: &[String], table: &PredictorTable) {
        for channel in table.view().states() {
            let position = |name: &str| schema.columns.iter().position(|encoding| schema.name(encoding) == name);
            let (state, last) = (position(&channels[channel]), position(&last_name(&channels[channel])));
            if let (Some(state), Some(last)) = (state, last) {
                let ColumnEncoding { file, source, .. } = schema.columns[last];
                schema.columns[last] = ColumnEncoding { file, source, observed: true, ..schema.columns[state].clone() };
            }
        }
        schema.columns.sort_by_key(|encoding| !encoding.observed);
        schema.predictor = table.clone();
    }
}

/// Returns (index of the column in the file, whether it is a number) for each channel. The channels are all modelled
/// columns, in file order.
fn channels(schema: &Schema) -> Vec<(usize, bool)> {
    let mut encodings: Vec<&ColumnEncoding> = schema.columns.iter().collect();
    encodings.sort_unstable_by_key(|encoding| encoding.source);
    let is_number = |encoding: &ColumnEncoding| matches!(encoding.kind, Kind::Integer | Kind::Real);
    encodings.into_iter().map(|encoding| (encoding.file, is_number(encoding))).collect()
}

/// Regresses each of `n` numbers on the regressors before it, and returns the weights as `[number][regressor]`.
///
/// A row has 3n regressors, of which the last n are the numbers themselves. The penalty is the one with the smallest
/// product of mean squared errors on the validation rows.
fn ridge(n: usize, train: impl Iterator<Item = DVector<f64>>, valid: &[DVector<f64>]) -> Vec<DVector<f64>> {
    let mut gram = DMatrix::zeros(3 * n, 3 * n);
    train.for_each(|row| gram.ger(1.0, &row, &row, 1.0));
    let solve = |place: usize, penalty: f64| {
        let width = 2 * n + place;
        let ridge = gram.view((0, 0), (width, width)) + DMatrix::identity(width, width) * penalty;
        let target = gram.view((0, width), (width, 1)).column(0).into_owned();
        ridge.cholesky().map_or_else(|| DVector::zeros(width), |factor| factor.solve(&target))
    };
    let log_error = |place: usize, solution: &DVector<f64>| {
        let width = 2 * n + place;
        let squares = valid.iter().map(|row| (row[width] - row.rows(0, width).dot(solution)).powi(2));
        (squares.sum::<f64>() / valid.len().max(1) as f64).max(1e-12).ln()
    };
    let candidates = PENALTIES.map(|penalty| {
        let solutions: Vec<_> = (0..n).into_par_iter().map(|place| solve(place, penalty)).collect();
        let loss: f64 = solutions.iter().enumerate().map(|(place, solution)| log_error(place, solution)).sum();
        (loss, solutions)
    });
    let best = candidates.into_iter().min_by(|a, b| a.0.total_cmp(&b.0));
    best.map(|(_, solutions)| solutions).unwrap_or_default()
}

/// Returns the strategy that splits the rows of a file: in order of time if they are a time series or windows of a
/// signal, otherwise stretches of this many rows, or single rows, shuffled with this seed.
pub fn split_strategy(
    signal: Option<Windows>,
    history: Option<&History>,
    seed: u64,
    stretch: Option<usize>,
) -> SplitStrategy {
    let shuffled = SplitStrategy::Shuffled { seed, stretch: stretch.unwrap_or(1) };
    let gap = history.map(|history| history.window).or(signal.map(Windows::gap));
    gap.map_or(shuffled, |gap| SplitStrategy::InOrder { gap })
}

/// Returns `[row]` the numbers of a column, in which a missing number is replaced by the last number of its session, or
/// is `None` if the session has no number before it.
fn forward_filled(frame: &Frame, column: usize, starts: &[usize]) -> Result<Vec<Option<f64>>> {
    let mut last = None;
    let number = |row: usize| {
        last = last.filter(|_| starts[row] != row);
        if !frame.cell(row, column).is_missing() {
            last = Some(frame.number(row, column)?);
        }
        Ok(last)
    };
    (0..frame.rows()).map(number).collect()
}

/// Returns the reading that a board would have for a number: an integer if it is whole, otherwise an `f32`.
fn reading(value: f64) -> Reading {
    if value.fract() == 0.0 && value.abs() < 2_147_483_648.0 {
        Reading::Integer(value as i32)
    } else {
        Reading::Real(value as f32)
    }
}
