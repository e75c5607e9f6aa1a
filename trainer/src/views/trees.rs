//! Fits outcome tables by maximum likelihood: a decision tree over earlier columns for each column, whose leaves hold rows
//! of masses. The order of the columns is that of a maximum spanning tree of mutual information (Chow & Liu 1968).

use rayon::prelude::*;
use surprisal::OutcomeTables;

use super::ViewSettings;

/// Price of a split, as a share of half the logarithm of the leaf's rows per outcome that the smaller half has (the
/// Bayesian information criterion has a share of one). Finer trees detect better than likelihood asks for.
const PRICE: f64 = 0.05;
/// Smallest number of rows of a leaf, and of a leaf that is divided.
const SMALLEST_LEAF: f64 = 5.0;
const SMALLEST_DIVIDED: usize = 20;
/// Largest number of earlier columns that a tree may test: those with the largest mutual information.
const TESTED: usize = 16;
/// Largest number of rows from which the mutual information of columns is estimated.
const MOST_ROWS: usize = 10_000;

/// Fitted tables: the slices of [`surprisal::OutcomeTablesSlices`], and the order of the columns.
#[derive(Clone, Debug, Default)]
pub struct FittedTables {
    /// Index of each column among the given columns, in model order.
    pub order: Vec<usize>,
    /// Number of outcomes, number of rows and kind of each column.
    pub columns: Vec<[u16; 3]>,
    /// Rows that the outcomes of parents select, for trees that test a single column.
    pub groups: Vec<u8>,
    /// Splits of the other trees.
    pub splits: Vec<u32>,
    /// Cumulative masses of all rows.
    pub rows: Vec<u16>,
    /// Divergence of the rows of masses from the fitted probabilities, in nats per training row.
    pub kl_quantisation: f64,
}

/// Fits tables on outcomes (`[column][row]`). `counts` holds the number of outcomes of each column, and `observed`
/// whether it is context only.
pub fn fit(outcomes: &[Vec<u8>], counts: &[usize], observed: &[bool], settings: &ViewSettings) -> FittedTables {
    let n = outcomes.len();
    let all: Vec<u32> = (0..outcomes.first().map_or(0, Vec::len) as u32).collect();
    // A sample is enough to find related columns.
    let some: Vec<u32> = all.iter().copied().step_by(all.len().div_ceil(MOST_ROWS).max(1)).collect();
    let joint = |a: usize, b: usize| joint(&some, &outcomes[a], counts[a], &outcomes[b], counts[b]);
    let information: Vec<Vec<f64>> = if settings.leaves > 1 {
        (0..n).into_par_iter().map(|a| (0..a).map(|b| information(&joint(a, b))).collect()).collect()
    } else {
        (0..n).map(|a| vec![0.0; a]).collect()
    };
    let between = |a: usize, b: usize| information[a.max(b)][a.min(b)];
    let order = spanning_tree(observed, between);
    let fit_column = |(at, &column): (usize, &usize)| {
        if observed[column] {
            return (Vec::new(), Vec::new());
        }
        let mut tested: Vec<usize> = (0..at).filter(|&earlier| between(order[earlier], column) > 0.0).collect();
        tested.sort_by(|&a, &b| between(order[b], column).total_cmp(&between(order[a], column)).then(a.cmp(&b)));
        tested.truncate(TESTED);
        let mut grower = Grower { outcomes, counts, order: &order, tested, column, nodes: Vec::new() };
        grower.grow(all.clone(), settings.leaves.clamp(1, 256));
        let (mut splits, mut leaves) = (Vec::new(), Vec::new());
        grower.write(0, &mut splits, &mut leaves);
        (splits, leaves)
    };
    let each: Vec<_> = order.par_iter().enumerate().map(fit_column).collect();
    let mut tables = FittedTables { order: order.clone(), ..FittedTables::default() };
    let rows = all.len().max(1) as f64;
    for (&column, (splits, leaves)) in order.iter().zip(each) {
        let cells = counts[column];
        let kind = match single_parent(&splits) {
            _ if splits.is_empty() => OutcomeTables::NO_PARENT,
            Some(parent) => {
                // A look-up takes fewer instructions than a walk down the tree.
                let outcomes = counts[order[usize::from(parent)]];
                tables.groups.extend((0..outcomes).map(|outcome| leaf(&splits, outcome as u8)));
                parent
            }
            None => {
                tables.splits.extend(splits);
                OutcomeTables::TREE
            }
        };
        tables.columns.push([cells as u16, leaves.len() as u16, kind]);
        let marginal = count(&all, &outcomes[column], cells);
        let smooth: Vec<f64> = marginal.iter().map(|count| (count + 0.5) / (rows + 0.5 * cells as f64)).collect();
        let counts: Vec<Vec<f64>> = leaves.iter().map(|leaf| count(leaf, &outcomes[column], cells)).collect();
        let rules = Rules::of(&counts, &smooth, settings.strength);
        for (leaf, counts) in leaves.iter().zip(&counts) {
            let probabilities = if leaves.len() == 1 { smooth.clone() } else { rules.probabilities(counts) };
            let masses = masses(&probabilities);
            let term = |(&p, &mass): (&f64, &u32)| if p > 0.0 { p * (p * 65536.0 / f64::from(mass)).ln() } else { 0.0 };

            tables.kl_quantisation +=
                probabilities.iter().zip(&masses).map(term).sum::<f64>() * leaf.len() as f64 / rows;
            let mut sum = 0;
            tables.rows.extend(masses[..cells - 1].iter().map(|mass| {
                sum += mass;
                sum as u16
            }));
        }
    }
    tables
}

/// The prior of the leaves of a column: a leaf is a rule, in which a single outcome occurs, or its probabilities have a Dirichlet
/// distribution around those of the column. The share of rules is that of the leaves whose rows all have one outcome.
///
/// Pseudo-counts alone would take a flag that was never seen with the readings of a thousand rows for as likely as one row in
/// a thousand, which is no rarer than the usual tails of numbers. See Mitchell & Beauchamp, *Bayesian Variable Selection in Linear
/// Regression*, 1988, for priors of a spike and a slab.
struct Rules<'a> {
    /// The probabilities of the outcomes in all rows.
    smooth: &'a [f64],
    /// Pseudo-count of all outcomes together.
    strength: f64,
    /// Odds that a leaf is no rule.
    odds: f64,
}

impl<'a> Rules<'a> {
    /// `counts` are those of the outcomes in each leaf.
    fn of(counts: &[Vec<f64>], smooth: &'a [f64], strength: f64) -> Self {
        let pure = counts.iter().filter(|counts| only(counts).is_some()).count() as f64;
        Self { smooth, strength, odds: (counts.len() as f64 - pure + 0.5) / (pure + 0.5) }
    }

    /// Returns the expected probabilities of the outcomes in a leaf with these counts.
    fn probabilities(&self, counts: &[f64]) -> Vec<f64> {
        let Self { smooth, strength, odds } = *self;
        let rows: f64 = counts.iter().sum();
        let dirichlet = |(count, smooth): (&f64, &f64)| (count + strength * smooth) / (rows + strength);
        let mut each: Vec<f64> = counts.iter().zip(smooth).map(dirichlet).collect();
        if let Some(at) = only(counts) {
            // The probability that all rows have this outcome although the leaf is no rule (Pólya's urn).
            let urn = |row: usize| (strength * smooth[at] + row as f64) / (strength + row as f64);
            let chance = odds * (0..rows as usize).map(urn).product::<f64>();
            let no_rule = chance / (chance + 1.0);
            each.iter_mut().for_each(|p| *p *= no_rule);
            each[at] += 1.0 - no_rule;
        }
        each
    }
}

/// Returns the only outcome that occurs, or `None` if there are several.
fn only(counts: &[f64]) -> Option<usize> {
    let mut occurring = counts.iter().enumerate().filter(|(_, count)| **count > 0.0).map(|(at, _)| at);
    occurring.next().filter(|_| occurring.next().is_none())
}

/// Returns the position of the only column that a tree tests, or `None` if it tests none or several.
fn single_parent(splits: &[u32]) -> Option<u16> {
    let tested = |&split: &u32| OutcomeTables::split_parts(split).0;
    let first = tested(splits.first()?);
    splits.iter().all(|split| tested(split) == first).then_some(first)
}

/// Returns the leaf of a tree that tests a single column, given the column's outcome.
fn leaf(mut splits: &[u32], outcome: u8) -> u8 {
    let mut leaf = 0;
    while let Some((&split, rest)) = splits.split_first() {
        let (_, threshold, left) = OutcomeTables::split_parts(split);
        let (below, above) = rest.split_at(left.into());
        if outcome <= threshold {
            splits = below;
        } else {
            leaf += left + 1;
            splits = above;
        }
    }
    leaf
}

/// A node of a growing tree: the rows of a leaf, or (position of the tested column, largest outcome that goes left, left
/// node, right node).
enum Node {
    Leaf(Vec<u32>),
    Split(usize, u8, usize, usize),
}

/// The growing tree of one column.
struct Grower<'a> {
    outcomes: &'a [Vec<u8>],
    counts: &'a [usize],
    order: &'a [usize],
    /// Positions, in model order, of the columns that the tree may test.
    tested: Vec<usize>,
    column: usize,
    nodes: Vec<Node>,
}

impl Grower<'_> {
    /// Grows the tree from one leaf with all rows. Divides the leaf with the most rows first.
    fn grow(&mut self, rows: Vec<u32>, leaves: usize) {
        let mut open = vec![(0, rows.len())];
        self.nodes.push(Node::Leaf(rows));
        let mut count = 1;
        while count < leaves
            && let Some(largest) = (0..open.len()).max_by_key(|&at| (open[at].1, std::cmp::Reverse(open[at].0)))
        {
            let (node, size) = open.swap_remove(largest);
            let Node::Leaf(rows) = &mut self.nodes[node] else { continue };
            let rows = std::mem::take(rows);
            let best = if size < SMALLEST_DIVIDED { None } else { self.best_split(&rows) };
            let Some((at, threshold)) = best else {
                self.nodes[node] = Node::Leaf(rows);
                continue;
            };
            let tested = &self.outcomes[self.order[at]];
            let (left, right): (Vec<u32>, Vec<u32>) = rows.iter().partition(|&&row| tested[row as usize] <= threshold);
            let next = self.nodes.len();
            self.nodes[node] = Node::Split(at, threshold, next, next + 1);
            for rows in [left, right] {
                open.push((self.nodes.len(), rows.len()));
                self.nodes.push(Node::Leaf(rows));
            }
            count += 1;
        }
    }

    /// Returns the split with the largest gain of log-likelihood above its price, if any.
    fn best_split(&self, rows: &[u32]) -> Option<(usize, u8)> {
        let own = count(rows, &self.outcomes[self.column], self.counts[self.column]);
        let whole = likelihood(&own);
        let price = PRICE * 0.5 * (rows.len() as f64).ln();
        let mut best = (0.0, None);
        for &at in &self.tested {
            let tested = self.order[at];
            let joint = joint(
                rows,
                &self.outcomes[tested],
                self.counts[tested],
                &self.outcomes[self.column],
                self.counts[self.column],
            );
            let mut left = vec![0.0; own.len()];
            let mut taken = 0.0;
            for (threshold, row) in joint[..joint.len() - 1].iter().enumerate() {
                let added: f64 = row.iter().sum();
                taken += added;
                left.iter_mut().zip(row).for_each(|(sum, count)| *sum += count);
                if added == 0.0 || taken < SMALLEST_LEAF || rows.len() as f64 - taken < SMALLEST_LEAF {
                    continue;
                }
                let right: Vec<f64> = own.iter().zip(&left).map(|(all, left)| all - left).collect();
                let seen = |counts: &[f64]| counts.iter().filter(|&&count| count > 0.0).count();
                let size = seen(&left).min(seen(&right)).saturating_sub(1).max(1);
                let gain = likelihood(&left) + likelihood(&right) - whole - price * size as f64;
                if gain > best.0 {
                    best = (gain, Some((at, threshold as u8)));
                }
            }
        }
        best.1
    }

    /// Writes a subtree: its splits in preorder, and the rows of its leaves from left to right.
    fn write(&mut self, node: usize, splits: &mut Vec<u32>, leaves: &mut Vec<Vec<u32>>) {
        match &mut self.nodes[node] {
            Node::Leaf(rows) => leaves.push(std::mem::take(rows)),
            &mut Node::Split(at, threshold, left, right) => {
                let own = splits.len();
                splits.push(0);
                self.write(left, splits, leaves);
                let below = splits.len() - own - 1;
                self.write(right, splits, leaves);
                let above = splits.len() - own - 1 - below;
                splits[own] = OutcomeTables::split(at as u16, threshold, below as u8, above as u8);
            }
        }
    }
}

/// Returns the number of rows with each outcome.
fn count(rows: &[u32], outcomes: &[u8], count: usize) -> Vec<f64> {
    let mut counts = vec![0.0; count];
    rows.iter().for_each(|&row| counts[usize::from(outcomes[row as usize])] += 1.0);
    counts
}

/// Returns the number of rows with each pair of outcomes: `[outcome of a][outcome of b]`.
fn joint(rows: &[u32], a: &[u8], outcomes_of_a: usize, b: &[u8], outcomes_of_b: usize) -> Vec<Vec<f64>> {
    let mut counts = vec![vec![0.0; outcomes_of_b]; outcomes_of_a];
    for &row in rows {
        counts[usize::from(a[row as usize])][usize::from(b[row as usize])] += 1.0;
    }
    counts
}

/// Returns the mutual information in nats per row, minus its bias under independence (Miller 1955).
fn information(joint: &[Vec<f64>]) -> f64 {
    let mut marginal = vec![0.0; joint.first().map_or(0, Vec::len)];
    joint.iter().for_each(|row| marginal.iter_mut().zip(row).for_each(|(sum, count)| *sum += count));
    let rows: f64 = marginal.iter().sum();
    let gain: f64 = joint.iter().map(|row| likelihood(row)).sum::<f64>() - likelihood(&marginal);
    let seen = |counts: &mut dyn Iterator<Item = f64>| counts.filter(|&count| count > 0.0).count().max(1) as f64;
    let parents = seen(&mut joint.iter().map(|row| row.iter().sum()));
    (gain - 0.5 * (parents - 1.0) * (seen(&mut marginal.iter().copied()) - 1.0)) / rows.max(1.0)
}

/// Returns the largest log-likelihood of counts, Σ c ln(c / Σ c), in nats.
fn likelihood(counts: &[f64]) -> f64 {
    let term = |count: f64| if count > 0.0 { count * count.ln() } else { 0.0 };
    counts.iter().map(|&count| term(count)).sum::<f64>() - term(counts.iter().sum())
}

/// Returns the order of a maximum spanning tree of mutual information, by Prim's algorithm. Observed columns come first.
fn spanning_tree(observed: &[bool], between: impl Fn(usize, usize) -> f64) -> Vec<usize> {
    let n = observed.len();
    let (mut order, mut rest): (Vec<usize>, Vec<usize>) = (0..n).partition(|&column| observed[column]);
    let mut best = vec![0.0; n];
    let update = |best: &mut Vec<f64>, rest: &[usize], next: usize| {
        rest.iter().for_each(|&column| best[column] = f64::max(best[column], between(column, next)));
    };
    order.iter().for_each(|&next| update(&mut best, &rest, next));
    let total = |a: usize| (0..n).filter(|&b| b != a).map(|b| between(a, b)).sum::<f64>();
    let totals: Vec<f64> = (0..n).map(total).collect();
    // Without a related column, the next one is the column with the most information about all others.
    while let Some(&next) =
        rest.iter().max_by(|&&a, &&b| best[a].total_cmp(&best[b]).then(totals[a].total_cmp(&totals[b])).then(b.cmp(&a)))
    {
        rest.retain(|&column| column != next);
        order.push(next);
        update(&mut best, &rest, next);
    }
    order
}

/// Rounds probabilities to masses of at least 1 that add up to exactly 65536.
fn masses(probabilities: &[f64]) -> Vec<u32> {
    let free = 65536 - probabilities.len() as i64;
    let scaled: Vec<f64> = probabilities.iter().map(|p| (p * 65536.0 - 1.0).max(0.0)).collect();
    let total: f64 = scaled.iter().sum::<f64>().max(1e-9);
    let exact: Vec<f64> = scaled.iter().map(|share| share * free as f64 / total).collect();
    let mut masses: Vec<i64> = exact.iter().map(|share| share.floor() as i64).collect();
    let mut by_rest: Vec<usize> = (0..masses.len()).collect();
    by_rest.sort_by(|&a, &b| (exact[b] - exact[b].floor()).total_cmp(&(exact[a] - exact[a].floor())).then(a.cmp(&b)));
    let left = free - masses.iter().sum::<i64>();
    by_rest.iter().cycle().take(left.max(0) as usize).for_each(|&at| masses[at] += 1);
    masses.into_iter().map(|mass| mass as u32 + 1).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masses_add_up_and_are_positive() {
        for probabilities in [vec![1.0], vec![1.0, 0.0], vec![0.3; 3], vec![1e-9; 256], vec![0.999_99, 1e-5]] {
            let masses = masses(&probabilities);
            assert_eq!(masses.iter().sum::<u32>(), 65536, "{probabilities:?}");
            assert!(masses.iter().all(|&mass| mass > 0));
        }
    }
}
