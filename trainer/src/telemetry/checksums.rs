//! Checksums of any part of the bytes of a file in constant time, for a search that takes every byte for the start of a packet.
//!
//! A CRC is the remainder of a polynomial, so that those of two prefixes give that of the part between them, as in
//! `crc32_combine` of zlib.

use std::sync::LazyLock;

use crc::{CRC_16_IBM_3740, CRC_16_XMODEM, Crc};
use surprisal::Packets;

/// The CRC of packets without its initial value, which is the remainder itself.
static REMAINDER: Crc<u16> = Crc::<u16>::new(&CRC_16_XMODEM);

/// The remainders of x^(8n) for each number n of bytes that a checksum covers.
static POWERS: LazyLock<Vec<u16>> = LazyLock::new(|| {
    let next = |power: &u16| Some(product(*power, 1 << 8));
    std::iter::successors(Some(1), next).take(Packets::MOST_BYTES).collect()
});

/// Returns the product of two polynomials, reduced by that of the CRC.
fn product(a: u16, b: u16) -> u16 {
    (0..16).rev().fold(0, |sum: u16, bit| {
        let reduced = if sum >> 15 == 1 { CRC_16_XMODEM.poly } else { 0 };
        sum << 1 ^ reduced ^ if b >> bit & 1 == 1 { a } else { 0 }
    })
}

/// The checksums of all parts of some bytes that are at most as long as a packet.
pub(super) struct Checksums {
    /// The remainder of each prefix, beginning with the empty one.
    prefixes: Vec<u16>,
}

impl Checksums {
    pub fn new(bytes: &[u8]) -> Self {
        let mut digest = REMAINDER.digest();
        let mut next = |byte: &u8| {
            digest.update(&[*byte]);
            digest.clone().finalize()
        };
        Self { prefixes: [0].into_iter().chain(bytes.iter().map(&mut next)).collect() }
    }

    /// Returns the checksum of `length` bytes from a position on.
    pub fn of(&self, at: usize, length: usize) -> u16 {
        self.prefixes[at + length] ^ product(self.prefixes[at] ^ CRC_16_IBM_3740.init, POWERS[length])
    }
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::telemetry::file::packet;

    #[test]
    fn parts_have_the_checksums_of_their_bytes() {
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let bytes: Vec<u8> = (0..70_000).map(|_| random.random()).collect();
        let (checksums, direct) = (Checksums::new(&bytes), Crc::<u16>::new(&CRC_16_IBM_3740));
        let longest = Packets::MOST_BYTES - 1;
        for length in [0, 1, 2, 129, 0x7FFF, longest].into_iter().chain((0..200).map(|at| at * 163)) {
            let at = random.random_range(0..=bytes.len() - length);
            assert_eq!(checksums.of(at, length), direct.checksum(&bytes[at..at + length]), "{length} bytes from {at}");
        }
    }

    /// Packets, with bytes that are changed, lost, new, erased or of another table between and in them.
    fn damaged(random: &mut ChaCha8Rng, tags: &[u16]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for _ in 0..random.random_range(1..30) {
            let payload: Vec<u8> = (0..random.random_range(0..250)).map(|_| random.random()).collect();
            let tag = tags[random.random_range(0..tags.len())];
            bytes.extend(packet(&payload, random.random_range(1..400), tag));
            if random.random_range(0..3) == 0 {
                let fill = [Some(0), Some(0xFF), None][random.random_range(0..3)];
                bytes.extend((0..random.random_range(0..300)).map(|_| fill.unwrap_or_else(|| random.random::<u8>())));
            }
        }
        for _ in 0..random.random_range(0..6) {
            let at = random.random_range(0..bytes.len());
            match random.random_range(0..3) {
                0 => bytes[at] ^= 1 << random.random_range(0..8),
                1 => drop(bytes.remove(at)),
                _ => bytes.insert(at, random.random()),
            }
        }
        bytes
    }

    /// The search of the device, which computes each checksum from its bytes, finds the same packets and damage.
    #[test]
    fn the_search_finds_what_the_device_finds() {
        let mut random = ChaCha8Rng::seed_from_u64(2);
        let (mut packets, mut damages) = (0, 0);
        for round in 0..400 {
            // The last is the tag of another table.
            let tags: [u16; 3] = random.random();
            let bytes = damaged(&mut random, &tags);
            let checksums = Checksums::new(&bytes);
            let of = |found: Result<surprisal::Packet, surprisal::Damage>| {
                found.map(|packet| (packet.tag(), packet.row_count(), packet.payload().to_vec()))
            };
            let device: Vec<_> = Packets::new(&bytes, &tags[..2]).map(of).collect();
            let host = Packets::with_checksum(&bytes, &tags[..2], |at, part| checksums.of(at, part.len()));
            assert_eq!(host.map(of).collect::<Vec<_>>(), device, "round {round}");
            packets += device.iter().filter(|found| found.is_ok()).count();
            damages += device.iter().filter(|found| found.is_err()).count();
        }
        assert!(packets > 1000 && damages > 1000, "{packets} packets and {damages} parts that are damaged");
    }
}
