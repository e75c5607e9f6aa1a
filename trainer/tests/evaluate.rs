//! Checks measures of detection against their definitions by pairs, ranks and shares.

#[path = "../../tests/support/budget.rs"]
mod budget;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use surprisal::Nats;
use surprisal_trainer::evaluate::{Alarms, auc_pr, auc_roc, mean};

fn random(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

/// Draws scores with many ties, and labels.
fn labelled(random: &mut ChaCha8Rng) -> (Vec<u32>, Vec<bool>) {
    let (rows, values) = (random.random_range(2..40), random.random_range(1..30));
    let anomalous: Vec<bool> = (0..rows).map(|_| random.random_bool(0.3)).collect();
    let scores =
        anomalous.iter().map(|&anomalous| random.random_range(0..=values) + if anomalous { 3 } else { 0 }).collect();
    (scores, anomalous)
}

#[test]
fn auc_roc_is_the_share_of_pairs_in_the_right_order() {
    let mut random = random(1);
    for _ in 0..300 {
        let (scores, anomalous) = labelled(&mut random);
        let of = |kind: bool| {
            scores.iter().zip(&anomalous).filter(move |(_, anomalous)| **anomalous == kind).map(|(score, _)| *score)
        };
        let pairs: Vec<f64> = of(true)
            .flat_map(|a| {
                of(false).map(move |b| match a.cmp(&b) {
                    std::cmp::Ordering::Greater => 1.0,
                    std::cmp::Ordering::Equal => 0.5,
                    std::cmp::Ordering::Less => 0.0,
                })
            })
            .collect();
        match auc_roc(&scores, &anomalous) {
            Some(auc) => assert!((auc - pairs.iter().sum::<f64>() / pairs.len() as f64).abs() < budget::F64_SUM),
            None => assert!(pairs.is_empty()),
        }
    }
}

#[test]
fn auc_pr_is_the_mean_precision_at_the_anomalous_rows() {
    let mut random = random(2);
    for _ in 0..300 {
        let (scores, anomalous) = labelled(&mut random);
        let precision = |threshold: u32| {
            let alarms: Vec<bool> = scores
                .iter()
                .zip(&anomalous)
                .filter(|(score, _)| **score >= threshold)
                .map(|(_, anomalous)| *anomalous)
                .collect();
            alarms.iter().filter(|anomalous| **anomalous).count() as f64 / alarms.len() as f64
        };
        let precisions: Vec<f64> = scores
            .iter()
            .zip(&anomalous)
            .filter(|(_, anomalous)| **anomalous)
            .map(|(score, _)| precision(*score))
            .collect();
        match auc_pr(&scores, &anomalous) {
            Some(auc) => {
                assert!((auc - precisions.iter().sum::<f64>() / precisions.len() as f64).abs() < budget::F64_SUM)
            }
            None => assert!(precisions.is_empty() || precisions.len() == anomalous.len()),
        }
    }
}

#[test]
fn a_mean_is_in_nats() {
    assert_eq!(mean(&[Nats::from_raw(65536), Nats::from_raw(3 * 65536)]), 2.0);
    assert_eq!(mean::<Nats>(&[]), 0.0);
}

#[test]
fn a_rate_without_a_denominator_is_none() {
    let found = Alarms::of(&[false, false], &[false, false]);
    assert_eq!((found.precision, found.recall, found.f1, found.false_alarm_rate), (None, None, None, Some(0.0)));
    let found = Alarms::of(&[true, false, true], &[true, true, true]);
    assert_eq!((found.precision, found.recall, found.f1), (Some(1.0), Some(2.0 / 3.0), Some(0.8)));
    assert_eq!(found.false_alarm_rate, None);
}
