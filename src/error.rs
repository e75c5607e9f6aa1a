//! What can be wrong with a table or a reading; each message says what to do.

use core::fmt;

/// Why bytes or slices are not a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum TableError {
    /// The bytes do not begin as a `.srp` file does.
    Foreign,
    /// The file is of another format version.
    Version(u32),
    /// The bytes end before the table does.
    Truncated,
    /// The checksum does not match.
    Corrupt,
    /// The bytes do not start at an address that is a multiple of four.
    Misaligned,
    /// The table is for more bits than the program made room for.
    TooWide {
        /// How many bits the table is for.
        bits: u16,
    },
    /// The table's hidden layer or mixture is larger than the program made room for.
    TooDeep {
        /// How many units or components it has.
        words: u16,
    },
    /// The named section's length or content does not fit the rest.
    Shape(&'static str),
    /// A guard or a tree of this bit asks a bit that is not seen yet.
    Order {
        /// The bit that asks.
        bit: u16,
    },
}

impl fmt::Display for TableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Foreign => f.write_str(
                "not a .srp table (or one for another byte order): pass the file that `surprisal fit` wrote",
            ),
            Self::Version(v) => write!(
                f,
                "table format {v}, this library reads {}: use the library version that made it, or fit again",
                crate::table::VERSION
            ),
            Self::Truncated => f.write_str("the table is cut short: copy the whole file"),
            Self::Corrupt => f.write_str("the table's checksum does not match: copy or flash it again"),
            Self::Misaligned => f.write_str(
                "the table must start at a multiple of four: wrap its bytes in a `#[repr(align(4))]` struct",
            ),
            Self::TooWide { bits } => write!(f, "the table is for {bits} bits: make N in `Table<N>` at least that"),
            Self::TooDeep { words } => write!(
                f,
                "the table has {words} hidden units or components: make H or K in `Table<N, H, K>` at least that"
            ),
            Self::Shape(section) => {
                write!(f, "the section `{section}` does not fit the others: the table was not made by `surprisal`")
            }
            Self::Order { bit } => {
                write!(f, "bit {bit} depends on a bit that is not seen yet: the table was not made by `surprisal`")
            }
        }
    }
}

impl core::error::Error for TableError {}

/// Why readings cannot be encoded. `column` counts the readings from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum EncodeError {
    /// There are fewer readings than columns.
    Absent {
        /// The column without a reading.
        column: u16,
    },
    /// An integer where the training rows had real numbers, or the reverse.
    Kind {
        /// The column with the wrong kind of reading.
        column: u16,
    },
    /// A missing reading in a column that never missed one in the training rows.
    Missing {
        /// The column without a value.
        column: u16,
    },
    /// The table is for more bits than the row holds.
    TooWide,
    /// A bit is not what those before it leave it to be.
    Impossible {
        /// That bit, counted from 0.
        bit: u16,
    },
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent { column } => {
                write!(f, "reading {column} is absent: pass one reading a column, in training order")
            }
            Self::Kind { column } => write!(
                f,
                "reading {column} is of the wrong kind: pass Integer for integer and category columns, Real for real ones"
            ),
            Self::Missing { column } => write!(
                f,
                "reading {column} is missing, but never was in training: fit on rows that miss it, or supply a value"
            ),
            Self::TooWide => f.write_str("the table is for more bits than the row holds: make N larger"),
            Self::Impossible { bit } => {
                write!(
                    f,
                    "bit {bit} contradicts the bits before it: pass rows as an `Encoder` of this table makes them"
                )
            }
        }
    }
}

impl core::error::Error for EncodeError {}
