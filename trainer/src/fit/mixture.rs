//! A mixture of trees in floats: what it says of a row, and its fit.

use rayon::prelude::*;
use surprisal::Guard;

use crate::bits::Bits;
use crate::model::PerBit;

pub mod em;
pub mod row;

use em::{Em, Rows};

/// How to fit.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How many components.
    pub components: usize,
    /// How many rows the global probability of a bit counts for in each component.
    pub pseudo_count: f64,
    /// How many steps of expectation and maximisation at most.
    pub iterations: usize,
    /// From how many first guesses to start; the validation rows choose.
    pub starts: usize,
    /// Of the first guesses.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { components: 8, pseudo_count: 2.0, iterations: 200, starts: 3, seed: 0 }
    }
}

/// A mixture, as [`surprisal::Mixture`] holds it, in floats. All lists go bit after bit.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mixture {
    /// The probability of each component.
    pub priors: Vec<f64>,
    /// How many bits before its own a parent lies, 0 for none.
    pub gaps: Vec<u8>,
    /// What a parent adds to the logits if it is a one.
    pub weights: Vec<f64>,
    /// The logits otherwise, one a component.
    pub biases: Vec<f64>,
}

/// The components' weights on the way through a row.
#[derive(Clone, Debug)]
pub struct Walk<'m> {
    mixture: &'m Mixture,
    weights: Vec<f64>,
}

/// Expectation and maximisation until the validation rows gain no more, from each start; the best mixture on the way by
/// their likelihood.
pub fn fit(train: &Bits, valid: &Bits, guards: &[u16], settings: &Settings) -> Mixture {
    let valid = Rows::new(valid, guards);
    let mut em = Em::new(train, guards, settings);
    let mut best = (f64::NEG_INFINITY, Mixture::default());
    for start in 0..settings.starts.max(1) {
        em.start(settings.seed.wrapping_add(start as u64));
        let (mut most, mut waited) = (f64::NEG_INFINITY, 0);
        for _ in 0..settings.iterations {
            em.step();
            let reached = em.log_likelihood(&valid);
            waited = if reached > most + LEAST { 0 } else { waited + 1 };
            most = most.max(reached);
            if reached > best.0 {
                best = (reached, em.mixture.clone());
            }
            if waited == PATIENCE {
                break;
            }
        }
    }
    best.1
}

/// A gain in nats a validation row that is one, and how many steps may go by without.
const LEAST: f64 = 1e-5;
const PATIENCE: usize = 10;

impl Mixture {
    /// How many components.
    pub fn components(&self) -> usize {
        self.priors.len()
    }

    /// The logit of bit `i` in component `k`.
    pub fn logit(&self, i: usize, k: usize, seen: &[bool]) -> f64 {
        let gap = usize::from(self.gaps[i]);
        self.biases[i * self.components() + k] + if gap > 0 && seen[i - gap] { self.weights[i] } else { 0.0 }
    }

    /// Before the first bit.
    pub fn walk(&self) -> Walk<'_> {
        Walk { mixture: self, weights: self.priors.clone() }
    }

    /// Its share of the logits of all rows; zero where a bit is forced.
    pub fn logits(&self, bits: &Bits, guards: &[u16]) -> PerBit {
        let n = bits.width();
        let of_row = |at: usize| {
            let mut row = vec![false; n];
            bits.row(at, &mut row);
            let mut walk = self.walk();
            let mut logits = vec![0.0; n];
            for (i, logit) in logits.iter_mut().enumerate() {
                if guards.get(i).and_then(|&guard| Guard::from_raw(guard).forces(&row)).is_none() {
                    *logit = walk.logit(&row, i);
                    walk.settle(&row, i);
                }
            }
            logits
        };
        let by_row: Vec<Vec<f64>> = (0..bits.rows).into_par_iter().map(of_row).collect();
        (0..n).into_par_iter().map(|i| by_row.iter().map(|row| row[i]).collect()).collect()
    }
}

impl Walk<'_> {
    /// The logit of bit `i`.
    pub fn logit(&self, seen: &[bool], i: usize) -> f64 {
        let (mut one, mut zero) = (0.0, 0.0);
        for (k, weight) in self.weights.iter().enumerate() {
            let odds = self.mixture.logit(i, k, seen).exp();
            one += weight * odds / (1.0 + odds);
            zero += weight / (1.0 + odds);
        }
        (one / zero).ln()
    }

    /// Weighs what the free bit `i` turned out to be.
    pub fn settle(&mut self, seen: &[bool], i: usize) {
        let mut sum = 0.0;
        for (k, weight) in self.weights.iter_mut().enumerate() {
            let logit = self.mixture.logit(i, k, seen);
            *weight /= 1.0 + if seen[i] { -logit } else { logit }.exp();
            sum += *weight;
        }
        self.weights.iter_mut().for_each(|weight| *weight /= sum);
    }
}
