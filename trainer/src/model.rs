//! The model as it is fitted: one float conditional a bit, in the shape of the table it becomes.

use rand::Rng;
use rayon::prelude::*;

use crate::bits::{Bits, members};
use crate::fit::mixture::Mixture;
use surprisal::{Activation, Guard};

/// The share of what has no state in logit p(x_i = 1 | x_<i): bias + Σ weights over the ones + Σ leaves that the trees
/// lead to.
#[derive(Clone, Debug, Default)]
pub struct Conditional {
    /// In nats.
    pub bias: f64,
    /// Earlier bits and their weights in nats, ascending; none is zero.
    pub weights: Vec<(u32, f64)>,
    /// Most have none or one; boosting makes many.
    pub trees: Vec<Tree>,
}

/// A decision tree in preorder, as [`surprisal::Forest`] holds it.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    /// Zeros lead left, ones right.
    pub splits: Vec<Split>,
    /// One more than splits, from left to right, in nats.
    pub leaves: Vec<f64>,
}

/// One question of a [`Tree`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Split {
    /// The bit that is asked.
    pub feature: u32,
    /// How many splits its left subtree has.
    pub left: u32,
}

/// One hidden layer, as [`surprisal::Nade`] holds it, in floats. Biases of bits are the conditionals' business.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Hidden {
    /// What a unit makes of its sum.
    pub activation: Activation,
    /// One a unit, in nats for sigmoids.
    pub biases: Vec<f32>,
    /// Bit after bit, one a unit: what a one adds to the sums.
    pub inputs: Vec<f32>,
    /// Bit after bit, one a unit: what a unit adds to the logit.
    pub outputs: Vec<f32>,
}

/// The whole model.
#[derive(Clone, Debug, Default)]
pub struct Model {
    /// One a bit, in model order.
    pub conditionals: Vec<Conditional>,
    /// What a hidden layer adds to their logits.
    pub hidden: Option<Hidden>,
    /// What a mixture of trees adds to them.
    pub mixture: Option<Mixture>,
    /// As in [`surprisal::Model::new`].
    pub guards: Vec<u16>,
}

impl Tree {
    /// The leaf's place for a row.
    pub fn leaf(&self, bit: impl Fn(usize) -> bool) -> usize {
        let (mut at, mut leaf, mut splits) = (0, 0, self.splits.len());
        while splits > 0 {
            let Split { feature, left } = self.splits[at];
            at += 1;
            if bit(feature as usize) {
                at += left as usize;
                leaf += left as usize + 1;
                splits -= left as usize + 1;
            } else {
                splits = left as usize;
            }
        }
        leaf
    }
}

impl Conditional {
    /// The logit for one row.
    pub fn logit(&self, bit: impl Fn(usize) -> bool) -> f64 {
        let linear: f64 = self.weights.iter().filter(|&&(j, _)| bit(j as usize)).map(|&(_, weight)| weight).sum();
        self.bias + linear + self.trees.iter().map(|tree| tree.leaves[tree.leaf(&bit)]).sum::<f64>()
    }

    /// The logits for all rows.
    pub fn logits(&self, bits: &Bits) -> Vec<f64> {
        let mut logits = vec![self.bias; bits.rows];
        for &(j, weight) in &self.weights {
            bits.ones[j as usize].iter().for_each(|&row| logits[row as usize] += weight);
        }
        for tree in &self.trees {
            for (row, logit) in logits.iter_mut().enumerate() {
                *logit += tree.leaves[tree.leaf(|j| bits.get(row, j))];
            }
        }
        logits
    }

    /// ln p(x_i | x_<i) of each row; zero where bit `i` is forced.
    pub fn log_likelihoods(&self, bits: &Bits, guards: &[u16], i: usize) -> Vec<f64> {
        let logits = self.logits(bits);
        let mut each = vec![0.0; bits.rows];
        for row in members(&bits.free(guards, i)) {
            let row = row as usize;
            each[row] = log_sigmoid(logits[row], bits.get(row, i));
        }
        each
    }

    /// How many questions its trees hold.
    pub fn splits(&self) -> usize {
        self.trees.iter().map(|tree| tree.splits.len()).sum()
    }
}

impl Hidden {
    /// How many units.
    pub fn units(&self) -> usize {
        self.biases.len()
    }

    /// What the units make of their sums.
    pub fn activate(&self, sums: &[f32], units: &mut [f32]) {
        for (unit, &sum) in units.iter_mut().zip(sums) {
            *unit = match self.activation {
                Activation::Relu => sum.max(0.0),
                Activation::Sigmoid => 1.0 / (1.0 + (-sum).exp()),
                _ => sum,
            };
        }
    }

    /// The rows of both weight matrices that belong to a bit.
    pub fn rows(&self, i: usize) -> (&[f32], &[f32]) {
        let row = i * self.units()..(i + 1) * self.units();
        (&self.inputs[row.clone()], &self.outputs[row])
    }

    /// The same layer with what it says of each bit times a weight.
    pub fn scaled(&self, weight: impl Fn(usize) -> f32) -> Self {
        let mut scaled = self.clone();
        for (i, row) in scaled.outputs.chunks_mut(self.units().max(1)).enumerate() {
            row.iter_mut().for_each(|v| *v *= weight(i));
        }
        scaled
    }

    /// The layer that adds up what all of them say: their units side by side.
    pub fn side_by_side(layers: &[(&Self, f32)]) -> Option<Self> {
        let (first, _) = layers.first()?;
        let mut wide = Self { activation: first.activation, ..Self::default() };
        layers.iter().for_each(|(layer, _)| wide.biases.extend(&layer.biases));
        for i in 0..first.inputs.len() / first.units().max(1) {
            for (layer, weight) in layers {
                let (inputs, outputs) = layer.rows(i);
                wide.inputs.extend(inputs);
                wide.outputs.extend(outputs.iter().map(|v| v * weight));
            }
        }
        Some(wide)
    }
}

/// A row on its way through a layer.
struct Walk<'m> {
    layer: &'m Hidden,
    sums: Vec<f32>,
    units: Vec<f32>,
}

impl<'m> Walk<'m> {
    fn start(layer: &'m Hidden) -> Self {
        let mut walk = Self { layer, sums: layer.biases.clone(), units: vec![0.0; layer.units()] };
        layer.activate(&walk.sums, &mut walk.units);
        walk
    }

    fn logit(&self, i: usize) -> f64 {
        self.layer.rows(i).1.iter().zip(&self.units).map(|(v, unit)| f64::from(v * unit)).sum()
    }

    fn observe(&mut self, i: usize) {
        self.sums.iter_mut().zip(self.layer.rows(i).0).for_each(|(sum, weight)| *sum += weight);
        self.layer.activate(&self.sums, &mut self.units);
    }
}

/// For each bit, one number a row.
pub type PerBit = Vec<Vec<f64>>;

impl Model {
    /// A hidden layer with nothing but the bits' biases beside it.
    pub fn of_layer(hidden: Hidden, of_bits: &[f32], guards: &[u16]) -> Self {
        let conditional = |&bias: &f32| Conditional { bias: f64::from(bias), ..Conditional::default() };
        let conditionals = of_bits.iter().map(conditional).collect();
        Self { conditionals, hidden: Some(hidden), guards: guards.to_vec(), ..Self::default() }
    }

    /// ln p(x_i | x_<i) of each row; zero where the bit is forced.
    pub fn log_likelihoods(&self, bits: &Bits) -> PerBit {
        let of_bit = |(i, logits): (usize, Vec<f64>)| -> Vec<f64> {
            let mut each = vec![0.0; bits.rows];
            for row in members(&bits.free(&self.guards, i)) {
                each[row as usize] = log_sigmoid(logits[row as usize], bits.get(row as usize, i));
            }
            each
        };
        self.logits(bits).into_par_iter().enumerate().map(of_bit).collect()
    }

    /// The logits of all conditionals on all rows.
    pub fn logits(&self, bits: &Bits) -> PerBit {
        let mut logits: PerBit = self.conditionals.par_iter().map(|conditional| conditional.logits(bits)).collect();
        let of_layer = self.hidden.as_ref().map(|layer| layer.logits(bits));
        let of_mixture = self.mixture.as_ref().map(|mixture| mixture.logits(bits, &self.guards));
        for shares in [of_layer, of_mixture].into_iter().flatten() {
            let both = logits.par_iter_mut().zip(&shares);
            both.for_each(|(logits, add)| logits.iter_mut().zip(add).for_each(|(logit, add)| *logit += add));
        }
        logits
    }

    /// Mean log-likelihood in nats a row.
    pub fn log_likelihood(&self, bits: &Bits) -> f64 {
        mean_log_likelihood(&self.logits(bits), bits, &self.guards)
    }

    /// Draws rows.
    pub fn sample(&self, rows: usize, random: &mut impl Rng) -> Bits {
        let n = self.conditionals.len();
        let mut bits = Bits::new(n);
        for _ in 0..rows {
            let mut row = vec![false; n];
            let mut walk = self.hidden.as_ref().map(Walk::start);
            let mut trees = self.mixture.as_ref().map(Mixture::walk);
            for (i, conditional) in self.conditionals.iter().enumerate() {
                let forced = self.guards.get(i).and_then(|&guard| Guard::from_raw(guard).forces(&row));
                row[i] = forced.unwrap_or_else(|| {
                    let coin = f64::from(random.next_u32()) / 4_294_967_296.0;
                    let of_layer = walk.as_ref().map_or(0.0, |walk| walk.logit(i));
                    let of_trees = trees.as_ref().map_or(0.0, |trees| trees.logit(&row, i));
                    let logit = conditional.logit(|j| row[j]) + of_layer + of_trees;
                    coin < 1.0 / (1.0 + (-logit).exp())
                });
                if let (None, Some(trees)) = (forced, &mut trees) {
                    trees.settle(&row, i);
                }
                if let (true, Some(walk)) = (row[i], &mut walk) {
                    walk.observe(i);
                }
            }
            bits.push(&row);
        }
        bits
    }
}

impl Hidden {
    /// What the layer adds to the logits of all rows.
    pub fn logits(&self, bits: &Bits) -> PerBit {
        let n = bits.width();
        let by_row: Vec<Vec<f64>> = (0..bits.rows)
            .into_par_iter()
            .map(|row| {
                let mut walk = Walk::start(self);
                let each = (0..n).map(|i| {
                    let logit = walk.logit(i);
                    if bits.get(row, i) {
                        walk.observe(i);
                    }
                    logit
                });
                each.collect()
            })
            .collect();
        (0..n).into_par_iter().map(|i| by_row.iter().map(|row| row[i]).collect()).collect()
    }
}

/// Mean log-likelihood in nats a row, given the logits.
pub fn mean_log_likelihood(logits: &PerBit, bits: &Bits, guards: &[u16]) -> f64 {
    let of_bit = |(i, logits): (usize, &Vec<f64>)| -> f64 {
        let free = bits.free(guards, i);
        members(&free).map(|row| log_sigmoid(logits[row as usize], bits.get(row as usize, i))).sum()
    };
    // Added up in order, whatever the threads.
    let each: Vec<f64> = logits.par_iter().enumerate().map(of_bit).collect();
    each.iter().sum::<f64>() / bits.rows.max(1) as f64
}

/// ln of the probability that a logit gives to a bit.
pub fn log_sigmoid(logit: f64, bit: bool) -> f64 {
    let towards = if bit { logit } else { -logit };
    towards.min(0.0) - (-logit.abs()).exp().ln_1p()
}
