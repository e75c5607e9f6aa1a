//! The anomaly score: one number from the surprisals of a row's columns, sensitive to one anomalous column as well as
//! to many mildly anomalous ones.

use super::Detector;
use crate::logit::Logit;
use crate::nats::Nats;

/// The anomaly score of a row while its columns are added: a soft maximum of their surprisals relative to their
/// baselines.
///
/// The score is τ ln Σ_j exp((s_j + U - u_j)/τ), where s_j is the surprisal of column j, u_j its
/// [baseline](Detector::baselines), U the largest baseline, and τ = 2^[`log2_temperature`](Detector::log2_temperature).
/// The trainer sets τ to the power of two nearest to the square root of the number of scored columns.
///
/// As τ grows, the score orders rows as the sum does, and hides one anomalous column among many. As τ falls, it
/// approaches the maximum, and misses many mildly anomalous columns. Up to constants it is the log-likelihood of a
/// mixture of the alternatives "column j misbehaves", each with likelihood ratio exp((s_j - u_j)/τ).
///
/// ```
/// use surprisal::{AnomalyScore, Detector, Nats};
/// let nats = |nats: u32| Nats::from_raw(nats << 16);
/// let detector = Detector { baselines: &[1024, 3072], log2_temperature: 1, ..Detector::OFF }; // 1 and 3 nats
/// let of = |each: [u32; 2]| {
///     let mut anomaly = AnomalyScore::new(&detector);
///     (0..).zip(each).for_each(|(column, each)| anomaly.push(&detector, column, nats(each)));
///     anomaly.nats(&detector)
/// };
/// assert_eq!(format!("{}", of([1, 3])), "4.386"); // both at their baselines: 3 + 2 ln 2
/// assert!(of([9, 3]) > of([1, 9])); // nine nats are more unusual for the first column than for the second
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnomalyScore {
    /// The largest baseline of all columns, U.
    level: Nats,
    /// The soft maximum so far, in units of τ/65536 nat; `None` before the first column.
    sum: Option<u32>,
}

impl AnomalyScore {
    /// Creates the score of a row without columns, to which [`push`](Self::push) adds them.
    pub fn new(detector: &Detector) -> Self {
        Self { level: detector.largest_baseline(), sum: None }
    }

    /// Adds the surprisal of a column. `column` is the position of its reading in the row.
    ///
    /// Pass the same detector to every call. The order of the columns is part of the result, because sums are rounded.
    pub fn push(&mut self, detector: &Detector, column: u16, nats: Nats) {
        let shifted = nats + self.level.saturating_sub(detector.baseline(column));
        let share = shifted.raw() >> detector.log2_temperature.min(31);
        self.sum = Some(self.sum.map_or(share, |sum| log_add(sum, share)));
    }

    /// Returns the anomaly score of the columns so far, or zero without columns.
    pub fn nats(&self, detector: &Detector) -> Nats {
        let raw = u64::from(self.sum.unwrap_or(0)) << detector.log2_temperature.min(31);
        Nats::from_raw(u32::try_from(raw).unwrap_or(u32::MAX))
    }
}

/// Returns ln(e^a + e^b) for arguments and result in units of 1/65536 nat: the larger argument plus -ln p of a one at
/// the logit |a - b|.
///
/// Entries of the link table are interpolated linearly, so that the sum never falls when a summand grows.
// Not inlined, so that `Table::score` keeps its registers for the loops over trees and weights.
#[inline(never)]
fn log_add(a: u32, b: u32) -> u32 {
    const STEP: i32 = 1 << 11;
    let apart = a.abs_diff(b).min((i32::MAX - STEP) as u32) as i32;
    let at = |step: i32| Logit::from_raw(step * STEP).surprisal(true).raw();
    let (here, next) = (at(apart / STEP), at(apart / STEP + 1));
    let fall = here.saturating_sub(next) * (apart % STEP) as u32 / STEP as u32;
    a.max(b).saturating_add(here.saturating_sub(fall))
}
