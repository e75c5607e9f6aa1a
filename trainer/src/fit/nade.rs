//! Log-likelihood of a hidden layer and its gradient in closed form (Larochelle & Murray, *The Neural Autoregressive
//! Distribution Estimator*, 2011), over blocks of rows.
//!
//! The hidden units change only after a bit that is one, so that a row is a list of segments between ones. With the
//! residual r_i = x_i - p_i, the units h_s and the sums a_s of segment s, and bits i in s:
//!
//! ```text
//! ∂/∂b_i = r_i    ∂/∂v_i = r_i h_s    δ_s = f'(a_s) ∘ Σ_{i in s} r_i v_i
//! ∂/∂w_j = Σ_{t >= s} δ_t  for the one at j that begins segment s    ∂/∂c = Σ_t δ_t
//! ```
//!
//! This takes three multiply-adds per row, bit and unit, and a few more per unit for each bit that is one.

use std::sync::Mutex;

use rand::{Rng, RngExt};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::optimizer::Objective;
use super::simd::WIDTH;
use crate::model::HiddenLayer;

mod kernel;
mod reduce;
mod rows;
mod shape;
#[cfg(test)]
mod tests;
mod workspace;

use kernel::{Kernel, KernelCall};
use rows::BLOCK;
use workspace::Workspace;

pub use rows::SparseRows;
pub use shape::{LayerShape, activation_name, activation_named};

/// Log-likelihood of rows as a function of the weights of a hidden layer and of the biases of the bits.
///
/// The parameters are, in this order, output weights v `[bit][unit]`, input weights w `[bit][unit]`, unit biases c
/// `[unit]` and bit biases b `[bit]`. Units are padded to whole vectors.
pub struct NadeObjective<'r> {
    shape: LayerShape,
    train: &'r SparseRows,
    valid: &'r SparseRows,
    arch: pulp::Arch,
    /// Number of units, rounded up to whole vectors.
    padded: usize,
    /// Whether the input weights w and the unit biases c stay fixed.
    outputs_only: bool,
    /// Workspaces that no thread uses at the moment.
    workspaces: Mutex<Vec<Workspace>>,
}

impl<'r> NadeObjective<'r> {
    /// Returns the objective of a layer that is fitted to `train` and validated on `valid`.
    pub fn new(shape: LayerShape, train: &'r SparseRows, valid: &'r SparseRows) -> Self {
        let (arch, padded) = (pulp::Arch::new(), shape.units.next_multiple_of(WIDTH));
        Self { shape, train, valid, arch, padded, outputs_only: false, workspaces: Mutex::default() }
    }

    /// Returns the objective with the input weights w and the unit biases c fixed.
    pub fn outputs_only(self) -> Self {
        Self { outputs_only: true, ..self }
    }

    /// Converts a layer and the biases of the bits to parameters; the inverse of [`layer`](Self::layer).
    pub fn theta(&self, layer: &HiddenLayer, bit_biases: &[f32]) -> Vec<f32> {
        let wide = |matrix: &[f32]| -> Vec<f32> {
            let pad = vec![0.0; self.padded - layer.units()];
            matrix.chunks(layer.units()).flat_map(|row| row.iter().chain(&pad).copied()).collect()
        };
        [wide(&layer.outputs), wide(&layer.inputs), wide(&layer.biases), bit_biases.to_vec()].concat()
    }

    /// Draws initial parameters: small random weights, and bit biases at the marginal logits, or at zero if the rows
    /// have an offset.
    pub fn start(&self, random: &mut impl Rng) -> Vec<f32> {
        let (n, units) = (self.train.width, self.padded);
        let mut theta = vec![0.0; self.parameters()];
        let ones = self.train.total_ones() as f32 / self.train.len().max(1) as f32;
        // The standard deviations of the sums and of the layer's logits start at about a half.
        let deviations = [0.5 / (self.shape.units as f32).sqrt(), 0.5 / (ones + 1.0).sqrt()];
        for (matrix, deviation) in theta.chunks_mut(n * units).zip(deviations) {
            for row in matrix.chunks_mut(units) {
                for weight in row.iter_mut().take(self.shape.units) {
                    // A uniform distribution over ±√3 has standard deviation 1.
                    *weight = deviation * 3f32.sqrt() * random.random_range(-1.0..1.0);
                }
            }
        }
        if !self.train.has_offset() {
            theta[2 * n * units + units..].copy_from_slice(&self.train.marginal_logits());
        }
        theta
    }

    /// Converts parameters to the layer and the biases of the bits; the inverse of [`theta`](Self::theta).
    pub fn layer(&self, theta: &[f32]) -> (HiddenLayer, Vec<f32>) {
        let (n, padded, units) = (self.train.width, self.padded, self.shape.units);
        let (outputs, rest) = theta.split_at(n * padded);
        let (inputs, rest) = rest.split_at(n * padded);
        let (biases, bit_biases) = rest.split_at(padded);
        let narrow = |matrix: &[f32]| matrix.chunks(padded).flat_map(|row| row[..units].iter().copied()).collect();
        let layer = HiddenLayer {
            activation: self.shape.activation,
            biases: biases[..units].to_vec(),
            inputs: narrow(inputs),
            outputs: narrow(outputs),
        };
        (layer, bit_biases.to_vec())
    }

    /// Returns the summed log-likelihood of the rows with the indices `each`, in nats.
    ///
    /// With `learn`, the (gradient, random generator) pair, also applies dropout and adds to the gradient.
    fn run(
        &self,
        rows: &SparseRows,
        each: &[u32],
        theta: &[f32],
        mut learn: Option<(&mut [f32], &mut ChaCha8Rng)>,
    ) -> f64 {
        let mut workspace =
            self.workspaces.lock().expect("no thread panics while it holds the lock").pop().unwrap_or_default();
        let mut total = 0.0;
        for block in each.chunks(BLOCK) {
            let gradient = learn.as_mut().map(|(gradient, random)| {
                workspace.drop_out(self.shape, self.padded, random, rows.width);
                &mut **gradient
            });
            if gradient.is_none() {
                workspace.keep_all(self.shape, self.padded);
            }
            let kernel = Kernel { shape: self.shape, padded: self.padded, rows, block, theta, gradient };
            total += self.arch.dispatch(KernelCall { kernel, workspace: &mut workspace });
        }
        self.workspaces.lock().expect("no thread panics while it holds the lock").push(workspace);
        total
    }
}

impl Objective for NadeObjective<'_> {
    fn rows(&self) -> usize {
        self.train.len()
    }

    fn parameters(&self) -> usize {
        (2 * self.train.width + 1) * self.padded + self.train.width
    }

    fn weights(&self) -> usize {
        2 * self.train.width * self.padded
    }

    fn work(&self) -> usize {
        3 * self.train.width * self.padded
    }

    fn gradient(&self, theta: &[f32], rows: &[u32], random: &mut ChaCha8Rng, gradient: &mut [f32]) -> f64 {
        let likelihood = self.run(self.train, rows, theta, Some((&mut *gradient, random)));
        if self.outputs_only {
            let inputs = self.train.width * self.padded;
            gradient[inputs..2 * inputs + self.padded].fill(0.0);
        }
        likelihood
    }

    fn validate(&self, theta: &[f32]) -> f64 {
        let rows: Vec<u32> = (0..self.valid.len() as u32).collect();
        let blocks: Vec<f64> =
            rows.par_chunks(4 * BLOCK).map(|block| self.run(self.valid, block, theta, None)).collect();
        blocks.iter().sum::<f64>() / rows.len().max(1) as f64
    }
}
