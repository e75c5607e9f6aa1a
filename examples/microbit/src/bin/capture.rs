//! Logs every sample of the accelerometer, for `surprisal collect`.

#![no_std]
#![no_main]

use core::convert::Infallible;
use microbit::board::{Board, Error, NAMES};
use surprisal::{CaptureHeader, CaptureRow};

#[cortex_m_rt::entry]
fn main() -> ! {
    let Err(error) = capture();
    defmt::panic!("the accelerometer does not answer: {}", defmt::Debug2Format(&error))
}

fn capture() -> Result<Infallible, Error> {
    let Board { mut accelerometer, .. } = Board::take()?;
    defmt::println!("{}", CaptureHeader(&NAMES));
    loop {
        defmt::println!("{}", CaptureRow(&[accelerometer.read()?.into()]));
    }
}
