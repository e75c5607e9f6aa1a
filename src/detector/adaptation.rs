//! Adaptation: a slow, bounded correction of scores, for machines that age and seasons that change.

use super::{Detector, RowScore};
use crate::nats::Nats;

/// A slow, bounded correction of the scores of a stream, which subtracts the amount by which scores have risen over weeks. It
/// is off unless firmware uses it.
///
/// Both numbers of a [`RowScore`] get a correction c of their own, by exponential forgetting. With d, the deviation of the
/// calibration rows, c of the surprisal grows by clip(score - c - mean, ±2 d) / 2^[`log2_rows`](Self::log2_rows), and c of the
/// anomaly score by ±d / 2^log2_rows, towards the median (Robbins & Monro, *A Stochastic Approximation Method*, 1951). Then
/// |c| is limited to [`bound`](Self::bound). Outliers are clipped, so that c of a skewed surprisal settles a little below
/// zero. A detector without quantiles has no median, and the anomaly score is left as it is.
///
/// A fault is learned away as well if it lasts long enough, which is why the correction is slow and bounded. Each row moves
/// it by at most 2 d / 2^log2_rows. So a fault that raises scores by f keeps at least f - c, and c needs at least
/// 2^log2_rows · c / (2 d) rows to grow; a fault of more than the bound is never learned away whole.
///
/// ```
/// use surprisal::{Adaptation, Detector, Nats, RowScore};
/// let nats = |nats: u32| Nats::from_raw(nats << 16);
/// let detector = Detector { threshold: nats(9), entropy: nats(4), deviation: nats(1), ..Detector::OFF };
/// let mut adaptation = Adaptation::new(10, nats(2));
/// let mut score = |raw| adaptation.push(&detector, &RowScore::of(&detector, &[(0, nats(raw))]));
/// assert_eq!(score(4).nats, nats(4));
/// // A step of three nats: after 2^10 rows at most two of them are taken off, and never more.
/// let last = (0..10_000).map(|_| score(7)).last();
/// assert_eq!(last.map(|score| score.nats), Some(nats(5)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Adaptation {
    /// log2 of the number of rows over which scores are averaged: 1 to 24. At one row per second, 20 is twelve days.
    pub log2_rows: u8,
    /// The largest correction, in either direction.
    pub bound: Nats,
    /// The corrections of the surprisal and of the anomaly score, in units of 2^-32 nat.
    corrections: [i64; 2],
}

/// log2 of the units of corrections per unit of [`Nats`].
const FINER: u32 = 16;

impl Adaptation {
    /// Creates an adaptation that corrects nothing yet.
    pub const fn new(log2_rows: u8, bound: Nats) -> Self {
        Self { log2_rows, bound, corrections: [0; 2] }
    }

    /// Returns the score of a row after the correction, which is then updated. Pass the result to
    /// [`Monitor::push`](super::Monitor::push).
    ///
    /// [`RowScore::IMPOSSIBLE`] stays as it is, and so does the correction.
    pub fn push(&mut self, detector: &Detector, score: &RowScore) -> RowScore {
        if score.anomaly == Nats::IMPOSSIBLE {
            return *score;
        }
        let deviation = i64::from(detector.deviation.raw());
        let [mut nats, mut anomaly] = self.corrections;
        let clipped = |apart: i64| apart.clamp(-2 * deviation, 2 * deviation);
        let sign = |apart: i64| deviation * apart.signum();
        let corrected = RowScore {
            nats: self.step(&mut nats, score.nats, detector.entropy, clipped),
            anomaly: match detector.median() {
                Some(median) => self.step(&mut anomaly, score.anomaly, median, sign),
                None => score.anomaly,
            },
            ..*score
        };
        self.corrections = [nats, anomaly];
        corrected
    }

    /// Returns the present corrections of the surprisal and of the anomaly score, in units of 1/65536 nat. Store them if they
    /// have to outlive a restart.
    pub const fn corrections(&self) -> [i32; 2] {
        let [nats, anomaly] = self.corrections;
        [(nats >> FINER) as i32, (anomaly >> FINER) as i32]
    }

    /// Sets the corrections, for example to those from before a restart. They are limited to the bound.
    pub fn resume(&mut self, corrections: [i32; 2]) {
        self.corrections = corrections.map(|correction| self.limited(i64::from(correction) << FINER));
    }

    /// Returns a score after its correction, which is then updated.
    fn step(&self, correction: &mut i64, score: Nats, level: Nats, error: impl Fn(i64) -> i64) -> Nats {
        let whole = *correction >> FINER;
        let corrected = (i64::from(score.raw()) - whole).clamp(0, u32::MAX.into());
        let error = error(corrected - i64::from(level.raw()));
        *correction = self.limited(*correction + ((error << FINER) >> self.log2_rows.clamp(1, 24)));
        Nats::from_raw(corrected as u32)
    }

    fn limited(&self, correction: i64) -> i64 {
        let bound = i64::from(self.bound.raw().min(i32::MAX as u32)) << FINER;
        correction.clamp(-bound, bound)
    }
}
