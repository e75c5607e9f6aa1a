//! Watches the radiator of a space shuttle: scores nine sensor readings at a time, and says which rows are odd and why.
//!
//! `src/shuttle.rs` is the model, as `surprisal export` wrote it. `cargo xtask demo` makes it anew and runs this.

#![no_std]
#![no_main]

#[path = "../../../tests/support/meter.rs"]
mod meter;
#[rustfmt::skip]
mod shuttle;

use core::panic::PanicInfo;
// Its critical section is what the log needs.
use cortex_m as _;
use cortex_m_rt::ExceptionFrame;
// The log goes to QEMU. On a board put `defmt_rtt` here.
use defmt_semihosting as _;
use semihosting::fs::File;
use semihosting::io::{Read, Write};
use semihosting::process;
use shuttle::{COLUMNS, TABLE};
use surprisal::{Monitor, Reading, Report, RowScore};

/// How many odd rows are explained in the log.
const EXPLAINED: u32 = 5;

#[cortex_m_rt::entry]
fn main() -> ! {
    let instructions = meter::Instructions::new();
    let mut sensors = File::open(c"readings.bin").expect("no readings.bin here; `cargo xtask demo` writes it");
    let mut scores = File::create(c"scores.bin").expect("scores.bin cannot be written here");

    let (mut rows, mut odd, mut stack) = (0_u32, 0_u32, 0);
    let mut monitor = Monitor::new();
    let (mut sum, mut max) = (0_u64, 0);
    while let Some(row) = next_row(&mut sensors) {
        // All it takes: readings in, nats out, a verdict on them.
        let readings = row.map(Reading::Integer);
        let (surprise, taken) = instructions.count(|| TABLE.score(&readings));
        let surprise = surprise.expect("every integer is a reading of these columns");
        let report = monitor.push(&TABLE.detector, &surprise);

        rows += 1;
        if report.verdict.is_anomalous() {
            odd += 1;
            if odd <= EXPLAINED {
                explain(rows, &report, &surprise);
            }
        }
        if rows == 1 {
            stack = meter::stack(|| _ = core::hint::black_box(TABLE.score(&readings)));
        }
        sum += u64::from(taken);
        max = max.max(taken);
        let both = [surprise.total, surprise.anomaly].map(|nats| nats.raw().to_le_bytes());
        scores.write_all(both.as_flattened()).expect("scores.bin cannot be written to");
    }

    defmt::info!("{} rows, {} of them odd", rows, odd);
    defmt::info!("instructions per score: mean {}, max {}", sum / u64::from(rows.max(1)), max);
    defmt::info!("stack of a score: {} bytes", stack);
    process::exit(0)
}

/// The next row of sensor readings: nine little-endian `i32`. On a board, the converter's registers.
fn next_row(sensors: &mut File) -> Option<[i32; COLUMNS.len()]> {
    let mut row = [[0; 4]; COLUMNS.len()];
    sensors.read_exact(row.as_flattened_mut()).ok()?;
    Some(row.map(i32::from_le_bytes))
}

/// Logs how odd a row is, and which column surprises most.
fn explain(row: u32, report: &Report, surprise: &RowScore) {
    let name = COLUMNS.get(usize::from(surprise.column)).copied().unwrap_or_default();
    defmt::warn!("row {} is {}; {} of them from {}", row, report, surprise.largest, name);
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
