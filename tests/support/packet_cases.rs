//! The golden packets of outcomes and of readings, for the host and the boards.

use surprisal::{Compressor, Decompressor};

use super::{Any, BITS, Golden, rows};

/// Bits become the same packets on every machine, and come back.
pub fn packets_are<const H: usize, const K: usize>(table: Any<H, K>, _: &Any<H, K>, golden: &Golden) {
    // FNV-1a of all bytes.
    let (mut bytes, mut digest) = (0, 0x811C_9DC5_u32);
    for (readings, _) in rows(golden).step_by(8) {
        let (mut row, mut again) = ([false; BITS], [false; BITS]);
        table.encoder.encode(&readings, &mut row).expect("golden rows are of the training columns");
        let mut packet = [0; 64];
        let mut free = packet.iter_mut();
        let mut compressor = Compressor::new(|byte| *free.next().expect("no row takes 64 bytes") = byte);
        table.model.compress(&row, &mut compressor).expect("an encoded row is possible");
        compressor.finish();
        let length = 64 - free.len();
        let packet = &packet[..length];
        table.model.decompress(&mut again, &mut Decompressor::new(packet.iter().copied()));
        assert_eq!(again, row);
        bytes += length;
        digest = packet.iter().fold(digest, |digest, &byte| (digest ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    }
    assert_eq!((bytes, digest), golden.packets);
}

/// The Cortex-M0, which has no atomic swap, has no flash left for packets of readings.
#[cfg(all(target_arch = "arm", not(target_has_atomic = "ptr")))]
pub fn golden_ones() {}

#[cfg(any(not(target_arch = "arm"), target_has_atomic = "ptr"))]
pub use of_readings::golden_ones;

#[cfg(any(not(target_arch = "arm"), target_has_atomic = "ptr"))]
mod of_readings {
    use surprisal::{PacketTable, PacketWriter, Packets, Reading, RowCodec};

    use super::super::{COLUMNS, SHUTTLE, rows, shuttle, views};

    /// The golden packets of readings hold the golden rows, and the rows make these packets.
    pub fn golden_ones() {
        rows_are_packets(&views::TABLE, include_bytes!("../golden/views.packets"));
        rows_are_packets(&shuttle::TABLE, include_bytes!("../golden/shuttle.packets"));
    }

    /// Golden row `at` as packets hold it: some rows lack a reading.
    fn packed_row(at: usize) -> [Reading; COLUMNS.len()] {
        let (mut row, _) = rows(&SHUTTLE).nth(at).expect("there are more rows");
        if at % 50 == 7 {
            row[at % COLUMNS.len()] = Reading::Missing;
        }
        row
    }

    /// The golden packets hold the golden rows, and the rows make these packets.
    fn rows_are_packets<T: PacketTable>(table: &T, packets: &[u8]) {
        const ROWS: usize = 200;
        let mut codec = RowCodec::new(table, &[], &mut []).expect("the table codes readings");
        let (mut at, tags) = (0, [codec.tag()]);
        for packet in Packets::new(packets, &tags) {
            let (mut row, mut received) =
                ([Reading::Missing; COLUMNS.len()], packet.expect("the packets are whole").rows(&mut codec));
            while received.next(&mut row).expect("the length is right") {
                // Printing a reading would link the formatting of floats.
                assert!(row == packed_row(at));
                at += 1;
            }
        }
        assert_eq!(at, ROWS);
        let (mut left, mut at) = (packets, 0);
        while at < ROWS {
            let mut buffer = [0; 222];
            let mut writer = PacketWriter::new(&mut codec, &mut buffer);
            while at < ROWS && writer.push(&packed_row(at)) == Ok(()) {
                at += 1;
            }
            left = left.strip_prefix(writer.finish()).expect("the packet is another than the golden one");
        }
        assert!(left.is_empty());
    }
}
