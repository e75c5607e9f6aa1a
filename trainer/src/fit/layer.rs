//! A hidden layer from rows: start, climb, and keep the best.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::ascent::{Ascent, climb};
use super::nade::{Nade, Rows, Shape};
use crate::model::Model;

/// What to fit and how.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Recipe {
    /// The layer.
    pub shape: Shape,
    /// The way up; its seed also draws the first weights.
    pub ascent: Ascent,
}

/// A fitted layer, with nothing but biases beside it, and the mean log-likelihood of the validation rows.
///
/// Where the rows have an offset, the model is what is to be added to it.
pub fn fit(
    train: &Rows,
    valid: &Rows,
    guards: &[u16],
    recipe: &Recipe,
    each_epoch: impl FnMut(usize, f64) -> bool,
) -> (Model, f64) {
    let nade = Nade::new(recipe.shape, train, valid);
    let start = nade.start(&mut ChaCha8Rng::seed_from_u64(recipe.ascent.seed));
    let summit = climb(&nade, start, &recipe.ascent, each_epoch);
    let (hidden, biases) = nade.layer(&summit.theta);
    (Model::of_layer(hidden, &biases, guards), summit.valid_ll)
}
