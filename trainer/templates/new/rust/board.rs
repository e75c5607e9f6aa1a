//! Scores the rows of `rows.rs` again and again, logs a line per row, and lights the LED while a row is anomalous.

#![no_std]
#![no_main]

use embedded_hal::delay::DelayNs;
use embedded_hal::digital::{OutputPin, PinState};
use @CRATE@::board::Board;
use @CRATE@::rows::ROWS;
use @CRATE@::{Scorer, self_test};

/// The pause between rows, in milliseconds.
const PAUSE: u32 = 1000;

#[cortex_m_rt::entry]
fn main() -> ! {
    let Board { mut alarm, mut delay, .. } = Board::take()@UNWRAPPED@;
    if let Err(error) = self_test() {
        defmt::panic!("{}", defmt::Display2Format(&error));
    }
    defmt::info!("self-test passed");
    loop {
        let mut scorer = Scorer::default();
        // The sensors of `board.rs` take the place of these rows.
        for (row, failed) in &ROWS {
            let judgement = match scorer.score(row, failed) {
                Ok(judgement) => judgement,
                Err(error) => defmt::panic!("{}", defmt::Display2Format(&error)),
            };
            if let Some(judgement) = judgement {
                defmt::info!("{}", defmt::Display2Format(&judgement));
                let Ok(()) = OutputPin::set_state(&mut alarm, PinState::from(judgement.is_anomalous()));
            }
            delay.delay_ms(PAUSE);
        }
    }
}
