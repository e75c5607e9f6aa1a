//! Measures of how well scores separate anomalous from normal rows.

use serde::Serialize;

/// Returns the area under the ROC curve: the probability that an anomalous row scores above a normal row, where ties
/// count half (Mann & Whitney 1947). `None` unless there are both anomalous and normal rows.
///
/// ```
/// use surprisal_trainer::evaluate::auc_roc;
/// assert_eq!(auc_roc(&[1, 2, 3, 4], &[false, false, true, true]), Some(1.0));
/// assert_eq!(auc_roc(&[1, 1], &[false, true]), Some(0.5));
/// ```
pub fn auc_roc<T: Ord + Copy>(scores: &[T], anomalous: &[bool]) -> Option<f64> {
    let (mut below, mut wins) = (0.0, 0.0);
    let total_anomalous = anomalous.iter().filter(|&&anomalous| anomalous).count() as f64;
    for (anomalous, normal) in tied_groups(scores, anomalous) {
        wins += anomalous * (below + 0.5 * normal);
        below += normal;
    }
    (total_anomalous > 0.0 && below > 0.0).then(|| wins / (total_anomalous * below))
}

/// Returns the average precision: the mean over the anomalous rows of the share of anomalous rows among all rows that
/// score at least as high. `None` unless there are both anomalous and normal rows.
///
/// ```
/// use surprisal_trainer::evaluate::auc_pr;
/// assert_eq!(auc_pr(&[4, 3, 2], &[true, false, true]), Some((1.0 + 2.0 / 3.0) / 2.0));
/// ```
pub fn auc_pr<T: Ord + Copy>(scores: &[T], anomalous: &[bool]) -> Option<f64> {
    let (mut alarms, mut hits, mut sum) = (0.0, 0.0, 0.0);
    for (anomalous, normal) in tied_groups(scores, anomalous).into_iter().rev() {
        alarms += anomalous + normal;
        hits += anomalous;
        sum += anomalous * hits / alarms;
    }
    (hits > 0.0 && alarms > hits).then(|| sum / hits)
}

/// Returns (anomalous rows, normal rows) for each distinct score, in ascending order of the scores.
fn tied_groups<T: Ord + Copy>(scores: &[T], anomalous: &[bool]) -> Vec<(f64, f64)> {
    let mut ranked: Vec<(T, bool)> = scores.iter().copied().zip(anomalous.iter().copied()).collect();
    ranked.sort_unstable();
    let count =
        |group: &[(T, bool)], kind: bool| group.iter().filter(|(_, anomalous)| *anomalous == kind).count() as f64;
    ranked.chunk_by(|a, b| a.0 == b.0).map(|group| (count(group, true), count(group, false))).collect()
}

/// Returns the mean of `each`, or zero for an empty slice. The mean of [`surprisal::Nats`] is in nats.
pub fn mean<T: Copy + Into<f64>>(each: &[T]) -> f64 {
    each.iter().map(|&one| one.into()).sum::<f64>() / each.len().max(1) as f64
}

/// Returns the median, or the mean of the two numbers in the middle; `None` for an empty slice.
///
/// ```
/// use surprisal_trainer::evaluate::median;
/// assert_eq!((median(&[3.0, 1.0, 8.0]), median(&[3.0, 1.0]), median(&[])), (Some(3.0), Some(2.0), None));
/// ```
pub fn median(each: &[f64]) -> Option<f64> {
    let mut each = each.to_vec();
    each.sort_by(f64::total_cmp);
    let middle = each.len() / 2;
    let upper = *each.get(middle)?;
    Some(if each.len() % 2 == 1 { upper } else { (each[middle - 1] + upper) / 2.0 })
}

/// Rates of alarms on labelled rows. A rate whose denominator is zero is `None`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Alarms {
    /// Share of anomalous rows among the alarms.
    pub precision: Option<f64>,
    /// Share of alarms among the anomalous rows.
    pub recall: Option<f64>,
    /// Harmonic mean of precision and recall: 2 hits / (alarms + anomalous rows).
    pub f1: Option<f64>,
    /// Share of alarms among the normal rows.
    pub false_alarm_rate: Option<f64>,
}

impl Alarms {
    /// Computes the rates from the alarm and the label of each row: `[row]`, where true means alarm or anomalous.
    ///
    /// ```
    /// use surprisal_trainer::evaluate::Alarms;
    /// let found = Alarms::of(&[true, true, false, false], &[true, false, true, false]);
    /// assert_eq!((found.precision, found.recall, found.f1), (Some(0.5), Some(0.5), Some(0.5)));
    /// assert_eq!(Alarms::of(&[false], &[false]).precision, None);
    /// ```
    pub fn of(alarms: &[bool], anomalous: &[bool]) -> Self {
        let count = |wanted: &dyn Fn(bool, bool) -> bool| {
            alarms.iter().zip(anomalous).filter(|&(&alarm, &anomalous)| wanted(alarm, anomalous)).count() as f64
        };
        let share = |of: f64, all: f64| (all > 0.0).then(|| of / all);
        let (raised, all_anomalous) = (count(&|alarm, _| alarm), count(&|_, anomalous| anomalous));
        let hits = count(&|alarm, anomalous| alarm && anomalous);
        Self {
            precision: share(hits, raised),
            recall: share(hits, all_anomalous),
            f1: share(2.0 * hits, raised + all_anomalous),
            false_alarm_rate: share(raised - hits, alarms.len() as f64 - all_anomalous),
        }
    }
}
