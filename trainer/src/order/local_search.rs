//! Local search for an order of the columns: swaps adjacent columns while the log marginal likelihood of the trees
//! rises.

use rayon::prelude::*;

use super::GAMMA;
use crate::bits::Bits;
use crate::fit::tree::{Evidence, Grower};
use crate::schema::Schema;

/// Largest number of sweeps over all pairs of adjacent columns.
const SWEEPS: usize = 6;
/// Smallest gain for which two columns are swapped, in nats of the training set.
const MIN_GAIN: f64 = 1.0;

/// Data from which a local search computes the evidence of a column.
struct LocalSearch<'a> {
    train: &'a Bits,
    constraints: Vec<u16>,
    table: Evidence,
    /// First bit of each column, followed by the number of bits.
    offsets: Vec<usize>,
    max_splits: usize,
}

/// Improves an order of the columns by swaps of adjacent columns that raise the evidence, which is the log marginal
/// likelihood of the trees.
///
/// The evidence of a column depends on the set of columns before it and not on their order, so that a swap changes two
/// terms and takes two fits. The search uses training rows only, so that the validation rows can compare the result
/// with other orders.
pub fn improve(schema: &Schema, train: &Bits, start: &[usize], max_splits: usize) -> Vec<usize> {
    let (constraints, table, offsets) = (schema.constraints(), Evidence::new(train.rows), schema.bit_offsets());
    let search = LocalSearch { train, constraints, table, offsets, max_splits };
    let mut order = start.to_vec();
    let n = order.len();
    let mut evidence: Vec<f64> = (0..n).into_par_iter().map(|at| search.evidence(order[at], &order[..at])).collect();
    for _ in 0..SWEEPS {
        let mut swapped = false;
        // Pairs without a common column are tried in parallel: first pairs from even indices, then pairs from odd
        // indices.
        for parity in 0..2 {
            let tried = (parity..n.saturating_sub(1)).into_par_iter().step_by(2).map(|at| {
                let before = |column: usize| -> Vec<usize> {
                    order[..at].iter().copied().chain((column != order[at + 1]).then_some(order[at + 1])).collect()
                };
                let pair =
                    [search.evidence(order[at + 1], &order[..at]), search.evidence(order[at], &before(order[at]))];
                let (now, then) = (evidence[at] + evidence[at + 1], pair[0] + pair[1]);
                (at, (then > now + MIN_GAIN).then_some(pair))
            });
            let tried: Vec<_> = tried.collect();
            for (at, pair) in tried.into_iter().filter_map(|(at, pair)| Some((at, pair?))) {
                order.swap(at, at + 1);
                evidence[at..at + 2].copy_from_slice(&pair);
                swapped = true;
            }
        }
        if !swapped {
            break;
        }
    }
    order
}

impl LocalSearch<'_> {
    /// Returns the evidence of the trees of `column` given the set of columns `before`, in nats of the training set.
    fn evidence(&self, column: usize, before: &[usize]) -> f64 {
        let mut features: Vec<usize> = before.iter().flat_map(|&k| self.offsets[k]..self.offsets[k + 1]).collect();
        features.sort_unstable();
        let mut total = 0.0;
        for i in self.offsets[column]..self.offsets[column + 1] {
            let mut grower = Grower::new(self.train, &self.table, i, self.train.free(&self.constraints, i));
            grower.grow(&features, GAMMA, self.max_splits);
            total += grower.evidence();
            features.push(i);
        }
        total
    }
}
