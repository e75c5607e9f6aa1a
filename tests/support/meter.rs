//! Counts instructions and measures stack under QEMU with `-icount`.

use core::arch::asm;
use core::hint::black_box;
use core::ptr::with_exposed_provenance_mut;

/// Counts instructions with a clock on which every instruction takes the same time. On real hardware it would count cycles.
///
/// The frequency of the clock need not be known, because a loop of known length calibrates it. The clock should tick more
/// often than instructions are executed, as it does with `-icount shift=8`.
pub struct Instructions {
    /// Ticks of an empty measurement.
    empty: u32,
    /// Ticks of `2 * TURNS` instructions.
    known: u32,
}

/// The number of turns of the calibrating loop, of two instructions each.
const TURNS: u32 = 1_000_000;

impl Instructions {
    /// Starts the clock and calibrates it.
    pub fn new() -> Self {
        clock::start();
        let empty = ticks(|| ()).1;
        Self { empty, known: turned(TURNS + 1) - turned(1) }
    }

    /// Returns the result of `work` and the number of its instructions, which must not exceed a hundred million.
    pub fn count<T>(&self, work: impl FnOnce() -> T) -> (T, u32) {
        let (result, ticks) = ticks(work);
        let ticks = u64::from(ticks.saturating_sub(self.empty));
        let known = u64::from(self.known);
        (result, ((ticks * u64::from(2 * TURNS) + known / 2) / known) as u32)
    }
}

fn ticks<T>(work: impl FnOnce() -> T) -> (T, u32) {
    let start = clock::now();
    let result = black_box(work());
    (result, clock::now().wrapping_sub(start))
}

/// Returns the ticks of a loop, measured by the same code for any number of turns.
#[inline(never)]
fn turned(turns: u32) -> u32 {
    ticks(|| turn(turns)).1
}

/// Executes two instructions per turn.
fn turn(turns: u32) {
    // SAFETY: the loop only counts a register down to zero.
    unsafe {
        #[cfg(target_arch = "arm")]
        asm!("2: subs {0}, #1", "bne 2b", inout(reg) turns => _, options(nostack));
        #[cfg(target_arch = "riscv32")]
        asm!("2: addi {0}, {0}, -1", "bnez {0}, 2b", inout(reg) turns => _, options(nostack));
    }
}

/// The first timer of Arm's MPS2 boards, which counts down in 32 bits.
#[cfg(target_arch = "arm")]
mod clock {
    use core::ptr::with_exposed_provenance_mut;

    const CONTROL: usize = 0x4000_0000;
    const VALUE: usize = CONTROL + 4;
    const RELOAD: usize = CONTROL + 8;

    fn register(address: usize) -> *mut u32 {
        with_exposed_provenance_mut(address)
    }

    pub fn start() {
        // SAFETY: the board has these registers, and nothing else uses them.
        unsafe {
            register(RELOAD).write_volatile(u32::MAX);
            register(VALUE).write_volatile(u32::MAX);
            register(CONTROL).write_volatile(1);
        }
    }

    #[inline(always)]
    pub fn now() -> u32 {
        // SAFETY: the board has this register, and reading it has no effect.
        !unsafe { register(VALUE).read_volatile() }
    }
}

/// The instruction counter of the core.
#[cfg(target_arch = "riscv32")]
mod clock {
    use core::arch::asm;

    pub fn start() {}

    #[inline(always)]
    pub fn now() -> u32 {
        let count: u32;
        // SAFETY: reading the counter has no effect.
        unsafe { asm!("csrr {0}, minstret", out(reg) count, options(nostack)) };
        count
    }
}

/// Returns the stack pointer.
#[inline(always)]
fn top_of_stack() -> usize {
    let top: usize;
    // SAFETY: reading the stack pointer has no effect.
    unsafe {
        #[cfg(target_arch = "arm")]
        asm!("mov {0}, sp", out(reg) top, options(nostack));
        #[cfg(target_arch = "riscv32")]
        asm!("mv {0}, sp", out(reg) top, options(nostack));
    }
    top
}

/// Returns the largest number of bytes of stack that `work` uses: fills the memory below the stack pointer with a pattern, and
/// looks for the lowest word that has changed.
#[inline(never)]
pub fn stack(work: impl FnOnce()) -> u32 {
    const PAINT: u32 = 0xCCCC_CCCC;
    const WORDS: usize = 1536;
    let top = top_of_stack();
    let word = |i: usize| with_exposed_provenance_mut::<u32>(top - 4 * i);
    for i in 1..=WORDS {
        // SAFETY: the memory below the stack pointer is free, because no interrupt is enabled and nothing is called here.
        unsafe { word(i).write_volatile(PAINT) };
    }
    // Not inlined, so that its frame lies below `top`.
    #[inline(never)]
    fn apart(work: impl FnOnce()) {
        work();
    }
    apart(work);
    // SAFETY: the same memory as above, which is initialised.
    4 * (1..=WORDS).rev().find(|&i| unsafe { word(i).read_volatile() } != PAINT).unwrap_or(0) as u32
}
