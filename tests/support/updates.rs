//! Updates and devices that take them, for the tests of updates.
#![allow(dead_code, reason = "each test takes what it needs")]

use ed25519_compact::{KeyPair, Seed};
use embedded_storage::nor_flash::{NorFlash, NorFlashErrorKind};
use surprisal::{Fingerprint, Incoming, Installed, Received, Slots, UpdateError, UpdateHeader};

pub const OLD: &[u8] = include_bytes!("../golden/stream.srp");
pub const NEW: &[u8] = include_bytes!("../golden/views.srp");
/// Behind something else, as on a real device.
pub const SLOTS: Slots = Slots::new(8 << 10, 8 << 10);

pub type Error = UpdateError<NorFlashErrorKind>;

/// Returns the bytes of a file without its notes.
pub fn table(file: &[u8]) -> &[u8] {
    let length = u32::from_le_bytes(file[8..12].try_into().expect("four bytes"));
    &file[..length as usize]
}

pub fn keys(seed: u8) -> KeyPair {
    KeyPair::from_seed(Seed::new([seed; 32]))
}

/// Returns a signed update of a table.
pub fn update(table: &[u8], release: u32) -> Vec<u8> {
    let header = UpdateHeader { signature: [0; 64], release, length: table.len() as u32 };
    let mut bytes = [&header.to_bytes()[..], table].concat();
    let signature = keys(1).sk.sign(&bytes[UpdateHeader::SIGNATURE_BYTES..], None);
    bytes[..UpdateHeader::SIGNATURE_BYTES].copy_from_slice(signature.as_ref());
    bytes
}

pub fn receive<F: NorFlash<Error = NorFlashErrorKind>>(
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

/// Receives, installs, starts and confirms an update, as far as the device has not done so before.
pub fn bring<F: NorFlash<Error = NorFlashErrorKind>>(
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
