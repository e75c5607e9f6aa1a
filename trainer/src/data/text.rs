//! Bytes to text: byte order marks, UTF-16, Windows-1252, and what is no text.

use std::borrow::Cow;
use std::path::Path;

use super::input::InputLimits;
use crate::error::{Error, Result};

/// Characters of Windows-1252 from 0x80 to 0x9F; the others are those of Latin-1. Zero marks bytes without a character.
const WINDOWS: [u16; 32] = [
    0x20AC, 0, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, 0, 0x017D, 0, 0,
    0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0, 0x017E, 0x0178,
];
/// Largest share of control characters, other than line breaks, tabs and NUL, in a text in UTF-8 and in one that is not.
const CONTROL: [f64; 2] = [0.1, 0.01];
/// Number of bytes at the start of a file that decide whether it is text.
const SAMPLE: usize = 64 << 10;

/// Converts the bytes of a file to text, and returns it with the name of the encoding if that is not UTF-8.
///
/// # Errors
/// [`Error::Input`] if the bytes are no text, or the text exceeds the limit.
pub(crate) fn decode(path: &Path, mut bytes: Vec<u8>, limits: &InputLimits) -> Result<(String, Option<&'static str>)> {
    let encoding = if bytes.starts_with(b"\xFF\xFE") {
        Some(u16::from_le_bytes as fn([u8; 2]) -> u16)
    } else if bytes.starts_with(b"\xFE\xFF") {
        Some(u16::from_be_bytes as fn([u8; 2]) -> u16)
    } else {
        utf16_without_mark(&bytes)
    };
    if let Some(unit) = encoding {
        return Ok((wide(path, &bytes, unit, limits)?, Some("UTF-16")));
    }
    if bytes.starts_with(b"\xEF\xBB\xBF") {
        bytes.drain(..3);
    }
    let sample = &bytes[..bytes.len().min(SAMPLE)];
    let is_control = |byte: &&u8| **byte < 0x20 && !b"\0\t\n\r\x0B\x0C\x1B\x1A".contains(byte);
    let control = sample.iter().filter(is_control).count();
    let is_unicode = sample.utf8_chunks().all(|chunk| chunk.invalid().is_empty());
    if control as f64 > CONTROL[usize::from(!is_unicode)] * sample.len() as f64 {
        let message = "is a binary file of an unknown kind; pass rows as CSV, or a signal as .npy or .wav";
        return Err(Error::input(path, message));
    }
    // NUL bytes of a lost buffer are valid UTF-8, and are found line by line.
    match String::from_utf8(bytes) {
        Ok(text) => Ok((text, None)),
        Err(error) => {
            let bytes = error.as_bytes();
            check_size(path, bytes.len() + bytes.iter().filter(|byte| !byte.is_ascii()).count() * 2, limits)?;
            Ok((windows_1252(bytes).into_owned(), Some("Windows-1252 (Latin-1)")))
        }
    }
}

fn windows_1252(bytes: &[u8]) -> Cow<'_, str> {
    let character = |&byte: &u8| match byte {
        0x80..=0x9F => match WINDOWS[usize::from(byte - 0x80)] {
            0 => char::REPLACEMENT_CHARACTER,
            code => char::from_u32(code.into()).unwrap_or(char::REPLACEMENT_CHARACTER),
        },
        _ => char::from(byte),
    };
    bytes.iter().map(character).collect::<String>().into()
}

/// Returns the byte order if the bytes are Latin text in UTF-16 without a byte order mark: every second byte is NUL.
fn utf16_without_mark(bytes: &[u8]) -> Option<fn([u8; 2]) -> u16> {
    let sample = &bytes[..bytes.len().min(512) & !1];
    let share = |at: usize| {
        let nuls = sample.chunks_exact(2).filter(|pair| pair[at] == 0 && pair[1 - at] != 0).count();
        sample.len() >= 16 && nuls as f64 > 0.45 * sample.len() as f64
    };
    match (share(0), share(1)) {
        (true, _) => Some(u16::from_be_bytes),
        (_, true) => Some(u16::from_le_bytes),
        _ => None,
    }
}

/// Decodes UTF-16 without a byte order mark at the start. An odd last byte, of a file that is cut short, is left out.
fn wide(path: &Path, bytes: &[u8], unit: fn([u8; 2]) -> u16, limits: &InputLimits) -> Result<String> {
    let units = bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
    let mut text = String::with_capacity(bytes.len() / 2);
    for character in char::decode_utf16(units) {
        match character.unwrap_or(char::REPLACEMENT_CHARACTER) {
            '\u{feff}' if text.is_empty() => {}
            character => text.push(character),
        }
    }
    check_size(path, text.len(), limits)?;
    Ok(text)
}

fn check_size(path: &Path, bytes: usize, limits: &InputLimits) -> Result<()> {
    if bytes as u64 <= limits.bytes.saturating_sub(limits.bytes_before) {
        return Ok(());
    }
    let limit = super::input::Bytes(limits.bytes);
    Err(Error::input(
        path,
        format!("more than {limit} as UTF-8, the limit for all files together; supply fewer or smaller files"),
    ))
}
