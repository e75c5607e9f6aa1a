//! The fingerprint by which firmware recognises a table of its columns.

use core::fmt;

/// A number that identifies the columns of a table: their names, kinds, category codes and order.
///
/// `surprisal export` writes the fingerprint of a table into the source of its typed rows. Firmware passes it to
/// [`Table::from_bytes`](crate::Table::from_bytes), which then refuses a table of other columns. `docs/format.md` gives
/// the formula, a CRC-32.
///
/// ```
/// use surprisal::{Fingerprint, Table, TableError};
/// # #[repr(C, align(4))]
/// # struct Aligned<T: ?Sized>(T);
/// # static FLASH: &Aligned<[u8]> =
/// #     &Aligned(*include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/shuttle.srp")));
/// let found = Table::<201>::from_bytes(&FLASH.0, Fingerprint::ANY)?.schema.fingerprint;
/// let other = Fingerprint::new(0x1234_5678);
/// let error = Table::<201>::from_bytes(&FLASH.0, other).unwrap_err();
/// assert_eq!(error, TableError::Fingerprint { found, expected: other });
/// # Ok::<(), TableError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Fingerprint(u32);

impl Fingerprint {
    /// Accepts every table. It is also the fingerprint of a table whose columns have no names.
    pub const ANY: Self = Self(0);

    /// Creates a fingerprint from its number.
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// Returns the number.
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}
