//! The table: encoder, model and detector as one constant.

use crate::detector::Detector;
use crate::encoder::Encoder;
use crate::model::Model;
use crate::predictor::Predictor;
use crate::term::Terms;

/// Everything that a board needs to score rows of readings: encoder, model, detector and predictor.
///
/// N is the capacity for bits, H for hidden units and K for mixture components. Tables without hidden units and mixtures
/// have H = K = 0, which costs nothing.
///
/// `surprisal export` writes a table as Rust source. [`Table::from_bytes`] reads one from a `.srp` file in place. A small
/// table can be written by hand:
///
/// ```
/// use surprisal::{Detector, Encoder, EncoderSlices, Linear, LinearSlices, LinearWeights};
/// use surprisal::{Model, Nats, Reading, Table, Terms};
/// // Two flags. The second one mostly equals the first.
/// let weights = LinearWeights::Dense(&[100]);
/// let linear = Linear::new(LinearSlices { biases: &[0, -3072], scales: &[3000, 3000], weights })?;
/// let model = Model::new(Terms { linear, ..Terms::EMPTY }, &[], 2)?;
/// let detector = Detector { threshold: Nats::from_raw(3 << 16), false_alarm_ppm: 10_000, rows: 99, ..Detector::OFF };
/// let encoder = Encoder::new(EncoderSlices { columns: &[0, 1], ..Default::default() });
/// let table = Table::<2>::new(encoder, model, detector);
///
/// let row = [Reading::Integer(0), Reading::Integer(1)];
/// assert_eq!(format!("{}", table.surprisal(&row)?), "3.742"); // ln 2 + ln(1 + e³)
/// assert!(table.judge(&row)?.is_anomalous());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Table<'t, const N: usize, const H: usize = 0, const K: usize = 0> {
    /// Turns readings into bits.
    pub encoder: Encoder<'t>,
    /// Turns bits into nats.
    pub model: Model<'t, N, Terms<'t, H, K>>,
    /// Turns nats into a verdict.
    pub detector: Detector<'t>,
    /// Turns the rows of a time series into readings; [`Predictor::NONE`] if each row is on its own.
    pub predictor: Predictor<'t>,
}

impl<'t, const N: usize, const H: usize, const K: usize> Table<'t, N, H, K> {
    /// Creates a table for rows that do not depend on earlier ones.
    pub const fn new(encoder: Encoder<'t>, model: Model<'t, N, Terms<'t, H, K>>, detector: Detector<'t>) -> Self {
        Self { encoder, model, detector, predictor: Predictor::NONE }
    }

    /// Returns the table for the rows of a time series.
    pub const fn with_predictor(self, predictor: Predictor<'t>) -> Self {
        Self { predictor, ..self }
    }
}
