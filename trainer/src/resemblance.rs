//! How long rows resemble their neighbours, where a file holds them in the order in which they came.

use std::collections::{HashMap, HashSet};

use rayon::prelude::*;

use crate::data::{Cells, Frame, FrameColumn};

/// Rows per stretch for each row over which neighbours resemble each other, so that most of the resemblance lies within
/// stretches.
const PER_LAG: usize = 10;
/// Number of stretches of the rows of a file, at least.
const STRETCHES: usize = 100;
/// Number of rows, the first of a file, and of their cells that tell how long rows resemble their neighbours: lags take time for
/// each row.
const MOST_ROWS: usize = 20_000;
const MOST_CELLS: usize = 1 << 22;

/// Returns the length of the stretches of consecutive rows in which the normal rows of a file are split: [`PER_LAG`] times the
/// longest resemblance of a column, so that rows of different shares seldom resemble each other, and at most a hundredth of
/// the rows. It is 1 if rows are independent of their neighbours. Outages of a sensor are resemblance as well. Columns in
/// `ignored` do not count.
pub(crate) fn stretch(frame: &Frame, rows: &[usize], ignored: &HashSet<String>) -> usize {
    let most = rows.len() / STRETCHES;
    let columns: Vec<_> = frame.columns.iter().filter(|column| !ignored.contains(&column.name)).collect();
    let first = &rows[..rows.len().min(MOST_ROWS).min(MOST_CELLS / columns.len().max(1))];
    let of_column = |column: &&FrameColumn| {
        let known = numbers(&column.cells, first);
        let series = [filled(&known), outages(&known)];
        series.map(|series| block(&series, most, columns.len()).1).into_iter().max().unwrap_or(1)
    };
    columns.par_iter().map(of_column).max().unwrap_or(1)
}

/// Returns the [`lag`] of a series, one of `count`, and the length of blocks of consecutive rows: [`PER_LAG`] times as long, at most
/// `most`, and 1 for a lag of 0.
pub(crate) fn block(series: &[f64], most: usize, count: usize) -> (usize, usize) {
    let last = lag(series, most.div_ceil(PER_LAG), count);
    (last, (PER_LAG * last).min(most).max(1))
}

/// Returns a number for each of these rows: the cell, or, for the texts of a category, a number for each text. `None` where the cell
/// is missing.
fn numbers(cells: &Cells, rows: &[usize]) -> Vec<Option<f64>> {
    let mut codes = HashMap::new();
    let number = |&row: &usize| {
        let cell = cells.get(row);
        let of_text = || {
            let next = codes.len() as f64;
            *codes.entry(cell.text()).or_insert(next)
        };
        let number = cell.number().filter(|number| number.is_finite());
        number.or_else(|| (!cell.is_missing()).then(of_text))
    };
    rows.iter().map(number).collect()
}

/// Returns numbers less their mean. A missing one is zero, so that readings that are lost now and then resemble nothing; in a
/// column that more than three rows in four lack, because a logger writes it less often than the others, it is the last number.
fn filled(known: &[Option<f64>]) -> Vec<f64> {
    let mut some = known.iter().flatten();
    if 4 * some.clone().count() >= known.len() {
        let mut less_mean = centred(&some.copied().collect::<Vec<_>>()).into_iter();
        return known.iter().map(|number| number.and_then(|_| less_mean.next()).unwrap_or(0.0)).collect();
    }
    let mut last = some.next().copied().unwrap_or(0.0);
    let filled = known.iter().map(|number| {
        last = number.unwrap_or(last);
        last
    });
    centred(&filled.collect::<Vec<_>>())
}

/// Returns whether each number is missing, as 0 or 1 less the mean; or nothing if so few are missing that they fit into a stretch, or
/// if missing ones follow one another no more often than by chance, as in a column that is logged in every second row.
fn outages(known: &[Option<f64>]) -> Vec<f64> {
    let flags: Vec<f64> = known.iter().map(|number| f64::from(u8::from(number.is_none()))).collect();
    let is_rare = flags.iter().sum::<f64>() <= (known.len() / STRETCHES) as f64;
    let flags = centred(&flags);
    if is_rare || product(&flags, 1) <= 0.0 { Vec::new() } else { flags }
}

/// Returns a series less its mean. A constant series becomes zero exactly.
pub(crate) fn centred(series: &[f64]) -> Vec<f64> {
    let first = series.first().copied().unwrap_or(0.0);
    let mean = series.iter().map(|value| value - first).sum::<f64>() / series.len().max(1) as f64;
    series.iter().map(|value| value - first - mean).collect()
}

/// Returns the last lag, of at most about `most`, whose autocorrelation is above 2 √(log10 n / n), before several that are not
/// (Politis & White, *Automatic Block-Length Selection for the Dependent Bootstrap*, 2004), or 0 if there is none. `series` has
/// the mean zero. The largest lag of several series is searched, so that the bound grows with their number: a normal variable
/// exceeds √(2 ln `count` + z²) about `count` times less often than z.
fn lag(series: &[f64], most: usize, count: usize) -> usize {
    let n = series.len().max(1) as f64;
    let bound = (4.0 * n.max(10.0).log10() + 2.0 * (count.max(1) as f64).ln()) / n;
    let small = bound.sqrt() * product(series, 0);
    // This many small autocorrelations in a row are the end of the resemblance.
    let run = 5.max(n.log10().sqrt().ceil() as usize);
    let (mut lag, mut last) = (1, 0);
    while lag <= last + run && last < most {
        if product(series, lag).abs() > small {
            last = lag;
        }
        lag += 1;
    }
    last
}

/// Returns the sum of products of numbers that are `lag` rows apart.
pub(crate) fn product(series: &[f64], lag: usize) -> f64 {
    series.iter().skip(lag).zip(series).map(|(later, earlier)| later * earlier).sum()
}

/// Sums of products of the rows of a series, in proportion to three variances of the mean of many rows.
pub(crate) struct LongRun {
    /// If rows were independent.
    pub of_rows: f64,
    /// Of rows in blocks drawn at random, which lose a share k / block of the products of rows that are k apart (Kunsch 1989).
    pub of_blocks: f64,
    /// Of rows in the order of the series.
    pub whole: f64,
}

impl LongRun {
    /// `series` has the mean zero, and rows resemble each other up to the lag `last`.
    pub fn of(series: &[f64], last: usize, block: usize) -> Self {
        let of_rows = product(series, 0);
        let (mut whole, mut of_blocks) = (of_rows, of_rows);
        for lag in 1..2 * last {
            // A flat top: rows that are further apart than `last` count less and less (Politis & White 2004).
            let weight = (2.0 - lag as f64 / last as f64).min(1.0);
            let twice = 2.0 * weight * product(series, lag);
            whole += twice;
            of_blocks += twice * block.saturating_sub(lag) as f64 / block as f64;
        }
        Self { of_rows, of_blocks, whole }
    }
}

/// Returns the lag up to which rows resemble each other that were split in stretches of this length.
pub(crate) fn lag_of(stretch: usize) -> usize {
    stretch.div_ceil(PER_LAG)
}

/// Returns by what factor the variance of the mean of a series exceeds that of as many independent rows, at least 1, if rows
/// resemble each other as long as those that were split in stretches of this length do. A change within the series makes its rows
/// alike as well, so that the series itself does not tell how long. Its first [`MOST_ROWS`] rows count.
pub(crate) fn inflation(series: &[f64], stretch: usize) -> f64 {
    let series = centred(&series[..series.len().min(MOST_ROWS)]);
    let last = lag_of(stretch).min(series.len() / PER_LAG);
    let LongRun { of_rows, whole, .. } = LongRun::of(&series, last, stretch);
    if stretch > 1 && of_rows > 0.0 { (whole / of_rows).max(1.0) } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    fn autoregressive(rho: f64) -> Vec<f64> {
        let (mut random, mut value) = (ChaCha8Rng::seed_from_u64(1), 0.0);
        let mut step = |_| {
            value = rho * value + random.random::<f64>() - 0.5;
            value
        };
        (0..10_000).map(&mut step).collect()
    }

    #[test]
    fn the_lag_is_where_resemblance_ends() {
        let lag = |series: &[f64], most| super::lag(&centred(series), most, 1);
        assert_eq!(lag(&autoregressive(0.0), 100), 0);
        // The autocorrelation is ρ^lag; it is small below 0.04.
        assert!((3..=8).contains(&lag(&autoregressive(0.5), 100)), "{}", lag(&autoregressive(0.5), 100));
        assert!((22..=60).contains(&lag(&autoregressive(0.9), 100)), "{}", lag(&autoregressive(0.9), 100));
        assert_eq!(lag(&autoregressive(0.9), 10), 10);
        for series in [&[][..], &[1.0], &[0.1; 3000]] {
            assert_eq!(lag(series, 10), 0);
        }
    }

    #[test]
    fn the_mean_of_rows_that_resemble_each_other_varies_more() {
        // (1 + ρ) / (1 - ρ) of an autoregression.
        for (rho, expected) in [(0.0, 1.0), (0.5, 3.0), (0.9, 19.0)] {
            let found = inflation(&autoregressive(rho), 300);
            assert!((0.7..1.4).contains(&(found / expected)), "{found} for {expected}");
        }
        assert_eq!(inflation(&autoregressive(0.9), 1), 1.0, "the rows of the fit were independent");
        for series in [&[][..], &[1.0], &[0.1; 3000]] {
            assert_eq!(inflation(series, 300), 1.0);
        }
        // A step of three deviations, or a rise of ten, is no resemblance: of 30,000 rows, their means are far from zero.
        let noise: Vec<f64> = (0..3).flat_map(|_| autoregressive(0.0)).collect();
        let of = |change: &dyn Fn(usize) -> f64| -> Vec<f64> {
            noise.iter().enumerate().map(|(at, noise)| noise * 12f64.sqrt() + change(at)).collect()
        };
        for series in [of(&|at| if at < 15_000 { 0.0 } else { 3.0 }), of(&|at| at as f64 / 3000.0)] {
            assert!(inflation(&series, 50) < 25.0, "{}", inflation(&series, 50));
        }
    }

    /// Returns the stretch of a file of 3,000 rows with this second column.
    fn of_column(cell: impl Fn(usize) -> String) -> usize {
        let mut random = ChaCha8Rng::seed_from_u64(2);
        let rows: Vec<usize> = (0..3000).collect();
        let independent: Vec<String> = rows.iter().map(|_| random.random::<f32>().to_string()).collect();
        let columns = [("a", independent), ("b", rows.iter().map(|&row| cell(row)).collect())];
        let columns = columns
            .map(|(name, cells)| FrameColumn { name: name.into(), cells: Cells::Text(cells.into_iter().collect()) });
        stretch(&Frame { columns: columns.into(), ..Frame::default() }, &rows, &HashSet::new())
    }

    #[test]
    fn only_resemblance_makes_stretches() {
        let mut random = ChaCha8Rng::seed_from_u64(3);
        let chance: Vec<u32> = (0..3000).map(|_| random.random_range(0..3)).collect();
        let words = ["run", "idle", "off"];
        // Constants that no binary fraction equals, a column whose first cells are missing, states by chance.
        assert_eq!(of_column(|_| "0.1".into()), 1);
        assert_eq!(of_column(|row| if row < 10 { String::new() } else { (1000 + chance[row]).to_string() }), 1);
        assert_eq!(of_column(|row| words[chance[row] as usize].into()), 1);
        // Readings that are lost at random.
        let lost: Vec<f64> = (0..3000).map(|_| random.random()).collect();
        for share in [0.05, 0.2, 0.45, 0.6] {
            let cell = |row: usize| if lost[row] < share { String::new() } else { (1000 + chance[row]).to_string() };
            assert_eq!(of_column(cell), 1);
        }
        // A sensor without any state that drops out for a while.
        let dropped = |row: usize| if row % 700 < 60 { String::new() } else { (1000 + chance[row]).to_string() };
        assert!(of_column(dropped) > 1);
        // A column that a logger writes in every second or third row, and in one row of 20.
        for every in [2, 3] {
            let cell =
                |row: usize| if row.is_multiple_of(every) { (1000 + chance[row]).to_string() } else { String::new() };
            assert_eq!(of_column(cell), 1);
        }
        let logged = |row: usize| if row.is_multiple_of(20) { (row / 20 % 7).to_string() } else { String::new() };
        assert_eq!(of_column(logged), 30);
        // States that last, and a slow rise and fall.
        assert_eq!(of_column(|row| words[row / 100 % 3].into()), 30);
        assert_eq!(of_column(|row| (row % 200).to_string()), 30);
    }

    #[test]
    fn many_independent_columns_make_no_stretches() {
        let mut random = ChaCha8Rng::seed_from_u64(4);
        let mut falsely = 0;
        for _ in 0..20 {
            let mut column = || centred(&(0..400).map(|_| random.random::<f64>()).collect::<Vec<_>>());
            falsely += usize::from((0..100).any(|_| lag(&column(), 10, 100) > 0));
        }
        assert!(falsely <= 2, "{falsely} of 20 files");
    }
}
