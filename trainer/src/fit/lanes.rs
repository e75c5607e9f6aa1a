//! Floats by the vector. Sums are added up in an order that does not depend on how many lanes the processor's vectors have,
//! so that the result is the same to the last bit on every machine.

use std::ops::{Deref, DerefMut};

/// As many lanes as the widest vectors.
pub const WIDTH: usize = 16;

/// Floats that begin at a cache line, so that no vector lies across two.
#[derive(Debug, Default)]
pub struct Aligned {
    floats: Vec<f32>,
    first: usize,
    len: usize,
}

impl Aligned {
    /// Zeros.
    pub fn zeros(len: usize) -> Self {
        let mut zeros = Self::default();
        zeros.reset(len);
        zeros
    }

    /// The same floats, moved.
    pub fn of(floats: &[f32]) -> Self {
        let mut aligned = Self::zeros(floats.len());
        aligned.copy_from_slice(floats);
        aligned
    }

    /// Makes them `len` zeros.
    pub fn reset(&mut self, len: usize) {
        self.room(len);
        self.fill(0.0);
    }

    /// Makes them `len`, whatever they are.
    pub fn room(&mut self, len: usize) {
        if self.floats.len() < len + WIDTH {
            self.floats = vec![0.0; len + WIDTH];
            // An offset that cannot be found costs time, nothing else.
            self.first = self.floats.as_ptr().align_offset(4 * WIDTH).min(WIDTH);
        }
        self.len = len;
    }
}

impl Deref for Aligned {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.floats[self.first..][..self.len]
    }
}

impl DerefMut for Aligned {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.floats[self.first..][..self.len]
    }
}

/// The sum of sixteen lanes, halves first.
#[inline(always)]
pub fn sum(a: &[f32]) -> f32 {
    let mut eight = [0.0; 8];
    for k in 0..8 {
        eight[k] = a[k] + a[k + 8];
    }
    let four = [eight[0] + eight[4], eight[1] + eight[5], eight[2] + eight[6], eight[3] + eight[7]];
    (four[0] + four[2]) + (four[1] + four[3])
}

/// eˣ for x <= 0, within 2 units of the last place; below -87 it is as good as zero.
///
/// x = k·ln 2 + r with |r| <= ln 2 / 2, and e^r by its Taylor polynomial of degree 7 (relative error below 5e-9).
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    /// Adding and taking it away again rounds to a whole number.
    const ROUND: f32 = 12_582_912.0;
    let x = x.max(-87.0);
    let rounded = x.mul_add(std::f32::consts::LOG2_E, ROUND);
    let k = rounded - ROUND;
    // ln 2 in two parts, the first with zeros at its end, so that k times it is exact.
    let r = k.mul_add(-0.693_359_4, x);
    let r = k.mul_add(2.121_944_4e-4, r);
    let mut p = 1.984_127e-4;
    for coefficient in [1.388_888_9e-3, 8.333_334e-3, 4.166_666_8e-2, 0.166_666_67, 0.5, 1.0, 1.0] {
        p = r.mul_add(p, coefficient);
    }
    // Its last bits are k, which is the exponent of what p is multiplied by.
    p * f32::from_bits((rounded.to_bits() << 23).wrapping_add(127 << 23))
}

/// The probability of a one and ln of the probability of `bit` (0 or 1), given the logit.
///
/// ln(1 + e) = 2·artanh(e / (2 + e)), whose series is cut after the 11th power: with e <= 1 it is off by less than 2e-7.
#[inline(always)]
pub fn bernoulli(logit: f32, bit: f32) -> (f32, f32) {
    let e = exp(-logit.abs());
    // One division for two.
    let both = e / ((1.0 + e) * (2.0 + e));
    let rare = both * (2.0 + e);
    let p = if logit > 0.0 { 1.0 - rare } else { rare };
    let t = both * (1.0 + e);
    let square = t * t;
    let mut series = 2.0 / 11.0;
    for coefficient in [2.0 / 9.0, 2.0 / 7.0, 2.0 / 5.0, 2.0 / 3.0, 2.0] {
        series = square.mul_add(series, coefficient);
    }
    let towards = if bit > 0.5 { logit } else { -logit };
    (p, towards.min(0.0) - t * series)
}
