//! Stochastic gradient ascent on likelihoods of which the top, or every step, is known.

#[path = "../../tests/support/budget.rs"]
mod budget;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use surprisal_trainer::fit::ascent::{Ascent, Method, Objective, Schedule, climb};

#[test]
fn rates_rise_at_first_and_then_fall_to_where_the_schedule_ends() {
    for (schedule, last) in
        [(Schedule::Constant, 1.0), (Schedule::Inverse, 1.0 / 11.0), (Schedule::Step, 0.01), (Schedule::Cosine, 0.0)]
    {
        let settings = Ascent { schedule, warm_up: 0.2, ..Ascent::default() };
        let steps: Vec<f32> = (0..=1000).map(|step| settings.factor(step as f32 / 1000.0)).collect();
        assert!((steps[1000] - last).abs() < 1e-6, "{schedule:?} ends at {}", steps[1000]);
        assert!(steps[200..].is_sorted_by(|a, b| a >= b), "{schedule:?}");
        assert!(steps[0] > 0.0 && steps[0] < 0.01 && steps[100] < 0.6, "{schedule:?} begins at {}", steps[0]);
        assert!(steps.iter().all(|factor| (0.0..=1.0).contains(factor)));
        let at_once = Ascent { warm_up: 0.0, ..settings };
        assert_eq!(at_once.factor(0.0), 1.0);
        assert_eq!(at_once.factor(0.5), steps[500], "a warm-up has no say in what follows");
    }
    let rising: Vec<f32> = (0..200)
        .map(|step| {
            Ascent { schedule: Schedule::Constant, warm_up: 0.2, ..Ascent::default() }.factor(step as f32 / 1000.0)
        })
        .collect();
    assert!(rising.is_sorted_by(|a, b| a < b));
}

/// Rows of one flag that tells of the outcome, one that does not, and the outcome.
struct Logistic {
    rows: Vec<[f64; 3]>,
    l1: f64,
}

impl Logistic {
    /// Exactly so many rows of each kind.
    fn new(l1: f64) -> Self {
        let mut rows = Vec::new();
        for (x, y, count) in [(0.0, 0.0, 90), (0.0, 1.0, 30), (1.0, 0.0, 20), (1.0, 1.0, 60)] {
            rows.extend((0..2 * count).map(|at| [x, f64::from(at % 2), y]));
        }
        Self { rows, l1 }
    }

    /// ∂/∂logit and ln p.
    fn residual(theta: &[f32], &[x, z, y]: &[f64; 3]) -> (f64, f64) {
        let logit = f64::from(theta[0]) * x + f64::from(theta[1]) * z + f64::from(theta[2]);
        (y - 1.0 / (1.0 + (-logit).exp()), -(1.0 + if y == 1.0 { -logit } else { logit }.exp()).ln())
    }
}

impl Objective for Logistic {
    fn rows(&self) -> usize {
        self.rows.len()
    }

    fn parameters(&self) -> usize {
        3
    }

    fn weights(&self) -> usize {
        2
    }

    fn work(&self) -> usize {
        3
    }

    fn gradient(&self, theta: &[f32], rows: &[u32], _: &mut ChaCha8Rng, gradient: &mut [f32]) -> f64 {
        let each = rows.iter().map(|&row| {
            let row = &self.rows[row as usize];
            let (residual, ln_p) = Self::residual(theta, row);
            gradient.iter_mut().zip([row[0], row[1], 1.0]).for_each(|(sum, x)| *sum += (residual * x) as f32);
            ln_p
        });
        each.sum()
    }

    fn validate(&self, theta: &[f32]) -> f64 {
        let sum: f64 = self.rows.iter().map(|row| Self::residual(theta, row).1).sum();
        (sum - self.l1 * f64::from(theta[0].abs() + theta[1].abs())) / self.rows.len() as f64
    }
}

#[test]
fn every_optimizer_ends_at_the_top_of_a_concave_likelihood() {
    let logistic = Logistic::new(0.0);
    let top = [3f32.ln() * 2.0, 0.0, -3f32.ln()];
    for (method, rate) in [(Method::Sgd, 1.0), (Method::Momentum, 0.1), (Method::Adam, 0.05)] {
        for (batch, average) in [(400, 0.0), (32, 0.0), (32, 0.99)] {
            let settings =
                Ascent { method, rate: Some(rate), batch, average, epochs: 200, patience: 200, ..Ascent::default() };
            let summit = climb(&logistic, vec![0.0; 3], &settings, |_, _| true);
            let left = logistic.validate(&top) - summit.valid_ll;
            assert!(
                left < budget::SUMMIT,
                "{method:?}, {batch} rows a step, mean {average}: {left} nats below the top"
            );
        }
    }
}

#[test]
fn an_l1_penalty_makes_weights_exactly_zero() {
    // The useless flag's gradient is within the penalty; the other one's exceeds it by what the optimum says.
    let logistic = Logistic::new(8.0);
    for (method, rate) in [(Method::Sgd, 1.0), (Method::Momentum, 0.1), (Method::Adam, 0.03)] {
        let settings = Ascent {
            method,
            rate: Some(rate),
            batch: 400,
            average: 0.0,
            l1: 8.0,
            epochs: 400,
            patience: 400,
            ..Ascent::default()
        };
        let theta = climb(&logistic, vec![0.3, 0.5, 0.0], &settings, |_, _| true).theta;
        let mut gradient = vec![0.0; 3];
        logistic.gradient(&theta, &(0..400).collect::<Vec<_>>(), &mut ChaCha8Rng::seed_from_u64(0), &mut gradient);
        assert_eq!(theta[1], 0.0, "{method:?}: {theta:?}");
        let [excess, of_bias] = [gradient[0] - 8.0, gradient[2]].map(|g| f64::from(g).abs() / 400.0);
        assert!(theta[0] > 0.0 && excess.max(of_bias) < budget::SUMMIT, "{method:?}: {theta:?}, {gradient:?}");
    }
}

/// One weight and one bias under a steady pull; validation likes the one that moved most, or least.
struct Steady {
    pull: f32,
    liking: f64,
}

impl Objective for Steady {
    fn rows(&self) -> usize {
        50
    }

    fn parameters(&self) -> usize {
        2
    }

    fn weights(&self) -> usize {
        1
    }

    fn work(&self) -> usize {
        1
    }

    fn gradient(&self, _: &[f32], rows: &[u32], _: &mut ChaCha8Rng, gradient: &mut [f32]) -> f64 {
        gradient.iter_mut().for_each(|sum| *sum += self.pull * rows.len() as f32);
        0.0
    }

    fn validate(&self, theta: &[f32]) -> f64 {
        self.liking * f64::from(theta[0])
    }
}

/// Fifty steps of one row each, at a rate of 1/10 all the time.
const FIFTY: Ascent = Ascent {
    method: Method::Sgd,
    rate: Some(0.1),
    schedule: Schedule::Constant,
    warm_up: 0.0,
    batch: 1,
    epochs: 1,
    patience: 1,
    average: 0.0,
    decay: 0.0,
    l1: 0.0,
    l2: 0.0,
    seed: 0,
};

#[test]
fn weights_decay_and_biases_do_not() {
    for method in [Method::Sgd, Method::Momentum, Method::Adam] {
        let settings = Ascent { method, decay: 0.3, ..FIFTY };
        let theta = climb(&Steady { pull: 0.0, liking: -1.0 }, vec![2.0, 2.0], &settings, |_, _| true).theta;
        assert!((f64::from(theta[0]) - 2.0 * 0.97f64.powi(50)).abs() < budget::F32_STEPS, "{method:?}: {theta:?}");
        assert_eq!(theta[1], 2.0, "{method:?}");
    }
    // A quadratic penalty in nats of the training set is a gradient: a fiftieth of it a row.
    let theta =
        climb(&Steady { pull: 0.0, liking: -1.0 }, vec![2.0, 2.0], &Ascent { l2: 15.0, ..FIFTY }, |_, _| true).theta;
    assert!((f64::from(theta[0]) - 2.0 * 0.97f64.powi(50)).abs() < budget::F32_STEPS && theta[1] == 2.0, "{theta:?}");
}

#[test]
fn the_running_mean_lags_behind_the_parameters_as_it_should() {
    let last = |average: f32, liking: f64| {
        let settings = Ascent { average, ..FIFTY };
        f64::from(climb(&Steady { pull: 1.0, liking }, vec![0.0, 0.0], &settings, |_, _| true).theta[0])
    };
    let lagging = |average: f64| {
        (1..=50).fold(0.0, |mean, step| {
            let kept = average.min((1.0 + f64::from(step)) / (10.0 + f64::from(step)));
            kept * mean + (1.0 - kept) * 0.1 * f64::from(step)
        })
    };
    for average in [0.0, 0.5, 0.998] {
        assert!((last(average, 1.0) - 5.0).abs() < budget::F32_STEPS, "validation likes the parameters themselves");
    }
    assert_eq!(last(0.0, -1.0), last(0.0, 1.0), "there is no mean to like");
    for average in [0.5, 0.998] {
        assert!((last(average as f32, -1.0) - lagging(average)).abs() < budget::F32_STEPS, "{average}");
    }
}
