//! The likelihood of a hidden layer and its gradient, written out (Larochelle & Murray 2011), over blocks of rows.
//!
//! Between two ones of a row its units stay as they are, so that a row is a list of segments. With the residual
//! r_i = x_i - p_i, the units h_s and the sums a_s of segment s, and i in s:
//!
//! ```text
//! ∂/∂b_i = r_i    ∂/∂v_i = r_i h_s    δ_s = f'(a_s) ∘ Σ_{i in s} r_i v_i
//! ∂/∂w_j = Σ_{t >= s} δ_t  for the one at j that begins segment s    ∂/∂c = Σ_t δ_t
//! ```
//!
//! That is three multiply-adds a row, bit and unit, and a few a one and unit.

use std::sync::Mutex;

use rand::{Rng, RngExt};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use surprisal::{Activation, Guard};

use super::ascent::Objective;
use super::lanes::WIDTH;
use crate::bits::Bits;
use crate::model::{Hidden, PerBit};

mod pass;
mod scratch;
#[cfg(test)]
mod tests;
mod vectors;

use pass::{BLOCK, Likelihood, Pass};
use scratch::Scratch;

/// Rows of bits, each as the list of its ones.
#[derive(Clone, Debug)]
pub struct Rows {
    /// How many bits a row.
    pub width: usize,
    ones: Vec<u16>,
    starts: Vec<u32>,
    /// Bits that are free only where the parent is not what it says.
    guards: Vec<(u16, u16, bool)>,
    /// What else there is in the logits, row after row; empty if nothing.
    offset: Vec<f32>,
}

impl Rows {
    /// Rows whose logits start from `offset`, if there is one.
    pub fn new(bits: &Bits, guards: &[u16], offset: Option<&PerBit>) -> Self {
        let mut each: Vec<Vec<u16>> = vec![Vec::new(); bits.rows];
        for (i, ones) in bits.ones.iter().enumerate() {
            ones.iter().for_each(|&row| each[row as usize].push(i as u16));
        }
        let mut starts = vec![0];
        starts.extend(each.iter().scan(0, |end, ones| {
            *end += ones.len() as u32;
            Some(*end)
        }));
        let condition = |(i, &guard): (usize, &u16)| {
            let (parent, when, _) = Guard::from_raw(guard).condition()?;
            Some((i as u16, parent as u16, when))
        };
        let guards = guards.iter().enumerate().filter_map(condition).collect();
        let offset = offset.map_or_else(Vec::new, |offset| {
            (0..bits.rows).flat_map(|row| offset.iter().map(move |bit| bit[row] as f32)).collect()
        });
        Self { width: bits.width(), ones: each.concat(), starts, guards, offset }
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// Are there none?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bits of a row that are forced.
    pub(super) fn forced(&self, row: usize) -> impl Iterator<Item = usize> + '_ {
        let ones = self.ones(row);
        let forced = move |&&(_, parent, when): &&(u16, u16, bool)| ones.binary_search(&parent).is_ok() == when;
        self.guards.iter().filter(forced).map(|&(i, _, _)| usize::from(i))
    }

    /// The logit of each bit's share of ones.
    pub(super) fn marginal_logits(&self) -> Vec<f32> {
        let mut counts = vec![0.5; self.width];
        self.ones.iter().for_each(|&i| counts[usize::from(i)] += 1.0);
        let rows = self.len() as f32 + 1.0;
        counts.into_iter().map(|ones: f32| (ones / (rows - ones)).ln()).collect()
    }

    /// What else there is in the logits of a row, if anything.
    fn offset(&self, row: usize) -> &[f32] {
        if self.offset.is_empty() { &[] } else { &self.offset[row * self.width..][..self.width] }
    }

    /// The ones of a row, ascending.
    pub fn ones(&self, row: usize) -> &[u16] {
        &self.ones[self.starts[row] as usize..self.starts[row + 1] as usize]
    }
}

/// The shape of a layer and what is left out of it while it learns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shape {
    /// How many units, up to 256.
    pub units: usize,
    /// What they make of their sums.
    pub activation: Activation,
    /// The share of units that each row does without (Srivastava et al. 2014).
    pub dropout: f32,
    /// The share of ones that each row does not feed to the layer.
    pub input_dropout: f32,
}

/// The log-likelihood of rows as a function of a layer's weights and of the bits' biases.
///
/// The parameters are v, bit after bit, then w likewise, then c, then b, units rounded up to whole vectors.
pub struct Nade<'r> {
    shape: Shape,
    train: &'r Rows,
    valid: &'r Rows,
    arch: pulp::Arch,
    /// Units rounded up to whole vectors.
    padded: usize,
    /// Does only what comes out of the units still learn?
    outputs_only: bool,
    /// What passes have left behind for the next ones to write on.
    scratch: Mutex<Vec<Scratch>>,
}

impl<'r> Nade<'r> {
    /// A layer of that shape, learned from `train` and judged by `valid`.
    pub fn new(shape: Shape, train: &'r Rows, valid: &'r Rows) -> Self {
        let padded = shape.units.next_multiple_of(WIDTH);
        Self { shape, train, valid, arch: pulp::Arch::new(), padded, outputs_only: false, scratch: Mutex::default() }
    }

    /// The same with w and c as they are.
    pub fn outputs_only(self) -> Self {
        Self { outputs_only: true, ..self }
    }

    /// The parameters of a layer and of the bits' biases: what [`layer`](Self::layer) takes apart.
    pub fn theta(&self, layer: &Hidden, of_bits: &[f32]) -> Vec<f32> {
        let wide = |matrix: &[f32]| -> Vec<f32> {
            let pad = vec![0.0; self.padded - layer.units()];
            matrix.chunks(layer.units()).flat_map(|row| row.iter().chain(&pad).copied()).collect()
        };
        [wide(&layer.outputs), wide(&layer.inputs), wide(&layer.biases), of_bits.to_vec()].concat()
    }

    /// Where to start: biases at the logits of the marginals (or at zero on top of an offset), small random weights.
    pub fn start(&self, random: &mut impl Rng) -> Vec<f32> {
        let (n, units) = (self.train.width, self.padded);
        let mut theta = vec![0.0; self.parameters()];
        let ones = self.train.ones.len() as f32 / self.train.len().max(1) as f32;
        // Sums, and what the units add to a logit, begin with a spread of about a half.
        let spreads = [0.5 / (self.shape.units as f32).sqrt(), 0.5 / (ones + 1.0).sqrt()];
        for (matrix, spread) in theta.chunks_mut(n * units).zip(spreads) {
            for row in matrix.chunks_mut(units) {
                for weight in row.iter_mut().take(self.shape.units) {
                    // Uniform, with that standard deviation.
                    *weight = spread * 3f32.sqrt() * random.random_range(-1.0..1.0);
                }
            }
        }
        if self.train.offset.is_empty() {
            theta[2 * n * units + units..].copy_from_slice(&self.train.marginal_logits());
        }
        theta
    }

    /// The layer and the biases of the bits.
    pub fn layer(&self, theta: &[f32]) -> (Hidden, Vec<f32>) {
        let (n, padded, units) = (self.train.width, self.padded, self.shape.units);
        let (outputs, rest) = theta.split_at(n * padded);
        let (inputs, rest) = rest.split_at(n * padded);
        let (biases, of_bits) = rest.split_at(padded);
        let narrow = |matrix: &[f32]| matrix.chunks(padded).flat_map(|row| row[..units].iter().copied()).collect();
        let layer = Hidden {
            activation: self.shape.activation,
            biases: biases[..units].to_vec(),
            inputs: narrow(inputs),
            outputs: narrow(outputs),
        };
        (layer, of_bits.to_vec())
    }

    /// The log-likelihood of some rows; adds its gradient if there is room for one.
    fn run(&self, rows: &Rows, each: &[u32], theta: &[f32], mut learn: Option<(&mut [f32], &mut ChaCha8Rng)>) -> f64 {
        let mut scratch = self.scratch.lock().expect("nobody panics with it").pop().unwrap_or_default();
        let mut total = 0.0;
        for block in each.chunks(BLOCK) {
            let gradient = learn.as_mut().map(|(gradient, random)| {
                scratch.drop(self.shape, self.padded, random, rows.width);
                &mut **gradient
            });
            if gradient.is_none() {
                scratch.keep_all(self.shape, self.padded);
            }
            let pass = Pass { shape: self.shape, padded: self.padded, rows, block, theta, gradient };
            total += self.arch.dispatch(Likelihood { pass, scratch: &mut scratch });
        }
        self.scratch.lock().expect("nobody panics with it").push(scratch);
        total
    }
}

impl Objective for Nade<'_> {
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
