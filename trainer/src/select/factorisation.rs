//! Factorisations of the distribution over rows: orders of the columns, with schema and rows in the same order.

use super::choices::Choices;
use crate::bits::Bits;
use crate::error::{Error, Result};
use crate::fit::Family;
use crate::order::{self, Order, local_search};
use crate::schema::Schema;
use crate::table::quantise::most_splits;

/// One order of the columns, with schema, training rows and validation rows in that order.
pub struct Factorisation {
    /// Name of the order, for example `learned`.
    pub name: String,
    /// Schema with its columns in this order.
    pub schema: Schema,
    /// Raw constraint of each bit: `[bit]`. Empty if no bit has a constraint.
    pub constraints: Vec<u16>,
    /// Bits that the tree of each bit may test, `[bit][..]`, or `None` for all earlier bits.
    pub tree_features: Option<Vec<Vec<usize>>>,
    /// Training rows with their bits in this order.
    pub train: Bits,
    /// Validation rows with their bits in this order.
    pub valid: Bits,
}

impl Factorisation {
    /// Reorders schema and rows by `order`, a permutation of the columns. Observed columns are moved to the front.
    pub fn new(name: &str, schema: &Schema, order: &[usize], train: &Bits, valid: &Bits) -> Self {
        let (observed, rest): (Vec<usize>, Vec<usize>) = order.iter().partition(|&&k| schema.columns[k].observed);
        let order = &[observed, rest].concat();
        let offsets = schema.bit_offsets();
        let bit_order: Vec<usize> = order.iter().flat_map(|&k| offsets[k]..offsets[k + 1]).collect();
        let schema = schema.reordered(order);
        let constraints = schema.constraints();
        let (train, valid) = (train.reordered(&bit_order), valid.reordered(&bit_order));
        Self { name: name.to_owned(), schema, constraints, tree_features: None, train, valid }
    }

    /// Limits the trees of each column to tests of its parent column's bits. Bits of one column depend on each other by
    /// constraints only.
    fn restrict(mut self, order: &[usize], parent: &[Option<usize>]) -> Self {
        let offsets = self.schema.bit_offsets();
        let features = order.iter().enumerate().flat_map(|(at, &column)| {
            let parent = parent[column].and_then(|parent| order.iter().position(|&k| k == parent));
            let bits = parent.map_or(0..0, |parent| offsets[parent]..offsets[parent + 1]);
            (offsets[at]..offsets[at + 1]).map(move |_| bits.clone().collect())
        });
        self.tree_features = Some(features.collect());
        self
    }
}

/// Returns the factorisations to compare for the order and the family that the user chose.
///
/// # Errors
/// [`Error::Io`] or [`Error::Input`] if the order file cannot be read or does not name each column once;
/// [`Error::Option`] if the family and the order exclude each other.
pub fn factorisations(schema: &Schema, train: &Bits, valid: &Bits, choices: &Choices) -> Result<Vec<Factorisation>> {
    let natural: Vec<usize> = (0..schema.columns.len()).collect();
    let make = |name: &str, order: &[usize]| Factorisation::new(name, schema, order, train, valid);
    let max_splits = most_splits(train.width());
    let learned = || order::learned(schema, train, max_splits);
    let searched = |from: &[usize]| local_search::improve(schema, train, from, max_splits);
    if choices.family == Family::ChowLiu || choices.order == Order::ChowLiu {
        if !matches!(choices.order, Order::Auto | Order::ChowLiu) {
            return Err(Error::option("--order", "the family chow-liu determines the order itself; leave --order out"));
        }
        let (order, parent) = order::chow_liu(schema, train);
        let factorisation = make("chow-liu", &order);
        return Ok(vec![if choices.family == Family::ChowLiu {
            factorisation.restrict(&order, &parent)
        } else {
            factorisation
        }]);
    }
    Ok(match &choices.order {
        Order::Auto if choices.family == Family::Auto => {
            let learned = learned();
            vec![make("natural", &natural), make("search", &searched(&learned)), make("learned", &learned)]
        }
        Order::Auto if choices.family != Family::Marginal => {
            vec![make("natural", &natural), make("learned", &learned())]
        }
        Order::Learned => vec![make("learned", &learned())],
        Order::Search => vec![make("natural", &natural), make("search", &searched(&learned()))],
        Order::Mutual => vec![make("natural", &natural), make("mutual", &order::mutual(schema, train))],
        Order::File(path) => vec![make(&path.display().to_string(), &order::from_file(schema, path)?)],
        _ => vec![make("natural", &natural)],
    })
}
