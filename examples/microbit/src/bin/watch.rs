//! Scores every window of the vibration, logs the verdict, and lights the LED while a window is anomalous.

#![no_std]
#![no_main]

use core::convert::Infallible;
use core::ops::ControlFlow;
use microbit::board::Board;
use microbit::table::{CHANNELS, COLUMNS, TABLE};
use surprisal::{Libm, Reading, Samples, Watch};

const WINDOW: usize = CHANNELS[0].window;

#[cortex_m_rt::entry]
fn main() -> ! {
    let Ok(Board { mut accelerometer, alarm, mut delay }) = Board::take() else {
        defmt::panic!("the accelerometer does not answer")
    };
    let mut samples =
        Samples::<WINDOW, { COLUMNS.len() }>::new(&CHANNELS[0]).expect("the sizes are those of the table");
    let Ok(mut watch) = Watch::new(&TABLE.detector, alarm);
    let score = |&sample: &i32| {
        let window = samples.push::<Libm>(sample as f32);
        window.map(|row| TABLE.score(&row.map(Reading::Real))).transpose()
    };
    // No pause, because `read` waits for the sensor.
    let result = watch.run(
        &mut delay,
        0,
        || accelerometer.read(),
        score,
        |row| {
            defmt::info!("{}", row.named(&COLUMNS));
            ControlFlow::<Infallible>::Continue(())
        },
    );
    let Err(error) = result;
    defmt::panic!("{}", defmt::Debug2Format(&error))
}
