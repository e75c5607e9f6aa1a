//! Rows to packets and back, for the tests of packets.
#![allow(dead_code, reason = "each test takes what it needs")]

use surprisal::{Damage, PacketError, PacketTable, PacketWriter, Packets, Reading, RowCodec};

use super::random::Dice;

/// Readings are equal if they are so bit for bit; `==` would take no NaN for itself.
pub fn bits(row: &[Reading]) -> Vec<(u8, u32)> {
    let of = |reading: &Reading| match *reading {
        Reading::Integer(value) => (0, value as u32),
        Reading::Real(value) => (1, value.to_bits()),
        Reading::Missing => (2, 0),
    };
    row.iter().map(of).collect()
}

/// Packs rows into packets of at most `capacity` bytes, as a node does.
pub fn packed<T: PacketTable>(codec: &mut RowCodec<'_, T>, rows: &[Vec<Reading>], capacity: usize) -> Vec<Vec<u8>> {
    let (mut packets, mut at) = (Vec::new(), 0);
    while at < rows.len() {
        let mut buffer = vec![0; capacity];
        let mut writer = PacketWriter::new(codec, &mut buffer);
        let first = at;
        while let Some(row) = rows.get(at) {
            match writer.push(row) {
                Ok(()) => at += 1,
                Err(PacketError::Full) => break,
                Err(error) => panic!("{error}"),
            }
        }
        assert_eq!(usize::from(writer.rows()), at - first);
        assert!(at > first, "a row of {} readings fits no packet of {capacity} bytes", rows[at].len());
        packets.push(writer.finish().to_vec());
    }
    packets
}

/// The rows of all packets in `bytes`, each packet apart, and the damage.
pub fn unpacked<T: PacketTable>(
    codec: &mut RowCodec<'_, T>,
    bytes: &[u8],
    width: usize,
) -> (Vec<Vec<Vec<Reading>>>, Vec<Damage>) {
    let (mut packets, mut damages) = (Vec::new(), Vec::new());
    for found in Packets::new(bytes, &[codec.tag()]) {
        match found {
            Ok(packet) => {
                let (mut rows, mut row) = (Vec::new(), vec![Reading::Missing; width]);
                let mut from = packet.rows(codec);
                while from.next(&mut row).expect("the width is right") {
                    rows.push(row.clone());
                }
                assert_eq!(rows.len(), usize::from(packet.row_count()));
                packets.push(rows);
            }
            Err(damage) => damages.push(damage),
        }
    }
    (packets, damages)
}

pub fn assert_return<T: PacketTable>(codec: &mut RowCodec<'_, T>, rows: &[Vec<Reading>], capacity: usize) {
    let bytes = packed(codec, rows, capacity).concat();
    let (packets, damages) = unpacked(codec, &bytes, rows[0].len());
    assert_eq!(damages, []);
    let back: Vec<_> = packets.concat().iter().map(|row| bits(row)).collect();
    assert_eq!(back, rows.iter().map(|row| bits(row)).collect::<Vec<_>>());
}

/// Any reading at all, also one that no column of a kind can have.
pub fn wild(dice: &mut Dice) -> Reading {
    match dice.between(0, 5) {
        0 => Reading::Missing,
        1 => Reading::Integer(dice.word() as i32),
        2 => Reading::Integer(dice.between(-3, 3) as i32),
        3 => Reading::Real(f32::from_bits(dice.word() as u32)),
        4 => Reading::Real(dice.between(-999, 999) as f32 / 8.0),
        _ => Reading::Real(
            [0.0, -0.0, f32::NAN, f32::INFINITY, f32::MIN, f32::MIN_POSITIVE][dice.between(0, 5) as usize],
        ),
    }
}

/// Rows of the golden table of views, which are of Shuttle.
pub fn shuttle() -> Vec<Vec<Reading>> {
    let readings = include_bytes!("../golden/shuttle.readings");
    let rows = readings.as_chunks::<2>().0.iter().map(|&bytes| Reading::Integer(i16::from_le_bytes(bytes).into()));
    rows.collect::<Vec<_>>().chunks_exact(9).map(<[Reading]>::to_vec).collect()
}
