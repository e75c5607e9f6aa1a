//! Updates on their way into the flash of a device, in chunks of any size.

#[path = "../../tests/support/flash.rs"]
mod flash;

use embedded_storage::nor_flash::NorFlashErrorKind;
use flash::Flash;
use surprisal::{Fingerprint, Incoming, Slots, UpdateError, UpdateHeader};
use surprisal_trainer::data::checksum;

const SLOTS: Slots = Slots::new(0, 32 << 10);

/// Receives the bytes after the first as an update, as they are and with a correct checksum. The first byte is the size of a
/// chunk.
pub fn updates(input: &[u8]) {
    let Some((&size, update)) = input.split_first() else { return };
    let _ = received(update, size);
    let mut repaired = update.to_vec();
    if let Some(table) = repaired.get(UpdateHeader::BYTES + 16..) {
        let crc = checksum(table);
        repaired[UpdateHeader::BYTES + 12..UpdateHeader::BYTES + 16].copy_from_slice(&crc.to_le_bytes());
        let crc = checksum(&repaired[64..76]);
        repaired[76..80].copy_from_slice(&crc.to_le_bytes());
        let _ = received(&repaired, size);
    }
}

/// A public key, that of the example in RFC 8410.
const KEY: [u8; 32] = *include_bytes!("../../examples/update/demo.key");

fn received(update: &[u8], size: u8) -> Result<(), UpdateError<NorFlashErrorKind>> {
    let mut flash = Flash::<4, 1024>::new(64 << 10);
    let whole = UpdateHeader::split(update).is_ok();
    let mut incoming = Incoming::new(&flash, SLOTS, None, Fingerprint::ANY)?;
    // As a firmware that ignores the errors of chunks.
    let chunks = update.chunks(usize::from(size) + 1).map(|chunk| incoming.push(&mut flash, chunk));
    let is_taken = chunks.filter(Result::is_err).count() == 0;
    let received = incoming.finish(&mut flash)?;
    assert!(is_taken && whole, "host and device disagree");
    // The bytes that count are those that were sent.
    let place = received.table();
    assert_eq!(&flash.bytes[place.start as usize..place.end as usize], &update[UpdateHeader::BYTES..]);
    received.signed_bytes(&mut flash, |bytes| assert!(!bytes.is_empty()))?;
    received.without_signature().install(&mut flash, &mut None)?;
    let Some(mut installed) = SLOTS.start(&mut flash)? else { return Ok(()) };
    SLOTS.confirm(&mut flash, &mut installed)?;

    // The same update again is no newer one. With a higher number it is received beside the first, and is forged.
    let mut newer = update.to_vec();
    newer[68..72].copy_from_slice(&installed.release().saturating_add(1).to_le_bytes());
    let crc = checksum(&newer[64..76]);
    newer[76..80].copy_from_slice(&crc.to_le_bytes());
    for (bytes, is_newer) in [(update, false), (&newer, installed.release() < u32::MAX)] {
        let mut incoming = Incoming::new(&flash, SLOTS, Some(&installed), Fingerprint::ANY)?;
        let _ = incoming.push(&mut flash, bytes);
        let received = incoming.finish(&mut flash);
        assert_eq!(received.is_ok(), is_newer);
        if let Ok(received) = received {
            assert_eq!(received.verify(&mut flash, &KEY).err(), Some(UpdateError::Forged));
        }
        assert_eq!(SLOTS.start(&mut flash)?.map(|table| table.release()), Some(installed.release()));
    }
    SLOTS.discard(&mut flash, installed)
}
