//! What scores are good for, by definition: pairs, ranks, and the false-alarm rate that calibration promises.

#[path = "../../tests/support/budget.rs"]
mod budget;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use surprisal::Nats;
use surprisal_trainer::evaluate::{auc_pr, auc_roc, calibrate, mean};

fn random(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

/// Scores with many ties, and which of them are odd.
fn labelled(random: &mut ChaCha8Rng) -> (Vec<u32>, Vec<bool>) {
    let (rows, values) = (random.random_range(2..40), random.random_range(1..30));
    let odd: Vec<bool> = (0..rows).map(|_| random.random_bool(0.3)).collect();
    let scores = odd.iter().map(|&odd| random.random_range(0..=values) + if odd { 3 } else { 0 }).collect();
    (scores, odd)
}

#[test]
fn auc_roc_is_the_share_of_pairs_in_the_right_order() {
    let mut random = random(1);
    for _ in 0..300 {
        let (scores, odd) = labelled(&mut random);
        let of = |kind: bool| scores.iter().zip(&odd).filter(move |(_, odd)| **odd == kind).map(|(score, _)| *score);
        let pairs: Vec<f64> = of(true)
            .flat_map(|a| {
                of(false).map(move |b| match a.cmp(&b) {
                    std::cmp::Ordering::Greater => 1.0,
                    std::cmp::Ordering::Equal => 0.5,
                    std::cmp::Ordering::Less => 0.0,
                })
            })
            .collect();
        match auc_roc(&scores, &odd) {
            Some(auc) => assert!((auc - pairs.iter().sum::<f64>() / pairs.len() as f64).abs() < budget::F64_SUM),
            None => assert!(pairs.is_empty()),
        }
    }
}

#[test]
fn auc_pr_is_the_mean_precision_at_the_odd_rows() {
    let mut random = random(2);
    for _ in 0..300 {
        let (scores, odd) = labelled(&mut random);
        let precision = |threshold: u32| {
            let alarms: Vec<bool> =
                scores.iter().zip(&odd).filter(|(score, _)| **score >= threshold).map(|(_, odd)| *odd).collect();
            alarms.iter().filter(|odd| **odd).count() as f64 / alarms.len() as f64
        };
        let precisions: Vec<f64> =
            scores.iter().zip(&odd).filter(|(_, odd)| **odd).map(|(score, _)| precision(*score)).collect();
        match auc_pr(&scores, &odd) {
            Some(auc) => {
                assert!((auc - precisions.iter().sum::<f64>() / precisions.len() as f64).abs() < budget::F64_SUM)
            }
            None => assert!(precisions.is_empty() || precisions.len() == odd.len()),
        }
    }
}

#[test]
fn fresh_ordinary_rows_raise_alarms_as_rarely_as_promised() {
    let mut random = random(3);
    for (rows, rate) in [(99, 0.05), (50, 0.1), (200, 0.013), (19, 0.05), (500, 0.25)] {
        // Of n + 1 exchangeable rows without ties, the last is above the k-th smallest of the others with probability
        // (n + 1 - k) / (n + 1).
        let rank = ((rows + 1) as f64 * (1.0 - rate) - 1e-9).ceil();
        let expected = 1.0 - rank / (rows + 1) as f64;
        assert!(expected <= rate + budget::F64_SUM);
        let trials = 4000;
        let mut alarms = 0;
        for _ in 0..trials {
            let mut score = || Nats::from_raw(random.random::<u32>() >> 1);
            let detector = calibrate((0..rows).map(|_| score()).collect(), rate);
            assert_eq!((detector.rows, detector.false_alarm_ppm), (rows, (rate * 1e6) as u32));
            // One fresh row a trial, so that trials are independent.
            alarms += u32::from(detector.judge(score()).is_odd());
        }
        let found = f64::from(alarms) / f64::from(trials);
        let standard_error = (expected * (1.0 - expected) / f64::from(trials)).sqrt();
        assert!(
            (found - expected).abs() < budget::STANDARD_ERRORS * standard_error,
            "{rows} rows at {rate}: {found}, not {expected}"
        );
    }
}

#[test]
fn too_few_rows_for_a_rate_raise_no_alarm() {
    for rows in [0, 1, 10, 98] {
        let detector = calibrate((0..rows).map(Nats::from_raw).collect(), 0.01);
        assert_eq!(detector.threshold, Nats::IMPOSSIBLE);
        assert!(!detector.judge(Nats::IMPOSSIBLE).is_odd());
    }
    assert_eq!(calibrate((0..99).map(Nats::from_raw).collect(), 0.01).threshold, Nats::from_raw(98));
}

#[test]
fn ties_only_make_alarms_rarer() {
    let detector = calibrate(vec![Nats::from_raw(7); 200], 0.1);
    assert!(!detector.judge(Nats::from_raw(7)).is_odd());
    assert!(detector.judge(Nats::from_raw(8)).is_odd());
}

#[test]
fn a_mean_is_in_nats() {
    assert_eq!(mean(&[Nats::from_raw(65536), Nats::from_raw(3 * 65536)]), 2.0);
    assert_eq!(mean(&[]), 0.0);
}
