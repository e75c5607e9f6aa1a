//! Finds the packets of a file of any length.

use std::io::Read;

use surprisal::Packets;

use super::checksums::Checksums;
use crate::error::{Error, Result};

/// Number of bytes of packets that are in memory at a time.
const WINDOW: usize = 1 << 20;

/// A packet, or bytes that are none.
pub(super) enum Found<'b> {
    Packet {
        packet: surprisal::Packet<'b>,
        bytes: &'b [u8],
        at: u64,
    },
    Damage {
        at: u64,
        length: u64,
        tag: Option<u16>,
    },
    /// Bytes of 255, or of 0.
    Erased {
        at: u64,
        length: u64,
    },
}

/// Reads packets with these tags to the end, a part at a time. The reader is at byte `start` of the file.
pub(super) fn read_packets(
    reader: &mut impl Read,
    start: u64,
    tags: &[u16],
    failed: impl Fn(std::io::Error) -> Error,
    found: &mut impl FnMut(Found) -> Result<()>,
) -> Result<()> {
    let (mut bytes, mut before, mut is_end) = (Vec::new(), start, false);
    while !is_end {
        let more = WINDOW.saturating_sub(bytes.len()) as u64;
        is_end = (reader.take(more).read_to_end(&mut bytes).map_err(&failed)? as u64) < more;
        // The last packets of a part may go on in the next one.
        let sure = if is_end { bytes.len() } else { bytes.len() - 2 * Packets::MOST_BYTES };
        let checksums = Checksums::new(&bytes);
        let mut packets = Packets::with_checksum(&bytes, tags, |at, part| checksums.of(at, part.len()));
        let mut read = 0;
        while read < sure
            && let Some(next) = packets.next()
        {
            match next {
                Ok(packet) => {
                    let bytes = &bytes[read..packets.position()];
                    found(Found::Packet { packet, bytes, at: before + read as u64 })?;
                }
                Err(damage) => {
                    // What looks like damage up to the end of a part may end behind it.
                    let length = if packets.position() == bytes.len() && !is_end { sure - read } else { damage.length };
                    let part = &bytes[read..read + length];
                    let (at, tag) = (before + read as u64, damage.tag);
                    let is_erased = [0, u8::MAX].iter().any(|erased| part.iter().all(|byte| byte == erased));
                    read += length;
                    let length = length as u64;
                    found(if is_erased { Found::Erased { at, length } } else { Found::Damage { at, length, tag } })?;
                    if length < damage.length as u64 {
                        break;
                    }
                    continue;
                }
            }
            read = packets.position();
        }
        bytes.drain(..read);
        before += read as u64;
    }
    Ok(())
}

/// Adds a damaged part of a file, which may continue the last one.
pub(super) fn add_damage(damages: &mut Vec<(u64, u64)>, at: u64, length: u64) {
    match damages.last_mut() {
        Some((first, before)) if *first + *before == at => *before += length,
        _ => damages.push((at, length)),
    }
}
