//! A program that calls one operation of a table, or none: the difference in size is the cost of the operation.

#![no_std]
#![no_main]

/// The table, as `surprisal export` wrote it.
#[allow(dead_code, reason = "the program without an operation does not use the table")]
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
        // The compiler cannot see where the readings come from or where the results go.
        let readings = black_box([Reading::Missing; table::COLUMNS.len()]);
        #[cfg(feature = "surprisal")]
        black_box(table::TABLE.surprisal(&readings).ok());
        #[cfg(feature = "score")]
        black_box(table::TABLE.score(&readings).ok());
        #[cfg(feature = "model")]
        black_box(table::TABLE.model.surprisal(&black_box([false; table::BITS])));
        black_box(readings);
    }
}

#[panic_handler]
fn panic(_: &PanicInfo) -> ! {
    loop {}
}
