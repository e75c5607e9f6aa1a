//! What the demo measures and a product leaves out: instructions and stack.

use core::hint::black_box;
use core::ptr::with_exposed_provenance_mut;
use cortex_m::peripheral::SYST;
use cortex_m::peripheral::syst::SystClkSource;
use cortex_m::register::msp;

/// Counts instructions by SysTick, of which QEMU with `-icount shift=6` does one each 64 ns.
pub struct Instructions {
    /// Ticks of measuring nothing.
    empty: u32,
}

impl Instructions {
    /// Starts the timer.
    pub fn new(mut timer: SYST) -> Self {
        timer.set_clock_source(SystClkSource::Core);
        timer.set_reload(0xFF_FFFF);
        timer.clear_current();
        timer.enable_counter();
        Self { empty: ticks(|| ()).1 }
    }

    /// What `work` returns, and how many instructions it took.
    pub fn count<T>(&self, work: impl FnOnce() -> T) -> (T, u32) {
        let (result, ticks) = ticks(work);
        // The board's clock is 25 MHz: a tick is 40 ns. On real hardware ticks are cycles.
        (result, ticks.saturating_sub(self.empty) * 40 / 64)
    }
}

fn ticks<T>(work: impl FnOnce() -> T) -> (T, u32) {
    let start = SYST::get_current();
    let result = black_box(work());
    // The timer counts down, in 24 bits.
    (result, start.wrapping_sub(SYST::get_current()) & 0xFF_FFFF)
}

/// The most stack that `work` ever holds, in bytes: all below the stack pointer is painted, and what has lost its
/// paint afterwards was used.
#[inline(never)]
pub fn stack(work: impl FnOnce()) -> u32 {
    const PAINT: u32 = 0xCCCC_CCCC;
    const WORDS: u32 = 2048;
    let top = msp::read();
    let word = |i: u32| with_exposed_provenance_mut::<u32>((top - 4 * i) as usize);
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
    4 * (1..=WORDS).rev().find(|&i| unsafe { word(i).read_volatile() } != PAINT).unwrap_or(0)
}
