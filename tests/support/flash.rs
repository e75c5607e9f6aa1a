// A simulated flash memory, whose power may fail at any step. Included by tests, the fuzz targets and the documentation, so that
// it names its crates in full.

use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash, check_erase, check_read, check_write,
};

/// What a step leaves at which the power fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Torn {
    /// The memory as it was before.
    Nothing,
    /// The step is done, but nobody learns of it.
    Everything,
    /// The first half of the bytes is done.
    Half,
    /// Random bits: those that a write does not change stay, and an erased page may hold anything.
    Random,
    /// Words whose error-correcting code is wrong, so that they cannot be read until their page is erased.
    Unreadable,
}

#[allow(dead_code, reason = "the documentation and the fuzzer do not cut the power")]
impl Torn {
    /// All outcomes.
    pub const ALL: [Self; 5] = [Self::Nothing, Self::Everything, Self::Half, Self::Random, Self::Unreadable];
}

/// A flash memory that writes words of WRITE bytes once after each erase, and erases pages of PAGE bytes.
#[derive(Clone)]
pub struct Flash<const WRITE: usize, const PAGE: usize> {
    /// The content.
    pub bytes: Vec<u8>,
    /// Whether a word was written, or may have been, since its page was erased.
    written: Vec<bool>,
    /// Whether a word cannot be read.
    unreadable: Vec<bool>,
    /// The number of words that were written and of pages that were erased.
    pub steps: usize,
    /// The step at which the power fails, and what it leaves.
    fails_at: Option<(usize, Torn)>,
    /// The state of the generator of random bits.
    random: u64,
}

#[allow(dead_code, reason = "each test uses some of the functions")]
impl<const WRITE: usize, const PAGE: usize> Flash<WRITE, PAGE> {
    /// Creates an erased memory of `bytes` bytes.
    pub fn new(bytes: usize) -> Self {
        let [written, unreadable] = [vec![false; bytes / WRITE], vec![false; bytes / WRITE]];
        Self { bytes: vec![0xFF; bytes], written, unreadable, steps: 0, fails_at: None, random: 1 }
    }

    /// Lets the power fail at a step, counted from 0.
    pub fn fail_at(&mut self, step: usize, torn: Torn) {
        (self.steps, self.fails_at, self.random) = (0, Some((step, torn)), 2 * step as u64 + 1);
    }

    /// Switches the power on.
    pub fn restart(&mut self) {
        (self.steps, self.fails_at) = (0, None);
    }

    /// Changes bytes in one step. `new` returns what becomes of an old byte, given its place in the step and random bits to
    /// keep, which are none if the step is done. The power fails at its step, and is off after it.
    fn step(&mut self, at: usize, length: usize, new: impl Fn(u8, usize, u8) -> u8) -> Result<(), NorFlashErrorKind> {
        self.steps += 1;
        let torn = match self.fails_at {
            Some((step, _)) if self.steps > step + 1 => return Err(NorFlashErrorKind::Other),
            Some((step, torn)) if self.steps == step + 1 => Some(torn),
            _ => None,
        };
        for place in 0..length {
            let (old, random) = (self.bytes[at + place], self.random());
            self.bytes[at + place] = match torn {
                None | Some(Torn::Everything) => new(old, place, 0),
                Some(Torn::Nothing) => old,
                Some(Torn::Half) if place < length / 2 => new(old, place, 0),
                Some(Torn::Half) => old,
                Some(Torn::Random | Torn::Unreadable) => new(old, place, random),
            };
        }
        self.unreadable[at / WRITE..(at + length) / WRITE].fill(torn == Some(Torn::Unreadable));
        torn.map_or(Ok(()), |_| Err(NorFlashErrorKind::Other))
    }

    fn reads_as_erased(&self, word: usize) -> bool {
        !self.unreadable[word] && self.bytes[word * WRITE..][..WRITE].iter().all(|&byte| byte == 0xFF)
    }

    /// Returns a byte of random bits (xorshift, Marsaglia 2003).
    fn random(&mut self) -> u8 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 32) as u8
    }
}

impl<const WRITE: usize, const PAGE: usize> ErrorType for Flash<WRITE, PAGE> {
    type Error = NorFlashErrorKind;
}

impl<const WRITE: usize, const PAGE: usize> ReadNorFlash for Flash<WRITE, PAGE> {
    const READ_SIZE: usize = 4;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), NorFlashErrorKind> {
        check_read(self, offset, bytes.len())?;
        let words = offset as usize / WRITE..(offset as usize + bytes.len()).div_ceil(WRITE);
        if self.unreadable[words].contains(&true) {
            return Err(NorFlashErrorKind::Other);
        }
        bytes.copy_from_slice(&self.bytes[offset as usize..][..bytes.len()]);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.bytes.len()
    }
}

impl<const WRITE: usize, const PAGE: usize> NorFlash for Flash<WRITE, PAGE> {
    const WRITE_SIZE: usize = WRITE;
    const ERASE_SIZE: usize = PAGE;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), NorFlashErrorKind> {
        check_erase(self, from, to)?;
        for page in (from as usize..to as usize).step_by(PAGE) {
            let erased = self.step(page, PAGE, |old, _, keep| if keep == 0 { 0xFF } else { !keep | old & keep });
            for word in page / WRITE..(page + PAGE) / WRITE {
                self.written[word] = !self.reads_as_erased(word);
            }
            erased?;
        }
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), NorFlashErrorKind> {
        check_write(self, offset, bytes.len())?;
        for (at, word) in (offset as usize..).step_by(WRITE).zip(bytes.chunks(WRITE)) {
            assert!(!self.written[at / WRITE], "the word at {at} is written twice");
            let written = self.step(at, WRITE, |old, place, keep| old & (word[place] | keep));
            // Nobody can know that an interrupted write has left a word that reads as erased.
            self.written[at / WRITE] = written.is_ok() || !self.reads_as_erased(at / WRITE);
            written?;
        }
        Ok(())
    }
}
