//! A local search for an order: neighbours change places as long as that pays.

use rayon::prelude::*;

use super::GAMMA;
use crate::bits::{Bits, members};
use crate::fit::tree::{Evidence, Grower};
use crate::model::log_sigmoid;
use crate::schema::Schema;

/// Sweeps over all pairs of neighbours, at most.
const SWEEPS: usize = 6;
/// How many rows a leaf's parent counts for.
const SHRINKAGE: f64 = 8.0;

/// What a column's trees say, given the columns before it.
#[derive(Clone, Copy, Debug, Default)]
struct Worth {
    /// ln of the marginal likelihood of the training rows.
    evidence: f64,
    /// The log-likelihood of the validation rows.
    valid: f64,
}

impl Worth {
    fn plus(self, other: Self) -> Self {
        Self { evidence: self.evidence + other.evidence, valid: self.valid + other.valid }
    }
}

struct Search<'a> {
    train: &'a Bits,
    valid: &'a Bits,
    guards: Vec<u16>,
    evidence: Evidence,
    /// Where each column's bits start, and where the last one's end.
    starts: Vec<usize>,
    most_splits: usize,
}

/// Starts from an order of the columns and lets two neighbours change places when that raises both the evidence of the
/// training rows and the likelihood of the validation rows: what a column is worth depends on which columns come before it and
/// not on their order, so that a swap changes two of them and costs two fits.
pub fn search(schema: &Schema, train: &Bits, valid: &Bits, start: &[usize], most_splits: usize) -> Vec<usize> {
    let starts = crate::select::starts(schema);
    let search =
        Search { train, valid, guards: schema.guards(), evidence: Evidence::new(train.rows), starts, most_splits };
    let mut order = start.to_vec();
    let n = order.len();
    let mut worth: Vec<Worth> = (0..n).into_par_iter().map(|at| search.worth(order[at], &order[..at])).collect();
    for _ in 0..SWEEPS {
        let mut swapped = false;
        // Pairs that share no column at the same time: first those that begin at even places, then the others.
        for parity in 0..2 {
            let tried = (parity..n.saturating_sub(1)).into_par_iter().step_by(2).map(|at| {
                let before = |column: usize| -> Vec<usize> {
                    order[..at].iter().copied().chain((column != order[at + 1]).then_some(order[at + 1])).collect()
                };
                let pair = [search.worth(order[at + 1], &order[..at]), search.worth(order[at], &before(order[at]))];
                let (now, then) = (worth[at].plus(worth[at + 1]), pair[0].plus(pair[1]));
                (at, (then.evidence > now.evidence && then.valid > now.valid).then_some(pair))
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
    fn worth(&self, column: usize, before: &[usize]) -> Worth {
        let mut features: Vec<usize> = before.iter().flat_map(|&k| self.starts[k]..self.starts[k + 1]).collect();
        features.sort_unstable();
        let mut total = Worth::default();
        for i in self.starts[column]..self.starts[column + 1] {
            let mut grower = Grower::new(self.train, &self.evidence, i, self.train.free(&self.guards, i));
            grower.grow(&features, GAMMA, self.most_splits);
            let tree = grower.shrunk(SHRINKAGE);
            let free = self.valid.free(&self.guards, i);
            let likelihood = |row: u32| {
                let leaf = tree.leaves[tree.leaf(|j| self.valid.get(row as usize, j))];
                log_sigmoid(leaf, self.valid.get(row as usize, i))
            };
            total = total.plus(Worth { evidence: grower.evidence(), valid: members(&free).map(likelihood).sum() });
            features.push(i);
        }
        total
    }
}
