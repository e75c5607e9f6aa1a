//! Capacities of a table (bits, hidden units, mixture components), and macros for code that is generic over them.

use std::fmt;

use surprisal::{Table, TableError, ViewTable};

use crate::with_views;

/// Capacities that a table needs: N, H and K of [`surprisal::Table`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    /// Number of bits in a row: N. For views, the largest number of columns of a view: C of [`ViewTable`].
    pub bits: usize,
    /// Number of hidden units: H.
    pub units: usize,
    /// Number of mixture components: K.
    pub components: usize,
    /// Number of views of outcome tables: V of [`ViewTable`], or zero for a model of bits.
    pub views: usize,
}

impl Shape {
    /// Capacities of the largest table that the host can use.
    pub const LARGEST: Self = Self { bits: 4096, units: 256, components: 64, views: 2 };

    /// Number of bytes of state per hidden unit: its sum and its output.
    pub const UNIT_BYTES: usize = 6;

    /// Returns the shape of a table from its bytes.
    ///
    /// # Errors
    /// [`TableError`] if the bytes are not a table or if the table exceeds [`LARGEST`](Self::LARGEST).
    pub fn of(bytes: &[u8]) -> Result<Self, TableError> {
        // The table says how many views it has if it is read as a model of bits.
        match Table::<1>::from_bytes(bytes, surprisal::Fingerprint::ANY) {
            Err(TableError::Views { found: views @ 1..=2, .. }) => {
                let shape = Self { views: views.into(), ..Self::LARGEST };
                return with_views!(shape, C, V => {
                    let columns = ViewTable::<C, V>::from_bytes(bytes, surprisal::Fingerprint::ANY)?.views.map(|view| view.tables.columns());
                    Ok(Self { bits: columns.into_iter().max().unwrap_or(0), views: V, ..Self::default() })
                });
            }
            Err(error @ TableError::Views { .. }) => return Err(error),
            _ => {}
        }
        let table = Table::<{ Self::LARGEST.bits }, { Self::LARGEST.units }, { Self::LARGEST.components }>::from_bytes(
            bytes,
            surprisal::Fingerprint::ANY,
        )?;
        let terms = table.model.terms();
        let (units, components) = (terms.hidden.units(), terms.mixture.components());
        Ok(Self { bits: table.model.bits(), units, components, views: 0 })
    }

    /// Returns whether firmware with the capacities of another table reads a table of this shape.
    pub const fn fits(self, other: Self) -> bool {
        let is_smaller = self.bits <= other.bits && self.units <= other.units && self.components <= other.components;
        is_smaller && self.views == other.views
    }

    /// Returns the number of bytes of stack that a row and the state of its model take: three per bit, six per hidden
    /// unit, four per component, and 16 for the position in the row. For views, six per column and 64.
    pub const fn state_bytes(self) -> usize {
        if self.views > 0 {
            return (6 * self.bits).next_multiple_of(4) + 64;
        }
        (3 * self.bits).next_multiple_of(4) + Self::UNIT_BYTES * self.units + 4 * self.components + 16
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.views {
            0 => write!(f, "Table<{}, {}, {}>", self.bits, self.units, self.components),
            views => write!(f, "ViewTable<{}, {views}>", self.bits),
        }
    }
}

/// Evaluates an expression with a constant capacity N: the smallest of 64, 256, 1024 and 4096 that is at least `$bits`.
#[macro_export]
macro_rules! with_capacity {
    ($bits:expr, $N:ident => $body:expr) => {
        match $bits {
            0..=64 => {
                const $N: usize = 64;
                $body
            }
            65..=256 => {
                const $N: usize = 256;
                $body
            }
            257..=1024 => {
                const $N: usize = 1024;
                $body
            }
            _ => {
                const $N: usize = 4096;
                $body
            }
        }
    };
}

/// Evaluates `$body` with the constants `$C` and `$V`, the capacities of a [`surprisal::ViewTable`] that holds a table of
/// this [`Shape`](crate::shape::Shape), which must have views.
#[macro_export]
macro_rules! with_views {
    ($shape:expr, $C:ident, $V:ident => $body:expr) => {{
        let shape: $crate::shape::Shape = $shape;
        $crate::with_capacity!(shape.bits, $C => match shape.views {
            1 => {
                const $V: usize = 1;
                $body
            }
            _ => {
                const $V: usize = 2;
                $body
            }
        })
    }};
}

/// Evaluates `$body` with the constants `$N` (bits), `$H` (hidden units) and `$K` (mixture components), the capacities
/// of a [`surprisal::Table`] that holds a table of this [`Shape`](crate::shape::Shape). `$H` and `$K` are zero for
/// tables without hidden layer and mixture.
#[macro_export]
macro_rules! with_shape {
    ($shape:expr, $N:ident, $H:ident, $K:ident => $body:expr) => {{
        let shape: $crate::shape::Shape = $shape;
        if shape.units == 0 && shape.components == 0 {
            const $H: usize = 0;
            const $K: usize = 0;
            $crate::with_capacity!(shape.bits, $N => $body)
        } else {
            const $H: usize = $crate::shape::Shape::LARGEST.units;
            const $K: usize = $crate::shape::Shape::LARGEST.components;
            $crate::with_capacity!(shape.bits, $N => $body)
        }
    }};
}
