//! Samples from a model, as readings in the units of the training file.

use std::collections::VecDeque;

use rand::{Rng, RngExt};
use surprisal::{Column, Kind, Predictor, Reading, Table, View, ViewTable, total_order};

use crate::artefact::Artefact;
use crate::error::{Error, Result};
use crate::predictor::PredictorTable;
use crate::schema::{ColumnEncoding, Schema, from_total_order};
use crate::{with_shape, with_views};

/// Returns the encoding of each column that is sampled, in file order.
fn columns(artefact: &Artefact) -> Vec<&ColumnEncoding> {
    let mut columns: Vec<_> = artefact.schema.columns.iter().filter(|encoding| !encoding.observed).collect();
    columns.sort_by_key(|encoding| encoding.source);
    columns
}

/// Returns the names of the columns that [`sample`] draws, in file order.
///
/// # Errors
/// [`Error::Option`] if the model takes a column as given, so that no row can be drawn.
pub fn sampled_columns(artefact: &Artefact) -> Result<Vec<String>> {
    if let [name, ..] = artefact.schema.given()[..] {
        let message = format!(
            "the model takes `{name}` as given and does not know how it is distributed, so that no row can be drawn; fit without \
             --given to sample"
        );
        return Err(Error::option("--given", message));
    }
    Ok(columns(artefact).iter().map(|encoding| artefact.schema.name(encoding).to_owned()).collect())
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
    sampled_columns(artefact)?;
    let (columns, drawn) = (columns(artefact), sampler(artefact)?);
    if artefact.schema.predictor.view().window() > 0 {
        return series(&artefact.schema.predictor, &columns, rows, random, drawn, row);
    }
    let unknown = vec![Reading::Missing; columns.len()];
    (0..rows).try_for_each(|_| {
        let readings = drawn(&unknown, random)?;
        row(columns.iter().map(|encoding| text(encoding, readings[usize::from(encoding.source)])).collect())
    })
}

/// Draws rows as [`sample`] does and returns their readings: `[row][source]`. The model must not be one of a time
/// series.
///
/// # Errors
/// The errors of [`sampled_columns`], and [`Error::Table`] if the table of the artefact cannot be read.
pub fn readings(artefact: &Artefact, rows: usize, random: &mut impl Rng) -> Result<Vec<Vec<Reading>>> {
    sampled_columns(artefact)?;
    let (unknown, drawn) = (vec![Reading::Missing; artefact.schema.columns.len()], sampler(artefact)?);
    (0..rows).map(|_| drawn(&unknown, random)).collect()
}

/// A function that draws a row and returns its readings (`[source]`), given the readings of its observed columns.
type Sampler<'a, R> = Box<dyn Fn(&[Reading], &mut R) -> Result<Vec<Reading>> + 'a>;

fn sampler<R: Rng>(artefact: &Artefact) -> Result<Sampler<'_, R>> {
    Ok(match artefact.shape.views {
        0 => with_shape!(artefact.shape, N, H, K => {
            let table = artefact.table::<N, H, K>()?;
            Box::new(move |before, random| row_of_bits(&table, &artefact.schema, before, random))
        }),
        _ => with_views!(artefact.shape, C, V => {
            let table = artefact.view_table::<C, V>()?;
            Box::new(move |before, random| row_of_views(&table, before, random))
        }),
    })
}

/// Draws a row from a model of bits.
fn row_of_bits<const N: usize, const H: usize, const K: usize>(
    table: &Table<N, H, K>,
    schema: &Schema,
    before: &[Reading],
    random: &mut impl Rng,
) -> Result<Vec<Reading>> {
    // Observed columns come first in model order.
    let (mut bits, mut observed) = ([false; N], 0);
    for (column, own) in table.encoder.columns() {
        if schema.of_source(column.source).is_some_and(|encoding| encoding.observed) {
            column.encode(before, &mut bits[own.clone()])?;
            observed = own.end;
        }
    }
    let bits = table.model.complete(&bits[..observed], || random.next_u32() as u16);
    let mut readings = before.to_vec();
    let mut columns: Vec<_> = table.encoder.columns().filter(|(_, own)| own.start >= observed).collect();
    columns.sort_by_key(|(column, _)| column.source);
    for (column, own) in columns {
        readings[usize::from(column.source)] = draw(&column, column.decode(&bits[own]), random);
    }
    Ok(readings)
}

/// Number of rows that are drawn until one lies nearest to the prototype that it was drawn for.
const ATTEMPTS: usize = 100;

/// Draws a row from a table of views. A row of residuals that lies nearer to another prototype than to its own has
/// another density than the one it was drawn with, and is drawn again.
fn row_of_views<const C: usize, const V: usize>(
    table: &ViewTable<C, V>,
    before: &[Reading],
    random: &mut impl Rng,
) -> Result<Vec<Reading>> {
    let view = &table.views[random.random_range(0..V)];
    for _ in 1..ATTEMPTS {
        let (readings, regime) = row_of_view(table, view, before, random)?;
        if view.regime::<C>(&readings).is_none_or(|nearest| nearest.index == regime) {
            return Ok(readings);
        }
    }
    Ok(row_of_view(table, view, before, random)?.0)
}

/// Draws a row from a view, and returns it with its prototype.
fn row_of_view<const C: usize, const V: usize>(
    table: &ViewTable<C, V>,
    view: &View,
    before: &[Reading],
    random: &mut impl Rng,
) -> Result<(Vec<Reading>, u8)> {
    let (mut row, rows) = ([0; C], view.tables.slices().columns);
    for (at, (column, _)) in view.encoder.columns().enumerate().filter(|(at, _)| rows[*at][1] == 0) {
        row[at] = column.outcome_index(before)?;
    }
    view.tables.sample(&mut row, || random.next_u32() as u16);
    let (mut readings, mut regime) = (before.to_vec(), 0);
    let axes = view.prototypes.slices().columns;
    for (at, (column, _)) in view.encoder.columns().enumerate().filter(|(at, _)| rows[*at][1] > 0) {
        let outcome = usize::from(row[at]);
        let is_missing = column.may_miss && outcome + 1 == column.outcomes();
        let drawn = draw(&column, (!is_missing).then_some(outcome), random);
        if column.source == View::REGIME {
            regime = if let Reading::Integer(code) = drawn { code.clamp(0, 255) as u8 } else { 0 };
            continue;
        }
        let axis = axes.iter().position(|axis| axis[0] == i32::from(column.source));
        let is_real = |source: u16| {
            table.views[0].encoder.columns().any(|(column, _)| column.source == source && column.kind == Kind::Real)
        };
        readings[usize::from(column.source)] = match (axis, drawn) {
            (Some(axis), Reading::Integer(residual)) => {
                let steps = f64::from(residual) + view.prototypes.centre(axis, regime) as f64;
                let value = steps * f64::from(axes[axis][1]).exp2() / 256.0;
                if is_real(column.source) {
                    Reading::Real(value as f32)
                } else {
                    Reading::Integer(value.round() as i32)
                }
            }
            (_, drawn) => drawn,
        };
    }
    Ok((readings, regime))
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
    Ok((sampled_columns(artefact)?, drawn))
}

/// Draws the rows of a time series: the residuals of each row given the earlier rows, to which the prediction is added.
fn series<R: Rng, E: From<Error>>(
    units: &PredictorTable,
    channels: &[&ColumnEncoding],
    rows: u64,
    random: &mut R,
    drawn: Sampler<R>,
    mut row: impl FnMut(Vec<String>) -> Result<(), E>,
) -> Result<(), E> {
    let predictor = units.view();
    let most_frequent = |encoding: &&ColumnEncoding| match encoding.kind {
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
        let readings: Vec<Reading> = last.iter().map(|_| Reading::Integer(0)).chain(before).collect();
        let readings = drawn(&readings, random)?;
        let mean = |channel: usize| predictor.mean(past.iter().map(|row| row[channel]));
        let means: Vec<i32> = (0..channels.len()).map(mean).collect();
        let mut now = last.clone();
        let mut cells = Vec::with_capacity(channels.len());
        for (channel, &encoding) in channels.iter().enumerate() {
            let drawn = readings[usize::from(encoding.source)];
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

/// Draws a reading that has an outcome of a column, or a missing one for `None`. An unknown code is the smallest one that
/// no training row has.
fn draw(column: &Column, outcome: Option<usize>, random: &mut impl Rng) -> Reading {
    let Some(outcome) = outcome else { return Reading::Missing };
    let values = column.values;
    match column.kind {
        Kind::Flag { flipped } => Reading::Integer(i32::from((outcome == 1) != flipped)),
        Kind::Integer if outcome == 0 => Reading::Integer(values[0]),
        Kind::Integer if outcome == values.len() => Reading::Integer(values[outcome - 1].saturating_add(1)),
        Kind::Integer => Reading::Integer(random.random_range(values[outcome - 1].saturating_add(1)..=values[outcome])),
        Kind::Real => {
            // Key -1 is that of -0, which would be read as +0. An edge next to the largest number is infinite.
            let real = |key: i32| from_total_order(if key == -1 { -2 } else { key }).clamp(f32::MIN, f32::MAX);
            let key = match outcome {
                0 => values[0],
                _ if outcome == values.len() => values[outcome - 1].saturating_add(1),
                _ => {
                    let (low, high) = (values[outcome - 1], values[outcome]);
                    let (width, share) = (real(high) - real(low), random.random::<f32>());
                    let is_wide = width.is_infinite();
                    let drawn = if is_wide {
                        real(low) * (1.0 - share) + real(high) * share
                    } else {
                        real(low) + width * share
                    };
                    total_order(drawn).clamp(low.saturating_add(1), high)
                }
            };
            Reading::Real(real(key))
        }
        _ => Reading::Integer(
            values
                .get(outcome)
                .copied()
                .unwrap_or_else(|| (0..=i32::MAX).find(|code| !values.contains(code)).unwrap_or(i32::MIN)),
        ),
    }
}

/// Returns the CSV cell of a reading of a column; empty if the reading is missing.
pub fn text(encoding: &ColumnEncoding, reading: Reading) -> String {
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
