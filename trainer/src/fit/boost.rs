//! Several small trees a conditional, each fitted to what those before it leave (Friedman, *Greedy Function
//! Approximation: A Gradient Boosting Machine*, 2001), with Newton steps for leaves (Friedman, Hastie & Tibshirani,
//! *Additive Logistic Regression*, 2000).

use crate::bits::{Bits, members};
use crate::model::{Split, Tree};

/// How to boost.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Boost {
    /// Questions on the way to a leaf, at most.
    pub depth: usize,
    /// The share of a Newton step that each tree takes.
    pub rate: f64,
    /// What a split must gain, in nats of the training set.
    pub gamma: f64,
    /// What is added to a leaf's curvature.
    pub ridge: f64,
    /// Trees, at most.
    pub rounds: usize,
}

impl Default for Boost {
    fn default() -> Self {
        Self { depth: 3, rate: 0.08, gamma: 0.7, ridge: 1.0, rounds: 100 }
    }
}

/// A feature by its rarer value.
struct Feature {
    bit: u32,
    /// The places of the rows that have it.
    rows: Vec<u32>,
    /// Are those the zeros?
    flipped: bool,
}

/// Gradient and curvature of some rows.
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

    /// What one Newton step gains.
    fn gain(self, ridge: f64) -> f64 {
        0.5 * self.gradient * self.gradient / (self.curvature.max(0.0) + ridge)
    }
}

/// A node of the tree under growth: its rows' slope and, once it is split, the feature and its two children.
#[derive(Clone, Copy, Debug, Default)]
struct Node {
    slope: Slope,
    split: Option<(usize, usize)>,
}

/// Trees for bit `i` on top of `bias`, until no split gains enough. Asks earlier bits only.
pub fn boost(train: &Bits, free: &[u64], i: usize, bias: f64, settings: &Boost) -> Vec<Tree> {
    let rows: Vec<u32> = members(free).collect();
    let mut place = vec![u32::MAX; train.rows];
    rows.iter().zip(0..).for_each(|(&row, at)| place[row as usize] = at);
    let outcomes: Vec<f64> = rows.iter().map(|&row| f64::from(u8::from(train.get(row as usize, i)))).collect();
    let feature = |j: usize| {
        let ones: Vec<u32> =
            train.ones[j].iter().map(|&row| place[row as usize]).filter(|&at| at != u32::MAX).collect();
        let flipped = 2 * ones.len() > rows.len();
        let rows = if flipped { super::complement(&ones, rows.len()) } else { ones };
        Feature { bit: j as u32, rows, flipped }
    };
    let features: Vec<Feature> = (0..i).map(feature).filter(|feature| !feature.rows.is_empty()).collect();
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

/// One tree, level by level, and the leaf that each row is in.
fn grow(features: &[Feature], slopes: &[Slope], settings: &Boost) -> (Vec<Node>, Vec<u8>) {
    let mut root = Node::default();
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
                // Zeros lead to the first child, ones to the second.
                let (has, lacks) = (side, nodes[node].slope.without(side));
                let children = if features[k].flipped { [has, lacks] } else { [lacks, has] };
                nodes.extend(children.map(|slope| Node { slope, split: None }));
            }
        }
        let split: Vec<(usize, usize, usize)> =
            level.clone().filter_map(|node| nodes[node].split.map(|(k, child)| (node, k, child))).collect();
        if split.is_empty() {
            break;
        }
        // All rows of a split node go to the child that lacks the feature, then those that have it to the other.
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

/// Appends the subtree at `node`.
fn emit(nodes: &[Node], features: &[Feature], node: usize, leaf: &impl Fn(Slope) -> f64, tree: &mut Tree) {
    let Some((k, child)) = nodes[node].split else { return tree.leaves.push(leaf(nodes[node].slope)) };
    let at = tree.splits.len();
    tree.splits.push(Split { feature: features[k].bit, left: 0 });
    emit(nodes, features, child, leaf, tree);
    tree.splits[at].left = (tree.splits.len() - at - 1) as u32;
    emit(nodes, features, child + 1, leaf, tree);
}
