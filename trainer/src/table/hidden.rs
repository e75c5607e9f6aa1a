//! Quantises a hidden layer: converts float weights to the integers of [`surprisal::Nade`].

use surprisal::{Activation, Nade, NadeSlices, TableError};

use crate::model::HiddenLayer;

/// Owned storage of a [`Nade`], with the fields of [`NadeSlices`].
#[derive(Clone, Debug, Default)]
pub struct HiddenTable {
    /// Activation function of all units.
    pub activation: Activation,
    /// log2 of the divisor of `scales`.
    pub shift: u32,
    /// Bias of each unit, in units of the unit's input weights: `[unit]`.
    pub biases: Vec<i16>,
    /// Value of one unit of each sum in units of 1/65536 nat, for sigmoids only: `[unit]`.
    pub gains: Vec<u16>,
    /// Input weights: `[bit][unit]`, flattened.
    pub inputs: Vec<i8>,
    /// Output weights: `[bit][unit]`, flattened.
    pub outputs: Vec<i8>,
    /// Factor of each bit's sum of weighted unit outputs, in units of 2^-shift/65536 nat: `[bit]`.
    pub scales: Vec<u16>,
}

/// Largest absolute value of a quantised weight.
const LARGEST: f32 = 127.0;
/// Integer that represents an output of 1 of a sigmoid unit.
const WHOLE: f32 = 32768.0;

impl HiddenTable {
    /// Quantises a layer, with one quantisation step per unit for input weights and one per bit for output weights.
    pub fn new(layer: &HiddenLayer) -> Self {
        let (units, n) = (layer.units(), layer.inputs.len() / layer.units().max(1));
        let mut table = Self { activation: layer.activation, ..Self::default() };
        let steps: Vec<f32> = (0..units).map(|unit| table.step(layer, unit)).collect();
        for (bias, step) in layer.biases.iter().zip(&steps) {
            table.biases.push((bias / step).round().clamp(-32767.0, 32767.0) as i16);
        }
        for i in 0..n {
            let row = layer.rows(i).0.iter().zip(&steps);
            table.inputs.extend(row.map(|(weight, step)| (weight / step).round().clamp(-LARGEST, LARGEST) as i8));
        }
        // Float value of one integer step of a unit's output. Except for sigmoids, outputs scale with their sums.
        let value = |unit: usize| if table.activation == Activation::Sigmoid { 1.0 / WHOLE } else { steps[unit] };
        let outputs: Vec<Vec<f32>> =
            (0..n).map(|i| layer.rows(i).1.iter().enumerate().map(|(unit, v)| v * value(unit)).collect()).collect();
        let row_step = |row: &Vec<f32>| row.iter().map(|v| v.abs()).fold(0.0, f32::max) / LARGEST * 65536.0;
        let coarsest = outputs.iter().map(row_step).fold(0.0, f32::max);
        table.shift = (65535.0 / coarsest.max(1e-9)).log2().floor().clamp(0.0, 16.0) as u32;
        let whole = (1u32 << table.shift) as f32;
        for row in &outputs {
            let scale = (row_step(row) * whole).ceil().clamp(1.0, 65535.0);
            table.scales.push(scale as u16);
            let quantised = |v: &f32| (v * 65536.0 * whole / scale).round().clamp(-LARGEST, LARGEST) as i8;
            table.outputs.extend(row.iter().map(quantised));
        }
        table
    }

    /// Returns the layer with input weights and biases rounded to values that quantisation does not change.
    pub fn rounded(layer: &HiddenLayer) -> HiddenLayer {
        let mut rounded = layer.clone();
        let mut last = vec![f32::INFINITY; layer.units()];
        // Rounding may shrink the largest weight so far that the quantisation step becomes finer, once or twice.
        for _ in 0..8 {
            let mut table = Self { activation: layer.activation, ..Self::default() };
            let steps: Vec<f32> = (0..layer.units()).map(|unit| table.step(&rounded, unit)).collect();
            if steps.iter().zip(&last).all(|(step, last)| *step > last * (1.0 - 1e-5)) {
                break;
            }
            for row in rounded.inputs.chunks_mut(steps.len()).chain([&mut rounded.biases[..]]) {
                row.iter_mut().zip(&steps).for_each(|(weight, step)| *weight = (*weight / step).round() * step);
            }
            last = steps;
        }
        rounded
    }

    /// Returns the quantisation step of a unit's input weights, and appends the gain of a sigmoid unit to `gains`.
    ///
    /// The largest weight is 127 steps, unless its sum could then exceed 16 bits. The step of a sigmoid is a multiple
    /// of 1/65536, because its gain is an integer.
    fn step(&mut self, layer: &HiddenLayer, unit: usize) -> f32 {
        let inputs = || (0..layer.inputs.len() / layer.units()).map(|i| layer.rows(i).0[unit]);
        let largest = inputs().map(f32::abs).fold(0.0, f32::max);
        let one_sided = |sign: f32| inputs().map(|weight| (weight * sign).max(0.0)).sum::<f32>();
        let widest = one_sided(1.0).max(one_sided(-1.0)) + layer.biases[unit].abs();
        let limit = 32767.0 - 0.5 * (inputs().count() + 1) as f32;
        let step = (largest / LARGEST).max(widest / limit).max(1e-6);
        if self.activation != Activation::Sigmoid {
            return step;
        }
        let gain = (step * 65536.0).ceil().clamp(1.0, 65535.0);
        self.gains.push(gain as u16);
        gain / 65536.0
    }

    /// Returns the hidden-layer term of the device crate, which borrows these slices.
    ///
    /// # Errors
    /// [`TableError::TooManyUnits`] if there are more units than H.
    pub fn view<const H: usize>(&self) -> Result<Nade<'_, H>, TableError> {
        let Self { activation, shift, biases, gains, inputs, outputs, scales } = self;
        let (activation, shift) = (*activation, *shift);
        Nade::new(NadeSlices { activation, shift, biases, gains, inputs, outputs, scales })
    }
}
