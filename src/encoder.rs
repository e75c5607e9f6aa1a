//! Readings to bits, by a const table: thresholds, categories, missing values, what is out of range.
//!
//! A column of K ordered outcomes becomes K-1 bits, a guarded thermometer from the middle out: "above the pivot edge?";
//! if so, "above the next?", and on upwards; if not, "below the one before?", and on downwards. Once an answer is no,
//! the guards force the rest, so that an ordinary reading costs few questions and fewer ones. Outcomes of a numeric
//! column are its cells, with one more below and one above the training range, where the cost grows with the distance;
//! outcomes of a category are its values, the most frequent first and the pivot at the first, and last all others.

use crate::error::EncodeError;
use crate::link::Nats;

pub(crate) mod tail;

/// One reading of one column.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Reading {
    /// An ADC count, a flag (0 or 1), or the code of a category.
    Integer(i32),
    /// A real number; NaN is a missing reading.
    Real(f32),
    /// The sensor had nothing to say.
    Missing,
}

impl Reading {
    /// Is there no value: is it missing, or not a number?
    pub(crate) const fn is_missing(self) -> bool {
        match self {
            Self::Missing => true,
            // Infinity has the largest bits of all that are numbers; comparing floats would call for an FPU.
            Self::Real(value) => value.to_bits() << 1 > f32::INFINITY.to_bits() << 1,
            Self::Integer(_) => false,
        }
    }
}

impl From<i32> for Reading {
    fn from(value: i32) -> Self {
        Self::Integer(value)
    }
}

impl From<f32> for Reading {
    fn from(value: f32) -> Self {
        Self::Real(value)
    }
}

impl<T: Into<Reading>> From<Option<T>> for Reading {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Missing, Into::into)
    }
}

/// An integer that orders as `value` does, with the two zeros as one and the infinities at the ends, so that no
/// floating-point instruction is needed to compare. Its own inverse, but for the sign of zero.
///
/// ```
/// use surprisal::total_order;
/// assert!(total_order(-1.5) < total_order(-1.0) && total_order(0.0) < total_order(f32::MIN_POSITIVE));
/// assert_eq!(total_order(-0.0), total_order(0.0));
/// ```
pub const fn total_order(value: f32) -> i32 {
    let bits = value.to_bits() as i32;
    if bits == i32::MIN {
        return 0;
    }
    bits ^ (((bits >> 31) as u32) >> 1) as i32
}

/// What the values of a column mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// 0 or 1, one bit; anything else counts as the rarer value, and as far out of range as it lies beyond. When
    /// `flipped`, 0 is the rarer value and becomes the one.
    Flag {
        /// Is 0 the value that becomes a one?
        flipped: bool,
    },
    /// `i32`, by cell.
    Integer,
    /// `f32`, by cell; edges are kept in [`total_order`].
    Real,
    /// An `i32` code, one outcome a value, and one for all others.
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
    /// Which of the readings it is for.
    pub source: u16,
    /// What its values mean.
    pub kind: Kind,
    /// Does it begin with a bit that says "missing"?
    pub may_miss: bool,
    /// Ascending edges e of the cells (e, e'], or the codes of a category in the order of their outcomes.
    pub values: &'t [i32],
    /// Which edge is asked first; 0 for categories, and for columns that may miss, as guards have but one parent.
    pub pivot: u16,
    /// For cells, log2 of the distance over which the density beyond the outermost edges falls to a quarter.
    pub reach: i8,
    /// For cells, one more than edges: ln of each cell's width over the narrowest one's, in units of 1/2048 nat.
    pub widths: &'t [u16],
}

impl Column<'_> {
    /// What others differ from.
    const FLAG: Self = Self {
        source: 0,
        kind: Kind::Flag { flipped: false },
        may_miss: false,
        values: &[],
        pivot: 0,
        reach: 0,
        widths: &[],
    };

    /// The words that describe this column in [`Encoder::new`]'s `columns`: the source in the low 12 bits, the kind in
    /// the next 3, "may miss" on top; for other kinds than flags the number of values; for numbers the pivot, and the
    /// reach in two's complement.
    pub fn words(&self) -> impl Iterator<Item = u16> + use<> {
        let word = self.source & 0xFFF | self.kind.code() << 12 | u16::from(self.may_miss) << 15;
        let words = [word, self.values.len() as u16, self.pivot, u16::from(self.reach as u8)];
        words.into_iter().take(match self.kind {
            Kind::Flag { .. } => 1,
            Kind::Category => 2,
            Kind::Integer | Kind::Real => 4,
        })
    }

    /// How many bits it becomes.
    pub const fn bits(&self) -> usize {
        let bits = match self.kind {
            Kind::Flag { .. } => 1,
            _ => self.values.len(),
        };
        bits + self.may_miss as usize
    }

    /// Which outcome a reading is, counted from 0, or `None` for a missing one.
    fn outcome(&self, reading: Reading) -> Result<Option<usize>, EncodeError> {
        let column = self.source;
        let key = match (reading, self.kind) {
            (Reading::Missing, _) => None,
            (Reading::Real(value), Kind::Real) => (!reading.is_missing()).then_some(total_order(value)),
            (Reading::Integer(value), kind) if kind != Kind::Real => Some(value),
            _ => return Err(EncodeError::Kind { column }),
        };
        let Some(key) = key else {
            return if self.may_miss { Ok(None) } else { Err(EncodeError::Missing { column }) };
        };
        Ok(Some(match self.kind {
            Kind::Flag { flipped } => usize::from(key != i32::from(flipped)),
            Kind::Integer | Kind::Real => self.values.iter().take_while(|&&edge| key > edge).count(),
            Kind::Category => self.values.iter().position(|&code| code == key).unwrap_or(self.values.len()),
        }))
    }

    /// Writes this column's bits, which are all false, and returns what makes their mass a density, as
    /// [`Encoder::encode`] does for all columns.
    ///
    /// # Errors
    /// [`EncodeError`] when the reading at the column's source does not fit it.
    #[inline]
    pub fn encode(&self, readings: &[Reading], bits: &mut [bool]) -> Result<Nats, EncodeError> {
        let column = self.source;
        // Rows of many columns are rows of flags.
        if let (Kind::Flag { flipped }, [bit], Some(Reading::Integer(value @ 0..=1))) =
            (self.kind, &mut *bits, readings.get(usize::from(column)))
        {
            *bit = (*value == 1) != flipped;
            return Ok(Nats::ZERO);
        }
        let reading = *readings.get(usize::from(column)).ok_or(EncodeError::Absent { column })?;
        let outcome = self.outcome(reading)?;
        self.set(outcome, bits);
        Ok(self.width(outcome, reading))
    }

    /// Sets this column's bits, which are all false, to say an outcome, or "missing": after the bit for that come the
    /// levels from the pivot upwards (`outcome > level`), then those below it, downwards (`outcome <= level`).
    fn set(&self, outcome: Option<usize>, bits: &mut [bool]) {
        let pivot = usize::from(self.pivot);
        let (missing, levels) = bits.split_at_mut_checked(usize::from(self.may_miss)).unwrap_or_default();
        let Some(outcome) = outcome else { return missing.fill(true) };
        let above = levels.len().saturating_sub(pivot);
        let (way, count) = if outcome > pivot { (0, outcome - pivot) } else { (above, pivot - outcome) };
        levels.iter_mut().skip(way).take(count).for_each(|bit| *bit = true);
    }

    /// The outcome that this column's bits say, or `None` for a missing reading: the inverse of encoding.
    pub fn decode(&self, bits: &[bool]) -> Option<usize> {
        let pivot = usize::from(self.pivot);
        let (missing, levels) = bits.split_at_checked(usize::from(self.may_miss))?;
        let (up, down) = levels.split_at_checked(self.bits().saturating_sub(missing.len() + pivot))?;
        let above = up.iter().filter(|&&bit| bit).count();
        let below = down.iter().take(pivot).filter(|&&bit| bit).count();
        (missing != [true]).then(|| (pivot + above).saturating_sub(below))
    }

    /// What makes the mass of an outcome a density: ln of the width of its cell over the narrowest cell's, and what lies
    /// beyond the outermost edges costs for its distance besides.
    fn width(&self, outcome: Option<usize>, reading: Reading) -> Nats {
        let Some(outcome) = outcome else { return Nats::ZERO };
        match (self.kind, reading) {
            (Kind::Flag { .. }, Reading::Integer(value)) if !(0..=1).contains(&value) => {
                tail::beyond(reading, self.kind, 0, 1, 0) + Nats::RAREST
            }
            (Kind::Integer | Kind::Real, _) => {
                let width = Nats::from_raw(u32::from(self.widths.get(outcome).copied().unwrap_or(0)) << 5);
                let outermost = outcome == 0 || outcome == self.values.len();
                match (self.values.first(), self.values.last()) {
                    (Some(&first), Some(&last)) if outermost => {
                        width + tail::beyond(reading, self.kind, first, last, self.reach)
                    }
                    _ => width,
                }
            }
            _ => Nats::ZERO,
        }
    }
}

/// The encoder's table: columns in model order. It has none for a model that is fed bits directly.
///
/// ```
/// use surprisal::{Column, Encoder, Kind, Nats, Reading};
/// // One integer sensor with cells (9, 10], (10, 20] and (20, 40], asked from the middle edge on.
/// let widths = [6135, 0, 4716, 6135, 6135]; // ln of 20, 1, 10, 20 and 20, in units of 1/2048 nat
/// let values = [9, 10, 20, 40];
/// let column = Column { source: 0, kind: Kind::Integer, may_miss: false, values: &values, pivot: 2, reach: 3, widths: &widths };
/// let words: Vec<u16> = column.words().collect();
/// let encoder = Encoder::new(&words, &values, &widths);
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
    columns: &'t [u16],
    values: &'t [i32],
    widths: &'t [u16],
}

impl<'t> Encoder<'t> {
    /// From all columns' [`words`](Column::words), values and widths, one after another. Missing values or widths read
    /// as none.
    pub const fn new(columns: &'t [u16], values: &'t [i32], widths: &'t [u16]) -> Self {
        Self { columns, values, widths }
    }

    /// The columns in model order.
    pub fn columns(&self) -> impl Iterator<Item = Column<'t>> + use<'t> {
        let Self { mut columns, mut values, mut widths } = *self;
        core::iter::from_fn(move || {
            let (&word, rest) = columns.split_first()?;
            columns = rest;
            let (source, may_miss, code) = (word & 0xFFF, word >> 15 == 1, word >> 12 & 7);
            let mut column = Column { source, kind: Kind::Flag { flipped: code == 1 }, may_miss, ..Column::FLAG };
            if let 2..=3 = code {
                let (&[count, pivot, reach], rest) = columns.split_first_chunk()?;
                columns = rest;
                column.kind = if code == 2 { Kind::Integer } else { Kind::Real };
                column.values = take(&mut values, usize::from(count));
                column.widths = take(&mut widths, column.values.len() + 1);
                column.pivot = pivot.min(column.values.len() as u16);
                column.reach = reach as i8;
            } else if code > 3 {
                let (&count, rest) = columns.split_first()?;
                columns = rest;
                column.kind = Kind::Category;
                column.values = take(&mut values, usize::from(count));
            }
            Some(column)
        })
    }

    /// How many bits the columns become.
    pub fn bits(&self) -> usize {
        self.columns().map(|column| column.bits()).sum()
    }

    /// Writes the bits of `readings`, which are in the order of the training columns, to the start of `row`.
    ///
    /// Returns Σ ln(width of the cell / narrowest cell of the column), and for readings beyond the outermost edges, and
    /// flags that are none, what their distance costs. Added to the row's surprisal it makes the
    /// score a log-density in units of each column's narrowest cell, so that wide cells are not taken for likely
    /// ones; for flags and categories it is zero, and the score is the log-probability itself. Costs one step an
    /// edge passed.
    ///
    /// # Errors
    /// [`EncodeError`] says which reading does not fit its column; `row` then holds no meaning.
    pub fn encode<const N: usize>(&self, readings: &[Reading], row: &mut [bool; N]) -> Result<Nats, EncodeError> {
        row.fill(false);
        self.encode_counted(readings, row, |_| true)
    }

    /// The same into a row of zeros; adds up only for columns of which `counts` says so by their first bit.
    pub(crate) fn encode_counted(
        &self,
        readings: &[Reading],
        row: &mut [bool],
        counts: impl Fn(usize) -> bool,
    ) -> Result<Nats, EncodeError> {
        let (mut start, mut total) = (0, Nats::ZERO);
        for column in self.columns() {
            let end = start + column.bits();
            let width = column.encode(readings, row.get_mut(start..end).ok_or(EncodeError::TooWide)?)?;
            if counts(start) {
                total += width;
            }
            start = end;
        }
        Ok(total)
    }

    /// The slices it was made of, as [`new`](Self::new) takes them.
    pub const fn slices(&self) -> (&'t [u16], &'t [i32], &'t [u16]) {
        (self.columns, self.values, self.widths)
    }
}

fn take<'t, T>(slice: &mut &'t [T], count: usize) -> &'t [T] {
    let (taken, rest) = slice.split_at_checked(count).unwrap_or((slice, &[]));
    *slice = rest;
    taken
}
