//! A soft maximum of many surprisals, in a few instructions per surprisal and without multiplications.

use crate::nats::Nats;

/// log2 of the units per octave, as in [`Nats`] per nat.
const FRACTION: u32 = 16;

/// The soft maximum T log2 Σ 2^(x / T) of the amounts x by which surprisals exceed their baselines, plus a level that
/// makes it positive. T is a power of two.
///
/// Powers and the logarithm are linear between integers (Mitchell, *Computer Multiplication and Division Using Binary
/// Logarithms*, 1962). These two approximations are each other's inverse, so that the soft maximum of one number is that
/// number; of several numbers it differs from the formula by at most 0.09 T.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SoftMaximum {
    log2_temperature: u32,
    /// The level, which is added to every number, in units of 1/65536 nat.
    level: u32,
    /// The largest integer part of x / T so far.
    octave: u32,
    /// The sum of the powers, in units of 2^(octave - 16).
    sum: u32,
}

impl SoftMaximum {
    /// Creates the soft maximum of no numbers. `level` is at least every baseline.
    pub(crate) fn new(log2_temperature: u32, level: Nats) -> Self {
        Self { log2_temperature: log2_temperature.min(31), level: level.raw(), octave: 0, sum: 0 }
    }

    /// Adds the amount by which a surprisal exceeds its baseline.
    #[inline]
    pub(crate) fn push(&mut self, nats: Nats, baseline: Nats) {
        // The baseline is at most the level, and a surprisal is less than 2^24.
        let shifted = nats.raw().wrapping_add(self.level.wrapping_sub(baseline.raw()));
        let share = shifted >> self.log2_temperature;
        let (octave, power) = (share >> FRACTION, share & ((1 << FRACTION) - 1) | 1 << FRACTION);
        // Two powers below 2^17 for each of 4096 columns add up to at most 2^30.
        self.sum = if octave > self.octave {
            let rise = octave - self.octave;
            self.octave = octave;
            (self.sum >> rise.min(31)).wrapping_add(power)
        } else {
            self.sum.wrapping_add(power >> (self.octave - octave).min(31))
        };
    }

    /// Returns the soft maximum, or zero of no numbers.
    pub(crate) fn finish(&self) -> Nats {
        let Some(top) = self.sum.checked_ilog2() else { return Nats::ZERO };
        // The sum is at least 2^16, as the largest power is in it undivided.
        let above = top.saturating_sub(FRACTION);
        let fraction = (self.sum >> above) & ((1 << FRACTION) - 1);
        let octaves = u64::from(self.octave + above) << FRACTION | u64::from(fraction);
        Nats::from_raw(u32::try_from(octaves << self.log2_temperature).unwrap_or(u32::MAX))
    }
}
