//! A hidden layer to the bytes of [`surprisal::Nade`].

use surprisal::{Activation, Nade, TableError};

use crate::model::HiddenLayer;

/// The owned slices of a [`Nade`].
#[derive(Clone, Debug, Default)]
#[allow(missing_docs)]
pub struct HiddenTable {
    pub activation: Activation,
    pub shift: u32,
    pub biases: Vec<i16>,
    pub gains: Vec<u16>,
    pub inputs: Vec<i8>,
    pub outputs: Vec<i8>,
    pub scales: Vec<u16>,
}

/// The largest weight in steps of its scale.
const LARGEST: f32 = 127.0;
/// What one stands for in a sigmoid's unit.
const WHOLE: f32 = 32768.0;

impl HiddenTable {
    /// Quantises a layer: one step a unit for what goes in, one step a bit for what comes out.
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
        // What a unit of the table is worth: by homogeneity the step of its sum, or the whole of a sigmoid.
        let worth = |unit: usize| if table.activation == Activation::Sigmoid { 1.0 / WHOLE } else { steps[unit] };
        let outputs: Vec<Vec<f32>> =
            (0..n).map(|i| layer.rows(i).1.iter().enumerate().map(|(unit, v)| v * worth(unit)).collect()).collect();
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

    /// The layer with what goes into its units on the table's grid, where it stays when it is quantised.
    pub fn rounded(layer: &HiddenLayer) -> HiddenLayer {
        let mut rounded = layer.clone();
        let mut last = vec![f32::INFINITY; layer.units()];
        // Rounding may shrink the largest weight by so much that a finer step, which gains are whole numbers of, will do, and
        // that is the table's then; once or twice.
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

    /// The step of a unit's inputs: its largest weight is 127 of them, unless its sum could leave 16 bits then. A sigmoid's
    /// is one that a gain can say.
    fn step(&mut self, layer: &HiddenLayer, unit: usize) -> f32 {
        let inputs = || (0..layer.inputs.len() / layer.units()).map(|i| layer.rows(i).0[unit]);
        let largest = inputs().map(f32::abs).fold(0.0, f32::max);
        let one_sided = |sign: f32| inputs().map(|weight| (weight * sign).max(0.0)).sum::<f32>();
        let widest = one_sided(1.0).max(one_sided(-1.0)) + layer.biases[unit].abs();
        let room = 32767.0 - 0.5 * (inputs().count() + 1) as f32;
        let step = (largest / LARGEST).max(widest / room).max(1e-6);
        if self.activation != Activation::Sigmoid {
            return step;
        }
        let gain = (step * 65536.0).ceil().clamp(1.0, 65535.0);
        self.gains.push(gain as u16);
        gain / 65536.0
    }

    /// The core's part over these slices.
    ///
    /// # Errors
    /// More units than H.
    pub fn view<const H: usize>(&self) -> Result<Nade<'_, H>, TableError> {
        Nade::new(self.activation, self.shift, &self.biases, &self.gains, &self.inputs, &self.outputs, &self.scales)
    }
}
