//! Rows that the model draws beside normal rows of the file: shares of each column's outcomes, and pairwise dependence.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use surprisal::{Reading, View};

use super::interval::spread;
use super::likelihood::name_of;
use super::walk::{Walked, walk};
use crate::applied::Applied;
use crate::error::Result;
use crate::sample::readings as draw;

/// Largest number of rows of each kind.
const ROWS: usize = 2000;
/// Largest number of columns that are compared.
const COLUMNS: usize = 12;

/// Rows of the file and drawn rows side by side.
#[derive(Clone, Debug, Serialize)]
pub struct Sampled {
    /// Number of rows of each kind.
    pub rows: usize,
    /// The compared columns.
    pub columns: Vec<Marginal>,
    /// Number of columns that are not compared.
    pub left_out: usize,
    /// `[column][column]`: mutual information of the outcomes in rows of the file, in nats.
    pub real: Vec<Vec<f64>>,
    /// The same in drawn rows.
    pub drawn: Vec<Vec<f64>>,
}

/// Shares of the outcomes of a column.
#[derive(Clone, Debug, Serialize)]
pub struct Marginal {
    /// Name of the column.
    pub column: String,
    /// Total variation between both: the largest difference of the probability of any set of outcomes, in 0..=1.
    pub total_variation: f64,
    /// `[outcome]`: share of the rows of the file.
    pub real: Vec<f64>,
    /// `[outcome]`: share of the drawn rows.
    pub drawn: Vec<f64>,
}

/// Compares rows of the file with rows that the model draws. `order` lists positions of readings, the most important first.
///
/// # Errors
/// [`Error::Option`](crate::Error::Option) if the model takes columns as given, so that no row can be drawn.
pub fn sampled(applied: &Applied, normal: &[Vec<Reading>], order: &[u16], seed: u64) -> Result<Sampled> {
    let rows = normal.len().min(ROWS);
    let chosen: Vec<usize> = spread(&(0..normal.len()).collect::<Vec<_>>(), rows);
    let real: Vec<Vec<Reading>> = chosen.into_iter().map(|at| normal[at].clone()).collect();
    let drawn = draw(&applied.artefact, rows, &mut ChaCha8Rng::seed_from_u64(seed))?;
    let mut ignore = |_: f64, _: bool| {};
    let mut first =
        |rows: &[Vec<Reading>]| -> Result<Walked> { Ok(walk(&applied.artefact, rows, &mut ignore)?.remove(0)) };
    let [real, drawn] = [first(&real)?, first(&drawn)?];
    let rank = |source: u16| order.iter().position(|&other| other == source).unwrap_or(usize::MAX);
    let mut columns: Vec<usize> = (0..real.parts.len()).filter(|&at| real.parts[at].source != View::REGIME).collect();
    columns.sort_by_key(|&at| rank(real.parts[at].source));
    let left_out = columns.len().saturating_sub(COLUMNS);
    columns.truncate(COLUMNS);
    let marginal = |&at: &usize| {
        let [of_real, of_drawn] = [&real, &drawn].map(|walked| shares(walked, at));
        Marginal {
            column: name_of(applied, real.parts[at].source),
            total_variation: of_real.iter().zip(&of_drawn).map(|(a, b)| (a - b).abs()).sum::<f64>() / 2.0,
            real: of_real,
            drawn: of_drawn,
        }
    };
    let matrix = |walked: &Walked| -> Vec<Vec<f64>> {
        columns.iter().map(|&a| columns.iter().map(|&b| information(walked, a, b)).collect()).collect()
    };
    Ok(Sampled {
        rows,
        left_out,
        real: matrix(&real),
        drawn: matrix(&drawn),
        columns: columns.iter().map(marginal).collect(),
    })
}

fn shares(walked: &Walked, at: usize) -> Vec<f64> {
    let mut shares = vec![0.0; walked.parts[at].outcomes];
    let one = 1.0 / walked.outcomes.len().max(1) as f64;
    walked.outcomes.iter().for_each(|row| shares[usize::from(row[at].0)] += one);
    shares
}

/// Returns the mutual information of two columns in nats. Both kinds of rows are equally many, so that the bias of few rows
/// is alike in both.
fn information(walked: &Walked, a: usize, b: usize) -> f64 {
    let (of_a, of_b) = (shares(walked, a), shares(walked, b));
    let mut joint = vec![0.0; of_a.len() * of_b.len()];
    let one = 1.0 / walked.outcomes.len().max(1) as f64;
    for row in &walked.outcomes {
        joint[usize::from(row[a].0) * of_b.len() + usize::from(row[b].0)] += one;
    }
    let term = |(at, &share): (usize, &f64)| {
        let alone = of_a[at / of_b.len()] * of_b[at % of_b.len()];
        if share > 0.0 { share * (share / alone).ln() } else { 0.0 }
    };
    joint.iter().enumerate().map(term).sum::<f64>().max(0.0)
}
