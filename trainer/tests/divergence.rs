//! Checks divergences against their definitions and laws, on random distributions and random tables.

#[path = "../../tests/support/budget.rs"]
mod budget;
#[path = "../../tests/support/naive.rs"]
mod naive;
#[path = "../../tests/support/random.rs"]
mod random;

use std::f64::consts::LN_2;

use budget::{EIGHT_REPEATS, F64_SUM, STANDARD_ERRORS};
use proptest::prelude::*;
use random::{Dice, Random, cases, tables};
use surprisal::{
    Column, Detector, Encoder, EncoderSlices, Kind, Linear, LinearSlices, LinearWeights, Model, Reading, Table, Terms,
};
use surprisal_trainer::artefact::{Artefact, Provenance};
use surprisal_trainer::divergence::{
    Comparison, Divergences, Estimate, SamplingSettings, data, models, probability, transport,
};
use surprisal_trainer::schema::{ColumnEncoding, Schema};

/// Number of bits of the widest table.
const N: usize = 24;

fn close(a: f64, b: f64) -> bool {
    a == b || (a - b).abs() < F64_SUM
}

fn forward(p: &[f64], q: &[f64]) -> f64 {
    exact(p, q).forward.value
}

fn exact(p: &[f64], q: &[f64]) -> Divergences {
    Divergences::exact(p.iter().copied().zip(q.iter().copied()))
}

fn row(code: usize) -> [bool; N] {
    std::array::from_fn(|i| i < 8 && code >> (7 - i) & 1 == 1)
}

/// Draws distributions over the points of one grid, some of which give zero to some points.
fn distributions(count: usize) -> impl Strategy<Value = (Vec<usize>, Vec<Vec<f64>>)> {
    (prop::collection::vec(1..=4usize, 1..=4), any::<u64>()).prop_map(move |(sizes, seed)| {
        let (mut dice, points) = (Dice(seed), sizes.iter().product::<usize>());
        let mut draw = || {
            let spared = dice.between(0, points as i64 - 1) as usize;
            let weights = (0..points).map(|at| if at == spared || !dice.one_in(3) { dice.between(1, 999) } else { 0 });
            let weights: Vec<i64> = weights.collect();
            let total: i64 = weights.iter().sum();
            weights.iter().map(|&weight| weight as f64 / total as f64).collect()
        };
        (sizes, (0..count).map(|_| draw()).collect())
    })
}

/// Draws two tables of the same number of bits.
fn two_tables() -> impl Strategy<Value = (Random, Random)> {
    (1..=7usize).prop_flat_map(|bits| (tables(Just(bits)), tables(Just(bits))))
}

/// Returns a schema of flags f0, f1, … in an order.
fn flags(order: &[usize], flipped: bool) -> Schema {
    let encoding = |&at: &usize| ColumnEncoding {
        file: at,
        source: at as u16,
        kind: Kind::Flag { flipped },
        ..ColumnEncoding::default()
    };
    let names = (0..order.len()).map(|at| format!("f{at}")).collect();
    Schema { names, columns: order.iter().map(encoding).collect(), ..Schema::default() }
}

fn file(schema: &Schema, table: &Table<'_, N>) -> Artefact {
    let mut bytes = Vec::new();
    table.write(|piece| bytes.extend_from_slice(piece));
    Artefact::new(&bytes, schema, None, Provenance::default()).expect("a valid table")
}

/// Returns the file of a random table over flags in natural order.
fn artefact(random: &Random) -> Artefact {
    let schema = flags(&(0..random.bits).collect::<Vec<_>>(), false);
    let words: Vec<u16> = schema.columns.iter().flat_map(|encoding| Column::words(&encoding.column())).collect();
    file(&schema, &random.table::<N>(Encoder::new(EncoderSlices { columns: &words, ..EncoderSlices::default() })))
}

/// Returns a linear model of flags. Bit j has the weight `weights[j]` in each of the first bits behind it; the others
/// are independent.
fn linear(biases: &[i16], weights: &[i8], order: &[usize], flipped: bool) -> Artefact {
    let (n, schema) = (biases.len(), flags(order, flipped));
    let words: Vec<u16> = schema.columns.iter().flat_map(|encoding| Column::words(&encoding.column())).collect();
    let below = |j: usize| (j + 1..n).map(move |i| (i, j));
    let weight = |(i, j): (usize, usize)| if i < weights.len() { weights[j] } else { 0 };
    let dense: Vec<i8> = (0..n).flat_map(below).map(weight).collect();
    let scales = vec![2000; n];
    let slices = LinearSlices { biases, scales: &scales, weights: LinearWeights::Dense(&dense) };
    let linear = Linear::new(slices).expect("valid rows");
    let model = Model::new(Terms { linear, ..Terms::EMPTY }, &[], n).expect("as many bits");
    file(
        &schema,
        &Table::new(Encoder::new(EncoderSlices { columns: &words, ..EncoderSlices::default() }), model, Detector::OFF),
    )
}

/// Returns the probability of each row of a random table, the first bit being the most significant.
fn listed(random: &Random) -> Vec<f64> {
    let model = random.model::<N>();
    let code = |code: usize| row(code << (8 - random.bits));
    (0..1 << random.bits).map(|at| probability(&model, &code(at))).collect()
}

fn compared(p: &Artefact, q: &Artefact) -> Comparison {
    models(p, q, &SamplingSettings::default()).expect("of the same columns")
}

fn each(divergences: &Divergences) -> [Estimate; 4] {
    let Divergences { forward, reverse, jensen_shannon, total_variation } = *divergences;
    [forward, reverse, jensen_shannon, total_variation]
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn divergences_match_their_definitions((_, both) in distributions(2)) {
        let [p, q] = [&both[0], &both[1]];
        let terms = |p: &[f64], q: &[f64]| -> f64 {
            p.iter().zip(q).filter(|(p, _)| **p > 0.0).map(|(p, q)| p * (p / q).ln()).sum()
        };
        let m: Vec<f64> = p.iter().zip(q).map(|(p, q)| 0.5 * (p + q)).collect();
        let found = exact(p, q);
        prop_assert!(close(found.forward.value, terms(p, q)) && close(found.reverse.value, terms(q, p)));
        prop_assert!(close(found.jensen_shannon.value, 0.5 * (terms(p, &m) + terms(q, &m))));
        let event: f64 = p.iter().zip(q).map(|(p, q)| (p - q).max(0.0)).sum();
        prop_assert!(close(found.total_variation.value, event), "the event where p is the larger");
    }

    #[test]
    fn divergences_are_never_negative_and_zero_only_between_equals((sizes, both) in distributions(2)) {
        let [p, q] = [&both[0], &both[1]];
        for (found, far) in [(exact(p, q), p != q), (exact(p, p), false)] {
            for estimate in each(&found) {
                prop_assert!(estimate.value >= 0.0 && (estimate.value > 0.0) == far, "{found:?}");
                prop_assert_eq!(estimate.standard_error, None);
            }
        }
        let apart = transport::exact(p, q, &sizes);
        prop_assert!(apart >= 0.0 && (apart > 0.0) == (p != q));
        prop_assert_eq!(transport::exact(p, p, &sizes), 0.0);
    }

    #[test]
    fn only_kl_has_a_direction((sizes, both) in distributions(2)) {
        let [p, q] = [&both[0], &both[1]];
        let (there, back) = (exact(p, q), exact(q, p));
        prop_assert_eq!((there.forward, there.reverse), (back.reverse, back.forward));
        prop_assert!(close(there.jensen_shannon.value, back.jensen_shannon.value));
        prop_assert_eq!(there.total_variation, back.total_variation);
        prop_assert!(close(transport::exact(p, q, &sizes), transport::exact(q, p, &sizes)));
    }

    #[test]
    fn divergences_keep_their_bounds((sizes, both) in distributions(2)) {
        let [p, q] = [&both[0], &both[1]];
        let found = exact(p, q);
        let (tv, js) = (found.total_variation.value, found.jensen_shannon.value);
        prop_assert!(js <= LN_2 + F64_SUM && tv <= 1.0 + F64_SUM);
        prop_assert!(tv * tv <= 0.5 * found.forward.value + F64_SUM, "Pinsker");
        prop_assert!(0.5 * tv * tv <= js + F64_SUM && js <= LN_2 * tv + F64_SUM, "Lin 1991");
        let apart = transport::exact(p, q, &sizes);
        let diameter: usize = sizes.iter().map(|size| size - 1).sum();
        prop_assert!(tv <= apart + F64_SUM && apart <= tv * diameter as f64 + F64_SUM, "1..=n steps");
    }

    #[test]
    fn wasserstein_takes_no_detour((sizes, three) in distributions(3)) {
        let apart = |i: usize, j: usize| transport::exact(&three[i], &three[j], &sizes);
        prop_assert!(apart(0, 2) <= apart(0, 1) + apart(1, 2) + F64_SUM);
    }

    /// In one dimension it is the area between the distribution functions.
    #[test]
    fn wasserstein_in_one_dimension_is_known(seed in any::<u64>(), points in 2..40usize) {
        let mut dice = Dice(seed);
        let mut draw = || {
            let weights: Vec<f64> = (0..points).map(|_| dice.between(0, 99) as f64 + 1e-3).collect();
            let total: f64 = weights.iter().sum();
            weights.iter().map(|weight| weight / total).collect::<Vec<f64>>()
        };
        let (p, q) = (draw(), draw());
        let mut ahead = 0.0;
        let area: f64 = p.iter().zip(&q).map(|(p, q)| { ahead += p - q; f64::abs(ahead) }).sum();
        prop_assert!(close(transport::exact(&p, &q, &[points]), area));
    }

    /// A model that divides the probability of a row by c adds p(row) · ln c to KL, minus the gain of the other rows;
    /// in all it stays above the KL between the indicators of that row.
    #[test]
    fn kl_punishes_low_probability_at_likely_rows((_, both) in distributions(2), factor in 1.5..1e6f64) {
        let [p, q] = [&both[0], &both[1]];
        let row = (0..p.len()).max_by(|i, j| p[*i].total_cmp(&p[*j])).expect("some row");
        let (likely, before) = (p[row], q[row]);
        let after = before / factor;
        let rest = (1.0 - after) / (1.0 - before);
        let shrunk: Vec<f64> = (0..q.len()).map(|at| if at == row { after } else { q[at] * rest }).collect();
        let one_row = forward(&[likely, 1.0 - likely], &[after, 1.0 - after]);
        if before > 0.0 && before < 1.0 && forward(p, q).is_finite() {
            let added = forward(p, &shrunk) - forward(p, q);
            prop_assert!(close(added, likely * factor.ln() - (1.0 - likely) * rest.ln()));
            prop_assert!(forward(p, &shrunk) >= one_row - F64_SUM);
        }
        if likely > 0.5 && before > 0.0 && before < 1.0 {
            prop_assert!(one_row > likely * (1.0 / after).ln() - LN_2 - F64_SUM, "without end");
        }
    }

    #[test]
    fn tables_are_compared_through_all_their_rows((p, q) in two_tables()) {
        let found = compared(&artefact(&p), &artefact(&q));
        let (p_of, q_of) = (listed(&p), listed(&q));
        prop_assert!(close(p_of.iter().sum(), 1.0) && close(q_of.iter().sum(), 1.0));
        for (found, expected) in each(&found.divergences).iter().zip(each(&exact(&p_of, &q_of))) {
            prop_assert!(close(found.value, expected.value) && found.standard_error.is_none());
            prop_assert!(!found.value.is_nan());
        }
        prop_assert_eq!((found.outcomes, found.baseline), (p_of.len() as f64, None));
        prop_assert!(close(found.wasserstein.value, transport::exact(&p_of, &q_of, &vec![2; p.bits])));
    }

    /// Maximum likelihood is minimum KL(data‖model).
    #[test]
    fn surprisal_of_data_is_entropy_and_kl((p, q) in two_tables(), seed in any::<u64>(), rows in 1..60usize) {
        let mut dice = Dice(seed);
        let bits = p.bits;
        let rows: Vec<Vec<Reading>> =
            (0..rows).map(|_| (0..bits).map(|_| Reading::Integer(dice.between(0, 1) as i32)).collect()).collect();
        let mut frequencies = vec![0.0; 1 << bits];
        for readings in &rows {
            let code = readings.iter().fold(0, |code, reading| 2 * code + usize::from(*reading == Reading::Integer(1)));
            frequencies[code] += 1.0 / rows.len() as f64;
        }
        let entropy: f64 = frequencies.iter().filter(|p| **p > 0.0).map(|p| -p * p.ln()).sum();
        let mut found = Vec::new();
        for table in [&p, &q] {
            let (comparison, likelihood) = data(&artefact(table), &rows, &SamplingSettings::default()).expect("flags");
            let expected = exact(&listed(table), &frequencies);
            prop_assert!(close(likelihood.entropy, entropy));
            prop_assert!(close(likelihood.cross_entropy, entropy + expected.reverse.value));
            for (found, expected) in each(&comparison.divergences).iter().zip(each(&expected)) {
                prop_assert!(close(found.value, expected.value), "{found:?} {expected:?}");
            }
            let apart = transport::exact(&listed(table), &frequencies, &vec![2; bits]);
            prop_assert!(close(comparison.wasserstein.value, apart));
            found.push((likelihood.cross_entropy, expected.reverse.value));
        }
        if found.iter().all(|(surprisal, _)| surprisal.is_finite()) {
            prop_assert!(close(found[0].0 - found[1].0, found[0].1 - found[1].1), "the entropy is the same for all");
        }
    }
}

/// KL(½, ½ ‖ 0.9, 0.1) = ln(5/3), and the other way round it is 0.9 ln 1.8 + 0.1 ln 0.2.
#[test]
fn kl_is_not_symmetric() {
    let found = exact(&[0.5, 0.5], &[0.9, 0.1]);
    assert!(close(found.forward.value, (5.0f64 / 3.0).ln()));
    assert!(close(found.reverse.value, 0.9 * 1.8f64.ln() + 0.1 * 0.2f64.ln()));
    assert!(found.forward.value - found.reverse.value > 0.14);
}

/// Six dependent bits and eighteen that are equal in both models: too many to enumerate, but the divergences are those
/// of the six.
#[test]
fn samples_come_within_their_standard_errors() {
    let mut dice = Dice(3);
    for seed in 0..4 {
        let [p, q] = [(); 2].map(|()| {
            let biases: Vec<i16> = (0..6).map(|_| dice.between(-2048, 2048) as i16).collect();
            (biases, (0..6).map(|_| dice.between(-60, 60) as i8).collect::<Vec<i8>>())
        });
        let few = [&p, &q].map(|(biases, weights)| linear(biases, weights, &[0, 1, 2, 3, 4, 5], false));
        let common: Vec<i16> = (0..18).map(|_| dice.between(-6000, 6000) as i16).collect();
        let order: Vec<usize> = (0..N).collect();
        let many = [&p, &q].map(|(biases, weights)| linear(&[&biases[..], &common].concat(), weights, &order, false));
        let exact = compared(&few[0], &few[1]);
        let settings = SamplingSettings { seed, pairs: 100, ..SamplingSettings::default() };
        let found = models(&many[0], &many[1], &settings).expect("of the same columns");
        for (found, exact) in each(&found.divergences).iter().zip(each(&exact.divergences)) {
            let error = found.standard_error.expect("an estimate");
            assert!((found.value - exact.value).abs() < STANDARD_ERRORS * error, "{found:?}, not {exact:?}");
        }
        let error = |estimate: Estimate| estimate.standard_error.expect("an estimate");
        let (apart, baseline) = (found.wasserstein, found.baseline.expect("an estimate has a baseline"));
        assert!(apart.value + EIGHT_REPEATS * error(apart) > exact.wasserstein.value, "samples are further apart");
        assert!(baseline.value > EIGHT_REPEATS * error(baseline), "even two of one model");
        let again = models(&many[0], &many[1], &settings).expect("of the same columns");
        assert_eq!((again.divergences, again.wasserstein), (found.divergences, apart), "a seed decides all");
        let own = models(&many[0], &many[0], &settings).expect("of the same columns");
        assert!(each(&own.divergences).iter().all(|estimate| estimate.value == 0.0), "{own:?}");
    }
}

/// Independent bits can have any order and polarity.
#[test]
fn order_and_polarity_do_not_matter() {
    let mut dice = Dice(4);
    for bits in [5, N] {
        let natural: Vec<usize> = (0..bits).collect();
        let reversed: Vec<usize> = natural.iter().rev().copied().collect();
        // Multiples of the step of the logit grid, so that no rounding breaks the symmetry.
        let mut biases = || (0..bits).map(|_| 32 * dice.between(-125, 125) as i16).collect::<Vec<i16>>();
        let (p, q) = (biases(), biases());
        let reversed_model = |biases: &[i16]| {
            let biases: Vec<i16> = biases.iter().rev().map(|bias| -bias).collect();
            linear(&biases, &[], &reversed, true)
        };
        let straight = |biases: &[i16]| linear(biases, &[], &natural, false);
        let own = compared(&straight(&p), &reversed_model(&p));
        assert!(each(&own.divergences).iter().all(|estimate| close(estimate.value, 0.0)), "{own:?}");
        let (plain, found) = (compared(&straight(&p), &straight(&q)), compared(&straight(&p), &reversed_model(&q)));
        for (plain, found) in each(&plain.divergences).iter().zip(each(&found.divergences)) {
            let error = found.standard_error.zip(plain.standard_error).map_or(0.0, |(a, b)| a.hypot(b));
            assert!((plain.value - found.value).abs() < STANDARD_ERRORS * error + F64_SUM, "{plain:?}, {found:?}");
        }
        // The KL of independent bits is the sum over the bits.
        let chance = |bias: i16| {
            let biases = [bias];
            let slices = LinearSlices { biases: &biases, scales: &[], weights: LinearWeights::Dense(&[]) };
            let coin = Linear::new(slices).expect("a bias");
            let model = Model::<1, _>::new(coin, &[], 1).expect("a bit");
            probability(&model, &[true])
        };
        let coin = |(p, q): (f64, f64)| forward(&[p, 1.0 - p], &[q, 1.0 - q]);
        let kl: f64 = p.iter().zip(&q).map(|(&p, &q)| coin((chance(p), chance(q)))).sum();
        let plain_kl = plain.divergences.forward;
        assert!(close(plain_kl.value, kl), "exact even where prefixes are sampled: {plain_kl:?}, not {kl}");
        let error = found.divergences.forward.standard_error.unwrap_or(0.0);
        assert!((found.divergences.forward.value - kl).abs() < STANDARD_ERRORS * error + F64_SUM);
    }
}

/// Only the rows of the data are evaluated, whatever the number of possible rows.
#[test]
fn data_of_many_bits_are_compared_exactly() {
    let order: Vec<usize> = (0..N).collect();
    let model = linear(&[-32000; N], &[], &order, false);
    let rows = vec![vec![Reading::Integer(1); N], vec![Reading::Integer(0); N]];
    let (found, likelihood) =
        data(&model, &rows, &SamplingSettings { pairs: 20, ..SamplingSettings::default() }).expect("flags");
    assert!(found.divergences.forward.value.is_infinite());
    // Each bit is one with the smallest probability, 1/65536.
    let expected = -0.5 * N as f64 * ((1.0f64 / 65536.0).ln() + (65535.0f64 / 65536.0).ln());
    assert!(close(likelihood.cross_entropy, expected), "{likelihood:?}");
    assert!(close(likelihood.entropy, LN_2));
    assert!(close(found.divergences.reverse.value, likelihood.cross_entropy - LN_2));
    assert!(each(&found.divergences)[1..].iter().all(|estimate| estimate.standard_error.is_none()));
    assert!(data(&model, &[], &SamplingSettings::default()).is_err());
}
