//! What the host signs, the device takes, and what the host refuses, the device refuses.

#[path = "../../tests/support/flash.rs"]
mod flash;

use std::path::Path;

use embedded_storage::nor_flash::NorFlashErrorKind;
use flash::Flash;
use surprisal::{Fingerprint, Incoming, Slots, UpdateError};
use surprisal_trainer::signing::{OwnerKey, PrivateKey, Update};

const SLOTS: Slots = Slots::new(0, 8 << 10);
const VIEWS: &[u8] = include_bytes!("../../tests/golden/views.srp");

fn device(update: &[u8], key: &OwnerKey) -> Result<(), UpdateError<NorFlashErrorKind>> {
    let mut flash = Flash::<4, 1024>::new(16 << 10);
    let mut incoming = Incoming::new(&flash, SLOTS, None, Fingerprint::ANY)?;
    incoming.push(&mut flash, update)?;
    incoming.finish(&mut flash)?.verify(&mut flash, key.bytes()).map(drop)
}

fn host(update: &[u8], key: &OwnerKey) -> bool {
    Update::from_bytes(Path::new("x.sru"), update.to_vec()).is_ok_and(|update| update.is_signed_by(key))
}

#[test]
fn host_and_device_agree_on_damage() {
    let length = u32::from_le_bytes(VIEWS[8..12].try_into().unwrap()) as usize;
    let key = PrivateKey::generate();
    let update = key.sign(&VIEWS[..length], 3);
    assert!(host(&update, &key.public()));
    assert_eq!(device(&update, &key.public()), Ok(()));
    let other = PrivateKey::generate().public();
    assert!(!host(&update, &other));
    assert_eq!(device(&update, &other), Err(UpdateError::Forged));
    for at in (0..104).chain((104..update.len()).step_by(13)) {
        let mut damaged = update.clone();
        damaged[at] ^= 1 << (at % 8);
        assert!(!host(&damaged, &key.public()), "byte {at}");
        assert!(device(&damaged, &key.public()).is_err(), "byte {at}");
        assert!(!host(&update[..at], &key.public()), "{at} bytes");
        assert!(device(&update[..at], &key.public()).is_err(), "{at} bytes");
    }
}
