//! Random valid tables, as plain definitions together with the slices that say the same.
#![allow(dead_code, reason = "each test takes what it needs")]

use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};
use surprisal::{
    Activation, Column, Constraint, Detector, Encoder, Forest, ForestSlices, Linear, LinearSlices, LinearWeights,
    Model, Nade, NadeSlices, Nats, Table, Terms,
};

use super::naive::{self, Layer, Tree};

/// The most units of a random layer.
pub const UNITS: usize = 6;

/// The same cases on every run, and few under Miri, which takes a thousand times as long.
pub fn cases(cases: u32) -> Config {
    let cases = if cfg!(miri) { 1 + cases / 100 } else { cases };
    Config { cases, failure_persistence: None, rng_seed: RngSeed::Fixed(0x5EED), ..Config::default() }
}

/// SplitMix64 (Steele, Lea & Flood 2014).
#[derive(Clone, Debug)]
pub struct Dice(pub u64);

impl Dice {
    pub fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ z >> 31
    }

    /// Uniform in `low..=high`.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        low + (self.word() % (high - low + 1) as u64) as i64
    }

    pub fn one_in(&mut self, n: i64) -> bool {
        self.between(1, n) == 1
    }

    pub fn coin(&mut self) -> u16 {
        self.word() as u16
    }

    pub fn row<const N: usize>(&mut self) -> [bool; N] {
        std::array::from_fn(|_| self.one_in(2))
    }
}

/// A random table: what it means, and its slices.
#[derive(Clone, Debug)]
pub struct Random {
    pub bits: usize,
    pub constraints: Vec<u16>,
    pub biases: Vec<i16>,
    pub scales: Vec<u16>,
    /// `weights[i][j]` for j < i.
    pub weights: Vec<Vec<i32>>,
    pub dense: Vec<i8>,
    /// Starts and entries, when the weights are sparse.
    pub sparse: Option<(Vec<u16>, Vec<[u8; 2]>)>,
    /// The trees of each bit, one or several.
    pub trees: Vec<Vec<Tree>>,
    pub feature_bits: u16,
    pub starts: Vec<u16>,
    pub splits: Vec<u16>,
    pub leaves: Vec<i8>,
    pub leaf_scales: Vec<u16>,
    pub layer: Layer,
}

/// Tables of `bits` bits of every make.
pub fn tables(bits: impl Strategy<Value = usize>) -> impl Strategy<Value = Random> {
    (bits, any::<u64>(), any::<bool>(), any::<bool>())
        .prop_map(|(bits, seed, sparse, constrained)| Random::new(bits, sparse, constrained, &mut Dice(seed)))
}

impl Random {
    pub fn new(bits: usize, sparse: bool, constrained: bool, dice: &mut Dice) -> Self {
        let reach = if dice.one_in(4) { 32767 } else { 3000 };
        let steepest = if dice.one_in(4) { 65535 } else { 2000 };
        let weight = |dice: &mut Dice| match (sparse, dice.one_in(2)) {
            (false, _) => dice.between(-128, 127) as i32,
            (true, false) => 0,
            (true, true) => dice.between(-600, 600) as i32,
        };
        let mut random = Self {
            bits,
            constraints: Vec::new(),
            biases: (0..bits).map(|_| dice.between(-reach - 1, reach) as i16).collect(),
            scales: (0..bits).map(|_| dice.between(0, steepest) as u16).collect(),
            weights: (0..bits).map(|i| (0..i).map(|_| weight(dice)).collect()).collect(),
            dense: Vec::new(),
            sparse: None,
            trees: (0..bits).map(|i| trees(i, dice)).collect(),
            feature_bits: dice.between(4, 12) as u16,
            starts: vec![0],
            splits: Vec::new(),
            leaves: Vec::new(),
            leaf_scales: (0..bits).map(|_| dice.between(0, 3000) as u16).collect(),
            layer: layer(bits, dice),
        };
        if constrained {
            random.constraints = (0..bits).map(|i| constraint(i, dice).raw()).collect();
        }
        if sparse {
            random.sparse = Some(entries(&random.weights, dice));
        } else {
            random.dense = (0..bits)
                .flat_map(|j| (j + 1..bits).map(move |i| (i, j)))
                .map(|(i, j)| random.weights[i][j] as i8)
                .collect();
        }
        for (bit, trees) in random.trees.clone().iter().enumerate() {
            random.join(bit, trees);
            random.starts.push(random.splits.len() as u16);
        }
        random
    }

    /// Appends trees of a bit: a split on the bit itself adds the first one to the others.
    fn join(&mut self, bit: usize, trees: &[Tree]) {
        match trees {
            [] => {}
            [last] => self.flatten(last),
            [first, others @ ..] => {
                let at = self.splits.len();
                self.splits.push(0);
                self.flatten(first);
                self.splits[at] = bit as u16 | ((self.splits.len() - at - 1) as u16) << self.feature_bits;
                self.join(bit, others);
            }
        }
    }

    /// Appends a tree's splits in preorder and its leaves from left to right.
    fn flatten(&mut self, tree: &Tree) {
        match tree {
            Tree::Leaf(leaf) => self.leaves.push(*leaf),
            Tree::Ask(bit, zero, one) => {
                let at = self.splits.len();
                self.splits.push(0);
                self.flatten(zero);
                self.splits[at] = *bit as u16 | ((self.splits.len() - at - 1) as u16) << self.feature_bits;
                self.flatten(one);
            }
        }
    }

    /// The constraints, of which some are such that their bits are given.
    pub fn with_observed_bits(&self, dice: &mut Dice) -> Vec<u16> {
        let mut constraints = self.constraints.clone();
        constraints
            .iter_mut()
            .filter(|_| dice.one_in(4))
            .for_each(|constraint| *constraint = Constraint::OBSERVED.raw());
        constraints
    }

    /// Splits whose counts may be too large, and which a bit asks itself, anywhere; none looks ahead.
    pub fn damaged_splits(&self, dice: &mut Dice) -> Vec<u16> {
        let mut splits = self.splits.clone();
        for (bit, range) in self.starts.windows(2).enumerate() {
            for split in &mut splits[usize::from(range[0])..usize::from(range[1])] {
                let feature = if dice.one_in(3) { bit as i64 } else { dice.between(0, bit as i64) };
                *split = feature as u16 | (dice.coin() & 7) << self.feature_bits;
            }
        }
        splits
    }

    pub fn linear(&self) -> Linear<'_> {
        let weights = match &self.sparse {
            Some((starts, entries)) => LinearWeights::Sparse { starts, entries },
            None => LinearWeights::Dense(&self.dense),
        };
        Linear::new(LinearSlices { biases: &self.biases, scales: &self.scales, weights }).expect("the rows are valid")
    }

    pub fn forest(&self) -> Forest<'_> {
        Forest::new(self.forest_slices()).expect("the trees are valid")
    }

    pub fn forest_slices(&self) -> ForestSlices<'_> {
        let Self { feature_bits, starts, splits, leaves, leaf_scales: scales, .. } = self;
        ForestSlices { feature_bits: *feature_bits, starts, splits, leaves, scales }
    }

    pub fn nade(&self) -> Nade<'_, UNITS> {
        let Layer { activation, shift, biases, gains, inputs, outputs, scales } = &self.layer;
        let (activation, shift) = (*activation, *shift);
        Nade::new(NadeSlices { activation, shift, biases, gains, inputs, outputs, scales }).expect("the layer is valid")
    }

    /// Rows and trees.
    pub fn model<const N: usize>(&self) -> Model<'_, N, Terms<'_>> {
        let terms = Terms { linear: self.linear(), trees: self.forest(), ..Terms::EMPTY };
        Model::new(terms, &self.constraints, self.bits).expect("the constraints are valid")
    }

    pub fn table<'t, const N: usize>(&'t self, encoder: Encoder<'t>) -> Table<'t, N> {
        let detector =
            Detector { threshold: Nats::from_raw(7 << 16), false_alarm_ppm: 10_000, rows: 99, ..Detector::OFF };
        Table::new(encoder, self.model(), detector)
    }

    /// The linear share of a logit by definition, in units of 1/65536 nat.
    pub fn linear_logit(&self, row: &[bool], i: usize) -> f64 {
        naive::linear(self.biases[i], self.scales[i], &self.weights[i], row)
    }

    /// The forest's share of a logit by definition.
    pub fn forest_logit(&self, row: &[bool], i: usize) -> f64 {
        let leaves: i32 = self.trees[i].iter().map(|tree| i32::from(tree.leaf(row))).sum();
        f64::from(leaves) * f64::from(self.leaf_scales[i])
    }
}

/// A layer of any make. Most say a few nats; a few are so steep that everything wraps.
fn layer(bits: usize, dice: &mut Dice) -> Layer {
    let units = dice.between(0, UNITS as i64) as usize;
    let activation = [Activation::Relu, Activation::Sigmoid, Activation::Identity][dice.between(0, 2) as usize];
    let sigmoid = activation == Activation::Sigmoid;
    let wild = dice.one_in(4);
    let shift = dice.between(if wild { 0 } else { 6 }, 16) as u32;
    let steepest = match (wild, sigmoid) {
        (true, _) => 65535,
        (false, true) => (1 << shift) / 32,
        (false, false) => (1i64 << shift).min(65535),
    };
    let (widest, gain) = if wild { (32767, 65535) } else { (300, 2000) };
    let weights = |dice: &mut Dice| (0..bits * units).map(|_| dice.between(-128, 127) as i8).collect();
    Layer {
        activation,
        shift,
        biases: (0..units).map(|_| dice.between(-widest - 1, widest) as i16).collect(),
        gains: (0..units).filter(|_| sigmoid).map(|_| dice.between(0, gain) as u16).collect(),
        inputs: weights(dice),
        outputs: weights(dice),
        scales: (0..bits).map(|_| dice.between(0, steepest) as u16).collect(),
    }
}

fn constraint(i: usize, dice: &mut Dice) -> Constraint {
    if i == 0 || dice.one_in(3) {
        return Constraint::FREE;
    }
    Constraint::implied(dice.between(0, i as i64 - 1) as u16, dice.one_in(2), dice.one_in(2))
}

/// One tree, or up to four, whose leaves are to be added.
fn trees(i: usize, dice: &mut Dice) -> Vec<Tree> {
    let count = if dice.one_in(2) { 1 } else { dice.between(1, 4) };
    (0..count).map(|_| tree(i, 3, dice)).collect()
}

fn tree(i: usize, depth: usize, dice: &mut Dice) -> Tree {
    if i == 0 || depth == 0 || dice.one_in(3) {
        return Tree::Leaf(dice.between(-128, 127) as i8);
    }
    let bit = dice.between(0, i as i64 - 1) as usize;
    Tree::Ask(bit, tree(i, depth - 1, dice).into(), tree(i, depth - 1, dice).into())
}

/// The sparse columns of `weights`: long gaps bridged, and some short ones too; large weights continued.
pub fn entries(weights: &[Vec<i32>], dice: &mut Dice) -> (Vec<u16>, Vec<[u8; 2]>) {
    let (mut starts, mut entries) = (vec![0], Vec::new());
    for j in 0..weights.len() {
        let mut at = j;
        for (i, row) in weights.iter().enumerate().skip(j + 1).filter(|(_, row)| row[j] != 0) {
            while i - at > 255 || i - at > 1 && dice.one_in(4) {
                let bridge = dice.between(1, (i - at - 1).min(255) as i64);
                entries.push([bridge as u8, 0]);
                at += bridge as usize;
            }
            let mut left = row[j];
            while left != 0 {
                let piece = left.clamp(-128, 127);
                entries.push([(i - at) as u8, piece as i8 as u8]);
                (at, left) = (i, left - piece);
            }
        }
        starts.push(entries.len() as u16);
    }
    (starts, entries)
}

/// An encoder's three slices, column after column.
pub fn encoder_slices(columns: &[Column]) -> (Vec<u16>, Vec<i32>, Vec<u16>) {
    let words = columns.iter().flat_map(Column::words);
    let values = columns.iter().flat_map(|column| column.values.iter().copied());
    let widths = columns.iter().flat_map(|column| column.log_widths.iter().copied());
    (words.collect(), values.collect(), widths.collect())
}
