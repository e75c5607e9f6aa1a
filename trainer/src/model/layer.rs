//! One hidden layer that all bits share (Larochelle & Murray, *The Neural Autoregressive Distribution Estimator*,
//! 2011).

use surprisal::Activation;

use crate::bits::{Bits, PerBit, per_bit};

/// Weights of a hidden layer in floats, in the layout of [`surprisal::Nade`].
///
/// The biases of the bits belong to the [`FloatConditional`](super::FloatConditional)s.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HiddenLayer {
    /// Function that turns a unit's weighted sum into its output.
    pub activation: Activation,
    /// Bias of each unit: `[unit]`. In nats for sigmoids.
    pub biases: Vec<f32>,
    /// Input weights of the units: `[bit][unit]`, flattened. A bit that is one adds its weights to the units' sums.
    pub inputs: Vec<f32>,
    /// Output weights of the units: `[bit][unit]`, flattened. A unit's output times its weight is added to the bit's
    /// logit.
    pub outputs: Vec<f32>,
}

impl HiddenLayer {
    /// Returns the number of units.
    pub fn units(&self) -> usize {
        self.biases.len()
    }

    /// Applies the activation function to the sums of the units and writes the results to `units`.
    pub fn activate(&self, sums: &[f32], units: &mut [f32]) {
        for (unit, &sum) in units.iter_mut().zip(sums) {
            *unit = match self.activation {
                Activation::Relu => sum.max(0.0),
                Activation::Sigmoid => 1.0 / (1.0 + (-sum).exp()),
                _ => sum,
            };
        }
    }

    /// Returns (input weights, output weights) of bit `i`, each `[unit]`.
    pub fn rows(&self, i: usize) -> (&[f32], &[f32]) {
        let row = i * self.units()..(i + 1) * self.units();
        (&self.inputs[row.clone()], &self.outputs[row])
    }

    /// Returns a copy of the layer with the output weights of bit `i` multiplied by `weight(i)`.
    pub fn scaled(&self, weight: impl Fn(usize) -> f32) -> Self {
        let mut scaled = self.clone();
        for (i, row) in scaled.outputs.chunks_mut(self.units().max(1)).enumerate() {
            row.iter_mut().for_each(|v| *v *= weight(i));
        }
        scaled
    }

    /// Concatenates the units of several (layer, weight) pairs into one layer; its logits are the weighted sum of the
    /// layers' logits.
    ///
    /// Returns `None` for an empty list. All layers need the same activation.
    pub fn side_by_side(layers: &[(&Self, f32)]) -> Option<Self> {
        let (first, _) = layers.first()?;
        let mut wide = Self { activation: first.activation, ..Self::default() };
        layers.iter().for_each(|(layer, _)| wide.biases.extend(&layer.biases));
        for i in 0..first.inputs.len() / first.units().max(1) {
            for (layer, weight) in layers {
                let (inputs, outputs) = layer.rows(i);
                wide.inputs.extend(inputs);
                wide.outputs.extend(outputs.iter().map(|v| v * weight));
            }
        }
        Some(wide)
    }

    /// Returns the layer's term of the logits of all rows, in nats: `[bit][row]`.
    pub fn logits(&self, bits: &Bits) -> PerBit {
        per_bit(bits, |row| {
            let mut state = LayerState::new(self);
            let each = (0..bits.width()).map(|i| {
                let logit = state.logit(i);
                if bits.get(row, i) {
                    state.observe(i);
                }
                logit
            });
            each.collect()
        })
    }
}

/// Sums and outputs of a layer's units given the earlier bits of a row.
pub(super) struct LayerState<'m> {
    layer: &'m HiddenLayer,
    sums: Vec<f32>,
    units: Vec<f32>,
}

impl<'m> LayerState<'m> {
    /// Returns the state before the first bit of a row.
    pub(super) fn new(layer: &'m HiddenLayer) -> Self {
        let mut state = Self { layer, sums: layer.biases.clone(), units: vec![0.0; layer.units()] };
        layer.activate(&state.sums, &mut state.units);
        state
    }

    /// Returns the layer's term of the logit of bit `i`, in nats.
    pub(super) fn logit(&self, i: usize) -> f64 {
        self.layer.rows(i).1.iter().zip(&self.units).map(|(v, unit)| f64::from(v * unit)).sum()
    }

    /// Updates the units after bit `i`, whose value is one.
    pub(super) fn observe(&mut self, i: usize) {
        self.sums.iter_mut().zip(self.layer.rows(i).0).for_each(|(sum, weight)| *sum += weight);
        self.layer.activate(&self.sums, &mut self.units);
    }
}
