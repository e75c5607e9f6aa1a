//! Checks the stochastic optimizer on likelihoods whose optimum, or whose every step, is known.

#[path = "../../tests/support/budget.rs"]
mod budget;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use surprisal_trainer::fit::logistic::{Penalty, Problem, Solver};
use surprisal_trainer::fit::optimizer::{Method, Objective, Optimizer, Schedule, optimize};

#[test]
fn rates_rise_at_first_and_then_fall_to_where_the_schedule_ends() {
    for (schedule, last) in
        [(Schedule::Constant, 1.0), (Schedule::Inverse, 1.0 / 11.0), (Schedule::Step, 0.01), (Schedule::Cosine, 0.0)]
    {
        let settings = Optimizer { schedule, warm_up: 0.2, ..Optimizer::default() };
        let steps: Vec<f32> = (0..=1000).map(|step| settings.factor(step as f32 / 1000.0)).collect();
        assert!((steps[1000] - last).abs() < 1e-6, "{schedule:?} ends at {}", steps[1000]);
        assert!(steps[200..].is_sorted_by(|a, b| a >= b), "{schedule:?}");
        assert!(steps[0] > 0.0 && steps[0] < 0.01 && steps[100] < 0.6, "{schedule:?} begins at {}", steps[0]);
        assert!(steps.iter().all(|factor| (0.0..=1.0).contains(factor)));
        let at_once = Optimizer { warm_up: 0.0, ..settings };
        assert_eq!(at_once.factor(0.0), 1.0);
        assert_eq!(at_once.factor(0.5), steps[500], "a warm-up does not change the later rates");
    }
    let rising: Vec<f32> = (0..200)
        .map(|step| {
            Optimizer { schedule: Schedule::Constant, warm_up: 0.2, ..Optimizer::default() }
                .factor(step as f32 / 1000.0)
        })
        .collect();
    assert!(rising.is_sorted_by(|a, b| a < b));
}

/// Logistic regression on one relevant flag and one irrelevant flag. Rows are (relevant, irrelevant, outcome).
struct Logistic {
    rows: Vec<[f64; 3]>,
    l1: f64,
}

impl Logistic {
    /// Returns 400 rows with fixed counts.
    fn new(l1: f64) -> Self {
        let mut rows = Vec::new();
        for (x, y, count) in [(0.0, 0.0, 90), (0.0, 1.0, 30), (1.0, 0.0, 20), (1.0, 1.0, 60)] {
            rows.extend((0..2 * count).map(|at| [x, f64::from(at % 2), y]));
        }
        Self { rows, l1 }
    }

    /// Returns ∂/∂logit and ln p.
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
fn every_method_ends_at_the_optimum_of_a_concave_likelihood() {
    let logistic = Logistic::new(0.0);
    let optimum = [3f32.ln() * 2.0, 0.0, -3f32.ln()];
    for (method, rate) in [(Method::Sgd, 1.0), (Method::Momentum, 0.1), (Method::Adam, 0.05)] {
        for (batch, average) in [(400, 0.0), (32, 0.0), (32, 0.99)] {
            let settings = Optimizer {
                method,
                rate: Some(rate),
                batch,
                average,
                epochs: 200,
                patience: 200,
                ..Optimizer::default()
            };
            let best = optimize(&logistic, vec![0.0; 3], &settings, |_, _| true);
            let left = logistic.validate(&optimum) - best.valid_ll;
            assert!(
                left < budget::SUMMIT,
                "{method:?}, {batch} rows per step, mean {average}: {left} nats below the optimum"
            );
        }
    }
}

/// Settings whose every step uses all 400 rows.
fn full_batch(method: Method, rate: f32, l1: f32) -> Optimizer {
    let (rate, epochs) = (Some(rate), 400);
    Optimizer { method, rate, batch: 400, average: 0.0, l1, epochs, patience: epochs, ..Optimizer::default() }
}

#[test]
fn an_l1_penalty_makes_weights_exactly_zero() {
    // The gradient of the irrelevant flag is within the penalty; that of the relevant flag equals it at the optimum.
    let logistic = Logistic::new(8.0);
    for (method, rate) in [(Method::Sgd, 1.0), (Method::Momentum, 0.1), (Method::Adam, 0.03)] {
        let settings = full_batch(method, rate, 8.0);
        let theta = optimize(&logistic, vec![0.3, 0.5, 0.0], &settings, |_, _| true).theta;
        let mut gradient = vec![0.0; 3];
        logistic.gradient(&theta, &(0..400).collect::<Vec<_>>(), &mut ChaCha8Rng::seed_from_u64(0), &mut gradient);
        assert_eq!(theta[1], 0.0, "{method:?}: {theta:?}");
        let [excess, bias_gradient] = [gradient[0] - 8.0, gradient[2]].map(|g| f64::from(g).abs() / 400.0);
        assert!(theta[0] > 0.0 && excess.max(bias_gradient) < budget::SUMMIT, "{method:?}: {theta:?}, {gradient:?}");
    }
}

/// An objective with a constant gradient for one weight and one bias. Validation prefers the largest weight or the
/// smallest.
struct ConstantGradient {
    slope: f32,
    preference: f64,
}

impl Objective for ConstantGradient {
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
        gradient.iter_mut().for_each(|sum| *sum += self.slope * rows.len() as f32);
        0.0
    }

    fn validate(&self, theta: &[f32]) -> f64 {
        self.preference * f64::from(theta[0])
    }
}

/// Fifty steps of one row each at a constant rate of 0.1.
const FIFTY: Optimizer = Optimizer {
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
        let settings = Optimizer { method, decay: 0.3, ..FIFTY };
        let theta =
            optimize(&ConstantGradient { slope: 0.0, preference: -1.0 }, vec![2.0, 2.0], &settings, |_, _| true).theta;
        assert!((f64::from(theta[0]) - 2.0 * 0.97f64.powi(50)).abs() < budget::F32_STEPS, "{method:?}: {theta:?}");
        assert_eq!(theta[1], 2.0, "{method:?}");
    }
    // A quadratic penalty in nats of the training set adds a fiftieth of its gradient per row.
    let theta = optimize(
        &ConstantGradient { slope: 0.0, preference: -1.0 },
        vec![2.0, 2.0],
        &Optimizer { l2: 15.0, ..FIFTY },
        |_, _| true,
    )
    .theta;
    assert!((f64::from(theta[0]) - 2.0 * 0.97f64.powi(50)).abs() < budget::F32_STEPS && theta[1] == 2.0, "{theta:?}");
}

#[test]
fn the_running_mean_lags_behind_the_parameters() {
    let last = |average: f32, preference: f64| {
        let settings = Optimizer { average, ..FIFTY };
        f64::from(
            optimize(&ConstantGradient { slope: 1.0, preference }, vec![0.0, 0.0], &settings, |_, _| true).theta[0],
        )
    };
    let lagging = |average: f64| {
        (1..=50).fold(0.0, |mean, step| {
            let kept = average.min((1.0 + f64::from(step)) / (10.0 + f64::from(step)));
            kept * mean + (1.0 - kept) * 0.1 * f64::from(step)
        })
    };
    for average in [0.0, 0.5, 0.998] {
        assert!((last(average, 1.0) - 5.0).abs() < budget::F32_STEPS, "validation prefers the parameters themselves");
    }
    assert_eq!(last(0.0, -1.0), last(0.0, 1.0), "there is no mean to prefer");
    for average in [0.5, 0.998] {
        assert!((last(average as f32, -1.0) - lagging(average)).abs() < budget::F32_STEPS, "{average}");
    }
}

/// The stochastic optimizer and the exact solver are two algorithms for the same convex problem.
#[test]
fn the_stochastic_optimizer_and_the_exact_solver_agree_on_the_optimum() {
    for l1 in [0.0, 8.0] {
        let logistic = Logistic::new(l1);
        let ones = |k: usize| (0..400u32).filter(|&row| logistic.rows[row as usize][k] == 1.0).collect();
        let outcomes = logistic.rows.iter().map(|row| row[2] == 1.0).collect();
        let problem = Problem { outcomes, features: vec![ones(0), ones(1)] };
        let mut solver = Solver::new(&problem);
        solver.solve(Penalty { l1, l2: 0.0 });
        let exact = [solver.weights[0], solver.weights[1], solver.bias].map(|parameter| parameter as f32);
        for (method, rate) in [(Method::Sgd, 1.0), (Method::Momentum, 0.1), (Method::Adam, 0.03)] {
            let settings = full_batch(method, rate, l1 as f32);
            let best = optimize(&logistic, vec![0.0; 3], &settings, |_, _| true);
            let apart = logistic.validate(&exact) - best.valid_ll;
            assert!(apart.abs() < budget::SUMMIT, "{method:?}, l1 {l1}: {apart} nats apart, {exact:?}");
        }
    }
}
