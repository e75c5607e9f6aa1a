//! Likelihood and gradient of a block of rows: the inner loops of the fit of a hidden layer.
//!
//! A segment is a run of bits between two ones of a row, over which the hidden units do not change. The kernel computes
//! the units of all segments, row after row; then, a few bits at a time, the logits, the residuals and the gradient of
//! the output weights v; then, from the last bit to the first, the gradients of the input weights w and unit biases c.

use std::ops::Range;

use pulp::{Simd, WithSimd};
use surprisal::Activation;

use super::reduce::{accumulate, advance, gather, position, slabs, slabs_mut, sums_of_four};
use super::rows::{BLOCK, SparseRows};
use super::shape::LayerShape;
use super::workspace::Workspace;
use crate::fit::simd::{WIDTH, bernoulli, exp, sum};

/// Number of bits per pass of logits, residuals and gradient of v, few enough that the units used stay in the cache.
const TILE: usize = 16;
/// Largest number of units per slab, the group of units that is held in registers at a time.
const SLAB: usize = 128;
/// Number of `f32` that fill half of the L1 cache.
const NEAR: usize = 4096;

/// Inputs and outputs of one evaluation of the log-likelihood of a block of rows.
pub struct Kernel<'a> {
    /// Size, activation and dropout of the layer.
    pub shape: LayerShape,
    /// Number of units, rounded up to whole vectors.
    pub padded: usize,
    /// All rows of the data set, from which `block` selects.
    pub rows: &'a SparseRows,
    /// Indices of the rows of the block, at most [`BLOCK`].
    pub block: &'a [u32],
    /// Parameters, in the order that [`NadeObjective`](super::NadeObjective) documents.
    pub theta: &'a [f32],
    /// Gradient to which the gradient of this block is added, or `None` to compute the likelihood only.
    pub gradient: Option<&'a mut [f32]>,
}

/// A [`Kernel`] with its workspace, for [`pulp::Arch::dispatch`].
pub struct KernelCall<'p> {
    pub kernel: Kernel<'p>,
    pub workspace: &'p mut Workspace,
}

impl WithSimd for KernelCall<'_> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f64 {
        let Self { mut kernel, workspace } = self;
        workspace.mask(kernel.rows, kernel.block);
        let slab = [SLAB, 64, 32].into_iter().find(|&slab| kernel.padded.is_multiple_of(slab)).unwrap_or(WIDTH);
        match slab / S::F32_LANES {
            1 => kernel.run::<S, 1>(simd, workspace),
            2 => kernel.run::<S, 2>(simd, workspace),
            4 => kernel.run::<S, 4>(simd, workspace),
            8 => kernel.run::<S, 8>(simd, workspace),
            16 => kernel.run::<S, 16>(simd, workspace),
            32 => kernel.run::<S, 32>(simd, workspace),
            64 => kernel.run::<S, 64>(simd, workspace),
            _ => kernel.run::<S, SLAB>(simd, workspace),
        }
    }
}

impl Kernel<'_> {
    /// Returns the log-likelihood of the block, in nats, and adds to the gradient, if any. A slab consists of U vectors
    /// of units.
    #[inline(always)]
    fn run<S: Simd, const U: usize>(&mut self, simd: S, workspace: &mut Workspace) -> f64 {
        if !(WIDTH..=SLAB).contains(&(U * S::F32_LANES)) {
            // This case never occurs; without the return, the compiler would generate code for it.
            return 0.0;
        }
        let n = self.rows.width;
        let mut gradient = self.gradient.take();
        self.segments::<S, U>(simd, workspace);
        workspace.residuals.resize_stale(n * BLOCK);
        let mut now = workspace.begins;
        let mut total = 0.0;
        for from in (0..n).step_by(TILE) {
            let bits = from..n.min(from + TILE);
            let mut before = now;
            self.dots::<S, U>(simd, workspace, bits.clone(), &mut now);
            total += self.residuals(workspace, bits.clone());
            if let Some(gradient) = &mut gradient {
                self.outputs::<S, U>(simd, workspace, bits, &mut before, gradient);
            }
        }
        if let Some(gradient) = gradient {
            self.backward::<S, U>(simd, workspace, now, gradient);
        }
        total
    }

    /// Returns the output weights v, the input weights w and the unit biases c as slabs of U vectors of units.
    #[inline(always)]
    fn parameters<S: Simd, const U: usize>(&self) -> [&[[S::f32s; U]]; 3] {
        let matrix = self.rows.width * self.padded;
        let (outputs, rest) = self.theta.split_at(matrix);
        let (inputs, rest) = rest.split_at(matrix);
        [outputs, inputs, &rest[..self.padded]].map(slabs::<S, U>)
    }

    /// Returns the indices of the bits that are one in row `q` of the block; empty beyond the last row.
    #[inline(always)]
    fn ones(&self, q: usize) -> &[u16] {
        self.block.get(q).map_or(&[], |&row| self.rows.ones(row as usize))
    }

    /// Computes the unit outputs of every segment of every row and writes them to the workspace.
    #[inline(always)]
    fn segments<S: Simd, const U: usize>(&self, simd: S, workspace: &mut Workspace) {
        let [_, inputs, biases] = self.parameters::<S, U>();
        let Workspace { keep, keep_stride, fed, begins, segments, .. } = workspace;
        let ones: u32 = fed.iter().map(|fed| fed.count_ones()).sum();
        segments.resize_stale((BLOCK + ones as usize) * self.padded);
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
            self.sigmoids(workspace);
        }
    }

    /// Computes the dot products of the output weights and the units for `bits`; `now` is the current segment of each
    /// row.
    #[inline(always)]
    fn dots<S: Simd, const U: usize>(
        &self,
        simd: S,
        workspace: &mut Workspace,
        bits: Range<usize>,
        now: &mut [u32; BLOCK],
    ) {
        let [outputs, _, biases] = self.parameters::<S, U>();
        let count = biases.len();
        let Workspace { fed, segments, residuals, .. } = workspace;
        let segments = slabs::<S, U>(segments);
        // Number of the processor's vectors that hold 16 numbers.
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
                        *quarter = sums_of_four(simd, lanes);
                    }
                    let quarters: &[f32] = bytemuck::cast_slice(&quarters);
                    for (row, dot) in dots.iter_mut().enumerate() {
                        let [a, b, c, d] = [0, 1, 2, 3].map(|k| quarters[position::<S>(row, k)]);
                        let sum = (a + c) + (b + d);
                        *dot = if slab == 0 { sum } else { *dot + sum };
                    }
                }
            }
            advance(now, fed[i]);
        }
    }

    /// Replaces dot products by residuals x - p and returns Σ ln p, in nats. Residuals are zero for bits that a
    /// constraint implies and beyond the last row.
    #[inline(always)]
    fn residuals(&self, workspace: &mut Workspace, bits: Range<usize>) -> f64 {
        let bit_biases = &self.theta[self.theta.len() - self.rows.width..];
        let Workspace { ones, free, residuals, .. } = workspace;
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
            let (logits, ones, free, bias) = (&mut residuals[i * BLOCK..][..BLOCK], ones[i], free[i], bit_biases[i]);
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

    /// Adds the gradients of the output weights v and of the bit biases for `bits`; `now` is the current segment of
    /// each row.
    #[inline(always)]
    fn outputs<S: Simd, const U: usize>(
        &self,
        simd: S,
        workspace: &Workspace,
        bits: Range<usize>,
        now: &mut [u32; BLOCK],
        gradient: &mut [f32],
    ) {
        let count = self.padded / (U * S::F32_LANES);
        let segments = slabs::<S, U>(&workspace.segments);
        let (d_outputs, rest) = gradient.split_at_mut(self.rows.width * self.padded);
        let d_outputs = slabs_mut::<S, U>(d_outputs);
        let d_bit_biases = &mut rest[(self.rows.width + 1) * self.padded..];
        let mut i = bits.start;
        while i < bits.end {
            // Two bits share each load of a unit if no row has a one between them.
            let both = workspace.fed[i] == 0 && i + 1 < bits.end;
            let (dv, residuals) = (&mut d_outputs[i * count..], &workspace.residuals[i * BLOCK..]);
            if both {
                gather::<S, U, 2>(simd, dv, segments, count, now, residuals);
            } else {
                gather::<S, U, 1>(simd, dv, segments, count, now, residuals);
            }
            i += usize::from(both);
            advance(now, workspace.fed[i]);
            i += 1;
        }
        for i in bits {
            d_bit_biases[i] += sum(&workspace.residuals[i * BLOCK..][..BLOCK]);
        }
    }

    /// Adds the gradients of the input weights w and of the unit biases c, from the last bit to the first. `now` is the
    /// last segment of each row.
    #[inline(always)]
    fn backward<S: Simd, const U: usize>(
        &self,
        simd: S,
        workspace: &mut Workspace,
        mut now: [u32; BLOCK],
        gradient: &mut [f32],
    ) {
        let [outputs, _, biases] = self.parameters::<S, U>();
        let (n, padded, count) = (self.rows.width, self.padded, biases.len());
        let (d_inputs, rest) = gradient[n * padded..].split_at_mut(n * padded);
        let d_inputs = slabs_mut::<S, U>(d_inputs);
        let d_biases = slabs_mut::<S, U>(&mut rest[..padded]);

        let Workspace { keep, keep_stride, fed, segments, residuals, pulls, later, .. } = workspace;
        let segments = slabs::<S, U>(segments);
        let residuals = residuals.as_chunks::<BLOCK>().0;
        pulls.reset(BLOCK * padded);
        later.reset(BLOCK * padded);
        let (pulls, laters) = (slabs_mut::<S, U>(pulls), slabs_mut::<S, U>(later));
        // Number of ones of each row that have not been processed yet.
        let mut left: [usize; BLOCK] = std::array::from_fn(|q| self.ones(q).len());
        // The output weights of a tile stay in the cache for all rows.
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
                            accumulate(simd, &mut pull, residuals[i][q], &outputs[i * count + slab]);
                        }
                        self.close(simd, &mut later, &mut pull, &segments[segment * count + slab], &keep[slab]);
                        let dw = &mut d_inputs[j * count + slab];
                        for t in 0..U {
                            dw[t] = simd.add_f32s(dw[t], later[t]);
                        }
                        (end, segment) = (j + 1, segment - 1);
                    }
                    for i in from..end {
                        accumulate(simd, &mut pull, residuals[i][q], &outputs[i * count + slab]);
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

    /// Ends a segment in the backward pass: computes the gradient δ of the segment's sums from `pull`, adds δ to
    /// `later` and sets `pull` to zero.
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

    /// Applies the activation function and dropout to sums. Sums of sigmoid units are copied, because
    /// [`sigmoids`](Self::sigmoids) computes their outputs.
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

    /// Replaces the sums of the units in all segments by their sigmoids, with dropout.
    #[inline(always)]
    fn sigmoids(&self, workspace: &mut Workspace) {
        let Workspace { keep, keep_stride, begins, segments, .. } = workspace;
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
}
