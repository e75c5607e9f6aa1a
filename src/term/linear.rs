//! The linear term: logistic regression of each bit on the earlier bits, also known as a fully visible sigmoid belief
//! network (Frey, *Graphical Models for Machine Learning and Digital Communication*, 1998).

use super::Term;
use crate::error::TableError;
use crate::logit::Logit;

/// The linear term, one row of weights per bit: logit_i = bias_i + scale_i · Σ_{j<i, x_j=1} w_ij.
///
/// Weights are `i8` with one scale per row i, biases are `i16`. The weights are stored by column j: a one at bit j adds
/// column j to the sums of all later bits, and a zero costs nothing. Scoring costs at most one addition per stored
/// weight and one multiplication per free bit (a bit whose value earlier bits do not imply). The state is `2·N` bytes.
///
/// ```
/// use surprisal::{Linear, LinearSlices, LinearWeights, Logit, Term};
/// // Three bits. The weight of the third bit on the first is 100 · 3277/65536 = 5 nats.
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
    /// `[bit]`, n elements: the biases in units of 1/1024 nat.
    pub biases: &'t [i16],
    /// `[bit]`, n elements: the value of one weight unit, in units of 1/65536 nat. May be empty if there are no
    /// weights.
    pub scales: &'t [u16],
    /// The weights w_ij of all i > j, by column j.
    pub weights: LinearWeights<'t>,
}

/// The weights w_ij of [`Linear`] by column j, each column in ascending order of the row i > j.
#[derive(Clone, Copy, Debug)]
pub enum LinearWeights<'t> {
    /// All weights, column after column: n·(n-1)/2 elements, or no elements if the bits are independent.
    Dense(&'t [i8]),
    /// The weights that are not zero.
    Sparse {
        /// `[column]`, n + 1 elements: `entries[starts[j]..starts[j + 1]]` is column j.
        starts: &'t [u16],
        /// `[gap, weight as u8]`. The row of an entry is the row of the previous entry plus `gap`, or j + `gap` for the
        /// first entry of column j. Entries of weight zero bridge gaps longer than 255, and entries with gap zero add
        /// the remainder of a weight that does not fit a byte.
        entries: &'t [[u8; 2]],
    },
}

impl<'t> Linear<'t> {
    /// A term without rows: every logit is zero.
    pub const EMPTY: Self =
        Self { slices: LinearSlices { biases: &[], scales: &[], weights: LinearWeights::Dense(&[]) } };

    /// Checks the storage and creates the term.
    ///
    /// The sum of the positive and the sum of the negative weights of a row must each fit an `i16`; they wrap
    /// otherwise. The trainer ensures this, and it is not checked here.
    ///
    /// # Errors
    /// [`TableError::Inconsistent`] if the lengths of the slices do not fit each other, or an entry of column j has a
    /// row outside j+1..n.
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

    /// Returns the number of bits that the term describes, n.
    pub const fn bits(&self) -> usize {
        self.slices.biases.len()
    }

    /// Returns the storage that [`new`](Self::new) checked.
    pub const fn slices(&self) -> LinearSlices<'t> {
        self.slices
    }
}

/// Returns whether sparse weights are valid: column j is `entries[starts[j]..starts[j + 1]]`, the columns cover all
/// entries in order, and the row of every entry `[gap, weight]` of column j is in j+1..n.
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
    /// `[bit]`: for every bit i, the sum of the weights w_ij over the earlier bits j that are 1.
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

    // Not inlined, so that the loop over the weights has the registers to itself.
    #[inline(never)]
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
                    // Both bytes are read as one word, which cores larger than a Cortex-M0 take apart at no cost.
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
