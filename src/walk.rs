//! The chain rule one bit at a time.

use crate::model::{Conditional, Model};
use crate::term::Term;

/// A row on its way through the chain rule, one conditional at a time.
///
/// Every operation of a model is a loop over these conditionals. Use a walk for a loop of your own that has to stop
/// between bits.
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
    /// Returns the index and the conditional of the next bit given `seen[..i]`, or `None` after the last bit.
    pub fn next(&mut self, seen: &[bool; N]) -> Option<(usize, Conditional)> {
        let i = self.at;
        if i >= self.model.bits() {
            return None;
        }
        Some((i, self.model.conditional(&mut self.state, seen, i)))
    }

    /// Sets the value of the next bit and moves past it.
    pub fn observe(&mut self, bit: bool) {
        self.model.observe(&mut self.state, self.at, bit);
        self.at += 1;
    }
}

impl<'t, const N: usize, T: Term<N>> Model<'t, N, T> {
    /// Starts a walk before the first bit.
    pub fn walk(&self) -> Walk<'_, 't, N, T> {
        Walk { model: self, state: self.start(), at: 0 }
    }
}
