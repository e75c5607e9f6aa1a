//! Logs a row of raw readings every `PAUSE` milliseconds, for `surprisal collect`.

#![no_std]
#![no_main]

use embedded_hal::delay::DelayNs;
use nucleo::board::{Board, NAMES, PAUSE};
use surprisal::{CaptureHeader, CaptureRow};

#[cortex_m_rt::entry]
fn main() -> ! {
    let Board { mut sensors, mut delay, .. } = Board::take();
    defmt::println!("{}", CaptureHeader(&NAMES));
    loop {
        let Ok(row) = sensors.read();
        defmt::println!("{}", CaptureRow(&row));
        delay.delay_ms(PAUSE);
    }
}
