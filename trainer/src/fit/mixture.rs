//! Fits a mixture of trees by expectation–maximisation with restarts and early stopping.

use crate::bits::Bits;
use crate::model::FloatMixture;

pub mod bit;
pub mod em;

use em::{Em, EmRows};

pub use em::MixtureSettings;

/// Smallest gain of the validation log-likelihood that counts as progress, in nats per row.
const MIN_GAIN: f64 = 1e-5;
/// Number of iterations without progress after which the run from one random start ends.
const PATIENCE: usize = 10;

/// Fits a mixture from several random starts and returns the iterate with the highest validation log-likelihood.
///
/// The run from each start ends when the validation log-likelihood stops rising or after `settings.iterations`
/// iterations.
pub fn fit(train: &Bits, valid: &Bits, constraints: &[u16], settings: &MixtureSettings) -> FloatMixture {
    let valid = EmRows::new(valid, constraints);
    let mut em = Em::new(train, constraints, settings);
    let mut best = (f64::NEG_INFINITY, FloatMixture::default());
    for start in 0..settings.starts.max(1) {
        em.start(settings.seed.wrapping_add(start as u64));
        let (mut highest, mut waited) = (f64::NEG_INFINITY, 0);
        for _ in 0..settings.iterations {
            em.step();
            let reached = em.log_likelihood(&valid);
            waited = if reached > highest + MIN_GAIN { 0 } else { waited + 1 };
            highest = highest.max(reached);
            if reached > best.0 {
                best = (reached, em.mixture.clone());
            }
            if waited == PATIENCE {
                break;
            }
        }
    }
    best.1
}
