//! A table's weights and trees turned round: from the bit that has them to the bits they are added to.

use surprisal::{Columns, Forest, Linear};

use super::{Lanes, add};

/// A node of a tree, before it what lies below it: first all to its right, then all to its left.
#[derive(Clone, Copy)]
pub(super) enum Node {
    Leaf(i16),
    /// By this bit into two leaves: for a zero, and for a one.
    Fork(u16, [i16; 2]),
    /// By this bit.
    Split(u16),
}

/// What a conditional adds up besides the hidden layer.
pub(super) struct Pieces {
    /// The bits before with a weight, and that.
    weights: Vec<(u16, i16)>,
    /// Units of 1/65536 nat a weight.
    scale: i32,
    /// Units of 1/65536 nat.
    bias: i32,
    /// Its trees.
    trees: Vec<Vec<Node>>,
    /// Units of 1/65536 nat a leaf.
    leaf_scale: i32,
}

impl Pieces {
    /// Of all rows of a block, as [`Linear`] and [`Forest`] have them.
    #[inline(always)]
    pub(super) fn logits(&self, masks: &[Lanes<i16>], stack: &mut Vec<Lanes<i16>>) -> Lanes<i32> {
        let mut sums = Lanes::of(0i16);
        for &(bit, weight) in &self.weights {
            add(&mut sums, &masks[usize::from(bit)], weight);
        }
        let mut leaves = Lanes::of(0i32);
        for tree in &self.trees {
            for node in tree {
                match *node {
                    Node::Leaf(leaf) => stack.push(Lanes::of(leaf)),
                    Node::Fork(bit, [zero, one]) => {
                        stack.push(Lanes(masks[usize::from(bit)].map(|mask| mask & one | !mask & zero)));
                    }
                    Node::Split(bit) => {
                        let zero = stack.pop().unwrap_or(Lanes::of(0));
                        let one = stack.last_mut().expect("a split has two sides");
                        for ((one, zero), mask) in one.iter_mut().zip(zero.iter()).zip(masks[usize::from(bit)].iter()) {
                            *one = *one & mask | zero & !mask;
                        }
                    }
                }
            }
            let tree = stack.pop().unwrap_or(Lanes::of(0));
            leaves.iter_mut().zip(tree.iter()).for_each(|(sum, &leaf)| *sum += i32::from(leaf));
        }
        let mut logits = Lanes::of(0);
        for ((logit, &sum), leaves) in logits.iter_mut().zip(sums.iter()).zip(leaves.iter()) {
            let linear = i32::from(sum).wrapping_mul(self.scale).saturating_add(self.bias);
            *logit = linear.saturating_add(leaves.wrapping_mul(self.leaf_scale));
        }
        logits
    }
}

/// Weights by the row they are added to, and trees from the leaves up.
pub(super) fn pieces(linear: &Linear, forest: &Forest) -> Option<Vec<Pieces>> {
    let (biases, scales, columns) = linear.slices();
    let n = biases.len();
    let mut weights = vec![Vec::new(); n];
    for j in 0..n {
        match columns {
            Columns::Dense(dense) => {
                let start = j * (2 * n - j - 1) / 2;
                let column = dense.get(start..start + n - j - 1).unwrap_or_default();
                (j + 1..).zip(column).for_each(|(row, &weight)| weights[row].push((j as u16, i16::from(weight))));
            }
            Columns::Sparse { starts, entries } => {
                let mut row = j;
                for &[gap, weight] in &entries[usize::from(starts[j])..usize::from(starts[j + 1])] {
                    row += usize::from(gap);
                    weights[row].push((j as u16, i16::from(weight as i8)));
                }
            }
        }
    }
    weights.iter_mut().for_each(|row: &mut Vec<(u16, i16)>| row.retain(|&(_, weight)| weight != 0));
    let of = |slice: &[u16], i: usize| slice.get(i).map_or(0, |&scale| i32::from(scale));
    let of_bit = |(i, weights)| {
        Some(Pieces {
            weights,
            scale: of(scales, i),
            bias: i32::from(biases[i]) << 6,
            trees: trees(forest, i)?,
            leaf_scale: of(forest.slices().4, i),
        })
    };
    weights.into_iter().enumerate().map(of_bit).collect()
}

/// No path needs more splits than there may be bits.
const DEEPEST: usize = 4096;

/// The trees of bit `i`, each from the leaves up; `None` if a split says what cannot be.
fn trees(forest: &Forest, i: usize) -> Option<Vec<Vec<Node>>> {
    let (feature_bits, starts, splits, leaves, _) = forest.slices();
    let Some(&[start, end]) = starts.get(i..i + 2) else { return Some(Vec::new()) };
    let (mut left, mut leaves) = (splits.get(start.into()..end.into())?, leaves.get(usize::from(start) + i..)?);
    let parts = |split: u16| (split & !(u16::MAX << feature_bits), usize::from(split >> feature_bits));
    let mut trees = Vec::new();
    loop {
        // A split by the bit itself joins two trees.
        let joined = left.split_first().filter(|(split, _)| usize::from(parts(**split).0) == i);
        let (tree, rest) = match joined {
            Some((&split, below)) => below.split_at_checked(parts(split).1).map(|(tree, rest)| (tree, Some(rest)))?,
            None => (left, None),
        };
        let mut nodes = Vec::new();
        preorder(i, DEEPEST, tree, leaves, &parts, &mut nodes)?;
        nodes.reverse();
        trees.push(nodes);
        let Some(rest) = rest else { return Some(trees) };
        (left, leaves) = (rest, leaves.get(tree.len() + 1..)?);
    }
}

/// A node, then all to its left, then all to its right; splits by bits before bit `i` alone, and no deeper than
/// there is room for.
fn preorder(
    i: usize,
    room: usize,
    splits: &[u16],
    leaves: &[i8],
    parts: &impl Fn(u16) -> (u16, usize),
    nodes: &mut Vec<Node>,
) -> Option<()> {
    let leaf = |at: usize| Some(i16::from(*leaves.get(at)?));
    let Some((&split, below)) = splits.split_first() else {
        nodes.push(Node::Leaf(leaf(0)?));
        return Some(());
    };
    let (room, (feature, size)) = (room.checked_sub(1)?, parts(split));
    let (left, right) = below.split_at_checked(size).filter(|_| usize::from(feature) < i)?;
    if below.is_empty() {
        nodes.push(Node::Fork(feature, [leaf(0)?, leaf(1)?]));
        return Some(());
    }
    nodes.push(Node::Split(feature));
    preorder(i, room, left, leaves, parts, nodes)?;
    preorder(i, room, right, leaves.get(size + 1..)?, parts, nodes)
}
