//! Tables that arrive while the device runs: two slots in flash, one with the table in use and one for the next.
//!
//! The bytes of an update go into the slot that is not in use. They count only after they are complete, undamaged and of
//! the right columns, after their signature was verified, and after one last write that marks the slot as installed. Power
//! may fail at any moment: the next start finds the old table or the new one, whole.

use core::ops::Range;

use embedded_storage::nor_flash::NorFlash;

mod error;
mod header;
mod incoming;

pub use error::UpdateError;
pub use header::UpdateHeader;
pub use incoming::{Accepted, Incoming, Received};

/// The bytes of a mark. Its length is a multiple of every write size that is supported.
const MARK: [u8; 32] = *b"surprisal: slot has this mark...";
/// The marks at the end of a slot, in the order in which they are written.
const MARKS: u32 = 3;

/// A mark of a slot, which is written once after the slot was erased.
#[derive(Clone, Copy)]
enum Mark {
    /// The update in the slot is whole and accepted.
    Installed,
    /// A start has used the table.
    Tried,
    /// The firmware keeps the table.
    Confirmed,
}

/// The two slots for tables in a flash memory, behind one another.
///
/// A slot holds an update: its [header](UpdateHeader), its table, and at its end 96 bytes of marks. The flash erases in
/// pages of which a slot is a multiple, so that no page belongs to both.
///
/// ```
/// # mod flash { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/flash.rs")); }
/// # let table = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/shuttle.srp"));
/// # let length = u32::from_le_bytes([table[8], table[9], table[10], table[11]]);
/// # let header = surprisal::UpdateHeader { signature: [0; 64], release: 7, length }.to_bytes();
/// # let update = [&header[..], &table[..length as usize]].concat();
/// use surprisal::{Fingerprint, Incoming, Slots};
/// // Two slots of 32 KiB at the start of a flash memory, whose driver is `flash`.
/// const SLOTS: Slots = Slots::new(0, 32 << 10);
/// # let mut flash = flash::Flash::<4, 1024>::new(64 << 10);
/// let mut in_use = SLOTS.start(&mut flash)?;
/// assert!(in_use.is_none()); // a new device, which scores with the table of its firmware
///
/// let mut incoming = Incoming::new(SLOTS, in_use.as_ref(), Fingerprint::ANY)?;
/// for chunk in update.chunks(48) {
///     incoming.push(&mut flash, chunk)?; // and score the next row in between
/// }
/// let received = incoming.finish(&mut flash)?;
/// // With the feature `ed25519`: `received.verify(&mut flash, &PUBLIC_KEY)?`.
/// received.without_signature().install(&mut flash)?;
///
/// let mut in_use = SLOTS.start(&mut flash)?.expect("the table was installed");
/// assert_eq!(in_use.release(), 7);
/// // Read the table at `in_use.table()` with `from_bytes`, call its `self_test`, and score some rows. If all is well:
/// SLOTS.confirm(&mut flash, &mut in_use)?;
/// // If it is not: `SLOTS.discard(&mut flash, in_use)?`, and the old table is in use again.
/// # Ok::<(), surprisal::UpdateError<embedded_storage::nor_flash::NorFlashErrorKind>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slots {
    start: u32,
    size: u32,
    /// The release number of the table in the firmware.
    factory: u32,
}

/// A table in a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Installed {
    slot: Slot,
    /// The offset of the first byte of the table in the flash.
    table: u32,
    length: u32,
    release: u32,
    is_confirmed: bool,
}

impl Installed {
    /// Returns where the bytes of the table are, as offsets in the flash. They start at a multiple of 16 bytes in the slot.
    ///
    /// If the processor reads the flash as memory, pass the bytes at these addresses to
    /// [`Table::from_bytes`](crate::Table::from_bytes): nothing writes to them until the table is
    /// [discarded](Slots::discard) or the second next update is received. Otherwise read them into RAM.
    pub const fn table(&self) -> Range<u32> {
        self.table..self.table + self.length
    }

    /// Returns the release number of the table.
    pub const fn release(&self) -> u32 {
        self.release
    }

    /// Returns whether the firmware has [confirmed](Slots::confirm) the table.
    pub const fn is_confirmed(&self) -> bool {
        self.is_confirmed
    }
}

/// One of the two slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
enum Slot {
    First,
    Second,
}

impl Slot {
    const fn other(self) -> Self {
        match self {
            Self::First => Self::Second,
            Self::Second => Self::First,
        }
    }
}

impl Slots {
    /// The bytes of a slot that the marks take.
    const MARK_BYTES: u32 = MARKS * MARK.len() as u32;

    /// Creates two slots of `size` bytes each, the first at offset `start` of the flash. Both numbers must be multiples of
    /// the flash's erase size.
    pub const fn new(start: u32, size: u32) -> Self {
        Self { start, size, factory: 0 }
    }

    /// Returns these slots for firmware whose own table has a release number. Tables in the slots count only if theirs is
    /// higher. Without it, every release from 1 on counts.
    pub const fn with_factory_release(self, release: u32) -> Self {
        Self { factory: release, ..self }
    }

    /// Returns the number of bytes of the largest table that fits a slot.
    pub const fn capacity(&self) -> u32 {
        self.size.saturating_sub(Self::MARK_BYTES + UpdateHeader::BYTES as u32)
    }

    /// Finds the table to use, the one with the higher release number. `None` means that there is none: use the table of the
    /// firmware.
    ///
    /// Call it once after each start of the device, and once after each installation. A table that is used for the first
    /// time is on trial: if the device starts again before [`confirm`](Self::confirm), the table does not count any more,
    /// and the one in the other slot is used.
    ///
    /// Only the marks and the header are read. [`from_bytes`](crate::Table::from_bytes) checks the table itself; if it
    /// refuses the table, call [`discard`](Self::discard) and `start` again.
    ///
    /// # Errors
    /// [`UpdateError::Geometry`] if the slots do not fit the flash; [`UpdateError::Flash`] if it cannot be read or written.
    pub fn start<F: NorFlash>(&self, flash: &mut F) -> Result<Option<Installed>, UpdateError<F::Error>> {
        self.check(flash)?;
        let mut newest: Option<Installed> = None;
        for slot in [Slot::First, Slot::Second] {
            let found = self.installed(flash, slot)?;
            newest = match (newest, found) {
                (Some(newest), Some(found)) if found.release <= newest.release => Some(newest),
                (newest, found) => found.or(newest),
            };
        }
        if let Some(found) = newest.filter(|found| !found.is_confirmed) {
            self.mark(flash, found.slot, Mark::Tried)?;
        }
        Ok(newest)
    }

    /// Ends the trial of a table, so that later starts use it.
    ///
    /// Call it when the table has passed [`self_test`](crate::Table::self_test) and has scored rows without complaint.
    ///
    /// # Errors
    /// [`UpdateError::Flash`], or [`UpdateError::Geometry`] if the table is not of these slots.
    pub fn confirm<F: NorFlash>(&self, flash: &mut F, table: &mut Installed) -> Result<(), UpdateError<F::Error>> {
        self.check(flash)?;
        if !table.is_confirmed {
            self.mark(flash, table.slot, Mark::Confirmed)?;
            table.is_confirmed = true;
        }
        Ok(())
    }

    /// Erases a table, because it is damaged or of no use. Call [`start`](Self::start) then, which finds the other one. No
    /// slice of its bytes may be in use.
    ///
    /// # Errors
    /// [`UpdateError::Flash`], or [`UpdateError::Geometry`] if the slots do not fit the flash.
    pub fn discard<F: NorFlash>(&self, flash: &mut F, table: Installed) -> Result<(), UpdateError<F::Error>> {
        self.check(flash)?;
        // The last page first, because the marks are in it.
        let (from, to) = self.range(table.slot);
        let last = to - F::ERASE_SIZE as u32;
        flash.erase(last, to).map_err(UpdateError::Flash)?;
        flash.erase(from, last).map_err(UpdateError::Flash)
    }

    /// Checks that the slots fit the flash, and that its sizes are supported.
    fn check<F: NorFlash>(&self, flash: &F) -> Result<(), UpdateError<F::Error>> {
        let page = F::ERASE_SIZE as u32;
        let divides = |size: usize, whole: u32| size > 0 && whole.is_multiple_of(size as u32);
        let is_possible = divides(F::READ_SIZE, 16)
            && divides(F::WRITE_SIZE, MARK.len() as u32)
            && page.is_multiple_of(MARK.len() as u32)
            && page >= Self::MARK_BYTES
            && [self.start, self.size].iter().all(|size| size.is_multiple_of(page))
            && self.capacity() > 0
            && u64::from(self.start) + 2 * u64::from(self.size) <= flash.capacity() as u64;
        if is_possible { Ok(()) } else { Err(UpdateError::Geometry) }
    }

    /// Returns the offsets of the first byte of a slot and of the first byte after it.
    fn range(&self, slot: Slot) -> (u32, u32) {
        let start = match slot {
            Slot::First => self.start,
            Slot::Second => self.start + self.size,
        };
        (start, start + self.size)
    }

    /// Returns the table in a slot if it was installed and has not failed its trial.
    fn installed<F: NorFlash>(&self, flash: &mut F, slot: Slot) -> Result<Option<Installed>, UpdateError<F::Error>> {
        if self.read_mark(flash, slot, Mark::Installed)? != MARK {
            return Ok(None);
        }
        // Power may have failed during a write, so that any bit counts as the mark.
        let [tried, confirmed] = [Mark::Tried, Mark::Confirmed]
            .map(|mark| self.read_mark(flash, slot, mark).map(|bytes| bytes != [u8::MAX; MARK.len()]));
        let (tried, is_confirmed) = (tried?, confirmed?);
        let (at, _) = self.range(slot);
        let mut bytes = [0; UpdateHeader::BYTES];
        flash.read(at, &mut bytes).map_err(UpdateError::Flash)?;
        let header = UpdateHeader::from_bytes(&bytes).filter(|header| {
            header.length <= self.capacity() && header.release > self.factory && (is_confirmed || !tried)
        });
        Ok(header.map(|UpdateHeader { release, length, .. }| Installed {
            slot,
            table: at + UpdateHeader::BYTES as u32,
            length,
            release,
            is_confirmed,
        }))
    }

    /// Returns the offset of a mark.
    fn place(&self, slot: Slot, mark: Mark) -> u32 {
        let (_, end) = self.range(slot);
        end - Self::MARK_BYTES + mark as u32 * MARK.len() as u32
    }

    fn read_mark<F: NorFlash>(
        &self,
        flash: &mut F,
        slot: Slot,
        mark: Mark,
    ) -> Result<[u8; MARK.len()], UpdateError<F::Error>> {
        let mut bytes = [0; MARK.len()];
        flash.read(self.place(slot, mark), &mut bytes).map_err(UpdateError::Flash)?;
        Ok(bytes)
    }

    fn mark<F: NorFlash>(&self, flash: &mut F, slot: Slot, mark: Mark) -> Result<(), UpdateError<F::Error>> {
        flash.write(self.place(slot, mark), &MARK).map_err(UpdateError::Flash)
    }
}
