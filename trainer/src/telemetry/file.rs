//! Files of packets: a header, then packets, each after the texts that its readings do not tell.
//!
//! | bytes | content |
//! | --- | --- |
//! | 4 | `SRPD` |
//! | 4 | length of the rest of the header in bytes, least significant byte first |
//! | 4 | CRC-32 of the rest |
//! | … | the header as JSON, compressed by deflate |
//!
//! Packets of texts and the last packet have the layout of a packet of rows and tags of their own, and so have rows that
//! need texts. The payload of texts begins with the low 16 bits of the CRC-32 of the payload of their rows, and the number of all
//! texts of these rows; then, for each text, three numbers in LEB128 (row, position of the reading, length in bytes) and the text.
//! The last packet holds the number of rows, in LEB128, and the CRC-32 of all packets before it, so that missing, doubled and
//! exchanged packets are found.

use std::io::{Read, Write};
use std::path::Path;

use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use serde::{Deserialize, Serialize};

use super::format::Format;
use crate::data::{Separator, checksum};
use crate::error::{Error, Result};

/// First bytes of a file of packets.
pub(super) const MAGIC: &[u8] = b"SRPD";
/// Largest number of bytes of a header, compressed and not.
const MOST_HEADER: u64 = 16 << 20;
/// What the tags of packets of texts, of rows that need texts, and of the last packet differ by from that of rows.
/// Eight bits or more apart, so that no damage of a few bits makes one of another.
const TEXTS: u16 = 0x3A5C;
const MARKED: u16 = 0xC59A;
const LAST: u16 = 0x56E9;
/// Largest number of bytes of a packet that is written.
pub(super) const MOST_BYTES: usize = 0x7FFF;
/// Number of bytes of the header and the check of a packet.
const FRAME: usize = 6;
/// Largest number of bytes of a text, with which all numbers before it fit a packet.
pub(super) const MOST_TEXT: usize = MOST_BYTES - FRAME - 16;
/// Largest number of bytes of the texts of a packet of rows: more than those of a block of lines that is read at a time.
const MOST_TEXTS: usize = 128 << 20;
/// Largest number of rows of a packet.
const MOST_ROWS: usize = 0xFFFF;

/// CRC-32 of packets, one after another.
pub(super) static PACKETS: crc::Crc<u32> = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC);

/// How a file of rows is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FileHeader {
    /// Tag of the table and the decimals.
    pub tag: u16,
    /// Name of the separator of cells.
    pub separator: String,
    /// Whether the first line names the columns.
    pub named: bool,
    /// Columns in the order of the file.
    pub columns: Vec<Format>,
}

/// A cell that its reading does not tell: (row in its packet, position of its reading in the row, text).
pub(super) type Text = (usize, usize, String);

/// The texts of a packet of rows, as far as they have been read.
#[derive(Debug, Default)]
pub(super) struct Texts {
    /// Identifies the rows.
    pub link: u16,
    /// Number of all texts of the rows.
    pub count: usize,
    /// The texts.
    pub texts: Vec<Text>,
    /// Number of bytes of the packets that held them.
    bytes: usize,
}

/// The kinds of packets in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// Rows that need no texts.
    Rows,
    /// Rows whose texts stand before them.
    Marked,
    /// Texts.
    Texts,
    /// The end of the file.
    Last,
}

impl Content {
    /// Returns the tags of all kinds of packets beside that of rows.
    pub fn tags(tag: u16) -> [u16; 4] {
        [tag, tag ^ MARKED, tag ^ TEXTS, tag ^ LAST]
    }

    /// Returns the kind of a packet with a tag, beside that of rows.
    pub fn of(found: u16, tag: u16) -> Self {
        match found ^ tag {
            0 => Self::Rows,
            MARKED => Self::Marked,
            TEXTS => Self::Texts,
            _ => Self::Last,
        }
    }
}

/// Returns the number by which texts find the payload of their rows.
pub(super) fn link_of(payload: &[u8]) -> u16 {
    checksum(payload) as u16
}

/// Turns a packet of rows into one whose rows need texts, and returns the number by which these find it.
pub(super) fn mark(packet: &mut [u8]) -> u16 {
    let header = if packet[0] & 0x80 == 0 { 2 } else { 4 };
    let (rest, check) = packet.split_at_mut(packet.len() - 2);
    check.iter_mut().zip(MARKED.to_be_bytes()).for_each(|(byte, by)| *byte ^= by);
    link_of(&rest[header..])
}

/// Returns the last packet of a file with so many rows, whose other packets have this CRC-32.
pub(super) fn last_packet(tag: u16, rows: usize, crc: u32) -> Vec<u8> {
    let mut payload = Vec::new();
    push_number(&mut payload, rows);
    payload.extend(crc.to_le_bytes());
    packet(&payload, 1, tag ^ LAST)
}

/// Returns (number of rows, CRC-32 of all packets before) from the payload of the last packet.
pub(super) fn last_of(mut payload: &[u8]) -> Option<(usize, u32)> {
    let rows = number(&mut payload)?;
    Some((rows, u32::from_le_bytes(payload.try_into().ok()?)))
}

impl FileHeader {
    /// Returns the bytes with which the file begins.
    pub fn bytes(&self) -> Vec<u8> {
        let json = serde_json::to_vec(self).expect("the header is plain data");
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
        let written = encoder.write_all(&json).and_then(|()| encoder.finish()).expect("memory is written to");
        [MAGIC, &(written.len() as u32).to_le_bytes(), &checksum(&written).to_le_bytes(), &written].concat()
    }

    /// Reads the header, for a row of so many readings, and adds the bytes that were read to `start`.
    ///
    /// # Errors
    /// [`Error::Input`] if it is damaged, cut short or contradicts the number of readings.
    pub fn read(path: &Path, mut reader: impl Read, readings: usize, start: &mut Vec<u8>) -> Result<Self> {
        let damaged = || {
            let message = "the header is damaged or cut short; copy the file again, or read its packets without it by --decimals \
                           with the list that `compress` printed";
            Error::input(path, message)
        };
        reader.by_ref().take(12).read_to_end(start).map_err(|_| damaged())?;
        let &[_, length, crc] = start.as_chunks().0 else { return Err(damaged()) };
        let (length, crc) = (u32::from_le_bytes(length), u32::from_le_bytes(crc));
        reader.take(MOST_HEADER.min(length.into())).read_to_end(start).map_err(|_| damaged())?;
        let bytes = &start[12..];
        if bytes.len() != length as usize || checksum(bytes) != crc {
            return Err(damaged());
        }
        let mut json = Vec::new();
        DeflateDecoder::new(bytes).take(MOST_HEADER).read_to_end(&mut json).map_err(|_| damaged())?;
        let header: Self = serde_json::from_slice(&json).map_err(|error| damaged().caused_by(error))?;
        let mut sources: Vec<usize> = header.columns.iter().map(|format| format.source.into()).collect();
        sources.sort_unstable();
        if !sources.into_iter().eq(0..readings) {
            let message = format!(
                "holds rows of {} readings, but those of the model have {readings}; pass the model with which it was compressed",
                header.columns.len()
            );
            return Err(Error::input(path, message));
        }
        Ok(header)
    }

    /// Returns the separator of cells, or a comma if its name is unknown.
    pub fn separator(&self) -> Separator {
        use crate::names::Named;
        Separator::NAMES.iter().find(|(name, _)| *name == self.separator).map_or(Separator::Comma, |(_, known)| *known)
    }

    /// Returns the number of decimals of each reading, by position in a row.
    pub fn decimals(&self) -> Vec<u8> {
        let mut decimals = vec![0; self.columns.len()];
        self.columns.iter().for_each(|format| decimals[usize::from(format.source)] = format.decimals);
        decimals
    }
}

/// Returns the packets of the texts of a packet of rows, each of at most `capacity` bytes.
///
/// # Errors
/// [`Error::Option`] if a text does not fit a packet.
pub(super) fn texts_packets(tag: u16, link: u16, texts: &[Text], capacity: usize) -> Result<Vec<u8>> {
    let most = MOST_BYTES.min(capacity).saturating_sub(FRAME);
    let mut start = link.to_le_bytes().to_vec();
    push_number(&mut start, texts.len());
    let (mut packets, mut payload, mut count) = (Vec::new(), start.clone(), 0);
    for (row, column, text) in texts {
        let mut entry = Vec::new();
        [*row, *column, text.len()].into_iter().for_each(|number| push_number(&mut entry, number));
        entry.extend(text.as_bytes());
        if start.len() + entry.len() > most {
            let message = format!("a text of {} bytes does not fit {capacity} bytes; allow more", text.len());
            return Err(Error::option("--bytes", message));
        }
        if payload.len() + entry.len() > most || count == u16::MAX {
            packets.extend(packet(
                &std::mem::replace(&mut payload, start.clone()),
                std::mem::take(&mut count),
                tag ^ TEXTS,
            ));
        }
        payload.extend(entry);
        count += 1;
    }
    packets.extend(packet(&payload, count, tag ^ TEXTS));
    Ok(packets)
}

/// Returns a packet with this payload, in the layout of packets of rows.
pub(super) fn packet(payload: &[u8], count: u16, tag: u16) -> Vec<u8> {
    let [high, low] = (payload.len() as u16).to_be_bytes();
    let [many, few] = count.to_be_bytes();
    let header = if payload.len() < 128 && many == 0 { vec![low, few] } else { vec![high | 0x80, low, many, few] };
    let bytes = [&header, payload].concat();
    let check = crc::Crc::<u16>::new(&crc::CRC_16_IBM_3740).checksum(&bytes) ^ tag;
    [&bytes[..], &check.to_be_bytes()].concat()
}

fn push_number(bytes: &mut Vec<u8>, mut number: usize) {
    while number > 0x7F {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// Takes a number from the start of `bytes`.
fn number(bytes: &mut &[u8]) -> Option<usize> {
    let mut number = 0;
    for shift in (0..=56).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= usize::from(byte & 0x7F) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

/// Adds the texts in the payload of a packet, for rows of so many readings, in place of those of other rows.
pub(super) fn add_texts(texts: &mut Texts, mut payload: &[u8], readings: usize) {
    let bytes = payload.len();
    let Some((&link, rest)) = payload.split_first_chunk() else { return };
    payload = rest;
    let (link, Some(count)) = (u16::from_le_bytes(link), number(&mut payload)) else { return };
    // All texts of earlier rows with the same readings may be there, if these rows were lost.
    if (link, count) != (texts.link, texts.count) || texts.texts.len() >= count {
        *texts = Texts { link, count, ..Texts::default() };
    }
    texts.bytes += bytes;
    if count > MOST_ROWS * readings || texts.bytes > MOST_TEXTS {
        texts.texts = Vec::new();
        return;
    }
    let mut next = || {
        let (row, column, length) = (number(&mut payload)?, number(&mut payload)?, number(&mut payload)?);
        let (text, rest) = payload.split_at_checked(length)?;
        payload = rest;
        Some((row, column, String::from_utf8_lossy(text).into_owned()))
    };
    // More than there are belong to no rows, and must not fill the memory.
    while texts.texts.len() <= count
        && let Some(text) = next()
    {
        texts.texts.push(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Packets that say that more texts follow than rows can have are not kept.
    #[test]
    fn texts_take_bounded_memory() {
        let payload = |count: usize| {
            let mut payload = vec![1, 2];
            push_number(&mut payload, count);
            (0..5).for_each(|_| payload.extend([0, 0, 1, b'x']));
            payload
        };
        for (count, kept) in [(5, 5), (4, 5), (2 * MOST_ROWS, 10), (2 * MOST_ROWS + 1, 0), (usize::MAX >> 8, 0)] {
            let mut texts = Texts::default();
            (0..2).for_each(|_| add_texts(&mut texts, &payload(count), 2));
            assert!(texts.texts.len() <= kept.max(6) && (kept > 0 || texts.texts.is_empty()), "{count}");
        }
        let (mut texts, long) = (Texts::default(), vec![b'x'; MOST_TEXT]);
        let mut payload = vec![1, 2];
        [2 * MOST_ROWS, 0, 0, long.len()].into_iter().for_each(|number| push_number(&mut payload, number));
        payload.extend(long);
        for _ in 0..5000 {
            add_texts(&mut texts, &payload, 2);
            assert!(texts.texts.len() * payload.len() <= MOST_TEXTS);
        }
        assert!(texts.texts.is_empty());
    }
}
