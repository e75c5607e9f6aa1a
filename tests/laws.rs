//! The laws of `docs/design.md`, held to random tables of every make.
#![allow(clippy::let_unit_value, reason = "a law for every part does not know that a forest has no state")]

mod support {
    pub mod budget;
    pub mod naive;
    pub mod random;
}

use proptest::prelude::*;
use support::random::{self, Dice, Random, UNITS, cases, tables};
use support::{budget, naive};
use surprisal::{
    Activation, Conditional, Constraint, Forest, ForestSlices, Linear, LinearSlices, LinearWeights, Logit, Model, Nade,
    NadeSlices, Nats, TableError, Term, Terms,
};

/// Room for the widest random table.
const N: usize = 10;

/// Runs a law on the linear rows alone, on the forest alone, on the hidden layer alone, and on all of them.
macro_rules! for_each_term {
    ($random:expr, |$term:ident, $logit:ident| $law:expr) => {{
        let random: &Random = $random;
        let ($term, $logit) = (random.linear(), |row: &[bool], i: usize| random.linear_logit(row, i));
        $law;
        let ($term, $logit) = (random.forest(), |row: &[bool], i: usize| random.forest_logit(row, i));
        $law;
        let ($term, $logit) = (random.nade(), |row: &[bool], i: usize| random.layer.logit(row, i));
        $law;
        let ($term, $logit) = (sum(random), |row: &[bool], i: usize| {
            let both = saturated(random.linear_logit(row, i) + random.forest_logit(row, i));
            saturated(both + random.layer.logit(row, i))
        });
        $law
    }};
}

fn model<T: Term<N> + Copy>(term: T, random: &Random) -> Model<'_, N, T> {
    Model::new(term, &random.constraints, random.bits).expect("the constraints are valid")
}

/// What the parts of a table but a mixture, which is not exact, are together.
fn sum(random: &Random) -> Terms<'_, UNITS> {
    Terms { linear: random.linear(), trees: random.forest(), hidden: random.nade(), ..Terms::EMPTY }
}

/// A sum of logits stays within 32 bits.
fn saturated(logit: f64) -> f64 {
    logit.clamp(f64::from(i32::MIN), f64::from(i32::MAX))
}

/// Whether a constraint rules the row out.
fn violates(random: &Random, row: &[bool]) -> bool {
    (0..random.bits).any(|i| naive::implied(&random.constraints, row, i).is_some_and(|value| value != row[i]))
}

proptest! {
    #![proptest_config(cases(150))]

    #[test]
    fn the_probabilities_of_all_rows_add_up_to_exactly_one(random in tables(1usize..=7)) {
        for_each_term!(&random, |term, _logit| {
            let model = model(term, &random);
            let sum: u128 = naive::rows(random.bits).map(|row| naive::coins(&model, &row)).sum();
            prop_assert_eq!(sum, 1u128 << (16 * random.bits));
        });
    }

    #[test]
    fn a_score_is_the_sum_of_its_explanation_and_of_the_naive_terms(random in tables(1usize..=N), seed: u64) {
        let mut dice = Dice(seed);
        for_each_term!(&random, |term, logit| {
            let model = model(term, &random);
            let row = dice.row::<N>();
            let mut each = [Nats::ZERO; N];
            let score = model.surprisal(&row);
            prop_assert_eq!(model.explain(&row, &mut each), score);
            prop_assert_eq!(each.into_iter().sum::<Nats>(), score);
            for i in 0..random.bits {
                let error = match naive::implied(&random.constraints, &row, i) {
                    Some(value) => {
                        prop_assert_eq!(each[i], if value == row[i] { Nats::ZERO } else { Nats::IMPOSSIBLE });
                        continue;
                    }
                    None => {
                        let one = naive::mass(naive::step(logit(&row, i))) / 65536.0;
                        f64::from(each[i]) + if row[i] { one } else { 1.0 - one }.ln()
                    }
                };
                prop_assert!(error.abs() <= budget::NATS_OF_A_BIT, "bit {}: off by {}", i, error);
            }
            prop_assert!(each[random.bits..].iter().all(|&nats| nats == Nats::ZERO));
        });
    }

    #[test]
    fn every_logit_equals_the_definition_of_its_term(random in tables(1usize..=N), seed: u64) {
        let mut dice = Dice(seed);
        for_each_term!(&random, |term, logit| {
            let row = dice.row::<N>();
            let mut state = Term::<N>::start(&term);
            for i in 0..random.bits {
                prop_assert_eq!(f64::from(term.logit(&mut state, &row, i).raw()), logit(&row, i), "bit {}", i);
                if row[i] {
                    Term::<N>::observe(&term, &mut state, i);
                }
            }
            for beyond in random.bits..N + 2 {
                prop_assert_eq!(term.logit(&mut state, &row, beyond), Logit::ZERO);
                Term::<N>::observe(&term, &mut state, beyond);
            }
        });
    }

    #[test]
    fn a_logit_does_not_see_its_own_bit_or_later_ones(random in tables(1usize..=N), seed: u64) {
        let row = Dice(seed).row::<N>();
        for_each_term!(&random, |term, _logit| {
            let mut state = Term::<N>::start(&term);
            for i in 0..random.bits {
                let mut flipped = row;
                flipped[i..].iter_mut().for_each(|bit| *bit = !*bit);
                prop_assert_eq!(term.logit(&mut state, &row, i), term.logit(&mut state, &flipped, i), "bit {}", i);
                if row[i] {
                    Term::<N>::observe(&term, &mut state, i);
                }
            }
        });
    }

    #[test]
    fn evaluating_twice_changes_nothing(random in tables(1usize..=N), seed: u64) {
        let row = Dice(seed).row::<N>();
        for_each_term!(&random, |term, _logit| {
            let (mut once, mut often) = (Term::<N>::start(&term), Term::<N>::start(&term));
            for i in 0..random.bits {
                let logit = term.logit(&mut once, &row, i);
                for _ in 0..3 {
                    prop_assert_eq!(term.logit(&mut often, &row, i), logit, "bit {}", i);
                }
                if row[i] {
                    Term::<N>::observe(&term, &mut once, i);
                    Term::<N>::observe(&term, &mut often, i);
                }
            }
        });
    }

    #[test]
    fn trees_stay_their_own_whatever_their_splits_say(random in tables(2usize..=7), seed: u64) {
        let mut dice = Dice(seed);
        let splits = random.damaged_splits(&mut dice);
        let term = Forest::new(ForestSlices { splits: &splits, ..random.forest_slices() })
            .expect("no tree looks ahead");
        let row = dice.row::<N>();
        for i in 0..random.bits {
            let mut flipped = row;
            flipped[i..].iter_mut().for_each(|bit| *bit = !*bit);
            prop_assert_eq!(term.logit(&mut (), &row, i), term.logit(&mut (), &flipped, i), "bit {}", i);
        }
        let model = model(term, &random);
        let sum: u128 = naive::rows(random.bits).map(|row| naive::coins(&model, &row)).sum();
        prop_assert_eq!(sum, 1u128 << (16 * random.bits));
    }

    #[test]
    fn a_sample_inverts_the_score(random in tables(1usize..=6)) {
        let model = model(sum(&random), &random);
        for row in naive::rows::<N>(random.bits).filter(|row| !violates(&random, row)) {
            // The last coin that makes a bit a one, or the first that does not.
            let mut coins = Vec::new();
            let mut walk = model.walk();
            while let Some((i, conditional)) = walk.next(&row) {
                if let Conditional::Free(logit) = conditional {
                    coins.push((logit.mass().of(true) - u32::from(row[i])) as u16);
                }
                walk.observe(row[i]);
            }
            let mut left = coins.into_iter();
            prop_assert_eq!(model.sample(|| left.next().expect("a free bit takes one coin")), row);
            prop_assert!(left.next().is_none(), "a implied bit takes no coin");
        }
    }

    #[test]
    fn no_sample_violates_a_constraint(random in tables(1usize..=N), seed: u64) {
        let (model, mut dice) = (model(sum(&random), &random), Dice(seed));
        for _ in 0..32 {
            let row = model.sample(|| dice.coin());
            prop_assert!(!violates(&random, &row));
            prop_assert!(model.surprisal(&row) < Nats::IMPOSSIBLE);
            prop_assert!(row[random.bits..].iter().all(|bit| !bit));
        }
    }

    #[test]
    fn completion_keeps_the_prefix_and_obeys_the_constraints_after_it(random in tables(1usize..=N), seed: u64) {
        let (model, mut dice) = (model(sum(&random), &random), Dice(seed));
        let wanted = dice.row::<N>();
        for length in 0..=random.bits {
            let row = model.complete(&wanted[..length], || dice.coin());
            prop_assert_eq!(&row[..length], &wanted[..length]);
            for i in length..random.bits {
                prop_assert!(naive::implied(&random.constraints, &row, i).is_none_or(|value| value == row[i]));
            }
        }
        let mut coins = 0;
        prop_assert_eq!(&model.complete(&wanted, || { coins += 1; 0 })[..random.bits], &wanted[..random.bits]);
        prop_assert_eq!(coins, 0);
    }

    #[test]
    fn an_implied_bit_costs_nothing_and_its_violation_is_impossible(random in tables(2usize..=N), seed: u64) {
        let (model, mut dice) = (model(sum(&random), &random), Dice(seed));
        let row = model.sample(|| dice.coin());
        let mut each = [Nats::ZERO; N];
        model.explain(&row, &mut each);
        for i in 0..random.bits {
            let implied = naive::implied(&random.constraints, &row, i).is_some();
            prop_assert_eq!(each[i] == Nats::ZERO, implied);
            if implied {
                let mut other = row;
                other[i] = !other[i];
                prop_assert_eq!(model.surprisal(&other), Nats::IMPOSSIBLE);
            }
        }
    }
}

#[test]
fn samples_are_as_frequent_as_their_probabilities() {
    for seed in 0..20 {
        let random = moderate(seed);
        let model = random.model::<3>();
        let mut counts = [0u32; 8];
        let (mut dice, rolls) = (Dice(seed + 100), 20_000);
        for _ in 0..rolls {
            let row = model.sample(|| dice.coin());
            counts[row.iter().rev().fold(0, |number, &bit| 2 * number + usize::from(bit))] += 1;
        }
        let terms = naive::rows::<3>(3).zip(counts).map(|(row, count)| {
            let expected = f64::from(rolls) * naive::coins(&model, &row) as f64 / 65536f64.powi(3);
            (f64::from(count) - expected).powi(2) / expected
        });
        let chi_square: f64 = terms.sum();
        assert!(chi_square < budget::CHI_SQUARE_7, "table {seed}: {chi_square}");
    }
}

/// A table of three bits without constraints, whose logits all stay within about ±2.
fn moderate(seed: u64) -> Random {
    let mut random = Random::new(3, seed.is_multiple_of(2), false, &mut Dice(seed));
    random.biases.iter_mut().for_each(|bias| *bias %= 1024);
    random.scales.fill(100);
    random.leaf_scales.fill(256);
    random
}

#[test]
fn a_gap_longer_than_a_byte_is_bridged() {
    const WIDE: usize = 600;
    let mut dice = Dice(9);
    let mut weights: Vec<Vec<i32>> = (0..WIDE).map(|i| vec![0; i]).collect();
    for (row, column) in [(256, 0), (599, 0), (300, 44), (301, 44), (599, 598), (599, 340)] {
        weights[row][column] = dice.between(-2000, 2000) as i32;
    }
    let (starts, entries) = random::entries(&weights, &mut dice);
    let (biases, scales) = (vec![-512; WIDE], vec![300; WIDE]);
    let sparse = LinearWeights::Sparse { starts: &starts, entries: &entries };
    let term = Linear::new(LinearSlices { biases: &biases, scales: &scales, weights: sparse }).unwrap();
    let model = Model::<WIDE, _>::new(term, &[], WIDE).unwrap();
    for _ in 0..20 {
        let row = dice.row::<WIDE>();
        let mut walk = model.walk();
        while let Some((i, conditional)) = walk.next(&row) {
            let logit = naive::linear(biases[i], scales[i], &weights[i], &row);
            assert_eq!(conditional, Conditional::Free(Logit::from_raw(logit as i32)), "bit {i}");
            walk.observe(row[i]);
        }
    }
}

#[test]
fn marginals_need_neither_weights_nor_scales() {
    let biases = [1024, -1024, 0];
    let weights = LinearWeights::Dense(&[]);
    let term = Linear::new(LinearSlices { biases: &biases, scales: &[], weights }).unwrap();
    let model = Model::<3, _>::new(term, &[], 3).unwrap();
    for row in naive::rows::<3>(3) {
        let expected: Nats =
            biases.iter().zip(row).map(|(&bias, bit)| Logit::from_raw(i32::from(bias) << 6).surprisal(bit)).sum();
        assert_eq!(model.surprisal(&row), expected);
    }
}

#[test]
fn a_model_refuses_constraints_that_look_ahead_and_rows_that_are_too_wide() {
    fn model(constraints: &[u16], bits: usize) -> Result<(), TableError> {
        Model::<3, _>::new(Forest::EMPTY, constraints, bits).map(|_| ())
    }
    let [free, ahead] = [Constraint::FREE, Constraint::implied(1, true, true)].map(Constraint::raw);
    assert_eq!(model(&[free, ahead, free], 3), Err(TableError::Order { bit: 1 }));
    assert_eq!(model(&[free, free, ahead], 3), Ok(()));
    assert_eq!(model(&[free, free], 3), Err(TableError::Inconsistent("constraints")));
    assert_eq!(model(&[], 4), Err(TableError::TooManyBits { bits: 4 }));
}

#[test]
fn a_layer_refuses_what_does_not_fit() {
    use Activation::{Identity, Relu, Sigmoid};
    let new = |activation, shift, [units, gains, inputs, outputs, bits]: [usize; 5]| {
        let (wide, narrow) = ([0i8; 32], [0u16; 8]);
        Nade::<2>::new(NadeSlices {
            activation,
            shift,
            biases: &[0i16; 8][..units],
            gains: &narrow[..gains],
            inputs: &wide[..inputs],
            outputs: &wide[..outputs],
            scales: &narrow[..bits],
        })
        .map(|_| ())
    };
    let misfit = Err(TableError::Inconsistent("hidden layer"));
    for (activation, gains) in [(Relu, 0), (Identity, 0), (Sigmoid, 2)] {
        assert_eq!(new(activation, 16, [2, gains, 6, 6, 3]), Ok(()));
        assert_eq!(new(activation, 17, [2, gains, 6, 6, 3]), misfit, "the shift");
        assert_eq!(new(activation, 0, [2, 1, 6, 6, 3]), misfit, "the gains");
        assert_eq!(new(activation, 0, [2, gains, 5, 6, 3]), misfit, "the inputs");
        assert_eq!(new(activation, 0, [2, gains, 6, 7, 3]), misfit, "the outputs");
        assert_eq!(new(activation, 0, [2, gains, 6, 6, 4]), misfit, "the scales");
        assert_eq!(new(activation, 0, [3, gains, 9, 9, 3]), Err(TableError::TooManyUnits { units: 3 }));
    }
    assert_eq!(new(Relu, 0, [0; 5]), Ok(()));
}

#[test]
fn a_forest_refuses_what_does_not_fit() {
    let new = |feature_bits, starts: &[u16], splits: &[u16], leaves: usize, bits: usize| {
        let (leaves, scales) = (&[0; 8][..leaves], &[0; 8][..bits]);
        Forest::new(ForestSlices { feature_bits, starts, splits, leaves, scales }).map(|_| ())
    };
    let misfit = |section| Err(TableError::Inconsistent(section));
    assert_eq!(new(1, &[0, 0, 2], &[1, 0], 4, 2), Ok(()), "two trees of the second bit");
    assert_eq!(new(1, &[], &[], 0, 0), Ok(()));
    assert_eq!(new(0, &[0, 0, 1], &[0], 3, 2), misfit("forest"));
    assert_eq!(new(16, &[0, 0, 1], &[0], 3, 2), misfit("forest"));
    assert_eq!(new(1, &[0, 0], &[0], 3, 2), misfit("forest"), "a start is absent");
    assert_eq!(new(1, &[0, 0, 1], &[0], 2, 2), misfit("forest"), "a leaf is absent");
    assert_eq!(new(1, &[0, 0, 1], &[0], 3, 0), misfit("forest"));
    assert_eq!(new(1, &[1, 1, 1], &[0], 3, 2), misfit("tree starts"));
    assert_eq!(new(1, &[0, 1, 0], &[0], 3, 2), misfit("tree starts"));
    assert_eq!(new(1, &[0, 0, 2], &[0], 3, 2), misfit("tree splits"));
    assert_eq!(new(1, &[0, 0, 0], &[0], 3, 2), misfit("tree splits"));
    assert_eq!(new(2, &[0, 0, 1], &[2], 3, 2), Err(TableError::Order { bit: 1 }));
}

#[test]
fn a_bit_without_units_room_or_table_gets_no_logit() {
    let mut state = Term::<2>::start(&Nade::<0>::EMPTY);
    assert_eq!(Nade::<0>::EMPTY.logit(&mut state, &[true; 2], 0), Logit::ZERO);
    Term::<2>::observe(&Nade::<0>::EMPTY, &mut state, 0);
    assert_eq!(Forest::EMPTY.logit(&mut (), &[true; 2], 1), Logit::ZERO);
}
