// A simulated flash memory, which breaks every rule on purpose that a flash memory may break when its power fails. Included
// by tests and by the documentation, so that it names its crates in full.

use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash, check_erase, check_read, check_write,
};

/// A flash memory that writes words of WRITE bytes once after each erase, and erases pages of PAGE bytes.
#[derive(Clone)]
pub struct Flash<const WRITE: usize, const PAGE: usize> {
    /// The content.
    pub bytes: Vec<u8>,
    /// Whether a word was written, or may have been, since its page was erased.
    written: Vec<bool>,
    /// The number of words that were written and of pages that were erased.
    pub steps: usize,
    /// The step at which the power fails.
    pub fails_at: Option<usize>,
    /// The state of the generator of the bits that an interrupted step leaves.
    chaos: u64,
}

#[allow(dead_code, reason = "each test uses some of the functions")]
impl<const WRITE: usize, const PAGE: usize> Flash<WRITE, PAGE> {
    /// Creates an erased memory of `bytes` bytes.
    pub fn new(bytes: usize) -> Self {
        Self { bytes: vec![0xFF; bytes], written: vec![false; bytes / WRITE], steps: 0, fails_at: None, chaos: 1 }
    }

    /// Lets the power fail at a step, which stays half done, with bits that depend on `seed`.
    pub fn fail_at(&mut self, step: usize, seed: u64) {
        (self.steps, self.fails_at, self.chaos) = (0, Some(step), seed | 1);
    }

    /// Switches the power on.
    pub fn restart(&mut self) {
        (self.steps, self.fails_at) = (0, None);
    }

    /// Counts a step. Returns an error at the step at which the power fails, and after it.
    fn step(&mut self) -> (bool, Result<(), NorFlashErrorKind>) {
        self.steps += 1;
        match self.fails_at {
            Some(at) if self.steps == at + 1 => (true, Err(NorFlashErrorKind::Other)),
            Some(at) if self.steps > at + 1 => (false, Err(NorFlashErrorKind::Other)),
            _ => (false, Ok(())),
        }
    }

    /// Returns a byte of random bits (xorshift, Marsaglia 2003).
    fn chaos(&mut self) -> u8 {
        self.chaos ^= self.chaos << 13;
        self.chaos ^= self.chaos >> 7;
        self.chaos ^= self.chaos << 17;
        (self.chaos >> 32) as u8
    }
}

impl<const WRITE: usize, const PAGE: usize> ErrorType for Flash<WRITE, PAGE> {
    type Error = NorFlashErrorKind;
}

impl<const WRITE: usize, const PAGE: usize> ReadNorFlash for Flash<WRITE, PAGE> {
    const READ_SIZE: usize = 4;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), NorFlashErrorKind> {
        check_read(self, offset, bytes.len())?;
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
            let (half_done, result) = self.step();
            let how = self.chaos() & 3;
            for at in page..page + PAGE {
                let (old, random) = (self.bytes[at], self.chaos());
                if half_done || result.is_ok() {
                    self.written[at / WRITE] = half_done;
                    // An interrupted erase leaves the old bytes, erased ones, both, or anything.
                    self.bytes[at] = match how {
                        _ if !half_done => 0xFF,
                        0 => old,
                        1 => 0xFF,
                        2 => old | if random & 1 == 0 { 0xFF } else { 0 },
                        _ => random,
                    };
                }
            }
            result?;
        }
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), NorFlashErrorKind> {
        check_write(self, offset, bytes.len())?;
        for (at, word) in (offset as usize..).step_by(WRITE).zip(bytes.chunks(WRITE)) {
            let (half_done, result) = self.step();
            if half_done || result.is_ok() {
                assert!(!self.written[at / WRITE], "the word at {at} is written twice");
                let how = self.chaos() & 3;
                for (place, byte) in (at..).zip(word) {
                    // An interrupted write leaves all, none or some bits as they were.
                    let late = match how {
                        _ if !half_done => 0,
                        0 => 0xFF,
                        1 => 0,
                        _ => self.chaos(),
                    };
                    self.bytes[place] &= byte | late;
                }
                // Who reads a word that an interrupted write left erased cannot know that it is not.
                self.written[at / WRITE] =
                    !half_done || self.bytes[at..at + word.len()].iter().any(|&byte| byte != 0xFF);
            }
            result?;
        }
        Ok(())
    }
}
