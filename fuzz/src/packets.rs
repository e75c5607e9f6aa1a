//! Packets of rows: any bytes, and any payload with a correct check, for tables of every kind.

use std::sync::LazyLock;

use surprisal::{Packets, Reading};
use surprisal_trainer::row_table::{RowTable, open};
use surprisal_trainer::shape::Shape;

/// Tables of two views, of bits with trees, of real numbers and of a time series.
const TABLES: [&[u8]; 4] = [
    include_bytes!("../../tests/golden/views.srp"),
    include_bytes!("../../tests/golden/shuttle.srp"),
    include_bytes!("../../tests/golden/motor.srp"),
    include_bytes!("../../tests/golden/stream.srp"),
];

/// The tables at addresses that are multiples of four, and the number of readings of their rows.
static OPEN: LazyLock<Vec<(Box<dyn RowTable>, usize)>> = LazyLock::new(|| {
    let opened = TABLES.iter().map(|bytes| {
        let words: Vec<u32> = bytes.as_chunks::<4>().0.iter().map(|&word| u32::from_ne_bytes(word)).collect();
        let bytes: &'static [u8] = bytemuck::cast_slice(words.leak());
        let table = open(bytes, Shape::of(bytes).expect("the table is whole")).expect("the table is whole");
        let channels = table.predictor().width();
        let readings = if channels > 0 { channels } else { table.encoder().columns().count() };
        (table, readings)
    });
    opened.collect()
});

/// Reads the bytes as packets, and as the payload of one, for a table that the first byte chooses.
pub fn packets(input: &[u8]) {
    let Some((&[which, rows, ref decimals @ ..], content)) = input.split_first_chunk::<6>() else { return };
    let (table, readings) = &OPEN[usize::from(which) % OPEN.len()];
    let tag = table.tag(decimals).expect("golden tables code readings");
    let unpack = |bytes: &[u8]| {
        for packet in Packets::new(bytes, &[tag]).flatten().take(4) {
            let rows = table.unpack(decimals, &packet, *readings).expect("the number of readings is right");
            assert_eq!(rows.len(), usize::from(packet.row_count()));
            // What was read is packed and read again.
            same(&rows, &repacked(&**table, decimals, &rows, tag, *readings));
        }
    };
    unpack(content);
    // The payload as it is, with the header and the check of a packet.
    let payload = &content[..content.len().min(0x7F)];
    let mut packet = vec![payload.len() as u8, rows.max(1)];
    packet.extend(payload);
    let check = crc::Crc::<u16>::new(&crc::CRC_16_IBM_3740).checksum(&packet) ^ tag;
    packet.extend(check.to_be_bytes());
    unpack(&packet);
}

/// Packs rows and unpacks them.
fn repacked(
    table: &dyn RowTable,
    decimals: &[u8],
    rows: &[Vec<Reading>],
    tag: u16,
    readings: usize,
) -> Vec<Vec<Reading>> {
    let packets: Vec<u8> = table
        .pack(decimals, rows, 32767)
        .expect("rows fit a packet")
        .into_iter()
        .flat_map(|(_, packet)| packet)
        .collect();
    let tags = [tag];
    let unpacked = Packets::new(&packets, &tags)
        .map(|packet| table.unpack(decimals, &packet.expect("whole"), readings).expect("readings"));
    unpacked.flatten().collect()
}

/// Asserts that rows are equal bit for bit.
fn same(rows: &[Vec<Reading>], others: &[Vec<Reading>]) {
    let bits = |reading: &Reading| match *reading {
        Reading::Integer(value) => (0, value as u32),
        Reading::Real(value) => (1, value.to_bits()),
        Reading::Missing => (2, 0),
    };
    let of = |rows: &[Vec<Reading>]| rows.iter().flatten().map(bits).collect::<Vec<_>>();
    assert_eq!(of(rows), of(others));
}
