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
        let _ = received(&repaired, size);
    }
}

fn received(update: &[u8], size: u8) -> Result<(), UpdateError<NorFlashErrorKind>> {
    let mut flash = Flash::<4, 1024>::new(64 << 10);
    let mut incoming = Incoming::new(SLOTS, None, Fingerprint::ANY)?;
    update.chunks(usize::from(size) + 1).try_for_each(|chunk| incoming.push(&mut flash, chunk))?;
    let received = incoming.finish(&mut flash)?;
    // The bytes that count are those that were sent.
    let place = received.table();
    assert_eq!(&flash.bytes[place.start as usize..place.end as usize], &update[UpdateHeader::BYTES..]);
    // Nobody finds a signature by chance.
    assert_eq!(received.clone().verify(&mut flash, &[7; 32]).err(), Some(UpdateError::Forged));
    received.without_signature().install(&mut flash)?;
    let installed = SLOTS.start(&mut flash)?.filter(|table| table.release() > 0);
    installed.map_or(Ok(()), |table| SLOTS.discard(&mut flash, table))
}
