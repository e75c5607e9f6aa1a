//! Chooses order and penalties on the validation rows, under a size that is never exceeded.

use anyhow::{Context, Result, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use rayon::prelude::*;

use crate::bits::Bits;
use crate::fit::{Family, Recipe, fit};
use crate::model::{Conditional, Model};
use crate::order::{self, Order};
use crate::quantise::{TableData, most_splits};
use crate::schema::Schema;

mod mixture;

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
    /// Of a mixture's first guess.
    pub seed: u64,
    /// The quadratic penalty on weights.
    pub l2: f64,
}

/// What a file may take.
pub struct Budget<'a> {
    /// Bytes.
    pub most: usize,
    /// How many of them its notes take, given the name of the order and the setting.
    pub notes: &'a NotesBytes<'a>,
}

type NotesBytes<'a> = dyn Fn(&str, Option<(f64, f64)>) -> usize + 'a;

impl Default for Choices {
    fn default() -> Self {
        let (family, order) = Default::default();
        Self { family, order, gamma: None, strength: None, components: None, seed: 0, l2: 0.3 }
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
    /// `natural`, `learned`, `chow-liu` or the file's name.
    pub order: String,
    /// What a split had to gain, and the L1 penalty or pseudo-count; none when conditionals were chosen one by one to
    /// fit a size.
    pub setting: Option<(f64, f64)>,
    /// Mean log-likelihood of the validation rows under the float model.
    pub valid_ll: f64,
    /// Size of the file.
    pub bytes: usize,
}

/// One way to factorise, with the training and validation rows in that order.
struct Factorisation {
    name: String,
    schema: Schema,
    guards: Vec<u16>,
    askable: Option<Vec<Vec<usize>>>,
    train: Bits,
    valid: Bits,
}

impl Factorisation {
    fn new(name: &str, schema: &Schema, order: &[usize], train: &Bits, valid: &Bits) -> Self {
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
fn starts(schema: &Schema) -> Vec<usize> {
    let mut end = 0;
    std::iter::once(0)
        .chain(schema.bits().map(|bits| {
            end += bits;
            end
        }))
        .collect()
}

/// Fits the family's grid and returns the best that fits into the size.
///
/// # Errors
/// An order file that does not fit the columns; a size that not even marginals fit into.
pub fn select(schema: &Schema, train: &Bits, valid: &Bits, choices: &Choices, budget: &Budget) -> Result<Chosen> {
    if choices.family == Family::Mixture {
        return mixture::select(schema, train, valid, choices, budget);
    }
    let mut factorisations = factorisations(schema, train, valid, choices)?;
    let progress = progress_bar();
    if factorisations.len() > 1 {
        // One middling fit tells the orders apart.
        let (gamma, strength) = (choices.gamma.unwrap_or(2.5), choices.strength.unwrap_or(5.0));
        let mut best = (f64::NEG_INFINITY, 0);
        for (at, factorisation) in factorisations.iter().enumerate() {
            let fitted = run(factorisation, choices, gamma, &[strength], &progress);
            let valid_ll = fitted[0].log_likelihood(&factorisation.valid);
            if valid_ll > best.0 {
                best = (valid_ll, at);
            }
        }
        factorisations = vec![factorisations.swap_remove(best.1)];
    }
    let factorisation = &factorisations[0];
    let (gammas, strengths) = grid(choices);
    let mut models = Vec::new();
    let mut candidates = Vec::new();
    for gamma in gammas {
        for (model, &strength) in run(factorisation, choices, gamma, &strengths, &progress).into_iter().zip(&strengths)
        {
            candidates.extend(candidate(factorisation, model.clone(), Some((gamma, strength)), budget)?);
            models.push(model);
        }
    }
    let best = candidates.iter().max_by(|a, b| a.valid_ll.total_cmp(&b.valid_ll));
    let best = best.context("every model of the grid is too large for the format; ask more of it by --strength")?;
    if best.bytes <= budget.most {
        return Ok(best.clone());
    }
    for (family, gammas, strengths) in smaller(choices.family) {
        let choices = Choices { family: *family, ..choices.clone() };
        for &gamma in *gammas {
            models.extend(run(factorisation, &choices, gamma, strengths, &progress));
        }
    }
    let offers = offers(factorisation, best, &models);
    // Without any weights, or without any trees, a table saves what every bit pays for having some.
    let without = |lacks: &dyn Fn(&Conditional) -> bool| -> Vec<usize> {
        (0..models.len()).filter(|&at| models[at].conditionals.iter().all(lacks)).collect()
    };
    let pools = [without(&|c| c.weights.is_empty()), without(&|c| c.splits() == 0), without(&|_| true)];
    let mut found: Vec<(f64, Chosen)> = Vec::new();
    let mut least = usize::MAX;
    for pool in &pools {
        let rationed = ration(factorisation, best, &models, &offers, pool, budget)?;
        least = least.min(rationed.least);
        found.extend(rationed.best);
    }
    found.extend(candidates.iter().filter(|c| c.bytes <= budget.most).map(|c| (c.valid_ll, c.clone())));
    let best = found.into_iter().max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, chosen)| chosen);
    best.with_context(|| {
        format!("--flash: the smallest file takes {least} bytes; raise --flash, or leave out columns with --ignore")
    })
}

/// What to fit besides when the grid's best is too large: other families that the given one contains, with split gains
/// and strengths.
fn smaller(family: Family) -> &'static [(Family, &'static [f64], &'static [f64])] {
    const MARGINAL: (Family, &[f64], &[f64]) = (Family::Marginal, &[0.0], &[0.0]);
    const TREE: (Family, &[f64], &[f64]) = (Family::Tree, &[1.0, 2.5, 5.0, 10.0, 20.0, 40.0], &[8.0]);
    const LINEAR: (Family, &[f64], &[f64]) = (Family::Linear, &[0.0], &[160.0, 80.0, 40.0, 20.0, 10.0]);
    match family {
        Family::Marginal | Family::ChowLiu | Family::Mixture => &[MARGINAL],
        Family::Tree => &[TREE, MARGINAL],
        Family::Linear => &[LINEAR, MARGINAL],
        Family::Lintree => &[TREE, LINEAR, MARGINAL],
    }
}

/// What [`ration`] found.
struct Rationed {
    /// The best under the size, if any, with a cautious estimate of its validation log-likelihood.
    best: Option<(f64, Chosen)>,
    /// The size of the smallest.
    least: usize,
}

/// For each bit, what each model's conditional gains on the validation rows over the best model's, in nats a row and
/// less one standard error, and about how many bytes it takes. Choosing bit by bit would overfit those rows otherwise.
fn offers(factorisation: &Factorisation, best: &Chosen, models: &[Model]) -> Vec<Vec<(f64, f64)>> {
    let (valid, guards) = (&factorisation.valid, &factorisation.guards);
    let rows = valid.rows as f64;
    let of_bit = |i: usize| {
        let reference = best.model.conditionals[i].log_likelihoods(valid, guards, i);
        let offer = |model: &Model| {
            let conditional = &model.conditionals[i];
            let each = conditional.log_likelihoods(valid, guards, i);
            let gains = || each.iter().zip(&reference).map(|(a, b)| a - b);
            let mean = gains().sum::<f64>() / rows;
            let variance = gains().map(|gain| (gain - mean).powi(2)).sum::<f64>() / rows;
            let bytes = 2 * conditional.weights.len() + 3 * conditional.splits();
            (mean - (variance / rows).sqrt(), bytes as f64)
        };
        models.iter().map(offer).collect()
    };
    (0..valid.width()).into_par_iter().map(of_bit).collect()
}

/// The best mixture of conditionals under a size: each bit takes that of the model in the pool whose offer is best at a
/// price a byte, and the price is the lowest at which the file fits (a Lagrange multiplier, found by bisection).
fn ration(
    factorisation: &Factorisation,
    best: &Chosen,
    models: &[Model],
    offers: &[Vec<(f64, f64)>],
    pool: &[usize],
    budget: &Budget,
) -> Result<Rationed> {
    let at_price = |price: f64| -> Result<Option<(f64, Chosen)>> {
        let pick = |offers: &Vec<(f64, f64)>| {
            let worth = |at: usize| offers[at].0 - price * offers[at].1;
            pool.iter().copied().max_by(|&a, &b| worth(a).total_cmp(&worth(b))).unwrap_or(0)
        };
        let picks: Vec<usize> = offers.iter().map(pick).collect();
        let gain: f64 = offers.iter().zip(&picks).map(|(offers, &pick)| offers[pick].0).sum();
        let conditionals = picks.iter().enumerate().map(|(i, &pick)| models[pick].conditionals[i].clone()).collect();
        let model = Model { conditionals, guards: factorisation.guards.clone(), ..Model::default() };
        let chosen = candidate(factorisation, model, None, budget)?;
        Ok(chosen.map(|chosen| (best.valid_ll + gain, chosen)))
    };
    let least = at_price(1e9)?.context("a table without weights and trees has no limits to exceed")?;
    let mut rationed = Rationed { least: least.1.bytes, best: Some(least).filter(|(_, c)| c.bytes <= budget.most) };
    let (mut cheap, mut dear) = (-20.0f64, 3.0f64);
    for _ in 0..24 {
        let middle = 0.5 * (cheap + dear);
        match at_price(middle.exp())?.filter(|(_, chosen)| chosen.bytes <= budget.most) {
            Some(found) => {
                rationed.best = rationed.best.into_iter().chain([found]).reduce(|a, b| if b.0 > a.0 { b } else { a });
                dear = middle;
            }
            None => cheap = middle,
        }
    }
    Ok(rationed)
}

fn candidate(
    factorisation: &Factorisation,
    model: Model,
    setting: Option<(f64, f64)>,
    budget: &Budget,
) -> Result<Option<Chosen>> {
    let Some(table) = TableData::new(&factorisation.schema, &model) else { return Ok(None) };
    Ok(Some(Chosen {
        schema: factorisation.schema.clone(),
        valid_ll: model.log_likelihood(&factorisation.valid),
        bytes: table.bytes()?.len() + (budget.notes)(&factorisation.name, setting),
        order: factorisation.name.clone(),
        model,
        table,
        setting,
    }))
}

fn factorisations(schema: &Schema, train: &Bits, valid: &Bits, choices: &Choices) -> Result<Vec<Factorisation>> {
    let natural: Vec<usize> = (0..schema.columns.len()).collect();
    let make = |name: &str, order: &[usize]| Factorisation::new(name, schema, order, train, valid);
    let learned = || make("learned", &order::learned(schema, train, most_splits(train.width())));
    if choices.family == Family::ChowLiu || choices.order == Order::ChowLiu {
        ensure!(
            matches!(choices.order, Order::Auto | Order::ChowLiu),
            "--order: the chow-liu family brings its own order; leave --order out"
        );
        let (order, parent) = order::chow_liu(schema, train);
        let factorisation = make("chow-liu", &order);
        return Ok(vec![if choices.family == Family::ChowLiu {
            factorisation.restrict(&order, &parent)
        } else {
            factorisation
        }]);
    }
    Ok(match &choices.order {
        Order::Auto if choices.family != Family::Marginal => vec![make("natural", &natural), learned()],
        Order::Learned => vec![learned()],
        Order::File(path) => vec![make(&path.display().to_string(), &order::from_file(schema, path)?)],
        _ => vec![make("natural", &natural)],
    })
}

/// Split gains and strengths to try, the strongest strength first.
fn grid(choices: &Choices) -> (Vec<f64>, Vec<f64>) {
    let (gammas, strengths): (&[f64], &[f64]) = match choices.family {
        Family::Marginal | Family::Mixture => (&[0.0], &[0.0]),
        Family::ChowLiu => (&[0.0], &[20.0, 8.0, 3.0, 1.0]),
        Family::Tree => (&[0.0, 1.0, 2.5, 5.0, 10.0], &[20.0, 8.0, 3.0, 1.0]),
        Family::Linear => (&[0.0], &[20.0, 10.0, 5.0, 2.5, 1.2]),
        Family::Lintree => (&[1.0, 2.5, 5.0], &[20.0, 10.0, 5.0, 2.5]),
    };
    let fixed = |given: Option<f64>, grid: &[f64]| given.map_or(grid.to_vec(), |given| vec![given]);
    (fixed(choices.gamma, gammas), fixed(choices.strength, strengths))
}

fn run(
    factorisation: &Factorisation,
    choices: &Choices,
    gamma: f64,
    strengths: &[f64],
    progress: &ProgressBar,
) -> Vec<Model> {
    let n = factorisation.train.width();
    let recipe = Recipe {
        family: choices.family,
        gamma,
        most_splits: most_splits(n),
        askable: factorisation.askable.as_deref(),
        l2: choices.l2,
    };
    progress.set_length(n as u64);
    progress.set_position(0);
    progress.set_message(format!("{} {}, gain {gamma}", factorisation.name, choices.family.name()));
    let fitted = fit(&factorisation.train, &factorisation.guards, &recipe, strengths, &|| progress.inc(1));
    let model = |conditionals: Vec<Conditional>| Model {
        conditionals,
        guards: factorisation.guards.clone(),
        ..Model::default()
    };
    fitted.into_iter().map(model).collect()
}

fn progress_bar() -> ProgressBar {
    let style =
        ProgressStyle::with_template("{bar:30} {pos}/{len} conditionals  {msg}").expect("the template is well formed");
    ProgressBar::no_length().with_style(style)
}
