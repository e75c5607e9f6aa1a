//! The protocol of SKAB, recordings of a water-pump loop: scores of alarms per row and of change points, computed as on
//! its leaderboards.

use anyhow::{Context, Result, ensure};
use surprisal_trainer::data::Frame;

use super::sets::{self, LABEL, Task};

/// The number of training rows at the start of each recording; their labels are not used. The other rows are test rows.
pub const TRAIN: usize = 400;
/// The number of rows over which anomaly scores are averaged. A row has an alarm if the mean over it and the nine rows
/// before it exceeds [`FACTOR`] times the largest mean of the training rows.
const MEAN_OVER: usize = 10;
/// The alarm threshold as a multiple of the largest mean score of the training rows, see [`MEAN_OVER`].
const FACTOR: f64 = 1.2;
/// The number of earlier rows that the model uses to predict a row.
pub const WINDOW: usize = 10;
/// The seconds after a change point in which a begin or end of an alarm counts as its detection.
const FOUND_WITHIN: i64 = 60;
/// The profiles of the NAB score, with the points for [a change point that is detected at once, a false detection, a
/// missed change point].
pub const PROFILES: [(&str, [f64; 3]); 3] =
    [("standard", [1.0, -0.11, -1.0]), ("low FP", [1.0, -0.22, -1.0]), ("low FN", [1.0, -0.11, -2.0])];

/// A recording of the pump: one row per second, with labels.
pub struct Run {
    /// `[row]`: seconds since an arbitrary midnight.
    pub seconds: Vec<i64>,
    /// `[row]`: whether the row is anomalous.
    pub anomalous: Vec<bool>,
    /// `[row]`: whether the row is a change point, at which the pump enters another state.
    pub changes: Vec<bool>,
    /// The indices of the columns that are readings.
    columns: Vec<usize>,
}

impl Run {
    /// Creates a run from a file with the columns `datetime`, `anomaly` and `changepoint`; all other columns are
    /// readings.
    ///
    /// # Errors
    /// One of the three columns is missing, a cell is malformed, or there are at most [`TRAIN`] rows.
    pub fn of(frame: &Frame) -> Result<Self> {
        let shown = frame.path.display();
        ensure!(frame.rows() > TRAIN, "{shown}: {} rows, expected more than {TRAIN}", frame.rows());
        let [time, anomaly, change] = ["datetime", LABEL, "changepoint"].map(|name| frame.position(name));
        let (time, anomaly, change) = (time?, anomaly?, change?);
        let flags = |column: usize| {
            let flag = |row| {
                let text = frame.columns[column].text(row);
                let value: f64 = text
                    .parse()
                    .with_context(|| format!("{}: expected 0 or 1, found `{text}`", frame.place(row, column)))?;
                Ok(value != 0.0)
            };
            (0..frame.rows()).map(flag).collect::<Result<Vec<bool>>>()
        };
        let second = |row| {
            let text = frame.columns[time].text(row);
            seconds(&text)
                .with_context(|| format!("{}: expected YYYY-MM-DD hh:mm:ss, found `{text}`", frame.place(row, time)))
        };
        Ok(Self {
            seconds: (0..frame.rows()).map(second).collect::<Result<_>>()?,
            anomalous: flags(anomaly)?,
            changes: flags(change)?,
            columns: (0..frame.columns.len()).filter(|column| ![time, anomaly, change].contains(column)).collect(),
        })
    }

    /// Writes the files of a task: the first [`TRAIN`] rows as training rows, and all rows as test rows.
    ///
    /// # Errors
    /// The files cannot be written.
    pub fn task(&self, name: &str, frame: &Frame) -> Result<Task> {
        let train: Vec<(usize, bool)> = (0..TRAIN).map(|row| (row, false)).collect();
        let test: Vec<(usize, bool)> = self.anomalous.iter().copied().enumerate().collect();
        sets::write(name, &self.columns, (frame, &train), (frame, &test))
    }
}

/// Converts a time such as "2020-03-09 10:14:33" to seconds, or returns `None` if the text is malformed.
///
/// All months count as 31 days, so times on both sides of the end of a shorter month differ by too many seconds.
fn seconds(text: &str) -> Option<i64> {
    let numbers: Vec<i64> = text.split(['-', ' ', 'T', ':']).map(|part| part.parse().ok()).collect::<Option<_>>()?;
    let &[year, month, day, hour, minute, second] = &numbers[..] else { return None };
    Some(((((year * 12 + month) * 31 + day) * 24 + hour) * 60 + minute) * 60 + second)
}

/// Returns `[row]` whether the rule of [`MEAN_OVER`] raises an alarm, from the anomaly scores of all rows of a run.
pub fn alarms(scores: &[f64]) -> Vec<bool> {
    let recent = |row: usize| {
        let last = &scores[(row + 1).saturating_sub(MEAN_OVER)..=row];
        last.iter().sum::<f64>() / last.len() as f64
    };
    let most = (2 * MEAN_OVER..TRAIN).map(recent).fold(0.0, f64::max);
    (0..scores.len()).map(|row| recent(row) > FACTOR * most).collect()
}

/// Returns `[row]` whether an alarm begins or ends at the row, from `[row]` whether the row has an alarm.
///
/// In the first row an alarm begins if it has one.
pub fn switches(alarms: &[bool]) -> Vec<bool> {
    let before = std::iter::once(&false).chain(alarms);
    alarms.iter().zip(before).map(|(alarm, before)| alarm != before).collect()
}

/// Smooths alarms `[row]` as SKAB does for its Isolation Forest. Returns two vectors `[row]`: the median of the last
/// three rows, which is scored per row, and the maximum of the last thirty, which is scored for change points.
pub fn smoothed(found: &[bool]) -> (Vec<bool>, Vec<bool>) {
    let last = |rows: usize, least: usize| {
        let enough =
            |row: usize| row + 1 >= rows && found[row + 1 - rows..=row].iter().filter(|&&alarm| alarm).count() >= least;
        (0..found.len()).map(enough).collect()
    };
    (last(3, 2), last(30, 1))
}

/// Numbers of rows with and without alarm and anomaly (true and false positives and negatives), pooled over runs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Outliers {
    hits: f64,
    false_alarms: f64,
    missed: f64,
    quiet: f64,
}

impl Outliers {
    /// Adds the rows of a run: `[row]` whether the row has an alarm, and `[row]` whether it is anomalous.
    pub fn add(&mut self, alarms: &[bool], anomalous: &[bool]) {
        for pair in alarms.iter().zip(anomalous) {
            *match pair {
                (true, true) => &mut self.hits,
                (true, false) => &mut self.false_alarms,
                (false, true) => &mut self.missed,
                (false, false) => &mut self.quiet,
            } += 1.0;
        }
    }

    /// Returns F1 in 0..=1, the percentage of normal rows with an alarm, and the percentage of anomalous rows without
    /// one.
    pub fn rates(&self) -> (f64, f64, f64) {
        (
            self.hits / (self.hits + 0.5 * (self.false_alarms + self.missed)),
            100.0 * self.false_alarms / (self.false_alarms + self.quiet),
            100.0 * self.missed / (self.missed + self.hits),
        )
    }
}

/// NAB scores of detected change points, summed over runs for each of the [`PROFILES`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Changes {
    /// `[profile]`: the points so far.
    sums: [f64; 3],
    /// Number of change points.
    windows: usize,
    /// Number of change points without a detection.
    missed: usize,
    /// Number of detections that belong to no change point.
    stray: usize,
}

impl Changes {
    /// Adds a run: `[row]` whether an alarm begins or ends (a switch), `[row]` whether it is a change point, `[row]`
    /// the time.
    ///
    /// A window of 60 seconds follows each change point. The first switch in a window earns more points the earlier it
    /// comes; a window without switch and a switch outside all windows cost points.
    pub fn add(&mut self, switches: &[bool], changes: &[bool], seconds: &[i64]) {
        let times = |flags: &[bool]| -> Vec<i64> {
            flags.iter().zip(seconds).filter(|(flag, _)| **flag).map(|(_, &second)| second).collect()
        };
        let mut windows: Vec<(i64, i64)> = Vec::new();
        for change in times(changes) {
            // A window that overlaps the one before it begins at the end of that one.
            let from = windows.last().map_or(change, |&(_, end)| change.max(end));
            windows.push((from, change + FOUND_WITHIN));
        }
        let found = times(switches);
        let stray =
            found.iter().filter(|second| windows.iter().all(|(from, to)| !(from..=to).contains(second))).count();
        self.windows += windows.len();
        self.stray += stray;
        for (sum, (_, [_, stray_cost, _])) in self.sums.iter_mut().zip(PROFILES) {
            *sum += stray as f64 * stray_cost;
        }
        for (from, to) in windows {
            let first = found.iter().find(|second| (from..=to).contains(*second));
            self.missed += usize::from(first.is_none());
            for (sum, (_, [at_once, at_last, missed])) in self.sums.iter_mut().zip(PROFILES) {
                *sum += first.map_or(missed, |second| {
                    let late = (second - from) as f64 / (to - from).max(1) as f64;
                    ramp(late, at_once, at_last)
                });
            }
        }
    }

    /// Returns the NAB score for each of the [`PROFILES`]: 0 if no alarm begins or ends, 100 if one does exactly at
    /// each change point and nowhere else.
    pub fn nab(&self) -> [f64; 3] {
        std::array::from_fn(|at| {
            let (_, [at_once, _, missed]) = PROFILES[at];
            let windows = self.windows as f64;
            100.0 * (self.sums[at] - missed * windows) / ((at_once - missed) * windows)
        })
    }

    /// Returns the numbers of (missed change points, all change points, detections that belong to no change point).
    pub fn counts(&self) -> (usize, usize, usize) {
        (self.missed, self.windows, self.stray)
    }
}

/// Interpolates from `first`, at `late` = 0, to `last`, at `late` = 1, along a hyperbolic tangent.
fn ramp(late: f64, first: f64, last: f64) -> f64 {
    let quarter = std::f64::consts::FRAC_PI_2;
    let fall = (quarter * (2.0 * late - 1.0)).tanh() / quarter.tanh();
    0.5 * (first + last) - 0.5 * (first - last) * fall
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns 300 seconds with changes at 50, 80 (whose window overlaps) and 200; rows 50 to 199 are anomalous.
    fn run() -> (Vec<i64>, Vec<bool>, Vec<bool>) {
        let anomalous = (0..300).map(|second| (50..200).contains(&second)).collect();
        let changes = (0..300).map(|second| [50, 80, 200].contains(&second)).collect();
        ((1000..1300).collect(), anomalous, changes)
    }

    #[test]
    fn no_switch_scores_zero_and_one_at_each_change_a_hundred() {
        let (seconds, _, changes) = run();
        let mut null = Changes::default();
        null.add(&[false; 300], &changes, &seconds);
        assert!(null.nab().iter().all(|score| score.abs() < 1e-9));
        assert_eq!(null.counts(), (3, 3, 0));

        // The second window begins at the end of the first, and so does its perfect switch.
        let perfect: Vec<bool> = (0..300).map(|second| [50, 110, 200].contains(&second)).collect();
        let mut all = Changes::default();
        all.add(&perfect, &changes, &seconds);
        assert!(all.nab().iter().all(|score| (score - 100.0).abs() < 1e-9), "{:?}", all.nab());
    }

    #[test]
    fn late_switches_earn_less_and_stray_ones_cost() {
        let (seconds, _, changes) = run();
        let score = |at: &[usize]| {
            let mut counted = Changes::default();
            counted.add(&(0..300).map(|second| at.contains(&second)).collect::<Vec<_>>(), &changes, &seconds);
            counted.nab()
        };
        let soon = score(&[51, 110, 200]);
        let late = score(&[90, 110, 200]);
        let stray = score(&[10, 51, 110, 200]);
        assert!(soon[0] < 100.0 && late[0] < soon[0] && stray[0] < soon[0]);
        // A stray switch costs 0.11 of the 2 that a window spans, twice that under "low FP".
        assert!((soon[0] - stray[0] - 100.0 * 0.11 / 6.0).abs() < 1e-9);
        assert!((soon[1] - stray[1] - 100.0 * 0.22 / 6.0).abs() < 1e-9);
        // On the last second of its window a switch is worth a stray one.
        assert!((ramp(1.0, 1.0, -0.11) + 0.11).abs() < 1e-12 && (ramp(0.0, 1.0, -0.11) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn alarms_on_all_rows_have_the_f1_of_the_base_rate() {
        let (_, anomalous, _) = run();
        let (mut all, mut none, mut right) = (Outliers::default(), Outliers::default(), Outliers::default());
        all.add(&[true; 300], &anomalous);
        none.add(&[false; 300], &anomalous);
        right.add(&anomalous, &anomalous);
        let share = 0.5;
        assert_eq!(all.rates(), (2.0 * share / (1.0 + share), 100.0, 0.0));
        assert_eq!(none.rates(), (0.0, 0.0, 100.0));
        assert_eq!(right.rates(), (1.0, 0.0, 0.0));
    }

    #[test]
    fn switches_begin_with_the_first_row() {
        assert_eq!(switches(&[true, true, false, true]), [true, false, true, true]);
        assert_eq!(switches(&[false, true]), [false, true]);
    }

    #[test]
    fn the_rule_alarms_on_a_rise_that_lasts_and_not_on_a_single_one() {
        // The largest mean of ten is 3.6.
        let mut scores: Vec<f64> = (0..1000).map(|row| f64::from(row % 7)).collect();
        scores[600] += 6.0;
        scores[800..].iter_mut().for_each(|score| *score += 12.0);
        let alarms = alarms(&scores);
        assert!(!alarms[..800].contains(&true) && alarms[810..].iter().all(|&alarm| alarm));
    }

    #[test]
    fn times_differ_by_seconds() {
        let apart = |a: &str, b: &str| seconds(b).unwrap() - seconds(a).unwrap();
        assert_eq!(apart("2020-03-09 10:14:33", "2020-03-09 10:14:34"), 1);
        assert_eq!(apart("2020-03-09 23:59:59", "2020-03-10 00:00:01"), 2);
        assert_eq!(seconds("yesterday"), None);
    }
}
