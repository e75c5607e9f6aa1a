//! Symbols without a model: numbers that are uniform over a range, and flags of a fixed probability.

use super::{Compressor, Decompressor};
use crate::logit::Mass;

/// A coder of symbols in either direction: a [`Compressor`] takes the given values, and a [`Decompressor`] ignores them and
/// returns the decoded ones. A function over this trait is therefore its own inverse.
pub(crate) trait Symbols {
    /// Whether the given values are known.
    const ENCODES: bool;

    /// Codes a number that is uniform in `0..count`, with `count` in 1..=65536. It takes log2(count) bits, and at most 2⁻⁷
    /// bit more.
    fn uniform(&mut self, value: u32, count: u32) -> u32;

    /// Codes a flag with this probability of being true.
    fn flag(&mut self, value: bool, mass: Mass) -> bool;

    /// Codes the low `bits` bits of a number, at most 48, each of which is as likely to be one as zero.
    #[inline(never)]
    fn bits(&mut self, value: u64, bits: u32) -> u64 {
        let (mut left, mut coded) = (bits, 0);
        while left > 0 {
            let few = left.min(16);
            left -= few;
            let part = (value >> left) as u32 & ((1 << few) - 1);
            coded = coded << few | u64::from(self.uniform(part, 1 << few));
        }
        coded
    }

    /// Codes a number that is uniform in `0..=last`.
    fn up_to(&mut self, value: u32, last: u32) -> u32 {
        // An interval is divided into at most 65536 parts. The low bits of larger numbers are coded apart.
        let low = 16_u32.saturating_sub(last.leading_zeros());
        let high = self.uniform(value.min(last) >> low, (last >> low) + 1);
        if low == 0 { high } else { (high << low | self.bits(value.into(), low) as u32).min(last) }
    }
}

/// Returns the width of one of `count` equal parts of an interval, without a division if `count` is a power of two.
fn share(range: u32, count: u32) -> u32 {
    if count.is_power_of_two() { range >> count.trailing_zeros() } else { range.checked_div(count).unwrap_or(range) }
}

impl<S: FnMut(u8)> Symbols for Compressor<S> {
    const ENCODES: bool = true;

    #[inline(never)]
    fn uniform(&mut self, value: u32, count: u32) -> u32 {
        let width = share(self.range, count);
        self.raise(width.wrapping_mul(value));
        self.range = width;
        self.widen();
        value
    }

    #[inline(never)]
    fn flag(&mut self, value: bool, mass: Mass) -> bool {
        self.push(value, mass);
        value
    }
}

impl<I: Iterator<Item = u8>> Symbols for Decompressor<I> {
    const ENCODES: bool = false;

    #[inline(never)]
    fn uniform(&mut self, _: u32, count: u32) -> u32 {
        let width = share(self.range, count);
        // Damaged bytes can point past the last part.
        let value = self.place.checked_div(width).unwrap_or(0).min(count.wrapping_sub(1));
        self.place = self.place.wrapping_sub(width.wrapping_mul(value));
        self.range = width;
        self.widen();
        value
    }

    #[inline(never)]
    fn flag(&mut self, _: bool, mass: Mass) -> bool {
        self.pull(mass)
    }
}
