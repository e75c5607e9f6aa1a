//! The chain rule over bits, and the operations of a model: score, explain, sample and complete rows of bits.

use core::ops::Range;

use crate::constraint::Constraint;
use crate::error::TableError;
use crate::logit::{Logit, Mass};
use crate::nats::Nats;
use crate::term::Term;

/// An autoregressive model of rows of at most N bits: p(x) = ∏ p(x_i | x_<i), with logits from the term `T`.
///
/// A model may have fewer than N bits. It then ignores the last bits of a row.
///
/// ```
/// use surprisal::{Linear, LinearSlices, LinearWeights, Model, Nats};
/// // Two bits: a fair coin, and a bit whose logit is -2 after a zero and 3 after a one.
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

/// The distribution of one bit given the bits before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Conditional {
    /// The bit has only one possible value: earlier bits imply it, or it is observed.
    Known(bool),
    /// The bit is free: both values are possible, and this logit is the log-odds of a one.
    Free(Logit),
}

impl Conditional {
    /// Returns -ln p(bit). For a known bit it is zero, or [`Nats::IMPOSSIBLE`] if `bit` is not its value.
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

    /// Returns the value of a known bit, or draws the value of a free bit, whose value earlier bits do not imply.
    ///
    /// `coin` must return a number that is uniform in 0..=65535. It is not called for a known bit.
    pub fn decide(self, coin: impl FnOnce() -> u16) -> bool {
        match self {
            Self::Free(logit) => logit.mass().decide(coin()),
            Self::Known(value) => value,
        }
    }
}

impl<'t, const N: usize, T> Model<'t, N, T> {
    /// Creates a model of `bits` bits. `constraints` holds one [`Constraint::raw`] per bit, or is empty if all bits are
    /// free. The terms may describe fewer bits; the missing logits are zero.
    ///
    /// # Errors
    /// [`TableError::TooManyBits`] if `bits` exceeds N or 4096; [`TableError::Inconsistent`] if the number of
    /// constraints is neither zero nor `bits`; [`TableError::Order`] if the parent of a constraint does not come before
    /// its bit.
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

    /// Returns whether the bit is observed, and therefore not scored.
    pub(crate) fn is_observed(&self, bit: usize) -> bool {
        self.constraints.get(bit) == Some(&Constraint::OBSERVED.raw())
    }

    /// Returns the index of the first bit whose value contradicts its constraint, or `None` for a possible row.
    pub(crate) fn contradiction(&self, row: &[bool; N]) -> Option<u16> {
        let constraints = (0..).zip(self.constraints.iter().map(|&word| Constraint::from_raw(word)));
        // Most bits have the value of their constraint, so that the look at the parent is rare.
        let mut others = constraints.zip(row).filter(|((_, constraint), bit)| constraint.value() != **bit);
        others.find_map(|((i, constraint), _)| constraint.implied_value(row).map(|_| i))
    }
}

impl<const N: usize, T: Term<N>> Model<'_, N, T> {
    /// Returns -ln p(row), given the observed bits, or [`Nats::IMPOSSIBLE`] for a row that contradicts a constraint.
    ///
    /// Takes one step per bit, and the work of the terms: one addition for each linear weight of each bit that is 1,
    /// and one step per level of the trees of each free bit (a bit whose value earlier bits do not imply).
    #[inline(never)]
    pub fn surprisal(&self, row: &[bool; N]) -> Nats {
        self.read(&mut self.start(), row, 0..self.bits, |_, _| {})
    }

    /// Writes the surprisal of each bit given the bits before it to the first [`bits`](Self::bits) elements of `each`,
    /// and returns their exact sum, the [`surprisal`](Self::surprisal) of the row.
    ///
    /// Observed bits, and implied bits with the implied value, get zero. A bit that contradicts its constraint gets
    /// [`Nats::IMPOSSIBLE`], and so does the sum.
    pub fn explain(&self, row: &[bool; N], each: &mut [Nats; N]) -> Nats {
        self.read(&mut self.start(), row, 0..self.bits, |i, nats| {
            if let Some(slot) = each.get_mut(i) {
                *slot = nats;
            }
        })
    }

    /// Returns the state of the terms before the first bit.
    pub(crate) fn start(&self) -> T::State {
        self.terms.start()
    }

    /// Returns the surprisal of the bits in the range `bits` of a row, given the bits before the range, which `state`
    /// has already observed. Passes (index, surprisal) of each bit in the range to `each`.
    ///
    /// A range of bits can be scored as soon as it is encoded. A loop over [`Walk`](crate::Walk) would take a third
    /// more instructions.
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
                // The surprisals of 4096 bits of the smallest mass add up to less than 2^32.
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

    /// Returns the conditional distribution of bit `i` given the earlier bits `seen[..i]`. The value of an observed bit
    /// is read from `seen[i]`.
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

    /// Returns the index of the last bit, before `end`, of the run of implied zeros after a zero at bit `i`, as far as
    /// `row` holds zeros there.
    ///
    /// A bit belongs to the run if its constraint is "zero if the bit before is zero", as in thermometer codes. That
    /// word equals the index of the bit before. Most implied bits are in such runs, and skipping a run does not involve
    /// the terms.
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

    /// Updates the state of the terms with `bit`, the value of bit `i`.
    #[inline]
    pub(crate) fn observe(&self, state: &mut T::State, i: usize, bit: bool) {
        if bit {
            self.terms.observe(state, i);
        }
    }

    /// Gives each of these bits of a row its likelier value, given all bits before it, and moves past them.
    // Not inlined, because no reading is missing in most rows.
    #[inline(never)]
    pub(crate) fn complete_likeliest(&self, state: &mut T::State, row: &mut [bool; N], bits: Range<usize>) {
        for i in bits {
            let bit = match self.conditional(state, row, i) {
                Conditional::Known(bit) => bit,
                Conditional::Free(logit) => logit.raw() > 0,
            };
            row.get_mut(i).into_iter().for_each(|slot| *slot = bit);
            self.observe(state, i, bit);
        }
    }

    /// Draws a row with probability p(row), given zeros for all observed bits.
    ///
    /// `coin` must return values that are uniform over all of `u16`. It is called once for each free bit, a bit whose
    /// value earlier bits do not imply.
    pub fn sample(&self, coin: impl FnMut() -> u16) -> [bool; N] {
        self.complete(&[], coin)
    }

    /// Draws a row given its first bits, `prefix`, which are kept as they are, even if they contradict a constraint.
    ///
    /// Observed bits after the prefix are zeros. `coin` is as in [`sample`](Self::sample).
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
            // A run of implied zeros is skipped only after the prefix, whose bits are kept as they are.
            if !bit && i + 1 >= prefix.len() {
                i = self.implied_run(&row, i, self.bits);
            }
            i += 1;
        }
        row
    }
}
