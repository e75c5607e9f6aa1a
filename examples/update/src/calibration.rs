//! The calibration of this very pump, behind the tables in the flash. `sequential-storage` spreads the writes over the pages
//! and survives a failure of the power.

use embassy_futures::block_on;
use embedded_storage::nor_flash::{self, NorFlashErrorKind};
use embedded_storage_async::nor_flash::{NorFlash, ReadNorFlash};
use sequential_storage::cache::{Cache, CacheImpl};
use sequential_storage::map::{MapConfig, MapStorage};
use surprisal::{Detector, Recalibration};

use crate::nvmc::Nvmc;

/// Four pages behind the slots.
const PLACE: core::ops::Range<u32> = 0x3_C000..0x3_D000;
/// The key of the calibration.
const KEY: u8 = 1;
/// The longest item: the calibration and its key, and what rounding to words adds.
const BUFFER: usize = Recalibration::BYTES + 8;

/// Returns the stored calibration of the table with this detector, or `None` if there is none.
pub fn load(flash: &mut Nvmc, factory: &Detector) -> Option<Recalibration> {
    let mut buffer = [0; BUFFER];
    let stored: &[u8] = block_on(storage(flash).fetch_item(&mut buffer, &KEY)).ok()??;
    Recalibration::from_bytes(stored, factory).ok()
}

/// Stores the calibration of the table with this detector.
pub fn store(flash: &mut Nvmc, calibration: &Recalibration, factory: &Detector) {
    let bytes = calibration.to_bytes(factory);
    let mut storage = storage(flash);
    if block_on(storage.store_item(&mut [0; BUFFER], &KEY, &&bytes[..])).is_err() {
        // The pages were never erased, or hold something else. Nothing else is stored there.
        block_on(storage.erase_all()).expect("the flash can be erased");
        block_on(storage.store_item(&mut [0; BUFFER], &KEY, &&bytes[..])).expect("the flash can be written");
    }
}

fn storage(flash: &mut Nvmc) -> MapStorage<u8, &mut Nvmc, impl CacheImpl<u8>> {
    MapStorage::new(flash, const { MapConfig::new(PLACE) }, Cache::new_uncached())
}

impl ReadNorFlash for Nvmc {
    const READ_SIZE: usize = 1;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), NorFlashErrorKind> {
        nor_flash::ReadNorFlash::read(self, offset, bytes)
    }

    fn capacity(&self) -> usize {
        nor_flash::ReadNorFlash::capacity(self)
    }
}

impl NorFlash for Nvmc {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = 1024;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), NorFlashErrorKind> {
        nor_flash::NorFlash::erase(self, from, to)
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), NorFlashErrorKind> {
        nor_flash::NorFlash::write(self, offset, bytes)
    }
}
