//! Scores every row by the table, says how odd it is and why, and lights the LED while it is.

#![no_std]
#![no_main]

use core::convert::Infallible;
use core::ops::ControlFlow;
use pico::table::{COLUMNS, TABLE};
use pico::{Board, PAUSE};
use surprisal::{Reading, WatchedRow, Watch};

#[cortex_m_rt::entry]
fn main() -> ! {
    let Board { mut sensors, alarm, mut delay } = Board::take();
    let Ok(mut watch) = Watch::new(&TABLE.detector, alarm);
    let score = |row: &[Reading; 3]| TABLE.score(row).map(Some);
    let Err(fault) = watch.run(&mut delay, PAUSE, || sensors.read(), score, tell);
    match fault {}
}

/// Logs every row, and of odd ones the column that surprises most.
fn tell(seen: WatchedRow<[Reading; 3]>) -> ControlFlow<Infallible> {
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
