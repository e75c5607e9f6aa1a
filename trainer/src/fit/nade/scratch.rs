//! What a pass over a block of rows writes on.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::Shape;
use super::pass::BLOCK;
use crate::fit::lanes::Aligned;

/// What a pass writes on, kept from one to the next.
#[derive(Default)]
pub struct Scratch {
    /// What each unit's output is multiplied by, a row or one for all: zero where it is dropped, and where it only rounds up
    /// the vectors.
    pub keep: Aligned,
    /// How far apart the rows of `keep` are.
    pub keep_stride: usize,
    /// For each bit, the rows of the block in which it is one; in which it is free; in which it feeds the layer.
    pub ones: Vec<u32>,
    pub free: Vec<u32>,
    pub fed: Vec<u32>,
    /// For each row, its first segment; the others follow.
    pub begins: [u32; BLOCK],
    /// The units of every segment.
    pub segments: Aligned,
    /// For each bit and row, the product of v and units, then the residual.
    pub residuals: Aligned,
    pub pulls: Aligned,
    pub later: Aligned,
}

impl Scratch {
    /// Keeps every unit.
    pub fn keep_all(&mut self, shape: Shape, padded: usize) {
        self.keep.reset(padded);
        self.keep[..shape.units].fill(1.0);
        self.keep_stride = 0;
        self.fed.clear();
    }

    /// Draws which units each row of the next block does without, and leaves the mean of the others' outputs as it was.
    pub fn drop(&mut self, shape: Shape, padded: usize, random: &mut ChaCha8Rng, width: usize) {
        self.keep_all(shape, padded);
        if shape.dropout > 0.0 {
            self.keep_stride = padded;
            self.keep.reset(BLOCK * padded);
            for (place, keep) in self.keep.iter_mut().enumerate() {
                let gone = place % padded >= shape.units || random.random::<f32>() < shape.dropout;
                *keep = if gone { 0.0 } else { 1.0 / (1.0 - shape.dropout) };
            }
        }
        if shape.input_dropout > 0.0 {
            let mut feeds = |q: usize| u32::from(random.random::<f32>() >= shape.input_dropout) << q;
            self.fed.extend((0..width).map(|_| (0..BLOCK).fold(0, |mask, q| mask | feeds(q))));
        }
    }
}
