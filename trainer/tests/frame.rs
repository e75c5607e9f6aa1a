//! Checks typed frames: a column of numbers gives the same schema and the same readings as the texts of these numbers, and
//! the schema takes the kind from the type.

use std::path::Path;

use proptest::prelude::*;
use surprisal::{Kind, Reading};
use surprisal_trainer::data::{Cell, Cells, Frame, FrameColumn, Header};
use surprisal_trainer::schema::toml::{ColumnKind, ColumnOverride, Overrides};
use surprisal_trainer::schema::{Schema, SchemaOptions};
use surprisal_trainer::split::anomalous_rows;

/// Returns a frame with one column.
fn frame(cells: Cells, rows: usize) -> Frame {
    Frame {
        path: "typed".into(),
        columns: vec![FrameColumn { name: "x".into(), cells }],
        lines: (2..rows as u64 + 2).collect(),
        unit: "line",
        ..Frame::default()
    }
}

/// Returns the frame as it is read from a CSV file with its texts.
fn as_text(typed: &Frame) -> Frame {
    let file = tempfile::Builder::new().suffix(".csv").tempfile().expect("a temporary file");
    let cells: String = (0..typed.rows()).map(|row| format!("\"{}\"\n", typed.columns[0].text(row))).collect();
    std::fs::write(file.path(), format!("x\n{cells}")).expect("the file can be written");
    Frame { path: Path::new("typed").into(), ..Frame::read(file.path(), Header::Yes).expect("a column") }
}

fn options(kind: Option<ColumnKind>) -> SchemaOptions {
    let settings = ColumnOverride { kind, ..ColumnOverride::default() };
    let overrides = Overrides { columns: [("x".to_owned(), settings)].into(), ..Overrides::default() };
    SchemaOptions { keep_constant: true, overrides, ..SchemaOptions::default() }
}

/// Asserts that a typed column and its texts with a kind override give the same schema and readings, or both an error.
fn assert_same(cells: Cells, rows: usize, train: &[usize], kind: ColumnKind) {
    let typed = frame(cells, rows);
    let text = as_text(&typed);
    let found = Schema::find(&typed, train, &options(None));
    let expected = Schema::find(&text, train, &options(Some(kind)));
    let (found, expected) = match (found, expected) {
        (Ok(found), Ok(expected)) => (found, expected),
        (found, expected) => {
            assert_eq!(found.map(|_| ()).map_err(|e| e.to_string()), expected.map(|_| ()).map_err(|e| e.to_string()));
            return;
        }
    };
    assert_eq!(format!("{found:?}"), format!("{expected:?}"));
    let bits = |readings: Vec<Vec<Reading>>| format!("{readings:?}");
    let every: Vec<usize> = (0..rows).collect();
    let [typed, text] = [&typed, &text].map(|frame| bits(found.all_readings(frame, &every).expect("its own rows")));
    assert_eq!(typed, text);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn reals_are_like_their_texts(
        values in prop::collection::vec(prop_oneof![
            8 => -1e3f32..1e3, 2 => prop::num::f32::ANY, 2 => (-3..3i32).prop_map(|value| value as f32 * 0.5), 1 => Just(-0.0f32),
        ], 1..80),
        every in 1..4usize,
    ) {
        let (rows, train) = (values.len(), (0..values.len()).step_by(every).collect::<Vec<_>>());
        assert_same(Cells::Real(values), rows, &train, ColumnKind::Real);
    }

    #[test]
    fn integers_are_like_their_texts(
        values in prop::collection::vec(prop::option::weighted(0.9, prop_oneof![-5..5i32, any::<i32>()]), 1..80),
        every in 1..4usize,
    ) {
        let (rows, train) = (values.len(), (0..values.len()).step_by(every).collect::<Vec<_>>());
        assert_same(Cells::Integer(values), rows, &train, ColumnKind::Integer);
    }

    /// Selecting rows of texts keeps their texts, and the distinct ones in the order in which they appear.
    #[test]
    fn a_selection_has_the_selected_cells(texts in prop::collection::vec("[ab?]{0,2}", 1..50), step in 1..5usize) {
        let rows: Vec<usize> = (0..texts.len()).rev().step_by(step).collect();
        let selected: Vec<String> = rows.iter().map(|&row| texts[row].clone()).collect();
        let cells = Cells::Text(texts.into_iter().collect()).select(&rows);
        let mut distinct = selected.clone();
        (0..selected.len()).rev().filter(|&at| selected[..at].contains(&selected[at])).for_each(|at| _ = distinct.remove(at));
        let every: Vec<usize> = (0..rows.len()).collect();
        let counts = cells.counts(&every);
        prop_assert_eq!(counts.iter().map(|(cell, _)| cell.text().into_owned()).collect::<Vec<_>>(), distinct);
        prop_assert_eq!(counts.iter().map(|(_, count)| count).sum::<usize>(), rows.len());
        for (row, text) in selected.iter().enumerate() {
            prop_assert_eq!(cells.get(row), Cell::Text(text));
        }
        prop_assert_eq!(cells.map(|cell| cell.text().into_owned()), selected);
    }
}

#[test]
fn the_type_decides_the_kind() {
    let kind = |cells: Cells, settings| {
        let found = Schema::find(&frame(cells, 4), &[0, 1, 2, 3], &options(settings)).expect("four numbers");
        found.columns[0].kind
    };
    let reals = || Cells::Real(vec![0.0, 1.0, 1.0, 0.0]);
    let integers = || Cells::Integer(vec![Some(0), Some(1), Some(1), Some(0)]);
    let texts = || Cells::Text(["0", "1", "1", "0"].map(str::to_owned).into_iter().collect());
    assert_eq!(kind(texts(), None), Kind::Flag { flipped: false });
    assert_eq!(kind(reals(), None), Kind::Real);
    assert_eq!(kind(integers(), None), Kind::Integer);
    // The board computes residuals as integers, whatever the user calls the numbers in the file.
    assert_eq!(kind(integers(), Some(ColumnKind::Real)), Kind::Integer);
    assert_eq!(kind(reals(), Some(ColumnKind::Flag)), Kind::Flag { flipped: false });
}

#[test]
fn labels_are_compared_by_value_in_any_column() {
    let texts = Cells::Text(["0", "0.0", "x", "NA"].map(str::to_owned).into_iter().collect());
    for (cells, normal, expected) in [
        (texts.clone(), "0", [Some(false), Some(false), Some(true), None]),
        // A text that stands for a missing reading may be the value of normal rows.
        (texts, "NA", [Some(true), Some(true), Some(true), Some(false)]),
        (Cells::Real(vec![0.0, -0.0, 1.0, f32::NAN]), "0", [Some(false), Some(false), Some(true), None]),
        (Cells::Integer(vec![Some(0), Some(0), Some(-1), None]), "0", [Some(false), Some(false), Some(true), None]),
    ] {
        assert_eq!(anomalous_rows(&frame(cells, 4), "x", normal).expect("the column is there"), expected);
    }
}
