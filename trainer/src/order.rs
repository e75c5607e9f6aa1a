//! The order in which columns are factorised.

use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::bits::Bits;
use crate::error::{Error, Result};
use crate::fit::tree;
use crate::schema::Schema;

pub mod search;

/// Where the order comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// Natural or learned, whichever predicts the validation rows better.
    #[default]
    Auto,
    /// As the columns stand in the file.
    Natural,
    /// The one that falls out of growing all trees together, [`tree::learn_order`].
    Learned,
    /// From the root of a maximum spanning tree of mutual information (Chow & Liu 1968).
    ChowLiu,
    /// Each column tells most about those before it together.
    Mutual,
    /// The learned one, improved by [`search::search`].
    Search,
    /// A file of column names, one a line.
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

/// The gain in nats at which the trees that decide the order stop to grow.
const GAMMA: f64 = 2.5;

/// The learned order of the columns.
pub fn learned(schema: &Schema, bits: &Bits, most: usize) -> Vec<usize> {
    let column: Vec<usize> = schema.bits().enumerate().flat_map(|(k, bits)| vec![k; bits]).collect();
    tree::learn_order(bits, &schema.guards(), &column, GAMMA, most)
}

/// Reads an order from a file of column names.
///
/// # Errors
/// A name that is no column, or comes twice; a column without a line.
pub fn from_file(schema: &Schema, path: &Path) -> Result<Vec<usize>> {
    let advice =
        "cannot be read; --order takes auto, natural, learned, search, chow-liu, mutual or a file of column names";
    let text = std::fs::read_to_string(path).map_err(Error::io(path, advice))?;
    let mut order = Vec::new();
    for (line, name) in text.lines().map(str::trim).enumerate().filter(|(_, name)| !name.is_empty()) {
        let at = schema.columns.iter().position(|coding| schema.name(coding) == name);
        let fault = |message: &str| Error::input(path, format!("`{name}` {message}")).at("line", line as u64 + 1);
        let at = at.ok_or_else(|| fault("is not a modelled column; name each modelled column once"))?;
        if order.contains(&at) {
            return Err(fault("comes twice; name each modelled column once"));
        }
        order.push(at);
    }
    let absent = (0..schema.columns.len()).find(|k| !order.contains(k));
    if let Some(k) = absent {
        let name = schema.name(&schema.columns[k]);
        return Err(Error::input(path, "not named; give every modelled column a line").column(name));
    }
    Ok(order)
}

/// The maximum spanning tree of mutual information between columns: its order from the root, and for each column
/// its parent in the tree.
pub fn chow_liu(schema: &Schema, bits: &Bits) -> (Vec<usize>, Vec<Option<usize>>) {
    let information = information(schema, bits);
    spanning_tree(information.len(), |a, b| information[a.max(b)][a.min(b)])
}

/// Greedily by mutual information: first the column that tells most about all others, then always the one that those
/// already there tell most about, summed over them.
pub fn mutual(schema: &Schema, bits: &Bits) -> Vec<usize> {
    let information = information(schema, bits);
    let n = information.len();
    let between = |a: usize, b: usize| if a == b { 0.0 } else { information[a.max(b)][a.min(b)] };
    let mut told: Vec<f64> = (0..n).map(|a| (0..n).map(|b| between(a, b)).sum()).collect();
    let mut order: Vec<usize> = Vec::new();
    while let Some(next) =
        (0..n).filter(|a| !order.contains(a)).max_by(|&a, &b| told[a].total_cmp(&told[b]).then(b.cmp(&a)))
    {
        if order.is_empty() {
            told.fill(0.0);
        }
        order.push(next);
        (0..n).for_each(|a| told[a] += between(a, next));
    }
    order
}

/// The mutual information of every two columns, below the diagonal.
fn information(schema: &Schema, bits: &Bits) -> Vec<Vec<f64>> {
    let outcomes = outcomes(schema, bits);
    (0..outcomes.len())
        .into_par_iter()
        .map(|a| (0..a).map(|b| mutual_information(&outcomes[a], &outcomes[b])).collect())
        .collect()
}

/// The order of the columns in the maximum spanning tree of what they tell of each other within a component: given the
/// component, a mixture's trees are to say the rest. `dependence` holds that of each bit and each earlier one.
pub fn of_mixture(schema: &Schema, dependence: &[Vec<f64>]) -> Vec<usize> {
    let column: Vec<usize> = schema.bits().enumerate().flat_map(|(k, bits)| vec![k; bits]).collect();
    let n = schema.columns.len();
    // A bit asks one bit of another column.
    let mut most = vec![vec![0.0; n]; column.len()];
    for (i, j) in (0..column.len()).flat_map(|i| (0..i).map(move |j| (i, j))) {
        for (bit, other) in [(i, column[j]), (j, column[i])] {
            most[bit][other] = f64::max(most[bit][other], dependence[i][j]);
        }
    }
    let mut between = vec![vec![0.0; n]; n];
    most.iter()
        .zip(&column)
        .for_each(|(most, &k)| between[k].iter_mut().zip(most).for_each(|(sum, most)| *sum += most));
    spanning_tree(n, |a, b| between[a][b] + between[b][a]).0
}

/// The maximum spanning tree of `between`: its order from the root, and for each column its parent in the tree.
fn spanning_tree(n: usize, between: impl Fn(usize, usize) -> f64) -> (Vec<usize>, Vec<Option<usize>>) {
    let total = |a: usize| (0..n).filter(|&b| b != a).map(|b| between(a, b)).sum::<f64>();
    // Prim's algorithm from the column that tells most about the others.
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

/// For each column, how many outcomes it has and which each row is, "missing" after all others.
fn outcomes(schema: &Schema, bits: &Bits) -> Vec<(usize, Vec<u16>)> {
    let mut first = 0;
    let each = schema.columns.iter().map(|coding| {
        let column = coding.column();
        let mut cell = vec![false; column.bits()];
        let mut outcome = |row: usize| {
            cell.iter_mut().enumerate().for_each(|(at, bit)| *bit = bits.get(row, first + at));
            column.decode(&cell).unwrap_or(cell.len()) as u16
        };
        let outcomes = (0..bits.rows).map(&mut outcome).collect();
        first += column.bits();
        (column.bits() + 1, outcomes)
    });
    each.collect()
}

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
