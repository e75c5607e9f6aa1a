//! Tables that arrive while the device runs: power may fail at any step, and the firmware may err.

mod support {
    pub mod flash;
    pub mod updates;
}

use support::flash::{Flash, Torn};
use support::updates::{Error, NEW, OLD, SLOTS, bring, receive, table, update};
use surprisal::{Fingerprint, Incoming, Installed, Received, Slots, UpdateError};

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
    assert_eq!(Incoming::new(&flash, SLOTS, Some(&trial), Fingerprint::ANY).err(), Some(UpdateError::OnTrial));
    // The device starts again before the firmware confirms.
    let Ok(Some(old)) = SLOTS.start(&mut flash) else { panic!("the old table is in use") };
    assert_eq!((old.release(), old.is_confirmed()), (1, true));
    // A firmware with a newer table of its own uses neither.
    assert_eq!(SLOTS.with_factory_release(1).start(&mut flash), Ok(None));
    SLOTS.discard(&mut flash, old).expect("the flash works");
    assert_eq!(SLOTS.start(&mut flash), Ok(None));
}

/// No mistake of a firmware erases a table that it could still use.
#[test]
fn a_table_that_is_not_in_use_any_more_is_refused() {
    let mut flash = Flash::<4, 1024>::new(32 << 10);
    bring(&mut flash, SLOTS, &update(table(OLD), 5), 5).expect("the old update is whole");
    fn receive(flash: &mut Flash<4, 1024>, in_use: Option<&Installed>, release: u32) -> Result<Received, Error> {
        support::updates::receive(flash, SLOTS, in_use, &update(table(NEW), release), 48)
    }
    let stale = |flash: &mut _, in_use: Option<&_>| receive(flash, in_use, 9).map(drop) == Err(UpdateError::Stale);
    let first = SLOTS.start(&mut flash).expect("the flash works");
    // Release 5 is in use, and the firmware did not ask: the other slot takes the update.
    let mut second = None;
    let received = receive(&mut flash, second.as_ref(), 6).expect("a slot is free");
    received.without_signature().install(&mut flash, &mut second).expect("the flash works");
    // Release 6 was installed, and `start` was not called.
    assert!(stale(&mut flash, first.as_ref()) && stale(&mut flash, None));
    let mut trial = SLOTS.start(&mut flash).expect("the flash works").expect("the new table");
    assert_eq!(trial.release(), 6);
    // A second start has ended its trial, and the next update erases its slot.
    let mut old = SLOTS.start(&mut flash).expect("the flash works");
    let received = receive(&mut flash, old.as_ref(), 7).expect("release 5 is in use");
    assert_eq!(SLOTS.confirm(&mut flash, &mut trial), Err(UpdateError::Stale));
    received.without_signature().install(&mut flash, &mut old).expect("the flash works");
    assert_eq!(SLOTS.confirm(&mut flash, &mut trial), Err(UpdateError::Stale));
    let mut newest = SLOTS.start(&mut flash).expect("the flash works").expect("the newest table");
    assert_eq!((newest.release(), newest.is_confirmed()), (7, false));
    // An update was begun with release 7 in use, which is rejected before the first block of the update is full.
    SLOTS.confirm(&mut flash, &mut newest).expect("the flash works");
    let mut incoming = Incoming::new(&flash, SLOTS, Some(&newest), Fingerprint::ANY).expect("it is confirmed");
    incoming.push(&mut flash, &update(table(NEW), 8)[..100]).expect("nothing is written yet");
    SLOTS.discard(&mut flash, newest).expect("the flash works");
    assert_eq!(SLOTS.start(&mut flash).expect("the flash works").map(|found| found.release()), Some(5));
    assert_eq!(incoming.push(&mut flash, &update(table(NEW), 8)[100..]), Err(UpdateError::Stale));
    assert_eq!(SLOTS.start(&mut flash).expect("the flash works").map(|found| found.release()), Some(5));
}

/// A table that cannot be used does not stand in the way of the next update.
#[test]
fn an_update_replaces_a_newer_table_that_was_passed_over() {
    for is_worn in [false, true] {
        let mut flash = Flash::<4, 1024>::new(32 << 10);
        let mut in_use = Some(bring(&mut flash, SLOTS, &update(table(OLD), 1), 1).expect("the update is whole"));
        let received = receive(&mut flash, SLOTS, in_use.as_ref(), &update(table(NEW), 2), 48).expect("it is whole");
        received.without_signature().install(&mut flash, &mut in_use).expect("the flash works");
        if is_worn {
            let mut trial = SLOTS.start(&mut flash).expect("the flash works").expect("the new table");
            SLOTS.confirm(&mut flash, &mut trial).expect("the flash works");
        }
        // The trial cannot be marked, or the table is refused and cannot be erased.
        flash.fail_at(0, Torn::Nothing);
        let read = |found: &Installed| (found.release() == 1).then_some(());
        let found = SLOTS.start_with(&mut flash, read).expect("the slots fit");
        flash.restart();
        let old = found.map(|((), found)| found);
        assert_eq!(old.as_ref().map(Installed::release), Some(1));
        let received = receive(&mut flash, SLOTS, old.as_ref(), &update(table(OLD), 3), 48).expect("it is whole");
        received.without_signature().install(&mut flash, &mut None).expect("the flash works");
        assert_eq!(SLOTS.start(&mut flash).expect("the flash works").map(|found| found.release()), Some(3));
    }
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
