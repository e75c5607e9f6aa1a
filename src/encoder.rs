//! The encoder: turns readings into bits by a constant table of thresholds and categories.
//!
//! Each column has ordered outcomes, counted from 0. The outcomes of a numeric column are the cells between its edges,
//! one more below the lowest edge, and one more above the highest edge; in these two the surprisal grows with the
//! distance. The outcomes of a category are its known codes, which the trainer stores by falling frequency, and last a
//! single outcome for all other codes.
//!
//! A column of K outcomes becomes K - 1 bits, a thermometer code from the pivot outcome p outwards: `outcome > p`,
//! `outcome > p + 1` and so on upwards, then `outcome <= p - 1`, `outcome <= p - 2` and so on downwards. After the
//! first zero in each direction, constraints imply the other bits of that direction. With the pivot at the median a
//! normal reading therefore has few free bits (bits whose values earlier bits do not imply), and even fewer ones.

use core::ops::Range;

use crate::error::EncodeError;
use crate::nats::Nats;
use crate::reading::{Reading, total_order};

mod start;
mod tail;
mod typical;

pub(crate) use start::ColumnStart;

/// The kind of values in a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// A flag, 0 or 1, as one bit. Any other integer counts as the rarer value, and adds to the surprisal
    /// ln 65536 nats and a term that grows with its distance from 0 and 1.
    Flag {
        /// Whether 0 is the rarer value, so that a reading of 0 becomes a one.
        flipped: bool,
    },
    /// Integers (`i32`), divided into cells by edges.
    Integer,
    /// Real numbers (`f32`), divided into cells by edges, which are stored in [`total_order`].
    Real,
    /// Codes (`i32`) without an order: one outcome per known code, and one for all other codes.
    Category,
}

impl Kind {
    /// Returns the code of the kind in the first word of a column.
    const fn code(self) -> u16 {
        match self {
            Self::Flag { flipped: false } => 0,
            Self::Flag { flipped: true } => 1,
            Self::Integer => 2,
            Self::Real => 3,
            Self::Category => 4,
        }
    }
}

/// One column of an [`Encoder`]: the rule that turns one reading of a row into bits.
#[derive(Clone, Copy, Debug)]
pub struct Column<'t> {
    /// The position of the column's reading among the readings of a row, below 4096.
    pub source: u16,
    /// The kind of the column's values.
    pub kind: Kind,
    /// Whether readings may be missing. The first bit of the column is then a one for a missing reading.
    pub may_miss: bool,
    /// The ascending edges e of the cells (e, e'], or the codes of a category in the order of their outcomes. Empty for
    /// flags.
    pub values: &'t [i32],
    /// The outcome at which the thermometer code starts, at most the number of values: the first bit is a one if the
    /// outcome exceeds it. It is 0 for flags and categories, and for columns that may be missing, because a bit has
    /// only one constraint.
    pub pivot: u16,
    /// log2 of the distance, in units of the reading, over which the density outside the column's range of edges falls to
    /// a quarter. 0 for flags and categories.
    pub tail_scale: i8,
    /// `[outcome]`, one more than edges: ln(width of the cell / width of the narrowest cell), in units of 1/2048 nat.
    /// Empty for flags and categories.
    pub log_widths: &'t [u16],
}

impl Column<'_> {
    /// A column of flags, whose fields [`Encoder::columns`] uses as defaults for all columns.
    const FLAG: Self = Self {
        source: 0,
        kind: Kind::Flag { flipped: false },
        may_miss: false,
        values: &[],
        pivot: 0,
        tail_scale: 0,
        log_widths: &[],
    };

    /// Yields the words that describe this column in [`EncoderSlices::columns`]: one for a flag, two for a category,
    /// four for a number.
    ///
    /// The first word holds the source in bits 0 to 11, the code of the kind in bits 12 to 14, and `may_miss` in the
    /// highest bit. The second word is the number of values, the third the pivot, the fourth the tail scale as an `i8`.
    pub fn words(&self) -> impl Iterator<Item = u16> + use<> {
        let word = self.source & 0xFFF | self.kind.code() << 12 | u16::from(self.may_miss) << 15;
        let words = [word, self.values.len() as u16, self.pivot, u16::from(self.tail_scale as u8)];
        words.into_iter().take(match self.kind {
            Kind::Flag { .. } => 1,
            Kind::Category => 2,
            Kind::Integer | Kind::Real => 4,
        })
    }

    /// Returns the number of bits that the column takes in a row.
    pub const fn bits(&self) -> usize {
        let bits = match self.kind {
            Kind::Flag { .. } => 1,
            _ => self.values.len(),
        };
        bits + self.may_miss as usize
    }

    /// Returns the number of outcomes of the column in an outcome table: one per cell or code, one more above the
    /// highest edge or for all other codes, and one for a missing reading if readings may be missing.
    pub const fn outcomes(&self) -> usize {
        let outcomes = match self.kind {
            Kind::Flag { .. } => 2,
            _ => self.values.len() + 1,
        };
        outcomes + self.may_miss as usize
    }

    /// Returns the outcome of this column in an outcome table, given all readings of a row: the last outcome for a missing
    /// reading.
    ///
    /// # Errors
    /// [`EncodeError`], as for [`encode`](Self::encode).
    pub fn outcome_index(&self, readings: &[Reading]) -> Result<u8, EncodeError> {
        let column = self.source;
        let reading = *readings.get(usize::from(column)).ok_or(EncodeError::NoReading { column })?;
        Ok(self.classify(reading)?.0)
    }

    /// Returns the outcome of a reading in an outcome table (the last one for a missing reading) and its log-width, see
    /// [`Encoder::encode`]. Outcomes above 255 count as 255.
    ///
    /// # Errors
    /// [`EncodeError`] if the reading does not fit the column.
    pub(crate) fn classify(&self, reading: Reading) -> Result<(u8, Nats), EncodeError> {
        let outcome = self.outcome(reading)?;
        let index = outcome.unwrap_or(self.outcomes().wrapping_sub(1)).min(255) as u8;
        Ok((index, self.log_width(outcome, reading)))
    }

    /// Returns the outcome of a reading, or `None` for a missing reading.
    fn outcome(&self, reading: Reading) -> Result<Option<usize>, EncodeError> {
        let column = self.source;
        let key = match (reading, self.kind) {
            _ if reading.is_missing() => None,
            (Reading::Real(value), Kind::Real) => Some(total_order(value)),
            (Reading::Integer(value), kind) if kind != Kind::Real => Some(value),
            _ => return Err(EncodeError::WrongType { column }),
        };
        let Some(key) = key else {
            return if self.may_miss { Ok(None) } else { Err(EncodeError::UnexpectedMissing { column }) };
        };
        Ok(Some(match self.kind {
            Kind::Flag { flipped } => usize::from(key != i32::from(flipped)),
            Kind::Integer | Kind::Real => self.values.iter().take_while(|&&edge| key > edge).count(),
            Kind::Category => self.values.iter().position(|&code| code == key).unwrap_or(self.values.len()),
        }))
    }

    /// Writes the bits of this column, given all readings of a row, and returns the log-width of its reading.
    ///
    /// The log-width is ln(width of the reading's cell / width of the narrowest cell), see [`Encoder::encode`].
    ///
    /// `bits` are the bits of this column within the row, as many as [`bits`](Self::bits) returns. All must be false.
    ///
    /// # Errors
    /// [`EncodeError`] if there is no reading at the position [`source`](Self::source), or if it does not fit the
    /// column.
    #[inline]
    pub fn encode(&self, readings: &[Reading], bits: &mut [bool]) -> Result<Nats, EncodeError> {
        let column = self.source;
        // A short way for flags, because most columns of wide rows are flags.
        if let (Kind::Flag { flipped }, [bit], Some(Reading::Integer(value @ 0..=1))) =
            (self.kind, &mut *bits, readings.get(usize::from(column)))
        {
            *bit = (*value == 1) != flipped;
            return Ok(Nats::ZERO);
        }
        let reading = *readings.get(usize::from(column)).ok_or(EncodeError::NoReading { column })?;
        let outcome = self.outcome(reading)?;
        self.set(outcome, bits);
        Ok(self.log_width(outcome, reading))
    }

    /// Sets the bits of this column, which must be zeros, to an outcome or, for `None`, to "missing".
    ///
    /// After the bit for "missing" come the levels from the pivot upwards (`outcome > level`), then the levels below
    /// the pivot, downwards (`outcome <= level`).
    pub(crate) fn set(&self, outcome: Option<usize>, bits: &mut [bool]) {
        let pivot = usize::from(self.pivot);
        let (missing, levels) = bits.split_at_mut_checked(usize::from(self.may_miss)).unwrap_or_default();
        let Some(outcome) = outcome else { return missing.fill(true) };
        let above = levels.len().saturating_sub(pivot);
        let (first, count) = if outcome > pivot { (0, outcome - pivot) } else { (above, pivot - outcome) };
        levels.iter_mut().skip(first).take(count).for_each(|bit| *bit = true);
    }

    /// Returns the outcome that the bits of this column stand for, or `None` for a missing reading: the inverse of
    /// [`encode`](Self::encode).
    ///
    /// `bits` begins with the column's first bit. The outcome is `None` as well if there are fewer than
    /// [`bits`](Self::bits); more are ignored.
    pub fn decode(&self, bits: &[bool]) -> Option<usize> {
        let pivot = usize::from(self.pivot);
        let (missing, levels) = bits.split_at_checked(usize::from(self.may_miss))?;
        let (up, down) = levels.split_at_checked(self.bits().saturating_sub(missing.len() + pivot))?;
        let above = up.iter().filter(|&&bit| bit).count();
        let below = down.iter().take(pivot).filter(|&&bit| bit).count();
        (missing != [true]).then(|| (pivot + above).saturating_sub(below))
    }

    /// Returns the term that, added to the surprisal of an outcome, makes it a negative log-density: ln(width of the
    /// cell / width of the narrowest cell), plus a term that grows with the distance beyond the outermost edges. `None`
    /// stands for a missing reading.
    fn log_width(&self, outcome: Option<usize>, reading: Reading) -> Nats {
        let Some(outcome) = outcome else { return Nats::ZERO };
        match (self.kind, reading) {
            (Kind::Flag { .. }, Reading::Integer(value)) if !(0..=1).contains(&value) => {
                tail::beyond(reading, self.kind, 0, 1, 0) + Nats::RAREST
            }
            (Kind::Integer | Kind::Real, _) => {
                let log_width = self.log_widths.get(outcome).copied().unwrap_or(0);
                let log_width = Nats::from_raw(u32::from(log_width) << 5);
                let outermost = outcome == 0 || outcome == self.values.len();
                match (self.values.first(), self.values.last()) {
                    (Some(&first), Some(&last)) if outermost => {
                        log_width + tail::beyond(reading, self.kind, first, last, self.tail_scale)
                    }
                    _ => log_width,
                }
            }
            _ => Nats::ZERO,
        }
    }
}

/// The encoder of a table: its columns in model order.
///
/// A model that takes bits directly has an encoder without columns, [`Encoder::EMPTY`].
///
/// ```
/// use surprisal::{Column, Encoder, EncoderSlices, Kind, Nats, Reading};
/// // One integer sensor with cells (9, 10], (10, 20] and (20, 40], and the first bit at the middle edge.
/// let log_widths = [6135, 0, 4716, 6135, 6135]; // ln of 20, 1, 10, 20 and 20, in units of 1/2048 nat
/// let values = [9, 10, 20, 40];
/// let column = Column {
///     source: 0,
///     kind: Kind::Integer,
///     may_miss: false,
///     values: &values,
///     pivot: 2,
///     tail_scale: 3,
///     log_widths: &log_widths,
/// };
/// let columns: Vec<u16> = column.words().collect();
/// let encoder = Encoder::new(EncoderSlices { columns: &columns, values: &values, log_widths: &log_widths });
///
/// let mut row = [false; 4];
/// encoder.encode(&[Reading::Integer(15)], &mut row)?;
/// assert_eq!(row, [false; 4]); // not above 20, and not at most 10
/// let far = encoder.encode(&[Reading::Integer(1000)], &mut row)?;
/// assert_eq!(row, [true, true, false, false]); // above 20, above 40
/// assert_eq!(column.decode(&row), Some(4));
/// assert!(far > encoder.encode(&[Reading::Integer(100)], &mut row)?); // out of range, but not as far
/// # Ok::<(), surprisal::EncodeError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Encoder<'t> {
    slices: EncoderSlices<'t>,
}

/// The storage of [`Encoder`]. It is not checked: if a slice is too short, the last columns have fewer values or no
/// log-widths, or are absent.
#[derive(Clone, Copy, Debug, Default)]
pub struct EncoderSlices<'t> {
    /// The [`words`](Column::words) of all columns, one column after another, in model order.
    pub columns: &'t [u16],
    /// The [`values`](Column::values) of all columns (edges and codes), one column after another.
    pub values: &'t [i32],
    /// The [`log_widths`](Column::log_widths) of all numeric columns, one column after another.
    pub log_widths: &'t [u16],
}

impl<'t> Encoder<'t> {
    /// An encoder without columns, for a model that takes bits directly.
    pub const EMPTY: Self = Self::new(EncoderSlices { columns: &[], values: &[], log_widths: &[] });

    /// Creates an encoder over its storage.
    pub const fn new(slices: EncoderSlices<'t>) -> Self {
        Self { slices }
    }

    /// Yields (column, range of its bits in a row) for each column, in model order.
    pub fn columns(&self) -> impl Iterator<Item = (Column<'t>, Range<usize>)> + use<'t> {
        let EncoderSlices { mut columns, mut values, mut log_widths } = self.slices;
        let mut start = 0;
        core::iter::from_fn(move || {
            let (&word, rest) = columns.split_first()?;
            columns = rest;
            let (source, may_miss, code) = (word & 0xFFF, word >> 15 == 1, word >> 12 & 7);
            let mut column = Column { source, kind: Kind::Flag { flipped: code == 1 }, may_miss, ..Column::FLAG };
            if let 2..=3 = code {
                let (&[count, pivot, tail_scale], rest) = columns.split_first_chunk()?;
                columns = rest;
                column.kind = if code == 2 { Kind::Integer } else { Kind::Real };
                column.values = take(&mut values, usize::from(count));
                column.log_widths = take(&mut log_widths, column.values.len() + 1);
                column.pivot = pivot.min(column.values.len() as u16);
                column.tail_scale = tail_scale as i8;
            } else if code > 3 {
                let (&count, rest) = columns.split_first()?;
                columns = rest;
                column.kind = Kind::Category;
                column.values = take(&mut values, usize::from(count));
            }
            let bits = start..start + column.bits();
            start = bits.end;
            Some((column, bits))
        })
    }

    /// Returns the number of bits that all columns together take in a row.
    pub fn bits(&self) -> usize {
        self.columns().last().map_or(0, |(_, bits)| bits.end)
    }

    /// Writes the bits of a row of readings to the start of `row`, zeros to its remaining bits, and returns the sum of
    /// the log-widths of all readings. `readings` are in the order of the training columns.
    ///
    /// The log-width of a number is ln(width of its cell / width of the column's narrowest cell), plus a term that
    /// grows with its distance from the outermost edges if it is outside. For a flag other than 0 and 1 it is ln 65536
    /// plus such a term. The log-width of any other reading is zero. Added to the surprisal of the bits, the sum makes
    /// the score of the row a negative log-density in units of each column's narrowest cell, so that wide cells do not
    /// look likely. Without numbers the score is a negative log-probability.
    ///
    /// Takes one comparison per edge below each number, and one per code until the code of each category is found.
    ///
    /// # Errors
    /// [`EncodeError`] names the reading that does not fit its column, or states that N is less than the bits of the
    /// encoder. The content of `row` is then unspecified.
    pub fn encode<const N: usize>(&self, readings: &[Reading], row: &mut [bool; N]) -> Result<Nats, EncodeError> {
        row.fill(false);
        self.encode_scored(readings, row, |_| true)
    }

    /// Encodes like [`encode`](Self::encode) into a row that holds zeros already, and adds up the log-widths only of
    /// columns for whose first bit `is_scored` returns true.
    pub(crate) fn encode_scored(
        &self,
        readings: &[Reading],
        row: &mut [bool],
        is_scored: impl Fn(usize) -> bool,
    ) -> Result<Nats, EncodeError> {
        let mut total = Nats::ZERO;
        for (column, bits) in self.columns() {
            let first = bits.start;
            let log_width = column.encode(readings, row.get_mut(bits).ok_or(EncodeError::TooManyBits)?)?;
            if is_scored(first) {
                total += log_width;
            }
        }
        Ok(total)
    }

    /// Returns the storage that [`new`](Self::new) took.
    pub const fn slices(&self) -> EncoderSlices<'t> {
        self.slices
    }
}

/// Removes the first `count` elements of a slice, or all if there are fewer, and returns them.
fn take<'t, T>(slice: &mut &'t [T], count: usize) -> &'t [T] {
    let (taken, rest) = slice.split_at_checked(count).unwrap_or((slice, &[]));
    *slice = rest;
    taken
}
