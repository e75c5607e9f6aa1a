//! Fits the parameters of one bit of a mixture of trees by maximum likelihood, given a parent and expected counts.

/// Expected numbers of rows by component and by the values of a bit and its parent: `[component][value of the
/// parent][value of the bit]`.
pub type ComponentCounts = [[[f64; 2]; 2]];

/// Parameters of one bit i of a mixture: in component k, logit p_k(x_i = 1 | x_parent) = biases\[k\] + weight ·
/// x_parent.
#[derive(Clone, Debug, Default)]
pub struct BitParameters {
    /// Bias in each component, in nats: `[component]`.
    pub biases: Vec<f64>,
    /// Weight of the parent, in nats. All components share it.
    pub weight: f64,
}

/// Gain of a step, relative to the log-likelihood, below which Newton's method has converged.
const TOLERANCE: f64 = 1e-10;
/// Largest number of Newton steps per fit.
const STEPS: usize = 40;
/// Largest change of a parameter per Newton step, in nats.
const LONGEST: f64 = 2.0;

impl BitParameters {
    /// Returns the expected log-likelihood Σ counts · ln p, in nats.
    pub fn log_likelihood(&self, counts: &ComponentCounts) -> f64 {
        let component = |(counts, bias): (&[[f64; 2]; 2], &f64)| {
            let given = |[zeros, ones]: [f64; 2], logit: f64| {
                ones * logit.min(0.0) - zeros * logit.max(0.0) - (zeros + ones) * (-logit.abs()).exp().ln_1p()
            };
            given(counts[0], *bias) + given(counts[1], bias + self.weight)
        };
        counts.iter().zip(&self.biases).map(component).sum()
    }

    /// Maximises the log-likelihood by Newton's method. Every component needs zeros and ones.
    ///
    /// The Hessian couples each bias with the weight only, so that the biases can be eliminated one by one.
    pub fn fit(counts: &ComponentCounts) -> Self {
        let start = |[[a, b], [c, d]]: &[[f64; 2]; 2]| ((b + d) / (a + c)).ln();
        let mut best = Self { biases: counts.iter().map(start).collect(), weight: 0.0 };
        let mut reached = best.log_likelihood(counts);
        for _ in 0..STEPS {
            let (mut slope, mut curvature) = (0.0, 1e-9);
            let mut steps = Vec::with_capacity(best.biases.len());
            for (counts, bias) in counts.iter().zip(&best.biases) {
                let [(g, h), (gradient, bend)] = [(counts[0], *bias), (counts[1], bias + best.weight)].map(newton);
                let (all, share) = (g + gradient, bend / (h + bend));
                slope += gradient - share * all;
                curvature += bend - share * bend;
                steps.push((all / (h + bend), share));
            }
            let weight = slope / curvature;
            let steps: Vec<f64> = steps.into_iter().map(|(step, share)| step - share * weight).collect();
            let longest = steps.iter().copied().fold(weight.abs(), |longest, step| longest.max(step.abs()));
            let before = reached;
            // The step points in a direction of ascent, but may overshoot into a region where the likelihood is flat.
            let whole = (LONGEST / longest).min(1.0);
            for part in (0..20).map(|halvings| whole * 0.5f64.powi(halvings)) {
                let biases = best.biases.iter().zip(&steps).map(|(bias, step)| bias + part * step).collect();
                let moved = Self { biases, weight: best.weight + part * weight };
                let found = moved.log_likelihood(counts);
                if found >= reached {
                    (best, reached) = (moved, found);
                    break;
                }
            }
            if reached - before <= TOLERANCE * reached.abs() {
                break;
            }
        }
        best
    }
}

/// Returns the (first derivative, negative second derivative) of the log-likelihood of (zeros, ones) by its logit.
fn newton(([zeros, ones], logit): ([f64; 2], f64)) -> (f64, f64) {
    let odds = (-logit.abs()).exp();
    let (rare, likely) = (odds / (1.0 + odds), 1.0 / (1.0 + odds));
    let p = if logit > 0.0 { likely } else { rare };
    (ones - (zeros + ones) * p, (zeros + ones) * rare * likely)
}
