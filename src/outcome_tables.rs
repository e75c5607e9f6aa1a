//! Outcome tables: a model with one conditional distribution per column, stored as rows of masses.
//!
//! Each column has at most 256 outcomes: the cells of a number, the codes of a category, and "missing". The conditional
//! of a column is a row of masses, one mass per outcome, which add up to exactly 65536. Which row it is depends on earlier
//! columns in one of two ways: by the group of the outcome of one column, its parent, as in the trees of Chow & Liu
//! (*Approximating Discrete Probability Distributions with Dependence Trees*, 1968), or by a decision tree over the
//! outcomes of several columns.

use crate::error::TableError;
use crate::nats::Nats;

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
    /// For each column with a tree: its splits in preorder, one fewer than rows. A split holds the position of the tested
    /// column (low byte, high byte), the largest outcome that goes left, and the number of splits of the left subtree.
    /// The leaves select the rows from left to right.
    pub splits: &'t [[u8; 4]],
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

    /// Checks the storage and creates the model.
    ///
    /// # Errors
    /// [`TableError::Order`] if a parent does not come before its column; [`TableError::Inconsistent`] if a slice is
    /// too short or too long, a number of outcomes is not in 1..=256, a group selects no row, or a row does not ascend.
    pub const fn new(slices: OutcomeTablesSlices<'t>) -> Result<Self, TableError> {
        let OutcomeTablesSlices { columns, mut groups, mut splits, mut rows } = slices;
        let (mut left, mut position) = (columns, 0);
        while let Some((&[outcomes, own, parent], rest)) = left.split_first() {
            left = rest;
            if outcomes == 0 || outcomes > 256 || position > 4095 {
                return Err(TableError::Inconsistent("outcome columns"));
            }
            if own > 0 && parent == Self::TREE {
                let Some((mut tree, rest)) = splits.split_at_checked(own as usize - 1) else {
                    return Err(TableError::Inconsistent("outcome splits"));
                };
                splits = rest;
                while let Some((&[low, high, ..], rest)) = tree.split_first() {
                    if u16::from_le_bytes([low, high]) as usize >= position {
                        return Err(TableError::Order { bit: position as u16 });
                    }
                    tree = rest;
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
        OutcomeWalk { columns: self.slices.columns, all: self.slices }
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

/// An evaluation of one row of outcomes, which yields the conditional distribution of one column after another.
#[derive(Clone, Debug)]
pub struct OutcomeWalk<'t> {
    /// The columns that were not evaluated yet.
    columns: &'t [[u16; 3]],
    /// All columns, and the groups and rows of the columns that were not evaluated yet.
    all: OutcomeTablesSlices<'t>,
}

impl<'t> OutcomeWalk<'t> {
    /// Returns the conditional distribution of the next column given the outcomes of earlier columns, `seen[..column]`,
    /// and moves on. Returns `Some(None)` for an observed column, and `None` after the last column.
    #[inline]
    pub fn next(&mut self, seen: &[u8]) -> Option<Option<Masses<'t>>> {
        let (&[outcomes, own, parent], rest) = self.columns.split_first()?;
        self.columns = rest;
        if own == 0 {
            return Some(None);
        }
        let mut row = 0;
        if parent == OutcomeTables::TREE {
            let (mut tree, rest) = self.all.splits.split_at_checked(usize::from(own).wrapping_sub(1))?;
            self.all.splits = rest;
            while let Some((&[low, high, threshold, left], rest)) = tree.split_first() {
                // Any numbers of splits form a tree if a left subtree that is too large takes all splits.
                let (left, right) = rest.split_at_checked(usize::from(left).min(rest.len()))?;
                let tested = seen.get(usize::from(u16::from_le_bytes([low, high])))?;
                tree = if *tested <= threshold {
                    left
                } else {
                    row += left.len() + 1;
                    right
                };
            }
        } else if parent != OutcomeTables::NO_PARENT {
            let parent = usize::from(parent);
            let outcomes = self.all.columns.get(parent).map_or(0, |&[outcomes, ..]| usize::from(outcomes));
            let (groups, rest) = self.all.groups.split_at_checked(outcomes)?;
            self.all.groups = rest;
            row = usize::from(*groups.get(usize::from(*seen.get(parent)?)).unwrap_or(&0));
        }
        let length = usize::from(outcomes).wrapping_sub(1);
        let (rows, rest) = self.all.rows.split_at_checked(length * usize::from(own))?;
        self.all.rows = rest;
        let sums = rows.get(length * row..).and_then(|rows| rows.get(..length))?;
        Some(Some(Masses { sums }))
    }
}

/// The conditional distribution of one column: a row of masses.
#[derive(Clone, Copy, Debug)]
pub struct Masses<'t> {
    sums: &'t [u16],
}

impl<'t> Masses<'t> {
    /// Returns the number of outcomes.
    pub const fn outcomes(&self) -> usize {
        self.sums.len() + 1
    }

    /// Returns (the sum of the masses of all smaller outcomes, the sum including this outcome), in units of 1/65536.
    /// An outcome past the last one counts as the last one.
    #[inline]
    pub fn bounds(&self, outcome: u8) -> (u32, u32) {
        let at = usize::from(outcome).min(self.sums.len());
        let high = self.sums.get(at).map_or(WHOLE, |&sum| sum.into());
        (at.checked_sub(1).and_then(|before| self.sums.get(before)).map_or(0, |&sum| sum.into()), high)
    }

    /// Returns the probability of an outcome, in units of 1/65536: a number in 1..=65536.
    #[inline]
    pub fn mass(&self, outcome: u8) -> u32 {
        let (low, high) = self.bounds(outcome);
        high.wrapping_sub(low)
    }

    /// Returns -ln(mass / 65536) of an outcome.
    #[inline]
    pub fn surprisal(&self, outcome: u8) -> Nats {
        Nats::of_valid_mass(self.mass(outcome))
    }

    /// Returns -ln of twice the smaller of P(at most this outcome) and P(at least this outcome), or zero if both exceed
    /// one half: the two-sided tail of the probability integral transform (Rosenblatt 1952).
    #[inline]
    pub fn tail(&self, outcome: u8) -> Nats {
        let (low, high) = self.bounds(outcome);
        tail_of(low, high)
    }

    /// Returns [`surprisal`](Self::surprisal) and [`tail`](Self::tail) of an outcome.
    #[inline]
    pub(crate) fn surprisal_and_tail(&self, outcome: u8) -> (Nats, Nats) {
        let (low, high) = self.bounds(outcome);
        (Nats::of_valid_mass(high.wrapping_sub(low)), tail_of(low, high))
    }

    /// Draws an outcome with exactly its probability, if `coin` is uniform in 0..=65535.
    pub fn decide(&self, coin: u16) -> u8 {
        self.first_above(|sum| sum <= coin.into())
    }

    /// Returns the first outcome for whose sum of masses `is_below` is false, by a binary search. The sum of an outcome
    /// includes all smaller outcomes; the last outcome has no sum that could be too small.
    #[inline]
    pub(crate) fn first_above(&self, is_below: impl Fn(u32) -> bool) -> u8 {
        self.sums.partition_point(|&sum| is_below(sum.into())) as u8
    }

    /// Returns the outcome with the largest mass, the smallest such outcome if there are several.
    pub fn mode(&self) -> u8 {
        self.likeliest().next().unwrap_or(0)
    }

    /// Yields all outcomes by falling mass, and outcomes of equal mass by their number. Each takes a pass over the row.
    pub(crate) fn likeliest(&self) -> impl Iterator<Item = u8> + use<'t> {
        let (sums, mut last) = (self.sums, None);
        core::iter::from_fn(move || {
            let (mut next, mut below): (Option<(u32, u8)>, _) = (None, 0);
            for (outcome, sum) in (0..=255).zip(sums.iter().map(|&sum| u32::from(sum)).chain([WHOLE])) {
                let mass = sum.wrapping_sub(below);
                below = sum;
                let is_left = last.is_none_or(|(least, at)| mass < least || mass == least && outcome > at);
                if is_left && next.is_none_or(|(most, _)| mass > most) {
                    next = Some((mass, outcome));
                }
            }
            last = next;
            next.map(|(_, outcome)| outcome)
        })
    }
}

/// Returns -ln of twice the smaller of P(at most an outcome) and P(at least it), given the bounds of the outcome.
#[inline]
fn tail_of(low: u32, high: u32) -> Nats {
    Nats::of_valid_mass((2 * high.min(WHOLE - low)).min(WHOLE))
}
