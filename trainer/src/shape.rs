//! Capacities of a table (bits, hidden units, mixture components), and macros for code that is generic over them.

use surprisal::{Table, TableError};

/// Capacities that a table needs: N, H and K of [`surprisal::Table`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    /// Number of bits in a row: N.
    pub bits: usize,
    /// Number of hidden units: H.
    pub units: usize,
    /// Number of mixture components: K.
    pub components: usize,
}

impl Shape {
    /// Capacities of the largest table that the host can use.
    pub const LARGEST: Self = Self { bits: 4096, units: 256, components: 64 };

    /// Number of bytes of state per hidden unit: its sum and its output.
    pub const UNIT_BYTES: usize = 6;

    /// Returns the shape of a table from its bytes.
    ///
    /// # Errors
    /// [`TableError`] if the bytes are not a table or if the table exceeds [`LARGEST`](Self::LARGEST).
    pub fn of(bytes: &[u8]) -> Result<Self, TableError> {
        let table =
            Table::<{ Self::LARGEST.bits }, { Self::LARGEST.units }, { Self::LARGEST.components }>::from_bytes(bytes)?;
        let terms = table.model.terms();
        Ok(Self { bits: table.model.bits(), units: terms.hidden.units(), components: terms.mixture.components() })
    }

    /// Returns the number of bytes of stack that a row and the state of its model take: three per bit, six per hidden
    /// unit, four per component, and 16 for the position in the row.
    pub const fn state_bytes(self) -> usize {
        (3 * self.bits).next_multiple_of(4) + Self::UNIT_BYTES * self.units + 4 * self.components + 16
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
