//! Maximum likelihood, one conditional at a time: the likelihood decomposes, so the fit does.
//!
//! Maximising Σ ln p(row) over the training rows is minimising KL(data ‖ model); the two differ by the entropy of
//! the data, which no model changes.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::bits::{Bits, members};
use crate::model::Conditional;
use crate::names::{Named, display_by_name};

pub mod ascent;
pub mod boost;
mod lanes;
pub mod layer;
pub mod logistic;
pub mod mixture;
pub mod nade;
pub mod sgd;
pub mod tree;

use boost::Boost;
use logistic::{Penalty, Problem, Solver};
use tree::{Evidence, Grower};

/// What each conditional is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Family {
    /// A bias: every column on its own. The baseline.
    Marginal,
    /// A tree over the bits of one other column, those of a maximum spanning tree.
    ChowLiu,
    /// A tree over all earlier bits.
    Tree,
    /// A logistic row over all earlier bits.
    Linear,
    /// A logistic row and a tree, fitted jointly.
    #[default]
    #[serde(rename = "linear-trees", alias = "lintree")]
    Lintree,
    /// Many small trees, each fitted to what those before it leave.
    Boost,
    /// A hidden layer that all conditionals share.
    Nade,
    /// The mean of the logits of `linear-trees` and a hidden layer.
    #[serde(rename = "linear-trees+hidden", alias = "flagship")]
    Flagship,
    /// Whatever predicts the validation rows best within --flash, --ram and --ops.
    Auto,
    /// Nothing of their own: a mixture of trees says it all. The smallest at 1 KiB.
    Mixture,
}

impl Named for Family {
    const OPTION: &'static str = "--family";
    const NAMES: &'static [(&'static str, Self)] = &[
        ("linear-trees", Self::Lintree),
        ("marginal", Self::Marginal),
        ("chow-liu", Self::ChowLiu),
        ("tree", Self::Tree),
        ("linear", Self::Linear),
        ("boost", Self::Boost),
        ("mixture", Self::Mixture),
        ("nade", Self::Nade),
        ("linear-trees+hidden", Self::Flagship),
        ("auto", Self::Auto),
    ];
    const ALIASES: &'static [(&'static str, Self)] = &[("lintree", Self::Lintree), ("flagship", Self::Flagship)];
}

display_by_name!(Family);

impl Family {
    /// Is it made of conditionals alone, each fitted on its own?
    pub fn is_of_conditionals(self) -> bool {
        !matches!(self, Self::Mixture | Self::Nade | Self::Flagship | Self::Auto)
    }

    /// Does it grow trees?
    pub fn has_tree(self) -> bool {
        matches!(self, Self::ChowLiu | Self::Tree | Self::Lintree)
    }

    /// Does it weigh bits?
    pub fn has_weights(self) -> bool {
        matches!(self, Self::Linear | Self::Lintree)
    }
}

/// How to fit the conditionals, but for how strongly.
#[derive(Clone, Copy, Debug)]
pub struct Recipe<'a> {
    /// What they are made of.
    pub family: Family,
    /// What a split must gain, in nats.
    pub gamma: f64,
    /// How many splits a tree may have.
    pub most_splits: usize,
    /// For each bit the features that a tree may ask, or `None` for all earlier bits.
    pub askable: Option<&'a [Vec<usize>]>,
    /// The quadratic penalty on weights.
    pub l2: f64,
}

/// Fits every conditional at each strength, the strongest first: rows a pseudo-count for trees alone, the L1 penalty
/// for logistic rows. Returns a list of conditionals a strength.
pub fn fit(
    train: &Bits,
    guards: &[u16],
    recipe: &Recipe,
    strengths: &[f64],
    done: &(dyn Fn() + Sync),
) -> Vec<Vec<Conditional>> {
    let evidence = Evidence::new(train.rows);
    let each: Vec<Vec<Conditional>> = (0..train.width())
        .into_par_iter()
        .map(|i| {
            let fitted = fit_one(train, guards, recipe, strengths, &evidence, i);
            done();
            fitted
        })
        .collect();
    (0..strengths.len()).map(|k| each.iter().map(|fitted| fitted[k].clone()).collect()).collect()
}

fn fit_one(
    train: &Bits,
    guards: &[u16],
    recipe: &Recipe,
    strengths: &[f64],
    evidence: &Evidence,
    i: usize,
) -> Vec<Conditional> {
    let mut grower = Grower::new(train, evidence, i, train.free(guards, i));
    let (rows, ones) = (grower.nodes[0].rows, grower.nodes[0].ones);
    // A bit that no training row lets vary tells nothing but that the other value is rarer than 1 in n + 2.
    let bias = ((ones as f64 + 1.0) / ((rows - ones) as f64 + 1.0)).ln();
    let marginal = Conditional { bias, ..Conditional::default() };
    if ones == 0 || ones == rows || recipe.family == Family::Marginal {
        return vec![marginal; strengths.len()];
    }
    if recipe.family == Family::Boost {
        let free = train.free(guards, i);
        let of = |rate: &f64| {
            let settings = Boost { rate: *rate, gamma: recipe.gamma, ..Boost::default() };
            Conditional { bias, weights: Vec::new(), trees: boost::boost(train, &free, i, bias, &settings) }
        };
        return strengths.iter().map(of).collect();
    }
    if recipe.family.has_tree() {
        let earlier: Vec<usize> = (0..i).collect();
        let features = recipe.askable.map_or(&earlier, |askable| &askable[i]);
        grower.grow(features, recipe.gamma, recipe.most_splits);
    }
    if recipe.family.has_weights() {
        return fit_weights(train, &grower, recipe, strengths, i);
    }
    let centred = |alpha: &f64| {
        let mut tree = grower.shrunk(*alpha);
        tree.leaves.iter_mut().for_each(|leaf| *leaf -= bias);
        Conditional { bias, weights: Vec::new(), trees: vec![tree] }
    };
    strengths.iter().map(centred).collect()
}

/// A 0/1 feature of the joint fit.
enum Feature {
    /// Bit j.
    Bit(u32),
    /// "The row reaches this node of the tree."
    Node(usize),
}

fn fit_weights(train: &Bits, grower: &Grower, recipe: &Recipe, strengths: &[f64], i: usize) -> Vec<Conditional> {
    let root = &grower.nodes[0];
    // Where each free row stands among the free rows.
    let mut place = vec![u32::MAX; train.rows];
    members(&root.set).enumerate().for_each(|(at, row)| place[row as usize] = at as u32);
    let placed = |rows: &mut dyn Iterator<Item = u32>| -> Vec<u32> {
        rows.map(|row| place[row as usize]).filter(|&at| at != u32::MAX).collect()
    };
    let mut problem = Problem { outcomes: vec![false; root.rows], features: Vec::new() };
    placed(&mut train.ones[i].iter().copied()).iter().for_each(|&at| problem.outcomes[at as usize] = true);
    let mut features = Vec::new();
    let mut flipped = Vec::new();
    let mut add = |feature: Feature, ones: Vec<u32>| {
        if ones.is_empty() || ones.len() == root.rows {
            return;
        }
        // A feature that mostly is a one is walked by its zeros: w·x = w - w·(1 - x).
        let flip = 2 * ones.len() > root.rows;
        problem.features.push(if flip { complement(&ones, root.rows) } else { ones });
        features.push(feature);
        flipped.push(flip);
    };
    for j in 0..i {
        add(Feature::Bit(j as u32), placed(&mut train.ones[j].iter().copied()));
    }
    // The root's children are bits, which are features already; of other siblings the smaller one does.
    for (_, zero, one) in grower.nodes.iter().skip(1).filter_map(|parent| parent.split) {
        let smaller = if grower.nodes[zero].rows < grower.nodes[one].rows { zero } else { one };
        add(Feature::Node(smaller), placed(&mut members(&grower.nodes[smaller].set)));
    }
    let mut solver = Solver::new(&problem);
    // The path begins well above the first penalty asked for, or that one alone would start cold.
    let first = strengths.first().copied().unwrap_or_default();
    [8.0, 4.0, 2.0].iter().for_each(|factor| solver.solve(Penalty { l1: factor * first, l2: recipe.l2 }));
    let mut fitted = Vec::new();
    for &l1 in strengths {
        solver.solve(Penalty { l1, l2: recipe.l2 });
        let mut conditional = Conditional { bias: solver.bias, ..Conditional::default() };
        let mut at_node = vec![0.0; grower.nodes.len()];
        for ((feature, &flip), &weight) in features.iter().zip(&flipped).zip(&solver.weights) {
            let weight = if flip { -weight } else { weight };
            conditional.bias -= if flip { weight } else { 0.0 };
            match *feature {
                Feature::Bit(j) if weight != 0.0 => conditional.weights.push((j, weight)),
                Feature::Bit(_) => {}
                Feature::Node(at) => at_node[at] = weight,
            }
        }
        conditional.trees.extend(Some(grower.tree(|node| at_node[node])).filter(|tree| !tree.splits.is_empty()));
        fitted.push(conditional);
    }
    fitted
}

/// The places in 0..n that are not listed.
fn complement(listed: &[u32], n: usize) -> Vec<u32> {
    let mut listed = listed.iter().copied().peekable();
    (0..n as u32).filter(|&at| listed.next_if_eq(&at).is_none()).collect()
}
