//! Divides a numeric column into cells (bins), between edges that a few extremes do not move.

use surprisal::{Column, Kind};

use super::encoding::{ColumnEncoding, from_total_order};
use super::extremes::{Divided, REPEATS, spread};

/// The distance of the outermost quantile levels from the median, in standard deviations of a normal distribution.
const REACH: f64 = 3.0;
/// Largest number of distinct values for which each value gets a cell of its own.
const FEW: usize = 16;
/// Smallest width of a cell, and scale of the tails, as a fraction of the column's scale.
const GRAIN: f64 = 0.1;

/// Divides a numeric column into cells: sets edges, pivot, log-widths and tail scale from (key, count), ascending by
/// key. `real` converts a key to the number that it represents.
pub(super) fn cut(encoding: &mut ColumnEncoding, keys: &[(i32, usize)], cells: usize, real: impl Fn(i32) -> f64) {
    let keys: Vec<(i32, usize)> = keys.iter().copied().filter(|(_, count)| *count > 0).collect();
    let divided = Divided::new(&keys, |&key| real(key));
    encoding.values = edges(&keys, &divided, cells);
    let ends = divided.bulk.first().zip(divided.bulk.last());
    let bulk = ends.map(|((smallest, _), (largest, _))| (real(*smallest), real(*largest)));
    encoding.bulk = bulk.filter(|_| divided.bulk.len() < keys.len());
    let total: usize = keys.iter().map(|(_, count)| count).sum();
    // The thermometer code starts at the cell of the median, which makes long runs of ones rare.
    let mut below = 0;
    let median = keys.iter().find(|(_, count)| {
        below += count;
        2 * below >= total
    });
    let pivot = encoding.values.iter().position(|&edge| median.is_some_and(|&(key, _)| key <= edge));
    encoding.pivot = if encoding.may_miss { 0 } else { pivot.unwrap_or(0) as u16 };

    // The median distance between neighbouring values is the resolution of the sensor.
    let mut gaps: Vec<f64> = keys.windows(2).map(|pair| real(pair[1].0) - real(pair[0].0)).collect();
    gaps.sort_by(f64::total_cmp);
    let resolution = gaps.get(gaps.len() / 2).copied().unwrap_or(1.0);
    let grain = (GRAIN * scale(&keys, &real)).max(resolution);
    encoding.tail_scale = grain.log2().round().clamp(-126.0, 127.0) as i8;
    let few = keys.len() <= FEW;
    let mut widths: Vec<f64> = encoding
        .values
        .windows(2)
        .map(|pair| if few { grain } else { (real(pair[1]) - real(pair[0])).max(grain) })
        .collect();
    if let (Some(first), false) = (widths.first_mut(), few) {
        *first = (real(encoding.values[1]) - real(keys[0].0)).max(grain);
    }
    // The cell of a repeated extreme has no width, and must not become the unit in which all cells are counted.
    let is_bulk =
        |&(_, edge): &(&f64, i32)| encoding.bulk.is_none_or(|(least, most)| (least..=most).contains(&real(edge)));
    let ends = widths.iter().zip(encoding.values[1..].iter().copied());
    let unit = ends.filter(is_bulk).map(|(width, _)| *width).fold(f64::INFINITY, f64::min);
    if unit.is_finite() {
        widths.iter_mut().for_each(|width| *width = width.max(unit));
    }
    encoding.unit = widths.iter().copied().fold(f64::INFINITY, f64::min).ln();
    encoding.log_widths = log_widths(&widths);
}

/// Returns whether a numeric column has few distinct values, each with a cell of the same nominal width.
pub(crate) fn has_few_values(column: &Column) -> bool {
    column.values.len() <= FEW + 1 && column.log_widths.iter().all(|&width| width == 0)
}

/// Returns `[outcome]` the logarithm of the width of each cell of a numeric column, from its edges. The outcomes beyond
/// the edges have the width of the widest cell.
pub(crate) fn true_log_widths(column: &Column) -> Vec<f64> {
    let real = |key: i32| match column.kind {
        Kind::Real => from_total_order(key).into(),
        _ => f64::from(key),
    };
    let widths: Vec<f64> = column.values.windows(2).map(|pair| (real(pair[1]) - real(pair[0])).ln()).collect();
    let widest = widths.iter().copied().reduce(f64::max).unwrap_or(0.0);
    std::iter::once(widest).chain(widths).chain(std::iter::once(widest)).collect()
}

/// Returns the scale of numbers given as (key, count), ascending by key: their standard deviation, or the spread of
/// their quantiles if it is smaller, as it is if a few extremes dominate the deviation.
fn scale(keys: &[(i32, usize)], real: impl Fn(i32) -> f64) -> f64 {
    let total: usize = keys.iter().map(|(_, count)| count).sum();
    let mean_of = |function: &dyn Fn(f64) -> f64| {
        keys.iter().map(|&(key, count)| count as f64 * function(real(key))).sum::<f64>() / total as f64
    };
    let mean = mean_of(&|x| x);
    let deviation = mean_of(&|x| (x - mean).powi(2)).sqrt();
    deviation.min(spread(keys, |&key| real(key)).unwrap_or(f64::INFINITY))
}

/// Returns the ascending edges e of the cells (e, e'], as keys, from (key, count), ascending by key.
///
/// The first edge is just below the smallest key and the last edge is the largest key. Between them is each key, if
/// there are few, or the keys at quantile levels of the bulk that are evenly spaced in probit units. Each isolated
/// extreme that repeats has a cell of its own; the others share the cells between those and the bulk.
fn edges(keys: &[(i32, usize)], divided: &Divided<i32>, cells: usize) -> Vec<i32> {
    let (first, last) = (keys[0].0, keys[keys.len() - 1].0);
    if keys.len() <= FEW {
        return std::iter::once(first.saturating_sub(1)).chain(keys.iter().map(|(key, _)| *key)).collect();
    }
    let own_cells = |side: &[(i32, usize)]| -> Vec<i32> {
        let repeated = side.iter().filter(|(_, count)| *count >= REPEATS);
        repeated.flat_map(|&(key, _)| [key.saturating_sub(1), key]).collect()
    };
    let mut edges = vec![first.saturating_sub(1)];
    edges.extend(own_cells(divided.below));
    edges.extend(bulk_edges(divided.bulk, cells));
    edges.extend(own_cells(divided.above));
    edges.push(last);
    edges.dedup();
    edges
}

/// Returns the ascending edges of the bulk of a column, see [`edges`].
fn bulk_edges(keys: &[(i32, usize)], cells: usize) -> Vec<i32> {
    let total: usize = keys.iter().map(|(_, count)| count).sum();
    let level = |k: usize| {
        let z = REACH * (2.0 * k as f64 / cells as f64 - 1.0);
        0.5 * libm::erfc(-z / std::f64::consts::SQRT_2)
    };
    let mut edges = vec![keys[0].0.saturating_sub(1)];
    let mut below = 0;
    let mut levels = (1..cells).map(level).peekable();
    for &(key, count) in keys {
        below += count;
        if levels.next_if(|&level| below as f64 >= level * total as f64).is_some() {
            while levels.next_if(|&level| below as f64 >= level * total as f64).is_some() {}
            edges.push(key);
        }
    }
    edges.push(keys[keys.len() - 1].0);
    edges
}

/// Returns `[outcome]` ln(width of the cell / width of the narrowest cell), in units of 1/2048 nat, from the widths of
/// the cells. The outcomes below and above the range get the width of the widest cell.
fn log_widths(widths: &[f64]) -> Vec<u16> {
    let narrowest = widths.iter().copied().fold(f64::INFINITY, f64::min);
    let log = |width: f64| ((width / narrowest).ln() * 2048.0).round().clamp(0.0, 65535.0) as u16;
    let widest = log(widths.iter().copied().fold(0.0, f64::max));
    std::iter::once(widest).chain(widths.iter().map(|&width| log(width))).chain(std::iter::once(widest)).collect()
}
