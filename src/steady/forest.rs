//! Every leaf is looked at: the way to it is the table's, and a mask says whether the row agrees.

use super::{Mask, Steady};
use crate::link::Logit;
use crate::part::Forest;

impl<const N: usize> Steady<N> for Forest<'_> {
    fn steady_logit(&self, (): &mut (), seen: &[Mask; N], i: usize) -> Logit {
        let (_, starts, splits, leaves, scales) = self.slices();
        let (Some(&[start, end]), Some(&scale)) = (starts.get(i..i + 2), scales.get(i)) else { return Logit::ZERO };
        let Some(trees) = splits.get(usize::from(start)..usize::from(end)) else { return Logit::ZERO };
        let seen = seen.get(..i).unwrap_or(seen);
        // The walk due next begins right of this split, counted from one.
        let (mut sum, mut due) = (0, 0);
        for leaf in 0..=trees.len() {
            // How many leaves of the subtree lie left of this one, and where the table has the first of them.
            let (mut tree, mut left_of, mut first) = (trees, leaf, usize::from(start) + i);
            let (mut agrees, mut next) = (Mask(-1), 0);
            while let Some((&split, below)) = tree.split_first() {
                let (feature, left) = self.parts(split);
                let size = left.min(below.len());
                let (zeros, ones) = below.split_at_checked(size).unwrap_or_default();
                let goes_left = left_of <= size;
                let joined = (trees.len() - below.len()) as i32;
                match (seen.get(feature), goes_left) {
                    (Some(&bit), true) => agrees = agrees & !bit,
                    (Some(&bit), false) => agrees = agrees & bit,
                    // Of two trees that are joined, one is walked after the other, whatever led there.
                    (None, true) => next = joined,
                    (None, false) => (agrees, next) = (Mask::negative((due ^ joined) - 1), 0),
                }
                if goes_left {
                    tree = zeros;
                } else {
                    (tree, left_of, first) = (ones, left_of - size - 1, first + left + 1);
                }
            }
            sum += agrees.pick(leaves.get(first).map_or(0, |&leaf| leaf.into()), 0);
            due = agrees.pick(next, due);
        }
        Logit::from_raw(sum.wrapping_mul(scale.into()))
    }

    fn steady_observe(&self, (): &mut (), _: &[Mask; N], _: usize, _: Mask) {}
}
