//! A mixture of trees of bits.

use super::Part;
use crate::error::TableError;
use crate::link::Logit;

/// To be described.
#[derive(Clone, Copy, Debug)]
pub struct Mixture<'t, const K: usize> {
    priors: &'t [u16],
    parents: &'t [u8],
    logits: &'t [[i8; 2]],
}

impl<'t, const K: usize> Mixture<'t, K> {
    /// No components: every logit is zero.
    pub const EMPTY: Self = Self { priors: &[], parents: &[], logits: &[] };

    /// To be described.
    ///
    /// # Errors
    /// To be described.
    pub const fn new(priors: &'t [u16], parents: &'t [u8], logits: &'t [[i8; 2]]) -> Result<Self, TableError> {
        Ok(Self { priors, parents, logits })
    }

    /// How many bits it is for; none if it has no components.
    pub const fn bits(&self) -> usize {
        if self.priors.is_empty() { 0 } else { self.parents.len() / self.priors.len() }
    }

    /// How many components it has.
    pub const fn components(&self) -> usize {
        self.priors.len()
    }

    /// The slices it was made of, as [`new`](Self::new) takes them.
    pub const fn slices(&self) -> (&'t [u16], &'t [u8], &'t [[i8; 2]]) {
        (self.priors, self.parents, self.logits)
    }
}

impl<const N: usize, const K: usize> Part<N> for Mixture<'_, K> {
    type State = ();
    fn start(&self) {}
    fn logit(&self, (): &mut (), _: &[bool; N], _: usize) -> Logit {
        Logit::ZERO
    }
    fn observe(&self, (): &mut (), _: usize) {}
}
