//! Decision trees grown by a Bayesian score, and the variable order that falls out of growing all of them at once
//! (Chickering, Heckerman & Meek, *A Bayesian Approach to Learning Bayesian Networks with Local Structure*, 1997).

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rayon::prelude::*;

use crate::bits::{Bits, count, count_both, members};
use crate::model::{Split, Tree};

/// ln of the marginal likelihood of k ones among n rows under a uniform prior, ln B(k+1, n-k+1).
#[derive(Clone, Debug)]
pub struct Evidence(Vec<f64>);

impl Evidence {
    /// For at most `rows` rows.
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

    fn of(&self, rows: usize, ones: usize) -> f64 {
        self.0[ones] + self.0[rows - ones] - self.0[rows + 1]
    }
}

/// One tree under growth.
#[derive(Clone, Debug)]
pub struct Grower<'b> {
    bits: &'b Bits,
    evidence: &'b Evidence,
    target: usize,
    /// The root first; children after their parents.
    pub nodes: Vec<Node>,
}

/// A node and the rows that reach it.
#[derive(Clone, Debug)]
pub struct Node {
    /// The rows.
    pub set: Vec<u64>,
    /// How many they are.
    pub rows: usize,
    /// How many of them have a one.
    pub ones: usize,
    /// The asked bit and the places of the children for zero and one, unless it is a leaf.
    pub split: Option<(usize, usize, usize)>,
}

/// A split that pays, with its gain in nats.
type Candidate = (f64, usize);

impl<'b> Grower<'b> {
    /// A single leaf for bit `target`, over the rows in which it is free.
    pub fn new(bits: &'b Bits, evidence: &'b Evidence, target: usize, free: Vec<u64>) -> Self {
        let mut grower = Self { bits, evidence, target, nodes: Vec::new() };
        grower.push(free);
        grower
    }

    fn push(&mut self, set: Vec<u64>) -> usize {
        let (rows, ones) = (count(&set), count_both(&set, &self.bits.sets[self.target]));
        self.nodes.push(Node { set, rows, ones, split: None });
        self.nodes.len() - 1
    }

    /// The features whose split of this leaf gains more than `gamma` nats, the best first.
    fn candidates(&self, leaf: usize, features: impl Iterator<Item = usize>, gamma: f64) -> Vec<Candidate> {
        let node = &self.nodes[leaf];
        if node.ones == 0 || node.ones == node.rows {
            return Vec::new();
        }
        let here = self.evidence.of(node.rows, node.ones);
        let target: Vec<u64> = node.set.iter().zip(&self.bits.sets[self.target]).map(|(set, bit)| set & bit).collect();
        let mut found: Vec<Candidate> = features
            .filter_map(|feature| {
                let set = &self.bits.sets[feature];
                let rows = count_both(&node.set, set);
                if rows == 0 || rows == node.rows {
                    return None;
                }
                let ones = count_both(&target, set);
                let parts = self.evidence.of(rows, ones) + self.evidence.of(node.rows - rows, node.ones - ones);
                Some((parts - here, feature)).filter(|(gain, _)| *gain > gamma)
            })
            .collect();
        found.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        found
    }

    fn split(&mut self, leaf: usize, feature: usize) -> [usize; 2] {
        let set = &self.bits.sets[feature];
        let zero = self.nodes[leaf].set.iter().zip(set).map(|(rows, bit)| rows & !bit).collect();
        let one = self.nodes[leaf].set.iter().zip(set).map(|(rows, bit)| rows & bit).collect();
        let children = [self.push(zero), self.push(one)];
        self.nodes[leaf].split = Some((feature, children[0], children[1]));
        children
    }

    /// Splits the leaf that gains most, until none gains more than `gamma` nats or there are `most` splits.
    pub fn grow(&mut self, features: &[usize], gamma: f64, most: usize) {
        let mut heap = BinaryHeap::new();
        let mut open = vec![0];
        for _ in 0..most {
            for leaf in open.drain(..) {
                if let Some(&(gain, feature)) = self.candidates(leaf, features.iter().copied(), gamma).first() {
                    // A gain is positive, and positive floats order as their bits do.
                    heap.push((gain.to_bits(), Reverse(leaf), feature));
                }
            }
            let Some((_, Reverse(leaf), feature)) = heap.pop() else { return };
            open.extend(self.split(leaf, feature));
        }
    }

    /// ln of the marginal likelihood of all rows, given the splits.
    pub fn evidence(&self) -> f64 {
        let leaves = self.nodes.iter().filter(|node| node.split.is_none());
        leaves.map(|node| self.evidence.of(node.rows, node.ones)).sum()
    }

    /// The tree, each node's contribution added along the way to its leaves.
    pub fn tree(&self, value: impl Fn(usize) -> f64) -> Tree {
        let mut tree = Tree::default();
        self.emit(0, 0.0, &value, &mut tree);
        tree
    }

    /// Appends the subtree at `node`. A split whose two sides are one leaf of the same value is no split.
    fn emit(&self, node: usize, above: f64, value: &impl Fn(usize) -> f64, tree: &mut Tree) {
        let here = above + value(node);
        let Some((feature, zero, one)) = self.nodes[node].split else { return tree.leaves.push(here) };
        let (at, first) = (tree.splits.len(), tree.leaves.len());
        tree.splits.push(Split { feature: feature as u32, left: 0 });
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

    /// Leaf logits from counts, each node's probability shrunk towards its parent's by `alpha` rows.
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

/// Grows the trees of all bits together, always taking the split that gains most among those that leave the columns
/// without a cycle, and returns an order of the columns in which every tree asks earlier ones only.
///
/// `column[i]` is the column of bit i; a bit may ask earlier bits of its own column and all bits of other columns.
pub fn learn_order(bits: &Bits, guards: &[u16], column: &[usize], gamma: f64, most: usize) -> Vec<usize> {
    let n = bits.width();
    let columns = column.last().map_or(0, |last| last + 1);
    let evidence = Evidence::new(bits.rows);
    let allowed = |target: usize| (0..n).filter(move |&feature| column[feature] != column[target] || feature < target);
    let mut growers: Vec<Grower> = (0..n).map(|i| Grower::new(bits, &evidence, i, bits.free(guards, i))).collect();
    let mut heap = BinaryHeap::new();
    let roots: Vec<Vec<Candidate>> =
        growers.par_iter().enumerate().map(|(i, grower)| grower.candidates(0, allowed(i), gamma)).collect();
    let mut waiting: Vec<Vec<std::vec::IntoIter<Candidate>>> = Vec::new();
    for (i, root) in roots.into_iter().enumerate() {
        waiting.push(vec![root.into_iter()]);
        offer(&mut heap, &mut waiting, i, 0);
    }
    let mut precedes = Precedence::new(columns);
    let mut splits = vec![0; n];
    while let Some((_, Reverse(target), Reverse(leaf), feature)) = heap.pop() {
        if splits[target] == most {
            continue;
        }
        if !precedes.add(column[feature], column[target]) {
            offer(&mut heap, &mut waiting, target, leaf);
            continue;
        }
        splits[target] += 1;
        let children = growers[target].split(leaf, feature);
        growers[target].nodes[leaf].set = Vec::new();
        waiting[target][leaf] = Vec::new().into_iter();
        let found: Vec<Vec<Candidate>> = children
            .into_par_iter()
            .map(|child| {
                // What would close a cycle now will do so for ever.
                let open = allowed(target).filter(|&f| !precedes.contradicts(column[f], column[target]));
                growers[target].candidates(child, open, gamma)
            })
            .collect();
        for (child, found) in children.into_iter().zip(found) {
            waiting[target].push(found.into_iter());
            offer(&mut heap, &mut waiting, target, child);
        }
    }
    precedes.order()
}

type Offer = (u64, Reverse<usize>, Reverse<usize>, usize);

fn offer(heap: &mut BinaryHeap<Offer>, waiting: &mut [Vec<std::vec::IntoIter<Candidate>>], target: usize, leaf: usize) {
    if let Some((gain, feature)) = waiting[target][leaf].next() {
        heap.push((gain.to_bits(), Reverse(target), Reverse(leaf), feature));
    }
}

/// Which column must come before which, closed under transitivity.
#[derive(Debug)]
struct Precedence {
    /// For each column, the set of those after it.
    after: Vec<Vec<u64>>,
}

impl Precedence {
    fn new(columns: usize) -> Self {
        Self { after: vec![vec![0; columns.div_ceil(64)]; columns] }
    }

    fn known(&self, first: usize, second: usize) -> bool {
        self.after[first][second / 64] >> (second % 64) & 1 == 1
    }

    /// Must `second` come before `first` already?
    fn contradicts(&self, first: usize, second: usize) -> bool {
        self.known(second, first)
    }

    /// Puts `first` before `second`; returns false, and changes nothing, if that contradicts what is known.
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

    /// All columns in an order that agrees: by how many must come before, then the natural one.
    fn order(&self) -> Vec<usize> {
        let n = self.after.len();
        let mut earlier = vec![0; n];
        self.after.iter().flat_map(|after| members(after)).for_each(|later| earlier[later as usize] += 1);
        let mut order: Vec<usize> = (0..n).collect();
        order.sort_by_key(|&k| (earlier[k], k));
        order
    }
}
