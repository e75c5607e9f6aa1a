//! The loss of quantisation: the divergence of the table from the float model, in nats per row.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use surprisal::{Table, TableError};

use crate::model::FloatModel;
use crate::shape::Shape;
use crate::with_shape;

/// Returns KL(float ‖ table) in nats per row: the exact divergence of each conditional, averaged over `rows` prefixes
/// drawn from the float model (the chain rule of KL, with its outer expectation sampled).
///
/// # Errors
/// [`TableError`] if the bytes are not a table.
pub fn divergence(model: &FloatModel, table: &[u8], rows: usize, seed: u64) -> Result<f64, TableError> {
    let prefixes = model.sample(rows, &mut ChaCha8Rng::seed_from_u64(seed));
    let logits = model.logits(&prefixes);
    with_shape!(Shape::of(table)?, N, H, K => {
        let table = Table::<N, H, K>::from_bytes(table, surprisal::Fingerprint::ANY)?;
        let each: Vec<f64> = (0..rows).into_par_iter().map(|at| {
            let mut row = [false; N];
            prefixes.row(at, &mut row);
            let mut walk = table.model.walk();
            let mut sum = 0.0;
            while let Some((i, conditional)) = walk.next(&row) {
                if let Some(mass) = conditional.mass() {
                    let p = 1.0 / (1.0 + (-logits[i][at]).exp());
                    sum += bernoulli_kl(p, f64::from(mass.of(true)) / 65536.0);
                }
                walk.observe(row[i]);
            }
            sum
        }).collect();
        Ok(each.iter().sum::<f64>() / rows as f64)
    })
}

/// Returns KL(Bernoulli(p) ‖ Bernoulli(q)) in nats, where p and q are the probabilities of a one.
pub(crate) fn bernoulli_kl(p: f64, q: f64) -> f64 {
    let term = |p: f64, q: f64| if p > 0.0 { p * (p / q).ln() } else { 0.0 };
    (term(p, q) + term(1.0 - p, 1.0 - q)).max(0.0)
}
