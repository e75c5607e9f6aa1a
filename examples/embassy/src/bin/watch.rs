//! Watches a pump in one task, while another does its own work.

#![no_std]
#![no_main]

use core::convert::Infallible;
use core::ops::ControlFlow;
use defmt_rtt as _;
use embassy_executor::Spawner;
use embassy_rp::adc::{self, Adc, Channel};
use embassy_rp::bind_interrupts;
use embassy_rp::gpio::{Input, Level, Output, Pull};
use embassy_time::{Delay, Duration, Ticker};
use panic_probe as _;
use pico_embassy::table::{COLUMNS, TABLE};
use surprisal::{Reading, Watch};

bind_interrupts!(struct Interrupts {
    ADC_IRQ_FIFO => adc::InterruptHandler;
});

/// The pause between rows, in milliseconds.
const PAUSE: u32 = 100;

#[embassy_executor::main]
async fn main(spawner: Spawner) {
    let board = embassy_rp::init(Default::default());
    spawner.spawn(other_work().expect("the task is spawned once"));

    let mut adc = Adc::new(board.ADC, Interrupts, adc::Config::default());
    let mut temperature = Channel::new_temp_sensor(board.ADC_TEMP_SENSOR);
    let mut current = Channel::new_pin(board.PIN_26, Pull::None);
    let running = Input::new(board.PIN_15, Pull::Down);
    let mut delay = Delay;
    let Ok(mut watch) = Watch::new(&TABLE.detector, Output::new(board.PIN_25, Level::Low));
    let ended = watch.run_async(
        &mut delay,
        PAUSE,
        async || {
            let row = [adc.read(&mut temperature).await?, adc.read(&mut current).await?, running.is_high().into()];
            Ok::<_, adc::Error>(row.map(|count| Reading::Integer(count.into())))
        },
        |row| TABLE.score(row).map(Some),
        |row| {
            defmt::info!("{}", row.named(&COLUMNS));
            ControlFlow::<Infallible>::Continue(())
        },
    );
    // A sensor that does not answer ends the loop, and leaves the LED on.
    let Err(error) = ended.await;
    defmt::panic!("{}", defmt::Debug2Format(&error));
}

/// Runs whenever the other task waits.
#[embassy_executor::task]
async fn other_work() {
    let mut ticker = Ticker::every(Duration::from_secs(10));
    loop {
        ticker.next().await;
        defmt::info!("ten seconds passed");
    }
}
