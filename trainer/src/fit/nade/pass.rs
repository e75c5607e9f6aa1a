//! One pass over a block of rows: all that takes time.
//!
//! Rows share each load of a weight, and between two ones of a row nothing of it changes. The two inner loops are written
//! in vectors; the rest is left to the compiler, for the processor that is found.

use pulp::{Simd, WithSimd};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use surprisal::Activation;

use super::{Rows, Shape};
use crate::fit::lanes::{Aligned, WIDTH, bernoulli, exp, sum};

/// Rows that share each load of a weight.
pub const BLOCK: usize = 16;

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

/// What a pass writes on, kept from one to the next.
#[derive(Default)]
pub struct Scratch {
    /// What each unit's output is multiplied by, a row or one for all: zero where it is dropped, and where it only rounds up
    /// the vectors.
    keep: Vec<f32>,
    /// How far apart the rows of `keep` are.
    keep_stride: usize,
    /// For each bit, the rows of the block in which it is one; in which it is free; in which it feeds the layer.
    ones: Vec<u32>,
    free: Vec<u32>,
    fed: Vec<u32>,
    sums: Aligned,
    units: Aligned,
    /// The units of every segment, in the order in which segments begin.
    segments: Aligned,
    /// The segment that each row is in.
    last: [u32; BLOCK],
    /// The segment that each one ended.
    before: Vec<u32>,
    /// For each bit and row, the product of v and units, then the residual.
    residuals: Aligned,
    pulls: Aligned,
    later: Aligned,
}

impl Scratch {
    /// Keeps every unit.
    pub fn keep_all(&mut self, shape: Shape, padded: usize) {
        self.keep.clear();
        self.keep.extend((0..padded).map(|unit| if unit < shape.units { 1.0 } else { 0.0 }));
        self.keep_stride = 0;
        self.fed.clear();
    }

    /// Draws which units each row of the next block does without, and leaves the mean of the others' outputs as it was.
    pub fn drop(&mut self, shape: Shape, padded: usize, random: &mut ChaCha8Rng, width: usize) {
        self.keep_all(shape, padded);
        if shape.dropout > 0.0 {
            self.keep_stride = padded;
            self.keep.clear();
            for place in 0..BLOCK * padded {
                let gone = place % padded >= shape.units || random.random::<f32>() < shape.dropout;
                self.keep.push(if gone { 0.0 } else { 1.0 / (1.0 - shape.dropout) });
            }
        }
        if shape.input_dropout > 0.0 {
            let mut feeds = |q: usize| u32::from(random.random::<f32>() >= shape.input_dropout) << q;
            self.fed.extend((0..width).map(|_| (0..BLOCK).fold(0, |mask, q| mask | feeds(q))));
        }
    }
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
        // Vectors that are held in registers at a time.
        let slab = [64, 32].into_iter().find(|&slab| pass.padded.is_multiple_of(slab)).unwrap_or(WIDTH);
        match slab / S::F32_LANES {
            1 => pass.run::<S, 1>(simd, scratch),
            2 => pass.run::<S, 2>(simd, scratch),
            4 => pass.run::<S, 4>(simd, scratch),
            8 => pass.run::<S, 8>(simd, scratch),
            _ => pass.run::<S, 16>(simd, scratch),
        }
    }
}

impl Pass<'_> {
    #[inline(always)]
    fn run<S: Simd, const U: usize>(&mut self, simd: S, scratch: &mut Scratch) -> f64 {
        self.forward::<S, U>(simd, scratch);
        let likelihood = self.residuals(scratch);
        if let Some(gradient) = self.gradient.take() {
            self.backward::<S, U>(simd, scratch, gradient);
        }
        likelihood
    }

    /// The units of every segment and the dot products of all bits and rows.
    #[inline(always)]
    fn forward<S: Simd, const U: usize>(&self, simd: S, scratch: &mut Scratch) {
        let (n, padded, vectors) = (self.rows.width, self.padded, self.padded / S::F32_LANES);
        let (outputs, rest) = self.theta.split_at(n * padded);
        let (inputs, rest) = rest.split_at(n * padded);
        let biases = &rest[..padded];
        let (outputs, _) = S::as_simd_f32s(outputs);

        let Scratch { keep, keep_stride, fed, sums, units, segments, before, residuals, last, .. } = scratch;
        let keep = |q: usize| &keep[q * *keep_stride..][..padded];
        let ones: u32 = fed.iter().map(|fed| fed.count_ones()).sum();
        sums.room(BLOCK * padded);
        units.room(BLOCK * padded);
        segments.room((BLOCK + ones as usize) * padded);
        before.clear();
        for q in 0..BLOCK {
            let (sum, unit) = (&mut sums[q * padded..][..padded], &mut units[q * padded..][..padded]);
            sum.copy_from_slice(biases);
            self.activate(sum, keep(q), unit);
            last[q] = q as u32;
            segments[q * padded..][..padded].copy_from_slice(unit);
        }
        let mut begun = BLOCK as u32;
        residuals.reset(n * BLOCK);
        for (i, dots) in residuals.chunks_exact_mut(BLOCK).enumerate() {
            let v = outputs[i * vectors..][..vectors].as_chunks::<U>().0;
            multiply::<S, U>(simd, v, S::as_simd_f32s(units).0, dots);
            let mut ones = fed[i];
            while ones != 0 {
                let q = ones.trailing_zeros() as usize;
                ones &= ones - 1;
                let sum = &mut sums[q * padded..][..padded];
                sum.iter_mut().zip(&inputs[i * padded..][..padded]).for_each(|(sum, weight)| *sum += weight);
                let unit = &mut units[q * padded..][..padded];
                self.activate(sum, keep(q), unit);
                segments[begun as usize * padded..][..padded].copy_from_slice(unit);
                before.push(last[q]);
                last[q] = begun;
                begun += 1;
            }
        }
    }

    /// Turns dot products into residuals x - p, zero for what is forced or beyond the last row, and returns Σ ln p.
    #[inline(always)]
    fn residuals(&self, scratch: &mut Scratch) -> f64 {
        let of_bits = &self.theta[self.theta.len() - self.rows.width..];
        let Scratch { ones, free, residuals, .. } = scratch;
        for (logits, bias) in residuals.chunks_exact_mut(BLOCK).zip(of_bits) {
            for logit in logits {
                *logit += bias;
            }
        }
        for (q, &row) in self.block.iter().enumerate() {
            let offset = self.rows.offset(row as usize);
            residuals[q..].iter_mut().step_by(BLOCK).zip(offset).for_each(|(logit, offset)| *logit += offset);
        }
        let mut total = 0.0;
        for ((logits, ones), free) in residuals.chunks_exact_mut(BLOCK).zip(&*ones).zip(&*free) {
            let mut likelihoods = [0.0; BLOCK];
            for q in 0..BLOCK {
                let (bit, free) = ((ones >> q & 1) as f32, (free >> q & 1) as f32);
                let (p, likelihood) = bernoulli(logits[q], bit);
                logits[q] = (bit - p) * free;
                likelihoods[q] = likelihood * free;
            }
            total += f64::from(sum(&likelihoods));
        }
        total
    }

    /// Adds the gradient, from the last bit to the first.
    #[inline(always)]
    fn backward<S: Simd, const U: usize>(&self, simd: S, scratch: &mut Scratch, gradient: &mut [f32]) {
        let (n, padded, vectors) = (self.rows.width, self.padded, self.padded / S::F32_LANES);
        let (outputs, _) = S::as_simd_f32s(&self.theta[..n * padded]);
        let (d_outputs, rest) = gradient.split_at_mut(n * padded);
        let (d_inputs, rest) = rest.split_at_mut(n * padded);
        let (d_biases, d_of_bits) = rest.split_at_mut(padded);
        let (d_outputs, _) = S::as_mut_simd_f32s(d_outputs);

        let Scratch { keep, keep_stride, fed, segments, before, residuals, pulls, later, last, .. } = scratch;
        let keep = |q: usize| &keep[q * *keep_stride..][..padded];
        pulls.reset(BLOCK * padded);
        later.reset(BLOCK * padded);
        for i in (0..n).rev() {
            let mut ones = fed[i];
            while ones != 0 {
                // In reverse, as the segments were begun.
                let q = (31 - ones.leading_zeros()) as usize;
                ones &= !(1 << q);
                let [pull, later] = [&mut *pulls, &mut *later].map(|rows| &mut rows[q * padded..][..padded]);
                self.close(later, pull, &segments[last[q] as usize * padded..][..padded], keep(q));
                let dw = &mut d_inputs[i * padded..][..padded];
                dw.iter_mut().zip(&*later).for_each(|(dw, later)| *dw += later);
                last[q] = before.pop().unwrap_or(0);
            }
            let residuals = &residuals[i * BLOCK..][..BLOCK];
            let (pulls, segments) = (S::as_mut_simd_f32s(pulls).0, S::as_simd_f32s(segments).0);
            let v = outputs[i * vectors..][..vectors].as_chunks::<U>().0;
            let dv = d_outputs[i * vectors..][..vectors].as_chunks_mut::<U>().0;
            for (slab, (v, dv)) in v.iter().zip(dv).enumerate() {
                let mut sums = *dv;
                for ((pull, &residual), &last) in pulls.chunks_exact_mut(vectors).zip(residuals).zip(&*last) {
                    let pull = &mut pull.as_chunks_mut::<U>().0[slab];
                    let h = &segments[last as usize * vectors..][..vectors].as_chunks::<U>().0[slab];
                    let r = simd.splat_f32s(residual);
                    for t in 0..U {
                        sums[t] = simd.mul_add_f32s(r, h[t], sums[t]);
                        pull[t] = simd.mul_add_f32s(r, v[t], pull[t]);
                    }
                }
                *dv = sums;
            }
            d_of_bits[i] += sum(residuals);
        }
        for q in 0..BLOCK {
            let [pull, later] = [&mut *pulls, &mut *later].map(|rows| &mut rows[q * padded..][..padded]);
            self.close(later, pull, &segments[q * padded..][..padded], keep(q));
            d_biases.iter_mut().zip(&*later).for_each(|(dc, later)| *dc += later);
        }
    }

    /// A segment ends, seen from behind: `later` takes its δ, and nothing pulls any more.
    #[inline(always)]
    fn close(&self, later: &mut [f32], pull: &mut [f32], h: &[f32], keep: &[f32]) {
        let each = later.iter_mut().zip(pull).zip(h.iter().zip(keep));
        match self.shape.activation {
            Activation::Relu => each.for_each(|((later, pull), (&h, &keep))| {
                *later += if h > 0.0 { keep * *pull } else { 0.0 };
                *pull = 0.0;
            }),
            Activation::Sigmoid => each.for_each(|((later, pull), (&h, &keep))| {
                *later += if keep > 0.0 { h * (1.0 - h / keep) * *pull } else { 0.0 };
                *pull = 0.0;
            }),
            _ => each.for_each(|((later, pull), (_, &keep))| {
                *later += keep * *pull;
                *pull = 0.0;
            }),
        }
    }

    #[inline(always)]
    fn activate(&self, sums: &[f32], keep: &[f32], units: &mut [f32]) {
        let each = units.iter_mut().zip(sums).zip(keep);
        match self.shape.activation {
            Activation::Relu => each.for_each(|((unit, &sum), &keep)| *unit = sum.max(0.0) * keep),
            Activation::Sigmoid => each.for_each(|((unit, &sum), &keep)| {
                let e = exp(-sum.abs());
                *unit = keep * if sum > 0.0 { 1.0 / (1.0 + e) } else { e / (1.0 + e) };
            }),
            _ => each.for_each(|((unit, &sum), &keep)| *unit = sum * keep),
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

/// Adds the product of v and the units of each row of the block.
#[inline(always)]
fn multiply<S: Simd, const U: usize>(simd: S, v: &[[S::f32s; U]], units: &[S::f32s], dots: &mut [f32]) {
    // Vectors of this processor that make sixteen lanes.
    let parts = (WIDTH / S::F32_LANES).min(U);
    for (slab, v) in v.iter().enumerate() {
        for (h, dot) in units.chunks_exact(units.len() / BLOCK).zip(&mut *dots) {
            let h = &h.as_chunks::<U>().0[slab];
            let mut lanes = [simd.splat_f32s(0.0); U];
            for t in 0..U {
                lanes[t % parts] = simd.mul_add_f32s(v[t], h[t], lanes[t % parts]);
            }
            // Halves first, as the sum of a vector is.
            let mut half = parts / 2;
            while half > 0 {
                for t in 0..half {
                    lanes[t] = simd.add_f32s(lanes[t], lanes[t + half]);
                }
                half /= 2;
            }
            *dot += simd.reduce_sum_f32s(lanes[0]);
        }
    }
}
