//! What a model is made of: additive pieces of every conditional's logit.

use crate::link::Logit;

mod forest;
mod linear;
mod mixture;
mod nade;

pub use forest::Forest;
pub use linear::{Columns, Linear};
pub use mixture::Mixture;
pub(crate) use mixture::{LN, Posterior};
pub(crate) use nade::Hidden;
pub use nade::{Activation, Nade};

/// One additive piece of the logit of p(x_i = 1 | x_<i), for every i in 0..N.
///
/// The laws, which `tests/laws.rs` holds every part to:
/// * the part is a table (`&self`, flash); all that it remembers of a row is its `State` (stack);
/// * [`logit`](Part::logit) depends on `seen[..i]` and on which of those bits were asked for, never on bit i or a
///   later one, so that any sum of parts is a normalised model;
/// * bits are asked for in ascending order, forced ones never; asking twice changes nothing;
/// * zeros leave no trace: [`observe`](Part::observe) is called for ones only, in ascending order;
/// * no call panics or allocates, whatever the index: past the table's end a part says [`Logit::ZERO`].
///
/// A part of one's own gets every verb:
///
/// ```
/// use surprisal::{Logit, Model, Part};
///
/// /// Every bit is likely what the one before it was.
/// #[derive(Clone, Copy)]
/// struct Sticky;
///
/// impl<const N: usize> Part<N> for Sticky {
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
pub trait Part<const N: usize> {
    /// What is remembered of x_<i.
    type State;

    /// The state before the first bit.
    fn start(&self) -> Self::State;

    /// This part's share of the logit of bit `i`, when `seen[..i]` was seen. The state is open to change, as a part may
    /// put off until it is asked what it has to make of the bits seen.
    fn logit(&self, state: &mut Self::State, seen: &[bool; N], i: usize) -> Logit;

    /// Bit `i` turned out to be one.
    fn observe(&self, state: &mut Self::State, i: usize);
}

/// Two parts as one: their logits add up. `Sum<Sum<A, B>, C>` sums three.
///
/// ```
/// use surprisal::{Columns, Linear, Model, Nats, Sum};
/// let half = Linear::new(&[512], &[], Columns::Dense(&[])).unwrap(); // a bias of 1/2 nat
/// let whole = Linear::new(&[1024], &[], Columns::Dense(&[])).unwrap();
/// let [sum, one] = [
///     Model::<1, _>::new(Sum(half, half), &[], 1).unwrap().surprisal(&[true]),
///     Model::<1, _>::new(whole, &[], 1).unwrap().surprisal(&[true]),
/// ];
/// assert_eq!(sum, one);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Sum<A, B>(pub A, pub B);

impl<const N: usize, A: Part<N>, B: Part<N>> Part<N> for Sum<A, B> {
    type State = (A::State, B::State);

    fn start(&self) -> Self::State {
        (self.0.start(), self.1.start())
    }

    fn logit(&self, state: &mut Self::State, seen: &[bool; N], i: usize) -> Logit {
        self.0.logit(&mut state.0, seen, i) + self.1.logit(&mut state.1, seen, i)
    }

    fn observe(&self, state: &mut Self::State, i: usize) {
        self.0.observe(&mut state.0, i);
        self.1.observe(&mut state.1, i);
    }
}
