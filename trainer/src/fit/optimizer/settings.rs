//! Settings of the stochastic optimizer, and the options with which a user overrides them.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::names::{Named, display_by_name};

/// Rule that turns a gradient into a step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// Plain stochastic gradient ascent (Robbins & Monro 1951).
    Sgd,
    /// Heavy-ball momentum with factor 0.9 (Polyak 1964).
    Momentum,
    /// Adam, which scales the gradient so that a step is about as large as the rate in every parameter (Kingma & Ba
    /// 2015).
    #[default]
    Adam,
}

/// Schedule by which the learning rate falls during a fit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Schedule {
    /// The learning rate stays at its highest value.
    Constant,
    /// Inverse time decay: the rate is multiplied by 1 / (1 + 10 t), where t is the fraction of all steps that are
    /// done.
    Inverse,
    /// The rate falls to one tenth after half of all steps and to one hundredth after three quarters.
    Step,
    /// The rate falls to zero along half a cosine wave (Loshchilov & Hutter 2017).
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

/// Settings of the stochastic optimizer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Optimizer {
    /// Rule that turns a gradient into a step.
    pub method: Method,
    /// Highest learning rate, or `None` to choose it by a range test.
    pub rate: Option<f32>,
    /// Schedule by which the learning rate falls.
    pub schedule: Schedule,
    /// Fraction of all steps, at the start, over which the learning rate rises linearly from about zero.
    pub warm_up: f32,
    /// Number of rows per step.
    pub batch: usize,
    /// Largest number of passes over the training rows.
    pub epochs: usize,
    /// Number of epochs without a better validation log-likelihood after which the optimizer stops.
    pub patience: usize,
    /// Decay factor per step of the running mean of the parameters (Polyak & Juditsky 1992); zero turns averaging off.
    pub average: f32,
    /// Decoupled weight decay: the fraction of a weight that a step removes, divided by the learning rate (Loshchilov &
    /// Hutter 2019).
    pub decay: f32,
    /// Coefficient of the penalty Σ|w|, in nats of the training set, applied by proximal steps.
    pub l1: f32,
    /// Coefficient of the penalty Σw²/2, in nats of the training set.
    pub l2: f32,
    /// Seed of the random order of the rows and of dropout.
    pub seed: u64,
}

impl Default for Optimizer {
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

impl Optimizer {
    /// Returns the learning rate as a fraction of the highest rate, after a fraction `progress` of all steps.
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

/// Optimizer settings that the user fixes; `None` means a default or an automatic choice.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct OptimizerChoices {
    /// Rule that turns a gradient into a step. If it is set and `rate` is not, a range test chooses the learning rate.
    pub optimizer: Option<Method>,
    /// Highest learning rate of the schedule.
    pub rate: Option<f32>,
    /// Schedule by which the learning rate falls.
    pub schedule: Option<Schedule>,
    /// Fraction of all steps, at the start, over which the learning rate rises.
    pub warm_up: Option<f32>,
    /// Number of rows per step.
    pub batch: Option<usize>,
    /// Largest number of passes over the training rows.
    pub epochs: Option<usize>,
    /// Number of epochs without a better validation log-likelihood after which the optimizer stops.
    pub patience: Option<usize>,
    /// Decay factor per step of the running mean of the parameters; zero turns averaging off.
    pub average: Option<f32>,
    /// Decoupled weight decay: the fraction of each weight that a step removes, divided by the learning rate.
    pub weight_decay: Option<f32>,
}

impl OptimizerChoices {
    /// Returns `base` with its settings replaced by the ones that the user fixed.
    ///
    /// A user who fixes the method without a rate gets the rate of a range test.
    pub fn over(&self, base: Optimizer) -> Optimizer {
        Optimizer {
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

    /// Checks that every setting that is not `None` is in its range.
    ///
    /// # Errors
    /// [`Error::Option`] if a setting is out of range; the message states the range.
    pub fn check(&self) -> Result<()> {
        let share = |given: Option<f32>| given.is_none_or(|share| (0.0..1.0).contains(&share));
        let positive = |given: Option<f32>| given.is_none_or(|number| number > 0.0 && number.is_finite());
        let some = |given: Option<usize>| given.is_none_or(|number| number > 0);
        let decay = self.weight_decay.is_none_or(|decay| decay >= 0.0 && decay.is_finite());
        let checks = [
            (positive(self.rate), "--learning-rate", "expected a number above zero, for example 0.01"),
            (share(self.warm_up), "--warm-up", "expected a share from 0 to below 1, for example 0.05"),
            (share(self.average), "--average", "expected a share from 0 to below 1, for example 0.998"),
            (some(self.batch), "--batch", "expected at least 1 row per step"),
            (some(self.epochs), "--epochs", "expected at least 1 epoch"),
            (some(self.patience), "--patience", "expected at least 1 epoch"),
            (decay, "--weight-decay", "expected a number that is zero or more, for example 0.1"),
        ];
        match checks.into_iter().find(|(right, ..)| !right) {
            Some((_, name, message)) => Err(Error::option(name, message)),
            None => Ok(()),
        }
    }
}
