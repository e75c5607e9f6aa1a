//! The cost of a table: the work of one row at most, in operations and in instructions.

use surprisal::{Activation, LinearWeights, Table};

/// The work of one row at most, from what the table holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// The bits of a row.
    pub bits: usize,
    /// The weights of the linear rows, each an addition.
    pub weights: usize,
    /// Whether the weights are stored densely.
    pub dense: bool,
    /// The splits of all trees.
    pub splits: usize,
    /// The splits on the longest paths through the trees of all bits.
    pub tree_steps: usize,
    /// The hidden units.
    pub units: usize,
    /// The multiplications of the hidden layer: one per bit and unit for the outputs, and as many for the gains of
    /// sigmoids. There are at most as many additions.
    pub multiplications: usize,
    /// The multiplications of the mixture: five per bit and component, of which two decode the logit.
    pub mixture: usize,
}

impl Cost {
    /// Returns the cost of a table.
    pub fn of<const N: usize, const H: usize, const K: usize>(table: &Table<'_, N, H, K>) -> Self {
        let terms = table.model.terms();
        let (hidden, mixture) = (&terms.hidden, &terms.mixture);
        let (weights, dense) = match terms.linear.slices().weights {
            LinearWeights::Dense(weights) => (weights.len(), true),
            LinearWeights::Sparse { entries, .. } => (entries.len(), false),
        };
        let forest = terms.trees.slices();
        let trees = forest.starts.windows(2).map(|pair| &forest.splits[usize::from(pair[0])..usize::from(pair[1])]);
        let passes = if hidden.slices().activation == Activation::Sigmoid { 2 } else { 1 };
        Self {
            bits: table.model.bits(),
            weights,
            dense,
            splits: forest.splits.len(),
            tree_steps: trees.enumerate().map(|(i, trees)| longest_path(trees, forest.feature_bits, i)).sum(),
            units: hidden.units(),
            multiplications: passes * hidden.units() * hidden.bits(),
            mixture: 5 * mixture.components() * mixture.bits(),
        }
    }

    /// Returns the sum of additions, multiplications and tree steps.
    pub fn operations(&self) -> usize {
        self.weights + self.tree_steps + 2 * self.multiplications + self.mixture
    }

    /// Returns an upper bound of the instructions that the surprisal of any row of bits takes on a kind of core, built with
    /// `opt-level = 3`.
    ///
    /// The bound adds a price for the row, for each bit, weight, tree step and so on. The prices are read off the loops that
    /// the compiler emits, with a margin. `cargo xtask test` holds them to the costliest rows of the golden tables, and
    /// `cargo benches device` to those of all tables.
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

/// Kinds of cores that need similar numbers of instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Core {
    /// Cortex-M0, M0+ and M1, with the smallest instruction set.
    Least,
    /// Cortex-M3, M4, M7, M33, and RV32IMAC.
    Larger,
}

impl Core {
    /// Instructions per row, bit, sparse weight, dense weight, tree step, multiplication of a hidden layer and
    /// multiplication of a mixture.
    const fn prices(self) -> [usize; 7] {
        match self {
            Self::Least => [1000, 220, 22, 12, 34, 24, 37],
            Self::Larger => [1000, 160, 15, 8, 22, 17, 23],
        }
    }
}

/// Returns the number of splits on the longest path through the trees of bit `i`. Of joined trees, the paths add up.
///
/// Not recursive, because a forged table may hold a tree as deep as it has splits.
fn longest_path(trees: &[u16], feature_bits: u16, i: usize) -> usize {
    enum Step<'s> {
        Tree(&'s [u16]),
        /// Combines the paths of two trees behind a split.
        Combine {
            joins: bool,
        },
    }
    let (mut steps, mut paths) = (vec![Step::Tree(trees)], Vec::new());
    while let Some(step) = steps.pop() {
        match step {
            Step::Tree(splits) => {
                let Some((root, rest)) = splits.split_first() else {
                    paths.push(0);
                    continue;
                };
                let (left, right) = rest.split_at(usize::from(root >> feature_bits).min(rest.len()));
                steps.push(Step::Combine { joins: usize::from(root & ((1 << feature_bits) - 1)) == i });
                steps.extend([Step::Tree(left), Step::Tree(right)]);
            }
            Step::Combine { joins } => {
                let [a, b] = [(); 2].map(|()| paths.pop().unwrap_or(0));
                paths.push(1 + if joins { a + b } else { a.max(b) });
            }
        }
    }
    paths.pop().unwrap_or(0)
}
