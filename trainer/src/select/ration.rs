//! The best under a budget, bit by bit, without believing the validation rows too much.

use rayon::prelude::*;

use super::pool::{Candidate, Member, Pick, Pool};
use crate::error::Result;
use crate::evaluate::mean;

/// What a pick gains over another one in each fold of the validation rows: the sum of its gains in nats and that of their
/// squares; and about how many bytes it takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Offer {
    pick: Pick,
    gains: [f64; FOLDS],
    squares: [f64; FOLDS],
    bytes: f64,
}

/// Choosing bit by bit would overfit the validation rows, by how much is told by choosing on all folds but one.
const FOLDS: usize = 4;
/// How many standard errors of a gain do not count.
pub(super) const MARGINS: [f64; 2] = [1.0, 3.0];

impl Offer {
    /// The mean gain less the margin, in all folds or all but one.
    fn worth(&self, but: Option<usize>, rows: f64, margin: f64) -> f64 {
        let sum = |each: &[f64; FOLDS]| -> f64 {
            each.iter().enumerate().filter(|&(fold, _)| Some(fold) != but).map(|(_, sum)| sum).sum()
        };
        let rows = if but.is_some() { rows * (FOLDS - 1) as f64 / FOLDS as f64 } else { rows };
        let mean = sum(&self.gains) / rows;
        let variance = (sum(&self.squares) / rows - mean * mean).max(0.0);
        mean - margin * (variance / rows).sqrt()
    }
}

impl Pool<'_> {
    /// For each bit, what can be had.
    pub(super) fn offers(&self, reference: Pick, layer: Option<&Member>) -> Vec<Vec<Offer>> {
        let of_bit = |i: usize| {
            let expected = self.likelihoods(i, reference, layer);
            let offer = |pick: Pick| {
                let bytes = pick.member.map_or(0, |at| {
                    let conditional = &self.members[at].model.conditionals[i];
                    2 * conditional.weights.len() + 3 * conditional.splits()
                });
                let mut offer = Offer { pick, gains: [0.0; FOLDS], squares: [0.0; FOLDS], bytes: bytes as f64 };
                let each = self.likelihoods(i, pick, layer);
                for ((&row, likelihood), expected) in self.free[i].iter().zip(each).zip(&expected) {
                    let (fold, gain) = (row as usize % FOLDS, likelihood - expected);
                    offer.gains[fold] += gain;
                    offer.squares[fold] += gain * gain;
                }
                offer
            };
            let members =
                (0..self.members.len()).map(|at| if layer.is_some() { Pick::both(at) } else { Pick::alone(at) });
            members.chain(layer.map(|_| Pick::LAYER)).map(offer).collect()
        };
        (0..self.free.len()).into_par_iter().map(of_bit).collect()
    }

    /// The best mixture of conditionals under a budget: each bit takes the offer that is best at a price a byte, and the
    /// price is the lowest at which the file fits (a Lagrange multiplier, found by bisection). Besides it, the size of the
    /// smallest.
    pub(super) fn ration(
        &self,
        reference: Pick,
        offers: &[Vec<Offer>],
        pool: &[bool],
        margin: f64,
        layer: Option<&Member>,
    ) -> Result<(Option<Candidate>, usize)> {
        let expected = mean(&self.each(&vec![reference; self.free.len()], layer));
        let rows = self.factorisation.valid.rows as f64;
        let take = |offers: &[Offer], price: f64, but: Option<usize>| {
            let open = offers.iter().filter(|offer| offer.pick.member.is_none_or(|at| pool[at]));
            let worth = |offer: &Offer| offer.worth(but, rows, margin) - price * offer.bytes;
            *open.max_by(|a, b| worth(a).total_cmp(&worth(b))).expect("marginals are always there")
        };
        let at_price = |price: f64| -> Result<Option<Candidate>> {
            let picks: Vec<Pick> = offers.iter().map(|offers| take(offers, price, None).pick).collect();
            let mut candidate = self.candidate(&picks, layer, None, "")?;
            if let Some(candidate) = &mut candidate {
                let fold = |fold: usize| -> f64 {
                    offers.iter().map(|offers| take(offers, price, Some(fold)).gains[fold]).sum()
                };
                candidate.cautious = expected + (0..FOLDS).map(fold).sum::<f64>() / rows;
            }
            Ok(candidate)
        };
        let least = at_price(1e9)?.expect("a table without weights and trees has no limits to exceed");
        let smallest = least.bytes;
        let mut best = Some(least).filter(|candidate| self.fits(candidate));
        let (mut cheap, mut dear) = (-20.0f64, 3.0f64);
        for _ in 0..14 {
            let middle = 0.5 * (cheap + dear);
            match at_price(middle.exp())?.filter(|candidate| self.fits(candidate)) {
                Some(found) => {
                    let better = best.as_ref().is_none_or(|best| found.cautious > best.cautious);
                    best = if better { Some(found) } else { best };
                    dear = middle;
                }
                None => cheap = middle,
            }
        }
        Ok((best, smallest))
    }
}
