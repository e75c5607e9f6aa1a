//! A mixture of trees in floats (Meilă & Jordan, *Learning with Mixtures of Trees*, 2000).

use surprisal::Constraint;

use crate::bits::{Bits, PerBit, per_bit};

/// A mixture of trees in floats, in the layout of [`surprisal::Mixture`].
///
/// In component k, logit p(x_i = 1 | x_<i) = `biases[i][k]`, plus `weights[i]` if the parent of bit i is one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FloatMixture {
    /// Prior probability of each component: `[component]`.
    pub priors: Vec<f64>,
    /// Distance from each bit to its parent, an earlier bit: `[bit]`. Zero if the bit has no parent.
    pub gaps: Vec<u8>,
    /// Weight of each bit's parent, in nats: `[bit]`. All components share it.
    pub weights: Vec<f64>,
    /// Bias of each bit in each component, in nats: `[bit][component]`, flattened.
    pub biases: Vec<f64>,
}

/// Posterior probabilities of the components given the earlier bits of a row.
#[derive(Clone, Debug)]
pub struct MixturePosterior<'m> {
    mixture: &'m FloatMixture,
    weights: Vec<f64>,
}

impl FloatMixture {
    /// Returns the number of components.
    pub fn components(&self) -> usize {
        self.priors.len()
    }

    /// Returns the logit of bit `i` in component `k`, in nats, given a row whose bits before `i` are known.
    pub fn logit(&self, i: usize, k: usize, row: &[bool]) -> f64 {
        let gap = usize::from(self.gaps[i]);
        self.biases[i * self.components() + k] + if gap > 0 && row[i - gap] { self.weights[i] } else { 0.0 }
    }

    /// Returns the posterior at the start of a row, which equals the prior.
    pub fn posterior(&self) -> MixturePosterior<'_> {
        MixturePosterior { mixture: self, weights: self.priors.clone() }
    }

    /// Returns the mixture's term of the logits of all rows, in nats: `[bit][row]`. Zero where a constraint makes the
    /// bit observed or implied.
    pub fn logits(&self, bits: &Bits, constraints: &[u16]) -> PerBit {
        per_bit(bits, |at| {
            let mut row = vec![false; bits.width()];
            bits.row(at, &mut row);
            let mut posterior = self.posterior();
            let mut logits = vec![0.0; bits.width()];
            for (i, logit) in logits.iter_mut().enumerate() {
                if constraints.get(i).and_then(|&raw| Constraint::from_raw(raw).implied_value(&row)).is_none() {
                    *logit = posterior.logit(&row, i);
                    posterior.observe(&row, i);
                }
            }
            logits
        })
    }
}

impl MixturePosterior<'_> {
    /// Returns the logit of bit `i`, in nats, given a row whose bits before `i` are known.
    pub fn logit(&self, row: &[bool], i: usize) -> f64 {
        let (mut one, mut zero) = (0.0, 0.0);
        for (k, weight) in self.weights.iter().enumerate() {
            let odds = self.mixture.logit(i, k, row).exp();
            one += weight * odds / (1.0 + odds);
            zero += weight / (1.0 + odds);
        }
        (one / zero).ln()
    }

    /// Updates the posterior with the value of bit `i`, which no constraint makes observed or implied in this row.
    pub fn observe(&mut self, row: &[bool], i: usize) {
        let mut sum = 0.0;
        for (k, weight) in self.weights.iter_mut().enumerate() {
            let logit = self.mixture.logit(i, k, row);
            *weight /= 1.0 + if row[i] { -logit } else { logit }.exp();
            sum += *weight;
        }
        self.weights.iter_mut().for_each(|weight| *weight /= sum);
    }
}
