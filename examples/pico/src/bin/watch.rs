//! Scores every row, logs the verdict, and lights the LED while a row is anomalous.

#![no_std]
#![no_main]

use core::convert::Infallible;
use core::ops::ControlFlow;
use pico::board::{Board, PAUSE};
use pico::table::{COLUMNS, TABLE};
use surprisal::{Reading, Watch};

#[cortex_m_rt::entry]
fn main() -> ! {
    let Board { mut sensors, alarm, mut delay } = Board::take();
    let Ok(mut watch) = Watch::new(&TABLE.detector, alarm);
    let score = |row: &[Reading; 3]| TABLE.score(row).map(Some);
    let Err(never) = watch.run(
        &mut delay,
        PAUSE,
        || sensors.read(),
        score,
        |row| {
            defmt::info!("{}", row.named(&COLUMNS));
            ControlFlow::<Infallible>::Continue(())
        },
    );
    match never {}
}
