//! Rows in time, as the board sees them: what a row is, given the rows before it.

use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};
use surprisal::{Kind, Predictor, Reading};

use crate::data::{Cells, Frame, is_missing};
use crate::error::{Error, Result};
use crate::predictor::PredictorTable;
use crate::schema::Schema;
use crate::schema::toml::{ColumnKind, Overrides};
use crate::split::{SplitStrategy, anomalous_rows};
use crate::windows::{self, Windows};

/// What is looked at besides a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// How many rows before it.
    pub window: usize,
    /// The column whose change begins a stream anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
}

/// Ridge penalties to choose from by validation rows, in units of a row of unit variance.
const PENALTIES: [f64; 6] = [1.0, 3.0, 10.0, 30.0, 100.0, 300.0];
/// Steps of a number in a standard deviation, but for rounding to a power of two.
const STEPS: f64 = 4096.0;

/// What the column of a state's last value is called.
pub fn before(name: &str) -> String {
    format!("{name} before")
}

impl History {
    /// The row on which each row's session began.
    fn since(&self, frame: &Frame) -> Result<Vec<usize>> {
        let session = self.session.as_ref().map(|name| frame.position(name)).transpose()?;
        let mut since = 0;
        let rows = (0..frame.rows()).map(|row| {
            let codes = session.map(|at| &frame.columns[at].codes);
            if row > 0 && codes.is_some_and(|codes| codes[row] != codes[row - 1]) {
                since = row;
            }
            since
        });
        Ok(rows.collect())
    }

    /// The rows that have a whole window before them in their session.
    fn whole(&self, frame: &Frame, since: &[usize]) -> Result<Vec<usize>> {
        let rows: Vec<usize> = (0..frame.rows()).filter(|&row| row - since[row] >= self.window).collect();
        if rows.is_empty() {
            let message = format!("no row has {} rows before it; supply more rows, or a shorter --window", self.window);
            return Err(Error::input(&frame.path, message));
        }
        Ok(rows)
    }

    /// Which channels are numbers, and which are states: all the columns that `schema` models, in file order.
    fn channels(schema: &Schema) -> Vec<(usize, bool)> {
        let mut channels: Vec<(u16, usize, bool)> = schema
            .columns
            .iter()
            .map(|encoding| (encoding.source, encoding.file, matches!(encoding.kind, Kind::Integer | Kind::Real)))
            .collect();
        channels.sort_unstable();
        channels.into_iter().map(|(_, file, number)| (file, number)).collect()
    }

    /// A predictor that predicts nothing, for the channels that `schema` found in a file of rows.
    pub fn blank(&self, schema: &Schema) -> PredictorTable {
        let channels = Self::channels(schema);
        let mut words = vec![self.window as i32];
        words.extend(channels.iter().flat_map(|&(_, number)| [if number { 0 } else { Predictor::STATE }, 0]));
        let numbers = channels.iter().filter(|(_, number)| *number).count();
        PredictorTable { words, weights: vec![0; 2 * numbers * numbers + numbers * numbers.saturating_sub(1) / 2] }
    }

    /// The predictor that ridge regression on the given rows leaves the least of; the penalty is the one that leaves least
    /// of the validation rows. Rows are counted among those that have a whole window.
    ///
    /// # Errors
    /// A cell that is no number.
    pub fn fit(&self, frame: &Frame, schema: &Schema, train: &[usize], valid: &[usize]) -> Result<PredictorTable> {
        let mut table = self.blank(schema);
        let channels = Self::channels(schema);
        let numbers = table.numbers();
        let since = self.since(frame)?;
        let whole = self.whole(frame, &since)?;
        let at = |rows: &[usize]| -> Vec<usize> { rows.iter().map(|&row| whole[row]).collect() };
        let (train, valid) = (at(train), at(valid));
        let mut scaled = Vec::new();
        let mut units = Vec::new();
        for &channel in &numbers {
            let values = held(frame, channels[channel].0, &since)?;
            let known: Vec<f64> = train.iter().filter_map(|&row| values[row]).collect();
            let mean_of = |sum: f64| sum / known.len().max(1) as f64;
            let mean = mean_of(known.iter().sum());
            let square = mean_of(known.iter().map(|value| (value - mean).powi(2)).sum());
            let deviation = if square > 0.0 { square.sqrt() } else { 1.0 };
            let reach = (deviation * 256.0 / STEPS).log2().round().clamp(-126.0, 126.0);
            let step = reach.exp2() / 256.0;
            table.words[1 + 2 * channel] = reach as i32;
            table.words[2 + 2 * channel] = (mean / step).round().clamp(-2e9, 2e9) as i32;
            units.push(deviation / step);
            let scale = |value: Option<f64>| value.map_or(0.0, |value| (value - mean) / deviation);
            scaled.push(values.into_iter().map(scale).collect::<Vec<f64>>());
        }
        let features = |row: usize, place: usize| -> Vec<f64> {
            let last = scaled.iter().map(|values| values[row - 1]);
            let means = scaled.iter().map(|values| values[row - self.window..row].iter().sum::<f64>());
            let now = scaled[..place].iter().map(|values| values[row]);
            last.chain(means.map(|sum| sum / self.window as f64)).chain(now).collect()
        };
        let all: Vec<Vec<DVector<f64>>> = (0..numbers.len())
            .map(|place| {
                let width = 2 * numbers.len() + place;
                let mut products = DMatrix::zeros(width, width);
                let mut target = DVector::zeros(width);
                for &row in &train {
                    let x = DVector::from_vec(features(row, place));
                    products.ger(1.0, &x, &x, 1.0);
                    target.axpy(scaled[place][row], &x, 1.0);
                }
                let solve = |penalty: &f64| {
                    let ridge = &products + DMatrix::identity(width, width) * *penalty;
                    ridge.cholesky().map_or_else(|| DVector::zeros(width), |factor| factor.solve(&target))
                };
                PENALTIES.iter().map(solve).collect()
            })
            .collect();
        let left = |k: usize| -> f64 {
            let of = |place: usize| {
                let squares = valid.iter().map(|&row| {
                    let x = DVector::from_vec(features(row, place));
                    (scaled[place][row] - x.dot(&all[place][k])).powi(2)
                });
                (squares.sum::<f64>() / valid.len().max(1) as f64).max(1e-12).ln()
            };
            (0..numbers.len()).map(of).sum()
        };
        let best =
            (0..PENALTIES.len()).min_by(|&a, &b| left(a).total_cmp(&left(b))).expect("there are penalties to try");
        table.weights.clear();
        for (place, solutions) in all.iter().enumerate() {
            for (k, weight) in solutions[best].iter().enumerate() {
                let from = if k < 2 * numbers.len() { k % numbers.len() } else { k - 2 * numbers.len() };
                let weight = weight * units[place] / units[from] * 4096.0;
                table.weights.push(weight.round().clamp(-32767.0, 32767.0) as i16);
            }
        }
        Ok(table)
    }

    /// The rows that have a whole window, as readings of [`surprisal::Stream`]: what the predictor leaves of numbers, states,
    /// states before, and columns that are not modelled as they are.
    ///
    /// # Errors
    /// A channel is absent, or a cell is no number.
    pub fn unroll(
        &self,
        frame: &Frame,
        channels: &[String],
        table: &PredictorTable,
        label: Option<&(String, String)>,
    ) -> Result<Frame> {
        let since = self.since(frame)?;
        let whole = self.whole(frame, &since)?;
        let predictor = table.view();
        let numbers = table.numbers();
        let files = channels.iter().map(|name| frame.position(name)).collect::<Result<Vec<_>>>()?;
        // By channel, each row's number in steps.
        let mut fixed = vec![vec![0_i32; files.len()]; frame.rows()];
        for &channel in &numbers {
            for (row, value) in fixed.iter_mut().zip(held(frame, files[channel], &since)?) {
                row[channel] = value.and_then(|value| predictor.fixed(channel, reading(value))).unwrap_or(0);
            }
        }
        let means_before = |&row: &usize| -> Vec<i32> {
            let window = &fixed[row - self.window..row];
            (0..files.len()).map(|channel| predictor.mean(window.iter().map(|past| past[channel]))).collect()
        };
        let means: Vec<Vec<i32>> = whole.iter().map(means_before).collect();
        let mut columns = Vec::with_capacity(frame.columns.len());
        for (at, cells) in frame.columns.iter().enumerate() {
            let channel = files.iter().position(|&file| file == at);
            let number = channel.filter(|channel| numbers.contains(channel));
            let texts = whole.iter().zip(&means).map(|(&row, means)| {
                let text = cells.text(row);
                match number {
                    Some(channel) if !is_missing(text) => {
                        predictor.residual(channel, &fixed[row - 1], means, &fixed[row]).to_string()
                    }
                    _ => text.to_owned(),
                }
            });
            columns.push(Cells::new(cells.name.clone(), texts));
        }
        for channel in predictor.states() {
            let cells = &frame.columns[files[channel]];
            let texts: Vec<String> = whole.iter().map(|&row| cells.text(row - 1).to_owned()).collect();
            columns.push(Cells::new(before(&cells.name), texts));
        }
        // Rows from the field carry no label.
        let label = label.filter(|(column, _)| frame.position(column).is_ok());
        let odd = label.map(|(column, normal)| anomalous_rows(frame, column, normal)).transpose()?.unwrap_or_default();
        let after_odd = |&row: &usize| odd.get(row - self.window..row).is_some_and(|odd| odd.contains(&true));
        Ok(Frame {
            columns,
            lines: whole.iter().map(|&row| frame.lines[row]).collect(),
            mixed: whole.iter().map(after_odd).collect(),
            ..frame.clone()
        })
    }

    /// What there is to say of an unrolled file's columns beforehand: the numbers are whole now.
    pub fn overrides(&self, mut overrides: Overrides, channels: &[String], table: &PredictorTable) -> Overrides {
        for channel in table.numbers() {
            overrides.columns.entry(channels[channel].clone()).or_default().kind = Some(ColumnKind::Integer);
        }
        overrides
    }

    /// States before come first in model order and are given; they are coded as the states.
    pub fn give(&self, schema: &mut Schema, channels: &[String], table: &PredictorTable) {
        for channel in table.view().states() {
            let named =
                |schema: &Schema, name: &str| schema.columns.iter().position(|encoding| schema.name(encoding) == name);
            let (Some(state), Some(given)) =
                (named(schema, &channels[channel]), named(schema, &before(&channels[channel])))
            else {
                continue;
            };
            let (file, source) = (schema.columns[given].file, schema.columns[given].source);
            schema.columns[given] =
                crate::schema::ColumnEncoding { file, source, observed: true, ..schema.columns[state].clone() };
        }
        schema.columns.sort_by_key(|encoding| !encoding.observed);
        schema.predictor = table.clone();
    }
}

/// How rows are dealt: in order if they look back, or are windows of a signal.
pub fn split_strategy(signal: Option<Windows>, history: Option<&History>, seed: u64) -> SplitStrategy {
    history
        .map_or_else(|| windows::split_strategy(signal, seed), |history| SplitStrategy::InOrder { gap: history.window })
}

/// A column's numbers; a missing one holds the last of its session, and before the first of those there is none.
fn held(frame: &Frame, file: usize, since: &[usize]) -> Result<Vec<Option<f64>>> {
    let mut last = None;
    let number = |row: usize| {
        last = last.filter(|_| since[row] != row);
        if !is_missing(frame.columns[file].text(row)) {
            last = Some(frame.number(row, file)?);
        }
        Ok(last)
    };
    (0..frame.rows()).map(number).collect()
}

/// As the board has it: whole numbers as integers, all others as `f32`.
fn reading(value: f64) -> Reading {
    if value.fract() == 0.0 && value.abs() < 2_147_483_648.0 {
        Reading::Integer(value as i32)
    } else {
        Reading::Real(value as f32)
    }
}
