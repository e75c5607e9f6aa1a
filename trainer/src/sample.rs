//! Samples from a model, as readings in the units of the training file.

use std::collections::VecDeque;

use anyhow::Result;
use rand::{Rng, RngExt};
use surprisal::{Kind, Predictor, Reading, Table, total_order};

use crate::artefact::Artefact;
use crate::schema::{Coding, from_total_order};
use crate::stream::PredictorTable;
use crate::with_shape;

/// Index of a column's first bit, and the column.
type ColumnAt<'a> = (usize, &'a Coding);

/// Draws rows from a model; returns the names of the modelled columns in file order and the CSV cells of each row.
///
/// Within a cell of a numeric column the value is drawn uniformly. Below or above the training range it is the end of
/// the range. An unseen category is drawn as a text that no training row has.
///
/// A model of a time series yields a series, each row drawn given the rows before. The series starts after rows of
/// training means and most frequent states; a first window of rows is drawn and discarded.
///
/// # Errors
/// The table of the artefact cannot be read.
pub fn sampled_rows(
    artefact: &Artefact,
    rows: usize,
    random: &mut impl Rng,
) -> Result<(Vec<String>, Vec<Vec<String>>)> {
    let (mut columns, mut first): (Vec<ColumnAt>, _) = (Vec::new(), 0);
    for coding in &artefact.schema.columns {
        columns.push((first, coding));
        first += coding.column().bits();
    }
    columns.sort_by_key(|(_, coding)| coding.source);
    columns.retain(|(_, coding)| !coding.given);
    let names = columns.iter().map(|(_, coding)| artefact.schema.name(coding).to_owned()).collect();
    let drawn = with_shape!(artefact.shape, N, H, K => {
        let table = artefact.table::<N, H, K>()?;
        if table.predictor.window() > 0 {
            series(&table, &artefact.schema.predictor, &columns, rows, random)?
        } else {
            let mut draw = || {
                let row = table.model.sample(|| random.next_u32() as u16);
                columns.iter().map(|&(first, coding)| cell(coding, &row[first..], random)).collect()
            };
            (0..rows).map(|_| draw()).collect()
        }
    });
    Ok((names, drawn))
}

/// Draws the residuals of each row given the rows before, and adds the prediction.
fn series<const N: usize, const H: usize, const K: usize>(
    table: &Table<N, H, K>,
    units: &PredictorTable,
    channels: &[ColumnAt],
    rows: usize,
    random: &mut impl Rng,
) -> Result<Vec<Vec<String>>> {
    let predictor = table.predictor;
    // Observed bits come first in model order.
    let observed = channels.iter().map(|(first, _)| *first).min().unwrap_or(0);
    let most_frequent = |&(_, coding): &ColumnAt| match coding.kind {
        Kind::Flag { flipped } => i32::from(flipped),
        Kind::Category => coding.values.first().copied().unwrap_or(0),
        _ => 0,
    };
    let mut past = VecDeque::from(vec![channels.iter().map(most_frequent).collect::<Vec<i32>>(); predictor.window()]);
    let mut drawn = Vec::with_capacity(rows);
    for at in 0..predictor.window() + rows {
        let last = past.back().cloned().unwrap_or_default();
        let before = predictor.states().map(|state| match last[state] {
            Predictor::STATE => Reading::Missing,
            code => Reading::Integer(code),
        });
        // The encoding uses the earlier states of these readings only.
        let readings: Vec<Reading> = last.iter().map(|_| Reading::Integer(0)).chain(before).collect();
        let mut bits = [false; N];
        table.encoder.encode(&readings, &mut bits)?;
        let bits = table.model.complete(&bits[..observed], || random.next_u32() as u16);
        let mean = |channel: usize| predictor.mean(past.iter().map(|row| row[channel]));
        let means: Vec<i32> = (0..channels.len()).map(mean).collect();
        let mut now = last.clone();
        let mut cells = Vec::with_capacity(channels.len());
        for (channel, &(first, coding)) in channels.iter().enumerate() {
            let mut text = cell(coding, &bits[first..], random);
            if matches!(coding.kind, Kind::Flag { .. } | Kind::Category) {
                now[channel] = if text.is_empty() { Predictor::STATE } else { code(coding, &text) };
            } else if let Ok(residual) = text.parse::<i32>() {
                now[channel] = 0;
                let expected = -i64::from(predictor.residual(channel, &last, &means, &now));
                now[channel] = (i64::from(residual) + expected).clamp((-i32::MAX).into(), i32::MAX.into()) as i32;
                text = (units.number(channel, now[channel]) as f32).to_string();
            }
            cells.push(text);
        }
        past.pop_front();
        past.push_back(now);
        if at >= predictor.window() {
            drawn.push(cells);
        }
    }
    Ok(drawn)
}

/// Returns the code of a state, as the board has it.
fn code(coding: &Coding, text: &str) -> i32 {
    let label = coding.labels.iter().position(|label| label == text);
    label.map_or_else(|| text.parse().unwrap_or(-1), |code| code as i32)
}

/// Returns the CSV cell of a column's outcome; empty if the reading is missing.
fn cell(coding: &Coding, bits: &[bool], random: &mut impl Rng) -> String {
    let Some(outcome) = coding.column().decode(bits) else { return String::new() };
    let values = &coding.values;
    match coding.kind {
        Kind::Flag { flipped } => u8::from((outcome == 1) != flipped).to_string(),
        Kind::Integer if outcome == 0 => values[0].to_string(),
        Kind::Integer if outcome == values.len() => values[outcome - 1].saturating_add(1).to_string(),
        Kind::Integer => random.random_range(values[outcome - 1].saturating_add(1)..=values[outcome]).to_string(),
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
            real(key).to_string()
        }
        _ => match coding.values.get(outcome) {
            Some(&code) => coding.labels.get(code as usize).cloned().unwrap_or_else(|| code.to_string()),
            None => other(coding),
        },
    }
}

/// Returns a value that is not one of a category's known values.
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
