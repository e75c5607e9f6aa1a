//! Buffers of the kernel, and the masks of dropout.

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
    /// Distance between the rows of `keep`; zero if all rows share one.
    pub keep_stride: usize,
    /// Rows of the block in which each bit is one, as a mask: `[bit]`.
    pub ones: Vec<u32>,
    /// Rows of the block in which each bit is free, as a mask: `[bit]`.
    pub free: Vec<u32>,
    /// Rows of the block in which each bit is one and an input of the layer, as a mask: `[bit]`.
    pub fed: Vec<u32>,
    /// First segment of each row; its other segments follow.
    pub begins: [u32; BLOCK],
    /// Outputs of the units: `[segment][unit]`.
    pub segments: AlignedFloats,
    /// Dot products of v and the units, then residuals: `[bit][row]`.
    pub residuals: AlignedFloats,
    /// Σ r_i v_i over the bits of the present segment: `[row][unit]`.
    pub pulls: AlignedFloats,
    /// Σ δ_t over the segments behind the present one: `[row][unit]`.
    pub later: AlignedFloats,
}

impl Workspace {
    /// Prepares a block without dropout.
    pub fn keep_all(&mut self, shape: LayerShape, padded: usize) {
        self.keep.reset(padded);
        self.keep[..shape.units].fill(1.0);
        self.keep_stride = 0;
        self.fed.clear();
    }

    /// Draws the dropout of the next block. The kept units are scaled so that their expected output does not change.
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

    /// Computes the masks of a block after the dropout: for each bit the rows in which it is one, is free, and is an
    /// input of the layer.
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
