//! One pass over a block of rows: all that takes time.
//!
//! The units of all segments come first, row after row; then, a few bits at a time, logits, residuals and the gradient of
//! v; then, row after row from behind, what each segment's residuals pull at. Plain loops are the compiler's to widen.

use std::ops::Range;

use pulp::{Simd, WithSimd};
use surprisal::Activation;

use super::scratch::Scratch;
use super::vectors::{fours, gather, place, pulled, slabs, slabs_mut, step};
use super::{Rows, Shape};
use crate::fit::lanes::{WIDTH, bernoulli, exp, sum};

/// Rows that share each load of a weight.
pub const BLOCK: usize = 16;
/// Bits that are seen forward and at once back, while their units are near.
const TILE: usize = 16;
/// Units that are held in registers at a time, at most.
const SLAB: usize = 128;
/// Floats that take half of the nearest cache.
const NEAR: usize = 4096;

/// Some rows under some parameters.
pub struct Pass<'a> {
    pub shape: Shape,
    /// Units rounded up to whole vectors.
    pub padded: usize,
    pub rows: &'a Rows,
    /// At most [`BLOCK`] of them.
    pub block: &'a [u32],
    pub theta: &'a [f32],
    pub gradient: Option<&'a mut [f32]>,
}

/// [`Pass`] for [`pulp::Arch::dispatch`].
pub struct Likelihood<'p> {
    pub pass: Pass<'p>,
    pub scratch: &'p mut Scratch,
}

impl WithSimd for Likelihood<'_> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f64 {
        let Self { mut pass, scratch } = self;
        pass.masks(scratch);
        let slab = [SLAB, 64, 32].into_iter().find(|&slab| pass.padded.is_multiple_of(slab)).unwrap_or(WIDTH);
        match slab / S::F32_LANES {
            1 => pass.run::<S, 1>(simd, scratch),
            2 => pass.run::<S, 2>(simd, scratch),
            4 => pass.run::<S, 4>(simd, scratch),
            8 => pass.run::<S, 8>(simd, scratch),
            16 => pass.run::<S, 16>(simd, scratch),
            32 => pass.run::<S, 32>(simd, scratch),
            64 => pass.run::<S, 64>(simd, scratch),
            _ => pass.run::<S, SLAB>(simd, scratch),
        }
    }
}

impl Pass<'_> {
    #[inline(always)]
    fn run<S: Simd, const U: usize>(&mut self, simd: S, scratch: &mut Scratch) -> f64 {
        if !(WIDTH..=SLAB).contains(&(U * S::F32_LANES)) {
            // Never called; not compiled either.
            return 0.0;
        }
        let n = self.rows.width;
        let mut gradient = self.gradient.take();
        self.segments::<S, U>(simd, scratch);
        scratch.residuals.room(n * BLOCK);
        let mut now = scratch.begins;
        let mut total = 0.0;
        for from in (0..n).step_by(TILE) {
            let bits = from..n.min(from + TILE);
            let mut before = now;
            self.dots::<S, U>(simd, scratch, bits.clone(), &mut now);
            total += self.residuals(scratch, bits.clone());
            if let Some(gradient) = &mut gradient {
                self.outputs::<S, U>(simd, scratch, bits, &mut before, gradient);
            }
        }
        if let Some(gradient) = gradient {
            self.backward::<S, U>(simd, scratch, now, gradient);
        }
        total
    }

    /// v, w, and the biases of the units.
    #[inline(always)]
    fn parameters<S: Simd, const U: usize>(&self) -> [&[[S::f32s; U]]; 3] {
        let matrix = self.rows.width * self.padded;
        let (outputs, rest) = self.theta.split_at(matrix);
        let (inputs, rest) = rest.split_at(matrix);
        [outputs, inputs, &rest[..self.padded]].map(slabs::<S, U>)
    }

    /// The ones of a row of the block.
    #[inline(always)]
    fn ones(&self, q: usize) -> &[u16] {
        self.block.get(q).map_or(&[], |&row| self.rows.ones(row as usize))
    }

    /// The units of every segment, row after row.
    #[inline(always)]
    fn segments<S: Simd, const U: usize>(&self, simd: S, scratch: &mut Scratch) {
        let [_, inputs, biases] = self.parameters::<S, U>();
        let Scratch { keep, keep_stride, fed, begins, segments, .. } = scratch;
        let ones: u32 = fed.iter().map(|fed| fed.count_ones()).sum();
        segments.room((BLOCK + ones as usize) * self.padded);
        let mut next = 0;
        for (q, begin) in begins.iter_mut().enumerate() {
            *begin = next as u32;
            let keep = slabs::<S, U>(&keep[q * *keep_stride..][..self.padded]);
            let count = biases.len();
            let ends = slabs_mut::<S, U>(&mut segments[next * self.padded..]);
            for (slab, (&bias, keep)) in biases.iter().zip(keep).enumerate() {
                let mut sums = bias;
                self.activate(simd, &sums, keep, &mut ends[slab]);
                let mut at = slab;
                for i in self.ones(q).iter().map(|&i| usize::from(i)) {
                    if fed[i] >> q & 1 == 0 {
                        continue;
                    }
                    at += count;
                    let weights = &inputs[i * count + slab];
                    for t in 0..U {
                        sums[t] = simd.add_f32s(sums[t], weights[t]);
                    }
                    self.activate(simd, &sums, keep, &mut ends[at]);
                }
                next = if slab + 1 == count { next + at / count + 1 } else { next };
            }
        }
        if self.shape.activation == Activation::Sigmoid {
            self.squash(scratch);
        }
    }

    /// Turns the dot products of some bits into sums of v and units; `now` is the segment that each row is in.
    #[inline(always)]
    fn dots<S: Simd, const U: usize>(
        &self,
        simd: S,
        scratch: &mut Scratch,
        bits: Range<usize>,
        now: &mut [u32; BLOCK],
    ) {
        let [outputs, _, biases] = self.parameters::<S, U>();
        let count = biases.len();
        let Scratch { fed, segments, residuals, .. } = scratch;
        let segments = slabs::<S, U>(segments);
        // Vectors of this processor that make sixteen lanes.
        let parts = WIDTH / S::F32_LANES;
        for i in bits {
            let dots = &mut residuals[i * BLOCK..][..BLOCK];
            for (slab, v) in outputs[i * count..][..count].iter().enumerate() {
                for (dots, now) in dots.chunks_exact_mut(S::F32_LANES).zip(now.chunks_exact(S::F32_LANES)) {
                    let units = |row: usize| &segments[now[row] as usize * count + slab];
                    let mut quarters = [v[0]; 4];
                    for (g, quarter) in quarters.iter_mut().enumerate() {
                        let mut lanes = [v[0]; 4];
                        for (k, lanes) in lanes.iter_mut().enumerate() {
                            let (h, part) = (units((4 * g + k) / parts), (4 * g + k) % parts);
                            *lanes = simd.mul_f32s(v[part], h[part]);
                            for t in 1..U / parts {
                                let t = t * parts + part;
                                *lanes = simd.mul_add_f32s(v[t], h[t], *lanes);
                            }
                        }
                        *quarter = fours(simd, lanes);
                    }
                    let quarters: &[f32] = bytemuck::cast_slice(&quarters);
                    for (row, dot) in dots.iter_mut().enumerate() {
                        let [a, b, c, d] = [0, 1, 2, 3].map(|k| quarters[place::<S>(row, k)]);
                        let sum = (a + c) + (b + d);
                        *dot = if slab == 0 { sum } else { *dot + sum };
                    }
                }
            }
            step(now, fed[i]);
        }
    }

    /// Turns dot products into residuals x - p, zero for what is forced or beyond the last row, and returns Σ ln p.
    #[inline(always)]
    fn residuals(&self, scratch: &mut Scratch, bits: Range<usize>) -> f64 {
        let of_bits = &self.theta[self.theta.len() - self.rows.width..];
        let Scratch { ones, free, residuals, .. } = scratch;
        for (q, &row) in self.block.iter().enumerate() {
            let offset = self.rows.offset(row as usize);
            if !offset.is_empty() {
                for i in bits.clone() {
                    residuals[i * BLOCK + q] += offset[i];
                }
            }
        }
        let mut total = 0.0;
        for i in bits {
            let (logits, ones, free, bias) = (&mut residuals[i * BLOCK..][..BLOCK], ones[i], free[i], of_bits[i]);
            let mut likelihoods = [0.0; BLOCK];
            for q in 0..BLOCK {
                let (bit, free) = ((ones >> q & 1) as f32, (free >> q & 1) as f32);
                let (p, likelihood) = bernoulli(logits[q] + bias, bit);
                logits[q] = (bit - p) * free;
                likelihoods[q] = likelihood * free;
            }
            total += f64::from(sum(&likelihoods));
        }
        total
    }

    /// Adds the gradient of v and of the biases of some bits.
    #[inline(always)]
    fn outputs<S: Simd, const U: usize>(
        &self,
        simd: S,
        scratch: &Scratch,
        bits: Range<usize>,
        now: &mut [u32; BLOCK],
        gradient: &mut [f32],
    ) {
        let count = self.padded / (U * S::F32_LANES);
        let segments = slabs::<S, U>(&scratch.segments);
        let (d_outputs, rest) = gradient.split_at_mut(self.rows.width * self.padded);
        let d_outputs = slabs_mut::<S, U>(d_outputs);
        let d_of_bits = &mut rest[(self.rows.width + 1) * self.padded..];
        let mut i = bits.start;
        while i < bits.end {
            // Two bits share each load of a unit where no row has a one between them.
            let both = scratch.fed[i] == 0 && i + 1 < bits.end;
            let (dv, residuals) = (&mut d_outputs[i * count..], &scratch.residuals[i * BLOCK..]);
            if both {
                gather::<S, U, 2>(simd, dv, segments, count, now, residuals);
            } else {
                gather::<S, U, 1>(simd, dv, segments, count, now, residuals);
            }
            i += usize::from(both);
            step(now, scratch.fed[i]);
            i += 1;
        }
        for i in bits {
            d_of_bits[i] += sum(&scratch.residuals[i * BLOCK..][..BLOCK]);
        }
    }

    /// Adds the gradient of w and of the units' biases, from the last bit to the first; `now` is every row's last segment.
    #[inline(always)]
    fn backward<S: Simd, const U: usize>(
        &self,
        simd: S,
        scratch: &mut Scratch,
        mut now: [u32; BLOCK],
        gradient: &mut [f32],
    ) {
        let [outputs, _, biases] = self.parameters::<S, U>();
        let (n, padded, count) = (self.rows.width, self.padded, biases.len());
        let (d_inputs, rest) = gradient[n * padded..].split_at_mut(n * padded);
        let d_inputs = slabs_mut::<S, U>(d_inputs);
        let d_biases = slabs_mut::<S, U>(&mut rest[..padded]);

        let Scratch { keep, keep_stride, fed, segments, residuals, pulls, later, .. } = scratch;
        let segments = slabs::<S, U>(segments);
        let residuals = residuals.as_chunks::<BLOCK>().0;
        pulls.reset(BLOCK * padded);
        later.reset(BLOCK * padded);
        let (pulls, laters) = (slabs_mut::<S, U>(pulls), slabs_mut::<S, U>(later));
        // For each row, how many of its ones are still to come.
        let mut left: [usize; BLOCK] = std::array::from_fn(|q| self.ones(q).len());
        // So many bits that their v stay near for all rows.
        let tile = (NEAR / padded).max(1);
        for from in (0..n).step_by(tile).rev() {
            for q in 0..self.block.len() {
                let keep = slabs::<S, U>(&keep[q * *keep_stride..][..padded]);
                let (ones, before) = (self.ones(q), (left[q], now[q] as usize));
                for slab in 0..count {
                    let at = q * count + slab;
                    let (mut pull, mut later) = (pulls[at], laters[at]);
                    let mut end = n.min(from + tile);
                    let (mut left_now, mut segment) = before;
                    while left_now > 0 && usize::from(ones[left_now - 1]) >= from {
                        left_now -= 1;
                        let j = usize::from(ones[left_now]);
                        if fed[j] >> q & 1 == 0 {
                            continue;
                        }
                        for i in j + 1..end {
                            pulled(simd, &mut pull, residuals[i][q], &outputs[i * count + slab]);
                        }
                        self.close(simd, &mut later, &mut pull, &segments[segment * count + slab], &keep[slab]);
                        let dw = &mut d_inputs[j * count + slab];
                        for t in 0..U {
                            dw[t] = simd.add_f32s(dw[t], later[t]);
                        }
                        (end, segment) = (j + 1, segment - 1);
                    }
                    for i in from..end {
                        pulled(simd, &mut pull, residuals[i][q], &outputs[i * count + slab]);
                    }
                    if from == 0 {
                        self.close(simd, &mut later, &mut pull, &segments[segment * count + slab], &keep[slab]);
                        let dc = &mut d_biases[slab];
                        for t in 0..U {
                            dc[t] = simd.add_f32s(dc[t], later[t]);
                        }
                    }
                    (pulls[at], laters[at]) = (pull, later);
                    (left[q], now[q]) = (left_now, segment as u32);
                }
            }
        }
    }

    /// A segment ends, seen from behind: `later` takes its δ, and nothing pulls any more.
    #[inline(always)]
    fn close<S: Simd, const U: usize>(
        &self,
        simd: S,
        later: &mut [S::f32s; U],
        pull: &mut [S::f32s; U],
        h: &[S::f32s; U],
        keep: &[S::f32s; U],
    ) {
        let zero = simd.splat_f32s(0.0);
        for t in 0..U {
            let kept = simd.mul_f32s(keep[t], pull[t]);
            let delta = match self.shape.activation {
                Activation::Relu => simd.select_f32s(simd.greater_than_f32s(h[t], zero), kept, zero),
                Activation::Sigmoid => {
                    let slope = simd.mul_f32s(h[t], simd.sub_f32s(simd.splat_f32s(1.0), simd.div_f32s(h[t], keep[t])));
                    let delta = simd.mul_f32s(slope, pull[t]);
                    simd.select_f32s(simd.greater_than_f32s(keep[t], zero), delta, zero)
                }
                _ => kept,
            };
            later[t] = simd.add_f32s(later[t], delta);
            pull[t] = zero;
        }
    }

    /// What units make of their sums; sigmoids are left for [`squash`](Self::squash).
    #[inline(always)]
    fn activate<S: Simd, const U: usize>(
        &self,
        simd: S,
        sums: &[S::f32s; U],
        keep: &[S::f32s; U],
        units: &mut [S::f32s; U],
    ) {
        for t in 0..U {
            units[t] = match self.shape.activation {
                Activation::Relu => simd.mul_f32s(simd.max_f32s(sums[t], simd.splat_f32s(0.0)), keep[t]),
                Activation::Sigmoid => sums[t],
                _ => simd.mul_f32s(sums[t], keep[t]),
            };
        }
    }

    /// Sigmoids of the sums of all segments.
    #[inline(always)]
    fn squash(&self, scratch: &mut Scratch) {
        let Scratch { keep, keep_stride, begins, segments, .. } = scratch;
        let mut q = 0;
        for (s, units) in segments.chunks_exact_mut(self.padded).enumerate() {
            while begins.get(q + 1).is_some_and(|&begin| begin as usize <= s) {
                q += 1;
            }
            let keep = &keep[q * *keep_stride..][..self.padded];
            for (unit, keep) in units.iter_mut().zip(keep) {
                let e = exp(-unit.abs());
                *unit = keep * if *unit > 0.0 { 1.0 / (1.0 + e) } else { e / (1.0 + e) };
            }
        }
    }

    /// Which rows of the block have a one in each bit, in which it is free, and which feed it to the layer.
    fn masks(&self, scratch: &mut Scratch) {
        let present = u32::MAX >> (32 - self.block.len() as u32);
        let Scratch { ones, free, fed, .. } = scratch;
        ones.clear();
        ones.resize(self.rows.width, 0);
        free.clear();
        free.resize(self.rows.width, present);
        for (q, &row) in self.block.iter().enumerate() {
            self.rows.ones(row as usize).iter().for_each(|&i| ones[usize::from(i)] |= 1 << q);
        }
        for &(i, parent, when) in &self.rows.guards {
            let parent = ones[usize::from(parent)];
            free[usize::from(i)] = present & if when { !parent } else { parent };
        }
        if fed.is_empty() {
            fed.extend_from_slice(ones);
        } else {
            fed.iter_mut().zip(&*ones).for_each(|(fed, ones)| *fed &= ones);
        }
    }
}
