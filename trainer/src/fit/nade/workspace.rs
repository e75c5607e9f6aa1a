//! Buffers of the hidden layer's kernel, and the masks of dropout.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::rows::{BLOCK, SparseRows};
use super::shape::LayerShape;
use crate::fit::simd::AlignedFloats;

/// Buffers of the kernel for one block of rows, reused for the next block.
#[derive(Default)]
pub struct Workspace {
    /// Factor of each unit's output, `[row][unit]` or `[unit]` for all rows: zero for dropped units and for padding.
    pub keep: AlignedFloats,
    /// Number of elements from one row of `keep` to the next; zero if all rows share the same factors.
    pub keep_stride: usize,
    /// Rows of the block in which each bit is one, as a mask: `[bit]`.
    pub ones: Vec<u32>,
    /// Rows of the block in which no constraint implies each bit, as a mask: `[bit]`.
    pub free: Vec<u32>,
    /// Rows of the block in which each bit is one and not dropped from the layer's input, as a mask: `[bit]`.
    pub fed: Vec<u32>,
    /// Index of the first segment of each row; the row's other segments follow.
    pub begins: [u32; BLOCK],
    /// Outputs of the units in each segment of bits between two ones of a row: `[segment][unit]`.
    pub segments: AlignedFloats,
    /// Dot products of output weights and units, later replaced by residuals x - p: `[bit][row]`.
    pub residuals: AlignedFloats,
    /// Sums of residual · output weights over the bits of the current segment: `[row][unit]`.
    pub pulls: AlignedFloats,
    /// Sums of the gradients δ of the units' sums over the segments after the current segment: `[row][unit]`.
    pub later: AlignedFloats,
}

impl Workspace {
    /// Sets up the next block without dropout.
    pub fn keep_all(&mut self, shape: LayerShape, padded: usize) {
        self.keep.reset(padded);
        self.keep[..shape.units].fill(1.0);
        self.keep_stride = 0;
        self.fed.clear();
    }

    /// Draws the dropout masks of the next block. Kept units are scaled so that their expected output does not change.
    pub fn drop_out(&mut self, shape: LayerShape, padded: usize, random: &mut ChaCha8Rng, width: usize) {
        self.keep_all(shape, padded);
        if shape.dropout > 0.0 {
            self.keep_stride = padded;
            self.keep.reset(BLOCK * padded);
            for (place, keep) in self.keep.iter_mut().enumerate() {
                let dropped = place % padded >= shape.units || random.random::<f32>() < shape.dropout;
                *keep = if dropped { 0.0 } else { 1.0 / (1.0 - shape.dropout) };
            }
        }
        if shape.input_dropout > 0.0 {
            let mut feeds = |q: usize| u32::from(random.random::<f32>() >= shape.input_dropout) << q;
            self.fed.extend((0..width).map(|_| (0..BLOCK).fold(0, |mask, q| mask | feeds(q))));
        }
    }

    /// Computes the masks `ones`, `free` and `fed` of a block. Call this after the dropout masks are drawn.
    pub fn mask(&mut self, rows: &SparseRows, block: &[u32]) {
        let present = u32::MAX >> (32 - block.len() as u32);
        let Self { ones, free, fed, .. } = self;
        ones.clear();
        ones.resize(rows.width, 0);
        free.clear();
        free.resize(rows.width, present);
        for (q, &row) in block.iter().enumerate() {
            rows.ones(row as usize).iter().for_each(|&i| ones[usize::from(i)] |= 1 << q);
        }
        for &(i, parent, when) in &rows.constraints {
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
