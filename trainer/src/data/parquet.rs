//! Tables in Parquet files, read row by row without Arrow.

use std::collections::HashMap;
use std::path::Path;

use bytes::Bytes;
use parquet::basic::{ConvertedType, Repetition};
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use parquet::schema::types::TypePtr;

use super::header::column_names;
use super::options::ReadOptions;
use super::{Cells, Frame, FrameColumn, Texts, checksum};
use crate::error::{Error, Result};
use crate::observer::{Event, Observer};

/// Number of rows per step of progress.
const STEP: usize = 1 << 16;
/// Largest number of columns that a message names.
const NAMED: usize = 20;

/// Reads the table of a Parquet file. Nulls are missing readings, and times are numbers or texts that `--time` reads.
///
/// # Errors
/// [`Error::Input`] if the file is damaged, exceeds the limits, or has columns that are nested or binary.
pub(super) fn table(path: &Path, bytes: Vec<u8>, options: &ReadOptions, observer: &dyn Observer) -> Result<Frame> {
    let limits = &options.limits;
    let damaged = |error: ParquetError| {
        let message = "cannot be read to the end as a Parquet file; copy the whole file, or convert it to CSV";
        Error::input(path, message).caused_by(error)
    };
    let (digest, length) = (checksum(&bytes), bytes.len());
    let reader = SerializedFileReader::new(Bytes::from(bytes)).map_err(damaged)?;
    let metadata = reader.metadata();
    let fields = metadata.file_metadata().schema().get_fields();
    // The crate panics at intervals.
    let is_unread = |field: &TypePtr| {
        let info = field.get_basic_info();
        let is_nested = field.is_group() || info.repetition() == Repetition::REPEATED;
        is_nested || matches!(info.converted_type(), ConvertedType::INTERVAL | ConvertedType::BSON)
    };
    let unread = fields.iter().filter(|field| is_unread(field)).map(|field| field.name());
    let unread: Vec<&str> = unread.take(NAMED).collect();
    if !unread.is_empty() {
        let message = format!(
            "lists, maps, structures, BSON and intervals are no readings, found in `{}`; write these columns as one column \
             per reading, or leave them out of the file",
            unread.join("`, `")
        );
        return Err(Error::input(path, message));
    }
    limits.check_columns(path, fields.len())?;
    let rows = usize::try_from(metadata.file_metadata().num_rows()).unwrap_or(0);
    limits.check_cells(path, rows, fields.len())?;
    let sizes = metadata.row_groups().iter().map(|group| group.total_byte_size().unsigned_abs());
    limits.check_bytes(path, sizes.fold(0, u64::saturating_add))?;
    if rows == 0 || fields.is_empty() {
        return Err(Error::input(path, "no rows; expected a table of readings"));
    }
    let names: Vec<String> = fields.iter().map(|field| field.name().trim().to_owned()).collect();
    let names = column_names(Some(&names), fields.len()).0;
    let mut columns: Vec<(Texts, HashMap<String, u32>)> = Vec::new();
    columns.resize_with(fields.len(), Default::default);
    observer.event(Event::Stage { name: &format!("reading {}", path.display()), steps: rows / STEP });
    let mut count = 0;
    for row in reader.get_row_iter(None).map_err(damaged)? {
        let row = row.map_err(damaged)?;
        count += 1;
        limits.check_cells(path, count, fields.len())?;
        for (at, (_, field)) in row.get_column_iter().enumerate() {
            let Some((texts, codes)) = columns.get_mut(at) else { break };
            let text = text(field).ok_or_else(|| {
                let message = "bytes that are no text are no reading; leave the column out of the file";
                Error::input(path, message).at("row", count as u64).column(&names[at])
            })?;
            texts.push(text.trim(), codes);
        }
        if count.is_multiple_of(STEP) {
            observer.event(Event::Step);
        }
    }
    let columns = columns.into_iter().zip(names);
    let column = |((texts, _), name): ((Texts, _), String)| FrameColumn { name, cells: Cells::Text(texts) };
    Ok(Frame {
        path: path.to_owned(),
        columns: columns.map(column).collect(),
        lines: (1..=count as u64).collect(),
        unit: "row",
        digest,
        bytes: length,
        ..Frame::default()
    })
}

/// Returns the text of a cell, as a file of text has it, or `None` for bytes that are no text. A time since 1970 is a whole number in the
/// unit of its column.
fn text(field: &Field) -> Option<String> {
    Some(match field {
        Field::Null => String::new(),
        Field::Bool(bit) => u8::from(*bit).to_string(),
        Field::Float16(number) => number.to_f32().to_string(),
        Field::Float(number) => number.to_string(),
        Field::Double(number) => number.to_string(),
        Field::Str(text) => text.clone(),
        Field::TimestampMillis(time) | Field::TimestampMicros(time) => time.to_string(),
        // Some writers do not mark texts.
        Field::Bytes(bytes) => String::from_utf8(bytes.data().to_vec()).ok()?,
        Field::Group(_) | Field::ListInternal(_) | Field::MapInternal(_) => return None,
        // Whole numbers, decimals, dates and times of day.
        other => other.to_string(),
    })
}
