//! Rows drawn from a model, as readings.

use std::collections::VecDeque;

use rand::{Rng, RngExt};
use surprisal::{Kind, Predictor, Reading, Table, total_order};

use crate::artefact::Artefact;
use crate::error::{Error, Result};
use crate::schema::{Coding, from_total_order};
use crate::stream::PredictorTable;
use crate::with_shape;

/// A column and its first bit.
type Place<'a> = (usize, &'a Coding);

/// The columns of a model that are sampled, in file order.
fn places(artefact: &Artefact) -> Vec<Place<'_>> {
    let (mut places, mut first): (Vec<Place>, _) = (Vec::new(), 0);
    for coding in &artefact.schema.columns {
        places.push((first, coding));
        first += coding.column().bits();
    }
    places.sort_by_key(|(_, coding)| coding.source);
    places.retain(|(_, coding)| !coding.given);
    places
}

/// Returns the names of the columns that [`sample`] draws, in file order.
pub fn sampled_columns(artefact: &Artefact) -> Vec<String> {
    places(artefact).iter().map(|(_, coding)| artefact.schema.name(coding).to_owned()).collect()
}

/// Draws rows from the model and passes each to `row` as the cells of a CSV, in the order of [`sampled_columns`]. Memory
/// does not grow with the number of rows, and an error of `row` ends the sampling.
///
/// Within a cell of a numeric column the value is drawn uniformly; below or above the training range it is the end of the
/// range; a category outside the training values is one text or code that the column does not have.
///
/// The rows of a model of a time series are a series, each drawn given the rows before it. A window of rows is drawn first
/// and not passed on, after rows of the training means and the likeliest states.
///
/// # Errors
/// [`Error::Table`] if the artefact's table cannot be read; the errors of `row`.
pub fn sample<E: From<Error>>(
    artefact: &Artefact,
    rows: u64,
    random: &mut impl Rng,
    mut row: impl FnMut(Vec<String>) -> Result<(), E>,
) -> Result<(), E> {
    let places = places(artefact);
    with_shape!(artefact.shape, N, H, K => {
        let table = artefact.table::<N, H, K>().map_err(Error::from)?;
        if table.predictor.window() > 0 {
            series(&table, &artefact.schema.predictor, &places, rows, random, row)
        } else {
            (0..rows).try_for_each(|_| {
                let bits = table.model.sample(|| random.next_u32() as u16);
                row(places.iter().map(|&(first, coding)| cell(coding, &bits[first..], random)).collect())
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

/// Draws what is left of each row given the rows before, and adds what is expected of it.
fn series<const N: usize, const H: usize, const K: usize, E: From<Error>>(
    table: &Table<N, H, K>,
    units: &PredictorTable,
    channels: &[Place],
    rows: u64,
    random: &mut impl Rng,
    mut row: impl FnMut(Vec<String>) -> Result<(), E>,
) -> Result<(), E> {
    let predictor = table.predictor;
    // What is given comes first in model order.
    let given = channels.iter().map(|(first, _)| *first).min().unwrap_or(0);
    let likeliest = |&(_, coding): &Place| match coding.kind {
        Kind::Flag { flipped } => i32::from(flipped),
        Kind::Category => coding.values.first().copied().unwrap_or(0),
        _ => 0,
    };
    let mut past = VecDeque::from(vec![channels.iter().map(likeliest).collect::<Vec<i32>>(); predictor.window()]);
    let window = predictor.window() as u64;
    for at in 0..window.saturating_add(rows) {
        let last = past.back().cloned().unwrap_or_default();
        let before = predictor.states().map(|state| match last[state] {
            Predictor::STATE => Reading::Missing,
            code => Reading::Integer(code),
        });
        // Of these only the states before are taken.
        let readings: Vec<Reading> = last.iter().map(|_| Reading::Integer(0)).chain(before).collect();
        let mut bits = [false; N];
        table.encoder.encode(&readings, &mut bits).map_err(Error::from)?;
        let bits = table.model.complete(&bits[..given], || random.next_u32() as u16);
        let mean = |channel: usize| predictor.mean(past.iter().map(|row| row[channel]));
        let means: Vec<i32> = (0..channels.len()).map(mean).collect();
        let mut now = last.clone();
        let mut cells = Vec::with_capacity(channels.len());
        for (channel, &(first, coding)) in channels.iter().enumerate() {
            let mut text = cell(coding, &bits[first..], random);
            if matches!(coding.kind, Kind::Flag { .. } | Kind::Category) {
                now[channel] = if text.is_empty() { Predictor::STATE } else { code(coding, &text) };
            } else if let Ok(left) = text.parse::<i32>() {
                now[channel] = 0;
                let expected = -i64::from(predictor.residual(channel, &last, &means, &now));
                now[channel] = (i64::from(left) + expected).clamp((-i32::MAX).into(), i32::MAX.into()) as i32;
                text = (units.number(channel, now[channel]) as f32).to_string();
            }
            cells.push(text);
        }
        past.pop_front();
        past.push_back(now);
        if at >= window {
            row(cells)?;
        }
    }
    Ok(())
}

/// A state's code, as the board has it.
fn code(coding: &Coding, text: &str) -> i32 {
    let label = coding.labels.iter().position(|label| label == text);
    label.map_or_else(|| text.parse().unwrap_or(-1), |code| code as i32)
}

fn cell(coding: &Coding, bits: &[bool], random: &mut impl Rng) -> String {
    let Some(outcome) = coding.column().decode(bits) else { return String::new() };
    let values = &coding.values;
    match coding.kind {
        Kind::Flag { flipped } => u8::from((outcome == 1) != flipped).to_string(),
        Kind::Integer if outcome == 0 => values[0].to_string(),
        Kind::Integer if outcome == values.len() => values[outcome - 1].saturating_add(1).to_string(),
        Kind::Integer => random.random_range(values[outcome - 1].saturating_add(1)..=values[outcome]).to_string(),
        Kind::Real => {
            // The key between those of the two smallest numbers around zero belongs to -0, which reads as +0.
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
            real(key).to_string()
        }
        _ => match coding.values.get(outcome) {
            Some(&code) => coding.labels.get(code as usize).cloned().unwrap_or_else(|| code.to_string()),
            None => other(coding),
        },
    }
}

/// A category's value that is none of those known.
fn other(coding: &Coding) -> String {
    if coding.labels.is_empty() {
        let mut codes = (0..=i32::MAX).filter(|code| !coding.values.contains(code));
        return codes.next().unwrap_or(i32::MIN).to_string();
    }
    let mut text = "other".to_owned();
    while coding.labels.contains(&text) {
        text.push('_');
    }
    text
}
