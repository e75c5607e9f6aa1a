//! Sends only what surprises: packs the anomalous rows of nine sensors into packets for a slow radio, and counts the others.
//!
//! `surprisal decompress MODEL packets.bin -o rows.csv` reads the packets, with the model that `src/shuttle.rs` was exported from.

#![no_std]
#![no_main]

#[path = "../shuttle.rs"]
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
use surprisal::{PacketError, PacketWriter, Reading, RowCodec};

/// The payload of a LoRa frame at the slowest data rate.
const FRAME: usize = 51;

type Row = [Reading; COLUMNS.len()];

#[cortex_m_rt::entry]
fn main() -> ! {
    let mut sensors = File::open(c"readings.bin").expect("readings.bin is missing; `cargo xtask demo` writes it");
    let mut radio = File::create(c"packets.bin").expect("packets.bin cannot be created");
    let mut codec = RowCodec::new(&TABLE, &[], &mut []).expect("the table codes readings");

    let (mut normal, mut sent, mut too_long, mut bytes) = (0_u32, 0_u32, 0_u32, 0_usize);
    let mut waiting: Option<Row> = None;
    loop {
        let mut frame = [0; FRAME];
        let mut writer = PacketWriter::new(&mut codec, &mut frame);
        let is_end = loop {
            let Some(row) = waiting.take().or_else(|| next_anomalous(&mut sensors, &mut normal)) else { break true };
            match writer.push(&row) {
                Ok(()) => sent += 1,
                Err(PacketError::Full) if writer.rows() > 0 => {
                    waiting = Some(row);
                    break false;
                }
                // Nine readings far out of range take more than a frame. A board could send them in two.
                Err(PacketError::Full) => {
                    too_long += 1;
                    break false;
                }
                Err(error) => defmt::panic!("{}", error),
            }
        };
        let packet = writer.finish();
        bytes += packet.len();
        radio.write_all(packet).expect("packets.bin cannot be written");
        if is_end {
            break;
        }
    }
    defmt::info!("{=u32} rows in {=usize} bytes of packets; {=u32} normal rows were counted", sent, bytes, normal);
    if too_long > 0 {
        defmt::warn!("{=u32} rows were too long for a frame", too_long);
    }
    process::exit(0)
}

/// Returns the next row that is anomalous, and counts the rows before it.
fn next_anomalous(sensors: &mut File, normal: &mut u32) -> Option<Row> {
    loop {
        let row = next_row(sensors)?.map(Reading::Integer);
        if TABLE.judge(&row).expect("every integer is a reading of these columns").is_anomalous() {
            return Some(row);
        }
        *normal += 1;
    }
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
