//! Quantisation: converts a float model to the fixed-point numbers of a table.

use super::hidden::HiddenTable;
use super::linear::{self, LinearTable};
use super::mixture::MixtureTable;
use super::{ForestTable, OwnedTable};
use crate::calibrate::Calibration;
use crate::model::{FloatModel, Tree};
use crate::schema::Schema;

/// Returns the number of low bits of a split word that hold the index of the tested bit, for rows of `n` bits.
pub fn feature_bits(n: usize) -> u16 {
    (usize::BITS - n.saturating_sub(1).leading_zeros()).clamp(1, 15) as u16
}

/// Returns the largest number of splits per tree for rows of `n` bits, which the high bits of a split word can count.
pub fn most_splits(n: usize) -> usize {
    (1 << (16 - feature_bits(n))) - 1
}

/// Quantises a model. Returns `None` if it has more weights or splits than a table can address.
pub fn quantise(schema: &Schema, model: &FloatModel) -> Option<OwnedTable> {
    let n = model.conditionals.len();
    let mut biases = Vec::with_capacity(n);
    let mut trees = ForestTable { feature_bits: feature_bits(n), ..ForestTable::default() };
    for conditional in &model.conditionals {
        // The middle of each tree's leaf values is added to the bias, so that leaves use the whole range of a byte.
        let offset: f64 = conditional.trees.iter().map(middle).sum();
        biases.push(((conditional.bias + offset) * 1024.0).round().clamp(-32768.0, 32767.0) as i16);
        push_trees(&mut trees, &conditional.trees);
    }
    if trees.splits.is_empty() {
        trees = ForestTable { feature_bits: trees.feature_bits, ..ForestTable::default() };
    } else {
        trees.starts.push(u16::try_from(trees.splits.len()).ok()?);
    }
    let mut linear = LinearTable { biases, ..LinearTable::default() };
    if model.conditionals.iter().any(|conditional| !conditional.weights.is_empty()) {
        (linear.scales, linear.weights) = linear::quantise(&model.conditionals)?;
    } else if model.mixture.is_some() && linear.biases.iter().all(|&bias| bias == 0) {
        // With a mixture, a linear term of zeros is not stored.
        linear.biases.clear();
    }
    Some(OwnedTable {
        encoder: schema.table(),
        constraints: model.constraints.clone(),
        linear,
        trees,
        hidden: model.hidden.as_ref().map_or_else(HiddenTable::default, HiddenTable::new),
        mixture: model.mixture.as_ref().map_or_else(MixtureTable::default, MixtureTable::new),
        calibration: Calibration::default(),
        predictor: schema.predictor.clone(),
    })
}

/// Quantises the trees of the next bit and appends them to the table. A split on the bit itself joins two trees.
fn push_trees(table: &mut ForestTable, trees: &[Tree]) {
    let bit = table.scales.len();
    table.starts.push(table.splits.len() as u16);
    let spread = |tree: &Tree| tree.leaves.iter().map(|leaf| (leaf - middle(tree)).abs()).fold(0.0, f64::max);
    let spread = trees.iter().map(spread).fold(0.0, f64::max);
    let scale = (spread / 127.0 * 65536.0).ceil().clamp(1.0, 65535.0);
    table.scales.push(scale as u16);
    let word = |feature: usize, left: usize| feature as u16 | (left as u16) << table.feature_bits;
    for (at, tree) in trees.iter().enumerate() {
        if at + 1 < trees.len() {
            table.splits.push(word(bit, tree.splits.len()));
        }
        table.splits.extend(tree.splits.iter().map(|split| word(split.feature as usize, split.left as usize)));
        let offset = middle(tree);
        let quantised = |leaf: &f64| ((leaf - offset) * 65536.0 / scale).round().clamp(-127.0, 127.0) as i8;
        table.leaves.extend(tree.leaves.iter().map(quantised));
    }
    if trees.is_empty() {
        table.leaves.push(0);
    }
}

/// Returns the value half-way between the smallest and the largest leaf of a tree, in nats.
fn middle(tree: &Tree) -> f64 {
    let low = tree.leaves.iter().copied().fold(f64::INFINITY, f64::min);
    let high = tree.leaves.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    0.5 * (low + high)
}
