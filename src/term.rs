//! Terms: the summands of the logit of each bit given the earlier bits.

use crate::logit::Logit;

mod linear;
mod forest;
mod nade;
mod mixture;

pub use forest::{Forest, ForestSlices};
pub use linear::{Linear, LinearSlices, LinearWeights};
pub use mixture::{Mixture, MixtureSlices};
pub use nade::{Activation, Nade, NadeSlices};

/// An additive term of the logit of p(x_i = 1 | x_<i), for every bit i in 0..N.
///
/// Every term obeys these laws, which `tests/laws.rs` and `tests/mixture.rs` check:
/// * A term is a table (`&self`, in flash). Its only memory of a row is its [`State`](Term::State), on the stack.
/// * [`logit`](Term::logit) depends on `seen[..i]` and on the set of earlier bits that were evaluated, but never on bit
///   i or a later bit, so that any sum of terms is a normalised model.
/// * Bits are evaluated in ascending order. Implied and observed bits are never evaluated. Evaluating a bit twice
///   changes nothing.
/// * [`observe`](Term::observe) is called once for each bit that is one, in ascending order, and never for a zero.
/// * No call panics or allocates, whatever the index. Past the end of its table a term returns [`Logit::ZERO`].
///
/// A [`Model`](crate::Model) offers every operation for any implementation of this trait:
///
/// ```
/// use surprisal::{Logit, Model, Term};
///
/// /// Every bit is likely to equal the bit before it.
/// #[derive(Clone, Copy)]
/// struct Sticky;
///
/// impl<const N: usize> Term<N> for Sticky {
///     type State = ();
///     fn start(&self) {}
///     fn logit(&self, (): &mut (), seen: &[bool; N], i: usize) -> Logit {
///         match i.checked_sub(1).and_then(|before| seen.get(before)) {
///             Some(true) => Logit::from_raw(2 << 16),
///             Some(false) => Logit::from_raw(-2 << 16),
///             None => Logit::ZERO,
///         }
///     }
///     fn observe(&self, (): &mut (), _: usize) {}
/// }
///
/// let model = Model::<4, _>::new(Sticky, &[], 4).unwrap();
/// assert!(model.surprisal(&[true, true, false, false]) < model.surprisal(&[true, false, true, false]));
/// ```
pub trait Term<const N: usize> {
    /// A summary of the bits seen so far, which a term keeps while a row is evaluated.
    type State;

    /// Returns the state before the first bit.
    fn start(&self) -> Self::State;

    /// Returns this term's summand of the logit of bit `i`, given the earlier bits `seen[..i]` (`seen` is `[bit]`).
    ///
    /// The state is mutable because a term may postpone work on earlier bits until a logit needs it. A term that
    /// depends on zeros reads them from `seen`.
    fn logit(&self, state: &mut Self::State, seen: &[bool; N], i: usize) -> Logit;

    /// Updates the state after bit `i`, which is a one.
    fn observe(&self, state: &mut Self::State, i: usize);
}

/// The four terms of a table, whose logits add up. A term that a model does not use is `EMPTY` and adds zero.
///
/// H is the capacity for hidden units and K the capacity for mixture components. Tables without hidden units and
/// mixtures have H = K = 0.
///
/// ```
/// use surprisal::{Linear, LinearSlices, LinearWeights, Model, Terms};
/// // One bit with a bias of 1 nat.
/// let linear = Linear::new(LinearSlices { biases: &[1024], scales: &[], weights: LinearWeights::Dense(&[]) })?;
/// let terms = Terms::<0, 0> { linear, ..Terms::EMPTY };
/// assert_eq!(terms.bits(), 1);
/// let [sum, alone] = [
///     Model::<1, _>::new(terms, &[], 1)?.surprisal(&[true]),
///     Model::<1, _>::new(linear, &[], 1)?.surprisal(&[true]),
/// ];
/// assert_eq!(sum, alone);
/// # Ok::<(), surprisal::TableError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Terms<'t, const H: usize = 0, const K: usize = 0> {
    /// Logistic regression of each bit on the earlier bits, one row of weights per bit.
    pub linear: Linear<'t>,
    /// Decision trees over earlier bits.
    pub trees: Forest<'t>,
    /// A hidden layer of at most H units.
    pub hidden: Nade<'t, H>,
    /// A mixture of at most K trees.
    pub mixture: Mixture<'t, K>,
}

impl<const H: usize, const K: usize> Terms<'_, H, K> {
    /// No terms: every logit is zero.
    pub const EMPTY: Self =
        Self { linear: Linear::EMPTY, trees: Forest::EMPTY, hidden: Nade::EMPTY, mixture: Mixture::EMPTY };

    /// Returns the number of bits that the terms describe: the largest [`bits`](Linear::bits) of the four terms.
    pub const fn bits(&self) -> usize {
        let each = [self.linear.bits(), self.trees.bits(), self.hidden.bits(), self.mixture.bits()];
        let [mut most, rest @ ..] = each;
        let mut left: &[usize] = &rest;
        while let Some((&bits, others)) = left.split_first() {
            if bits > most {
                most = bits;
            }
            left = others;
        }
        most
    }
}

/// The states of the terms that have one, while a row is evaluated. A forest has none.
#[derive(Clone, Copy, Debug)]
pub struct TermsState<const N: usize, const H: usize, const K: usize> {
    linear: [i16; N],
    hidden: nade::HiddenState<H>,
    mixture: mixture::Posterior<K>,
}

impl<const N: usize, const H: usize, const K: usize> Term<N> for Terms<'_, H, K> {
    type State = TermsState<N, H, K>;

    #[inline(always)]
    fn start(&self) -> Self::State {
        TermsState {
            linear: Term::<N>::start(&self.linear),
            hidden: Term::<N>::start(&self.hidden),
            mixture: Term::<N>::start(&self.mixture),
        }
    }

    #[inline]
    fn logit(&self, state: &mut Self::State, seen: &[bool; N], i: usize) -> Logit {
        // Sums saturate, so their order is part of the format.
        let rows = self.linear.logit(&mut state.linear, seen, i) + self.trees.logit(&mut (), seen, i);
        let layers = self.hidden.logit(&mut state.hidden, seen, i) + self.mixture.logit(&mut state.mixture, seen, i);
        rows + layers
    }

    #[inline]
    fn observe(&self, state: &mut Self::State, i: usize) {
        self.linear.observe(&mut state.linear, i);
        Term::<N>::observe(&self.trees, &mut (), i);
        Term::<N>::observe(&self.hidden, &mut state.hidden, i);
        Term::<N>::observe(&self.mixture, &mut state.mixture, i);
    }
}
