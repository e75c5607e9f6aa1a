//! Chooses order, family and settings on the validation rows, under limits that are never exceeded.

use serde::Serialize;
use surprisal::Activation;

use crate::bits::Bits;
use crate::error::{Error, Result};
use crate::fit::ascent::{Ascent, AscentChoices};
use crate::fit::nade::Rows;
use crate::fit::{Family, Recipe, fit, sgd};
use crate::model::{Conditional, Model};
use crate::observer::{Event, Observer};
use crate::order::{self, Order};
use crate::quantise::{TableData, most_splits};
use crate::schema::Schema;

pub mod cells;
mod mixture;
pub mod pool;
mod ration;
pub mod search;

use pool::Pool;

/// What the user may fix; the rest is chosen.
#[derive(Clone, Debug)]
pub struct Choices {
    /// What conditionals are made of.
    pub family: Family,
    /// Where the order comes from.
    pub order: Order,
    /// What a split must gain, in nats.
    pub gamma: Option<f64>,
    /// The L1 penalty of logistic rows, or the pseudo-count of trees alone and of mixtures.
    pub strength: Option<f64>,
    /// How many components a mixture has.
    pub components: Option<usize>,
    /// The quadratic penalty on weights.
    pub l2: f64,
    /// Of what is drawn in fitting.
    pub seed: u64,
    /// What hidden layers are like.
    pub layer: LayerChoices,
    /// How they are fitted, and logistic rows too if it names an optimizer.
    pub ascent: AscentChoices,
}

/// What the user may fix of a hidden layer.
#[derive(Clone, Copy, Debug, Default)]
pub struct LayerChoices {
    /// How many units.
    pub units: Option<usize>,
    /// What they make of their sums.
    pub activation: Option<Activation>,
    /// The share of units that each row does without while it is learned from.
    pub dropout: Option<f32>,
    /// The share of ones that each row does not feed to the layer meanwhile.
    pub input_dropout: Option<f32>,
    /// How many layers to fit from different starts.
    pub restarts: Option<usize>,
    /// Are they fitted on top of the best conditionals, which stay as they are, instead of beside them?
    pub offset: bool,
}

/// The split gain and the strength of a fit that tells orders or encodings apart.
const MIDDLING: (f64, f64) = (2.5, 5.0);
/// Up to this size `auto` looks at mixtures of trees, too.
const MIXTURES_UNTIL: usize = 8 << 10;

/// What a model may cost.
pub struct Budget<'a> {
    /// Bytes of the file.
    pub flash: usize,
    /// Bytes of the row and its walk while scoring.
    pub ram: usize,
    /// Additions, multiplications and tree steps of a row, at most.
    pub operations: usize,
    /// How many bytes the file has beside the table as it is chosen: its notes, and what calibration adds.
    pub beside: &'a BytesBeside<'a>,
}

type BytesBeside<'a> = dyn Fn(&Made) -> usize + Sync + 'a;

/// How a model was made.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Made {
    /// `natural`, `learned`, `chow-liu` or the file's name.
    pub order: String,
    /// What a split had to gain, and the L1 penalty or pseudo-count; none when conditionals were chosen one by one to
    /// fit a size.
    pub setting: Option<(f64, f64)>,
    /// What else it is made of.
    pub parts: Option<String>,
}

impl Default for Choices {
    fn default() -> Self {
        let (family, order) = Default::default();
        Self {
            family,
            order,
            gamma: None,
            strength: None,
            components: None,
            l2: 0.3,
            seed: 0,
            layer: Default::default(),
            ascent: Default::default(),
        }
    }
}

/// The model that predicts the validation rows best, of those that fit.
#[derive(Clone, Debug)]
pub struct Chosen {
    /// Columns in model order.
    pub schema: Schema,
    /// As fitted.
    pub model: Model,
    /// As quantised.
    pub table: TableData,
    /// How it was made.
    pub made: Made,
    /// Mean log-likelihood of the validation rows under the float model.
    pub valid_ll: f64,
    /// Size of the file.
    pub bytes: usize,
    /// What one middling fit in each of the orders tried says of the validation rows, in nats a row.
    pub orders: Vec<OrderTried>,
}

/// An order and the mean log-likelihood of the validation rows under one middling fit in it.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct OrderTried {
    pub order: String,
    pub valid_ll: f64,
}

/// One way to factorise, with the training and validation rows in that order.
pub struct Factorisation {
    name: String,
    schema: Schema,
    guards: Vec<u16>,
    askable: Option<Vec<Vec<usize>>>,
    train: Bits,
    valid: Bits,
}

impl Factorisation {
    fn new(name: &str, schema: &Schema, order: &[usize], train: &Bits, valid: &Bits) -> Self {
        // What is given comes first.
        let (given, rest): (Vec<usize>, Vec<usize>) = order.iter().partition(|&&k| schema.columns[k].given);
        let order = &[given, rest].concat();
        let starts = starts(schema);
        let bit_order: Vec<usize> = order.iter().flat_map(|&k| starts[k]..starts[k + 1]).collect();
        let schema = schema.reordered(order);
        let guards = schema.guards();
        let (train, valid) = (train.reordered(&bit_order), valid.reordered(&bit_order));
        Self { name: name.to_owned(), schema, guards, askable: None, train, valid }
    }

    /// Lets the trees of a column ask only its parent's bits in a tree of columns; guards see to its own.
    fn restrict(mut self, order: &[usize], parent: &[Option<usize>]) -> Self {
        let starts = starts(&self.schema);
        let askable = order.iter().enumerate().flat_map(|(at, &column)| {
            let parent = parent[column].and_then(|parent| order.iter().position(|&k| k == parent));
            let bits = parent.map_or(0..0, |parent| starts[parent]..starts[parent + 1]);
            (starts[at]..starts[at + 1]).map(move |_| bits.clone().collect())
        });
        self.askable = Some(askable.collect());
        self
    }
}

/// Where each column's bits start, and where the last one's end.
pub(crate) fn starts(schema: &Schema) -> Vec<usize> {
    let mut end = 0;
    std::iter::once(0)
        .chain(schema.bits().map(|bits| {
            end += bits;
            end
        }))
        .collect()
}

/// Fits what the choices leave open and returns the best that fits into the budget.
///
/// # Errors
/// An order file that does not fit the columns; a budget that not even marginals fit into.
pub fn select(
    schema: &Schema,
    train: &Bits,
    valid: &Bits,
    choices: &Choices,
    budget: &Budget,
    observer: &dyn Observer,
) -> Result<Chosen> {
    if choices.family == Family::Mixture {
        return mixture::select(schema, train, valid, choices, budget);
    }
    let mut factorisations = factorisations(schema, train, valid, choices)?;
    let mut orders = Vec::new();
    if factorisations.len() > 1 {
        // One middling fit tells the orders apart.
        let strength = choices.strength.filter(|_| choices.family != Family::Boost);
        let (gamma, strength) = (choices.gamma.unwrap_or(MIDDLING.0), strength.unwrap_or(MIDDLING.1));
        // Boosting's strength is a rate, and many trees take long.
        let own = choices.family.is_of_conditionals() && choices.family != Family::Boost;
        let family = if own { choices.family } else { Family::Lintree };
        let mut best = (f64::NEG_INFINITY, 0);
        for (at, factorisation) in factorisations.iter().enumerate() {
            if observer.is_cancelled() {
                return Err(Error::Cancelled);
            }
            let fitted = run(factorisation, family, choices, gamma, &[strength], observer);
            let valid_ll = fitted[0].log_likelihood(&factorisation.valid);
            orders.push(OrderTried { order: factorisation.name.clone(), valid_ll });
            // An order that was asked for comes last, and is only told what it is worth.
            if valid_ll > best.0 || choices.order != Order::Auto {
                best = (valid_ll, at);
            }
        }
        factorisations = vec![factorisations.swap_remove(best.1)];
    }
    let mut pool = Pool::new(&factorisations[0], choices, budget, observer);
    let candidate = if choices.family.is_of_conditionals() {
        pool.fit_grid(choices.family);
        pool.best(None)
    } else {
        search::search(&mut pool)
    };
    if choices.family == Family::Auto && budget.flash <= MIXTURES_UNTIL {
        // A mixture has an order of its own.
        let mixture = mixture::select(schema, train, valid, choices, budget).ok();
        let beaten = |mixture: &Chosen| candidate.as_ref().is_ok_and(|other| other.cautious >= mixture.valid_ll);
        if let Some(mixture) = mixture.filter(|mixture| !beaten(mixture)) {
            return Ok(Chosen { orders, ..mixture });
        }
    }
    let candidate = candidate?;
    Ok(Chosen {
        schema: factorisations[0].schema.clone(),
        model: candidate.model,
        table: candidate.table,
        made: candidate.made,
        valid_ll: candidate.valid_ll,
        bytes: candidate.bytes,
        orders,
    })
}

/// The log-likelihood of each validation row under one middling fit of a family of conditionals in the schema's order.
pub fn trial(
    schema: &Schema,
    train: &Bits,
    valid: &Bits,
    choices: &Choices,
    family: Family,
    observer: &dyn Observer,
) -> Vec<f64> {
    let natural: Vec<usize> = (0..schema.columns.len()).collect();
    let factorisation = Factorisation::new("natural", schema, &natural, train, valid);
    let model = &run(&factorisation, family, choices, MIDDLING.0, &[MIDDLING.1], observer)[0];
    let mut each = vec![0.0; valid.rows];
    for (i, conditional) in model.conditionals.iter().enumerate() {
        let likelihoods = conditional.log_likelihoods(valid, &factorisation.guards, i);
        each.iter_mut().zip(likelihoods).for_each(|(sum, likelihood)| *sum += likelihood);
    }
    each
}

fn factorisations(schema: &Schema, train: &Bits, valid: &Bits, choices: &Choices) -> Result<Vec<Factorisation>> {
    let natural: Vec<usize> = (0..schema.columns.len()).collect();
    let make = |name: &str, order: &[usize]| Factorisation::new(name, schema, order, train, valid);
    let most = most_splits(train.width());
    let learned = || order::learned(schema, train, most);
    let searched = |from: &[usize]| order::search::search(schema, train, from, most);
    if choices.family == Family::ChowLiu || choices.order == Order::ChowLiu {
        if !matches!(choices.order, Order::Auto | Order::ChowLiu) {
            return Err(Error::option("--order", "the family chow-liu determines its order; leave --order out"));
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

/// Split gains and strengths to try, the strongest strength first.
fn grid(family: Family, choices: &Choices) -> (Vec<f64>, Vec<f64>) {
    let (gammas, strengths): (&[f64], &[f64]) = match family {
        Family::ChowLiu => (&[0.0], &[20.0, 8.0, 3.0, 1.0]),
        Family::Tree => (&[0.0, 1.0, 2.5, 5.0, 10.0], &[20.0, 8.0, 3.0, 1.0]),
        Family::Linear => (&[0.0], &[20.0, 10.0, 5.0, 2.5, 1.2]),
        Family::Lintree => (&[1.0, 2.5, 5.0], &[20.0, 10.0, 5.0, 2.5]),
        Family::Boost => (&[5.0, 2.0, 0.7], &[0.1]),
        _ => (&[0.0], &[0.0]),
    };
    let fixed = |given: Option<f64>, grid: &[f64]| given.map_or(grid.to_vec(), |given| vec![given]);
    // What is asked of rows and leaves is not asked of boosting beside them, whose strength is a rate.
    let strength = choices.strength.filter(|_| family != Family::Boost || choices.family == Family::Boost);
    (fixed(choices.gamma, gammas), fixed(strength, strengths))
}

fn run(
    factorisation: &Factorisation,
    family: Family,
    choices: &Choices,
    gamma: f64,
    strengths: &[f64],
    observer: &dyn Observer,
) -> Vec<Model> {
    let n = factorisation.train.width();
    let recipe = Recipe {
        family,
        gamma,
        most_splits: most_splits(n),
        askable: factorisation.askable.as_deref(),
        l2: choices.l2,
    };
    let name = format!("{} {family}, gain {gamma}", factorisation.name);
    observer.event(Event::Stage { name: &name, steps: n });
    let model = |conditionals: Vec<Conditional>| Model {
        conditionals,
        guards: factorisation.guards.clone(),
        ..Model::default()
    };
    if family == Family::Linear && choices.ascent.optimizer.is_some() {
        let rows =
            [&factorisation.train, &factorisation.valid].map(|bits| Rows::new(bits, &factorisation.guards, None));
        let fit = |&strength: &f64| {
            let base = Ascent { l1: strength as f32, l2: choices.l2 as f32, seed: choices.seed, ..Ascent::default() };
            model(sgd::fit(&rows[0], &rows[1], &choices.ascent.over(base)))
        };
        return strengths.iter().map(fit).collect();
    }
    let fitted = fit(&factorisation.train, &factorisation.guards, &recipe, strengths, &|| observer.event(Event::Step));
    fitted.into_iter().map(model).collect()
}
