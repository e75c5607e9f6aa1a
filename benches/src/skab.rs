//! SKAB, a water-pump loop: alarms per row, and the rows where alarms begin or end, scored as on its leaderboards.

use anyhow::{Context, Result, ensure};
use surprisal_trainer::data::Frame;

use super::sets::{self, LABEL, Task};

/// The number of training rows of a run, whose labels are not used. The other rows test.
pub const TRAIN: usize = 400;
/// The number of rows over which anomaly scores are averaged. An alarm is raised while the mean exceeds `FACTOR` times the
/// largest mean of the training rows; the rule is the same for all runs.
const MEAN_OVER: usize = 10;
/// The factor of the rule, see [`MEAN_OVER`].
const FACTOR: f64 = 1.2;
/// The window of the model: the number of earlier rows that it looks at.
pub const WINDOW: usize = 10;
/// The number of seconds after a change point within which a switch counts as finding it.
const FOUND_WITHIN: i64 = 60;
/// The profiles of the score: the value of a change point that is found at once, of a switch outside all windows, and of a
/// missed change point.
pub const PROFILES: [(&str, [f64; 3]); 3] =
    [("standard", [1.0, -0.11, -1.0]), ("low FP", [1.0, -0.22, -1.0]), ("low FN", [1.0, -0.11, -2.0])];

/// A recording.
pub struct Run {
    /// `[row]`: seconds since an arbitrary midnight.
    pub seconds: Vec<i64>,
    /// `[row]`: whether the row is anomalous.
    pub anomalous: Vec<bool>,
    /// `[row]`: whether the row begins another state.
    pub changes: Vec<bool>,
    columns: Vec<usize>,
}

impl Run {
    /// Creates a run from a file with the columns `datetime`, `anomaly` and `changepoint`; all others are readings.
    ///
    /// # Errors
    /// A column is missing, a cell is malformed, or there are too few rows.
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

    /// Writes the task: the training rows, and all rows as test rows.
    ///
    /// # Errors
    /// The files cannot be written.
    pub fn task(&self, name: &str, frame: &Frame) -> Result<Task> {
        let train: Vec<(usize, bool)> = (0..TRAIN).map(|row| (row, false)).collect();
        let test: Vec<(usize, bool)> = self.anomalous.iter().copied().enumerate().collect();
        sets::write(name, frame, &self.columns, &train, &test)
    }
}

/// Converts a time such as "2020-03-09 10:14:33" to seconds. All months count as 31 days, so that a run that crosses the
/// end of a month shows a gap.
fn seconds(text: &str) -> Option<i64> {
    let numbers: Vec<i64> = text.split(['-', ' ', 'T', ':']).map(|part| part.parse().ok()).collect::<Option<_>>()?;
    let &[year, month, day, hour, minute, second] = &numbers[..] else { return None };
    Some(((((year * 12 + month) * 31 + day) * 24 + hour) * 60 + minute) * 60 + second)
}

/// Returns the rows at which the rule of [`MEAN_OVER`] raises an alarm, from the anomaly scores of all rows of a run.
pub fn alarms(scores: &[f64]) -> Vec<bool> {
    let recent = |row: usize| {
        let last = &scores[(row + 1).saturating_sub(MEAN_OVER)..=row];
        last.iter().sum::<f64>() / last.len() as f64
    };
    let most = (2 * MEAN_OVER..TRAIN).map(recent).fold(0.0, f64::max);
    (0..scores.len()).map(|row| recent(row) > FACTOR * most).collect()
}

/// Returns the rows at which alarms begin or end. The first row switches if it has an alarm.
pub fn switches(alarms: &[bool]) -> Vec<bool> {
    let before = std::iter::once(&false).chain(alarms);
    alarms.iter().zip(before).map(|(alarm, before)| alarm != before).collect()
}

/// Smooths the alarms of SKAB's Isolation Forest: the median of three rows, and for change points the maximum of thirty.
pub fn smoothed(found: &[bool]) -> (Vec<bool>, Vec<bool>) {
    let last = |rows: usize, least: usize| {
        let enough =
            |row: usize| row + 1 >= rows && found[row + 1 - rows..=row].iter().filter(|&&alarm| alarm).count() >= least;
        (0..found.len()).map(enough).collect()
    };
    (last(3, 2), last(30, 1))
}

/// Counts of alarms and anomalies per row, pooled over runs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Outliers {
    hits: f64,
    false_alarms: f64,
    missed: f64,
    quiet: f64,
}

impl Outliers {
    /// Adds the rows of a run.
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

    /// Returns F1, the percentage of normal rows with an alarm, and the percentage of anomalous rows without one.
    pub fn rates(&self) -> (f64, f64, f64) {
        (
            self.hits / (self.hits + 0.5 * (self.false_alarms + self.missed)),
            100.0 * self.false_alarms / (self.false_alarms + self.quiet),
            100.0 * self.missed / (self.missed + self.hits),
        )
    }
}

/// Scores of switches by profile, summed over runs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Changes {
    sums: [f64; 3],
    windows: usize,
    missed: usize,
    stray: usize,
}

impl Changes {
    /// Adds a run. The first switch in the window after a change point earns more the earlier it comes; an empty window and
    /// a switch outside all windows cost.
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

    /// Returns one score per profile: 0 without switches, 100 for exactly one switch at each change point.
    pub fn nab(&self) -> [f64; 3] {
        std::array::from_fn(|at| {
            let (_, [at_once, _, missed]) = PROFILES[at];
            let windows = self.windows as f64;
            100.0 * (self.sums[at] - missed * windows) / ((at_once - missed) * windows)
        })
    }

    /// Returns the number of missed change points, of all change points, and of switches outside all windows.
    pub fn counts(&self) -> (usize, usize, usize) {
        (self.missed, self.windows, self.stray)
    }
}

/// Interpolates between two values along a hyperbolic tangent, for `late` in 0..=1.
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
