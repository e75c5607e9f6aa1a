//! Gradient-boosted trees: each small tree is fitted to the residuals of the previous trees (Friedman, *Greedy Function
//! Approximation: A Gradient Boosting Machine*, 2001), with Newton steps for leaves (Friedman, Hastie & Tibshirani,
//! *Additive Logistic Regression*, 2000).

use crate::bits::{Bits, Ranks, complement, members};
use crate::model::{Tree, TreeSplit};

/// Settings of gradient boosting.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BoostSettings {
    /// Largest depth of a tree, at most 6.
    pub depth: usize,
    /// Learning rate: the fraction of a Newton step that each tree takes.
    pub rate: f64,
    /// Smallest gain of a split, in nats of the training set.
    pub gamma: f64,
    /// Constant that is added to the curvature of a leaf and so shrinks the leaf's value.
    pub ridge: f64,
    /// Largest number of trees per bit.
    pub rounds: usize,
}

impl Default for BoostSettings {
    fn default() -> Self {
        Self { depth: 3, rate: 0.08, gamma: 0.7, ridge: 1.0, rounds: 100 }
    }
}

/// An earlier bit, stored as the rows that have its rarer value.
struct SparseFeature {
    bit: u32,
    /// Ranks, among the rows of the fit, of the rows that have the rarer value, ascending.
    rows: Vec<u32>,
    /// Whether the rarer value is zero.
    flipped: bool,
}

/// Gradient and curvature of the log-likelihood by the logit, summed over a set of rows.
#[derive(Clone, Copy, Debug, Default)]
struct Slope {
    gradient: f64,
    curvature: f64,
}

impl Slope {
    fn add(&mut self, other: Self) {
        self.gradient += other.gradient;
        self.curvature += other.curvature;
    }

    fn without(self, other: Self) -> Self {
        Self { gradient: self.gradient - other.gradient, curvature: self.curvature - other.curvature }
    }

    /// Returns the gain of one Newton step in the log-likelihood, in nats.
    fn gain(self, ridge: f64) -> f64 {
        0.5 * self.gradient * self.gradient / (self.curvature.max(0.0) + ridge)
    }
}

/// A node of a boosted tree while the tree grows.
#[derive(Clone, Copy, Debug, Default)]
struct BoostNode {
    /// Gradient and curvature, summed over the rows that reach the node.
    slope: Slope,
    /// Index of the feature and index of the first of two adjacent children, or `None` for a leaf.
    split: Option<(usize, usize)>,
}

/// Fits trees over the bits before bit `i` on top of `bias` until no split gains more than `gamma`.
///
/// `free` is the set of training rows in which no constraint makes bit `i` observed or implied, 64 rows per word.
pub fn boost(train: &Bits, free: &[u64], i: usize, bias: f64, settings: &BoostSettings) -> Vec<Tree> {
    let rows: Vec<u32> = members(free).collect();
    let ranks = Ranks::new(free, train.rows);
    let outcomes: Vec<f64> = rows.iter().map(|&row| f64::from(u8::from(train.get(row as usize, i)))).collect();
    let feature = |j: usize| {
        let ones = ranks.of(train.ones[j].iter().copied());
        let flipped = 2 * ones.len() > rows.len();
        let rows = if flipped { complement(&ones, rows.len()) } else { ones };
        SparseFeature { bit: j as u32, rows, flipped }
    };
    let features: Vec<SparseFeature> = (0..i).map(feature).filter(|feature| !feature.rows.is_empty()).collect();
    let mut logits = vec![bias; rows.len()];
    let mut trees = Vec::new();
    for _ in 0..settings.rounds {
        let slopes: Vec<Slope> = logits
            .iter()
            .zip(&outcomes)
            .map(|(logit, outcome)| {
                let p = 1.0 / (1.0 + (-logit).exp());
                Slope { gradient: outcome - p, curvature: p * (1.0 - p) }
            })
            .collect();
        let (nodes, at) = grow(&features, &slopes, settings);
        if nodes.len() == 1 {
            break;
        }
        let leaf = |slope: Slope| settings.rate * slope.gradient / (slope.curvature.max(0.0) + settings.ridge);
        logits.iter_mut().zip(&at).for_each(|(logit, &node)| *logit += leaf(nodes[usize::from(node)].slope));
        let mut tree = Tree::default();
        emit(&nodes, &features, 0, &leaf, &mut tree);
        trees.push(tree);
    }
    trees
}

/// Grows one tree level by level; returns its nodes and the index of the leaf that each row reaches.
fn grow(features: &[SparseFeature], slopes: &[Slope], settings: &BoostSettings) -> (Vec<BoostNode>, Vec<u8>) {
    let mut root = BoostNode::default();
    slopes.iter().for_each(|&slope| root.slope.add(slope));
    let mut nodes = vec![root];
    let mut at = vec![0u8; slopes.len()];
    let mut level = 0..1;
    for _ in 0..settings.depth.min(6) {
        let mut best: Vec<(f64, usize, Slope)> = vec![(settings.gamma, usize::MAX, Slope::default()); nodes.len()];
        for (k, feature) in features.iter().enumerate() {
            let mut sides = [Slope::default(); 128];
            feature.rows.iter().for_each(|&row| sides[usize::from(at[row as usize])].add(slopes[row as usize]));
            for node in level.clone() {
                let (all, side) = (nodes[node].slope, sides[node]);
                let gain = |slope: Slope| slope.gain(settings.ridge);
                let gained = gain(side) + gain(all.without(side)) - gain(all);
                if gained > best[node].0 {
                    best[node] = (gained, k, side);
                }
            }
        }
        let first = nodes.len();
        for node in level.clone() {
            let (_, k, side) = best[node];
            if k != usize::MAX {
                nodes[node].split = Some((k, nodes.len()));
                // A zero leads to the first child, a one to the second.
                let (has, lacks) = (side, nodes[node].slope.without(side));
                let children = if features[k].flipped { [has, lacks] } else { [lacks, has] };
                nodes.extend(children.map(|slope| BoostNode { slope, split: None }));
            }
        }
        let split: Vec<(usize, usize, usize)> =
            level.clone().filter_map(|node| nodes[node].split.map(|(k, child)| (node, k, child))).collect();
        if split.is_empty() {
            break;
        }
        // All rows of a split node go to the child of the commoner value; rows with the rarer value then move to the
        // other child.
        let mut default = [u8::MAX; 128];
        split.iter().for_each(|&(node, k, child)| default[node] = (child + usize::from(features[k].flipped)) as u8);
        let before = at.clone();
        at.iter_mut().filter(|at| default[usize::from(**at)] != u8::MAX).for_each(|at| *at = default[usize::from(*at)]);
        for &(node, k, child) in &split {
            for &row in features[k].rows.iter().filter(|&&row| usize::from(before[row as usize]) == node) {
                at[row as usize] = (child + usize::from(!features[k].flipped)) as u8;
            }
        }
        level = first..nodes.len();
    }
    (nodes, at)
}

/// Appends the subtree at `node` to `tree`, in preorder.
fn emit(nodes: &[BoostNode], features: &[SparseFeature], node: usize, leaf: &impl Fn(Slope) -> f64, tree: &mut Tree) {
    let Some((k, child)) = nodes[node].split else { return tree.leaves.push(leaf(nodes[node].slope)) };
    let at = tree.splits.len();
    tree.splits.push(TreeSplit { feature: features[k].bit, left: 0 });
    emit(nodes, features, child, leaf, tree);
    tree.splits[at].left = (tree.splits.len() - at - 1) as u32;
    emit(nodes, features, child + 1, leaf, tree);
}
