//! Outcome tables: a model with one conditional distribution per column, stored as rows of masses.
//!
//! Each column has at most 256 outcomes: the cells of a number, the codes of a category, and "missing". The conditional
//! of a column is a row of masses, one mass per outcome, which add up to exactly 65536. Which row it is depends on earlier
//! columns in one of two ways: by the group of the outcome of one column, its parent, as in the trees of Chow & Liu
//! (*Approximating Discrete Probability Distributions with Dependence Trees*, 1968), or by a decision tree over the
//! outcomes of several columns.

use crate::error::TableError;
use crate::nats::Nats;

mod masses;

pub use masses::Masses;
pub(crate) use masses::tail;

/// The sum of the masses of a row, which stands for probability one.
const WHOLE: u32 = 1 << 16;

/// A model of rows of outcomes: p(x) = ∏ p(x_j | leaf of the earlier outcomes), with one row of masses per leaf. A leaf
/// is a group of the parent's outcomes or a leaf of a decision tree.
///
/// Every operation is a loop over [`OutcomeWalk::next`], which yields the conditional distribution of each column.
///
/// ```
/// use surprisal::{Nats, OutcomeTables, OutcomeTablesSlices};
/// // Two columns of two outcomes each. The second column mostly equals the first.
/// let tables = OutcomeTables::new(OutcomeTablesSlices {
///     columns: &[[2, 1, OutcomeTables::NO_PARENT], [2, 2, 0]],
///     groups: &[0, 1],
///     splits: &[],
///     rows: &[32768, 60000, 5536], // the mass of outcome 0: of column 0, and of column 1 after a 0 and after a 1
/// })?;
/// assert_eq!(tables.surprisal(&[0, 1]), Nats::of_mass(32768) + Nats::of_mass(5536));
/// assert!(tables.surprisal(&[1, 1]) < tables.surprisal(&[1, 0]));
/// # Ok::<(), surprisal::TableError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct OutcomeTables<'t> {
    slices: OutcomeTablesSlices<'t>,
}

/// The storage of [`OutcomeTables`].
#[derive(Clone, Copy, Debug, Default)]
pub struct OutcomeTablesSlices<'t> {
    /// `[column]`: the number of outcomes (1 to 256), the number of rows of masses, and the position of the parent
    /// column, [`OutcomeTables::NO_PARENT`] or [`OutcomeTables::TREE`]. A column without rows is observed: it is context
    /// for later columns, but is neither scored nor sampled.
    pub columns: &'t [[u16; 3]],
    /// For each scored column with a parent: `[outcome of the parent]` the row that the outcome selects.
    pub groups: &'t [u8],
    /// For each column with a tree: its splits in preorder, one fewer than rows. A split holds the
    /// position of the tested column in bits 0 to 11, the largest outcome that goes left in bits 16 to 23, and the number
    /// of splits of the left subtree above. [`OutcomeTables::LEFT_LEAF`] and [`OutcomeTables::RIGHT_LEAF`] are set where a
    /// leaf follows. The leaves select the rows from left to right.
    pub splits: &'t [u32],
    /// For each row of masses: `[outcome]` the sum of the masses of this and all smaller outcomes, without the last
    /// sum, which is 65536. Strictly ascending and above zero, so that every mass is at least 1.
    pub rows: &'t [u16],
}

impl<'t> OutcomeTables<'t> {
    /// Tables without columns.
    pub const EMPTY: Self = Self { slices: OutcomeTablesSlices { columns: &[], groups: &[], splits: &[], rows: &[] } };
    /// The word that stands for "no parent" in [`OutcomeTablesSlices::columns`].
    pub const NO_PARENT: u16 = u16::MAX;
    /// The word that stands for "decision tree" in place of a parent.
    pub const TREE: u16 = u16::MAX - 1;
    /// The bit of a split that is set if outcomes up to the threshold lead to a leaf.
    pub const LEFT_LEAF: u32 = 1 << 15;
    /// The bit of a split that is set if outcomes above the threshold lead to a leaf.
    pub const RIGHT_LEAF: u32 = 1 << 14;

    /// Returns the word of a split that tests the column at `position` and has `left` and `right` splits in its subtrees.
    pub const fn split(position: u16, threshold: u8, left: u8, right: u8) -> u32 {
        let leaves = Self::leaves(left as usize, right as usize);
        position as u32 & POSITION | leaves | (threshold as u32) << 16 | (left as u32) << 24
    }

    /// Returns the bits that say where leaves follow a split with so many splits in its subtrees.
    const fn leaves(left: usize, right: usize) -> u32 {
        (if left == 0 { Self::LEFT_LEAF } else { 0 }) | if right == 0 { Self::RIGHT_LEAF } else { 0 }
    }

    /// Returns (position, threshold, splits of the left subtree) of a split: the inverse of [`split`](Self::split).
    pub const fn split_parts(split: u32) -> (u16, u8, u8) {
        ((split & POSITION) as u16, (split >> 16) as u8, (split >> 24) as u8)
    }

    /// Checks the storage and creates the model.
    ///
    /// # Errors
    /// [`TableError::Order`] if a parent does not come before its column; [`TableError::Inconsistent`] if a slice is
    /// too short or too long, a number of outcomes is not in 1..=256, a group selects no row, splits form no tree, or a
    /// row does not ascend.
    pub const fn new(slices: OutcomeTablesSlices<'t>) -> Result<Self, TableError> {
        let OutcomeTablesSlices { columns, mut groups, mut splits, mut rows } = slices;
        let (mut left, mut position) = (columns, 0);
        while let Some((&[outcomes, own, parent], rest)) = left.split_first() {
            left = rest;
            if outcomes == 0 || outcomes > 256 || position > 4095 {
                return Err(TableError::Inconsistent("outcome columns"));
            }
            if own > 0 && parent == Self::TREE {
                let Some((tree, rest)) = splits.split_at_checked(own as usize - 1) else {
                    return Err(TableError::Inconsistent("outcome splits"));
                };
                splits = rest;
                if let Err(error) = check_tree(tree, position) {
                    return Err(error);
                }
            } else if own > 0 && parent != Self::NO_PARENT {
                if parent as usize >= position {
                    return Err(TableError::Order { bit: position as u16 });
                }
                let outcomes = match columns.split_at_checked(parent as usize) {
                    Some((_, [[outcomes, ..], ..])) => *outcomes,
                    _ => return Err(TableError::Inconsistent("outcome columns")),
                };
                let Some((mut own_groups, rest)) = groups.split_at_checked(outcomes as usize) else {
                    return Err(TableError::Inconsistent("outcome groups"));
                };
                groups = rest;
                while let Some((&group, rest)) = own_groups.split_first() {
                    if group as u16 >= own {
                        return Err(TableError::Inconsistent("outcome groups"));
                    }
                    own_groups = rest;
                }
            } else if own > 1 {
                return Err(TableError::Inconsistent("outcome columns"));
            }
            let mut row = 0;
            while row < own {
                let Some((mut sums, rest)) = rows.split_at_checked(outcomes as usize - 1) else {
                    return Err(TableError::Inconsistent("outcome rows"));
                };
                rows = rest;
                let mut last = 0;
                // Most of a table is rows, so that four sums at once save a tenth of the time of reading it.
                while let Some((&[a, b, c, d], rest)) = sums.split_first_chunk() {
                    if a <= last || b <= a || c <= b || d <= c {
                        return Err(TableError::Inconsistent("outcome rows"));
                    }
                    (last, sums) = (d, rest);
                }
                while let Some((&sum, rest)) = sums.split_first() {
                    if sum <= last {
                        return Err(TableError::Inconsistent("outcome rows"));
                    }
                    (last, sums) = (sum, rest);
                }
                row += 1;
            }
            position += 1;
        }
        if !groups.is_empty() || !splits.is_empty() || !rows.is_empty() {
            return Err(TableError::Inconsistent("outcome rows"));
        }
        Ok(Self { slices })
    }

    /// Returns the storage that [`new`](Self::new) took.
    pub const fn slices(&self) -> OutcomeTablesSlices<'t> {
        self.slices
    }

    /// Returns the number of columns.
    pub const fn columns(&self) -> usize {
        self.slices.columns.len()
    }

    /// Returns an evaluation of one row, before its first column.
    pub fn walk(&self) -> OutcomeWalk<'t> {
        OutcomeWalk { tables: *self, column: 0, groups: 0, splits: 0, row: 0 }
    }

    /// Returns the conditional distribution of a column given the outcomes of earlier columns, `seen[..column]`, and
    /// `None` for an observed column. `start` is where the column's groups or splits, and its rows, begin.
    #[inline]
    pub(crate) fn conditional(
        &self,
        [outcomes, own, parent]: [u16; 3],
        start: Start,
        seen: &[u8],
    ) -> Option<Masses<'t>> {
        let row = match parent {
            _ if own == 0 => return None,
            Self::NO_PARENT => 0,
            Self::TREE => self.leaf(start.link, seen)?,
            _ => {
                let outcome = *seen.get(usize::from(parent))?;
                usize::from(*self.slices.groups.get(start.link + usize::from(outcome))?)
            }
        };
        let length = usize::from(outcomes).wrapping_sub(1);
        let sums = self.slices.rows.get(start.row + length * row..)?.get(..length)?;
        Some(Masses { sums })
    }

    /// Returns whether the conditional of a column, as in [`conditional`](Self::conditional), depends on one of the earlier
    /// columns for which `is_lost`, `[column]`, is true.
    pub(crate) fn depends(&self, [_, own, parent]: [u16; 3], start: Start, is_lost: &[bool]) -> bool {
        let is_lost = |column: usize| is_lost.get(column) == Some(&true);
        match parent {
            Self::TREE => {
                let mut splits = self.slices.splits.iter().skip(start.link).take(usize::from(own).saturating_sub(1));
                splits.any(|split| is_lost((split & POSITION) as usize))
            }
            _ => is_lost(parent.into()),
        }
    }

    /// Returns the leaf of the tree whose first split is at position `at`, counted from the left.
    #[inline]
    fn leaf(&self, mut at: usize, seen: &[u8]) -> Option<usize> {
        let mut leaf = 0;
        // Each turn is at a later split, so that the loop ends.
        loop {
            let &split = self.slices.splits.get(at)?;
            at += 1;
            if u32::from(*seen.get((split & POSITION) as usize)?) <= split >> 16 & 0xFF {
                if split & Self::LEFT_LEAF != 0 {
                    return Some(leaf);
                }
            } else {
                let left = (split >> 24) as usize;
                at += left;
                leaf += left + 1;
                if split & Self::RIGHT_LEAF != 0 {
                    return Some(leaf);
                }
            }
        }
    }

    /// Returns -ln p(row) of a row of outcomes: `[column]`. Columns past the end of `row` are not scored.
    pub fn surprisal(&self, row: &[u8]) -> Nats {
        let (mut walk, mut total) = (self.walk(), Nats::ZERO);
        for &outcome in row {
            let Some(conditional) = walk.next(row) else { break };
            total += conditional.map_or(Nats::ZERO, |masses| masses.surprisal(outcome));
        }
        total
    }

    /// Draws the outcomes of a row with probability p(row): one call of `coin` per scored column, which must return
    /// numbers that are uniform in 0..=65535. On entry `row` holds the outcomes of the observed columns.
    pub fn sample(&self, row: &mut [u8], mut coin: impl FnMut() -> u16) {
        self.fill(row, |masses| masses.decide(coin()));
    }

    /// Writes the outcome that `choose` returns for the conditional distribution of each scored column to `row`.
    #[inline]
    pub(crate) fn fill(&self, row: &mut [u8], mut choose: impl FnMut(Masses<'t>) -> u8) {
        let mut walk = self.walk();
        for at in 0..row.len() {
            let Some(conditional) = walk.next(row) else { break };
            if let (Some(masses), Some(slot)) = (conditional, row.get_mut(at)) {
                *slot = choose(masses);
            }
        }
    }
}

/// The bits of a split that hold the position of the tested column.
const POSITION: u32 = 0xFFF;
/// The largest number of splits of a tree.
const MOST_SPLITS: usize = 255;

/// Returns an error unless the splits of the column at `position` are one tree in preorder that tests earlier columns.
const fn check_tree(tree: &[u32], position: usize) -> Result<(), TableError> {
    let damaged = Err(TableError::Inconsistent("outcome splits"));
    if tree.is_empty() || tree.len() > MOST_SPLITS {
        return damaged;
    }
    // `[split]`: the number of splits of its subtree, which its parent, an earlier split, determines. The first has no parent.
    let mut sizes: &mut [u8] = &mut [tree.len() as u8; MOST_SPLITS];
    let mut splits = tree;
    while let (Some((&word, later)), Some((&mut size, rest))) = (splits.split_first(), sizes.split_first_mut()) {
        (splits, sizes) = (later, rest);
        let (size, left) = (size as usize, (word >> 24) as usize);
        if left >= size {
            return damaged;
        }
        let right = size - 1 - left;
        if OutcomeTables::leaves(left, right) != word & (OutcomeTables::LEFT_LEAF | OutcomeTables::RIGHT_LEAF) {
            return damaged;
        }
        if (word & POSITION) as usize >= position {
            return Err(TableError::Order { bit: position as u16 });
        }
        if let (true, Some(slot)) = (left > 0, sizes.first_mut()) {
            *slot = left as u8;
        }
        if let (true, Some((_, [slot, ..]))) = (right > 0, sizes.split_at_mut_checked(left)) {
            *slot = right as u8;
        }
    }
    Ok(())
}

/// Where the parts of a column begin in the slices of its tables.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Start {
    /// The position of the first of its groups or splits.
    pub link: usize,
    /// The position of the first number of its rows.
    pub row: usize,
}

/// An evaluation of one row of outcomes, which yields the conditional distribution of one column after another.
#[derive(Clone, Debug)]
pub struct OutcomeWalk<'t> {
    tables: OutcomeTables<'t>,
    /// The next column.
    column: usize,
    /// Where the groups, the splits and the rows of the next column begin.
    groups: usize,
    splits: usize,
    row: usize,
}

impl<'t> OutcomeWalk<'t> {
    /// Returns the conditional distribution of the next column given the outcomes of earlier columns, `seen[..column]`,
    /// and moves on. Returns `Some(None)` for an observed column, and `None` after the last column.
    #[inline]
    pub fn next(&mut self, seen: &[u8]) -> Option<Option<Masses<'t>>> {
        let &column = self.tables.slices.columns.get(self.column)?;
        let conditional = self.tables.conditional(column, self.start(column), seen);
        self.skip(column);
        Some(conditional)
    }

    /// Returns where the parts of the next column, which is `column`, begin.
    pub(crate) fn start(&self, [_, _, parent]: [u16; 3]) -> Start {
        Start { link: if parent == OutcomeTables::TREE { self.splits } else { self.groups }, row: self.row }
    }

    /// Moves past the next column, which is `column`.
    pub(crate) fn skip(&mut self, [outcomes, own, parent]: [u16; 3]) {
        self.column += 1;
        if own > 0 {
            self.row += usize::from(own) * usize::from(outcomes).wrapping_sub(1);
            match parent {
                OutcomeTables::NO_PARENT => {}
                OutcomeTables::TREE => self.splits += usize::from(own) - 1,
                _ => {
                    let parent = self.tables.slices.columns.get(usize::from(parent));
                    self.groups += parent.map_or(0, |&[outcomes, ..]| usize::from(outcomes));
                }
            }
        }
    }
}
