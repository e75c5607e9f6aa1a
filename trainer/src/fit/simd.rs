//! Vectorised functions of `f32`. No sum depends on the width of the processor's vectors, so that results are
//! bit-identical on every machine.

use std::ops::{Deref, DerefMut};

/// Number of `f32` in the widest vector register.
pub const WIDTH: usize = 16;

/// A vector of `f32` that is aligned to a cache line, so that no load crosses two lines.
#[derive(Debug, Default)]
pub struct AlignedFloats {
    floats: Vec<f32>,
    first: usize,
    len: usize,
}

impl AlignedFloats {
    /// Returns an aligned vector of `len` zeros.
    pub fn zeros(len: usize) -> Self {
        let mut zeros = Self::default();
        zeros.reset(len);
        zeros
    }

    /// Returns an aligned copy of a slice.
    pub fn of(floats: &[f32]) -> Self {
        let mut aligned = Self::zeros(floats.len());
        aligned.copy_from_slice(floats);
        aligned
    }

    /// Resizes the vector to `len` and sets all elements to zero.
    pub fn reset(&mut self, len: usize) {
        self.resize_stale(len);
        self.fill(0.0);
    }

    /// Resizes the vector to `len` elements of unspecified value.
    pub fn resize_stale(&mut self, len: usize) {
        if self.floats.len() < len + WIDTH {
            self.floats = vec![0.0; len + WIDTH];
            // If the alignment fails, loads are slower and results the same.
            self.first = self.floats.as_ptr().align_offset(4 * WIDTH).min(WIDTH);
        }
        self.len = len;
    }
}

impl Deref for AlignedFloats {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.floats[self.first..][..self.len]
    }
}

impl DerefMut for AlignedFloats {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.floats[self.first..][..self.len]
    }
}

/// Returns the sum of the first 16 elements of `a`, added in a fixed order: repeatedly one half to the other.
#[inline(always)]
pub fn sum(a: &[f32]) -> f32 {
    let mut eight = [0.0; 8];
    for k in 0..8 {
        eight[k] = a[k] + a[k + 8];
    }
    let four = [eight[0] + eight[4], eight[1] + eight[5], eight[2] + eight[6], eight[3] + eight[7]];
    (four[0] + four[2]) + (four[1] + four[3])
}

/// Returns eˣ for x <= 0, within 2 units in the last place; about zero for x below -87.
///
/// With x = k·ln 2 + r and |r| <= ln 2 / 2, e^r is computed by its Taylor polynomial of degree 7 (relative error below
/// 5e-9).
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    /// Constant whose addition and subtraction rounds a number to an integer.
    const ROUND: f32 = 12_582_912.0;
    let x = x.max(-87.0);
    let rounded = x.mul_add(std::f32::consts::LOG2_E, ROUND);
    let k = rounded - ROUND;
    // ln 2 is split into two constants. The first ends in zero bits, so that its product with k is exact.
    let r = k.mul_add(-0.693_359_4, x);
    let r = k.mul_add(2.121_944_4e-4, r);
    let mut p = 1.984_127e-4;
    for coefficient in [1.388_888_9e-3, 8.333_334e-3, 4.166_666_8e-2, 0.166_666_67, 0.5, 1.0, 1.0] {
        p = r.mul_add(p, coefficient);
    }
    // The low bits of `rounded` are k, the exponent of the power of two.
    p * f32::from_bits((rounded.to_bits() << 23).wrapping_add(127 << 23))
}

/// Returns (probability of a one, ln of the probability of `bit`) under a logit in nats; `bit` is 0 or 1.
///
/// ln(1 + e) = 2·artanh(e / (2 + e)), whose series is cut after the 11th power; for e <= 1 the error is below 2e-7.
#[inline(always)]
pub fn bernoulli(logit: f32, bit: f32) -> (f32, f32) {
    let e = exp(-logit.abs());
    // One division is enough for the two quotients e / (1 + e) and e / (2 + e).
    let both = e / ((1.0 + e) * (2.0 + e));
    let rare = both * (2.0 + e);
    let p = if logit > 0.0 { 1.0 - rare } else { rare };
    let t = both * (1.0 + e);
    let square = t * t;
    let mut series = 2.0 / 11.0;
    for coefficient in [2.0 / 9.0, 2.0 / 7.0, 2.0 / 5.0, 2.0 / 3.0, 2.0] {
        series = square.mul_add(series, coefficient);
    }
    let signed = if bit > 0.5 { logit } else { -logit };
    (p, signed.min(0.0) - t * series)
}
