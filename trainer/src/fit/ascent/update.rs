//! From the gradients of shards to the next parameters.

use super::{Ascent, Method};

/// Parameters updated in one go: few enough that all that goes with them stays in the nearest cache.
pub const STRETCH: usize = 512;
/// Adam's and momentum's memory.
const FIRST: f32 = 0.9;
const SECOND: f32 = 0.999;

/// Some parameters, and what goes with them; empty where the method has no use for it.
pub struct Stretch<'a> {
    pub from: usize,
    pub theta: &'a mut [f32],
    pub mean: &'a mut [f32],
    pub first: &'a mut [f32],
    pub second: &'a mut [f32],
}

/// One step's numbers.
pub struct Update {
    method: Method,
    /// Of the sum of the shards' gradients.
    share: f32,
    rate: f32,
    decay: f32,
    /// Penalties a row.
    l1: f32,
    l2: f32,
    /// What the running mean keeps.
    average: f32,
    /// 1 / (1 - β^t) of Adam's two memories.
    correction: [f32; 2],
}

impl Update {
    pub fn new(settings: &Ascent, step: f32, rate: f32, batch: usize, rows: usize) -> Self {
        Self {
            method: settings.method,
            share: 1.0 / batch as f32,
            rate,
            decay: settings.decay * rate,
            l1: settings.l1 / rows as f32,
            l2: settings.l2 / rows as f32,
            // The mean of the first steps forgets the start.
            average: settings.average.min((1.0 + step) / (10.0 + step)),
            correction: [FIRST, SECOND].map(|beta| 1.0 / (1.0 - beta.powf(step))),
        }
    }

    #[inline(always)]
    pub fn apply(&self, stretch: Stretch, shards: &[&[f32]], weights: usize) {
        let Stretch { from, theta, mean, first, second } = stretch;
        let mut gradient = [0f32; STRETCH];
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
        // Turns the gradient into the step a unit of rate.
        let [fast, slow] = self.correction;
        let mut reach = 1.0;
        match self.method {
            Method::Sgd => {}
            Method::Momentum => {
                reach = 1.0 / (1.0 - FIRST);
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
                // The penalty's pull in the metric of the step (Duchi & Singer 2009).
                let reach = if self.method == Method::Adam { 1.0 / ((second[k] * slow).sqrt() + 1e-8) } else { reach };
                *theta = (theta.abs() - self.rate * reach * self.l1).max(0.0).copysign(*theta);
            }
        }
        for (mean, theta) in mean.iter_mut().zip(&*theta) {
            *mean = self.average.mul_add(*mean - theta, *theta);
        }
    }
}
