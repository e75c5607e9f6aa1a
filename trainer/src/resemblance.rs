//! How long rows resemble their neighbours, where a file holds them in the order in which they came.

use rayon::prelude::*;

use crate::data::{Frame, FrameColumn};

/// Rows per stretch for each row over which neighbours resemble each other, so that most of the resemblance lies within
/// stretches.
pub(crate) const PER_LAG: usize = 10;
/// Number of stretches of the rows of a file, at least.
const STRETCHES: usize = 100;
/// Number of rows, and of cells, that tell how long rows of a file resemble their neighbours.
const MOST_ROWS: usize = 20_000;
const MOST_CELLS: usize = 1 << 22;

/// Returns the length of the stretches of consecutive rows in which the normal rows of a file are split: [`PER_LAG`] times the
/// longest resemblance of a column, so that rows of different shares seldom resemble each other, and at most a hundredth of
/// the rows. It is 1 if rows are independent of their neighbours. `is_modelled` says whether a column of this name counts.
pub(crate) fn stretch(frame: &Frame, rows: &[usize], is_modelled: impl Fn(&str) -> bool) -> usize {
    let most = rows.len() / STRETCHES;
    let columns: Vec<_> = frame.columns.iter().filter(|column| is_modelled(&column.name)).collect();
    let rows = &rows[..rows.len().min(MOST_ROWS).min(MOST_CELLS / columns.len().max(1))];
    let of_column = |column: &&FrameColumn| {
        let (numbers, mut last) = (column.cells.map(|cell| cell.number().filter(|number| number.is_finite())), 0.0);
        // A missing number keeps the last one.
        let mut number = |&row: &usize| {
            last = numbers[row].unwrap_or(last);
            last
        };
        lag(&rows.iter().map(&mut number).collect::<Vec<f64>>(), most.div_ceil(PER_LAG))
    };
    let resemblance = columns.par_iter().map(of_column).max().unwrap_or(0);
    (PER_LAG * resemblance).min(most).max(1)
}

/// Returns the last lag, of at most about `most`, whose autocorrelation is above 2 √(log10 n / n), before several that are not
/// (Politis & White, *Automatic Block-Length Selection for the Dependent Bootstrap*, 2004), or 0 if there is none.
pub(crate) fn lag(series: &[f64], most: usize) -> usize {
    let n = series.len().max(1) as f64;
    let variance = product(series, 0);
    let small = 2.0 * (n.max(10.0).log10() / n).sqrt() * variance;
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

/// Returns the sum of products of deviations from the mean that are `lag` rows apart.
pub(crate) fn product(series: &[f64], lag: usize) -> f64 {
    let mean = series.iter().sum::<f64>() / series.len().max(1) as f64;
    let later = series.iter().skip(lag);
    later.zip(series).map(|(later, earlier)| (later - mean) * (earlier - mean)).sum()
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
        assert_eq!(lag(&autoregressive(0.0), 100), 0);
        // The autocorrelation is ρ^lag; it is small below 0.04.
        assert!((3..=8).contains(&lag(&autoregressive(0.5), 100)), "{}", lag(&autoregressive(0.5), 100));
        assert!((22..=60).contains(&lag(&autoregressive(0.9), 100)), "{}", lag(&autoregressive(0.9), 100));
        assert_eq!(lag(&autoregressive(0.9), 10), 10);
        for series in [&[][..], &[1.0], &[2.0; 50]] {
            assert_eq!(lag(series, 10), 0);
        }
    }
}
