//! Orders of the columns in the factorisation p(x) = ∏ p(x_i | x_<i).

use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::bits::Bits;
use crate::data::input;
use crate::error::{Error, Result};
use crate::fit::tree;
use crate::schema::Schema;

pub mod local_search;

/// Method that determines the order of the columns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// The natural or the learned order, whichever predicts the validation rows better.
    #[default]
    Auto,
    /// The order of the columns in the file.
    Natural,
    /// The order that [`tree::learn_order`] finds by growing the trees of all columns together.
    Learned,
    /// The order of a maximum spanning tree of mutual information, from its root (Chow & Liu 1968).
    ChowLiu,
    /// The greedy order by mutual information that [`mutual`] returns.
    Mutual,
    /// The learned order, improved by [`local_search::improve`].
    Search,
    /// The order in a file of column names, one per line.
    File(PathBuf),
}

impl std::str::FromStr for Order {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
        Ok(match text {
            "auto" => Self::Auto,
            "natural" => Self::Natural,
            "learned" => Self::Learned,
            "chow-liu" => Self::ChowLiu,
            "mutual" => Self::Mutual,
            "search" => Self::Search,
            path => Self::File(path.into()),
        })
    }
}

/// Smallest gain of a split in the trees that determine an order, in nats of the training set.
const GAMMA: f64 = 2.5;

/// Returns the column indices in the order that [`tree::learn_order`] finds with at most `max_splits` splits per tree.
pub fn learned(schema: &Schema, bits: &Bits, max_splits: usize) -> Vec<usize> {
    tree::learn_order(bits, &schema.constraints(), &column_of_bit(schema), GAMMA, max_splits)
}

/// Reads an order from a file of column names, one per line.
///
/// # Errors
/// [`Error::Io`] if the file cannot be read; [`Error::Input`] if a line does not name a modelled column, if a name is
/// repeated, or if a modelled column is missing.
pub fn from_file(schema: &Schema, path: &Path) -> Result<Vec<usize>> {
    let advice =
        "cannot be read; --order takes auto, natural, learned, search, chow-liu, mutual or a file of column names";
    let text = input::read_small(path, advice)?;
    let mut order = Vec::new();
    for (line, name) in text.lines().map(str::trim).enumerate().filter(|(_, name)| !name.is_empty()) {
        let at = schema.columns.iter().position(|encoding| schema.name(encoding) == name);
        let fault = |message: &str| Error::input(path, format!("`{name}` {message}")).at("line", line as u64 + 1);
        let at = at.ok_or_else(|| fault("is not a modelled column; name each modelled column once"))?;
        if order.contains(&at) {
            return Err(fault("is named twice; name each modelled column once"));
        }
        order.push(at);
    }
    let missing = (0..schema.columns.len()).find(|k| !order.contains(k));
    if let Some(k) = missing {
        let name = schema.name(&schema.columns[k]);
        return Err(Error::input(path, "the column is missing; add a line for every modelled column").column(name));
    }
    Ok(order)
}

/// Returns the maximum spanning tree of mutual information between columns (Chow & Liu 1968): the order of the columns
/// from the root, and the parent of each column (`None` for the root).
pub fn chow_liu(schema: &Schema, bits: &Bits) -> (Vec<usize>, Vec<Option<usize>>) {
    let information = information(schema, bits);
    spanning_tree(information.len(), |a, b| information[a.max(b)][a.min(b)])
}

/// Returns a greedy order by mutual information.
///
/// The first column has the largest sum of mutual information with all other columns. Each further column has the
/// largest sum of mutual information with the columns already in the order.
pub fn mutual(schema: &Schema, bits: &Bits) -> Vec<usize> {
    let information = information(schema, bits);
    let n = information.len();
    let between = |a: usize, b: usize| if a == b { 0.0 } else { information[a.max(b)][a.min(b)] };
    let mut sums: Vec<f64> = (0..n).map(|a| (0..n).map(|b| between(a, b)).sum()).collect();
    let mut order: Vec<usize> = Vec::new();
    while let Some(next) =
        (0..n).filter(|a| !order.contains(a)).max_by(|&a, &b| sums[a].total_cmp(&sums[b]).then(b.cmp(&a)))
    {
        if order.is_empty() {
            sums.fill(0.0);
        }
        order.push(next);
        (0..n).for_each(|a| sums[a] += between(a, next));
    }
    order
}

/// Returns the mutual information of every two columns, in nats: `[column][earlier column]`.
fn information(schema: &Schema, bits: &Bits) -> Vec<Vec<f64>> {
    let outcomes = outcomes(schema, bits);
    (0..outcomes.len())
        .into_par_iter()
        .map(|a| (0..a).map(|b| mutual_information(&outcomes[a], &outcomes[b])).collect())
        .collect()
}

/// Returns the order of a maximum spanning tree of the dependence between columns given the component of a mixture.
///
/// `dependence` is the mutual information of bits given the component, in nats: `[bit][earlier bit]`.
pub fn of_mixture(schema: &Schema, dependence: &[Vec<f64>]) -> Vec<usize> {
    let column = column_of_bit(schema);
    let n = schema.columns.len();
    // A bit has one parent, so that only its largest dependence on a bit of another column counts.
    let mut largest = vec![vec![0.0; n]; column.len()];
    for (i, j) in (0..column.len()).flat_map(|i| (0..i).map(move |j| (i, j))) {
        for (bit, other) in [(i, column[j]), (j, column[i])] {
            largest[bit][other] = f64::max(largest[bit][other], dependence[i][j]);
        }
    }
    let mut between = vec![vec![0.0; n]; n];
    for (largest, &k) in largest.iter().zip(&column) {
        between[k].iter_mut().zip(largest).for_each(|(sum, largest)| *sum += largest);
    }
    spanning_tree(n, |a, b| between[a][b] + between[b][a]).0
}

/// Returns the maximum spanning tree of n columns under the weights `between`: the order of the columns from the root,
/// and the parent of each column (`None` for the root).
fn spanning_tree(n: usize, between: impl Fn(usize, usize) -> f64) -> (Vec<usize>, Vec<Option<usize>>) {
    let total = |a: usize| (0..n).filter(|&b| b != a).map(|b| between(a, b)).sum::<f64>();
    // Prim's algorithm, from the column with the largest sum of weights.
    let Some(root) = (0..n).max_by(|&a, &b| total(a).total_cmp(&total(b)).then(b.cmp(&a))) else {
        return Default::default();
    };
    let (mut order, mut parent) = (vec![root], vec![None; n]);
    let mut best: Vec<(f64, usize)> =
        (0..n).map(|a| if a == root { (0.0, root) } else { (between(a, root), root) }).collect();
    while order.len() < n {
        let outside = (0..n).filter(|a| !order.contains(a));
        let Some(next) = outside.max_by(|&a, &b| best[a].0.total_cmp(&best[b].0).then(b.cmp(&a))) else { break };
        parent[next] = Some(best[next].1);
        order.push(next);
        for a in (0..n).filter(|&a| a != next) {
            if between(a, next) > best[a].0 {
                best[a] = (between(a, next), next);
            }
        }
    }
    (order, parent)
}

/// Returns the index of the column of each bit: `[bit]`.
fn column_of_bit(schema: &Schema) -> Vec<usize> {
    schema.bits().enumerate().flat_map(|(k, bits)| vec![k; bits]).collect()
}

/// Returns (number of outcomes, outcome of each row) for each column. The last outcome means "missing".
fn outcomes(schema: &Schema, bits: &Bits) -> Vec<(usize, Vec<u16>)> {
    let each = schema.columns.iter().zip(schema.bit_offsets()).map(|(encoding, first)| {
        let column = encoding.column();
        let mut cell = vec![false; column.bits()];
        let mut outcome = |row: usize| {
            cell.iter_mut().enumerate().for_each(|(at, bit)| *bit = bits.get(row, first + at));
            column.decode(&cell).unwrap_or(cell.len()) as u16
        };
        (column.bits() + 1, (0..bits.rows).map(&mut outcome).collect())
    });
    each.collect()
}

/// Returns the mutual information of two columns in nats, given each as (number of outcomes, outcome of each row).
fn mutual_information((ka, a): &(usize, Vec<u16>), (kb, b): &(usize, Vec<u16>)) -> f64 {
    let mut joint = vec![0u32; ka * kb];
    a.iter().zip(b).for_each(|(&a, &b)| joint[usize::from(a) * kb + usize::from(b)] += 1);
    let n = a.len() as f64;
    let plogp = |count: u32| if count == 0 { 0.0 } else { f64::from(count) * (f64::from(count) / n).ln() };
    let row = |i: usize| joint[i * kb..][..*kb].iter().sum::<u32>();
    let column = |j: usize| joint.iter().skip(j).step_by(*kb).sum::<u32>();
    let both: f64 = joint.iter().map(|&count| plogp(count)).sum();
    (both - (0..*ka).map(|i| plogp(row(i))).sum::<f64>() - (0..*kb).map(|j| plogp(column(j))).sum::<f64>()) / n
}
