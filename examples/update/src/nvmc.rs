//! The flash of an nRF51, by its controller (nRF51 Series Reference Manual 3.0, chapter 6). Other chips have a driver in their
//! HAL.

use core::ops::Range;
use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash, check_erase, check_read, check_write,
};

/// The bytes of the flash, which begins at address 0.
const BYTES: usize = 256 << 10;
/// The first byte behind the program, before which this driver writes nothing.
const FREE: u32 = 0x3_0000;
const READY: *const u32 = 0x4001_E400 as *const u32;
const CONFIG: *mut u32 = 0x4001_E504 as *mut u32;
const ERASEPAGE: *mut u32 = 0x4001_E508 as *mut u32;

/// The controller. The program has one.
pub struct Nvmc;

/// Returns bytes of the flash, which the processor reads as memory.
///
/// # Safety
/// Nothing may write to them while the slice is in use.
pub unsafe fn mapped(place: Range<u32>) -> &'static [u8] {
    // SAFETY: the flash is memory that lives as long as the program, and the caller vouches for the rest.
    unsafe { core::slice::from_raw_parts(place.start as *const u8, (place.end - place.start) as usize) }
}

impl Nvmc {
    /// Sets what the controller allows, 0 to read, 1 to write and 2 to erase, does it, and waits.
    fn allow(&mut self, what: u32, act: impl FnOnce()) {
        // SAFETY: these are the controller's registers, and only this driver uses them.
        unsafe {
            CONFIG.write_volatile(what);
            act();
            while READY.read_volatile() & 1 == 0 {}
            CONFIG.write_volatile(0);
        }
    }
}

/// Refuses the flash of the program.
fn check_free(offset: u32) -> Result<(), NorFlashErrorKind> {
    if offset < FREE { Err(NorFlashErrorKind::OutOfBounds) } else { Ok(()) }
}

impl ErrorType for Nvmc {
    type Error = NorFlashErrorKind;
}

impl ReadNorFlash for Nvmc {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), NorFlashErrorKind> {
        check_read(self, offset, bytes.len())?;
        for (slot, address) in bytes.iter_mut().zip(offset..) {
            // SAFETY: the address lies in the flash. Volatile, because the controller changes the memory.
            *slot = unsafe { (address as *const u8).read_volatile() };
        }
        Ok(())
    }

    fn capacity(&self) -> usize {
        BYTES
    }
}

impl NorFlash for Nvmc {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = 1024;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), NorFlashErrorKind> {
        check_erase(self, from, to)?;
        check_free(from)?;
        for page in (from..to).step_by(Self::ERASE_SIZE) {
            // SAFETY: the page lies behind the program, and `Slots` writes to no slot whose table is in use.
            self.allow(2, || unsafe { ERASEPAGE.write_volatile(page) });
        }
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), NorFlashErrorKind> {
        check_write(self, offset, bytes.len())?;
        check_free(offset)?;
        for (word, address) in bytes.as_chunks().0.iter().zip((offset..).step_by(4)) {
            // SAFETY: as for a page.
            self.allow(1, || unsafe { (address as *mut u32).write_volatile(u32::from_le_bytes(*word)) });
        }
        Ok(())
    }
}
