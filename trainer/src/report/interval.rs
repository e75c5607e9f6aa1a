//! Intervals of shares, of means and of the area under the ROC curve. All are 90 % intervals for independent rows.

use serde::Serialize;

/// Standard deviations of a normal distribution that hold 90 % of it on both sides of the mean.
pub const DEVIATIONS: f64 = 1.644_853_6;

/// A share of rows with its 90 % interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Share {
    /// Number of rows that are counted.
    pub hits: usize,
    /// Number of rows of which they are a share, above zero.
    pub of: usize,
    /// The share, in 0..=1.
    pub share: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
}

impl Share {
    /// Returns the share with the interval of Wilson (*Probable Inference*, 1927); `None` of no rows.
    pub fn of(hits: usize, of: usize) -> Option<Self> {
        if of == 0 {
            return None;
        }
        let share = hits as f64 / of as f64;
        let [low, high] = wilson(share, of as f64);
        Some(Self { hits, of, share, low, high })
    }
}

/// Returns the interval of Wilson of a share of `n` rows.
fn wilson(share: f64, n: f64) -> [f64; 2] {
    let z = DEVIATIONS;
    let middle = share + z * z / (2.0 * n);
    let half = z * (share * (1.0 - share) / n + z * z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + z * z / n;
    let (low, high) = (((middle - half) / scale).max(0.0), ((middle + half) / scale).min(1.0));
    // Rounding must not move the ends off the exact shares 0 and 1.
    [if share == 0.0 { 0.0 } else { low }, if share == 1.0 { 1.0 } else { high }]
}

/// A number with its 90 % interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Measured {
    /// The number.
    pub value: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
}

impl Measured {
    /// Returns a number with the interval of its standard error.
    pub fn with_error(value: f64, error: f64) -> Self {
        Self { value, low: value - DEVIATIONS * error, high: value + DEVIATIONS * error }
    }

    /// Returns the mean of some numbers; `None` of fewer than two.
    pub fn mean(each: &[f64]) -> Option<Self> {
        let n = each.len() as f64;
        if each.len() < 2 {
            return None;
        }
        let mean = each.iter().sum::<f64>() / n;
        let variance = each.iter().map(|one| (one - mean).powi(2)).sum::<f64>() / (n - 1.0);
        Some(Self::with_error(mean, (variance / n).sqrt()))
    }

    /// Returns the area under a ROC curve with its interval (Hanley & McNeil, *The Meaning and Use of the Area under a ROC
    /// Curve*, 1982). Where that interval reaches 0 or 1, it is Wilson's for as many rows as there are of the rarer kind.
    pub fn auc(value: f64, anomalous: usize, normal: usize) -> Self {
        let (m, n) = (anomalous as f64, normal as f64);
        let (q1, q2) = (value / (2.0 - value), 2.0 * value * value / (1.0 + value));
        let variance = value * (1.0 - value) + (m - 1.0) * (q1 - value * value) + (n - 1.0) * (q2 - value * value);
        let measured = Self::with_error(value, (variance.max(0.0) / (m * n)).sqrt());
        if measured.low > 0.0 && measured.high < 1.0 {
            return measured;
        }
        // The standard error vanishes at the ends; value (1 - value) / min(m, n) is the largest variance of any two samples.
        let [low, high] = wilson(value, m.min(n));
        Self { value, low, high }
    }
}

/// Returns at most `most` of these, evenly spread and in order.
pub fn spread<T: Copy>(all: &[T], most: usize) -> Vec<T> {
    if all.len() <= most {
        return all.to_vec();
    }
    (0..most).map(|at| all[at * all.len() / most]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wilson_interval_of_known_cases() {
        let share = Share::of(5, 50).unwrap();
        // By hand: (0.1 + 0.02706) ± 1.645 √(0.0018 + 0.00027060), over 1.0541.
        assert!((share.low - 0.0497).abs() < 5e-4 && (share.high - 0.1914).abs() < 5e-4, "{share:?}");
        assert_eq!((Share::of(0, 9).unwrap().low, Share::of(9, 9).unwrap().high), (0.0, 1.0));
        assert_eq!(Share::of(0, 0), None);
    }

    #[test]
    fn interval_of_an_area() {
        let auc = Measured::auc(0.8, 50, 50);
        // By hand: √((0.16 + 49 · 0.02667 + 49 · 0.07111) / 2500) = 0.0445.
        assert!((auc.high - auc.low - 2.0 * DEVIATIONS * 0.0445).abs() < 1e-4, "{auc:?}");
    }

    #[test]
    fn interval_of_an_area_at_the_ends_depends_on_the_rarer_rows() {
        // By hand: n / (n + 1.645²), for 50 rows and for one.
        for (anomalous, normal, low) in [(50, 50, 0.9487), (50, 4000, 0.9487), (1, 4000, 0.2699), (4000, 1, 0.2699)] {
            let best = Measured::auc(1.0, anomalous, normal);
            assert!((best.low - low).abs() < 1e-4 && best.high == 1.0, "{best:?}");
            let worst = Measured::auc(0.0, anomalous, normal);
            assert!((worst.high - (1.0 - low)).abs() < 1e-4 && worst.low == 0.0, "{worst:?}");
        }
        let near = Measured::auc(0.9999, 1, 4000);
        assert!(near.low < 0.3 && near.high > 0.9999, "{near:?}");
    }

    #[test]
    fn spread_takes_rows_from_everywhere() {
        assert_eq!(spread(&[0, 1, 2, 3, 4, 5], 3), [0, 2, 4]);
        assert_eq!(spread(&[0, 1], 3), [0, 1]);
    }
}
