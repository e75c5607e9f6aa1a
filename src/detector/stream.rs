//! What is remembered of a stream of scores: a sum that forgets, sums since the start, and the last few.

use core::fmt;

#[cfg(feature = "heapless")]
use heapless::Deque;

use super::Detector;
use crate::link::Nats;

/// Notices small surprises that pile up: the cumulative sum of Page, *Continuous Inspection Schemes*, 1954.
///
/// S becomes max(0, S + min(score, [`most_of_a_trend`](Detector::most_of_a_trend)) - [`reference`](Detector::reference)),
/// and alarms when it exceeds [`limit`](Detector::limit). The reference is half a standard deviation above the mean of
/// ordinary scores, so that S returns to zero on ordinary rows and grows when the mean has risen by more. Between false
/// alarms lie [`mean_time`](Detector::mean_time) rows in the mean, if rows are independent of each other; rows that
/// resemble their neighbours alarm sooner.
///
/// ```
/// use surprisal::{Cusum, Detector, Nats};
/// let nats = |nats: u32| Nats::from_raw(nats << 16);
/// let detector = Detector { reference: nats(4), limit: nats(5), ..Detector::OFF };
/// let mut cusum = Cusum::new();
/// let alarms = [3, 6, 7, 5, 3].map(|score| cusum.push(&detector, nats(score)));
/// assert_eq!(alarms, [false, false, false, true, false]); // 0, 2, 5, 6: alarm, 0
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Cusum {
    sum: Nats,
}

impl Cusum {
    /// At zero.
    pub const fn new() -> Self {
        Self { sum: Nats::ZERO }
    }

    /// Adds a score. Is it an alarm? After one the sum begins at zero again.
    pub fn push(&mut self, detector: &Detector, score: Nats) -> bool {
        self.sum = (self.sum + score.min(detector.most_of_a_trend)).saturating_sub(detector.reference);
        let alarm = self.sum > detector.limit;
        if alarm {
            self.reset();
        }
        alarm
    }

    /// What has piled up so far.
    pub const fn sum(&self) -> Nats {
        self.sum
    }

    /// Begins again at zero: after a gap in the stream.
    pub const fn reset(&mut self) {
        *self = Self::new();
    }
}

/// How far the field has moved from the held-out rows: running sums of scores since the start or the last
/// [`reset`](Self::reset).
///
/// The mean score of rows from p under the model q is H(p) + KL(p ‖ q). What it has grown by since calibration is
/// therefore how much farther the field is from the model than the held-out rows were, *plus* the change of the field's
/// own entropy, which no score tells apart: a machine that stands still may drift below zero.
///
/// Scores count up to the largest held-out one, in the field as in calibration. So one glitch of thousands of nats weighs as
/// one very odd row, the two means stay comparable, without drift the estimate is fair, and with drift it is, if
/// anything, too small.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Drift {
    rows: u32,
    /// Of scores minus the held-out mean, in units of 1/65536 nat.
    sum: i64,
    /// Of the same in units of 1/4096 nat, squared.
    squares: u64,
}

/// What a [`Drift`] has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Excess {
    /// The field's mean score minus that of held-out ordinary rows, in units of 1/65536 nat.
    pub raw: i32,
    /// Its standard error if rows are independent of each other, √(field's variance / its rows + held-out variance /
    /// held-out rows); [`Nats::IMPOSSIBLE`] for fewer than two rows of either.
    pub error: Nats,
    /// How many rows of the field it rests on.
    pub rows: u32,
}

impl Drift {
    /// No row yet.
    pub const fn new() -> Self {
        Self { rows: 0, sum: 0, squares: 0 }
    }

    /// Counts a score. Sums that are full, after 2³² rows or as many that are 16 nats off the mean, stay as they are.
    pub fn push(&mut self, detector: &Detector, score: Nats) {
        let difference = i64::from(score.min(detector.most).raw()) - i64::from(detector.entropy.raw());
        let coarse = ((difference + 8) >> 4).unsigned_abs();
        let sums =
            (self.rows.checked_add(1), self.sum.checked_add(difference), self.squares.checked_add(coarse * coarse));
        if let (Some(rows), Some(sum), Some(squares)) = sums {
            *self = Self { rows, sum, squares };
        }
    }

    /// How far the field has moved, and how sure that is.
    ///
    /// ```
    /// use surprisal::{Detector, Drift, Nats};
    /// let nats = |nats: u32| Nats::from_raw(nats << 16);
    /// let detector = Detector { rows: 1000, entropy: nats(8), deviation: nats(2), ..Detector::OFF };
    /// let mut drift = Drift::new();
    /// (0..100).for_each(|row| drift.push(&detector, nats(9 + 2 * (row % 2))));
    /// let excess = drift.excess(&detector);
    /// assert_eq!(format!("{excess}"), "2.000 ± 0.119 nats"); // √(1/99 + 4/1000)
    /// assert!(excess.is_drifted());
    /// ```
    pub fn excess(&self, detector: &Detector) -> Excess {
        let mean = self.sum.checked_div(self.rows.into()).unwrap_or(0);
        let square = self.squares.checked_div(self.rows.into()).unwrap_or(0);
        let mean_square = mean.unsigned_abs().saturating_mul(mean.unsigned_abs()) >> 8;
        // Both variances in units of 1/65536² nat²; one that leaves 64 bits is as large as can be.
        let variance = square.saturating_sub(mean_square).min(u64::MAX >> 8) << 8;
        let deviation = u64::from(detector.deviation.raw());
        let field = variance.checked_div(self.rows.saturating_sub(1).into());
        let held_out = (deviation * deviation).checked_div(if detector.rows < 2 { 0 } else { detector.rows.into() });
        let error = match (field, held_out) {
            (Some(field), Some(held_out)) => field.saturating_add(held_out).isqrt() as u32,
            _ => u32::MAX,
        };
        let raw = mean.clamp(i32::MIN.into(), i32::MAX.into()) as i32;
        Excess { raw, error: Nats::from_raw(error), rows: self.rows }
    }

    /// Forgets all rows.
    pub const fn reset(&mut self) {
        *self = Self::new();
    }
}

impl Excess {
    /// Below so many rows a mean is not near enough to normal to be judged.
    pub const FEWEST: u32 = 32;
    /// How many standard errors are taken for drift, on either side. Errors that large come once in 15,000 times that one
    /// looks at rows of an unchanged machine; who looks after every row, or at rows that resemble their neighbours,
    /// sees them more often.
    pub const STANDARD_ERRORS: u32 = 4;

    /// Has the machine changed: is the excess, up or down, more than [`STANDARD_ERRORS`](Self::STANDARD_ERRORS) of its
    /// errors, on at least [`FEWEST`](Self::FEWEST) rows?
    pub const fn is_drifted(&self) -> bool {
        self.rows >= Self::FEWEST
            && self.raw.unsigned_abs() as u64 > Self::STANDARD_ERRORS as u64 * self.error.raw() as u64
    }

    /// The sign and the size of the excess.
    fn parts(&self) -> (&'static str, Nats) {
        (if self.raw < 0 { "-" } else { "" }, Nats::from_raw(self.raw.unsigned_abs()))
    }
}

/// As in "0.812 ± 0.103 nats".
impl fmt::Display for Excess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, nats) = self.parts();
        write!(f, "{sign}{nats} ± {} nats", self.error)
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for Excess {
    fn format(&self, f: defmt::Formatter<'_>) {
        let (sign, nats) = self.parts();
        defmt::write!(f, "{=str}{} ± {}", sign, nats, self.error);
    }
}

/// The mean over the last W scores.
///
/// ```
/// use surprisal::{Nats, Recent};
/// let mut recent = Recent::<2>::new();
/// [1, 4, 6].map(|nats| recent.push(Nats::from_raw(nats << 16)));
/// assert_eq!(recent.mean(), Some(Nats::from_raw(5 << 16)));
/// ```
#[cfg(feature = "heapless")]
#[derive(Clone, Debug, Default)]
pub struct Recent<const W: usize> {
    scores: Deque<Nats, W>,
    /// Of all of them, exactly.
    sum: u64,
}

#[cfg(feature = "heapless")]
impl<const W: usize> Recent<W> {
    /// No score yet.
    pub const fn new() -> Self {
        Self { scores: Deque::new(), sum: 0 }
    }

    /// Takes a score in, and the oldest out if there are W already.
    pub fn push(&mut self, score: Nats) {
        if self.scores.is_full() {
            let oldest = self.scores.pop_front().unwrap_or(Nats::ZERO);
            self.sum = self.sum.saturating_sub(oldest.raw().into());
        }
        if self.scores.push_back(score).is_ok() {
            self.sum = self.sum.saturating_add(score.raw().into());
        }
    }

    /// Their mean, rounded down; of fewer than W if there were no more, and `None` before the first.
    pub fn mean(&self) -> Option<Nats> {
        self.sum.checked_div(self.scores.len() as u64).map(|mean| Nats::from_raw(mean as u32))
    }

    /// Forgets them: after a gap in the stream.
    pub fn reset(&mut self) {
        *self = Self::new();
    }
}
