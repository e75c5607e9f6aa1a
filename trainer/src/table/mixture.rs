//! The mixture: float logits to the codes of [`surprisal::Mixture`].

use surprisal::{Mixture, MixtureSlices, TableError};

use crate::model::FloatMixture;

/// The owned storage of a [`Mixture`], with the fields of [`MixtureSlices`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MixtureTable {
    /// `[component]`: the prior weights.
    pub priors: Vec<u16>,
    /// `[bit]`: the distance back to the parent, and the code of its effect.
    pub parents: Vec<[u8; 2]>,
    /// `[bit][component]`: the codes of the logits.
    pub logits: Vec<i8>,
}

impl MixtureTable {
    /// Quantises a mixture.
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

    /// Returns the device crate's term over these slices.
    ///
    /// # Errors
    /// [`TableError::TooManyComponents`] if there are more components than K.
    pub fn view<const K: usize>(&self) -> Result<Mixture<'_, K>, TableError> {
        let Self { priors, parents, logits } = self;
        Mixture::new(MixtureSlices { priors, parents, logits })
    }
}

/// Returns the code with the nearest logit.
fn code(logit: f64) -> i8 {
    let off = |code: &i8| (f64::from(Mixture::<0>::logit_of(*code).raw()) - logit * 65536.0).abs();
    (-127..=127).min_by(|a, b| off(a).total_cmp(&off(b))).unwrap_or(0)
}
