//! Mini-batch stochastic gradient ascent on the log-likelihood: θ ← θ + r_t ∇L(θ | B_t).

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::lanes::Aligned;
use crate::error::{Error, Result};
use crate::names::{Named, display_by_name};

mod update;

use update::{STRETCH, Stretch, Update};

/// A log-likelihood to climb.
pub trait Objective: Sync {
    /// How many training rows.
    fn rows(&self) -> usize;
    /// How many parameters.
    fn parameters(&self) -> usize;
    /// How many of them, the first ones, are weights, which decay; biases do not.
    fn weights(&self) -> usize;
    /// About how many multiply-adds a row's gradient takes.
    fn work(&self) -> usize;
    /// Adds ∇ Σ ln p(row) to `gradient` and returns Σ ln p(row).
    fn gradient(&self, theta: &[f32], rows: &[u32], random: &mut ChaCha8Rng, gradient: &mut [f32]) -> f64;
    /// The mean log-likelihood of the validation rows.
    fn validate(&self, theta: &[f32]) -> f64;
}

/// How a gradient becomes a step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// The gradient itself (Robbins & Monro 1951).
    Sgd,
    /// A running sum of gradients, each step keeping nine tenths (Polyak 1964).
    Momentum,
    /// Steps of about the rate in every parameter (Kingma & Ba 2015).
    #[default]
    Adam,
}

/// How the rate falls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Schedule {
    /// Not at all.
    Constant,
    /// r / (1 + t / a tenth of all steps).
    Inverse,
    /// To a tenth after half of the epochs, and to a hundredth after three quarters.
    Step,
    /// Half a cosine down to zero (Loshchilov & Hutter 2017).
    #[default]
    Cosine,
}

impl Named for Method {
    const OPTION: &'static str = "--optimizer";
    const NAMES: &'static [(&'static str, Self)] =
        &[("sgd", Self::Sgd), ("momentum", Self::Momentum), ("adam", Self::Adam)];
}

impl Named for Schedule {
    const OPTION: &'static str = "--schedule";
    const NAMES: &'static [(&'static str, Self)] =
        &[("constant", Self::Constant), ("inverse", Self::Inverse), ("step", Self::Step), ("cosine", Self::Cosine)];
}

display_by_name!(Method, Schedule);

/// How to climb.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ascent {
    /// How a gradient becomes a step.
    pub method: Method,
    /// The highest rate; found by a range test if not given.
    pub rate: Option<f32>,
    /// How it falls.
    pub schedule: Schedule,
    /// The share of all steps over which the rate first rises from zero.
    pub warm_up: f32,
    /// Rows a step.
    pub batch: usize,
    /// Passes over the training rows, at most.
    pub epochs: usize,
    /// Epochs without a better validation log-likelihood after which to stop.
    pub patience: usize,
    /// How much of the running mean of the parameters each step keeps (Polyak & Juditsky 1992); zero for none.
    pub average: f32,
    /// Decoupled weight decay, a share of the weight a unit of rate (Loshchilov & Hutter 2019).
    pub decay: f32,
    /// Penalty Σ|w| in nats of the training set, by proximal steps.
    pub l1: f32,
    /// Penalty Σw²/2 in nats of the training set.
    pub l2: f32,
    /// Of the order of rows, and of dropout.
    pub seed: u64,
}

impl Default for Ascent {
    fn default() -> Self {
        Self {
            method: Method::default(),
            rate: None,
            schedule: Schedule::default(),
            warm_up: 0.05,
            batch: 128,
            epochs: 100,
            patience: 20,
            average: 0.998,
            decay: 0.0,
            l1: 0.0,
            l2: 0.0,
            seed: 0,
        }
    }
}

/// What the user may fix of the way up.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct AscentChoices {
    /// How a gradient becomes a step; without --rate the rate is found by a range test.
    pub optimizer: Option<Method>,
    /// The highest rate.
    pub rate: Option<f32>,
    /// How the rate falls.
    pub schedule: Option<Schedule>,
    /// The share of all steps over which the rate first rises.
    pub warm_up: Option<f32>,
    /// Rows a step.
    pub batch: Option<usize>,
    /// Passes over the training rows, at most.
    pub epochs: Option<usize>,
    /// Epochs without a better validation log-likelihood after which to stop.
    pub patience: Option<usize>,
    /// How much of the running mean of the parameters each step keeps; 0 for no mean.
    pub average: Option<f32>,
    /// Decoupled weight decay, a share of each weight a unit of rate.
    pub weight_decay: Option<f32>,
}

impl AscentChoices {
    /// `base` where nothing is fixed.
    pub fn over(&self, base: Ascent) -> Ascent {
        Ascent {
            method: self.optimizer.unwrap_or(base.method),
            rate: self.rate.or(base.rate.filter(|_| self.optimizer.is_none())),
            schedule: self.schedule.unwrap_or(base.schedule),
            warm_up: self.warm_up.unwrap_or(base.warm_up),
            batch: self.batch.unwrap_or(base.batch),
            epochs: self.epochs.unwrap_or(base.epochs),
            patience: self.patience.unwrap_or(base.patience),
            average: self.average.unwrap_or(base.average),
            decay: self.weight_decay.unwrap_or(base.decay),
            ..base
        }
    }

    /// Checks every setting that is given.
    ///
    /// # Errors
    /// [`Error::Option`] with the range that was expected.
    pub fn check(&self) -> Result<()> {
        let share = |given: Option<f32>| given.is_none_or(|share| (0.0..1.0).contains(&share));
        let positive = |given: Option<f32>| given.is_none_or(|number| number > 0.0 && number.is_finite());
        let some = |given: Option<usize>| given.is_none_or(|number| number > 0);
        let decay = self.weight_decay.is_none_or(|decay| decay >= 0.0 && decay.is_finite());
        let checks = [
            (positive(self.rate), "--rate", "expected a number above zero, for example 0.01"),
            (share(self.warm_up), "--warm-up", "expected a share from 0 to below 1, for example 0.05"),
            (share(self.average), "--average", "expected a share from 0 to below 1, for example 0.998"),
            (some(self.batch), "--batch", "expected at least 1 row"),
            (some(self.epochs), "--epochs", "expected at least 1"),
            (some(self.patience), "--patience", "expected at least 1"),
            (decay, "--weight-decay", "expected a number that is zero or more, for example 0.1"),
        ];
        match checks.into_iter().find(|(right, ..)| !right) {
            Some((_, name, message)) => Err(Error::option(name, message)),
            None => Ok(()),
        }
    }
}

/// Where the climb ended.
#[derive(Clone, Debug)]
pub struct Summit {
    /// The parameters that predict the validation rows best, of all epochs, raw or averaged.
    pub theta: Vec<f32>,
    /// How well: their mean log-likelihood.
    pub valid_ll: f64,
    /// The highest rate.
    pub rate: f32,
    /// How many epochs it took.
    pub epochs: usize,
}

/// Rows whose gradient is added up in one go; the sums of these are added in order, so that threads change nothing.
const SHARD: usize = 32;
/// Multiply-adds below which more threads cost more than they bring.
const SMALL: usize = 500_000;

/// Climbs from `start`; `each_epoch` hears of the validation log-likelihood and says whether to go on.
pub fn climb(
    objective: &impl Objective,
    start: Vec<f32>,
    settings: &Ascent,
    mut each_epoch: impl FnMut(usize, f64) -> bool,
) -> Summit {
    let rate = settings.rate.unwrap_or_else(|| range_test(objective, &start, settings));
    let mut climber = Climber::new(objective, start, settings);
    let mut order: Vec<u32> = (0..objective.rows() as u32).collect();
    let mut random = ChaCha8Rng::seed_from_u64(settings.seed);
    let steps_an_epoch = order.len().div_ceil(settings.batch);
    let total = (settings.epochs * steps_an_epoch) as f32;
    let mut best = Summit { theta: climber.theta.to_vec(), valid_ll: f64::NEG_INFINITY, rate, epochs: 0 };
    let mut best_at = 0;
    for epoch in 1..=settings.epochs {
        order.shuffle(&mut random);
        // All of an epoch on the threads: to wake one takes longer than a small step.
        rayon::scope(|_| {
            for batch in order.chunks(settings.batch) {
                let progress = climber.steps as f32 / total;
                climber.step(batch, rate * settings.factor(progress));
            }
        });
        best.epochs = epoch;
        for theta in [&climber.mean, &climber.theta] {
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

impl Ascent {
    /// The rate as a share of the highest, at a share of all steps.
    pub fn factor(&self, progress: f32) -> f32 {
        let warm = if progress < self.warm_up { (progress + 1e-3) / (self.warm_up + 1e-3) } else { 1.0 };
        warm * match self.schedule {
            Schedule::Constant => 1.0,
            Schedule::Inverse => 1.0 / (1.0 + 10.0 * progress),
            Schedule::Step if progress < 0.5 => 1.0,
            Schedule::Step if progress < 0.75 => 0.1,
            Schedule::Step => 0.01,
            Schedule::Cosine => 0.5 * (1.0 + (std::f32::consts::PI * progress).cos()),
        }
    }
}

/// The rate in use: a short climb at a rate that rises tenfold every 40 steps, from far too low to far too high
/// (Smith, *Cyclical Learning Rates for Training Neural Networks*, 2017); a tenth of the one at which the smoothed
/// log-likelihood of the batches was best.
fn range_test(objective: &impl Objective, start: &[f32], settings: &Ascent) -> f32 {
    const STEPS: usize = 160;
    let lowest = if settings.method == Method::Adam { 1e-4 } else { 1e-3 };
    let mut climber = Climber::new(objective, start.to_vec(), settings);
    let mut order: Vec<u32> = (0..objective.rows() as u32).collect();
    order.shuffle(&mut ChaCha8Rng::seed_from_u64(settings.seed ^ 1));
    let mut batches = order.chunks(settings.batch).cycle();
    let (mut smoothed, mut best) = (0.0, (f64::NEG_INFINITY, lowest));
    for step in 0..STEPS {
        let rate = lowest * 10f32.powf(step as f32 / 40.0);
        let batch = batches.next().unwrap_or_default();
        let mean = climber.step(batch, rate) / batch.len().max(1) as f64;
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

struct Climber<'o, O> {
    objective: &'o O,
    settings: Ascent,
    theta: Aligned,
    /// The running mean of theta, if there is one.
    mean: Aligned,
    first: Aligned,
    second: Aligned,
    shards: Vec<Aligned>,
    steps: usize,
}

impl<'o, O: Objective> Climber<'o, O> {
    fn new(objective: &'o O, theta: Vec<f32>, settings: &Ascent) -> Self {
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
    fn step(&mut self, batch: &[u32], rate: f32) -> f64 {
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
            stretches.into_par_iter().with_min_len(16).for_each(apply)
        }
        likelihoods.iter().sum()
    }
}
