//! Watches a pump, and takes better tables over the air while it does: an nRF51822 (Cortex-M0, 16 KiB of RAM) with two slots
//! for tables in its flash. `src/table.rs` is the table of the firmware, as `surprisal export` wrote it.
//!
//! The sensors and the radio are files here, which QEMU reads. Replace `next_row` and `Radio` on a board.

#![no_std]
#![no_main]

mod calibration;
mod nvmc;
mod radio;
#[rustfmt::skip]
mod table;

use nvmc::Nvmc;
use radio::{Packet, Radio};
use semihosting::fs::File;
use semihosting::io::{Read, Write};
use semihosting::{println, process};
use surprisal::{Calibrator, Incoming, Installed, Monitor, PValue, Reading, Slots, TableError, UpdateError, ViewTable};
use table::{CAPACITY, COLUMNS, FINGERPRINT, TABLE, VIEWS};

/// Two slots of 24 KiB behind the program. The table of the firmware is release 1.
const SLOTS: Slots = Slots::new(0x3_0000, 24 << 10).with_factory_release(1);
/// The public key of the owner. **Replace it** by the array that `surprisal keygen` prints: everybody knows the private key of
/// this one, which is the example of RFC 8410.
const UPDATE_KEY: [u8; 32] = *include_bytes!("../demo.key");
/// The rows that a new table scores before it is confirmed, and how many of them may alarm.
const TRIAL: (u32, u32) = (100, 10);
/// The rows after which the threshold is that of this very pump.
const CALIBRATION: usize = 200;

type Table = ViewTable<'static, CAPACITY, VIEWS>;
type Failure = UpdateError<embedded_storage::nor_flash::NorFlashErrorKind>;

#[cortex_m_rt::entry]
fn main() -> ! {
    let mut flash = Nvmc;
    let (mut table, mut in_use) = start(&mut flash);
    let is_first_start = in_use.is_none();
    let mut sensors = File::open(c"readings.bin").expect("readings.bin is missing; see README.md");
    let scores = if is_first_start { c"scores-1.bin" } else { c"scores-2.bin" };
    let mut scores = File::create(scores).expect("the scores cannot be created");
    let mut radio = Radio::new(is_first_start);
    let mut incoming = None;

    let mut monitor = Monitor::new();
    let mut own = calibration::load(&mut flash, &table.detector);
    println!("threshold of {}", if own.is_some() { "this pump" } else { "the fit" });
    let mut calibrator = Calibrator::<CALIBRATION>::new();
    let (mut rows, mut alarms, mut is_rejected) = (0, 0, false);
    while let Some(readings) = next_row(&mut sensors) {
        let score = table.score(&readings).expect("every integer is a reading of these columns");
        let detector = own.as_ref().map_or(table.detector, |own| own.detector(&table.detector));
        let report = monitor.push(&detector, &score);
        rows += 1;
        alarms += u32::from(report.verdict.is_anomalous());
        let release = in_use.as_ref().map_or(1, |table| table.release());
        let line = [release, score.nats.raw(), score.anomaly.raw()].map(u32::to_le_bytes);
        scores.write_all(line.as_flattened()).expect("the scores cannot be written");

        if let Some(table) = in_use.as_mut().filter(|table| !table.is_confirmed() && rows == TRIAL.0) {
            println!("release {}: {alarms} alarms in {rows} rows", table.release());
            is_rejected = alarms > TRIAL.1;
            if !is_rejected {
                SLOTS.confirm(&mut flash, table).expect("the flash can be written");
            }
        }
        if let Some(rejected) = in_use.take_if(|_| is_rejected) {
            println!("release {}: rejected", rejected.release());
            // A table on trial does not count again, whether or not it can be erased.
            if SLOTS.discard(&mut flash, rejected).is_err() {
                println!("the flash cannot be erased");
            }
            (table, in_use) = start(&mut flash);
            is_rejected = false;
            own = calibration::load(&mut flash, &table.detector);
            (monitor, calibrator, rows, alarms) = (Monitor::new(), Calibrator::new(), 0, 0);
        }
        // Only on a machine that is known to be well, and with a table that stays.
        let stays = in_use.as_ref().is_none_or(|table| table.is_confirmed());
        if stays && own.is_none() && calibrator.push(&score) && calibrator.rows() as usize == CALIBRATION {
            let found = calibrator.finish(&table.detector, PValue::from_ppm(10_000));
            calibration::store(&mut flash, &found, &table.detector);
            own = Some(found);
            println!("threshold of this pump after {rows} rows");
        }

        // One packet of the radio for each row, so that no row waits for the whole update. The sender waits for the end of a
        // trial.
        let packet = if stays { radio.receive() } else { Packet::Silence };
        match take(packet, &mut incoming, &mut in_use, &mut flash) {
            Ok(false) => {}
            Ok(true) => {
                (table, in_use) = start(&mut flash);
                own = calibration::load(&mut flash, &table.detector);
                (monitor, calibrator, rows, alarms) = (Monitor::new(), Calibrator::new(), 0, 0);
            }
            Err(error) => {
                println!("{}: refused, {error}", radio.name());
                incoming = None;
                radio.skip();
            }
        }
    }
    // Without a table in the flash, the next start would be the first one again.
    if is_first_start && in_use.is_some() {
        println!("restart");
        drop((sensors, scores));
        cortex_m::peripheral::SCB::sys_reset();
    }
    process::exit(0)
}

/// Returns the table to use: the newest that passes its self-test, or that of the firmware.
fn start(flash: &mut Nvmc) -> (Table, Option<Installed>) {
    let read = |found: &Installed| match checked(found.table()) {
        Ok(table) => Some(table),
        Err(error) => {
            println!("release {}: {error}", found.release());
            None
        }
    };
    let Some((table, installed)) = SLOTS.start_with(flash, read).expect("the slots fit the flash") else {
        println!("release 1 in use, the table of the firmware");
        return (TABLE, None);
    };
    let state = if installed.is_confirmed() { "confirmed" } else { "on trial" };
    println!("release {} in use, {state}", installed.release());
    (table, Some(installed))
}

/// Returns the table at these addresses if it is whole, of the firmware's type, and computes here what it computed on the host.
fn checked(place: core::ops::Range<u32>) -> Result<Table, Failure> {
    // SAFETY: nothing writes to a slot whose table is in use, as `Installed::table` says.
    let table = Table::from_bytes(unsafe { nvmc::mapped(place) }, FINGERPRINT).map_err(Failure::Table)?;
    match table.self_test::<{ COLUMNS.len() }>() {
        Ok(()) => Ok(table),
        Err(error) => {
            println!("{error}");
            Err(Failure::Table(TableError::Corrupt))
        }
    }
}

/// Takes a packet of an update. Returns whether a new table was installed.
fn take(
    packet: Packet,
    incoming: &mut Option<Incoming>,
    in_use: &mut Option<Installed>,
    flash: &mut Nvmc,
) -> Result<bool, Failure> {
    match packet {
        Packet::Silence => Ok(false),
        Packet::Chunk(bytes, length) => {
            let update = match incoming {
                Some(update) => update,
                None => incoming.insert(Incoming::new(flash, SLOTS, in_use.as_ref(), FINGERPRINT)?),
            };
            update.push(flash, bytes.get(..length).unwrap_or_default())?;
            Ok(false)
        }
        Packet::End => {
            let Some(update) = incoming.take() else { return Ok(false) };
            let accepted = update.finish(flash)?.verify(flash, &UPDATE_KEY)?;
            checked(accepted.table())?;
            accepted.install(flash, in_use)?;
            Ok(true)
        }
    }
}

/// Returns the next row of readings: three little-endian `i32`. On a board, read the sensors instead.
fn next_row(sensors: &mut File) -> Option<[Reading; COLUMNS.len()]> {
    let mut row = [[0; 4]; COLUMNS.len()];
    sensors.read_exact(row.as_flattened_mut()).ok()?;
    Some(row.map(|bytes| Reading::Integer(i32::from_le_bytes(bytes))))
}
