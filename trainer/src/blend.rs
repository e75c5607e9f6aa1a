//! Means of models in one order: logits averaged, bit by bit. A mean of logits is a normalised model again, and its table
//! holds no more than its ingredients.

use rayon::prelude::*;

use crate::bits::Bits;
use crate::model::{Conditional, Hidden, Model, PerBit, Tree, log_sigmoid};

impl Conditional {
    /// The sum of some conditionals, each times a weight.
    pub fn blend(ingredients: &[(&Self, f64)]) -> Self {
        let mut blend = Self::default();
        for &(conditional, weight) in ingredients.iter().filter(|(_, weight)| *weight != 0.0) {
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

impl Model {
    /// The sum of some models, each times a weight. `None` if their hidden layers are of different kinds.
    pub fn blend(ingredients: &[(&Self, f64)]) -> Option<Self> {
        let (first, _) = ingredients.first()?;
        let each = 0..first.conditionals.len();
        let of_bit = |i: usize| {
            let parts: Vec<_> = ingredients.iter().map(|(model, weight)| (&model.conditionals[i], *weight)).collect();
            Conditional::blend(&parts)
        };
        let layers: Vec<(&Hidden, f32)> = ingredients
            .iter()
            .filter_map(|(model, weight)| model.hidden.as_ref().map(|layer| (layer, *weight as f32)))
            .collect();
        if layers.iter().any(|(layer, _)| layer.activation != layers[0].0.activation) {
            return None;
        }
        Some(Self {
            conditionals: each.map(of_bit).collect(),
            hidden: Hidden::side_by_side(&layers),
            guards: first.guards.clone(),
            ..Self::default()
        })
    }
}

/// The weights of some logits that serve rows best: Newton's method on the log-likelihood, which is concave, less `ridge`/2
/// nats a unit of squared distance from where the weights start. `rows` lists bits, each with the rows to look at.
pub fn weigh(ingredients: &[&PerBit], bits: &Bits, rows: &[(usize, &[u32])], start: &[f64], ridge: f64) -> Vec<f64> {
    let k = ingredients.len();
    let mut weights = start.to_vec();
    for _ in 0..12 {
        let mut gradient: Vec<f64> =
            weights.iter().zip(start).map(|(weight, start)| ridge * (start - weight)).collect();
        let mut curvature = vec![vec![0.0; k]; k];
        (0..k).for_each(|a| curvature[a][a] = ridge);
        for &(i, rows) in rows {
            let columns: Vec<&Vec<f64>> = ingredients.iter().map(|logits| &logits[i]).collect();
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

/// How strongly the weights of single bits are held to those of all.
const RIDGES: [f64; 3] = [300.0, 100.0, 30.0];
/// Rows in turn are left out to tell what weights of single bits are worth.
const FOLDS: usize = 4;

/// Weights for each bit, `free` being its rows, around those of all bits: as far apart as rows that were left out find best,
/// and no further.
pub fn weigh_bits(ingredients: &[&PerBit], bits: &Bits, free: &[Vec<u32>], all: &[f64]) -> Vec<Vec<f64>> {
    let held_out = |ridge: Option<f64>| -> f64 {
        let of_bit = |(i, rows): (usize, &Vec<u32>)| -> f64 {
            let of_fold = |fold: usize| -> f64 {
                let (out, rest): (Vec<u32>, Vec<u32>) = rows.iter().partition(|&&row| row as usize % FOLDS == fold);
                let weights = ridge.map_or(all.to_vec(), |ridge| weigh(ingredients, bits, &[(i, &rest)], all, ridge));
                let logit = |row: usize| ingredients.iter().zip(&weights).map(|(logits, w)| logits[i][row] * w).sum();
                out.iter().map(|&row| log_sigmoid(logit(row as usize), bits.get(row as usize, i))).sum()
            };
            (0..FOLDS).map(of_fold).sum()
        };
        let each: Vec<f64> = free.par_iter().enumerate().map(of_bit).collect();
        each.iter().sum()
    };
    let worth: Vec<(f64, Option<f64>)> =
        [None].into_iter().chain(RIDGES.map(Some)).map(|ridge| (held_out(ridge), ridge)).collect();
    let best = worth.into_iter().reduce(|best, next| if next.0 > best.0 + 1.0 { next } else { best });
    let ridge = best.and_then(|(_, ridge)| ridge);
    let of_bit = |(i, rows): (usize, &Vec<u32>)| {
        ridge.map_or(all.to_vec(), |ridge| weigh(ingredients, bits, &[(i, rows)], all, ridge))
    };
    free.par_iter().enumerate().map(of_bit).collect()
}

/// Solves a positive definite system, of which the lower triangle is given, by Cholesky's decomposition.
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
