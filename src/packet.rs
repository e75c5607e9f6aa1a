//! Packets: rows of readings in as many bytes as they surprise, each packet readable alone.
//!
//! A packet is a header of two or four bytes, a payload and a check of two bytes:
//!
//! | header | payload | rows |
//! | --- | --- | --- |
//! | `0LLLLLLL` `RRRRRRRR` | L bytes, at most 127 | R, 1 to 255 |
//! | `1LLLLLLL` `LLLLLLLL` `RRRRRRRR` `RRRRRRRR` | L bytes, at most 32766 | R, 1 to 65535 |
//!
//! Numbers of two bytes begin with the high byte. The check is the CRC-16 of header and payload, exclusive or with the tag
//! of table and decimals: a packet of another table is told apart without further bytes.

use core::fmt;

use crate::codec::{Decompressor, Paused};
use crate::error::EncodeError;
use crate::reading::Reading;

mod history;
mod place;
mod rows;
mod tables;

pub use rows::RowCodec;
pub use tables::PacketTable;

use rows::CHECKSUM;

/// The largest number of bytes of a payload. Erased flash, bytes of 255, begins no packet.
const MOST_PAYLOAD: usize = 0x7FFE;
/// The number of bytes of a header of each kind, and of the check.
const LONG: usize = 4;
const SHORT: usize = 2;
const CHECK: usize = 2;

/// Packs rows of readings into a buffer of the caller, as many as fit.
///
/// ```
/// # mod shuttle { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/shuttle.rs")); }
/// use surprisal::{PacketError, PacketWriter, Packets, Reading, RowCodec};
/// let rows = [[45, 0, 81, 0, 44, 5, 36, 37, 2], [37, 0, 77, 0, 28, 0, 40, 48, 80]].map(|row| row.map(Reading::Integer));
///
/// let mut codec = RowCodec::new(&shuttle::TABLE, &[], &mut [])?;
/// let mut buffer = [0; 51]; // the payload of a LoRa frame
/// let mut writer = PacketWriter::new(&mut codec, &mut buffer);
/// for row in &rows {
///     writer.push(row)?; // `PacketError::Full` says that the row belongs to the next packet
/// }
/// let packet = writer.finish();
/// assert!(packet.len() < 30, "{}", packet.len()); // 18 bytes of text and more per row
///
/// for found in Packets::new(packet, &[codec.tag()]) {
///     let mut received = found.expect("no damage").rows(&mut codec);
///     let mut row = [Reading::Missing; 9];
///     for sent in &rows {
///         assert!(received.next(&mut row)?);
///         assert_eq!(row, *sent);
///     }
///     assert!(!received.next(&mut row)?);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct PacketWriter<'b, 'c, 'a, T> {
    codec: &'c mut RowCodec<'a, T>,
    buffer: &'b mut [u8],
    /// Where the payload begins, and its length so far.
    start: usize,
    length: usize,
    state: Paused,
    rows: u16,
    is_full: bool,
}

/// An error of [`PacketWriter::push`]. Earlier rows stay in the packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum PacketError {
    /// The row does not fit the packet.
    Full,
    /// The row does not fit the table.
    Row(EncodeError),
}

impl fmt::Display for PacketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str(
                "the row does not fit the packet: finish the packet, and push the row to the next one; a row that fits no empty \
                 packet needs a larger buffer",
            ),
            Self::Row(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for PacketError {}

impl<'b, 'c, 'a, T: PacketTable> PacketWriter<'b, 'c, 'a, T> {
    /// Begins a packet in `buffer`, whose length limits that of the packet. Buffers of up to 131 bytes take packets with the
    /// short header.
    pub fn new(codec: &'c mut RowCodec<'a, T>, buffer: &'b mut [u8]) -> Self {
        codec.restart();
        let start = if buffer.len() <= SHORT + 0x7F + CHECK { SHORT } else { LONG };
        Self { codec, buffer, start, length: 0, state: Paused::START, rows: 0, is_full: false }
    }

    /// Adds a row: one reading per column in the order of the training columns or, for a time series, one per channel, before
    /// a `Stream` turns them into residuals.
    ///
    /// # Errors
    /// [`PacketError::Full`] if the row does not fit; the packet then takes no further row.
    /// [`PacketError::Row`] if the table expects another number of readings.
    pub fn push(&mut self, readings: &[Reading]) -> Result<(), PacketError> {
        self.codec.check(readings).map_err(PacketError::Row)?;
        let most_rows = if self.start == SHORT { u8::MAX.into() } else { u16::MAX };
        if self.is_full || self.rows >= most_rows {
            return Err(PacketError::Full);
        }
        let most = self.buffer.len().saturating_sub(self.start + CHECK).min(MOST_PAYLOAD);
        let (start, mut length, buffer) = (self.start, self.length, &mut *self.buffer);
        let mut compressor = self.state.resume(|byte| {
            if let Some(slot) = buffer.get_mut(start + length).filter(|_| length < most) {
                *slot = byte;
            }
            length = length.saturating_add(1);
        });
        let encoded = self.codec.encode(readings, &mut compressor);
        let state = compressor.pause();
        self.is_full = encoded.is_err() || length.saturating_add(state.most_left()) > most;
        encoded.map_err(PacketError::Row)?;
        if self.is_full {
            return Err(PacketError::Full);
        }
        (self.length, self.state, self.rows) = (length, state, self.rows + 1);
        Ok(())
    }

    /// Returns the number of rows in the packet.
    pub fn rows(&self) -> u16 {
        self.rows
    }

    /// Ends the packet, and returns its bytes: none if it has no row.
    pub fn finish(self) -> &'b [u8] {
        let Self { codec, buffer, start, mut length, state, rows, .. } = self;
        if rows == 0 {
            return &[];
        }
        let payload = &mut *buffer;
        state
            .resume(|byte| {
                payload.get_mut(start + length).into_iter().for_each(|slot| *slot = byte);
                length += 1;
            })
            .finish();
        let most = if start < LONG { 0x7F } else { MOST_PAYLOAD };
        loop {
            let [high, low] = (length as u16).to_be_bytes();
            let [many, few] = rows.to_be_bytes();
            // A buffer for the long header can hold a packet with the short one.
            let (first, header) = if length <= 0x7F && many == 0 {
                (start - SHORT, [low, few, 0, 0])
            } else {
                (start - LONG.min(start), [high | 0x80, low, many, few])
            };
            let end = start + length;
            for (slot, byte) in buffer.iter_mut().take(start).skip(first).zip(header) {
                *slot = byte;
            }
            let check = CHECKSUM.checksum(buffer.get(first..end).unwrap_or_default()) ^ codec.tag();
            for (slot, byte) in buffer.iter_mut().skip(end).zip(check.to_be_bytes()) {
                *slot = byte;
            }
            let last = buffer.get((end + CHECK).saturating_sub(ERASED)..end + CHECK).unwrap_or_default();
            if !is_erased(last) || length >= most || end + CHECK >= buffer.len() {
                return buffer.get(first..end + CHECK).unwrap_or_default();
            }
            // Another zero, which decoders read behind every payload, makes another check.
            buffer.get_mut(end).into_iter().for_each(|slot| *slot = 0);
            length += 1;
        }
    }
}

/// The number of bytes at the end of a packet that would be erased flash, in which a check is right by chance.
const ERASED: usize = 6;

/// Returns whether all bytes are those of erased flash.
fn is_erased(bytes: &[u8]) -> bool {
    [0, u8::MAX].iter().any(|erased| bytes.iter().all(|byte| byte == erased))
}

/// A packet whose check is right.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'b> {
    payload: &'b [u8],
    rows: u16,
    tag: u16,
}

impl<'b> Packet<'b> {
    /// Returns the tag of the packet, one of those that were looked for.
    pub fn tag(&self) -> u16 {
        self.tag
    }

    /// Returns the bytes between header and check.
    pub fn payload(&self) -> &'b [u8] {
        self.payload
    }

    /// Returns the number of rows of the packet, at least 1.
    pub fn row_count(&self) -> u16 {
        self.rows
    }

    /// Returns the rows of the packet. The codec must have the [tag](Self::tag) of the packet.
    pub fn rows<'c, 'a, T: PacketTable>(&self, codec: &'c mut RowCodec<'a, T>) -> PacketRows<'b, 'c, 'a, T> {
        codec.restart();
        PacketRows { codec, left: self.rows, from: Decompressor::new(self.payload.iter().copied()) }
    }
}

/// The rows of a [`Packet`].
#[derive(Debug)]
pub struct PacketRows<'b, 'c, 'a, T> {
    codec: &'c mut RowCodec<'a, T>,
    from: Decompressor<core::iter::Copied<core::slice::Iter<'b, u8>>>,
    left: u16,
}

impl<T: PacketTable> PacketRows<'_, '_, '_, T> {
    /// Writes the readings of the next row to `readings`, and returns false after the last row.
    ///
    /// # Errors
    /// [`EncodeError::RowLength`] if the table expects another number of readings.
    pub fn next(&mut self, readings: &mut [Reading]) -> Result<bool, EncodeError> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(false) };
        self.codec.decode(readings, &mut self.from)?;
        self.left = left;
        Ok(true)
    }
}

/// Bytes that are no packet of this table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Damage {
    /// The position of the first of these bytes.
    pub at: usize,
    /// The number of bytes up to the next packet, or the end.
    pub length: usize,
    /// The tag of another table whose packet this may be. It is any number if the bytes are damaged, and `None` if no whole packet
    /// can begin with them.
    pub tag: Option<u16>,
}

/// Finds the packets in bytes, one after another, and goes on behind damage.
///
/// Damage that changes no length costs one packet. Otherwise the search goes on byte by byte, for a packet that another one of
/// these tags, the end or erased flash (bytes of 255 or of 0) follows, because a single check is right by chance once in 65536
/// bytes. A packet that is followed by something else is then lost as well. In bytes that hold no packets, the search computes a
/// checksum of up to 32 KiB at every other byte: pass what a radio delivers frame by frame. A host with megabytes of them brings
/// its own [checksums](Self::with_checksum).
#[derive(Clone, Debug)]
pub struct Packets<'b, C = fn(usize, &[u8]) -> u16> {
    bytes: &'b [u8],
    at: usize,
    tags: &'b [u16],
    checksum: C,
}

impl<'b> Packets<'b> {
    /// The largest number of bytes of a packet.
    pub const MOST_BYTES: usize = LONG + MOST_PAYLOAD + CHECK;

    /// Creates a search for the packets with one of these [tags](RowCodec::tag).
    pub const fn new(bytes: &'b [u8], tags: &'b [u16]) -> Self {
        Self::with_checksum(bytes, tags, |_, bytes| CHECKSUM.checksum(bytes))
    }
}

impl<'b, C> Packets<'b, C>
where
    C: Fn(usize, &[u8]) -> u16,
{
    /// Creates the same search with a function that returns the CRC-16/IBM-3740 of a part of the bytes, given its position and the
    /// part itself. From the checksums of all prefixes, it follows in constant time.
    pub const fn with_checksum(bytes: &'b [u8], tags: &'b [u16], checksum: C) -> Self {
        Self { bytes, at: 0, tags, checksum }
    }

    /// Returns the number of bytes up to the end of the last packet or damage.
    pub const fn position(&self) -> usize {
        self.at
    }

    /// Returns (packet with any tag, its length in bytes) if there are enough bytes for one at this position.
    fn packet(&self, at: usize) -> Option<(Packet<'b>, usize)> {
        let bytes = self.bytes.get(at..)?;
        let (&first, rest) = bytes.split_first()?;
        let (header, length, rows) = if first & 0x80 == 0 {
            (SHORT, first.into(), u16::from(*rest.first()?))
        } else {
            let [low, many, few] = *rest.first_chunk()?;
            (LONG, u16::from_be_bytes([first & 0x7F, low]), u16::from_be_bytes([many, few]))
        };
        let end = header + usize::from(length);
        let checked = bytes.get(..end).filter(|_| usize::from(length) <= MOST_PAYLOAD && rows > 0)?;
        let check = u16::from_be_bytes(*bytes.get(end..)?.first_chunk()?);
        // A check that stands among erased bytes is right by chance.
        if is_erased(bytes.get((end + CHECK).saturating_sub(ERASED)..end + CHECK)?) {
            return None;
        }
        let tag = (self.checksum)(at, checked) ^ check;
        Some((Packet { payload: checked.get(header..)?, rows, tag }, end + CHECK))
    }

    /// Returns whether a packet with one of the tags begins at a position.
    fn is_packet(&self, at: usize) -> bool {
        self.packet(at).is_some_and(|(packet, _)| self.tags.contains(&packet.tag))
    }

    /// Returns whether the end, a packet with one of the tags, or erased flash begins at a position.
    fn is_border(&self, at: usize) -> bool {
        let rest = self.bytes.get(at..).unwrap_or_default();
        let erased = rest.first().copied().filter(|&byte| byte == 0 || byte == u8::MAX);
        let padding = rest.iter().take(4).take_while(|&&byte| Some(byte) == erased).count();
        padding == 4 || padding == rest.len() || self.is_packet(at) || padding > 0 && self.is_packet(at + padding)
    }

    /// Returns whether a packet with one of the tags begins at a position, and ends where something else may begin.
    fn is_followed(&self, at: usize) -> bool {
        let found = self.packet(at).filter(|(packet, _)| self.tags.contains(&packet.tag));
        found.is_some_and(|(_, length)| self.is_border(at + length))
    }
}

impl<'b, C> Iterator for Packets<'b, C>
where
    C: Fn(usize, &[u8]) -> u16,
{
    type Item = Result<Packet<'b>, Damage>;

    fn next(&mut self) -> Option<Self::Item> {
        let (at, end) = (self.at, self.bytes.len());
        if at >= end {
            return None;
        }
        let found = self.packet(at);
        if let Some((packet, length)) = found
            && self.tags.contains(&packet.tag)
        {
            self.at = at + length;
            return Some(Ok(packet));
        }
        // Behind a damaged payload, or a packet of another table, stands the next packet.
        let next = found.map(|(_, length)| at + length).filter(|&next| self.is_border(next));
        self.at = next.or_else(|| (at + 1..end).find(|&at| self.is_followed(at))).unwrap_or(end);
        Some(Err(Damage { at, length: self.at - at, tag: found.map(|(packet, _)| packet.tag) }))
    }
}
