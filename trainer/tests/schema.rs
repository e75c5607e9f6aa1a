//! What columns are taken for, and that the guards of the schema are those of the encoder's bits.

#[path = "../../tests/support/naive.rs"]
mod naive;

use std::fmt::Write as _;
use std::path::Path;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use surprisal::{Kind, Reading};
use surprisal_trainer::data::{Frame, Header};
use surprisal_trainer::schema::Schema;

/// A file of these columns, read back.
fn frame(folder: &Path, columns: &[(&str, Vec<String>)]) -> Frame {
    let mut text = columns.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(",") + "\n";
    for row in 0..columns[0].1.len() {
        let cells: Vec<&str> = columns.iter().map(|(_, cells)| cells[row].as_str()).collect();
        writeln!(text, "{}", cells.join(",")).expect("a string takes all");
    }
    let path = folder.join("data.csv");
    std::fs::write(&path, text).expect("the folder can be written");
    Frame::read(&path, Header::Yes).expect("the file is whole")
}

/// One column of every kind, of 300 rows.
fn every_kind() -> (tempfile::TempDir, Frame, Schema) {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let mut cells = |cell: &dyn Fn(&mut ChaCha8Rng) -> String| (0..300).map(|_| cell(&mut random)).collect::<Vec<_>>();
    let missing = |cell: String, random: &mut ChaCha8Rng| if random.random_bool(0.2) { String::new() } else { cell };
    let columns = [
        ("flag", cells(&|r| u8::from(r.random_bool(0.2)).to_string())),
        ("flipped", cells(&|r| u8::from(r.random_bool(0.9)).to_string())),
        ("two", cells(&|r| ["-4", "7"][usize::from(r.random_bool(0.3))].into())),
        ("few", cells(&|r| r.random_range(-3..4i32).pow(3).to_string())),
        ("many", cells(&|r| (r.random_range(-1.0..1.0f64).powi(3) * 1e6).round().to_string())),
        ("real", cells(&|r| format!("{:.4}", r.random_range(-1.0..1.0f64).powi(5)))),
        ("text", cells(&|r| ["b", "a", "c"][r.random_range(0..3)].into())),
        ("flag_or_none", cells(&|r| missing(u8::from(r.random_bool(0.2)).to_string(), r))),
        ("many_or_none", cells(&|r| missing(r.random_range(0..1000).to_string(), r))),
        ("real_or_none", cells(&|r| missing(format!("{:.3}", r.random_range(0.0..9.0)), r))),
        ("text_or_none", cells(&|r| missing(["b", "a", "c", "d"][r.random_range(0..4)].into(), r))),
    ];
    let folder = tempfile::tempdir().expect("a temporary folder");
    let frame = frame(folder.path(), &columns);
    let rows: Vec<usize> = (0..300).collect();
    let schema = Schema::find(&frame, &rows, &[], false).expect("the columns are plain");
    (folder, frame, schema)
}

#[test]
fn columns_are_taken_for_what_they_are() {
    let (_folder, _, schema) = every_kind();
    let found: Vec<(&str, Kind, bool)> =
        schema.columns.iter().map(|coding| (schema.name(coding), coding.kind, coding.may_miss)).collect();
    let [flag, flipped] = [false, true].map(|flipped| Kind::Flag { flipped });
    let expected = [
        ("flag", flag, false),
        ("flipped", flipped, false),
        ("two", Kind::Category, false),
        ("few", Kind::Integer, false),
        ("many", Kind::Integer, false),
        ("real", Kind::Real, false),
        ("text", Kind::Category, false),
        ("flag_or_none", flag, true),
        ("many_or_none", Kind::Integer, true),
        ("real_or_none", Kind::Real, true),
        ("text_or_none", Kind::Category, true),
    ];
    assert_eq!(found, expected);
}

#[test]
fn edges_ascend_and_hold_the_training_range() {
    let (_folder, frame, schema) = every_kind();
    for coding in schema.columns.iter().filter(|coding| matches!(coding.kind, Kind::Integer | Kind::Real)) {
        let name = schema.name(coding);
        assert!(coding.values.is_sorted_by(|a, b| a < b), "{name}");
        assert_eq!(coding.widths.len(), coding.values.len() + 1, "{name}");
        assert_eq!(coding.widths.iter().min(), Some(&0), "{name}: the narrowest cell has no width");
        assert!(usize::from(coding.pivot) <= coding.values.len() && !(coding.may_miss && coding.pivot > 0), "{name}");
        for row in 0..frame.rows() {
            let reading = schema.readings(&frame, row).expect("a training row")[usize::from(coding.source)];
            if let Some(outcome) = naive::outcome(&coding.column(), reading).expect("it fits") {
                assert!((1..coding.values.len()).contains(&outcome), "{name}: {reading:?} is out of range");
            }
        }
    }
}

#[test]
fn no_reading_violates_the_guards_of_the_schema() {
    let (_folder, frame, schema) = every_kind();
    let mut random = ChaCha8Rng::seed_from_u64(2);
    let mut rows: Vec<Vec<Reading>> =
        (0..frame.rows()).map(|row| schema.readings(&frame, row).expect("a training row")).collect();
    // And readings that no training row has, wherever the column takes them.
    for readings in &mut rows {
        for coding in &schema.columns {
            let wild = match coding.kind {
                Kind::Integer => {
                    Reading::Integer([i32::MIN, i32::MAX, random.random_range(-2000..2000)][random.random_range(0..3)])
                }
                Kind::Real => Reading::Real(
                    [f32::NEG_INFINITY, f32::INFINITY, random.random_range(-2.0..12.0)][random.random_range(0..3)],
                ),
                _ => continue,
            };
            if random.random_bool(0.5) {
                readings[usize::from(coding.source)] = wild;
            }
        }
    }
    for order in [(0..schema.columns.len()).collect::<Vec<_>>(), (0..schema.columns.len()).rev().collect()] {
        let schema = schema.reordered(&order);
        let columns: Vec<_> = schema.columns.iter().map(|coding| coding.column()).collect();
        let guards = schema.guards();
        assert_eq!(guards, naive::guards(&columns));
        let (bits, _) = schema.encode(&rows).expect("every reading fits");
        assert_eq!((bits.rows, bits.width()), (rows.len(), guards.len()));
        for (at, readings) in rows.iter().enumerate() {
            let mut row = vec![false; bits.width()];
            bits.row(at, &mut row);
            for i in 0..row.len() {
                assert!(naive::forced(&guards, &row, i).is_none_or(|value| value == row[i]), "row {at}, bit {i}");
            }
            let expected: Vec<bool> = columns
                .iter()
                .flat_map(|column| naive::encode(column, readings[usize::from(column.source)]).expect("it fits").0)
                .collect();
            assert_eq!(row, expected, "row {at}");
        }
    }
}

#[test]
fn flags_alone_need_no_guards() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let cells = |period: usize| (0..60).map(|row| u8::from(row % period == 0).to_string()).collect::<Vec<_>>();
    let frame = frame(folder.path(), &[("a", cells(2)), ("b", cells(3)), ("c", cells(100))]);
    let schema =
        Schema::find(&frame, &(1..60).collect::<Vec<_>>(), &[], false).expect("a flag may be constant among flags");
    assert!(schema.guards().is_empty());
}
