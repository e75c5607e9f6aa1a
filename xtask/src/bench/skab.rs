//! SKAB, a water-pump loop: point-wise alarms, and the places where they switch, scored as on its leaderboards.

use anyhow::{Context, Result, ensure};
use surprisal_trainer::data::Frame;

use super::sets::{self, LABEL, Task};

/// The rows of a run that train, their labels unseen; the others test.
pub const TRAIN: usize = 400;
/// The one rule for all runs: an alarm while the mean oddness over so many rows exceeds so many times the largest such mean
/// of the training rows.
const MEAN_OVER: usize = 10;
const FACTOR: f64 = 1.2;
/// Rows before a row that its model looks at.
pub const WINDOW: usize = 10;
/// After a change point, for how many seconds a switch counts as finding it.
const FOUND_WITHIN: i64 = 60;
/// What a change point is worth that is found at once, what a switch costs beyond all windows, and what a missed one does.
pub const PROFILES: [(&str, [f64; 3]); 3] =
    [("standard", [1.0, -0.11, -1.0]), ("low FP", [1.0, -0.22, -1.0]), ("low FN", [1.0, -0.11, -2.0])];

/// One recording.
pub struct Run {
    /// Seconds since some midnight, one a row.
    pub seconds: Vec<i64>,
    /// Which rows are anomalous.
    pub odd: Vec<bool>,
    /// Which rows begin another state.
    pub changes: Vec<bool>,
    columns: Vec<usize>,
}

impl Run {
    /// From a file with the columns `datetime`, `anomaly` and `changepoint`; all others are readings.
    pub fn of(frame: &Frame) -> Result<Self> {
        let shown = frame.path.display();
        ensure!(frame.rows() > TRAIN, "{shown}: {} rows, more than {TRAIN} are needed", frame.rows());
        let [time, odd, change] = ["datetime", LABEL, "changepoint"].map(|name| frame.position(name));
        let (time, odd, change) = (time?, odd?, change?);
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
            seconds(text)
                .with_context(|| format!("{}: expected YYYY-MM-DD hh:mm:ss, found `{text}`", frame.place(row, time)))
        };
        Ok(Self {
            seconds: (0..frame.rows()).map(second).collect::<Result<_>>()?,
            odd: flags(odd)?,
            changes: flags(change)?,
            columns: (0..frame.columns.len()).filter(|column| ![time, odd, change].contains(column)).collect(),
        })
    }

    /// The training rows, and as test all rows.
    pub fn task(&self, name: &str, frame: &Frame) -> Result<Task> {
        let train: Vec<(usize, bool)> = (0..TRAIN).map(|row| (row, false)).collect();
        let test: Vec<(usize, bool)> = self.odd.iter().copied().enumerate().collect();
        sets::write(name, frame, &self.columns, &train, &test)
    }
}

/// "2020-03-09 10:14:33" in seconds, months taken for as long as the longest: a run that passes one shows a gap.
fn seconds(text: &str) -> Option<i64> {
    let numbers: Vec<i64> = text.split(['-', ' ', 'T', ':']).map(|part| part.parse().ok()).collect::<Option<_>>()?;
    let &[year, month, day, hour, minute, second] = &numbers[..] else { return None };
    Some(((((year * 12 + month) * 31 + day) * 24 + hour) * 60 + minute) * 60 + second)
}

/// The rule on the oddness of all rows of a run: an alarm where its mean over the last rows is a fifth above the largest
/// that the training rows have.
pub fn alarms(scores: &[f64]) -> Vec<bool> {
    let recent = |row: usize| {
        let last = &scores[(row + 1).saturating_sub(MEAN_OVER)..=row];
        last.iter().sum::<f64>() / last.len() as f64
    };
    let most = (2 * MEAN_OVER..TRAIN).map(recent).fold(0.0, f64::max);
    (0..scores.len()).map(|row| recent(row) > FACTOR * most).collect()
}

/// Where alarms begin or end; on the first row, whether there is one.
pub fn switches(alarms: &[bool]) -> Vec<bool> {
    let before = std::iter::once(&false).chain(alarms);
    alarms.iter().zip(before).map(|(alarm, before)| alarm != before).collect()
}

/// The alarms of SKAB's Isolation Forest, from what it says of single rows: the median of three, and for change points
/// the largest of thirty.
pub fn smoothed(found: &[bool]) -> (Vec<bool>, Vec<bool>) {
    let last = |rows: usize, least: usize| {
        let enough =
            |row: usize| row + 1 >= rows && found[row + 1 - rows..=row].iter().filter(|&&odd| odd).count() >= least;
        (0..found.len()).map(enough).collect()
    };
    (last(3, 2), last(30, 1))
}

/// Alarms and anomalies, row by row, pooled over runs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Outliers {
    hits: f64,
    false_alarms: f64,
    missed: f64,
    quiet: f64,
}

impl Outliers {
    /// Counts the rows of a run.
    pub fn add(&mut self, alarms: &[bool], odd: &[bool]) {
        for pair in alarms.iter().zip(odd) {
            *match pair {
                (true, true) => &mut self.hits,
                (true, false) => &mut self.false_alarms,
                (false, true) => &mut self.missed,
                (false, false) => &mut self.quiet,
            } += 1.0;
        }
    }

    /// F1, and in percent the share of ordinary rows that alarm and that of anomalous ones that do not.
    pub fn rates(&self) -> (f64, f64, f64) {
        (
            self.hits / (self.hits + 0.5 * (self.false_alarms + self.missed)),
            100.0 * self.false_alarms / (self.false_alarms + self.quiet),
            100.0 * self.missed / (self.missed + self.hits),
        )
    }
}

/// Switches and change points, summed over runs, by profile.
#[derive(Clone, Copy, Debug, Default)]
pub struct Changes {
    sums: [f64; 3],
    windows: usize,
    missed: usize,
    stray: usize,
}

impl Changes {
    /// Counts a run: the first switch in the window after a change point earns by how soon it comes, an empty window and
    /// a switch beyond all windows cost.
    pub fn add(&mut self, switches: &[bool], changes: &[bool], seconds: &[i64]) {
        let times = |flags: &[bool]| -> Vec<i64> {
            flags.iter().zip(seconds).filter(|(flag, _)| **flag).map(|(_, &second)| second).collect()
        };
        let mut windows: Vec<(i64, i64)> = Vec::new();
        for change in times(changes) {
            // Of two that overlap the later one begins where the earlier one ends.
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

    /// One score a profile: zero without switches, a hundred for one at each change point and no other.
    pub fn nab(&self) -> [f64; 3] {
        std::array::from_fn(|at| {
            let (_, [at_once, _, missed]) = PROFILES[at];
            let windows = self.windows as f64;
            100.0 * (self.sums[at] - missed * windows) / ((at_once - missed) * windows)
        })
    }

    /// How many change points were not found, of how many, and how many switches lie beyond all windows.
    pub fn counts(&self) -> (usize, usize, usize) {
        (self.missed, self.windows, self.stray)
    }
}

/// From the first value to the last along a hyperbolic tangent, `late` from 0 to 1.
fn ramp(late: f64, first: f64, last: f64) -> f64 {
    let quarter = std::f64::consts::FRAC_PI_2;
    let fall = (quarter * (2.0 * late - 1.0)).tanh() / quarter.tanh();
    0.5 * (first + last) - 0.5 * (first - last) * fall
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 300 seconds with a change at 50, 80 (whose window overlaps) and 200; rows from 50 to 199 are odd.
    fn run() -> (Vec<i64>, Vec<bool>, Vec<bool>) {
        let odd = (0..300).map(|second| (50..200).contains(&second)).collect();
        let changes = (0..300).map(|second| [50, 80, 200].contains(&second)).collect();
        ((1000..1300).collect(), odd, changes)
    }

    #[test]
    fn no_switch_scores_zero_and_one_at_each_change_a_hundred() {
        let (seconds, _, changes) = run();
        let mut null = Changes::default();
        null.add(&[false; 300], &changes, &seconds);
        assert!(null.nab().iter().all(|score| score.abs() < 1e-9));
        assert_eq!(null.counts(), (3, 3, 0));

        // The second window begins where the first one ends, and so does its perfect switch.
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
        let (_, odd, _) = run();
        let (mut all, mut none, mut right) = (Outliers::default(), Outliers::default(), Outliers::default());
        all.add(&[true; 300], &odd);
        none.add(&[false; 300], &odd);
        right.add(&odd, &odd);
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
    fn times_are_told_apart_by_seconds() {
        let apart = |a: &str, b: &str| seconds(b).unwrap() - seconds(a).unwrap();
        assert_eq!(apart("2020-03-09 10:14:33", "2020-03-09 10:14:34"), 1);
        assert_eq!(apart("2020-03-09 23:59:59", "2020-03-10 00:00:01"), 2);
        assert_eq!(seconds("yesterday"), None);
    }
}
