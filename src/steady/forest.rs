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
    at: u16,
    splits: u16,
    leaf: u32,
}

impl Subtree {
    /// What follows a zero and what a one, by what the first split says of how many splits lie on its left.
    #[inline(always)]
    fn halves(self, left: usize) -> (Self, Self) {
        let (at, below) = (self.at.wrapping_add(1), self.splits.wrapping_sub(1));
        let splits = below.min(left as u16);
        let leaf = self.leaf + left as u32 + 1;
        (Self { at, splits, ..self }, Self { at: at.wrapping_add(splits), splits: below - splits, leaf })
    }
}

impl Forest<'_> {
    /// The tree that the split at `join`, somewhere in this subtree, joins to the one on its left.
    fn joined(&self, splits: &[u16], join: usize, mut subtree: Subtree) -> Subtree {
        while let Some(&split) = splits.get(usize::from(subtree.at)).filter(|_| subtree.splits > 0) {
            let (zeros, ones) = subtree.halves(self.parts(split).1);
            if join == usize::from(subtree.at) {
                return ones;
            }
            subtree = if join < usize::from(ones.at) { zeros } else { ones };
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

        let all = Subtree { at: 0, splits: splits.len() as u16, leaf: 0 };
        let (mut tree, mut here, mut sum) = (all, Mask::ALL, 0);
        // The last split on the row's way that joins two trees, and where to look for the next such split.
        let (mut last, mut from) = (NONE, None);
        loop {
            let (mut waiting, mut count) = ([(Subtree::default(), Mask::NONE); ROOM], 0usize);
            let mut subtree = tree;
            loop {
                let Some(&split) = splits.get(usize::from(subtree.at)).filter(|_| subtree.splits > 0) else {
                    sum += here.pick(leaf(subtree), 0);
                    let Some(&next) = count.checked_sub(1).and_then(|before| waiting.get(before)) else { break };
                    count -= 1;
                    (subtree, here) = next;
                    continue;
                };
                let (feature, left) = self.parts(split);
                let (zeros, ones) = subtree.halves(left);
                let Some(&bit) = seen.get(feature) else {
                    // The tree on its right comes after all of this one.
                    last = here.pick(subtree.at.into(), last);
                    from = from.or(Some(0));
                    subtree = zeros;
                    continue;
                };
                let (zeros, ones) = ((zeros, here & !bit), (ones, here & bit));
                let (smaller, larger) = if zeros.0.splits < ones.0.splits { (zeros, ones) } else { (ones, zeros) };
                (subtree, here) = larger;
                if smaller.0.splits == 0 {
                    sum += smaller.1.pick(leaf(smaller.0), 0);
                } else if let Some(slot) = waiting.get_mut(count) {
                    (*slot, count) = (larger, count + 1);
                    (subtree, here) = smaller;
                }
            }
            let asks_itself = |&join: &usize| splits.get(join).is_some_and(|&split| self.parts(split).0 >= seen.len());
            let Some(join) = from.and_then(|from| (from..splits.len()).find(asks_itself)) else { break };
            from = Some(join + 1);
            here = Mask::equal(last, join as i32);
            last = here.pick(NONE, last);
            let inside = join.wrapping_sub(tree.at.into()) < tree.splits.into();
            tree = self.joined(splits, join, if inside { tree } else { all });
        }
        Logit::from_raw(sum.wrapping_mul(scale.into()))
    }

    fn steady_observe(&self, (): &mut (), _: &[Mask; N], _: usize, _: Mask) {}
}
