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
