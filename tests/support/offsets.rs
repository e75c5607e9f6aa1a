//! Offsets of a machine, which host and boards find alike.

use surprisal::{Offsets, Reading, ViewTable};

/// The number of readings of the shuttle data.
const R: usize = 9;
/// The constants that the second machine adds to its readings.
const ADDED: [i32; R] = [0, 0, 12, 0, -9, 0, 0, 7, 0];

/// Adds the constants to rows, and returns the offsets that a table of views finds in them. Small boards have no room for the same
/// search over a table of bits as well, nor for the code that prints real numbers.
pub fn found<const C: usize>(table: &ViewTable<C, 2>, rows: impl Iterator<Item = [Reading; R]>) -> [i32; R] {
    let added = Offsets { each: ADDED.map(Reading::Integer) };
    let mut second = [[Reading::Missing; R]; 24];
    second.iter_mut().zip(rows).for_each(|(row, own)| {
        *row = core::array::from_fn(|column| added.restore(column as u16, own[column]));
    });
    let mut pauses = 0;
    let offsets = table.offsets(&second, || pauses += 1).expect("golden rows are of the training columns");
    assert!(pauses > 0 && pauses % second.len() == 0);
    let mut stored = [0; Offsets::<R>::BYTES];
    assert!(offsets.write(&table.detector, &mut stored).is_some());
    assert!(Offsets::from_bytes(&stored, &table.detector) == Ok(offsets));
    offsets.each.map(|offset| match offset {
        Reading::Integer(offset) => offset,
        _ => 0,
    })
}
