//! Logistic regression on 0/1 features with an elastic-net penalty: Newton steps, each solved by coordinate descent
//! on an active set (Friedman, Hastie & Tibshirani, *Regularization Paths for Generalized Linear Models via
//! Coordinate Descent*, 2010; Yuan, Ho & Lin, *An Improved GLMNET*, 2012).

/// What is to be explained by what.
#[derive(Clone, Debug)]
pub struct Problem {
    /// The outcome of each row.
    pub outcomes: Vec<bool>,
    /// For each feature, the rows in which it is one, ascending.
    pub features: Vec<Vec<u32>>,
}

/// `l1 · Σ|w| + l2/2 · Σw²`, in nats of the whole training set; the bias goes free.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Penalty {
    /// Drives weights to exactly zero.
    pub l1: f64,
    /// Keeps what remains finite.
    pub l2: f64,
}

/// A fit under way: solving again under a weaker penalty starts from where the last one ended.
#[derive(Debug)]
pub struct Solver<'p> {
    problem: &'p Problem,
    rows: Vec<Row>,
    curvature: Vec<f64>,
    active: Vec<u32>,
    /// [`REST`] for all rows together.
    rest: f64,
    /// One a feature.
    pub weights: Vec<f64>,
    /// The log-odds of a row without features.
    pub bias: f64,
}

/// Side by side in memory, as a feature's rows are visited at random.
#[derive(Clone, Copy, Debug, Default)]
struct Row {
    /// The log-odds.
    logit: f64,
    /// What is left of outcome minus probability in the present quadratic model.
    residual: f64,
    /// p (1 - p).
    weight: f64,
}

/// A coordinate is at rest when a Newton step on it would gain less than this many nats a training row.
const REST: f64 = 1e-6;
const NEWTON_STEPS: usize = 60;
const SWEEPS: usize = 12;

impl<'p> Solver<'p> {
    /// Starts with all weights zero.
    pub fn new(problem: &'p Problem) -> Self {
        let (n, ones) = (problem.outcomes.len(), problem.outcomes.iter().filter(|&&one| one).count());
        let bias = ((ones as f64 + 0.5) / ((n - ones) as f64 + 0.5)).ln();
        Self {
            problem,
            rows: vec![Row { logit: bias, ..Row::default() }; n],
            curvature: vec![0.0; problem.features.len()],
            active: Vec::new(),
            rest: REST * n as f64,
            weights: vec![0.0; problem.features.len()],
            bias,
        }
    }

    /// Maximises log-likelihood minus penalty.
    pub fn solve(&mut self, penalty: Penalty) {
        let mut objective = self.linearise(penalty);
        self.screen(penalty);
        let mut resting = false;
        for _ in 0..NEWTON_STEPS {
            let before = (self.weights.clone(), self.bias);
            let moved = self.descend(penalty);
            let mut after = self.linearise(penalty);
            // The quadratic model may overshoot far from the optimum; the way to its minimum is downhill all the same.
            let mut halvings = 0;
            while after > objective + 1e-9 * objective.abs() && halvings < 12 {
                self.halve_towards(&before.0, before.1);
                after = self.linearise(penalty);
                halvings += 1;
            }
            let gained = objective - after;
            objective = after;
            if moved < self.rest || gained.abs() < self.rest {
                // Converged on the active set: done, unless another feature wants to join.
                if !self.screen(penalty) && resting {
                    break;
                }
                resting = true;
            } else {
                resting = false;
            }
        }
    }

    /// Expands the log-likelihood around the present logits; returns the penalised negative log-likelihood there.
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

    /// Adds the features whose gradient overcomes the penalty to the active set; returns whether there were any.
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
            let slack = gradient.abs() - penalty.l1;
            if slack > 0.0 && slack * slack > self.rest * (curvature + penalty.l2) {
                self.active.push(j);
                self.curvature[j as usize] = curvature;
            }
        }
        self.active.len() > before
    }

    /// Sweeps over bias and active weights until the quadratic model is at rest; returns the largest first gain.
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
                let pull = gradient + curvature * weight;
                let new = (pull.abs() - penalty.l1).max(0.0).copysign(pull) / (curvature + penalty.l2);
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
            if largest < 0.5 * self.rest || largest < 0.01 * first {
                break;
            }
        }
        first
    }

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

    fn features(&self, j: u32) -> &'p [u32] {
        &self.problem.features[j as usize]
    }
}
