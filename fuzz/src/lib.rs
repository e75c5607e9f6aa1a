//! The fuzz targets as functions of an input, and what they share: files on disk, options drawn from the input, and the steps
//! that follow reading. The tests of the trainer include this file and run each target for a short time.

use std::path::Path;

use surprisal_trainer::data::input::InputLimits;
use surprisal_trainer::data::{Decimal, Frame, Header, ReadOptions, Separator, checksum};
use surprisal_trainer::schema::{Schema, SchemaOptions, without_bad_rows};
use surprisal_trainer::windows::Windows;

mod models;
mod packets;
#[cfg(feature = "parquet")]
mod parquet;
mod readers;
pub mod seeds;
mod tables;
mod updates;

#[cfg(feature = "parquet")]
pub use self::parquet::parquet;
pub use models::models;
pub use packets::packets;
pub use readers::{arrays, compressed, logs, rows, schemas, sounds};
pub use tables::tables;
pub use updates::updates;

/// Number of bytes at the start of an input that [`options`] takes.
pub const OPTION_BYTES: usize = 4;

/// Limits that a file of at most 64 KiB exceeds only by decompression or by false headers. Memory is then bounded far
/// below the limit of the fuzzer.
pub const LIMITS: InputLimits =
    InputLimits { bytes: 8 << 20, row_bytes: 1 << 20, columns: 1 << 12, cells: 1 << 20, ..InputLimits::DEFAULT };

/// Writes the bytes to a file with this suffix in the folder for temporary files, and passes its path on.
pub fn with_file(suffix: &str, bytes: &[u8], read: impl FnOnce(&Path)) {
    let owner = format!("{}-{:?}", std::process::id(), std::thread::current().id());
    let path = std::env::temp_dir().join(format!("surprisal-fuzz-{owner}{suffix}"));
    std::fs::write(&path, bytes).expect("the folder for temporary files can be written to; TMPDIR names another");
    read(&path);
    let _ = std::fs::remove_file(&path);
}

/// Splits an input into the options for reading a file, the windows of a signal, and the content of the file.
pub fn options(input: &[u8]) -> (ReadOptions, Option<Windows>, &[u8]) {
    let Some((&[dialect, lines, codes, signal], content)) = input.split_first_chunk::<OPTION_BYTES>() else {
        return (ReadOptions { limits: LIMITS, ..ReadOptions::default() }, None, input);
    };
    let separators = [Separator::Comma, Separator::Semicolon, Separator::Tab, Separator::Pipe, Separator::Spaces];
    let mut options = ReadOptions {
        header: [Header::Auto, Header::Yes, Header::No, Header::Auto][usize::from(dialect & 3)],
        separator: separators.get(usize::from(dialect >> 2 & 7).wrapping_sub(1)).copied(),
        decimal: [None, Some(Decimal::Comma), Some(Decimal::Point), None][usize::from(dialect >> 5 & 3)],
        skip: usize::from(lines & 15).checked_sub(1),
        skip_bad: [0, 1, 20, usize::MAX][usize::from(lines >> 4 & 3)],
        limits: LIMITS,
        ..ReadOptions::default()
    };
    for (bit, code) in ["-999", "x0=Bad", "a=-1", "==", "1e3"].into_iter().enumerate() {
        if codes >> bit & 1 == 1 {
            options.missing.add(code);
        }
    }
    options.label = (codes & 32 != 0).then(|| "fault".into());
    if codes & 64 != 0 {
        options.channels_left_out.push("x0".into());
    }
    options.channels_kept = (codes & 128 != 0).then(Vec::new);
    let (window, hop, bands) = (usize::from(signal & 15) + 2, usize::from(signal >> 4 & 3) + 1, signal.into());
    (options, (signal & 64 != 0).then(|| Windows::new(window, hop, bands, None).ok()).flatten(), content)
}

/// Takes a frame through the steps that `schema`, `fit` and `score` take before the fit. Errors are fine, panics are
/// not.
pub fn use_frame(frame: Frame, options: &ReadOptions) {
    let _ = Schema::describe(&frame, &[], &options.missing);
    for keep_constant in [false, true] {
        let settings = SchemaOptions { keep_constant, ..SchemaOptions::default() };
        let Ok(frame) = without_bad_rows(frame.clone(), &settings, options.skip_bad) else { continue };
        let rows: Vec<usize> = (0..frame.rows()).collect();
        if let Ok(schema) = Schema::find(&frame, &rows, &settings) {
            let _ = schema.warnings(&frame, &rows);
            let _ = schema.unknown_texts(&frame, &rows);
            let _ = schema.all_readings(&frame, &rows).and_then(|readings| schema.encode(&readings));
        }
    }
}

/// Returns the file with the length of its notes and both checksums corrected, or `None` if it has no place for them.
pub fn repaired(input: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = input.to_vec();
    let length = u32::from_le_bytes(bytes.get(8..12)?.try_into().ok()?) as usize;
    let (table, notes) = (checksum(bytes.get(16..length)?), bytes.get(length.checked_add(8)?..)?.to_vec());
    bytes[12..16].copy_from_slice(&table.to_le_bytes());
    bytes[length..length + 4].copy_from_slice(&(notes.len() as u32).to_le_bytes());
    bytes[length + 4..length + 8].copy_from_slice(&checksum(&notes).to_le_bytes());
    Some(bytes)
}
