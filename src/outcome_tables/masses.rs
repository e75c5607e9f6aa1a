//! A row of masses: the conditional distribution of one column of outcome tables.

use super::WHOLE;
use crate::nats::Nats;

/// The conditional distribution of one column: a row of masses.
#[derive(Clone, Copy, Debug)]
pub struct Masses<'t> {
    pub(super) sums: &'t [u16],
}

impl<'t> Masses<'t> {
    /// Returns the number of outcomes.
    pub const fn outcomes(&self) -> usize {
        self.sums.len() + 1
    }

    /// Returns (the sum of the masses of all smaller outcomes, the sum including this outcome), in units of 1/65536.
    /// An outcome past the last one counts as the last one.
    #[inline]
    pub fn bounds(&self, outcome: u8) -> (u32, u32) {
        let at = usize::from(outcome).min(self.sums.len());
        let high = self.sums.get(at).map_or(WHOLE, |&sum| sum.into());
        (at.checked_sub(1).and_then(|before| self.sums.get(before)).map_or(0, |&sum| sum.into()), high)
    }

    /// Returns the probability of an outcome, in units of 1/65536: a number in 1..=65536.
    #[inline]
    pub fn mass(&self, outcome: u8) -> u32 {
        let (low, high) = self.bounds(outcome);
        high.wrapping_sub(low)
    }

    /// Returns -ln(mass / 65536) of an outcome.
    #[inline]
    pub fn surprisal(&self, outcome: u8) -> Nats {
        Nats::of_valid_mass(self.mass(outcome))
    }

    /// Returns -ln of twice the smaller of P(at most this outcome) and P(at least this outcome), or zero if both exceed
    /// one half: the two-sided tail of the probability integral transform (Rosenblatt 1952). It is up to 0.06 nats too
    /// high, because the logarithm is linear between powers of two.
    pub fn tail(&self, outcome: u8) -> Nats {
        let (low, high) = self.bounds(outcome);
        tail(low, high)
    }

    /// Draws an outcome with exactly its probability, if `coin` is uniform in 0..=65535.
    pub fn decide(&self, coin: u16) -> u8 {
        self.first_above(|sum| sum <= coin.into())
    }

    /// Returns the first outcome for whose sum of masses `is_below` is false, by a binary search. The sum of an outcome
    /// includes all smaller outcomes; the last outcome has no sum that could be too small.
    #[inline]
    pub(crate) fn first_above(&self, is_below: impl Fn(u32) -> bool) -> u8 {
        self.sums.partition_point(|&sum| is_below(sum.into())) as u8
    }

    /// Returns the outcome with the largest mass, the smallest such outcome if there are several.
    pub fn mode(&self) -> u8 {
        self.likeliest().next().unwrap_or(0)
    }

    /// Yields all outcomes by falling mass, and outcomes of equal mass by their number. Each takes a pass over the row.
    pub(crate) fn likeliest(&self) -> impl Iterator<Item = u8> + use<'t> {
        let (sums, mut last) = (self.sums, None);
        core::iter::from_fn(move || {
            let (mut next, mut below): (Option<(u32, u8)>, _) = (None, 0);
            for (outcome, sum) in (0..=255).zip(sums.iter().map(|&sum| u32::from(sum)).chain([WHOLE])) {
                let mass = sum.wrapping_sub(below);
                below = sum;
                let is_left = last.is_none_or(|(least, at)| mass < least || mass == least && outcome > at);
                if is_left && next.is_none_or(|(most, _)| mass > most) {
                    next = Some((mass, outcome));
                }
            }
            last = next;
            next.map(|(_, outcome)| outcome)
        })
    }
}

/// Returns the [`tail`](Masses::tail) of an outcome, given its [bounds](Masses::bounds).
#[inline]
pub(crate) fn tail(low: u32, high: u32) -> Nats {
    let mass = (2 * high.min(WHOLE.wrapping_sub(low))).clamp(1, WHOLE);
    // 65536 / 2^halvings is the largest power of two that is at most the mass.
    let halvings = mass.leading_zeros().wrapping_sub(15);
    let octaves = (halvings << 16).wrapping_sub((mass << (halvings & 31)) & 0xFFFF);
    // 45426 is ln 2 in units of 1/65536.
    Nats::from_raw((octaves >> 6).wrapping_mul(45_426) >> 10)
}
