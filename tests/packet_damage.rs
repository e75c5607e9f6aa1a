//! Packets that are full, damaged, or of another table, and bytes that are no packets.

mod support {
    pub mod packets;
    pub mod random;
    pub mod naive;
}
#[allow(dead_code, reason = "the exported source")]
#[path = "golden/stream.rs"]
mod stream;
#[allow(dead_code, reason = "the exported source")]
#[path = "golden/views.rs"]
mod views;

use proptest::prelude::*;
use support::packets::{packed, shuttle, unpacked};
use support::random::{Dice, cases};
use surprisal::{PacketError, PacketWriter, Packets, RowCodec};

#[test]
fn a_row_that_does_not_fit_leaves_the_others_as_they_are() {
    let rows = shuttle();
    let mut codec = RowCodec::new(&views::TABLE, &[], &mut []).unwrap();
    for capacity in [0, 3, 4, 20, 51, 131, 132, 222] {
        let mut buffer = vec![0xAA; capacity];
        let mut writer = PacketWriter::new(&mut codec, &mut buffer);
        let fit = rows.iter().take_while(|row| writer.push(row) == Ok(())).count();
        assert_eq!(writer.push(&rows[0]), Err(PacketError::Full), "a full packet stays full");
        assert_eq!(usize::from(writer.rows()), fit);
        let packet = writer.finish().to_vec();
        assert!(packet.len() <= capacity);
        let (back, damages) = unpacked(&mut codec, &packet, 9);
        assert_eq!((back.concat(), damages), (rows[..fit].to_vec(), vec![]));
    }
    let mut buffer = [0; 51];
    let mut writer = PacketWriter::new(&mut codec, &mut buffer);
    let short = PacketError::Row(surprisal::EncodeError::RowLength { expected: 9 });
    assert_eq!(writer.push(&rows[0][1..]), Err(short));
    assert_eq!(writer.push(&rows[0]), Ok(()), "a row of the wrong length changes nothing");
}

#[test]
fn a_buffer_for_long_packets_holds_short_ones_in_short() {
    let rows = shuttle();
    let mut codec = RowCodec::new(&views::TABLE, &[], &mut []).unwrap();
    let [long, short] = [30_000, 131].map(|capacity| packed(&mut codec, &rows[..3], capacity));
    assert_eq!(long, short);
}

#[test]
fn damage_costs_the_packets_that_it_hits() {
    let rows = shuttle();
    let mut codec = RowCodec::new(&views::TABLE, &[], &mut []).unwrap();
    let packets = packed(&mut codec, &rows, 60);
    let (whole, _) = unpacked(&mut codec, &packets.concat(), 9);
    let mut dice = Dice(5);
    for hit in 0..packets.len() {
        let mut damaged = packets.clone();
        let at = dice.between(0, damaged[hit].len() as i64 - 1) as usize;
        damaged[hit][at] ^= 1 << dice.between(0, 7);
        let (left, damages) = unpacked(&mut codec, &damaged.concat(), 9);
        let expected = [&whole[..hit], &whole[hit + 1..]].concat();
        assert!(left == expected, "packet {hit}, byte {at}");
        assert_eq!(damages.len(), 1);
        assert_eq!(damages[0].length, packets[hit].len());
        // A lost byte, and one too many.
        damaged = packets.clone();
        damaged[hit].remove(at);
        let (left, damages) = unpacked(&mut codec, &damaged.concat(), 9);
        assert!(
            left == expected,
            "packet {hit} without byte {at}: {} of {} packets, {damages:?}",
            left.len(),
            expected.len()
        );
        damaged = packets.clone();
        damaged[hit].insert(at, dice.word() as u8);
        let found = unpacked(&mut codec, &damaged.concat(), 9).0;
        assert!(found == expected || found == whole, "a byte in front of a packet is no part of it");
    }
    // A packet that is cut short at the end.
    let bytes = packets.concat();
    let (left, damages) = unpacked(&mut codec, &bytes[..bytes.len() - 3], 9);
    assert_eq!((left.len(), damages.len(), damages[0].tag), (whole.len() - 1, 1, None));
}

#[test]
fn packets_of_another_table_are_told_apart() {
    let rows = shuttle();
    let decimals = [[1], [2]];
    let mut codecs = decimals.each_ref().map(|decimals| RowCodec::new(&views::TABLE, decimals, &mut []).unwrap());
    let [first, second] = codecs.each_ref().map(RowCodec::tag);
    assert_ne!(first, second);
    let bytes: Vec<u8> = codecs.iter_mut().flat_map(|codec| packed(codec, &rows[..9], 60).concat()).collect();
    let of_first = [first];
    let found: Vec<_> = Packets::new(&bytes, &of_first).collect();
    assert!(found[0].is_ok());
    assert_eq!(found.last().unwrap().as_ref().unwrap_err().tag, Some(second));
    assert!(Packets::new(&bytes, &[first, second]).all(|found| found.is_ok()));
}

/// Erased bytes between packets and behind them, as in a dump of flash, cost no packet, however many there are.
#[test]
fn erased_flash_is_no_packet() {
    let rows = shuttle();
    let mut codec = RowCodec::new(&views::TABLE, &[], &mut []).unwrap();
    let packets = packed(&mut codec, &rows[..30], 60);
    for (byte, gap) in [0xFF, 0].into_iter().flat_map(|byte| [1, 2, 3, 5, 4096, 1 << 20].map(|gap| (byte, gap))) {
        let gap = vec![byte; gap];
        let apart: Vec<u8> = packets.iter().flat_map(|packet| [packet, &gap[..]].concat()).collect();
        let (left, damages) = unpacked(&mut codec, &apart, 9);
        let (whole, _) = unpacked(&mut codec, &packets.concat(), 9);
        assert!(left == whole, "{} of {} packets with {} bytes of {byte}", left.len(), whole.len(), gap.len());
        assert_eq!(damages.len(), packets.len());
        assert!(damages.iter().all(|damage| damage.length == gap.len()));
    }
}

/// Other things in a dump of flash, such as a program, in front of erased flash: bytes whose check is right by chance, because it
/// stands among the erased bytes.
#[test]
fn foreign_bytes_in_front_of_erased_flash_are_no_packets() {
    let rows = shuttle();
    let mut codec = RowCodec::new(&views::TABLE, &[], &mut []).unwrap();
    let packets = packed(&mut codec, &rows[..60], 60).concat();
    let (whole, _) = unpacked(&mut codec, &packets, 9);
    let crc = crc::Crc::<u16>::new(&crc::CRC_16_IBM_3740);
    let mut dice = Dice(1);
    for erased in [0xFF, 0] {
        let found = std::iter::repeat_with(|| {
            // A header that announces a payload of 200 bytes, and the first 50 of them.
            let [many, few] = (dice.word() as u16 | 1).to_be_bytes();
            let mut foreign = vec![0x80, 200, many, few];
            foreign.extend((0..50).map(|_| dice.word() as u8));
            foreign
        });
        let is_chance = |foreign: &Vec<u8>| {
            let bytes = [&foreign[..], &[erased; 150]].concat();
            crc.checksum(&bytes) ^ codec.tag() == u16::from_be_bytes([erased; 2])
        };
        let foreign = found.take(1 << 21).find(is_chance).expect("one in 65536 has this check");
        let dump = [&packets, &foreign[..], &[erased; 5000], &packets].concat();
        let (left, _) = unpacked(&mut codec, &dump, 9);
        assert!(left == [&whole[..], &whole[..]].concat(), "{} packets in place of {}", left.len(), 2 * whole.len());
    }
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn any_bytes_are_read(seed: u64, length in 2usize..400) {
        let mut dice = Dice(seed);
        let mut bytes: Vec<u8> = (0..length).map(|_| dice.word() as u8).collect();
        let mut history = vec![0; RowCodec::history_length(&stream::TABLE)];
        let mut series = RowCodec::new(&stream::TABLE, &[2, 255, 9], &mut history).unwrap();
        let mut codec = RowCodec::new(&views::TABLE, &[], &mut []).unwrap();
        for tag in [series.tag(), codec.tag()] {
            // A packet with the right check around the random payload.
            let payload = (length - 1).min(0x7F);
            bytes[0] = payload as u8;
            bytes[1] |= 1;
            let crc = crc::Crc::<u16>::new(&crc::CRC_16_IBM_3740);
            let mut packet = bytes[..(payload + 2).min(length)].to_vec();
            packet.resize(payload + 2, 0);
            packet.extend((crc.checksum(&packet) ^ tag).to_be_bytes());
            let both = [&packet[..], &bytes].concat();
            let found = if tag == codec.tag() { unpacked(&mut codec, &both, 9).0 } else { unpacked(&mut series, &both, 8).0 };
            prop_assert!(!found.is_empty());
            prop_assert_eq!(found[0].len(), usize::from(packet[1]));
        }
    }
}
