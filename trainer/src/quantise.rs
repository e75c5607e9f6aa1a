//! Floats to the fixed point of the table, and what that costs.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use surprisal::{Activation, Columns, Forest, Linear, Sum, Table, TableError};

use crate::artefact::Shape;
use crate::calibrate::Calibration;
use crate::model::{FloatModel, Tree};
use crate::schema::{EncoderTable, Schema};
use crate::stream::PredictorTable;
use crate::with_shape;

pub mod hidden;
pub mod mixture;
pub mod rows;

use hidden::HiddenTable;
use mixture::MixtureTable;
pub use rows::Weights;

/// The owned slices of a [`surprisal::Table`].
#[derive(Clone, Debug)]
pub struct TableData {
    /// The encoder's.
    pub encoder: EncoderTable,
    /// As in [`surprisal::Model::new`].
    pub constraints: Vec<u16>,
    /// As in [`Linear::new`].
    pub biases: Vec<i16>,
    /// As in [`Linear::new`].
    pub scales: Vec<u16>,
    /// As in [`surprisal::Columns`].
    pub weights: Weights,
    /// As in [`Forest::new`].
    pub feature_bits: u16,
    /// As in [`Forest::new`].
    pub tree_starts: Vec<u16>,
    /// As in [`Forest::new`].
    pub splits: Vec<u16>,
    /// As in [`Forest::new`].
    pub leaves: Vec<i8>,
    /// As in [`Forest::new`].
    pub leaf_scales: Vec<u16>,
    /// As in [`surprisal::Nade::new`]; no units if there is no hidden layer.
    pub hidden: HiddenTable,
    /// As in [`surprisal::Mixture::new`]; no components if there is no mixture.
    pub mixture: MixtureTable,
    /// The detector's; of none before it is calibrated.
    pub calibration: Calibration,
    /// As in [`surprisal::Predictor::new`].
    pub predictor: PredictorTable,
}

/// The bits of a split word that name the feature, for `n` bits a row.
pub fn feature_bits(n: usize) -> u16 {
    (usize::BITS - n.saturating_sub(1).leading_zeros()).clamp(1, 15) as u16
}

/// How many splits a tree may have, so that the rest of a split word can count those on its left.
pub fn most_splits(n: usize) -> usize {
    (1 << (16 - feature_bits(n))) - 1
}

impl TableData {
    /// Quantises a model. Returns `None` if it has more weights or splits than a table can address.
    pub fn new(schema: &Schema, model: &FloatModel) -> Option<Self> {
        let n = model.conditionals.len();
        let mut data = Self {
            encoder: schema.table(),
            constraints: model.constraints.clone(),
            biases: Vec::new(),
            scales: Vec::new(),
            weights: Weights::Dense(Vec::new()),
            feature_bits: feature_bits(n),
            tree_starts: Vec::new(),
            splits: Vec::new(),
            leaves: Vec::new(),
            leaf_scales: Vec::new(),
            hidden: model.hidden.as_ref().map_or_else(HiddenTable::default, HiddenTable::new),
            mixture: model.mixture.as_ref().map_or_else(MixtureTable::default, MixtureTable::new),
            calibration: Calibration::default(),
            predictor: schema.predictor.clone(),
        };
        for conditional in &model.conditionals {
            let offset: f64 = conditional.trees.iter().map(middle).sum();
            data.biases.push(((conditional.bias + offset) * 1024.0).round().clamp(-32768.0, 32767.0) as i16);
            data.push_trees(&conditional.trees);
        }
        if data.splits.is_empty() {
            (data.tree_starts, data.leaves, data.leaf_scales) = Default::default();
        } else {
            data.tree_starts.push(u16::try_from(data.splits.len()).ok()?);
        }
        if model.conditionals.iter().any(|conditional| !conditional.weights.is_empty()) {
            (data.scales, data.weights) = rows::quantise(&model.conditionals)?;
        } else if model.mixture.is_some() && data.biases.iter().all(|&bias| bias == 0) {
            // Beside a mixture, rows that say nothing need not be there.
            data.biases.clear();
        }
        Some(data)
    }

    /// Appends the trees of the next bit, joined by splits on the bit itself.
    fn push_trees(&mut self, trees: &[Tree]) {
        let bit = self.leaf_scales.len();
        self.tree_starts.push(self.splits.len() as u16);
        let reach = |tree: &Tree| tree.leaves.iter().map(|leaf| (leaf - middle(tree)).abs()).fold(0.0, f64::max);
        let reach = trees.iter().map(reach).fold(0.0, f64::max);
        let scale = (reach / 127.0 * 65536.0).ceil().clamp(1.0, 65535.0);
        self.leaf_scales.push(scale as u16);
        let word = |feature: usize, left: usize| feature as u16 | (left as u16) << self.feature_bits;
        for (at, tree) in trees.iter().enumerate() {
            if at + 1 < trees.len() {
                self.splits.push(word(bit, tree.splits.len()));
            }
            self.splits.extend(tree.splits.iter().map(|split| word(split.feature as usize, split.left as usize)));
            let offset = middle(tree);
            let quantised = |leaf: &f64| ((leaf - offset) * 65536.0 / scale).round().clamp(-127.0, 127.0) as i8;
            self.leaves.extend(tree.leaves.iter().map(quantised));
        }
        if trees.is_empty() {
            self.leaves.push(0);
        }
    }

    /// The core's table over these slices.
    ///
    /// # Errors
    /// More bits than N.
    pub fn view<const N: usize, const H: usize, const K: usize>(&self) -> Result<Table<'_, N, H, K>, TableError> {
        let columns = match &self.weights {
            Weights::Dense(weights) => Columns::Dense(weights),
            Weights::Sparse { starts, entries } => Columns::Sparse { starts, entries },
        };
        let linear = Linear::new(&self.biases, &self.scales, columns)?;
        let forest = Forest::new(self.feature_bits, &self.tree_starts, &self.splits, &self.leaves, &self.leaf_scales)?;
        let model = surprisal::Model::new(
            Sum(Sum(linear, forest), Sum(self.hidden.view()?, self.mixture.view()?)),
            &self.constraints,
            self.biases.len().max(self.mixture.parents.len()),
        )?;
        Ok(Table::new(self.encoder.view(), model, self.calibration.view()).after(self.predictor.view()))
    }

    /// What sizes its state.
    pub fn shape(&self) -> Shape {
        Shape {
            bits: self.biases.len().max(self.mixture.parents.len()),
            units: self.hidden.biases.len(),
            components: self.mixture.priors.len(),
        }
    }

    /// The additions, multiplications and tree steps that a row takes at most.
    ///
    /// # Errors
    /// More than 4096 bits.
    pub fn operations(&self) -> Result<usize, TableError> {
        let table = self.view::<{ Shape::MOST.bits }, { Shape::MOST.units }, { Shape::MOST.components }>()?;
        Ok(Cost::of(&table).operations())
    }

    /// The bytes of the table, as in a `.srp` file.
    ///
    /// # Errors
    /// More than 4096 bits.
    pub fn bytes(&self) -> Result<Vec<u8>, TableError> {
        let mut bytes = Vec::new();
        self.view::<{ Shape::MOST.bits }, { Shape::MOST.units }, { Shape::MOST.components }>()?
            .write(|piece| bytes.extend_from_slice(piece));
        Ok(bytes)
    }
}

/// What a row costs at most, by what the table holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Bits of a row.
    pub bits: usize,
    /// Weights of logistic rows, each an addition.
    pub weights: usize,
    /// Are they stored one and all?
    pub dense: bool,
    /// Questions of all trees.
    pub splits: usize,
    /// Questions on the longest ways to the leaves.
    pub tree_steps: usize,
    /// Hidden units.
    pub units: usize,
    /// Of hidden units with weights, one a bit and unit, and of the gains of sigmoids; at most as many additions.
    pub multiplications: usize,
    /// What a mixture multiplies, four times a bit and component.
    pub mixture: usize,
}

impl Cost {
    /// That of a table.
    pub fn of<const N: usize, const H: usize, const K: usize>(table: &Table<'_, N, H, K>) -> Self {
        let (Sum(Sum(linear, forest), Sum(nade, mixture)), _) = table.model.pieces();
        let (weights, dense) = match linear.slices().2 {
            Columns::Dense(weights) => (weights.len(), true),
            Columns::Sparse { entries, .. } => (entries.len(), false),
        };
        let (bits, starts, splits, ..) = forest.slices();
        let trees = starts.windows(2).map(|pair| &splits[usize::from(pair[0])..usize::from(pair[1])]);
        Self {
            bits: table.model.bits(),
            weights,
            dense,
            splits: splits.len(),
            tree_steps: trees.enumerate().map(|(i, trees)| depth(trees, bits, i)).sum(),
            units: nade.units(),
            multiplications: nade.units() * nade.bits() * if nade.slices().0 == Activation::Sigmoid { 2 } else { 1 },
            mixture: 4 * mixture.components() * mixture.bits(),
        }
    }

    /// All of it.
    pub fn operations(&self) -> usize {
        self.weights + self.tree_steps + 2 * self.multiplications + self.mixture
    }

    /// More instructions than the surprisal of any row of bits takes on a kind of core, built with `opt-level = 3`: so many
    /// for the row, and for each bit, weight, tree step, and so on. The prices are read off the loops that the compiler makes,
    /// with room to spare; `cargo xtask test` holds them to the golden tables' costliest rows, and `cargo xtask bench device` to
    /// those of all tables.
    pub fn instructions(&self, core: Core) -> usize {
        let [row, bit, sparse, dense, step, multiplication, mixture] = core.prices();
        let weight = if self.dense { dense } else { sparse };
        row + bit * self.bits
            + weight * self.weights
            + step * self.tree_steps
            + multiplication * self.multiplications
            + mixture * self.mixture
    }
}

/// Kinds of cores, by what they need for the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Core {
    /// Cortex-M0, M0+, M1: the least of the instruction sets.
    Least,
    /// Cortex-M3, M4, M7, M33, and RV32IMAC.
    Larger,
}

impl Core {
    /// Instructions for a row, a bit, a sparse weight, a dense one, a tree step, a multiplication of a hidden layer and one
    /// of a mixture.
    const fn prices(self) -> [usize; 7] {
        match self {
            Self::Least => [1000, 220, 22, 12, 34, 24, 46],
            Self::Larger => [1000, 160, 15, 8, 22, 17, 28],
        }
    }
}

/// The splits on the longest way through the trees of bit `i`: of joined trees, those of each.
fn depth(trees: &[u16], feature_bits: u16, i: usize) -> usize {
    let Some((root, rest)) = trees.split_first() else { return 0 };
    let (left, right) = rest.split_at(usize::from(root >> feature_bits).min(rest.len()));
    let [left, right] = [left, right].map(|trees| depth(trees, feature_bits, i));
    let joins = usize::from(root & ((1 << feature_bits) - 1)) == i;
    1 + if joins { left + right } else { left.max(right) }
}

/// Half-way between the smallest leaf and the largest: it joins the bias, so that leaves use the whole range of a byte.
fn middle(tree: &Tree) -> f64 {
    let low = tree.leaves.iter().copied().fold(f64::INFINITY, f64::min);
    let high = tree.leaves.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    0.5 * (low + high)
}

/// KL(float ‖ table) in nats a row: the exact divergence of each conditional, averaged over `rows` prefixes drawn
/// from the float model (the chain rule of KL, with its outer expectation sampled).
///
/// # Errors
/// The bytes are no table.
pub fn divergence(model: &FloatModel, table: &[u8], rows: usize, seed: u64) -> Result<f64, TableError> {
    let prefixes = model.sample(rows, &mut ChaCha8Rng::seed_from_u64(seed));
    let logits = model.logits(&prefixes);
    with_shape!(Shape::of(table)?, N, H, K => {
        let table = Table::<N, H, K>::from_bytes(table)?;
        let each: Vec<f64> = (0..rows).into_par_iter().map(|at| {
            let mut row = [false; N];
            prefixes.row(at, &mut row);
            let mut walk = table.model.walk();
            let mut sum = 0.0;
            while let Some((i, conditional)) = walk.next(&row) {
                if let Some(mass) = conditional.mass() {
                    let p = 1.0 / (1.0 + (-logits[i][at]).exp());
                    sum += bernoulli_kl(p, f64::from(mass.of(true)) / 65536.0);
                }
                walk.observe(row[i]);
            }
            sum
        }).collect();
        Ok(each.iter().sum::<f64>() / rows as f64)
    })
}

/// KL between two coins, in nats.
pub(crate) fn bernoulli_kl(p: f64, q: f64) -> f64 {
    let term = |p: f64, q: f64| if p > 0.0 { p * (p / q).ln() } else { 0.0 };
    (term(p, q) + term(1.0 - p, 1.0 - q)).max(0.0)
}
