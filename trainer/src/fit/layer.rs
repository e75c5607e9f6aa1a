//! Fits a hidden layer: draws the initial weights, runs the optimizer, and returns the best epoch.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::nade::{LayerShape, NadeObjective, SparseRows};
use super::optimizer::{Optimizer, optimize};
use crate::model::FloatModel;

/// Settings of one fit of a hidden layer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LayerSettings {
    /// Size, activation and dropout of the layer.
    pub shape: LayerShape,
    /// Settings of the optimizer; its seed also determines the initial weights.
    pub optimizer: Optimizer,
}

/// Fits a hidden layer and one bias per bit; returns the model and its mean log-likelihood of the validation rows, in
/// nats per row.
///
/// If the rows have an offset, add the offset to the logits of the returned model. `each_epoch` receives the epoch and
/// the best validation log-likelihood so far; the fit ends when it returns false.
pub fn fit(
    train: &SparseRows,
    valid: &SparseRows,
    constraints: &[u16],
    settings: &LayerSettings,
    each_epoch: impl FnMut(usize, f64) -> bool,
) -> (FloatModel, f64) {
    let objective = NadeObjective::new(settings.shape, train, valid);
    let start = objective.start(&mut ChaCha8Rng::seed_from_u64(settings.optimizer.seed));
    let best = optimize(&objective, start, &settings.optimizer, each_epoch);
    let (hidden, biases) = objective.layer(&best.theta);
    (FloatModel::of_layer(hidden, &biases, constraints), best.valid_ll)
}
