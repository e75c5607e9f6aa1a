//! Terms: the additive pieces of every conditional's logit.

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
/// `tests/laws.rs` holds every term to these laws:
/// * A term is a table (`&self`, in flash). All that it remembers of a row is its `State` (on the stack).
/// * [`logit`](Term::logit) depends on `seen[..i]` and on which of those bits were evaluated, never on bit i or a later
///   one, so that any sum of terms is a normalised model.
/// * Bits are evaluated in ascending order. Implied and observed bits are never evaluated. Evaluating a bit twice
///   changes nothing.
/// * Zeros leave no trace: [`observe`](Term::observe) is called for ones only, in ascending order.
/// * No call panics or allocates, whatever the index. Past the end of its table a term returns [`Logit::ZERO`].
///
/// A term of your own gets every operation of a [`Model`](crate::Model):
///
/// ```
/// use surprisal::{Logit, Model, Term};
///
/// /// Every bit is likely to equal the one before it.
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
    /// The memory of x_<i while a row is evaluated.
    type State;

    /// Returns the state before the first bit.
    fn start(&self) -> Self::State;

    /// Returns this term's summand of the logit of bit `i`, given the earlier bits `seen[..i]`.
    ///
    /// The state is mutable because a term may postpone work on earlier bits until a logit needs it.
    fn logit(&self, state: &mut Self::State, seen: &[bool; N], i: usize) -> Logit;

    /// Records that bit `i` is a one.
    fn observe(&self, state: &mut Self::State, i: usize);
}

/// The four terms that a table holds. Their logits add up; a term that a model does not use is `EMPTY` and adds zero.
///
/// H is the capacity for hidden units and K the capacity for mixture components. Tables without them have H = K = 0.
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
    /// Autoregressive logistic rows.
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

    /// Returns the number of bits that the terms describe: the largest number that any of them states.
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

/// The memory of a row for each of the four terms.
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
