//! The best parent of a bit and its logits, given counts.

/// How many zeros and ones of a bit there are, parts of rows included, in each component, first where the parent is a zero
/// and then where it is a one.
pub type Counts = [[[f64; 2]; 2]];

/// logit p_k(x_i = 1 | x_parent) = biases\[k\] + weight · x_parent.
#[derive(Clone, Debug, Default)]
pub struct Row {
    /// One a component.
    pub biases: Vec<f64>,
    /// What the parent adds to all of them if it is a one.
    pub weight: f64,
}

/// A step that gains less than this share of the log-likelihood is the last one.
const REST: f64 = 1e-10;
const STEPS: usize = 40;
/// How far a step may change a logit.
const LONGEST: f64 = 2.0;

impl Row {
    /// Σ counts · ln p.
    pub fn log_likelihood(&self, counts: &Counts) -> f64 {
        let of = |(counts, bias): (&[[f64; 2]; 2], &f64)| {
            let given = |[zeros, ones]: [f64; 2], logit: f64| {
                ones * logit.min(0.0) - zeros * logit.max(0.0) - (zeros + ones) * (-logit.abs()).exp().ln_1p()
            };
            given(counts[0], *bias) + given(counts[1], bias + self.weight)
        };
        counts.iter().zip(&self.biases).map(of).sum()
    }

    /// The maximum of it, by Newton's method. Every component needs zeros and ones. Biases meet one another in the weight
    /// only, so that each is eliminated on its own.
    pub fn best(counts: &Counts) -> Self {
        let start = |[[a, b], [c, d]]: &[[f64; 2]; 2]| ((b + d) / (a + c)).ln();
        let mut row = Self { biases: counts.iter().map(start).collect(), weight: 0.0 };
        let mut reached = row.log_likelihood(counts);
        for _ in 0..STEPS {
            let (mut slope, mut curvature) = (0.0, 1e-9);
            let mut steps = Vec::with_capacity(row.biases.len());
            for (counts, bias) in counts.iter().zip(&row.biases) {
                let [(g, h), (pull, bend)] = [(counts[0], *bias), (counts[1], bias + row.weight)].map(newton);
                let (all, share) = (g + pull, bend / (h + bend));
                slope += pull - share * all;
                curvature += bend - share * bend;
                steps.push((all / (h + bend), share));
            }
            let weight = slope / curvature;
            let steps: Vec<f64> = steps.into_iter().map(|(step, share)| step - share * weight).collect();
            let longest = steps.iter().copied().fold(weight.abs(), |longest, step| longest.max(step.abs()));
            let before = reached;
            // The way is uphill, but may overshoot, and far out it is too flat to see the way back.
            let whole = (LONGEST / longest).min(1.0);
            for part in (0..20).map(|halvings| whole * 0.5f64.powi(halvings)) {
                let biases = row.biases.iter().zip(&steps).map(|(bias, step)| bias + part * step).collect();
                let moved = Self { biases, weight: row.weight + part * weight };
                let found = moved.log_likelihood(counts);
                if found >= reached {
                    (row, reached) = (moved, found);
                    break;
                }
            }
            if reached - before <= REST * reached.abs() {
                break;
            }
        }
        row
    }
}

/// Gradient and curvature of a log-likelihood by its logit.
fn newton(([zeros, ones], logit): ([f64; 2], f64)) -> (f64, f64) {
    let odds = (-logit.abs()).exp();
    let (rare, likely) = (odds / (1.0 + odds), 1.0 / (1.0 + odds));
    let p = if logit > 0.0 { likely } else { rare };
    (ones - (zeros + ones) * p, (zeros + ones) * rare * likely)
}
