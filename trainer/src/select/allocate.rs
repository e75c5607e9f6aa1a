//! Allocates the budget of bytes to the bits: chooses the best conditional of each bit at a common price per byte.

use rayon::prelude::*;

use super::candidates::{Candidates, Choice, Fitted, SizedModel};
use super::choices::over_limit;
use crate::error::Result;
use crate::evaluate::mean;
use crate::model::FloatConditional;

/// A choice of terms for one bit, with its gain in validation log-likelihood over a reference choice and its size.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    choice: Choice,
    /// Sum of the gains over the validation rows of each fold, in nats.
    gains: [f64; FOLDS],
    /// Sum of the squared gains over the validation rows of each fold, in squared nats.
    squares: [f64; FOLDS],
    /// Approximate number of bytes that the choice takes in the table.
    bytes: f64,
}

/// Number of folds of the validation rows, which estimate the overfitting of choices bit by bit: choices on all folds
/// except one are evaluated on that fold.
const FOLDS: usize = 4;
/// Margins to try, in standard errors that are subtracted from each gain.
const MARGINS: [f64; 2] = [1.0, 3.0];

impl Candidate {
    /// Returns the mean gain minus the margin, in nats per row, over all folds except `excluded`.
    fn value(&self, excluded: Option<usize>, rows: f64, margin: f64) -> f64 {
        let sum = |each: &[f64; FOLDS]| -> f64 {
            each.iter().enumerate().filter(|&(fold, _)| Some(fold) != excluded).map(|(_, sum)| sum).sum()
        };
        let rows = if excluded.is_some() { rows * (FOLDS - 1) as f64 / FOLDS as f64 } else { rows };
        let mean = sum(&self.gains) / rows;
        let variance = (sum(&self.squares) / rows - mean * mean).max(0.0);
        mean - margin * (variance / rows).sqrt()
    }
}

impl Candidates<'_> {
    /// Returns the best model within the budget, averaged with a hidden layer if there is one.
    ///
    /// Makes a separate choice for each bit, and returns the best fitted model within the budget unless these choices
    /// predict better with caution.
    ///
    /// # Errors
    /// [`Error::Option`] if no model is within the budget; the message names the limit and the smallest sufficient
    /// value.
    pub(super) fn best(&mut self, layer: Option<&Fitted>) -> Result<SizedModel> {
        let choices_of = |at: usize| vec![Choice::of(at, layer.is_some()); self.free.len()];
        let mut ranked: Vec<(f64, usize)> =
            (0..self.full).into_par_iter().map(|at| (mean(&self.each(&choices_of(at), layer)), at)).collect();
        ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let (mut reference, mut fitting) = (None, None);
        for &(_, at) in &ranked {
            let setting = self.fitted[at].setting;
            let Some(candidate) = self.assemble(&choices_of(at), layer, setting, &self.fitted[at].name)? else {
                continue;
            };
            reference.get_or_insert(at);
            if self.fits(&candidate) {
                fitting = Some((candidate, at));
                break;
            }
        }
        let reference = reference.or(ranked.first().map(|&(_, at)| at));
        // The choice for each bit takes as long as a fit, and a search has many layers. With a single model, the user has
        // made the choice.
        if (layer.is_some() || self.full == 1)
            && let Some((candidate, at)) = &fitting
            && Some(*at) == reference
        {
            return Ok(candidate.clone());
        }
        let uniform = fitting.map(|(candidate, _)| candidate);
        let mut found = Vec::new();
        self.fit_smaller();
        let reference = reference.map_or(Choice::LAYER, |at| Choice::of(at, layer.is_some()));
        let candidates = self.bit_candidates(reference, layer);
        // A table without any weight, or without any split, also saves the bytes per bit of that section.
        let without = |lacks: &dyn Fn(&FloatConditional) -> bool| -> Vec<bool> {
            self.fitted.iter().map(|fitted| fitted.model.conditionals.iter().all(lacks)).collect()
        };
        let subsets = [without(&|c| c.weights.is_empty()), without(&|c| c.splits() == 0), without(&|_| true)];
        let mut least = [usize::MAX; 3];
        for subset in &subsets {
            for margin in MARGINS {
                let (best, smallest) = self.allocate(reference, &candidates, subset, margin, layer)?;
                least = least.min(smallest);
                found.extend(best);
            }
        }
        let mut best = found.into_iter().max_by(|a, b| a.cautious_ll.total_cmp(&b.cautious_ll));
        if let Some(uniform) = uniform {
            // A sum of the same gains in another order is not a gain.
            best = best.filter(|best| best.cautious_ll > uniform.cautious_ll + 1e-9).or(Some(uniform));
        }
        best.ok_or_else(|| {
            let [bytes, state, operations] = least;
            let exceeded = self.budget.exceeded(bytes, state, operations);
            over_limit("model of these columns", &exceeded, "with --ignore, or reduce --cells")
        })
    }

    /// Returns the candidates of each bit, with their gains over the choice `reference`: `[bit][..]`.
    fn bit_candidates(&self, reference: Choice, layer: Option<&Fitted>) -> Vec<Vec<Candidate>> {
        let bit_candidates = |i: usize| {
            let expected = self.likelihoods(i, reference, layer);
            let candidate = |choice: Choice| {
                let bytes = choice.fitted.map_or(0, |at| {
                    let conditional = &self.fitted[at].model.conditionals[i];
                    2 * conditional.weights.len() + 3 * conditional.splits()
                });
                let mut candidate =
                    Candidate { choice, gains: [0.0; FOLDS], squares: [0.0; FOLDS], bytes: bytes as f64 };
                let each = self.likelihoods(i, choice, layer);
                for ((&row, likelihood), expected) in self.free[i].iter().zip(each).zip(&expected) {
                    let (fold, gain) = (row as usize % FOLDS, likelihood - expected);
                    candidate.gains[fold] += gain;
                    candidate.squares[fold] += gain * gain;
                }
                candidate
            };
            let choices = (0..self.fitted.len()).map(|at| Choice::of(at, layer.is_some()));
            choices.chain(layer.map(|_| Choice::LAYER)).map(candidate).collect()
        };
        (0..self.free.len()).into_par_iter().map(bit_candidates).collect()
    }

    /// Returns the best model within the budget with one choice per bit, if any, and the size in bytes of the smallest
    /// model with one choice per bit.
    ///
    /// Each bit takes its best candidate at a price per byte. Bisection finds the lowest price, a Lagrange multiplier,
    /// at which the file fits. Fitted models `at` whose `subset[at]` is false are excluded.
    fn allocate(
        &self,
        reference: Choice,
        candidates: &[Vec<Candidate>],
        subset: &[bool],
        margin: f64,
        layer: Option<&Fitted>,
    ) -> Result<(Option<SizedModel>, [usize; 3])> {
        let expected = mean(&self.each(&vec![reference; self.free.len()], layer));
        let rows = self.factorisation.valid.rows as f64;
        let take = |candidates: &[Candidate], price: f64, excluded: Option<usize>| {
            let allowed = candidates.iter().filter(|candidate| candidate.choice.fitted.is_none_or(|at| subset[at]));
            let value = |candidate: &Candidate| candidate.value(excluded, rows, margin) - price * candidate.bytes;
            *allowed.max_by(|a, b| value(a).total_cmp(&value(b))).expect("the marginals are candidates of every subset")
        };
        let at_price = |price: f64| -> Result<Option<SizedModel>> {
            let choices: Vec<Choice> =
                candidates.iter().map(|candidates| take(candidates, price, None).choice).collect();
            let mut sized = self.assemble(&choices, layer, None, "")?;
            if let Some(sized) = &mut sized {
                let fold = |fold: usize| -> f64 {
                    candidates.iter().map(|candidates| take(candidates, price, Some(fold)).gains[fold]).sum()
                };
                sized.cautious_ll = expected + (0..FOLDS).map(fold).sum::<f64>() / rows;
            }
            Ok(sized)
        };
        let least = at_price(1e9)?.expect("a model of biases only is always representable");
        let smallest = [least.bytes, least.table.shape().state_bytes(), least.table.operations()?];
        let mut best = Some(least).filter(|sized| self.fits(sized));
        // Logarithms of a price at which the file is too large and of one at which it fits.
        let (mut low, mut high) = (-20.0f64, 3.0f64);
        for _ in 0..14 {
            let middle = 0.5 * (low + high);
            match at_price(middle.exp())?.filter(|sized| self.fits(sized)) {
                Some(found) => {
                    let better = best.as_ref().is_none_or(|best| found.cautious_ll > best.cautious_ll);
                    best = if better { Some(found) } else { best };
                    high = middle;
                }
                None => low = middle,
            }
        }
        Ok((best, smallest))
    }
}
