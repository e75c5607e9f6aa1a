//! How rare a score is among ordinary rows.

use core::fmt;

use super::Detector;
use crate::link::Nats;

/// The share of ordinary rows that score at least as high, in parts per million: small for what is rare.
///
/// ```
/// use surprisal::PValue;
/// assert_eq!(format!("{}", PValue::from_ppm(2100)), "0.0021");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PValue(u32);

impl PValue {
    /// Every row scores that high.
    pub const ONE: Self = Self(1_000_000);

    /// In parts per million; more than a million are taken for one.
    pub const fn from_ppm(ppm: u32) -> Self {
        if ppm < Self::ONE.0 { Self(ppm) } else { Self::ONE }
    }

    /// In parts per million.
    pub const fn ppm(self) -> u32 {
        self.0
    }

    /// Writes two digits of it, rounded up, as a decimal fraction.
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
        // Without zeros at the end, and without the point if nothing is behind it.
        let left_out = match space.iter().rev().take_while(|&&digit| digit == b'0').count() {
            6 => 7,
            zeros => zeros,
        };
        space.get(..8 - left_out).and_then(|digits| core::str::from_utf8(digits).ok()).unwrap_or("0")
    }
}

/// Two digits, rounded up: 0.43, 0.0021.
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

/// How many levels there are at most.
const LEVELS: u32 = 54;

/// From 31/32 to 1/32 in steps of that, then two a halving, down to 11 parts per million.
const fn level(at: u32) -> u32 {
    const STEP: u32 = PValue::ONE.0 / 32;
    match at {
        0..31 => (31 - at) * STEP,
        _ if at % 2 == 1 => (STEP * 3 / 2) >> ((at - 29) / 2),
        _ => STEP >> ((at - 30) / 2),
    }
}

impl Detector<'_> {
    /// The levels that `rows` held-out rows tell, falling, each with the rank k of its quantile: the k-th largest
    /// score, k = ⌊level · (rows + 1)⌋. Levels below 1 / (rows + 1) are not told.
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

    /// The conformal p-value of a score: a fresh row that is exchangeable with the held-out ones has a p-value of at
    /// most p with probability at most p, at each of the [`levels`](Self::levels) (Vovk, Gammerman & Shafer,
    /// *Algorithmic Learning in a Random World*, 2005). It is at most a level exactly if the score exceeds its quantile.
    /// Between levels it is interpolated on a line, and rounded up; below the first quantile it is taken to reach one as far
    /// down as one and a half times the way to the second; beyond the last quantile it is the share of
    /// held-out rows there with the row itself among them, 1 / (rows + 1) or little more.
    ///
    /// ```
    /// use surprisal::{Detector, Nats, PValue};
    /// // 31 held-out rows, which scored 1, 2, … 31.
    /// let quantiles: Vec<u32> = Detector::levels(31).map(|(_, k)| 32 - k).collect();
    /// let detector = Detector { rows: 31, quantiles: &quantiles, ..Detector::OFF };
    /// assert_eq!(detector.p_value(Nats::from_raw(16)), PValue::from_ppm(531_250)); // (16 + 1) / 32
    /// assert_eq!(detector.p_value(Nats::from_raw(32)), PValue::from_ppm(31_250));
    /// ```
    pub fn p_value(&self, score: Nats) -> PValue {
        let raw = score.raw();
        // No score is near zero, so that a line from there would leave p-values near the first level alone.
        let lowest = |&[first, second]: &[u32; 2]| {
            let way = second.saturating_sub(first);
            first.saturating_sub(way.saturating_add(way / 2))
        };
        let mut from = self.quantiles.first_chunk().map_or(0, lowest);
        let mut last = PValue::ONE.0;
        for (at, &quantile) in (0..LEVELS).zip(self.quantiles) {
            if raw <= quantile {
                let fall = u64::from(last.saturating_sub(level(at)));
                // Less than the whole fall, as the quantile itself does not exceed itself.
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

/// ⌊level · (rows + 1)⌋.
const fn rank(level: u32, rows: u32) -> u32 {
    let exact = level as u64 * (rows as u64 + 1) / PValue::ONE.0 as u64;
    // Only one more than all of 2³² rows would leave 32 bits.
    if exact > u32::MAX as u64 { u32::MAX } else { exact as u32 }
}
