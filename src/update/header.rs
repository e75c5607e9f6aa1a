//! The header of an update, which precedes its table.

/// The header of an update: a signature, a release number and the length of the table that follows.
///
/// An update is this header in [`BYTES`](Self::BYTES) bytes and the bytes of a `.srp` table without notes. `surprisal sign`
/// writes it; `docs/updates.md` describes it. All numbers are little-endian:
///
/// | bytes | meaning |
/// | --- | --- |
/// | 0 to 63 | Ed25519 signature (RFC 8032) of all later bytes, up to the end of the table; zeros if there is none |
/// | 64 to 67 | `SRPU` |
/// | 68 to 71 | version of this header, 1 |
/// | 72 to 75 | release number |
/// | 76 to 79 | length of the table in bytes |
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
    /// The release number. A device refuses an update unless this is higher than the number of the table in use, so
    /// that nobody can send an old table again.
    pub release: u32,
    /// The number of bytes of the table.
    pub length: u32,
}

impl UpdateHeader {
    /// The number of bytes of a header.
    pub const BYTES: usize = 80;
    /// The number of bytes of a signature, which is not part of what is signed.
    pub const SIGNATURE_BYTES: usize = 64;
    /// The first bytes after the signature, and the version of the header.
    const MAGIC: [u8; 8] = *b"SRPU\x01\0\0\0";

    /// Returns the header as bytes.
    pub fn to_bytes(&self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        let fields = [&self.signature[..], &Self::MAGIC, &self.release.to_le_bytes(), &self.length.to_le_bytes()];
        let bytes_of = fields.into_iter().flatten();
        bytes.iter_mut().zip(bytes_of).for_each(|(slot, byte)| *slot = *byte);
        bytes
    }

    /// Reads a header. Returns `None` if the bytes are not a header of this version.
    pub fn from_bytes(bytes: &[u8; Self::BYTES]) -> Option<Self> {
        let (&signature, rest) = bytes.split_first_chunk()?;
        let (&magic, rest) = rest.split_first_chunk()?;
        let (&release, rest) = rest.split_first_chunk()?;
        let &length = rest.first_chunk()?;
        let [release, length] = [release, length].map(u32::from_le_bytes);
        (magic == Self::MAGIC).then_some(Self { signature, release, length })
    }
}
