//! Laws of a machine in operation: calibration on the board, adaptation, rules of alarms, failed sensors.

use surprisal::{
    Absence, Adaptation, AlarmRule, Calibrator, Detector, Monitor, Nats, PValue, Reading, Recalibration, RowScore,
    Severity, TableError,
};

mod support {
    pub mod naive;
    pub mod random;
}

use support::random::Dice;

fn row(nats: Nats) -> RowScore {
    RowScore::of(&Detector::OFF, &[(0, nats)])
}

/// Draws scores from 3000 values, so that some are equal.
fn scores(random: &mut Dice, count: usize) -> Vec<u32> {
    (0..count).map(|_| (random.word() as u32 >> 12) % 3000 * 100).collect()
}

/// A detector with the quantiles of `sorted` scores.
fn quantiles(scores: &[u32]) -> Vec<u32> {
    let mut sorted = scores.to_vec();
    sorted.sort_unstable();
    Detector::levels(scores.len() as u32).map(|(_, k)| sorted[sorted.len() - k as usize]).collect()
}

/// A calibrator's numbers are those of a naive calculation on all scores.
#[test]
fn a_calibrator_computes_what_a_host_computes() {
    let mut random = Dice(16);
    for count in [0, 1, 2, 3, 19, 20, 98, 99, 100, 300] {
        let all = scores(&mut random, count);
        let mut calibrator = Calibrator::<300>::new();
        assert!(all.iter().all(|&score| calibrator.push(&row(Nats::from_raw(score)))));
        assert_eq!(calibrator.rows() as usize, count);
        let factory = Detector {
            decision_interval: Nats::from_raw(5 << 16),
            deviation: Nats::from_raw(1 << 16),
            ..Detector::OFF
        };
        for ppm in [1000, 10_000, 50_000, 500_000, 999_999] {
            let found = calibrator.finish(&factory, PValue::from_ppm(ppm));
            let detector = found.detector(&factory);
            let mut sorted = all.clone();
            sorted.sort_unstable();
            // The ⌈(n+1)(1-α)⌉-th smallest, in whole numbers.
            let rank = ((count as u64 + 1) * (1_000_000 - u64::from(ppm))).div_ceil(1_000_000) as usize;
            let expected = sorted.get(rank.max(1) - 1).copied().unwrap_or(u32::MAX);
            assert_eq!(detector.threshold.raw(), expected, "{count} rows at {ppm} ppm");
            assert_eq!(detector.quantiles, quantiles(&all));
            assert_eq!(detector.score_cap.raw(), sorted.last().copied().unwrap_or(u32::MAX));
            assert_eq!((detector.rows as usize, detector.false_alarm_ppm), (count, ppm));
            let naive = |cap: u32| {
                let each = || all.iter().map(|&score| f64::from(score.min(cap)));
                let mean = each().sum::<f64>() / count as f64;
                let squares: f64 = each().map(|score| (score - mean).powi(2)).sum();
                (mean, (squares / (count as f64 - 1.0)).sqrt())
            };
            if count > 1 {
                let near = |nats: Nats, value: f64| (f64::from(nats.raw()) - value).abs() <= 32.0;
                let ((mean, deviation), (capped, spread)) = (naive(u32::MAX), naive(detector.cusum_cap.raw()));
                assert!(near(detector.entropy, mean) && near(detector.deviation, deviation), "{detector:?}");
                assert!(
                    near(detector.reference, capped + spread / 2.0 + spread / (count as f64).sqrt()),
                    "{detector:?}"
                );
                let interval = f64::from(detector.decision_interval.raw());
                assert!((interval - 5.0 * deviation).abs() <= 160.0 || spread == 0.0, "{interval}, {spread}");
            }
        }
    }
}

#[test]
fn a_full_calibrator_takes_no_more_rows() {
    let mut calibrator = Calibrator::<2>::new();
    assert_eq!([5, 6, 7].map(|nats| calibrator.push(&row(Nats::from_raw(nats)))), [true, true, false]);
    let detector = Detector::OFF;
    let found = calibrator.finish(&detector, PValue::from_ppm(400_000));
    assert_eq!(found.detector(&detector).threshold, Nats::from_raw(6));
}

/// Any flipped bit, any cut, and another table are refused.
#[test]
fn a_stored_calibration_is_refused_unless_it_is_whole() {
    let mut random = Dice(17);
    let mut calibrator = Calibrator::<99>::new();
    scores(&mut random, 99).iter().for_each(|&score| _ = calibrator.push(&row(Nats::from_raw(score))));
    let factory = Detector { threshold: Nats::from_raw(9), ..Detector::OFF };
    let found = calibrator.finish(&factory, PValue::from_ppm(20_000));
    let bytes = found.to_bytes(&factory);
    assert_eq!(Recalibration::from_bytes(&bytes, &factory), Ok(found));
    for bit in 0..8 * bytes.len() {
        let mut damaged = bytes;
        damaged[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(Recalibration::from_bytes(&damaged, &factory), Err(TableError::Corrupt));
    }
    for length in 0..bytes.len() {
        assert_eq!(Recalibration::from_bytes(&bytes[..length], &factory), Err(TableError::Truncated));
    }
    for empty in [0, 0xFF] {
        assert_eq!(Recalibration::from_bytes(&[empty; Recalibration::BYTES], &factory), Err(TableError::Corrupt));
    }
    let other = Detector { threshold: Nats::from_raw(10), ..Detector::OFF };
    assert_eq!(Recalibration::from_bytes(&bytes, &other), Err(TableError::Corrupt));
}

/// At every rate a score is anomalous exactly if its p-value is at most the rate.
#[test]
fn a_threshold_at_another_rate_follows_the_p_value() {
    let mut random = Dice(18);
    for count in [0, 5, 31, 99, 1000, 20_000] {
        let all = scores(&mut random, count);
        let quantiles = quantiles(&all);
        let detector = Detector { rows: count as u32, quantiles: &quantiles, ..Detector::OFF };
        for _ in 0..200 {
            let rate = PValue::from_ppm((random.word() % 1_000_000) as u32 >> (random.word() % 12));
            let at = detector.at(rate);
            assert_eq!(at.false_alarm_ppm, rate.ppm());
            let near = at.threshold.raw();
            for score in
                [near.saturating_sub(1), near, near.saturating_add(1), random.word() as u32 % 400_000, u32::MAX]
            {
                let score = Nats::from_raw(score);
                let is_rare = detector.p_value(score) <= rate;
                // Nothing is above the largest number, and at a rate of one not even a score of zero is normal.
                if score != Nats::IMPOSSIBLE && score != Nats::ZERO {
                    assert_eq!(at.judge(score).is_anomalous(), is_rare, "{score:?} at {rate}, {count} rows");
                }
            }
        }
        for (level, k) in Detector::levels(count as u32) {
            let mut sorted = all.clone();
            sorted.sort_unstable();
            assert_eq!(detector.at(level).threshold.raw(), sorted[count - k as usize], "the conformal quantile");
        }
    }
}

/// The rule of a monitor is a count over a window, with silence after an alarm.
#[test]
fn alarms_follow_the_rule() {
    let mut random = Dice(19);
    let detector = Detector { threshold: Nats::from_raw(9), ..Detector::OFF };
    for _ in 0..300 {
        let mut draw = |most: u64| random.word() % most;
        let rule = AlarmRule { votes: draw(6) as u8, of: draw(36) as u8, hold_off: draw(5) as u16 };
        let chance = 1 + draw(9);
        let anomalous: Vec<bool> = (0..200).map(|_| draw(10) < chance).collect();
        let mut monitor = Monitor::new();
        monitor.rule = rule;
        let mut last_alarm = None;
        for at in 0..anomalous.len() {
            let report = monitor.push(&detector, &row(Nats::from_raw(if anomalous[at] { 10 } else { 9 })));
            let of = usize::from(rule.of).clamp(1, 32);
            let votes = anomalous[(at + 1).saturating_sub(of)..=at].iter().filter(|&&one| one).count();
            let agreed = votes >= usize::from(rule.votes.max(1));
            let silent = last_alarm.is_some_and(|last| at - last <= rule.hold_off as usize);
            assert_eq!((report.is_agreed, report.alarm), (agreed, agreed && !silent), "{rule:?} at {at}");
            if report.alarm {
                last_alarm = Some(at);
            }
        }
        monitor.reset();
        assert_eq!(monitor.rule, rule);
        monitor.resume();
        assert!(!monitor.push(&detector, &row(Nats::ZERO)).is_agreed);
    }
}

/// A trend raises an alarm as well, and the hold-off silences it.
#[test]
fn a_trend_raises_an_alarm() {
    let nats = |nats: u32| Nats::from_raw(nats << 16);
    let detector = Detector { reference: nats(4), decision_interval: nats(5), threshold: nats(100), ..Detector::OFF };
    let mut monitor = Monitor::new();
    monitor.rule.hold_off = 3;
    let alarms: Vec<bool> = (0..12).map(|_| monitor.push(&detector, &row(nats(7))).alarm).collect();
    // The sum exceeds five nats at every second row.
    let expected: Vec<bool> = (0..12).map(|at| at % 4 == 1).collect();
    assert_eq!(alarms, expected);
}

#[test]
fn severities_order_scores() {
    let mut random = Dice(20);
    let all = scores(&mut random, 500);
    let quantiles = quantiles(&all);
    let detector = Detector { rows: 500, quantiles: &quantiles, threshold: Nats::from_raw(250_000), ..Detector::OFF };
    let mut last = Severity::Normal;
    for score in 0..600 {
        let score = Nats::from_raw(score * 1000);
        let severity = detector.severity(score);
        assert_eq!(severity > Severity::Normal, detector.judge(score).is_anomalous());
        assert!(severity >= last);
        last = severity;
    }
    assert_eq!(last, Severity::Critical);
    assert_eq!(Detector::OFF.severity(Nats::IMPOSSIBLE), Severity::Normal);
}

/// Whatever the scores, a correction grows by at most two deviations per 2^log2_rows rows, and stays within the bound.
#[test]
fn a_fault_is_not_learned_away_faster_than_stated() {
    let mut random = Dice(21);
    for _ in 0..100 {
        let mut draw = |most: u64| random.word() % most;
        let detector = Detector {
            entropy: Nats::from_raw(draw(20 << 16) as u32),
            deviation: Nats::from_raw(draw(4 << 16) as u32),
            ..Detector::OFF
        };
        let (log2_rows, bound) = (1 + draw(12) as u8, draw(3 << 16) as u32);
        let mut adaptation = Adaptation::new(log2_rows, Nats::from_raw(bound));
        let fault = draw(60 << 16) as u32;
        let per_row = 2.0 * f64::from(detector.deviation.raw()) / f64::from(1u32 << log2_rows);
        for at in 1..2000 {
            let score = Nats::from_raw(detector.entropy.raw() + fault);
            let corrected = adaptation.push(&detector, &row(score));
            let learned = f64::from(score.raw() - corrected.nats.raw());
            assert!(learned <= per_row * f64::from(at) + 1.0 && learned <= f64::from(bound));
            assert!(learned <= f64::from(fault) + 1.0, "no more than the fault");
        }
    }
}

/// A machine whose scores have risen a little alarms as often as before, once the adaptation has settled.
#[test]
fn a_small_lasting_change_is_learned() {
    let mut random = Dice(22);
    let all = scores(&mut random, 2000);
    let quantiles = quantiles(&all);
    let mut sorted = all.clone();
    sorted.sort_unstable();
    let mean = all.iter().map(|&score| u64::from(score)).sum::<u64>() / 2000;
    let detector = Detector {
        threshold: Nats::from_raw(sorted[1979]),
        rows: 2000,
        quantiles: &quantiles,
        entropy: Nats::from_raw(mean as u32),
        deviation: Nats::from_raw(87_000),
        ..Detector::OFF
    };
    let mut adaptation = Adaptation::new(10, Nats::from_raw(1 << 16));
    let alarms = |adaptation: &mut Adaptation, random: &mut Dice| {
        let each = scores(random, 20_000);
        let rows = each.iter().map(|&score| row(Nats::from_raw(score + 40_000)));
        rows.filter(|score| detector.judge(adaptation.push(&detector, score).anomaly).is_anomalous()).count()
    };
    let (first, later) = (alarms(&mut Adaptation::new(24, Nats::ZERO), &mut random), {
        alarms(&mut adaptation, &mut random);
        alarms(&mut adaptation, &mut random)
    });
    assert!(first > 2000 && later * 3 < first, "{first} alarms without adaptation, {later} with it, for 200 promised");
    let stored = adaptation.corrections();
    let mut again = Adaptation::new(10, Nats::from_raw(1 << 16));
    again.resume(stored);
    assert_eq!(again.corrections(), stored);
    again.resume([i32::MIN, i32::MAX]);
    assert_eq!(again.corrections(), [-65536, 65536], "within the bound");
}

/// A row that could not be scored teaches nothing.
#[test]
fn an_impossible_score_stays_impossible() {
    let detector = Detector { deviation: Nats::from_raw(1 << 16), ..Detector::OFF };
    let mut adaptation = Adaptation::new(1, Nats::from_raw(9 << 16));
    assert_eq!(adaptation.push(&detector, &RowScore::IMPOSSIBLE), RowScore::IMPOSSIBLE);
    assert_eq!(adaptation.corrections(), [0, 0]);
}

/// Absence is the longest run without a reading, counted column by column.
#[test]
fn absence_counts_runs() {
    let mut random = Dice(23);
    let mut absence = Absence::<4>::new(3);
    let mut runs = [0u16; 4];
    for _ in 0..5000 {
        let row: [Reading; 4] = core::array::from_fn(|at| match random.word() % 3 {
            0 => Reading::Integer(at as i32),
            1 => Reading::Real(f32::NAN),
            _ => Reading::Missing,
        });
        for (run, reading) in runs.iter_mut().zip(row) {
            *run = if matches!(reading, Reading::Integer(_)) { 0 } else { *run + 1 };
        }
        let most = *runs.iter().max().expect("four columns");
        let expected = (most >= 3).then(|| runs.iter().position(|&run| run == most).expect("it is one of them") as u16);
        assert_eq!(absence.push(&row), expected);
        assert!((0..4).all(|at| absence.rows(at) == runs[usize::from(at)]));
    }
}
