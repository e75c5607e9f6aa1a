//! The chain rule, and every verb over it.

use crate::error::TableError;
use crate::link::{Logit, Mass, Nats};
use crate::part::Part;
use core::ops::Range;

/// p(x) = ∏ p(x_i | x_<i) over rows of at most N bits; `P` adds up the logit of each conditional.
///
/// The table may be for fewer bits than N; the rest of a row is then left alone.
///
/// ```
/// use surprisal::{Columns, Linear, Model, Nats};
/// // Two bits: a fair one, and one that is 5 nats likelier to be a one after a one.
/// let linear = Linear::new(&[0, -2048], &[0, 3277], Columns::Dense(&[100])).unwrap();
/// let model = Model::<2, _>::new(linear, &[], 2).unwrap();
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
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Model<'t, const N: usize, P> {
    part: P,
    guards: &'t [u16],
    bits: usize,
}

/// What a word of a guard list says: [`Guard::FREE`], [`Guard::GIVEN`], or "if bit `parent` is `when`, this bit is `value`".
///
/// A forced bit has probability one: it costs nothing, is not looked up, and no sample violates it.
///
/// ```
/// use surprisal::{Columns, Guard, Linear, Model, Nats};
/// // A thermometer of two levels: the second is not reached where the first is not.
/// let guards = [Guard::FREE.raw(), Guard::new(0, false, false).raw()];
/// let linear = Linear::new(&[0, 0], &[], Columns::Dense(&[])).unwrap();
/// let model = Model::<2, _>::new(linear, &guards, 2).unwrap();
/// assert_eq!(model.surprisal(&[false, false]), Nats::from_raw(45426)); // ln 2, for the first bit alone
/// assert_eq!(model.surprisal(&[false, true]), Nats::IMPOSSIBLE);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Guard(u16);

impl Guard {
    /// Nothing forces this bit.
    pub const FREE: Self = Self(u16::MAX);
    /// This bit is given: it is seen, but neither asked nor scored nor sampled.
    pub const GIVEN: Self = Self(u16::MAX - 1);
    const PARENT: u16 = (1 << 12) - 1;

    /// If bit `parent` (below 4096) is `when`, the guarded bit is `value`.
    pub const fn new(parent: u16, when: bool, value: bool) -> Self {
        Self(parent & Self::PARENT | (when as u16) << 12 | (value as u16) << 13)
    }

    /// The guard with this code, as [`raw`](Self::raw) gave it.
    pub const fn from_raw(raw: u16) -> Self {
        Self(raw)
    }

    /// Parent in bits 0..12, `when` in bit 12, `value` in bit 13, the rest zero; all ones when free, all but the last when
    /// given.
    pub const fn raw(self) -> u16 {
        self.0
    }

    /// `(parent, when, value)`, or `None` when free or given.
    pub const fn condition(self) -> Option<(usize, bool, bool)> {
        if self.0 >= Self::GIVEN.0 {
            return None;
        }
        Some(((self.0 & Self::PARENT) as usize, self.0 >> 12 & 1 == 1, self.value()))
    }

    /// The value of the guarded bit, if what was seen leaves but one.
    pub fn forces(self, seen: &[bool]) -> Option<bool> {
        let (parent, ..) = self.condition()?;
        let &bit = seen.get(parent)?;
        // As numbers, which takes a Cortex-M0 less.
        (u16::from(bit) == self.0 >> 12 & 1).then_some(self.value())
    }

    /// What the bit is if it is forced.
    const fn value(self) -> bool {
        self.0 >> 13 & 1 == 1
    }
}

/// What is known of the next bit before it is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Conditional {
    /// What was seen leaves one value.
    Forced(bool),
    /// Both values are possible.
    Open(Logit),
}

impl Conditional {
    /// -ln p(bit); [`Nats::IMPOSSIBLE`] for the other value of a forced bit.
    pub fn surprisal(self, bit: bool) -> Nats {
        match self {
            Self::Open(logit) => logit.surprisal(bit),
            Self::Forced(value) if value == bit => Nats::ZERO,
            Self::Forced(_) => Nats::IMPOSSIBLE,
        }
    }

    /// The probability of a one, or `None` for a forced bit.
    pub fn mass(self) -> Option<Mass> {
        match self {
            Self::Open(logit) => Some(logit.mass()),
            Self::Forced(_) => None,
        }
    }

    /// The bit itself if it is forced, else a draw by a coin, uniform in 0..=65535; a forced bit takes no coin.
    pub fn decide(self, coin: impl FnOnce() -> u16) -> bool {
        match self {
            Self::Open(logit) => logit.mass().decide(coin()),
            Self::Forced(value) => value,
        }
    }
}

/// A row on its way through the chain rule: one conditional at a time.
///
/// What every verb is a loop over, for a loop of your own: when you need to stop between bits.
///
/// ```
/// use surprisal::{Columns, Linear, Model, Nats};
/// let linear = Linear::new(&[0, -2048], &[0, 3277], Columns::Dense(&[100])).unwrap();
/// let model = Model::<2, _>::new(linear, &[], 2).unwrap();
/// let row = [true, false];
/// let (mut walk, mut total) = (model.walk(), Nats::ZERO);
/// while let Some((i, conditional)) = walk.next(&row) {
///     total += conditional.surprisal(row[i]);
///     walk.observe(row[i]);
/// }
/// assert_eq!(total, model.surprisal(&row));
/// ```
#[derive(Debug)]
pub struct Walk<'m, 't, const N: usize, P: Part<N>> {
    model: &'m Model<'t, N, P>,
    state: P::State,
    at: usize,
}

impl<const N: usize, P: Part<N>> Walk<'_, '_, N, P> {
    /// The index and conditional of the next bit given `seen[..i]`, or `None` after the last.
    pub fn next(&mut self, seen: &[bool; N]) -> Option<(usize, Conditional)> {
        let i = self.at;
        if i >= self.model.bits {
            return None;
        }
        Some((i, self.model.conditional(&mut self.state, seen, i)))
    }

    /// The next bit is `bit`.
    pub fn observe(&mut self, bit: bool) {
        if bit {
            self.model.part.observe(&mut self.state, self.at);
        }
        self.at += 1;
    }
}

impl<'t, const N: usize, P> Model<'t, N, P> {
    /// A model of `bits` bits; `guards` holds one [`Guard::raw`] a bit, or is empty when nothing is ever forced.
    ///
    /// # Errors
    /// [`TableError::TooWide`] when `bits` exceeds N (or 4096); [`TableError::Shape`] when there is another number of
    /// guards; [`TableError::Order`] when a guard's parent does not come before its bit.
    pub const fn new(part: P, guards: &'t [u16], bits: usize) -> Result<Self, TableError>
    where
        P: Copy,
    {
        if bits > N || bits > 4096 {
            return Err(TableError::TooWide { bits: if bits > 65535 { 65535 } else { bits as u16 } });
        }
        if !guards.is_empty() && guards.len() != bits {
            return Err(TableError::Shape("guards"));
        }
        let (mut left, mut bit) = (guards, 0);
        while let Some((guard, rest)) = left.split_first() {
            if let Some((parent, _, _)) = Guard::from_raw(*guard).condition()
                && parent >= bit
            {
                return Err(TableError::Order { bit: bit as u16 });
            }
            left = rest;
            bit += 1;
        }
        Ok(Self { part, guards, bits })
    }

    /// How many bits of a row the model speaks of.
    pub const fn bits(&self) -> usize {
        self.bits
    }

    /// Is this bit given, and not scored?
    pub(crate) fn is_given(&self, bit: usize) -> bool {
        self.guards.get(bit) == Some(&Guard::GIVEN.raw())
    }

    /// The first bit that is not what its guard forces it to be.
    pub(crate) fn violated(&self, row: &[bool; N]) -> Option<u16> {
        let guards = (0..).zip(self.guards.iter().map(|&guard| Guard::from_raw(guard)));
        // Most bits are what they would be forced to be, whatever the parent.
        let mut others = guards.zip(row).filter(|((_, guard), bit)| guard.value() != **bit);
        others.find_map(|((i, guard), _)| guard.forces(row).map(|_| i))
    }

    /// The part and the guards it was made of, as [`new`](Self::new) takes them.
    pub const fn pieces(&self) -> (&P, &'t [u16]) {
        (&self.part, self.guards)
    }
}

impl<'t, const N: usize, P: Part<N>> Model<'t, N, P> {
    /// Starts a walk before the first bit.
    pub fn walk(&self) -> Walk<'_, 't, N, P> {
        Walk { model: self, state: self.part.start(), at: 0 }
    }

    /// -ln p(row). [`Nats::IMPOSSIBLE`] for a row that a guard rules out.
    ///
    /// Takes one step a bit, plus what the parts state: for free bits one step a level of their trees, for ones an
    /// addition a weight below them. Both are bounded by the table.
    #[inline(never)]
    pub fn surprisal(&self, row: &[bool; N]) -> Nats {
        self.read(&mut self.start(), row, 0..self.bits, |_, _| {})
    }

    /// The surprisal of each bit given the bits before it, into the first [`bits`](Self::bits) of `each`, which add up to
    /// the result exactly.
    pub fn explain(&self, row: &[bool; N], each: &mut [Nats; N]) -> Nats {
        self.read(&mut self.start(), row, 0..self.bits, |i, nats| {
            if let Some(slot) = each.get_mut(i) {
                *slot = nats;
            }
        })
    }

    /// Before the first bit.
    pub(crate) fn start(&self) -> P::State {
        self.part.start()
    }

    /// The surprisal of some bits of a row given those before, which `state` has taken in; a part of the row may be read
    /// as soon as it is known. A walk would do, but its pieces apart take a third fewer instructions.
    pub(crate) fn read(
        &self,
        state: &mut P::State,
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
                Conditional::Forced(value) => possible &= value == bit,
                // 4096 bits of the smallest mass stay below 2^32.
                Conditional::Open(_) => total = total.wrapping_add(nats),
            }
            if bit {
                self.part.observe(state, i);
            } else {
                let last = self.forced_run(row, i, end);
                (i + 1..=last).for_each(|i| each(i, Nats::ZERO));
                i = last;
            }
            i += 1;
        }
        if possible { total } else { Nats::IMPOSSIBLE }
    }

    /// Of bit `i`, when `seen[..i]` was seen; a given one is seen itself.
    #[inline]
    pub(crate) fn conditional(&self, state: &mut P::State, seen: &[bool; N], i: usize) -> Conditional {
        let forced = self.guards.get(i).and_then(|&guard| match Guard::from_raw(guard) {
            Guard::GIVEN => seen.get(i).copied(),
            guard => guard.forces(seen),
        });
        match forced {
            Some(value) => Conditional::Forced(value),
            None => Conditional::Open(self.part.logit(state, seen, i)),
        }
    }

    /// Where the zeros end that follow from a zero at `i`, as far as `row` has them: most forced bits are such, as in
    /// thermometers, and need no look at the parts.
    #[inline]
    pub(crate) fn forced_run(&self, row: &[bool; N], mut i: usize, end: usize) -> usize {
        while i + 1 < end
            && self.guards.get(i + 1).is_some_and(|&guard| usize::from(guard) == i)
            && row.get(i + 1) == Some(&false)
        {
            i += 1;
        }
        i
    }

    /// Bit `i` is `bit`.
    #[inline]
    pub(crate) fn observe(&self, state: &mut P::State, i: usize, bit: bool) {
        if bit {
            self.part.observe(state, i);
        }
    }

    /// Draws a row with probability p(row), given a fair `coin` over all of `u16`, one a free bit.
    pub fn sample(&self, coin: impl FnMut() -> u16) -> [bool; N] {
        self.complete(&[], coin)
    }

    /// Draws the rest of a row given its first bits, which are taken as they are.
    pub fn complete(&self, prefix: &[bool], mut coin: impl FnMut() -> u16) -> [bool; N] {
        let (mut row, mut state) = ([false; N], self.part.start());
        let mut i = 0;
        while i < self.bits {
            let conditional = self.conditional(&mut state, &row, i);
            let bit = prefix.get(i).copied().unwrap_or_else(|| conditional.decide(&mut coin));
            if let Some(slot) = row.get_mut(i) {
                *slot = bit;
            }
            self.observe(&mut state, i, bit);
            // A prefix is taken as it is.
            if !bit && i + 1 >= prefix.len() {
                i = self.forced_run(&row, i, self.bits);
            }
            i += 1;
        }
        row
    }
}
