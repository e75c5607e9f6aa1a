//! Decision trees grown by a Bayesian score, and the order of columns that results from growing all trees at once
//! (Chickering, Heckerman & Meek, *A Bayesian Approach to Learning Bayesian Networks with Local Structure*, 1997).

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rayon::prelude::*;

use crate::bits::{Bits, count, count_both, members};
use crate::model::{Tree, TreeSplit};

/// Table of log marginal likelihoods ln B(k+1, n-k+1) of k ones among n rows under a uniform prior, in nats.
#[derive(Clone, Debug)]
pub struct Evidence(Vec<f64>);

impl Evidence {
    /// Computes the table for up to `rows` rows.
    pub fn new(rows: usize) -> Self {
        let mut sum = 0.0;
        Self(
            (0..rows + 2)
                .map(|k| {
                    sum += (k.max(1) as f64).ln();
                    sum
                })
                .collect(),
        )
    }

    /// Returns the log marginal likelihood of `ones` ones among `rows` rows, in nats.
    fn of(&self, rows: usize, ones: usize) -> f64 {
        self.0[ones] + self.0[rows - ones] - self.0[rows + 1]
    }
}

/// A decision tree for one target bit, grown split by split.
#[derive(Clone, Debug)]
pub struct Grower<'b> {
    bits: &'b Bits,
    evidence: &'b Evidence,
    target: usize,
    /// Nodes of the tree: the root first, each child after its parent.
    pub nodes: Vec<TreeNode>,
}

/// A node of a growing tree and the rows that reach it.
#[derive(Clone, Debug)]
pub struct TreeNode {
    /// Set of the rows that reach the node, as in [`Bits::sets`].
    pub set: Vec<u64>,
    /// Number of rows that reach the node.
    pub rows: usize,
    /// Number of rows that reach the node and in which the target bit is one.
    pub ones: usize,
    /// (tested bit, index of the child for zero, index of the child for one), or `None` for a leaf.
    pub split: Option<(usize, usize, usize)>,
}

/// Pair of a split's gain in nats of the training set and the bit that the split tests.
type ScoredSplit = (f64, usize);

impl<'b> Grower<'b> {
    /// Returns a single leaf for bit `target` over `free`, the set of rows in which no constraint makes the bit
    /// observed or implied.
    pub fn new(bits: &'b Bits, evidence: &'b Evidence, target: usize, free: Vec<u64>) -> Self {
        let mut grower = Self { bits, evidence, target, nodes: Vec::new() };
        grower.push(free);
        grower
    }

    /// Appends a leaf for a set of rows and returns its index.
    fn push(&mut self, set: Vec<u64>) -> usize {
        let (rows, ones) = (count(&set), count_both(&set, &self.bits.sets[self.target]));
        self.nodes.push(TreeNode { set, rows, ones, split: None });
        self.nodes.len() - 1
    }

    /// Returns the splits of a leaf that gain more than `gamma` nats of the training set, in descending order of gain.
    fn candidates(&self, leaf: usize, features: impl Iterator<Item = usize>, gamma: f64) -> Vec<ScoredSplit> {
        let node = &self.nodes[leaf];
        if node.ones == 0 || node.ones == node.rows {
            return Vec::new();
        }
        let here = self.evidence.of(node.rows, node.ones);
        let target: Vec<u64> = node.set.iter().zip(&self.bits.sets[self.target]).map(|(set, bit)| set & bit).collect();
        let mut found: Vec<ScoredSplit> = features
            .filter_map(|feature| {
                let set = &self.bits.sets[feature];
                let rows = count_both(&node.set, set);
                if rows == 0 || rows == node.rows {
                    return None;
                }
                let ones = count_both(&target, set);
                let children = self.evidence.of(rows, ones) + self.evidence.of(node.rows - rows, node.ones - ones);
                Some((children - here, feature)).filter(|(gain, _)| *gain > gamma)
            })
            .collect();
        found.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        found
    }

    /// Splits a leaf by a bit and returns the indices of its children for zero and for one.
    fn split(&mut self, leaf: usize, feature: usize) -> [usize; 2] {
        let set = &self.bits.sets[feature];
        let zero = self.nodes[leaf].set.iter().zip(set).map(|(rows, bit)| rows & !bit).collect();
        let one = self.nodes[leaf].set.iter().zip(set).map(|(rows, bit)| rows & bit).collect();
        let children = [self.push(zero), self.push(one)];
        self.nodes[leaf].split = Some((feature, children[0], children[1]));
        children
    }

    /// Repeatedly splits the leaf with the largest gain, until no gain exceeds `gamma` nats or there are `max_splits`
    /// splits.
    pub fn grow(&mut self, features: &[usize], gamma: f64, max_splits: usize) {
        let mut heap = BinaryHeap::new();
        let mut open = vec![0];
        for _ in 0..max_splits {
            for leaf in open.drain(..) {
                if let Some(&(gain, feature)) = self.candidates(leaf, features.iter().copied(), gamma).first() {
                    // Gains are positive, and positive floats are ordered like their bit patterns.
                    heap.push((gain.to_bits(), Reverse(leaf), feature));
                }
            }
            let Some((_, Reverse(leaf), feature)) = heap.pop() else { return };
            open.extend(self.split(leaf, feature));
        }
    }

    /// Returns the log marginal likelihood of the target bit over all rows of the tree, given the splits, in nats.
    pub fn evidence(&self) -> f64 {
        let leaves = self.nodes.iter().filter(|node| node.split.is_none());
        leaves.map(|node| self.evidence.of(node.rows, node.ones)).sum()
    }

    /// Returns the tree in which each leaf is the sum of `value(node)` over the nodes on the path from the root.
    pub fn tree(&self, value: impl Fn(usize) -> f64) -> Tree {
        let mut tree = Tree::default();
        self.emit(0, 0.0, &value, &mut tree);
        tree
    }

    /// Appends the subtree at `node` to `tree` and adds `above` to its leaves. A split into two equal leaves becomes
    /// one leaf.
    fn emit(&self, node: usize, above: f64, value: &impl Fn(usize) -> f64, tree: &mut Tree) {
        let here = above + value(node);
        let Some((feature, zero, one)) = self.nodes[node].split else { return tree.leaves.push(here) };
        let (at, first) = (tree.splits.len(), tree.leaves.len());
        tree.splits.push(TreeSplit { feature: feature as u32, left: 0 });
        self.emit(zero, here, value, tree);
        tree.splits[at].left = (tree.splits.len() - at - 1) as u32;
        self.emit(one, here, value, tree);
        if let [a, b] = tree.leaves[first..]
            && a == b
        {
            tree.splits.truncate(at);
            tree.leaves.truncate(first + 1);
        }
    }

    /// Returns the tree whose leaves are logits from counts. A pseudo-count of `alpha` rows shrinks each node's
    /// probability towards the probability of its parent node.
    pub fn shrunk(&self, alpha: f64) -> Tree {
        let logit = |p: f64| (p / (1.0 - p)).ln();
        let mut p = vec![0.5; self.nodes.len()];
        let root = &self.nodes[0];
        p[0] = (root.ones as f64 + 1.0) / (root.rows as f64 + 2.0);
        let mut step = vec![logit(p[0]); self.nodes.len()];
        for (at, node) in self.nodes.iter().enumerate() {
            let Some((_, zero, one)) = node.split else { continue };
            for child in [zero, one] {
                p[child] = (self.nodes[child].ones as f64 + alpha * p[at]) / (self.nodes[child].rows as f64 + alpha);
                step[child] = logit(p[child]) - logit(p[at]);
            }
        }
        self.tree(|node| step[node])
    }
}

/// Learns an order of the columns by growing the trees of all bits together.
///
/// Each step makes the split with the largest gain that leaves the dependence graph of the columns acyclic. The result
/// is a topological order of that graph, as column indices. `column[i]` is the column of bit i. A bit may depend on
/// earlier bits of its own column and on all bits of other columns. Splits gain more than `gamma` nats, and no tree has
/// more than `max_splits` splits.
pub fn learn_order(bits: &Bits, constraints: &[u16], column: &[usize], gamma: f64, max_splits: usize) -> Vec<usize> {
    let n = bits.width();
    let columns = column.last().map_or(0, |last| last + 1);
    let evidence = Evidence::new(bits.rows);
    let allowed = |target: usize| (0..n).filter(move |&feature| column[feature] != column[target] || feature < target);
    let mut growers: Vec<Grower> = (0..n).map(|i| Grower::new(bits, &evidence, i, bits.free(constraints, i))).collect();
    let mut heap = BinaryHeap::new();
    let roots: Vec<Vec<ScoredSplit>> =
        growers.par_iter().enumerate().map(|(i, grower)| grower.candidates(0, allowed(i), gamma)).collect();
    let mut waiting: Vec<Vec<std::vec::IntoIter<ScoredSplit>>> = Vec::new();
    for (i, root) in roots.into_iter().enumerate() {
        waiting.push(vec![root.into_iter()]);
        enqueue(&mut heap, &mut waiting, i, 0);
    }
    let mut precedence = Precedence::new(columns);
    let mut splits = vec![0; n];
    while let Some((_, Reverse(target), Reverse(leaf), feature)) = heap.pop() {
        if splits[target] == max_splits {
            continue;
        }
        if !precedence.add(column[feature], column[target]) {
            enqueue(&mut heap, &mut waiting, target, leaf);
            continue;
        }
        splits[target] += 1;
        let children = growers[target].split(leaf, feature);
        growers[target].nodes[leaf].set = Vec::new();
        waiting[target][leaf] = Vec::new().into_iter();
        let found: Vec<Vec<ScoredSplit>> = children
            .into_par_iter()
            .map(|child| {
                // A split that closes a cycle now would close it later as well.
                let acyclic = allowed(target).filter(|&f| !precedence.contradicts(column[f], column[target]));
                growers[target].candidates(child, acyclic, gamma)
            })
            .collect();
        for (child, found) in children.into_iter().zip(found) {
            waiting[target].push(found.into_iter());
            enqueue(&mut heap, &mut waiting, target, child);
        }
    }
    precedence.order()
}

/// Queue entry: bit pattern of the gain, target bit, leaf index, and bit that the split tests.
type QueueEntry = (u64, Reverse<usize>, Reverse<usize>, usize);

/// Moves the best waiting split of a leaf of bit `target`'s tree to the queue.
fn enqueue(
    heap: &mut BinaryHeap<QueueEntry>,
    waiting: &mut [Vec<std::vec::IntoIter<ScoredSplit>>],
    target: usize,
    leaf: usize,
) {
    if let Some((gain, feature)) = waiting[target][leaf].next() {
        heap.push((gain.to_bits(), Reverse(target), Reverse(leaf), feature));
    }
}

/// Strict partial order of the columns, closed under transitivity.
#[derive(Debug)]
struct Precedence {
    /// Set of the columns that follow each column: `[column][word]`, 64 columns per word.
    after: Vec<Vec<u64>>,
}

impl Precedence {
    /// Returns the order in which no column precedes another.
    fn new(columns: usize) -> Self {
        Self { after: vec![vec![0; columns.div_ceil(64)]; columns] }
    }

    /// Returns whether column `first` comes before column `second`.
    fn known(&self, first: usize, second: usize) -> bool {
        self.after[first][second / 64] >> (second % 64) & 1 == 1
    }

    /// Returns whether column `second` comes before column `first`, so that the reverse is impossible.
    fn contradicts(&self, first: usize, second: usize) -> bool {
        self.known(second, first)
    }

    /// Puts column `first` before column `second`. Returns false and changes nothing if `second` already precedes
    /// `first`.
    fn add(&mut self, first: usize, second: usize) -> bool {
        if first == second || self.known(first, second) {
            return true;
        }
        if self.contradicts(first, second) {
            return false;
        }
        let mut later = self.after[second].clone();
        later[second / 64] |= 1 << (second % 64);
        for earlier in 0..self.after.len() {
            if earlier == first || self.known(earlier, first) {
                self.after[earlier].iter_mut().zip(&later).for_each(|(after, later)| *after |= later);
            }
        }
        true
    }

    /// Returns a topological order of the columns: by the number of preceding columns, with ties in natural order.
    fn order(&self) -> Vec<usize> {
        let n = self.after.len();
        let mut earlier = vec![0; n];
        self.after.iter().flat_map(|after| members(after)).for_each(|later| earlier[later as usize] += 1);
        let mut order: Vec<usize> = (0..n).collect();
        order.sort_by_key(|&k| (earlier[k], k));
        order
    }
}
