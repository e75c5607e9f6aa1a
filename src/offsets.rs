//! Offsets: constants by which the readings of this machine differ from those of the machine of the fit.

use crate::detector::{Detector, RowScore};
use crate::encoder::{Column, Kind};
use crate::error::{EncodeError, TableError};
use crate::format::CHECKSUM;
use crate::offset_search::{OffsetSums, concordance, grain, is_positive, negated, put, search_offsets};
use crate::reading::{Reading, real_of};
use crate::row_schema::RowSchema;
use crate::table::Table;
use crate::view_table::ViewTable;

/// The constant of each of R readings by which this machine differs from the machine of the fit: another unit of the same
/// kind, or another season, whose sensors read a little more or less.
///
/// [`Table::offsets`] and [`ViewTable::offsets`] find them from normal rows, as `surprisal calibrate --offsets` does on a
/// host. Score the rows that [`apply`](Self::apply) returns, and pass values that [`blame`](Table::blame) expects through
/// [`restore`](Self::restore). A shift by constants leaves all densities normalised.
///
/// ```
/// # mod shuttle { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/shuttle.rs")); }
/// use surprisal::{Offsets, Reading};
/// // Normal rows of a machine whose third sensor reads 9 more. In firmware there are a hundred of them.
/// let usual = [[43, 1, 77, 0, 42, 0, 34, 35, 2], [37, 0, 76, 0, 28, 18, 40, 48, 8]];
/// let row = |at: usize| usual[at % 2].map(Reading::Integer);
/// let mut rows: [_; 20] = core::array::from_fn(row);
/// rows.iter_mut().for_each(|row| row[2] = row[2].less(Reading::Integer(-9)));
/// let offsets = shuttle::TABLE.offsets(&rows, || { /* feed the watchdog */ })?;
/// let nats = |row: &[Reading]| shuttle::TABLE.surprisal(row);
/// assert!(nats(&offsets.apply(&rows[0]))? < nats(&rows[0])?);
/// // Into flash, and back at the next start, with the detector that judges the rows.
/// let detector = &shuttle::TABLE.detector;
/// let mut bytes = [0; Offsets::<9>::BYTES];
/// assert_eq!(offsets.write(detector, &mut bytes), Some(Offsets::<9>::BYTES));
/// assert_eq!(Offsets::from_bytes(&bytes, detector), Ok(offsets));
/// # Ok::<(), surprisal::EncodeError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Offsets<const R: usize> {
    /// `[reading]`: by how much more this machine reads, in the type of the reading, or [`Reading::Missing`] for a reading
    /// without an offset.
    pub each: [Reading; R],
}

impl<const R: usize> Offsets<R> {
    /// No offsets.
    pub const NONE: Self = Self { each: [Reading::Missing; R] };
    /// The number of bytes of stored offsets.
    pub const BYTES: usize = 5 * R + 4;

    /// Returns the readings as the machine of the fit would read them: less the offset of each. A reading that is missing, or
    /// of another type than its offset, stays as it is.
    #[must_use]
    pub fn apply(&self, readings: &[Reading; R]) -> [Reading; R] {
        let mut row = *readings;
        row.iter_mut().zip(&self.each).for_each(|(reading, &offset)| *reading = reading.less(offset));
        row
    }

    /// Returns a value that the machine of the fit would read in a column as this machine reads it: plus the offset.
    #[must_use]
    pub fn restore(&self, column: u16, reading: Reading) -> Reading {
        let offset = self.each.get(usize::from(column)).copied().unwrap_or(Reading::Missing);
        reading.less(negated(offset))
    }

    /// Writes [`BYTES`](Self::BYTES) bytes to store, and returns their number, or `None` if `bytes` is shorter.
    ///
    /// The checksum covers the numbers of `detector`. Pass the one that judges rows with these offsets: that of the
    /// [`Recalibration`](crate::Recalibration) by such rows, or that of the table if there is none. Offsets and a threshold that
    /// do not belong together are then refused, such as after a loss of power between the two.
    #[must_use]
    pub fn write(&self, detector: &Detector, bytes: &mut [u8]) -> Option<usize> {
        let (content, checksum) = bytes.get_mut(..Self::BYTES)?.split_last_chunk_mut::<4>()?;
        for (slot, &offset) in content.chunks_exact_mut(5).zip(&self.each) {
            let (kind, word) = match offset {
                Reading::Missing => (0, 0),
                Reading::Integer(value) => (1, value as u32),
                Reading::Real(value) => (2, value.to_bits()),
            };
            let (first, rest) = slot.split_first_mut()?;
            *first = kind;
            rest.copy_from_slice(&word.to_le_bytes());
        }
        *checksum = checksum_of(detector, content).to_le_bytes();
        Some(Self::BYTES)
    }

    /// Reads offsets from the bytes that [`write`](Self::write) wrote for the same detector.
    ///
    /// # Errors
    /// [`TableError::Truncated`] if there are fewer than [`BYTES`](Self::BYTES) bytes; [`TableError::Corrupt`] if the bytes
    /// are damaged, empty flash, or stored with another detector. Find them again, or go on with the table as it is.
    pub fn from_bytes(bytes: &[u8], detector: &Detector) -> Result<Self, TableError> {
        let bytes = bytes.get(..Self::BYTES).ok_or(TableError::Truncated)?;
        let (content, &checksum) = bytes.split_last_chunk::<4>().ok_or(TableError::Truncated)?;
        if u32::from_le_bytes(checksum) != checksum_of(detector, content) {
            return Err(TableError::Corrupt);
        }
        let mut found = Self::NONE;
        for (offset, stored) in found.each.iter_mut().zip(content.chunks_exact(5)) {
            let &[kind, ref word @ ..] = <&[u8; 5]>::try_from(stored).map_err(|_| TableError::Truncated)?;
            let word = u32::from_le_bytes(*word);
            *offset = match kind {
                0 => Reading::Missing,
                1 => Reading::Integer(word as i32),
                2 => Reading::Real(f32::from_bits(word)),
                _ => return Err(TableError::Corrupt),
            };
        }
        Ok(found)
    }

    /// Finds the offsets that make the rows most likely, by the scales and the scores of a table.
    fn find(
        rows: &[[Reading; R]],
        scales: impl FnOnce(&mut [Reading]),
        score: impl Fn(&[Reading]) -> Result<RowScore, EncodeError>,
        mut pause: impl FnMut(),
    ) -> Result<Self, EncodeError> {
        let (mut each, mut found) = ([Reading::Missing; R], Self::NONE);
        scales(&mut each);
        let mut grains = [Reading::Missing; R];
        for (at, (slot, _)) in grains.iter_mut().zip(&each).enumerate().filter(|(_, (_, scale))| is_positive(**scale)) {
            *slot = grain(rows.iter().filter_map(|row| row.get(at).copied()));
        }
        let together = |one: usize, other: usize| {
            let reading = |row: &[Reading; R], at: usize| row.get(at).copied().unwrap_or(Reading::Missing);
            concordance(rows.iter().map(|row| (reading(row, one), reading(row, other))))
        };
        let solutions = [&mut found.each[..], &mut [Reading::Missing; R]];
        search_offsets(&each, &grains, together, solutions, rows.len(), |offsets, other| {
            sums(offsets, other, rows, &score, &mut pause)
        })?;
        Ok(found)
    }
}

/// Returns the sums of [`search_offsets`] over rows.
// Not inlined, because the search calls it at several places.
#[inline(never)]
fn sums<const R: usize>(
    offsets: &[Reading],
    other: Option<&[Reading]>,
    rows: &[[Reading; R]],
    score: &impl Fn(&[Reading]) -> Result<RowScore, EncodeError>,
    pause: &mut impl FnMut(),
) -> Result<OffsetSums, EncodeError> {
    let each = |offsets: &[Reading]| {
        let mut each = [Reading::Missing; R];
        each.iter_mut().zip(offsets).for_each(|(slot, &offset)| *slot = offset);
        each
    };
    let (mut sums, one, other) = (OffsetSums::default(), each(offsets), other.map(each));
    for row in rows {
        let mut nats = |each| {
            let scored = score(&Offsets { each }.apply(row));
            pause();
            Ok(scored?.nats)
        };
        let own = nats(one)?;
        sums.push(own, other.map_or(Ok(own), &mut nats)?);
    }
    Ok(sums)
}

impl<const N: usize, const H: usize, const K: usize> Table<'_, N, H, K> {
    /// Finds the [`Offsets`] of this machine: the constants that make these normal rows most likely. `pause` is called after
    /// each row that is scored, to feed a watchdog.
    ///
    /// The search moves one offset after another, first by a quarter of the distance of the quartiles of the column's
    /// edges, then by ever smaller steps down to a thousandth of it, at most 16 times by each: by each step first
    /// alone, then with those after it whose readings rise and fall together with it, by their [`concordance`]. Steps
    /// above the [`grain`] of the readings are multiples of it, and the first one is at least that. The search begins
    /// anew until a round gains less than a nat, at most four times. An offset is kept, and so are those of columns
    /// that move together, if many rows gain by it: with n rows, ½ ln n nats, what a parameter costs (Schwarz,
    /// *Estimating the Dimension of a Model*, 1978), and twice the root of the sum of the squares of what each row
    /// gains, where a row counts for four nats at most (after Vuong, *Likelihood Ratio Tests for Model Selection and
    /// Non-Nested Hypotheses*, 1989). Fewer than five rows never suffice. Flags and categories have no offset. A
    /// hundred rows are usual, and show offsets of 0.65 of a sensor's standard deviation given the others nine times in
    /// ten; they should come from all states of the machine, and from several days.
    ///
    /// Rows that determine offsets fit them too well: let a [`Calibrator`](crate::Calibrator) see others. It takes at
    /// most 1224 D + 2 D² times as long as scoring the rows for D numeric columns, usually 20 D to 75 D times, and
    /// between two calls of `pause` it compares at most D² / 4 pairs of readings of each row. The table of a time
    /// series, which is scored by its differences from a prediction, has no offsets: all are [`Reading::Missing`].
    ///
    /// # Errors
    /// [`EncodeError`], as for [`score`](Self::score).
    pub fn offsets<const R: usize>(
        &self,
        rows: &[[Reading; R]],
        pause: impl FnMut(),
    ) -> Result<Offsets<R>, EncodeError> {
        Offsets::find(rows, |scales| self.offset_scales(scales), |row| self.score(row), pause)
    }

    /// Writes the scale of each reading, the distance of the quartiles of its edges, to `scales`, and [`Reading::Missing`] for
    /// those that have no offset. Positions beyond the end of `scales` have none.
    pub fn offset_scales(&self, scales: &mut [Reading]) {
        scales.fill(Reading::Missing);
        if self.predictor.window() == 0 {
            self.encoder.columns().for_each(|(column, _)| set(scales, &column, scale(&column)));
        }
    }
}

impl<const C: usize, const V: usize> ViewTable<'_, C, V> {
    /// Finds the [`Offsets`] of this machine, as [`Table::offsets`] does.
    ///
    /// # Errors
    /// [`EncodeError`], as for [`score`](Self::score).
    pub fn offsets<const R: usize>(
        &self,
        rows: &[[Reading; R]],
        pause: impl FnMut(),
    ) -> Result<Offsets<R>, EncodeError> {
        Offsets::find(rows, |scales| self.offset_scales(scales), |row| self.score(row), pause)
    }

    /// Writes the scale of each reading to `scales`, as [`Table::offset_scales`] does. A column that has residuals alone has a
    /// scale if the schema knows the type of its readings.
    pub fn offset_scales(&self, scales: &mut [Reading]) {
        scales.fill(Reading::Missing);
        // The first view comes last, because it usually models the readings themselves.
        for view in self.views.iter().rev().filter(|_| self.predictor.window() == 0) {
            for (column, _) in view.encoder.columns() {
                let residual = view.prototypes.column_of(column.source);
                let steps = residual.and_then(|at| view.prototypes.slices().columns.get(at));
                // The edges of residuals are steps of the prototypes, and the type of the reading is in the schema.
                let kind = self.schema.kinds.get(usize::from(column.source)).map(|kind| kind & 15);
                let scale = match (steps, scale(&column), kind) {
                    (None, scale, _) => scale,
                    (Some(&[_, steps, ..]), Reading::Integer(scale), Some(RowSchema::REAL)) => {
                        Reading::real_from_fixed(scale.into(), steps as i8)
                    }
                    (Some(&[_, steps, ..]), Reading::Integer(scale), Some(_)) => {
                        Reading::integer_from_fixed(scale.into(), steps as i8)
                    }
                    _ => Reading::Missing,
                };
                set(scales, &column, scale);
            }
        }
    }
}

/// Returns the distance of the quartiles of a column's edges, or [`Reading::Missing`] for a column that is no number.
fn scale(column: &Column) -> Reading {
    let Some(last) = column.values.len().checked_sub(1) else { return Reading::Missing };
    let edge = |at: usize| {
        let key = column.values.get(at).copied().unwrap_or(0);
        if column.kind == Kind::Real { real_of(key) } else { Reading::Integer(key) }
    };
    match column.kind {
        Kind::Integer | Kind::Real => edge(last - last / 4).less(edge(last / 4)),
        _ => Reading::Missing,
    }
}

fn set(scales: &mut [Reading], column: &Column, scale: Reading) {
    if is_positive(scale) {
        put(scales, column.source.into(), scale);
    }
}

fn checksum_of(detector: &Detector, content: &[u8]) -> u32 {
    let mut digest = CHECKSUM.digest();
    detector.words().iter().for_each(|word| digest.update(&word.to_le_bytes()));
    digest.update(content);
    digest.finalize()
}
