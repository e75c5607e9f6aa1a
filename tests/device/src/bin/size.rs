//! A firmware that scores rows: what it fills beyond what it fills when it does not is what scoring takes.

#![no_std]
#![no_main]

/// The table, as `surprisal export` wrote it.
#[allow(dead_code, reason = "nothing is done without the feature")]
mod table {
    include!(env!("DEVICE_TABLE"));
}

use core::hint::black_box;
use core::panic::PanicInfo;
use surprisal::Reading;

#[cfg_attr(target_arch = "arm", cortex_m_rt::entry)]
#[cfg_attr(target_arch = "riscv32", riscv_rt::entry)]
fn main() -> ! {
    loop {
        // From where the compiler cannot see to where it cannot.
        let readings = black_box([Reading::Missing; table::COLUMNS.len()]);
        #[cfg(feature = "score")]
        black_box(table::TABLE.surprisal(&readings).ok());
        #[cfg(feature = "surprise")]
        black_box(table::TABLE.score(&readings).ok());
        #[cfg(feature = "surprisal")]
        black_box(table::TABLE.model.surprisal(&black_box([false; table::BITS])));
        black_box(readings);
    }
}

#[panic_handler]
fn panic(_: &PanicInfo) -> ! {
    loop {}
}
