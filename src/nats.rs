//! Surprisal in nats, as an integer.

use core::fmt;
use core::iter::Sum;
use core::ops::{Add, AddAssign};

/// log2 of the units per nat, which [`Nats`] and [`Logit`](crate::Logit) share: 65536 units are one nat.
pub(crate) const FRACTION: u32 = 16;

/// A surprisal, -ln of a probability, in units of 1/65536 nat. Sums saturate at [`Nats::IMPOSSIBLE`].
///
/// A bit adds at most 11.1 nats and a row has at most 4096 bits, so the sum over the bits of a row never saturates.
///
/// ```
/// use surprisal::Nats;
/// let nats = Nats::from_raw(3 * 65536 / 2);
/// assert_eq!(format!("{nats}"), "1.500");
/// assert_eq!(Nats::IMPOSSIBLE + nats, Nats::IMPOSSIBLE);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nats(u32);

impl Nats {
    /// The surprisal of a certain event: zero.
    pub const ZERO: Self = Self(0);
    /// The largest value. It stands for the infinite surprisal of an event that contradicts a constraint. As a
    /// threshold it means "never", because no score exceeds it.
    pub const IMPOSSIBLE: Self = Self(u32::MAX);

    /// ln 65536: the surprisal of a bit value with probability 1/65536, the smallest mass. Only a bit that contradicts
    /// its constraint has a larger surprisal, [`IMPOSSIBLE`](Self::IMPOSSIBLE).
    pub const RAREST: Self = Self(726_817);

    /// Creates a surprisal from units of 1/65536 nat.
    pub const fn from_raw(raw: u32) -> Self {
        Self(raw)
    }

    /// Returns -ln(mass / 65536) for a mass in 1..=65536, to within 1.5 units of 1/65536 nat. Other masses count as
    /// the nearest mass of that range. A larger mass never has a larger surprisal.
    ///
    /// The logarithm of the mass without its power of two is linear between 129 points.
    ///
    /// ```
    /// use surprisal::Nats;
    /// assert_eq!(Nats::of_mass(65536), Nats::ZERO);
    /// assert_eq!(Nats::of_mass(32768), Nats::from_raw(45426)); // ln 2
    /// assert_eq!(Nats::of_mass(1), Nats::RAREST);
    /// ```
    #[inline]
    pub fn of_mass(mass: u32) -> Self {
        Self::of_valid_mass(mass.clamp(1, 1 << FRACTION))
    }

    /// Returns what [`of_mass`](Self::of_mass) returns for a mass in 1..=65536, and any number for other masses.
    #[inline]
    pub(crate) fn of_valid_mass(mass: u32) -> Self {
        let halvings = mass.leading_zeros().wrapping_sub(31 - FRACTION);
        // 65536 to 131071, whose upper 7 bits after the highest bit select two points, and whose lower 9 bits divide them.
        let scaled = mass << (halvings & 31);
        let (at, part) = ((scaled >> 9 & 127) as usize, scaled & 511);
        let point = |at: usize| LOGARITHMS.get(at).map_or(0, |&log| u32::from(log));
        let (from, to) = (point(at), point(at + 1));
        let log = from + (to.wrapping_sub(from).wrapping_mul(part) >> 9);
        // ln 2 in units of 1/64 of the unit, so that 16 halvings round once. The half of 16 halvings rounds down.
        Self(((halvings * 2_907_270 + 31) >> 6).wrapping_sub(log))
    }

    /// Returns the surprisal in units of 1/65536 nat.
    pub const fn raw(self) -> u32 {
        self.0
    }

    /// Returns the surprisal in thousandths of a nat, rounded, for printing without floating point.
    pub const fn millinats(self) -> u32 {
        // 1000/65536 = 125/8192; split so that no product leaves 32 bits.
        let whole = (self.0 >> FRACTION) * 1000;
        whole + (((self.0 & 0xFFFF) * 125 + 4096) >> 13)
    }

    /// Returns the sum of two surprisals without saturation, for sums that are known to fit 32 bits.
    pub(crate) const fn wrapping_add(self, other: Self) -> Self {
        Self(self.0.wrapping_add(other.0))
    }

    /// Returns this surprisal minus `other`, or zero if `other` is larger.
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

/// `[point]`: ln(1 + point/128) in units of 1/65536, for 129 points, rounded up except for the last one. A line between two
/// points lies below the logarithm, and is cut to a whole number; half a unit more makes up for both in the mean.
static LOGARITHMS: [u16; 129] = {
    let (mut table, mut at) = ([0; 129], 0);
    let mut left: &mut [u16] = &mut table;
    while let Some((entry, rest)) = left.split_first_mut() {
        // ln(1 + x) = 2 artanh(x / (2 + x)) = 2 (t + t³/3 + t⁵/5 + …), with t at most 1/3.
        let ratio = at as f64 / (256 + at) as f64;
        let (mut power, mut sum, mut odd) = (ratio, 0.0, 1);
        while odd < 40 {
            sum += power / odd as f64;
            power *= ratio * ratio;
            odd += 2;
        }
        let units = 2.0 * sum * 65536.0;
        *entry = if at == 128 { units as u16 } else { units as u16 + (units > 0.0) as u16 };
        left = rest;
        at += 1;
    }
    table
};

impl Add for Nats {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Nats {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sum for Nats {
    fn sum<I: Iterator<Item = Self>>(each: I) -> Self {
        each.fold(Self::ZERO, Add::add)
    }
}

/// Converts a surprisal to a float in nats, without rounding. Meant for hosts, because it links floating-point code.
impl From<Nats> for f64 {
    fn from(nats: Nats) -> Self {
        Self::from(nats.0) / 65536.0
    }
}

/// Prints a surprisal in nats with three decimals.
impl fmt::Display for Nats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let milli = self.millinats();
        write!(f, "{}.{:03}", milli / 1000, milli % 1000)
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for Nats {
    fn format(&self, f: defmt::Formatter<'_>) {
        let milli = self.millinats();
        defmt::write!(f, "{=u32}.{=u32:03} nats", milli / 1000, milli % 1000);
    }
}
