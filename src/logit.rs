//! The link: logits become masses, and masses become nats, all from one generated table.
//!
//! A logit z = ln(p/(1-p)) is first rounded to a grid of 1/32 nat and clamped to ±11 nats. On that grid the table holds
//! the *mass* of the less likely outcome, m = round(65536 / (1 + e^|z|)) >= 1; the other outcome has 65536 - m.
//! Surprisal is -ln(mass / 65536) of that very mass. So scoring and sampling use the same probabilities, and the
//! probabilities of all rows add up to one by construction.

use core::ops::Add;

use crate::nats::Nats;

mod table;

/// log2 of a grid step in units of 1/65536 nat: 2048 units are 1/32 nat.
const STEP: u32 = 11;

/// A summand of a conditional's log-odds ln(p/(1-p)), in units of 1/65536 nat. The logits of several terms add up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Logit(i32);

impl Logit {
    /// Even odds: the neutral summand.
    pub const ZERO: Self = Self(0);

    /// Creates a logit from units of 1/65536 nat.
    pub const fn from_raw(raw: i32) -> Self {
        Self(raw)
    }

    /// Returns the logit in units of 1/65536 nat.
    pub const fn raw(self) -> i32 {
        self.0
    }

    /// Returns the nearest grid point in steps of 1/32 nat, in -352..=352. A tie rounds up.
    ///
    /// Masses and surprisals depend on the logit through this step alone.
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

    /// Returns the nearest grid point, which may lie beyond the end of the table.
    #[inline]
    const fn rounded(self) -> i32 {
        ((self.0 >> (STEP - 1)) + 1) >> 1
    }

    /// Returns the probability of a one.
    #[inline]
    pub fn mass(self) -> Mass {
        let step = self.step();
        let rare = entry(&table::RARE_MASS, step.unsigned_abs()).max(1);
        Mass(if step > 0 { rare.wrapping_neg() } else { rare })
    }

    /// Returns -ln p(bit) from the table, exact to half a unit of 1/65536 nat for the mass of the bit.
    ///
    /// ```
    /// use surprisal::{Logit, Nats};
    /// assert_eq!(Logit::ZERO.surprisal(true), Nats::from_raw(45426)); // ln 2
    /// ```
    #[inline]
    pub fn surprisal(self, bit: bool) -> Nats {
        // The logit of this very bit; at even odds the table holds the same value for both.
        let towards = if bit { self.rounded() } else { -self.rounded() };
        if towards >= 0 {
            return Nats::from_raw(u32::from(entry(&table::LIKELY_NATS, towards.min(table::LAST as i32) as u32)));
        }
        // Without rounding of the mass the two surprisals would differ by |z|; the table holds the rest.
        let at = towards.unsigned_abs().min(table::LAST as u32);
        let (likely, rest) = (entry(&table::LIKELY_NATS, at), entry(&table::RARE_REST, at));
        Nats::from_raw(u32::from(likely).wrapping_add(at << STEP).wrapping_add_signed(i32::from(rest)))
    }
}

/// Adds without wrapping. [`Logit::step`] clamps a sum past the grid anyway.
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

/// The probability of a one: `m / 65536` with `m` in 1..=65535. A zero has the remaining mass, which is at least 1 as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Mass(u16);

impl Mass {
    /// Returns the mass of an outcome, in 1..=65535. The masses of the two outcomes add up to exactly 65536.
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
