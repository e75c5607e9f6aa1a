//! Where rows meet pins: flags in from input pins, a verdict out to an alarm pin, and the loop between, over the traits
//! of `embedded-hal`.

use core::fmt;
use core::ops::ControlFlow;

use embedded_hal::delay::DelayNs;
use embedded_hal::digital::{InputPin, OutputPin};

use crate::detector::{Detector, Monitor, Report};
use crate::encoder::Reading;
use crate::error::EncodeError;
use crate::explain::Surprise;

/// Reads flags: 1 for a pin that is high, 0 for one that is low.
///
/// Pins of different types go in as `&mut dyn InputPin<Error = …>`.
///
/// ```
/// use embedded_hal_mock::eh1::digital::{Mock, State, Transaction};
/// use surprisal::{Reading, flags};
/// let [high, low] = [State::High, State::Low].map(|state| Mock::new(&[Transaction::get(state)]));
/// let mut pins = [high, low];
/// assert_eq!(flags(&mut pins), Ok([Reading::Integer(1), Reading::Integer(0)]));
/// # pins.iter_mut().for_each(|pin| pin.done());
/// ```
///
/// # Errors
/// Of the first pin that cannot be read; those behind it are not asked.
pub fn flags<P: InputPin, const F: usize>(pins: &mut [P; F]) -> Result<[Reading; F], P::Error> {
    let mut readings = [Reading::Missing; F];
    for (reading, pin) in readings.iter_mut().zip(pins) {
        *reading = Reading::Integer(i32::from(pin.is_high()?));
    }
    Ok(readings)
}

/// Watches one machine: a [`Monitor`], and a pin that is high while the last row is odd.
///
/// ```
/// # mod shuttle { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/shuttle.rs")); }
/// use core::{convert::Infallible, ops::ControlFlow};
/// use embedded_hal_mock::eh1::{delay::NoopDelay, digital::{Mock, State, Transaction}};
/// use shuttle::TABLE;
/// use surprisal::{Reading, Watch};
/// // Low before the first row, high at an odd one.
/// let mut pin = Mock::new(&[State::Low, State::High].map(Transaction::set));
/// let mut watch = Watch::new(&TABLE.detector, pin.clone())?;
/// let report = watch.run(
///     &mut NoopDelay::new(),
///     100,
///     || Ok::<_, Infallible>([37, 0, 77, 0, 28, 0, 40, 48, 80].map(Reading::Integer)),
///     |row| TABLE.surprise(row).map(Some),
///     |seen| ControlFlow::Break(seen.report), // in firmware: log it, and `Continue`
/// )?;
/// assert!(report.verdict.is_odd());
/// pin.done();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Watch<'t, P> {
    /// What is remembered of the machine.
    pub monitor: Monitor,
    detector: &'t Detector<'t>,
    alarm: P,
}

/// What [`Watch::run`] tells of a row.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'r, R> {
    /// What was read.
    pub row: &'r R,
    /// How odd it is.
    pub report: Report,
    /// The column that surprises most, or the reading that does not fit its column.
    pub surprise: Result<Surprise, EncodeError>,
}

/// Why [`Watch::run`] ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Fault<R, P> {
    /// A row could not be read.
    Read(R),
    /// The alarm pin could not be set.
    Alarm(P),
}

impl<'t, P: OutputPin> Watch<'t, P> {
    /// Before the first row: the pin is set low.
    ///
    /// # Errors
    /// The pin cannot be set.
    pub fn new(detector: &'t Detector<'t>, mut alarm: P) -> Result<Self, P::Error> {
        alarm.set_low()?;
        Ok(Self { monitor: Monitor::new(), detector, alarm })
    }

    /// Takes what a table says of a row, has the pin follow the verdict, and reports. A reading that does not fit its
    /// column, such as a missing one that never was, is as odd as can be: [`Surprise::IMPOSSIBLE`].
    ///
    /// # Errors
    /// The pin cannot be set; the row is counted all the same.
    pub fn judge(&mut self, surprise: Result<Surprise, EncodeError>) -> Result<Report, P::Error> {
        let report = self.monitor.push(self.detector, &surprise.unwrap_or(Surprise::IMPOSSIBLE));
        self.alarm.set_state(report.verdict.is_odd().into())?;
        Ok(report)
    }

    /// Reads a row, scores, judges and tells it, pauses, and so on until `tell` breaks, whose value is the result.
    ///
    /// `score` may say `None` of a row that does not end a window yet: then nothing is judged nor told, and the pin
    /// stays. The pause, in milliseconds, comes on top of the time that the closures take; where the period has to be
    /// exact, let `read` wait for the sensor's clock, pause 0, or call [`judge`](Self::judge) from a timer's interrupt.
    ///
    /// # Errors
    /// A row that cannot be read, or a pin that cannot be set. A machine that is not seen is not ordinary: after the
    /// former the pin is high, and [`Fault::Alarm`] if that fails too. The monitor is kept, so that `run` may be called
    /// again.
    pub fn run<R, E, B>(
        &mut self,
        delay: &mut impl DelayNs,
        pause: u32,
        mut read: impl FnMut() -> Result<R, E>,
        mut score: impl FnMut(&R) -> Result<Option<Surprise>, EncodeError>,
        mut tell: impl FnMut(Seen<R>) -> ControlFlow<B>,
    ) -> Result<B, Fault<E, P::Error>> {
        loop {
            let row = match read() {
                Ok(row) => row,
                Err(error) => {
                    self.alarm.set_high().map_err(Fault::Alarm)?;
                    return Err(Fault::Read(error));
                }
            };
            if let Some(surprise) = score(&row).transpose() {
                let report = self.judge(surprise).map_err(Fault::Alarm)?;
                if let ControlFlow::Break(value) = tell(Seen { row: &row, report, surprise }) {
                    return Ok(value);
                }
            }
            delay.delay_ms(pause);
        }
    }

    /// The pin, for other use.
    pub fn release(self) -> P {
        self.alarm
    }
}

impl<R: fmt::Debug, P: fmt::Debug> fmt::Display for Fault<R, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(error) => write!(f, "a row cannot be read: {error:?}; check the sensor's wires and supply"),
            Self::Alarm(error) => write!(f, "the alarm pin cannot be set: {error:?}"),
        }
    }
}

impl<R: fmt::Debug, P: fmt::Debug> core::error::Error for Fault<R, P> {}
