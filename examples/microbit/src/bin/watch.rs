//! Scores every window of the vibration by the table, says how odd it is and why, and lights an LED while it is.

#![no_std]
#![no_main]

use core::convert::Infallible;
use core::ops::ControlFlow;
use microbit::Board;
use microbit::table::{CHANNELS, COLUMNS, TABLE};
use surprisal::{EncodeError, Libm, Reading, Samples, WatchedRow, RowScore, Watch};

const WINDOW: usize = CHANNELS[0].window;

#[cortex_m_rt::entry]
fn main() -> ! {
    let Ok(Board { mut accelerometer, alarm, mut delay }) = Board::take() else {
        defmt::panic!("no answer from the accelerometer")
    };
    let mut samples = Samples::<WINDOW, { COLUMNS.len() }>::new(&CHANNELS[0]).expect("the sizes are the table's");
    let score = |&sample: &i32| score(samples.push::<Libm>(sample as f32));
    let Ok(mut watch) = Watch::new(&TABLE.detector, alarm);
    // No pause, as `read` waits for the sensor.
    let Err(fault) = watch.run(&mut delay, 0, || accelerometer.read(), score, tell);
    defmt::panic!("{}", defmt::Debug2Format(&fault))
}

/// What the table says of a window, if there is a whole one.
fn score(window: Option<[f32; COLUMNS.len()]>) -> Result<Option<RowScore>, EncodeError> {
    window.map(|row| TABLE.score(&row.map(Reading::Real))).transpose()
}

/// Logs every window, and of odd ones the feature that surprises most.
fn tell(seen: WatchedRow<i32>) -> ControlFlow<Infallible> {
    match seen.surprise {
        Ok(most) if seen.report.verdict.is_anomalous() => {
            let name = COLUMNS.get(usize::from(most.column)).copied().unwrap_or_default();
            defmt::warn!("{}; {} of them from {}", seen.report, most.largest, name);
        }
        Ok(_) => defmt::info!("{}", seen.report),
        Err(error) => defmt::warn!("{}: {}", seen.report, error),
    }
    ControlFlow::Continue(())
}
