//! Rows to bytes and back, each for its surprisal: a range coder over the masses of the link.
//!
//! The encoder narrows an interval of numbers in [0, 1) by the mass of each bit (Rissanen & Langdon, *Arithmetic Coding*,
//! 1979); bytes leave it as soon as no later bit changes them but by a carry, for which the last one is held back (Martin,
//! *Range Encoding*, 1979; the carry as in Schindler's coder, 1998). Each interval is at least 2²⁴ wide when it is shared
//! out, so that a bit costs at most 2⁻⁷ bit more than its surprisal says, and far less but where both share and interval
//! are smallest.

use crate::error::EncodeError;
use crate::link::Mass;
use crate::model::{Conditional, Model};
use crate::part::Part;

/// An interval narrower than this gives up a byte.
const NARROW: u32 = 1 << 24;

/// Shares an interval out: how much of it a one gets, at least 256 units, and that much less than all.
fn ones(range: u32, mass: Mass) -> u32 {
    let mass = mass.of(true);
    // ⌊range · mass / 65536⌋ without a product of more than 32 bits.
    ((range >> 16) * mass).wrapping_add(((range & 0xFFFF) * mass) >> 16)
}

/// Bits to bytes, which go to `sink` as they come; see [`Model::compress`].
///
/// ```
/// use surprisal::{Compressor, Decompressor, Logit};
/// let mass = Logit::from_raw(-3 << 16).mass(); // a one in twenty or so
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
    low: u32,
    range: u32,
    /// The last byte that a carry may still reach, and how many of 255 have come since.
    held: Option<u8>,
    full: u32,
    sink: S,
}

impl<S: FnMut(u8)> Compressor<S> {
    /// Before the first bit.
    pub const fn new(sink: S) -> Self {
        Self { low: 0, range: u32::MAX, held: None, full: 0, sink }
    }

    /// Takes a bit whose mass the other side will know when it comes to it.
    pub fn push(&mut self, bit: bool, mass: Mass) {
        let ones = ones(self.range, mass);
        if bit {
            self.range = ones;
        } else {
            self.rise(ones);
            self.range -= ones;
        }
        while self.range < NARROW {
            self.shift();
            self.range <<= 8;
        }
    }

    /// Gives the last bytes, as few as say which interval it is if zeros follow them. Bytes of several compressors, or other
    /// data, need their lengths beside them.
    pub fn finish(mut self) {
        // From the interval's lower end to the next number that ends in four zero bytes, or else in three.
        let missing = self.low.wrapping_neg();
        if missing < self.range {
            self.rise(missing);
        } else {
            self.rise(missing & (NARROW - 1));
            self.shift();
        }
        self.release(0);
    }

    /// Moves the interval up.
    fn rise(&mut self, by: u32) {
        let (low, carry) = self.low.overflowing_add(by);
        self.low = low;
        if carry {
            self.release(1);
        }
    }

    /// The highest byte leaves.
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

    /// Writes what was held back, and a carry into it.
    // Apart: most bits do not come here.
    #[inline(never)]
    fn release(&mut self, carry: u8) {
        if let Some(held) = self.held.take() {
            (self.sink)(held.wrapping_add(carry));
        }
        (0..core::mem::take(&mut self.full)).for_each(|_| (self.sink)(u8::MAX.wrapping_add(carry)));
    }
}

/// Bytes to bits: what a [`Compressor`] was given, as long as it is asked with the same masses. Where the bytes end, zeros
/// follow; any bytes are bits of some kind.
#[derive(Debug)]
pub struct Decompressor<I> {
    /// Where in the interval the number lies.
    place: u32,
    range: u32,
    bytes: I,
}

impl<I: Iterator<Item = u8>> Decompressor<I> {
    /// Takes the first four bytes, and others as it needs them.
    pub fn new(bytes: I) -> Self {
        let mut new = Self { place: 0, range: u32::MAX, bytes };
        (0..4).for_each(|_| new.shift());
        new
    }

    /// The next bit, of this mass.
    pub fn pull(&mut self, mass: Mass) -> bool {
        let ones = ones(self.range, mass);
        let bit = self.place < ones;
        if bit {
            self.range = ones;
        } else {
            self.place -= ones;
            self.range -= ones;
        }
        while self.range < NARROW {
            self.shift();
            self.range <<= 8;
        }
        bit
    }

    /// The next byte joins.
    fn shift(&mut self) {
        self.place = self.place << 8 | u32::from(self.bytes.next().unwrap_or(0));
    }
}

impl<const N: usize, P: Part<N>> Model<'_, N, P> {
    /// A row as bytes: at most its [`surprisal`](Self::surprisal), ln 256 nats a byte, rounded up; over many rows, a little
    /// of the coder's loss besides. Many rows go into one compressor, or each into its own, as a packet that is to be read
    /// by itself. Forced bits take no room; given ones neither, as the other side knows them.
    ///
    /// No free bit takes more than two bytes: `2 * bits + 1` hold any row, and ordinary ones take few. A packet that is cut
    /// short is another row, so that a sink with less room has to notice when it is full.
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
    /// assert_eq!((bytes.ceil() as usize, packet.len()), (11, 11)); // of an odd row
    ///
    /// let mut again = [false; BITS];
    /// TABLE.model.decompress(&mut again, &mut Decompressor::new(packet.into_iter()));
    /// assert_eq!(again, row);
    /// // The cells that the readings fell into; what they were within them is gone.
    /// let mut left = &again[..];
    /// let cells = TABLE.encoder.columns().map(|column| {
    ///     let (own, rest) = left.split_at(column.bits());
    ///     left = rest;
    ///     (column.source, column.decode(own))
    /// });
    /// assert_eq!(cells.last(), Some((2, Some(4))));
    /// # Ok::<(), surprisal::EncodeError>(())
    /// ```
    ///
    /// # Errors
    /// [`EncodeError::Impossible`] for a row that a guard rules out, of which nothing is written then. No row that an encoder
    /// made is one.
    pub fn compress(&self, row: &[bool; N], into: &mut Compressor<impl FnMut(u8)>) -> Result<(), EncodeError> {
        if let Some(bit) = self.violated(row) {
            return Err(EncodeError::Impossible { bit });
        }
        let (mut state, mut i) = (self.start(), 0);
        while let Some(&bit) = row.get(i).filter(|_| i < self.bits()) {
            if let Conditional::Open(logit) = self.conditional(&mut state, row, i) {
                into.push(bit, logit.mass());
            }
            self.observe(&mut state, i, bit);
            i = if bit { i } else { self.forced_run(row, i, self.bits()) } + 1;
        }
        Ok(())
    }

    /// The row that [`compress`](Self::compress) made these bytes of. Given bits are read from `row`, all others are written
    /// there.
    pub fn decompress(&self, row: &mut [bool; N], from: &mut Decompressor<impl Iterator<Item = u8>>) {
        let (mut state, mut i) = (self.start(), 0);
        while i < self.bits() {
            let bit = match self.conditional(&mut state, row, i) {
                Conditional::Open(logit) => from.pull(logit.mass()),
                Conditional::Forced(value) => value,
            };
            if let Some(slot) = row.get_mut(i) {
                *slot = bit;
            }
            self.observe(&mut state, i, bit);
            i = if bit { i } else { self.forced_run(row, i, self.bits()) } + 1;
        }
    }
}
