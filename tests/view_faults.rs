//! The bytes of tables of views: written and read, and each fault refused.

mod support {
    pub mod mixture;
    pub mod naive;
    pub mod outcomes;
    pub mod random;
    pub mod tables;
    pub mod views;
}

use proptest::prelude::*;
use support::random::{Dice, cases};
use support::tables::{Aligned, seal};
use support::views::{C, Make, RandomView, kinds, reading, table};
use surprisal::{Detector, Nats, Reading, Table, TableError, View, ViewTable};

/// The section lengths, behind the six words of the head.
const COUNTS: usize = 24;
/// The sections that every table has, then those of each view.
const SHARED: usize = 8;
const PER_VIEW: usize = 12;

/// Two views of three readings: a category, an integer and a real number.
fn views(dice: &mut Dice) -> ([RandomView; 2], Vec<i64>) {
    let kinds = vec![1, 2, 3];
    ([Make::Readings, Make::Residuals].map(|make| RandomView::new(&kinds, make, dice)), kinds)
}

fn bytes<const V: usize>(table: &ViewTable<C, V>) -> Vec<u8> {
    let mut bytes = Vec::new();
    table.write(|piece| bytes.extend_from_slice(piece));
    bytes
}

fn read<const V: usize>(aligned: &Aligned) -> Result<ViewTable<'_, C, V>, TableError> {
    ViewTable::from_bytes(aligned.bytes(), surprisal::Fingerprint::ANY)
}

/// No operation of a table that was read panics, whatever the row.
fn works<const V: usize>(table: &ViewTable<C, V>, dice: &mut Dice) {
    let kinds = kinds(C, false, dice);
    let mut row: Vec<Reading> = kinds.iter().map(|&kind| reading(kind, dice)).collect();
    if let Ok(score) = table.score(&row) {
        if score.nats < Nats::IMPOSSIBLE {
            assert_eq!(table.surprisal(&row), Ok(score.nats));
            assert_eq!(table.explain(&row, &mut [Nats::ZERO; C]), Ok(score.nats));
        }
        _ = table.judge(&row).expect("the row fits");
        _ = table.blame(&mut row).expect("the row fits");
    }
    for view in &table.views {
        let mut outcomes = [0; C];
        view.tables.sample(&mut outcomes, || dice.coin());
        assert!(view.tables.surprisal(&outcomes) < Nats::IMPOSSIBLE);
        _ = view.encode(&row, &mut outcomes);
    }
}

proptest! {
    #![proptest_config(cases(150))]

    #[test]
    #[cfg_attr(target_endian = "big", ignore = "a big-endian machine refuses all files")]
    fn written_tables_are_read_again(seed: u64, count in 1usize..C) {
        let mut dice = Dice(seed);
        let kinds = kinds(count, false, &mut dice);
        let views = [Make::Residuals, Make::Readings].map(|make| RandomView::new(&kinds, make, &mut dice));
        let levels = vec![7; Detector::levels(99).count()];
        let detector = Detector { rows: 99, quantiles: &levels, baselines: &[1, 2], ..Detector::OFF };
        let table = table(&views, detector);
        let written = bytes(&table);
        let aligned = Aligned::new(&written);
        let again = read::<2>(&aligned).expect("the bytes are whole");
        prop_assert_eq!(&bytes(&again), &written);
        prop_assert_eq!(again.detector, detector);
        for _ in 0..4 {
            let row: Vec<Reading> = kinds.iter().map(|&kind| reading(kind, &mut dice)).collect();
            prop_assert_eq!(again.score(&row), table.score(&row));
        }
    }

    /// A wrong table with a valid checksum is refused, or is a table.
    #[test]
    fn forged_bytes_never_panic(seed: u64, changes in 1usize..4) {
        let mut dice = Dice(seed);
        let (views, _) = views(&mut dice);
        let mut forged = bytes(&table(&views, Detector::OFF));
        for _ in 0..changes {
            // Half of the changes concern the section lengths.
            let end = if dice.one_in(2) { COUNTS + 4 * (SHARED + 2 * PER_VIEW) } else { forged.len() };
            let at = dice.between(16, end as i64 - 1) as usize;
            forged[at] = match dice.between(0, 3) {
                0 => forged[at].wrapping_add(1),
                1 => forged[at].wrapping_sub(1),
                _ => dice.word() as u8,
            };
        }
        seal(&mut forged);
        let aligned = Aligned::new(&forged);
        if let Ok(table) = read::<2>(&aligned) {
            works(&table, &mut dice);
        }
        if let Ok(table) = read::<1>(&aligned) {
            works(&table, &mut dice);
        }
    }

    #[test]
    fn garbage_is_refused(mut bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(read::<1>(&Aligned::new(&bytes)).is_err());
        bytes.resize(bytes.len().max(COUNTS + 4 * (SHARED + PER_VIEW)), 0);
        bytes[..8].copy_from_slice(b"SRPL\x04\0\0\0");
        let length = bytes.len() as u32;
        bytes[8..12].copy_from_slice(&length.to_le_bytes());
        bytes[16..20].copy_from_slice(&[1, 0, 0, 0]);
        seal(&mut bytes);
        if let Ok(table) = read::<1>(&Aligned::new(&bytes)) {
            works(&table, &mut Dice(0));
        }
    }
}

#[test]
#[cfg_attr(target_endian = "big", ignore = "a big-endian machine refuses all files")]
fn every_damaged_byte_and_every_truncation_is_noticed() {
    let (views, _) = views(&mut Dice(7));
    let whole = bytes(&table(&views, Detector::OFF));
    for at in 0..whole.len() {
        for bit in 0..8 {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << bit;
            assert!(read::<2>(&Aligned::new(&bytes)).is_err(), "bit {bit} of byte {at}");
        }
        assert!(read::<2>(&Aligned::new(&whole[..at])).is_err(), "{at} bytes of {}", whole.len());
    }
    let longer = [&whole[..], b"notes for the host"].concat();
    assert_eq!(bytes(&read::<2>(&Aligned::new(&longer)).unwrap()), whole);
}

#[test]
#[cfg_attr(target_endian = "big", ignore = "a big-endian machine refuses all files")]
fn each_fault_has_its_own_name() {
    let has_all = |views: &[RandomView; 2]| {
        let tables = &views[0].tables;
        let is_full = !tables.groups.is_empty() && !tables.splits.is_empty() && !views[0].baselines.is_empty();
        is_full && !views[1].prototypes.1.is_empty()
    };
    let views = (8..).map(|seed| views(&mut Dice(seed)).0).find(has_all).expect("one of all seeds");
    let whole = bytes(&table(&views, Detector::OFF));
    let aligned = Aligned::new(&whole);
    assert_eq!(read::<1>(&aligned).err(), Some(TableError::Views { found: 2, expected: 1 }));
    assert_eq!(read::<3>(&aligned).err(), Some(TableError::Views { found: 2, expected: 3 }));
    assert_eq!(
        Table::<64>::from_bytes(aligned.bytes(), surprisal::Fingerprint::ANY).err(),
        Some(TableError::Views { found: 2, expected: 0 })
    );
    assert_eq!(
        ViewTable::<3, 2>::from_bytes(aligned.bytes(), surprisal::Fingerprint::ANY).err(),
        Some(TableError::TooManyColumns { columns: 4 }),
        "the regime is a column as well"
    );
    let misfit = |section: usize, change: &dyn Fn(u8) -> u8| {
        let mut bytes = whole.clone();
        let at = COUNTS + 4 * section;
        bytes[at] = change(bytes[at]);
        seal(&mut bytes);
        read::<2>(&Aligned::new(&bytes)).map(|_| ())
    };
    let fewer = |section| misfit(section, &|count| count - 1);
    let first = SHARED;
    let second = SHARED + PER_VIEW;
    assert_eq!(misfit(1, &|_| 1), Err(TableError::Inconsistent("golden rows")));
    assert_eq!(misfit(2, &|_| 1), Err(TableError::Inconsistent("golden rows")));
    assert_eq!(fewer(3), Err(TableError::Inconsistent("calibration")));
    assert_eq!(misfit(4, &|_| 1), Err(TableError::Inconsistent("quantiles")));
    assert_eq!(misfit(6, &|_| 1), Err(TableError::Inconsistent("predictor")));
    assert_eq!(fewer(second + 4), Err(TableError::Inconsistent("prototype points")));
    assert_eq!(misfit(first + 9, &|_| 1), Err(TableError::Inconsistent("view numbers")));
    for (number, name) in [(6, "outcome groups"), (7, "outcome splits"), (8, "outcome rows")] {
        let refused = fewer(first + number);
        assert!(
            matches!(refused, Err(TableError::Inconsistent(found)) if found == name || found.starts_with("outcome"))
        );
    }
    // Parts that are valid alone, but do not fit the other parts of the view.
    let new =
        |view: View<'_>| ViewTable::<C, 1>::new([view], Detector::OFF, table(&views, Detector::OFF).predictor).err();
    let view = views[0].view();
    assert_eq!(new(view), None);
    assert_eq!(new(View { baselines: &[1], ..view }), Some(TableError::Inconsistent("view baselines")));
    assert_eq!(new(View { starts: &view.starts[1..], ..view }), Some(TableError::Inconsistent("view starts")));
    assert_eq!(new(View { tables: views[1].view().tables, ..view }), Some(TableError::Inconsistent("outcome columns")));
    assert_eq!(
        new(View { prototypes: views[1].view().prototypes, ..view }),
        Some(TableError::Inconsistent("prototype columns"))
    );
    let none = ViewTable::<C, 0>::new([], Detector::OFF, table(&views, Detector::OFF).predictor).err();
    assert_eq!(none, Some(TableError::Inconsistent("views")));
}
