//! Every split and every leaf is looked at once, in an order that is the table's; a mask says whether the row leads there.

use super::{Mask, Steady};
use crate::link::Logit;
use crate::part::Forest;

/// The larger half waits while the smaller one is looked at, and a leaf never does: 65535 splits halve so often at most.
const ROOM: usize = 15;
/// No split.
const NONE: i32 = i32::MAX;

/// A subtree: where its splits begin, how many they are, and which leaf is its first.
#[derive(Clone, Copy, Default)]
struct Subtree {
    at: u32,
    splits: u32,
    leaf: u32,
}

impl Subtree {
    /// What follows a zero and what a one, by what the first split says of how many splits lie on its left.
    #[inline(always)]
    fn halves(self, left: usize) -> (Self, Self) {
        let (at, below, left) = (self.at + 1, self.splits - 1, left as u32);
        let splits = below.min(left);
        (Self { at, splits, ..self }, Self { at: at + splits, splits: below - splits, leaf: self.leaf + left + 1 })
    }
}

impl Forest<'_> {
    /// The tree that the split at `join`, somewhere in this subtree, joins to the one on its left.
    fn joined(&self, splits: &[u16], join: u32, mut subtree: Subtree) -> Subtree {
        while let Some(&split) = splits.get(subtree.at as usize).filter(|_| subtree.splits > 0) {
            let (zeros, ones) = subtree.halves(self.parts(split).1);
            if join == subtree.at {
                return ones;
            }
            subtree = if join < ones.at { zeros } else { ones };
        }
        subtree
    }
}

impl<const N: usize> Steady<N> for Forest<'_> {
    fn steady_logit(&self, (): &mut (), seen: &[Mask; N], i: usize) -> Logit {
        let (_, starts, splits, leaves, scales) = self.slices();
        let (Some(&[start, end]), Some(&scale)) = (starts.get(i..i + 2), scales.get(i)) else { return Logit::ZERO };
        let Some(splits) = splits.get(usize::from(start)..usize::from(end)) else { return Logit::ZERO };
        let leaves = leaves.get(usize::from(start) + i..).unwrap_or_default();
        let leaf = |of: Subtree| leaves.get(of.leaf as usize).map_or(0, |&leaf| i32::from(leaf));
        let seen = seen.get(..i).unwrap_or(seen);

        let all = Subtree { at: 0, splits: splits.len() as u32, leaf: 0 };
        let (mut tree, mut here, mut sum) = (all, Mask::ALL, 0);
        // The last split on the row's way that joins two trees, and where to look for the next such split.
        let (mut last, mut from) = (NONE, None);
        loop {
            let (mut waiting, mut masks, mut count) = ([Subtree::default(); ROOM], [Mask::NONE; ROOM], 0usize);
            let mut subtree = tree;
            loop {
                let Some(&split) = splits.get(subtree.at as usize).filter(|_| subtree.splits > 0) else {
                    sum += here.pick(leaf(subtree), 0);
                    count = count.wrapping_sub(1);
                    let (Some(&next), Some(&mask)) = (waiting.get(count), masks.get(count)) else { break };
                    (subtree, here) = (next, mask);
                    continue;
                };
                let (feature, left) = self.parts(split);
                let (zeros, ones) = subtree.halves(left);
                let Some(&bit) = seen.get(feature) else {
                    // The tree on its right comes after all of this one.
                    last = here.pick(subtree.at as i32, last);
                    from = from.or(Some(0));
                    subtree = zeros;
                    continue;
                };
                let (no, yes) = (here & !bit, here & bit);
                if zeros.splits == 0 {
                    sum += no.pick(leaf(zeros), 0);
                    (subtree, here) = (ones, yes);
                } else if ones.splits == 0 {
                    sum += yes.pick(leaf(ones), 0);
                    (subtree, here) = (zeros, no);
                } else if let (Some(waits), Some(mask)) = (waiting.get_mut(count), masks.get_mut(count)) {
                    count += 1;
                    if zeros.splits < ones.splits {
                        (subtree, here, *waits, *mask) = (zeros, no, ones, yes);
                    } else {
                        (subtree, here, *waits, *mask) = (ones, yes, zeros, no);
                    }
                } else {
                    // Never: there is room for any tree.
                    break;
                }
            }
            let asks_itself = |&join: &usize| splits.get(join).is_some_and(|&split| self.parts(split).0 >= seen.len());
            let Some(join) = from.and_then(|from| (from..splits.len()).find(asks_itself)) else { break };
            from = Some(join + 1);
            here = Mask::equal(last, join as i32);
            last = here.pick(NONE, last);
            let inside = (join as u32).wrapping_sub(tree.at) < tree.splits;
            tree = self.joined(splits, join as u32, if inside { tree } else { all });
        }
        Logit::from_raw(sum.wrapping_mul(scale.into()))
    }

    fn steady_observe(&self, (): &mut (), _: &[Mask; N], _: usize, _: Mask) {}
}
