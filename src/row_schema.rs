//! The schema of a row: which readings a table expects, and the golden rows by which it tests itself.

use core::fmt;

use crate::error::{EncodeError, TableError};
use crate::fingerprint::Fingerprint;
use crate::reading::Reading;

/// The readings that a table expects, and the golden rows of its self-test.
#[derive(Clone, Copy, Debug, Default)]
pub struct RowSchema<'t> {
    /// The fingerprint of the columns, or [`Fingerprint::ANY`] if it is not known.
    pub fingerprint: Fingerprint,
    /// `[reading]`: the kind of each reading in the low four bits (0 a flag, 2 an integer, 3 a real number, 4 a category),
    /// and 128 if it was missing in training. Empty if not known; the number of readings is then not checked.
    pub kinds: &'t [u8],
    /// `[golden row][reading]`: the bits of the reading. In a column of real numbers a NaN is a missing reading, in any
    /// other column `0x8000_0000` is.
    pub golden_readings: &'t [u32],
    /// `[golden row]`: the surprisal and the anomaly score of each golden row, in units of 1/65536 nat.
    pub golden_scores: &'t [[u32; 2]],
}

impl<'t> RowSchema<'t> {
    /// The schema of a table that accepts rows of any number of readings.
    pub const NONE: Self = Self { fingerprint: Fingerprint::ANY, kinds: &[], golden_readings: &[], golden_scores: &[] };

    /// The kind of a reading that is a real number.
    pub(crate) const REAL: u8 = 3;
    /// Stands for a missing reading in a column of other kinds.
    const MISSING: u32 = 1 << 31;

    /// Checks that the golden rows have one word per reading.
    ///
    /// # Errors
    /// [`TableError::Inconsistent`] if they have not.
    pub const fn check(self) -> Result<Self, TableError> {
        match self.golden_scores.len().checked_mul(self.kinds.len()) {
            Some(words) if words == self.golden_readings.len() && (words > 0 || self.golden_scores.is_empty()) => {
                Ok(self)
            }
            _ => Err(TableError::Inconsistent("golden rows")),
        }
    }

    /// Returns an error unless a row has as many readings as the table expects.
    #[inline]
    pub(crate) fn check_row(&self, readings: &[Reading]) -> Result<(), EncodeError> {
        if self.kinds.is_empty() || readings.len() == self.kinds.len() {
            return Ok(());
        }
        Err(EncodeError::RowLength { expected: self.kinds.len() as u16 })
    }

    /// Returns the word of a golden row that stands for a reading of a column of this kind.
    pub fn word(kind: u8, reading: Reading) -> u32 {
        match reading {
            Reading::Integer(value) => value as u32,
            Reading::Real(value) => value.to_bits(),
            Reading::Missing if kind & 15 == Self::REAL => f32::NAN.to_bits(),
            Reading::Missing => Self::MISSING,
        }
    }

    /// Returns the reading for which a word of a golden row stands in a column of this kind.
    pub fn reading(kind: u8, word: u32) -> Reading {
        match kind & 15 {
            Self::REAL => Reading::Real(f32::from_bits(word)),
            _ if word == Self::MISSING => Reading::Missing,
            _ => Reading::Integer(word as i32),
        }
    }

    /// Scores every golden row by `score`, which returns the surprisal and the anomaly score, and compares the results.
    pub(crate) fn self_test<const R: usize>(
        &self,
        score: impl Fn(&[Reading]) -> Result<[u32; 2], EncodeError>,
    ) -> Result<(), SelfTestError> {
        let mut row = [Reading::Missing; R];
        let Some(row) = row.get_mut(..self.kinds.len()).filter(|row| !row.is_empty()) else {
            return Err(if self.kinds.is_empty() {
                SelfTestError::NoGoldenRows
            } else {
                SelfTestError::RowTooShort { readings: self.kinds.len() as u16 }
            });
        };
        let words = self.golden_readings.chunks_exact(row.len());
        for (at, (words, expected)) in words.zip(self.golden_scores).enumerate() {
            for ((slot, &kind), &word) in row.iter_mut().zip(self.kinds).zip(words) {
                *slot = Self::reading(kind, word);
            }
            if score(row) != Ok(*expected) {
                return Err(SelfTestError::Mismatch { row: at as u16 });
            }
        }
        if self.golden_scores.is_empty() { Err(SelfTestError::NoGoldenRows) } else { Ok(()) }
    }
}

/// An error of [`Table::self_test`](crate::Table::self_test).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum SelfTestError {
    /// The table holds no golden rows.
    NoGoldenRows,
    /// A row of the table has more readings than the capacity R of the program.
    RowTooShort {
        /// The number of readings of a row.
        readings: u16,
    },
    /// A golden row has another score here than on the machine that fitted the table.
    Mismatch {
        /// The golden row, counted from 0.
        row: u16,
    },
}

impl fmt::Display for SelfTestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoGoldenRows => f.write_str("the table has no golden rows: fit and export it again"),
            Self::RowTooShort { readings } => {
                write!(f, "a row has {readings} readings: make R in `self_test::<R>` at least that")
            }
            Self::Mismatch { row } => write!(
                f,
                "golden row {row} has another score than on the host: do not trust this device; flash the firmware again, \
                 and check its compiler, its clock and its supply"
            ),
        }
    }
}

impl core::error::Error for SelfTestError {}
