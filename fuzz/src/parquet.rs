//! Tables in Parquet files, for the feature `parquet`.

use std::path::Path;
use std::sync::Arc;

use parquet::basic::{Compression, Encoding, Type, ZstdLevel};
use parquet::column::writer::ColumnWriter;
use parquet::data_type::{ByteArray, FixedLenByteArray, Int96};
use parquet::file::properties::{WriterProperties, WriterVersion};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::{ColumnDescriptor, SchemaDescriptor};
use surprisal_trainer::data::Frame;

use super::{options, use_frame};

/// Tables in Parquet files.
pub fn parquet(input: &[u8]) {
    let (options, _, content) = options(input);
    // Other files have targets of their own.
    if !content.starts_with(b"PAR1") {
        return;
    }
    if let Ok(frame) = Frame::from_bytes(Path::new("rows.parquet"), content.to_vec(), &options) {
        use_frame(frame, &options);
    }
}

/// Returns small tables with columns of all types, in each compression and encoding.
pub fn tables() -> Vec<Vec<u8>> {
    const NUMBERS: &str = "message rows { required int64 clock (TIMESTAMP(MILLIS, true)); optional double x; required float y; \
                           optional int32 count; required boolean on; optional int32 small (INTEGER(8, true)); }";
    const OTHERS: &str = "message rows { optional binary state (UTF8); required int32 day (DATE); optional int32 time \
                          (TIME(MILLIS, true)); required int96 old; optional fixed_len_byte_array(5) sum (DECIMAL(10, 2)); required \
                          int64 price (DECIMAL(12, 3)); required binary plain; required fixed_len_byte_array(2) half (FLOAT16); }";
    let zstd = Compression::ZSTD(ZstdLevel::try_new(3).expect("a level"));
    let forms = [
        (Compression::UNCOMPRESSED, None),
        (Compression::SNAPPY, Some(Encoding::PLAIN)),
        (zstd, None),
        (Compression::SNAPPY, Some(Encoding::DELTA_BYTE_ARRAY)),
        (Compression::UNCOMPRESSED, Some(Encoding::DELTA_LENGTH_BYTE_ARRAY)),
        (Compression::UNCOMPRESSED, Some(Encoding::DELTA_BINARY_PACKED)),
        (Compression::UNCOMPRESSED, Some(Encoding::BYTE_STREAM_SPLIT)),
    ];
    let schemas = [NUMBERS, OTHERS].into_iter();
    let versions = [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0];
    let all = schemas.flat_map(|schema| versions.map(|version| (schema, version)));
    all.flat_map(|(schema, version)| forms.map(|(by, encoding)| table(schema, version, by, encoding))).collect()
}

/// Returns whether columns of a type can have an encoding; others keep that of the writer.
fn takes(kind: Type, encoding: Encoding) -> bool {
    match encoding {
        Encoding::DELTA_BYTE_ARRAY => matches!(kind, Type::BYTE_ARRAY | Type::FIXED_LEN_BYTE_ARRAY),
        Encoding::DELTA_LENGTH_BYTE_ARRAY => kind == Type::BYTE_ARRAY,
        Encoding::DELTA_BINARY_PACKED => matches!(kind, Type::INT32 | Type::INT64),
        Encoding::BYTE_STREAM_SPLIT => matches!(kind, Type::FLOAT | Type::DOUBLE),
        _ => true,
    }
}

fn table(schema: &str, version: WriterVersion, by: Compression, encoding: Option<Encoding>) -> Vec<u8> {
    let schema = Arc::new(parse_message_type(schema).expect("a schema"));
    let columns = SchemaDescriptor::new(schema.clone());
    let mut properties = WriterProperties::builder().set_compression(by).set_writer_version(version);
    for (column, encoding) in columns.columns().iter().flat_map(|column| encoding.map(|encoding| (column, encoding))) {
        if takes(column.physical_type(), encoding) {
            let path = column.path().clone();
            properties =
                properties.set_column_dictionary_enabled(path.clone(), false).set_column_encoding(path, encoding);
        }
    }
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties.build())).expect("a header");
    for from in [0, 20] {
        let mut group = writer.next_row_group().expect("a group");
        for descriptor in columns.columns() {
            let mut column = group.next_column().expect("a column").expect("as many as in the schema");
            fill(column.untyped(), descriptor, from..from + 20);
            column.close().expect("a whole column");
        }
        group.close().expect("a whole group");
    }
    writer.into_inner().expect("a whole table")
}

/// Writes a value for each row; in optional columns, every seventh is missing.
fn fill(column: &mut ColumnWriter, descriptor: &ColumnDescriptor, rows: std::ops::Range<i64>) {
    let is_optional = descriptor.max_def_level() > 0;
    let levels: Vec<i16> = rows.clone().map(|row| i16::from(row % 7 != 3)).collect();
    let kept: Vec<i64> = rows.filter(|row| !is_optional || row % 7 != 3).collect();
    let levels = is_optional.then_some(&levels[..]);
    macro_rules! write {
        ($writer:ident, $value:expr) => {
            $writer.write_batch(&kept.iter().map($value).collect::<Vec<_>>(), levels, None)
        };
    }
    let fixed = |row: &i64, length: usize| FixedLenByteArray::from((row * 300).to_be_bytes()[8 - length..].to_vec());
    match column {
        ColumnWriter::BoolColumnWriter(writer) => write!(writer, |row| row % 2 == 0),
        ColumnWriter::Int32ColumnWriter(writer) => write!(writer, |row| (row * 37 % 100) as i32),
        ColumnWriter::Int64ColumnWriter(writer) => write!(writer, |row| 1_700_000_000_000 + 1000 * row),
        ColumnWriter::Int96ColumnWriter(writer) => write!(writer, |row| Int96::from(vec![*row as u32, 0, 2_440_588])),
        ColumnWriter::FloatColumnWriter(writer) => write!(writer, |row| *row as f32 / 8.0),
        ColumnWriter::DoubleColumnWriter(writer) => write!(writer, |row| *row as f64 / 10.0),
        ColumnWriter::ByteArrayColumnWriter(writer) => {
            write!(writer, |row| ByteArray::from(["low", "lower", "lowest"][*row as usize % 3]))
        }
        ColumnWriter::FixedLenByteArrayColumnWriter(writer) => {
            let length = descriptor.type_length() as usize;
            write!(writer, |row| fixed(row, length))
        }
    }
    .expect("the values fit");
}
