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
    (1_700_000_000_000 + 1000 * at as i64 + gap, 20.0 + noise as f64 / 1e6, count, at % 3 == 0, state)
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
