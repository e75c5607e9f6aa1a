//! The golden packets, for the host and the boards.

use surprisal::{PacketTable, PacketWriter, Packets, Reading, RowCodec};

use super::{COLUMNS, SHUTTLE, rows};

/// Golden row `at` as packets hold it: some rows lack a reading.
fn packed_row(at: usize) -> [Reading; COLUMNS.len()] {
    let (mut row, _) = rows(&SHUTTLE).nth(at).expect("there are more rows");
    if at % 50 == 7 {
        row[at % COLUMNS.len()] = Reading::Missing;
    }
    row
}

/// The golden packets hold the golden rows, and the rows make these packets.
pub fn rows_are_packets<T: PacketTable>(table: &T, packets: &[u8]) {
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
