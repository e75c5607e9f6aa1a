//! Tables as bytes: what was written is read back, and nothing else is ever taken for a table.

mod support {
    pub mod mixture;
    pub mod naive;
    pub mod random;
}

use std::collections::BTreeSet;

use proptest::prelude::*;
use support::mixture::RandomMixture;
use support::naive;
use support::random::{Dice, Random, UNITS, cases, encoder_slices, tables};
use surprisal::{
    AnomalyScore, Column, Constraint, Detector, Encoder, EncoderSlices, Forest, Kind, Linear, LinearSlices,
    LinearWeights, Mixture, Model, Nade, Nats, Reading, Table, TableError, Terms, total_order,
};

/// Room for the widest random table; 7 masses multiply within 128 bits.
const N: usize = 7;
/// Room for the components of a random mixture.
const K: usize = 3;

type Whole<'t> = Table<'t, N, UNITS, K>;

/// The checksum, at bytes 12..16, covers what follows it.
const CHECKED: usize = 16;
/// The section lengths follow the five words of the head.
const COUNTS: std::ops::Range<usize> = 20..20 + 4 * SECTIONS;
const SECTIONS: usize = 25;

/// Bytes at an address that is a multiple of four.
struct Aligned {
    words: Vec<u32>,
    length: usize,
}

impl Aligned {
    fn new(bytes: &[u8]) -> Self {
        let word = |chunk: &[u8]| u32::from_ne_bytes(std::array::from_fn(|i| *chunk.get(i).unwrap_or(&0)));
        Self { words: bytes.chunks(4).map(word).collect(), length: bytes.len() }
    }

    fn bytes(&self) -> &[u8] {
        &bytemuck::cast_slice(&self.words)[..self.length]
    }

    fn read(&self) -> Result<Whole<'_>, TableError> {
        Table::from_bytes(self.bytes())
    }
}

/// Which of the parts a table has.
type Has = [bool; 4];
const ALL: Has = [true; 4];

/// A table of some of the four parts; biases are always there.
fn whole<'t>(random: &'t Random, mixture: &'t RandomMixture, has: Has, encoder: Encoder<'t>) -> Whole<'t> {
    let marginals =
        Linear::new(LinearSlices { biases: &random.biases, scales: &[], weights: LinearWeights::Dense(&[]) })
            .expect("biases need nothing else");
    let linear = if has[0] { random.linear() } else { marginals };
    let trees = if has[1] { random.forest() } else { Forest::EMPTY };
    let hidden = if has[2] { random.nade() } else { Nade::EMPTY };
    let mixture = if has[3] { mixture.term() } else { Mixture::EMPTY };
    let model = Model::new(Terms { linear, trees, hidden, mixture }, &random.constraints, random.bits);
    let detector = Detector { threshold: Nats::from_raw(7 << 16), false_alarm_ppm: 10_000, rows: 99, ..Detector::OFF };
    Table::new(encoder, model.expect("the constraints are valid"), detector)
}

fn written<const N: usize, const H: usize, const K: usize>(table: &Table<N, H, K>) -> Vec<u8> {
    let mut bytes = Vec::new();
    table.write(|piece| bytes.extend_from_slice(piece));
    bytes
}

/// One column of each kind, as many as the bits allow; some may miss.
fn columns(bits: usize, dice: &mut Dice) -> Vec<Column<'static>> {
    const REALS: &[i32] = &[total_order(-1.5), total_order(0.0), total_order(2.5)];
    let mut columns = Vec::new();
    let mut left = bits;
    while left > 0 {
        let (kind, values, widths): (_, &[i32], &[u16]) = match dice.between(0, 4) {
            0 => (Kind::Flag { flipped: dice.one_in(2) }, &[], &[]),
            1 => (Kind::Integer, &[-3, 4], &[900, 0, 2048]),
            2 => (Kind::Real, REALS, &[7, 0, 500, 7]),
            3 => (Kind::Category, &[2, 0, 7], &[]),
            _ => (Kind::Integer, &[100], &[5, 0]),
        };
        let pivot = if widths.is_empty() { 0 } else { dice.between(0, values.len() as i64) as u16 };
        let reach = if widths.is_empty() { 0 } else { dice.between(-128, 127) as i8 };
        let column = Column {
            source: columns.len() as u16,
            kind,
            may_miss: dice.one_in(3),
            values,
            pivot,
            tail_scale: reach,
            log_widths: widths,
        };
        if column.bits() <= left {
            left -= column.bits();
            columns.push(column);
        }
    }
    columns
}

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

/// The bytes of a random table with a random encoder.
fn random_bytes(random: &Random, has: Has, dice: &mut Dice) -> Vec<u8> {
    let (words, values, widths) = encoder_slices(&columns(random.bits, dice));
    let encoder = if dice.one_in(4) {
        Encoder::EMPTY
    } else {
        Encoder::new(EncoderSlices { columns: &words, values: &values, log_widths: &widths })
    };
    let mixture = RandomMixture::new(random.bits, K, false, dice);
    written(&whole(random, &mixture, has, encoder))
}

/// Sets the checksum that belongs to the bytes.
fn seal(bytes: &mut [u8]) {
    let length = (u32::from_le_bytes(bytes[8..12].try_into().unwrap()) as usize).min(bytes.len());
    let checksum = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC).checksum(&bytes[CHECKED..length.max(CHECKED)]);
    bytes[12..16].copy_from_slice(&checksum.to_le_bytes());
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
    assert_eq!(sum, 1 << (16 * bits), "the probabilities add up to one");
    for _ in 0..8 {
        let sample = table.model.sample(|| dice.coin());
        assert!(table.model.surprisal(&sample) < Nats::IMPOSSIBLE);
        let (readings, mut each) = (readings(dice), [Nats::ZERO; 4096]);
        let score = table.surprisal(&readings);
        assert_eq!(table.explain(&readings, &mut each), score);
        assert_eq!(table.score(&readings).map(|score| score.nats), score);
        if score.is_ok() {
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

#[test]
fn each_fault_has_its_own_name() {
    let mut dice = Dice(9);
    let whole = random_bytes(&Random::new(5, false, false, &mut dice), ALL, &mut dice);
    let error = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = whole.clone();
        change(&mut bytes);
        Aligned::new(&bytes).read().expect_err("it is damaged")
    };
    assert_eq!(error(&|bytes| bytes[0] = b'X'), TableError::NotATable);
    assert_eq!(
        error(&|bytes| bytes[4] = 1),
        TableError::UnsupportedVersion { found: 1, supported: surprisal::VERSION }
    );
    assert_eq!(error(&|bytes| bytes.truncate(100)), TableError::Truncated);
    assert_eq!(error(&|bytes| bytes[40] ^= 1), TableError::Corrupt);
    let aligned = Aligned::new(&[&[0], &whole[..]].concat());
    assert_eq!(Whole::from_bytes(&aligned.bytes()[1..]).err(), Some(TableError::Misaligned));
    assert_eq!(
        Table::<4, UNITS, K>::from_bytes(Aligned::new(&whole).bytes()).err(),
        Some(TableError::TooManyBits { bits: 5 })
    );
    let units = Table::<N, 0, K>::from_bytes(Aligned::new(&whole).bytes()).err();
    let components = Table::<N, UNITS, 0>::from_bytes(Aligned::new(&whole).bytes()).err();
    assert!(matches!(units, Some(TableError::TooManyUnits { units: 1.. })), "{units:?}");
    assert_eq!(components, Some(TableError::TooManyComponents { components: K as u16 }));
}

/// A valid checksum over a table that is not one.
/// A column is given as a whole, and what it says, however odd, is no part of any score.
#[test]
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
        Table::<4>::from_bytes(bytes.bytes()).map(|table| {
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

#[test]
fn each_fault_of_a_hidden_layer_or_mixture_has_its_own_name() {
    let mut dice = Dice(9);
    let random = Random::new(5, false, false, &mut dice);
    assert!(!random.layer.biases.is_empty(), "there are units");
    let bytes = random_bytes(&random, ALL, &mut dice);
    let error = |at: usize, change: &dyn Fn(u8) -> u8| {
        let mut bytes = bytes.clone();
        bytes[at] = change(bytes[at]);
        seal(&mut bytes);
        Aligned::new(&bytes).read().map(|_| ())
    };
    // The flags' first byte holds the activation, in bits 1 and 2, their second one the shift.
    assert_eq!(error(16, &|flags| flags | 6), Err(TableError::Inconsistent("activation")));
    assert_eq!(error(17, &|_| 17), Err(TableError::Inconsistent("hidden layer")));
    assert_eq!(error(17, &|_| 16), Ok(()));
    let section = |number: usize| COUNTS.start + 4 * number;
    let fewer = |number: usize| error(section(number), &|count| count - 1);
    assert_eq!(error(section(12), &|_| 7), Err(TableError::TooManyUnits { units: 7 }), "units");
    assert_eq!(error(section(17), &|_| 4), Err(TableError::TooManyComponents { components: 4 }), "components");
    for number in [14, 15, 16] {
        assert_eq!(fewer(number), Err(TableError::Inconsistent("hidden layer")), "section {number}");
    }
    for number in [17, 18, 19] {
        assert_eq!(fewer(number), Err(TableError::Inconsistent("mixture")), "section {number}");
    }
    assert_eq!(fewer(4), Err(TableError::Inconsistent("linear weights")));
}

#[test]
fn each_fault_of_a_calibration_has_its_own_name() {
    let mut dice = Dice(10);
    let random = Random::new(5, false, false, &mut dice);
    let mixture = RandomMixture::new(random.bits, K, false, &mut dice);
    let columns = columns(random.bits, &mut dice);
    let (words, values, widths) = encoder_slices(&columns);
    let mut table = whole(
        &random,
        &mixture,
        ALL,
        Encoder::new(EncoderSlices { columns: &words, values: &values, log_widths: &widths }),
    );
    let read = |detector: Detector| {
        let mut table = table;
        table.detector = detector;
        let bytes = written(&table);
        Aligned::new(&bytes).read().map(|_| ())
    };
    let whole = vec![7; Detector::levels(99).count()];
    let baselines = vec![1; columns.len()];
    let detector = Detector { rows: 99, quantiles: &whole, baselines: &baselines, ..Detector::OFF };
    assert_eq!(read(detector), Ok(()));
    assert_eq!(read(Detector { quantiles: &whole[1..], ..detector }), Err(TableError::Inconsistent("quantiles")));
    let falling: Vec<u32> = (0..whole.len() as u32).rev().collect();
    assert_eq!(read(Detector { quantiles: &falling, ..detector }), Err(TableError::Inconsistent("quantiles")));
    assert_eq!(read(Detector { baselines: &baselines[1..], ..detector }).is_ok(), columns.len() == 1);
    let more = vec![1; columns.len() + 1];
    assert_eq!(read(Detector { baselines: &more, ..detector }), Err(TableError::Inconsistent("baselines")));
    assert_eq!(read(Detector { log2_temperature: 8, ..detector }), Ok(()));
    assert_eq!(read(Detector { log2_temperature: 9, ..detector }), Err(TableError::Inconsistent("calibration")));
    table.detector = detector;
    let mut bytes = written(&table);
    bytes[COUNTS.start + 4 * 20] = 7;
    seal(&mut bytes);
    assert_eq!(Aligned::new(&bytes).read().map(|_| ()), Err(TableError::Inconsistent("calibration")));
}
