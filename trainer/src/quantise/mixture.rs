//! A mixture of trees to the bytes of [`surprisal::Mixture`].

use surprisal::TableError;

use crate::model::FloatMixture;

/// The owned slices of a [`surprisal::Mixture`].
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(missing_docs)]
pub struct MixtureTable {
    pub priors: Vec<u16>,
    pub parents: Vec<[u8; 2]>,
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

    /// The core's part over these slices.
    ///
    /// # Errors
    /// More components than K.
    pub fn view<const K: usize>(&self) -> Result<surprisal::Mixture<'_, K>, TableError> {
        surprisal::Mixture::new(&self.priors, &self.parents, &self.logits)
    }
}

/// The code whose logit is nearest.
fn code(logit: f64) -> i8 {
    let off = |code: &i8| (f64::from(surprisal::Mixture::<0>::logit_of(*code).raw()) - logit * 65536.0).abs();
    (-127..=127).min_by(|a, b| off(a).total_cmp(&off(b))).unwrap_or(0)
}
