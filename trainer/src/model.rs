//! The fitted model in floats: one conditional distribution per bit, with the same terms as the quantised table.

use rand::Rng;
use rayon::prelude::*;
use surprisal::Constraint;

use crate::bits::{Bits, PerBit, members};

mod conditional;
mod layer;
mod mixture;

use layer::LayerState;

pub use conditional::{FloatConditional, Tree, TreeSplit, log_likelihoods, log_sigmoid};
pub use layer::HiddenLayer;
pub use mixture::{FloatMixture, MixturePosterior};

/// A fitted distribution over rows of bits, whose terms are added in each bit's logit.
#[derive(Clone, Debug, Default)]
pub struct FloatModel {
    /// Linear and tree terms of each bit, in model order: `[bit]`.
    pub conditionals: Vec<FloatConditional>,
    /// Hidden-layer term of all bits, if the model has one.
    pub hidden: Option<HiddenLayer>,
    /// Mixture-of-trees term of all bits, if the model has one.
    pub mixture: Option<FloatMixture>,
    /// Raw constraint of each bit, as in [`surprisal::Model::new`]. Empty if no bit has a constraint.
    pub constraints: Vec<u16>,
}

impl FloatModel {
    /// Returns the model that consists of a hidden layer and one bias per bit, in nats. `constraints` has one
    /// [`Constraint`] word per bit.
    pub fn of_layer(hidden: HiddenLayer, bit_biases: &[f32], constraints: &[u16]) -> Self {
        let conditional = |&bias: &f32| FloatConditional { bias: f64::from(bias), ..FloatConditional::default() };
        let conditionals = bit_biases.iter().map(conditional).collect();
        Self { conditionals, hidden: Some(hidden), constraints: constraints.to_vec(), ..Self::default() }
    }

    /// Returns ln p(x_i | x_<i) in nats: `[bit][row]`. Zero where a constraint makes the bit observed or implied.
    pub fn log_likelihoods(&self, bits: &Bits) -> PerBit {
        let logits = self.logits(bits).into_par_iter().enumerate();
        logits.map(|(i, logits)| log_likelihoods(&logits, bits, &self.constraints, i)).collect()
    }

    /// Returns the logits of all bits on all rows, in nats: `[bit][row]`.
    pub fn logits(&self, bits: &Bits) -> PerBit {
        let mut logits: PerBit = self.conditionals.par_iter().map(|conditional| conditional.logits(bits)).collect();
        let layer = self.hidden.as_ref().map(|layer| layer.logits(bits));
        let mixture = self.mixture.as_ref().map(|mixture| mixture.logits(bits, &self.constraints));
        for term in [layer, mixture].into_iter().flatten() {
            let both = logits.par_iter_mut().zip(&term);
            both.for_each(|(logits, add)| logits.iter_mut().zip(add).for_each(|(logit, add)| *logit += add));
        }
        logits
    }

    /// Returns the mean log-likelihood of rows under the model, in nats per row.
    pub fn log_likelihood(&self, bits: &Bits) -> f64 {
        mean_log_likelihood(&self.logits(bits), bits, &self.constraints)
    }

    /// Draws rows from the model by ancestral sampling, one bit after the other.
    pub fn sample(&self, rows: usize, random: &mut impl Rng) -> Bits {
        let n = self.conditionals.len();
        let mut bits = Bits::new(n);
        for _ in 0..rows {
            let mut row = vec![false; n];
            let mut layer = self.hidden.as_ref().map(LayerState::new);
            let mut posterior = self.mixture.as_ref().map(FloatMixture::posterior);
            for (i, conditional) in self.conditionals.iter().enumerate() {
                let implied = self.constraints.get(i).and_then(|&raw| Constraint::from_raw(raw).implied_value(&row));
                row[i] = implied.unwrap_or_else(|| {
                    let uniform = f64::from(random.next_u32()) / 4_294_967_296.0;
                    let layer_logit = layer.as_ref().map_or(0.0, |layer| layer.logit(i));
                    let mixture_logit = posterior.as_ref().map_or(0.0, |posterior| posterior.logit(&row, i));
                    let logit = conditional.logit(|j| row[j]) + layer_logit + mixture_logit;
                    uniform < 1.0 / (1.0 + (-logit).exp())
                });
                if let (None, Some(posterior)) = (implied, &mut posterior) {
                    posterior.observe(&row, i);
                }
                if let (true, Some(layer)) = (row[i], &mut layer) {
                    layer.observe(i);
                }
            }
            bits.push(&row);
        }
        bits
    }
}

/// Returns the mean log-likelihood of rows in nats per row, given the logits `[bit][row]` of a model.
pub fn mean_log_likelihood(logits: &PerBit, bits: &Bits, constraints: &[u16]) -> f64 {
    let bit_sum = |(i, logits): (usize, &Vec<f64>)| -> f64 {
        let free = bits.free(constraints, i);
        members(&free).map(|row| log_sigmoid(logits[row as usize], bits.get(row as usize, i))).sum()
    };
    // The sums are added in the order of the bits, so that the number of threads does not change the result.
    let each: Vec<f64> = logits.par_iter().enumerate().map(bit_sum).collect();
    each.iter().sum::<f64>() / bits.rows.max(1) as f64
}
