//! The prediction of a row of a time series from earlier rows: constants in flash.
//!
//! A model of a time series is a model of one row after a change of variables. Each number becomes its residual, the
//! difference between the number and a linear prediction. The prediction uses the last values of all numbers, their
//! means over a window of earlier rows, and the numbers before it in the same row. It depends on known values alone, so
//! the number is only shifted, and its density does not change (the Jacobian is one). A state, which is a flag or a
//! category, stays as it is, and the model gets its last value as observed bits. A longer window therefore costs memory
//! for its rows, but no bits of the model.

use crate::error::TableError;
use crate::reading::Reading;

/// log2 of 4096, the integer that represents a weight of one.
const ONE: u32 = 12;

/// The linear predictor of a table: turns readings and earlier rows into residuals, with integers only.
///
/// A row has one reading per *channel*. A channel is a number, counted in fixed-point *steps* from its centre, or a
/// state.
///
/// ```
/// use surprisal::{Predictor, PredictorSlices, Reading};
/// // One number in steps of 1/256 around zero, over ten rows, predicted halfway between its last value and its mean.
/// let predictor = Predictor::new(PredictorSlices { words: &[10, 0, 0], weights: &[2048, 2048] })?;
/// assert_eq!(predictor.fixed(0, Reading::Integer(3)), Some(768));
/// assert_eq!(predictor.residual(0, &[1000], &[2000], &[1600]), 100); // 1600 - (1000 + 2000) / 2
/// # Ok::<(), surprisal::TableError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Predictor<'t> {
    slices: PredictorSlices<'t>,
}

/// The storage of [`Predictor`]. Both slices are empty for rows that do not depend on earlier rows.
#[derive(Clone, Copy, Debug, Default)]
pub struct PredictorSlices<'t> {
    /// The window, in rows, and then two words per channel: the scale, log2 of 256 steps, or [`Predictor::STATE`] for a
    /// state; and the centre, in steps.
    pub words: &'t [i32],
    /// For each of the m numbers in turn: m weights of the last values of all numbers, m weights of their means over
    /// the window, and one weight per number before it in the row. In units of 1/4096.
    pub weights: &'t [i16],
}

impl<'t> Predictor<'t> {
    /// The predictor of a table whose rows do not depend on earlier rows.
    pub const NONE: Self = Self { slices: PredictorSlices { words: &[], weights: &[] } };
    /// The word that marks a channel as a state, in place of the scale of a number.
    pub const STATE: i32 = i32::MIN;

    /// Checks the storage and creates a predictor.
    ///
    /// # Errors
    /// [`TableError::Inconsistent`] if the slices do not fit each other, or the window is not in 1..=4096 rows.
    pub const fn new(slices: PredictorSlices<'t>) -> Result<Self, TableError> {
        let PredictorSlices { words, weights } = slices;
        let Some((&window, mut channels)) = words.split_first() else {
            return if weights.is_empty() { Ok(Self::NONE) } else { Err(TableError::Inconsistent("predictor")) };
        };
        let mut numbers = 0;
        while let Some((&[scale, _], rest)) = channels.split_first_chunk() {
            if scale != Self::STATE {
                numbers += 1;
            }
            channels = rest;
        }
        let expected =
            if numbers > 4096 { 0 } else { 2 * numbers * numbers + numbers * (numbers - (numbers > 0) as usize) / 2 };
        if window < 1 || window > 4096 || !channels.is_empty() || weights.len() != expected {
            return Err(TableError::Inconsistent("predictor"));
        }
        Ok(Self { slices })
    }

    /// Returns the window: the number of earlier rows that a prediction uses, or 0 if rows do not depend on earlier
    /// rows.
    pub const fn window(&self) -> usize {
        match self.slices.words.split_first() {
            Some((window, _)) => *window as usize,
            None => 0,
        }
    }

    /// Yields (scale, centre) of each channel as in [`PredictorSlices::words`]; the scale of a state is
    /// [`STATE`](Self::STATE).
    fn channels(&self) -> impl Iterator<Item = (i32, i32)> + use<'t> {
        let words = self.slices.words.get(1..).unwrap_or_default();
        words.chunks_exact(2).map(|pair| match pair {
            &[scale, centre] => (scale, centre),
            _ => (Self::STATE, 0),
        })
    }

    /// Returns the number of channels in a row.
    pub fn width(&self) -> usize {
        self.channels().count()
    }

    /// Yields the indices of the channels that are states (flags or categories), in ascending order.
    pub fn states(&self) -> impl Iterator<Item = usize> + use<'t> {
        self.channels().enumerate().filter(|(_, (scale, _))| *scale == Self::STATE).map(|(channel, _)| channel)
    }

    /// Returns the scale and the centre of a number, or `None` for a state.
    pub(crate) fn number(&self, channel: usize) -> Option<(i8, i32)> {
        let (scale, centre) = self.channels().nth(channel).filter(|(scale, _)| *scale != Self::STATE)?;
        Some((scale as i8, centre))
    }

    /// Yields the indices of the channels that are numbers, in ascending order.
    pub fn numbers(&self) -> impl Iterator<Item = usize> + use<'t> {
        self.channels().enumerate().filter(|(_, (scale, _))| *scale != Self::STATE).map(|(channel, _)| channel)
    }

    /// Converts the reading of a number into steps of 2^scale / 256 from the centre of its channel, rounded towards
    /// zero before the centre is subtracted and saturating at ±(2^31 - 1). Returns `None` for a missing reading and for
    /// a state.
    pub fn fixed(&self, channel: usize, reading: Reading) -> Option<i32> {
        let (scale, centre) = self.number(channel)?;
        if reading.is_missing() {
            return None;
        }
        let steps = reading.fixed(scale).saturating_sub(centre.into());
        Some(steps.clamp(i64::from(-i32::MAX), i64::from(i32::MAX)) as i32)
    }

    /// Returns the mean of a number over the window, in steps, rounded towards zero. `window` yields its value in each
    /// row of the window, in steps.
    pub fn mean(&self, window: impl Iterator<Item = i32>) -> i32 {
        let sum = window.fold(0_i64, |sum, value| sum.saturating_add(value.into()));
        sum.checked_div(self.window() as i64).unwrap_or(0) as i32
    }

    /// Returns the residual of a number, its value minus its prediction, in steps, saturating at the ends of `i32`.
    ///
    /// `last` and `now`, both `[channel]`, are the previous and the present row as [`fixed`](Self::fixed) returns them;
    /// `means`, `[channel]`, are the means over the window. Elements of states are not used.
    pub fn residual(&self, channel: usize, last: &[i32], means: &[i32], now: &[i32]) -> i32 {
        let left = i64::from(now.get(channel).copied().unwrap_or(0))
            .saturating_sub(self.prediction(channel, last, means, now));
        left.clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32
    }

    /// Returns the prediction of a number from the rows of [`residual`](Self::residual), in steps. Of `now` it takes the numbers
    /// before this one.
    pub(crate) fn prediction(&self, channel: usize, last: &[i32], means: &[i32], now: &[i32]) -> i64 {
        let numbers = || self.numbers();
        let all = numbers().count();
        let place = numbers().take_while(|&number| number < channel).count();
        // Each number before this one has two weights per number of the row, and one per number before it.
        let skipped = (2 * all * place).saturating_add(place.saturating_mul(place.saturating_sub(1)) / 2);
        let mut weights = self.slices.weights.get(skipped..).unwrap_or_default().iter();
        let mut sum = 0_i64;
        let known = [(last, all), (means, all), (now, place)];
        for (row, number) in known.into_iter().flat_map(|(row, many)| numbers().take(many).map(move |at| (row, at))) {
            let weight = i64::from(weights.next().copied().unwrap_or(0));
            sum = sum.saturating_add(weight * i64::from(row.get(number).copied().unwrap_or(0)));
        }
        sum >> ONE
    }

    /// Returns the storage that [`new`](Self::new) checked.
    pub const fn slices(&self) -> PredictorSlices<'t> {
        self.slices
    }
}
