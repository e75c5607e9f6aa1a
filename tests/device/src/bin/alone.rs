//! Counts the instructions of one operation in a program of its own, where the compiler inlines differently.

#![no_std]
#![no_main]

#[cfg(feature = "sample")]
#[allow(dead_code, reason = "no bits are packed")]
#[path = "../../../support/coin.rs"]
mod coin;
#[path = "../../../support/meter.rs"]
mod meter;
#[path = "../tally.rs"]
mod tally;
/// The table, as `surprisal export` wrote it.
mod table {
    include!(env!("DEVICE_TABLE"));
}

use core::hint::black_box;
use core::panic::PanicInfo;
use semihosting::{println, process};
use surprisal::Reading;
use table::{COLUMNS, TABLE};

/// The readings of a row, and its bits for the operations on bits, which a table of views does not have.
type Row = [Reading; COLUMNS.len()];
#[cfg(any(feature = "model", feature = "sample"))]
type Bits = [bool; table::BITS];
#[cfg(not(any(feature = "model", feature = "sample")))]
type Bits = ();

static ROWS: tally::Rows = tally::Rows(include_bytes!(env!("DEVICE_ROWS")));

#[cfg_attr(target_arch = "arm", cortex_m_rt::entry)]
#[cfg_attr(target_arch = "riscv32", riscv_rt::entry)]
fn main() -> ! {
    let (meter, mut tally) = (meter::Instructions::new(), tally::Tally::default());
    #[cfg(feature = "model")]
    let mut operation = |_: &Row, bits: &Bits| _ = black_box(TABLE.model.surprisal(bits));
    #[cfg(feature = "surprisal")]
    let mut operation = |readings: &Row, _: &Bits| _ = black_box(TABLE.surprisal(readings));
    #[cfg(feature = "score")]
    let mut operation = |readings: &Row, _: &Bits| _ = black_box(TABLE.score(readings));
    // A row that is added to a packet.
    #[cfg(feature = "pack")]
    let (mut codec, mut packet) =
        (surprisal::RowCodec::new(&TABLE, &[], &mut []).expect("the table codes readings"), [0; 222]);
    #[cfg(feature = "pack")]
    let mut operation = |readings: &Row, _: &Bits| {
        _ = black_box(surprisal::PacketWriter::new(&mut codec, &mut packet).push(readings));
    };
    #[cfg(feature = "sample")]
    let mut operation = {
        let mut coin = coin::Coin::default();
        move |_: &Row, _: &Bits| _ = black_box(TABLE.model.sample(|| coin.toss()))
    };
    let call: &mut dyn FnMut(&Row, &Bits) = black_box(&mut operation);
    for (anomalous, readings) in ROWS.each() {
        #[cfg(any(feature = "model", feature = "sample"))]
        let bits = {
            let mut bits = [false; table::BITS];
            TABLE.encoder.encode(&readings, &mut bits).expect("every row fits the columns of the table");
            bits
        };
        #[cfg(not(any(feature = "model", feature = "sample")))]
        let bits = ();
        tally.add(anomalous, meter.count(|| call(&readings, &bits)).1);
        tally.bytes = tally.bytes.max(meter::stack(|| call(&readings, &bits)));
    }
    tally.print("table", "operation");
    process::exit(0)
}

#[panic_handler]
fn panic(info: &PanicInfo) -> ! {
    println!("{info}");
    process::exit(101)
}
