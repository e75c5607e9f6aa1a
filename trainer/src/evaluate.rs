//! How good scores are: at telling anomalies from ordinary rows, and at keeping a false-alarm rate.

use surprisal::{Detector, Nats};

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

/// The detector for a false-alarm rate, from the scores of held-out ordinary rows; see [`Detector`] for the rule.
///
/// ```
/// use surprisal::Nats;
/// use surprisal_trainer::evaluate::calibrate;
/// let scores: Vec<Nats> = (1..=99).map(Nats::from_raw).collect();
/// assert_eq!(calibrate(scores.clone(), 0.02).threshold, Nats::from_raw(98));
/// assert_eq!(calibrate(scores, 0.001).threshold, Nats::IMPOSSIBLE);
/// ```
pub fn calibrate(mut scores: Vec<Nats>, false_alarm: f64) -> Detector {
    scores.sort_unstable();
    let rank = ((scores.len() + 1) as f64 * (1.0 - false_alarm) - 1e-9).ceil() as usize;
    let threshold = scores.get(rank.max(1) - 1).copied().unwrap_or(Nats::IMPOSSIBLE);
    Detector { threshold, false_alarm_ppm: (false_alarm * 1e6).round() as u32, rows: scores.len() as u32 }
}

/// The mean of scores, in nats.
pub fn mean(scores: &[Nats]) -> f64 {
    scores.iter().map(|&nats| f64::from(nats)).sum::<f64>() / scores.len().max(1) as f64
}
