//! The link: logits become masses, masses become nats, all from one generated table.
//!
//! A logit z = ln(p/(1-p)) is first rounded to a grid of 1/32 nat, clamped to ±11. On that grid the table holds
//! the *mass* of the less likely outcome, m = round(65536 / (1 + e^|z|)) >= 1; the other outcome has 65536 - m.
//! Surprisal is -ln(mass / 65536) of that very mass, so what is scored is exactly what is sampled, and the
//! probabilities of all rows sum to one by construction.

use core::fmt;
use core::iter::Sum;
use core::ops::{Add, AddAssign};

pub(crate) mod steady;
mod table;

/// log2 of the fixed-point unit that [`Logit`] and [`Nats`] share: 65536 units are one nat.
const FRACTION: u32 = 16;
/// log2 of a grid step in those units: 2048 units are 1/32 nat.
const STEP: u32 = 11;

/// A share of a conditional's log-odds ln(p/(1-p)), in units of 1/65536 nat. Shares add up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Logit(i32);

impl Logit {
    /// A share that says nothing: even odds.
    pub const ZERO: Self = Self(0);

    /// `raw` in units of 1/65536 nat.
    pub const fn from_raw(raw: i32) -> Self {
        Self(raw)
    }

    /// In units of 1/65536 nat.
    pub const fn raw(self) -> i32 {
        self.0
    }

    /// The nearest grid point in steps of 1/32 nat, in -352..=352; a tie goes up.
    ///
    /// Everything below this line depends on the logit through its step alone.
    #[inline]
    pub const fn step(self) -> i32 {
        let step = self.rounded();
        const LAST: i32 = table::LAST as i32;
        if step > LAST {
            LAST
        } else if step < -LAST {
            -LAST
        } else {
            step
        }
    }

    /// The nearest grid point, which the table may not reach.
    #[inline]
    const fn rounded(self) -> i32 {
        ((self.0 >> (STEP - 1)) + 1) >> 1
    }

    /// The probability of a one.
    #[inline]
    pub fn mass(self) -> Mass {
        let step = self.step();
        let rare = entry(&table::RARE_MASS, step.unsigned_abs()).max(1);
        Mass(if step > 0 { rare.wrapping_neg() } else { rare })
    }

    /// -ln p(bit), from the table, within half a unit of 1/65536 nat for the mass it belongs to.
    ///
    /// ```
    /// use surprisal::{Logit, Nats};
    /// assert_eq!(Logit::ZERO.surprisal(true), Nats::from_raw(45426)); // ln 2
    /// ```
    #[inline]
    pub fn surprisal(self, bit: bool) -> Nats {
        // What speaks for the bit; of even odds the table holds the same either way.
        let towards = if bit { self.rounded() } else { -self.rounded() };
        if towards >= 0 {
            return Nats(u32::from(entry(&table::LIKELY_NATS, towards.min(table::LAST as i32) as u32)));
        }
        // Without rounding of the mass the two surprisals would differ by |z|; the table holds the rest.
        let at = towards.unsigned_abs().min(table::LAST as u32);
        let (likely, rest) = (entry(&table::LIKELY_NATS, at), entry(&table::RARE_REST, at));
        Nats(u32::from(likely).wrapping_add(at << STEP).wrapping_add_signed(i32::from(rest)))
    }
}

/// Shares add up without wrapping; a sum past the grid is clamped to it by [`Logit::step`] anyway.
impl Add for Logit {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

#[inline]
fn entry<T: Copy + Default>(table: &[T; table::LAST + 1], at: u32) -> T {
    table.get(at as usize).copied().unwrap_or_default()
}

/// The probability of a one: `m / 65536` with `m` in 1..=65535. A zero has the rest, which is at least 1 as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Mass(u16);

impl Mass {
    /// The mass of this outcome; the two outcomes add up to exactly 65536.
    ///
    /// ```
    /// let mass = surprisal::Logit::from_raw(3 << 16).mass();
    /// assert_eq!(mass.of(true) + mass.of(false), 65536);
    /// ```
    pub const fn of(self, bit: bool) -> u32 {
        if bit { self.0 as u32 } else { 65536 - self.0 as u32 }
    }

    /// Turns a uniform coin in 0..=65535 into a bit with exactly this probability.
    pub const fn decide(self, coin: u16) -> bool {
        coin < self.0
    }
}

/// Surprisal: -ln of a probability, in units of 1/65536 nat. Sums saturate at [`Nats::IMPOSSIBLE`].
///
/// A conditional costs at most 11.1 nats, so no row of fewer than 5,900 bits can saturate.
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
    /// The surprisal of what is certain.
    pub const ZERO: Self = Self(0);
    /// The largest value; stands for the surprisal of what a guard rules out, which is infinite. As a threshold it is
    /// never exceeded.
    pub const IMPOSSIBLE: Self = Self(u32::MAX);

    /// ln 65536: the surprisal of the smallest mass, which no conditional exceeds.
    pub const RAREST: Self = Self(726_817);

    /// `raw` in units of 1/65536 nat.
    pub const fn from_raw(raw: u32) -> Self {
        Self(raw)
    }

    /// In units of 1/65536 nat.
    pub const fn raw(self) -> u32 {
        self.0
    }

    /// In thousandths of a nat, rounded; for printing without floating point.
    pub const fn millinats(self) -> u32 {
        // 1000/65536 = 125/8192; split so that no product leaves 32 bits.
        let whole = (self.0 >> FRACTION) * 1000;
        whole + (((self.0 & 0xFFFF) * 125 + 4096) >> 13)
    }

    pub(crate) const fn wrapping_add(self, other: Self) -> Self {
        Self(self.0.wrapping_add(other.0))
    }

    /// What is left over `other`, or zero.
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

/// Exact: every value is a multiple of 1/65536. In the float world of a host.
impl From<Nats> for f64 {
    fn from(nats: Nats) -> Self {
        Self::from(nats.0) / 65536.0
    }
}

/// In nats with three decimals.
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
