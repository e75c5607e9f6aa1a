//! Runs the golden cases on a microcontroller, with the output format of libtest.

#![no_std]
#![no_main]

#[path = "../../support/cases.rs"]
mod cases;

use cases::CASES;
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use semihosting::{print, println, process};

/// The number of tests that have passed, for the panic handler.
static PASSED: AtomicUsize = AtomicUsize::new(0);

#[cfg_attr(target_arch = "arm", cortex_m_rt::entry)]
#[cfg_attr(target_arch = "riscv32", riscv_rt::entry)]
fn main() -> ! {
    println!("running {} tests", CASES.len());
    for (i, (name, test)) in CASES.iter().enumerate() {
        print!("test {name} ... ");
        test();
        println!("ok");
        PASSED.store(i + 1, Relaxed);
    }
    println!("\ntest result: ok. {} passed; 0 failed; 0 ignored; 0 measured; 0 filtered out", CASES.len());
    process::exit(0)
}

/// Reports a failure. There is no unwinding, so the first failure ends the run.
#[panic_handler]
fn panic(info: &PanicInfo) -> ! {
    let passed = PASSED.load(Relaxed);
    println!("FAILED\n\n{info}");
    println!(
        "\ntest result: FAILED. {passed} passed; 1 failed; {} ignored; 0 measured; 0 filtered out",
        CASES.len().saturating_sub(passed + 1)
    );
    process::exit(101)
}
