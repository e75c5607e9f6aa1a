//! Updates that are damaged, cut, old, too long, forged or for other slots.

mod support {
    pub mod flash;
    pub mod updates;
}

use proptest::prelude::*;
use support::flash::Flash;
use support::updates::{Error, NEW, OLD, SLOTS, bring, keys, receive, table, update};
use surprisal::{Fingerprint, Incoming, Slots, TableError, UpdateError, UpdateHeader};

/// Returns a device with the old table in use, and what a change of the update makes of it.
fn refusal(change: impl FnOnce(&mut Vec<u8>)) -> Option<Error> {
    let mut flash = Flash::<4, 1024>::new(32 << 10);
    let in_use = bring(&mut flash, SLOTS, &update(table(OLD), 5), 5).expect("the old update is whole");
    let before = flash.bytes[in_use.table().start as usize..in_use.table().end as usize].to_vec();
    let mut bytes = update(table(NEW), 6);
    change(&mut bytes);
    let key: [u8; 32] = *keys(1).pk;
    let refused = receive(&mut flash, SLOTS, Some(&in_use), &bytes, 50)
        .and_then(|received| received.verify(&mut flash, &key))
        .and_then(|accepted| accepted.install(&mut flash, &mut None))
        .err();
    let found = SLOTS.start(&mut flash).expect("the flash works").expect("a table is in use");
    assert_eq!(found.release() == 5, refused.is_some(), "{refused:?}");
    if found.release() == 5 {
        assert_eq!(flash.bytes[found.table().start as usize..found.table().end as usize], before);
    }
    refused
}

#[test]
fn each_fault_of_an_update_has_its_own_name() {
    let put = |at: usize, word: u32| move |bytes: &mut Vec<u8>| bytes[at..at + 4].copy_from_slice(&word.to_le_bytes());
    let head = |release: u32, length: u32| {
        move |bytes: &mut Vec<u8>| {
            bytes[..80].copy_from_slice(&UpdateHeader { signature: [1; 64], release, length }.to_bytes());
        }
    };
    let length = table(NEW).len() as u32;
    assert_eq!(refusal(|_| {}), None);
    assert_eq!(refusal(|bytes| bytes[64] = b'X'), Some(UpdateError::NotAnUpdate));
    assert_eq!(refusal(|bytes| *bytes = NEW.to_vec()), Some(UpdateError::NotAnUpdate));
    assert_eq!(refusal(Vec::clear), Some(UpdateError::NotAnUpdate));
    assert_eq!(refusal(|bytes| bytes.truncate(79)), Some(UpdateError::NotAnUpdate));
    assert_eq!(refusal(|bytes| bytes.truncate(90)), Some(UpdateError::Table(TableError::Truncated)));
    assert_eq!(refusal(|bytes| bytes.truncate(1000)), Some(UpdateError::Incomplete { missing: length - 920 }));
    assert_eq!(refusal(|bytes| bytes.push(0)), Some(UpdateError::TooLong));
    assert_eq!(refusal(head(5, length)), Some(UpdateError::NotNewer { release: 5, in_use: 5 }));
    assert_eq!(refusal(head(6, 9000)), Some(UpdateError::TooLarge { length: 9000, capacity: SLOTS.capacity() }));
    assert_eq!(
        refusal(head(6, u32::MAX)),
        Some(UpdateError::TooLarge { length: u32::MAX, capacity: SLOTS.capacity() })
    );
    assert_eq!(refusal(put(80, 1)), Some(UpdateError::Table(TableError::NotATable)));
    let version = surprisal::VERSION;
    let unsupported = TableError::UnsupportedVersion { found: version + 1, supported: version };
    assert_eq!(refusal(put(84, version + 1)), Some(UpdateError::Table(unsupported)));
    assert_eq!(refusal(put(88, 24)), Some(UpdateError::Table(TableError::Inconsistent("length"))));
    assert_eq!(refusal(|bytes| bytes[500] ^= 1), Some(UpdateError::Table(TableError::Corrupt)));
    // The bytes of the table are whole, but another key signed them, or another release.
    assert_eq!(refusal(head(7, length)), Some(UpdateError::Forged));
    // A damaged header is no header, with or without a signature.
    assert_eq!(refusal(put(68, 7)), Some(UpdateError::NotAnUpdate));
    assert_eq!(refusal(head(0, length)), Some(UpdateError::NotAnUpdate));
    assert_eq!(
        refusal(|bytes| {
            let signature = keys(2).sk.sign(&bytes[64..], None);
            bytes[..64].copy_from_slice(signature.as_ref());
        }),
        Some(UpdateError::Forged)
    );
    assert_eq!(refusal(|bytes| bytes[..64].fill(0)), Some(UpdateError::Forged));
}

#[test]
fn a_flipped_bit_or_a_cut_of_an_update_is_never_installed() {
    let whole = update(table(NEW), 6);
    for at in (0..whole.len()).step_by(11).chain(0..UpdateHeader::BYTES) {
        assert!(refusal(|bytes| bytes[at] ^= 1 << (at % 8)).is_some(), "bit {} of byte {at}", at % 8);
        assert!(refusal(|bytes| bytes.truncate(at)).is_some(), "{at} bytes");
    }
}

#[test]
fn a_table_of_other_columns_is_refused_before_anything_is_erased() {
    let mut flash = Flash::<4, 1024>::new(32 << 10);
    let found = Fingerprint::new(u32::from_le_bytes(NEW[16..20].try_into().expect("four bytes")));
    let expected = Fingerprint::new(found.get() ^ 1);
    let mut incoming = Incoming::new(&flash, SLOTS, None, expected).expect("no table is on trial");
    let refused = update(table(NEW), 1).chunks(100).try_for_each(|chunk| incoming.push(&mut flash, chunk));
    assert_eq!(refused, Err(UpdateError::Table(TableError::Fingerprint { found, expected })));
    assert_eq!(flash.steps, 0);
}

#[test]
fn slots_that_do_not_fit_the_flash_are_refused() {
    let mut flash = Flash::<4, 1024>::new(32 << 10);
    for slots in [
        Slots::new(100, 8 << 10),
        Slots::new(0, 1000),
        Slots::new(0, 0),
        Slots::new(0, 17 << 10),
        Slots::new(1024, 16 << 10),
        Slots::new(u32::MAX - 1023, 1024),
    ] {
        assert_eq!(slots.start(&mut flash), Err(UpdateError::Geometry), "{slots:?}");
        let refused = Incoming::new(&flash, slots, None, Fingerprint::ANY).map(drop);
        assert_eq!(refused, Err(UpdateError::Geometry), "{slots:?}");
    }
    assert_eq!(SLOTS.start(&mut Flash::<64, 1024>::new(32 << 10)), Err(UpdateError::Geometry));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// The bytes in the slot do not depend on how they were cut into chunks.
    #[test]
    fn chunks_of_any_size_arrive_as_they_were_sent(sizes in prop::collection::vec(1usize..400, 1..40)) {
        let whole = update(table(NEW), 1);
        let mut flash = Flash::<32, 1024>::new(32 << 10);
        let mut incoming = Incoming::new(&flash, SLOTS, None, Fingerprint::ANY).expect("no table is on trial");
        let (mut rest, mut sizes) = (&whole[..], sizes.into_iter().cycle());
        while !rest.is_empty() {
            let (chunk, later) = rest.split_at(sizes.next().unwrap_or(1).min(rest.len()));
            incoming.push(&mut flash, chunk)?;
            rest = later;
            prop_assert_eq!(incoming.progress().0 as usize, whole.len() - rest.len());
        }
        let received = incoming.finish(&mut flash)?;
        prop_assert_eq!(received.header().release, 1);
        let place = received.table();
        prop_assert_eq!(&flash.bytes[place.start as usize..place.end as usize], table(NEW));
    }

    /// Bytes from strangers are never installed with a signature, although they have the right headers and checksums.
    #[test]
    fn any_bytes_are_refused(
        mut bytes in prop::collection::vec(any::<u8>(), 104..9000),
        release in 1..9u32,
        cut in 1usize..300,
    ) {
        let length = seal(&mut bytes, release);
        let mut flash = Flash::<4, 1024>::new(32 << 10);
        let received = receive(&mut flash, SLOTS, None, &bytes, cut);
        let fits = length <= SLOTS.capacity();
        prop_assert_eq!(received.is_ok(), fits, "{:?}", received);
        if let Ok(received) = received {
            prop_assert_eq!(received.verify(&mut flash, &keys(1).pk).err(), Some(UpdateError::Forged));
        }
        prop_assert_eq!(SLOTS.start(&mut flash), Ok(None));
    }
}

/// Gives bytes the headers of an update and of a table, with the right checksum, and returns the length of the table.
fn seal(bytes: &mut [u8], release: u32) -> u32 {
    let length = (bytes.len() - 80) as u32;
    bytes[..80].copy_from_slice(&UpdateHeader { signature: [1; 64], release, length }.to_bytes());
    bytes[80..84].copy_from_slice(b"SRPL");
    bytes[84..88].copy_from_slice(&surprisal::VERSION.to_le_bytes());
    bytes[88..92].copy_from_slice(&length.to_le_bytes());
    let checksum = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC).checksum(&bytes[96..]);
    bytes[92..96].copy_from_slice(&checksum.to_le_bytes());
    length
}

/// An update whose table fills the slot to the last byte, and bytes after it that would be the marks.
#[test]
fn a_full_slot_takes_no_byte_more() {
    let length = SLOTS.capacity() as usize;
    let mut whole = vec![0x5A; 80 + length];
    seal(&mut whole, 1);
    let mark = b"surprisal: slot has this mark...";
    for chunk in [1, 48, 128, 8192, 20_000] {
        let mut flash = Flash::<4, 1024>::new(32 << 10);
        let received = receive(&mut flash, SLOTS, None, &whole, chunk).expect("it fits");
        received.without_signature().install(&mut flash, &mut None).expect("the flash works");
        let installed = SLOTS.start(&mut flash).expect("the slots fit").expect("it was installed");
        assert_eq!(installed.table().len(), length);

        // A firmware that ignores every error but the last.
        let mut flash = Flash::<4, 1024>::new(32 << 10);
        let mut incoming = Incoming::new(&flash, SLOTS, None, Fingerprint::ANY).expect("no table is on trial");
        let longer = [&whole[..], mark, mark, mark, &[0; 4096]].concat();
        let errors = longer.chunks(chunk).filter(|chunk| incoming.push(&mut flash, chunk).is_err()).count();
        assert!(errors > 0 && incoming.finish(&mut flash).is_err(), "chunks of {chunk}");
        assert_eq!(SLOTS.start(&mut flash), Ok(None), "chunks of {chunk}");
        assert!(flash.bytes[16 << 10..].iter().all(|&byte| byte == 0xFF), "the other slot was written");
    }
}
