//! The conditional distribution of one bit given the bits before it, as a logit that is a sum of terms.

use crate::bits::{Bits, members};

/// Logit of one bit given the earlier bits: bias + Σ weights of the earlier bits that are one + Σ leaves of the trees.
///
/// A hidden layer or a mixture adds its own term to this logit.
#[derive(Clone, Debug, Default)]
pub struct FloatConditional {
    /// Constant term, in nats.
    pub bias: f64,
    /// Pairs of an earlier bit and its weight in nats, in ascending order of the bits. No weight is zero.
    pub weights: Vec<(u32, f64)>,
    /// Decision trees; the leaves that a row reaches are added. Boosting fits many trees per bit, other families at
    /// most one.
    pub trees: Vec<Tree>,
}

/// A decision tree in preorder, in the layout of [`surprisal::Forest`].
#[derive(Clone, Debug, Default)]
pub struct Tree {
    /// Internal nodes in preorder. A bit of zero leads to the left child, a one to the right child.
    pub splits: Vec<TreeSplit>,
    /// Leaf values in nats, from left to right: one more than there are splits.
    pub leaves: Vec<f64>,
}

/// An internal node of a [`Tree`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TreeSplit {
    /// Index of the bit that the node tests.
    pub feature: u32,
    /// Number of splits in the left subtree.
    pub left: u32,
}

impl Tree {
    /// Returns the index of the leaf that a row reaches, where `bit(j)` is the value of bit `j`.
    pub fn leaf(&self, bit: impl Fn(usize) -> bool) -> usize {
        let (mut at, mut leaf, mut splits) = (0, 0, self.splits.len());
        while splits > 0 {
            let TreeSplit { feature, left } = self.splits[at];
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

impl FloatConditional {
    /// Returns the logit for one row, in nats, where `bit(j)` is the value of bit `j`.
    pub fn logit(&self, bit: impl Fn(usize) -> bool) -> f64 {
        let linear: f64 = self.weights.iter().filter(|&&(j, _)| bit(j as usize)).map(|&(_, weight)| weight).sum();
        self.bias + linear + self.trees.iter().map(|tree| tree.leaves[tree.leaf(&bit)]).sum::<f64>()
    }

    /// Returns the logit for every row, in nats: `[row]`.
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

    /// Returns ln p(x_i | x_<i) for every row, in nats. Zero where a constraint makes bit `i` observed or implied.
    pub fn log_likelihoods(&self, bits: &Bits, constraints: &[u16], i: usize) -> Vec<f64> {
        log_likelihoods(&self.logits(bits), bits, constraints, i)
    }

    /// Returns the number of splits in all trees of the bit.
    pub fn splits(&self) -> usize {
        self.trees.iter().map(|tree| tree.splits.len()).sum()
    }
}

/// Returns ln p(x_i | x_<i) for every row under the `logits` of bit `i`, in nats. Zero where a constraint makes the bit
/// observed or implied.
pub fn log_likelihoods(logits: &[f64], bits: &Bits, constraints: &[u16], i: usize) -> Vec<f64> {
    let mut each = vec![0.0; bits.rows];
    for row in members(&bits.free(constraints, i)) {
        each[row as usize] = log_sigmoid(logits[row as usize], bits.get(row as usize, i));
    }
    each
}

/// Returns the log-probability, in nats, of the value `bit` under a logit in nats.
pub fn log_sigmoid(logit: f64, bit: bool) -> f64 {
    let signed = if bit { logit } else { -logit };
    signed.min(0.0) - (-logit.abs()).exp().ln_1p()
}
