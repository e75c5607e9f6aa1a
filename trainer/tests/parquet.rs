//! Tables in Parquet files, written here with the crate that reads them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::basic::{Compression, ZstdLevel};
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use surprisal_trainer::data::input::InputLimits;
use surprisal_trainer::data::{Frame, Header, ReadOptions};
use surprisal_trainer::pipeline::{Job, run};

const ROWS: usize = 600;
const SCHEMA: &str = "message rows { required int64 clock (TIMESTAMP(MILLIS, true)); required double temp; optional int32 count; \
                      required boolean on; required binary state (UTF8); }";

/// Values of each column of a row: milliseconds, a number, a whole number or nothing, a flag, a text.
fn row(at: usize) -> (i64, f64, Option<i32>, bool, &'static str) {
    let noise = (at as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
    let gap = if at < 300 { 0 } else { 3_600_000 };
    let state = ["idle", "half", "full"][at / 7 % 3];
    let count = (at % 10 != 3).then_some((noise % 1000) as i32);
    (1_700_000_000_000 + 1000 * at as i64 + gap, 20.0 + noise as f64 / 1e6, count, at.is_multiple_of(3), state)
}

/// Writes the columns of a schema; a column `raw` holds bytes that are no text.
fn write(path: &Path, schema: &str, compression: Compression) {
    let is_raw = schema.contains("raw");
    let schema = Arc::new(parse_message_type(schema).expect("a schema"));
    let properties = WriterProperties::builder().set_compression(compression).build();
    let file = std::fs::File::create(path).expect("the folder can be written");
    let mut writer = SerializedFileWriter::new(file, schema, Arc::new(properties)).expect("a header");
    for rows in [0..ROWS / 2, ROWS / 2..ROWS] {
        let rows: Vec<_> = rows.map(row).collect();
        let mut group = writer.next_row_group().expect("a group");
        while let Some(mut column) = group.next_column().expect("a column") {
            match column.untyped() {
                ColumnWriter::Int64ColumnWriter(writer) => {
                    writer.write_batch(&rows.iter().map(|row| row.0).collect::<Vec<_>>(), None, None)
                }
                ColumnWriter::DoubleColumnWriter(writer) => {
                    writer.write_batch(&rows.iter().map(|row| row.1).collect::<Vec<_>>(), None, None)
                }
                ColumnWriter::Int32ColumnWriter(writer) => {
                    let levels: Vec<i16> = rows.iter().map(|row| row.2.is_some().into()).collect();
                    writer.write_batch(&rows.iter().filter_map(|row| row.2).collect::<Vec<_>>(), Some(&levels), None)
                }
                ColumnWriter::BoolColumnWriter(writer) => {
                    writer.write_batch(&rows.iter().map(|row| row.3).collect::<Vec<_>>(), None, None)
                }
                ColumnWriter::ByteArrayColumnWriter(writer) => {
                    let bytes = |text: &str| if is_raw { vec![0xFF, 0xFE].into() } else { ByteArray::from(text) };
                    writer.write_batch(&rows.iter().map(|row| bytes(row.4)).collect::<Vec<_>>(), None, None)
                }
                _ => panic!("no such column"),
            }
            .expect("the values fit");
            column.close().expect("the column is whole");
        }
        group.close().expect("the group is whole");
    }
    writer.close().expect("the file is whole");
}

fn csv() -> String {
    let line = |at: usize| {
        let (clock, temp, count, on, state) = row(at);
        format!("{clock},{temp},{},{},{state}\n", count.map_or(String::new(), |count| count.to_string()), u8::from(on))
    };
    "clock,temp,count,on,state\n".to_owned() + &(0..ROWS).map(line).collect::<String>()
}

fn refusal(path: &Path, options: &ReadOptions) -> String {
    format!("{:#}", Frame::read_with(path, options).expect_err("a fault"))
}

#[test]
fn a_table_is_read_as_the_same_rows_of_text() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("rows.csv"), csv()).expect("the folder can be written");
    let fit = |path: PathBuf| {
        let job = Job { time: vec!["clock".into()], ..Job::new(path) };
        run(&job).expect("a fit")
    };
    let (_, expected) = fit(path("rows.csv"));
    let zstd = Compression::ZSTD(ZstdLevel::try_new(3).expect("a level"));
    for compression in [Compression::UNCOMPRESSED, Compression::SNAPPY, zstd] {
        write(&path("rows.parquet"), SCHEMA, compression);
        let (artefact, report) = fit(path("rows.parquet"));
        assert_eq!((report.valid_ll, report.columns), (expected.valid_ll, 4), "{compression}");
        let warnings: Vec<String> = report.warnings.iter().map(ToString::to_string).collect();
        assert!(warnings.iter().any(|warning| warning.contains("ahead at row 301")), "{warnings:?}");
        assert!(artefact.frame(&path("rows.parquet"), Header::Auto).expect("rows").rows() == ROWS);
    }
}

#[test]
fn what_is_no_table_of_readings_is_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("rows.parquet");
    let options = ReadOptions::default();
    write(&path, "message rows { required double temp; required binary raw; }", Compression::SNAPPY);
    let message = refusal(&path, &options);
    assert!(message.contains("row 1, column `raw`") && message.contains("leave the column out"), "{message}");
    write(&path, SCHEMA, Compression::SNAPPY);
    let limits = InputLimits { cells: 5 * ROWS - 1, ..InputLimits::DEFAULT };
    let message = refusal(&path, &ReadOptions { limits, ..ReadOptions::default() });
    assert!(message.contains("more than 2999 cells"), "{message}");
    let limits = InputLimits { bytes: 9000, ..InputLimits::DEFAULT };
    let message = refusal(&path, &ReadOptions { limits, ..ReadOptions::default() });
    assert!(message.contains("more than 9000 bytes"), "{message}");
    let whole = std::fs::read(&path).expect("it was written");
    for length in [4, 8, 100, whole.len() / 2, whole.len() - 1] {
        std::fs::write(&path, &whole[..length]).expect("the folder can be written");
        let message = refusal(&path, &options);
        assert!(message.contains("rows.parquet: cannot be read to the end as a Parquet file"), "{message}");
    }
    // Nothing is written into nested columns, because their names are refused before any row is read.
    let nested = "message rows { optional group pair { optional double x; } repeated double list; }";
    let schema = Arc::new(parse_message_type(nested).expect("a schema"));
    let file = std::fs::File::create(&path).expect("the folder can be written");
    SerializedFileWriter::new(file, schema, Arc::default()).and_then(|writer| writer.close()).expect("an empty table");
    let message = refusal(&path, &options);
    assert!(message.contains("found in `pair`, `list`") && message.contains("one column per reading"), "{message}");
}

/// A number as Thrift writes it, and a field with it.
fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number > 0x7F {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

fn number(step: u8, value: u64) -> Vec<u8> {
    [vec![step << 4 | 5], varint(2 * value)].concat()
}

fn text(step: u8, text: &str) -> Vec<u8> {
    [&[step << 4 | 8, text.len() as u8], text.as_bytes()].concat()
}

fn structure(step: u8, fields: &[Vec<u8>]) -> Vec<u8> {
    [&[step << 4 | 12], &fields.concat()[..], &[0]].concat()
}

/// A list of structures.
fn list(step: u8, items: &[Vec<u8>]) -> Vec<u8> {
    let count = varint(items.len() as u64);
    let items = items.iter().flat_map(|item| [&item[..], &[0]].concat()).collect();
    [vec![step << 4 | 9, 0xFC], count, items].concat()
}

/// The types of columns.
const INTEGER: u64 = 1;
const BINARY: u64 = 6;

/// Writes a table of one required column `x`, whose only group of 8 rows has these pages. `codec` is 0 for none and 1 for Snappy.
fn one_column(kind: u64, date: bool, codec: u64, pages: &[u8]) -> Vec<u8> {
    let size = pages.len() as u64;
    let mut column = [number(1, kind), number(2, 0), text(1, "x")].concat();
    if date {
        column.extend(number(2, 6));
    }
    let root = [text(4, "rows"), number(1, 1)].concat();
    let encodings = vec![0x19, 0x15, 0];
    let path = [&[0x19, 0x18][..], &[1], b"x"].concat();
    let chunk =
        [encodings, path, number(1, codec), number(1, 8), number(1, size), number(1, size), number(2, 4)].concat();
    let chunk = [number(2, 4), structure(1, &[number(1, kind), chunk])].concat();
    let group = [list(1, &[chunk]), number(1, size), number(1, 8)].concat();
    let footer = [number(1, 1), list(1, &[root, column]), number(1, 8), list(1, &[group]), vec![0]].concat();
    let length = (footer.len() as u32).to_le_bytes();
    [b"PAR1", pages, &footer, &length, b"PAR1"].concat()
}

/// A page with this header for its kind, and a body that it says takes so many bytes after decompression.
fn page(kind: u64, unpacked: u64, header: Vec<u8>, body: &[u8]) -> Vec<u8> {
    [number(1, kind), number(1, unpacked), number(1, body.len() as u64), header, vec![0], body.to_vec()].concat()
}

/// The header of a page of values with this encoding.
fn values(count: u64, encoding: u64) -> Vec<u8> {
    structure(2, &[number(1, count), number(1, encoding), number(1, 3), number(1, 3)])
}

/// Sizes and counts in a file take no memory, however large they are, and what the crate panics at is an error.
#[test]
fn what_a_file_says_of_itself_is_not_believed() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("rows.parquet");
    let read = |bytes: &[u8]| {
        std::fs::write(&path, bytes).expect("the folder can be written");
        Frame::read_with(&path, &ReadOptions::default())
    };
    let numbers: Vec<u8> = (0..8_u32).flat_map(u32::to_le_bytes).collect();
    let whole = one_column(INTEGER, false, 0, &page(0, 32, values(8, 0), &numbers));
    assert_eq!(read(&whole).expect("a table").rows(), 8, "the files below differ in what they say");
    let words = |count: u64| [vec![0x80, 1, 4], varint(count), vec![0, 0], vec![0; 200]].concat();
    let dictionary = |count: u64| structure(4, &[number(1, count), number(1, 0)]);
    let deep = {
        let elements: Vec<Vec<u8>> = (0..1 << 20).map(|_| [text(4, "g"), number(1, 1)].concat()).collect();
        let footer = [number(1, 1), list(1, &elements), number(1, 8), list(1, &[]), vec![0]].concat();
        let length = (footer.len() as u32).to_le_bytes();
        [b"PAR1", &footer[..], &length, b"PAR1"].concat()
    };
    let snappy = [vec![32, 31 << 2], numbers.clone()].concat();
    let last = (1 << 31) - 1;
    for (name, bytes, word) in [
        ("2 GiB", one_column(INTEGER, false, 1, &page(0, last, values(8, 0), &snappy)), "after decompression"),
        ("1 GiB", one_column(INTEGER, false, 1, &page(0, 1 << 30, values(8, 0), &snappy)), "cannot be read to the end"),
        ("values", one_column(INTEGER, false, 0, &page(0, 32, values(last, 0), &numbers)), "cannot be read to the end"),
        ("few", one_column(INTEGER, false, 0, &page(0, 32, values(9, 0), &numbers[..3])), "cannot be read to the end"),
        (
            "dictionary",
            one_column(BINARY, false, 0, &page(2, 32, dictionary(last), &numbers)),
            "cannot be read to the end",
        ),
        (
            "no dictionary",
            one_column(INTEGER, false, 0, &page(0, 32, values(8, 8), &numbers)),
            "cannot be read to the end",
        ),
        (
            "lengths",
            one_column(BINARY, false, 0, &page(0, 206, values(8, 6), &words(1 << 40))),
            "cannot be read to the end",
        ),
        (
            "prefixes",
            one_column(BINARY, false, 0, &page(0, 206, values(8, 7), &words(1 << 40))),
            "cannot be read to the end",
        ),
        (
            "suffixes",
            {
                let body = [words(8)[..10].to_vec(), words(1 << 40)].concat();
                one_column(BINARY, false, 0, &page(0, 216, values(8, 7), &body))
            },
            "cannot be read to the end",
        ),
        ("date", one_column(INTEGER, true, 0, &page(0, 32, values(8, 0), &[0x7F; 32])), "cannot be read to the end"),
        ("depth", deep, "found in the schema"),
    ] {
        let message = format!("{:#}", read(&bytes).expect_err(name));
        assert!(message.contains("rows.parquet: ") && message.contains(word), "{name}: {message}");
    }
    for text in [6, 7] {
        let body = [words(8)[..10].to_vec(), if text == 7 { words(8)[..10].to_vec() } else { Vec::new() }].concat();
        let bytes = one_column(BINARY, false, 0, &page(0, body.len() as u64, values(8, text), &body));
        assert_eq!(read(&bytes).expect("8 empty texts").rows(), 8, "encoding {text}");
    }
}
