//! Readings to bits: every kind at every edge, compared with the definition.

mod support {
    pub mod budget;
    pub mod naive;
    pub mod random;
}

use support::random::{Dice, Random, encoder_slices};
use support::{budget, naive};
use surprisal::{Column, EncodeError, Encoder, EncoderSlices, Kind, Nats, Reading, Table, total_order};

/// Room to spare beyond the bits of any encoder here.
const N: usize = 24;
const EDGES: [i32; 4] = [-7, 0, 1, 90];
const WIDTHS: [u16; 5] = [4000, 0, 700, 2048, 4000];
const REAL_EDGES: [i32; 4] = [total_order(-1.5), total_order(-0.0), total_order(0.25), total_order(3e38)];
const CODES: [i32; 3] = [4, 0, 2];

fn column(kind: Kind, may_miss: bool) -> Column<'static> {
    let (values, widths): (&[i32], &[u16]) = match kind {
        Kind::Integer => (&EDGES, &WIDTHS),
        Kind::Real => (&REAL_EDGES, &WIDTHS),
        Kind::Category => (&CODES, &[]),
        _ => (&[], &[]),
    };
    Column { source: 0, kind, may_miss, values, pivot: 0, tail_scale: 3, log_widths: widths }
}

/// Every kind, with and without missing readings, and numbers with every pivot.
fn every_column() -> impl Iterator<Item = Column<'static>> {
    let kinds =
        [Kind::Flag { flipped: false }, Kind::Flag { flipped: true }, Kind::Integer, Kind::Real, Kind::Category];
    let columns = kinds.into_iter().flat_map(|kind| [false, true].map(|may_miss| column(kind, may_miss)));
    columns.flat_map(|column| {
        let pivots = if column.log_widths.is_empty() || column.may_miss { 0..=0 } else { 0..=4 };
        pivots.map(move |pivot| Column { pivot, ..column })
    })
}

/// Those, and numbers with scales from the finest to the widest.
fn every_scale() -> impl Iterator<Item = Column<'static>> {
    every_column().flat_map(|column| {
        let reaches: &[i8] = if column.log_widths.is_empty() { &[0] } else { &[-128, -20, -1, 3, 40, 127] };
        reaches.iter().map(move |&reach| Column { tail_scale: reach, ..column })
    })
}

fn every_reading() -> Vec<Reading> {
    let near = |&edge: &i32| [edge - 1, edge, edge + 1];
    let integers = EDGES.iter().chain(&CODES).flat_map(near).chain([i32::MIN, i32::MIN + 1, 2, i32::MAX]);
    let reals = [-1.5f32, 0.0, 0.25, 3e38, 1e-40].into_iter().flat_map(|x| [x, -x, x.next_up(), x.next_down()]);
    let special = [f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, f32::MIN];
    integers.map(Reading::Integer).chain(reals.chain(special).map(Reading::Real)).chain([Reading::Missing]).collect()
}

/// Encodes into a row of ones, so that a bit left alone shows.
fn encode(columns: &[Column], readings: &[Reading]) -> Result<([bool; N], Nats), EncodeError> {
    let (words, values, widths) = encoder_slices(columns);
    let mut row = [true; N];
    Encoder::new(EncoderSlices { columns: &words, values: &values, log_widths: &widths })
        .encode(readings, &mut row)
        .map(|nats| (row, nats))
}

#[test]
fn every_reading_of_every_kind_is_encoded_by_definition() {
    for column in every_scale() {
        for reading in every_reading() {
            let found = encode(&[column], &[reading]).ok();
            let expected = naive::encode(&column, reading);
            assert_eq!(found.is_some(), expected.is_some(), "{column:?} {reading:?}");
            let (Some((row, nats)), Some((mut bits, width))) = (found, expected) else { continue };
            bits.resize(N, false);
            assert_eq!(row.to_vec(), bits, "{column:?} {reading:?}");
            let (below, above) = match naive::tail(&column, reading) {
                0.0 => (0.0, 0.0),
                _ => (budget::BELOW_THE_TAIL, budget::ABOVE_THE_TAIL),
            };
            let off = f64::from(nats) - width;
            assert!(-below <= off && off <= above, "{column:?} {reading:?}: {nats}, not {width}");
        }
    }
}

/// Whatever a sensor or a conversion may come up with is an outcome, not an error.
#[test]
fn every_number_has_an_outcome_and_a_finite_cost() {
    let reals = [f32::INFINITY, f32::NEG_INFINITY, f32::MAX, f32::MIN, f32::MIN_POSITIVE, -0.0, 1e-45];
    for column in every_scale() {
        let readings: Vec<Reading> = match column.kind {
            Kind::Real => reals.map(Reading::Real).to_vec(),
            _ => [i32::MIN, -1, 0, 1, 2, i32::MAX].map(Reading::Integer).to_vec(),
        };
        for reading in readings {
            let (row, nats) = encode(&[column], &[reading]).expect("it is a number");
            assert!(
                column.decode(&row).is_some() && nats < Nats::from_raw(200 << 16),
                "{column:?} {reading:?}: {nats}"
            );
        }
    }
}

/// The farther out, the dearer; and a thousand times as far costs 2 ln 1000 more, give or take the straight lines.
#[test]
#[cfg_attr(miri, ignore = "takes minutes")]
fn the_cost_beyond_the_range_grows_with_the_distance() {
    let mut dice = Dice(9);
    for column in every_scale().filter(|column| !matches!(column.kind, Kind::Category)) {
        let mut beyond: Vec<f64> =
            (0..400).map(|_| 2f64.powf(dice.between(0, 31_000) as f64 / 1000.0).floor()).collect();
        beyond.extend([1.0, 2147483000.0]);
        beyond.sort_unstable_by(f64::total_cmp);
        let (low, high) = match column.kind {
            Kind::Flag { .. } => (0.0, 1.0),
            Kind::Integer => (-7.0, 90.0),
            _ => (-1.5, f64::from(3e38f32)),
        };
        for (sign, edge) in [(-1.0, low), (1.0, high)] {
            let cost = |distance: f64| {
                let value = edge + sign * distance;
                let reading = match column.kind {
                    Kind::Real => Reading::Real(value as f32),
                    _ => Reading::Integer(value as i32),
                };
                encode(&[column], &[reading]).expect("it is a number").1
            };
            let costs: Vec<Nats> = beyond.iter().map(|&distance| cost(distance)).collect();
            assert!(costs.is_sorted(), "{column:?}");
            if column.tail_scale.unsigned_abs() < 4 && high < 1e9 {
                let grown = f64::from(cost(1e9)) - f64::from(cost(1e6));
                let slack = budget::BELOW_THE_TAIL + budget::ABOVE_THE_TAIL + 1e-4;
                assert!((grown - 2.0 * 1000f64.ln()).abs() < slack, "{column:?}: {grown}");
            }
        }
    }
}

/// What is no flag is the rarer value, and costs as a value of mass 1/65536 besides its distance.
#[test]
fn a_flag_that_is_none_counts_as_the_rarer_value() {
    for flipped in [false, true] {
        let of = |value| encode(&[column(Kind::Flag { flipped }, false)], &[Reading::Integer(value)]).unwrap();
        for value in [i32::MIN, -1, 2, 3, i32::MAX] {
            assert!(of(value).0[0] && of(value).1 > Nats::RAREST);
        }
        assert!(of(3).1 > of(2).1 && of(-2).1 > of(-1).1);
        assert_eq!((of(0).1, of(1).1), (Nats::ZERO, Nats::ZERO));
    }
}

#[test]
fn cells_end_with_their_edge_and_outcomes_lie_below_and_above_the_range() {
    let ones = |value| {
        encode(&[column(Kind::Integer, false)], &[Reading::Integer(value)])
            .map(|(row, _)| row.iter().filter(|&&bit| bit).count())
    };
    let cases = [(i32::MIN, 0), (-7, 0), (-6, 1), (0, 1), (1, 2), (2, 3), (90, 3), (91, 4), (i32::MAX, 4)];
    for (value, outcome) in cases {
        assert_eq!(ones(value), Ok(outcome), "{value}");
    }
}

#[test]
#[cfg_attr(miri, ignore = "takes minutes")]
fn reals_order_as_numbers_do_without_a_float_comparison() {
    let mut dice = Dice(3);
    let random = (0..20_000).map(|_| f32::from_bits(dice.word() as u32));
    let special = [f32::NEG_INFINITY, f32::MIN, -1.0, -1e-40, -0.0, 0.0, 1e-40, 1.0, f32::MAX, f32::INFINITY];
    let reals: Vec<f32> = random.filter(|real| !real.is_nan()).chain(special).collect();
    for (at, &a) in reals.iter().enumerate() {
        for &b in special.iter().chain(&reals[..at.min(50)]) {
            assert_eq!(Some(total_order(a).cmp(&total_order(b))), a.partial_cmp(&b), "{a} {b}");
        }
        assert_eq!(f32::from_bits(total_order(f32::from_bits(total_order(a) as u32)) as u32), a, "its own inverse");
    }
}

#[test]
#[cfg_attr(miri, ignore = "takes minutes")]
fn the_bits_of_a_column_decode_to_its_outcome() {
    for column in every_column() {
        for reading in every_reading() {
            let (Ok((row, _)), Some(outcome)) = (encode(&[column], &[reading]), naive::outcome(&column, reading))
            else {
                continue;
            };
            assert_eq!(column.decode(&row), outcome, "{column:?} {reading:?}");
        }
    }
}

#[test]
fn the_outcome_at_the_pivot_takes_no_ones() {
    for column in every_column().filter(|column| !column.may_miss) {
        let at_pivot = vec![false; N];
        assert_eq!(column.decode(&at_pivot), Some(usize::from(column.pivot)), "{column:?}");
    }
}

#[test]
fn a_nan_is_a_missing_reading() {
    let row = |reading| encode(&[column(Kind::Real, true)], &[reading]);
    assert_eq!(row(Reading::Real(f32::NAN)), row(Reading::Missing));
    assert_eq!(
        encode(&[column(Kind::Real, false)], &[f32::NAN.into()]),
        Err(EncodeError::UnexpectedMissing { column: 0 })
    );
    assert_eq!(Reading::from(None::<i32>), Reading::Missing);
    assert_eq!(Reading::from(Some(3)), Reading::Integer(3));
}

#[test]
fn an_error_names_the_reading_that_does_not_fit() {
    let at = |source, kind| Column { source, ..column(kind, false) };
    let columns =
        [at(2, Kind::Integer), at(0, Kind::Real), at(3, Kind::Category), at(1, Kind::Flag { flipped: false })];
    let good = [Reading::Real(0.5), Reading::Integer(1), Reading::Integer(12), Reading::Integer(2)];
    assert!(encode(&columns, &good).is_ok());
    let with = |column: usize, reading| {
        let mut readings = good;
        readings[column] = reading;
        encode(&columns, &readings).unwrap_err()
    };
    for column in 0..4 {
        assert_eq!(with(usize::from(column), Reading::Missing), EncodeError::UnexpectedMissing { column });
    }
    assert_eq!(with(0, Reading::Integer(1)), EncodeError::WrongType { column: 0 });
    for column in 1..4 {
        assert_eq!(with(usize::from(column), Reading::Real(1.0)), EncodeError::WrongType { column });
    }
    assert_eq!(encode(&columns, &good[..3]), Err(EncodeError::NoReading { column: 3 }));
    assert_eq!(encode(&columns, &[]), Err(EncodeError::NoReading { column: 2 }));
}

#[test]
fn a_row_too_short_for_the_columns_is_refused() {
    let (words, values, widths) = encoder_slices(&[column(Kind::Integer, true)]);
    let encoder = Encoder::new(EncoderSlices { columns: &words, values: &values, log_widths: &widths });
    assert_eq!(encoder.bits(), 5);
    assert_eq!(encoder.encode(&[3.into()], &mut [false; 4]), Err(EncodeError::TooManyBits));
    assert!(encoder.encode(&[3.into()], &mut [false; 5]).is_ok());
}

#[test]
fn a_table_yields_the_columns_that_it_was_made_from() {
    let columns: Vec<Column> =
        every_scale().enumerate().map(|(source, column)| Column { source: source as u16 * 23, ..column }).collect();
    let (words, values, widths) = encoder_slices(&columns);
    let encoder = Encoder::new(EncoderSlices { columns: &words, values: &values, log_widths: &widths });
    assert_eq!(
        format!("{:?}", encoder.columns().map(|(column, _)| column).collect::<Vec<_>>()),
        format!("{columns:?}")
    );
    assert_eq!(encoder.bits(), columns.iter().map(Column::bits).sum());
    let slices = encoder.slices();
    assert_eq!((slices.columns, slices.values, slices.log_widths), (&words[..], &values[..], &widths[..]));
}

#[test]
fn no_reading_violates_the_constraints_of_its_thermometer() {
    for column in every_column() {
        let constraints = naive::constraints(&[column]);
        for reading in every_reading() {
            let Ok((row, _)) = encode(&[column], &[reading]) else { continue };
            for i in 0..column.bits() {
                assert!(
                    naive::implied(&constraints, &row, i).is_none_or(|value| value == row[i]),
                    "{column:?} {reading:?}"
                );
            }
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "takes minutes")]
fn a_score_is_its_row_s_surprisal_plus_its_widths_and_the_columns_add_up_to_it() {
    let mut dice = Dice(4);
    for _ in 0..60 {
        // Columns in another order than their readings.
        let mut columns: Vec<Column> =
            every_column().skip(dice.between(0, 2) as usize).step_by(dice.between(5, 7) as usize).collect();
        let mut sources: Vec<u16> = (0..columns.len() as u16).collect();
        for column in &mut columns {
            column.source = sources.swap_remove(dice.between(0, sources.len() as i64 - 1) as usize);
        }
        let (words, values, widths) = encoder_slices(&columns);
        let encoder = Encoder::new(EncoderSlices { columns: &words, values: &values, log_widths: &widths });
        let random =
            Random { constraints: naive::constraints(&columns), ..Random::new(encoder.bits(), true, false, &mut dice) };
        let table: Table<N> = random.table(encoder);
        let choices = every_reading();
        for _ in 0..200 {
            let readings: Vec<Reading> =
                (0..columns.len()).map(|_| choices[dice.between(0, choices.len() as i64 - 1) as usize]).collect();
            let mut row = [false; N];
            let expected = encoder.encode(&readings, &mut row).map(|widths| table.model.surprisal(&row) + widths);
            let mut each = vec![Nats::IMPOSSIBLE; columns.len()];
            assert_eq!(table.surprisal(&readings), expected);
            let explained = table.explain(&readings, &mut each);
            // A reading that is missing for the first time is left out of the shares.
            match expected {
                Err(EncodeError::UnexpectedMissing { .. }) => assert!(explained.is_ok() || explained != expected),
                expected => assert_eq!(explained, expected),
            }
            if let Ok(score) = expected {
                assert!(score < Nats::IMPOSSIBLE);
                assert_eq!(each.iter().copied().sum::<Nats>(), score);
                for column in &columns {
                    assert_eq!(each[usize::from(column.source)], share(&table, column, &row, &readings));
                }
            }
        }
    }
}

/// What a column's bits and its cell's width add to the score.
fn share(table: &Table<N>, column: &Column, row: &[bool; N], readings: &[Reading]) -> Nats {
    let (_, own) = table.encoder.columns().find(|(other, _)| other.source == column.source).unwrap();
    let mut bits = [Nats::ZERO; N];
    table.model.explain(row, &mut bits);
    let (_, width) = encode(&[Column { source: 0, ..*column }], &readings[usize::from(column.source)..]).unwrap();
    bits[own].iter().copied().sum::<Nats>() + width
}

#[test]
fn a_column_beyond_the_end_of_the_explanation_counts_in_the_score_alone() {
    let columns =
        [Column { source: 1, pivot: 2, ..column(Kind::Integer, false) }, column(Kind::Flag { flipped: false }, false)];
    let (words, values, widths) = encoder_slices(&columns);
    let random = Random { constraints: naive::constraints(&columns), ..Random::new(5, false, false, &mut Dice(6)) };
    let table: Table<N> =
        random.table(Encoder::new(EncoderSlices { columns: &words, values: &values, log_widths: &widths }));
    let readings = [Reading::Integer(1), Reading::Integer(50)];
    let (mut both, mut first) = ([Nats::ZERO; 2], [Nats::ZERO; 1]);
    let score = table.surprisal(&readings);
    assert_eq!((table.explain(&readings, &mut both), table.explain(&readings, &mut first)), (score, score));
    assert_eq!(first[0], both[0]);
}
