//! Weights and trees of a table, regrouped by the bit whose logit they add to.

use surprisal::{Forest, ForestSlices, Linear, LinearSlices, LinearWeights};

use super::block::{Block, add_masked};

/// A node of a tree in reverse preorder, in which each node follows its right and its left subtree.
#[derive(Clone, Copy)]
pub(super) enum PostorderNode {
    /// Value of a leaf, in units of [`BitTerms::leaf_scale`].
    Leaf(i16),
    /// Bit tested by a split between two leaves, and the leaf values for zero and for one.
    Fork(u16, [i16; 2]),
    /// Bit tested by a split with at least one child that is a split.
    Split(u16),
}

/// Linear term and tree term of one bit.
pub(super) struct BitTerms {
    /// Pairs of an earlier bit and its weight, in units of `scale`.
    weights: Vec<(u16, i16)>,
    /// Value of one unit of the weights, in units of 1/65536 nat.
    scale: i32,
    /// Bias in units of 1/65536 nat.
    bias: i32,
    /// Trees of the bit, each in reverse preorder; the leaves that a row reaches are added.
    trees: Vec<Vec<PostorderNode>>,
    /// Value of one unit of the leaves, in units of 1/65536 nat.
    leaf_scale: i32,
}

impl BitTerms {
    /// Returns the linear plus the tree term for all rows of a block, in units of 1/65536 nat, like [`Linear`] and
    /// [`Forest`].
    #[inline(always)]
    pub(super) fn logits(&self, masks: &[Block<i16>], stack: &mut Vec<Block<i16>>) -> Block<i32> {
        let mut sums = Block::splat(0i16);
        for &(bit, weight) in &self.weights {
            add_masked(&mut sums, &masks[usize::from(bit)], weight);
        }
        let mut leaves = Block::splat(0i32);
        for tree in &self.trees {
            for node in tree {
                match *node {
                    PostorderNode::Leaf(leaf) => stack.push(Block::splat(leaf)),
                    PostorderNode::Fork(bit, [zero, one]) => {
                        stack.push(Block(masks[usize::from(bit)].map(|mask| mask & one | !mask & zero)));
                    }
                    PostorderNode::Split(bit) => {
                        let zero = stack.pop().unwrap_or(Block::splat(0));
                        let one = stack.last_mut().expect("a split has two children");
                        for ((one, zero), mask) in one.iter_mut().zip(zero.iter()).zip(masks[usize::from(bit)].iter()) {
                            *one = *one & mask | zero & !mask;
                        }
                    }
                }
            }
            let tree = stack.pop().unwrap_or(Block::splat(0));
            leaves.iter_mut().zip(tree.iter()).for_each(|(sum, &leaf)| *sum += i32::from(leaf));
        }
        let mut logits = Block::splat(0);
        for ((logit, &sum), leaves) in logits.iter_mut().zip(sums.iter()).zip(leaves.iter()) {
            let linear = i32::from(sum).wrapping_mul(self.scale).saturating_add(self.bias);
            *logit = linear.saturating_add(leaves.wrapping_mul(self.leaf_scale));
        }
        logits
    }
}

/// Regroups the weights by the bit whose logit they add to and reverses the trees: `[bit]`. Returns `None` for
/// malformed trees.
pub(super) fn transpose(linear: &Linear, forest: &Forest) -> Option<Vec<BitTerms>> {
    let LinearSlices { biases, scales, weights: columns } = linear.slices();
    let n = biases.len();
    let mut weights = vec![Vec::new(); n];
    for j in 0..n {
        match columns {
            LinearWeights::Dense(dense) => {
                let start = j * (2 * n - j - 1) / 2;
                let column = dense.get(start..start + n - j - 1).unwrap_or_default();
                (j + 1..).zip(column).for_each(|(row, &weight)| weights[row].push((j as u16, i16::from(weight))));
            }
            LinearWeights::Sparse { starts, entries } => {
                let mut row = j;
                for &[gap, weight] in &entries[usize::from(starts[j])..usize::from(starts[j + 1])] {
                    row += usize::from(gap);
                    weights[row].push((j as u16, i16::from(weight as i8)));
                }
            }
        }
    }
    weights.iter_mut().for_each(|row: &mut Vec<(u16, i16)>| row.retain(|&(_, weight)| weight != 0));
    let scale_of = |slice: &[u16], i: usize| slice.get(i).map_or(0, |&scale| i32::from(scale));
    let bit_terms = |(i, weights)| {
        Some(BitTerms {
            weights,
            scale: scale_of(scales, i),
            bias: i32::from(biases[i]) << 6,
            trees: trees(forest, i)?,
            leaf_scale: scale_of(forest.slices().scales, i),
        })
    };
    weights.into_iter().enumerate().map(bit_terms).collect()
}

/// Largest depth of a tree, because a path tests each bit at most once.
const MAX_DEPTH: usize = 4096;

/// Returns the trees of bit `i`, each in reverse preorder, or `None` if a split is malformed.
fn trees(forest: &Forest, i: usize) -> Option<Vec<Vec<PostorderNode>>> {
    let ForestSlices { feature_bits, starts, splits, leaves, .. } = forest.slices();
    let Some(&[start, end]) = starts.get(i..i + 2) else { return Some(Vec::new()) };
    let (mut left, mut leaves) = (splits.get(start.into()..end.into())?, leaves.get(usize::from(start) + i..)?);
    let fields = |split: u16| (split & !(u16::MAX << feature_bits), usize::from(split >> feature_bits));
    let mut trees = Vec::new();
    loop {
        // A split on the bit itself joins two trees.
        let joined = left.split_first().filter(|(split, _)| usize::from(fields(**split).0) == i);
        let (tree, rest) = match joined {
            Some((&split, below)) => below.split_at_checked(fields(split).1).map(|(tree, rest)| (tree, Some(rest)))?,
            None => (left, None),
        };
        let mut nodes = Vec::new();
        preorder(i, MAX_DEPTH, tree, leaves, &fields, &mut nodes)?;
        nodes.reverse();
        trees.push(nodes);
        let Some(rest) = rest else { return Some(trees) };
        (left, leaves) = (rest, leaves.get(tree.len() + 1..)?);
    }
}

/// Appends a subtree to `nodes` in preorder. Returns `None` if a split tests a bit that is not before bit `i`, or if
/// the subtree is deeper than `depth`.
fn preorder(
    i: usize,
    depth: usize,
    splits: &[u16],
    leaves: &[i8],
    fields: &impl Fn(u16) -> (u16, usize),
    nodes: &mut Vec<PostorderNode>,
) -> Option<()> {
    let leaf = |at: usize| Some(i16::from(*leaves.get(at)?));
    let Some((&split, below)) = splits.split_first() else {
        nodes.push(PostorderNode::Leaf(leaf(0)?));
        return Some(());
    };
    let (depth, (feature, size)) = (depth.checked_sub(1)?, fields(split));
    let (left, right) = below.split_at_checked(size).filter(|_| usize::from(feature) < i)?;
    if below.is_empty() {
        nodes.push(PostorderNode::Fork(feature, [leaf(0)?, leaf(1)?]));
        return Some(());
    }
    nodes.push(PostorderNode::Split(feature));
    preorder(i, depth, left, leaves, fields, nodes)?;
    preorder(i, depth, right, leaves.get(size + 1..)?, fields, nodes)
}
