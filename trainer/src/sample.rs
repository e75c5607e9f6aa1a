//! Samples from a model, as readings in the units of the training file.

use std::collections::VecDeque;

use rand::{Rng, RngExt};
use surprisal::{Kind, Predictor, Reading, Table, total_order};

use crate::artefact::Artefact;
use crate::error::{Error, Result};
use crate::predictor::PredictorTable;
use crate::schema::{ColumnEncoding, from_total_order};
use crate::with_shape;

/// (index of the column's first bit, encoding of the column).
type ColumnAt<'a> = (usize, &'a ColumnEncoding);

/// Returns (index of the first bit, encoding) of each column that is sampled, in file order.
fn columns(artefact: &Artefact) -> Vec<ColumnAt<'_>> {
    let mut columns: Vec<ColumnAt> = artefact.schema.bit_offsets().into_iter().zip(&artefact.schema.columns).collect();
    columns.sort_by_key(|(_, encoding)| encoding.source);
    columns.retain(|(_, encoding)| !encoding.observed);
    columns
}

/// Returns the names of the columns that [`sample`] draws, in file order.
pub fn sampled_columns(artefact: &Artefact) -> Vec<String> {
    columns(artefact).iter().map(|(_, encoding)| artefact.schema.name(encoding).to_owned()).collect()
}

/// Draws rows from the model and passes each to `row` as the cells of a CSV, in the order of [`sampled_columns`].
/// Memory does not grow with the number of rows, and an error of `row` ends the sampling.
///
/// Within a cell of a numeric column the value is drawn uniformly. A value below or above the training range becomes
/// the end of the range. The outcome of unknown categories becomes a text that no training row has.
///
/// A model of a time series yields a series, each row conditional on the rows before it. The series starts after rows of
/// training means and most frequent states; a first window of rows is drawn and discarded.
///
/// # Errors
/// [`Error::Table`] if the table of the artefact cannot be read; the errors of `row`.
pub fn sample<E: From<Error>>(
    artefact: &Artefact,
    rows: u64,
    random: &mut impl Rng,
    mut row: impl FnMut(Vec<String>) -> Result<(), E>,
) -> Result<(), E> {
    let columns = columns(artefact);
    with_shape!(artefact.shape, N, H, K => {
        let table = artefact.table::<N, H, K>().map_err(Error::from)?;
        if table.predictor.window() > 0 {
            series(&table, &artefact.schema.predictor, &columns, rows, random, row)
        } else {
            (0..rows).try_for_each(|_| {
                let bits = table.model.sample(|| random.next_u32() as u16);
                let cell = |&(first, encoding): &ColumnAt| text(encoding, draw(encoding, &bits[first..], random));
                row(columns.iter().map(cell).collect())
            })
        }
    })
}

/// Draws rows as [`sample`] does and returns the column names and the rows, all in memory.
///
/// # Errors
/// [`Error::Table`] if the artefact's table cannot be read.
pub fn sampled_rows(
    artefact: &Artefact,
    rows: usize,
    random: &mut impl Rng,
) -> Result<(Vec<String>, Vec<Vec<String>>)> {
    let mut drawn = Vec::new();
    sample(artefact, rows as u64, random, |row| {
        drawn.push(row);
        Ok::<(), Error>(())
    })?;
    Ok((sampled_columns(artefact), drawn))
}

/// Draws the rows of a time series: the residuals of each row given the earlier rows, to which the prediction is added.
fn series<const N: usize, const H: usize, const K: usize, E: From<Error>>(
    table: &Table<N, H, K>,
    units: &PredictorTable,
    channels: &[ColumnAt],
    rows: u64,
    random: &mut impl Rng,
    mut row: impl FnMut(Vec<String>) -> Result<(), E>,
) -> Result<(), E> {
    let predictor = table.predictor;
    // Observed bits come first in model order.
    let observed = channels.iter().map(|(first, _)| *first).min().unwrap_or(0);
    let most_frequent = |&(_, encoding): &ColumnAt| match encoding.kind {
        Kind::Flag { flipped } => i32::from(flipped),
        Kind::Category => encoding.values.first().copied().unwrap_or(0),
        _ => 0,
    };
    let mut past = VecDeque::from(vec![channels.iter().map(most_frequent).collect::<Vec<i32>>(); predictor.window()]);
    let window = predictor.window() as u64;
    for at in 0..window.saturating_add(rows) {
        let last = past.back().cloned().unwrap_or_default();
        let before = predictor.states().map(|state| match last[state] {
            Predictor::STATE => Reading::Missing,
            code => Reading::Integer(code),
        });
        // The encoding uses the earlier states of these readings only.
        let readings: Vec<Reading> = last.iter().map(|_| Reading::Integer(0)).chain(before).collect();
        let mut bits = [false; N];
        table.encoder.encode(&readings, &mut bits).map_err(Error::from)?;
        let bits = table.model.complete(&bits[..observed], || random.next_u32() as u16);
        let mean = |channel: usize| predictor.mean(past.iter().map(|row| row[channel]));
        let means: Vec<i32> = (0..channels.len()).map(mean).collect();
        let mut now = last.clone();
        let mut cells = Vec::with_capacity(channels.len());
        for (channel, &(first, encoding)) in channels.iter().enumerate() {
            let drawn = draw(encoding, &bits[first..], random);
            cells.push(match (encoding.kind, drawn) {
                (Kind::Flag { .. } | Kind::Category, drawn) => {
                    now[channel] = if let Reading::Integer(code) = drawn { code } else { Predictor::STATE };
                    text(encoding, drawn)
                }
                (_, Reading::Integer(residual)) => {
                    now[channel] = 0;
                    let expected = -i64::from(predictor.residual(channel, &last, &means, &now));
                    now[channel] = (i64::from(residual) + expected).clamp((-i32::MAX).into(), i32::MAX.into()) as i32;
                    (units.number(channel, now[channel]) as f32).to_string()
                }
                _ => text(encoding, drawn),
            });
        }
        past.pop_front();
        past.push_back(now);
        if at >= window {
            row(cells)?;
        }
    }
    Ok(())
}

/// Draws a reading that has the outcome of a column's bits. An unknown text has the code -1, and an unknown code is the
/// smallest one that no training row has.
fn draw(encoding: &ColumnEncoding, bits: &[bool], random: &mut impl Rng) -> Reading {
    let Some(outcome) = encoding.column().decode(bits) else { return Reading::Missing };
    let values = &encoding.values;
    match encoding.kind {
        Kind::Flag { flipped } => Reading::Integer(i32::from((outcome == 1) != flipped)),
        Kind::Integer if outcome == 0 => Reading::Integer(values[0]),
        Kind::Integer if outcome == values.len() => Reading::Integer(values[outcome - 1].saturating_add(1)),
        Kind::Integer => Reading::Integer(random.random_range(values[outcome - 1].saturating_add(1)..=values[outcome])),
        Kind::Real => {
            // Key -1 is that of -0, which would be read as +0.
            let real = |key: i32| from_total_order(if key == -1 { -2 } else { key });
            let key = match outcome {
                0 => values[0],
                _ if outcome == values.len() => values[outcome - 1].saturating_add(1),
                _ => {
                    let (low, high) = (values[outcome - 1], values[outcome]);
                    let drawn = real(low) + (real(high) - real(low)) * random.random::<f32>();
                    total_order(drawn).clamp(low.saturating_add(1), high)
                }
            };
            Reading::Real(real(key))
        }
        _ => Reading::Integer(values.get(outcome).copied().unwrap_or_else(|| {
            let unknown = (0..=i32::MAX).find(|code| !values.contains(code)).unwrap_or(i32::MIN);
            if encoding.labels.is_empty() { unknown } else { -1 }
        })),
    }
}

/// Returns the CSV cell of a drawn reading; empty if the reading is missing.
fn text(encoding: &ColumnEncoding, reading: Reading) -> String {
    match reading {
        Reading::Integer(code) if !encoding.labels.is_empty() => {
            let label = usize::try_from(code).ok().and_then(|code| encoding.labels.get(code));
            label.cloned().unwrap_or_else(|| unknown_text(&encoding.labels))
        }
        Reading::Integer(value) => value.to_string(),
        Reading::Real(value) => value.to_string(),
        _ => String::new(),
    }
}

/// Returns a text that is not one of a category's known texts.
fn unknown_text(labels: &[String]) -> String {
    let mut text = "other".to_owned();
    while labels.contains(&text) {
        text.push('_');
    }
    text
}
