//! A local search for an order: neighbours change places as long as that pays.

use rayon::prelude::*;

use super::GAMMA;
use crate::bits::Bits;
use crate::fit::tree::{Evidence, Grower};
use crate::schema::Schema;

/// Sweeps over all pairs of neighbours, at most.
const SWEEPS: usize = 6;
/// What a swap has to gain, in nats of the training rows.
const LEAST: f64 = 1.0;

struct Search<'a> {
    train: &'a Bits,
    guards: Vec<u16>,
    evidence: Evidence,
    /// Where each column's bits start, and where the last one's end.
    starts: Vec<usize>,
    most_splits: usize,
}

/// Starts from an order of the columns and lets two neighbours change places when that raises the evidence of the training
/// rows: what a column is worth depends on which columns come before it and not on their order, so that a swap changes two of
/// them and costs two fits. The validation rows have no say, so that they can compare the outcome with other orders.
pub fn search(schema: &Schema, train: &Bits, start: &[usize], most_splits: usize) -> Vec<usize> {
    let starts = crate::select::starts(schema);
    let search = Search { train, guards: schema.guards(), evidence: Evidence::new(train.rows), starts, most_splits };
    let mut order = start.to_vec();
    let n = order.len();
    let mut worth: Vec<f64> = (0..n).into_par_iter().map(|at| search.worth(order[at], &order[..at])).collect();
    for _ in 0..SWEEPS {
        let mut swapped = false;
        // Pairs that share no column at the same time: first those that begin at even places, then the others.
        for parity in 0..2 {
            let tried = (parity..n.saturating_sub(1)).into_par_iter().step_by(2).map(|at| {
                let before = |column: usize| -> Vec<usize> {
                    order[..at].iter().copied().chain((column != order[at + 1]).then_some(order[at + 1])).collect()
                };
                let pair = [search.worth(order[at + 1], &order[..at]), search.worth(order[at], &before(order[at]))];
                let (now, then) = (worth[at] + worth[at + 1], pair[0] + pair[1]);
                (at, (then > now + LEAST).then_some(pair))
            });
            let tried: Vec<_> = tried.collect();
            for (at, pair) in tried.into_iter().filter_map(|(at, pair)| Some((at, pair?))) {
                order.swap(at, at + 1);
                worth[at..at + 2].copy_from_slice(&pair);
                swapped = true;
            }
        }
        if !swapped {
            break;
        }
    }
    order
}

impl Search<'_> {
    /// The evidence of a column's trees, given the columns before it.
    fn worth(&self, column: usize, before: &[usize]) -> f64 {
        let mut features: Vec<usize> = before.iter().flat_map(|&k| self.starts[k]..self.starts[k + 1]).collect();
        features.sort_unstable();
        let mut total = 0.0;
        for i in self.starts[column]..self.starts[column + 1] {
            let mut grower = Grower::new(self.train, &self.evidence, i, self.train.free(&self.guards, i));
            grower.grow(&features, GAMMA, self.most_splits);
            total += grower.evidence();
            features.push(i);
        }
        total
    }
}
