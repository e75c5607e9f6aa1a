//! The encoder: turns readings into bits by a const table of thresholds and categories.
//!
//! A column of K ordered outcomes becomes K-1 bits, a thermometer from the middle outwards: "above the pivot edge?"; if
//! so, "above the next?", and on upwards; if not, "below the one before?", and on downwards. Once an answer is no,
//! constraints imply the rest, so that a normal reading has few free bits and fewer ones. The outcomes of a numeric
//! column are its cells, with one more below and one above the training range, where the surprisal grows with the
//! distance. The outcomes of a category are its values, the most frequent first and the pivot at the first, and last a
//! single outcome for all other values.

use core::ops::Range;

use crate::error::EncodeError;
use crate::nats::Nats;
use crate::reading::{Reading, total_order};

mod tail;

/// The kind of values in a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// 0 or 1, as one bit. Any other value counts as the rarer one, and costs as much as its distance beyond.
    Flag {
        /// Whether 0 is the rarer value and becomes the one.
        flipped: bool,
    },
    /// An `i32`, by cell.
    Integer,
    /// An `f32`, by cell. Edges are stored in [`total_order`].
    Real,
    /// An `i32` code: one outcome per known value, and one for all others.
    Category,
}

impl Kind {
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

/// One column of an [`Encoder`].
#[derive(Clone, Copy, Debug)]
pub struct Column<'t> {
    /// The position of the column's reading among the readings of a row, below 4096.
    pub source: u16,
    /// The kind of its values.
    pub kind: Kind,
    /// Whether the column begins with a bit for "missing".
    pub may_miss: bool,
    /// The ascending edges e of the cells (e, e'], or the codes of a category in the order of their outcomes.
    pub values: &'t [i32],
    /// The edge of the first bit; 0 for categories and for columns that may be missing, because a bit has only one
    /// constraint.
    pub pivot: u16,
    /// For cells, log2 of the distance over which the density beyond the outermost edges falls to a quarter.
    pub tail_scale: i8,
    /// `[cell]`, one more than edges: ln of each cell's width divided by the narrowest one's, in units of 1/2048 nat.
    pub log_widths: &'t [u16],
}

impl Column<'_> {
    /// A plain flag, the starting point of every other column.
    const FLAG: Self = Self {
        source: 0,
        kind: Kind::Flag { flipped: false },
        may_miss: false,
        values: &[],
        pivot: 0,
        tail_scale: 0,
        log_widths: &[],
    };

    /// Yields the words that describe this column in [`EncoderSlices::columns`].
    ///
    /// The first word holds the source in the low 12 bits, the kind in the next 3, and `may_miss` on top. Other kinds than
    /// flags add the number of values; numbers add the pivot, and the tail scale in two's complement.
    pub fn words(&self) -> impl Iterator<Item = u16> + use<> {
        let word = self.source & 0xFFF | self.kind.code() << 12 | u16::from(self.may_miss) << 15;
        let words = [word, self.values.len() as u16, self.pivot, u16::from(self.tail_scale as u8)];
        words.into_iter().take(match self.kind {
            Kind::Flag { .. } => 1,
            Kind::Category => 2,
            Kind::Integer | Kind::Real => 4,
        })
    }

    /// Returns the number of bits that the column becomes.
    pub const fn bits(&self) -> usize {
        let bits = match self.kind {
            Kind::Flag { .. } => 1,
            _ => self.values.len(),
        };
        bits + self.may_miss as usize
    }

    /// Returns the outcome of a reading, counted from 0, or `None` for a missing one.
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

    /// Writes this column's bits, which must all be false, and returns the log-width of the reading as
    /// [`Encoder::encode`] does for all columns.
    ///
    /// # Errors
    /// [`EncodeError`] if the reading at the column's source does not fit the column.
    #[inline]
    pub fn encode(&self, readings: &[Reading], bits: &mut [bool]) -> Result<Nats, EncodeError> {
        let column = self.source;
        // Rows of many columns are mostly rows of flags.
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

    /// Sets this column's bits, which must all be false, to an outcome or to "missing".
    ///
    /// After the bit for "missing" come the levels from the pivot upwards (`outcome > level`), then those below it,
    /// downwards (`outcome <= level`).
    fn set(&self, outcome: Option<usize>, bits: &mut [bool]) {
        let pivot = usize::from(self.pivot);
        let (missing, levels) = bits.split_at_mut_checked(usize::from(self.may_miss)).unwrap_or_default();
        let Some(outcome) = outcome else { return missing.fill(true) };
        let above = levels.len().saturating_sub(pivot);
        let (first, count) = if outcome > pivot { (0, outcome - pivot) } else { (above, pivot - outcome) };
        levels.iter_mut().skip(first).take(count).for_each(|bit| *bit = true);
    }

    /// Returns the outcome that this column's bits stand for, or `None` for a missing reading: the inverse of encoding.
    pub fn decode(&self, bits: &[bool]) -> Option<usize> {
        let pivot = usize::from(self.pivot);
        let (missing, levels) = bits.split_at_checked(usize::from(self.may_miss))?;
        let (up, down) = levels.split_at_checked(self.bits().saturating_sub(missing.len() + pivot))?;
        let above = up.iter().filter(|&&bit| bit).count();
        let below = down.iter().take(pivot).filter(|&&bit| bit).count();
        (missing != [true]).then(|| (pivot + above).saturating_sub(below))
    }

    /// Returns the nats that turn the mass of an outcome into a density: ln of the cell's width divided by the narrowest
    /// cell's, plus the cost of the distance beyond the outermost edges.
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

/// The encoder of a table: its columns in model order. A model that takes bits directly has an encoder without columns.
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

/// The storage of [`Encoder`]. Missing values or log-widths read as none.
#[derive(Clone, Copy, Debug, Default)]
pub struct EncoderSlices<'t> {
    /// The [`words`](Column::words) of all columns, one column after another, in model order.
    pub columns: &'t [u16],
    /// The [`values`](Column::values) of all columns, one column after another.
    pub values: &'t [i32],
    /// The [`log_widths`](Column::log_widths) of all columns, one column after another.
    pub log_widths: &'t [u16],
}

impl<'t> Encoder<'t> {
    /// An encoder without columns, for a model that takes bits directly.
    pub const EMPTY: Self = Self::new(EncoderSlices { columns: &[], values: &[], log_widths: &[] });

    /// Creates an encoder over its storage.
    pub const fn new(slices: EncoderSlices<'t>) -> Self {
        Self { slices }
    }

    /// Yields the columns in model order, each with the range of its bits in a row.
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

    /// Returns the number of bits that all columns become.
    pub fn bits(&self) -> usize {
        self.columns().last().map_or(0, |(_, bits)| bits.end)
    }

    /// Writes the bits of `readings`, which are in the order of the training columns, to the start of `row`.
    ///
    /// Returns Σ ln(width of the cell / width of the column's narrowest cell), plus the cost of the distance for readings
    /// beyond the outermost edges and for flags other than 0 and 1. Added to the row's surprisal it makes the score a
    /// log-density in units of each column's narrowest cell, so that wide cells do not pass for likely ones. For flags and
    /// categories it is zero, and the score is the log-probability itself. Takes one step per edge passed.
    ///
    /// # Errors
    /// [`EncodeError`] names the reading that does not fit its column. The content of `row` is then unspecified.
    pub fn encode<const N: usize>(&self, readings: &[Reading], row: &mut [bool; N]) -> Result<Nats, EncodeError> {
        row.fill(false);
        self.encode_scored(readings, row, |_| true)
    }

    /// Encodes into a row of zeros, and adds up log-widths only for columns whose first bit `is_scored` accepts.
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

fn take<'t, T>(slice: &mut &'t [T], count: usize) -> &'t [T] {
    let (taken, rest) = slice.split_at_checked(count).unwrap_or((slice, &[]));
    *slice = rest;
    taken
}
