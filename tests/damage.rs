//! No damage of a table in transit goes unseen: every bit of three tables is flipped, and they are cut at every byte.

use surprisal::{Fingerprint, Table, TableError, ViewTable};

/// Bytes that start at a multiple of four.
#[repr(align(4))]
struct Aligned([u8; 8192]);

/// Returns the error for these bytes as a table of every kind.
fn error(bytes: &[u8]) -> Option<TableError> {
    let mut aligned = Aligned([0; 8192]);
    aligned.0[..bytes.len()].copy_from_slice(bytes);
    let bytes = &aligned.0[..bytes.len()];
    let errors = [
        Table::<256, 32, 8>::from_bytes(bytes, Fingerprint::ANY).err(),
        ViewTable::<16, 1>::from_bytes(bytes, Fingerprint::ANY).err(),
        ViewTable::<16, 2>::from_bytes(bytes, Fingerprint::ANY).err(),
    ];
    errors.into_iter().reduce(|first, next| first.and(next)).flatten()
}

#[test]
#[cfg_attr(target_endian = "big", ignore = "a big-endian machine refuses all files")]
fn every_flipped_bit_and_every_cut_is_refused() {
    let files: [&[u8]; 3] =
        [include_bytes!("golden/mixture.srp"), include_bytes!("golden/stream.srp"), include_bytes!("golden/views.srp")];
    let mut damages = 0;
    for file in files {
        let length = u32::from_le_bytes(file[8..12].try_into().expect("four bytes")) as usize;
        let whole = &file[..length];
        assert_eq!(error(whole), None);
        let mut damaged = whole.to_vec();
        for bit in 0..8 * length {
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(error(&damaged).is_some(), "bit {bit}");
            damaged[bit / 8] ^= 1 << (bit % 8);
        }
        for cut in 0..length {
            assert!(error(&whole[..cut]).is_some(), "{cut} bytes");
        }
        damages += 9 * length;
    }
    println!("{damages} damaged tables");
    assert!(damages > 50_000);
}
