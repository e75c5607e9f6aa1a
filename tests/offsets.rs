//! Laws of offsets: a search never makes rows less likely, keeps what gains more than it costs, and finds constants that were
//! added.

use surprisal::{Detector, Kind, Nats, Offsets, Reading, TableError, ViewTable, search_offsets};

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

use support::random::Dice;
use support::views::{C, Make, RandomView, kinds, reading, table};

const ROWS: usize = 12;

type Row = [Reading; 4];

/// The surprisal of all rows less these offsets.
fn total(table: &ViewTable<C, 2>, rows: &[Row], offsets: &Offsets<4>) -> u64 {
    let nats = |row: &Row| table.surprisal(&offsets.apply(row)).expect("the rows fit").raw();
    rows.iter().map(|row| u64::from(nats(row))).sum()
}

/// Calls `check` with random tables of two views, the kinds of their readings, and rows that fit them.
fn for_random_tables(check: impl Fn(&ViewTable<C, 2>, &[i64], &[Row])) {
    let mut dice = Dice(31);
    let mut checked = 0;
    while checked < 60 {
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
    let cost = (0.5 * (ROWS as f64).ln() * 65536.0) as u64;
    for_random_tables(|table, kinds, rows| {
        let found = table.offsets(rows, || {}).expect("the rows fit");
        let all = total(table, rows, &found);
        assert!(all <= total(table, rows, &Offsets::NONE));
        for (at, &offset) in found.each.iter().enumerate() {
            match (offset, kinds[at]) {
                (Reading::Missing, _) => {}
                (Reading::Integer(offset), 2) => assert_ne!(offset, 0),
                (Reading::Real(offset), 3) => assert!(offset != 0.0 && offset.is_finite()),
                (offset, kind) => panic!("{offset:?} for a reading of kind {kind}"),
            }
            // Columns after this one may have lost their offsets since it was tried, which cost less than they gained.
            let mut without = found;
            without.each[at] = Reading::Missing;
            if offset != Reading::Missing && found.each[at + 1..].iter().all(|later| *later != Reading::Missing) {
                assert!(total(table, rows, &without) + 2 >= all + cost, "{found:?} without {at}");
            }
        }
    });
}

/// A caller who adds up rows himself finds the same, and `pause` is called for every row.
#[test]
fn a_board_finds_what_the_search_finds() {
    for_random_tables(|table, _, rows| {
        let (mut scales, mut each) = ([Reading::Missing; 4], [Reading::Missing; 4]);
        table.offset_scales(&mut scales);
        let (mut totals, mut pauses) = (0, 0);
        let found = table.offsets(rows, || pauses += 1).expect("the rows fit");
        search_offsets(&scales, &mut each, ROWS, |each| {
            totals += 1;
            Ok::<u64, ()>(total(table, rows, &Offsets { each: each.try_into().expect("four readings") }))
        })
        .expect("no error");
        assert_eq!((found.each, pauses), (each, totals * ROWS));
        let most = 513 * scales.iter().filter(|scale| !scale.is_missing()).count() + 1;
        assert!(totals <= most, "{totals} of {most}");
    });
}

/// The differences of readings are those of `f64`, to the last digit but one.
#[test]
fn differences_are_those_of_real_numbers() {
    let mut dice = Dice(32);
    for _ in 0..20_000 {
        let mut draw = || {
            let number = dice.between(-(1 << 24), 1 << 24) as f32;
            number * 2f32.powi(dice.between(-60, 60) as i32)
        };
        let (own, offset) = (draw(), draw());
        let Reading::Real(less) = Reading::Real(own).less(Reading::Real(offset)) else { panic!("a real number") };
        let expected = f64::from(own) - f64::from(offset);
        assert!((f64::from(less) - expected).abs() <= expected.abs() * 2f64.powi(-22), "{own} - {offset} = {less}");
        let [own, offset] = [0, 0].map(|_| dice.between(i32::MIN.into(), i32::MAX.into()) as i32);
        assert_eq!(Reading::Integer(own).less(Reading::Integer(offset)), Reading::Integer(own.saturating_sub(offset)));
    }
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

/// What was expected comes back in the units of this machine.
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
    let predictor = surprisal::Predictor::new(surprisal::PredictorSlices { words: &words, weights: &[0; 9] });
    let table = shuttle::TABLE.with_predictor(predictor.expect("two numbers"));
    let mut scales = [Reading::Missing; 9];
    table.offset_scales(&mut scales);
    assert_eq!(scales, [Reading::Missing; 9]);
    shuttle::TABLE.offset_scales(&mut scales);
    let numbers = shuttle::TABLE.encoder.columns().filter(|(column, _)| column.kind == Kind::Integer).count();
    assert_eq!(scales.iter().filter(|scale| matches!(scale, Reading::Integer(1..))).count(), numbers);
}
