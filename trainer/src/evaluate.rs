//! How good scores are at telling anomalies from ordinary rows.

use serde::Serialize;

/// The probability that an odd row scores above an ordinary one, ties counting half (Mann & Whitney 1947). `None`
/// unless there are rows of both kinds.
///
/// ```
/// use surprisal_trainer::evaluate::auc_roc;
/// assert_eq!(auc_roc(&[1, 2, 3, 4], &[false, false, true, true]), Some(1.0));
/// assert_eq!(auc_roc(&[1, 1], &[false, true]), Some(0.5));
/// ```
pub fn auc_roc<T: Ord + Copy>(scores: &[T], odd: &[bool]) -> Option<f64> {
    let (mut below, mut wins) = (0.0, 0.0);
    let total_odd = odd.iter().filter(|&&odd| odd).count() as f64;
    for (odd, ordinary) in tied_groups(scores, odd) {
        wins += odd * (below + 0.5 * ordinary);
        below += ordinary;
    }
    (total_odd > 0.0 && below > 0.0).then(|| wins / (total_odd * below))
}

/// Average precision: the mean, over the odd rows, of the share of odd rows among those that score at least as high.
///
/// ```
/// use surprisal_trainer::evaluate::auc_pr;
/// assert_eq!(auc_pr(&[4, 3, 2], &[true, false, true]), Some((1.0 + 2.0 / 3.0) / 2.0));
/// ```
pub fn auc_pr<T: Ord + Copy>(scores: &[T], odd: &[bool]) -> Option<f64> {
    let (mut alarms, mut hits, mut sum) = (0.0, 0.0, 0.0);
    for (odd, ordinary) in tied_groups(scores, odd).into_iter().rev() {
        alarms += odd + ordinary;
        hits += odd;
        sum += odd * hits / alarms;
    }
    (hits > 0.0 && alarms > hits).then(|| sum / hits)
}

/// How many odd and ordinary rows have each distinct score, ascending.
fn tied_groups<T: Ord + Copy>(scores: &[T], odd: &[bool]) -> Vec<(f64, f64)> {
    let mut ranked: Vec<(T, bool)> = scores.iter().copied().zip(odd.iter().copied()).collect();
    ranked.sort_unstable();
    let count = |group: &[(T, bool)], kind: bool| group.iter().filter(|(_, odd)| *odd == kind).count() as f64;
    ranked.chunk_by(|a, b| a.0 == b.0).map(|group| (count(group, true), count(group, false))).collect()
}

/// The mean; of scores, in nats.
pub fn mean<T: Copy + Into<f64>>(each: &[T]) -> f64 {
    each.iter().map(|&one| one.into()).sum::<f64>() / each.len().max(1) as f64
}

/// How good alarms are. What has nothing to be a share of is `None`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Alarms {
    /// The share of alarms that are odd rows.
    pub precision: Option<f64>,
    /// The share of odd rows that are alarms.
    pub recall: Option<f64>,
    /// The harmonic mean of both: 2 hits / (alarms + odd rows).
    pub f1: Option<f64>,
    /// The share of ordinary rows that are alarms.
    pub false_alarm_rate: Option<f64>,
}

impl Alarms {
    /// Of alarms on rows that are odd or not.
    ///
    /// ```
    /// use surprisal_trainer::evaluate::Alarms;
    /// let found = Alarms::of(&[true, true, false, false], &[true, false, true, false]);
    /// assert_eq!((found.precision, found.recall, found.f1), (Some(0.5), Some(0.5), Some(0.5)));
    /// assert_eq!(Alarms::of(&[false], &[false]).precision, None);
    /// ```
    pub fn of(alarms: &[bool], odd: &[bool]) -> Self {
        let count = |wanted: &dyn Fn(bool, bool) -> bool| {
            alarms.iter().zip(odd).filter(|&(&alarm, &odd)| wanted(alarm, odd)).count() as f64
        };
        let share = |of: f64, all: f64| (all > 0.0).then(|| of / all);
        let (raised, all_odd) = (count(&|alarm, _| alarm), count(&|_, odd| odd));
        let hits = count(&|alarm, odd| alarm && odd);
        Self {
            precision: share(hits, raised),
            recall: share(hits, all_odd),
            f1: share(2.0 * hits, raised + all_odd),
            false_alarm_rate: share(raised - hits, alarms.len() as f64 - all_odd),
        }
    }
}
