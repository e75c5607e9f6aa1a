//! Checks the guarantees of calibration on new normal rows by simulation.

#[path = "../../tests/support/budget.rs"]
mod budget;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use surprisal::{Cusum, Detector, Nats};
use surprisal_trainer::calibrate::{Calibration, Rates, average_run_length, threshold};

fn random(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

fn calibrate(scores: Vec<Nats>, false_alarm: f64) -> Calibration {
    Calibration::of_scores(scores.clone(), scores, &[], Rates { false_alarm, ..Rates::default() })
}

/// Draws a score with a long tail, in nats: a sum of three exponential variables.
fn tailed(random: &mut ChaCha8Rng) -> f64 {
    (0..3).map(|_| -(1.0 - random.random::<f64>()).ln()).sum()
}

fn nats(value: f64) -> Nats {
    Nats::from_raw((value * 65536.0) as u32)
}

#[test]
fn new_normal_rows_raise_alarms_at_the_calibrated_rate() {
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
            let mut held_out: Vec<Nats> = (0..rows).map(|_| score()).collect();
            held_out.sort_unstable();
            let threshold = threshold(&held_out, rate);
            // One new row per trial, so that trials are independent.
            alarms += u32::from(score() > threshold);
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
        let calibration = calibrate((0..rows).map(Nats::from_raw).collect(), 0.01);
        let detector = calibration.view();
        assert_eq!(detector.threshold, Nats::IMPOSSIBLE);
        assert!(!detector.judge(Nats::IMPOSSIBLE).is_anomalous());
    }
    assert_eq!(calibrate((0..99).map(Nats::from_raw).collect(), 0.01).view().threshold, Nats::from_raw(98));
}

#[test]
fn ties_only_make_alarms_rarer() {
    let calibration = calibrate(vec![Nats::from_raw(7); 200], 0.1);
    let detector = calibration.view();
    assert!(!detector.judge(Nats::from_raw(7)).is_anomalous());
    assert!(detector.judge(Nats::from_raw(8)).is_anomalous());
}

#[test]
fn quantiles_are_exceeded_by_as_many_rows_as_their_rank_says() {
    let mut random = random(5);
    let scores: Vec<Nats> = (0..1000).map(|_| nats(tailed(&mut random))).collect();
    let calibration = calibrate(scores.clone(), 0.01);
    let detector = calibration.view();
    assert_eq!(detector.quantiles.len(), Detector::levels(1000).count());
    for ((level, rank), &quantile) in Detector::levels(1000).zip(detector.quantiles) {
        let reached = scores.iter().filter(|score| score.raw() >= quantile).count();
        assert_eq!(reached, rank as usize, "{level}");
    }
    assert_eq!(Calibration::bytes(1000, 0), 4 * detector.quantiles.len());
    let mean = scores.iter().map(|&score| f64::from(score)).sum::<f64>() / 1000.0;
    assert!((f64::from(detector.entropy) - mean).abs() <= budget::RAW_NATS);
}

/// Threshold and p-values come from the anomaly scores, everything else from the scores.
#[test]
fn verdicts_use_anomaly_scores_and_drift_uses_scores() {
    let mut random = random(8);
    let scores: Vec<Nats> = (0..1000).map(|_| nats(tailed(&mut random))).collect();
    let anomaly_scores: Vec<Nats> = (0..1000).map(|_| nats(100.0 + tailed(&mut random))).collect();
    let rates = Rates { false_alarm: 0.05, ..Rates::default() };
    let calibration = Calibration::of_scores(scores.clone(), anomaly_scores.clone(), &[], rates);
    let (mixed, by_scores, by_anomaly_scores) = (
        calibration.view(),
        Calibration::of_scores(scores.clone(), scores.clone(), &[], rates),
        Calibration::of_scores(anomaly_scores.clone(), anomaly_scores, &[], rates),
    );
    let Detector { threshold, quantiles, .. } = by_anomaly_scores.view();
    assert_eq!(mixed, Detector { threshold, quantiles, ..by_scores.view() });
    assert_eq!(mixed.score_cap, *scores.iter().max().unwrap());
    let above = scores.iter().filter(|&&score| score > mixed.cusum_cap).count();
    assert_eq!(above, 1000 - (1001.0f64 * 0.95).ceil() as usize, "the false-alarm rate");
}

/// The Markov chain of Brook and Evans agrees with a simulation of the cumulative sum.
#[test]
fn the_average_run_length_is_that_of_the_process() {
    let mut random = random(6);
    let mut steps: Vec<f64> = (0..500).map(|_| tailed(&mut random).min(8.0) - 3.9).collect();
    steps.sort_unstable_by(f64::total_cmp);
    for interval in [0.5, 3.0, 8.0] {
        let runs = 4000;
        let mut run = || {
            let (mut sum, mut length) = (0.0f64, 0u32);
            while sum <= interval {
                sum = (sum + steps[random.random_range(0..steps.len())]).max(0.0);
                length += 1;
            }
            f64::from(length)
        };
        let lengths: Vec<f64> = (0..runs).map(|_| run()).collect();
        let mean = lengths.iter().sum::<f64>() / f64::from(runs);
        // Runs are nearly geometric: their standard deviation is about their mean.
        let error = mean / f64::from(runs).sqrt();
        let found = average_run_length(&steps, interval);
        assert!(
            (found - mean).abs() < budget::STANDARD_ERRORS * error + budget::CHAIN * mean,
            "{interval}: {found}, {mean}"
        );
    }
}

/// New rows of the same distribution raise alarms at the calibrated rate; a shift by a standard deviation is detected
/// soon.
#[test]
fn a_cumulative_sum_alarms_at_the_calibrated_rate() {
    let mut random = random(7);
    let scores: Vec<Nats> = (0..20_000).map(|_| nats(tailed(&mut random))).collect();
    let calibration =
        Calibration::of_scores(scores.clone(), scores, &[], Rates { average_run_length: 500, ..Rates::default() });
    let detector = calibration.view();
    let mut cusum = Cusum::new();
    let rows = 400_000;
    let alarms = (0..rows).filter(|_| cusum.push(&detector, nats(tailed(&mut random)))).count() as f64;
    let expected = f64::from(rows) / 500.0;
    let sampling = budget::CUSUM_SAMPLING * expected;
    assert!((alarms - expected).abs() < budget::STANDARD_ERRORS * expected.sqrt() + sampling, "{alarms} of {expected}");
    cusum.reset();
    let mut worse = || nats(tailed(&mut random) + f64::from(detector.deviation));
    let delay = (1..).find(|_| cusum.push(&detector, worse())).expect("it alarms");
    assert!(delay < 100, "{delay}");
}

#[test]
fn few_or_equal_rows_set_no_decision_interval() {
    for scores in [vec![], vec![5.0], vec![5.0, 5.0], vec![2.0; 300]] {
        let calibration = calibrate(scores.iter().map(|&score| nats(score)).collect(), 0.01);
        let detector = calibration.view();
        assert_eq!(detector.decision_interval, Nats::IMPOSSIBLE, "{scores:?}");
        assert_eq!(detector.entropy, nats(scores.first().copied().unwrap_or(0.0)));
    }
    let calibration = calibrate(vec![nats(1.0), nats(2.0)], 0.01);
    let detector = calibration.view();
    assert!(detector.decision_interval < Nats::IMPOSSIBLE && detector.decision_interval >= nats(0.7));
    assert_eq!((detector.entropy, detector.rows), (nats(1.5), 2));
    assert_eq!(detector.p_value(Nats::IMPOSSIBLE).ppm(), 333_334);
}

/// Returns `rows` scores x²/2 of a series x of which each value is ρ times the last one plus noise, of variance one.
fn autoregressive(rows: usize, rho: f64, random: &mut ChaCha8Rng) -> Vec<Nats> {
    let mut normal = || {
        let (radius, angle) = (random.random::<f64>(), random.random::<f64>());
        (-2.0 * (1.0 - radius).ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
    };
    let mut x: f64 = normal();
    let mut next = || {
        x = rho * x + (1.0 - rho * rho).sqrt() * normal();
        nats(x * x / 2.0)
    };
    (0..rows).map(|_| next()).collect()
}

/// The mean run length of a cumulative sum on rows that resemble their neighbours is the stated one within a factor of two,
/// if the calibration sees rows in their order, and far from it if it does not.
#[test]
fn trends_of_rows_as_they_come_keep_the_run_length() {
    for (rho, seed) in [(0.0, 1), (0.5, 2), (0.9, 3)] {
        let mut random = random(seed);
        let rates = Rates { false_alarm: 0.01, average_run_length: 2000 };
        let stream = autoregressive(20_000, rho, &mut random);
        // One row in ten calibrates, as in a fit.
        let some: Vec<Nats> = stream.iter().step_by(10).copied().collect();
        let by_blocks = Calibration::of_scores(some.clone(), some.clone(), &stream, rates);
        let independent = Calibration::of_scores(some.clone(), some, &[], rates);
        assert_eq!(by_blocks.block() > 1, rho > 0.0, "{rho}: blocks of {}", by_blocks.block());
        let run_length = |calibration: &Calibration, random: &mut ChaCha8Rng| {
            let (detector, mut cusum) = (calibration.view(), Cusum::new());
            let fresh = autoregressive(1_000_000, rho, random);
            1e6 / fresh.iter().filter(|&&score| cusum.push(&detector, score)).count() as f64
        };
        let (found, naive) = (run_length(&by_blocks, &mut random), run_length(&independent, &mut random));
        assert!((1000.0..4000.0).contains(&found), "{rho}: {found} rows with blocks of {}", by_blocks.block());
        assert!(rho < 0.9 || naive < 500.0, "{rho}: {naive} rows if rows counted as independent");
    }
}

/// Beyond what can be simulated the run length grows on the line that the simulation gives.
#[test]
fn long_run_lengths_need_larger_intervals() {
    let mut random = random(4);
    let stream = autoregressive(5000, 0.6, &mut random);
    let interval = |average_run_length| {
        let rates = Rates { false_alarm: 0.01, average_run_length };
        let calibration = Calibration::of_scores(stream.clone(), stream.clone(), &stream, rates);
        f64::from(calibration.view().decision_interval)
    };
    let found = [1000, 10_000, 100_000, 10_000_000].map(interval);
    assert!(found.is_sorted(), "{found:?}");
    let per_decade = [found[1] - found[0], found[2] - found[1], (found[3] - found[2]) / 2.0];
    assert!(per_decade.iter().all(|step| (step / per_decade[0] - 1.0).abs() < 0.4), "{per_decade:?}");
}
