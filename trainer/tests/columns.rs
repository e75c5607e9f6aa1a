//! Checks rows in memory: they give what the same cells in a CSV file give.

use std::path::Path;

use surprisal_trainer::artefact::Artefact;
use surprisal_trainer::data::{Decimal, Frame, Machine, ReadOptions, Texts};
use surprisal_trainer::pipeline::{Job, run, run_frame};

/// Number of rows.
const ROWS: usize = 600;

/// A column of cells by row.
type Column = (&'static str, fn(usize) -> String);

/// Columns of every kind, with missing readings, white space, decimal commas and codes.
const COLUMNS: [Column; 7] = [
    ("level", |row| format!("{}", 20.0 + (row * 7 % 31) as f64 * 0.25)),
    ("count ", |row| if row % 50 == 3 { String::new() } else { (row * row % 17).to_string() }),
    ("mode", |row| [" idle", "run, fast", "stop \"now\""][row / 4 % 3].to_owned()),
    ("volts", |row| format!("{},{}", row % 9, 1 + row % 5)),
    ("code", |row| if row % 40 == 7 { "-999".to_owned() } else { (row % 23).to_string() }),
    ("time", |row| format!("2024-01-01 {:02}:{:02}:00", row / 60, row % 60)),
    ("unit", |row| ["A", "B"][row % 2].to_owned()),
];

fn columns() -> Vec<(String, Texts)> {
    COLUMNS.iter().map(|(name, cell)| ((*name).to_owned(), (0..ROWS).map(cell).collect())).collect()
}

fn csv() -> String {
    let quoted = |text: String| format!("\"{}\"", text.replace('"', "\"\""));
    let line = |cells: Vec<String>| cells.into_iter().map(quoted).collect::<Vec<_>>().join(",") + "\n";
    let names = line(COLUMNS.iter().map(|(name, _)| (*name).to_owned()).collect());
    names + &(0..ROWS).map(|row| line(COLUMNS.iter().map(|(_, cell)| cell(row)).collect())).collect::<String>()
}

fn options() -> ReadOptions {
    let mut options = ReadOptions::default();
    options.missing.add("code=-999");
    options
}

#[test]
fn cells_are_those_of_the_file() {
    let memory = Frame::from_columns("rows", columns(), &options()).expect("equal columns");
    let file = Frame::from_bytes(Path::new("rows.csv"), csv().into_bytes(), &options()).expect("a table");
    assert_eq!(memory.rows(), ROWS);
    for (column, other) in memory.columns.iter().zip(&file.columns) {
        assert_eq!(column.name, other.name);
        (0..ROWS).for_each(|row| assert_eq!(column.text(row), other.text(row), "row {row} of {}", column.name));
    }
    assert_eq!(memory.cell(0, 3).number(), Some(0.1), "decimal commas are read");
    assert!(memory.cell(7, 4).is_missing(), "codes are emptied");
    let point = ReadOptions { decimal: Some(Decimal::Point), ..options() };
    let memory = Frame::from_columns("rows", columns(), &point).expect("equal columns");
    assert_eq!(memory.cell(0, 3).number(), None, "the options decide");
}

#[test]
fn a_fit_gives_the_table_of_the_file() {
    let file = tempfile::Builder::new().suffix(".csv").tempfile().expect("a temporary file");
    std::fs::write(file.path(), csv()).expect("the file can be written");
    for machine in [None, Some(Machine { column: "unit".into(), name: "B".into() })] {
        let job = Job { reading: options(), time: vec!["time".into()], machine, ..Job::new(file.path()) };
        let (expected, _) = run(&job).expect("enough rows");
        let frame = Frame::from_columns("rows", columns(), &job.read_options()).expect("equal columns");
        let (found, _) = run_frame(&job, frame, &()).expect("enough rows");
        assert_eq!(found.table_bytes(), expected.table_bytes());
        // The digest of a machine's rows does not depend on the file.
        assert_eq!(found.file_bytes() == expected.file_bytes(), job.machine.is_some());
        let copy = Artefact::from_bytes(Path::new("copy"), &found.file_bytes()).expect("its own bytes");
        let rows = |artefact: &Artefact| {
            let frame =
                artefact.frame_from(&ReadOptions::default(), |options| Frame::from_columns("rows", columns(), options));
            let frame = frame.expect("the same columns");
            artefact.scores_of(&frame, &(0..frame.rows()).collect::<Vec<_>>(), &()).expect("the same rows")
        };
        let of_file = expected.frame_of(&[file.path().to_owned()], &ReadOptions::default()).expect("the same file");
        let every: Vec<usize> = (0..of_file.rows()).collect();
        assert_eq!(rows(&copy), expected.scores_of(&of_file, &every, &()).expect("the same rows"));
    }
}

#[test]
fn columns_without_rows_and_of_different_lengths_are_refused() {
    let texts = |count: usize| (0..count).map(|row| row.to_string()).collect::<Texts>();
    for (columns, expected) in [
        (Vec::new(), "rows: no rows"),
        (vec![("x".to_owned(), texts(0))], "rows: no rows"),
        (
            vec![("x".to_owned(), texts(2)), ("y".to_owned(), texts(3))],
            "column `y`: 3 rows, but the first column has 2",
        ),
    ] {
        let error = Frame::from_columns("rows", columns, &ReadOptions::default()).expect_err("no table");
        assert!(error.to_string().contains(expected), "{error}");
    }
    let columns = vec![("x".to_owned(), texts(2)), (" x ".to_owned(), texts(2)), (String::new(), texts(2))];
    let frame = Frame::from_columns("rows", columns, &ReadOptions::default()).expect("three columns");
    assert_eq!(frame.columns.iter().map(|column| &*column.name).collect::<Vec<_>>(), ["x", "x_2", "x2"]);
    assert_eq!(frame.remarks.len(), 1);
}
