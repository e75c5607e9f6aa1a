//! Packets: readings come back bit for bit, take what they surprise, and damage costs no more than what it hits.

mod support {
    pub mod budget;
    pub mod mixture;
    pub mod naive;
    pub mod outcomes;
    pub mod packets;
    pub mod random;
    pub mod tables;
    pub mod views;
}

use proptest::prelude::*;
use support::budget;
use support::mixture::RandomMixture;
use support::packets::{assert_return, bits, packed, shuttle, unpacked, wild};
use support::random::{Dice, Random, cases, encoder_slices};
use support::views::{Make, RandomView, kinds, reading, table};
use surprisal::{Detector, Encoder, EncoderSlices, Nats, Reading, RowCodec};

#[allow(dead_code, reason = "the exported source")]
#[path = "golden/stream.rs"]
mod stream;
#[allow(dead_code, reason = "the exported source")]
#[path = "golden/views.rs"]
mod views;

/// A reading of a kind, of which some are wild.
fn any(kind: i64, decimals: u8, dice: &mut Dice) -> Reading {
    match (kind, dice.one_in(20)) {
        (_, true) => wild(dice),
        (3, _) if decimals < 10 => Reading::from_decimal(dice.between(-90_000, 90_000) as i32, decimals),
        _ => reading(kind, dice),
    }
}

const DECIMALS: [u8; 7] = [0, 1, 2, 7, 8, 9, 255];

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

/// Decimals may be too fine for the range of a channel, and then few of its readings are numbers.
#[test]
fn time_series_of_any_decimals_come_back() {
    let table = &stream::TABLE;
    let width = table.predictor.width();
    let mut dice = Dice(11);
    for round in 0..200 {
        let decimals: Vec<u8> = (0..width).map(|_| dice.between(0, 10) as u8).collect();
        let rows: Vec<Vec<Reading>> = (0..20)
            .map(|_| {
                let reading = |decimals: &u8| match dice.between(0, 4) {
                    0 => wild(&mut dice),
                    1 => Reading::from_decimal(dice.word() as i32, *decimals),
                    2 => Reading::from_decimal([i32::MIN, i32::MAX, 0, -1][round % 4], *decimals),
                    3 => Reading::Integer(dice.word() as i32),
                    _ => Reading::Integer(dice.between(-50, 50) as i32),
                };
                decimals.iter().map(reading).collect()
            })
            .collect();
        let mut history = vec![0; RowCodec::history_length(table)];
        let mut codec = RowCodec::new(table, &decimals, &mut history).unwrap();
        assert_return(&mut codec, &rows, 4000);
    }
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

/// Rows like those of Shuttle, of which some readings are drawn anew.
fn random_rows(count: usize, seed: u64) {
    let golden = shuttle();
    let mut dice = Dice(seed);
    let mut codec = RowCodec::new(&views::TABLE, &[], &mut []).unwrap();
    for _ in 0..count / 1000 {
        let row = |dice: &mut Dice| {
            let mut row = golden[dice.between(0, golden.len() as i64 - 1) as usize].clone();
            for slot in &mut row {
                if !dice.one_in(4) {
                    continue;
                }
                *slot = match dice.between(0, 99) {
                    0 => wild(dice),
                    1 => Reading::Integer(dice.word() as i32),
                    _ => Reading::Integer(dice.between(-200, 200) as i32),
                };
            }
            row
        };
        let rows: Vec<Vec<Reading>> = (0..1000).map(|_| row(&mut dice)).collect();
        assert_return(&mut codec, &rows, 32_000);
    }
}

#[test]
fn random_rows_come_back() {
    random_rows(20_000, 1);
}

/// Minutes: `cargo test --release --test packets -- --ignored`.
#[test]
#[ignore = "takes minutes"]
fn ten_million_random_rows_come_back() {
    random_rows(10_000_000, 2);
}
