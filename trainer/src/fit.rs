//! Fits the conditionals of the bits by maximum likelihood, one at a time: the log-likelihood is a sum of one term per
//! bit.
//!
//! To maximise Σ ln p(row) over the training rows is to minimise KL(data ‖ model). The two differ by the entropy of the
//! data, which no model changes.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::bits::{Bits, Ranks, complement, members};
use crate::model::FloatConditional;
use crate::names::{Named, display_by_name};

pub mod optimizer;
pub mod boost;
mod simd;
pub mod layer;
pub mod logistic;
pub mod mixture;
pub mod nade;
pub mod tree;

use boost::{BoostSettings, boost};
use logistic::{Penalty, Problem, Solver};
use tree::{Evidence, Grower};

/// Family of models, which determines the form of the conditional distributions of the bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Family {
    /// One bias per bit, without weights, trees or hidden layer: all columns are independent.
    Marginal,
    /// One tree per bit over the bits of one other column, its parent in a maximum spanning tree (Chow & Liu 1968).
    ChowLiu,
    /// One tree per bit over all earlier bits.
    Tree,
    /// One logistic regression per bit over all earlier bits.
    Linear,
    /// One logistic regression and one tree per bit, fitted jointly.
    #[serde(alias = "lintree")]
    LinearTrees,
    /// Gradient-boosted small trees for each bit.
    Boost,
    /// One hidden layer that all bits share.
    Nade,
    /// A blend whose logits are the mean of the logits of linear-trees and of a hidden layer.
    #[serde(rename = "linear-trees+hidden", alias = "flagship")]
    LinearTreesHidden,
    /// The family that predicts the validation rows best within --flash, --ram and --ops.
    Auto,
    /// A mixture of trees without other terms. The most accurate family for tables of 1 KiB.
    Mixture,
    /// Outcome tables: one tree per column with rows of masses in its leaves, in one or two views. For data without
    /// numeric columns it is [`LinearTrees`](Self::LinearTrees).
    #[default]
    Tables,
}

impl Named for Family {
    const OPTION: &'static str = "--family";
    const NAMES: &'static [(&'static str, Self)] = &[
        ("tables", Self::Tables),
        ("linear-trees", Self::LinearTrees),
        ("marginal", Self::Marginal),
        ("chow-liu", Self::ChowLiu),
        ("tree", Self::Tree),
        ("linear", Self::Linear),
        ("boost", Self::Boost),
        ("mixture", Self::Mixture),
        ("nade", Self::Nade),
        ("linear-trees+hidden", Self::LinearTreesHidden),
        ("auto", Self::Auto),
    ];
    const ALIASES: &'static [(&'static str, Self)] =
        &[("lintree", Self::LinearTrees), ("flagship", Self::LinearTreesHidden)];
}

display_by_name!(Family);

impl Family {
    /// Returns whether the model has no hidden layer and no mixture, so that each bit can be fitted on its own.
    pub fn has_conditionals_only(self) -> bool {
        !matches!(self, Self::Mixture | Self::Nade | Self::LinearTreesHidden | Self::Auto | Self::Tables)
    }

    /// Returns whether each bit has a single tree.
    pub fn has_tree(self) -> bool {
        matches!(self, Self::ChowLiu | Self::Tree | Self::LinearTrees)
    }

    /// Returns whether each bit has a logistic regression.
    pub fn has_weights(self) -> bool {
        matches!(self, Self::Linear | Self::LinearTrees)
    }
}

/// Settings of a fit of conditionals, without the list of regularisation strengths.
#[derive(Clone, Copy, Debug)]
pub struct FitSettings<'a> {
    /// Family of models, which determines the form of the conditionals.
    pub family: Family,
    /// Smallest gain of a tree split, in nats of the training set.
    pub gamma: f64,
    /// Largest number of splits of a tree.
    pub max_splits: usize,
    /// Bits that the tree of each bit may test, `[bit][..]`, or `None` for all earlier bits.
    pub tree_features: Option<&'a [Vec<usize>]>,
    /// Coefficient of the penalty Σw²/2 on weights, in nats of the training set.
    pub l2: f64,
}

/// Fits the conditionals of all bits at each strength and returns them as `[strength][bit]`.
///
/// The meaning of a strength depends on the family: an L1 penalty in nats of the training set for logistic regressions,
/// a pseudo-count in rows for trees alone, the learning rate for boosting. Penalties must descend, because each fit
/// starts from the result of the previous fit. `done` is called once per bit, from several threads.
pub fn fit(
    train: &Bits,
    constraints: &[u16],
    settings: &FitSettings,
    strengths: &[f64],
    done: &(dyn Fn() + Sync),
) -> Vec<Vec<FloatConditional>> {
    let evidence = Evidence::new(train.rows);
    let each: Vec<Vec<FloatConditional>> = (0..train.width())
        .into_par_iter()
        .map(|i| {
            let fitted = fit_bit(train, constraints, settings, strengths, &evidence, i);
            done();
            fitted
        })
        .collect();
    (0..strengths.len()).map(|k| each.iter().map(|fitted| fitted[k].clone()).collect()).collect()
}

/// Fits the conditional of bit `i` at each regularisation strength and returns them as `[strength]`.
fn fit_bit(
    train: &Bits,
    constraints: &[u16],
    settings: &FitSettings,
    strengths: &[f64],
    evidence: &Evidence,
    i: usize,
) -> Vec<FloatConditional> {
    let mut grower = Grower::new(train, evidence, i, train.free(constraints, i));
    let (rows, ones) = (grower.nodes[0].rows, grower.nodes[0].ones);
    // Laplace's rule: a bit that never varies among n rows takes its other value with probability 1 / (n + 2).
    let bias = ((ones as f64 + 1.0) / ((rows - ones) as f64 + 1.0)).ln();
    let marginal = FloatConditional { bias, ..FloatConditional::default() };
    if ones == 0 || ones == rows || settings.family == Family::Marginal {
        return vec![marginal; strengths.len()];
    }
    if settings.family == Family::Boost {
        let free = train.free(constraints, i);
        let boosted = |rate: &f64| {
            let settings = BoostSettings { rate: *rate, gamma: settings.gamma, ..BoostSettings::default() };
            FloatConditional { bias, weights: Vec::new(), trees: boost(train, &free, i, bias, &settings) }
        };
        return strengths.iter().map(boosted).collect();
    }
    if settings.family.has_tree() {
        let earlier: Vec<usize> = (0..i).collect();
        let features = settings.tree_features.map_or(&earlier, |features| &features[i]);
        grower.grow(features, settings.gamma, settings.max_splits);
    }
    if settings.family.has_weights() {
        return fit_weights(train, &grower, settings, strengths, i);
    }
    let centred = |alpha: &f64| {
        let mut tree = grower.shrunk(*alpha);
        tree.leaves.iter_mut().for_each(|leaf| *leaf -= bias);
        FloatConditional { bias, weights: Vec::new(), trees: vec![tree] }
    };
    strengths.iter().map(centred).collect()
}

/// A 0/1 feature of the joint fit of a logistic regression and a tree.
enum JointFeature {
    /// The value of the earlier bit with this index.
    Bit(u32),
    /// Whether the row reaches the tree node with this index.
    Node(usize),
}

/// Fits the weights of bit `i` jointly with the leaves of its tree: each tree node is a feature like each earlier bit.
fn fit_weights(
    train: &Bits,
    grower: &Grower,
    settings: &FitSettings,
    strengths: &[f64],
    i: usize,
) -> Vec<FloatConditional> {
    let root = &grower.nodes[0];
    let ranks = Ranks::new(&root.set, train.rows);
    let mut problem = Problem { outcomes: vec![false; root.rows], features: Vec::new() };
    ranks.of(train.ones[i].iter().copied()).iter().for_each(|&rank| problem.outcomes[rank as usize] = true);
    let mut features = Vec::new();
    let mut flipped = Vec::new();
    let mut add = |feature: JointFeature, ones: Vec<u32>| {
        if ones.is_empty() || ones.len() == root.rows {
            return;
        }
        // A feature that is mostly one is stored by its zeros, which are fewer: w·x = w - w·(1 - x).
        let flip = 2 * ones.len() > root.rows;
        problem.features.push(if flip { complement(&ones, root.rows) } else { ones });
        features.push(feature);
        flipped.push(flip);
    };
    for j in 0..i {
        add(JointFeature::Bit(j as u32), ranks.of(train.ones[j].iter().copied()));
    }
    // The root's children equal bits, which are features already. Of two other siblings, the smaller node suffices.
    for (_, zero, one) in grower.nodes.iter().skip(1).filter_map(|parent| parent.split) {
        let smaller = if grower.nodes[zero].rows < grower.nodes[one].rows { zero } else { one };
        add(JointFeature::Node(smaller), ranks.of(members(&grower.nodes[smaller].set)));
    }
    let mut solver = Solver::new(&problem);
    // The path starts well above the first penalty, so that even a single fit starts from a sparse solution.
    let first = strengths.first().copied().unwrap_or_default();
    [8.0, 4.0, 2.0].iter().for_each(|factor| solver.solve(Penalty { l1: factor * first, l2: settings.l2 }));
    let mut fitted = Vec::new();
    for &l1 in strengths {
        solver.solve(Penalty { l1, l2: settings.l2 });
        let mut conditional = FloatConditional { bias: solver.bias, ..FloatConditional::default() };
        let mut node_weights = vec![0.0; grower.nodes.len()];
        for ((feature, &flip), &weight) in features.iter().zip(&flipped).zip(&solver.weights) {
            let weight = if flip { -weight } else { weight };
            conditional.bias -= if flip { weight } else { 0.0 };
            match *feature {
                JointFeature::Bit(j) if weight != 0.0 => conditional.weights.push((j, weight)),
                JointFeature::Bit(_) => {}
                JointFeature::Node(at) => node_weights[at] = weight,
            }
        }
        let tree = grower.tree(|node| node_weights[node]);
        conditional.trees.extend(Some(tree).filter(|tree| !tree.splits.is_empty()));
        fitted.push(conditional);
    }
    fitted
}
