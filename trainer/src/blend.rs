//! Weighted sums of the logits of models with the same order of bits, and the fit of the weights.
//!
//! A model with summed logits is normalised, and its table is at most as large as the tables of the models together.

use rayon::prelude::*;

use crate::bits::{Bits, PerBit};
use crate::model::{FloatConditional, FloatModel, HiddenLayer, Tree, log_sigmoid};

impl FloatConditional {
    /// Returns the conditional whose logit is the sum of weight · logit over (conditional, weight) pairs.
    pub fn blend(terms: &[(&Self, f64)]) -> Self {
        let mut blend = Self::default();
        for &(conditional, weight) in terms.iter().filter(|(_, weight)| *weight != 0.0) {
            blend.bias += weight * conditional.bias;
            blend.weights.extend(conditional.weights.iter().map(|&(j, w)| (j, weight * w)));
            blend.trees.extend(conditional.trees.iter().map(|tree| Tree {
                splits: tree.splits.clone(),
                leaves: tree.leaves.iter().map(|leaf| weight * leaf).collect(),
            }));
        }
        blend.weights.sort_by_key(|&(j, _)| j);
        blend.weights.dedup_by(|(j, more), (i, weight)| {
            if i == j {
                *weight += *more;
            }
            i == j
        });
        blend
    }
}

impl FloatModel {
    /// Returns the model whose logits are the sum of weight · logits over (model, weight) pairs.
    ///
    /// Returns `None` if there are no models or if their hidden layers have different activations.
    pub fn blend(terms: &[(&Self, f64)]) -> Option<Self> {
        let (first, _) = terms.first()?;
        let each = 0..first.conditionals.len();
        let conditional = |i: usize| {
            let terms: Vec<_> = terms.iter().map(|(model, weight)| (&model.conditionals[i], *weight)).collect();
            FloatConditional::blend(&terms)
        };
        let layers: Vec<(&HiddenLayer, f32)> = terms
            .iter()
            .filter_map(|(model, weight)| model.hidden.as_ref().map(|layer| (layer, *weight as f32)))
            .collect();
        if layers.iter().any(|(layer, _)| layer.activation != layers[0].0.activation) {
            return None;
        }
        Some(Self {
            conditionals: each.map(conditional).collect(),
            hidden: HiddenLayer::side_by_side(&layers),
            constraints: first.constraints.clone(),
            ..Self::default()
        })
    }
}

/// Returns the weights of the terms that maximise the log-likelihood minus a ridge penalty, by Newton's method.
///
/// Each of `terms` is a list of logits in nats, `[bit][row]`. The log-likelihood, which is concave, is summed over the
/// (bit, row indices) pairs in `rows`. The penalty is `ridge`/2 nats per unit of squared distance from `start`.
pub fn weigh(terms: &[&PerBit], bits: &Bits, rows: &[(usize, &[u32])], start: &[f64], ridge: f64) -> Vec<f64> {
    let k = terms.len();
    let mut weights = start.to_vec();
    for _ in 0..12 {
        let mut gradient: Vec<f64> =
            weights.iter().zip(start).map(|(weight, start)| ridge * (start - weight)).collect();
        let mut curvature = vec![vec![0.0; k]; k];
        (0..k).for_each(|a| curvature[a][a] = ridge);
        for &(i, rows) in rows {
            let columns: Vec<&Vec<f64>> = terms.iter().map(|logits| &logits[i]).collect();
            for row in rows.iter().map(|&row| row as usize) {
                let logit: f64 = columns.iter().zip(&weights).map(|(column, weight)| column[row] * weight).sum();
                let p = 1.0 / (1.0 + (-logit).exp());
                let residual = f64::from(u8::from(bits.get(row, i))) - p;
                for a in 0..k {
                    gradient[a] += residual * columns[a][row];
                    for b in 0..=a {
                        curvature[a][b] += p * (1.0 - p) * columns[a][row] * columns[b][row];
                    }
                }
            }
        }
        let step = solve(curvature, gradient);
        weights.iter_mut().zip(&step).for_each(|(weight, step)| *weight += step.clamp(-0.5, 0.5));
        if step.iter().all(|step| step.abs() < 1e-5) {
            break;
        }
    }
    weights
}

/// Ridge penalties to try, which keep the weights of single bits near the shared weights.
const RIDGES: [f64; 3] = [300.0, 100.0, 30.0];
/// Number of folds of the cross-validation of the weights of single bits.
const FOLDS: usize = 4;

/// Returns weights for each bit, `[bit][term]`, near the shared weights `shared`.
///
/// Cross-validation chooses the ridge penalty on the distance, or the shared weights for all bits. `free[i]` lists the
/// rows in which no constraint makes bit i observed or implied.
pub fn weigh_bits(terms: &[&PerBit], bits: &Bits, free: &[Vec<u32>], shared: &[f64]) -> Vec<Vec<f64>> {
    let held_out = |ridge: Option<f64>| -> f64 {
        let of_bit = |(i, rows): (usize, &Vec<u32>)| -> f64 {
            let of_fold = |fold: usize| -> f64 {
                let (out, rest): (Vec<u32>, Vec<u32>) = rows.iter().partition(|&&row| row as usize % FOLDS == fold);
                let weights = ridge.map_or(shared.to_vec(), |ridge| weigh(terms, bits, &[(i, &rest)], shared, ridge));
                let logit = |row: usize| terms.iter().zip(&weights).map(|(logits, w)| logits[i][row] * w).sum();
                out.iter().map(|&row| log_sigmoid(logit(row as usize), bits.get(row as usize, i))).sum()
            };
            (0..FOLDS).map(of_fold).sum()
        };
        let each: Vec<f64> = free.par_iter().enumerate().map(of_bit).collect();
        each.iter().sum()
    };
    let scores: Vec<(f64, Option<f64>)> =
        [None].into_iter().chain(RIDGES.map(Some)).map(|ridge| (held_out(ridge), ridge)).collect();
    let best = scores.into_iter().reduce(|best, next| if next.0 > best.0 + 1.0 { next } else { best });
    let ridge = best.and_then(|(_, ridge)| ridge);
    let of_bit = |(i, rows): (usize, &Vec<u32>)| {
        ridge.map_or(shared.to_vec(), |ridge| weigh(terms, bits, &[(i, rows)], shared, ridge))
    };
    free.par_iter().enumerate().map(of_bit).collect()
}

/// Returns the solution x of a x = b by Cholesky decomposition, for a positive definite `a` given by its lower
/// triangle.
fn solve(mut a: Vec<Vec<f64>>, mut b: Vec<f64>) -> Vec<f64> {
    let n = b.len();
    for j in 0..n {
        for k in 0..j {
            let factor = a[j][k];
            for row in a.iter_mut().skip(j) {
                row[j] -= row[k] * factor;
            }
        }
        let pivot = a[j][j].max(1e-12).sqrt();
        a.iter_mut().skip(j).for_each(|row| row[j] /= pivot);
    }
    for j in 0..n {
        b[j] = (b[j] - (0..j).map(|k| a[j][k] * b[k]).sum::<f64>()) / a[j][j];
    }
    for j in (0..n).rev() {
        b[j] = (b[j] - (j + 1..n).map(|k| a[k][j] * b[k]).sum::<f64>()) / a[j][j];
    }
    b
}
