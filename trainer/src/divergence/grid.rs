//! Represents rows as points of a grid that two models share, even if the order and the polarity of their bits differ.

use std::collections::BTreeMap;
use std::mem::discriminant;

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use surprisal::{Constraint, Kind, Table};

use super::chain::{bit_probabilities, one_probabilities};
use crate::artefact::Artefact;
use crate::error::{Error, Result};
use crate::schema::{ColumnEncoding, Schema};
use crate::with_shape;

/// Largest number of possible rows that are enumerated. Models of up to 20 bits never have more possible rows.
pub const ENUMERABLE: usize = 1 << 20;

/// Operations of a [`Table`] of any capacities, as a trait object.
trait AnyTable: Send + Sync {
    /// Returns the probability p(x_i = 1 | x_<i) of each bit given the earlier bits of a row: `[bit]`.
    fn ones(&self, row: &[bool]) -> Vec<f64>;
    /// Draws a row of bits, with uniform random numbers from `coin`.
    fn sample(&self, coin: &mut dyn FnMut() -> u16) -> Vec<bool>;
    /// Returns the raw constraint of each bit: `[bit]`. Empty if no bit has a constraint.
    fn constraints(&self) -> &[u16];
}

impl<const N: usize, const H: usize, const K: usize> AnyTable for Table<'_, N, H, K> {
    fn ones(&self, row: &[bool]) -> Vec<f64> {
        let mut full = [false; N];
        full[..row.len()].copy_from_slice(row);
        one_probabilities(&self.model, &full)
    }

    fn sample(&self, coin: &mut dyn FnMut() -> u16) -> Vec<bool> {
        self.model.sample(coin)[..self.model.bits()].to_vec()
    }

    fn constraints(&self) -> &[u16] {
        self.model.constraints()
    }
}

/// A model whose rows are points of a grid with one coordinate for each column of a common schema.
pub(super) struct GridModel<'a> {
    table: Box<dyn AnyTable + 'a>,
    pub(super) columns: Vec<GridColumn>,
}

/// Position of a column's bits in a row, and their values for each value of the column's coordinate.
#[derive(Debug, PartialEq)]
pub(super) struct GridColumn {
    /// Index of the column's first bit in a row.
    first: usize,
    /// Bits for each value of the coordinate: `[value][bit]`.
    pub(super) patterns: Vec<Vec<bool>>,
}

impl<'a> GridModel<'a> {
    /// Prepares a model for comparison over the columns of a common schema.
    ///
    /// # Errors
    /// [`Error::Incomparable`] if the columns of the model differ from the columns of the common schema.
    pub(super) fn new(artefact: &'a Artefact, common: &Schema) -> Result<Self> {
        let schema = &artefact.schema;
        let fault = |message: &str| Err(Error::Incomparable(message.to_owned()));
        if let [name, ..] = artefact.schema.given()[..] {
            return Err(Error::Incomparable(format!(
                "the model takes `{name}` as given, so that it is no distribution of whole rows; compare models that were fitted \
                 without --given"
            )));
        }
        if artefact.shape.views > 0 {
            return fault(
                "the model is of the family tables, whose rows are no points of a grid; compare it over readings",
            );
        }
        let table =
            with_shape!(artefact.shape, N, H, K => Box::new(artefact.table::<N, H, K>()?) as Box<dyn AnyTable + 'a>);
        if schema.bits().sum::<usize>() != artefact.shape.bits {
            return fault("the model has bits that belong to no column; pass the file that `surprisal fit` wrote");
        }
        if table.constraints() != schema.constraints() && !schema.bits().all(|bits| bits == 1) {
            return fault(
                "the constraints in the table differ from the constraints of the model's columns; fit the model again",
            );
        }
        same_width(common, schema)?;
        let column = |encoding: &ColumnEncoding| column(schema, common, encoding);
        Ok(Self { table, columns: common.columns.iter().map(column).collect::<Result<_>>()? })
    }

    /// Returns the number of possible rows.
    pub(super) fn outcomes(&self) -> f64 {
        self.columns.iter().map(|column| column.patterns.len() as f64).product()
    }

    /// Returns the number of possible rows, or `None` if there are more than [`ENUMERABLE`].
    pub(super) fn enumerable(&self) -> Option<usize> {
        Some(self.outcomes()).filter(|&outcomes| outcomes <= ENUMERABLE as f64).map(|outcomes| outcomes as usize)
    }

    /// Returns (`[bit]` values, `[bit]` probability of a one given the earlier bits) of a grid point. `row` has one
    /// value index per column of the common schema.
    pub(super) fn walk(&self, row: &[u16]) -> (Vec<bool>, Vec<f64>) {
        let mut bits = vec![false; self.columns.iter().map(|column| column.patterns[0].len()).sum()];
        for (column, &at) in self.columns.iter().zip(row) {
            let pattern = &column.patterns[usize::from(at)];
            bits[column.first..][..pattern.len()].copy_from_slice(pattern);
        }
        let ones = self.table.ones(&bits);
        (bits, ones)
    }

    /// Returns ln p(row) in nats, where `row` has one value index per column of the common schema.
    pub(super) fn ln_probability(&self, row: &[u16]) -> f64 {
        let (bits, ones) = self.walk(row);
        bit_probabilities(&ones, &bits).map(f64::ln).sum()
    }

    /// Converts a row of bits to the value index of each column of the common schema: `[column]`.
    pub(super) fn row(&self, bits: &[bool]) -> Vec<u16> {
        let at =
            |column: &GridColumn| column.patterns.iter().position(|pattern| bits[column.first..].starts_with(pattern));
        self.columns.iter().map(|column| at(column).unwrap_or(0) as u16).collect()
    }

    /// Draws a row from the model as the value index of each column of the common schema: `[column]`.
    pub(super) fn sample(&self, random: &mut ChaCha8Rng) -> Vec<u16> {
        self.row(&self.table.sample(&mut || random.next_u32() as u16))
    }

    /// Returns the probabilities of all `outcomes` possible rows, ordered so that the last column varies fastest.
    pub(super) fn probabilities(&self, outcomes: usize) -> Vec<f64> {
        let of = |mut index: usize| {
            let mut row = vec![0; self.columns.len()];
            for (at, column) in row.iter_mut().zip(&self.columns).rev() {
                (*at, index) = ((index % column.patterns.len()) as u16, index / column.patterns.len());
            }
            let (bits, ones) = self.walk(&row);
            let probability: f64 = bit_probabilities(&ones, &bits).product();
            // A possible row keeps a probability above zero even if the product underflows.
            let possible = bit_probabilities(&ones, &bits).all(|each| each > 0.0);
            if possible { probability.max(f64::MIN_POSITIVE) } else { 0.0 }
        };
        (0..outcomes).into_par_iter().map(of).collect()
    }

    /// Returns the relative frequencies of all `outcomes` possible rows, ordered so that the last column varies
    /// fastest.
    ///
    /// `counts` maps rows of value indices to numbers of occurrences, whose sum is `total`.
    pub(super) fn frequencies(&self, counts: &BTreeMap<&[u16], u32>, total: f64, outcomes: usize) -> Vec<f64> {
        let mut each = vec![0.0; outcomes];
        for (row, &count) in counts {
            let columns = self.columns.iter().zip(*row);
            let index = columns.fold(0, |index, (column, &at)| index * column.patterns.len() + usize::from(at));
            each[index] = f64::from(count) / total;
        }
        each
    }
}

/// Returns whether two models are models of bits with the same cells, so that their rows are points of one grid.
pub fn share_a_grid(p: &Artefact, q: &Artefact) -> bool {
    let same_cells = |own: &ColumnEncoding| {
        let other = q.schema.columns.iter().find(|other| q.schema.name(other) == p.schema.name(own));
        let is_same = |other: &ColumnEncoding| match own.is_number() && other.is_number() {
            true => other.values == own.values,
            false => own.is_number() || other.is_number() || sorted_outcomes(own) == sorted_outcomes(other),
        };
        other.is_none_or(is_same)
    };
    p.shape.views == 0 && q.shape.views == 0 && p.schema.columns.iter().all(same_cells)
}

/// Returns an error if two models have different numbers of columns.
pub(super) fn same_width(one: &Schema, other: &Schema) -> Result<()> {
    let (in_one, in_other) = (one.columns.len(), other.columns.len());
    if in_one == in_other {
        return Ok(());
    }
    let message =
        format!("{in_one} columns in one model, {in_other} in the other; fit both models on the same columns");
    Err(Error::Incomparable(message))
}

/// Finds a column of the common schema in the schema of a model.
///
/// # Errors
/// [`Error::Incomparable`] if the schema lacks the column, or it is of another kind, or may be missing in only one of them.
pub(super) fn same_column<'s>(
    schema: &'s Schema,
    common: &Schema,
    encoding: &ColumnEncoding,
) -> Result<&'s ColumnEncoding> {
    let name = common.name(encoding);
    let fault = |message: &str| fault(name, message);
    let own = schema.columns.iter().find(|own| schema.name(own) == name);
    let own = own.ok_or_else(|| fault("is missing from one of the models"))?;
    if discriminant(&own.kind) != discriminant(&encoding.kind) {
        return Err(fault("has different kinds in the two models"));
    }
    if own.may_miss != encoding.may_miss {
        return Err(fault("may have missing readings in only one of the models"));
    }
    Ok(own)
}

/// Returns the names of a column's outcomes in alphabetical order.
fn sorted_outcomes(encoding: &ColumnEncoding) -> Vec<String> {
    let mut names = outcome_names(encoding);
    names.sort();
    names
}

/// What to do about models that cannot be compared.
pub(super) const REMEDY: &str = "fit both models on the same training rows (the same file and --seed), or run `surprisal eval` with \
                                 each of them on the same new rows";

/// Returns the error of a column that differs in two models.
fn fault(name: &str, message: &str) -> Error {
    Error::Incomparable(format!("column `{name}` {message}; {REMEDY}"))
}

/// Finds a column of the common schema in the schema of a model and returns its bits for each coordinate.
///
/// # Errors
/// The errors of [`same_column`], and [`Error::Incomparable`] if the column has other cells.
fn column(schema: &Schema, common: &Schema, encoding: &ColumnEncoding) -> Result<GridColumn> {
    let own = same_column(schema, common, encoding)?;
    if own.is_number() && own.values != encoding.values {
        return Err(fault(common.name(encoding), "has different bin edges in the two models"));
    }
    if !own.is_number() && sorted_outcomes(own) != sorted_outcomes(encoding) {
        return Err(fault(common.name(encoding), "has different categories in the two models"));
    }
    let first = schema.columns.iter().zip(schema.bit_offsets()).find(|(column, _)| column.source == own.source);
    let (own_patterns, own_outcomes) = (all_patterns(own), outcome_names(own));
    let pattern = |outcome: &String| {
        let at = own_outcomes.iter().position(|own| own == outcome);
        own_patterns[at.expect("the outcomes of both columns have the same names")].clone()
    };
    let patterns = outcome_names(encoding).iter().map(pattern).collect();
    Ok(GridColumn { first: first.map_or(0, |(_, first)| first), patterns })
}

/// Returns the names of a column's outcomes, "missing" first. The names do not depend on the order of the codes.
fn outcome_names(encoding: &ColumnEncoding) -> Vec<String> {
    let outcomes = encoding.column().bits() + usize::from(!encoding.may_miss);
    let outcome_name = |outcome: usize| match encoding.kind {
        Kind::Flag { flipped } => ((outcome == 1) != flipped).to_string(),
        Kind::Integer | Kind::Real => outcome.to_string(),
        _ => match encoding.values.get(outcome) {
            Some(&code) => encoding.labels.get(code as usize).cloned().unwrap_or_else(|| code.to_string()),
            None => "all others".to_owned(),
        },
    };
    let missing = encoding.may_miss.then(|| "missing".to_owned());
    missing.into_iter().chain((0..outcomes).map(outcome_name)).collect()
}

/// Returns the bits of each outcome of a column, "missing" first: `[outcome][bit]`, all patterns that satisfy the
/// constraints.
fn all_patterns(encoding: &ColumnEncoding) -> Vec<Vec<bool>> {
    let constraints = Schema { columns: vec![encoding.clone()], ..Schema::default() }.constraints();
    let mut patterns = vec![Vec::new()];
    for bit in 0..encoding.column().bits() {
        let constraint = constraints.get(bit).map_or(Constraint::FREE, |&constraint| Constraint::from_raw(constraint));
        let longer = |pattern: Vec<bool>| {
            let implied = constraint.implied_value(&pattern);
            let bits = [false, true].into_iter().filter(move |&bit| implied.is_none_or(|implied| implied == bit));
            bits.map(move |bit| [&pattern[..], &[bit]].concat())
        };
        patterns = patterns.into_iter().flat_map(longer).collect();
    }
    patterns.sort_by_key(|pattern| encoding.column().decode(pattern));
    patterns
}
