//! Blocks with one number per row, the operands of vectorised arithmetic.

use std::ops::{Deref, DerefMut};

/// Number of rows per block.
pub(super) const BLOCK_ROWS: usize = 128;

/// A number for each row of a block, aligned to a cache line so that no vector load crosses two lines.
#[derive(Clone, Copy)]
#[repr(align(64))]
pub(super) struct Block<T>(pub(super) [T; BLOCK_ROWS]);

impl<T: Copy> Block<T> {
    /// Returns a block with the same value for each row.
    #[inline(always)]
    pub(super) fn splat(value: T) -> Self {
        Self([value; BLOCK_ROWS])
    }
}

impl<T> Deref for Block<T> {
    type Target = [T; BLOCK_ROWS];

    #[inline(always)]
    fn deref(&self) -> &[T; BLOCK_ROWS] {
        &self.0
    }
}

impl<T> DerefMut for Block<T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [T; BLOCK_ROWS] {
        &mut self.0
    }
}

/// Adds a weight to the sums of the rows whose mask is -1; the mask of all other rows is 0.
#[inline(always)]
pub(super) fn add_masked(sums: &mut Block<i16>, mask: &Block<i16>, weight: i16) {
    sums.iter_mut().zip(mask.iter()).for_each(|(sum, mask)| *sum = sum.wrapping_add(mask & weight));
}
