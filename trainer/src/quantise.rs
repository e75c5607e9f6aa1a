//! Floats to the fixed point of the table, and what that costs.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use surprisal::{Columns, Detector, Forest, Linear, Sum, Table, TableError};

use crate::model::{Conditional, Model, Tree};
use crate::schema::{EncoderTable, Schema};
use crate::with_capacity;

/// The owned slices of a [`surprisal::Table`].
#[derive(Clone, Debug)]
pub struct TableData {
    /// The encoder's.
    pub encoder: EncoderTable,
    /// As in [`surprisal::Model::new`].
    pub guards: Vec<u16>,
    /// As in [`Linear::new`].
    pub biases: Vec<i16>,
    /// As in [`Linear::new`].
    pub scales: Vec<u16>,
    /// As in [`Columns`].
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
    /// The calibrated detector.
    pub detector: Detector,
}

/// The owned slices of [`Columns`].
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub enum Weights {
    Dense(Vec<i8>),
    Sparse { starts: Vec<u16>, entries: Vec<[u8; 2]> },
}

impl Weights {
    fn bytes(&self) -> usize {
        match self {
            Self::Dense(weights) => weights.len(),
            Self::Sparse { starts, entries } => 2 * starts.len() + 2 * entries.len(),
        }
    }
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
    pub fn new(schema: &Schema, model: &Model) -> Option<Self> {
        let n = model.conditionals.len();
        let mut data = Self {
            encoder: schema.table(),
            guards: model.guards.clone(),
            biases: Vec::new(),
            scales: Vec::new(),
            weights: Weights::Dense(Vec::new()),
            feature_bits: feature_bits(n),
            tree_starts: Vec::new(),
            splits: Vec::new(),
            leaves: Vec::new(),
            leaf_scales: Vec::new(),
            detector: Detector::OFF,
        };
        for conditional in &model.conditionals {
            // The tree's offset joins the bias, so that its leaves use the whole range of a byte.
            let offset = middle(&conditional.tree);
            data.biases.push(((conditional.bias + offset) * 1024.0).round().clamp(-32768.0, 32767.0) as i16);
            data.push_tree(&conditional.tree, offset);
        }
        if data.splits.is_empty() {
            (data.tree_starts, data.leaves, data.leaf_scales) = Default::default();
        } else {
            data.tree_starts.push(u16::try_from(data.splits.len()).ok()?);
        }
        if model.conditionals.iter().any(|conditional| !conditional.weights.is_empty()) {
            let (dense_scales, columns) = quantise_rows(&model.conditionals, f64::INFINITY);
            let dense = dense(&columns).map(|weights| (dense_scales, weights));
            let (sparse_scales, columns) = quantise_rows(&model.conditionals, LARGEST_STEP);
            let sparse = sparse(&columns).map(|weights| (sparse_scales, weights));
            (data.scales, data.weights) = dense.into_iter().chain(sparse).min_by_key(|(_, weights)| weights.bytes())?;
        }
        Some(data)
    }

    fn push_tree(&mut self, tree: &Tree, offset: f64) {
        self.tree_starts.push(self.splits.len() as u16);
        let reach = tree.leaves.iter().map(|leaf| (leaf - offset).abs()).fold(0.0, f64::max);
        let scale = (reach / 127.0 * 65536.0).ceil().clamp(1.0, 65535.0);
        self.leaf_scales.push(scale as u16);
        for split in &tree.splits {
            self.splits.push(split.feature as u16 | (split.left as u16) << self.feature_bits);
        }
        let quantised = |leaf: &f64| ((leaf - offset) * 65536.0 / scale).round().clamp(-127.0, 127.0) as i8;
        self.leaves.extend(tree.leaves.iter().map(quantised));
        if tree.leaves.is_empty() {
            self.leaves.push(0);
        }
    }

    /// The core's table over these slices.
    ///
    /// # Errors
    /// More bits than N.
    pub fn view<const N: usize>(&self) -> Result<Table<'_, N>, TableError> {
        let columns = match &self.weights {
            Weights::Dense(weights) => Columns::Dense(weights),
            Weights::Sparse { starts, entries } => Columns::Sparse { starts, entries },
        };
        let linear = Linear::new(&self.biases, &self.scales, columns)?;
        let forest = Forest::new(self.feature_bits, &self.tree_starts, &self.splits, &self.leaves, &self.leaf_scales)?;
        let model = surprisal::Model::new(Sum(linear, forest), &self.guards, self.biases.len())?;
        Ok(Table::new(self.encoder.view(), model, self.detector))
    }

    /// The bytes of the table, as in a `.srp` file.
    ///
    /// # Errors
    /// More than 4096 bits.
    pub fn bytes(&self) -> Result<Vec<u8>, TableError> {
        let mut bytes = Vec::new();
        self.view::<4096>()?.write(|piece| bytes.extend_from_slice(piece));
        Ok(bytes)
    }
}

fn middle(tree: &Tree) -> f64 {
    let low = tree.leaves.iter().copied().fold(f64::INFINITY, f64::min);
    let high = tree.leaves.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if tree.leaves.is_empty() { 0.0 } else { 0.5 * (low + high) }
}

/// Where sparse, a weight may take several bytes, so that one large weight need not coarsen its row: the step of a
/// row never exceeds 1/80 nat.
const LARGEST_STEP: f64 = 0.0125;

/// The scale of each row, and by column the rows with their weights in units of it.
fn quantise_rows(conditionals: &[Conditional], largest_step: f64) -> (Vec<u16>, Vec<Vec<(usize, i32)>>) {
    let mut columns = vec![Vec::new(); conditionals.len()];
    let mut scales = Vec::new();
    for (i, conditional) in conditionals.iter().enumerate() {
        let (scale, weights) = quantise_row(conditional, largest_step);
        scales.push(scale);
        weights.into_iter().for_each(|(j, weight)| columns[j as usize].push((i, weight)));
    }
    (scales, columns)
}

/// A scale in units of 1/65536 nat and the weights in units of it, chosen so that no sum of weights leaves 16 bits.
/// The scale makes the largest weight 127 units, or the step `largest_step` nats if that is finer.
fn quantise_row(conditional: &Conditional, largest_step: f64) -> (u16, Vec<(u32, i32)>) {
    let largest = conditional.weights.iter().map(|(_, weight)| weight.abs()).fold(0.0, f64::max);
    let one_sided = |sign: f64| conditional.weights.iter().map(|(_, weight)| (weight * sign).max(0.0)).sum::<f64>();
    let widest = one_sided(1.0).max(one_sided(-1.0));
    // Half a unit of rounding for each weight is left free below 2^15.
    let room = 32767.0 - 0.5 * conditional.weights.len() as f64;
    let scale = (largest / 127.0).min(largest_step).max(widest / room) * 65536.0;
    let scale = scale.ceil().clamp(1.0, 65535.0);
    let quantised = |&(j, weight): &(u32, f64)| (j, (weight * 65536.0 / scale).round() as i32);
    (scale as u16, conditional.weights.iter().map(quantised).filter(|(_, weight)| *weight != 0).collect())
}

/// Every weight below the diagonal, column after column, if each fits a byte.
fn dense(columns: &[Vec<(usize, i32)>]) -> Option<Weights> {
    let n = columns.len();
    let mut weights = Vec::with_capacity(n * n.saturating_sub(1) / 2);
    for (j, column) in columns.iter().enumerate() {
        let first = weights.len();
        weights.resize(first + n - 1 - j, 0);
        for &(row, weight) in column {
            weights[first + row - j - 1] = i8::try_from(weight).ok()?;
        }
    }
    Some(Weights::Dense(weights))
}

/// The weights that are not zero, if 16 bits can count them.
fn sparse(columns: &[Vec<(usize, i32)>]) -> Option<Weights> {
    let (mut starts, mut entries) = (vec![0], Vec::new());
    for (j, column) in columns.iter().enumerate() {
        let mut at = j;
        for &(row, weight) in column {
            while row - at > 255 {
                entries.push([255, 0]);
                at += 255;
            }
            let mut rest = weight;
            while rest != 0 {
                let part = rest.clamp(-128, 127);
                entries.push([(row - at) as u8, part as i8 as u8]);
                at = row;
                rest -= part;
            }
        }
        starts.push(u16::try_from(entries.len()).ok()?);
    }
    Some(Weights::Sparse { starts, entries })
}

/// KL(float ‖ table) in nats a row: the exact divergence of each conditional, averaged over `rows` prefixes drawn
/// from the float model (the chain rule of KL, with its outer expectation sampled).
///
/// # Errors
/// The bytes are no table.
pub fn divergence(model: &Model, table: &[u8], rows: usize, seed: u64) -> Result<f64, TableError> {
    let prefixes = model.sample(rows, &mut ChaCha8Rng::seed_from_u64(seed));
    let logits: Vec<Vec<f64>> =
        model.conditionals.par_iter().map(|conditional| conditional.logits(&prefixes)).collect();
    with_capacity!(prefixes.width(), N => {
        let table = Table::<N>::from_bytes(table)?;
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
