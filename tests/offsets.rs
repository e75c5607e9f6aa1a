//! Laws of offsets: a search finds constants that were added, never makes rows less likely, and keeps what gains more than it
//! costs.

use std::cmp::Ordering;

use surprisal::{
    Column, Detector, Encoder, EncoderSlices, Kind, Nats, OffsetSums, Offsets, OutcomeTables, OutcomeTablesSlices,
    Predictor, PredictorSlices, Prototypes, PrototypesSlices, Reading, RowSchema, TableError, View, ViewTable,
    concordance, grain, search_offsets, total_order,
};

mod support {
    pub mod naive;
    pub mod outcomes;
    pub mod random;
    pub mod views;
}

#[path = "golden/shuttle.rs"]
#[rustfmt::skip]
#[allow(dead_code, reason = "the columns are not needed")]
mod shuttle;

use support::random::{Dice, encoder_slices};
use support::views::{C, Make, RandomView, kinds, reading, table};

const ROWS: usize = 12;

type Row = [Reading; 4];

/// The sums over rows less these offsets.
fn sums<const R: usize>(
    nats: impl Fn(&[Reading]) -> Nats,
    rows: &[[Reading; R]],
    offsets: &[Reading],
    other: Option<&[Reading]>,
) -> OffsetSums {
    let each = |offsets: &[Reading]| Offsets::<R> { each: offsets.try_into().expect("as many offsets as readings") };
    let (one, two) = (each(offsets), each(other.unwrap_or(offsets)));
    let mut sums = OffsetSums::default();
    rows.iter().for_each(|row| sums.push(nats(&one.apply(row)), nats(&two.apply(row))));
    sums
}

fn grains<const R: usize>(rows: &[[Reading; R]]) -> [Reading; R] {
    std::array::from_fn(|at| grain(rows.iter().map(|row| row[at])))
}

fn together<const R: usize>(rows: &[[Reading; R]]) -> impl Fn(usize, usize) -> Ordering {
    |one, other| concordance(rows.iter().map(|row| (row[one], row[other])))
}

fn total(table: &ViewTable<C, 2>, rows: &[Row], offsets: &Offsets<4>) -> u64 {
    sums(|row| table.surprisal(row).expect("the rows fit"), rows, &offsets.each, None).nats
}

/// Calls `check` with random tables of two views, the kinds of their readings, and rows that fit them.
fn for_random_tables(check: impl Fn(&ViewTable<C, 2>, &[i64], &[Row])) {
    let mut dice = Dice(31);
    let mut checked = 0;
    while checked < 300 {
        let kinds = kinds(4, false, &mut dice);
        let views = [Make::Readings, Make::Residuals].map(|make| RandomView::new(&kinds, make, &mut dice));
        let table = table(&views, Detector::OFF);
        let rows: Vec<Row> = (0..200)
            .map(|_| std::array::from_fn(|at| reading(kinds[at], &mut dice)))
            .filter(|row: &Row| table.score(row).is_ok_and(|score| score.nats < Nats::from_raw(60 << 16)))
            .take(ROWS)
            .collect();
        if rows.len() == ROWS {
            check(&table, &kinds, &rows);
            checked += 1;
        }
    }
}

#[test]
fn offsets_gain_more_than_they_cost() {
    let kept = std::cell::Cell::new(0);
    for_random_tables(|table, kinds, rows| {
        let found = table.offsets(rows, || {}).expect("the rows fit");
        assert!(total(table, rows, &found) <= total(table, rows, &Offsets::NONE));
        for (at, &offset) in found.each.iter().enumerate() {
            match (offset, kinds[at]) {
                (Reading::Missing, _) => {}
                (Reading::Integer(offset), 2) => assert_ne!(offset, 0),
                (Reading::Real(offset), 3) => assert!(offset != 0.0 && offset.is_finite()),
                (offset, kind) => panic!("{offset:?} for a reading of kind {kind}"),
            }
            let mut without = found;
            without.each[at] = Reading::Missing;
            if offset != Reading::Missing {
                let gains = rows.iter().map(|row| {
                    let nats = |offsets: &Offsets<4>| total(table, &[*row], offsets) as f64 / 65536.0;
                    (nats(&without) - nats(&found)).clamp(-4.0, 4.0)
                });
                let (gain, squares) = gains.fold((0.0, 0.0), |sums, gain| (sums.0 + gain, sums.1 + gain * gain));
                // The gains are cut to 1/256 nat where they are squared.
                let least = 0.5 * (ROWS as f64).ln() + 2.0 * f64::sqrt(squares) - 0.1;
                assert!(gain >= least, "{found:?} without {at}: {gain} of {least} nats");
                kept.set(kept.get() + 1);
            }
        }
    });
    assert!(kept.get() >= 10, "{} offsets", kept.get());
}

/// A table of one view of independent columns, an integer and a real one, with equal cells that are 1/10 as wide in the second.
/// With `residuals` it sees differences from a prototype, in steps of 1 and of 1/16.
fn with_bells<R>(masses: &[u32], residuals: bool, check: impl FnOnce(&ViewTable<2, 1>) -> R) -> R {
    let edges: Vec<i32> = (0..masses.len() as i32 - 1).map(|at| 10 * at).collect();
    let real = |edge: i32| if residuals { edge * 16 / 10 } else { total_order(edge as f32 / 10.0) };
    let values = [edges.clone(), edges.iter().map(|&edge| real(edge)).collect()];
    let columns: Vec<Column> = (0..2)
        .map(|source| Column {
            source,
            kind: if source == 1 && !residuals { Kind::Real } else { Kind::Integer },
            may_miss: false,
            values: &values[usize::from(source)],
            pivot: 0,
            tail_scale: 3,
            log_widths: &[0; 32][..=edges.len()],
        })
        .collect();
    let (words, values, log_widths) = encoder_slices(&columns);
    let mut sum = 0;
    let sums = masses[..masses.len() - 1].iter().map(|mass| {
        sum += mass;
        sum as u16
    });
    let rows = sums.collect::<Vec<u16>>().repeat(2);
    let own = [masses.len() as u16, 1, OutcomeTables::NO_PARENT];
    let tables = OutcomeTablesSlices { columns: &[own, own], groups: &[], splits: &[], rows: &rows };
    let of_prototypes = PrototypesSlices { columns: &[[0, 8, 0, 0], [1, 4, 0, 0]], points: &[0, 0] };
    let mut view = View {
        encoder: Encoder::new(EncoderSlices { columns: &words, values: &values, log_widths: &log_widths }),
        tables: OutcomeTables::new(tables).expect("the masses are valid"),
        prototypes: if residuals { Prototypes::new(of_prototypes).expect("two axes") } else { Prototypes::NONE },
        ..View::EMPTY
    };
    let starts: Vec<[u32; 5]> = View::starts(&view.encoder, &view.tables).collect();
    view.starts = &starts;
    let schema = RowSchema { kinds: &[2, 3], ..RowSchema::NONE };
    check(&ViewTable::new([view], Detector::OFF, Predictor::NONE).expect("a view").with_schema(schema))
}

#[test]
fn constants_that_were_added_are_found() {
    // Cells of a bell between 0 and 100.
    let masses = [64, 1000, 3000, 6000, 9000, 13_708, 13_700, 9000, 6000, 3000, 1000, 64];
    assert_eq!(masses.iter().sum::<u32>(), 65_536);
    let mut dice = Dice(33);
    for residuals in [false, true] {
        for (integer, real) in [(0, 0.0), (23, -1.7), (-40, 3.1), (-14, 1.3), (90, -8.5)] {
            with_bells(&masses, residuals, |table| {
                let mut scales = [Reading::Missing; 2];
                table.offset_scales(&mut scales);
                assert_eq!(scales, [Reading::Integer(60), Reading::Real(6.0)]);
                let mut rows = [[Reading::Missing; 2]; 300];
                for row in &mut rows {
                    let value = table.views[0].tables.walk().next(&[]).flatten().expect("masses").decide(dice.coin());
                    let mut within = || 10 * i32::from(value) - dice.between(0, 9) as i32;
                    *row = [Reading::Integer(within() + integer), Reading::Real(within() as f32 / 10.0 + real)];
                }
                // A sensor may drop out now and then.
                (rows[7][0], rows[9]) = (Reading::Missing, [Reading::Missing; 2]);
                let [a, b] = table.offsets(&rows, || {}).expect("the rows fit").each;
                let off = match (a, b) {
                    (Reading::Integer(a), Reading::Real(b)) => (f64::from(a - integer), f64::from(b - real)),
                    (Reading::Missing, Reading::Missing) if integer == 0 => (0.0, 0.0),
                    found => panic!("{found:?} for {integer} and {real}"),
                };
                assert!(off.0.abs() <= 5.0 && off.1.abs() <= 0.5, "{a:?}, {b:?} for {integer} and {real}, {residuals}");
            });
        }
    }
}

/// Rows that gain a little each keep an offset if it pays for a parameter: ½ ln 16 nats, and half of what they gain.
#[test]
fn an_offset_has_to_gain_what_a_parameter_costs() {
    for (mass, is_kept) in [(11_700, false), (12_100, true)] {
        with_bells(&[1, 10_000, mass, 100, 65_536 - 10_101 - mass], false, |table| {
            // The likeliest cell is out of reach, behind one that is hardly likely.
            let rows = [[Reading::Integer(5), Reading::Real(2.5)]; 16];
            assert_eq!(offset_of_first(table, &rows) != Reading::Missing, is_kept, "{mass}");
        });
    }
}

/// A few rows at the border of an unlikely cell make no offset, however much they gain: five of sixteen that gain five nats each
/// are just enough.
#[test]
fn an_offset_is_that_of_many_rows() {
    for few in 1..=6 {
        with_bells(&[136, 5000, 60_000, 399, 1], false, |table| {
            let rows: [_; 16] =
                std::array::from_fn(|row| [Reading::Integer(if row < few { 22 } else { 16 }), Reading::Real(1.5)]);
            assert_eq!(offset_of_first(table, &rows) != Reading::Missing, few >= 5, "{few} rows");
        });
    }
}

fn offset_of_first(table: &ViewTable<2, 1>, rows: &[[Reading; 2]]) -> Reading {
    let mut found = Offsets::<2>::NONE.each;
    let scales = [Reading::Integer(32), Reading::Missing];
    let nats = |row: &[Reading]| table.surprisal(row).expect("the rows fit");
    search_offsets(
        &scales,
        &[],
        together(rows),
        [&mut found, &mut [Reading::Missing; 2]],
        rows.len(),
        |each, other| Ok::<_, ()>(sums(nats, rows, each, other)),
    )
    .expect("no error");
    found[0]
}

/// A caller who adds up rows himself finds the same, and `pause` is called for every row.
#[test]
fn a_board_finds_what_the_search_finds() {
    for_random_tables(|table, _, rows| {
        let (mut scales, mut each) = ([Reading::Missing; 4], [Reading::Missing; 4]);
        table.offset_scales(&mut scales);
        let (mut totals, mut pauses) = (0, 0);
        let found = table.offsets(rows, || pauses += 1).expect("the rows fit");
        let nats = |row: &[Reading]| table.surprisal(row).expect("the rows fit");
        let solutions = [&mut each[..], &mut [Reading::Missing; 4]];
        search_offsets(&scales, &grains(rows), together(rows), solutions, ROWS, |each, other| {
            totals += 1 + usize::from(other.is_some());
            Ok::<_, ()>(sums(nats, rows, each, other))
        })
        .expect("no error");
        assert_eq!((found.each, pauses), (each, totals * ROWS));
        let columns = scales.iter().filter(|scale| !scale.is_missing()).count();
        let most = 1 + 1224 * columns + 2 * columns * columns;
        assert!(totals <= most, "{totals} of {most}");
    });
}

/// A table of bits finds what a naive sum over the same rows gives.
#[test]
fn tables_of_bits_have_offsets() {
    let mut dice = Dice(34);
    let usual = [[43, 1, 77, 0, 42, 0, 34, 35, 2], [37, 0, 76, 0, 28, 18, 40, 48, 8]];
    let rows: Vec<[Reading; 9]> = (0..12)
        .map(|at| usual[at % 2].map(|value: i32| Reading::Integer(value + 5 + dice.between(-1, 1) as i32)))
        .collect();
    let (mut scales, mut each) = ([Reading::Missing; 9], [Reading::Missing; 9]);
    shuttle::TABLE.offset_scales(&mut scales);
    let nats = |row: &[Reading]| shuttle::TABLE.surprisal(row).expect("the rows fit");
    let solutions = [&mut each[..], &mut [Reading::Missing; 9]];
    search_offsets(&scales, &grains(&rows), together(&rows), solutions, rows.len(), |each, other| {
        Ok::<_, ()>(sums(nats, &rows, each, other))
    })
    .expect("no error");
    assert_eq!(shuttle::TABLE.offsets(&rows, || {}), Ok(Offsets { each }));
    assert!(each.iter().any(|offset| *offset != Reading::Missing), "{each:?}");
}

/// A sensor that drops out stops no search, whatever the model.
#[test]
fn lost_readings_stop_nothing() {
    let mut rows =
        [[43, 1, 77, 0, 42, 0, 34, 35, 2], [37, 0, 76, 0, 28, 18, 40, 48, 8]].map(|row| row.map(Reading::Integer));
    (rows[0][4], rows[1]) = (Reading::Missing, [Reading::Missing; 9]);
    assert!(shuttle::TABLE.offsets(&rows, || {}).is_ok());
}

/// The differences of readings are those of an FPU, except that decimal numbers are subtracted as such.
#[test]
fn differences_are_rounded_to_the_nearest() {
    let mut dice = Dice(32);
    for case in 0..40_000 {
        // Numbers of few digits make ties, and distant ones lose digits.
        let (digits, exponents) = if case % 2 == 0 { (12, 20) } else { (24, 90) };
        let mut draw = || {
            let number = dice.between(-(1 << digits), 1 << digits) as f32;
            number * 2f32.powi(dice.between(-exponents, exponents) as i32)
        };
        let (own, offset) = (draw(), draw());
        let less = |own, offset| match Reading::Real(own).less(Reading::Real(offset)) {
            Reading::Real(less) => less,
            _ => panic!("a real number"),
        };
        let is_decimal = |number: f32| {
            let digits = |decimals| Reading::Real(number).to_decimal(decimals).filter(|steps| steps.abs() < 10_000_000);
            number == 0.0 || (0..=6).any(|decimals| digits(decimals).is_some())
        };
        if !is_decimal(own) || !is_decimal(offset) {
            assert_eq!(less(own, offset), own - offset, "{own} - {offset}");
        }
        let (places, [own, offset]) = (dice.between(0, 6), [0, 0].map(|_| dice.between(-999_999, 999_999)));
        let number = |steps: i64| format!("{steps}e-{places}").parse::<f32>().expect("a number");
        assert_eq!(less(number(own), number(offset)), number(own - offset), "{own} - {offset}, {places} places");
        let [own, offset] = [0, 0].map(|_| dice.between(i32::MIN.into(), i32::MAX.into()) as i32);
        assert_eq!(Reading::Integer(own).less(Reading::Integer(offset)), Reading::Integer(own.saturating_sub(offset)));
    }
    assert_eq!(Reading::Real(-20.15).less(Reading::Real(-0.15)), Reading::Real(-20.0), "no neighbour of an edge");
    for own in [f32::INFINITY, f32::NEG_INFINITY, 0.0, -0.0, f32::MAX, f32::MIN_POSITIVE, 1e-45] {
        assert_eq!(Reading::Real(own).less(Reading::Real(0.0)), Reading::Real(own));
        assert_eq!(Reading::Real(own).less(Reading::Integer(1)), Reading::Real(own));
    }
    assert_eq!(Reading::Real(f32::INFINITY).less(Reading::Real(1.0)), Reading::Real(f32::INFINITY));
    assert_eq!(Reading::Real(f32::MAX).less(Reading::Real(f32::MIN)), Reading::Real(f32::MAX));
    assert_eq!(Reading::Real(1.0).less(Reading::Real(f32::NAN)), Reading::Real(1.0));
    assert!(Reading::Real(f32::NAN).less(Reading::Real(1.0)).is_missing());
    assert_eq!(Reading::Missing.less(Reading::Real(1.0)), Reading::Missing);
}

/// A value that the machine of the fit would read is returned as this machine reads it.
#[test]
fn expected_values_are_restored() {
    let offsets = Offsets { each: [Reading::Integer(3), Reading::Real(-0.5), Reading::Missing] };
    let row = [Reading::Integer(10), Reading::Real(2.0), Reading::Integer(1)];
    let applied = offsets.apply(&row);
    assert_eq!(applied, [Reading::Integer(7), Reading::Real(2.5), Reading::Integer(1)]);
    for (at, own) in row.into_iter().enumerate() {
        assert_eq!(offsets.restore(at as u16, applied[at]), own);
    }
    assert_eq!(offsets.restore(9, Reading::Integer(1)), Reading::Integer(1), "beyond the row");
}

/// Stored offsets come back, and nothing else does.
#[test]
fn stored_offsets_come_back() {
    let factory = shuttle::TABLE.detector;
    let offsets = Offsets { each: [Reading::Integer(i32::MIN), Reading::Real(0.15), Reading::Missing] };
    let mut bytes = [0xFF; Offsets::<3>::BYTES + 1];
    assert_eq!(Offsets::<3>::from_bytes(&bytes, &factory), Err(TableError::Corrupt), "empty flash");
    assert_eq!(offsets.write(&factory, &mut bytes[..18]), None);
    assert_eq!(offsets.write(&factory, &mut bytes), Some(19));
    assert_eq!(bytes[19], 0xFF);
    assert_eq!(Offsets::from_bytes(&bytes, &factory), Ok(offsets));
    assert_eq!(Offsets::<3>::from_bytes(&bytes[..18], &factory), Err(TableError::Truncated));
    assert_eq!(Offsets::<3>::from_bytes(&bytes, &Detector::OFF), Err(TableError::Corrupt), "of another table");
    assert_eq!(Offsets::<2>::from_bytes(&bytes, &factory), Err(TableError::Corrupt), "of another row");
    for bit in 0..8 * 19 {
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(Offsets::<3>::from_bytes(&bytes, &factory), Err(TableError::Corrupt), "bit {bit}");
        bytes[bit / 8] ^= 1 << (bit % 8);
    }
}

/// Rows that are scored by differences from a prediction have no offsets.
#[test]
fn a_time_series_has_no_offsets() {
    let words = [1, 8, 0, 8, 0];
    let predictor = Predictor::new(PredictorSlices { words: &words, weights: &[0; 9] }).expect("two numbers");
    let mut scales = [Reading::Integer(1); 9];
    shuttle::TABLE.with_predictor(predictor).offset_scales(&mut scales);
    assert_eq!(scales, [Reading::Missing; 9]);
    with_bells(&[1, 32_767, 32_767, 1], false, |table| {
        let series = ViewTable::<2, 1>::new(table.views, Detector::OFF, predictor).expect("a view");
        let mut scales = [Reading::Integer(1); 2];
        series.offset_scales(&mut scales);
        assert_eq!(scales, [Reading::Missing; 2]);
    });
    shuttle::TABLE.offset_scales(&mut scales);
    let numbers = shuttle::TABLE.encoder.columns().filter(|(column, _)| column.kind == Kind::Integer).count();
    assert_eq!(scales.iter().filter(|scale| matches!(scale, Reading::Integer(1..))).count(), numbers);
}
