//! How far apart two distributions over rows are: two models, or a model and data.
//!
//! Everything but Wasserstein-1 is in nats (total variation is a probability), and is of *outcomes*, the cells that
//! readings fall in: the log-widths that make scores densities are the same on both sides and cancel. Probabilities are
//! products of the core's masses over the very table that the board reads.
//!
//! With m = (p + q) / 2 and w(x) = p(x) / (p(x) + q(x)), the chance that x came from p if a fair coin chose:
//!
//! | | defined as | beyond enumeration, the mean of |
//! | --- | --- | --- |
//! | KL(p‖q) (Kullback & Leibler 1951) | E_p ln p/q | Σ_i KL(p(x_i)‖q(x_i)) given x_<i, or ln p/q, over x from p |
//! | Jensen–Shannon (Lin 1991) | ½KL(p‖m) + ½KL(q‖m) | ln 2 - H(w(x)) over as many x from p as from q |
//! | total variation | ½Σ\|p - q\| | \|2w(x) - 1\| over as many x from p as from q |
//!
//! The first is the chain rule of KL with only its prefixes sampled, and takes two models with the same bits in the same
//! order. Elsewhere ln p/q stands in, whose mean may come out below zero by its standard error. The other two are what
//! the coin and the row say of each other, averaged; as they are bounded, their standard errors can be trusted.
//!
//! Against data all of them are exact whatever the number of bits, as only the rows of the data have to be looked at.
//! Wasserstein-1 is exact up to [`TRANSPORTABLE`] rows; beyond that it is between samples, see [`transport::matched`].

use std::collections::BTreeMap;
use std::f64::consts::LN_2;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use surprisal::{Conditional, Model, Part, Reading};

use crate::artefact::Artefact;
use crate::error::{Error, Result};
use crate::quantise::bernoulli_kl;

mod grid;
pub mod transport;

use grid::Side;

/// So many rows are enumerated at most; 20 bits never have more.
pub const ENUMERABLE: usize = 1 << 20;
/// Up to so many rows Wasserstein-1 is exact.
pub const TRANSPORTABLE: usize = 1 << 16;
/// How many pairs of samples Wasserstein-1 is averaged over.
const REPEATS: usize = 8;
/// How many sampled rows are held at a time.
const BATCH: usize = 1024;

/// A number that was computed, or estimated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The number; may be infinite, never NaN.
    pub value: f64,
    /// One standard deviation of the number over repetitions; `None` if it is exact.
    pub standard_error: Option<f64>,
}

impl Estimate {
    const fn exact(value: f64) -> Self {
        Self { value, standard_error: None }
    }

    /// The mean of independent draws. Infinite if one is, and then that is exact.
    fn mean(draws: &[f64]) -> Self {
        let n = draws.len() as f64;
        let value = draws.iter().sum::<f64>() / n;
        if value.is_infinite() {
            return Self::exact(value);
        }
        let squares: f64 = draws.iter().map(|draw| (draw - value).powi(2)).sum();
        Self { value, standard_error: Some((squares / (n - 1.0).max(1.0) / n).sqrt()) }
    }

    /// The mean of two independent estimates.
    fn between(self, other: Self) -> Self {
        let errors = self.standard_error.zip(other.standard_error);
        Self { value: 0.5 * (self.value + other.value), standard_error: errors.map(|(a, b)| 0.5 * a.hypot(b)) }
    }
}

/// Divergences of p and q.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Divergences {
    /// KL(p‖q) in nats: what is lost by coding rows of p by q. Infinite where q rules out what p does not.
    pub forward: Estimate,
    /// KL(q‖p) in nats.
    pub reverse: Estimate,
    /// Jensen–Shannon divergence in nats, at most ln 2.
    pub jensen_shannon: Estimate,
    /// Total variation, the most by which the probabilities of an event differ.
    pub total_variation: Estimate,
}

impl Divergences {
    /// Of two distributions, given as the pairs p(x), q(x) of every x that one of them has.
    ///
    /// ```
    /// use surprisal_trainer::divergence::Divergences;
    /// let exact = Divergences::exact([(0.5, 1.0), (0.5, 0.0)]);
    /// assert!(exact.forward.value.is_infinite()); // q never says what p says half of the time
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

/// One row's share of KL(p‖q), with what p lacks of q: the lacks add up to nothing, and make every share at least zero.
fn kl(p: f64, q: f64) -> f64 {
    let share = if p > 0.0 { p * (p / q).ln() } else { 0.0 };
    (share - p + q).max(0.0)
}

/// The probability of a row, which is zero for one that a guard rules out.
///
/// ```
/// use surprisal::{Columns, Linear, Model};
/// use surprisal_trainer::divergence::probability;
/// let linear = Linear::new(&[0, 0], &[], Columns::Dense(&[])).unwrap();
/// let model = Model::<2, _>::new(linear, &[], 2).unwrap();
/// assert_eq!(probability(&model, &[true, false]), 0.25);
/// ```
pub fn probability<const N: usize, P: Part<N>>(model: &Model<'_, N, P>, row: &[bool; N]) -> f64 {
    each(&ones(model, row), row).product()
}

/// p(x_i = 1 | x_<i) along a row.
fn ones<const N: usize, P: Part<N>>(model: &Model<'_, N, P>, row: &[bool; N]) -> Vec<f64> {
    let (mut walk, mut ones) = (model.walk(), Vec::with_capacity(model.bits()));
    while let Some((i, conditional)) = walk.next(row) {
        ones.push(match conditional {
            Conditional::Forced(value) => f64::from(u8::from(value)),
            Conditional::Open(logit) => f64::from(logit.mass().of(true)) / 65536.0,
        });
        walk.observe(row[i]);
    }
    ones
}

/// p(x_i | x_<i) along a row.
fn each(ones: &[f64], row: &[bool]) -> impl Iterator<Item = f64> {
    ones.iter().zip(row).map(|(one, &bit)| if bit { *one } else { 1.0 - one })
}

/// How much to draw where enumeration would take too long.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Rows from each model, at least 2.
    pub rows: usize,
    /// Rows in each of the samples that Wasserstein-1 pairs off: the time grows as their cube.
    pub pairs: usize,
    /// Of the draws.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { rows: 10_000, pairs: 512, seed: 0 }
    }
}

/// What [`models`] and [`data`] find out.
#[derive(Clone, Copy, Debug)]
pub struct Comparison {
    /// How many different rows there can be; infinite beyond the range of `f64`.
    pub outcomes: f64,
    /// All but Wasserstein-1.
    pub divergences: Divergences,
    /// Wasserstein-1 under the Hamming distance of the first model's bits: how many bits have to be flipped in the
    /// mean. An estimate is that between two samples of [`Settings::pairs`] rows, which is more.
    pub wasserstein: Estimate,
    /// The same between two samples of the first model, where it was estimated: what of it is the samples' doing.
    pub baseline: Option<Estimate>,
}

/// A model against rows: what [`data`] finds out besides.
#[derive(Clone, Copy, Debug)]
pub struct Likelihood {
    /// The mean of -ln p(row) in nats, over outcomes; what maximum likelihood makes small.
    pub cross_entropy: f64,
    /// The entropy of the rows' own frequencies. The rest of the cross-entropy is KL(data‖model).
    pub entropy: f64,
}

/// Compares two models, p and q, of the same columns in whatever order and polarity.
///
/// # Errors
/// Their columns differ; the message says which, how, and what to do.
pub fn models(p: &Artefact, q: &Artefact, settings: &Settings) -> Result<Comparison> {
    let (p, q) = (Side::new(p, &p.schema)?, Side::new(q, &p.schema)?);
    let mut random = ChaCha8Rng::seed_from_u64(settings.seed);
    if let Some(outcomes) = p.enumerable() {
        let (p_of, q_of) = (p.probabilities(outcomes), q.probabilities(outcomes));
        let divergences = Divergences::exact(p_of.iter().copied().zip(q_of.iter().copied()));
        return Ok(transported(&p, divergences, || q_of, |random| q.sample(random), settings, &mut random));
    }
    let divergences = sampled(&p, &q, settings.rows, &mut random);
    Ok(transported(&p, divergences, Vec::new, |random| q.sample(random), settings, &mut random))
}

/// Compares a model, p, with the frequencies of rows of readings, q. KL(p‖q) is infinite unless every row that there
/// can be is among them.
///
/// # Errors
/// A reading that does not fit its column; no rows.
pub fn data(p: &Artefact, rows: &[Vec<Reading>], settings: &Settings) -> Result<(Comparison, Likelihood)> {
    if rows.is_empty() {
        return Err(Error::Incomparable("no rows to compare the model with; supply at least one".into()));
    }
    let (bits, _) = p.schema.encode(rows)?;
    let p = Side::new(p, &p.schema)?;
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
    let likelihood = Likelihood {
        cross_entropy: found.iter().map(|(ln_p, q)| -q * ln_p).sum(),
        entropy: found.iter().map(|(_, q)| -q * q.ln()).sum(),
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
        // Guards may have taken all but a rounding of it; what there is of it is infinitely far off.
        pairs.push((unseen.max(f64::MIN_POSITIVE), 0.0));
    }
    // A row may be too unlikely for an `f64`, its logarithm is not.
    let reverse = Estimate::exact((likelihood.cross_entropy - likelihood.entropy).max(0.0));
    let divergences = Divergences { reverse, ..Divergences::exact(pairs) };
    let mut random = ChaCha8Rng::seed_from_u64(settings.seed);
    let draw = |random: &mut ChaCha8Rng| rows[random.random_range(0..rows.len())].clone();
    let dense = || p.frequencies(&counts, total, p.outcomes() as usize);
    Ok((transported(&p, divergences, dense, draw, settings, &mut random), likelihood))
}

/// Estimates from rows of both models.
fn sampled(p: &Side, q: &Side, rows: usize, random: &mut ChaCha8Rng) -> Divergences {
    let same_bits = p.places == q.places;
    let mut from = |own: &Side, other: &Side| {
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

/// A sampled row's terms of KL(own‖other), Jensen–Shannon and total variation.
fn terms(own: &Side, other: &Side, row: &[u16], same_bits: bool) -> [f64; 3] {
    let [(own_row, own_ones), (other_row, other_ones)] = [own, other].map(|side| side.walk(row));
    let ln = |ones: &[f64], row: &[bool]| each(ones, row).map(f64::ln).sum::<f64>();
    let ratio = ln(&own_ones, &own_row) - ln(&other_ones, &other_row);
    let kl = match same_bits {
        true => own_ones.iter().zip(&other_ones).map(|(p, q)| bernoulli_kl(*p, *q)).sum(),
        false => ratio,
    };
    // Both weights from the smaller one, so that neither loses its digits.
    let small = 1.0 / (1.0 + ratio.abs().exp());
    let entropy = if small > 0.0 { -small * small.ln() - (1.0 - small) * (-small).ln_1p() } else { 0.0 };
    [kl, (LN_2 - entropy).max(0.0), 1.0 - 2.0 * small]
}

/// Adds Wasserstein-1 from a model to a distribution that is listed if there are few rows, drawn from otherwise.
fn transported(
    p: &Side,
    divergences: Divergences,
    listed: impl FnOnce() -> Vec<f64>,
    draw: impl Fn(&mut ChaCha8Rng) -> Vec<u16>,
    settings: &Settings,
    random: &mut ChaCha8Rng,
) -> Comparison {
    let outcomes = p.outcomes();
    if outcomes <= TRANSPORTABLE as f64 {
        let sizes: Vec<usize> = p.places.iter().map(|place| place.patterns.len()).collect();
        let exact = transport::exact(&p.probabilities(outcomes as usize), &listed(), &sizes);
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
