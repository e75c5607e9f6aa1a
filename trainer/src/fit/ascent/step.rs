//! One step of a climb: the gradient of a batch, and what a method makes of it.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::{Ascent, Method, Objective};
use crate::fit::lanes::Aligned;

/// Rows whose gradient is added up in one go; the sums of these are added in order, so that threads change nothing.
const SHARD: usize = 32;
/// Parameters updated in one go.
const STRETCH: usize = 8192;
/// Multiply-adds below which more threads cost more than they bring.
const SMALL: usize = 500_000;
/// Adam's and momentum's memory.
const FIRST: f32 = 0.9;
const SECOND: f32 = 0.999;

/// A climb under way.
pub(super) struct Climber<'o, O> {
    objective: &'o O,
    settings: Ascent,
    pub(super) theta: Aligned,
    /// The running mean of theta, if there is one.
    pub(super) mean: Aligned,
    first: Aligned,
    second: Aligned,
    shards: Vec<Aligned>,
    pub(super) steps: usize,
}

impl<'o, O: Objective> Climber<'o, O> {
    pub(super) fn new(objective: &'o O, theta: Vec<f32>, settings: &Ascent) -> Self {
        let zeros = |needed: bool| Aligned::zeros(if needed { theta.len() } else { 0 });
        let shards = settings.batch.min(objective.rows()).div_ceil(SHARD);
        Self {
            objective,
            settings: *settings,
            mean: Aligned::of(if settings.average > 0.0 { &theta } else { &[] }),
            first: zeros(settings.method != Method::Sgd),
            second: zeros(settings.method == Method::Adam),
            shards: (0..shards).map(|_| Aligned::zeros(theta.len())).collect(),
            theta: Aligned::of(&theta),
            steps: 0,
        }
    }

    /// One step; returns the log-likelihood that the batch had before it.
    pub(super) fn step(&mut self, batch: &[u32], rate: f32) -> f64 {
        let (objective, settings, theta) = (self.objective, &self.settings, &self.theta);
        let (steps, streams) = (self.steps, self.shards.len());
        let of_shard = |(at, (shard, rows)): (usize, (&mut Aligned, &[u32]))| {
            shard.fill(0.0);
            // Every shard draws from a stream of its own.
            let mut random = ChaCha8Rng::seed_from_u64(settings.seed);
            random.set_stream((steps * streams + at) as u64 + 1);
            objective.gradient(theta, rows, &mut random, shard)
        };
        let small = objective.work() * batch.len() < SMALL;
        let likelihoods: Vec<f64> = if small {
            self.shards.iter_mut().zip(batch.chunks(SHARD)).enumerate().map(of_shard).collect()
        } else {
            self.shards.par_iter_mut().zip(batch.par_chunks(SHARD)).enumerate().map(of_shard).collect()
        };
        self.steps += 1;
        let update = Update::new(settings, self.steps as f32, rate, batch.len(), objective.rows());
        let shards: Vec<&[f32]> = self.shards[..likelihoods.len()].iter().map(|shard| &**shard).collect();
        let weights = objective.weights();
        let arch = pulp::Arch::new();
        let mut stretches: Vec<Stretch> = Vec::new();
        let mut mean = self.mean.chunks_mut(STRETCH);
        let mut first = self.first.chunks_mut(STRETCH);
        let mut second = self.second.chunks_mut(STRETCH);
        for (at, theta) in self.theta.chunks_mut(STRETCH).enumerate() {
            let [mean, first, second] = [&mut mean, &mut first, &mut second].map(|all| all.next().unwrap_or_default());
            stretches.push(Stretch { from: at * STRETCH, theta, mean, first, second });
        }
        let apply = |stretch: Stretch| {
            arch.dispatch(
                #[inline(always)]
                || update.apply(stretch, &shards, weights),
            )
        };
        if small {
            stretches.into_iter().for_each(apply)
        } else {
            stretches.into_par_iter().for_each(apply)
        }
        likelihoods.iter().sum()
    }
}

/// Some parameters, and what goes with them; empty where the method has no use for it.
struct Stretch<'a> {
    from: usize,
    theta: &'a mut [f32],
    mean: &'a mut [f32],
    first: &'a mut [f32],
    second: &'a mut [f32],
}

/// One step's numbers.
struct Update {
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
    fn new(settings: &Ascent, step: f32, rate: f32, batch: usize, rows: usize) -> Self {
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
    fn apply(&self, stretch: Stretch, shards: &[&[f32]], weights: usize) {
        let Stretch { from, theta, mean, first, second } = stretch;
        let mut gradient = [0f32; STRETCH];
        let gradient = &mut gradient[..theta.len()];
        for shard in shards {
            let shard = &shard[from..from + theta.len()];
            gradient.iter_mut().zip(shard).for_each(|(sum, part)| *sum += part);
        }
        let weights = weights.saturating_sub(from).min(theta.len());
        for (k, g) in gradient.iter_mut().enumerate() {
            *g *= self.share;
            if k < weights {
                *g = self.l2.mul_add(-theta[k], *g);
            }
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
        for (k, (theta, g)) in theta.iter_mut().zip(&*gradient).enumerate() {
            let decay = if k < weights { self.decay * *theta } else { 0.0 };
            *theta = self.rate.mul_add(*g, *theta) - decay;
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
