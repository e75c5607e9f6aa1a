//! Counts the instructions and measures the stack of every operation over the rows of every table.

#![no_std]
#![no_main]

#[path = "../../support/coin.rs"]
#[allow(dead_code, reason = "no bits are packed")]
mod coin;
mod measure;
#[path = "../../support/meter.rs"]
mod meter;
mod tally;

/// The tables, their rows, and a function `measure` for all of them, as `cargo benches device` wrote them.
mod tables {
    include!(env!("DEVICE_TABLES"));
}

use core::panic::PanicInfo;
use semihosting::{println, process};

#[cfg_attr(target_arch = "arm", cortex_m_rt::entry)]
#[cfg_attr(target_arch = "riscv32", riscv_rt::entry)]
fn main() -> ! {
    tables::measure(&meter::Instructions::new());
    process::exit(0)
}

#[panic_handler]
fn panic(info: &PanicInfo) -> ! {
    println!("{info}");
    process::exit(101)
}
