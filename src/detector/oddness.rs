//! A row's surprisals by column, as one number that neither a single odd column nor many mildly odd ones escape.

use super::Detector;
use crate::link::{Logit, Nats};

/// A soft maximum of the columns' surprisals under way, each moved to the level of the column that usually surprises most:
/// τ ln Σ_j exp((s_j + U - u_j)/τ), where u_j is what is [usual](Detector::usual) of column j, U the largest of those, and
/// τ = 2^[`softness`](Detector::softness), which the trainer sets next to the square root of the number of columns.
///
/// As τ grows this becomes the sum, which drowns one odd column among many; as it falls, the maximum, which does not see
/// that many are a little odd. Up to the constants it is the evidence of a mixture of the alternatives "column j misbehaves",
/// each with likelihood ratio exp((s_j - u_j)/τ).
///
/// ```
/// use surprisal::{Detector, Nats, Oddness};
/// let nats = |nats: u32| Nats::from_raw(nats << 16);
/// let detector = Detector { usual: &[1024, 3072], softness: 1, ..Detector::OFF }; // 1 and 3 nats
/// let of = |each: [u32; 2]| {
///     let mut oddness = Oddness::new(&detector);
///     (0..).zip(each).for_each(|(column, each)| oddness.push(&detector, column, nats(each)));
///     oddness.nats(&detector)
/// };
/// assert_eq!(format!("{}", of([1, 3])), "4.386"); // both as usual: 3 + 2 ln 2
/// assert!(of([9, 3]) > of([1, 9])); // nine nats are more for the first column than for the second
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Oddness {
    /// The largest of what is usual of single columns.
    level: Nats,
    /// In units of τ/65536 nat.
    sum: Option<u32>,
}

impl Oddness {
    /// Before the first column.
    pub fn new(detector: &Detector) -> Self {
        Self { level: detector.most_usual(), sum: None }
    }

    /// Takes in the surprisal of the column at this position of the readings.
    pub fn push(&mut self, detector: &Detector, column: u16, nats: Nats) {
        let moved = nats + self.level.saturating_sub(detector.usual_of(column));
        let share = moved.raw() >> detector.softness.min(31);
        self.sum = Some(self.sum.map_or(share, |sum| log_add(sum, share)));
    }

    /// What has come together; zero before the first column.
    pub fn nats(&self, detector: &Detector) -> Nats {
        let raw = u64::from(self.sum.unwrap_or(0)) << detector.softness.min(31);
        Nats::from_raw(u32::try_from(raw).unwrap_or(u32::MAX))
    }
}

/// ln(e^a + e^b), in units of 1/65536 nat: the larger, and what is missing to it, -ln p at the logit of their difference;
/// from the link's table, on straight lines between its steps, so that no sum falls when a share grows.
fn log_add(a: u32, b: u32) -> u32 {
    const STEP: i32 = 1 << 11;
    let apart = a.abs_diff(b).min((i32::MAX - STEP) as u32) as i32;
    let at = |step: i32| Logit::from_raw(step * STEP).surprisal(true).raw();
    let (here, next) = (at(apart / STEP), at(apart / STEP + 1));
    let fall = here.saturating_sub(next) * (apart % STEP) as u32 / STEP as u32;
    a.max(b).saturating_add(here.saturating_sub(fall))
}
