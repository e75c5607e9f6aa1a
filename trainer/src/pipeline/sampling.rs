//! Large files: a fit of a sample of the training rows, and what the rest would gain.

use rand::SeedableRng;
use rand::seq::index;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use super::job::Job;
use super::load::Split;
use crate::error::Result;
use crate::fit::Family;

/// Largest number of training rows of a model of bits, unless the job says otherwise.
pub const BITS_ROWS: usize = 200_000;
/// Largest number of training rows of outcome tables, unless the job says otherwise.
pub const TABLES_ROWS: usize = 1_000_000;
/// Number of training rows per validation row, of as many training rows as are fitted at most.
const PER_VALID_ROW: usize = 4;
/// Shares of the sample, one part of each of these numbers, on which quick fits show how the likelihood grows with rows.
pub(super) const PARTS: [usize; 3] = [8, 4, 2];

/// The sample of a large file on which a model was fitted.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Sampling {
    /// Number of training rows that were fitted.
    pub rows: usize,
    /// Number of all training rows.
    pub of: usize,
    /// Number of all validation rows, of which a sample chose settings if there were many.
    pub valid_of: usize,
    /// Number of all calibration rows, of which a uniform sample calibrated the detector if there were many.
    pub calibration_of: usize,
    /// Estimate of what a fit of all training rows would gain, in nats per row, from quick fits of parts of the sample;
    /// `None` if the parts are too small.
    pub gain: Option<f64>,
}

/// Numbers of [training, validation, calibration] rows before sampling.
pub(super) type Counts = [usize; 3];

impl Job {
    /// Returns the largest number of training rows that are fitted.
    fn row_limit(&self) -> usize {
        match (self.max_rows, self.choices.family) {
            (Some(0), _) => usize::MAX,
            (Some(rows), _) => rows,
            (None, Family::Tables) => TABLES_ROWS,
            (None, _) => BITS_ROWS,
        }
    }
}

impl Split<'_> {
    /// Leaves out rows at random where there are more than the job permits. Calibration rows stay a uniform sample, so
    /// that the rate of false alarms still holds.
    pub fn limited(mut self) -> Self {
        let limit = self.job.row_limit();
        let valid = limit.div_ceil(PER_VALID_ROW).max(2);
        for (stream, (rows, limit)) in (1..).zip([
            (&mut self.train.rows, limit),
            (&mut self.valid.rows, valid),
            (&mut self.calibrate.rows, limit.max(2)),
        ]) {
            sample(rows, limit, self.job.seed, stream);
        }
        self
    }

    /// Returns the number of training rows, if the fit sees a sample of them only.
    pub fn sampled_from(&self) -> Option<usize> {
        (self.train.rows.len() < self.counts[0]).then_some(self.counts[0])
    }

    /// Describes the sample, or returns `None` for all rows. `likelihood` returns the log-likelihood of the validation rows
    /// after a quick fit to one of so many parts of the training rows.
    pub(super) fn sampling(&self, likelihood: impl Fn(usize) -> Result<Option<f64>>) -> Result<Option<Sampling>> {
        let (rows, [_, valid_of, calibration_of]) = (self.train.rows.len(), self.counts);
        let Some(of) = self.sampled_from() else { return Ok(None) };
        let [eighth, quarter, half] = PARTS.map(likelihood);
        let gain = match (eighth?, quarter?, half?) {
            (Some(eighth), Some(quarter), Some(half)) => Some(gain([eighth, quarter, half], of as f64 / rows as f64)),
            _ => None,
        };
        Ok(Some(Sampling { rows, of, valid_of, calibration_of, gain }))
    }
}

/// Keeps a random sample of at most `limit` rows, in their order. Each purpose has a stream of its own.
fn sample(rows: &mut Vec<usize>, limit: usize, seed: u64, stream: u64) {
    if rows.len() <= limit {
        return;
    }
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(stream);
    let mut kept = index::sample(&mut random, rows.len(), limit).into_vec();
    kept.sort_unstable();
    *rows = kept.into_iter().map(|at| rows[at]).collect();
}

/// Returns what `factor` times as many rows would gain over a sample. `likelihoods` are those of an eighth, a quarter and
/// half of it.
///
/// The loss of a fit falls with the number of rows N as a power of it: as 1/N if the number of parameters is fixed, and
/// more slowly if the model grows with the rows. Each doubling then gains the same share of what the doubling before it
/// gained.
fn gain([eighth, quarter, half]: [f64; 3], factor: f64) -> f64 {
    let (first, second) = (quarter - eighth, half - quarter);
    if second <= 0.0 || factor <= 1.0 {
        return 0.0;
    }
    let ratio = if first > 0.0 { (second / first).clamp(0.5, 0.95) } else { 0.5 };
    // Two doublings follow that of the half: first the sample itself, and then the rest.
    second * ratio * ratio * (1.0 - ratio.powf(factor.log2())) / (1.0 - ratio)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gain_is_exact_for_powers_of_the_number_of_rows() {
        for power in [0.3_f64, 0.5, 1.0] {
            let likelihood = |rows: f64| -13.0 - 7.0 / rows.powf(power);
            let parts = PARTS.map(|part| likelihood(8000.0 / part as f64));
            let exact = likelihood(56_000.0) - likelihood(8000.0);
            assert!((gain(parts, 7.0) - exact).abs() < 1e-9 * exact, "{power}: {} {exact}", gain(parts, 7.0));
        }
        assert_eq!(gain([-3.0, -2.0, -2.0], 7.0), 0.0);
    }

    #[test]
    fn a_sample_is_sorted_and_depends_on_the_seed_only() {
        let drawn = |seed| {
            let mut rows: Vec<usize> = (0..1000).map(|row| 3 * row).collect();
            sample(&mut rows, 100, seed, 1);
            rows
        };
        assert!(drawn(1) == drawn(1) && drawn(1) != drawn(2));
        assert!(drawn(1).is_sorted_by(|a, b| a < b) && drawn(1).len() == 100);
        let mut few = vec![1, 2];
        sample(&mut few, 3, 0, 1);
        assert_eq!(few, [1, 2]);
    }
}
