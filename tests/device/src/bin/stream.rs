//! Measures the RAM of a time series of eight channels with a window of ten rows: `cargo benches stream`.

#![no_std]
#![no_main]

#[allow(dead_code, reason = "no instructions are counted")]
#[path = "../../../support/meter.rs"]
mod meter;
#[path = "../../../golden/stream.rs"]
#[rustfmt::skip]
mod stream;
#[path = "../../../support/tank.rs"]
mod tank;

use core::hint::black_box;
use core::panic::PanicInfo;
use semihosting::{println, process};
use stream::{COLUMNS, ROW, TABLE, WINDOW};
use surprisal::{Monitor, Reading, Stream};

#[cfg_attr(target_arch = "arm", cortex_m_rt::entry)]
#[cfg_attr(target_arch = "riscv32", riscv_rt::entry)]
fn main() -> ! {
    let mut past = Stream::<{ COLUMNS.len() }, WINDOW>::new();
    let mut monitor = Monitor::new();
    let mut most = 0;
    let mut row = [Reading::Missing; ROW];
    for heard in tank::heard() {
        row.iter_mut().zip(heard).for_each(|(slot, reading)| *slot = reading.into());
        most = most.max(meter::stack(|| {
            if let Ok(true) = past.push(&TABLE.predictor, black_box(&mut row))
                && let Ok(score) = TABLE.score(&row)
            {
                black_box(monitor.push(&TABLE.detector, &score));
            }
        }));
    }
    let (row, past, monitor) = (size_of_val(&row), size_of_val(&past), size_of_val(&monitor));
    println!(
        "row {row}, window {past}, monitor {monitor}, stack {most}, together {}",
        row + past + monitor + most as usize
    );
    process::exit(0)
}

#[panic_handler]
fn panic(info: &PanicInfo) -> ! {
    println!("{info}");
    process::exit(101)
}
