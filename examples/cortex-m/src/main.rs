//! Watches the radiator of a space shuttle: scores rows of nine sensor readings and logs the anomalous ones.
//!
//! `src/shuttle.rs` is the model, as `surprisal export` wrote it.

#![no_std]
#![no_main]

mod shuttle;

use core::panic::PanicInfo;
// The log needs its critical section.
use cortex_m as _;
use cortex_m_rt::ExceptionFrame;
// The log goes to QEMU. On a board, use `defmt_rtt` instead.
use defmt_semihosting as _;
use semihosting::fs::File;
use semihosting::io::{Read, Write};
use semihosting::process;
use shuttle::{COLUMNS, TABLE};
use surprisal::{Monitor, Reading};

/// The number of anomalous rows that are explained in the log.
const EXPLAINED: u32 = 5;

#[cortex_m_rt::entry]
fn main() -> ! {
    let mut sensors = File::open(c"readings.bin").expect("readings.bin is missing; `cargo xtask demo` writes it");
    let mut scores = File::create(c"scores.bin").expect("scores.bin cannot be created");

    let (mut rows, mut anomalous) = (0, 0);
    let mut monitor = Monitor::new();
    while let Some(row) = next_row(&mut sensors) {
        let mut readings = row.map(Reading::Integer);
        let score = TABLE.score(&readings).expect("every integer is a reading of these columns");
        let report = monitor.push(&TABLE.detector, &score);

        rows += 1;
        if report.verdict.is_anomalous() {
            anomalous += 1;
            if anomalous <= EXPLAINED {
                let blame = TABLE.blame(&mut readings).expect("the row was scored before");
                let name = COLUMNS.get(usize::from(blame.column)).copied().unwrap_or_default();
                defmt::warn!("row {=u32} is {}; look at {=str}, expected {}", rows, report, name, blame.expected);
            }
        }
        let both = [score.nats, score.anomaly].map(|nats| nats.raw().to_le_bytes());
        scores.write_all(both.as_flattened()).expect("scores.bin cannot be written");
    }
    defmt::info!("{=u32} rows, {=u32} of them anomalous", rows, anomalous);
    process::exit(0)
}

/// Returns the next row of readings: nine little-endian `i32`. On a board, read the sensors instead.
fn next_row(sensors: &mut File) -> Option<[i32; COLUMNS.len()]> {
    let mut row = [[0; 4]; COLUMNS.len()];
    sensors.read_exact(row.as_flattened_mut()).ok()?;
    Some(row.map(i32::from_le_bytes))
}

#[panic_handler]
fn panic(info: &PanicInfo) -> ! {
    defmt::error!("{}", defmt::Display2Format(info));
    process::exit(101)
}

#[cortex_m_rt::exception]
unsafe fn HardFault(_: &ExceptionFrame) -> ! {
    defmt::error!("the processor faulted");
    process::exit(101)
}
