//! Packets: readings come back bit for bit, take what they surprise, and damage costs no more than what it hits.

mod support {
    pub mod budget;
    pub mod mixture;
    pub mod naive;
    pub mod outcomes;
    pub mod random;
    pub mod tables;
    pub mod views;
}

use proptest::prelude::*;
use support::budget;
use support::mixture::RandomMixture;
use support::random::{Dice, Random, cases, encoder_slices};
use support::views::{Make, RandomView, kinds, reading, table};
use surprisal::{
    Damage, Detector, Encoder, EncoderSlices, Nats, PacketError, PacketTable, PacketWriter, Packets, Reading, RowCodec,
};

#[allow(dead_code, reason = "the exported source")]
#[path = "golden/stream.rs"]
mod stream;
#[allow(dead_code, reason = "the exported source")]
#[path = "golden/views.rs"]
mod views;

/// Readings are equal if they are so bit for bit; `==` would take no NaN for itself.
fn bits(row: &[Reading]) -> Vec<(u8, u32)> {
    let of = |reading: &Reading| match *reading {
        Reading::Integer(value) => (0, value as u32),
        Reading::Real(value) => (1, value.to_bits()),
        Reading::Missing => (2, 0),
    };
    row.iter().map(of).collect()
}

/// Packs rows into packets of at most `capacity` bytes, as a node does.
fn packed<T: PacketTable>(codec: &mut RowCodec<'_, T>, rows: &[Vec<Reading>], capacity: usize) -> Vec<Vec<u8>> {
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
fn unpacked<T: PacketTable>(
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

fn assert_return<T: PacketTable>(codec: &mut RowCodec<'_, T>, rows: &[Vec<Reading>], capacity: usize) {
    let bytes = packed(codec, rows, capacity).concat();
    let (packets, damages) = unpacked(codec, &bytes, rows[0].len());
    assert_eq!(damages, []);
    let back: Vec<_> = packets.concat().iter().map(|row| bits(row)).collect();
    assert_eq!(back, rows.iter().map(|row| bits(row)).collect::<Vec<_>>());
}

/// Any reading at all, also one that no column of a kind can have.
fn wild(dice: &mut Dice) -> Reading {
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

/// A reading of a kind, of which some are wild.
fn any(kind: i64, decimals: u8, dice: &mut Dice) -> Reading {
    match (kind, dice.one_in(20)) {
        (_, true) => wild(dice),
        (3, _) if decimals < 10 => Reading::from_decimal(dice.between(-90_000, 90_000) as i32, decimals),
        _ => reading(kind, dice),
    }
}

const DECIMALS: [u8; 5] = [0, 1, 2, 7, 255];

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn readings_of_views_come_back(seed: u64, count in 1usize..5, rows in 1usize..40, capacity in 300usize..700) {
        let mut dice = Dice(seed);
        let kinds = kinds(count, false, &mut dice);
        let decimals: Vec<u8> = kinds.iter().map(|_| DECIMALS[dice.between(0, 4) as usize]).collect();
        let views = [Make::Readings, Make::Residuals].map(|make| RandomView::new(&kinds, make, &mut dice));
        let rows: Vec<Vec<Reading>> = (0..rows)
            .map(|_| kinds.iter().zip(&decimals).map(|(&kind, &decimals)| any(kind, decimals, &mut dice)).collect())
            .collect();
        let codes: Vec<u8> = kinds.iter().map(|&kind| [0, 4, 2, 3][kind as usize]).collect();
        let schema = surprisal::RowSchema { kinds: &codes, ..surprisal::RowSchema::NONE };
        let both = table(&views, Detector::OFF).with_schema(schema);
        assert_return(&mut RowCodec::new(&both, &decimals, &mut []).unwrap(), &rows, capacity);
        let one = [views[0].clone()];
        let one = table(&one, Detector::OFF);
        assert_return(&mut RowCodec::new(&one, &decimals, &mut []).unwrap(), &rows, capacity);
        // A view of residuals alone does not tell readings.
        let other = [views[1].clone()];
        let has_prototypes = kinds.iter().any(|&kind| kind >= 2);
        let table = table(&other, Detector::OFF);
        prop_assert_eq!(RowCodec::new(&table, &decimals, &mut []).is_err(), has_prototypes);
    }

    #[test]
    fn readings_of_bits_come_back(seed: u64, bits in 1usize..=support::tables::N, rows in 1usize..60) {
        let mut dice = Dice(seed);
        let columns = support::tables::columns(bits, &mut dice);
        let (words, values, log_widths) = encoder_slices(&columns);
        let encoder = Encoder::new(EncoderSlices { columns: &words, values: &values, log_widths: &log_widths });
        let random = Random::new(bits, false, false, &mut dice);
        let mixture = RandomMixture::new(bits, 2, false, &mut dice);
        let table = support::tables::whole(&random, &mixture, support::tables::ALL, encoder);
        let width = 1 + columns.iter().map(|column| usize::from(column.source)).max().unwrap_or(0);
        let of = |source: usize| columns.iter().find(|column| usize::from(column.source) == source);
        let decimals: Vec<u8> = (0..width).map(|_| DECIMALS[dice.between(0, 4) as usize]).collect();
        let kind = |source: usize| of(source).map(|column| match column.kind {
            surprisal::Kind::Flag { .. } => 0,
            surprisal::Kind::Category => 1,
            surprisal::Kind::Integer => 2,
            _ => 3,
        });
        let row = |dice: &mut Dice| -> Vec<Reading> {
            // A position without a column holds nothing.
            let one = |source| kind(source).map_or(Reading::Missing, |kind| any(kind, decimals[source], dice));
            (0..width).map(one).collect()
        };
        let rows: Vec<Vec<Reading>> = (0..rows).map(|_| row(&mut dice)).collect();
        assert_return(&mut RowCodec::new(&table, &decimals, &mut []).unwrap(), &rows, 600);
    }
}

#[test]
fn decimal_numbers_are_those_that_texts_are_read_as() {
    let mut dice = Dice(1);
    for _ in 0..200_000 {
        let decimals = dice.between(0, 9) as u8;
        let size = dice.between(0, 31);
        let steps = (dice.word() as i32) >> size;
        let text = format!("{}e-{decimals}", steps);
        let read: f32 = text.parse().unwrap();
        let Reading::Real(real) = Reading::from_decimal(steps, decimals) else { panic!() };
        assert_eq!(real.to_bits(), if steps == 0 { 0 } else { read.to_bits() }, "{text}");
        if let Some(back) = Reading::Real(real).to_decimal(decimals) {
            assert_eq!(Reading::from_decimal(back, decimals), Reading::Real(real), "{text}");
        }
        // Seven digits are always told apart.
        if steps.unsigned_abs() < 1 << 22 {
            assert_eq!(Reading::Real(real).to_decimal(decimals), Some(steps), "{text}");
        }
    }
    let reals = (0..200_000).map(|_| f32::from_bits(dice.word() as u32));
    for (real, decimals) in reals.zip((0..=9).cycle()) {
        if let Some(steps) = Reading::Real(real).to_decimal(decimals) {
            let Reading::Real(back) = Reading::from_decimal(steps, decimals) else { panic!() };
            assert_eq!(back.to_bits(), real.to_bits());
        }
    }
}

#[test]
fn time_series_come_back_and_packets_stand_alone() {
    let table = &stream::TABLE;
    let width = table.predictor.width();
    let mut dice = Dice(3);
    // The first channel has decimals.
    let decimals = [1];
    let rows: Vec<Vec<Reading>> = (0..400)
        .map(|at| {
            let mut row: Vec<Reading> =
                (0..width).map(|_| Reading::Integer(40 + (at % 7) + dice.between(-2, 2) as i32)).collect();
            row[0] = Reading::from_decimal(400 + 10 * (at % 7) + dice.between(-9, 9) as i32, 1);
            if dice.one_in(10) {
                row[dice.between(0, width as i64 - 1) as usize] = wild(&mut dice);
            }
            row
        })
        .collect();
    let mut history = vec![0; RowCodec::history_length(table)];
    let mut codec = RowCodec::new(table, &decimals, &mut history).unwrap();
    assert_return(&mut codec, &rows, 222);
    let packets = packed(&mut codec, &rows, 222);
    let (all, _) = unpacked(&mut codec, &packets.concat(), width);
    for (packet, rows) in packets.iter().zip(all).rev() {
        let (alone, damages) = unpacked(&mut codec, packet, width);
        assert_eq!((bits(&alone.concat().concat()), damages), (bits(&rows.concat()), vec![]));
    }
    assert!(RowCodec::new(table, &decimals, &mut []).is_err());
}

/// Rows of the golden table of views, which are of Shuttle.
fn shuttle() -> Vec<Vec<Reading>> {
    let readings = include_bytes!("golden/shuttle.readings");
    let rows = readings.as_chunks::<2>().0.iter().map(|&bytes| Reading::Integer(i16::from_le_bytes(bytes).into()));
    rows.collect::<Vec<_>>().chunks_exact(9).map(<[Reading]>::to_vec).collect()
}

/// The exact length of a row in nats: -ln of the mass of each cell times the number of integers in it, in the denser view.
fn length(second: &mut u16, readings: &[Reading]) -> f64 {
    let of_view = |view: &surprisal::View| -> f64 {
        let mut row = [0; views::CAPACITY];
        view.encode(readings, &mut row).unwrap();
        let regime = view.regime::<{ views::CAPACITY }>(readings);
        let (mut walk, mut nats) = (view.tables.walk(), 0.0);
        let mut residuals = view.prototypes.slices().columns.iter().enumerate().peekable();
        for (at, (column, _)) in view.encoder.columns().enumerate() {
            let outcome = usize::from(row[at]);
            nats -= (f64::from(walk.next(&row).unwrap().unwrap().mass(row[at])) / 65536.0).ln();
            let residual = residuals.next_if(|(_, of)| of[0] == i32::from(column.source));
            if column.source == surprisal::View::REGIME {
                continue;
            }
            let Reading::Integer(value) = readings[usize::from(column.source)] else { panic!() };
            let value = f64::from(value);
            // The steps of a unit and the value from which residuals count.
            let (steps, base) = residual.map_or((1.0, 0.0), |(at, &[_, scale, ..])| {
                (2f64.powi(8 - scale), view.prototypes.centre(at, regime.unwrap().index) as f64)
            });
            // The largest integer whose residual is at or below an edge: steps are rounded towards zero.
            let last = |edge: i32| {
                let edge = f64::from(edge) + base;
                if edge < 0.0 { (edge / steps).floor() } else { ((edge + 1.0) / steps).ceil() - 1.0 }
            };
            let edges = column.values;
            nats += if outcome == 0 || outcome == edges.len() {
                let scale = (f64::from(column.tail_scale) - steps.log2()).clamp(0.0, 31.0);
                let distance =
                    if outcome == 0 { last(edges[0]) - value } else { value - last(edges[edges.len() - 1]) - 1.0 };
                let octaves = (1.0 + distance / scale.exp2()).log2().floor();
                (2.0 * octaves + 1.0 + scale) * 2f64.ln()
            } else {
                let (low, high) = (last(edges[outcome - 1]), last(edges[outcome]));
                if edges.len() <= 17 && column.log_widths[0] == 0 && high - low > 1.0 {
                    let other = 64.0 / 65536.0;
                    if value == high { -f64::ln_1p(-other) } else { (high - low - 1.0).ln() - f64::ln(other) }
                } else {
                    (high - low).ln()
                }
            };
        }
        nats
    };
    let [first_view, second_view] = views::TABLE.views.each_ref().map(of_view);
    let nats =
        views::TABLE.views.each_ref().map(|view| view.explain::<{ views::CAPACITY }>(readings, &mut []).unwrap());
    let of_views = [65536 - u32::from(*second), u32::from(*second)].map(Nats::of_mass);
    let is_second = nats[1] + of_views[1] < nats[0] + of_views[0];
    let limit = if is_second { 65_000 } else { 535 };
    *second = (i32::from(*second) + ((limit - i32::from(*second)) >> 4)) as u16;
    let of_view = of_views[usize::from(is_second)];
    (if is_second { second_view } else { first_view }) + f64::from(of_view)
}

#[test]
fn rows_take_the_surprisal_of_their_readings() {
    let rows = shuttle();
    let mut codec = RowCodec::new(&views::TABLE, &[], &mut []).unwrap();
    let bytes: Vec<usize> = packed(&mut codec, &rows, 30_000).iter().map(Vec::len).collect();
    assert_eq!(bytes.len(), 1);
    let mut second = 1 << 15;
    let nats: f64 = rows.iter().map(|row| length(&mut second, row)).sum();
    let expected = nats / 256f64.ln();
    let found = (bytes[0] - 6) as f64;
    // Each row has at most 30 symbols.
    let most = 30.0 * budget::BYTES_OF_A_BIT * rows.len() as f64;
    assert!((expected - 1.0..expected + 2.0 + most).contains(&found), "{found} bytes, expected {expected}");
    assert!(found < 1.0005 * expected + 2.0, "{found} bytes, expected {expected}");
}

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

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn any_bytes_are_read(seed: u64, length in 1usize..400) {
        let mut dice = Dice(seed);
        let mut bytes: Vec<u8> = (0..length).map(|_| dice.word() as u8).collect();
        let mut history = vec![0; RowCodec::history_length(&stream::TABLE)];
        let mut series = RowCodec::new(&stream::TABLE, &[2, 255, 9], &mut history).unwrap();
        let mut codec = RowCodec::new(&views::TABLE, &[], &mut []).unwrap();
        for tag in [series.tag(), codec.tag()] {
            // A packet with the right check around the random payload.
            let payload = (length - 1).min(0x7F);
            bytes[0] = payload as u8;
            if bytes.len() > 1 { bytes[1] |= 1; }
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
