//! Probabilities of rows by the chain rule, as products of the probabilities that the device computes for each bit.

use surprisal::{Conditional, Model, Term};

/// Returns the probability of a row under a model; zero if the row violates a constraint.
///
/// ```
/// use surprisal::{Linear, LinearSlices, LinearWeights, Model};
/// use surprisal_trainer::divergence::probability;
/// let slices = LinearSlices { biases: &[0, 0], scales: &[], weights: LinearWeights::Dense(&[]) };
/// let linear = Linear::new(slices).unwrap();
/// let model = Model::<2, _>::new(linear, &[], 2).unwrap();
/// assert_eq!(probability(&model, &[true, false]), 0.25);
/// ```
pub fn probability<const N: usize, P: Term<N>>(model: &Model<'_, N, P>, row: &[bool; N]) -> f64 {
    bit_probabilities(&one_probabilities(model, row), row).product()
}

/// Returns the probability p(x_i = 1 | x_<i) of each bit given the earlier bits of a row: `[bit]`.
pub(super) fn one_probabilities<const N: usize, P: Term<N>>(model: &Model<'_, N, P>, row: &[bool; N]) -> Vec<f64> {
    let (mut walk, mut ones) = (model.walk(), Vec::with_capacity(model.bits()));
    while let Some((i, conditional)) = walk.next(row) {
        ones.push(match conditional {
            Conditional::Known(value) => f64::from(u8::from(value)),
            Conditional::Free(logit) => f64::from(logit.mass().of(true)) / 65536.0,
        });
        walk.observe(row[i]);
    }
    ones
}

/// Yields the probability of the value of each bit of `row`, given `ones`, `[bit]` the probability that the bit is one.
pub(super) fn bit_probabilities(ones: &[f64], row: &[bool]) -> impl Iterator<Item = f64> {
    ones.iter().zip(row).map(|(one, &bit)| if bit { *one } else { 1.0 - one })
}
