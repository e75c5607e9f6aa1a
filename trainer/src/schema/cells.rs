//! Divides a numeric column into cells (bins), between edges that a few extremes do not move.

use std::f64::consts::LN_2;

use surprisal::{Column, Kind, total_order};

use super::encoding::{ColumnEncoding, from_total_order};
use super::extremes::{Divided, REPEATS, spread};

/// The distance of the outermost quantile levels from the median, in standard deviations of a normal distribution.
const REACH: f64 = 3.0;
/// Largest number of distinct values for which each value gets a cell of its own, and so does each gap between values.
const FEW: usize = 16;
/// Smallest number of runs of equal readings per value. Values that hardly come back are readings of a continuous quantity, in a
/// short file or of something that changes slowly.
const RUNS: usize = 4;
/// Smallest width of the numbers that count as one of few values, in units of the smallest distance between two values.
const ROUNDING: f64 = 1.0 / 512.0;
/// Smallest width of a cell, and scale of the tails, as a fraction of the column's scale.
const GRAIN: f64 = 0.1;

/// Divides a numeric column into cells: sets edges, pivot, log-widths and tail scale from (key, count), ascending by
/// key. `runs` counts the runs of equal readings in successive rows, which only a column of few values needs, and `real`
/// converts a key to the number that it represents.
pub(super) fn cut(
    encoding: &mut ColumnEncoding,
    keys: &[(i32, usize)],
    runs: impl FnOnce() -> usize,
    cells: usize,
    real: impl Fn(i32) -> f64,
) {
    let keys: Vec<(i32, usize)> = keys.iter().copied().filter(|(_, count)| *count > 0).collect();
    let divided = Divided::new(&keys, |&key| real(key));

    // The median distance between neighbouring values is the resolution of the sensor.
    let mut gaps: Vec<f64> = keys.windows(2).map(|pair| real(pair[1].0) - real(pair[0].0)).collect();
    gaps.sort_by(f64::total_cmp);
    let resolution = gaps.get(gaps.len() / 2).copied().unwrap_or(1.0);
    let grain = (GRAIN * scale(&keys, &real)).max(resolution);
    encoding.tail_scale = grain.log2().round().clamp(-126.0, 127.0) as i8;
    let (edges, mut widths) = if keys.len() <= FEW && runs() >= RUNS * keys.len() {
        cells_of_values(&keys, encoding.kind, &real)
    } else {
        let edges = edges(&keys, &divided, cells);
        let lows = std::iter::once(keys[0].0).chain(edges[1..].iter().copied());
        let widths = lows.zip(&edges[1..]).map(|(low, &high)| (real(high) - real(low)).max(grain)).collect();
        (edges, widths)
    };
    encoding.values = edges;
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

    // The cell of a repeated extreme has no width, and must not become the unit in which all cells are counted.
    let is_bulk =
        |&(_, edge): &(&f64, i32)| encoding.bulk.is_none_or(|(least, most)| (least..=most).contains(&real(edge)));
    let ends = widths.iter().zip(encoding.values[1..].iter().copied());
    let unit = ends.filter(is_bulk).map(|(width, _)| *width).fold(f64::INFINITY, f64::min);
    if unit.is_finite() {
        widths.iter_mut().for_each(|width| *width = width.max(unit));
    }
    encoding.unit = widths.iter().copied().fold(f64::INFINITY, f64::min).ln();
    encoding.log_widths = log_widths(&widths, f64::from(encoding.tail_scale).exp2());
}

/// Returns whether all cells of a numeric column count as equally wide though they are not. Version 0.2 gave columns with few
/// values such cells.
pub(crate) fn has_nominal_widths(column: &Column) -> bool {
    let own = true_log_widths(column);
    let is_even = own.iter().all(|width| (width - own[0]).abs() < 1e-3);
    column.values.len() <= FEW + 1 && column.log_widths.iter().all(|&width| width == 0) && !is_even
}

/// Returns `[outcome]` the logarithm of the width of each cell of a numeric column, from its edges. The outcomes beyond
/// the edges have the width of the widest cell, or of their tail if it is larger.
pub(crate) fn true_log_widths(column: &Column) -> Vec<f64> {
    let real = |key: i32| match column.kind {
        Kind::Real => from_total_order(key).into(),
        _ => f64::from(key),
    };
    // Negative and positive zero are neighbours without a distance.
    let width = |pair: &[i32]| (real(pair[1]) - real(pair[0])).max(f32::from_bits(1).into()).ln();
    let widths: Vec<f64> = column.values.windows(2).map(width).collect();
    let widest = widths.iter().copied().fold(f64::from(column.tail_scale) * LN_2, f64::max);
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

/// Returns the ascending edges, as keys, and the widths of the cells of a column with few values: each value has a cell, and
/// each gap between two values has one.
///
/// The cell of a real value holds the numbers that round to it in the decimals that all repeated values have, because a device
/// may compute a number that the file holds rounded. It counts as wide as the smallest distance between two values, so that a
/// value between two others that no training row has is not much less likely per unit than the rarest value.
fn cells_of_values(keys: &[(i32, usize)], kind: Kind, real: impl Fn(i32) -> f64) -> (Vec<i32>, Vec<f64>) {
    let repeated: Vec<f64> = keys.iter().filter(|(_, count)| *count >= REPEATS).map(|&(key, _)| real(key)).collect();
    let (key_of, half, width): (fn(f64) -> i32, f64, f64) = if kind == Kind::Real {
        let width = repeated.windows(2).map(|pair| pair[1] - pair[0]).fold(f64::INFINITY, f64::min);
        let step = decimal_step(&repeated).min(width);
        let width = if width.is_finite() { width } else { step };
        // Positive zero has one key only.
        let key_of = |number: f64| total_order((number as f32).clamp(f32::MIN, f32::MAX) + 0.0);
        (key_of, 0.5 * step.max(width * ROUNDING), width)
    } else {
        (|number| number.floor() as i32, 0.5, 1.0)
    };
    // A rare number that rounds to a repeated one is no value of its own.
    let is_value = |&&(key, count): &&(i32, usize)| {
        count >= REPEATS || kind != Kind::Real || repeated.iter().all(|value| (value - real(key)).abs() > half)
    };
    let values: Vec<i32> = keys.iter().filter(is_value).map(|(key, _)| *key).collect();
    let (mut edges, mut widths) = (Vec::new(), Vec::new());
    for (at, &key) in values.iter().enumerate() {
        let low = key_of(real(key) - half).min(key.saturating_sub(1));
        match edges.last() {
            None => edges.push(low),
            Some(&last) if real(low) - real(last) > half => {
                edges.push(low);
                widths.push(real(low) - real(last));
            }
            _ => {}
        }
        let next = values.get(at + 1).map_or(i32::MAX, |next| next - 1);
        edges.push(key_of(real(key) + half).max(key).min(next));
        widths.push(width);
    }
    (edges, widths)
}

/// Returns one unit of the last decimal that the numbers need: 0.01 for 21.5 and 22.25, and 1 for whole numbers. Errors of
/// rounding to `f32` count as none.
fn decimal_step(numbers: &[f64]) -> f64 {
    let is_multiple = |steps: f64| (steps - steps.round()).abs() <= 0.5 * steps.abs() * f64::from(f32::EPSILON);
    // The smallest f32 is 1.4e-45.
    let mut steps = (0..52).map(|decimals| 10f64.powi(-decimals));
    steps.find(|step| numbers.iter().all(|number| is_multiple(number / step))).unwrap_or(1e-52)
}

/// Returns the ascending edges e of the cells (e, e'] of a column with many values, as keys, from (key, count), ascending
/// by key.
///
/// The first edge is just below the smallest key and the last edge is the largest key. Between them are the keys at
/// quantile levels of the bulk that are evenly spaced in probit units. Each isolated extreme that repeats has a cell of its
/// own; the others share the cells between those and the bulk.
fn edges(keys: &[(i32, usize)], divided: &Divided<i32>, cells: usize) -> Vec<i32> {
    let (first, last) = (keys[0].0, keys[keys.len() - 1].0);
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
/// the cells. The outcomes below and above the range get the width of the widest cell, or that of their tail if it is
/// larger, so that their density adds up to at most their probability.
fn log_widths(widths: &[f64], tail: f64) -> Vec<u16> {
    let narrowest = widths.iter().copied().fold(f64::INFINITY, f64::min);
    let log = |width: f64| ((width / narrowest).ln() * 2048.0).round().clamp(0.0, 65535.0) as u16;
    let widest = log(widths.iter().copied().fold(tail, f64::max));
    std::iter::once(widest).chain(widths.iter().map(|&width| log(width))).chain(std::iter::once(widest)).collect()
}
