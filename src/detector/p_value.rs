//! P-values: the share of normal rows whose anomaly scores are at least as large as a score.

use core::fmt;

use super::Detector;
use crate::nats::Nats;

/// A p-value: the share of normal rows with at least this anomaly score, in parts per million. Rare rows have small
/// p-values.
///
/// ```
/// use surprisal::PValue;
/// assert_eq!(format!("{}", PValue::from_ppm(2100)), "0.0021");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PValue(u32);

impl PValue {
    /// The p-value 1, of a score that every row reaches.
    pub const ONE: Self = Self(1_000_000);

    /// Creates a p-value from parts per million. Numbers above a million become 1.
    pub const fn from_ppm(ppm: u32) -> Self {
        if ppm < Self::ONE.0 { Self(ppm) } else { Self::ONE }
    }

    /// Returns the p-value in parts per million.
    pub const fn ppm(self) -> u32 {
        self.0
    }

    /// Writes the p-value to `space` as a decimal fraction with two significant digits, rounded up, and returns the
    /// text.
    fn text(self, space: &mut [u8; 8]) -> &str {
        let (mut left, mut unit) = (self.0, 1);
        while left >= 100 {
            (left, unit) = (left.div_ceil(10), unit * 10);
        }
        left *= unit;
        *space = *b"0.000000";
        for digit in space.iter_mut().skip(2).rev() {
            *digit += (left % 10) as u8;
            left /= 10;
        }
        if left > 0 {
            return "1";
        }
        // Strips zeros at the end, and the point if nothing follows it.
        let left_out = match space.iter().rev().take_while(|&&digit| digit == b'0').count() {
            6 => 7,
            zeros => zeros,
        };
        space.get(..8 - left_out).and_then(|digits| core::str::from_utf8(digits).ok()).unwrap_or("0")
    }
}

/// Prints the p-value with two significant digits, rounded up, as in 0.43 or 0.0021.
impl fmt::Display for PValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text(&mut [0; 8]))
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for PValue {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "{=str}", self.text(&mut [0; 8]));
    }
}

/// The largest number of p-value levels, which only very many calibration rows support.
pub(super) const LEVELS: u32 = 54;

/// Returns the p-value of level number `at`, in ppm: from 31/32 to 1/32 in steps of 1/32, then two levels per halving,
/// down to 11 ppm.
const fn level(at: u32) -> u32 {
    const STEP: u32 = PValue::ONE.0 / 32;
    match at {
        0..31 => (31 - at) * STEP,
        _ if at % 2 == 1 => (STEP * 3 / 2) >> ((at - 29) / 2),
        _ => STEP >> ((at - 30) / 2),
    }
}

/// Returns the number of levels that `rows` calibration rows support.
pub(super) const fn level_count(rows: u32) -> usize {
    let mut count = 0;
    while count < LEVELS && rank(level(count), rows) > 0 {
        count += 1;
    }
    count as usize
}

/// The position of the level 1/2 among the levels.
const MEDIAN: usize = 15;

impl Detector<'_> {
    /// Returns the median anomaly score of normal rows, or `None` without quantiles.
    pub(super) fn median(&self) -> Option<Nats> {
        self.quantiles.get(MEDIAN).map(|&median| Nats::from_raw(median))
    }

    /// Yields (level, rank k of its quantile) for each p-value level that `rows` calibration rows support, in falling
    /// order of the levels.
    ///
    /// The quantile of a level is the k-th largest anomaly score of the calibration rows, k = ⌊level · (rows + 1)⌋.
    /// Levels below 1 / (rows + 1) are not supported.
    ///
    /// ```
    /// use surprisal::{Detector, PValue};
    /// let levels: Vec<_> = Detector::levels(99).collect();
    /// assert_eq!(levels[0], (PValue::from_ppm(968_750), 96));
    /// assert_eq!(levels.last(), Some(&(PValue::from_ppm(11_718), 1)));
    /// ```
    pub fn levels(rows: u32) -> impl Iterator<Item = (PValue, u32)> {
        (0..LEVELS).map(move |at| (PValue(level(at)), rank(level(at), rows))).take_while(|&(_, rank)| rank > 0)
    }

    /// Returns the conformal p-value of an anomaly score, or 1 if the table has no quantiles.
    ///
    /// For each level p of the [`levels`](Self::levels), a fresh row that is exchangeable with the calibration rows has
    /// a p-value of at most p with probability at most p (Vovk, Gammerman & Shafer, *Algorithmic Learning in a Random
    /// World*, 2005). The p-value is at most a level exactly if the score exceeds the level's quantile. Between
    /// quantiles it is interpolated linearly and rounded up. Below the first quantile it grows to 1 over one and a half
    /// times the gap between the first two quantiles. Above the last quantile, of rank k, it is k / (rows + 1), where k
    /// is 1 or little more up to some 100,000 rows.
    ///
    /// ```
    /// use surprisal::{Detector, Nats, PValue};
    /// // 31 calibration rows with the scores 1, 2, … 31.
    /// let quantiles: Vec<u32> = Detector::levels(31).map(|(_, k)| 32 - k).collect();
    /// let detector = Detector { rows: 31, quantiles: &quantiles, ..Detector::OFF };
    /// assert_eq!(detector.p_value(Nats::from_raw(16)), PValue::from_ppm(531_250)); // (16 + 1) / 32
    /// assert_eq!(detector.p_value(Nats::from_raw(32)), PValue::from_ppm(31_250));
    /// ```
    pub fn p_value(&self, score: Nats) -> PValue {
        let raw = score.raw();
        // No score is near zero, so a line from zero to the first quantile would leave no p-values close to one.
        let lowest = |&[first, second]: &[u32; 2]| {
            let gap = second.saturating_sub(first);
            first.saturating_sub(gap.saturating_add(gap / 2))
        };
        let mut from = self.quantiles.first_chunk().map_or(0, lowest);
        let mut last = PValue::ONE.0;
        for (at, &quantile) in (0..LEVELS).zip(self.quantiles) {
            if raw <= quantile {
                let fall = u64::from(last.saturating_sub(level(at)));
                // The fall is not complete at the quantile itself, because a score at the quantile does not exceed it.
                let fallen =
                    fall * u64::from(raw.saturating_sub(from)) / (u64::from(quantile.saturating_sub(from)) + 1);
                return PValue(last - fallen as u32);
            }
            (last, from) = (level(at), quantile.saturating_add(1));
        }
        let beyond = u64::from(rank(last, self.rows)) * u64::from(PValue::ONE.0);
        PValue(beyond.div_ceil(u64::from(self.rows) + 1) as u32)
    }
}

/// Returns the rank of a level (in ppm), ⌊level · (rows + 1) / 10⁶⌋, saturating at the largest `u32`.
pub(super) const fn rank(level: u32, rows: u32) -> u32 {
    let exact = level as u64 * (rows as u64 + 1) / PValue::ONE.0 as u64;
    // Only 2³² - 1 rows at a level of 1 exceed 32 bits.
    if exact > u32::MAX as u64 { u32::MAX } else { exact as u32 }
}
