//! Files from strangers: whatever the bytes, reading ends soon, never panics, and gives columns of one length.

use std::path::Path;

use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use surprisal_trainer::collect::Capture;
use surprisal_trainer::data::input::InputLimits;
use surprisal_trainer::data::{Decimal, Frame, Header, MissingCodes, ReadOptions, Separator, is_missing};
use surprisal_trainer::schema::Schema;
use surprisal_trainer::windows::Signal;

/// Pieces of files, most of them with a meaning for the reader.
const PIECES: [&str; 58] = [
    "\n",
    "\r\n",
    "\r",
    ",",
    ";",
    "\t",
    "|",
    " ",
    "  ",
    "\"",
    "\"\"",
    "'",
    "#",
    "# ",
    "sep=;",
    "sep=",
    "\0",
    "\0\0\0\0",
    "\u{feff}",
    "-",
    "+",
    ".",
    "1",
    "20.5",
    "20,5",
    "1,234",
    "1.234,5",
    "1'234",
    "1_000",
    "\u{2212}3",
    "0x1F",
    "1e5",
    "1e999",
    "-999",
    "nan",
    "-nan(ind)",
    "1.#QNAN",
    "inf",
    "ovf",
    "12.3 V",
    "45%",
    "°C",
    "temp",
    "press",
    "temp,press\n",
    "a;b;c\n",
    "1,2\n",
    "1;2;3\n",
    "3,4,\n",
    ";;;\n",
    "2024-03-01 08:00:00",
    " -> ",
    "a:1,b:2\n",
    "surprisal: ",
    "\u{1a}",
    "\u{1b}[31m",
    "é",
    "TRUE",
];

fn runner(cases: u32) -> TestRunner {
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &[15; 32]))
}

fn options() -> impl Strategy<Value = ReadOptions> {
    let header = prop_oneof![4 => Just(Header::Auto), 1 => Just(Header::Yes), 1 => Just(Header::No)];
    let separators = [Separator::Comma, Separator::Semicolon, Separator::Tab, Separator::Pipe, Separator::Spaces];
    let separator = prop::option::weighted(0.3, prop::sample::select(separators.to_vec()));
    let decimal = prop::option::weighted(0.3, prop::sample::select(vec![Decimal::Point, Decimal::Comma]));
    (header, separator, decimal, prop::option::weighted(0.2, 0..4usize), 0..5usize).prop_map(
        |(header, separator, decimal, skip, skip_bad)| ReadOptions {
            header,
            separator,
            decimal,
            skip,
            skip_bad,
            missing: MissingCodes { all: vec!["-999".into(), "Bad".into()], ..MissingCodes::default() },
            limits: InputLimits {
                bytes: 1 << 20,
                row_bytes: 1 << 16,
                columns: 1000,
                cells: 1 << 16,
                ..InputLimits::DEFAULT
            },
            ..ReadOptions::default()
        },
    )
}

fn content() -> impl Strategy<Value = Vec<u8>> {
    let pieces =
        || prop::collection::vec(prop::sample::select(PIECES.to_vec()), 0..60).prop_map(|pieces| pieces.concat());
    prop_oneof![
        6 => (pieces(), pieces(), 0..30usize).prop_map(|(start, row, count)| (start + &(row + "\n").repeat(count)).into_bytes()),
        1 => pieces().prop_map(|text| std::iter::once(0xFEFF).chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()),
        1 => pieces().prop_map(|text| text.chars().map(|c| c as u32 as u8).collect()),
        1 => (prop::sample::select(vec![&b"\x93NUMPY\x01\0"[..], b"PK\x03\x04", b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0", b"\x1f\x8b", b"\x28\xb5\x2f\xfd"]),
            prop::collection::vec(any::<u8>(), 0..200)).prop_map(|(magic, rest)| [magic, &rest].concat()),
        1 => prop::collection::vec(any::<u8>(), 0..300),
    ]
}

#[test]
fn no_file_makes_a_reader_panic() {
    let path = Path::new("data");
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    runner(6000)
        .run(&(content(), options()), |(bytes, options)| {
            std::fs::write(file.path(), &bytes).expect("the file can be written");
            let _ = Signal::read_with(file.path(), &options);
            let _ = Capture::parse(path, &String::from_utf8_lossy(&bytes));
            let Ok(frame) = Frame::read_with(file.path(), &options) else { return Ok(()) };
            prop_assert!(frame.rows() > 0 && frame.skipped <= options.skip_bad);
            for column in &frame.columns {
                prop_assert_eq!(column.cells.map(|_| ()).len(), frame.rows());
            }
            prop_assert!(frame.lines.is_sorted() && frame.starts.iter().all(|&row| row < frame.rows()));
            let mut names: Vec<&str> = frame.columns.iter().map(|column| column.name.as_str()).collect();
            names.sort_unstable();
            names.dedup();
            prop_assert_eq!(names.len(), frame.columns.len(), "names are distinct");
            let _ = Schema::describe(&frame, &[], &options.missing);
            Ok(())
        })
        .expect("no panic");
}

/// A table of numbers is read back from every dialect, cell by cell.
#[test]
fn a_table_is_read_from_every_dialect() {
    let table = prop::collection::vec(prop::collection::vec((-99_999..99_999i32, any::<bool>()), 3), 5..60);
    let dialect = (0..5usize, any::<bool>(), 0..3usize, any::<bool>(), 0..3usize);
    runner(500)
        .run(&(table, dialect), |(table, (separator, is_comma, ending, is_quoted, preamble))| {
            let (separator, ending) = ([",", ";", "\t", "|", "  "][separator], ["\n", "\r\n", "\r"][ending]);
            let is_comma = is_comma && separator != ",";
            let cell = |(number, is_missing): (i32, bool)| match is_missing && number % 7 == 0 {
                true if separator == "  " => "NaN".to_owned(),
                true => String::new(),
                false => {
                    let text = format!("{:.2}", f64::from(number) / 100.0);
                    if is_comma { text.replace('.', ",") } else { text }
                }
            };
            let quoted = |cell: String| if is_quoted { format!("\"{cell}\"") } else { cell };
            let line =
                |row: &Vec<(i32, bool)>| row.iter().map(|&each| quoted(cell(each))).collect::<Vec<_>>().join(separator);
            let mut lines = vec!["Logger".to_owned(); preamble];
            lines.push(["first", "second", "third"].join(separator));
            lines.extend(table.iter().map(line));
            let text = lines.join(ending) + ending;
            let frame = Frame::from_bytes(Path::new("data"), text.clone().into_bytes(), &ReadOptions::default());
            let frame = frame.map_err(|error| TestCaseError::fail(format!("{error}\n{text}")))?;
            let trailing = table.iter().rev().take_while(|row| row.iter().all(|&each| cell(each).is_empty())).count();
            prop_assert_eq!(frame.rows(), table.len() - trailing);
            for (row, cells) in table.iter().take(frame.rows()).enumerate() {
                for (column, &(number, is_empty)) in cells.iter().enumerate() {
                    let found = frame.cell(row, column);
                    let is_empty = is_empty && number % 7 == 0;
                    prop_assert_eq!(found.is_missing(), is_empty);
                    prop_assert!(is_empty || found.number() == Some(f64::from(number) / 100.0), "{:?} {}", found, text);
                }
            }
            Ok(())
        })
        .expect("the same numbers");
}

#[test]
fn zeros_and_numbers_are_not_missing() {
    for text in ["0", "-1", "1.5", ".5", "5.", "+3", "off", "none at all", "1.#INF", "-0"] {
        assert!(!is_missing(text), "{text}");
    }
}
