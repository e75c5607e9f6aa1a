//! Isolated extremes of a numeric column: glitches and values that stand for a missing reading, far from all others.

use surprisal::Kind;

use super::Schema;
use crate::data::Frame;
use crate::escape::column_option;
use crate::warning::Warning;

/// Quantile levels below the median whose distance to the level opposite measures the spread of a column, each with
/// that distance in standard deviations of a normal distribution. A level applies if no earlier level has a distance.
const SPREADS: [(f64, f64); 3] = [(0.25, 1.349), (0.1, 2.563), (0.05, 3.290)];
/// Smallest gap before an isolated extreme, as a multiple of the distance between the median and the gap.
const GAP: f64 = 3.0;
/// Smallest number of occurrences of a repeated extreme.
pub(super) const REPEATS: usize = 3;
/// Largest number of repeated extremes on each side of a column.
const VALUES: usize = 4;
/// Largest share of the rows, on each side of a column, whose isolated extremes do not repeat.
const SHARE: f64 = 0.01;

/// The distinct numbers of a column as (key, count), ascending, divided into the bulk and the isolated extremes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Divided<'k, K> {
    /// Isolated extremes below the bulk.
    pub below: &'k [(K, usize)],
    /// All other numbers.
    pub bulk: &'k [(K, usize)],
    /// Isolated extremes above the bulk.
    pub above: &'k [(K, usize)],
}

impl<'k, K> Divided<'k, K> {
    /// Divides distinct numbers, given as (key, count), ascending by key, with counts above zero. `real` converts a key
    /// to its number.
    ///
    /// Extremes are isolated if the gap between them and the bulk is at least three times as wide as the distance
    /// between that gap and the median. Only up to four values that repeat, and values of up to 1 % of the rows, are
    /// extremes: more rows than that are a second state of the machine.
    pub fn new(keys: &'k [(K, usize)], real: impl Fn(&K) -> f64) -> Self {
        let value = |at: usize| real(&keys[at].0);
        let at = |level: f64| quantile(keys, level);
        let (mut first, mut last) = (0, keys.len().saturating_sub(1));
        if let Some(scale) = spread(keys, &real) {
            let median = value(at(0.5));
            let is_gap = |inner: usize, outer: usize| {
                (value(outer) - value(inner)).abs() > GAP * (value(inner) - median).abs().max(scale)
            };
            let total: usize = keys.iter().map(|(_, count)| count).sum();
            let few = (SHARE * total as f64).max(1.0);
            let are_extremes = |side: &[(K, usize)]| {
                let (repeated, single): (Vec<usize>, Vec<usize>) =
                    side.iter().map(|(_, count)| *count).partition(|&count| count >= REPEATS);
                repeated.len() <= VALUES && single.iter().sum::<usize>() as f64 <= few
            };
            let (low, high) = (at(0.25), at(0.75));
            first = (1..=low).rev().find(|&k| is_gap(k, k - 1)).filter(|&k| are_extremes(&keys[..k])).unwrap_or(first);
            let gap = (high..last).find(|&k| is_gap(k, k + 1));
            last = gap.filter(|&k| are_extremes(&keys[k + 1..])).unwrap_or(last);
        }
        let (below, rest) = keys.split_at(first);
        let (bulk, above) = rest.split_at((last + 1 - first).min(rest.len()));
        Self { below, bulk, above }
    }

    /// Yields the isolated extremes that repeat exactly, as (key, count), ascending by key.
    pub fn repeated(&self) -> impl Iterator<Item = (&'k K, usize)> {
        let extremes = self.below.iter().chain(self.above);
        extremes.filter(|(_, count)| *count >= REPEATS).map(|(key, count)| (key, *count))
    }
}

/// Returns the index of the number below or at which a share `level` of all rows lies. `keys` must not be empty.
fn quantile<K>(keys: &[(K, usize)], level: f64) -> usize {
    let total: usize = keys.iter().map(|(_, count)| count).sum();
    let mut below = 0;
    let reaches = |(_, count): &(K, usize)| {
        below += count;
        below as f64 >= level * total as f64
    };
    keys.iter().position(reaches).unwrap_or(keys.len() - 1)
}

/// Returns the standard deviation of the normal distribution that has the same quantiles as the numbers, or `None` if at
/// least nine of ten rows have the same number. Few extremes do not change it. `keys` are (key, count), ascending by
/// key, and `real` converts a key to its number.
pub(super) fn spread<K>(keys: &[(K, usize)], real: impl Fn(&K) -> f64) -> Option<f64> {
    let at = |level: f64| real(&keys[quantile(keys, level)].0);
    let spread = |&(level, deviations): &(f64, f64)| (at(1.0 - level) - at(level)) / deviations;
    SPREADS.iter().map(spread).find(|&spread| spread > 0.0)
}

impl Schema {
    /// Returns a warning for each isolated extreme of a numeric column that repeats exactly in the rows with these
    /// indices, and whose distance from the bulk is at least three times the range of the bulk: such a value often
    /// stands for a missing reading or an error of the sensor.
    pub fn warnings(&self, frame: &Frame, rows: &[usize]) -> Vec<Warning> {
        let is_number = |kind: Kind| matches!(kind, Kind::Integer | Kind::Real);
        let numeric = self.columns.iter().filter(|encoding| is_number(encoding.kind));
        numeric.flat_map(|encoding| warnings(frame, encoding.file, rows)).collect()
    }
}

fn warnings(frame: &Frame, file: usize, rows: &[usize]) -> Vec<Warning> {
    let column = &frame.columns[file];
    let counts = column.cells.counts(rows).into_iter().filter(|(cell, count)| !cell.is_missing() && *count > 0);
    let mut keys: Vec<(f64, usize)> = counts.filter_map(|(cell, count)| Some((cell.number()?, count))).collect();
    keys.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let equal = keys.chunk_by(|a, b| a.0 == b.0);
    let keys: Vec<(f64, usize)> = equal.map(|equal| (equal[0].0, equal.iter().map(|(_, count)| count).sum())).collect();
    if keys.is_empty() {
        return Vec::new();
    }
    let divided = Divided::new(&keys, |number| *number);
    let Some(((least, _), (greatest, _))) = divided.bulk.first().zip(divided.bulk.last()) else { return Vec::new() };
    let is_far = |(value, _): &(&f64, usize)| {
        let distance = (least - *value).max(*value - greatest);
        least < greatest && distance >= GAP * (greatest - least)
    };
    let message = |(value, count): (&f64, usize)| {
        format!(
            "{value} occurs {count} times in {} normal rows, far from most values ({least} to {greatest}); if it stands \
             for a missing reading or an error, pass {}",
            rows.len(),
            column_option("--missing", &format!("{}={value}", column.name))
        )
    };
    let warning =
        |message: String| Warning { file: frame.path.display().to_string(), column: column.name.clone(), message };
    divided.repeated().filter(is_far).map(message).map(warning).collect()
}
