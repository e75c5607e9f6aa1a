//! Tables as bytes: what was written is read back, and nothing else is ever taken for a table.

mod support {
    pub mod mixture;
    pub mod naive;
    pub mod random;
    pub mod tables;
}

use std::collections::BTreeSet;

use proptest::prelude::*;
use support::mixture::RandomMixture;
use support::naive;
use support::random::{Dice, Random, cases, encoder_slices, tables};
use support::tables::{
    ALL, Aligned, CHECKED, COUNTS, Has, K, N, SECTIONS, Whole, columns, random_bytes, seal, whole, written,
};
use surprisal::{
    AnomalyScore, Column, Constraint, Detector, EncodeError, Encoder, EncoderSlices, Kind, Linear, LinearSlices,
    LinearWeights, Model, Nats, Reading, Table, TableError, Terms,
};

fn reading(dice: &mut Dice) -> Reading {
    match dice.between(0, 3) {
        0 => Reading::Missing,
        1 => Reading::Real(f32::from_bits(dice.word() as u32)),
        _ => Reading::Integer(dice.between(-5, 8) as i32),
    }
}

fn readings(dice: &mut Dice) -> [Reading; N] {
    std::array::from_fn(|_| reading(dice))
}

/// The largest shares are those of the whole list.
fn explains_by_column(table: &Whole, readings: &[Reading], each: &[Nats]) {
    let sources = table.encoder.columns().map(|(column, _)| column.source).collect::<BTreeSet<_>>();
    if sources.len() != table.encoder.columns().count() {
        return;
    }
    let score = table.score(readings).expect("it was scored");
    let first = sources.iter().copied().max_by_key(|&at| (each[usize::from(at)], std::cmp::Reverse(at)));
    assert_eq!(score.column, first.unwrap_or(0));
    assert_eq!(score.largest, first.map_or(Nats::ZERO, |at| each[usize::from(at)]));
    let mut anomaly = AnomalyScore::new(&table.detector);
    for (column, _) in table.encoder.columns() {
        anomaly.push(&table.detector, column.source, each[usize::from(column.source)]);
    }
    let without = table.encoder.columns().next().is_none();
    assert_eq!(score.anomaly, if without { score.nats } else { anomaly.nats(&table.detector) });
    let mut shares: Vec<(u16, Nats, Nats)> =
        sources.iter().map(|&column| (column, each[usize::from(column)], table.detector.baseline(column))).collect();
    let excess = |nats: Nats, baseline: Nats| i64::from(nats.raw()) - i64::from(baseline.raw());
    shares.sort_by_key(|&(column, nats, baseline)| (std::cmp::Reverse(excess(nats, baseline)), column));
    let top = table.top::<2>(readings).expect("it was scored");
    let top: Vec<_> = top.iter().map(|share| (share.column, share.nats, share.baseline)).collect();
    assert_eq!(top, shares[..shares.len().min(2)]);
}

/// Holds whatever passes for a table to the laws: it adds up to one, and every verb returns.
fn obeys_the_laws(table: &Whole, dice: &mut Dice) {
    let bits = table.model.bits();
    let sum: u128 = naive::rows(bits).map(|row| naive::coins(&table.model, &row)).sum();
    // Given each value of the observed bits, the probabilities add up to one.
    let observed = table.model.constraints().iter().filter(|&&word| word == Constraint::OBSERVED.raw()).count();
    assert_eq!(sum, 1 << (16 * bits + observed), "the probabilities add up to one");
    for _ in 0..8 {
        let sample = table.model.sample(|| dice.coin());
        assert!(table.model.surprisal(&sample) < Nats::IMPOSSIBLE);
        let (readings, mut each) = (readings(dice), [Nats::ZERO; 4096]);
        let (surprisal, score) = (table.surprisal(&readings), table.score(&readings));
        // Of a row without any reading nothing is known.
        if score.is_ok_and(|score| score.nats == Nats::IMPOSSIBLE && score.missing > 0) {
            continue;
        }
        assert_eq!(table.explain(&readings, &mut each), score.map(|score| score.nats));
        match (surprisal, score) {
            (Ok(nats), _) => assert_eq!(score.map(|score| (score.nats, score.missing)), Ok((nats, 0))),
            (Err(EncodeError::UnexpectedMissing { .. }), Ok(score)) => assert!(score.missing > 0),
            (Err(EncodeError::UnexpectedMissing { .. }), Err(error)) => {
                assert!(!matches!(error, EncodeError::UnexpectedMissing { .. }));
            }
            (error, _) => assert_eq!(score.map(|score| score.nats), error),
        }
        if surprisal.is_ok() {
            explains_by_column(table, &readings, &each);
        }
        assert_eq!(
            table.judge(&readings).map(|verdict| verdict.is_anomalous()),
            table.score(&readings).map(|score| score.anomaly > table.detector.threshold)
        );
    }
    let _ = written(table);
}

proptest! {
    #![proptest_config(cases(60))]

    #[test]
    #[cfg_attr(target_endian = "big", ignore = "a big-endian machine refuses all files")]
    fn a_written_table_is_read_back(random in tables(1usize..=N), has: Has, seed: u64) {
        let mut dice = Dice(seed);
        let columns = columns(random.bits, &mut dice);
        let (words, values, widths) = encoder_slices(&columns);
        let mixture = RandomMixture::new(random.bits, dice.between(1, K as i64) as usize, false, &mut dice);
        let mut table = whole(&random, &mixture, has, Encoder::new(EncoderSlices { columns: &words, values: &values, log_widths: &widths }));
        let rows = dice.word() as u32 >> dice.between(0, 31);
        let mut quantiles: Vec<u32> = Detector::levels(rows).map(|_| dice.word() as u32).collect();
        quantiles.sort_unstable();
        let baselines: Vec<u16> = columns.iter().filter(|_| has[0]).map(|_| dice.word() as u16).collect();
        let nats: [Nats; 7] = std::array::from_fn(|_| Nats::from_raw(dice.word() as u32));
        let [threshold, entropy, deviation, score_cap, cusum_cap, reference, decision_interval] = nats;
        let (false_alarm_ppm, average_run_length) = (dice.word() as u32, dice.word() as u32);
        table.detector = Detector {
            threshold, false_alarm_ppm, rows, entropy, deviation, score_cap, cusum_cap, reference, decision_interval, average_run_length,
            log2_temperature: dice.between(0, 8) as u32, quantiles: &quantiles, baselines: &baselines,
        };
        let bytes = written(&table);
        let aligned = Aligned::new(&bytes);
        let read = aligned.read().expect("what was written is a table");
        prop_assert_eq!(written(&read), bytes);
        prop_assert_eq!(read.detector, table.detector);
        for row in naive::rows(random.bits) {
            prop_assert_eq!(read.model.surprisal(&row), table.model.surprisal(&row));
        }
        for _ in 0..16 {
            let readings = readings(&mut dice);
            prop_assert_eq!(read.score(&readings), table.score(&readings));
        }
    }

    #[test]
    fn a_valid_checksum_over_any_content_gives_an_error_or_a_model(random in tables(1usize..=N), has: Has, seed: u64) {
        let mut dice = Dice(seed);
        let whole = random_bytes(&random, has, &mut dice);
        for _ in 0..40 {
            let mut bytes = whole.clone();
            let last = bytes.len() as i64 - 1;
            match dice.between(0, 3) {
                // A few bytes anywhere, lengths of sections among them.
                0 => (0..dice.between(1, 4)).for_each(|_| bytes[dice.between(CHECKED as i64, last) as usize] = dice.word() as u8),
                // A small change of one section's length.
                1 => {
                    let count = COUNTS.start + 4 * dice.between(0, SECTIONS as i64 - 1) as usize;
                    bytes[count] = bytes[count].wrapping_add(dice.between(-3, 3) as u8);
                }
                // A few bits in the sections.
                2 => (0..dice.between(1, 6)).for_each(|_| {
                    bytes[dice.between(COUNTS.end as i64, last) as usize] ^= 1 << dice.between(0, 7);
                }),
                // All of the sections' content.
                _ => bytes[COUNTS.end..].fill_with(|| dice.between(0, 3) as u8 * dice.between(0, 1) as u8),
            }
            seal(&mut bytes);
            if let Ok(table) = Aligned::new(&bytes).read() {
                obeys_the_laws(&table, &mut dice);
            }
        }
    }

    #[test]
    fn garbage_is_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(Aligned::new(&bytes).read().is_err());
        let mut headed = bytes;
        headed.resize(headed.len().max(COUNTS.end), 0);
        headed[..8].copy_from_slice(b"SRPL\x03\0\0\0");
        let length = headed.len() as u32;
        headed[8..12].copy_from_slice(&length.to_le_bytes());
        seal(&mut headed);
        if let Ok(table) = Aligned::new(&headed).read() {
            obeys_the_laws(&table, &mut Dice(0));
        }
    }
}

#[test]
#[cfg_attr(target_endian = "big", ignore = "a big-endian machine refuses all files")]
fn every_damaged_byte_is_noticed() {
    for sparse in [false, true] {
        let mut dice = Dice(7);
        let whole = random_bytes(&Random::new(4, sparse, true, &mut dice), ALL, &mut dice);
        assert!(Aligned::new(&whole).read().is_ok());
        for at in 0..whole.len() {
            for flip in 1..=255 {
                let mut bytes = whole.clone();
                bytes[at] ^= flip;
                assert!(Aligned::new(&bytes).read().is_err(), "byte {at} ^ {flip:#x}");
            }
        }
    }
}

#[test]
#[cfg_attr(target_endian = "big", ignore = "a big-endian machine refuses all files")]
fn every_truncation_is_noticed_and_trailing_bytes_are_ignored() {
    let mut dice = Dice(8);
    let whole = random_bytes(&Random::new(5, true, true, &mut dice), ALL, &mut dice);
    for length in 0..whole.len() {
        assert!(Aligned::new(&whole[..length]).read().is_err(), "{length} bytes of {}", whole.len());
    }
    let mut longer = whole.clone();
    longer.extend(*b"notes for the host");
    assert_eq!(written(&Aligned::new(&longer).read().unwrap()), whole);
}

/// The nats of an observed column, however improbable, are not part of any score.
#[test]
#[cfg_attr(target_endian = "big", ignore = "a big-endian machine refuses all files")]
fn a_column_is_observed_as_a_whole() {
    let column = |source, kind, values: &'static [i32], log_widths: &'static [u16]| Column {
        source,
        kind,
        may_miss: false,
        values,
        pivot: 1,
        tail_scale: 0,
        log_widths,
    };
    let (values, widths) = ([10, 20], [900, 0, 900]);
    let flag = column(0, Kind::Flag { flipped: false }, &[], &[]);
    let columns = [flag, column(1, Kind::Integer, &[10, 20], &[900, 0, 900]), Column { source: 2, ..flag }];
    let words: Vec<u16> = columns.iter().flat_map(Column::words).collect();
    let [observed, free] = [Constraint::OBSERVED, Constraint::FREE].map(Constraint::raw);
    let read = |constraints: [u16; 4]| {
        let rows = Linear::new(LinearSlices {
            biases: &[100, 200, 300, 400],
            scales: &[],
            weights: LinearWeights::Dense(&[]),
        });
        let terms = Terms { linear: rows.expect("independent bits"), ..Terms::EMPTY };
        let model = Model::new(terms, &constraints, 4).expect("nothing looks ahead");
        let table = Table::<4>::new(
            Encoder::new(EncoderSlices { columns: &words, values: &values, log_widths: &widths }),
            model,
            Detector::OFF,
        );
        let bytes = Aligned::new(&written(&table));
        Table::<4>::from_bytes(bytes.bytes(), surprisal::Fingerprint::ANY).map(|table| {
            [[7, 15, 1], [0, 999, 1], [1, -999, 7]].map(|row| {
                let row = row.map(Reading::Integer);
                let score = table.surprisal(&row).expect("a reading a column");
                assert_eq!(table.score(&row).expect("one reading per column").nats, score);
                assert_eq!(table.explain(&row, &mut [Nats::ZERO; 3]), Ok(score));
                score
            })
        })
    };
    let one = surprisal::Logit::from_raw(400 << 6).surprisal(true);
    let scores = read([observed, observed, observed, free]).expect("whole columns are given");
    assert_eq!(scores[..2], [one, one]);
    assert!(scores[2] > one + Nats::RAREST);
    for constraints in [[free, observed, free, free], [free, free, observed, free]] {
        assert_eq!(read(constraints), Err(TableError::Inconsistent("constraints")));
    }
}
