//! The owned predictor of a time series.

use surprisal::{Predictor, PredictorSlices};

/// The owned storage of a [`Predictor`], with the fields of [`PredictorSlices`]. Empty for rows that do not depend on
/// earlier rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PredictorTable {
    /// The window in rows, then the scale and the centre of each channel, as in [`PredictorSlices::words`].
    pub words: Vec<i32>,
    /// The weights, in units of 1/4096, as in [`PredictorSlices::weights`].
    pub weights: Vec<i16>,
}

impl PredictorTable {
    /// Returns the device crate's predictor over these slices.
    pub fn view(&self) -> Predictor<'_> {
        Predictor::new(PredictorSlices { words: &self.words, weights: &self.weights }).unwrap_or(Predictor::NONE)
    }

    /// Returns the value that lies `steps` fixed-point steps from the channel's centre, in units of the readings.
    pub fn number(&self, channel: usize, steps: i32) -> f64 {
        let (scale, centre) = (self.words[1 + 2 * channel], self.words[2 + 2 * channel]);
        (f64::from(steps) + f64::from(centre)) * f64::from(scale).exp2() / 256.0
    }

    /// Returns the indices of the channels that are numbers (not flags or categories), in ascending order.
    pub fn numbers(&self) -> Vec<usize> {
        self.view().numbers().collect()
    }
}
