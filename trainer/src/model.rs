//! The model as it is fitted: one float conditional a bit, in the shape of the table it becomes.

use rand::Rng;

use crate::bits::{Bits, members};
use surprisal::Guard;

/// logit p(x_i = 1 | x_<i) = bias + Σ weights over the ones + the leaf that the tree leads to.
#[derive(Clone, Debug, Default)]
pub struct Conditional {
    /// In nats.
    pub bias: f64,
    /// Earlier bits and their weights in nats, ascending; none is zero.
    pub weights: Vec<(u32, f64)>,
    /// Without splits it is its one leaf.
    pub tree: Tree,
}

/// A decision tree in preorder, as [`surprisal::Forest`] holds it.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    /// Zeros lead left, ones right.
    pub splits: Vec<Split>,
    /// One more than splits, from left to right, in nats. A tree without splits may have none, which reads as zero.
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

/// One conditional a bit, and the guards.
#[derive(Clone, Debug)]
pub struct Model {
    /// In model order.
    pub conditionals: Vec<Conditional>,
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
        self.bias + linear + self.tree.leaves.get(self.tree.leaf(bit)).unwrap_or(&0.0)
    }

    /// The logits for all rows.
    pub fn logits(&self, bits: &Bits) -> Vec<f64> {
        let mut logits = vec![self.bias; bits.rows];
        for &(j, weight) in &self.weights {
            bits.ones[j as usize].iter().for_each(|&row| logits[row as usize] += weight);
        }
        if !self.tree.leaves.is_empty() {
            for (row, logit) in logits.iter_mut().enumerate() {
                *logit += self.tree.leaves[self.tree.leaf(|j| bits.get(row, j))];
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

    /// Their sum.
    pub fn log_likelihood(&self, bits: &Bits, guards: &[u16], i: usize) -> f64 {
        self.log_likelihoods(bits, guards, i).iter().sum()
    }
}

impl Model {
    /// Mean log-likelihood in nats a row.
    pub fn log_likelihood(&self, bits: &Bits) -> f64 {
        let each = self.conditionals.iter().enumerate();
        let total: f64 = each.map(|(i, conditional)| conditional.log_likelihood(bits, &self.guards, i)).sum();
        total / bits.rows.max(1) as f64
    }

    /// Draws rows.
    pub fn sample(&self, rows: usize, random: &mut impl Rng) -> Bits {
        let n = self.conditionals.len();
        let mut bits = Bits::new(n);
        for _ in 0..rows {
            let mut row = vec![false; n];
            for (i, conditional) in self.conditionals.iter().enumerate() {
                let forced = self.guards.get(i).and_then(|&guard| Guard::from_raw(guard).forces(&row));
                row[i] = forced.unwrap_or_else(|| {
                    let coin = f64::from(random.next_u32()) / 4_294_967_296.0;
                    coin < 1.0 / (1.0 + (-conditional.logit(|j| row[j])).exp())
                });
            }
            bits.push(&row);
        }
        bits
    }
}

/// ln of the probability that a logit gives to a bit.
pub fn log_sigmoid(logit: f64, bit: bool) -> f64 {
    let towards = if bit { logit } else { -logit };
    towards.min(0.0) - (-logit.abs()).exp().ln_1p()
}
