//! What scores are taken for: p-values keep their promise, sums are those of the definitions, and nothing wraps.

mod support {
    pub mod budget;
    pub mod naive;
    pub mod random;
}

use proptest::prelude::*;
use support::random::{Dice, cases};
use support::{budget, naive};
use surprisal::{AnomalyScore, Cusum, Detector, Drift, DriftEstimate, Monitor, Nats, PValue, Recent, RowScore};

/// A standard exponential variable in units of 1/65536 nat: a smooth law of scores.
fn exponential(dice: &mut Dice) -> u32 {
    let uniform = (dice.word() >> 11) as f64 / (1u64 << 53) as f64;
    (-65536.0 * (1.0 - uniform).ln()) as u32
}

/// The quantiles of held-out scores, by the definition of the levels.
fn quantiles(mut scores: Vec<u32>) -> Vec<u32> {
    scores.sort_unstable_by(|a, b| b.cmp(a));
    Detector::levels(scores.len() as u32).map(|(_, k)| scores[k as usize - 1]).collect()
}

fn detector(rows: u32, quantiles: &[u32]) -> Detector<'_> {
    Detector { rows, quantiles, ..Detector::OFF }
}

/// Any detector, and scores of all sizes.
fn any_detector(dice: &mut Dice) -> Detector<'static> {
    let nats = |dice: &mut Dice| Nats::from_raw((dice.word() as u32) >> dice.between(0, 31));
    let threshold = if dice.one_in(3) { Nats::IMPOSSIBLE } else { nats(dice) };
    let [entropy, deviation, score_cap, cusum_cap, reference, decision_interval] = std::array::from_fn(|_| nats(dice));
    let rows = dice.between(0, 50) as u32;
    Detector {
        threshold,
        rows,
        entropy,
        deviation,
        score_cap,
        cusum_cap,
        reference,
        decision_interval,
        ..Detector::OFF
    }
}

/// A row with a score and an anomaly score of one.
fn row(score: Nats) -> RowScore {
    RowScore::of(&Detector::OFF, &[(0, score)])
}

#[test]
fn levels_fall_to_the_last_that_the_rows_support() {
    for rows in [0, 1, 2, 31, 99, 4558, 90_908, 1_000_000, u32::MAX] {
        let levels: Vec<_> = Detector::levels(rows).collect();
        assert!(levels.windows(2).all(|pair| pair[0] > pair[1]), "{rows}");
        for (level, rank) in levels {
            let exact = u64::from(level.ppm()) * (u64::from(rows) + 1) / 1_000_000;
            assert_eq!(u64::from(rank), exact, "{rows}");
            assert!((1..=rows).contains(&rank), "{rows}: {level} at {rank}");
        }
    }
    let whole: Vec<u32> = Detector::levels(u32::MAX).map(|(level, _)| level.ppm()).collect();
    assert!(whole[..31].iter().zip(1..).all(|(&level, i)| level == 1_000_000 - 31_250 * i));
    assert!(whole[30..].windows(3).all(|three| three[2] == three[0] / 2));
    assert_eq!(whole.last(), Some(&11));
}

proptest! {
    #![proptest_config(cases(200))]

    /// Of n + 1 rows in any order, each as likely to be the fresh one, exactly k have a p-value up to a level: those whose
    /// scores are the k largest. Ties only make it fewer.
    #[test]
    fn each_level_keeps_its_promise(rows in 1u32..120, ties: bool, seed: u64) {
        let mut dice = Dice(seed);
        let mut draw = || if ties { dice.between(0, 40) as u32 } else { dice.word() as u32 };
        let all: Vec<u32> = (0..=rows).map(|_| draw()).collect();
        let p_values: Vec<PValue> = (0..all.len()).map(|fresh| {
            let mut held_out = all.clone();
            let score = Nats::from_raw(held_out.remove(fresh));
            detector(rows, &quantiles(held_out)).p_value(score)
        }).collect();
        for (level, rank) in Detector::levels(rows) {
            let found = p_values.iter().filter(|&&p| p <= level).count();
            prop_assert!(found <= rank as usize);
            prop_assert!(ties || found == rank as usize, "{found} of {rank} at {level}");
        }
    }

    /// It falls with the score, and is at most a level exactly above its quantile.
    #[test]
    fn p_values_fall_with_the_score(rows in 0u32..3000, narrow in 0u32..32, seed: u64) {
        let mut dice = Dice(seed);
        let quantiles = quantiles((0..rows).map(|_| dice.word() as u32 >> narrow).collect());
        let detector = detector(rows, &quantiles);
        let near = quantiles.iter().flat_map(|&q| [q.saturating_sub(1), q, q.saturating_add(1)]);
        let mut scores: Vec<u32> = near.chain((0..100).map(|_| dice.word() as u32 >> narrow)).chain([0, u32::MAX]).collect();
        scores.sort_unstable();
        let mut last = PValue::ONE;
        for score in scores {
            let p = detector.p_value(Nats::from_raw(score));
            prop_assert!(p <= last);
            for ((level, _), &quantile) in Detector::levels(rows).zip(&quantiles) {
                prop_assert_eq!(p <= level, score > quantile, "{} at {}", p, level);
            }
            last = p;
        }
        prop_assert!(rows > 0 || last == PValue::ONE);
        prop_assert!(u64::from(last.ppm()) * (u64::from(rows) + 1) >= 1_000_000);
    }

    #[test]
    fn a_cumulative_sum_is_that_of_its_definition(seed: u64) {
        let mut dice = Dice(seed);
        let detector = any_detector(&mut dice);
        let (mut cusum, mut sum) = (Cusum::new(), 0);
        for _ in 0..200 {
            let score = dice.word() as u32 >> dice.between(0, 31);
            let alarm = naive::cusum(&mut sum, score, &detector);
            prop_assert_eq!(cusum.push(&detector, Nats::from_raw(score)), alarm);
            prop_assert_eq!(i64::from(cusum.sum().raw()), sum);
        }
    }

    #[test]
    fn drift_is_the_difference_of_means(rows in 2usize..400, seed: u64) {
        let mut dice = Dice(seed);
        let score_cap = Nats::from_raw((0..1000).map(|_| exponential(&mut dice)).max().unwrap());
        let (entropy, deviation) = (Nats::from_raw(exponential(&mut dice)), Nats::from_raw(exponential(&mut dice)));
        let detector = Detector { entropy, deviation, score_cap, rows: 1000, ..Detector::OFF };
        let mut drift = Drift::new();
        let scores: Vec<u32> = (0..rows).map(|_| if dice.one_in(50) { u32::MAX } else { 3 * exponential(&mut dice) }).collect();
        scores.iter().for_each(|&score| drift.push(&detector, Nats::from_raw(score)));
        let estimate = drift.estimate(&detector);
        let (nats, error) = naive::drift(&scores, &detector);
        prop_assert!((f64::from(estimate.raw) / 65536.0 - nats).abs() <= budget::RAW_NATS);
        prop_assert!((f64::from(estimate.error) - error).abs() <= budget::STANDARD_ERROR, "{} and {}", estimate, error);
        prop_assert_eq!(estimate.rows as usize, rows);
    }

    #[test]
    fn a_recent_mean_is_that_of_the_last_scores(seed: u64) {
        let mut dice = Dice(seed);
        let mut recent = Recent::<7>::new();
        prop_assert_eq!(recent.mean(), None);
        let scores: Vec<u32> = (0..40).map(|_| dice.word() as u32 >> dice.between(0, 31)).collect();
        for at in 0..scores.len() {
            recent.push(Nats::from_raw(scores[at]));
            let last = &scores[(at + 1).saturating_sub(7)..=at];
            let mean = last.iter().map(|&score| u64::from(score)).sum::<u64>() / last.len() as u64;
            prop_assert_eq!(recent.mean(), Some(Nats::from_raw(mean as u32)));
        }
        recent.reset();
        prop_assert_eq!(recent.mean(), None);
    }
}

/// Returns the anomaly score of columns with these surprisals, in the order of the readings.
fn anomaly_score(detector: &Detector, each: &[Nats]) -> Nats {
    let mut anomaly = AnomalyScore::new(detector);
    (0..).zip(each).for_each(|(column, &nats)| anomaly.push(detector, column, nats));
    anomaly.nats(detector)
}

proptest! {
    #![proptest_config(cases(300))]

    /// Between the largest of what is summed and that plus τ ln D, and where the definition says.
    #[test]
    fn an_anomaly_score_equals_its_definition(columns in 1usize..200, log2_temperature in 0u32..6, known: bool, narrow in 8u32..24, seed: u64) {
        let mut dice = Dice(seed);
        let baselines: Vec<u16> = (0..columns).filter(|_| known).map(|_| dice.word() as u16 >> 3).collect();
        let each: Vec<Nats> = (0..columns).map(|_| Nats::from_raw(dice.word() as u32 >> narrow)).collect();
        let detector = Detector { baselines: &baselines, log2_temperature, ..Detector::OFF };
        let found = f64::from(anomaly_score(&detector, &each));
        let (expected, largest) = naive::anomaly_score(&detector, &each);
        let tau = f64::from(1u32 << log2_temperature);
        let slack = tau * budget::anomaly_score(columns);
        prop_assert!((found - expected).abs() <= slack, "{found}, not {expected}");
        prop_assert!(largest - tau * budget::RAW_NATS <= found && found <= largest + tau * (columns as f64).ln() + slack);
    }

    /// No column's surprisal grows without raising the anomaly score, however little it grows.
    #[test]
    fn an_anomaly_score_grows_with_every_column(columns in 1usize..40, log2_temperature in 0u32..4, narrow in 8u32..20, seed: u64) {
        let mut dice = Dice(seed);
        let baselines: Vec<u16> = (0..columns).map(|_| dice.word() as u16 >> 3).collect();
        let detector = Detector { baselines: &baselines, log2_temperature, ..Detector::OFF };
        let mut each: Vec<Nats> = (0..columns).map(|_| Nats::from_raw(dice.word() as u32 >> narrow)).collect();
        let mut last = anomaly_score(&detector, &each);
        for _ in 0..200 {
            let grows = dice.between(0, columns as i64 - 1) as usize;
            each[grows] += Nats::from_raw(1 << dice.between(0, 13));
            let next = anomaly_score(&detector, &each);
            prop_assert!(next >= last, "{next} after {last}");
            last = next;
        }
    }
}

#[test]
fn the_anomaly_score_of_one_column_is_its_surprisal() {
    for baselines in [&[][..], &[0], &[5000]] {
        let detector = Detector { baselines, ..Detector::OFF };
        for raw in [0, 1, 65_536, 99_999_999, u32::MAX] {
            assert_eq!(anomaly_score(&detector, &[Nats::from_raw(raw)]), Nats::from_raw(raw));
        }
    }
}

/// Nothing wraps, whatever a table says.
#[test]
fn the_largest_anomaly_score_saturates() {
    let detector = Detector { baselines: &[65535, 0], log2_temperature: 8, ..Detector::OFF };
    assert_eq!(anomaly_score(&detector, &[Nats::IMPOSSIBLE; 2]), Nats::IMPOSSIBLE);
    let hardest = Detector { log2_temperature: u32::MAX, ..detector };
    assert!(anomaly_score(&hardest, &[Nats::IMPOSSIBLE; 2]) > Nats::ZERO);
    assert_eq!(anomaly_score(&detector, &[]), Nats::ZERO);
}

/// Kolmogorov-Smirnov: p-values of fresh rows of the same law are uniform.
#[test]
fn p_values_of_normal_rows_are_uniform() {
    let mut dice = Dice(11);
    const ROWS: u32 = 4000;
    // As rows are: none scores next to nothing.
    let mut score = || (10 << 16) + exponential(&mut dice);
    let quantiles = quantiles((0..ROWS).map(|_| score()).collect());
    let detector = detector(ROWS, &quantiles);
    let p_value = |score| f64::from(detector.p_value(Nats::from_raw(score)).ppm()) / 1e6;
    let mut found: Vec<f64> = (0..ROWS).map(|_| p_value(score())).collect();
    found.sort_unstable_by(f64::total_cmp);
    let apart = found.iter().enumerate().map(|(at, p)| (p - at as f64 / f64::from(ROWS)).abs()).fold(0.0, f64::max);
    assert!(apart < budget::kolmogorov_smirnov(ROWS, ROWS), "{apart}");
    // Nor do those above the highest level lie side by side.
    let highest = found.iter().filter(|&&p| p > 31.0 / 32.0);
    let spread = highest.clone().filter(|&&p| p > 1.0 - 1.0 / 64.0).count() as f64 / highest.count() as f64;
    assert!((0.1..0.9).contains(&spread), "{spread}");
}

#[test]
fn one_glitch_is_no_drift_and_a_change_is() {
    let mut dice = Dice(12);
    let held_out: Vec<u32> = (0..2000).map(|_| exponential(&mut dice)).collect();
    let score_cap = Nats::from_raw(*held_out.iter().max().unwrap());
    let (entropy, deviation) = naive::moments(&held_out);
    let nats = |nats: f64| Nats::from_raw((nats * 65536.0) as u32);
    let detector =
        Detector { entropy: nats(entropy), deviation: nats(deviation), score_cap, rows: 2000, ..Detector::OFF };
    let mut drift = Drift::new();
    (0..500).for_each(|_| drift.push(&detector, Nats::from_raw(exponential(&mut dice))));
    assert!(!drift.estimate(&detector).is_drifted());
    drift.push(&detector, Nats::IMPOSSIBLE);
    assert!(!drift.estimate(&detector).is_drifted(), "{}", drift.estimate(&detector));
    // Half a nat more in the mean, by half as large scores again.
    (0..500).for_each(|_| drift.push(&detector, Nats::from_raw(exponential(&mut dice) * 2)));
    assert!(drift.estimate(&detector).is_drifted(), "{}", drift.estimate(&detector));
    drift.reset();
    (0..DriftEstimate::MIN_ROWS - 1).for_each(|_| drift.push(&detector, Nats::IMPOSSIBLE));
    assert!(!drift.estimate(&detector).is_drifted(), "too few rows to tell");
    drift.push(&detector, Nats::IMPOSSIBLE);
    assert!(drift.estimate(&detector).is_drifted());
}

/// Sums that are full stay as they are.
#[test]
#[cfg_attr(miri, ignore = "takes minutes")]
fn the_largest_scores_do_not_wrap() {
    let detector = Detector { rows: 2, ..Detector::OFF };
    let (mut monitor, mut recent) = (Monitor::new(), Recent::<3>::new());
    for _ in 0..200_000 {
        let report = monitor.push(&detector, &row(Nats::IMPOSSIBLE));
        assert!(!report.verdict.is_anomalous() && !report.trend && report.p == PValue::ONE);
        assert!(
            report.drift.raw == i32::MAX && (report.drift.rows < 2 || report.drift.error < Nats::from_raw(2 << 16))
        );
        recent.push(Nats::IMPOSSIBLE);
        assert_eq!(recent.mean(), Some(Nats::IMPOSSIBLE));
    }
    assert_eq!(monitor.cusum.sum(), Nats::IMPOSSIBLE);
    monitor.reset();
    assert_eq!(monitor, Monitor::new());
    // A 32-bit PC aligns numbers of 64 bits to four bytes; microcontrollers align them to eight.
    let bytes = if align_of::<u64>() == 8 { 40 } else { 36 };
    assert_eq!(size_of::<Monitor>(), bytes, "as the documentation says");
}

#[test]
fn reports_are_sentences() {
    let nats = |nats: u32| Nats::from_raw(nats << 16);
    let quantiles = quantiles((0..4558).map(|i| i << 8).collect());
    let detector = Detector {
        threshold: nats(17),
        entropy: nats(8),
        deviation: nats(5),
        score_cap: Nats::from_raw(4557 << 8),
        cusum_cap: nats(17),
        reference: nats(10),
        decision_interval: nats(20),
        ..detector(4558, &quantiles)
    };
    let mut monitor = Monitor::new();
    let mut say = |score: u32| monitor.push(&detector, &row(nats(score))).to_string();
    assert_eq!(say(41), "anomalous: 41.000 nats, p 0.00022");
    assert_eq!(say(10), "normal: 10.000 nats, p 0.44");
    let piled: Vec<String> = (0..30).map(|_| say(15)).collect();
    assert_eq!(piled[2], "normal: 15.000 nats, p 0.16; surprises accumulate");
    assert_eq!(piled.iter().filter(|said| said.contains("accumulate")).count(), 6);
    assert_eq!(piled[29], "normal: 15.000 nats, p 0.16; drifted by 6.931 ± 0.196 nats");
}

#[test]
fn a_p_value_shows_two_digits_and_never_too_small_a_one() {
    for (ppm, shown) in [
        (0, "0"),
        (1, "0.000001"),
        (11, "0.000011"),
        (244, "0.00025"),
        (2100, "0.0021"),
        (99_999, "0.1"),
        (430_000, "0.43"),
        (990_001, "1"),
        (u32::MAX, "1"),
    ] {
        assert_eq!(PValue::from_ppm(ppm).to_string(), shown);
    }
}
