//! Evaluation of a row one bit at a time, by the chain rule, in a loop that the caller writes.

use crate::model::{Conditional, Model};
use crate::term::Term;

/// An evaluation of one row, which yields the conditional distribution of each bit given the earlier bits, one at a
/// time.
///
/// Every operation of a model is a loop over these conditionals. `Walk` is for callers that need to stop between two
/// bits, or to do something else with each conditional; the operations of [`Model`] take fewer instructions.
///
/// ```
/// use surprisal::{Linear, LinearSlices, LinearWeights, Model, Nats};
/// let slices = LinearSlices { biases: &[0, -2048], scales: &[0, 3277], weights: LinearWeights::Dense(&[100]) };
/// let model = Model::<2, _>::new(Linear::new(slices)?, &[], 2)?;
/// let row = [true, false];
/// let (mut walk, mut total) = (model.walk(), Nats::ZERO);
/// while let Some((i, conditional)) = walk.next(&row) {
///     total += conditional.surprisal(row[i]);
///     walk.observe(row[i]);
/// }
/// assert_eq!(total, model.surprisal(&row));
/// # Ok::<(), surprisal::TableError>(())
/// ```
#[derive(Debug)]
pub struct Walk<'m, 't, const N: usize, T: Term<N>> {
    model: &'m Model<'t, N, T>,
    state: T::State,
    at: usize,
}

impl<const N: usize, T: Term<N>> Walk<'_, '_, N, T> {
    /// Returns (index i of the next bit, its conditional distribution given `seen[..i]`), or `None` after the last bit.
    /// The value of an observed bit is read from `seen[i]`.
    ///
    /// Call [`observe`](Self::observe) to move to the bit after it.
    pub fn next(&mut self, seen: &[bool; N]) -> Option<(usize, Conditional)> {
        let i = self.at;
        if i >= self.model.bits() {
            return None;
        }
        Some((i, self.model.conditional(&mut self.state, seen, i)))
    }

    /// Records the value of the bit that [`next`](Self::next) returned, and moves to the bit after it.
    pub fn observe(&mut self, bit: bool) {
        self.model.observe(&mut self.state, self.at, bit);
        self.at += 1;
    }
}

impl<'t, const N: usize, T: Term<N>> Model<'t, N, T> {
    /// Returns a [`Walk`], which evaluates a row one bit at a time, before its first bit.
    pub fn walk(&self) -> Walk<'_, 't, N, T> {
        Walk { model: self, state: self.start(), at: 0 }
    }
}
