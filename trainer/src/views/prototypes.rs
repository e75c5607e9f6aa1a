//! Finds prototypes by K-means, and the encodings of residuals from them.

use std::collections::HashSet;

use rand::seq::index::sample;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use surprisal::{Kind, Prototypes, PrototypesSlices, Reading, View};

use super::{OwnedView, ViewSettings};
use crate::schema::{ColumnEncoding, Schema, encode_integers, runs};

/// Largest number of distinct values of a numeric column that is left as it is, because it is rather a code than a level.
const CODES: usize = 8;
/// Number of coordinates per standard deviation of a column, as a power of two.
const LOG2_RESOLUTION: f64 = 4.0;
/// Smallest and largest number of prototypes that the fit chooses, if there are enough rows.
const PROTOTYPES: std::ops::RangeInclusive<usize> = 16..=64;
/// Smallest number of training rows per prototype.
const ROWS_PER_PROTOTYPE: usize = 8;
/// Largest number of rows on which prototypes are fitted.
const MOST_ROWS: usize = 10_000;
/// Number of random starts, and largest number of iterations of each.
const STARTS: u64 = 2;
const ITERATIONS: usize = 30;

/// A view whose tables are not fitted yet.
pub struct FoundPrototypes {
    /// The prototypes.
    pub owned: OwnedView,
    /// The columns of the view: the regime, residuals, and the columns that are left as they are.
    pub columns: Vec<ColumnEncoding>,
    /// Sum of the natural logarithms of the steps in which residuals are counted, in units of the readings.
    pub step_units: f64,
}

/// Finds prototypes of the training rows (`[row][source]`) and the encodings of the residuals. Returns `None` if no
/// numeric column has more than eight distinct values, or the rows are too few for two prototypes.
pub fn find(schema: &Schema, train: &[Vec<Reading>], settings: &ViewSettings) -> Option<FoundPrototypes> {
    let axes: Vec<[i32; 4]> = schema.columns.iter().filter_map(|encoding| axis(encoding, train)).collect();
    let most = settings.prototypes.unwrap_or_else(|| most(schema.columns.len(), train.len())).min(255);
    if axes.is_empty() || most < 2 {
        return None;
    }
    let mut random = ChaCha8Rng::seed_from_u64(settings.seed);
    let rows: Vec<Vec<f32>> = if train.len() > MOST_ROWS {
        sample(&mut random, train.len(), MOST_ROWS).iter().map(|row| coordinates(&axes, &train[row])).collect()
    } else {
        train.iter().map(|row| coordinates(&axes, row)).collect()
    };
    let starts = (0..STARTS).map(|_| k_means(&rows, most, &mut random));
    let (_, centres) = starts.min_by(|a, b| a.0.total_cmp(&b.0))?;
    let mut known = HashSet::new();
    let points: Vec<Vec<i8>> =
        centres.iter().map(|centre| rounded(&axes, centre)).filter(|point| known.insert(point.clone())).collect();
    let points: Vec<i8> = points.concat();
    let prototypes = Prototypes::new(PrototypesSlices { columns: &axes, points: &points }).ok()?;
    let nearest: Vec<u8> = train.par_iter().map(|row| prototypes.nearest::<4096>(row)).collect();
    let mut columns = vec![regime(&nearest, prototypes.count())];
    for encoding in &schema.columns {
        let at = axes.iter().position(|axis| axis[0] == i32::from(encoding.source));
        let Some(at) = at else {
            columns.push(encoding.clone());
            continue;
        };
        let source = usize::from(encoding.source);
        let residuals = train.iter().zip(&nearest).filter_map(|(row, &nearest)| {
            match prototypes.residual(at, nearest, row[source]) {
                Reading::Integer(residual) => Some(residual),
                _ => None,
            }
        });
        let mut residual = ColumnEncoding { labels: Vec::new(), ..encoding.clone() };
        let cells = if encoding.cells > 0 { encoding.cells } else { settings.cells };
        let runs = || runs(train.iter().map(|row| row[source]).filter(|reading| !reading.is_missing()));
        encode_integers(&mut residual, residuals, runs, cells);
        columns.push(residual);
    }
    let step_units = axes.iter().map(|axis| f64::from(axis[1] - 8) * 2f64.ln()).sum();
    Some(FoundPrototypes {
        owned: OwnedView { prototype_columns: axes, points, ..OwnedView::default() },
        columns,
        step_units,
    })
}

/// Returns the largest number of prototypes that a fit chooses for so many columns and training rows.
pub fn most(columns: usize, rows: usize) -> usize {
    // Many columns need many prototypes: as many as columns, rounded up to a power of two.
    let wanted = columns.next_power_of_two().clamp(*PROTOTYPES.start(), *PROTOTYPES.end());
    wanted.min(rows / ROWS_PER_PROTOTYPE)
}

/// Returns the encoding of the index of the nearest prototype.
fn regime(nearest: &[u8], count: usize) -> ColumnEncoding {
    let mut counts: Vec<(i32, usize)> = (0..count as i32).map(|code| (code, 0)).collect();
    nearest.iter().for_each(|&code| counts[usize::from(code)].1 += 1);
    counts.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
    let values = counts.into_iter().map(|(code, _)| code).collect();
    ColumnEncoding { source: View::REGIME, kind: Kind::Category, values, ..ColumnEncoding::default() }
}

/// Returns the scale, origin and shift of a column in the space of the prototypes, as in [`PrototypesSlices::columns`],
/// or `None` for a column that is left as it is.
fn axis(encoding: &ColumnEncoding, train: &[Vec<Reading>]) -> Option<[i32; 4]> {
    let source = usize::from(encoding.source);
    if !encoding.is_number() || encoding.observed {
        return None;
    }
    let mut values: Vec<f64> = train.iter().filter_map(|row| number(row[source])).collect();
    // Isolated extremes, such as values for "no reading", would make the coordinates of all others coarse.
    if let Some((least, most)) = encoding.bulk {
        values.retain(|value| (least..=most).contains(value));
    }
    values.sort_by(f64::total_cmp);
    // More distinct values than codes.
    values.chunk_by(|a, b| a == b).nth(CODES)?;
    let spread = spread(&values);
    // One step per unit of an integer; about 4096 steps per standard deviation of a real number, but so few that the
    // number itself stays below 2^30 steps.
    let reach = values[0].abs().max(values[values.len() - 1].abs()).max(f64::MIN_POSITIVE);
    let scale = match encoding.kind {
        Kind::Integer => 8,
        _ => (spread.log2().floor() - 4.0).max(reach.log2().ceil() + 8.0 - 30.0).clamp(-120.0, 120.0) as i32,
    };
    let steps = 256.0 / f64::from(scale).exp2();
    let origin = (values[values.len() / 2] * steps).round() as i32;
    let shift = ((spread * steps).log2() - LOG2_RESOLUTION).round().clamp(-6.0, 30.0) as i32;
    Some([encoding.source.into(), scale, origin, shift])
}

/// Returns the scale of ascending values: the standard deviation or a quarter of the range, whichever is larger, both
/// without the outermost thousandth at each end.
fn spread(values: &[f64]) -> f64 {
    let cut = values.len() / 1000;
    let values = &values[cut..values.len() - cut];
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let deviation = (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / n).sqrt();
    let scale = deviation.max((values[values.len() - 1] - values[0]) / 4.0);
    if scale > 0.0 { scale } else { 1.0 }
}

fn number(reading: Reading) -> Option<f64> {
    match reading {
        Reading::Integer(value) => Some(value.into()),
        Reading::Real(value) if value.is_finite() => Some(value.into()),
        _ => None,
    }
}

/// Returns the coordinates of a row, within ±127 as on the device. A missing reading is at the origin.
fn coordinates(axes: &[[i32; 4]], row: &[Reading]) -> Vec<f32> {
    let coordinate = |&[source, scale, origin, shift]: &[i32; 4]| {
        let Some(value) = number(row[source as usize]) else { return 0.0 };
        let steps = value * 256.0 / f64::from(scale).exp2() - f64::from(origin);
        (steps / f64::from(shift).exp2()).clamp(-127.0, 127.0) as f32
    };
    axes.iter().map(coordinate).collect()
}

/// Rounds a centre to the coordinates that a table stores: whole numbers, and whole steps.
fn rounded(axes: &[[i32; 4]], centre: &[f32]) -> Vec<i8> {
    let round = |(&[.., shift], &coordinate): (&[i32; 4], &f32)| {
        let step = f64::from((-shift).max(0)).exp2();
        let last = (127.0 / step).floor();
        ((f64::from(coordinate) / step).round().clamp(-last, last) * step) as i8
    };
    axes.iter().zip(centre).map(round).collect()
}

/// Returns (sum of squared distances, centres) of K-means from one random start (Lloyd 1982; seeds as in k-means++,
/// Arthur & Vassilvitskii 2007).
fn k_means(rows: &[Vec<f32>], most: usize, random: &mut ChaCha8Rng) -> (f64, Vec<Vec<f32>>) {
    let first = random.random_range(0..rows.len());
    let mut centres = vec![rows[first].clone()];
    let mut nearest: Vec<f32> = rows.par_iter().map(|row| squared(row, &centres[0])).collect();
    while centres.len() < most.min(rows.len()) {
        let total: f64 = nearest.iter().map(|&distance| f64::from(distance)).sum();
        if total <= 0.0 {
            break;
        }
        let mut left = random.random::<f64>() * total;
        let chosen = nearest.iter().position(|&distance| {
            left -= f64::from(distance);
            left < 0.0
        });
        let centre = rows[chosen.unwrap_or(rows.len() - 1)].clone();
        nearest.par_iter_mut().zip(rows).for_each(|(nearest, row)| *nearest = nearest.min(squared(row, &centre)));
        centres.push(centre);
    }
    let mut last = f64::INFINITY;
    for _ in 0..ITERATIONS {
        let assigned: Vec<(f32, usize)> = rows.par_iter().map(|row| closest(row, &centres)).collect();
        let total: f64 = assigned.iter().map(|&(distance, _)| f64::from(distance)).sum();
        let mut sums = vec![(0u32, vec![0f64; rows[0].len()]); centres.len()];
        for (row, &(_, at)) in rows.iter().zip(&assigned) {
            sums[at].0 += 1;
            sums[at].1.iter_mut().zip(row).for_each(|(sum, &x)| *sum += f64::from(x));
        }
        for (centre, (count, sum)) in centres.iter_mut().zip(sums).filter(|(_, (count, _))| *count > 0) {
            *centre = sum.iter().map(|sum| (sum / f64::from(count)) as f32).collect();
        }
        if total > last * (1.0 - 1e-4) {
            last = total;
            break;
        }
        last = total;
    }
    (last, centres)
}

fn closest(row: &[f32], centres: &[Vec<f32>]) -> (f32, usize) {
    let distances = centres.iter().enumerate().map(|(at, centre)| (squared(row, centre), at));
    distances.min_by(|a, b| a.0.total_cmp(&b.0)).unwrap_or((0.0, 0))
}

fn squared(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
}
