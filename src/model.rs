//! The chain rule over bits, and every operation on it.

use core::ops::Range;

use crate::constraint::Constraint;
use crate::error::TableError;
use crate::logit::{Logit, Mass};
use crate::nats::Nats;
use crate::term::Term;

/// An autoregressive model of rows of at most N bits: p(x) = ∏ p(x_i | x_<i). The term `T` gives the logit of each
/// conditional.
///
/// A model may have fewer bits than N. It then ignores the rest of a row.
///
/// ```
/// use surprisal::{Linear, LinearSlices, LinearWeights, Model, Nats};
/// // Two bits: a fair one, and one with 5 nats more of log-odds after a one.
/// let slices = LinearSlices { biases: &[0, -2048], scales: &[0, 3277], weights: LinearWeights::Dense(&[100]) };
/// let model = Model::<2, _>::new(Linear::new(slices)?, &[], 2)?;
///
/// let mut each = [Nats::ZERO; 2];
/// let nats = model.explain(&[true, false], &mut each);
/// assert_eq!(nats, model.surprisal(&[true, false]));
/// assert_eq!(nats, each[0] + each[1]);
///
/// let mut coins = [0x1234, 0xFEDC].into_iter().cycle();
/// let row = model.sample(|| coins.next().unwrap());
/// assert_eq!(row, [true, false]);
/// assert!(model.complete(&[true], || 0x8000)[1]);
/// # Ok::<(), surprisal::TableError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Model<'t, const N: usize, T> {
    terms: T,
    constraints: &'t [u16],
    bits: usize,
}

/// The distribution of the next bit before its value is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Conditional {
    /// The bit has only one possible value: earlier bits imply it, or it is observed.
    Known(bool),
    /// Both values are possible, with these log-odds of a one.
    Free(Logit),
}

impl Conditional {
    /// Returns -ln p(bit), or [`Nats::IMPOSSIBLE`] for the other value of a known bit.
    pub fn surprisal(self, bit: bool) -> Nats {
        match self {
            Self::Free(logit) => logit.surprisal(bit),
            Self::Known(value) if value == bit => Nats::ZERO,
            Self::Known(_) => Nats::IMPOSSIBLE,
        }
    }

    /// Returns the probability of a one, or `None` for a known bit.
    pub fn mass(self) -> Option<Mass> {
        match self {
            Self::Free(logit) => Some(logit.mass()),
            Self::Known(_) => None,
        }
    }

    /// Returns the value of a known bit, or draws a free one with a coin that is uniform in 0..=65535. A known bit takes no
    /// coin.
    pub fn decide(self, coin: impl FnOnce() -> u16) -> bool {
        match self {
            Self::Free(logit) => logit.mass().decide(coin()),
            Self::Known(value) => value,
        }
    }
}

impl<'t, const N: usize, T> Model<'t, N, T> {
    /// Creates a model of `bits` bits. `constraints` holds one [`Constraint::raw`] per bit, or is empty if all bits are
    /// free.
    ///
    /// # Errors
    /// [`TableError::TooManyBits`] if `bits` exceeds N or 4096; [`TableError::Inconsistent`] if the number of constraints
    /// differs from `bits`; [`TableError::Order`] if the parent of a constraint does not come before its bit.
    pub const fn new(terms: T, constraints: &'t [u16], bits: usize) -> Result<Self, TableError>
    where
        T: Copy,
    {
        if bits > N || bits > 4096 {
            return Err(TableError::TooManyBits { bits: if bits > 65535 { 65535 } else { bits as u16 } });
        }
        if !constraints.is_empty() && constraints.len() != bits {
            return Err(TableError::Inconsistent("constraints"));
        }
        let (mut left, mut bit) = (constraints, 0);
        while let Some((constraint, rest)) = left.split_first() {
            if let Some((parent, _, _)) = Constraint::from_raw(*constraint).condition()
                && parent >= bit
            {
                return Err(TableError::Order { bit: bit as u16 });
            }
            left = rest;
            bit += 1;
        }
        Ok(Self { terms, constraints, bits })
    }

    /// Returns the number of bits that the model describes.
    pub const fn bits(&self) -> usize {
        self.bits
    }

    /// Returns the terms that give the logits.
    pub const fn terms(&self) -> &T {
        &self.terms
    }

    /// Returns one [`Constraint::raw`] per bit, or an empty slice if all bits are free.
    pub const fn constraints(&self) -> &'t [u16] {
        self.constraints
    }

    /// Returns whether the bit is observed, and so not scored.
    pub(crate) fn is_observed(&self, bit: usize) -> bool {
        self.constraints.get(bit) == Some(&Constraint::OBSERVED.raw())
    }

    /// Returns the first bit that contradicts its constraint.
    pub(crate) fn contradiction(&self, row: &[bool; N]) -> Option<u16> {
        let constraints = (0..).zip(self.constraints.iter().map(|&word| Constraint::from_raw(word)));
        // Most bits already have the value that they could be forced to, whatever the parent.
        let mut others = constraints.zip(row).filter(|((_, constraint), bit)| constraint.value() != **bit);
        others.find_map(|((i, constraint), _)| constraint.implied_value(row).map(|_| i))
    }
}

impl<const N: usize, T: Term<N>> Model<'_, N, T> {
    /// Returns -ln p(row), or [`Nats::IMPOSSIBLE`] for a row that a constraint rules out.
    ///
    /// Takes one step per bit, plus the work of the terms: for each free bit one step per level of its trees, and for each
    /// one an addition per weight in its column. The table bounds both.
    #[inline(never)]
    pub fn surprisal(&self, row: &[bool; N]) -> Nats {
        self.read(&mut self.start(), row, 0..self.bits, |_, _| {})
    }

    /// Writes the surprisal of each bit given the bits before it to the first [`bits`](Self::bits) of `each`, and returns
    /// their exact sum.
    pub fn explain(&self, row: &[bool; N], each: &mut [Nats; N]) -> Nats {
        self.read(&mut self.start(), row, 0..self.bits, |i, nats| {
            if let Some(slot) = each.get_mut(i) {
                *slot = nats;
            }
        })
    }

    /// Returns the state before the first bit.
    pub(crate) fn start(&self) -> T::State {
        self.terms.start()
    }

    /// Returns the surprisal of some bits of a row given those before, which `state` has already observed.
    ///
    /// A range of bits can be read as soon as it is encoded. A walk would do the same in a third more instructions.
    pub(crate) fn read(
        &self,
        state: &mut T::State,
        row: &[bool; N],
        bits: Range<usize>,
        mut each: impl FnMut(usize, Nats),
    ) -> Nats {
        let (mut total, mut possible, mut i, end) = (Nats::ZERO, true, bits.start, bits.end.min(self.bits));
        while let Some(&bit) = row.get(i).filter(|_| i < end) {
            let conditional = self.conditional(state, row, i);
            let nats = conditional.surprisal(bit);
            each(i, nats);
            match conditional {
                Conditional::Known(value) => possible &= value == bit,
                // 4096 bits of the smallest mass stay below 2^32.
                Conditional::Free(_) => total = total.wrapping_add(nats),
            }
            if bit {
                self.terms.observe(state, i);
            } else {
                let last = self.implied_run(row, i, end);
                (i + 1..=last).for_each(|i| each(i, Nats::ZERO));
                i = last;
            }
            i += 1;
        }
        if possible { total } else { Nats::IMPOSSIBLE }
    }

    /// Returns the conditional of bit `i` given `seen[..i]`. The value of an observed bit is read from `seen` itself.
    #[inline]
    pub(crate) fn conditional(&self, state: &mut T::State, seen: &[bool; N], i: usize) -> Conditional {
        let known = self.constraints.get(i).and_then(|&word| match Constraint::from_raw(word) {
            Constraint::OBSERVED => seen.get(i).copied(),
            constraint => constraint.implied_value(seen),
        });
        match known {
            Some(value) => Conditional::Known(value),
            None => Conditional::Free(self.terms.logit(state, seen, i)),
        }
    }

    /// Returns the last bit of the run of implied zeros behind a zero at `i`, as far as `row` holds zeros there.
    ///
    /// Most implied bits are of this kind, as in thermometers, and skipping them needs no look at the terms.
    #[inline]
    pub(crate) fn implied_run(&self, row: &[bool; N], mut i: usize, end: usize) -> usize {
        while i + 1 < end
            && self.constraints.get(i + 1).is_some_and(|&constraint| usize::from(constraint) == i)
            && row.get(i + 1) == Some(&false)
        {
            i += 1;
        }
        i
    }

    /// Records the value of bit `i` in the state.
    #[inline]
    pub(crate) fn observe(&self, state: &mut T::State, i: usize, bit: bool) {
        if bit {
            self.terms.observe(state, i);
        }
    }

    /// Draws a row with probability p(row). `coin` must be uniform over all of `u16`; each free bit takes one.
    pub fn sample(&self, coin: impl FnMut() -> u16) -> [bool; N] {
        self.complete(&[], coin)
    }

    /// Draws the rest of a row given its first bits, which are kept as they are.
    pub fn complete(&self, prefix: &[bool], mut coin: impl FnMut() -> u16) -> [bool; N] {
        let (mut row, mut state) = ([false; N], self.terms.start());
        let mut i = 0;
        while i < self.bits {
            let conditional = self.conditional(&mut state, &row, i);
            let bit = prefix.get(i).copied().unwrap_or_else(|| conditional.decide(&mut coin));
            if let Some(slot) = row.get_mut(i) {
                *slot = bit;
            }
            self.observe(&mut state, i, bit);
            // Bits of the prefix are kept even where a constraint contradicts them.
            if !bit && i + 1 >= prefix.len() {
                i = self.implied_run(&row, i, self.bits);
            }
            i += 1;
        }
        row
    }
}
