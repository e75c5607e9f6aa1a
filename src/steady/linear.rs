//! Every column of weights is added, under a mask.

use super::{Mask, Steady, add};
use crate::link::Logit;
use crate::part::{Columns, Linear};

impl<const N: usize> Steady<N> for Linear<'_> {
    fn steady_logit(&self, sums: &mut [i16; N], _: &[Mask; N], i: usize) -> Logit {
        let (biases, scales, _) = self.slices();
        let bias = Logit::from_raw(biases.get(i).map_or(0, |&bias| i32::from(bias) << 6));
        let (Some(&sum), Some(&scale)) = (sums.get(i), scales.get(i)) else { return bias };
        add(Logit::from_raw(i32::from(sum).wrapping_mul(scale.into())), bias)
    }

    fn steady_observe(&self, sums: &mut [i16; N], seen: &[Mask; N], i: usize, _: Mask) {
        let (biases, _, columns) = self.slices();
        let Some(&Mask(mask)) = seen.get(i) else { return };
        let add = |sum: &mut i16, weight: i8| *sum = sum.wrapping_add((weight & mask).into());
        match columns {
            Columns::Dense(weights) => {
                let n = biases.len();
                let start = i * (2 * n).saturating_sub(i + 1) / 2;
                let column = weights.get(start..start + n.saturating_sub(i + 1)).unwrap_or_default();
                let below = sums.iter_mut().skip(i + 1);
                below.zip(column).for_each(|(sum, &weight)| add(sum, weight));
            }
            Columns::Sparse { starts, entries } => {
                let Some(&[start, end]) = starts.get(i..i + 2) else { return };
                let column = entries.get(usize::from(start)..usize::from(end)).unwrap_or_default();
                let mut row = i;
                for &[gap, weight] in column {
                    row += usize::from(gap);
                    let Some(sum) = sums.get_mut(row) else { return };
                    add(sum, weight as i8);
                }
            }
        }
    }
}
