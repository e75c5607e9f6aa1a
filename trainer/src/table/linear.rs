//! Quantises the linear term: converts float weights to the integers of [`surprisal::Linear`].

use surprisal::{Linear, LinearSlices, LinearWeights, TableError};

use crate::model::FloatConditional;

/// Owned storage of a [`Linear`], with the fields of [`LinearSlices`].
#[derive(Clone, Debug, Default)]
pub struct LinearTable {
    /// Bias of each bit, in units of 1/1024 nat: `[bit]`.
    pub biases: Vec<i16>,
    /// Value of one weight unit for each bit, in units of 1/65536 nat: `[bit]`.
    pub scales: Vec<u16>,
    /// Weights of each bit on the logits of later bits, in units of the later bit's element of `scales`.
    pub weights: Weights,
}

/// Owned storage of [`LinearWeights`], in which column j holds the weights of bit j on later bits.
#[derive(Clone, Debug)]
pub enum Weights {
    /// All weights below the diagonal, column after column.
    Dense(Vec<i8>),
    /// The weights that are not zero, column after column.
    Sparse {
        /// Index of the first entry of each column, `[column]`, followed by the number of entries.
        starts: Vec<u16>,
        /// Entries `[gap, weight as u8]`, as [`LinearWeights::Sparse`] documents them.
        entries: Vec<[u8; 2]>,
    },
}

impl Default for Weights {
    fn default() -> Self {
        Self::Dense(Vec::new())
    }
}

impl Weights {
    fn bytes(&self) -> usize {
        match self {
            Self::Dense(weights) => weights.len(),
            Self::Sparse { starts, entries } => 2 * starts.len() + 2 * entries.len(),
        }
    }
}

impl LinearTable {
    /// Returns the linear term of the device crate, which borrows these slices.
    ///
    /// # Errors
    /// [`TableError`] if the slices do not fit each other.
    pub fn view(&self) -> Result<Linear<'_>, TableError> {
        let weights = match &self.weights {
            Weights::Dense(weights) => LinearWeights::Dense(weights),
            Weights::Sparse { starts, entries } => LinearWeights::Sparse { starts, entries },
        };
        Linear::new(LinearSlices { biases: &self.biases, scales: &self.scales, weights })
    }
}

/// Returns (scale of each bit, weights) in the smaller of the dense and the sparse form, or `None` if the weights fit
/// neither form.
pub(super) fn quantise(conditionals: &[FloatConditional]) -> Option<(Vec<u16>, Weights)> {
    let (dense_scales, columns) = quantise_rows(conditionals, f64::INFINITY);
    let dense = dense(&columns).map(|weights| (dense_scales, weights));
    let (sparse_scales, columns) = quantise_rows(conditionals, LARGEST_STEP);
    let sparse = sparse(&columns).map(|weights| (sparse_scales, weights));
    dense.into_iter().chain(sparse).min_by_key(|(_, weights)| weights.bytes())
}

/// Largest quantisation step of a bit's sparse weights, 1/80 nat. A large sparse weight takes several entries and does
/// not coarsen the other weights.
const LARGEST_STEP: f64 = 0.0125;

/// Returns the scale of each bit in units of 1/65536 nat, and for each earlier bit the pairs (later bit, weight in
/// units of the later bit's scale).
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

/// Returns the scale of one bit in units of 1/65536 nat, and the pairs (earlier bit, weight in units of the scale).
///
/// The largest weight becomes 127 units, or the scale becomes `largest_step` nats if that is finer. No sum of weights
/// exceeds 16 bits.
fn quantise_row(conditional: &FloatConditional, largest_step: f64) -> (u16, Vec<(u32, i32)>) {
    let largest = conditional.weights.iter().map(|(_, weight)| weight.abs()).fold(0.0, f64::max);
    let one_sided = |sign: f64| conditional.weights.iter().map(|(_, weight)| (weight * sign).max(0.0)).sum::<f64>();
    let widest = one_sided(1.0).max(one_sided(-1.0));
    // The limit leaves a margin of half a unit of rounding per weight below 2^15.
    let limit = 32767.0 - 0.5 * conditional.weights.len() as f64;
    let scale = (largest / 127.0).min(largest_step).max(widest / limit) * 65536.0;
    let scale = scale.ceil().clamp(1.0, 65535.0);
    let quantised = |&(j, weight): &(u32, f64)| (j, (weight * 65536.0 / scale).round() as i32);
    (scale as u16, conditional.weights.iter().map(quantised).filter(|(_, weight)| *weight != 0).collect())
}

/// Returns the dense form with every weight below the diagonal, or `None` if a weight exceeds a byte.
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

/// Returns the sparse form of the weights that are not zero, or `None` if 16 bits cannot count the entries.
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
                let piece = rest.clamp(-128, 127);
                entries.push([(row - at) as u8, piece as i8 as u8]);
                at = row;
                rest -= piece;
            }
        }
        starts.push(u16::try_from(entries.len()).ok()?);
    }
    Some(Weights::Sparse { starts, entries })
}
