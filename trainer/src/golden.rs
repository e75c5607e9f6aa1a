//! Golden rows, by which a device tests itself, and the fingerprint of the columns of a row.

use surprisal::{Fingerprint, Kind, Reading, RowSchema};

use crate::artefact::Artefact;
use crate::data::checksum;
use crate::error::{Error, Result};
use crate::schema::{ColumnEncoding, Schema};
use crate::{with_shape, with_views};

/// Golden rows take at most one byte in this many of the flash, unless that is less than one row.
const FLASH_SHARE: usize = 32;
/// The bit of a reading's kind that says that it was missing in training.
const MAY_MISS: u8 = 128;

/// Returns the code of a column's kind, as `docs/format.md` lists it.
fn kind(encoding: &ColumnEncoding) -> u8 {
    match encoding.kind {
        Kind::Flag { .. } => 0,
        Kind::Integer => 2,
        Kind::Real => 3,
        _ => 4,
    }
}

/// Returns the fingerprint of the readings that firmware passes in: their names, kinds, codes and order.
///
/// `docs/format.md` gives the formula.
pub fn fingerprint(schema: &Schema) -> Fingerprint {
    let mut bytes = Vec::new();
    let text = |bytes: &mut Vec<u8>, text: &str| {
        bytes.extend((text.len() as u32).to_le_bytes());
        bytes.extend(text.as_bytes());
    };
    for encoding in schema.readings_of_a_row() {
        text(&mut bytes, schema.name(encoding));
        bytes.push(kind(encoding));
        if kind(encoding) == 4 {
            let codes = encoding.codes();
            bytes.extend((codes.len() as u32).to_le_bytes());
            for (code, label) in codes {
                bytes.extend(code.to_le_bytes());
                text(&mut bytes, label);
            }
        }
    }
    Fingerprint::new(checksum(&bytes).max(1))
}

/// Returns the number of golden rows of a table of this many readings. Wide rows have fewer, and so have tables of few bytes
/// of flash, so that golden rows stay a small part of a table.
fn count(readings: usize, flash: Option<usize>) -> usize {
    let most = match readings {
        0 => return 0,
        1..=16 => 4,
        17..=64 => 2,
        _ => 1,
    };
    flash.map_or(most, |flash| (flash / FLASH_SHARE / row_bytes(readings)).clamp(1, most))
}

/// Returns the number of bytes of a golden row.
fn row_bytes(readings: usize) -> usize {
    4 * (readings + 2)
}

/// Returns the number of bytes that the schema of a row and its golden rows add to a table.
pub fn bytes(readings: usize, flash: Option<usize>) -> usize {
    readings.next_multiple_of(4) + count(readings, flash) * row_bytes(readings)
}

/// Returns the number of bytes that more golden rows take in a table with a larger limit of flash.
pub fn spare(readings: usize, flash: Option<usize>) -> usize {
    bytes(readings, None) - bytes(readings, flash)
}

/// Checks the size of a complete file of a model of this many readings against a limit of flash, in bytes.
///
/// # Errors
/// [`Error::Option`] if the file is larger; the message names a limit that is enough.
pub fn check_flash(file_bytes: usize, readings: usize, flash: Option<usize>) -> Result<()> {
    if flash.is_none_or(|flash| file_bytes <= flash) {
        return Ok(());
    }
    let enough = file_bytes + spare(readings, flash);
    Err(Error::option("--flash", format!("the file takes {file_bytes} bytes; pass at least --flash {enough}")))
}

/// Returns the artefact with the schema of its rows, and golden rows that are chosen among `rows` (`[row][source]`): a row
/// far out of range with one reading missing, and those with the middle, the largest and the smallest anomaly score. A
/// limit of flash, in bytes, leaves room for fewer.
///
/// # Errors
/// [`Error::Encode`] if a reading does not fit its column.
pub fn with_golden_rows(artefact: &Artefact, rows: &[Vec<Reading>], flash: Option<usize>) -> Result<Artefact> {
    let mut columns: Vec<&ColumnEncoding> = artefact.schema.columns.iter().collect();
    columns.sort_by_key(|encoding| encoding.source);
    let kinds: Vec<u8> =
        columns.iter().map(|encoding| kind(encoding) | if encoding.may_miss { MAY_MISS } else { 0 }).collect();
    let mut golden = chosen(artefact, rows)?;
    golden.truncate(count(kinds.len(), flash));
    let scores = artefact.scores(&golden)?;
    let words: Vec<u32> = golden
        .iter()
        .flat_map(|row| kinds.iter().zip(row).map(|(&kind, &reading)| RowSchema::word(kind, reading)))
        .collect();
    let scores: Vec<[u32; 2]> = scores.iter().map(|score| [score.nats.raw(), score.anomaly.raw()]).collect();
    let schema = RowSchema {
        fingerprint: fingerprint(&artefact.schema),
        kinds: &kinds,
        golden_readings: &words,
        golden_scores: &scores,
    };
    let mut bytes = Vec::new();
    let sink = |piece: &[u8]| bytes.extend_from_slice(piece);
    match artefact.shape.views {
        0 => with_shape!(artefact.shape, N, H, K => artefact.table::<N, H, K>()?.with_schema(schema).write(sink)),
        _ => with_views!(artefact.shape, C, V => {
            artefact.view_table::<C, V>()?.with_schema(schema).write(sink)
        }),
    }
    artefact.with_table(&bytes)
}

/// Returns the golden rows, the most telling first.
fn chosen(artefact: &Artefact, rows: &[Vec<Reading>]) -> Result<Vec<Vec<Reading>>> {
    // The smallest integer stands for a missing reading in a golden row.
    let mut order: Vec<usize> =
        (0..rows.len()).filter(|&row| !rows[row].contains(&Reading::Integer(i32::MIN))).collect();
    let scores = artefact.scores(rows)?;
    order.sort_by_key(|&row| scores[row].anomaly);
    let (Some(&first), Some(&last)) = (order.first(), order.last()) else { return Ok(Vec::new()) };
    let middle = order[order.len() / 2];
    let mut far = rows[middle].clone();
    for encoding in artefact.schema.columns.iter().filter(|encoding| encoding.is_number()) {
        let slot = &mut far[usize::from(encoding.source)];
        *slot = match *slot {
            Reading::Integer(value) => Reading::Integer(value.saturating_mul(3).saturating_add(1000)),
            Reading::Real(value) => Reading::Real((value * 3.0 + 1000.0).clamp(f32::MIN, f32::MAX)),
            missing => missing,
        };
    }
    if far.len() > 1
        && let Some(slot) = far.first_mut()
    {
        *slot = Reading::Missing;
    }
    let mut golden = vec![far];
    for row in [middle, last, first] {
        if !golden.contains(&rows[row]) {
            golden.push(rows[row].clone());
        }
    }
    Ok(golden)
}

/// Returns the golden rows of a table: `[row][source]`.
pub(crate) fn golden_rows(artefact: &Artefact) -> Result<Vec<Vec<Reading>>> {
    let decoded = |schema: RowSchema| -> Vec<Vec<Reading>> {
        let reading = |(&kind, &word)| match RowSchema::reading(kind, word) {
            Reading::Real(value) if value.is_nan() => Reading::Missing,
            reading => reading,
        };
        let rows = schema.golden_readings.chunks_exact(schema.kinds.len().max(1));
        rows.map(|words| schema.kinds.iter().zip(words).map(reading).collect()).collect()
    };
    Ok(match artefact.shape.views {
        0 => with_shape!(artefact.shape, N, H, K => decoded(artefact.table::<N, H, K>()?.schema)),
        _ => with_views!(artefact.shape, C, V => decoded(artefact.view_table::<C, V>()?.schema)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A larger limit has room for more golden rows, which the limit that is named counts in.
    #[test]
    fn the_limit_that_is_named_is_enough() {
        let size = |flash| 900 + bytes(5, Some(flash));
        for flash in 0..size(0) {
            let message = check_flash(size(flash), 5, Some(flash)).unwrap_err().to_string();
            let enough: usize = message.rsplit(' ').next().unwrap().parse().unwrap();
            check_flash(size(enough), 5, Some(enough)).unwrap();
        }
    }
}
