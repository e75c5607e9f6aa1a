//! Logistic rows to the bytes of [`surprisal::Linear`].

use crate::model::FloatConditional;

/// The owned slices of [`surprisal::Columns`].
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub enum Weights {
    Dense(Vec<i8>),
    Sparse { starts: Vec<u16>, entries: Vec<[u8; 2]> },
}

impl Weights {
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Dense(weights) => weights.len(),
            Self::Sparse { starts, entries } => 2 * starts.len() + 2 * entries.len(),
        }
    }
}

/// The scales and weights of all rows, dense or sparse, whichever is smaller. `None` if neither can address them.
pub(super) fn quantise(conditionals: &[FloatConditional]) -> Option<(Vec<u16>, Weights)> {
    let (dense_scales, columns) = quantise_rows(conditionals, f64::INFINITY);
    let dense = dense(&columns).map(|weights| (dense_scales, weights));
    let (sparse_scales, columns) = quantise_rows(conditionals, LARGEST_STEP);
    let sparse = sparse(&columns).map(|weights| (sparse_scales, weights));
    dense.into_iter().chain(sparse).min_by_key(|(_, weights)| weights.bytes())
}

/// Where sparse, a weight may take several bytes, so that one large weight need not coarsen its row: the step of a
/// row never exceeds 1/80 nat.
const LARGEST_STEP: f64 = 0.0125;

/// The scale of each row, and by column the rows with their weights in units of it.
fn quantise_rows(conditionals: &[FloatConditional], largest_step: f64) -> (Vec<u16>, Vec<Vec<(usize, i32)>>) {
    let mut columns = vec![Vec::new(); conditionals.len()];
    let mut scales = Vec::new();
    for (i, conditional) in conditionals.iter().enumerate() {
        let (scale, weights) = quantise_row(conditional, largest_step);
        scales.push(scale);
        weights.into_iter().for_each(|(j, weight)| columns[j as usize].push((i, weight)));
    }
    (scales, columns)
}

/// A scale in units of 1/65536 nat and the weights in units of it, chosen so that no sum of weights leaves 16 bits.
/// The scale makes the largest weight 127 units, or the step `largest_step` nats if that is finer.
fn quantise_row(conditional: &FloatConditional, largest_step: f64) -> (u16, Vec<(u32, i32)>) {
    let largest = conditional.weights.iter().map(|(_, weight)| weight.abs()).fold(0.0, f64::max);
    let one_sided = |sign: f64| conditional.weights.iter().map(|(_, weight)| (weight * sign).max(0.0)).sum::<f64>();
    let widest = one_sided(1.0).max(one_sided(-1.0));
    // Half a unit of rounding for each weight is left free below 2^15.
    let room = 32767.0 - 0.5 * conditional.weights.len() as f64;
    let scale = (largest / 127.0).min(largest_step).max(widest / room) * 65536.0;
    let scale = scale.ceil().clamp(1.0, 65535.0);
    let quantised = |&(j, weight): &(u32, f64)| (j, (weight * 65536.0 / scale).round() as i32);
    (scale as u16, conditional.weights.iter().map(quantised).filter(|(_, weight)| *weight != 0).collect())
}

/// Every weight below the diagonal, column after column, if each fits a byte.
fn dense(columns: &[Vec<(usize, i32)>]) -> Option<Weights> {
    let n = columns.len();
    let mut weights = Vec::with_capacity(n * n.saturating_sub(1) / 2);
    for (j, column) in columns.iter().enumerate() {
        let first = weights.len();
        weights.resize(first + n - 1 - j, 0);
        for &(row, weight) in column {
            weights[first + row - j - 1] = i8::try_from(weight).ok()?;
        }
    }
    Some(Weights::Dense(weights))
}

/// The weights that are not zero, if 16 bits can count them.
fn sparse(columns: &[Vec<(usize, i32)>]) -> Option<Weights> {
    let (mut starts, mut entries) = (vec![0], Vec::new());
    for (j, column) in columns.iter().enumerate() {
        let mut at = j;
        for &(row, weight) in column {
            while row - at > 255 {
                entries.push([255, 0]);
                at += 255;
            }
            let mut rest = weight;
            while rest != 0 {
                let part = rest.clamp(-128, 127);
                entries.push([(row - at) as u8, part as i8 as u8]);
                at = row;
                rest -= part;
            }
        }
        starts.push(u16::try_from(entries.len()).ok()?);
    }
    Some(Weights::Sparse { starts, entries })
}
