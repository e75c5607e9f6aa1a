//! A forest: decision trees over earlier bits, with logits as leaves.
//!
//! One tree per bit, with biases, is a Bayesian network with tree-structured conditionals (Friedman & Goldszmidt,
//! *Learning Bayesian Networks with Local Structure*, 1996). Several trees per bit are the result of boosting
//! (Friedman, *Greedy Function Approximation*, 2001).

use super::Term;
use crate::error::TableError;
use crate::logit::Logit;

/// Decision trees: logit_i = scale_i · (sum of the leaves that the trees of bit i reach).
///
/// A split tests one earlier bit: a zero leads into the left subtree, a one into the right subtree. The splits of a
/// tree are stored in preorder, one word per split. The low `feature_bits` of the word name the tested bit, and the
/// bits above count the splits of the left subtree. Leaves are numbered from left to right, and a subtree without
/// splits is a leaf, so the format needs no other pointers.
///
/// A tree of bit i cannot test bit i, so a split on bit i itself joins trees: the left subtree is one tree, the right
/// subtree holds the other trees, joined in the same way, and the leaves of all are added.
///
/// Scoring takes one step per level of each tree. The term has no state.
///
/// ```
/// use surprisal::{Forest, ForestSlices, Logit, Term};
/// // Two bits. The tree of the second bit tests the first: leaf -10 for a zero, +20 for a one, in units of 1/16 nat.
/// let forest = Forest::new(ForestSlices {
///     feature_bits: 1,
///     starts: &[0, 0, 1],
///     splits: &[0],
///     leaves: &[0, -10, 20],
///     scales: &[4096, 4096],
/// })?;
/// assert_eq!(forest.logit(&mut (), &[true, false], 1), Logit::from_raw(20 * 4096));
/// assert_eq!(forest.logit(&mut (), &[false, false], 1), Logit::from_raw(-10 * 4096));
/// # Ok::<(), surprisal::TableError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Forest<'t> {
    slices: ForestSlices<'t>,
}

/// The storage of [`Forest`], for rows of n bits.
#[derive(Clone, Copy, Debug)]
pub struct ForestSlices<'t> {
    /// The number of low bits of a split word that name the tested bit, 1 to 15.
    pub feature_bits: u16,
    /// `[bit]`, n + 1 elements: `splits[starts[i]..starts[i + 1]]` are the trees of bit i.
    pub starts: &'t [u16],
    /// The split words of all trees, each tree in preorder.
    pub splits: &'t [u16],
    /// The leaves of all trees. The leaves of bit i begin at index `starts[i] + i`, and are one more than its splits.
    pub leaves: &'t [i8],
    /// `[bit]`, n elements: the value of one leaf unit, in units of 1/65536 nat.
    pub scales: &'t [u16],
}

impl<'t> Forest<'t> {
    /// A forest without trees: every logit is zero.
    pub const EMPTY: Self =
        Self { slices: ForestSlices { feature_bits: 1, starts: &[], splits: &[], leaves: &[], scales: &[] } };

    /// Checks the storage and creates the term. The counts of splits within the words are not checked; whatever they
    /// are, a logit depends on earlier bits alone.
    ///
    /// # Errors
    /// [`TableError::Inconsistent`] if the lengths of the slices do not fit each other or `feature_bits` is out of
    /// range; [`TableError::Order`] if a tree of bit i tests a bit after i.
    pub const fn new(slices: ForestSlices<'t>) -> Result<Self, TableError> {
        let ForestSlices { feature_bits, starts, splits, leaves, scales } = slices;
        let n = scales.len();
        if n == 0 && starts.is_empty() && splits.is_empty() && leaves.is_empty() {
            return Ok(Self::EMPTY);
        }
        if feature_bits == 0 || feature_bits > 15 || starts.len() != n + 1 || leaves.len() != splits.len() + n {
            return Err(TableError::Inconsistent("forest"));
        }
        let (mut starts_left, mut splits_left) = (starts, splits);
        let (mut bit, mut taken) = (0, 0);
        while let Some((start, rest)) = starts_left.split_first() {
            if *start as usize != taken {
                return Err(TableError::Inconsistent("tree starts"));
            }
            starts_left = rest;
            let Some(end) = rest.first() else { break };
            while taken < *end as usize {
                let Some((split, after)) = splits_left.split_first() else {
                    return Err(TableError::Inconsistent("tree splits"));
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
            return Err(TableError::Inconsistent("tree splits"));
        }
        Ok(Self { slices })
    }

    /// Unpacks a split word: returns (index of the tested bit, number of splits in the left subtree).
    fn unpack(&self, split: u16) -> (usize, usize) {
        let feature_bits = self.slices.feature_bits & 15;
        (usize::from(split & !(u16::MAX << feature_bits)), usize::from(split >> feature_bits))
    }

    /// Returns the number of bits that the trees describe, n.
    pub const fn bits(&self) -> usize {
        self.slices.scales.len()
    }

    /// Returns the storage that [`new`](Self::new) checked.
    pub const fn slices(&self) -> ForestSlices<'t> {
        self.slices
    }
}

impl<const N: usize> Term<N> for Forest<'_> {
    type State = ();

    fn start(&self) {}

    fn logit(&self, (): &mut (), seen: &[bool; N], i: usize) -> Logit {
        let ForestSlices { starts, splits, leaves, scales, .. } = self.slices;
        let (Some(&[start, end]), Some(&scale)) = (starts.get(i..i + 2), scales.get(i)) else {
            return Logit::ZERO;
        };
        let Some(mut tree) = splits.get(usize::from(start)..usize::from(end)) else { return Logit::ZERO };
        // Bits from i on are out of reach, whatever a split contains. A split on bit i itself joins two trees.
        let seen = seen.get(..i).unwrap_or(seen);
        let (mut sum, mut leaf, mut next) = (0, usize::from(start) + i, None);
        loop {
            // The loop ends because each step leaves fewer splits.
            while let Some((&split, below)) = tree.split_first() {
                let (feature, left) = self.unpack(split);
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
            sum += leaves.get(leaf).map_or(0, |&leaf| i32::from(leaf));
            let Some(other) = next.take() else { break };
            (tree, leaf) = other;
        }
        Logit::from_raw(sum.wrapping_mul(i32::from(scale)))
    }

    fn observe(&self, (): &mut (), _: usize) {}
}
