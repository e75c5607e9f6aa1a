//! Quantises a mixture: converts float logits to the codes of [`surprisal::Mixture`].

use surprisal::{Mixture, MixtureSlices, TableError};

use crate::model::FloatMixture;

/// Owned storage of a [`Mixture`], with the fields of [`MixtureSlices`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MixtureTable {
    /// Prior weight of each component, relative to 65535 for the largest one: `[component]`.
    pub priors: Vec<u16>,
    /// [distance to the bit's parent (0 for no parent), code of the parent's weight] for each bit: `[bit]`.
    pub parents: Vec<[u8; 2]>,
    /// Code of each bit's logit in each component: `[bit][component]`, flattened.
    pub logits: Vec<i8>,
}

impl MixtureTable {
    /// Quantises the priors, weights and logits of a mixture.
    pub fn new(mixture: &FloatMixture) -> Self {
        let largest = mixture.priors.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
        let prior = |prior: &f64| (prior / largest * 65535.0).round().clamp(1.0, 65535.0) as u16;
        Self {
            priors: mixture.priors.iter().map(prior).collect(),
            parents: mixture
                .gaps
                .iter()
                .zip(&mixture.weights)
                .map(|(&gap, &weight)| [gap, code(weight) as u8])
                .collect(),
            logits: mixture.biases.iter().map(|&bias| code(bias)).collect(),
        }
    }

    /// Returns the mixture term of the device crate, which borrows these slices.
    ///
    /// # Errors
    /// [`TableError::TooManyComponents`] if there are more components than K.
    pub fn view<const K: usize>(&self) -> Result<Mixture<'_, K>, TableError> {
        let Self { priors, parents, logits } = self;
        Mixture::new(MixtureSlices { priors, parents, logits })
    }
}

/// Returns the code, from -127 to 127, whose logit is nearest to `logit`, in nats.
fn code(logit: f64) -> i8 {
    let off = |code: &i8| (f64::from(Mixture::<0>::logit_of(*code).raw()) - logit * 65536.0).abs();
    (-127..=127).min_by(|a, b| off(a).total_cmp(&off(b))).unwrap_or(0)
}
