//! A forest: decision trees for each variable, whose leaves are logits. One tree a variable, with biases, is a Bayesian
//! network with tree-structured conditionals (Friedman & Goldszmidt, *Learning Bayesian Networks with Local Structure*,
//! 1996); more of them are what boosting makes (Friedman, *Greedy Function Approximation*, 2001).

use super::Part;
use crate::error::TableError;
use crate::link::Logit;

/// logit_i = scale_i · leaf, where the leaf is found by asking earlier bits; with several trees, the sum of their leaves.
///
/// A tree's splits lie in preorder; going on with a zero leads into the left subtree, with a one into the right.
/// A split is one word, the asked bit in the low `feature_bits`, the number of splits in its left subtree above.
/// That number is all it takes: leaves are counted from left to right, and a subtree without splits is a leaf.
/// A bit cannot ask itself: such a split, at the root, joins two trees instead. The left one is to be added, and the
/// right one may be joined again.
/// Scoring costs one step a level of each tree; there is no state.
///
/// ```
/// use surprisal::{Forest, Logit, Part};
/// // Two bits. The second one's tree asks the first: leaf -10 for a zero, +20 for a one, in units of 1/16 nat.
/// let forest = Forest::new(1, &[0, 0, 1], &[0], &[0, -10, 20], &[4096, 4096]).unwrap();
/// assert_eq!(forest.logit(&mut (), &[true, false], 1), Logit::from_raw(20 * 4096));
/// assert_eq!(forest.logit(&mut (), &[false, false], 1), Logit::from_raw(-10 * 4096));
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
                if (*split & ((1 << feature_bits) - 1)) as usize > bit {
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

    /// The bit that a split asks, and how many splits its left subtree has.
    pub(crate) fn parts(&self, split: u16) -> (usize, usize) {
        (usize::from(split & !(u16::MAX << (self.feature_bits & 15))), usize::from(split >> (self.feature_bits & 15)))
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

    fn logit(&self, (): &mut (), seen: &[bool; N], i: usize) -> Logit {
        let (Some(&[start, end]), Some(&scale)) = (self.starts.get(i..i + 2), self.scales.get(i)) else {
            return Logit::ZERO;
        };
        let Some(mut tree) = self.splits.get(usize::from(start)..usize::from(end)) else { return Logit::ZERO };
        // A later bit tells nothing, whatever a split says; that which asks the tree's own bit joins two trees.
        let seen = seen.get(..i).unwrap_or(seen);
        let (mut sum, mut leaf, mut next) = (0, usize::from(start) + i, None);
        loop {
            // Each step leaves fewer splits.
            while let Some((&split, below)) = tree.split_first() {
                let (feature, left) = self.parts(split);
                let later = || below.get(left..).unwrap_or_default();
                match seen.get(feature) {
                    Some(true) => {
                        leaf += left + 1;
                        tree = later();
                        continue;
                    }
                    Some(false) => {}
                    None => next = Some((later(), leaf + left + 1)),
                }
                tree = below.get(..left).unwrap_or(below);
            }
            sum += self.leaves.get(leaf).map_or(0, |&leaf| i32::from(leaf));
            let Some(other) = next.take() else { break };
            (tree, leaf) = other;
        }
        Logit::from_raw(sum.wrapping_mul(i32::from(scale)))
    }

    fn observe(&self, (): &mut (), _: usize) {}
}
