//! Mini-batch stochastic gradient ascent on a log-likelihood L: step t with learning rate r_t and batch B_t sets θ ← θ
//! + r_t ∇L(θ | B_t).

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::simd::AlignedFloats;

mod settings;
mod update;

use update::{CHUNK, ParameterChunk, Update};

pub use settings::{Method, Optimizer, OptimizerChoices, Schedule};

/// A log-likelihood as a function of its parameters θ, which the optimizer maximises.
pub trait Objective: Sync {
    /// Returns the number of training rows.
    fn rows(&self) -> usize;
    /// Returns the number of parameters.
    fn parameters(&self) -> usize;
    /// Returns the number of weights, which come before the biases in θ. Weight decay and penalties skip the biases.
    fn weights(&self) -> usize;
    /// Returns the approximate number of multiply-adds per row of a gradient.
    fn work(&self) -> usize;
    /// Adds the gradient of Σ ln p(row) over the given training rows to `gradient` and returns the sum, in nats.
    fn gradient(&self, theta: &[f32], rows: &[u32], random: &mut ChaCha8Rng, gradient: &mut [f32]) -> f64;
    /// Returns the mean log-likelihood of the validation rows, in nats per row.
    fn validate(&self, theta: &[f32]) -> f64;
}

/// Best parameters that [`optimize`] found, and how they were found.
#[derive(Clone, Debug)]
pub struct Best {
    /// Parameters with the highest validation log-likelihood of all epochs, either raw or averaged.
    pub theta: Vec<f32>,
    /// Mean log-likelihood of the validation rows under `theta`, in nats per row.
    pub valid_ll: f64,
    /// Highest learning rate of the schedule.
    pub rate: f32,
    /// Number of epochs that the optimizer ran.
    pub epochs: usize,
}

/// Number of rows per shard, whose gradients one thread adds up. The partial sums are added in a fixed order, so that
/// the number of threads does not change the result.
const SHARD: usize = 32;
/// Number of multiply-adds per step below which several threads take longer than one thread.
const SMALL: usize = 500_000;

/// Maximises the objective from the parameters `start` and returns the parameters of the best epoch.
///
/// `each_epoch` receives the epoch, counted from 1, and the best validation log-likelihood so far. The optimizer stops
/// when `each_epoch` returns false.
pub fn optimize(
    objective: &impl Objective,
    start: Vec<f32>,
    settings: &Optimizer,
    mut each_epoch: impl FnMut(usize, f64) -> bool,
) -> Best {
    let rate = settings.rate.unwrap_or_else(|| range_test(objective, &start, settings));
    let mut state = OptimizerState::new(objective, start, settings);
    let mut order: Vec<u32> = (0..objective.rows() as u32).collect();
    let mut random = ChaCha8Rng::seed_from_u64(settings.seed);
    let steps_per_epoch = order.len().div_ceil(settings.batch);
    let total = (settings.epochs * steps_per_epoch) as f32;
    let mut best = Best { theta: state.theta.to_vec(), valid_ll: f64::NEG_INFINITY, rate, epochs: 0 };
    let mut best_at = 0;
    for epoch in 1..=settings.epochs {
        order.shuffle(&mut random);
        // The whole epoch runs inside the thread pool, because waking a thread takes longer than a small step.
        rayon::scope(|_| {
            for batch in order.chunks(settings.batch) {
                let progress = state.steps as f32 / total;
                state.step(batch, rate * settings.factor(progress));
            }
        });
        best.epochs = epoch;
        for theta in [&state.mean, &state.theta] {
            let valid_ll = if theta.is_empty() { f64::NEG_INFINITY } else { objective.validate(theta) };
            if valid_ll > best.valid_ll {
                (best.theta, best.valid_ll) = (theta.to_vec(), valid_ll);
                best_at = epoch;
            }
        }
        if !each_epoch(epoch, best.valid_ll) || epoch - best_at >= settings.patience {
            break;
        }
    }
    best
}

/// Chooses the learning rate by a range test (Smith, *Cyclical Learning Rates for Training Neural Networks*, 2017).
///
/// A trial run raises the rate tenfold every 40 steps, from far too low to far too high. The result is a tenth of the
/// rate at which the smoothed log-likelihood of the batches is highest.
fn range_test(objective: &impl Objective, start: &[f32], settings: &Optimizer) -> f32 {
    const STEPS: usize = 160;
    let lowest = if settings.method == Method::Adam { 1e-4 } else { 1e-3 };
    let mut state = OptimizerState::new(objective, start.to_vec(), settings);
    let mut order: Vec<u32> = (0..objective.rows() as u32).collect();
    order.shuffle(&mut ChaCha8Rng::seed_from_u64(settings.seed ^ 1));
    let mut batches = order.chunks(settings.batch).cycle();
    let (mut smoothed, mut best) = (0.0, (f64::NEG_INFINITY, lowest));
    for step in 0..STEPS {
        let rate = lowest * 10f32.powf(step as f32 / 40.0);
        let batch = batches.next().unwrap_or_default();
        let mean = state.step(batch, rate) / batch.len().max(1) as f64;
        smoothed = if step == 0 { mean } else { 0.9 * smoothed + 0.1 * mean };
        if smoothed > best.0 {
            best = (smoothed, rate);
        }
        if !mean.is_finite() {
            break;
        }
    }
    best.1 / 10.0
}

/// Parameters and moments of an optimization in progress.
struct OptimizerState<'o, O> {
    objective: &'o O,
    settings: Optimizer,
    theta: AlignedFloats,
    /// Running mean of `theta`; empty if averaging is off.
    mean: AlignedFloats,
    /// First moment of the gradient; empty for plain gradient ascent.
    first: AlignedFloats,
    /// Second moment of the gradient; empty unless the method is Adam.
    second: AlignedFloats,
    /// Gradient of each shard of the batch: `[shard][parameter]`.
    shards: Vec<AlignedFloats>,
    /// Number of steps taken so far.
    steps: usize,
}

impl<'o, O: Objective> OptimizerState<'o, O> {
    fn new(objective: &'o O, theta: Vec<f32>, settings: &Optimizer) -> Self {
        let zeros = |needed: bool| AlignedFloats::zeros(if needed { theta.len() } else { 0 });
        let shards = settings.batch.min(objective.rows()).div_ceil(SHARD);
        Self {
            objective,
            settings: *settings,
            mean: AlignedFloats::of(if settings.average > 0.0 { &theta } else { &[] }),
            first: zeros(settings.method != Method::Sgd),
            second: zeros(settings.method == Method::Adam),
            shards: (0..shards).map(|_| AlignedFloats::zeros(theta.len())).collect(),
            theta: AlignedFloats::of(&theta),
            steps: 0,
        }
    }

    /// Takes one step and returns the log-likelihood of the batch before the step, in nats.
    fn step(&mut self, batch: &[u32], rate: f32) -> f64 {
        let (objective, settings, theta) = (self.objective, &self.settings, &self.theta);
        let (steps, streams) = (self.steps, self.shards.len());
        let shard_gradient = |(at, (shard, rows)): (usize, (&mut AlignedFloats, &[u32]))| {
            shard.fill(0.0);
            // Each shard of each step draws from a separate random stream.
            let mut random = ChaCha8Rng::seed_from_u64(settings.seed);
            random.set_stream((steps * streams + at) as u64 + 1);
            objective.gradient(theta, rows, &mut random, shard)
        };
        let small = objective.work() * batch.len() < SMALL;
        let likelihoods: Vec<f64> = if small {
            self.shards.iter_mut().zip(batch.chunks(SHARD)).enumerate().map(shard_gradient).collect()
        } else {
            self.shards.par_iter_mut().zip(batch.par_chunks(SHARD)).enumerate().map(shard_gradient).collect()
        };
        self.steps += 1;
        let update = Update::new(settings, self.steps as f32, rate, batch.len(), objective.rows());
        let shards: Vec<&[f32]> = self.shards[..likelihoods.len()].iter().map(|shard| &**shard).collect();
        let weights = objective.weights();
        let arch = pulp::Arch::new();
        let mut chunks: Vec<ParameterChunk> = Vec::new();
        let mut mean = self.mean.chunks_mut(CHUNK);
        let mut first = self.first.chunks_mut(CHUNK);
        let mut second = self.second.chunks_mut(CHUNK);
        for (at, theta) in self.theta.chunks_mut(CHUNK).enumerate() {
            let [mean, first, second] = [&mut mean, &mut first, &mut second].map(|all| all.next().unwrap_or_default());
            chunks.push(ParameterChunk { from: at * CHUNK, theta, mean, first, second });
        }
        let apply = |chunk: ParameterChunk| {
            arch.dispatch(
                #[inline(always)]
                || update.apply(chunk, &shards, weights),
            )
        };
        if small {
            chunks.into_iter().for_each(apply)
        } else {
            chunks.into_par_iter().with_min_len(16).for_each(apply)
        }
        likelihoods.iter().sum()
    }
}
