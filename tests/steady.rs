//! The score in steady time is the score: for random tables of every part, damaged ones too, and all kinds of rows.
#![allow(clippy::let_unit_value, reason = "a law for every part does not know that a forest has no state")]

mod support {
    pub mod mixture;
    pub mod naive;
    pub mod random;
}

use proptest::prelude::*;
use support::mixture::RandomMixture;
use support::random::{Dice, UNITS, cases, tables};
use surprisal::{Columns, Forest, Linear, Mask, Model, Nade, Steady, Sum};

/// Room for the widest random table and the most components.
const N: usize = 10;
const K: usize = 9;

/// Random rows, which guards rule out more often than not, and samples, which they do not.
fn is_the_score<P: Steady<N> + Copy>(part: P, guards: &[u16], bits: usize, dice: &mut Dice) {
    let model = Model::<N, _>::new(part, guards, bits).expect("the guards are valid");
    for _ in 0..8 {
        for row in [dice.row(), model.sample(|| dice.coin())] {
            assert_eq!(model.steady(&row), model.surprisal(&row), "{row:?}");
        }
    }
}

/// Each part tells the logits that `Part` does, past the last bit too, when all bits are free.
fn says_the_same<P: Steady<N>>(part: &P, dice: &mut Dice) {
    let row = dice.row::<N>();
    let seen = row.map(Mask::of);
    let (mut state, mut steady) = (part.start(), part.start());
    for i in 0..N + 2 {
        assert_eq!(part.steady_logit(&mut steady, &seen, i), part.logit(&mut state, &row, i), "bit {i} of {row:?}");
        part.steady_observe(&mut steady, &seen, i, Mask::of(true));
        if row.get(i) == Some(&true) {
            part.observe(&mut state, i);
        }
    }
}

const FEATURE_BITS: u16 = 4;

/// A tree of so many splits in preorder; some of the splits join trees, if they may.
fn grow(count: usize, bit: u16, joins: bool, dice: &mut Dice, splits: &mut Vec<u16>) {
    let Some(below) = count.checked_sub(1) else { return };
    // Chains to the left, to the right, and what lies between.
    let left = match dice.between(0, 3) {
        0 => below.min(2),
        1 => below.saturating_sub(2),
        _ => dice.between(0, below as i64) as usize,
    };
    let feature = if joins && dice.one_in(8) { bit } else { dice.between(0, i64::from(bit) - 1) as u16 };
    splits.push(feature | (left as u16) << FEATURE_BITS);
    grow(left, bit, joins, dice, splits);
    grow(below - left, bit, joins, dice, splits);
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn of_every_part_and_of_their_sum(random in tables(1usize..=N), seed: u64) {
        let dice = &mut Dice(seed);
        let (linear, forest, nade) = (random.linear(), random.forest(), random.nade());
        let sum = Sum(Sum(linear, forest), nade);
        says_the_same(&linear, dice);
        says_the_same(&forest, dice);
        says_the_same(&nade, dice);
        says_the_same(&sum, dice);
        let guards = random.given(dice);
        is_the_score(linear, &guards, random.bits, dice);
        is_the_score(forest, &guards, random.bits, dice);
        is_the_score(nade, &guards, random.bits, dice);
        is_the_score(sum, &guards, random.bits, dice);
    }

    #[test]
    fn of_mixtures(bits in 1usize..=N, components in 1usize..=K, guarded: bool, seed: u64) {
        let dice = &mut Dice(seed);
        let random = RandomMixture::new(bits, components, guarded, dice);
        let part = random.part::<K>();
        says_the_same(&part, dice);
        is_the_score(part, &random.guards, bits, dice);
    }

    #[test]
    fn of_trees_whatever_their_splits_say(random in tables(2usize..=N), seed: u64) {
        let dice = &mut Dice(seed);
        let splits = random.damaged_splits(dice);
        let part = Forest::new(random.feature_bits, &random.starts, &splits, &random.leaves, &random.leaf_scales)
            .expect("no tree looks ahead");
        says_the_same(&part, dice);
        is_the_score(part, &random.guards, random.bits, dice);
    }

    #[test]
    fn of_trees_of_any_shape_and_depth(seed: u64, count in 1usize..=1000, joins: bool) {
        let dice = &mut Dice(seed);
        let last = N as u16 - 1;
        let mut splits = Vec::new();
        grow(count, last, joins, dice, &mut splits);
        let mut starts = [0; N + 1];
        starts[N] = count as u16;
        let leaves: Vec<i8> = (0..count + N).map(|_| dice.coin() as i8).collect();
        let part = Forest::new(FEATURE_BITS, &starts, &splits, &leaves, &[4096; N]).expect("the tree is valid");
        says_the_same(&part, dice);
        is_the_score(part, &[], N, dice);
    }

    #[test]
    fn of_layers_whose_weights_and_biases_are_anything(random in tables(1usize..=N), seed: u64) {
        let dice = &mut Dice(seed);
        let mut layer = random.layer.clone();
        layer.biases.iter_mut().for_each(|bias| *bias = dice.coin() as i16);
        layer.scales.iter_mut().for_each(|scale| *scale = dice.coin());
        layer.gains.iter_mut().for_each(|gain| *gain = dice.coin());
        let part = Nade::<UNITS>::new(
            layer.activation, layer.shift, &layer.biases, &layer.gains, &layer.inputs, &layer.outputs, &layer.scales,
        );
        says_the_same(&part.expect("the layer is valid"), dice);
    }
}

#[test]
fn of_the_fullest_tree_there_is() {
    fn grow(splits: &mut Vec<u16>, below: u16) {
        splits.push(below << 1);
        if below > 0 {
            grow(splits, below / 2);
            grow(splits, below / 2);
        }
    }
    let mut splits = Vec::new();
    grow(&mut splits, u16::MAX / 2);
    let starts = [0, 0, splits.len() as u16];
    let leaves: Vec<i8> = (0..splits.len() + 2).map(|leaf| (leaf % 251) as i8).collect();
    let part = Forest::new(1, &starts, &splits, &leaves, &[1000; 2]).expect("the tree is valid");
    assert_eq!(splits.len(), usize::from(u16::MAX));
    says_the_same(&part, &mut Dice(1));
    says_the_same(&part, &mut Dice(2));
}

#[test]
fn of_a_mixture_whose_components_part_for_ever() {
    const BITS: usize = 4000;
    let mut random = RandomMixture::new(BITS, 2, false, &mut Dice(7));
    // The exponent of the second component exceeds 16 bits.
    random.logits.as_chunks_mut::<2>().0.fill([127, -128]);
    random.parents.fill([0, 0]);
    let model = random.model::<BITS, K>();
    for row in [[true; BITS], [false; BITS]] {
        assert_eq!(model.steady(&row), model.surprisal(&row));
    }
}

#[test]
fn of_tables_wider_than_the_row() {
    let (biases, scales) = ([0; 4], [4096; 4]);
    let entries = [[1, 9], [1, 9], [1, 9]];
    for columns in
        [Columns::Dense(&[9, 9, 9, 9, 9, 9]), Columns::Sparse { starts: &[0, 3, 3, 3, 3], entries: &entries }]
    {
        let linear = Linear::new(&biases, &scales, columns).expect("the rows are valid");
        let model = Model::<2, _>::new(linear, &[], 2).expect("nothing is guarded");
        for row in support::naive::rows::<2>(2) {
            assert_eq!(model.steady(&row), model.surprisal(&row));
        }
    }
}

#[test]
fn of_logits_that_leave_32_bits() {
    let [steep, bias] =
        [(i16::MIN, u16::MAX), (i16::MAX, u16::MAX)].map(|(bias, scale)| ([bias; 300], vec![scale; 300]));
    let weights: Vec<i8> = vec![i8::MIN; 300 * 299 / 2];
    for (biases, scales) in [steep, bias] {
        let rows = Linear::new(&biases, &scales, Columns::Dense(&weights)).expect("the rows are valid");
        let model = Model::<300, _>::new(Sum(rows, Sum(rows, rows)), &[], 300).expect("nothing is guarded");
        for row in [[true; 300], [false; 300]] {
            assert_eq!(model.steady(&row), model.surprisal(&row));
        }
    }
}
