//! Large files: a fit of a sample of the training rows, and what the rest would gain.

use rand::SeedableRng;
use rand::seq::index;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use super::job::Job;
use super::load::Split;
use crate::error::Result;
use crate::evaluate::mean;
use crate::fit::Family;

/// Largest number of training rows of a model of bits, unless the job says otherwise.
pub const BITS_ROWS: usize = 200_000;
/// Largest number of training rows of outcome tables, unless the job says otherwise.
pub const TABLES_ROWS: usize = 1_000_000;
/// Number of training rows per validation row, of as many training rows as are fitted at most.
const PER_VALID_ROW: usize = 4;
/// Number of parts of the sample, each of which is fitted on its own.
pub(super) const PARTS: usize = 4;
/// Half the width of the range of the gain, in standard errors: 95 % of Student's t with `PARTS` - 1 degrees of freedom.
const ERRORS: f64 = 3.18;

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
    /// What a fit of all training rows would gain; `None` if the sample is too small to tell, or the report is
    /// [brief](Job::is_brief).
    pub gain: Option<Gain>,
}

/// What more rows gain, in nats per validation row. Log-likelihoods are those of densities, so that models with other
/// cells compare.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Gain {
    /// Gain of a fit of the sample over a fit of a quarter of it: the mean over the four quarters.
    pub over_quarter: f64,
    /// Standard deviation by chance of the fits of the quarters.
    pub chance: f64,
    /// Smallest gain of all rows over the sample that agrees with the quarters.
    pub least: f64,
    /// Largest such gain.
    pub most: f64,
}

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

    /// Describes the sample, or returns `None` for all rows.
    ///
    /// `whole` returns the log-densities of the validation rows after a fit to the sample, and `part` after the same fit to
    /// each fourth row of it from this one on: `[row]`, or `None` if the part is too small for a fit.
    pub(super) fn sampling(
        &self,
        whole: impl FnOnce() -> Result<Vec<f64>>,
        part: impl Fn(usize) -> Result<Option<Vec<f64>>>,
    ) -> Result<Option<Sampling>> {
        let (rows, [_, valid_of, calibration_of]) = (self.train.rows.len(), self.counts);
        let Some(of) = self.sampled_from() else { return Ok(None) };
        let parts: Option<Vec<Vec<f64>>> = match self.job.is_brief {
            true => None,
            false => (0..PARTS).map(part).collect::<Result<_>>()?,
        };
        let gain = match parts {
            Some(parts) => Some(Gain::of(&whole()?, &parts, of as f64 / rows as f64)),
            None => None,
        };
        Ok(Some(Sampling { rows, of, valid_of, calibration_of, gain }))
    }
}

impl Gain {
    /// Returns what `factor` times as many rows gain over a sample, from the log-densities of the validation rows under a
    /// fit to the sample and under fits to its quarters.
    ///
    /// The loss of a fit falls as a power of the number of rows N (Viering and Loog, "The Shape of Learning Curves: a
    /// Review", 2023). The largest usual power is 1: a model with d parameters, however many rows there are, loses d/2N
    /// nats (Akaike, 1974). At the power a, `factor` times as many rows gain (1 - `factor`^-a) / (4^a - 1) times what the
    /// sample gains over a quarter; towards 0, ln `factor` / ln 4 times as much. All powers are between the two.
    ///
    /// Cells, trees and prototypes depend on the rows by chance as well, as the fits of the quarters tell. That chance is in
    /// the fit of the sample twice, in the fit of all rows, and in the mean of the quarters.
    ///
    /// ```
    /// use surprisal_trainer::pipeline::Gain;
    /// // The sample predicts better than its quarters by 0.3 nats, which are alike.
    /// let gain = Gain::of(&[-1.0; 9], &vec![vec![-1.3; 9]; 4], 10.0);
    /// assert!((gain.over_quarter - 0.3).abs() < 1e-9 && gain.chance < 1e-9);
    /// assert!(0.0 < gain.least && gain.least < gain.most);
    /// ```
    pub fn of(whole: &[f64], parts: &[Vec<f64>], factor: f64) -> Self {
        let count = parts.len() as f64;
        let of_row = |row: usize| whole[row] - parts.iter().map(|part| part[row]).sum::<f64>() / count;
        let gained: Vec<f64> = (0..whole.len()).map(of_row).collect();
        let of_parts: Vec<f64> = parts.iter().map(|part| mean(part)).collect();
        let (over_quarter, chance) = (mean(&gained), variance(&of_parts));
        let of_rows = variance(&gained) / gained.len().max(1) as f64;
        let ends = [(1.0 - 1.0 / factor) / (count - 1.0), factor.ln() / count.ln()].map(|weight| {
            let fits = 1.0 + (1.0 + weight).powi(2) + weight * weight / count;
            (weight * over_quarter, ERRORS * (weight * weight * of_rows + fits * chance).sqrt())
        });
        Self {
            over_quarter,
            chance: chance.sqrt(),
            least: ends.map(|(gain, error)| gain - error).into_iter().fold(f64::INFINITY, f64::min),
            most: ends.map(|(gain, error)| gain + error).into_iter().fold(f64::NEG_INFINITY, f64::max),
        }
    }
}

/// Returns the variance of numbers, estimated from them as a sample.
fn variance(numbers: &[f64]) -> f64 {
    let mean = mean(numbers);
    numbers.iter().map(|number| (number - mean).powi(2)).sum::<f64>() / numbers.len().saturating_sub(1).max(1) as f64
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_range_holds_the_gain_for_all_usual_powers_of_the_number_of_rows() {
        let rows = |mean: f64| [mean - 0.5, mean + 0.5, mean];
        for power in [0.05_f64, 0.3, 0.5, 1.0] {
            let likelihood = |rows: f64| -13.0 - 7.0 / rows.powf(power);
            for factor in [1.2, 2.0, 7.0, 50.0] {
                let parts = vec![rows(likelihood(2000.0)).to_vec(); PARTS];
                let gain = Gain::of(&rows(likelihood(8000.0)), &parts, factor);
                let exact = likelihood(8000.0 * factor) - likelihood(8000.0);
                assert!((gain.least - 1e-9..=gain.most + 1e-9).contains(&exact), "{power}, {factor}: {gain:?} {exact}");
                assert!(gain.chance < 1e-9 && gain.over_quarter > 0.0);
            }
        }
        // Gains that do not stand out from chance leave both signs open.
        let parts = [-13.01, -12.98, -13.02, -12.97].map(|mean| rows(mean).to_vec());
        let gain = Gain::of(&rows(-13.0), &parts, 7.0);
        assert!(gain.least < 0.0 && gain.most > 0.0 && (gain.chance - 0.0238).abs() < 1e-4, "{gain:?}");
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
