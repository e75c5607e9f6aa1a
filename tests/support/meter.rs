//! What benchmarks measure and a product leaves out: instructions and stack, under QEMU with `-icount`.

use core::arch::asm;
use core::hint::black_box;
use core::ptr::with_exposed_provenance_mut;

/// Counts instructions by a clock of which each takes the same share: on real hardware it would count cycles.
///
/// The clock need not be known: it is compared with a loop of known length. It should tick more often than instructions
/// are executed, as it does with `-icount shift=8`.
pub struct Instructions {
    /// Ticks of measuring nothing.
    empty: u32,
    /// Ticks of `2 * TURNS` instructions.
    known: u32,
}

/// Turns of the known loop, of two instructions each.
const TURNS: u32 = 1_000_000;

impl Instructions {
    /// Starts the clock.
    pub fn new() -> Self {
        clock::start();
        let empty = ticks(|| ()).1;
        Self { empty, known: turned(TURNS + 1) - turned(1) }
    }

    /// What `work` returns, and how many instructions it took; at most ten million.
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

/// Ticks of a loop; by the same code for any number of turns.
#[inline(never)]
fn turned(turns: u32) -> u32 {
    ticks(|| turn(turns)).1
}

/// Two instructions a turn.
fn turn(turns: u32) {
    // SAFETY: a register counts down to zero.
    unsafe {
        #[cfg(target_arch = "arm")]
        asm!("2: subs {0}, #1", "bne 2b", inout(reg) turns => _, options(nostack));
        #[cfg(target_arch = "riscv32")]
        asm!("2: addi {0}, {0}, -1", "bnez {0}, 2b", inout(reg) turns => _, options(nostack));
    }
}

/// The first timer of Arm's MPS2 boards: 32 bits that count down.
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
        // SAFETY: the registers are there, and nothing else uses them.
        unsafe {
            register(RELOAD).write_volatile(u32::MAX);
            register(VALUE).write_volatile(u32::MAX);
            register(CONTROL).write_volatile(1);
        }
    }

    #[inline(always)]
    pub fn now() -> u32 {
        // SAFETY: as above.
        !unsafe { register(VALUE).read_volatile() }
    }
}

/// The core's own counter.
#[cfg(target_arch = "riscv32")]
mod clock {
    use core::arch::asm;

    pub fn start() {}

    #[inline(always)]
    pub fn now() -> u32 {
        let count: u32;
        // SAFETY: reading it changes nothing.
        unsafe { asm!("csrr {0}, minstret", out(reg) count, options(nostack)) };
        count
    }
}

/// The stack pointer.
#[inline(always)]
fn top_of_stack() -> usize {
    let top: usize;
    // SAFETY: reading it changes nothing.
    unsafe {
        #[cfg(target_arch = "arm")]
        asm!("mov {0}, sp", out(reg) top, options(nostack));
        #[cfg(target_arch = "riscv32")]
        asm!("mv {0}, sp", out(reg) top, options(nostack));
    }
    top
}

/// The most stack that `work` ever holds, in bytes: all below the stack pointer is painted, and what has lost its
/// paint afterwards was used.
#[inline(never)]
pub fn stack(work: impl FnOnce()) -> u32 {
    const PAINT: u32 = 0xCCCC_CCCC;
    const WORDS: usize = 1536;
    let top = top_of_stack();
    let word = |i: usize| with_exposed_provenance_mut::<u32>(top - 4 * i);
    for i in 1..=WORDS {
        // SAFETY: nothing lives below the stack pointer, as no interrupt is enabled and nothing is called here.
        unsafe { word(i).write_volatile(PAINT) };
    }
    // A frame of its own, below `top`.
    #[inline(never)]
    fn apart(work: impl FnOnce()) {
        work();
    }
    apart(work);
    // SAFETY: as above; the words were written before.
    4 * (1..=WORDS).rev().find(|&i| unsafe { word(i).read_volatile() } != PAINT).unwrap_or(0) as u32
}
