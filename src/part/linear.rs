//! Linear rows: autoregressive logistic regression, also known as a fully visible sigmoid belief network
//! (Frey, *Graphical Models for Machine Learning and Digital Communication*, 1998).

use super::Part;
use crate::error::TableError;
use crate::link::Logit;

/// logit_i = bias_i + scale_i · Σ_{j<i, x_j=1} w_ij, with `i8` weights, one scale a row, `i16` biases.
///
/// Rows are walked by columns: a one at j adds column j to the sums of the rows below it; a zero costs nothing.
/// Scoring costs at most one addition a stored weight, and one multiplication a bit. The state is `2·N` bytes.
///
/// ```
/// use surprisal::{Columns, Linear, Logit, Part};
/// // Three bits; the third has weight 100 · 3277/65536 = 5 nats on the first.
/// let columns = Columns::Dense(&[0, 100, 0]);
/// let linear = Linear::new(&[0, 0, -1024], &[0, 0, 3277], columns).unwrap();
/// let mut sums = Part::<3>::start(&linear);
/// Part::<3>::observe(&linear, &mut sums, 0);
/// assert_eq!(linear.logit(&mut sums, &[true, false, false], 2), Logit::from_raw(100 * 3277 - (1 << 16)));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Linear<'t> {
    biases: &'t [i16],
    scales: &'t [u16],
    columns: Columns<'t>,
}

/// The weights w_ij by column j, each column in ascending order of i > j.
#[derive(Clone, Copy, Debug)]
pub enum Columns<'t> {
    /// Every weight below the diagonal, column after column: n·(n-1)/2 of them. Marginals have none.
    Dense(&'t [i8]),
    /// The weights that are not zero.
    Sparse {
        /// `entries[starts[j]..starts[j + 1]]` is column j; n + 1 of them.
        starts: &'t [u16],
        /// `[gap, weight as u8]`: the row is `gap` below the previous entry's, or below the diagonal for the
        /// first. A gap too long for a byte is bridged by entries of weight zero; a weight too large for one is
        /// continued by entries with no gap.
        entries: &'t [[u8; 2]],
    },
}

impl<'t> Linear<'t> {
    /// Rows for `biases.len()` bits.
    ///
    /// `biases` are in units of 1/1024 nat. `scales` are in units of 1/65536 nat a weight unit, one a row; both they
    /// and the columns may be empty, which leaves marginals. The sum of the positive and the sum of the negative
    /// weights of a row must each stay within `i16` (the trainer sees to it; the sums wrap otherwise).
    ///
    /// # Errors
    /// [`TableError::Shape`] when a length does not fit the others or an entry leaves its column.
    pub const fn new(biases: &'t [i16], scales: &'t [u16], columns: Columns<'t>) -> Result<Self, TableError> {
        let n = biases.len();
        let marginal = match columns {
            Columns::Dense(weights) => {
                if !weights.is_empty() && weights.len() as u64 != n as u64 * (n as u64).saturating_sub(1) / 2 {
                    return Err(TableError::Shape("linear weights"));
                }
                weights.is_empty()
            }
            Columns::Sparse { starts, entries } => {
                if starts.len() != n + 1 || !columns_fit(starts, entries, n) {
                    return Err(TableError::Shape("linear entries"));
                }
                false
            }
        };
        if scales.len() != n && !(marginal && scales.is_empty()) {
            return Err(TableError::Shape("linear scales"));
        }
        Ok(Self { biases, scales, columns })
    }

    /// How many bits the rows are for.
    pub const fn bits(&self) -> usize {
        self.biases.len()
    }

    /// The slices it was made of, as [`new`](Self::new) takes them.
    pub const fn slices(&self) -> (&'t [i16], &'t [u16], Columns<'t>) {
        (self.biases, self.scales, self.columns)
    }
}

/// Do the starts cover all entries in order, and does every entry stay within the n rows?
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

impl<const N: usize> Part<N> for Linear<'_> {
    /// Σ w_ij over the ones seen so far, for every row i.
    type State = [i16; N];

    fn start(&self) -> [i16; N] {
        [0; N]
    }

    fn logit(&self, sums: &mut [i16; N], _: &[bool; N], i: usize) -> Logit {
        let bias = self.biases.get(i).map_or(0, |&bias| i32::from(bias) << 6);
        let (Some(&sum), Some(&scale)) = (sums.get(i), self.scales.get(i)) else { return Logit::from_raw(bias) };
        // |i16| · u16 stays below 2^31.
        Logit::from_raw(i32::from(sum).wrapping_mul(i32::from(scale))) + Logit::from_raw(bias)
    }

    fn observe(&self, sums: &mut [i16; N], i: usize) {
        let n = self.biases.len();
        match self.columns {
            Columns::Dense(weights) => {
                let below = n.saturating_sub(i + 1);
                let start = i * (2 * n).saturating_sub(i + 1) / 2;
                let Some(column) = weights.get(start..start + below) else { return };
                let Some(sums) = sums.get_mut(i + 1..) else { return };
                for (sum, &weight) in sums.iter_mut().zip(column) {
                    *sum = sum.wrapping_add(i16::from(weight));
                }
            }
            Columns::Sparse { starts, entries } => {
                let Some(&[start, end]) = starts.get(i..i + 2) else { return };
                let Some(column) = entries.get(usize::from(start)..usize::from(end)) else { return };
                let mut row = i;
                let add = |&[gap, weight]: &[u8; 2]| {
                    // As one word, which a core of more than the least loads and takes apart at no cost.
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
