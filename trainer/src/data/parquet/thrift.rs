//! The compact protocol of Thrift, in which Parquet writes its headers, as far as numbers in structures go.

/// Largest depth of structures and lists.
const DEEPEST: usize = 16;
/// Kinds of fields.
const TRUE: u8 = 1;
const FALSE: u8 = 2;
const BYTE: u8 = 3;
const NUMBERS: std::ops::RangeInclusive<u8> = 4..=6;
const DOUBLE: u8 = 7;
const BINARY: u8 = 8;
const LIST: u8 = 9;
const SET: u8 = 10;
const STRUCT: u8 = 12;

/// Takes a structure from the start of `bytes`, and passes on (identifier of the field that holds the structure, or 0;
/// identifier of a field in it; its value) for each number and flag in it. Returns `None` if the bytes are none.
pub(super) fn read(bytes: &mut &[u8], number: &mut impl FnMut(i16, i16, i64)) -> Option<()> {
    structure(bytes, 0, 0, number)
}

fn structure(bytes: &mut &[u8], parent: i16, depth: usize, number: &mut impl FnMut(i16, i16, i64)) -> Option<()> {
    let mut last: i16 = 0;
    loop {
        let head = byte(bytes)?;
        if head & 15 == 0 {
            return Some(());
        }
        let id = match head >> 4 {
            0 => i16::try_from(zigzag(bytes)?).ok()?,
            more => last.checked_add(more.into())?,
        };
        // A field that comes twice would have two values.
        last = (id > last).then_some(id)?;
        match head & 15 {
            kind @ (TRUE | FALSE) => number(parent, id, i64::from(kind == TRUE)),
            kind if NUMBERS.contains(&kind) => number(parent, id, zigzag(bytes)?),
            kind => skip(bytes, kind, id, depth, number)?,
        }
    }
}

/// Takes a value that is no number of a structure.
fn skip(bytes: &mut &[u8], kind: u8, id: i16, depth: usize, number: &mut impl FnMut(i16, i16, i64)) -> Option<()> {
    if depth > DEEPEST {
        return None;
    }
    match kind {
        TRUE | FALSE | BYTE => _ = byte(bytes)?,
        DOUBLE => *bytes = bytes.get(8..)?,
        BINARY => {
            let length = usize::try_from(varint(bytes)?).ok()?;
            *bytes = bytes.get(length..)?;
        }
        LIST | SET => {
            let head = byte(bytes)?;
            let count = if head >> 4 == 15 { varint(bytes)? } else { u64::from(head >> 4) };
            (0..count).try_for_each(|_| skip(bytes, head & 15, id, depth + 1, number))?;
        }
        STRUCT => structure(bytes, id, depth + 1, number)?,
        kind if NUMBERS.contains(&kind) => _ = varint(bytes)?,
        _ => return None,
    }
    Some(())
}

fn byte(bytes: &mut &[u8]) -> Option<u8> {
    let (&first, rest) = bytes.split_first()?;
    *bytes = rest;
    Some(first)
}

pub(super) fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..=63).step_by(7) {
        let next = byte(bytes)?;
        value |= u64::from(next & 0x7F) << shift;
        if next & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn zigzag(bytes: &mut &[u8]) -> Option<i64> {
    let value = varint(bytes)?;
    Some((value >> 1) as i64 ^ -((value & 1) as i64))
}
