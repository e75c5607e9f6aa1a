//! Tables that arrive while the device runs: two slots in flash, one with the table in use and one for the next.
//!
//! The bytes of an update go into the slot that is not in use. They count only after they are complete, undamaged and of
//! the right columns, after their signature was verified, and after one last write that marks the slot as installed. If the
//! power fails in between, the next start finds the old table or the new one, whole.

use core::ops::Range;

use embedded_storage::nor_flash::NorFlash;

mod error;
mod header;
mod incoming;

pub use error::UpdateError;
pub use header::UpdateHeader;
pub use incoming::{Accepted, Incoming, Received};

/// Bytes at an address that every flash driver can write from and read to.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(4))]
struct Aligned<const N: usize>([u8; N]);

/// The bytes of a mark. Its length is a multiple of every write size that is supported.
static MARK: Aligned<32> = Aligned(*b"surprisal: slot has this mark...");
/// The marks at the end of a slot, in the order in which they are written.
const MARKS: u32 = 3;
/// The number of bytes of a mark.
const MARK_SIZE: usize = 32;

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

/// The two slots for tables in a flash memory, one after the other.
///
/// A slot holds an update: its [header](UpdateHeader), its table, and at its end 96 bytes of marks. Its size is a multiple of the
/// pages in which the flash erases, so that no page belongs to both slots. The flash must read 255 in
/// erased bytes.
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
/// let mut incoming = Incoming::new(&flash, SLOTS, in_use.as_ref(), Fingerprint::ANY)?;
/// for chunk in update.chunks(48) {
///     incoming.push(&mut flash, chunk)?; // and score the next row in between
/// }
/// let received = incoming.finish(&mut flash)?;
/// // With the feature `ed25519`: `received.verify(&mut flash, &PUBLIC_KEY)?`.
/// received.without_signature().install(&mut flash, &mut in_use)?;
///
/// let mut in_use = SLOTS.start(&mut flash)?.expect("the table was installed");
/// assert_eq!(in_use.release(), 7);
/// // `start_with` also reads the table, and takes the other one if it is damaged. Score some rows. If all is well:
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

/// A table in a slot, as [`Slots::start`] found it.
#[derive(Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Installed {
    slot: Slot,
    /// The offset of the first byte of the table in the flash.
    table: u32,
    length: u32,
    release: u32,
    is_confirmed: bool,
    /// Whether no newer table was passed over, which could not be used.
    is_newest: bool,
}

impl Installed {
    /// Returns where the bytes of the table are, as offsets in the flash. They start at a multiple of 16 bytes in the slot.
    ///
    /// If the processor reads the flash as memory, pass the bytes at these addresses to
    /// [`Table::from_bytes`](crate::Table::from_bytes): nothing writes to them until the table is
    /// [discarded](Slots::discard) or another table takes its place and a later update arrives. Otherwise read them into RAM.
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
    const MARK_BYTES: u32 = MARKS * MARK_SIZE as u32;

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
    /// time is on trial: if the device starts again before [`confirm`](Self::confirm), for whatever reason, the table does
    /// not count any more, and the one in the other slot is used.
    ///
    /// Only the marks and the header are read; [`start_with`](Self::start_with) reads the table as well. A slot that cannot be
    /// read, or whose trial cannot be marked, does not count either, so that a damaged word never stops a device.
    ///
    /// # Errors
    /// [`UpdateError::Geometry`] if the slots do not fit the flash.
    pub fn start<F: NorFlash>(&self, flash: &mut F) -> Result<Option<Installed>, UpdateError<F::Error>> {
        Ok(self.start_with(flash, |_| Some(()))?.map(|((), installed)| installed))
    }

    /// Finds the newest table that `read` accepts, and returns what `read` made of it. `None` means that there is none: use
    /// the table of the firmware.
    ///
    /// `read` gets the tables in turn, the newest first. It should call [`from_bytes`](crate::Table::from_bytes) and
    /// [`self_test`](crate::Table::self_test), and return `None` if one of them refuses the table: that table is then
    /// [discarded](Self::discard) if the flash can still erase its slot, and left alone otherwise. A table in a flash that does not
    /// answer yet is refused as well: wait for the flash first.
    ///
    /// For the rest it is [`start`](Self::start), and takes its place.
    ///
    /// # Errors
    /// [`UpdateError::Geometry`] if the slots do not fit the flash.
    pub fn start_with<F: NorFlash, T>(
        &self,
        flash: &mut F,
        mut read: impl FnMut(&Installed) -> Option<T>,
    ) -> Result<Option<(T, Installed)>, UpdateError<F::Error>> {
        self.check(flash)?;
        let [first, second] = [Slot::First, Slot::Second].map(|slot| self.installed(flash, slot));
        let release = |found: &Option<Installed>| found.as_ref().map_or(0, |found| found.release);
        let newest_first = if release(&first) >= release(&second) { [first, second] } else { [second, first] };
        let mut is_newest = true;
        for mut found in newest_first.into_iter().flatten() {
            found.is_newest = core::mem::replace(&mut is_newest, false);
            if !found.is_confirmed && self.mark(flash, found.slot, Mark::Tried).is_err() {
                continue;
            }
            if let Some(table) = read(&found) {
                return Ok(Some((table, found)));
            }
            // A page that is worn out must not keep the device from the other table.
            let _ = self.discard(flash, found);
        }
        Ok(None)
    }

    /// Ends the trial of a table, so that later starts use it.
    ///
    /// Call it when the table has passed [`self_test`](crate::Table::self_test) and has scored rows without complaint.
    ///
    /// # Errors
    /// [`UpdateError::Flash`]; [`UpdateError::Stale`] if the slot does not hold this table on trial any more;
    /// [`UpdateError::Geometry`] if the slots do not fit the flash.
    pub fn confirm<F: NorFlash>(&self, flash: &mut F, table: &mut Installed) -> Result<(), UpdateError<F::Error>> {
        self.check(flash)?;
        if !table.is_confirmed {
            let header = self.header(flash, table.slot).map(|header| (header.release, header.length));
            let is_tried = self.read_mark(flash, table.slot, Mark::Tried) == Some(MARK.0);
            if !is_tried || header != Some((table.release, table.length)) {
                return Err(UpdateError::Stale);
            }
            self.mark(flash, table.slot, Mark::Confirmed)?;
            table.is_confirmed = true;
        }
        Ok(())
    }

    /// Erases a table that is damaged or that the firmware rejects. Call [`start`](Self::start) then, which finds the other
    /// one. No slice of its bytes may be in use. It takes the time of erasing a whole slot.
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
            && divides(F::WRITE_SIZE, MARK_SIZE as u32)
            && page.is_multiple_of(MARK_SIZE as u32)
            && page >= Self::MARK_BYTES
            && [self.start, self.size].iter().all(|size| size.is_multiple_of(page))
            && self.capacity() > 0
            && u64::from(self.start) + 2 * u64::from(self.size) <= (flash.capacity() as u64).min(u32::MAX.into());
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
    fn installed<F: NorFlash>(&self, flash: &mut F, slot: Slot) -> Option<Installed> {
        let [tried, confirmed] = [Mark::Tried, Mark::Confirmed].map(|mark| self.read_mark(flash, slot, mark));
        // Power may have failed during a write. A mark that was torn must never make a slot count that does not: the marks
        // that speak for it must be whole, and any bit of the mark that speaks against it is enough.
        let (is_confirmed, is_untried) = (confirmed == Some(MARK.0), tried == Some([u8::MAX; MARK_SIZE]));
        if !is_confirmed && !is_untried {
            return None;
        }
        let UpdateHeader { release, length, .. } = self.header(flash, slot)?;
        let table = self.range(slot).0 + UpdateHeader::BYTES as u32;
        let counts = release > self.factory && length <= self.capacity();
        counts.then_some(Installed { slot, table, length, release, is_confirmed, is_newest: true })
    }

    /// Returns the header of the update that was installed in a slot.
    fn header<F: NorFlash>(&self, flash: &mut F, slot: Slot) -> Option<UpdateHeader> {
        // Without its mark the slot may hold half of an update, whose words some flash memories do not let anybody read.
        if self.read_mark(flash, slot, Mark::Installed) != Some(MARK.0) {
            return None;
        }
        let mut bytes = Aligned([0; UpdateHeader::BYTES]);
        flash.read(self.range(slot).0, &mut bytes.0).ok()?;
        UpdateHeader::from_bytes(&bytes.0)
    }

    /// Returns the slot for the next update: one whose table is neither `in_use` nor a newer one that could be in use.
    fn target<F: NorFlash>(
        &self,
        flash: &mut F,
        in_use: Option<(Slot, u32, bool)>,
    ) -> Result<Slot, UpdateError<F::Error>> {
        let found = [Slot::First, Slot::Second].map(|slot| self.installed(flash, slot));
        let found_in = |slot| found.iter().flatten().find(|found| found.slot == slot);
        let target = match in_use {
            Some((slot, release, is_newest)) => {
                let is_there = found_in(slot).is_some_and(|found| found.release == release);
                let is_older = found_in(slot.other()).is_none_or(|found| found.release < release);
                (is_there && (is_older || !is_newest)).then_some(slot.other())
            }
            None => [Slot::First, Slot::Second].into_iter().find(|&slot| found_in(slot).is_none()),
        };
        target.ok_or(UpdateError::Stale)
    }

    /// Returns the offset of a mark.
    fn place(&self, slot: Slot, mark: Mark) -> u32 {
        let (_, end) = self.range(slot);
        end - Self::MARK_BYTES + mark as u32 * MARK_SIZE as u32
    }

    /// Returns the bytes of a mark, or `None` if they cannot be read.
    fn read_mark<F: NorFlash>(&self, flash: &mut F, slot: Slot, mark: Mark) -> Option<[u8; MARK_SIZE]> {
        let mut bytes = Aligned([0; MARK_SIZE]);
        flash.read(self.place(slot, mark), &mut bytes.0).ok().map(|()| bytes.0)
    }

    fn mark<F: NorFlash>(&self, flash: &mut F, slot: Slot, mark: Mark) -> Result<(), UpdateError<F::Error>> {
        flash.write(self.place(slot, mark), &MARK.0).map_err(UpdateError::Flash)
    }
}
