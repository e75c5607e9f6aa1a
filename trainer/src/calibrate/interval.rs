//! The uncertainty of the rate of false alarms of a threshold.

/// Rank above which the interval is that of a normal distribution.
const MANY: usize = 10_000;

/// Returns the interval that holds, with a probability of 90 %, the share of fresh normal rows above a threshold that is
/// the `k`-th largest score of `rows` calibration rows, if all rows are independent and alike.
///
/// The share has the distribution Beta(k, rows + 1 - k) (Vovk, *Conditional Validity of Inductive Conformal Predictors*,
/// 2012). Returns (0, 1) for k = 0 or k > rows, which is no threshold.
///
/// ```
/// use surprisal_trainer::calibrate::rate_interval;
/// let (low, high) = rate_interval(1, 99);
/// assert!((low - 0.000518).abs() < 1e-6 && (high - 0.0298).abs() < 1e-4); // 1 - 0.95^(1/99), 1 - 0.05^(1/99)
/// ```
pub fn rate_interval(k: usize, rows: usize) -> (f64, f64) {
    if k == 0 || k > rows {
        return (0.0, 1.0);
    }
    if k > MANY {
        // The distribution is close to a normal one.
        let mean = k as f64 / (rows as f64 + 1.0);
        let deviation = (mean * (1.0 - mean) / (rows as f64 + 2.0)).sqrt();
        return (mean - 1.645 * deviation, mean + 1.645 * deviation);
    }
    (quantile(k, rows, 0.05), quantile(k, rows, 0.95))
}

/// Returns the rate at which a share of at most this rate has probability `wanted`.
fn quantile(k: usize, rows: usize, wanted: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if at_least(k, rows, middle) < wanted { low = middle } else { high = middle }
    }
    high
}

/// Returns the probability that at least `k` of `rows` rows exceed a threshold that each exceeds with probability `rate`.
fn at_least(k: usize, rows: usize, rate: f64) -> f64 {
    // Terms of the binomial distribution from the first on, each from the one before, as logarithms.
    let (mut term, mut below) = (rows as f64 * (-rate).ln_1p(), 0.0);
    for count in 0..k {
        below += term.exp();
        term += ((rows - count) as f64 / (count + 1) as f64).ln() + (rate / (1.0 - rate)).ln();
    }
    1.0 - below
}
