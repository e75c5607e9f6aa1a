//! The score of a row by as many instructions for any row as for any other.

use crate::link::{self, Logit, Nats};
use crate::model::{Guard, Model};
use crate::part::{Part, Sum};
use core::hint::black_box;
use core::ops::{BitAnd, BitOr, Not};

mod forest;
mod linear;
mod mixture;
mod nade;

/// A bit that nothing branches on: all ones for a one, all zeros for a zero.
///
/// The compiler is kept from seeing that it is one of two values, as it would make a branch of that.
///
/// ```
/// use surprisal::Mask;
/// let [yes, no] = [true, false].map(Mask::of);
/// assert_eq!((yes.pick(7, -9), (yes & no).pick(7, -9), (!no).pick(7, -9)), (7, -9, 7));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mask(i8);

impl Mask {
    /// A one.
    pub(crate) const ALL: Self = Self(-1);
    /// A zero.
    pub(crate) const NONE: Self = Self(0);

    /// All ones if the bit is a one.
    #[inline]
    pub fn of(bit: bool) -> Self {
        Self(-black_box(bit as i8))
    }

    /// The first number for a one, the second one for a zero.
    #[inline]
    pub fn pick(self, one: i32, zero: i32) -> i32 {
        zero ^ (one ^ zero) & i32::from(self.0)
    }

    /// Is the number less than zero?
    #[inline]
    pub(crate) fn negative(number: i32) -> Self {
        // Neither how the number came about nor that it becomes one of two is known to the compiler.
        Self(black_box((black_box(number) >> 31) as i8))
    }

    /// Are two numbers the same? Neither is less than zero.
    #[inline]
    pub(crate) fn equal(a: i32, b: i32) -> Self {
        Self::negative((a ^ b).wrapping_sub(1))
    }
}

impl Not for Mask {
    type Output = Self;
    fn not(self) -> Self {
        Self(!self.0)
    }
}

impl BitAnd for Mask {
    type Output = Self;
    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl BitOr for Mask {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// The lesser of two numbers whose difference has 31 bits.
#[inline]
pub(crate) fn least(a: i32, b: i32) -> i32 {
    Mask::negative(a.wrapping_sub(b)).pick(a, b)
}

/// Logits add up as by `+`: without wrapping.
#[inline]
fn add(a: Logit, b: Logit) -> Logit {
    let (a, b) = (a.raw(), b.raw());
    let sum = a.wrapping_add(b);
    let over = Mask::negative((a ^ sum) & (b ^ sum));
    Logit::from_raw(over.pick(Mask::negative(a).pick(i32::MIN, i32::MAX), sum))
}

/// A part whose instructions are the same for all rows: [`Model::steady`] needs one.
///
/// Both methods say what those of [`Part`] do, by a way through the table that depends on the table and on `i` alone; of what
/// was seen they make masks. All parts of this crate are steady, and so are their sums; of a sigmoid and of a mixture, as of
/// every logit, where the link's table is read depends on the row.
///
/// ```
/// use surprisal::{Logit, Mask, Model, Part, Steady};
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
/// impl<const N: usize> Steady<N> for Sticky {
///     fn steady_logit(&self, (): &mut (), seen: &[Mask; N], i: usize) -> Logit {
///         let before = i.checked_sub(1).and_then(|before| seen.get(before));
///         before.map_or(Logit::ZERO, |before| Logit::from_raw(before.pick(2 << 16, -2 << 16)))
///     }
///     fn steady_observe(&self, (): &mut (), _: &[Mask; N], _: usize, _: Mask) {}
/// }
///
/// let (model, row) = (Model::<4, _>::new(Sticky, &[], 4).unwrap(), [true, true, false, false]);
/// assert_eq!(model.steady(&row), model.surprisal(&row));
/// ```
pub trait Steady<const N: usize>: Part<N> {
    /// As [`Part::logit`]; `seen` is the whole row, of which bit `i` and later ones must not count. It is asked of every bit
    /// once, forced ones included.
    fn steady_logit(&self, state: &mut Self::State, seen: &[Mask; N], i: usize) -> Logit;

    /// Takes in bit `i`, a zero or a one, which was free or forced.
    fn steady_observe(&self, state: &mut Self::State, seen: &[Mask; N], i: usize, free: Mask);
}

impl<const N: usize, A: Steady<N>, B: Steady<N>> Steady<N> for Sum<A, B> {
    fn steady_logit(&self, state: &mut Self::State, seen: &[Mask; N], i: usize) -> Logit {
        add(self.0.steady_logit(&mut state.0, seen, i), self.1.steady_logit(&mut state.1, seen, i))
    }

    fn steady_observe(&self, state: &mut Self::State, seen: &[Mask; N], i: usize, free: Mask) {
        self.0.steady_observe(&mut state.0, seen, i, free);
        self.1.steady_observe(&mut state.1, seen, i, free);
    }
}

impl<const N: usize, P: Steady<N>> Model<'_, N, P> {
    /// -ln p(row), to the bit as [`surprisal`](Self::surprisal) says it, in as many instructions for any row as for any
    /// other: all bits are computed, forced ones too, and masks choose.
    ///
    /// Takes 1.2 to 45 times as many as `surprisal` does at its mean, most for large trees (`docs/device.md`). Rust promises
    /// no constant time: that the counts are equal is measured, on six emulated cores, for one compiler. Where the link's table and
    /// the logarithms of a [`Mixture`](crate::Mixture) are read depends on the row; a core with a cache for data or flash may
    /// tell by that, while Cortex-M0 to M4 and M33 have none of their own. What comes before it, an encoder, and after it, a
    /// verdict, depends on readings and scores. [`Table::steady`](crate::Table::steady) is for readings.
    ///
    /// ```
    /// use surprisal::{Columns, Linear, Model};
    /// let linear = Linear::new(&[0, -2048], &[0, 3277], Columns::Dense(&[100])).unwrap();
    /// let model = Model::<2, _>::new(linear, &[], 2).unwrap();
    /// for row in [[false, false], [false, true], [true, false], [true, true]] {
    ///     assert_eq!(model.steady(&row), model.surprisal(&row));
    /// }
    /// ```
    pub fn steady(&self, row: &[bool; N]) -> Nats {
        let (part, guards) = self.pieces();
        let mut seen = [Mask::NONE; N];
        seen.iter_mut().zip(row).for_each(|(mask, &bit)| *mask = Mask::of(bit));
        let (mut state, mut total, mut violated) = (part.start(), 0i32, Mask::NONE);
        for (i, &bit) in seen.iter().enumerate().take(self.bits()) {
            let guard = guards.get(i).map_or(Guard::FREE, |&guard| Guard::from_raw(guard));
            let free = match guard.condition() {
                Some((parent, when, value)) => {
                    let parent = seen.get(parent).copied().unwrap_or_default();
                    let free = if when { !parent } else { parent };
                    violated = violated | !free & if value { !bit } else { bit };
                    free
                }
                None if guard == Guard::GIVEN => Mask::NONE,
                None => Mask::ALL,
            };
            let logit = part.steady_logit(&mut state, &seen, i);
            let nats = link::steady::surprisal(logit, bit);
            total = total.wrapping_add(free.pick(nats.raw() as i32, 0));
            part.steady_observe(&mut state, &seen, i, free);
        }
        Nats::from_raw(violated.pick(-1, total) as u32)
    }
}
