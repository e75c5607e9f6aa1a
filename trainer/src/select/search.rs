//! Searches hidden layers, and what goes beside them, by the validation rows.
//!
//! Three stages: settings are told apart on small layers; with the best of them layers of many sizes are fitted from several
//! starts; and of each, alone and side by side, the best table is made that fits into the budget. Which table that is, the
//! pool says. What is tried depends on the data and the budget, never on the time it takes, so that a search can be repeated.

use rayon::prelude::*;
use surprisal::{Activation, Table};

use super::pool::{Candidate, Pool};
use crate::bits::Bits;
use crate::blend::{weigh, weigh_bits};
use crate::error::{Error, Result};
use crate::fit::Family;
use crate::fit::ascent::{Ascent, climb};
use crate::fit::layer::{self, Recipe};
use crate::fit::nade::{Nade, Rows, Shape};
use crate::model::{Conditional, Hidden, Model};
use crate::names::Named;
use crate::observer::{Event, Observer};
use crate::quantise::TableData;
use crate::quantise::hidden::HiddenTable;
use crate::with_shape;

/// The sizes of layers, in units.
const LADDER: [usize; 11] = [8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256];
/// The size on which settings are told apart.
const SCREEN: usize = 32;
/// Starts of each size: as many as make so many multiply-adds, between these.
const RESTARTS: [usize; 2] = [4, 10];
const WORK: f64 = 5e10;
/// Settings of weight decay and dropout worth trying.
const SETTINGS: [(Activation, f32, f32); 9] = [
    (Activation::Relu, 0.0, 0.0),
    (Activation::Relu, 0.1, 0.0),
    (Activation::Relu, 0.3, 0.0),
    (Activation::Relu, 1.0, 0.0),
    (Activation::Relu, 0.0, 0.1),
    (Activation::Relu, 0.1, 0.3),
    (Activation::Sigmoid, 0.0, 0.0),
    (Activation::Sigmoid, 0.1, 0.0),
    (Activation::Sigmoid, 0.0, 0.2),
];
const RATES: [f32; 3] = [0.003, 0.01, 0.03];

/// The best model with a hidden layer, or for the family `auto` with or without.
pub(super) fn search(pool: &mut Pool) -> Result<Candidate> {
    let observer = pool.observer;
    let family = pool.choices.family;
    let mut front = Front::default();
    if family != Family::Nade {
        pool.fit_grid(Family::Lintree);
    }
    if family == Family::Auto {
        pool.fit_grid(Family::Boost);
        pool.fit_means();
        let best = pool.best(None)?;
        front.add(pool, best);
    }
    let factorisation = pool.factorisation;
    let guards = &factorisation.guards;
    // Layers on an offset learn what the best conditionals leave, and are added to them; the others are averaged.
    let under = if pool.choices.layer.offset { pool.best_whole() } else { None };
    let rows = [&factorisation.train, &factorisation.valid].map(|bits| {
        let offset = under.as_ref().map(|under| under.model.logits(bits));
        Rows::new(bits, guards, offset.as_ref())
    });
    let layers = Layers { rows: &rows, guards, observer, key: key(pool) };
    let room = pool.room_for_units()?;
    let ladder: Vec<usize> = match pool.choices.layer.units {
        Some(units) => vec![units],
        None => LADDER.into_iter().filter(|&units| units <= room).collect(),
    };
    let mut chosen = None;
    if let Some(&smallest) = ladder.first() {
        let screen = ladder.iter().copied().filter(|&units| units <= SCREEN).max().unwrap_or(smallest);
        let recipe = layers.settings(pool, screen);
        chosen = Some(recipe);
        for &units in &ladder {
            if observer.is_cancelled() && !front.found.is_empty() {
                break;
            }
            let restarts = pool.choices.layer.restarts.unwrap_or_else(|| layers.restarts(units));
            let seeds = 0..restarts.min(room.max(units) / units).max(1) as u64;
            let recipes: Vec<Recipe> =
                seeds.map(|seed| recipe.of(units, pool.choices.seed.wrapping_add(seed))).collect();
            let mut fitted = layers.fit(pool, &recipes);
            fitted.sort_by(|a, b| b.1.total_cmp(&a.1));
            for count in 1..=fitted.len() {
                let share = 1.0 / count as f64;
                let together: Vec<(&Model, f64)> = fitted[..count].iter().map(|(model, _)| (model, share)).collect();
                let Some(model) = Model::blend(&together) else { continue };
                let times = if count > 1 { format!("{count} x ") } else { String::new() };
                let name = format!("{times}{units} {}", recipe.shape.activation.name());
                let member = pool.member(name, None, model);
                let candidate = match &under {
                    Some(under) => pool.sum(under, &member)?.filter(|candidate| pool.fits(candidate)),
                    None => pool.best(Some(&member)).ok(),
                };
                candidate.into_iter().for_each(|candidate| front.add(pool, candidate));
            }
        }
    }
    let best = front.choose().ok_or_else(|| {
        Error::option("--flash, --ram or --ops", "no hidden layer fits; raise the limit, or take another --family")
    })?;
    let Some(recipe) = chosen else { return Ok(best) };
    polished(pool, weighed(pool, best)?, &layers, &recipe)
}

/// What a kept layer was fitted to.
fn key(pool: &Pool) -> String {
    let factorisation = pool.factorisation;
    let mut crc = 0;
    for bits in [&factorisation.train, &factorisation.valid] {
        for set in &bits.sets {
            let bytes: Vec<u8> = set.iter().flat_map(|word| word.to_le_bytes()).collect();
            crc = crate::data::checksum(&[&u32::to_le_bytes(crc)[..], &bytes].concat());
        }
    }
    let choices = pool.choices;
    let offset = choices.layer.offset.then_some((choices.gamma, choices.strength, choices.l2));
    format!("{} {crc:08x} {:?} {offset:?}", env!("CARGO_PKG_VERSION"), factorisation.guards)
}

/// Fits layers, or finds them in the journal.
struct Layers<'a> {
    rows: &'a [Rows; 2],
    guards: &'a [u16],
    observer: &'a dyn Observer,
    key: String,
}

impl Layers<'_> {
    /// All of them, at the same time; those that were interrupted are left out, unless there is no other.
    fn fit(&self, pool: &Pool, recipes: &[Recipe]) -> Vec<(Model, f64)> {
        if let Some(recipe) = recipes.last() {
            let name = format!("{} {}", recipe.shape.units, recipe.shape.activation.name());
            pool.observer.event(Event::Stage { name: &name, steps: recipes.len() });
        }
        let one = |recipe: &Recipe| {
            let key = format!("{} {recipe:?}", self.key);
            let known = self.observer.journal().and_then(|journal| journal.recall(&key, self.guards));
            let fitted = known.unwrap_or_else(|| {
                let [train, valid] = self.rows;
                let fitted = layer::fit(train, valid, self.guards, recipe, |_, _| !self.observer.is_cancelled());
                if let Some(journal) = self.observer.journal().filter(|_| !self.observer.is_cancelled()) {
                    journal.keep(&key, &fitted.0, fitted.1);
                }
                fitted
            });
            self.observer.event(Event::Step);
            fitted
        };
        recipes.par_iter().map(one).collect()
    }

    /// The settings that serve best, beside the best conditionals if there are any.
    fn settings(&self, pool: &Pool, units: usize) -> Recipe {
        let (choices, ascent) = (&pool.choices.layer, &pool.choices.ascent);
        let of_search = Ascent { rate: Some(RATES[1]), epochs: self.epochs(), ..Ascent::default() };
        let base = Recipe {
            shape: Shape {
                units,
                activation: choices.activation.unwrap_or_default(),
                dropout: choices.dropout.unwrap_or(0.0),
                input_dropout: choices.input_dropout.unwrap_or(0.0),
            },
            ascent: Ascent { seed: pool.choices.seed, ..ascent.over(of_search) },
        };
        let mut tried: Vec<Recipe> = Vec::new();
        for (activation, decay, dropout) in SETTINGS {
            let mut recipe = base;
            recipe.shape.activation = choices.activation.unwrap_or(activation);
            recipe.shape.dropout = choices.dropout.unwrap_or(dropout);
            recipe.ascent.decay = ascent.weight_decay.unwrap_or(decay);
            if !tried.contains(&recipe) {
                tried.push(recipe);
            }
        }
        let best = self.best_of(pool, &tried);
        if ascent.rate.is_some() || ascent.optimizer.is_some() || self.observer.is_cancelled() {
            return best;
        }
        let rates = RATES.map(|rate| Recipe { ascent: Ascent { rate: Some(rate), ..best.ascent }, ..best });
        self.best_of(pool, &rates)
    }

    fn best_of(&self, pool: &Pool, recipes: &[Recipe]) -> Recipe {
        if let [only] = recipes {
            return *only;
        }
        let fitted = self.fit(pool, recipes);
        let score = |model: &Model| {
            let logits = model.logits(&pool.factorisation.valid);
            pool.beside(&logits)
        };
        let scores: Vec<f64> = fitted.par_iter().map(|(model, _)| score(model)).collect();
        let best = (0..recipes.len()).max_by(|&a, &b| scores[a].total_cmp(&scores[b]).then(b.cmp(&a)));
        recipes[best.unwrap_or(0)]
    }

    /// How many starts layers of so many units are worth.
    fn restarts(&self, units: usize) -> usize {
        let train = &self.rows[0];
        let work = 3.0 * (train.len() * self.epochs()) as f64 * (train.width * units) as f64;
        ((WORK / work) as usize).clamp(RESTARTS[0], RESTARTS[1])
    }

    /// As many passes as make a million rows, more or less.
    fn epochs(&self) -> usize {
        (1_000_000 / self.rows[0].len().max(1)).clamp(40, 150)
    }
}

impl Recipe {
    fn of(mut self, units: usize, seed: u64) -> Self {
        self.shape.units = units;
        self.ascent.seed = seed;
        self
    }
}

/// What was found, and the best of it by size.
#[derive(Default)]
struct Front {
    found: Vec<Candidate>,
}

impl Front {
    /// Adds a model, and tells of it if no smaller one predicts as well.
    fn add(&mut self, pool: &Pool, candidate: Candidate) {
        let beaten = |other: &Candidate| other.bytes <= candidate.bytes && other.cautious >= candidate.cautious;
        if !self.found.iter().any(beaten) {
            let name = candidate.made.parts.clone().unwrap_or_else(|| "conditionals".into());
            let (bytes, valid_ll) = (candidate.bytes, candidate.valid_ll);
            pool.observer.event(Event::Found { name: &name, bytes, valid_ll });
            self.found.retain(|other| other.bytes < candidate.bytes || other.cautious > candidate.cautious);
            self.found.push(candidate);
        }
    }

    /// The smallest that no larger one beats by more than half a standard error: of many models some are the best of the
    /// validation rows by chance.
    fn choose(mut self) -> Option<Candidate> {
        self.found.sort_by_key(|candidate| candidate.bytes);
        self.found.into_iter().reduce(|best, larger| {
            let rows = best.each.len() as f64;
            let gains = || larger.each.iter().zip(&best.each).map(|(a, b)| a - b);
            let mean = gains().sum::<f64>() / rows;
            let variance = gains().map(|gain| (gain - mean).powi(2)).sum::<f64>() / rows;
            if larger.cautious - best.cautious > 0.5 * (variance / rows).sqrt() { larger } else { best }
        })
    }
}

/// Weighs the conditionals and the layer by the validation rows instead of equally: all bits alike if that helps more than
/// two numbers would by chance, and each bit on its own as far as that helps rows that had no say in it.
fn weighed(pool: &Pool, best: Candidate) -> Result<Candidate> {
    let valid = &pool.factorisation.valid;
    let Some(hidden) = best.model.hidden.clone() else { return Ok(best) };
    let alone = Model { hidden: None, ..best.model.clone() };
    let parts = [alone.logits(valid), hidden.logits(valid)];
    let parts = [&parts[0], &parts[1]];
    let with = |weights: &[Vec<f64>]| Model {
        conditionals: alone
            .conditionals
            .iter()
            .zip(weights)
            .map(|(conditional, weights)| Conditional::blend(&[(conditional, weights[0])]))
            .collect(),
        hidden: Some(hidden.scaled(|i| weights[i][1] as f32)),
        ..alone.clone()
    };
    let rows: Vec<(usize, &[u32])> = pool.free.iter().map(Vec::as_slice).enumerate().collect();
    let all = weigh(&parts, valid, &rows, &[1.0, 1.0], 1.0);
    let best = pool.better(best, with(&vec![all.clone(); rows.len()]), 2.0)?;
    pool.better(best, with(&weigh_bits(&parts, valid, &pool.free, &all)), 0.0)
}

/// Lets the layer learn on beside the conditionals, which stay as they are; then puts what goes into its units on the
/// table's grid and lets what comes out of them make up for it.
fn polished(pool: &Pool, best: Candidate, layers: &Layers, recipe: &Recipe) -> Result<Candidate> {
    let factorisation = pool.factorisation;
    let (train, valid, guards) = (&factorisation.train, &factorisation.valid, &factorisation.guards);
    let Some(hidden) = best.model.hidden.clone() else { return Ok(best) };
    let alone = Model { hidden: None, ..best.model.clone() };
    let rows = [train, valid].map(|bits| Rows::new(bits, guards, Some(&alone.logits(bits))));
    let shape = Shape { units: hidden.units(), ..recipe.shape };
    let climb_on = |nade: Nade, layer: &Hidden, of_bits: &[f32], rate: f32| {
        let ascent = Ascent {
            rate: Some(rate),
            epochs: (recipe.ascent.epochs / 2).max(1),
            patience: recipe.ascent.patience.min(8),
            ..recipe.ascent
        };
        let summit = climb(&nade, nade.theta(layer, of_bits), &ascent, |_, _| !layers.observer.is_cancelled());
        nade.layer(&summit.theta)
    };
    let with = |(layer, of_bits): (Hidden, Vec<f32>)| {
        let mut model = Model { hidden: Some(layer), ..alone.clone() };
        model.conditionals.iter_mut().zip(of_bits).for_each(|(c, bias)| c.bias += f64::from(bias));
        model
    };
    let rate = recipe.ascent.rate.unwrap_or(RATES[0]);
    let zeros = vec![0.0; train.width()];
    let together = climb_on(Nade::new(shape, &rows[0], &rows[1]), &hidden, &zeros, 0.3 * rate);
    let whole = pool.better(best.clone(), with(together.clone()), 1.0)?;
    let start = if whole.valid_ll > best.valid_ll { together } else { (hidden, zeros) };
    let rounded = HiddenTable::rounded(&start.0);
    // A rounded layer predicts a little worse than one that is not, but loses nothing on its way into the table.
    let fixed = Nade::new(Shape { dropout: 0.0, input_dropout: 0.0, ..shape }, &rows[0], &rows[1]).outputs_only();
    let model = with(climb_on(fixed, &rounded, &start.1, 0.1 * rate));
    let fixed = pool.better(Candidate { valid_ll: f64::NEG_INFINITY, ..whole.clone() }, model, 0.0)?;
    let integer = |candidate: &Candidate| integer_log_likelihood(&candidate.table, valid);
    Ok(if integer(&fixed)? > integer(&whole)? { fixed } else { whole })
}

/// The mean log-likelihood of rows under a table.
fn integer_log_likelihood(table: &TableData, bits: &Bits) -> Result<f64> {
    let bytes = table.bytes()?;
    let words: Vec<u32> =
        bytes.chunks(4).map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]])).collect();
    Ok(with_shape!(table.shape(), N, H, K => {
        let table = Table::<N, H, K>::from_bytes(bytemuck::cast_slice(&words))?;
        let each = (0..bits.rows).into_par_iter().map(|at| {
            let mut row = [false; N];
            bits.row(at, &mut row);
            f64::from(table.model.surprisal(&row))
        });
        let each: Vec<f64> = each.collect();
        -each.iter().sum::<f64>() / bits.rows.max(1) as f64
    }))
}
