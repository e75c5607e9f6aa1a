//! Tables that arrive while the device runs: power may fail at any step, and bytes may be damaged, cut, old or forged.

mod support {
    pub mod flash;
}

use ed25519_compact::{KeyPair, Seed};
use embedded_storage::nor_flash::{NorFlash, NorFlashErrorKind};
use proptest::prelude::*;
use support::flash::{Flash, Torn};
use surprisal::{Fingerprint, Incoming, Installed, Received, Slots, TableError, UpdateError, UpdateHeader};

const OLD: &[u8] = include_bytes!("golden/stream.srp");
const NEW: &[u8] = include_bytes!("golden/views.srp");
/// Behind something else, as on a real device.
const SLOTS: Slots = Slots::new(8 << 10, 8 << 10);

type Error = UpdateError<NorFlashErrorKind>;

/// Returns the bytes of a file without its notes.
fn table(file: &[u8]) -> &[u8] {
    let length = u32::from_le_bytes(file[8..12].try_into().expect("four bytes"));
    &file[..length as usize]
}

fn keys(seed: u8) -> KeyPair {
    KeyPair::from_seed(Seed::new([seed; 32]))
}

/// Returns a signed update of a table.
fn update(table: &[u8], release: u32) -> Vec<u8> {
    let header = UpdateHeader { signature: [0; 64], release, length: table.len() as u32 };
    let mut bytes = [&header.to_bytes()[..], table].concat();
    let signature = keys(1).sk.sign(&bytes[UpdateHeader::SIGNATURE_BYTES..], None);
    bytes[..UpdateHeader::SIGNATURE_BYTES].copy_from_slice(signature.as_ref());
    bytes
}

fn receive<F: NorFlash<Error = NorFlashErrorKind>>(
    flash: &mut F,
    slots: Slots,
    in_use: Option<&Installed>,
    update: &[u8],
    chunk: usize,
) -> Result<Received, Error> {
    let mut incoming = Incoming::new(flash, slots, in_use, Fingerprint::ANY)?;
    update.chunks(chunk).try_for_each(|chunk| incoming.push(flash, chunk))?;
    incoming.finish(flash)
}

/// Brings a device to an update: receives, installs, starts and confirms it. Does what is left to do.
fn bring<F: NorFlash<Error = NorFlashErrorKind>>(
    flash: &mut F,
    slots: Slots,
    update: &[u8],
    release: u32,
) -> Result<Installed, Error> {
    let mut in_use = slots.start(flash)?;
    if in_use.as_ref().is_none_or(|table| table.release() < release) {
        receive(flash, slots, in_use.as_ref(), update, 48)?.without_signature().install(flash, &mut in_use)?;
        in_use = slots.start(flash)?;
    }
    let mut in_use = in_use.ok_or(UpdateError::NotAnUpdate)?;
    slots.confirm(flash, &mut in_use)?;
    Ok(in_use)
}

/// The slots of a flash memory with these pages, behind something else, and the bytes of the memory.
fn slots(page: usize) -> (Slots, usize) {
    let size = page.max(8 << 10);
    (Slots::new(page as u32, size as u32), page + 2 * size)
}

/// The states of a device before the update that is interrupted.
fn devices<const WRITE: usize, const PAGE: usize>() -> Vec<(Flash<WRITE, PAGE>, u32)> {
    let (slots, bytes) = slots(PAGE);
    let new = Flash::<WRITE, PAGE>::new(bytes);
    let mut with_old = new.clone();
    bring(&mut with_old, slots, &update(table(OLD), 1), 1).expect("the update is whole");
    // An update that failed its trial is in the other slot.
    let mut with_failed = with_old.clone();
    let mut in_use = slots.start(&mut with_failed).expect("the slots fit");
    let received = receive(&mut with_failed, slots, in_use.as_ref(), &update(table(NEW), 2), 48).expect("it is whole");
    received.without_signature().install(&mut with_failed, &mut in_use).expect("the flash works");
    assert_eq!(slots.start(&mut with_failed).expect("the slots fit").expect("it is on trial").release(), 2);
    assert_eq!(slots.start(&mut with_failed).expect("the slots fit").expect("the old one").release(), 1);
    // An older update is in the other slot.
    let mut with_two = with_old.clone();
    bring(&mut with_two, slots, &update(table(NEW), 2), 2).expect("the update is whole");
    vec![(new, 0), (with_old, 1), (with_failed, 1), (with_two, 2)]
}

/// Lets the power fail at each step of an update, and again at a step of the second attempt. Returns the number of interrupted
/// updates.
fn survives_every_power_failure<const WRITE: usize, const PAGE: usize>() -> usize {
    let (slots, _) = slots(PAGE);
    let update = update(table(NEW), 3);
    let mut points = 0;
    let tables = |release: u32| if release == 1 { table(OLD) } else { table(NEW) };
    let check = |flash: &mut Flash<WRITE, PAGE>, before: u32, what: &str| {
        let found = slots.start(flash).expect("the slots fit");
        let release = found.as_ref().map_or(0, |table| table.release());
        assert!(release == before || release == 3, "{what}: release {release} in place of {before}");
        if let Some(found) = &found {
            let place = found.table();
            assert_eq!(&flash.bytes[place.start as usize..place.end as usize], tables(release), "{what}");
        }
    };
    for (device, before) in devices::<WRITE, PAGE>() {
        let mut whole = device.clone();
        whole.restart();
        bring(&mut whole, slots, &update, 3).expect("the update is whole");
        for step in 0..whole.steps {
            for torn in Torn::ALL {
                let what = format!("{WRITE}, {PAGE}: {torn:?} at step {step} after release {before}");
                let mut flash = device.clone();
                flash.fail_at(step, torn);
                // The power may fail while a trial is marked, which `start` leaves to the next start.
                let _ = bring(&mut flash, slots, &update, 3);
                flash.restart();
                let mut once_more = flash.clone();
                check(&mut flash, before, &what);
                // A second failure, at another step of the next attempt.
                once_more.fail_at(step * 7919 % whole.steps, Torn::ALL[(step + 1) % Torn::ALL.len()]);
                let _ = bring(&mut once_more, slots, &update, 3);
                once_more.restart();
                check(&mut once_more, before, &what);
                // The sender tries until the new table is in use.
                for mut flash in [flash, once_more] {
                    let last = bring(&mut flash, slots, &update, 3).unwrap_or_else(|error| panic!("{what}: {error}"));
                    assert_eq!((last.release(), last.is_confirmed()), (3, true), "{what}");
                    check(&mut flash, 3, &what);
                }
                points += 2;
            }
        }
    }
    points
}

/// The write and erase sizes of an nRF51, an RP2040, an STM32L4, an STM32U5 and an STM32H743.
#[test]
fn power_may_fail_at_any_step() {
    let points = [
        survives_every_power_failure::<4, 1024>(),
        survives_every_power_failure::<1, 4096>(),
        survives_every_power_failure::<8, 2048>(),
        survives_every_power_failure::<16, 8192>(),
        survives_every_power_failure::<32, 131_072>(),
    ];
    println!("{points:?}: {} interrupted updates", points.iter().sum::<usize>());
    assert!(points.iter().all(|&points| points > 1000), "{points:?}");
}

/// A rejected table is erased; if that is interrupted, it never counts as confirmed.
#[test]
fn power_may_fail_while_a_table_is_discarded() {
    let (slots, _) = slots(1024);
    for (device, before) in devices::<4, 1024>().into_iter().skip(1) {
        for step in 0..8 {
            for torn in Torn::ALL {
                let mut flash = device.clone();
                let mut in_use = slots.start(&mut flash).expect("the slots fit");
                let received =
                    receive(&mut flash, slots, in_use.as_ref(), &update(table(NEW), 9), 48).expect("it is whole");
                received.without_signature().install(&mut flash, &mut in_use).expect("the flash works");
                let trial = slots.start(&mut flash).expect("the slots fit").expect("the new table");
                flash.fail_at(step, torn);
                assert!(slots.discard(&mut flash, trial).is_err());
                flash.restart();
                // Untouched marks leave the table on trial, which it has failed; what was begun stays so.
                let found = slots.start(&mut flash).expect("the slots fit").expect("a table is in use");
                assert_eq!((found.release(), found.is_confirmed()), (before, true), "{torn:?} at step {step}");
            }
        }
    }
}

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
    let mut incoming = Incoming::new(&mut flash, SLOTS, None, expected).expect("no table is on trial");
    let refused = update(table(NEW), 1).chunks(100).try_for_each(|chunk| incoming.push(&mut flash, chunk));
    assert_eq!(refused, Err(UpdateError::Table(TableError::Fingerprint { found, expected })));
    assert_eq!(flash.steps, 0);
}

#[test]
fn a_table_that_is_never_confirmed_gives_way_to_the_old_one() {
    let mut flash = Flash::<8, 2048>::new(32 << 10);
    bring(&mut flash, SLOTS, &update(table(OLD), 1), 1).expect("the old update is whole");
    let mut old = SLOTS.start(&mut flash).expect("the flash works");
    let received =
        receive(&mut flash, SLOTS, old.as_ref(), &update(table(NEW), 2), 33).expect("the new update is whole");
    received.without_signature().install(&mut flash, &mut old).expect("the flash works");
    assert_eq!(old, None);
    let trial = SLOTS.start(&mut flash).expect("the flash works").expect("a table is in use");
    assert_eq!((trial.release(), trial.is_confirmed()), (2, false));
    // The other slot holds the table to return to.
    assert_eq!(Incoming::new(&mut flash, SLOTS, Some(&trial), Fingerprint::ANY).err(), Some(UpdateError::OnTrial));
    // The device starts again before the firmware confirms.
    let Ok(Some(old)) = SLOTS.start(&mut flash) else { panic!("the old table is in use") };
    assert_eq!((old.release(), old.is_confirmed()), (1, true));
    // A firmware with a newer table of its own uses neither.
    assert_eq!(SLOTS.with_factory_release(1).start(&mut flash), Ok(None));
    SLOTS.discard(&mut flash, old).expect("the flash works");
    assert_eq!(SLOTS.start(&mut flash), Ok(None));
}

/// What a firmware does by mistake never costs it a table that counts.
#[test]
fn a_table_that_is_not_in_use_any_more_is_refused() {
    let mut flash = Flash::<4, 1024>::new(32 << 10);
    bring(&mut flash, SLOTS, &update(table(OLD), 5), 5).expect("the old update is whole");
    let incoming = |flash: &mut _, in_use| Incoming::new(flash, SLOTS, in_use, Fingerprint::ANY).map(drop);
    // Release 5 is in use, and the firmware did not ask.
    assert_eq!(incoming(&mut flash, None), Err(UpdateError::Stale));
    let first = SLOTS.start(&mut flash).expect("the flash works");
    let mut second = SLOTS.start(&mut flash).expect("the flash works");
    let received = receive(&mut flash, SLOTS, second.as_ref(), &update(table(NEW), 6), 48).expect("it is whole");
    received.without_signature().install(&mut flash, &mut second).expect("the flash works");
    // Release 6 was installed, and `start` was not called.
    assert_eq!(incoming(&mut flash, first.as_ref()), Err(UpdateError::Stale));
    assert_eq!(incoming(&mut flash, second.as_ref()), Err(UpdateError::Stale));
    let mut trial = SLOTS.start(&mut flash).expect("the flash works").expect("the new table");
    // A second start has ended its trial, and the next update erases its slot.
    let old = SLOTS.start(&mut flash).expect("the flash works");
    let mut incoming = Incoming::new(&mut flash, SLOTS, old.as_ref(), Fingerprint::ANY).expect("release 5 is in use");
    incoming.push(&mut flash, &update(table(NEW), 7)).expect("the flash works");
    assert_eq!(SLOTS.confirm(&mut flash, &mut trial), Err(UpdateError::Stale));
    let mut old = old;
    let received = incoming.finish(&mut flash).expect("it is whole");
    received.without_signature().install(&mut flash, &mut old).expect("the flash works");
    assert_eq!(SLOTS.confirm(&mut flash, &mut trial), Err(UpdateError::Stale));
    let found = SLOTS.start(&mut flash).expect("the flash works").expect("the newest table");
    assert_eq!((found.release(), found.is_confirmed()), (7, false));
}

/// A table that is refused when it is read gives way to the other one, also if its slot cannot be erased.
#[test]
fn a_damaged_table_gives_way_to_the_other_one() {
    for is_worn in [false, true] {
        let mut flash = Flash::<4, 1024>::new(32 << 10);
        for release in [1, 2] {
            bring(&mut flash, SLOTS, &update(table(OLD), release), release).expect("the update is whole");
        }
        let newest = SLOTS.start(&mut flash).expect("the flash works").expect("the newest table");
        flash.bytes[newest.table().start as usize + 200] ^= 1;
        let content = flash.bytes.clone();
        let read = |found: &Installed| {
            let bytes = &content[found.table().start as usize..found.table().end as usize];
            (bytes == table(OLD)).then_some(found.release())
        };
        for _ in 0..3 {
            if is_worn {
                flash.fail_at(0, Torn::Nothing);
            }
            let (read, found) = SLOTS.start_with(&mut flash, read).expect("the slots fit").expect("the older table");
            assert_eq!((read, found.release(), found.is_confirmed()), (1, 1, true));
        }
        flash.restart();
        let newest = SLOTS.start(&mut flash).expect("the flash works").map(|found| found.release());
        assert_eq!(newest, Some(if is_worn { 2 } else { 1 }));
        assert_eq!(SLOTS.start_with(&mut flash, |_| None::<()>), Ok(None));
        assert_eq!(SLOTS.start(&mut flash), Ok(None));
    }
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
        let refused = Incoming::new(&mut flash, slots, None, Fingerprint::ANY).map(drop);
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
        let mut incoming = Incoming::new(&mut flash, SLOTS, None, Fingerprint::ANY).expect("no table is on trial");
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
        let mut incoming = Incoming::new(&mut flash, SLOTS, None, Fingerprint::ANY).expect("no table is on trial");
        let longer = [&whole[..], mark, mark, mark, &[0; 4096]].concat();
        let errors = longer.chunks(chunk).filter(|chunk| incoming.push(&mut flash, chunk).is_err()).count();
        assert!(errors > 0 && incoming.finish(&mut flash).is_err(), "chunks of {chunk}");
        assert_eq!(SLOTS.start(&mut flash), Ok(None), "chunks of {chunk}");
        assert!(flash.bytes[16 << 10..].iter().all(|&byte| byte == 0xFF), "the other slot was written");
    }
}
