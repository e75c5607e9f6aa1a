//! Tables that arrive while the device runs: power may fail at any step, and bytes may be damaged, cut, old or forged.

mod support {
    pub mod flash;
}

use ed25519_compact::{KeyPair, Seed};
use embedded_storage::nor_flash::{NorFlash, NorFlashErrorKind};
use proptest::prelude::*;
use support::flash::Flash;
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
    in_use: Option<&Installed>,
    update: &[u8],
    chunk: usize,
) -> Result<Received, Error> {
    let mut incoming = Incoming::new(SLOTS, in_use, Fingerprint::ANY)?;
    update.chunks(chunk).try_for_each(|chunk| incoming.push(flash, chunk))?;
    incoming.finish(flash)
}

/// Brings a device to an update: receives, installs, starts and confirms it. Does what is left to do.
fn bring<F: NorFlash<Error = NorFlashErrorKind>>(
    flash: &mut F,
    update: &[u8],
    release: u32,
) -> Result<Installed, Error> {
    let mut in_use = SLOTS.start(flash)?;
    if in_use.is_none_or(|table| table.release() < release) {
        receive(flash, in_use.as_ref(), update, 48)?.without_signature().install(flash)?;
        in_use = SLOTS.start(flash)?;
    }
    let mut in_use = in_use.expect("a table was installed");
    SLOTS.confirm(flash, &mut in_use)?;
    Ok(in_use)
}

/// Lets the power fail at each step of an update, on a device with and without an earlier table. Returns the number of steps.
fn survives_every_power_failure<const WRITE: usize, const PAGE: usize>() -> usize {
    let (old, new) = (update(table(OLD), 1), update(table(NEW), 2));
    let mut points = 0;
    for has_old in [false, true] {
        let mut flash = Flash::<WRITE, PAGE>::new(32 << 10);
        if has_old {
            bring(&mut flash, &old, 1).expect("the old update is whole");
        }
        let mut whole = flash.clone();
        whole.restart();
        bring(&mut whole, &new, 2).expect("the new update is whole");
        for step in 0..whole.steps {
            for seed in [3, 5, 11] {
                let mut flash = flash.clone();
                flash.fail_at(step, seed * 7919 + step as u64);
                let cut = bring(&mut flash, &new, 2);
                assert!(matches!(cut, Err(UpdateError::Flash(_))), "step {step}: {cut:?}");
                flash.restart();
                let found = SLOTS.start(&mut flash).expect("the flash works again");
                match found.map(|table| (table.release(), table.table())) {
                    None => assert!(!has_old, "step {step}: the old table is lost"),
                    Some((release, place)) => {
                        let expected = if release == 2 { table(NEW) } else { table(OLD) };
                        assert_eq!(&flash.bytes[place.start as usize..place.end as usize], expected, "step {step}");
                    }
                }
                // The sender tries again until the new table is in use.
                let last = bring(&mut flash, &new, 2).unwrap_or_else(|error| panic!("step {step}: {error}"));
                assert_eq!((last.release(), last.is_confirmed()), (2, true), "step {step}");
                points += 1;
            }
        }
    }
    points
}

#[test]
fn power_may_fail_at_any_step() {
    // The write and erase sizes of an nRF51, an RP2040, an STM32L4, an STM32U5 and an STM32H7.
    let points = [
        survives_every_power_failure::<4, 1024>(),
        survives_every_power_failure::<1, 4096>(),
        survives_every_power_failure::<8, 2048>(),
        survives_every_power_failure::<16, 8192>(),
        survives_every_power_failure::<32, 1024>(),
    ];
    println!("{points:?}: {} points", points.iter().sum::<usize>());
    assert!(points.iter().all(|&points| points > 100), "{points:?}");
}

/// Returns a device with the old table in use, and what a change of the update makes of it.
fn refusal(change: impl FnOnce(&mut Vec<u8>)) -> Option<Error> {
    let mut flash = Flash::<4, 1024>::new(32 << 10);
    let in_use = bring(&mut flash, &update(table(OLD), 5), 5).expect("the old update is whole");
    let before = flash.bytes[in_use.table().start as usize..in_use.table().end as usize].to_vec();
    let mut bytes = update(table(NEW), 6);
    change(&mut bytes);
    let key: [u8; 32] = *keys(1).pk;
    let refused = receive(&mut flash, Some(&in_use), &bytes, 50)
        .and_then(|received| received.verify(&mut flash, &key))
        .and_then(|accepted| accepted.install(&mut flash))
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
    assert_eq!(refusal(|_| {}), None);
    assert_eq!(refusal(|bytes| bytes[64] = b'X'), Some(UpdateError::NotAnUpdate));
    assert_eq!(refusal(|bytes| *bytes = NEW.to_vec()), Some(UpdateError::NotAnUpdate));
    assert_eq!(refusal(Vec::clear), Some(UpdateError::NotAnUpdate));
    assert_eq!(refusal(|bytes| bytes.truncate(79)), Some(UpdateError::NotAnUpdate));
    assert_eq!(refusal(|bytes| bytes.truncate(90)), Some(UpdateError::Table(TableError::Truncated)));
    assert_eq!(
        refusal(|bytes| bytes.truncate(1000)),
        Some(UpdateError::Incomplete { missing: table(NEW).len() as u32 - 920 })
    );
    assert_eq!(refusal(|bytes| bytes.push(0)), Some(UpdateError::TooLong));
    assert_eq!(refusal(put(72, 5)), Some(UpdateError::NotNewer { release: 5, in_use: 5 }));
    assert_eq!(refusal(put(76, 9000)), Some(UpdateError::TooLarge { length: 9000, capacity: SLOTS.capacity() }));
    assert_eq!(
        refusal(put(76, u32::MAX)),
        Some(UpdateError::TooLarge { length: u32::MAX, capacity: SLOTS.capacity() })
    );
    assert_eq!(refusal(put(80, 1)), Some(UpdateError::Table(TableError::NotATable)));
    let version = surprisal::VERSION;
    let unsupported = TableError::UnsupportedVersion { found: version + 1, supported: version };
    assert_eq!(refusal(put(84, version + 1)), Some(UpdateError::Table(unsupported)));
    assert_eq!(refusal(put(88, 24)), Some(UpdateError::Table(TableError::Inconsistent("length"))));
    assert_eq!(refusal(|bytes| bytes[500] ^= 1), Some(UpdateError::Table(TableError::Corrupt)));
    // The bytes of the table are whole, but another key signed them, or another release.
    assert_eq!(refusal(put(72, 7)), Some(UpdateError::Forged));
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
fn no_flipped_bit_and_no_cut_of_an_update_is_installed() {
    let whole = update(table(NEW), 6);
    for at in (0..whole.len()).step_by(61).chain(0..UpdateHeader::BYTES) {
        assert!(refusal(|bytes| bytes[at] ^= 1 << (at % 8)).is_some(), "bit {} of byte {at}", at % 8);
        assert!(refusal(|bytes| bytes.truncate(at)).is_some(), "{at} bytes");
    }
}

#[test]
fn a_table_of_other_columns_is_refused_before_anything_is_erased() {
    let mut flash = Flash::<4, 1024>::new(32 << 10);
    let found = Fingerprint::new(u32::from_le_bytes(NEW[16..20].try_into().expect("four bytes")));
    let expected = Fingerprint::new(found.get() ^ 1);
    let mut incoming = Incoming::new::<NorFlashErrorKind>(SLOTS, None, expected).expect("no table is on trial");
    let refused = update(table(NEW), 1).chunks(100).try_for_each(|chunk| incoming.push(&mut flash, chunk));
    assert_eq!(refused, Err(UpdateError::Table(TableError::Fingerprint { found, expected })));
    assert_eq!(flash.steps, 0);
}

#[test]
fn a_table_that_is_never_confirmed_gives_way_to_the_old_one() {
    let mut flash = Flash::<8, 2048>::new(32 << 10);
    let old = bring(&mut flash, &update(table(OLD), 1), 1).expect("the old update is whole");
    let received = receive(&mut flash, Some(&old), &update(table(NEW), 2), 33).expect("the new update is whole");
    received.without_signature().install(&mut flash).expect("the flash works");
    let trial = SLOTS.start(&mut flash).expect("the flash works").expect("a table is in use");
    assert_eq!((trial.release(), trial.is_confirmed()), (2, false));
    // The other slot holds the table to return to.
    assert_eq!(Incoming::new::<Error>(SLOTS, Some(&trial), Fingerprint::ANY).err(), Some(UpdateError::OnTrial));
    // The device starts again before the firmware confirms.
    assert_eq!(SLOTS.start(&mut flash), Ok(Some(old)));
    assert_eq!(SLOTS.start(&mut flash), Ok(Some(old)));
    // A firmware with a newer table of its own uses neither.
    assert_eq!(SLOTS.with_factory_release(1).start(&mut flash), Ok(None));
    SLOTS.discard(&mut flash, old).expect("the flash works");
    assert_eq!(SLOTS.start(&mut flash), Ok(None));
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
    }
    assert_eq!(SLOTS.start(&mut Flash::<64, 1024>::new(32 << 10)), Err(UpdateError::Geometry));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// The bytes in the slot do not depend on how they were cut into chunks.
    #[test]
    fn chunks_of_any_size_arrive_as_they_were_sent(sizes in prop::collection::vec(1usize..400, 1..40)) {
        let whole = update(table(NEW), 1);
        let mut flash = Flash::<32, 1024>::new(32 << 10);
        let mut incoming = Incoming::new::<NorFlashErrorKind>(SLOTS, None, Fingerprint::ANY).expect("no table is on trial");
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

    /// Bytes from strangers are refused, whatever they are.
    #[test]
    fn any_bytes_are_refused(mut bytes in prop::collection::vec(any::<u8>(), 0..9000), is_headed: bool, cut in 1usize..300) {
        if is_headed && bytes.len() >= UpdateHeader::BYTES {
            let header = UpdateHeader { signature: [1; 64], release: 9, length: (bytes.len() - 80) as u32 };
            bytes[..80].copy_from_slice(&header.to_bytes());
        }
        let mut flash = Flash::<4, 1024>::new(32 << 10);
        prop_assert!(receive(&mut flash, None, &bytes, cut).is_err());
        prop_assert_eq!(SLOTS.start(&mut flash), Ok(None));
    }
}
