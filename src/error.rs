//! Errors of tables and readings. Every message names a remedy.

use core::fmt;

use crate::fingerprint::Fingerprint;

/// An error of [`Table::from_bytes`](crate::Table::from_bytes) or a constructor: bytes or slices are not a usable
/// table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum TableError {
    /// The bytes do not begin with the magic number of a `.srp` file.
    NotATable,
    /// The file has a format version that this library does not read.
    UnsupportedVersion {
        /// The format version of the file.
        found: u32,
        /// The format version that this library reads.
        supported: u32,
    },
    /// The bytes end before the end of the table.
    Truncated,
    /// The checksum does not match the bytes.
    Corrupt,
    /// The bytes do not start at an address that is a multiple of four.
    Misaligned,
    /// The table has more bits than the capacity N of the program, or than the limit of 4096.
    TooManyBits {
        /// The number of bits in the table.
        bits: u16,
    },
    /// A view has more columns than the capacity C of the program.
    TooManyColumns {
        /// The number of columns in the view.
        columns: u16,
    },
    /// The table has another number of views than the program expects: zero for a [`Table`](crate::Table), which holds a
    /// model of bits, and V for a [`ViewTable`](crate::ViewTable).
    Views {
        /// The number of views in the table.
        found: u16,
        /// The number of views that the program expects.
        expected: u16,
    },
    /// The columns of the table are others than those that the program was compiled for, or stand in another order.
    Fingerprint {
        /// The fingerprint of the table.
        found: Fingerprint,
        /// The fingerprint that the program expects.
        expected: Fingerprint,
    },
    /// The hidden layer has more units than the capacity H of the program.
    TooManyUnits {
        /// The number of units in the table.
        units: u16,
    },
    /// The mixture has more components than the capacity K of the program.
    TooManyComponents {
        /// The number of components in the table.
        components: u16,
    },
    /// The length or content of the named section, such as `"tree splits"`, does not fit the other sections.
    Inconsistent(&'static str),
    /// A constraint, a tree or the mixture parent of this bit refers to a bit that does not come before it.
    Order {
        /// The bit with the wrong reference, counted from 0.
        bit: u16,
    },
}

impl fmt::Display for TableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotATable => {
                f.write_str("not a .srp table, or one in another byte order: pass the file that `surprisal fit` wrote")
            }
            Self::UnsupportedVersion { found, supported } => write!(
                f,
                "the table has format version {found}, but this library reads version {supported}: use the library \
                 version that made the table, or fit and export it again"
            ),
            Self::Truncated => f.write_str("the table is cut short: copy the whole file"),
            Self::Corrupt => f.write_str("the checksum of the table does not match: copy or flash it again"),
            Self::Misaligned => f.write_str(
                "the table must start at an address that is a multiple of four: wrap its bytes in a \
                 `#[repr(align(4))]` struct",
            ),
            Self::TooManyBits { bits } => {
                write!(f, "the table has {bits} bits: make N in `Table<N>` at least that, and at most 4096")
            }
            Self::TooManyColumns { columns } => {
                write!(f, "a view of the table has {columns} columns: make C in `ViewTable<C, V>` at least that")
            }
            Self::Views { found: 0, .. } => {
                f.write_str("the table holds a model of bits: read it as a `Table` in place of a `ViewTable`")
            }
            Self::Views { found, expected: 0 } => {
                write!(f, "the table holds {found} views of outcome tables: read it as a `ViewTable<C, {found}>`")
            }
            Self::Views { found, .. } => {
                write!(f, "the table has {found} views: make V in `ViewTable<C, V>` equal to that")
            }
            Self::Fingerprint { found, expected } => write!(
                f,
                "the table is for rows with fingerprint {found}, but this program expects {expected}: its columns, their \
                 kinds, category codes or order differ; fit with --like the old model, or compile the exported rows of \
                 this table into the program"
            ),
            Self::TooManyUnits { units } => {
                write!(f, "the table has {units} hidden units: make H in `Table<N, H>` at least that")
            }
            Self::TooManyComponents { components } => {
                write!(f, "the table has {components} mixture components: make K in `Table<N, H, K>` at least that")
            }
            Self::Inconsistent(section) => {
                write!(f, "the section `{section}` does not fit the other sections: fit and export the table again")
            }
            Self::Order { bit } => {
                write!(f, "bit {bit} refers to a bit that does not come before it: fit and export the table again")
            }
        }
    }
}

impl core::error::Error for TableError {}

/// An error of scoring, encoding or compressing a row: its readings or bits do not fit the table.
///
/// A `column` is the position of a reading in the row, counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum EncodeError {
    /// The row has fewer readings than the table has columns.
    NoReading {
        /// The column without a reading.
        column: u16,
    },
    /// The row has another number of readings than the table expects.
    RowLength {
        /// The number of readings that the table expects.
        expected: u16,
    },
    /// The reading is an integer where the training rows had real numbers, or the reverse.
    WrongType {
        /// The column with the wrong type of reading.
        column: u16,
    },
    /// The reading is missing, in a column that was never missing in the training rows.
    UnexpectedMissing {
        /// The column with the missing reading.
        column: u16,
    },
    /// The table has more bits than the array of bits for a row.
    TooManyBits,
    /// A bit of the row contradicts the value that earlier bits imply.
    Impossible {
        /// The contradicting bit, counted from 0.
        bit: u16,
    },
    /// The const generics of a `Stream` differ from the channels and the window of the table's predictor.
    StreamSize {
        /// The window of the predictor, in rows; 0 if the table has no predictor.
        window: u16,
    },
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoReading { column } => {
                write!(f, "there is no reading for column {column}: pass one reading per column, in training order")
            }
            Self::RowLength { expected } => write!(
                f,
                "the row has another number of readings than the {expected} of the table: pass one reading per column, in \
                 training order"
            ),
            Self::WrongType { column } => write!(
                f,
                "the reading for column {column} has the wrong type: pass Integer for integer, flag and category \
                 columns, and Real for real ones"
            ),
            Self::UnexpectedMissing { column } => write!(
                f,
                "the reading for column {column} is missing, but was never missing in training: supply a value, or fit \
                 on rows in which it is missing"
            ),
            Self::TooManyBits => f.write_str("the table has more bits than the row: make N larger"),
            Self::Impossible { bit } => {
                write!(f, "bit {bit} contradicts earlier bits: pass rows as the `Encoder` of this table writes them")
            }
            Self::StreamSize { window: 0 } => {
                f.write_str("the table has no predictor: score its rows without a `Stream`")
            }
            Self::StreamSize { window } => {
                write!(
                    f,
                    "the table needs a `Stream<{{ COLUMNS.len() }}, {window}>`, with `COLUMNS` of the exported source"
                )
            }
        }
    }
}

impl core::error::Error for EncodeError {}
