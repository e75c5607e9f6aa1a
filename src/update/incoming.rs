//! An update on its way into a slot.

use core::ops::Range;

use embedded_storage::nor_flash::NorFlash;

use super::{Aligned, Installed, Mark, Slot, Slots, UpdateError, UpdateHeader};
use crate::fingerprint::Fingerprint;
use crate::format::Arrival;

/// The bytes that are written at once, a multiple of every write size. The first block holds the header of the update
/// and that of the table.
const BLOCK: usize = 128;

/// Receives an update in chunks of any size, and writes it to the slot that is not in use.
///
/// Pages are erased as the bytes arrive: each 128 bytes of a chunk erase one page at most, and the first 128 bytes two.
/// Nothing is erased before the header has been checked. See [`Slots`] for an example. It takes about 250 bytes of RAM.
///
/// A device receives one update at a time: no other `Incoming` of the same slots may be in use until the update is installed or
/// dropped.
#[derive(Debug)]
pub struct Incoming {
    slots: Slots,
    /// The slot that the update goes into, as soon as its header has arrived.
    slot: Slot,
    /// The table in use: (its slot, its release number, whether no newer one was passed over).
    in_use: Option<(Slot, u32, bool)>,
    fingerprint: Fingerprint,
    /// The bytes that are not written yet, and their number.
    block: Aligned<BLOCK>,
    filled: usize,
    /// The number of bytes that are written.
    written: u32,
    /// The number of bytes of the slot, from its start, that are erased or written.
    erased: u32,
    /// The header, as soon as it has arrived.
    header: Option<UpdateHeader>,
    /// Whether an error has ended the update.
    has_failed: bool,
}

impl Incoming {
    /// Expects an update for the slot that `in_use`, the last result of [`Slots::start`], does not occupy.
    ///
    /// Tables of other columns than `fingerprint` are refused. It is the `FINGERPRINT` of the exported source, or
    /// [`Fingerprint::ANY`].
    ///
    /// # Errors
    /// [`UpdateError::OnTrial`] if the table in use is not confirmed, because the other slot holds the one to return to;
    /// [`UpdateError::Geometry`] if the slots do not fit the flash.
    pub fn new<F: NorFlash>(
        flash: &F,
        slots: Slots,
        in_use: Option<&Installed>,
        fingerprint: Fingerprint,
    ) -> Result<Self, UpdateError<F::Error>> {
        slots.check(flash)?;
        if in_use.is_some_and(|table| !table.is_confirmed()) {
            return Err(UpdateError::OnTrial);
        }
        Ok(Self {
            slots,
            slot: Slot::First,
            in_use: in_use.map(|table| (table.slot, table.release, table.is_newest)),
            fingerprint,
            block: Aligned([u8::MAX; BLOCK]),
            filled: 0,
            written: 0,
            erased: 0,
            header: None,
            has_failed: false,
        })
    }

    /// Adds the next bytes of the update. After an error the update is lost, and so is every later chunk of it.
    ///
    /// # Errors
    /// [`UpdateError`] if the first bytes are not the header of a newer update that fits the slot and the columns, if there are
    /// more bytes than it announces, or if the flash fails; [`UpdateError::Stale`] if the table in use is not the one that
    /// [`new`](Self::new) got; [`UpdateError::Incomplete`] after an earlier error.
    pub fn push<F: NorFlash>(&mut self, flash: &mut F, chunk: &[u8]) -> Result<(), UpdateError<F::Error>> {
        if self.has_failed {
            return Err(UpdateError::Incomplete { missing: self.missing() });
        }
        let added = self.add(flash, chunk);
        self.has_failed = added.is_err();
        added
    }

    fn add<F: NorFlash>(&mut self, flash: &mut F, mut chunk: &[u8]) -> Result<(), UpdateError<F::Error>> {
        while !chunk.is_empty() {
            if self.filled == BLOCK {
                self.flush(flash)?;
            }
            let most = self.header.map_or(u32::MAX, |_| self.missing());
            let free = self.block.0.get_mut(self.filled..).unwrap_or_default();
            let (now, later) = chunk.split_at_checked(free.len()).unwrap_or((chunk, &[]));
            // Before the bytes are stored: none after the announced length may reach the flash, where the marks are.
            if now.len() as u32 > most {
                return Err(UpdateError::TooLong);
            }
            free.iter_mut().zip(now).for_each(|(slot, byte)| *slot = *byte);
            self.filled += now.len();
            chunk = later;
        }
        Ok(())
    }

    /// Returns the number of bytes that are missing, as far as is known.
    fn missing(&self) -> u32 {
        let (arrived, whole) = self.progress();
        whole.map_or(1, |whole| whole.saturating_sub(arrived))
    }

    /// Returns the number of bytes that have arrived, and the number of bytes of the whole update once its header is known.
    pub fn progress(&self) -> (u32, Option<u32>) {
        let whole = self.header.map(|header| header.length + UpdateHeader::BYTES as u32);
        (self.written + self.filled as u32, whole)
    }

    /// Writes the last bytes, and checks that the update is complete and the checksum of the table right as it stands in the
    /// flash.
    ///
    /// # Errors
    /// [`UpdateError::Incomplete`], [`UpdateError::Table`], any error of [`push`](Self::push).
    pub fn finish<F: NorFlash>(mut self, flash: &mut F) -> Result<Received, UpdateError<F::Error>> {
        if self.filled > 0 && !self.has_failed {
            self.flush(flash)?;
        }
        let header = self.header.ok_or(UpdateError::NotAnUpdate)?;
        let missing = self.missing();
        if missing > 0 || self.has_failed {
            return Err(UpdateError::Incomplete { missing });
        }
        let received = Received { slots: self.slots, slot: self.slot, header };
        let mut arrival = Arrival::new();
        received.read(flash, UpdateHeader::BYTES as u32, |bytes| arrival.push(bytes))?;
        arrival.finish(header.length, self.fingerprint).map_err(UpdateError::Table)?;
        Ok(received)
    }

    /// Writes the block, after it has checked the first one and erased the pages that the block needs.
    fn flush<F: NorFlash>(&mut self, flash: &mut F) -> Result<(), UpdateError<F::Error>> {
        if self.written == 0 {
            self.header = Some(self.checked_header()?);
            self.slot = self.slots.target(flash, self.in_use)?;
        }
        let (start, end) = self.slots.range(self.slot);
        let page = F::ERASE_SIZE as u32;
        let last = end - page;
        if self.written == 0 {
            // The marks are in the last page. Without them the slot is empty, whatever happens next.
            flash.erase(last, end).map_err(UpdateError::Flash)?;
        }
        let at = start + self.written;
        let until = at + self.filled.next_multiple_of(F::WRITE_SIZE) as u32;
        let mut erased = start + self.erased;
        while erased < until.min(last) {
            flash.erase(erased, erased + page).map_err(UpdateError::Flash)?;
            erased += page;
        }
        self.erased = erased - start;
        let block = self.block.0.get(..(until - at) as usize).unwrap_or_default();
        flash.write(at, block).map_err(UpdateError::Flash)?;
        self.written += self.filled as u32;
        self.filled = 0;
        self.block = Aligned([u8::MAX; BLOCK]);
        Ok(())
    }

    /// Checks the first block: the header of the update and what it holds of the header of the table.
    fn checked_header<E>(&self) -> Result<UpdateHeader, UpdateError<E>> {
        let header = self
            .block
            .0
            .first_chunk()
            .and_then(UpdateHeader::from_bytes)
            .filter(|_| self.filled >= UpdateHeader::BYTES);
        let header = header.ok_or(UpdateError::NotAnUpdate)?;
        let whole = header.length.saturating_add(UpdateHeader::BYTES as u32);
        if self.filled as u32 > whole {
            return Err(UpdateError::TooLong);
        }
        let (UpdateHeader { release, length, .. }, capacity) = (header, self.slots.capacity());
        if length > capacity {
            return Err(UpdateError::TooLarge { length, capacity });
        }
        let in_use = self.in_use.map_or(self.slots.factory, |(_, release, _)| release);
        if release <= in_use {
            return Err(UpdateError::NotNewer { release, in_use });
        }
        let mut arrival = Arrival::new();
        arrival.push(self.block.0.get(UpdateHeader::BYTES..self.filled).unwrap_or_default());
        arrival.check_header(length, self.fingerprint).map_err(UpdateError::Table)?;
        Ok(header)
    }
}

/// An update that has arrived whole and undamaged. Nobody knows yet who sent it.
#[derive(Debug)]
pub struct Received {
    slots: Slots,
    slot: Slot,
    header: UpdateHeader,
}

impl Received {
    /// Returns the header of the update.
    pub const fn header(&self) -> &UpdateHeader {
        &self.header
    }

    /// Returns where the bytes of the table are, as offsets in the flash, see [`Installed::table`].
    pub fn table(&self) -> Range<u32> {
        let start = self.slots.range(self.slot).0 + UpdateHeader::BYTES as u32;
        start..start + self.header.length
    }

    /// Passes the bytes that are signed to `each`, in pieces: for a signature that is verified by other means than
    /// [`verify`](Self::verify), such as a secure element. Accept the update with
    /// [`without_signature`](Self::without_signature) then.
    ///
    /// # Errors
    /// [`UpdateError::Flash`] if the flash cannot be read.
    pub fn signed_bytes<F: NorFlash>(
        &self,
        flash: &mut F,
        each: impl FnMut(&[u8]),
    ) -> Result<(), UpdateError<F::Error>> {
        self.read(flash, UpdateHeader::SIGNATURE_BYTES as u32, each)
    }

    /// Accepts the update if its signature is that of the key, by Ed25519 (RFC 8032) over all bytes as they stand in the
    /// flash. The firmware holds the public key, 32 bytes that `surprisal keygen` prints.
    ///
    /// The code is that of the crate `ed25519-compact`. `docs/updates.md` has its bytes and instructions.
    ///
    /// # Errors
    /// [`UpdateError::Forged`]; [`UpdateError::Flash`] if the flash cannot be read.
    #[cfg(feature = "ed25519")]
    pub fn verify<F: NorFlash>(self, flash: &mut F, key: &[u8; 32]) -> Result<Accepted, UpdateError<F::Error>> {
        use ed25519_compact::{PublicKey, Signature};
        let signature = Signature::new(self.header.signature);
        let mut state = PublicKey::new(*key).verify_incremental(&signature).map_err(|_| UpdateError::Forged)?;
        self.signed_bytes(flash, |bytes| state.absorb(bytes))?;
        state.verify().map_err(|_| UpdateError::Forged)?;
        Ok(Accepted(self))
    }

    /// Accepts the update whoever sent it. Use it where the channel proves the sender, as a cable does, or after you have
    /// verified the signature yourself.
    pub const fn without_signature(self) -> Accepted {
        Accepted(self)
    }

    /// Passes the bytes of the update from an offset on to `each`.
    fn read<F: NorFlash>(
        &self,
        flash: &mut F,
        from: u32,
        mut each: impl FnMut(&[u8]),
    ) -> Result<(), UpdateError<F::Error>> {
        let (start, _) = self.slots.range(self.slot);
        let whole = self.header.length + UpdateHeader::BYTES as u32;
        let (mut at, mut block) = (from, Aligned([0; 64]));
        while at < whole {
            // Reads may go past the update, up to the marks: every read size divides the block.
            let length = ((whole - at) as usize).min(block.0.len());
            let aligned = block.0.get_mut(..length.next_multiple_of(16)).unwrap_or_default();
            flash.read(start + at, aligned).map_err(UpdateError::Flash)?;
            each(aligned.get(..length).unwrap_or_default());
            at += length as u32;
        }
        Ok(())
    }
}

/// An update that may be installed.
#[derive(Debug)]
pub struct Accepted(Received);

impl Accepted {
    /// Returns where the bytes of the table are, as offsets in the flash: for [`self_test`](crate::Table::self_test) before the
    /// installation.
    pub fn table(&self) -> Range<u32> {
        self.0.table()
    }

    /// Marks the slot as installed, with one write, and forgets the table that was in use. Call [`Slots::start`] then, or start
    /// the device again. The bytes of the old table stay where they are until the next update arrives.
    ///
    /// # Errors
    /// [`UpdateError::Flash`] if the flash cannot be written; the old table stays in use.
    pub fn install<F: NorFlash>(
        self,
        flash: &mut F,
        in_use: &mut Option<Installed>,
    ) -> Result<(), UpdateError<F::Error>> {
        let Self(Received { slots, slot, .. }) = self;
        slots.mark(flash, slot, Mark::Installed)?;
        *in_use = None;
        Ok(())
    }
}
