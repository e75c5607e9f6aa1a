//! A flash memory with unknown content and behaviour, and everything that a board does with it.

use core::hint::black_box;
use embedded_storage::nor_flash::{ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash};
use surprisal::{Fingerprint, Incoming, Slots};

use crate::Hardware;

impl ErrorType for Hardware {
    type Error = NorFlashErrorKind;
}

impl ReadNorFlash for Hardware {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), NorFlashErrorKind> {
        black_box((offset, bytes));
        black_box(Ok(()))
    }

    fn capacity(&self) -> usize {
        black_box(1 << 20)
    }
}

impl NorFlash for Hardware {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = 1024;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), NorFlashErrorKind> {
        black_box((from, to));
        black_box(Ok(()))
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), NorFlashErrorKind> {
        black_box((offset, bytes));
        black_box(Ok(()))
    }
}

/// Receives and installs an update of unknown bytes.
pub fn update(bytes: &[u8]) -> Result<(), surprisal::UpdateError<NorFlashErrorKind>> {
    let (flash, slots) = (&mut Hardware, black_box(Slots::new(0, 1 << 14)).with_factory_release(black_box(1)));
    let mut in_use =
        slots.start_with(flash, |found| black_box(found).is_confirmed().then_some(()))?.map(|((), found)| found);
    let mut incoming = Incoming::new(flash, slots, in_use.as_ref(), Fingerprint::ANY)?;
    incoming.push(flash, bytes)?;
    let received = incoming.finish(flash)?;
    received.signed_bytes(flash, |bytes| _ = black_box(bytes))?;
    _ = black_box(surprisal::UpdateHeader::split(bytes).is_ok());
    received.without_signature().install(flash, &mut in_use)?;
    if let Some(mut table) = slots.start(flash)? {
        slots.confirm(flash, &mut table)?;
        slots.discard(flash, table)?;
    }
    Ok(())
}
