//! Decimal numbers: real readings as whole multiples of a power of ten, in integers.

use crate::reading::{Reading, real_of};

/// Powers of ten: `[decimals]`.
const POWERS: [u32; 10] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000];
/// 2^64 / 10^decimals, rounded down, by which a multiplication divides: `[decimals]`. The first one is not used.
const RECIPROCALS: [u64; 10] = [
    0,
    u64::MAX / 10,
    u64::MAX / 100,
    u64::MAX / 1_000,
    u64::MAX / 10_000,
    u64::MAX / 100_000,
    u64::MAX / 1_000_000,
    u64::MAX / 10_000_000,
    u64::MAX / 100_000_000,
    u64::MAX / 1_000_000_000,
];
/// Stands for multiples that are far outside the range of an `i32`.
const FAR: i64 = 1 << 32;

/// Returns 10^decimals. Larger numbers of decimals count as 9.
fn power(decimals: u8) -> u32 {
    POWERS.get(usize::from(decimals)).copied().unwrap_or(1_000_000_000)
}

/// Returns `number` / 10^decimals, rounded down, without a division of 64 bits, which a core of 32 bits computes bit by bit.
fn quotient(number: u64, decimals: u8) -> u64 {
    if decimals == 0 {
        return number;
    }
    let power = u64::from(power(decimals));
    let reciprocal = RECIPROCALS.get(usize::from(decimals)).copied().unwrap_or(u64::MAX / 1_000_000_000);
    let product = ((u128::from(number) * u128::from(reciprocal)) >> 64) as u64;
    // It is one too small at most: the reciprocal lacks less than one, and the number is below 2^64.
    let rest = number.wrapping_sub(product.wrapping_mul(power));
    product.wrapping_add(u64::from(rest >= power))
}

/// Returns (magnitude, exponent of two, whether it is negative) of the bits of a finite number.
fn parts(bits: u32) -> (u32, i32, bool) {
    let exponent = (bits >> 23 & 0xFF) as i32;
    (bits & 0x7F_FFFF | u32::from(exponent > 0) << 23, exponent.max(1) - 150, bits >> 31 == 1)
}

impl Reading {
    /// The largest number of decimals of a reading in packets.
    pub const MOST_DECIMALS: u8 = 9;

    /// Returns the real number nearest to `steps` / 10^decimals, as the text with that many decimals is read: `(2340, 2)`
    /// is 23.4. More than 9 decimals count as 9.
    ///
    /// ```
    /// use surprisal::Reading;
    /// assert_eq!(Reading::from_decimal(-2345, 2), Reading::Real(-23.45));
    /// assert_eq!(Reading::Real(-23.45).to_decimal(2), Some(-2345));
    /// assert_eq!(Reading::Real(-23.456).to_decimal(2), None);
    /// ```
    #[inline(never)]
    pub fn from_decimal(steps: i32, decimals: u8) -> Self {
        let magnitude = u64::from(steps.unsigned_abs());
        if magnitude == 0 {
            return Self::Real(0.0);
        }
        let power = u64::from(power(decimals));
        let zeros = magnitude.leading_zeros();
        let scaled = magnitude << zeros;
        // At least 2^33, so that 24 bits and one for rounding are there.
        let quotient = quotient(scaled, decimals);
        let is_inexact = quotient.wrapping_mul(power) != scaled;
        let shift = 40_u32.wrapping_sub(quotient.leading_zeros()) & 63;
        let (kept, rest, half) = (quotient >> shift, quotient & ((1 << shift) - 1), 1 << shift >> 1);
        // To the nearest, and to even if two are equally near.
        let up = rest > half || rest == half && (is_inexact || kept & 1 == 1);
        let exponent = 150_u32.wrapping_add(shift).wrapping_sub(zeros);
        // A carry out of the 24 bits raises the exponent, as it should.
        let bits = (exponent << 23).wrapping_add(kept as u32 & 0x7F_FFFF).wrapping_add(u32::from(up));
        Self::Real(f32::from_bits(bits | u32::from(steps < 0) << 31))
    }

    /// Returns the number of steps of 10^-decimals for which [`from_decimal`](Self::from_decimal) returns this real number, or
    /// `None` if there is none, for example for negative zero. Takes no division.
    ///
    /// It is `None` as well for a few numbers that lie as far from the decimal number as another real number does.
    #[inline(never)]
    pub fn to_decimal(self, decimals: u8) -> Option<i32> {
        let Self::Real(value) = self else { return None };
        let bits = value.to_bits();
        let (magnitude, exponent, is_negative) = parts(bits);
        if magnitude == 0 {
            return (!is_negative).then_some(0);
        }
        let power = u64::from(power(decimals));
        // Below 2^54.
        let scaled = u64::from(magnitude) * power;
        let (steps, apart) = match exponent {
            // Infinities and NaNs have the exponent 105.
            8.. => return None,
            0..=7 => (scaled << exponent, 0),
            -55..=-1 => {
                let shift = exponent.unsigned_abs();
                let steps = (scaled + (1 << (shift - 1))) >> shift;
                (steps, scaled.abs_diff(steps << shift))
            }
            _ => return None,
        };
        // Within half the distance to the next real number, which is half as far below a power of two.
        let nearness = if magnitude == 1 << 23 { 4 } else { 2 };
        let steps = i32::try_from(steps).ok().filter(|_| apart * nearness < power)?;
        Some(if is_negative { -steps } else { steps })
    }

    /// Returns the fewest decimals, at least `least` and at most six, with which this reading is a number of at most seven
    /// digits, or `None` if there are none. An integer has `least`.
    pub(crate) fn decimals(self, least: u8) -> Option<u8> {
        let is_short = |&decimals: &u8| {
            steps(self, decimals)
                .is_some_and(|steps| matches!(self, Self::Integer(_)) || steps.unsigned_abs() < 10_000_000)
        };
        (least..=6).find(is_short)
    }

    /// Returns a decimal number less another one, as decimal numbers are subtracted, or `None` if one of them is none.
    pub(crate) fn less_decimal(self, offset: Self) -> Option<Self> {
        let decimals = self.decimals(offset.decimals(0)?)?;
        let steps = steps(self, decimals)?.checked_sub(steps(offset, decimals)?)?;
        Some(Self::from_decimal(steps, decimals))
    }
}

/// Returns a reading as steps of 10^-decimals. An integer is its own number of steps.
pub(crate) fn steps(reading: Reading, decimals: u8) -> Option<i32> {
    match reading {
        Reading::Integer(value) => Some(value),
        Reading::Real(value) if value.to_bits() << 1 == 0 => Some(0),
        _ => reading.to_decimal(decimals),
    }
}

/// Returns the largest number of steps of 10^-decimals that is at most the real number with this key in
/// [`total_order`](crate::total_order), or that is read as that number.
#[inline(never)]
pub(crate) fn floor(key: i32, decimals: u8) -> i64 {
    let Reading::Real(value) = real_of(key) else { return 0 };
    let (magnitude, exponent, is_negative) = parts(value.to_bits());
    // Half a unit in the last place more, so that a decimal number that was rounded down to this one counts.
    let doubled = 2 * i64::from(magnitude);
    scaled((if is_negative { -doubled } else { doubled }) + 1, exponent - 1, decimals)
}

/// Returns ⌊value · 2^exponent · 10^decimals⌋, and saturates far outside the range of an `i32`. The value has at most 33 bits.
#[inline(never)]
pub(crate) fn scaled(value: i64, exponent: i32, decimals: u8) -> i64 {
    let product = if decimals == 0 { value } else { value.saturating_mul(power(decimals).into()) };
    let scaled = match exponent {
        ..=0 => product >> exponent.unsigned_abs().min(63),
        _ if exponent.unsigned_abs() + 1 < product.unsigned_abs().leading_zeros() => product << exponent,
        _ => FAR * product.signum(),
    };
    scaled.clamp(-FAR, FAR)
}
