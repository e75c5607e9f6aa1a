//! Logistic regression on 0/1 features with an elastic-net penalty, by Newton steps that coordinate descent solves on
//! an active set (Friedman, Hastie & Tibshirani, *Regularization Paths for Generalized Linear Models via Coordinate
//! Descent*, 2010; Yuan, Ho & Lin, *An Improved GLMNET*, 2012).

/// Outcomes and features of a logistic regression.
#[derive(Clone, Debug)]
pub struct Problem {
    /// Outcome of each row: `[row]`.
    pub outcomes: Vec<bool>,
    /// Rows in which each feature is one, ascending: `[feature][..]`.
    pub features: Vec<Vec<u32>>,
}

/// Elastic-net penalty `l1 · Σ|w| + l2/2 · Σw²`, in nats of the whole training set. The bias is not penalised.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Penalty {
    /// Coefficient of Σ|w|, which makes weights exactly zero.
    pub l1: f64,
    /// Coefficient of Σw²/2, which keeps the other weights finite.
    pub l2: f64,
}

/// A solver with warm starts: each [`solve`](Self::solve) starts from the result of the previous one.
#[derive(Debug)]
pub struct Solver<'p> {
    problem: &'p Problem,
    rows: Vec<RowState>,
    /// Curvature of the log-likelihood by the weight of each feature: `[feature]`. Current for the active set only.
    curvature: Vec<f64>,
    /// Active set: indices of the features whose weights may differ from zero.
    active: Vec<u32>,
    /// Gain of a Newton step below which a coordinate has converged, in nats of the training set.
    tolerance: f64,
    /// Weight of each feature, in nats.
    pub weights: Vec<f64>,
    /// Logit of a row whose features are all zero, in nats.
    pub bias: f64,
}

/// State of one row of a logistic regression. The numbers of a row are adjacent in memory, because a feature visits
/// rows at random.
#[derive(Clone, Copy, Debug, Default)]
struct RowState {
    /// Logit of the row, in nats.
    logit: f64,
    /// Outcome minus probability under the current quadratic approximation.
    residual: f64,
    /// Curvature p (1 - p) of the row's log-likelihood, where p is the probability of a one.
    weight: f64,
}

/// Gain of a Newton step below which a coordinate has converged, in nats per training row.
const TOLERANCE: f64 = 1e-6;
/// Largest number of Newton steps per [`Solver::solve`].
const NEWTON_STEPS: usize = 60;
/// Largest number of coordinate-descent sweeps per Newton step.
const SWEEPS: usize = 12;

impl<'p> Solver<'p> {
    /// Returns a solver whose weights are all zero.
    pub fn new(problem: &'p Problem) -> Self {
        let (n, ones) = (problem.outcomes.len(), problem.outcomes.iter().filter(|&&one| one).count());
        let bias = ((ones as f64 + 0.5) / ((n - ones) as f64 + 0.5)).ln();
        Self {
            problem,
            rows: vec![RowState { logit: bias, ..RowState::default() }; n],
            curvature: vec![0.0; problem.features.len()],
            active: Vec::new(),
            tolerance: TOLERANCE * n as f64,
            weights: vec![0.0; problem.features.len()],
            bias,
        }
    }

    /// Maximises the log-likelihood minus the penalty over `weights` and `bias`.
    pub fn solve(&mut self, penalty: Penalty) {
        let mut objective = self.linearise(penalty);
        self.screen(penalty);
        let mut converged = false;
        for _ in 0..NEWTON_STEPS {
            let before = (self.weights.clone(), self.bias);
            let moved = self.descend(penalty);
            let mut after = self.linearise(penalty);
            // Far from the optimum the quadratic model may overshoot, but its minimum lies in a direction of descent.
            let mut halvings = 0;
            while after > objective + 1e-9 * objective.abs() && halvings < 12 {
                self.halve_towards(&before.0, before.1);
                after = self.linearise(penalty);
                halvings += 1;
            }
            let gained = objective - after;
            objective = after;
            if moved < self.tolerance || gained.abs() < self.tolerance {
                // The active set has converged; the fit ends when it no longer grows.
                if !self.screen(penalty) && converged {
                    break;
                }
                converged = true;
            } else {
                converged = false;
            }
        }
    }

    /// Computes the quadratic approximation at the current logits and returns the negative log-likelihood plus penalty
    /// there, in nats of the training set.
    fn linearise(&mut self, penalty: Penalty) -> f64 {
        let mut loss = 0.0;
        for (row, &one) in self.rows.iter_mut().zip(&self.problem.outcomes) {
            let odds = (-row.logit.abs()).exp();
            let rare = odds / (1.0 + odds);
            let p = if row.logit > 0.0 { 1.0 - rare } else { rare };
            let miss = if (row.logit > 0.0) == one { 0.0 } else { row.logit.abs() };
            loss += odds.ln_1p() + miss;
            row.residual = f64::from(u8::from(one)) - p;
            row.weight = (rare * (1.0 - rare)).max(1e-5);
        }
        for &j in &self.active {
            self.curvature[j as usize] = self.features(j).iter().map(|&t| self.rows[t as usize].weight).sum();
        }
        let active = self.active.iter().map(|&j| self.weights[j as usize]);
        loss + active.map(|w| penalty.l1 * w.abs() + 0.5 * penalty.l2 * w * w).sum::<f64>()
    }

    /// Adds the features whose gradient exceeds the penalty to the active set; returns whether it grew.
    fn screen(&mut self, penalty: Penalty) -> bool {
        let before = self.active.len();
        let mut is_active = vec![false; self.weights.len()];
        self.active.iter().for_each(|&j| is_active[j as usize] = true);
        for j in (0..self.weights.len() as u32).filter(|&j| !is_active[j as usize]) {
            let (mut gradient, mut curvature) = (0.0, 0.0);
            for &t in self.features(j) {
                gradient += self.rows[t as usize].residual;
                curvature += self.rows[t as usize].weight;
            }
            let excess = gradient.abs() - penalty.l1;
            if excess > 0.0 && excess * excess > self.tolerance * (curvature + penalty.l2) {
                self.active.push(j);
                self.curvature[j as usize] = curvature;
            }
        }
        self.active.len() > before
    }

    /// Minimises the quadratic model by sweeps over the bias and the active weights; returns the largest gain of the
    /// first sweep, in nats.
    fn descend(&mut self, penalty: Penalty) -> f64 {
        let total: f64 = self.rows.iter().map(|row| row.weight).sum();
        let mut first = 0.0;
        for sweep in 0..SWEEPS {
            let step = self.rows.iter().map(|row| row.residual).sum::<f64>() / total;
            self.bias += step;
            for row in &mut self.rows {
                row.residual -= row.weight * step;
                row.logit += step;
            }
            let mut largest = total * step * step;
            for k in 0..self.active.len() {
                let j = self.active[k];
                let problem = self.problem;
                let members = &problem.features[j as usize];
                let (weight, curvature) = (self.weights[j as usize], self.curvature[j as usize]);
                let gradient: f64 = members.iter().map(|&t| self.rows[t as usize].residual).sum();
                let target = gradient + curvature * weight;
                let new = (target.abs() - penalty.l1).max(0.0).copysign(target) / (curvature + penalty.l2);
                let step = new - weight;
                if step == 0.0 {
                    continue;
                }
                self.weights[j as usize] = new;
                for &t in members {
                    let row = &mut self.rows[t as usize];
                    row.residual -= row.weight * step;
                    row.logit += step;
                }
                largest = largest.max(curvature * step * step);
            }
            if sweep == 0 {
                first = largest;
            }
            if largest < 0.5 * self.tolerance || largest < 0.01 * first {
                break;
            }
        }
        first
    }

    /// Moves weights and bias half of the way towards the arguments and recomputes the logits.
    fn halve_towards(&mut self, weights: &[f64], bias: f64) {
        self.bias = 0.5 * (self.bias + bias);
        for (weight, &old) in self.weights.iter_mut().zip(weights) {
            *weight = 0.5 * (*weight + old);
        }
        self.rows.iter_mut().for_each(|row| row.logit = self.bias);
        for (&weight, members) in self.weights.iter().zip(&self.problem.features).filter(|(weight, _)| **weight != 0.0)
        {
            members.iter().for_each(|&t| self.rows[t as usize].logit += weight);
        }
    }

    /// Returns the rows in which feature `j` is one, in ascending order.
    fn features(&self, j: u32) -> &'p [u32] {
        &self.problem.features[j as usize]
    }
}
