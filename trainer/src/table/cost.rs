//! The cost of a table: the worst-case work of scoring one row, in operations and in instructions.

use surprisal::{Activation, LinearWeights, Table};

/// Worst-case work of scoring one row, computed from the sizes of the table's sections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Number of bits in a row.
    pub bits: usize,
    /// Number of stored linear weights, each of which takes one addition.
    pub weights: usize,
    /// Whether the linear weights are stored densely.
    pub dense: bool,
    /// Number of splits in all trees.
    pub splits: usize,
    /// Number of splits on the longest path through each tree, summed over the trees of all bits.
    pub tree_steps: usize,
    /// Number of hidden units.
    pub units: usize,
    /// Number of multiplications of the hidden layer: one per bit and unit for the outputs, and one more for the gains
    /// of sigmoids. The number of additions is at most the same.
    pub multiplications: usize,
    /// Number of multiplications of the mixture: five per bit and component, two of them to decode the logit.
    pub mixture: usize,
}

impl Cost {
    /// Returns the worst-case work of scoring one row with a table.
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

    /// Returns the number of additions, multiplications and tree steps per row, summed.
    pub fn operations(&self) -> usize {
        self.weights + self.tree_steps + 2 * self.multiplications + self.mixture
    }

    /// Returns an upper bound of the number of instructions that the surprisal of any row of bits takes on a kind of
    /// core, in code built with `opt-level = 3`.
    ///
    /// The bound adds a price for the row, for each bit, weight, tree step and so on. The prices are taken from the
    /// loops that the compiler emits, with a margin. `cargo xtask test` checks them on the costliest rows of the golden
    /// tables, and `cargo benches device` on the costliest rows of all tables.
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

/// Kinds of processor cores that need similar numbers of instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Core {
    /// Cortex-M0, M0+ and M1, with the smallest instruction set.
    Least,
    /// Cortex-M3, M4, M7, M33, and RV32IMAC.
    Larger,
}

impl Core {
    /// Returns the largest number of instructions per row, bit, sparse weight, dense weight, tree step, multiplication
    /// of a hidden layer and multiplication of a mixture, in this order.
    const fn prices(self) -> [usize; 7] {
        match self {
            Self::Least => [1000, 220, 22, 12, 34, 24, 37],
            Self::Larger => [1000, 160, 15, 8, 22, 17, 23],
        }
    }
}

/// Returns the number of splits on the longest paths through the trees of bit `i`, summed over the trees.
///
/// The function does not recurse, because a forged table may hold a tree that is as deep as it has splits.
fn longest_path(trees: &[u16], feature_bits: u16, i: usize) -> usize {
    enum Step<'s> {
        Tree(&'s [u16]),
        /// Combines the longest paths of the two trees that follow a split: adds them if the split `joins` two trees,
        /// otherwise takes the longer one.
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
