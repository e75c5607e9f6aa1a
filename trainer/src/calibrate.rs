//! What held-out ordinary rows say of scores: threshold, quantiles, mean, the cumulative sum's limit, and what is usual
//! of each column.

use rayon::prelude::*;
use surprisal::{Detector, Nats, Oddness, Reading};

use crate::artefact::Artefact;
use crate::error::Result;
use crate::with_shape;

/// What a detector is set for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rates {
    /// The share of ordinary rows that may be called odd.
    pub false_alarm: f64,
    /// The mean number of ordinary rows from one false alarm of the cumulative sum to the next.
    pub mean_time: u32,
}

impl Default for Rates {
    fn default() -> Self {
        Self { false_alarm: 0.01, mean_time: 10_000 }
    }
}

/// The owned numbers of a [`Detector`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Calibration {
    /// Those without slices.
    numbers: Detector<'static>,
    /// As in [`Detector`].
    quantiles: Vec<u32>,
    /// As in [`Detector`].
    usual: Vec<u16>,
}

impl Default for Calibration {
    fn default() -> Self {
        Self { numbers: Detector::OFF, quantiles: Vec::new(), usual: Vec::new() }
    }
}

impl Calibration {
    /// From what the core says of held-out ordinary rows; see [`Detector`] for the rules.
    ///
    /// ```
    /// use surprisal::Nats;
    /// use surprisal_trainer::calibrate::{Calibration, Rates};
    /// let scores: Vec<Nats> = (1..=99).map(Nats::from_raw).collect();
    /// let rates = Rates { false_alarm: 0.02, ..Rates::default() };
    /// let calibration = Calibration::of_scores(scores.clone(), scores, rates);
    /// let detector = calibration.view();
    /// assert_eq!((detector.threshold, detector.entropy), (Nats::from_raw(98), Nats::from_raw(50)));
    /// ```
    pub fn of_scores(mut scores: Vec<Nats>, mut oddness: Vec<Nats>, rates: Rates) -> Self {
        scores.sort_unstable();
        oddness.sort_unstable();
        let rows = scores.len() as u32;
        let most = scores.last().copied().unwrap_or(Nats::IMPOSSIBLE);
        let most_of_a_trend = most.min(threshold(&scores, rates.false_alarm));
        let up_to = |most: Nats| -> Vec<f64> { scores.iter().map(|&score| score.min(most).into()).collect() };
        let (entropy, deviation) = moments(&up_to(most));
        let capped = up_to(most_of_a_trend);
        let (mean, spread) = moments(&capped);
        let mut numbers = Detector {
            threshold: threshold(&oddness, rates.false_alarm),
            false_alarm_ppm: (rates.false_alarm * 1e6).round() as u32,
            rows,
            entropy: nats(entropy),
            deviation: nats(deviation),
            most,
            most_of_a_trend,
            mean_time: rates.mean_time,
            ..Detector::OFF
        };
        // Of rows that all score the same there is no telling what a rise is.
        if spread > 0.0 {
            let reference = mean + 0.5 * spread;
            let steps: Vec<f64> = capped.iter().map(|score| score - reference).collect();
            numbers.reference = nats(reference);
            numbers.limit = nats(limit(&steps, spread, rates.mean_time.into()));
        }
        let quantiles = Detector::levels(rows).map(|(_, k)| oddness[oddness.len() - k as usize].raw()).collect();
        Self { numbers, quantiles, usual: Vec::new() }
    }

    /// From held-out ordinary rows, as the artefact's table scores them; with what is usual of each column.
    ///
    /// # Errors
    /// A reading that does not fit its column.
    pub fn of(artefact: &Artefact, readings: &[Vec<Reading>], rates: Rates) -> Result<Self> {
        let columns = artefact.schema.columns.len();
        let each: Vec<(Nats, Vec<Nats>)> = with_shape!(artefact.shape, N, H, K => {
            let table = artefact.table::<N, H, K>()?;
            let explain = |row: &Vec<Reading>| {
                let mut each = vec![Nats::ZERO; columns];
                table.explain(row, &mut each).map(|score| (score, each))
            };
            readings.par_iter().map(explain).collect::<Result<_, _>>()?
        });
        let mean = |column: usize| {
            let sum: u64 = each.iter().map(|(_, shares)| u64::from(shares[column].raw())).sum();
            let mean = sum as f64 / (64 * each.len().max(1)) as f64;
            mean.round().min(f64::from(u16::MAX)) as u16
        };
        let usual: Vec<u16> = (0..columns).map(mean).collect();
        let order: Vec<u16> =
            artefact.schema.columns.iter().filter(|coding| !coding.given).map(|coding| coding.source).collect();
        let softness = ((order.len().max(1) as f64).log2() / 2.0).round() as u32;
        let said = Detector { usual: &usual, softness, ..Detector::OFF };
        let of_row = |shares: &[Nats]| {
            let mut oddness = Oddness::new(&said);
            order.iter().for_each(|&column| oddness.push(&said, column, shares[usize::from(column)]));
            oddness.nats(&said)
        };
        let oddness = each.iter().map(|(_, shares)| of_row(shares)).collect();
        let mut calibration = Self::of_scores(each.iter().map(|(score, _)| *score).collect(), oddness, rates);
        calibration.numbers.softness = softness;
        Ok(Self { usual, ..calibration })
    }

    /// The core's detector over these numbers.
    pub fn view(&self) -> Detector<'_> {
        Detector { quantiles: &self.quantiles, usual: &self.usual, ..self.numbers }
    }

    /// How many bytes a table grows by when so many rows calibrate it and it has so many columns.
    pub fn bytes(rows: usize, columns: usize) -> usize {
        4 * Detector::levels(rows as u32).count() + (2 * columns).next_multiple_of(4)
    }
}

/// The threshold for a false-alarm rate, from ascending scores; see [`Detector`] for the rule.
///
/// ```
/// use surprisal::Nats;
/// use surprisal_trainer::calibrate::threshold;
/// let scores: Vec<Nats> = (1..=99).map(Nats::from_raw).collect();
/// assert_eq!(threshold(&scores, 0.02), Nats::from_raw(98));
/// assert_eq!(threshold(&scores, 0.001), Nats::IMPOSSIBLE);
/// ```
pub fn threshold(scores: &[Nats], false_alarm: f64) -> Nats {
    let rank = ((scores.len() + 1) as f64 * (1.0 - false_alarm) - 1e-9).ceil() as usize;
    scores.get(rank.max(1) - 1).copied().unwrap_or(Nats::IMPOSSIBLE)
}

fn nats(value: f64) -> Nats {
    Nats::from_raw((value * 65536.0).round() as u32)
}

/// Mean and standard deviation, by n - 1; zeros of nothing.
fn moments(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n.max(1.0);
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, (squares / (n - 1.0).max(1.0)).sqrt())
}

/// The limit of a cumulative sum whose mean time to an alarm is the one wanted, when it grows by one of `steps`
/// (ascending), each as likely as the others and independent of those before. Not below one standard deviation
/// `spread` of them: so little may be the sampling of held-out rows.
fn limit(steps: &[f64], spread: f64, mean_time: f64) -> f64 {
    let (mut low, mut high) = (spread, 2.0 * spread);
    if mean_run(steps, low) >= mean_time {
        return low;
    }
    while mean_run(steps, high) < mean_time {
        (low, high) = (high, 2.0 * high);
    }
    // To a thousandth; the grid of the chain is not finer.
    while high - low > 1e-3 * high {
        let middle = 0.5 * (low + high);
        (low, high) = if mean_run(steps, middle) < mean_time { (middle, high) } else { (low, middle) };
    }
    high
}

/// States of the chain.
const STATES: usize = 100;

/// The mean number of steps until S = max(0, S + step), from 0, exceeds `limit`: Brook & Evans, *An Approach to the
/// Probability Distribution of Cusum Run Length*, 1972. S is rounded to a grid of states, whose moves make a Markov
/// chain; the mean runs a from each state solve (1 - R) a = 1. `steps` ascend and are equally likely.
pub fn mean_run(steps: &[f64], limit: f64) -> f64 {
    let width = 2.0 * limit / (2 * STATES - 1) as f64;
    // P(step <= (by + 1/2) width), by how many states S would move.
    let up_to = |by: isize| {
        let edge = (by as f64 + 0.5) * width;
        steps.partition_point(|&step| step <= edge) as f64 / steps.len() as f64
    };
    let cumulative: Vec<f64> = (-(STATES as isize)..=STATES as isize).map(up_to).collect();
    let at = |by: isize| cumulative[(by + STATES as isize) as usize];
    let stays = |from: usize, to: usize| {
        let by = to as isize - from as isize;
        if to == 0 { at(by) } else { at(by) - at(by - 1) }
    };
    let mut matrix: Vec<Vec<f64>> = (0..STATES)
        .map(|from| {
            let unit = |to: usize| if from == to { 1.0 } else { 0.0 };
            (0..STATES).map(|to| unit(to) - stays(from, to)).chain([1.0]).collect()
        })
        .collect();
    // Elimination from the last state up; the matrix is an M-matrix, so that it needs no exchange of rows.
    for pivot in (0..STATES).rev() {
        let (above, rest) = matrix.split_at_mut(pivot);
        let row = &rest[0];
        for other in above {
            let factor = other[pivot] / row[pivot];
            for column in (0..pivot).chain([STATES]) {
                other[column] -= factor * row[column];
            }
        }
    }
    let mean = matrix[0][STATES] / matrix[0][0];
    // Beyond what `f64` resolves it never alarms.
    if mean.is_finite() && mean >= 1.0 { mean } else { f64::INFINITY }
}
