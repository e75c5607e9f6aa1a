//! Calibration on the board: threshold, quantiles and trend from normal rows of the very machine that is watched.

use super::p_value::{LEVELS, rank};
use super::{Detector, PValue, RowScore, WORDS};
use crate::error::TableError;
use crate::format::CHECKSUM;
use crate::nats::Nats;

/// Collects the scores of up to R normal rows of a machine, from which it computes the calibration that
/// `surprisal calibrate` computes on a host. It takes 8 R bytes of RAM and some words.
///
/// Two machines of the same kind differ a little, and so do seasons: the threshold that one machine's rows exceed once in a
/// hundred rows may be one that another machine's rows exceed every fifth row. The model stays as it is; what changes are
/// the numbers with which scores are compared.
///
/// ```
/// use surprisal::{Calibrator, Detector, Nats, PValue, Recalibration, RowScore};
/// # let factory = Detector { rows: 99, deviation: Nats::from_raw(1 << 16), ..Detector::OFF };
/// # let score = |at: u32| RowScore::of(&factory, &[(0, Nats::from_raw(at << 16))]);
/// let mut calibrator = Calibrator::<99>::new();
/// for row in 1..=99 {
///     assert!(calibrator.push(&score(row))); // in firmware: `table.score(&readings)?` of a row that is known to be normal
/// }
/// let calibration = calibrator.finish(&factory, PValue::from_ppm(20_000));
/// assert_eq!(calibration.detector(&factory).threshold, Nats::from_raw(98 << 16));
/// // Into flash, and back at the next start.
/// let bytes = calibration.to_bytes(&factory);
/// assert_eq!(Recalibration::from_bytes(&bytes, &factory), Ok(calibration));
/// ```
#[derive(Clone, Debug)]
pub struct Calibrator<const R: usize> {
    /// The scores and the anomaly scores, each ascending, followed by `u32::MAX` for rows that are still to come.
    scores: [u32; R],
    anomaly_scores: [u32; R],
    rows: u32,
}

impl<const R: usize> Calibrator<R> {
    /// Creates a calibrator without rows.
    pub const fn new() -> Self {
        Self { scores: [u32::MAX; R], anomaly_scores: [u32::MAX; R], rows: 0 }
    }

    /// Adds the score of a normal row, in about 8 R instructions. Returns false, and changes nothing, if there are R rows
    /// already. A row without any reading, [`RowScore::IMPOSSIBLE`], does not count.
    pub fn push(&mut self, score: &RowScore) -> bool {
        if self.rows as usize >= R {
            return false;
        }
        if score.anomaly == Nats::IMPOSSIBLE {
            return true;
        }
        insert(&mut self.scores, score.nats.raw());
        insert(&mut self.anomaly_scores, score.anomaly.raw());
        self.rows += 1;
        true
    }

    /// Returns the number of rows so far.
    pub const fn rows(&self) -> u32 {
        self.rows
    }

    /// Returns the calibration by the rows so far, for a rate of false alarms.
    ///
    /// Threshold, quantiles and caps are those that a host computes from the same rows, to the last unit; mean and
    /// deviation agree to within 1/2048 nat. The reference of [`Cusum`](super::Cusum) is half a deviation and one standard
    /// error above the mean. Its decision interval is that of `factory` times the ratio of the deviations, so that rows which resemble
    /// their neighbours more than the rows of the fit did cause more false trends than
    /// [`average_run_length`](Detector::average_run_length) says.
    ///
    /// With n rows, rates below 1/(n+1) give a threshold of [`Nats::IMPOSSIBLE`], as [`Detector`] says.
    pub fn finish(&self, factory: &Detector, false_alarm: PValue) -> Recalibration {
        let rows = self.rows;
        let largest = |sorted: &[u32; R], k: u32| match rows.checked_sub(k) {
            Some(at) if k > 0 => sorted.get(at as usize).copied().unwrap_or(u32::MAX),
            _ => u32::MAX,
        };
        let k = rank(false_alarm.ppm(), rows);
        let score_cap = largest(&self.scores, 1);
        let cusum_cap = score_cap.min(largest(&self.scores, k));
        let scores = || self.scores.iter().take(rows as usize).copied();
        let (entropy, deviation) = moments(scores(), rows);
        let (mean, spread) = moments(scores().map(|score| score.min(cusum_cap)), rows);
        let squared = u64::from(spread) * u64::from(spread);
        let error = squared.checked_div(rows.into()).unwrap_or(0).isqrt() as u32;
        // A factory that has no trend leaves it off.
        let scale = u64::from(deviation) * u64::from(factory.decision_interval.raw());
        let interval = match scale.checked_div(factory.deviation.raw().into()) {
            Some(interval) if factory.decision_interval != Nats::IMPOSSIBLE && spread > 0 => interval,
            _ => u64::MAX,
        };
        let detector = Detector {
            threshold: Nats::from_raw(largest(&self.anomaly_scores, k)),
            false_alarm_ppm: false_alarm.ppm(),
            rows,
            entropy: Nats::from_raw(entropy),
            deviation: Nats::from_raw(deviation),
            score_cap: Nats::from_raw(score_cap),
            cusum_cap: Nats::from_raw(cusum_cap),
            reference: Nats::from_raw(mean.saturating_add(spread / 2).saturating_add(error)),
            decision_interval: Nats::from_raw(u32::try_from(interval).unwrap_or(u32::MAX)),
            quantiles: &[],
            baselines: &[],
            ..*factory
        };
        let mut quantiles = [0; LEVELS as usize];
        for (slot, (_, k)) in quantiles.iter_mut().zip(Detector::levels(rows)) {
            *slot = largest(&self.anomaly_scores, k);
        }
        Recalibration { words: detector.words(), quantiles }
    }
}

impl<const R: usize> Default for Calibrator<R> {
    fn default() -> Self {
        Self::new()
    }
}

/// Inserts a number into ascending numbers, and drops the largest.
fn insert(sorted: &mut [u32], number: u32) {
    let mut carried = number;
    for slot in sorted {
        if carried < *slot {
            core::mem::swap(&mut carried, slot);
        }
    }
}

/// Returns (mean, standard deviation with denominator n - 1) of n numbers, in their unit. Zero for no numbers.
fn moments(numbers: impl Iterator<Item = u32> + Clone, n: u32) -> (u32, u32) {
    let sum: u64 = numbers.clone().map(u64::from).sum();
    let mean = (sum + u64::from(n / 2)).checked_div(n.into()).unwrap_or(0);
    // In units of 1/4096 nat, so that the squares of usual scores do not overflow.
    let square = |number: u32| {
        let apart = (u64::from(number).abs_diff(mean) + 8) >> 4;
        apart.saturating_mul(apart)
    };
    let squares = numbers.fold(0u64, |sum, number| sum.saturating_add(square(number)));
    let variance = squares.checked_div(n.saturating_sub(1).into()).unwrap_or(0);
    (mean as u32, u32::try_from(variance.min(u64::MAX >> 8).wrapping_shl(8).isqrt()).unwrap_or(u32::MAX))
}

/// A calibration that was computed on a board, which takes the place of the one in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recalibration {
    words: [u32; WORDS],
    quantiles: [u32; LEVELS as usize],
}

impl Recalibration {
    /// The number of bytes of a stored calibration.
    pub const BYTES: usize = 4 * (WORDS + LEVELS as usize + 1);

    /// Returns the detector of this calibration, with the baselines of `factory`, which is the detector in the table. Pass
    /// it to [`Monitor::push`](super::Monitor::push) in place of the table's.
    pub fn detector<'t>(&'t self, factory: &Detector<'t>) -> Detector<'t> {
        let [_, _, rows, ..] = self.words;
        let quantiles = self.quantiles.get(..Detector::levels(rows).count()).unwrap_or_default();
        Detector::from_words(&self.words, quantiles, factory.baselines)
    }

    /// Returns the calibration as bytes to store. The checksum covers the detector in the table, so that a new model
    /// in flash refuses the calibration of the old one.
    pub fn to_bytes(&self, factory: &Detector) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        let words = self.words.iter().chain(&self.quantiles).copied().chain([self.checksum(factory)]);
        for (slot, word) in bytes.chunks_exact_mut(4).zip(words) {
            slot.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }

    /// Reads a calibration from the bytes that [`to_bytes`](Self::to_bytes) returned for the same table.
    ///
    /// # Errors
    /// [`TableError::Truncated`] if there are fewer than [`BYTES`](Self::BYTES) bytes; [`TableError::Corrupt`] if the bytes
    /// are damaged, empty flash, or the calibration of another table. Calibrate again, or go on with the table's detector.
    pub fn from_bytes(bytes: &[u8], factory: &Detector) -> Result<Self, TableError> {
        let bytes = bytes.get(..Self::BYTES).ok_or(TableError::Truncated)?;
        let mut words = bytes.chunks_exact(4).map(|word| word.try_into().map_or(0, u32::from_le_bytes));
        let mut next = || words.next().unwrap_or(0);
        let found = Self { words: core::array::from_fn(|_| next()), quantiles: core::array::from_fn(|_| next()) };
        if next() != found.checksum(factory) {
            return Err(TableError::Corrupt);
        }
        found.detector(factory).check()?;
        Ok(found)
    }

    /// Returns the checksum of the calibration and of the numbers of the detector in the table.
    fn checksum(&self, factory: &Detector) -> u32 {
        let mut digest = CHECKSUM.digest();
        for word in factory.words().iter().chain(&self.words).chain(&self.quantiles) {
            digest.update(&word.to_le_bytes());
        }
        digest.finalize()
    }
}
