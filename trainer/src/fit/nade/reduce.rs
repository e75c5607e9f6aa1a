//! Sums and products of vectors of hidden units. The results do not depend on the width of the processor's vectors.

use pulp::Simd;

use super::rows::BLOCK;
use crate::fit::simd::WIDTH;

/// Increments the segment index in `now` of each row that is in the bit mask `ones`.
#[inline(always)]
pub fn advance(now: &mut [u32; BLOCK], ones: u32) {
    for (q, now) in now.iter_mut().enumerate() {
        *now += ones >> q & 1;
    }
}

/// Adds `residual` · `v` to `pull`, where `v` holds output weights of one bit.
#[inline(always)]
pub fn accumulate<S: Simd, const U: usize>(simd: S, pull: &mut [S::f32s; U], residual: f32, v: &[S::f32s; U]) {
    let r = simd.splat_f32s(residual);
    for t in 0..U {
        pull[t] = simd.mul_add_f32s(r, v[t], pull[t]);
    }
}

/// Splits a slice into slabs, which are arrays of U vector registers.
#[inline(always)]
pub fn slabs<S: Simd, const U: usize>(floats: &[f32]) -> &[[S::f32s; U]] {
    S::as_simd_f32s(floats).0.as_chunks().0
}

/// Splits a mutable slice into slabs, which are arrays of U vector registers.
#[inline(always)]
pub fn slabs_mut<S: Simd, const U: usize>(floats: &mut [f32]) -> &mut [[S::f32s; U]] {
    S::as_mut_simd_f32s(floats).0.as_chunks_mut().0
}

/// Adds the products of residuals and units to the gradient `dv` of the output weights of B consecutive bits.
#[inline(always)]
pub fn gather<S: Simd, const U: usize, const B: usize>(
    simd: S,
    dv: &mut [[S::f32s; U]],
    segments: &[[S::f32s; U]],
    count: usize,
    now: &[u32; BLOCK],
    residuals: &[f32],
) {
    let residuals: [&[f32; BLOCK]; B] = std::array::from_fn(|b| &residuals.as_chunks().0[b]);
    for slab in 0..count {
        let mut sums: [_; B] = std::array::from_fn(|b| dv[b * count + slab]);
        for (q, &now) in now.iter().enumerate() {
            let h = &segments[now as usize * count + slab];
            let r: [_; B] = std::array::from_fn(|b| simd.splat_f32s(residuals[b][q]));
            for t in 0..U {
                for b in 0..B {
                    sums[b][t] = simd.mul_add_f32s(r[b], h[t], sums[b][t]);
                }
            }
        }
        for b in 0..B {
            dv[b * count + slab] = sums[b];
        }
    }
}

/// Adds each group of four adjacent numbers in four vectors, pairs first. The sums of the k-th group of each vector are
/// adjacent in the result.
#[inline(always)]
pub fn sums_of_four<S: Simd>(simd: S, [a, b, c, d]: [S::f32s; 4]) -> S::f32s {
    if S::F32_LANES < 4 {
        return simd.add_f32s(simd.add_f32s(a, b), simd.add_f32s(c, d));
    }
    let pairs = |a, b| simd.add_f32s(every_second::<S>(a, b, 0), every_second::<S>(a, b, 1));
    let (ab, cd) = (pairs(a, b), pairs(c, d));
    simd.add_f32s(every_second::<S>(ab, cd, 0), every_second::<S>(ab, cd, 1))
}

/// Returns the index at which [`sums_of_four`] stores the sum of the k-th group of four of a row's 16 numbers.
#[inline(always)]
pub const fn position<S: Simd>(row: usize, k: usize) -> usize {
    if S::F32_LANES < 4 {
        return k;
    }
    let (part, four) = (4 * k / S::F32_LANES, k % (S::F32_LANES / 4));
    let vector = row * (WIDTH / S::F32_LANES) + part;
    vector / 4 * S::F32_LANES + 4 * four + vector % 4
}

/// Returns every second number of two vectors from index `from` (0 or 1), with two numbers of `a` and two of `b` in
/// turn.
#[inline(always)]
fn every_second<S: Simd>(a: S::f32s, b: S::f32s, from: usize) -> S::f32s {
    let mut result = a;
    let (from_a, from_b) = (
        bytemuck::cast_slice::<_, f32>(std::slice::from_ref(&a)),
        bytemuck::cast_slice::<_, f32>(std::slice::from_ref(&b)),
    );
    let to: &mut [f32] = bytemuck::cast_slice_mut(std::slice::from_mut(&mut result));
    for k in (0..S::F32_LANES).step_by(4) {
        to[k] = from_a[k + from];
        to[k + 1] = from_a[k + from + 2];
        to[k + 2] = from_b[k + from];
        to[k + 3] = from_b[k + from + 2];
    }
    result
}
