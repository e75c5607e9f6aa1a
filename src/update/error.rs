//! Errors of updates. Every message names a remedy.

use core::fmt;

use crate::error::TableError;

/// An error of [`Slots`](super::Slots) or [`Incoming`](super::Incoming). An update that is refused does not affect the table in
/// use.
///
/// E is the error of the flash driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum UpdateError<E> {
    /// The driver cannot read, write or erase the flash.
    Flash(E),
    /// The slots do not fit the flash.
    Geometry,
    /// The table in use is on trial, and the other slot holds the one to return to.
    OnTrial,
    /// The slots hold another table than the one that was passed: it was replaced or erased since [`start`](super::Slots::start)
    /// returned it, or there is a table although none was passed.
    Stale,
    /// The bytes do not begin with the header of an update of this version.
    NotAnUpdate,
    /// The table is larger than a slot.
    TooLarge {
        /// The number of bytes of the table.
        length: u32,
        /// The number of bytes that a slot has for a table.
        capacity: u32,
    },
    /// The release number is not higher than that of the table in use.
    NotNewer {
        /// The release number of the update.
        release: u32,
        /// The release number of the table in use.
        in_use: u32,
    },
    /// The table is damaged, cut short, of another format or for rows of other columns.
    Table(TableError),
    /// The update has not arrived in full.
    Incomplete {
        /// The number of bytes that are missing.
        missing: u32,
    },
    /// There are more bytes than the header announces.
    TooLong,
    /// The signature is not that of the owner of the key.
    Forged,
}

impl<E: fmt::Debug> fmt::Display for UpdateError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flash(error) => {
                write!(f, "the flash cannot be read or written: {error:?}; check its driver and supply")
            }
            Self::Geometry => f.write_str(
                "the slots do not fit the flash: start and size must be multiples of its erase size, which must be a \
                 multiple of 32 and at least 96, 2 * size must fit behind start, READ_SIZE must divide 16 and WRITE_SIZE \
                 must divide 32",
            ),
            Self::OnTrial => f.write_str("the table in use is on trial: confirm or discard it before the next update"),
            Self::Stale => {
                f.write_str("the slots hold another table than the one that was passed: call `start`, and pass what it returns")
            }
            Self::NotAnUpdate => f.write_str(
                "not an update, or one of another version: send a file that `surprisal sign` of the firmware's library version wrote",
            ),
            Self::TooLarge { length, capacity } => write!(
                f,
                "the table has {length} bytes, but a slot has room for {capacity}: make the slots larger, or fit with \
                 --flash {capacity}"
            ),
            Self::NotNewer { release, in_use } => write!(
                f,
                "release {release} is not newer than release {in_use}, which is in use: sign the table with a higher \
                 --release"
            ),
            Self::Table(error) => write!(f, "{error}"),
            Self::Incomplete { missing } => {
                write!(f, "{missing} bytes of the update are missing: send all of it again")
            }
            Self::TooLong => {
                f.write_str("the update is longer than its header says: send a file that `surprisal sign` wrote")
            }
            Self::Forged => f.write_str(
                "the signature does not fit the key of this device: sign the update with the key whose public half the \
                 firmware holds",
            ),
        }
    }
}

impl<E: fmt::Debug> core::error::Error for UpdateError<E> {}
