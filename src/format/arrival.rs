//! The check of a table whose bytes arrive in pieces: its header, its checksum and its fingerprint, but not its sections.

use crc::{Digest, Table};

use super::{CHECKED, CHECKSUM, HEAD, check_fingerprint, check_kind, digest_blocks};
use crate::error::TableError;
use crate::fingerprint::Fingerprint;

/// What has arrived of a table.
pub(crate) struct Arrival {
    head: [u8; 4 * HEAD],
    /// The number of bytes that have arrived.
    arrived: usize,
    digest: Digest<'static, u32, Table<1>>,
}

impl Arrival {
    /// Expects the first byte of a table.
    pub(crate) fn new() -> Self {
        Self { head: [0; 4 * HEAD], arrived: 0, digest: CHECKSUM.digest() }
    }

    /// Adds the next bytes.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        let free = self.head.get_mut(self.arrived..).unwrap_or_default();
        free.iter_mut().zip(bytes).for_each(|(slot, byte)| *slot = *byte);
        let checked = bytes.get(CHECKED.saturating_sub(self.arrived)..).unwrap_or_default();
        digest_blocks(&mut self.digest, checked);
        self.arrived += bytes.len();
    }

    /// Checks the header of a table of `length` bytes, and returns its checksum.
    ///
    /// # Errors
    /// [`TableError`], as for [`Table::from_bytes`](crate::Table::from_bytes).
    pub(crate) fn check_header(&self, length: u32, expected: Fingerprint) -> Result<u32, TableError> {
        if self.arrived < self.head.len() {
            return Err(TableError::Truncated);
        }
        let mut words = self.head.as_chunks::<4>().0.iter().map(|&word| u32::from_le_bytes(word));
        let [magic, version, found, checksum, fingerprint, _] =
            core::array::from_fn(|_| words.next().unwrap_or_default());
        check_kind(magic, version)?;
        check_fingerprint(Fingerprint::new(fingerprint), expected)?;
        match found {
            _ if found > length => Err(TableError::Truncated),
            _ if found < length => Err(TableError::Inconsistent("length")),
            _ => Ok(checksum),
        }
    }

    /// Checks the header and the checksum of a table of `length` bytes, all of which have arrived.
    ///
    /// # Errors
    /// [`TableError`], as for [`Table::from_bytes`](crate::Table::from_bytes).
    pub(crate) fn finish(self, length: u32, expected: Fingerprint) -> Result<(), TableError> {
        let checksum = self.check_header(length, expected)?;
        if self.digest.finalize() == checksum { Ok(()) } else { Err(TableError::Corrupt) }
    }
}
