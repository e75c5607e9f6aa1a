//! Logistic rows by stochastic gradient ascent: the other road to the optimum that [`super::logistic`] finds.

use std::sync::Mutex;

use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::ascent::{Ascent, Objective, climb};
use super::lanes::bernoulli;
use super::nade::Rows;
use crate::model::Conditional;

/// The log-likelihood of rows as a function of all weights below the diagonal, column after column, and of the biases.
struct LinearRows<'r> {
    train: &'r Rows,
    valid: &'r Rows,
    /// Logits and then residuals of a row, to be written on.
    scratch: Mutex<Vec<Vec<f32>>>,
}

impl LinearRows<'_> {
    /// Where column j's weights lie: those of the bits after it.
    fn column(&self, j: usize) -> std::ops::Range<usize> {
        let n = self.train.width;
        let start = j * (2 * n - j - 1) / 2;
        start..start + n - 1 - j
    }

    /// ln p(row); leaves the residuals, zero where a bit is forced.
    fn likelihood(&self, rows: &Rows, row: usize, theta: &[f32], residuals: &mut [f32]) -> f64 {
        residuals.copy_from_slice(&theta[self.weights()..]);
        for j in rows.ones(row).iter().map(|&j| usize::from(j)) {
            let below = &mut residuals[j + 1..];
            below.iter_mut().zip(&theta[self.column(j)]).for_each(|(logit, weight)| *logit += weight);
        }
        let mut bits = rows.ones(row).iter().map(|&j| usize::from(j)).peekable();
        let mut forced = rows.forced(row).peekable();
        let mut total = 0.0;
        for (i, residual) in residuals.iter_mut().enumerate() {
            let bit = f32::from(u8::from(bits.next_if_eq(&i).is_some()));
            if forced.next_if_eq(&i).is_some() {
                *residual = 0.0;
                continue;
            }
            let (p, likelihood) = bernoulli(*residual, bit);
            *residual = bit - p;
            total += f64::from(likelihood);
        }
        total
    }

    fn with_scratch<T>(&self, work: impl FnOnce(&mut [f32]) -> T) -> T {
        let mut scratch = self.scratch.lock().expect("nobody panics with it").pop().unwrap_or_default();
        scratch.resize(self.train.width, 0.0);
        let done = work(&mut scratch);
        self.scratch.lock().expect("nobody panics with it").push(scratch);
        done
    }
}

impl Objective for LinearRows<'_> {
    fn rows(&self) -> usize {
        self.train.len()
    }

    fn parameters(&self) -> usize {
        self.weights() + self.train.width
    }

    fn weights(&self) -> usize {
        self.train.width * self.train.width.saturating_sub(1) / 2
    }

    fn work(&self) -> usize {
        self.weights()
    }

    fn gradient(&self, theta: &[f32], rows: &[u32], _: &mut ChaCha8Rng, gradient: &mut [f32]) -> f64 {
        self.with_scratch(|residuals| {
            let mut total = 0.0;
            for row in rows.iter().map(|&row| row as usize) {
                total += self.likelihood(self.train, row, theta, residuals);
                for j in self.train.ones(row).iter().map(|&j| usize::from(j)) {
                    let column = &mut gradient[self.column(j)];
                    column.iter_mut().zip(&residuals[j + 1..]).for_each(|(sum, residual)| *sum += residual);
                }
                let biases = &mut gradient[self.weights()..];
                biases.iter_mut().zip(&*residuals).for_each(|(sum, residual)| *sum += residual);
            }
            total
        })
    }

    fn validate(&self, theta: &[f32]) -> f64 {
        let of_row = |row: usize| self.with_scratch(|scratch| self.likelihood(self.valid, row, theta, scratch));
        let each: Vec<f64> = (0..self.valid.len()).into_par_iter().map(of_row).collect();
        each.iter().sum::<f64>() / each.len().max(1) as f64
    }
}

/// Logistic rows over all earlier bits, penalised as the climb says.
pub fn fit(train: &Rows, valid: &Rows, ascent: &Ascent) -> Vec<Conditional> {
    let objective = LinearRows { train, valid, scratch: Mutex::default() };
    let mut start = vec![0.0; objective.weights()];
    start.extend(train.marginal_logits());
    let theta = climb(&objective, start, ascent, |_, _| true).theta;
    let weight = |i: usize, j: usize| f64::from(theta[objective.column(j).start + i - j - 1]);
    let conditional = |i: usize| Conditional {
        bias: f64::from(theta[objective.weights() + i]),
        weights: (0..i).map(|j| (j as u32, weight(i, j))).filter(|&(_, weight)| weight != 0.0).collect(),
        trees: Vec::new(),
    };
    (0..train.width).map(conditional).collect()
}
