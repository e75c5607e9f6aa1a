//! Cases of a table of two views, for the host and for boards. Rows are those of the shuttle data.

use surprisal::{Nats, Reading, ViewTable};

/// The number of readings of the shuttle data.
const READINGS: usize = 9;

/// A row of the shuttle data.
type Row = [Reading; READINGS];

/// The scores and the shares of the columns are those of the host.
pub fn scores_are_the_hosts<const C: usize>(table: &ViewTable<C, 2>, rows: impl Iterator<Item = Row>) {
    let (mut nats, mut anomaly) = (0, 0);
    for row in rows {
        let score = table.score(&row).expect("golden rows are of the training columns");
        (nats, anomaly) = (nats + u64::from(score.nats.raw()), anomaly + u64::from(score.anomaly.raw()));
        let mut each = [Nats::ZERO; READINGS];
        assert_eq!(table.explain(&row, &mut each), Ok(score.nats));
        assert_eq!(each.into_iter().sum::<Nats>(), score.nats);
    }
    assert_eq!((nats, anomaly), (2_185_089_868, 2_984_980_224));
}

/// A missing reading is left out of the score.
pub fn missing_readings_stop_nothing<const C: usize>(table: &ViewTable<C, 2>, rows: impl Iterator<Item = Row>) {
    let (mut sum, mut alarms, mut usual) = (0u64, 0, 0);
    let threshold = table.detector.threshold;
    for mut row in rows.step_by(16) {
        usual += u32::from(table.score(&row).is_ok_and(|score| score.anomaly > threshold));
        for column in 0..READINGS {
            let reading = core::mem::replace(&mut row[column], Reading::Missing);
            let score = table.score(&row).unwrap_or_default();
            assert_eq!(score.missing, 1);
            sum += u64::from(score.anomaly.raw());
            alarms += u32::from(score.anomaly > threshold);
            row[column] = reading;
        }
    }
    assert!(4 * alarms <= 5 * usual * READINGS as u32);
    assert_eq!(sum, 1_631_484_472);
}

/// A replaced reading is blamed.
pub fn replaced_readings_are_blamed<const C: usize>(table: &ViewTable<C, 2>, rows: impl Iterator<Item = Row>) {
    let (mut found, mut alarms) = (0, 0);
    for row in rows.step_by(16) {
        let detector = table.detector;
        let is_alarm = |row: &[Reading]| table.judge(row).is_ok_and(|verdict| verdict.is_anomalous());
        let mut wrong = row;
        wrong[4] = Reading::Integer(-200);
        if !is_alarm(&row) && is_alarm(&wrong) {
            alarms += 1;
            let given = wrong;
            let blame = table.blame(&mut wrong).expect("golden rows are of the training columns");
            assert!(wrong == given && detector.judge(blame.before).is_anomalous());
            found += u32::from(blame.column == 4);
        }
    }
    assert!(alarms >= 16 && 10 * found >= 9 * alarms, "{found} of {alarms}");
}
