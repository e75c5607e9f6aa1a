//! The board: its accelerometer and the LED of the alarm.

use defmt_rtt as _;
use hal::gpio::{Level, Output, Pin, PushPull, p0};
use hal::pac::{self, TIMER0, TWIM0};
use hal::timer::{OneShot, Timer};
use hal::twim::{self, Frequency, Pins, Twim};
use lsm303agr::interface::I2cInterface;
use lsm303agr::mode::MagOneShot;
use lsm303agr::{AccelMode, AccelOutputDataRate, Lsm303agr};
use nrf52833_hal as hal;
use panic_probe as _;

/// The name of a sample: the acceleration across the board in thousandths of g, 400 times per second.
pub const NAMES: [&str; 1] = ["across"];

/// The reason why the accelerometer has no sample.
pub type Error = lsm303agr::Error<twim::Error>;

/// The hardware that the programs use.
pub struct Board {
    /// The accelerometer.
    pub accelerometer: Accelerometer,
    /// The LED in the upper left corner.
    pub alarm: Pin<Output<PushPull>>,
    /// The timer for pauses.
    pub delay: Timer<TIMER0, OneShot>,
}

/// The LSM303AGR on the inner I²C bus of the board.
pub struct Accelerometer(Lsm303agr<I2cInterface<Twim<TWIM0>>, MagOneShot>);

impl Board {
    /// Sets up the hardware. May be called once.
    ///
    /// # Errors
    /// The accelerometer does not answer.
    pub fn take() -> Result<Self, Error> {
        let pac = pac::Peripherals::take().expect("once");
        let mut delay = Timer::new(pac.TIMER0);
        let pins = p0::Parts::new(pac.P0);
        let [scl, sda] = [pins.p0_08.degrade(), pins.p0_16.degrade()].map(Pin::into_floating_input);
        let mut chip = Lsm303agr::new_with_i2c(Twim::new(pac.TWIM0, Pins { scl, sda }, Frequency::K400));
        chip.init()?;
        chip.set_accel_mode_and_odr(&mut delay, AccelMode::Normal, AccelOutputDataRate::Hz400)?;
        // An LED lights when its row is high and its column low.
        pins.p0_28.into_push_pull_output(Level::Low);
        let alarm = pins.p0_21.into_push_pull_output(Level::Low).degrade();
        Ok(Self { accelerometer: Accelerometer(chip), alarm, delay })
    }
}

impl Accelerometer {
    /// Waits for the next sample of the sensor and returns it.
    ///
    /// # Errors
    /// The accelerometer does not answer.
    pub fn read(&mut self) -> Result<i32, Error> {
        while !self.0.accel_status()?.xyz_new_data() {}
        Ok(self.0.acceleration()?.z_mg())
    }
}
