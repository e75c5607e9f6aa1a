//! Linear rows: autoregressive logistic regression, also known as a fully visible sigmoid belief network
//! (Frey, *Graphical Models for Machine Learning and Digital Communication*, 1998).

use super::Term;
use crate::error::TableError;
use crate::logit::Logit;

/// Autoregressive logistic rows: logit_i = bias_i + scale_i · Σ_{j<i, x_j=1} w_ij.
///
/// Weights are `i8` with one scale per row, biases are `i16`. The weights are read by columns: a one at bit j adds
/// column j to the sums of all later rows, and a zero costs nothing. Scoring a row of bits costs at most one addition
/// per stored weight and one multiplication per bit. The state is `2·N` bytes.
///
/// ```
/// use surprisal::{Linear, LinearSlices, LinearWeights, Logit, Term};
/// // Three bits. The third has weight 100 · 3277/65536 = 5 nats on the first.
/// let weights = LinearWeights::Dense(&[0, 100, 0]);
/// let linear = Linear::new(LinearSlices { biases: &[0, 0, -1024], scales: &[0, 0, 3277], weights })?;
/// let mut sums = Term::<3>::start(&linear);
/// Term::<3>::observe(&linear, &mut sums, 0);
/// assert_eq!(linear.logit(&mut sums, &[true, false, false], 2), Logit::from_raw(100 * 3277 - (1 << 16)));
/// # Ok::<(), surprisal::TableError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Linear<'t> {
    slices: LinearSlices<'t>,
}

/// The storage of [`Linear`], for rows of n bits.
#[derive(Clone, Copy, Debug)]
pub struct LinearSlices<'t> {
    /// `[bit]`: the biases in units of 1/1024 nat. Their number is n.
    pub biases: &'t [i16],
    /// `[bit]`: the value of one weight unit of the row, in units of 1/65536 nat. May be empty if there are no weights.
    pub scales: &'t [u16],
    /// The weights w_ij for i > j, by column j.
    pub weights: LinearWeights<'t>,
}

/// The weights of [`Linear`] by column j, each column in ascending order of the row i > j.
#[derive(Clone, Copy, Debug)]
pub enum LinearWeights<'t> {
    /// All weights below the diagonal, column after column: n·(n-1)/2 of them, or none for independent bits.
    Dense(&'t [i8]),
    /// Only the weights that are not zero.
    Sparse {
        /// `[column]`, n + 1 of them: `entries[starts[j]..starts[j + 1]]` is column j.
        starts: &'t [u16],
        /// `[gap, weight as u8]`. The row lies `gap` below the previous entry's row, or below the diagonal for the first
        /// entry. Entries of weight zero bridge gaps longer than 255, and entries with gap zero continue a weight that
        /// does not fit a byte.
        entries: &'t [[u8; 2]],
    },
}

impl<'t> Linear<'t> {
    /// No rows: every logit is zero.
    pub const EMPTY: Self =
        Self { slices: LinearSlices { biases: &[], scales: &[], weights: LinearWeights::Dense(&[]) } };

    /// Checks the storage of the rows.
    ///
    /// The sum of the positive and the sum of the negative weights of a row must each fit an `i16`; they wrap otherwise.
    /// The trainer ensures this, and it is not checked here.
    ///
    /// # Errors
    /// [`TableError::Inconsistent`] if a length does not fit the others or an entry leaves its column.
    pub const fn new(slices: LinearSlices<'t>) -> Result<Self, TableError> {
        let n = slices.biases.len();
        let independent = match slices.weights {
            LinearWeights::Dense(weights) => {
                if !weights.is_empty() && weights.len() as u64 != n as u64 * (n as u64).saturating_sub(1) / 2 {
                    return Err(TableError::Inconsistent("linear weights"));
                }
                weights.is_empty()
            }
            LinearWeights::Sparse { starts, entries } => {
                if starts.len() != n + 1 || !columns_fit(starts, entries, n) {
                    return Err(TableError::Inconsistent("linear entries"));
                }
                false
            }
        };
        if slices.scales.len() != n && !(independent && slices.scales.is_empty()) {
            return Err(TableError::Inconsistent("linear scales"));
        }
        Ok(Self { slices })
    }

    /// Returns the number of bits that the rows describe.
    pub const fn bits(&self) -> usize {
        self.slices.biases.len()
    }

    /// Returns the storage that [`new`](Self::new) checked.
    pub const fn slices(&self) -> LinearSlices<'t> {
        self.slices
    }
}

/// Returns whether the starts cover all entries in order and every entry stays within the n rows.
const fn columns_fit(mut starts: &[u16], mut entries: &[[u8; 2]], n: usize) -> bool {
    let mut column = 0;
    let mut taken = 0;
    while let Some((start, rest)) = starts.split_first() {
        if *start as usize != taken {
            return false;
        }
        starts = rest;
        let Some(end) = rest.first() else { break };
        let mut row = column;
        while taken < *end as usize {
            let Some((entry, after)) = entries.split_first() else { return false };
            row += entry[0] as usize;
            if row >= n || row == column {
                return false;
            }
            entries = after;
            taken += 1;
        }
        column += 1;
    }
    entries.is_empty()
}

impl<const N: usize> Term<N> for Linear<'_> {
    /// Σ w_ij over the ones seen so far, for every row i.
    type State = [i16; N];

    fn start(&self) -> [i16; N] {
        [0; N]
    }

    fn logit(&self, sums: &mut [i16; N], _: &[bool; N], i: usize) -> Logit {
        let bias = self.slices.biases.get(i).map_or(0, |&bias| i32::from(bias) << 6);
        let (Some(&sum), Some(&scale)) = (sums.get(i), self.slices.scales.get(i)) else { return Logit::from_raw(bias) };
        // |i16| · u16 stays below 2^31.
        Logit::from_raw(i32::from(sum).wrapping_mul(i32::from(scale))) + Logit::from_raw(bias)
    }

    fn observe(&self, sums: &mut [i16; N], i: usize) {
        let n = self.slices.biases.len();
        match self.slices.weights {
            LinearWeights::Dense(weights) => {
                let below = n.saturating_sub(i + 1);
                let start = i * (2 * n).saturating_sub(i + 1) / 2;
                let Some(column) = weights.get(start..start + below) else { return };
                let Some(sums) = sums.get_mut(i + 1..) else { return };
                for (sum, &weight) in sums.iter_mut().zip(column) {
                    *sum = sum.wrapping_add(i16::from(weight));
                }
            }
            LinearWeights::Sparse { starts, entries } => {
                let Some(&[start, end]) = starts.get(i..i + 2) else { return };
                let Some(column) = entries.get(usize::from(start)..usize::from(end)) else { return };
                let mut row = i;
                let add = |&[gap, weight]: &[u8; 2]| {
                    // Read as one word, which cores larger than a Cortex-M0 take apart at no cost.
                    let entry = i16::from_le_bytes([gap, weight]);
                    row += usize::from(entry as u8);
                    sums.get_mut(row).map(|sum| *sum = sum.wrapping_add(entry >> 8))
                };
                let (fours, rest) = column.as_chunks::<4>();
                let _ = fours.iter().flatten().chain(rest).try_for_each(add);
            }
        }
    }
}
