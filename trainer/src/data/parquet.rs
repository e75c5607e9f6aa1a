//! Tables in Parquet files, read row by row without Arrow.

use std::cell::Cell;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::path::Path;
use std::sync::Once;

use bytes::Bytes;
use parquet::basic::{ConvertedType, Repetition};
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use parquet::record::reader::RowIter;
use parquet::schema::types::TypePtr;

use super::header::column_names;
use super::options::ReadOptions;
use super::{Cells, Frame, FrameColumn, Texts, checksum};
use crate::error::{Error, Result};
use crate::observer::{Event, Observer};

mod pages;
mod thrift;

use pages::{Group, unpacked};

/// Number of rows per step of progress.
const STEP: usize = 1 << 16;
/// Largest number of columns that a message names.
const NAMED: usize = 20;
/// Largest number of structures in a schema that the crate reads, because it reads nested ones by recursion.
const NESTED: usize = 64;

/// Calls the crate, which panics at some damaged files, and turns a panic into an error without a word on standard error.
fn guarded<T>(call: impl FnOnce() -> parquet::errors::Result<T>) -> parquet::errors::Result<T> {
    thread_local!(static IS_GUARDED: Cell<bool> = const { Cell::new(false) });
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |panic| {
            if !IS_GUARDED.get() {
                before(panic);
            }
        }));
    });
    IS_GUARDED.set(true);
    let result = catch_unwind(AssertUnwindSafe(call));
    IS_GUARDED.set(false);
    result.unwrap_or_else(|_| Err(contradiction()))
}

fn contradiction() -> ParquetError {
    ParquetError::General("the file contradicts itself".into())
}

/// Returns the number of structures in the schema at the end of a file, with the root, or `None` if it is damaged.
fn structures(file: &[u8]) -> Option<usize> {
    let (rest, length) = file.split_last_chunk::<8>()?;
    let length = u32::from_le_bytes(*length.first_chunk()?) as usize;
    let mut footer = rest.get(rest.len().checked_sub(length)?..)?;
    let mut count = 0;
    // The second field holds the schema, and the fifth of each element its number of children.
    thrift::read(&mut footer, &mut |of, id, children| count += usize::from((of, id) == (2, 5) && children > 0))?;
    Some(count)
}

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
    let nested = |names: &str| {
        let message = format!(
            "lists, maps, structures, BSON and intervals are no readings, found in {names}; write these columns as one column per \
             reading, or leave them out of the file"
        );
        Error::input(path, message)
    };
    if structures(&bytes).ok_or_else(|| damaged(contradiction()))? > NESTED {
        return Err(nested("the schema"));
    }
    let bytes = Bytes::from(bytes);
    let reader = guarded(|| SerializedFileReader::new(bytes.clone())).map_err(damaged)?;
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
        return Err(nested(&format!("`{}`", unread.join("`, `"))));
    }
    limits.check_columns(path, fields.len())?;
    let rows = usize::try_from(metadata.file_metadata().num_rows()).unwrap_or(0);
    limits.check_cells(path, rows, fields.len())?;
    let mut size = 0;
    for column in metadata.row_groups().iter().flat_map(|group| group.columns()) {
        size += unpacked(&bytes, column).ok_or_else(|| damaged(contradiction()))?;
        limits.check_bytes(path, size)?;
    }
    if rows == 0 || fields.is_empty() {
        return Err(Error::input(path, "no rows; expected a table of readings"));
    }
    let names: Vec<String> = fields.iter().map(|field| field.name().trim().to_owned()).collect();
    let names = column_names(Some(&names), fields.len()).0;
    let mut columns: Vec<(Texts, HashMap<String, u32>)> = Vec::new();
    columns.resize_with(fields.len(), Default::default);
    observer.event(Event::Stage { name: &format!("reading {}", path.display()), steps: rows / STEP });
    let mut count = 0;
    for metadata in metadata.row_groups() {
        let group = Group { file: &bytes, metadata, most: limits.cells };
        let mut rows = guarded(|| RowIter::from_row_group(None, &group)).map_err(damaged)?;
        let mut next = || {
            let Some(row) = rows.next().transpose()? else { return Ok(None) };
            Ok(Some(row.get_column_iter().map(|(_, field)| text(field)).collect::<Vec<_>>()))
        };
        while let Some(row) = guarded(&mut next).map_err(damaged)? {
            count += 1;
            limits.check_cells(path, count, fields.len())?;
            for (at, (text, (texts, codes))) in row.into_iter().zip(&mut columns).enumerate() {
                let text = text.ok_or_else(|| {
                    let message = "bytes that are no text are no reading; leave the column out of the file";
                    Error::input(path, message).at("row", count as u64).column(&names[at])
                })?;
                texts.push(text.trim(), codes);
            }
            if count.is_multiple_of(STEP) {
                observer.event(Event::Step);
            }
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
