//! Rows in time: what a row is, given the rows before it.
//!
//! p(row_t | the W rows before) is a model of one row after a change of variables. A number becomes what a linear predictor
//! leaves of it: its own and the other channels' last values, their means over the window, and the channels before it in
//! the same row. Given all those it is shifted and no more, so that its density stays what it is (the Jacobian is one). A
//! state, a flag or a category, stays itself, and its last value is given to the model as bits that are seen, but not scored.
//! So a window of any length costs its ring and a few multiplications, and not a bit more of a row.

use crate::encoder::{Reading, tail};
use crate::error::TableError;

#[cfg(feature = "heapless")]
use crate::error::EncodeError;
#[cfg(feature = "heapless")]
use heapless::Deque;

/// log2 of a weight of one.
const ONE: u32 = 12;

/// What turns a row and its past into readings; constants in flash.
///
/// ```
/// use surprisal::{Predictor, Reading};
/// // One number in steps of 1/256, around zero: expected to be halfway between its last value and its window's mean.
/// let predictor = Predictor::new(&[10, 0, 0], &[2048, 2048]).unwrap();
/// assert_eq!(predictor.fixed(0, Reading::Integer(3)), Some(768));
/// assert_eq!(predictor.residual(0, &[1000], &[2000], &[1600]), 100); // 1600 - (1000 + 2000) / 2
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Predictor<'t> {
    words: &'t [i32],
    weights: &'t [i16],
}

impl<'t> Predictor<'t> {
    /// Rows on their own.
    pub const NONE: Self = Self { words: &[], weights: &[] };
    /// In place of a number's reach: the channel is a state.
    pub const STATE: i32 = i32::MIN;

    /// `words` are the length of the window, and two a channel: log2 of 256 steps of a number or [`STATE`](Self::STATE), and
    /// what is zero, in steps. `weights` are, number after number, those of all numbers' last values, of their means over
    /// the window, and of the numbers before it in the row; 4096 is one.
    ///
    /// # Errors
    /// [`TableError::Shape`] when the slices do not fit each other.
    pub const fn new(words: &'t [i32], weights: &'t [i16]) -> Result<Self, TableError> {
        let Some((&window, mut channels)) = words.split_first() else {
            return if weights.is_empty() { Ok(Self::NONE) } else { Err(TableError::Shape("predictor")) };
        };
        let mut numbers = 0;
        while let Some((&[reach, _], rest)) = channels.split_first_chunk() {
            if reach != Self::STATE {
                numbers += 1;
            }
            channels = rest;
        }
        let expected =
            if numbers > 4096 { 0 } else { 2 * numbers * numbers + numbers * (numbers - (numbers > 0) as usize) / 2 };
        if window < 1 || window > 4096 || !channels.is_empty() || weights.len() != expected {
            return Err(TableError::Shape("predictor"));
        }
        Ok(Self { words, weights })
    }

    /// How many rows before a row are looked at; zero for rows on their own.
    pub const fn window(&self) -> usize {
        match self.words.split_first() {
            Some((window, _)) => *window as usize,
            None => 0,
        }
    }

    /// Reach and centre of each channel.
    fn channels(&self) -> impl Iterator<Item = (i32, i32)> + use<'t> {
        let words = self.words.get(1..).unwrap_or_default();
        words.chunks_exact(2).map(|pair| match pair {
            &[reach, centre] => (reach, centre),
            _ => (Self::STATE, 0),
        })
    }

    /// How many channels a row has.
    pub fn width(&self) -> usize {
        self.channels().count()
    }

    /// Which channels are states, in order.
    pub fn states(&self) -> impl Iterator<Item = usize> + use<'t> {
        self.channels().enumerate().filter(|(_, (reach, _))| *reach == Self::STATE).map(|(channel, _)| channel)
    }

    /// Which channels are numbers, in order.
    pub fn numbers(&self) -> impl Iterator<Item = usize> + use<'t> {
        self.channels().enumerate().filter(|(_, (reach, _))| *reach != Self::STATE).map(|(channel, _)| channel)
    }

    /// A number's reading in steps from its centre, saturating; `None` for a missing one and for states.
    pub fn fixed(&self, channel: usize, reading: Reading) -> Option<i32> {
        let (reach, centre) = self.channels().nth(channel).filter(|(reach, _)| *reach != Self::STATE)?;
        if reading.is_missing() {
            return None;
        }
        let steps = tail::fixed(reading, reach as i8).saturating_sub(centre.into());
        Some(steps.clamp(i64::from(-i32::MAX), i64::from(i32::MAX)) as i32)
    }

    /// The mean of a number's window, in steps, cut towards zero.
    pub fn mean(&self, window: impl Iterator<Item = i32>) -> i32 {
        let sum = window.fold(0_i64, |sum, value| sum.saturating_add(value.into()));
        sum.checked_div(self.window() as i64).unwrap_or(0) as i32
    }

    /// What the prediction leaves of a number, in steps. `last` and `now` are rows of [`fixed`](Self::fixed) numbers by
    /// channel, `means` those of the window.
    pub fn residual(&self, channel: usize, last: &[i32], means: &[i32], now: &[i32]) -> i32 {
        let numbers = || self.numbers();
        let all = numbers().count();
        let place = numbers().take_while(|&number| number < channel).count();
        // Each number before it has two weights an other number and one for each number before.
        let skipped = (2 * all * place).saturating_add(place.saturating_mul(place.saturating_sub(1)) / 2);
        let mut weights = self.weights.get(skipped..).unwrap_or_default().iter();
        let mut sum = 0_i64;
        let known = [(last, all), (means, all), (now, place)];
        for (row, number) in known.into_iter().flat_map(|(row, many)| numbers().take(many).map(move |at| (row, at))) {
            let weight = i64::from(weights.next().copied().unwrap_or(0));
            sum = sum.saturating_add(weight * i64::from(row.get(number).copied().unwrap_or(0)));
        }
        let left = i64::from(now.get(channel).copied().unwrap_or(0)).saturating_sub(sum >> ONE);
        left.clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32
    }

    /// The slices it was made of, as [`new`](Self::new) takes them.
    pub const fn slices(&self) -> (&'t [i32], &'t [i16]) {
        (self.words, self.weights)
    }
}

/// The last W rows of a stream of C channels: 4·C·W bytes.
///
/// ```
/// use surprisal::{Predictor, Reading, Stream};
/// // A number that is expected to stay as it is, and a state.
/// let predictor = Predictor::new(&[2, 8, 0, Predictor::STATE, 0], &[4096, 0]).unwrap();
/// let mut stream = Stream::<2, 2>::new();
/// for readings in [[5, 0], [6, 1]] {
///     let [number, state] = readings.map(Reading::Integer);
///     assert!(!stream.push(&predictor, &mut [number, state, Reading::Missing])?); // no past yet
/// }
/// let mut row = [Reading::Integer(8), Reading::Integer(0), Reading::Missing];
/// assert!(stream.push(&predictor, &mut row)?);
/// // Two more than the last, the state, and what it was before.
/// assert_eq!(row, [2, 0, 1].map(Reading::Integer));
/// # Ok::<(), surprisal::EncodeError>(())
/// ```
#[cfg(feature = "heapless")]
#[derive(Clone, Debug)]
pub struct Stream<const C: usize, const W: usize> {
    rows: Deque<[i32; C], W>,
}

#[cfg(feature = "heapless")]
impl<const C: usize, const W: usize> Default for Stream<C, W> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(feature = "heapless")]
impl<const C: usize, const W: usize> Stream<C, W> {
    /// Before the first row.
    pub const fn new() -> Self {
        Self { rows: Deque::new() }
    }

    /// Takes in a row: the readings of the channels, and behind them room for what each state was before. Makes of it, in
    /// place, what [`Table::surprise`](crate::Table::surprise) and the other verbs want; columns are the channels. False
    /// while fewer rows than the window came before: there is nothing to say of such a row yet.
    ///
    /// A missing number is missing, and holds its last value for the rows to come, or what is zero if it has none.
    ///
    /// # Errors
    /// [`EncodeError::Absent`] when C or W are not the predictor's or the row is too short, [`EncodeError::Kind`] for a real
    /// number as a state; the row is then not taken in.
    // Apart, so that its rows do not lie on the stack beside those of a score.
    #[inline(never)]
    pub fn push(&mut self, predictor: &Predictor, row: &mut [Reading]) -> Result<bool, EncodeError> {
        let (width, wanted) = (predictor.width(), predictor.width() + predictor.states().count());
        let (Some((readings, before)), true) =
            (row.split_first_chunk_mut::<C>(), width == C && predictor.window() == W)
        else {
            return Err(EncodeError::Absent { column: width as u16 });
        };
        if before.len() < wanted.saturating_sub(C) {
            return Err(EncodeError::Absent { column: wanted as u16 });
        }
        let is_real = |&channel: &usize| matches!(readings.get(channel), Some(Reading::Real(_)));
        if let Some(channel) = predictor.states().find(is_real) {
            return Err(EncodeError::Kind { column: channel as u16 });
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
                // As little a code as the one that stands for a missing one.
                Reading::Integer(code) => code.max(Predictor::STATE + 1),
                _ => Predictor::STATE,
            };
        }
        let whole = self.rows.is_full();
        if whole {
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
        Ok(whole)
    }

    /// Forgets the past: after a gap, a restart, another machine.
    pub fn reset(&mut self) {
        *self = Self::new();
    }
}
