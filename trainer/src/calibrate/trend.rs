//! The decision interval of the cumulative sum, by independent rows or by blocks of rows as they come.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::resemblance::{LongRun, block, centred};

/// Number of simulated rows per false alarm, and the largest number of simulated rows.
const ALARMS: f64 = 60.0;
const MOST_ROWS: f64 = 3e6;
/// Most by which the variance of a series exceeds that of its blocks: lags are below a fifth of the block, and so is the share of
/// their products that is lost.
const MOST_LOST: f64 = 1.25;
/// Largest share of the rows that is one block.
const LARGEST: usize = 10;

/// How the cumulative sum is set, from the scores of normal rows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Trend {
    /// Decision interval in nats.
    pub interval: f64,
    /// Number of consecutive rows by which the interval was found: 1 if rows are independent of their neighbours.
    pub block: usize,
    /// Standard error of the mean of the steps, in nats.
    pub error: f64,
}

impl Trend {
    /// Finds the interval at which the cumulative sum of normal rows alarms once in `run_length` rows.
    ///
    /// The sum grows by `steps`, which ascend and are equally likely. If `stream`, the same kind of steps in the order of
    /// the rows, shows that neighbours resemble each other, the sum grows by blocks of consecutive rows drawn at random
    /// (moving blocks: Kunsch, *The Jackknife and the Bootstrap for General Stationary Observations*, 1989). The interval is
    /// at least the standard deviation `spread` of the steps, because a smaller one could be an artefact of sampling.
    pub fn of(steps: &[f64], stream: &[f64], spread: f64, run_length: f64) -> Self {
        let series = centred(stream);
        let ((last, block), n) = (block(&series, stream.len() / LARGEST, 1), steps.len() as f64);
        if block == 1 {
            let interval = search(spread, run_length, |interval| average_run_length(steps, interval));
            return Self { interval, block, error: spread / n.sqrt() };
        }
        let drawn = (ALARMS * run_length).min(MOST_ROWS) as usize;
        let path = resampled(stream, block, drawn);
        let measured = |interval: f64| drawn as f64 / alarms(&path, interval) as f64;
        let reached = drawn as f64 / ALARMS;
        let at = |run_length: f64| search(spread, run_length, measured);
        let mut interval = at(run_length.min(reached));
        if run_length > reached {
            // The run length grows exponentially with the interval (Page 1954), so that two points give all others.
            let per_decade = interval - at(reached / 10.0);
            interval += per_decade * (run_length / reached).log10();
        }
        let LongRun { of_rows, of_blocks, whole } = LongRun::of(&series, last, block);
        // Resemblance that comes and goes, as in a cycle, does not tell what blocks lose.
        let lost = if of_blocks > of_rows { (whole / of_blocks).clamp(1.0, MOST_LOST) } else { 1.0 };
        // The blocks vary about the mean of the stream, which varies about that of all rows to come.
        interval *= lost / (1.0 - block as f64 / stream.len() as f64);
        // That of calibration rows in stretches, which differ as blocks do; single rows differ less.
        let error = spread * ((whole / of_rows).max(1.0) / n).sqrt();
        Self { interval, block, error }
    }
}

/// Returns the smallest interval, at least `spread`, whose run length is `run_length`, to within a thousandth.
fn search(spread: f64, run_length: f64, of: impl Fn(f64) -> f64) -> f64 {
    let (mut low, mut high) = (spread, 2.0 * spread);
    if of(low) >= run_length {
        return low;
    }
    while of(high) < run_length {
        (low, high) = (high, 2.0 * high);
    }
    while high - low > 1e-3 * high {
        let middle = 0.5 * (low + high);
        (low, high) = if of(middle) < run_length { (middle, high) } else { (low, middle) };
    }
    high
}

/// Returns `rows` values of a series, in blocks that begin at random places. The last block of the series goes on at its
/// begin.
fn resampled(series: &[f64], block: usize, rows: usize) -> Vec<f64> {
    let mut random = ChaCha8Rng::seed_from_u64(0);
    let mut path = Vec::with_capacity(rows + block);
    while path.len() < rows {
        let start = random.random_range(0..series.len());
        path.extend((start..start + block).map(|at| series[at % series.len()]));
    }
    path.truncate(rows);
    path
}

/// Returns the number of alarms of a cumulative sum with this decision interval over a series of steps.
fn alarms(steps: &[f64], interval: f64) -> usize {
    let (mut sum, mut alarms) = (0.0f64, 0);
    for step in steps {
        sum = (sum + step).max(0.0);
        if sum > interval {
            (sum, alarms) = (0.0, alarms + 1);
        }
    }
    alarms
}

/// Number of states of the Markov chain that approximates the cumulative sum.
const STATES: usize = 100;

/// Returns the average run length of a cumulative sum: the mean number of steps until S = max(0, S + step), started at
/// zero, exceeds `interval` (Brook & Evans, *An Approach to the Probability Distribution of Cusum Run Length*, 1972).
///
/// `steps` ascend and are equally likely. S is rounded to a grid of states, which makes it a Markov chain with
/// transition matrix R; the average run lengths a from each state solve (1 - R) a = 1.
pub fn average_run_length(steps: &[f64], interval: f64) -> f64 {
    let width = 2.0 * interval / (2 * STATES - 1) as f64;
    // The probability that S moves by at most `by` states is P(step <= (by + 1/2) width).
    let cumulative_probability = |by: isize| {
        let edge = (by as f64 + 0.5) * width;
        steps.partition_point(|&step| step <= edge) as f64 / steps.len() as f64
    };
    let cumulative: Vec<f64> = (-(STATES as isize)..=STATES as isize).map(cumulative_probability).collect();
    let at = |by: isize| cumulative[(by + STATES as isize) as usize];
    let transition = |from: usize, to: usize| {
        let by = to as isize - from as isize;
        if to == 0 { at(by) } else { at(by) - at(by - 1) }
    };
    let mut matrix: Vec<Vec<f64>> = (0..STATES)
        .map(|from| {
            let unit = |to: usize| if from == to { 1.0 } else { 0.0 };
            (0..STATES).map(|to| unit(to) - transition(from, to)).chain([1.0]).collect()
        })
        .collect();
    // Gaussian elimination from the last state up. The matrix is an M-matrix and needs no pivoting.
    for pivot in (0..STATES).rev() {
        let (above, rest) = matrix.split_at_mut(pivot);
        let row = &rest[0];
        for other in above {
            let factor = other[pivot] / row[pivot];
            for column in (0..pivot).chain([STATES]) {
                other[column] -= factor * row[column];
            }
        }
    }
    let mean = matrix[0][STATES] / matrix[0][0];
    // A mean beyond the resolution of `f64` means that there is never an alarm.
    if mean.is_finite() && mean >= 1.0 { mean } else { f64::INFINITY }
}
