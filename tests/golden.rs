//! The golden streams, on the host; `cargo xtask on-target` runs the same cases on boards.

use surprisal::{Nats, Reading, TableError, ViewTable};

#[path = "support/cases.rs"]
mod cases;

/// The bytes and the source of the golden table of views are the same, and have the scores in its file.
#[test]
fn the_golden_views_are_scored_as_their_file_says() {
    #[allow(dead_code, reason = "the names of the columns are those of all tables")]
    mod views {
        include!("golden/views.rs");
    }
    #[repr(C, align(4))]
    struct Aligned<T: ?Sized>(T);
    static BYTES: &Aligned<[u8]> = &Aligned(*include_bytes!("golden/views.srp"));
    let read = ViewTable::<{ views::CAPACITY }, { views::VIEWS }>::from_bytes(&BYTES.0, surprisal::Fingerprint::ANY);
    let table = if cfg!(target_endian = "big") {
        assert_eq!(read.err(), Some(TableError::NotATable));
        views::TABLE
    } else {
        read.expect("the table is whole")
    };
    let mut written = Vec::new();
    views::TABLE.write(|piece| written.extend_from_slice(piece));
    assert_eq!(written == BYTES.0, cfg!(target_endian = "little"));
    let words = include_bytes!("golden/views.nats").as_chunks::<4>().0.as_chunks::<2>().0;
    let values = include_bytes!("golden/shuttle.readings").as_chunks::<2>().0.as_chunks::<9>().0;
    assert!(words.len() == 1024 && values.len() == 1024);
    for (row, scores) in values.iter().zip(words) {
        let readings = row.map(|value| Reading::Integer(i16::from_le_bytes(value).into()));
        let score = table.score(&readings).expect("golden rows are of the training columns");
        let [nats, anomaly] = scores.map(|bytes| Nats::from_raw(u32::from_le_bytes(bytes)));
        assert_eq!((score.nats, score.anomaly), (nats, anomaly));
    }
}
