//! Lights an LED while a pump is unwell. `src/table.rs` is the model, as `surprisal export` writes it.

#![no_std]
#![no_main]

#[rustfmt::skip]
mod table;

use semihosting::{print, println, process};
use surprisal::Monitor;
use table::{COLUMNS, Row, TABLE};

/// The LEDs of Arm's MPS2 boards: bit 0 is USERLED0. On your board, take a pin of its HAL.
const LEDS: *mut u32 = 0x4002_8000 as *mut u32;

/// What the sensors read, row after row. On your board, read the sensors.
const ROWS: [Row; 6] = [
    Row { temperature: 880, current: 38, running: false },
    Row { temperature: 865, current: 1905, running: true },
    Row { temperature: 865, current: 1210, running: true }, // no water: the motor turns too easily
    Row { temperature: 865, current: 1190, running: true },
    Row { temperature: 865, current: 1910, running: true },
    Row { temperature: 864, current: 1900, running: false }, // the relay is stuck
];

#[cortex_m_rt::entry]
fn main() -> ! {
    led(false);
    // Do core, compiler and flash compute what the desktop did?
    TABLE.self_test::<{ COLUMNS.len() }>().expect("the table does not compute what the trainer did");
    let mut monitor = Monitor::new();
    for row in &ROWS {
        let mut readings = row.readings();
        let score = TABLE.score(&readings).expect("the row has the columns of the table");
        let report = monitor.push(&TABLE.detector, &score);
        led(report.verdict.is_anomalous());
        print!("{} {} {}: {report}", row.temperature, row.current, row.running);
        if report.verdict.is_anomalous() {
            let blame = TABLE.blame(&mut readings).expect("the row was scored before");
            print!("; look at {}, expected {:?}", COLUMNS[usize::from(blame.column)], blame.expected);
        }
        println!();
    }
    process::exit(0)
}

/// Switches USERLED0.
fn led(on: bool) {
    // SAFETY: the register exists on this board, and nothing else writes it.
    unsafe { LEDS.write_volatile(u32::from(on)) }
}
