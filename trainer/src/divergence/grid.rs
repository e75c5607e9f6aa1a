//! Rows as points of a grid that two models share, whatever the order and polarity of their bits.

use std::collections::BTreeMap;
use std::mem::discriminant;

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use surprisal::{Guard, Kind, Table};

use super::{ENUMERABLE, each, ones};
use crate::artefact::Artefact;
use crate::error::{Error, Result};
use crate::schema::{Coding, Schema};
use crate::with_shape;

/// The core's table without its number of bits.
trait Chain: Send + Sync {
    /// p(x_i = 1 | x_<i) along a row.
    fn ones(&self, row: &[bool]) -> Vec<f64>;
    fn sample(&self, coin: &mut dyn FnMut() -> u16) -> Vec<bool>;
    fn guards(&self) -> &[u16];
}

impl<const N: usize, const H: usize, const K: usize> Chain for Table<'_, N, H, K> {
    fn ones(&self, row: &[bool]) -> Vec<f64> {
        let mut full = [false; N];
        full[..row.len()].copy_from_slice(row);
        ones(&self.model, &full)
    }

    fn sample(&self, coin: &mut dyn FnMut() -> u16) -> Vec<bool> {
        self.model.sample(coin)[..self.model.bits()].to_vec()
    }

    fn guards(&self) -> &[u16] {
        self.model.pieces().1
    }
}

/// A model that speaks of rows as points of a grid: for each column of a common schema a coordinate, whatever the
/// order, polarity and pivots of its own bits.
pub(super) struct Side<'a> {
    chain: Box<dyn Chain + 'a>,
    pub(super) places: Vec<Place>,
}

/// Where a column's bits begin, and what they are for each value of its coordinate.
#[derive(Debug, PartialEq)]
pub(super) struct Place {
    first: usize,
    pub(super) patterns: Vec<Vec<bool>>,
}

impl<'a> Side<'a> {
    pub(super) fn new(artefact: &'a Artefact, common: &Schema) -> Result<Self> {
        let schema = &artefact.schema;
        let chain =
            with_shape!(artefact.shape, N, H, K => Box::new(artefact.table::<N, H, K>()?) as Box<dyn Chain + 'a>);
        let fault = |message: &str| Err(Error::Incomparable(message.to_owned()));
        if schema.bits().sum::<usize>() != artefact.shape.bits {
            return fault("the model is of bare bits without columns; pass the file that `surprisal fit` wrote");
        }
        if chain.guards() != schema.guards() && !schema.bits().all(|bits| bits == 1) {
            return fault(
                "the model's constraints are not those of its columns, so that its rows have no readings; fit again",
            );
        }
        let (in_one, in_other) = (common.columns.len(), schema.columns.len());
        if in_one != in_other {
            let counts = format!("{in_one} columns in one model, {in_other} in the other");
            return fault(&format!("{counts}; both must be of the same columns"));
        }
        let place = |coding: &Coding| place(schema, common, coding);
        Ok(Self { chain, places: common.columns.iter().map(place).collect::<Result<_>>()? })
    }

    pub(super) fn outcomes(&self) -> f64 {
        self.places.iter().map(|place| place.patterns.len() as f64).product()
    }

    /// How many different rows there can be, if few enough.
    pub(super) fn enumerable(&self) -> Option<usize> {
        Some(self.outcomes()).filter(|&outcomes| outcomes <= ENUMERABLE as f64).map(|outcomes| outcomes as usize)
    }

    pub(super) fn walk(&self, row: &[u16]) -> (Vec<bool>, Vec<f64>) {
        let mut bits = vec![false; self.places.iter().map(|place| place.patterns[0].len()).sum()];
        for (place, &at) in self.places.iter().zip(row) {
            let pattern = &place.patterns[usize::from(at)];
            bits[place.first..][..pattern.len()].copy_from_slice(pattern);
        }
        let ones = self.chain.ones(&bits);
        (bits, ones)
    }

    pub(super) fn ln_probability(&self, row: &[u16]) -> f64 {
        let (bits, ones) = self.walk(row);
        each(&ones, &bits).map(f64::ln).sum()
    }

    pub(super) fn row(&self, bits: &[bool]) -> Vec<u16> {
        let at = |place: &Place| place.patterns.iter().position(|pattern| bits[place.first..].starts_with(pattern));
        self.places.iter().map(|place| at(place).unwrap_or(0) as u16).collect()
    }

    pub(super) fn sample(&self, random: &mut ChaCha8Rng) -> Vec<u16> {
        self.row(&self.chain.sample(&mut || random.next_u32() as u16))
    }

    /// The probability of every row, the last coordinate running fastest.
    pub(super) fn probabilities(&self, outcomes: usize) -> Vec<f64> {
        let of = |mut index: usize| {
            let mut row = vec![0; self.places.len()];
            for (at, place) in row.iter_mut().zip(&self.places).rev() {
                (*at, index) = ((index % place.patterns.len()) as u16, index / place.patterns.len());
            }
            let (bits, ones) = self.walk(&row);
            let probability: f64 = each(&ones, &bits).product();
            // What is possible stays so, even if too unlikely for an `f64`.
            let possible = each(&ones, &bits).all(|each| each > 0.0);
            if possible { probability.max(f64::MIN_POSITIVE) } else { 0.0 }
        };
        (0..outcomes).into_par_iter().map(of).collect()
    }

    /// The frequency of every row, likewise.
    pub(super) fn frequencies(&self, counts: &BTreeMap<&[u16], u32>, total: f64, outcomes: usize) -> Vec<f64> {
        let mut each = vec![0.0; outcomes];
        for (row, &count) in counts {
            let places = self.places.iter().zip(*row);
            let index = places.fold(0, |index, (place, &at)| index * place.patterns.len() + usize::from(at));
            each[index] = f64::from(count) / total;
        }
        each
    }
}

/// Where a schema has a column of a common one.
fn place(schema: &Schema, common: &Schema, coding: &Coding) -> Result<Place> {
    const REMEDY: &str = "fit both models on the same training rows (the same file and --seed)";
    let name = common.name(coding);
    let mut first = 0;
    let before = |own: &&Coding| {
        let found = schema.name(own) == name;
        first += if found { 0 } else { own.column().bits() };
        found
    };
    let own = schema.columns.iter().find(before);
    let fault = |message: &str| Error::Incomparable(format!("column `{name}` {message}; {REMEDY}"));
    let own = own.ok_or_else(|| fault("is in one model alone"))?;
    if discriminant(&own.kind) != discriminant(&coding.kind) {
        return Err(fault("is of one kind in one model and of another in the other"));
    }
    if own.may_miss != coding.may_miss {
        return Err(fault("may be missing in one model alone"));
    }
    let numeric = matches!(own.kind, Kind::Integer | Kind::Real);
    if numeric && own.values != coding.values {
        return Err(fault("has other edges in the other model"));
    }
    let (mut patterns, meanings) = (Vec::new(), meanings(coding));
    let (own_patterns, own_meanings) = (all_patterns(own), self::meanings(own));
    for meaning in &meanings {
        let at = own_meanings.iter().position(|own| own == meaning).filter(|_| meanings.len() == own_meanings.len());
        let at = at.ok_or_else(|| fault("has other categories in the other model"))?;
        patterns.push(own_patterns[at].clone());
    }
    Ok(Place { first, patterns })
}

/// What a column's outcomes are, "missing" first, in whatever way they are coded.
fn meanings(coding: &Coding) -> Vec<String> {
    let outcomes = coding.column().bits() + usize::from(!coding.may_miss);
    let meaning = |outcome: usize| match coding.kind {
        Kind::Flag { flipped } => ((outcome == 1) != flipped).to_string(),
        Kind::Integer | Kind::Real => outcome.to_string(),
        _ => match coding.values.get(outcome) {
            Some(&code) => coding.labels.get(code as usize).cloned().unwrap_or_else(|| code.to_string()),
            None => "all others".to_owned(),
        },
    };
    let missing = coding.may_miss.then(|| "missing".to_owned());
    missing.into_iter().chain((0..outcomes).map(meaning)).collect()
}

/// The bits of a column's outcomes, "missing" first: whatever its guards allow.
fn all_patterns(coding: &Coding) -> Vec<Vec<bool>> {
    let guards = Schema { columns: vec![coding.clone()], ..Schema::default() }.guards();
    let mut patterns = vec![Vec::new()];
    for bit in 0..coding.column().bits() {
        let guard = guards.get(bit).map_or(Guard::FREE, |&guard| Guard::from_raw(guard));
        let longer = |pattern: Vec<bool>| {
            let forced = guard.forces(&pattern);
            let bits = [false, true].into_iter().filter(move |&bit| forced.is_none_or(|forced| forced == bit));
            bits.map(move |bit| [&pattern[..], &[bit]].concat())
        };
        patterns = patterns.into_iter().flat_map(longer).collect();
    }
    patterns.sort_by_key(|pattern| coding.column().decode(pattern));
    patterns
}
