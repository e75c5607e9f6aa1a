//! Divergences between two distributions over rows: two models, or a model and data.
//!
//! This module compares models of bits with the same cells. [`readings`] compares any two models of the same columns.
//!
//! KL and Jensen–Shannon are in nats, total variation is a probability, and Wasserstein-1 is in bits flipped per row.
//! All divergences compare *outcomes*, the bins that readings fall into: the log-widths that turn masses into densities
//! are the same for both distributions and cancel. Probabilities are products of the masses that the device computes.
//!
//! With m = (p + q) / 2, and w(x) = p(x) / (p(x) + q(x)) for the posterior probability that x was drawn from p rather
//! than q:
//!
//! | divergence | definition | estimate if there are too many rows to enumerate: the mean of |
//! | --- | --- | --- |
//! | KL(p‖q) (Kullback & Leibler 1951) | E_p ln p/q | Σ_i KL(p(x_i)‖q(x_i)) given x_<i, or ln p/q, over x from p |
//! | Jensen–Shannon (Lin 1991) | ½KL(p‖m) + ½KL(q‖m) | ln 2 - H(w(x)) over as many x from p as from q |
//! | total variation | ½Σ\|p - q\| | \|2w(x) - 1\| over as many x from p as from q |
//!
//! The first estimate of KL is its chain rule over sampled prefixes, which needs two models with the same bits in the
//! same order. Otherwise ln p/q is averaged, whose mean may be below zero by its standard error. The terms of
//! Jensen–Shannon and total variation are bounded, so that their standard errors are reliable.
//!
//! Between a model and data, all three are exact for any number of bits, because only the rows of the data have to be
//! evaluated. Wasserstein-1 is exact for up to [`TRANSPORTABLE`] possible rows and otherwise estimated from samples,
//! see [`transport::matched`].

use std::collections::BTreeMap;
use std::f64::consts::LN_2;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::ser::{Serialize, SerializeStruct, Serializer};
use surprisal::Reading;

use crate::artefact::Artefact;
use crate::error::{Error, Result};
use crate::table::loss::bernoulli_kl;

mod chain;
mod grid;
pub mod readings;
pub mod transport;

use chain::bit_probabilities;
use grid::GridModel;

pub use chain::probability;
pub use grid::{ENUMERABLE, share_a_grid};

/// Largest number of possible rows for which Wasserstein-1 is exact.
pub const TRANSPORTABLE: usize = 1 << 16;
/// Number of pairs of samples over which an estimate of Wasserstein-1 is averaged.
const REPEATS: usize = 8;
/// Number of sampled rows that are evaluated at a time.
const BATCH: usize = 1024;

/// An exact divergence, or an estimate with its standard error.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// Value of the divergence; it may be infinite but is never NaN.
    pub value: f64,
    /// Standard error of the value, or `None` if the value is exact.
    pub standard_error: Option<f64>,
}

impl Serialize for Estimate {
    /// Writes an object for programs; JSON has no infinite numbers.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { value, standard_error } = *self;
        let mut fields = serializer.serialize_struct("Estimate", 4)?;
        fields.serialize_field("value", &value.is_finite().then_some(value))?;
        fields.serialize_field("infinite", &value.is_infinite())?;
        fields.serialize_field("exact", &standard_error.is_none())?;
        fields.serialize_field("standard_error", &standard_error.filter(|error| error.is_finite()))?;
        fields.end()
    }
}

impl Estimate {
    /// Returns an exact value without standard error.
    const fn exact(value: f64) -> Self {
        Self { value, standard_error: None }
    }

    /// Returns the mean of independent draws with its standard error, which is infinite for one draw. An infinite mean counts as
    /// exact.
    pub fn mean(draws: &[f64]) -> Self {
        let n = draws.len() as f64;
        let value = draws.iter().sum::<f64>() / n;
        if value.is_infinite() {
            return Self::exact(value);
        }
        let squares: f64 = draws.iter().map(|draw| (draw - value).powi(2)).sum();
        Self { value, standard_error: Some(if n > 1.0 { (squares / (n - 1.0) / n).sqrt() } else { f64::INFINITY }) }
    }

    /// Returns the mean of two independent estimates with its standard error.
    fn between(self, other: Self) -> Self {
        let errors = self.standard_error.zip(other.standard_error);
        Self { value: 0.5 * (self.value + other.value), standard_error: errors.map(|(a, b)| 0.5 * a.hypot(b)) }
    }
}

/// Divergences between two distributions p and q, except Wasserstein-1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Divergences {
    /// KL(p‖q) in nats: the extra length of a code for q on rows of p. Infinite if q gives probability zero to a row to
    /// which p does not.
    pub forward: Estimate,
    /// KL(q‖p) in nats: the extra length of a code for p on rows of q.
    pub reverse: Estimate,
    /// Jensen–Shannon divergence in nats, at most ln 2.
    pub jensen_shannon: Estimate,
    /// Total variation: the largest difference between the probabilities of an event.
    pub total_variation: Estimate,
}

impl Divergences {
    /// Computes the divergences from the pairs (p(x), q(x)) of every x with a probability above zero.
    ///
    /// ```
    /// use surprisal_trainer::divergence::Divergences;
    /// let exact = Divergences::exact([(0.5, 1.0), (0.5, 0.0)]);
    /// assert!(exact.forward.value.is_infinite()); // q gives zero to half of p
    /// assert!((exact.reverse.value - 2f64.ln()).abs() < 1e-12);
    /// assert_eq!(exact.total_variation.value, 0.5);
    /// ```
    pub fn exact(pairs: impl IntoIterator<Item = (f64, f64)>) -> Self {
        let mut sums = [0.0; 4];
        for (p, q) in pairs {
            let m = 0.5 * (p + q);
            let terms = [kl(p, q), kl(q, p), 0.5 * (kl(p, m) + kl(q, m)), 0.5 * (p - q).abs()];
            sums.iter_mut().zip(terms).for_each(|(sum, term)| *sum += term);
        }
        let [forward, reverse, jensen_shannon, total_variation] = sums.map(Estimate::exact);
        Self { forward, reverse, jensen_shannon, total_variation }
    }
}

/// Returns the term p ln(p/q) + q - p of KL(p‖q) for one row, which is never negative. The differences q - p add up to
/// zero over all rows.
fn kl(p: f64, q: f64) -> f64 {
    let term = if p > 0.0 { p * (p / q).ln() } else { 0.0 };
    (term - p + q).max(0.0)
}

/// Sizes of the samples that replace enumeration if there are too many possible rows.
#[derive(Clone, Copy, Debug)]
pub struct SamplingSettings {
    /// Number of rows to draw from each model, at least 2.
    pub rows: usize,
    /// Number of rows in each of the two samples whose Wasserstein-1 distance is computed, in time cubic in this
    /// number.
    pub pairs: usize,
    /// Seed of the random samples.
    pub seed: u64,
}

impl Default for SamplingSettings {
    fn default() -> Self {
        Self { rows: 10_000, pairs: 512, seed: 0 }
    }
}

/// Divergences between two distributions, as [`models`] and [`data`] return them.
#[derive(Clone, Copy, Debug)]
pub struct Comparison {
    /// Number of possible rows; infinite if it exceeds the range of `f64`.
    pub outcomes: f64,
    /// KL in both directions, Jensen–Shannon and total variation.
    pub divergences: Divergences,
    /// Wasserstein-1 under the Hamming distance of the first model's bits: mean number of flipped bits per row. An
    /// estimate is the mean distance between two samples of [`SamplingSettings::pairs`] rows, which is larger in
    /// expectation.
    pub wasserstein: Estimate,
    /// Wasserstein-1 between two samples of the first model, which is due to sampling alone. `None` if `wasserstein` is
    /// exact.
    pub baseline: Option<Estimate>,
}

/// Cross-entropy of data under a model, with the entropy of the data.
#[derive(Clone, Copy, Debug)]
pub struct DataLikelihood {
    /// Mean of -ln p(row) over the rows, in nats, which a fit by maximum likelihood minimises.
    pub cross_entropy: f64,
    /// Entropy of the frequencies of the rows, in nats. The cross-entropy minus this entropy is KL(data‖model).
    pub entropy: f64,
}

/// Returns the divergences between two models, p and q, of the same columns in any order and polarity.
///
/// # Errors
/// [`Error::Incomparable`] if the columns of the models differ, or the models do not [`share_a_grid`].
pub fn models(p: &Artefact, q: &Artefact, settings: &SamplingSettings) -> Result<Comparison> {
    let (p, q) = (GridModel::new(p, &p.schema)?, GridModel::new(q, &p.schema)?);
    let mut random = ChaCha8Rng::seed_from_u64(settings.seed);
    let listed = listed(&p, &q);
    let divergences = on_grid(&p, &q, listed.as_ref(), settings, &mut random);
    let listed = || listed.unwrap_or_default();
    Ok(transported(&p, divergences, listed, |random| q.sample(random), settings, &mut random))
}

/// Returns the divergences between two models, p and q, over their bits if they [`share_a_grid`], and otherwise over readings.
/// They are those of [`models`] and of [`readings::Pair::divergences`], without Wasserstein-1, which takes longest.
///
/// # Errors
/// [`Error::Incomparable`] if the columns of the models differ, or they are models of time series with different cells.
pub fn between(p: &Artefact, q: &Artefact, settings: &SamplingSettings) -> Result<Divergences> {
    if !share_a_grid(p, q) {
        return Ok(readings::Pair::new(p, q)?.divergences(settings)?.0);
    }
    let (p, q) = (GridModel::new(p, &p.schema)?, GridModel::new(q, &p.schema)?);
    let mut random = ChaCha8Rng::seed_from_u64(settings.seed);
    Ok(on_grid(&p, &q, listed(&p, &q).as_ref(), settings, &mut random))
}

/// Returns each model's probability of every possible row, if these are few.
fn listed(p: &GridModel, q: &GridModel) -> Option<[Vec<f64>; 2]> {
    p.enumerable().map(|outcomes| [p, q].map(|model| model.probabilities(outcomes)))
}

/// Returns the divergences between two models of one grid, from their probabilities where these are [`listed`].
fn on_grid(
    p: &GridModel,
    q: &GridModel,
    listed: Option<&[Vec<f64>; 2]>,
    settings: &SamplingSettings,
    random: &mut ChaCha8Rng,
) -> Divergences {
    match listed {
        Some([p_of, q_of]) => Divergences::exact(p_of.iter().copied().zip(q_of.iter().copied())),
        None => sampled(p, q, settings.rows, random),
    }
}

/// Returns the divergences between a model, p, and the frequencies of rows of readings, q, and the cross-entropy of the
/// rows. KL(p‖q) is infinite unless `rows` contains every possible row.
///
/// # Errors
/// [`Error::Encode`] if a reading does not fit its column; [`Error::Incomparable`] if there are no rows.
pub fn data(p: &Artefact, rows: &[Vec<Reading>], settings: &SamplingSettings) -> Result<(Comparison, DataLikelihood)> {
    if rows.is_empty() {
        return Err(Error::Incomparable("no rows to compare the model with; supply at least one row".into()));
    }
    let (bits, _) = p.schema.encode(rows)?;
    let p = GridModel::new(p, &p.schema)?;
    let mut row = vec![false; bits.width()];
    let mut at = |index: usize| {
        bits.row(index, &mut row);
        p.row(&row)
    };
    let rows: Vec<Vec<u16>> = (0..bits.rows).map(&mut at).collect();
    let mut counts = BTreeMap::<&[u16], u32>::new();
    rows.iter().for_each(|row| *counts.entry(row).or_default() += 1);
    let total = rows.len() as f64;
    let found: Vec<(f64, f64)> =
        counts.par_iter().map(|(row, &count)| (p.ln_probability(row), f64::from(count) / total)).collect();
    let likelihood = DataLikelihood {
        cross_entropy: found.iter().map(|(ln_p, q)| -q * ln_p).sum(),
        // If all rows are equal, the sum is -0.
        entropy: found.iter().map(|(_, q)| -q * q.ln()).sum::<f64>() + 0.0,
    };
    let mut pairs: Vec<(f64, f64)> = found.iter().map(|(ln_p, q)| (ln_p.exp(), *q)).collect();
    let unseen = 1.0 - pairs.iter().map(|(p, _)| p).sum::<f64>();
    let absent = match p.enumerable() {
        Some(outcomes) => {
            let frequencies = p.frequencies(&counts, total, outcomes);
            p.probabilities(outcomes).iter().zip(frequencies).any(|(p, q)| *p > 0.0 && q == 0.0)
        }
        None => (counts.len() as f64) < p.outcomes(),
    };
    if absent {
        // Rounding may leave no probability for the unseen rows, but any positive probability makes KL(p‖q) infinite.
        pairs.push((unseen.max(f64::MIN_POSITIVE), 0.0));
    }
    // The probability of a row may underflow; its logarithm does not.
    let reverse = Estimate::exact((likelihood.cross_entropy - likelihood.entropy).max(0.0));
    let divergences = Divergences { reverse, ..Divergences::exact(pairs) };
    let mut random = ChaCha8Rng::seed_from_u64(settings.seed);
    let draw = |random: &mut ChaCha8Rng| rows[random.random_range(0..rows.len())].clone();
    let dense = || {
        let outcomes = p.outcomes() as usize;
        [p.probabilities(outcomes), p.frequencies(&counts, total, outcomes)]
    };
    Ok((transported(&p, divergences, dense, draw, settings, &mut random), likelihood))
}

/// Estimates all divergences except Wasserstein-1 from `rows` sampled rows of each model.
fn sampled(p: &GridModel, q: &GridModel, rows: usize, random: &mut ChaCha8Rng) -> Divergences {
    let same_bits = p.columns == q.columns;
    let mut from = |own: &GridModel, other: &GridModel| {
        let mut draws = [const { Vec::new() }; 3];
        while draws[0].len() < rows {
            let batch: Vec<_> = (draws[0].len()..rows).take(BATCH).map(|_| own.sample(random)).collect();
            let terms = batch.par_iter().map(|row| terms(own, other, row, same_bits)).collect::<Vec<_>>();
            terms.iter().for_each(|terms| draws.iter_mut().zip(terms).for_each(|(draws, term)| draws.push(*term)));
        }
        draws.map(|draws| Estimate::mean(&draws))
    };
    let ([forward, js_p, tv_p], [reverse, js_q, tv_q]) = (from(p, q), from(q, p));
    Divergences { forward, reverse, jensen_shannon: js_p.between(js_q), total_variation: tv_p.between(tv_q) }
}

/// Returns the terms of [KL(own‖other) in nats, Jensen–Shannon in nats, total variation] for a row sampled from `own`.
fn terms(own: &GridModel, other: &GridModel, row: &[u16], same_bits: bool) -> [f64; 3] {
    let [(own_row, own_ones), (other_row, other_ones)] = [own, other].map(|side| side.walk(row));
    let ln = |ones: &[f64], row: &[bool]| bit_probabilities(ones, row).map(f64::ln).sum::<f64>();
    let ratio = ln(&own_ones, &own_row) - ln(&other_ones, &other_row);
    let kl = match same_bits {
        true => own_ones.iter().zip(&other_ones).map(|(p, q)| bernoulli_kl(*p, *q)).sum(),
        false => ratio,
    };
    let [jensen_shannon, total_variation] = bounded_terms(ratio);
    [kl, jensen_shannon, total_variation]
}

/// Returns the terms of [Jensen–Shannon in nats, total variation] for a row with this ln p/q.
fn bounded_terms(ratio: f64) -> [f64; 2] {
    // The larger of w and 1 - w is computed from the smaller one, so that neither loses digits.
    let small = 1.0 / (1.0 + ratio.abs().exp());
    let entropy = if small > 0.0 { -small * small.ln() - (1.0 - small) * (-small).ln_1p() } else { 0.0 };
    [(LN_2 - entropy).max(0.0), 1.0 - 2.0 * small]
}

/// Adds Wasserstein-1 between a model and another distribution to `divergences`.
///
/// `listed` returns the probabilities of every possible row under the model and the distribution, if there are few; otherwise
/// `draw` samples the distribution.
fn transported(
    p: &GridModel,
    divergences: Divergences,
    listed: impl FnOnce() -> [Vec<f64>; 2],
    draw: impl Fn(&mut ChaCha8Rng) -> Vec<u16>,
    settings: &SamplingSettings,
    random: &mut ChaCha8Rng,
) -> Comparison {
    let outcomes = p.outcomes();
    if outcomes <= TRANSPORTABLE as f64 {
        let sizes: Vec<usize> = p.columns.iter().map(|column| column.patterns.len()).collect();
        let [own, other] = listed();
        let exact = transport::exact(&own, &other, &sizes);
        return Comparison { outcomes, divergences, wasserstein: Estimate::exact(exact), baseline: None };
    }
    let mut drawn =
        |draw: &dyn Fn(&mut ChaCha8Rng) -> Vec<u16>| -> Vec<_> { (0..settings.pairs).map(|_| draw(random)).collect() };
    let own = |random: &mut ChaCha8Rng| p.sample(random);
    let samples: Vec<_> = (0..REPEATS).map(|_| [drawn(&own), drawn(&draw), drawn(&own)]).collect();
    let apart = |[a, b, again]: &[Vec<Vec<u16>>; 3]| (transport::matched(a, b), transport::matched(a, again));
    let (to_other, to_own): (Vec<f64>, Vec<f64>) = samples.par_iter().map(apart).unzip();
    let [wasserstein, baseline] = [to_other, to_own].map(|each| Estimate::mean(&each));
    Comparison { outcomes, divergences, wasserstein, baseline: Some(baseline) }
}
