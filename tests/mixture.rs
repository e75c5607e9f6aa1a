//! The laws of a part, held to random mixtures of trees.

mod support {
    pub mod budget;
    pub mod mixture;
    pub mod naive;
    pub mod random;
}

use proptest::prelude::*;
use support::mixture::RandomMixture;
use support::random::{Dice, cases};
use support::{budget, naive};
use surprisal::{Conditional, Logit, Mixture, MixtureSlices, Nats, TableError, Term};

/// Room for the widest random row and the most components.
const N: usize = 10;
const K: usize = 9;

fn mixtures(bits: impl Strategy<Value = usize>) -> impl Strategy<Value = RandomMixture> {
    (bits, 1usize..=K, any::<bool>(), any::<u64>()).prop_map(|(bits, components, constrained, seed)| {
        RandomMixture::new(bits, components, constrained, &mut Dice(seed))
    })
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn the_probabilities_of_all_rows_add_up_to_exactly_one(random in mixtures(1usize..=7)) {
        let model = random.model::<N, K>();
        let sum: u128 = naive::rows(random.bits).map(|row| naive::coins(&model, &row)).sum();
        prop_assert_eq!(sum, 1u128 << (16 * random.bits));
    }

    #[test]
    fn every_logit_equals_the_definition_of_the_mixture(random in mixtures(1usize..=N), seed: u64) {
        let (model, row) = (random.model::<N, K>(), Dice(seed).row::<N>());
        let mut walk = model.walk();
        while let Some((i, conditional)) = walk.next(&row) {
            if let Conditional::Free(logit) = conditional {
                let off = f64::from(logit.raw()) - random.logit(&row, i);
                let slack = budget::mixture_logit(i, random.priors.len());
                prop_assert!(off.abs() <= slack, "bit {}: off by {} of at most {}", i, off, slack);
            }
            walk.observe(row[i]);
        }
    }

    #[test]
    fn a_logit_does_not_see_its_own_bit_or_later_ones_and_evaluating_twice_changes_nothing(
        random in mixtures(1usize..=N),
        seed: u64,
    ) {
        let (term, row) = (random.term::<K>(), Dice(seed).row::<N>());
        let (mut once, mut often) = (Term::<N>::start(&term), Term::<N>::start(&term));
        for i in 0..random.bits {
            let mut flipped = row;
            flipped[i..].iter_mut().for_each(|bit| *bit = !*bit);
            let logit = term.logit(&mut once, &row, i);
            for _ in 0..3 {
                prop_assert_eq!(term.logit(&mut often, &flipped, i), logit, "bit {}", i);
                prop_assert_eq!(term.logit(&mut often, &row, i), logit, "bit {}", i);
            }
        }
        for beyond in random.bits..N + 2 {
            prop_assert_eq!(term.logit(&mut often, &row, beyond), Logit::ZERO);
        }
    }

    #[test]
    fn a_sample_inverts_the_score(random in mixtures(1usize..=6)) {
        let model = random.model::<N, K>();
        let allowed = |row: &[bool; N]| model.surprisal(row) < Nats::IMPOSSIBLE;
        for row in naive::rows::<N>(random.bits).filter(allowed) {
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
    fn a_score_is_the_sum_of_its_explanation(random in mixtures(1usize..=N), seed: u64) {
        let (model, row) = (random.model::<N, K>(), Dice(seed).row::<N>());
        let mut each = [Nats::ZERO; N];
        let score = model.explain(&row, &mut each);
        prop_assert_eq!(score, model.surprisal(&row));
        prop_assert_eq!(score, each.into_iter().sum::<Nats>());
    }
}

#[test]
fn weights_stay_exact_over_thousands_of_bits() {
    const BITS: usize = 4000;
    let mut dice = Dice(7);
    for components in [2, 5] {
        let mut random = RandomMixture::new(BITS, components, false, &mut dice);
        // One component leads by far at first, and another one in the end.
        for (at, logit) in random.logits.iter_mut().enumerate() {
            let (i, k) = (at / components, at % components);
            *logit = if k == 0 && i < BITS / 2 || k == 1 && i >= BITS / 2 { 20 } else { -20 } + (i % 7) as i8;
        }
        random.parents.iter_mut().for_each(|parent| parent[1] %= 8);
        let (model, row) = (random.model::<BITS, K>(), [true; BITS]);
        let mut walk = model.walk();
        while let Some((i, conditional)) = walk.next(&row) {
            if let (Conditional::Free(logit), true) = (conditional, i % 97 == 0) {
                let off = f64::from(logit.raw()) - random.logit(&row, i);
                assert!(off.abs() <= budget::mixture_logit(i, components), "bit {i}: off by {off}");
            }
            walk.observe(row[i]);
        }
    }
}

#[test]
fn one_component_is_its_tree() {
    let mut random = RandomMixture::new(N, 1, false, &mut Dice(3));
    random.logits.iter_mut().for_each(|logit| *logit /= 4);
    let (term, row) = (random.term::<1>(), [true; N]);
    let mut state = Term::<N>::start(&term);
    for i in 0..N {
        let [gap, weight] = random.parents[i];
        let effect = if gap > 0 { Mixture::<1>::logit_of(weight as i8) } else { Logit::ZERO };
        let logit = Mixture::<1>::logit_of(random.logits[i]) + effect;
        assert_eq!(term.logit(&mut state, &row, i).step(), logit.step(), "bit {i}");
    }
}

#[test]
fn a_mixture_refuses_what_does_not_fit() {
    fn mixture(priors: &[u16], parents: &[[u8; 2]], logits: &[i8]) -> Result<(), TableError> {
        Mixture::<2>::new(MixtureSlices { priors, parents, logits }).map(|_| ())
    }
    let parents = [[0, 0], [1, 9]];
    assert_eq!(mixture(&[1, 1], &parents, &[0; 4]), Ok(()));
    assert_eq!(mixture(&[], &[], &[]), Ok(()));
    assert_eq!(mixture(&[1, 1, 1], &parents, &[0; 6]), Err(TableError::TooManyComponents { components: 3 }));
    assert_eq!(mixture(&[1, 1], &parents, &[0; 3]), Err(TableError::Inconsistent("mixture")));
    assert_eq!(mixture(&[1, 1], &[], &[]), Err(TableError::Inconsistent("mixture")));
    assert_eq!(mixture(&[], &parents, &[0; 4]), Err(TableError::Inconsistent("mixture")));
    assert_eq!(mixture(&[1, 0], &parents, &[0; 4]), Err(TableError::Inconsistent("mixture priors")));
    assert_eq!(mixture(&[1, 1], &[[0, 0], [2, 9]], &[0; 4]), Err(TableError::Order { bit: 1 }));
}
