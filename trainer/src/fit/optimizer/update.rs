//! Updates the parameters from the gradients of the shards of a batch.

use super::settings::{Method, Optimizer};

/// Number of parameters per chunk: few enough that the chunk and its moments stay in the L1 cache.
pub const CHUNK: usize = 512;
/// Decay factor per step of the first moment.
const FIRST: f32 = 0.9;
/// Decay factor per step of the second moment.
const SECOND: f32 = 0.999;

/// A run of consecutive parameters with their running mean and moments. Slices that the settings do not use are empty.
pub struct ParameterChunk<'a> {
    /// Index of the chunk's first parameter.
    pub from: usize,
    pub theta: &'a mut [f32],
    pub mean: &'a mut [f32],
    pub first: &'a mut [f32],
    pub second: &'a mut [f32],
}

/// Constants of one optimizer step.
pub struct Update {
    method: Method,
    /// Factor that turns the gradient's sum over the batch into a mean.
    share: f32,
    rate: f32,
    decay: f32,
    /// Coefficient of the penalty Σ|w|, in nats per row.
    l1: f32,
    /// Coefficient of the penalty Σw²/2, in nats per row.
    l2: f32,
    /// Decay factor of the running mean of the parameters.
    average: f32,
    /// Bias corrections 1 / (1 - β^t) of Adam's first and second moment at step t.
    correction: [f32; 2],
}

impl Update {
    /// Computes the constants of a step (counted from 1) whose batch has `batch` of the `rows` training rows.
    pub fn new(settings: &Optimizer, step: f32, rate: f32, batch: usize, rows: usize) -> Self {
        Self {
            method: settings.method,
            share: 1.0 / batch as f32,
            rate,
            decay: settings.decay * rate,
            l1: settings.l1 / rows as f32,
            l2: settings.l2 / rows as f32,
            // A shorter memory in the first steps forgets the starting point.
            average: settings.average.min((1.0 + step) / (10.0 + step)),
            correction: [FIRST, SECOND].map(|beta| 1.0 / (1.0 - beta.powf(step))),
        }
    }

    /// Updates a chunk from the gradients `[shard][parameter]`. Parameters at an index below `weights` are weights, all
    /// other parameters are biases.
    #[inline(always)]
    pub fn apply(&self, chunk: ParameterChunk, shards: &[&[f32]], weights: usize) {
        let ParameterChunk { from, theta, mean, first, second } = chunk;
        let mut gradient = [0f32; CHUNK];
        let gradient = &mut gradient[..theta.len()];
        for shard in shards {
            let shard = &shard[from..from + theta.len()];
            gradient.iter_mut().zip(shard).for_each(|(sum, part)| *sum += part);
        }
        gradient.iter_mut().for_each(|g| *g *= self.share);
        // Biases do not decay.
        let weights = weights.saturating_sub(from).min(theta.len());
        if self.l2 > 0.0 {
            gradient.iter_mut().zip(&*theta).take(weights).for_each(|(g, theta)| *g = self.l2.mul_add(-theta, *g));
        }
        // Turns the gradient into the step per unit of rate.
        let [fast, slow] = self.correction;
        let mut gain = 1.0;
        match self.method {
            Method::Sgd => {}
            Method::Momentum => {
                gain = 1.0 / (1.0 - FIRST);
                for (g, m) in gradient.iter_mut().zip(&mut *first) {
                    *m = FIRST.mul_add(*m, *g);
                    *g = *m;
                }
            }
            Method::Adam => {
                for ((g, m), v) in gradient.iter_mut().zip(&mut *first).zip(&mut *second) {
                    *m = FIRST.mul_add(*m, (1.0 - FIRST) * *g);
                    *v = SECOND.mul_add(*v, (1.0 - SECOND) * *g * *g);
                    *g = *m * fast / ((*v * slow).sqrt() + 1e-8);
                }
            }
        }
        let (decaying, others) = theta.split_at_mut(weights);
        for (theta, g) in decaying.iter_mut().zip(&*gradient) {
            *theta = self.rate.mul_add(*g, *theta) - self.decay * *theta;
        }
        for (theta, g) in others.iter_mut().zip(&gradient[weights..]) {
            *theta = self.rate.mul_add(*g, *theta);
        }
        if self.l1 > 0.0 {
            for (k, theta) in theta.iter_mut().take(weights).enumerate() {
                // The penalty is scaled like the step (Duchi & Singer 2009).
                let gain = if self.method == Method::Adam { 1.0 / ((second[k] * slow).sqrt() + 1e-8) } else { gain };
                *theta = (theta.abs() - self.rate * gain * self.l1).max(0.0).copysign(*theta);
            }
        }
        for (mean, theta) in mean.iter_mut().zip(&*theta) {
            *mean = self.average.mul_add(*mean - theta, *theta);
        }
    }
}
