//! Offsets of a machine, which host and boards find alike.

use surprisal::{Offsets, Reading, Table, ViewTable};

/// The number of readings of the shuttle data.
const R: usize = 9;
/// The constants that the second machine adds to its readings.
const ADDED: [i32; R] = [0, 0, 12, 0, -9, 0, 0, 7, 0];

/// Adds the constants to rows, and returns the offsets that a table of bits and a table of views find in them.
pub fn found<const N: usize, const C: usize>(
    bits: &Table<N>,
    views: &ViewTable<C, 2>,
    rows: impl Iterator<Item = [Reading; R]>,
) -> [[i32; R]; 2] {
    let added = Offsets { each: ADDED.map(Reading::Integer) };
    let mut second = [[Reading::Missing; R]; 24];
    second.iter_mut().zip(rows).for_each(|(row, own)| {
        *row = core::array::from_fn(|column| added.restore(column as u16, own[column]));
    });
    let mut pauses = 0;
    let found = [bits.offsets(&second, || pauses += 1), views.offsets(&second, || pauses += 1)];
    assert!(pauses > 0 && pauses % second.len() == 0);
    found.map(|offsets| {
        let offsets = offsets.expect("golden rows are of the training columns");
        let mut stored = [0; Offsets::<R>::BYTES];
        assert_eq!(offsets.write(&bits.detector, &mut stored), Some(stored.len()));
        assert_eq!(Offsets::from_bytes(&stored, &bits.detector), Ok(offsets));
        offsets.each.map(|offset| match offset {
            Reading::Integer(offset) => offset,
            _ => 0,
        })
    })
}
