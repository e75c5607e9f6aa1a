//! The last rows of a time series, in RAM.

use heapless::Deque;

use crate::error::EncodeError;
use crate::predictor::Predictor;
use crate::reading::Reading;

/// A ring of the last W rows of a time series of C channels, which turns each new row into the readings that a table
/// scores.
///
/// C and W must equal [`Predictor::width`] and [`Predictor::window`] of the table. The rows take `4·C·W` bytes.
///
/// ```
/// use surprisal::{Predictor, PredictorSlices, Reading, Stream};
/// // A number that is predicted to keep its last value, and a state. In firmware this is `TABLE.predictor`.
/// let predictor = Predictor::new(PredictorSlices { words: &[2, 8, 0, Predictor::STATE, 0], weights: &[4096, 0]
/// }).unwrap(); let mut stream = Stream::<2, 2>::new(); for readings in [[5, 0], [6, 1]] {
///     let [number, state] = readings.map(Reading::Integer);
///     assert!(!stream.push(&predictor, &mut [number, state, Reading::Missing])?); // the window is not full yet
/// }
/// let mut row = [Reading::Integer(8), Reading::Integer(0), Reading::Missing];
/// assert!(stream.push(&predictor, &mut row)?);
/// // The number is 2 more than its last value. The state is 0, and its last value was 1.
/// assert_eq!(row, [2, 0, 1].map(Reading::Integer));
/// # Ok::<(), surprisal::EncodeError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Stream<const C: usize, const W: usize> {
    rows: Deque<[i32; C], W>,
}

impl<const C: usize, const W: usize> Default for Stream<C, W> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const C: usize, const W: usize> Stream<C, W> {
    /// Creates a stream without earlier rows.
    pub const fn new() -> Self {
        Self { rows: Deque::new() }
    }

    /// Adds a row to the stream, and returns true if the row can be scored because at least W rows came before it. If
    /// so, replaces its readings in place with the readings that [`Table::score`](crate::Table::score) takes.
    ///
    /// `row` holds the readings of the C channels, followed by one slot per state. Numbers become residuals, states
    /// stay as they are, and the slots receive the last values of the states. The column that
    /// a score names is a position in `row`.
    ///
    /// A missing number stays missing. Later predictions use its last value, or its centre if it never had a value.
    ///
    /// # Errors
    /// [`EncodeError::StreamSize`] if C or W differ from the predictor's channels and window;
    /// [`EncodeError::NoReading`] if `row` is too short; [`EncodeError::WrongType`] if the reading of a state is a real
    /// number. The row is then not added.
    // Not inlined, so that the rows here and the row of a score are never on the stack at the same time.
    #[inline(never)]
    pub fn push(&mut self, predictor: &Predictor, row: &mut [Reading]) -> Result<bool, EncodeError> {
        let (channels, window) = (predictor.width(), predictor.window());
        if channels != C || window != W {
            return Err(EncodeError::StreamSize { window: window as u16 });
        }
        let found = row.len();
        let wanted = channels + predictor.states().count();
        let Some((readings, before)) = row.split_first_chunk_mut::<C>().filter(|_| found >= wanted) else {
            return Err(EncodeError::NoReading { column: found as u16 });
        };
        let is_real =
            |&channel: &usize| matches!(readings.get(channel), Some(real @ Reading::Real(_)) if !real.is_missing());
        if let Some(channel) = predictor.states().find(is_real) {
            return Err(EncodeError::WrongType { column: channel as u16 });
        }
        for reading in readings.iter_mut().filter(|reading| reading.is_missing()) {
            *reading = Reading::Missing;
        }
        let last = self.rows.back().unwrap_or(&[0; C]);
        let mut now = *last;
        let mut before = before.iter_mut();
        for (channel, (slot, &reading)) in now.iter_mut().zip(&*readings).enumerate() {
            *slot = predictor.fixed(channel, reading).unwrap_or(*slot);
        }
        for channel in predictor.states() {
            let (Some(slot), Some(&reading)) = (now.get_mut(channel), readings.get(channel)) else { continue };
            if let Some(before) = before.next() {
                *before = if *slot == Predictor::STATE { Reading::Missing } else { Reading::Integer(*slot) };
            }
            *slot = match reading {
                // The smallest integer stands for a missing state, so a state of that code is stored as the next
                // integer.
                Reading::Integer(code) => code.max(Predictor::STATE + 1),
                _ => Predictor::STATE,
            };
        }
        let full = self.rows.is_full();
        if full {
            let mut means = [0; C];
            for (channel, mean) in means.iter_mut().enumerate() {
                *mean = predictor.mean(self.rows.iter().map(|row| row.get(channel).copied().unwrap_or(0)));
            }
            for (channel, reading) in readings.iter_mut().enumerate() {
                if predictor.fixed(channel, *reading).is_some() {
                    *reading = Reading::Integer(predictor.residual(channel, last, &means, &now));
                }
            }
            self.rows.pop_front();
        }
        let _ = self.rows.push_back(now);
        Ok(full)
    }

    /// Discards all rows, for example after a gap in the series, after a restart, or for another machine.
    pub fn reset(&mut self) {
        *self = Self::new();
    }
}
