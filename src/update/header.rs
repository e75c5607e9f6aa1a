//! The header of an update, which precedes its table.

use core::convert::Infallible;

use super::UpdateError;
use crate::fingerprint::Fingerprint;
use crate::format::{Arrival, CHECKSUM};

/// The header of an update: a signature, a release number and the length of the table that follows.
///
/// An update is this header in [`BYTES`](Self::BYTES) bytes and the bytes of a `.srp` table without notes. `surprisal sign`
/// writes it; `docs/updates.md` describes it. All numbers are little-endian:
///
/// | bytes | meaning |
/// | --- | --- |
/// | 0 to 63 | Ed25519 signature (RFC 8032) of all later bytes, up to the end of the table; zeros if there is none |
/// | 64 to 67 | `SRU1`, of which the last digit is the version |
/// | 68 to 71 | release number, at least 1 |
/// | 72 to 75 | length of the table in bytes |
/// | 76 to 79 | CRC-32 of bytes 64 to 75 |
///
/// ```
/// use surprisal::UpdateHeader;
/// let header = UpdateHeader { signature: [0; 64], release: 7, length: 1000 };
/// assert_eq!(UpdateHeader::from_bytes(&header.to_bytes()), Some(header));
/// assert_eq!(UpdateHeader::from_bytes(&[0; 80]), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UpdateHeader {
    /// The signature of all bytes of the update after the signature.
    pub signature: [u8; 64],
    /// The release number, at least 1. A device refuses an update unless this is higher than the number of the table in
    /// use.
    pub release: u32,
    /// The number of bytes of the table.
    pub length: u32,
}

impl UpdateHeader {
    /// The number of bytes of a header.
    pub const BYTES: usize = 80;
    /// The number of bytes of a signature, which is not part of what is signed.
    pub const SIGNATURE_BYTES: usize = 64;
    /// The first bytes after the signature.
    const MAGIC: [u8; 4] = *b"SRU1";

    /// Returns the header as bytes.
    pub fn to_bytes(&self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        let checked = self.checked();
        let checksum = CHECKSUM.checksum(&checked).to_le_bytes();
        let fields = self.signature.iter().chain(&checked).chain(&checksum);
        bytes.iter_mut().zip(fields).for_each(|(slot, byte)| *slot = *byte);
        bytes
    }

    /// Reads a header. Returns `None` if the bytes are not an undamaged header of this version.
    pub fn from_bytes(bytes: &[u8; Self::BYTES]) -> Option<Self> {
        let (&signature, rest) = bytes.split_first_chunk()?;
        let (_, rest) = rest.split_first_chunk::<4>()?;
        let (&release, rest) = rest.split_first_chunk()?;
        let &length = rest.first_chunk()?;
        let [release, length] = [release, length].map(u32::from_le_bytes);
        let header = Self { signature, release, length };
        (header.release > 0 && header.to_bytes() == *bytes).then_some(header)
    }

    /// Splits a whole update into its header and its table, and checks all of it but the signature: what a device checks
    /// when the last byte has arrived.
    ///
    /// # Errors
    /// [`UpdateError`], as for [`Incoming`](super::Incoming).
    pub fn split(update: &[u8]) -> Result<(Self, &[u8]), UpdateError<Infallible>> {
        let (bytes, table) = update.split_first_chunk().ok_or(UpdateError::NotAnUpdate)?;
        let header = Self::from_bytes(bytes).ok_or(UpdateError::NotAnUpdate)?;
        let arrived = u32::try_from(table.len()).unwrap_or(u32::MAX);
        match header.length.checked_sub(arrived) {
            None => return Err(UpdateError::TooLong),
            Some(0) => {}
            Some(missing) => return Err(UpdateError::Incomplete { missing }),
        }
        let mut arrival = Arrival::new();
        arrival.push(table);
        arrival.finish(header.length, Fingerprint::ANY).map_err(UpdateError::Table)?;
        Ok((header, table))
    }

    /// Returns the bytes that the checksum covers.
    fn checked(&self) -> [u8; 12] {
        let mut bytes = [0; 12];
        let fields = Self::MAGIC.into_iter().chain(self.release.to_le_bytes()).chain(self.length.to_le_bytes());
        bytes.iter_mut().zip(fields).for_each(|(slot, byte)| *slot = byte);
        bytes
    }
}
