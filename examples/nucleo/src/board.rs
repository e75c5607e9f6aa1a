//! The board: its sensors and the LED of the alarm.

use core::convert::Infallible;
use defmt_rtt as _;
use hal::adc::Adc;
use hal::adc::config::{AdcConfig, SampleTime};
use hal::gpio::{Analog, Input, Output, PA0, PA1, PA5, PC13};
use hal::rcc::Config;
use hal::timer::DelayUs;
use hal::{pac, prelude::*};
use panic_probe as _;
use stm32f4xx_hal as hal;
use surprisal::{Reading, flags};

/// The names of the readings in a row.
pub const NAMES: [&str; 3] = ["voltage", "current", "off"];
/// The pause between rows, in milliseconds.
pub const PAUSE: u32 = 50;

/// The hardware that the programs use.
pub struct Board {
    /// The sensors.
    pub sensors: Sensors,
    /// The green LED, LD2.
    pub alarm: PA5<Output>,
    /// The timer for pauses.
    pub delay: DelayUs<pac::TIM5>,
}

/// Two channels of the converter and a flag.
pub struct Sensors {
    adc: Adc<pac::ADC1>,
    voltage: PA0<Analog>,
    current: PA1<Analog>,
    off: [PC13<Input>; 1],
}

impl Board {
    /// Sets up the hardware. May be called once.
    pub fn take() -> Self {
        let pac = pac::Peripherals::take().expect("once");
        let mut rcc = pac.RCC.freeze(Config::hsi().sysclk(84.MHz()));
        let (a, c) = (pac.GPIOA.split(&mut rcc), pac.GPIOC.split(&mut rcc));
        let sensors = Sensors {
            adc: Adc::new(pac.ADC1, true, AdcConfig::default(), &mut rcc),
            voltage: a.pa0.into_analog(),
            current: a.pa1.into_analog(),
            off: [c.pc13.into_input()],
        };
        Self { sensors, alarm: a.pa5.into_push_pull_output(), delay: pac.TIM5.delay_us(&mut rcc) }
    }
}

impl Sensors {
    /// Returns the next row: two counts of 12 bits and a flag. No reading can fail.
    pub fn read(&mut self) -> Result<[Reading; 3], Infallible> {
        let voltage = self.adc.convert(&self.voltage, SampleTime::Cycles_84);
        let current = self.adc.convert(&self.current, SampleTime::Cycles_84);
        let [off] = flags(&mut self.off)?;
        Ok([i32::from(voltage).into(), i32::from(current).into(), off])
    }
}
