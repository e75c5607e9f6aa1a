//! Pins, by the traits of `embedded-hal`: reads flags from input pins, sets an alarm pin, and runs a loop that reads
//! and scores rows.

use core::fmt;
use core::ops::ControlFlow;

use embedded_hal::delay::DelayNs;
use embedded_hal::digital::{InputPin, OutputPin};

use crate::detector::{Detector, Monitor, Report, RowScore};
use crate::error::EncodeError;
use crate::nats::Nats;
use crate::reading::Reading;

/// Reads input pins as flags, `[pin]`: 1 for a high pin, 0 for a low pin.
///
/// Pass pins of different types as `&mut dyn InputPin<Error = …>`.
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
/// The error of the first pin that cannot be read. Later pins are not read.
pub fn flags<P: InputPin, const F: usize>(pins: &mut [P; F]) -> Result<[Reading; F], P::Error> {
    let mut readings = [Reading::Missing; F];
    for (reading, pin) in readings.iter_mut().zip(pins) {
        *reading = Reading::Integer(i32::from(pin.is_high()?));
    }
    Ok(readings)
}

/// Watches one machine: feeds scores to a [`Monitor`], and keeps an alarm pin high while enough of the last rows are
/// anomalous by the [rule](Monitor::rule) of the monitor: while the last row is, unless you set another rule.
///
/// ```
/// # mod shuttle { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/shuttle.rs")); }
/// use core::{convert::Infallible, ops::ControlFlow};
/// use embedded_hal_mock::eh1::{delay::NoopDelay, digital::{Mock, State, Transaction}};
/// use shuttle::{COLUMNS, TABLE};
/// use surprisal::{Reading, Watch};
/// // Low before the first row, high at an anomalous one.
/// let mut pin = Mock::new(&[State::Low, State::High].map(Transaction::set));
/// let mut watch = Watch::new(&TABLE.detector, pin.clone())?;
/// let text = watch.run(
///     &mut NoopDelay::new(),
///     100,
///     || Ok::<_, Infallible>([37, 0, 77, 0, 28, 0, 40, 48, 80].map(Reading::Integer)),
///     |row| TABLE.score(row).map(Some),
///     |row| ControlFlow::Break(row.named(&COLUMNS).to_string()), // in firmware: log it, and `Continue`
/// )?;
/// assert!(text.starts_with("anomalous: ") && text.ends_with(" nats from V9"));
/// pin.done();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Watch<'t, P> {
    /// The monitor of the machine, with its trend and drift.
    pub monitor: Monitor,
    detector: &'t Detector<'t>,
    alarm: P,
}

/// A row that [`Watch::run`] has judged, with its score and report.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct WatchedRow<'r, R> {
    /// The row as `read` returned it.
    pub row: &'r R,
    /// The monitor's report on the row.
    pub report: Report,
    /// The score of the row, or the error that names the reading that does not fit its column.
    pub score: Result<RowScore, EncodeError>,
}

impl<R> WatchedRow<'_, R> {
    /// Returns the report for a log, with the name of the column that contributes most if the row is anomalous, for
    /// example "anomalous: 21.402 nats, p 0.00033; 15.070 nats from flow".
    ///
    /// `columns` holds the names by the position of the reading, as `COLUMNS` of the exported source does.
    pub fn named<'n>(&self, columns: &'n [&'n str]) -> NamedReport<'n> {
        NamedReport { report: self.report, score: self.score, columns }
    }
}

/// The report on a row with the name of a column, see [`WatchedRow::named`].
#[derive(Clone, Copy, Debug)]
pub struct NamedReport<'n> {
    report: Report,
    score: Result<RowScore, EncodeError>,
    columns: &'n [&'n str],
}

impl NamedReport<'_> {
    /// Returns (surprisal, name) of the column that contributes most, or `None` if the row is normal or could not be
    /// scored.
    fn largest(&self) -> Option<(Nats, &str)> {
        let score = self.score.ok().filter(|_| self.report.verdict.is_anomalous())?;
        Some((score.largest, self.columns.get(usize::from(score.column)).copied().unwrap_or_default()))
    }
}

impl fmt::Display for NamedReport<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.score, self.largest()) {
            (Err(error), _) => write!(f, "{}: {error}", self.report),
            (Ok(_), Some((nats, name))) => write!(f, "{}; {nats} nats from {name}", self.report),
            (Ok(_), None) => write!(f, "{}", self.report),
        }
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for NamedReport<'_> {
    fn format(&self, f: defmt::Formatter<'_>) {
        match (self.score, self.largest()) {
            (Err(error), _) => defmt::write!(f, "{}: {}", self.report, error),
            (Ok(_), Some((nats, name))) => defmt::write!(f, "{}; {} from {=str}", self.report, nats, name),
            (Ok(_), None) => defmt::write!(f, "{}", self.report),
        }
    }
}

/// An error that ended [`Watch::run`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum WatchError<R, P> {
    /// A row could not be read.
    Read(R),
    /// The alarm pin could not be set.
    Alarm(P),
}

impl<'t, P: OutputPin> Watch<'t, P> {
    /// Creates a watch that has seen no rows, and sets the alarm pin low.
    ///
    /// # Errors
    /// The error of the pin, if it cannot be set.
    pub fn new(detector: &'t Detector<'t>, mut alarm: P) -> Result<Self, P::Error> {
        alarm.set_low()?;
        Ok(Self { monitor: Monitor::new(), detector, alarm })
    }

    /// Updates the monitor with a scored row, sets the pin high if enough of the last rows are anomalous and low otherwise,
    /// see [`Report::is_agreed`], and returns the report.
    ///
    /// A reading that does not fit its column, such as a real number where the training rows had integers, counts as
    /// [`RowScore::IMPOSSIBLE`].
    ///
    /// # Errors
    /// The error of the pin, if it cannot be set. The monitor has counted the row even then.
    pub fn judge(&mut self, score: Result<RowScore, EncodeError>) -> Result<Report, P::Error> {
        let report = self.monitor.push(self.detector, &score.unwrap_or(RowScore::IMPOSSIBLE));
        self.alarm.set_state(report.is_agreed.into())?;
        Ok(report)
    }

    /// Reads, scores and judges rows in a loop, passes each row to `report`, and pauses. Ends when `report` returns
    /// [`ControlFlow::Break`], and returns its value.
    ///
    /// `score` returns `Ok(None)` for a row that does not fill a window yet: such a row is not judged, and the pin
    /// keeps its state. An error of `score` is judged as in [`judge`](Self::judge). The `pause`, in milliseconds, adds
    /// to the time that the closures take. If the period has to be exact, let `read` wait for the sensor's clock and
    /// pause 0, or call [`judge`](Self::judge) from a timer's interrupt.
    ///
    /// # Errors
    /// [`WatchError::Read`] if a row cannot be read: the pin is then set high, because an unseen machine may not be
    /// normal. [`WatchError::Alarm`] if the pin cannot be set. The monitor keeps its state, so `run` may be called
    /// again.
    pub fn run<R, E, B>(
        &mut self,
        delay: &mut impl DelayNs,
        pause: u32,
        mut read: impl FnMut() -> Result<R, E>,
        mut score: impl FnMut(&R) -> Result<Option<RowScore>, EncodeError>,
        mut report: impl FnMut(WatchedRow<R>) -> ControlFlow<B>,
    ) -> Result<B, WatchError<E, P::Error>> {
        loop {
            if let ControlFlow::Break(value) = self.turn(read(), &mut score, &mut report)? {
                return Ok(value);
            }
            delay.delay_ms(pause);
        }
    }

    /// Does what [`run`](Self::run) does, but waits for rows and pauses without blocking: for an executor such as Embassy's, in
    /// which other tasks run meanwhile.
    ///
    /// ```
    /// # mod shuttle { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/shuttle.rs")); }
    /// use core::{convert::Infallible, ops::ControlFlow};
    /// use embedded_hal_mock::eh1::{delay::NoopDelay, digital::{Mock, State, Transaction}};
    /// use shuttle::TABLE;
    /// use surprisal::{Reading, Watch};
    /// let mut pin = Mock::new(&[State::Low, State::High].map(Transaction::set));
    /// let mut watch = Watch::new(&TABLE.detector, pin.clone())?;
    /// let mut delay = NoopDelay::new(); // on a board: `embassy_time::Delay`
    /// let task = watch.run_async(
    ///     &mut delay,
    ///     100,
    ///     async || Ok::<_, Infallible>([37, 0, 77, 0, 28, 0, 40, 48, 80].map(Reading::Integer)),
    ///     |row| TABLE.score(row).map(Some),
    ///     |row| ControlFlow::Break(row.report.verdict.is_anomalous()),
    /// );
    /// # let task = core::pin::pin!(task);
    /// # let context = &mut core::task::Context::from_waker(core::task::Waker::noop());
    /// # let core::task::Poll::Ready(ended) = task.poll(context) else { panic!("nothing waits") };
    /// // In a task: `let ended = task.await;`
    /// assert_eq!(ended?, true);
    /// pin.done();
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`WatchError`], as for [`run`](Self::run).
    #[cfg(feature = "embedded-hal-async")]
    pub async fn run_async<R, E, B>(
        &mut self,
        delay: &mut impl embedded_hal_async::delay::DelayNs,
        pause: u32,
        mut read: impl AsyncFnMut() -> Result<R, E>,
        mut score: impl FnMut(&R) -> Result<Option<RowScore>, EncodeError>,
        mut report: impl FnMut(WatchedRow<R>) -> ControlFlow<B>,
    ) -> Result<B, WatchError<E, P::Error>> {
        loop {
            if let ControlFlow::Break(value) = self.turn(read().await, &mut score, &mut report)? {
                return Ok(value);
            }
            delay.delay_ms(pause).await;
        }
    }

    /// Scores, judges and reports a row that was read.
    fn turn<R, E, B>(
        &mut self,
        row: Result<R, E>,
        score: impl FnOnce(&R) -> Result<Option<RowScore>, EncodeError>,
        report: impl FnOnce(WatchedRow<R>) -> ControlFlow<B>,
    ) -> Result<ControlFlow<B>, WatchError<E, P::Error>> {
        let row = match row {
            Ok(row) => row,
            Err(error) => {
                self.alarm.set_high().map_err(WatchError::Alarm)?;
                return Err(WatchError::Read(error));
            }
        };
        let Some(score) = score(&row).transpose() else { return Ok(ControlFlow::Continue(())) };
        let judged = self.judge(score).map_err(WatchError::Alarm)?;
        Ok(report(WatchedRow { row: &row, report: judged, score }))
    }

    /// Ends the watch and returns the alarm pin.
    pub fn release(self) -> P {
        self.alarm
    }
}

impl<R: fmt::Debug, P: fmt::Debug> fmt::Display for WatchError<R, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(error) => write!(f, "a row cannot be read: {error:?}; check the sensor's wires and supply"),
            Self::Alarm(error) => write!(f, "the alarm pin cannot be set: {error:?}; check the pin's driver"),
        }
    }
}

impl<R: fmt::Debug, P: fmt::Debug> core::error::Error for WatchError<R, P> {}
