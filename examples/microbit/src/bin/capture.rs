//! Logs every sample of the accelerometer, for `surprisal collect`.

#![no_std]
#![no_main]

use microbit::{Board, Error, NAMES};
use surprisal::{Header, Row};

#[cortex_m_rt::entry]
fn main() -> ! {
    let Err(error) = capture();
    defmt::panic!("no answer from the accelerometer: {}", defmt::Debug2Format(&error))
}

fn capture() -> Result<core::convert::Infallible, Error> {
    let Board { mut accelerometer, .. } = Board::take()?;
    defmt::println!("{}", Header(&NAMES));
    loop {
        defmt::println!("{}", Row(&[accelerometer.read()?.into()]));
    }
}
