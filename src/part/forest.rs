//! A forest: one decision tree a variable, whose leaves are logits. Alone, with biases, it is a Bayesian network
//! with tree-structured conditionals (Friedman & Goldszmidt, *Learning Bayesian Networks with Local Structure*, 1996).

use super::Part;
use crate::error::TableError;
use crate::link::Logit;

/// logit_i = scale_i · leaf, where the leaf is found by asking earlier bits.
///
/// A tree's splits lie in preorder; going on with a zero leads into the left subtree, with a one into the right.
/// A split is one word, the asked bit in the low `feature_bits`, the number of splits in its left subtree above.
/// That number is all it takes: leaves are counted from left to right, and a subtree without splits is a leaf.
/// Scoring costs one step a level of each tree; there is no state.
///
/// ```
/// use surprisal::{Forest, Logit, Part};
/// // Two bits. The second one's tree asks the first: leaf -10 for a zero, +20 for a one, in units of 1/16 nat.
/// let forest = Forest::new(1, &[0, 0, 1], &[0], &[0, -10, 20], &[4096, 4096]).unwrap();
/// assert_eq!(forest.logit(&(), &[true, false], 1), Logit::from_raw(20 * 4096));
/// assert_eq!(forest.logit(&(), &[false, false], 1), Logit::from_raw(-10 * 4096));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Forest<'t> {
    feature_bits: u16,
    starts: &'t [u16],
    splits: &'t [u16],
    leaves: &'t [i8],
    scales: &'t [u16],
}

impl<'t> Forest<'t> {
    /// No trees: every logit is zero.
    pub const EMPTY: Self = Self { feature_bits: 1, starts: &[], splits: &[], leaves: &[], scales: &[] };

    /// Trees for `scales.len()` bits.
    ///
    /// `splits[starts[i]..starts[i + 1]]` is tree i, with one leaf more than splits: its leaves begin at
    /// `leaves[starts[i] + i]`. `scales` are in units of 1/65536 nat a leaf unit.
    ///
    /// # Errors
    /// [`TableError::Shape`] when a length does not fit the others; [`TableError::Order`] when a tree asks a bit
    /// that comes after its own.
    pub const fn new(
        feature_bits: u16,
        starts: &'t [u16],
        splits: &'t [u16],
        leaves: &'t [i8],
        scales: &'t [u16],
    ) -> Result<Self, TableError> {
        let n = scales.len();
        if n == 0 && starts.is_empty() && splits.is_empty() && leaves.is_empty() {
            return Ok(Self::EMPTY);
        }
        if feature_bits == 0 || feature_bits > 15 || starts.len() != n + 1 || leaves.len() != splits.len() + n {
            return Err(TableError::Shape("forest"));
        }
        let (mut starts_left, mut splits_left) = (starts, splits);
        let (mut bit, mut taken) = (0, 0);
        while let Some((start, rest)) = starts_left.split_first() {
            if *start as usize != taken {
                return Err(TableError::Shape("tree starts"));
            }
            starts_left = rest;
            let Some(end) = rest.first() else { break };
            while taken < *end as usize {
                let Some((split, after)) = splits_left.split_first() else {
                    return Err(TableError::Shape("tree splits"));
                };
                if (*split & ((1 << feature_bits) - 1)) as usize >= bit {
                    return Err(TableError::Order { bit: bit as u16 });
                }
                splits_left = after;
                taken += 1;
            }
            bit += 1;
        }
        if !splits_left.is_empty() {
            return Err(TableError::Shape("tree splits"));
        }
        Ok(Self { feature_bits, starts, splits, leaves, scales })
    }

    /// How many bits there are trees for.
    pub const fn bits(&self) -> usize {
        self.scales.len()
    }

    /// The slices it was made of, as [`new`](Self::new) takes them.
    pub const fn slices(&self) -> (u16, &'t [u16], &'t [u16], &'t [i8], &'t [u16]) {
        (self.feature_bits, self.starts, self.splits, self.leaves, self.scales)
    }
}

impl<const N: usize> Part<N> for Forest<'_> {
    type State = ();

    fn start(&self) {}

    fn logit(&self, (): &(), seen: &[bool; N], i: usize) -> Logit {
        let Some(&[start, end]) = self.starts.get(i..i + 2) else { return Logit::ZERO };
        let mask = (1 << self.feature_bits) - 1;
        let mut at = usize::from(start);
        let mut leaf = at + i;
        let mut splits = usize::from(end.saturating_sub(start));
        while splits > 0 {
            let Some(&split) = self.splits.get(at) else { break };
            // Whatever it says, it stays within the subtree: past it, trees of other bits ask what is not seen yet.
            let left = usize::from(split >> self.feature_bits).min(splits - 1);
            at += 1;
            if seen.get(usize::from(split & mask)).copied().unwrap_or(false) {
                at += left;
                leaf += left + 1;
                splits -= left + 1;
            } else {
                splits = left;
            }
        }
        let (Some(&leaf), Some(&scale)) = (self.leaves.get(leaf), self.scales.get(i)) else { return Logit::ZERO };
        Logit::from_raw(i32::from(leaf).wrapping_mul(i32::from(scale)))
    }

    fn observe(&self, (): &mut (), _: usize) {}
}
