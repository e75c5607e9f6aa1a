//! Logits to masses and surprisals, by the generated link table.
//!
//! A logit z = ln(p/(1-p)) is first rounded to a grid of 1/32 nat and clamped to ±11 nats. On that grid the link table
//! holds the *mass* of the less likely outcome, m = max(1, round(65536 / (1 + e^|z|))); the other outcome has 65536 -
//! m. The surprisal of an outcome is -ln(mass / 65536), computed from the rounded mass. So scoring and sampling use the
//! same probabilities, and the probabilities of all rows add up to one by construction.

use core::ops::Add;

use crate::nats::Nats;

mod table;

/// log2 of a grid step in units of 1/65536 nat: 2048 units are 1/32 nat.
const STEP: u32 = 11;

/// The log-odds ln(p/(1-p)) of a one, or one summand of the log-odds, in units of 1/65536 nat. The logits of terms add
/// up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Logit(i32);

impl Logit {
    /// The logit 0, of probability ½. Adding it changes no logit.
    pub const ZERO: Self = Self(0);

    /// Creates a logit from units of 1/65536 nat.
    pub const fn from_raw(raw: i32) -> Self {
        Self(raw)
    }

    /// Returns the logit in units of 1/65536 nat.
    pub const fn raw(self) -> i32 {
        self.0
    }

    /// Returns the nearest grid point in steps of 1/32 nat, clamped to -352..=352. A tie rounds up.
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

    /// Returns the nearest grid point in steps of 1/32 nat, without clamping it to the link table.
    #[inline]
    const fn rounded(self) -> i32 {
        ((self.0 >> (STEP - 1)) + 1) >> 1
    }

    /// Returns the probability of a one, in units of 1/65536, from the link table.
    #[inline]
    pub fn mass(self) -> Mass {
        let step = self.step();
        let rare = entry(&table::RARE_MASS, step.unsigned_abs()).max(1);
        Mass(if step > 0 { rare.wrapping_neg() } else { rare })
    }

    /// Returns -ln p(bit) with p(bit) the bit's [`mass`](Self::mass) / 65536, to within half a unit of 1/65536 nat.
    ///
    /// ```
    /// use surprisal::{Logit, Nats};
    /// assert_eq!(Logit::ZERO.surprisal(true), Nats::from_raw(45426)); // ln 2
    /// ```
    #[inline]
    pub fn surprisal(self, bit: bool) -> Nats {
        // The logit of the bit's own value; at even odds the table holds the same surprisal for both.
        let towards = if bit { self.rounded() } else { -self.rounded() };
        if towards >= 0 {
            return Nats::from_raw(u32::from(entry(&table::LIKELY_NATS, towards.min(table::LAST as i32) as u32)));
        }
        // With exact masses the two surprisals would differ by |z|; the table holds the error of this rule.
        let at = towards.unsigned_abs().min(table::LAST as u32);
        let (likely, rest) = (entry(&table::LIKELY_NATS, at), entry(&table::RARE_REST, at));
        Nats::from_raw(u32::from(likely).wrapping_add(at << STEP).wrapping_add_signed(i32::from(rest)))
    }
}

/// Returns the sum of two logits, saturating at the ends of `i32`. That changes no mass, because [`Logit::step`] clamps
/// far earlier.
impl Add for Logit {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

/// Returns element `at` of an array of the link table, or zero past its end.
#[inline]
fn entry<T: Copy + Default>(table: &[T; table::LAST + 1], at: u32) -> T {
    table.get(at as usize).copied().unwrap_or_default()
}

/// The probability of a one, m / 65536 with m in 1..=65535. A zero has mass 65536 - m, which is at least 1 as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Mass(u16);

impl Mass {
    /// Creates the probability `mass` / 65536, for a mass in 1..=65535.
    pub(crate) const fn new(mass: u16) -> Self {
        Self(mass)
    }

    /// Returns the mass of this value of the bit, in 1..=65535. The masses of both values add up to exactly 65536.
    ///
    /// ```
    /// let mass = surprisal::Logit::from_raw(3 << 16).mass();
    /// assert_eq!(mass.of(true) + mass.of(false), 65536);
    /// ```
    pub const fn of(self, bit: bool) -> u32 {
        if bit { self.0 as u32 } else { 65536 - self.0 as u32 }
    }

    /// Draws a bit: returns true with exactly this probability if `coin` is uniform in 0..=65535.
    pub const fn decide(self, coin: u16) -> bool {
        coin < self.0
    }
}
