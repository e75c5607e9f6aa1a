//! The board: its sensors and the LED of the alarm.

use core::convert::Infallible;
use defmt_rtt as _;
use hal::adc::{Adc, AdcPin, TempSense};
use hal::gpio::bank0::{Gpio15, Gpio25, Gpio26};
use hal::gpio::{FunctionSioInput, FunctionSioOutput, Pin, Pins, PullDown, PullNone};
use hal::{Sio, Timer, Watchdog, pac};
use panic_probe as _;
use rp2040_hal as hal;
use surprisal::{Reading, flags};

/// The names of the readings in a row.
pub const NAMES: [&str; 3] = ["temperature", "current", "running"];
/// The pause between rows, in milliseconds.
pub const PAUSE: u32 = 100;

/// The boot loader, which sets up the flash when the processor starts.
#[unsafe(link_section = ".boot2")]
#[used]
static BOOT2: [u8; 256] = rp2040_boot2::BOOT_LOADER_W25Q080;

/// The hardware that the programs use.
pub struct Board {
    /// The sensors.
    pub sensors: Sensors,
    /// The LED.
    pub alarm: Pin<Gpio25, FunctionSioOutput, PullDown>,
    /// The timer for pauses.
    pub delay: Timer,
}

/// Two channels of the converter and a flag.
pub struct Sensors {
    adc: Adc,
    temperature: TempSense,
    current: AdcPin<Pin<Gpio26, FunctionSioInput, PullNone>>,
    running: [Pin<Gpio15, FunctionSioInput, PullDown>; 1],
}

impl Board {
    /// Sets up the hardware. May be called once.
    pub fn take() -> Self {
        let mut pac = pac::Peripherals::take().expect("once");
        let mut watchdog = Watchdog::new(pac.WATCHDOG);
        let clocks = hal::clocks::init_clocks_and_plls(
            12_000_000,
            pac.XOSC,
            pac.CLOCKS,
            pac.PLL_SYS,
            pac.PLL_USB,
            &mut pac.RESETS,
            &mut watchdog,
        );
        let clocks = clocks.expect("a crystal of 12 MHz");
        let pins = Pins::new(pac.IO_BANK0, pac.PADS_BANK0, Sio::new(pac.SIO).gpio_bank0, &mut pac.RESETS);
        let mut adc = Adc::new(pac.ADC, &mut pac.RESETS);
        let sensors = Sensors {
            temperature: adc.take_temp_sensor().expect("once"),
            current: AdcPin::new(pins.gpio26.into_floating_input()).expect("a pin of the converter"),
            running: [pins.gpio15.into_pull_down_input()],
            adc,
        };
        let delay = Timer::new(pac.TIMER, &mut pac.RESETS, &clocks);
        Self { sensors, alarm: pins.gpio25.into_push_pull_output(), delay }
    }
}

impl Sensors {
    /// Returns the next row: two counts of 12 bits and a flag. No reading can fail.
    pub fn read(&mut self) -> Result<[Reading; 3], Infallible> {
        let temperature: u16 = self.adc.read(&mut self.temperature).unwrap_or_default();
        let current: u16 = self.adc.read(&mut self.current).unwrap_or_default();
        let [running] = flags(&mut self.running)?;
        Ok([i32::from(temperature).into(), i32::from(current).into(), running])
    }
}
