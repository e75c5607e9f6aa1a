//! The table: encoder, model, detector and predictor as one constant.

use crate::detector::Detector;
use crate::encoder::Encoder;
use crate::model::Model;
use crate::predictor::Predictor;
use crate::row_schema::RowSchema;
use crate::term::Terms;

/// Everything that a board needs to score rows of readings: encoder, model, detector and predictor.
///
/// N is the capacity for bits, H for hidden units and K for mixture components. Tables without hidden units and
/// mixtures have H = K = 0, which takes neither flash nor stack.
///
/// `surprisal export` writes a table as Rust source. [`Table::from_bytes`] reads one from a `.srp` file in place. A
/// small table can be written by hand:
///
/// ```
/// use surprisal::{Detector, Encoder, EncoderSlices, Linear, LinearSlices, LinearWeights};
/// use surprisal::{Model, Nats, Reading, Table, Terms};
/// // Two flags. The second flag is mostly 0 after a 0, and mostly 1 after a 1.
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
    /// The encoder, which turns readings into bits.
    pub encoder: Encoder<'t>,
    /// The model, which turns bits into surprisals.
    pub model: Model<'t, N, Terms<'t, H, K>>,
    /// The detector, which turns scores into verdicts.
    pub detector: Detector<'t>,
    /// The predictor, with which a `Stream` turns the rows of a time series into readings for the encoder. It is
    /// [`Predictor::NONE`] if rows do not depend on earlier rows.
    pub predictor: Predictor<'t>,
    /// The readings that a row holds, and the golden rows of [`self_test`](Self::self_test).
    pub schema: RowSchema<'t>,
}

impl<'t, const N: usize, const H: usize, const K: usize> Table<'t, N, H, K> {
    /// Creates a table for rows that do not depend on earlier rows.
    ///
    /// It is not checked whether encoder and model have the same bits. [`from_bytes`](Self::from_bytes) checks that.
    pub const fn new(encoder: Encoder<'t>, model: Model<'t, N, Terms<'t, H, K>>, detector: Detector<'t>) -> Self {
        Self { encoder, model, detector, predictor: Predictor::NONE, schema: RowSchema::NONE }
    }

    /// Returns this table with another predictor, for the rows of a time series.
    pub const fn with_predictor(self, predictor: Predictor<'t>) -> Self {
        Self { predictor, ..self }
    }

    /// Returns this table with another schema of a row.
    pub const fn with_schema(self, schema: RowSchema<'t>) -> Self {
        Self { schema, ..self }
    }
}
