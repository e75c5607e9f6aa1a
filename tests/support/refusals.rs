//! Cases of tables and rows that are refused, for the host and for boards: too small capacities, other columns, damaged bytes,
//! rows of another length, and golden rows with other scores.

use surprisal::{EncodeError, Fingerprint, Reading, RowSchema, SelfTestError, Table, TableError};

/// The number of readings of the shuttle data.
const R: usize = 9;

/// Golden rows of the table have their scores, a changed score is noticed, and a row of another length is refused.
pub fn self_test_passes<const N: usize, const H: usize, const K: usize, G>(
    table: Table<'_, N, H, K>,
    _: &Table<'_, N, H, K>,
    _: &G,
) {
    assert_eq!(table.self_test::<R>(), Ok(()));
    assert_eq!(table.self_test::<1>(), Err(SelfTestError::RowTooShort { readings: R as u16 }));
    let mut scores = [[0; 2]; 4];
    scores.copy_from_slice(table.schema.golden_scores);
    scores[3][1] ^= 1;
    let changed = table.with_schema(RowSchema { golden_scores: &scores, ..table.schema });
    assert_eq!(changed.self_test::<R>(), Err(SelfTestError::Mismatch { row: 3 }));
    assert_eq!(table.with_schema(RowSchema::NONE).self_test::<R>(), Err(SelfTestError::NoGoldenRows));
    let row = [Reading::Integer(0); 16];
    for found in [0, R - 1, R + 1] {
        let refused = EncodeError::RowLength { expected: R as u16 };
        assert_eq!(table.score(&row[..found]).err(), Some(refused));
        assert_eq!(table.surprisal(&row[..found]).err(), Some(refused));
    }
}

/// A table with another fingerprint than the expected one is refused.
pub fn other_columns_are_refused<const N: usize>(bytes: &[u8], found: Fingerprint) {
    let expected = Fingerprint::new(found.get() ^ 1);
    let read = |expected| Table::<N>::from_bytes(bytes, expected).map(|_| ());
    assert_eq!(read(found), Ok(()));
    assert_eq!(read(expected), Err(TableError::Fingerprint { found, expected }));
}

/// Tables with hidden units and with mixture components are refused where the program has no room for all of them.
pub fn capacities_are_checked<const N: usize>(hidden: &[u8], units: u16, mixture: &[u8], components: u16) {
    let refused = Table::<N, 1, 0>::from_bytes(hidden, Fingerprint::ANY).map(|_| ());
    assert_eq!(refused, Err(TableError::TooManyUnits { units }));
    let refused = Table::<N, 0, 1>::from_bytes(mixture, Fingerprint::ANY).map(|_| ());
    assert_eq!(refused, Err(TableError::TooManyComponents { components }));
}

/// Every fault of the bytes has its name. `corrupt` holds another table with one bit turned.
pub fn damage_is_named<const N: usize>(whole: &[u8], corrupt: &[u8]) {
    let read = |bytes| Table::<N>::from_bytes(bytes, Fingerprint::ANY).map(|_| ());
    assert_eq!(read(whole), Ok(()));
    assert_eq!(read(corrupt), Err(TableError::Corrupt));
    assert_eq!(read(&whole[..whole.len() - 4]), Err(TableError::Truncated));
    assert_eq!(read(&[]), Err(TableError::Truncated));
    assert_eq!(read(&whole[1..]), Err(TableError::Misaligned));
    assert_eq!(read(&whole[4..]), Err(TableError::NotATable));
    assert_eq!(
        Table::<8>::from_bytes(whole, Fingerprint::ANY).map(|_| ()),
        Err(TableError::TooManyBits { bits: N as u16 })
    );
}
