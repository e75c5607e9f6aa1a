//! Means of models in one order: logits averaged, bit by bit. A mean of logits is a normalised model again, and its table
//! holds no more than its ingredients.

use crate::bits::{Bits, members};
use crate::model::{Conditional, Hidden, Model, PerBit, Tree};

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

/// The weights of some logits that serve the rows best: Newton's method on the log-likelihood, which is concave, less
/// `ridge`/2 nats a unit of squared distance from where they start, `equal`.
pub fn weigh(ingredients: &[&PerBit], bits: &Bits, guards: &[u16], equal: f64, ridge: f64) -> Vec<f64> {
    let k = ingredients.len();
    let mut weights = vec![equal; k];
    for _ in 0..12 {
        let mut gradient: Vec<f64> = weights.iter().map(|weight| ridge * (equal - weight)).collect();
        let mut curvature = vec![vec![0.0; k]; k];
        (0..k).for_each(|a| curvature[a][a] = ridge);
        for i in 0..bits.width() {
            let columns: Vec<&Vec<f64>> = ingredients.iter().map(|logits| &logits[i]).collect();
            for row in members(&bits.free(guards, i)).map(|row| row as usize) {
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
