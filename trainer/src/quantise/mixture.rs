//! A mixture of trees to the bytes of [`surprisal::Mixture`].

use surprisal::TableError;

use crate::fit::mixture::Mixture;

/// The owned slices of a [`surprisal::Mixture`].
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(missing_docs)]
pub struct MixtureTable {
    pub priors: Vec<u16>,
    pub parents: Vec<u8>,
    pub logits: Vec<[i8; 2]>,
}

impl MixtureTable {
    /// Quantises a mixture.
    pub fn new(mixture: &Mixture) -> Self {
        let largest = mixture.priors.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
        let prior = |prior: &f64| (prior / largest * 65535.0).round().clamp(1.0, 65535.0) as u16;
        Self {
            priors: mixture.priors.iter().map(prior).collect(),
            parents: mixture.gaps.clone(),
            logits: mixture.ones.iter().map(|ones| ones.map(code)).collect(),
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

/// The code whose logit is nearest to that of a probability.
fn code(p: f64) -> i8 {
    let wanted = (p / (1.0 - p)).ln() * 65536.0;
    let off = |code: &i8| (f64::from(surprisal::Mixture::<0>::logit_of(*code).raw()) - wanted).abs();
    (-127..=127).min_by(|a, b| off(a).total_cmp(&off(b))).unwrap_or(0)
}
