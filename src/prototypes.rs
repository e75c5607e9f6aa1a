//! Prototypes: the typical rows of a machine's operating regimes, and the residuals of readings from the nearest one.
//!
//! A view with prototypes models the index of the nearest prototype and, for every numeric column, the difference of the
//! reading from that prototype. The differences are shifts, so that a density of residuals is a density of readings
//! (the Jacobian is one), and the nearest prototype is a function of the readings, so that p(regime, x) <= p(x).

use crate::error::TableError;
use crate::reading::Reading;

/// The prototypes of a view: K points in the space of its numeric columns.
///
/// A reading is first counted in *steps*: units of 2^scale / 256. Prototypes and distances are coarser: they count
/// 2^shift steps from the origin of the column, in -127..=127. With a negative shift, a step has several coordinates, and
/// the coordinates of prototypes are whole steps.
///
/// ```
/// use surprisal::{Prototypes, PrototypesSlices, Reading};
/// // One integer column, whose steps are its units, with prototypes at 100 and 300, in multiples of 4 around 200.
/// let prototypes = Prototypes::new(PrototypesSlices { columns: &[[0, 8, 200, 2]], points: &[-25, 25] })?;
/// let readings = [Reading::Integer(290)];
/// let nearest = prototypes.nearest::<1>(&readings);
/// assert_eq!(nearest, 1);
/// assert_eq!(prototypes.residual(0, nearest, readings[0]), Reading::Integer(-10));
/// # Ok::<(), surprisal::TableError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Prototypes<'t> {
    slices: PrototypesSlices<'t>,
}

/// The storage of [`Prototypes`]. Both slices are empty for a view without prototypes.
#[derive(Clone, Copy, Debug, Default)]
pub struct PrototypesSlices<'t> {
    /// `[column]`: the position of the column's reading, the scale (log2 of 256 steps), the origin in steps, and the
    /// shift (log2 of the steps per unit of distance, in -6..=30).
    pub columns: &'t [[i32; 4]],
    /// `[prototype][column]`: coordinates in units of 2^shift steps from the origin. 1 to 256 prototypes.
    pub points: &'t [i8],
}

/// The largest coordinate, in units of 2^shift steps. More distant readings count as this one, so that one wild reading
/// does not decide which prototype is the nearest.
const FARTHEST: i64 = 127;
/// Stands for the coordinate of a missing reading.
const MISSING: i8 = i8::MIN;
/// Stands for steps from the origin that do not fit 32 bits, and for those of a missing reading.
const UNKNOWN: i32 = i32::MIN;

impl<'t> Prototypes<'t> {
    /// The prototypes of a view that models the readings themselves.
    pub const NONE: Self = Self { slices: PrototypesSlices { columns: &[], points: &[] } };

    /// Checks the storage and creates the prototypes.
    ///
    /// # Errors
    /// [`TableError::Inconsistent`] if the points are not 1 to 256 for each column, or a scale or shift is out of range.
    pub const fn new(slices: PrototypesSlices<'t>) -> Result<Self, TableError> {
        let PrototypesSlices { columns, points } = slices;
        let mut left = columns;
        while let Some((&[source, scale, _, shift], rest)) = left.split_first() {
            if source < 0 || source > 4094 || scale < -128 || scale > 127 || shift < -6 || shift > 30 {
                return Err(TableError::Inconsistent("prototype columns"));
            }
            left = rest;
        }
        let valid = match columns.len() {
            0 => points.is_empty(),
            width => points.len() >= width && points.len() <= 256 * width && points.len() % width == 0,
        };
        if valid { Ok(Self { slices }) } else { Err(TableError::Inconsistent("prototype points")) }
    }

    /// Returns the storage that [`new`](Self::new) took.
    pub const fn slices(&self) -> PrototypesSlices<'t> {
        self.slices
    }

    /// Returns the number of prototypes, which is 0 for a view of the readings themselves.
    pub const fn count(&self) -> usize {
        match self.slices.columns.len() {
            0 => 0,
            width => self.slices.points.len() / width,
        }
    }

    /// Returns the index of the prototype with the smallest squared distance, the first of several. Missing readings do
    /// not count, and neither do columns after the first C.
    ///
    /// The distance is the sum over the columns of (coordinate of the reading - coordinate of the prototype)².
    pub fn nearest<const C: usize>(&self, readings: &[Reading]) -> u8 {
        self.locate(readings, &mut [0; C]).0
    }

    /// Returns the index of the [`nearest`](Self::nearest) prototype and its squared distance. Writes the steps of each
    /// column from its origin to `steps`, or [`UNKNOWN`] if there are none that fit 32 bits.
    #[inline]
    pub(crate) fn locate<const C: usize>(&self, readings: &[Reading], steps: &mut [i32; C]) -> (u8, u32) {
        let width = self.slices.columns.len().min(C);
        let Some(steps) = steps.get_mut(..width).filter(|steps| !steps.is_empty()) else { return (0, 0) };
        let (mut row, mut any_missing) = ([0; C], false);
        for ((coordinate, steps), column) in row.iter_mut().zip(&mut *steps).zip(self.slices.columns) {
            (*coordinate, *steps) = coordinate_of(column, readings);
            any_missing |= *coordinate == MISSING;
        }
        let row = row.get(..width).unwrap_or_default();
        let (mut best, mut nearest) = (u32::MAX, 0);
        for (at, point) in self.slices.points.chunks_exact(self.slices.columns.len()).enumerate() {
            let mut distance = 0u32;
            for (&own, &other) in row.iter().zip(point) {
                if !any_missing || own != MISSING {
                    let apart = i32::from(own) - i32::from(other);
                    // 4095 squares of at most 254 add up to less than 2^32.
                    distance = distance.wrapping_add((apart * apart) as u32);
                }
            }
            if distance < best {
                (best, nearest) = (distance, at as u8);
            }
        }
        (nearest, best)
    }

    /// Returns the value of column `column` of a prototype, in steps.
    pub fn centre(&self, column: usize, prototype: u8) -> i64 {
        let Some(&[.., origin, shift]) = self.slices.columns.get(column) else { return 0 };
        let at = usize::from(prototype) * self.slices.columns.len() + column;
        i64::from(origin) + shifted(i64::from(self.slices.points.get(at).copied().unwrap_or(0)), -shift)
    }

    /// Returns the difference, in steps, of a reading of column `column` of these prototypes from prototype `nearest`.
    /// A missing reading stays missing.
    pub fn residual(&self, column: usize, nearest: u8, reading: Reading) -> Reading {
        let Some(&[_, scale, ..]) = self.slices.columns.get(column) else { return reading };
        if reading.is_missing() {
            return Reading::Missing;
        }
        let steps = reading.fixed(scale as i8) - self.centre(column, nearest);
        Reading::Integer(steps.clamp(i32::MIN.into(), i32::MAX.into()) as i32)
    }

    /// Returns what [`residual`](Self::residual) returns, given the steps from the origin that [`locate`](Self::locate)
    /// wrote.
    #[inline]
    pub(crate) fn residual_from(&self, column: usize, nearest: u8, reading: Reading, steps: Option<i32>) -> Reading {
        let width = self.slices.columns.len();
        if let (Some(&[.., shift @ 0..=23]), Some(steps)) = (self.slices.columns.get(column), steps)
            && steps != UNKNOWN
            && let Some(&point) = self.slices.points.get(usize::from(nearest) * width + column)
            && let Some(residual) = steps.checked_sub(i32::from(point) << shift)
        {
            return Reading::Integer(residual);
        }
        self.residual(column, nearest, reading)
    }

    /// Returns the position, among the columns of these prototypes, of the column whose reading is at `source`.
    pub(crate) fn column_of(&self, source: u16) -> Option<usize> {
        self.slices.columns.iter().position(|&[own, ..]| own == i32::from(source))
    }

    /// Returns the reading whose [`residual`](Self::residual) is `residual`, of the type of `reading`, which is the
    /// column's present reading. Returns `None` if that is missing, because its type is then unknown.
    pub(crate) fn restored(&self, column: usize, nearest: u8, residual: Reading, reading: Reading) -> Option<Reading> {
        let &[_, scale, ..] = self.slices.columns.get(column)?;
        let Reading::Integer(residual) = residual else { return None };
        let steps = i64::from(residual) + self.centre(column, nearest);
        match reading {
            Reading::Integer(_) => Some(Reading::integer_from_fixed(steps, scale as i8)),
            Reading::Real(_) => Some(Reading::real_from_fixed(steps, scale as i8)),
            Reading::Missing => None,
        }
    }
}

/// Returns the coordinate of the reading of a column and its steps from the origin, or [`MISSING`] and [`UNKNOWN`].
#[inline]
fn coordinate_of(column: &[i32; 4], readings: &[Reading]) -> (i8, i32) {
    let &[source, scale, origin, shift] = column;
    let Some(&reading) = readings.get(source as usize) else { return (MISSING, UNKNOWN) };
    // A short way for readings whose steps fit 32 bits, which is nearly every reading.
    if let (Some(steps), 0..=30) = (reading.fixed_small(scale as i8), shift)
        && let Some(steps) = steps.checked_sub(origin)
    {
        return ((steps >> shift).clamp(-FARTHEST as i32, FARTHEST as i32) as i8, steps);
    }
    (far_coordinate_of(column, reading), UNKNOWN)
}

/// Returns the coordinate of any reading, or [`MISSING`].
#[inline(never)]
fn far_coordinate_of(&[_, scale, origin, shift]: &[i32; 4], reading: Reading) -> i8 {
    if reading.is_missing() {
        return MISSING;
    }
    let steps = reading.fixed(scale as i8) - i64::from(origin);
    // 2^38 steps are beyond the farthest coordinate for every shift.
    shifted(steps.clamp(-1 << 38, 1 << 38), shift).clamp(-FARTHEST, FARTHEST) as i8
}

/// Returns ⌊value / 2^shift⌋, for shifts of at most 30 in either direction.
fn shifted(value: i64, shift: i32) -> i64 {
    if shift < 0 { value << shift.unsigned_abs().min(30) } else { value >> shift.min(30) }
}
