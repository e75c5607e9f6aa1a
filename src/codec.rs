//! Compression: a range coder that turns a row's bits or outcomes into about as many bytes as its surprisal, and back.
//!
//! The coder narrows an interval of numbers in [0, 1) by the mass of each bit or outcome (Rissanen & Langdon, *Arithmetic Coding*,
//! 1979). A byte is complete as soon as only a carry can still change it, and the last complete byte is held back for
//! that carry (Martin, *Range Encoding*, 1979; carry handling as in Schindler's coder, 1998). The interval is at least
//! 2²⁴ units wide whenever it is divided, so a bit or an outcome takes at most 2⁻⁷ bit more than its surprisal, and far
//! less unless its mass and the interval are both close to their minimum.

use crate::error::EncodeError;
use crate::logit::Mass;
use crate::model::{Conditional, Model};
use crate::outcome_tables::{Masses, OutcomeTables};
use crate::term::Term;

mod symbols;

pub(crate) use symbols::Symbols;

/// The smallest width of an interval, in units. If the interval becomes narrower, the coder shifts a byte out.
const NARROW: u32 = 1 << 24;

/// Returns the part of an interval of `range` units that belongs to a mass in 0..=65536, ⌊range · mass / 65536⌋. A mass
/// of 1 has at least 256 units, and a mass of 65536 has all of them.
fn part(range: u32, mass: u32) -> u32 {
    // The products have at most 32 bits.
    ((range >> 16) * mass).wrapping_add(((range & 0xFFFF) * mass) >> 16)
}

/// A range coder from bits or outcomes to bytes, which it passes to a `sink` one at a time. [`Model::compress`] and
/// [`OutcomeTables::compress`] feed it with rows.
///
/// ```
/// use surprisal::{Compressor, Decompressor, Logit};
/// let mass = Logit::from_raw(-3 << 16).mass(); // a one has probability 0.047
/// let mut bytes = Vec::new();
/// let mut compressor = Compressor::new(|byte| bytes.push(byte));
/// (0..100).for_each(|i| compressor.push(i % 20 == 0, mass));
/// compressor.finish();
/// assert_eq!(bytes.len(), 4); // 5 · 3.049 + 95 · 0.049 nats are 28.6 bits
///
/// let mut decompressor = Decompressor::new(bytes.into_iter());
/// assert!((0..100).all(|i| decompressor.pull(mass) == (i % 20 == 0)));
/// ```
#[derive(Debug)]
pub struct Compressor<S> {
    /// The lower end of the interval, without the bytes that were shifted out.
    low: u32,
    /// The width of the interval.
    range: u32,
    /// The last byte that a carry can still change, apart from bytes of 255 after it.
    held: Option<u8>,
    /// The number of bytes of 255 that follow the held byte.
    full: u32,
    sink: S,
}

/// A [`Compressor`] between two rows, without its sink.
pub(crate) type Paused = Compressor<()>;

impl Paused {
    /// A compressor that has encoded nothing.
    pub(crate) const START: Self = Self { low: 0, range: u32::MAX, held: None, full: 0, sink: () };

    /// Returns a compressor that goes on from here, and passes its bytes to `sink`.
    pub(crate) fn resume<S: FnMut(u8)>(&self, sink: S) -> Compressor<S> {
        Compressor { low: self.low, range: self.range, held: self.held, full: self.full, sink }
    }

    /// Returns the largest number of bytes that [`finish`](Compressor::finish) would write now.
    pub(crate) fn most_left(&self) -> usize {
        (self.full as usize).saturating_add(2)
    }
}

impl<S> Compressor<S> {
    /// Returns the state of this compressor, without its sink.
    pub(crate) fn pause(self) -> Paused {
        Compressor { low: self.low, range: self.range, held: self.held, full: self.full, sink: () }
    }
}

impl<S: FnMut(u8)> Compressor<S> {
    /// Creates a compressor that passes its bytes to `sink`.
    pub const fn new(sink: S) -> Self {
        Self { low: 0, range: u32::MAX, held: None, full: 0, sink }
    }

    /// Encodes a bit. The decompressor needs the same mass to decode it, see [`Decompressor::pull`].
    pub fn push(&mut self, bit: bool, mass: Mass) {
        let ones = part(self.range, mass.of(true));
        if bit {
            self.range = ones;
        } else {
            self.raise(ones);
            self.range -= ones;
        }
        self.widen();
    }

    /// Encodes an outcome. The decompressor needs the same masses to decode it, see [`Decompressor::pull_outcome`]. An
    /// outcome past the last one counts as the last one.
    pub fn push_outcome(&mut self, outcome: u8, masses: &Masses) {
        let (low, high) = masses.bounds(outcome);
        let [low, high] = [low, high].map(|sum| part(self.range, sum));
        self.raise(low);
        self.range = high.wrapping_sub(low);
        self.widen();
    }

    /// Shifts bytes out until the interval is wide enough to be divided.
    #[inline]
    fn widen(&mut self) {
        while self.range < NARROW {
            self.shift();
            self.range <<= 8;
        }
    }

    /// Writes the last bytes, as few as identify the interval if the reader appends zeros. To store several packets one
    /// after another, store their lengths as well.
    pub fn finish(mut self) {
        // Raises the lower end to the next number that ends in four zero bytes, or if that is too far, in three.
        let missing = self.low.wrapping_neg();
        if missing < self.range {
            self.raise(missing);
        } else {
            self.raise(missing & (NARROW - 1));
            self.shift();
        }
        self.release(0);
    }

    /// Moves the lower end of the interval up by `by` units, and carries into the held byte.
    fn raise(&mut self, by: u32) {
        let (low, carry) = self.low.overflowing_add(by);
        self.low = low;
        if carry {
            self.release(1);
        }
    }

    /// Shifts the highest byte out of the lower end of the interval, and holds it back while a carry can change it.
    fn shift(&mut self) {
        let byte = (self.low >> 24) as u8;
        self.low <<= 8;
        if byte == u8::MAX && self.held.is_some() {
            self.full = self.full.wrapping_add(1);
        } else {
            self.release(0);
            self.held = Some(byte);
        }
    }

    /// Writes the held byte and the bytes of 255 after it, plus a carry of 0 or 1.
    // Not inlined, because most bits do not need it.
    #[inline(never)]
    fn release(&mut self, carry: u8) {
        if let Some(held) = self.held.take() {
            (self.sink)(held.wrapping_add(carry));
        }
        (0..core::mem::take(&mut self.full)).for_each(|_| (self.sink)(u8::MAX.wrapping_add(carry)));
    }
}

/// A range decoder from bytes to bits or outcomes: the inverse of [`Compressor`] for the same sequence of masses.
///
/// After the last byte it reads zeros. Any bytes decode to some row, so damage is not detected.
#[derive(Debug)]
pub struct Decompressor<I> {
    /// The encoded number minus the lower end of the interval.
    place: u32,
    /// The width of the interval.
    range: u32,
    bytes: I,
}

impl<I: Iterator<Item = u8>> Decompressor<I> {
    /// Creates a decompressor. It reads the first four bytes immediately, and each further byte when a bit or
    /// an outcome needs it.
    pub fn new(bytes: I) -> Self {
        let mut new = Self { place: 0, range: u32::MAX, bytes };
        (0..4).for_each(|_| new.shift());
        new
    }

    /// Decodes the next bit. `mass` must equal the mass that [`Compressor::push`] got for this bit.
    pub fn pull(&mut self, mass: Mass) -> bool {
        let ones = part(self.range, mass.of(true));
        let bit = self.place < ones;
        if bit {
            self.range = ones;
        } else {
            self.place -= ones;
            self.range -= ones;
        }
        self.widen();
        bit
    }

    /// Decodes the next outcome. `masses` must equal the masses that [`Compressor::push_outcome`] got for this outcome.
    ///
    /// Takes two multiplications for each halving of the number of outcomes, and no division.
    pub fn pull_outcome(&mut self, masses: &Masses) -> u8 {
        let (place, range) = (self.place, self.range);
        let outcome = masses.first_above(|sum| part(range, sum) <= place);
        let (low, high) = masses.bounds(outcome);
        let [low, high] = [low, high].map(|sum| part(range, sum));
        self.place = place.wrapping_sub(low);
        self.range = high.wrapping_sub(low);
        self.widen();
        outcome
    }

    /// Appends bytes until the interval is wide enough to be divided.
    #[inline]
    fn widen(&mut self) {
        while self.range < NARROW {
            self.shift();
            self.range <<= 8;
        }
    }

    /// Appends the next byte to the encoded number.
    fn shift(&mut self) {
        self.place = self.place << 8 | u32::from(self.bytes.next().unwrap_or(0));
    }
}

impl<const N: usize, T: Term<N>> Model<'_, N, T> {
    /// Encodes a row of bits. It takes about as many bytes as its [`surprisal`](Self::surprisal) divided by ln 256 =
    /// 5.545 nats, rounded up; the coder adds at most 2⁻⁷ bit per free bit, a bit whose value earlier bits do not
    /// imply.
    ///
    /// Several rows can share one compressor, or each row can have a compressor and so a packet that can be read alone.
    /// Implied bits take no space, and neither do observed bits, which the reader must know.
    ///
    /// No free bit takes more than two bytes, so `2 * bits + 1` bytes hold any row, and normal rows take few. A
    /// truncated packet decodes to a different row, so a sink with less space must detect that it is full.
    ///
    /// ```
    /// # mod shuttle { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/shuttle.rs")); }
    /// use shuttle::{BITS, TABLE};
    /// use surprisal::{Compressor, Decompressor, Reading};
    ///
    /// let mut row = [false; BITS];
    /// TABLE.encoder.encode(&[37, 0, 77, 0, 28, 0, 40, 48, 80].map(Reading::Integer), &mut row)?;
    /// let mut packet = Vec::new();
    /// let mut compressor = Compressor::new(|byte| packet.push(byte));
    /// TABLE.model.compress(&row, &mut compressor)?;
    /// compressor.finish();
    /// let bytes = f64::from(TABLE.model.surprisal(&row)) / 256f64.ln();
    /// assert_eq!((bytes.ceil() as usize, packet.len()), (11, 11)); // an anomalous row
    ///
    /// let mut decoded = [false; BITS];
    /// TABLE.model.decompress(&mut decoded, &mut Decompressor::new(packet.into_iter()));
    /// assert_eq!(decoded, row);
    /// // The bits identify the cell of each reading; the position within the cell is lost.
    /// let cells = TABLE.encoder.columns().map(|(column, bits)| (column.source, column.decode(&decoded[bits])));
    /// assert_eq!(cells.last(), Some((2, Some(4))));
    /// # Ok::<(), surprisal::EncodeError>(())
    /// ```
    ///
    /// # Errors
    /// [`EncodeError::Impossible`] for a row that contradicts a constraint; nothing is written then. Rows from the
    /// table's encoder never do.
    pub fn compress(&self, row: &[bool; N], into: &mut Compressor<impl FnMut(u8)>) -> Result<(), EncodeError> {
        match self.contradiction(row) {
            Some(bit) => Err(EncodeError::Impossible { bit }),
            None => self.compress_possible(row, into),
        }
    }

    /// Encodes like [`compress`](Self::compress), but bits may have been written before an error.
    pub(crate) fn compress_possible(
        &self,
        row: &[bool; N],
        into: &mut Compressor<impl FnMut(u8)>,
    ) -> Result<(), EncodeError> {
        let (mut state, mut i) = (self.start(), 0);
        while let Some(&bit) = row.get(i).filter(|_| i < self.bits()) {
            match self.conditional(&mut state, row, i) {
                Conditional::Free(logit) => into.push(bit, logit.mass()),
                Conditional::Known(value) if value != bit => return Err(EncodeError::Impossible { bit: i as u16 }),
                Conditional::Known(_) => {}
            }
            self.observe(&mut state, i, bit);
            i = if bit { i } else { self.implied_run(row, i, self.bits()) } + 1;
        }
        Ok(())
    }

    /// Decodes a row that [`compress`](Self::compress) encoded. On entry `row` must hold the values of the observed
    /// bits; the other bits of the model are written to it.
    pub fn decompress(&self, row: &mut [bool; N], from: &mut Decompressor<impl Iterator<Item = u8>>) {
        let (mut state, mut i) = (self.start(), 0);
        while i < self.bits() {
            let bit = match self.conditional(&mut state, row, i) {
                Conditional::Free(logit) => from.pull(logit.mass()),
                Conditional::Known(value) => value,
            };
            if let Some(slot) = row.get_mut(i) {
                *slot = bit;
            }
            self.observe(&mut state, i, bit);
            i = if bit { i } else { self.implied_run(row, i, self.bits()) } + 1;
        }
    }
}

impl OutcomeTables<'_> {
    /// Encodes a row of outcomes: `[column]`. It takes about as many bytes as its [`surprisal`](Self::surprisal) divided
    /// by ln 256 = 5.545 nats, rounded up; the coder adds at most 2⁻⁷ bit per scored column.
    ///
    /// Observed columns take no space; the reader must know them. No outcome takes more than two bytes, so twice the
    /// number of columns and one more byte hold any row. A row of a [`ViewTable`](crate::ViewTable) with two views is compressed by the first
    /// view, whose outcomes are the cells of the readings themselves.
    ///
    /// ```
    /// use surprisal::{Compressor, Decompressor, OutcomeTables, OutcomeTablesSlices};
    /// // Two columns of three outcomes each. The second column mostly equals the first.
    /// let tables = OutcomeTables::new(OutcomeTablesSlices {
    ///     columns: &[[3, 1, OutcomeTables::NO_PARENT], [3, 3, 0]],
    ///     groups: &[0, 1, 2],
    ///     splits: &[],
    ///     rows: &[30000, 60000, 65000, 65300, 300, 65300, 200, 500],
    /// })?;
    /// let mut packet = Vec::new();
    /// let mut compressor = Compressor::new(|byte| packet.push(byte));
    /// tables.compress(&[1, 1], &mut compressor);
    /// compressor.finish();
    /// assert_eq!(packet.len(), 1); // the surprisal is 0.8 nats
    ///
    /// let mut row = [0; 2];
    /// tables.decompress(&mut row, &mut Decompressor::new(packet.into_iter()));
    /// assert_eq!(row, [1, 1]);
    /// # Ok::<(), surprisal::TableError>(())
    /// ```
    pub fn compress(&self, row: &[u8], into: &mut Compressor<impl FnMut(u8)>) {
        let mut walk = self.walk();
        for &outcome in row {
            let Some(conditional) = walk.next(row) else { break };
            if let Some(masses) = conditional {
                into.push_outcome(outcome, &masses);
            }
        }
    }

    /// Decodes a row that [`compress`](Self::compress) encoded. On entry `row` must be as long as the encoded row and
    /// hold the outcomes of the observed columns; the outcomes of the other columns are written to it.
    pub fn decompress(&self, row: &mut [u8], from: &mut Decompressor<impl Iterator<Item = u8>>) {
        self.fill(row, |masses| from.pull_outcome(&masses));
    }
}
