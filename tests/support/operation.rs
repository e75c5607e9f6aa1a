//! Detection, calibration, adaptation and alarms on a stream of scores, which host and boards compute alike.

use surprisal::{
    Absence, Adaptation, AlarmRule, Calibrator, Cusum, Detector, Drift, DriftEstimate, Monitor, Nats, PValue, Reading,
    Recalibration, Recent, RowScore,
};

/// Returns the sums over a stream of scores of anomaly scores, p-values, alarms of the cumulative sum, its sums and the
/// means of the last scores; and the drift of the stream.
pub fn detected(detector: &Detector, scores: impl Iterator<Item = RowScore>) -> ([u64; 5], DriftEstimate) {
    let (mut cusum, mut drift, mut recent) = (Cusum::new(), Drift::new(), Recent::<16>::new());
    let (mut monitor, mut sums) = (Monitor::new(), [0; 5]);
    for score in scores {
        let RowScore { nats, anomaly, .. } = score;
        let alarm = cusum.push(detector, nats);
        drift.push(detector, nats);
        recent.push(nats);
        monitor.push(detector, &score);
        let numbers = [
            anomaly.raw(),
            detector.p_value(anomaly).ppm(),
            alarm.into(),
            cusum.sum().raw(),
            recent.mean().map_or(0, Nats::raw),
        ];
        sums.iter_mut().zip(numbers).for_each(|(sum, number)| *sum += u64::from(number));
    }
    assert_eq!((monitor.cusum, monitor.drift), (cusum, drift));
    (sums, drift.estimate(detector))
}

/// Numbers of a stream of scores that host and boards have in common.
pub struct Found {
    /// Sums of the words and of the quantiles of the calibration by the first 64 rows.
    pub calibration: (u64, u64),
    /// Sums of the surprisals and anomaly scores after adaptation.
    pub adapted: (u64, u64),
    /// The number of alarms by 3 of 5 rows with hold-off.
    pub alarms: usize,
    /// The sum of the severities, and of the thresholds at four rates.
    pub severities: usize,
    pub thresholds: u64,
}

/// Puts a stream of scores through calibrator, adaptation and monitor.
pub fn operated(factory: &Detector, scores: impl Iterator<Item = RowScore>) -> Found {
    let (mut calibrator, mut adaptation) = (Calibrator::<64>::new(), Adaptation::new(6, Nats::from_raw(1 << 16)));
    let mut monitor = Monitor::new();
    monitor.rule = AlarmRule { votes: 3, of: 5, hold_off: 10 };
    let (mut adapted, mut alarms, mut severities) = ((0, 0), 0, 0);
    for (at, score) in scores.enumerate() {
        assert_eq!(calibrator.push(&score), at < 64);
        let corrected = adaptation.push(factory, &score);
        adapted.0 += u64::from(corrected.nats.raw());
        adapted.1 += u64::from(corrected.anomaly.raw());
        let report = monitor.push(factory, &score);
        alarms += usize::from(report.alarm);
        severities += report.severity as usize;
    }
    let calibration = calibrator.finish(factory, PValue::from_ppm(50_000));
    let bytes = calibration.to_bytes(factory);
    assert_eq!(Recalibration::from_bytes(&bytes, factory), Ok(calibration));
    assert!(Recalibration::from_bytes(&bytes, &Detector::OFF).is_err(), "of another table");
    let detector = calibration.detector(factory);
    let rates =
        [500_000, 100_000, 20_000, 1000].map(|ppm| u64::from(factory.at(PValue::from_ppm(ppm)).threshold.raw()));
    let [on, off] = [Reading::Integer(0), Reading::Missing];
    let mut absence = Absence::<2>::new(2);
    assert_eq!([[on, off], [off, off], [off, on]].map(|row| absence.push(&row)), [None, Some(1), Some(0)]);
    Found {
        calibration: (
            detector.words().iter().map(|&word| u64::from(word)).sum(),
            detector.quantiles.iter().map(|&word| u64::from(word)).sum(),
        ),
        adapted,
        alarms,
        severities,
        thresholds: rates.iter().sum(),
    }
}
