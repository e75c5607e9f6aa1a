//! Checks the kinds that columns get, and that the constraints of the schema are those of the encoder's bits.

#[path = "../../tests/support/budget.rs"]
mod budget;
#[path = "../../tests/support/naive.rs"]
mod naive;

use std::fmt::Write as _;
use std::path::Path;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use surprisal::{Kind, Reading};
use surprisal_trainer::data::{Frame, Header, ReadOptions, Separator};
use surprisal_trainer::pipeline::{Job, run};
use surprisal_trainer::schema::toml::{self, Overrides};
use surprisal_trainer::schema::{Schema, SchemaOptions};

/// Writes a file of columns and reads it.
fn frame(folder: &Path, columns: &[(&str, Vec<String>)]) -> Frame {
    let mut text = columns.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(",") + "\n";
    for row in 0..columns[0].1.len() {
        let cells: Vec<&str> = columns.iter().map(|(_, cells)| cells[row].as_str()).collect();
        writeln!(text, "{}", cells.join(",")).expect("a string takes all");
    }
    let path = folder.join("data.csv");
    std::fs::write(&path, text).expect("the folder can be written");
    // A single column of text needs a separator by name.
    let options = ReadOptions { header: Header::Yes, separator: Some(Separator::Comma), ..ReadOptions::default() };
    Frame::read_with(&path, &options).expect("the file is whole")
}

/// Returns 300 rows with a column of every kind.
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
    let schema = Schema::find(&frame, &rows, &SchemaOptions::default()).expect("the columns are plain");
    (folder, frame, schema)
}

#[test]
fn columns_get_the_kind_of_their_values() {
    let (_folder, _, schema) = every_kind();
    let found: Vec<(&str, Kind, bool)> =
        schema.columns.iter().map(|encoding| (schema.name(encoding), encoding.kind, encoding.may_miss)).collect();
    let [flag, flipped] = [false, true].map(|flipped| Kind::Flag { flipped });
    let expected = [
        ("flag", flag, false),
        ("flipped", flipped, false),
        ("two", Kind::Integer, false),
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
    for encoding in schema.columns.iter().filter(|encoding| matches!(encoding.kind, Kind::Integer | Kind::Real)) {
        let name = schema.name(encoding);
        assert!(encoding.values.is_sorted_by(|a, b| a < b), "{name}");
        assert_eq!(encoding.log_widths.len(), encoding.values.len() + 1, "{name}");
        assert_eq!(encoding.log_widths.iter().min(), Some(&0), "{name}: the narrowest cell has no width");
        assert!(
            usize::from(encoding.pivot) <= encoding.values.len() && !(encoding.may_miss && encoding.pivot > 0),
            "{name}"
        );
        for row in 0..frame.rows() {
            let reading = schema.readings(&frame, row).expect("a training row")[usize::from(encoding.source)];
            if let Some(outcome) = naive::outcome(&encoding.column(), reading).expect("it fits") {
                assert!((1..encoding.values.len()).contains(&outcome), "{name}: {reading:?} is out of range");
            }
        }
    }
}

#[test]
fn no_reading_violates_the_constraints_of_the_schema() {
    let (_folder, frame, schema) = every_kind();
    let mut random = ChaCha8Rng::seed_from_u64(2);
    let mut rows: Vec<Vec<Reading>> =
        (0..frame.rows()).map(|row| schema.readings(&frame, row).expect("a training row")).collect();
    // Some readings are replaced by readings that no training row has.
    for readings in &mut rows {
        for encoding in &schema.columns {
            let wild = match encoding.kind {
                Kind::Integer => {
                    Reading::Integer([i32::MIN, i32::MAX, random.random_range(-2000..2000)][random.random_range(0..3)])
                }
                Kind::Real => Reading::Real(
                    [f32::NEG_INFINITY, f32::INFINITY, random.random_range(-2.0..12.0)][random.random_range(0..3)],
                ),
                _ => Reading::Integer([i32::MIN, i32::MAX, random.random_range(-9..9)][random.random_range(0..3)]),
            };
            if random.random_bool(0.5) {
                readings[usize::from(encoding.source)] = wild;
            }
        }
    }
    for order in [(0..schema.columns.len()).collect::<Vec<_>>(), (0..schema.columns.len()).rev().collect()] {
        let schema = schema.reordered(&order);
        let columns: Vec<_> = schema.columns.iter().map(|encoding| encoding.column()).collect();
        let constraints = schema.constraints();
        assert_eq!(constraints, naive::constraints(&columns));
        let (bits, _) = schema.encode(&rows).expect("every reading fits");
        assert_eq!((bits.rows, bits.width()), (rows.len(), constraints.len()));
        for (at, readings) in rows.iter().enumerate() {
            let mut row = vec![false; bits.width()];
            bits.row(at, &mut row);
            for i in 0..row.len() {
                assert!(naive::implied(&constraints, &row, i).is_none_or(|value| value == row[i]), "row {at}, bit {i}");
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
fn flags_alone_need_no_constraints() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let cells = |period: usize| (0..60).map(|row| u8::from(row % period == 0).to_string()).collect::<Vec<_>>();
    let frame = frame(folder.path(), &[("a", cells(2)), ("b", cells(3)), ("c", cells(100))]);
    let schema = Schema::find(&frame, &(1..60).collect::<Vec<_>>(), &SchemaOptions::default());
    let schema = schema.expect("a flag may be constant among flags");
    assert!(schema.constraints().is_empty());
}

/// `surprisal schema` writes the schema that was found, so that a fit with the file equals a fit without it.
#[test]
fn a_written_schema_is_the_schema_that_was_found() {
    let (folder, frame, schema) = every_kind();
    let path = folder.path().join("schema.toml");
    std::fs::write(&path, toml::write(&frame, &schema.columns)).expect("the folder can be written");
    let overrides = Overrides::read(&path).expect("it was written so");
    assert_eq!(overrides.columns.len(), 11);
    let rows: Vec<usize> = (0..300).collect();
    let again =
        Schema::find(&frame, &rows, &SchemaOptions { overrides, ..SchemaOptions::default() }).expect("as before");
    assert_eq!(format!("{again:?}"), format!("{schema:?}"));
}

/// Names that need quotes in TOML, and ignored columns.
#[test]
fn a_written_schema_has_columns_of_any_name() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let names = ["a b", "\"\"\"it's \"\"\"", "\"new\nline\"", "x.y", "µ", "\"back\\slash\""];
    let columns = names.map(|name| (name, (0..60).map(|row| (row % 7).to_string()).collect::<Vec<_>>()));
    let frame = frame(folder.path(), &columns);
    let given = SchemaOptions { ignore: vec!["x.y".into()], ..SchemaOptions::default() };
    let schema = Schema::find(&frame, &(0..60).collect::<Vec<_>>(), &given).expect("the columns are plain");
    let path = folder.path().join("schema.toml");
    std::fs::write(&path, toml::write(&frame, &schema.columns)).expect("the folder can be written");
    let overrides = Overrides::read(&path).expect("it was written so");
    let expected: std::collections::BTreeSet<&String> = frame.columns.iter().map(|cells| &cells.name).collect();
    assert_eq!(overrides.columns.keys().collect::<std::collections::BTreeSet<_>>(), expected);
    assert_eq!(overrides.ignored().collect::<Vec<_>>(), ["x.y"]);
}

/// Finds the schema of [`every_kind`] with the overrides of a TOML text.
fn with_overrides(text: &str) -> (Frame, surprisal_trainer::Result<Schema>) {
    let (folder, frame, _) = every_kind();
    let path = folder.path().join("schema.toml");
    std::fs::write(&path, text).expect("the folder can be written");
    let rows: Vec<usize> = (0..300).collect();
    let found = Overrides::read(&path).and_then(|overrides| {
        Schema::find(&frame, &rows, &SchemaOptions { overrides, cells: 32, ..SchemaOptions::default() })
    });
    (frame, found)
}

#[test]
fn the_user_overrides_what_is_found() {
    let (frame, schema) = with_overrides(
        "[columns]\nfew = { kind = \"category\" }\nflag = { kind = \"integer\", missing = true }\n\
         two.kind = \"real\"\ntext.kind = \"ignore\"\nmany.cells = 4\nflipped.kind = \"flag\"\n",
    );
    let schema = schema.expect("all of that can be");
    let of = |name: &str| schema.columns.iter().find(|encoding| schema.name(encoding) == name);
    let kind = |name: &str| of(name).map(|encoding| (encoding.kind, encoding.may_miss));
    assert_eq!(kind("few"), Some((Kind::Category, false)));
    assert_eq!(kind("flag"), Some((Kind::Integer, true)));
    assert_eq!(kind("two"), Some((Kind::Real, false)));
    assert_eq!(kind("flipped"), Some((Kind::Flag { flipped: true }, false)));
    assert_eq!((kind("text"), schema.columns.len()), (None, 10));
    // Four cells have five edges.
    assert_eq!(of("many").map(|encoding| encoding.values.len()), Some(5));
    assert!(of("real").is_some_and(|encoding| encoding.values.len() > 16), "the number for all columns");
    // The codes are the values, the most frequent first.
    let few = of("few").expect("it is there");
    assert!(few.labels.is_empty() && few.column().bits() == few.values.len());
    for row in 0..frame.rows() {
        let readings = schema.readings(&frame, row).expect("a training row");
        let (value, flag) = (readings[usize::from(few.source)], of("flag").expect("it is there").source);
        assert!(matches!(value, Reading::Integer(code) if few.values.contains(&code)));
        assert!(matches!(readings[usize::from(flag)], Reading::Integer(0 | 1)));
    }
}

#[test]
fn an_invalid_schema_is_refused_with_its_location() {
    for (text, words) in [
        ("[columns.nope]\nkind = \"real\"", &["--schema", "`nope`"][..]),
        ("[columns.few]\nkind = \"real\"\ncolour = 3", &["schema.toml", "line 3", "colour"]),
        ("[columns.few]\nkind = \"number\"", &["schema.toml", "line 2", "number", "real"]),
        ("[rows]\n", &["schema.toml", "line 1", "rows"]),
        ("[columns.few\n", &["schema.toml", "line 1"]),
        ("[columns.few]\ncells = 1", &["schema.toml", "`few`", "cells = 1", "2 to 256"]),
        ("[columns.few]\ncells = 257", &["schema.toml", "`few`", "2 to 256"]),
        ("[columns.few]\ncells = -3", &["schema.toml", "line 2"]),
        ("[columns.two]\nkind = \"flag\"", &["data.csv: line 2, column `two`", "expected a flag", "the schema file"]),
        ("[columns.real]\nkind = \"integer\"", &["data.csv: line 2, column `real`", "expected a whole number"]),
        ("[columns.text]\nkind = \"real\"", &["data.csv: line 2, column `text`", "expected a number"]),
        ("[columns.real]\nkind = \"category\"", &["column `real`", "--ignore real"]),
    ] {
        let message = format!("{:#}", with_overrides(text).1.expect_err(text));
        for word in words {
            assert!(message.contains(word), "{text}: no {word:?} in {message:?}");
        }
    }
    let message = format!("{:#}", Overrides::read(Path::new("nowhere.toml")).expect_err("there is none"));
    assert!(message.contains("nowhere.toml") && message.contains("surprisal schema"), "{message}");
}

/// The surprisal of an unseen category is about that of one row among n + 2: ln(n + 2).
#[test]
fn an_unseen_category_has_the_surprisal_of_one_row() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut random = ChaCha8Rng::seed_from_u64(3);
    let texts: Vec<String> = (0..1000).map(|_| ["a", "b", "c"][random.random_range(0..3usize)].into()).collect();
    let frame = frame(folder.path(), &[("text", texts)]);
    // A single column of text needs a separator by name.
    let reading = ReadOptions { separator: Some(Separator::Comma), ..Header::Yes.into() };
    let mut job = Job { reading, ..Job::new(folder.path().join("data.csv")) };
    job.choices.family = surprisal_trainer::fit::Family::Marginal;
    let (artefact, report) = run(&job).expect("it is plain data");
    let nats = |code: i32| f64::from(artefact.surprisals(&[vec![Reading::Integer(code)]]).expect("any code fits")[0]);
    let expected = ((report.train_rows + 2) as f64).ln();
    assert!((0..3).all(|code| nats(code) < 2.0));
    for code in [-1, 3, i32::MIN, i32::MAX] {
        assert!((nats(code) - expected).abs() < budget::UNKNOWN, "{code}: {}, not {expected}", nats(code));
    }
    drop(frame);
}

/// A smooth distribution gets few cells, one with a fine structure many.
#[test]
fn the_validation_rows_choose_the_number_of_cells() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut random = ChaCha8Rng::seed_from_u64(4);
    let mut normal = || (0..12).map(|_| random.random::<f64>()).sum::<f64>() - 6.0;
    let cells_of = |cells: Vec<String>, given: Option<usize>| {
        frame(folder.path(), &[("x", cells)]);
        let mut job = Job { reading: Header::Yes.into(), ..Job::new(folder.path().join("data.csv")) };
        job.choices.family = surprisal_trainer::fit::Family::Marginal;
        job.cells = given;
        run(&job).expect("it is plain data").0.schema.columns[0].values.len() - 1
    };
    let plain: Vec<String> = (0..300).map(|_| format!("{:.4}", normal())).collect();
    let comb: Vec<String> =
        (0..6000).map(|_| format!("{:.4}", (normal() * 4.0).round() / 4.0 + 0.01 * normal())).collect();
    let (plain_cells, comb_cells) = (cells_of(plain.clone(), None), cells_of(comb, None));
    assert!(plain_cells < comb_cells, "{plain_cells} and {comb_cells}");
    assert_eq!(cells_of(plain, Some(5)), 5);
}
