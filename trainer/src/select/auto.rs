//! Searches for the best hidden layer and the conditionals to combine with the layer, by the validation log-likelihood.
//!
//! The search first compares settings on small layers. With the best settings, it fits layers of many sizes from
//! several random starts. For each layer, and for means of layers of one size, `Candidates` builds the best table
//! within the budget. The settings tried depend on the data and the budget but not on elapsed time, so that a search is
//! repeatable.

use rayon::prelude::*;
use surprisal::{Activation, Table};

use super::candidates::{Candidates, SizedModel};
use crate::bits::Bits;
use crate::blend::{weigh, weigh_bits};
use crate::data::checksum;
use crate::error::{Error, Result};
use crate::fit::Family;
use crate::fit::layer::{self, LayerSettings};
use crate::fit::nade::{LayerShape, NadeObjective, SparseRows};
use crate::fit::optimizer::{Optimizer, optimize};
use crate::model::{FloatConditional, FloatModel, HiddenLayer};
use crate::names::Named;
use crate::observer::{Event, Observer};
use crate::table::OwnedTable;
use crate::table::hidden::HiddenTable;
use crate::with_shape;

/// Sizes of hidden layers to try, in units.
const LAYER_SIZES: [usize; 11] = [8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256];
/// Largest size of the layers on which settings are compared, in units.
const TUNING_UNITS: usize = 32;
/// Smallest and largest number of random starts per layer size.
const RESTARTS: [usize; 2] = [4, 10];
/// Number of multiply-adds that the fits from all random starts of one layer size may take together.
const WORK: f64 = 5e10;
/// Combinations of (activation, weight decay, dropout) to try.
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
/// Learning rates to try with the best combination of the other settings.
const RATES: [f32; 3] = [0.003, 0.01, 0.03];

/// Returns the best model with a hidden layer; for the family `auto`, the best model with or without a hidden layer.
pub(super) fn search(candidates: &mut Candidates) -> Result<SizedModel> {
    let observer = candidates.observer;
    let family = candidates.choices.family;
    let mut front = ParetoFront::default();
    if family != Family::Nade {
        candidates.fit_grid(Family::LinearTrees);
    }
    if family == Family::Auto {
        candidates.fit_grid(Family::Boost);
        candidates.fit_means();
        let best = candidates.best(None)?;
        front.add(candidates, best);
    }
    let factorisation = candidates.factorisation;
    let constraints = &factorisation.constraints;
    // Layers with an offset learn the residuals of the best conditionals and are added to them; other layers are
    // averaged.
    let base = if candidates.choices.layer.offset { candidates.best_full() } else { None };
    let rows = [&factorisation.train, &factorisation.valid].map(|bits| {
        let offset = base.as_ref().map(|base| base.model.logits(bits));
        SparseRows::new(bits, constraints, offset.as_ref())
    });
    let fitter = LayerFitter { rows: &rows, constraints, observer, key: journal_key(candidates) };
    let capacity = candidates.unit_capacity()?;
    let sizes: Vec<usize> = match candidates.choices.layer.units {
        Some(units) => vec![units],
        None => LAYER_SIZES.into_iter().filter(|&units| units <= capacity).collect(),
    };
    let mut chosen = None;
    if let Some(&smallest) = sizes.first() {
        let tuning_units = sizes.iter().copied().filter(|&units| units <= TUNING_UNITS).max().unwrap_or(smallest);
        let settings = fitter.tune(candidates, tuning_units);
        chosen = Some(settings);
        for &units in &sizes {
            if observer.is_cancelled() && !front.found.is_empty() {
                break;
            }
            let restarts = candidates.choices.layer.restarts.unwrap_or_else(|| fitter.restarts(units));
            let seeds = 0..restarts.min(capacity.max(units) / units).max(1) as u64;
            let starts: Vec<LayerSettings> =
                seeds.map(|seed| with_size(settings, units, candidates.choices.seed.wrapping_add(seed))).collect();
            let mut fitted = fitter.fit(&starts);
            fitted.sort_by(|a, b| b.1.total_cmp(&a.1));
            for count in 1..=fitted.len() {
                let share = 1.0 / count as f64;
                let mean: Vec<(&FloatModel, f64)> = fitted[..count].iter().map(|(model, _)| (model, share)).collect();
                let Some(model) = FloatModel::blend(&mean) else { continue };
                let times = if count > 1 { format!("{count} x ") } else { String::new() };
                let name = format!("{times}{units} {}", settings.shape.activation.name());
                let layer = candidates.evaluate(name, None, model);
                let sized = match &base {
                    Some(base) => candidates.sum(base, &layer)?.filter(|sized| candidates.fits(sized)),
                    None => candidates.best(Some(&layer)).ok(),
                };
                sized.into_iter().for_each(|sized| front.add(candidates, sized));
            }
        }
    }
    let best = front.choose().ok_or_else(|| {
        Error::option(
            "--flash, --ram or --ops",
            "no hidden layer fits the limits; raise a limit, or choose another --family",
        )
    })?;
    let Some(settings) = chosen else { return Ok(best) };
    refined(candidates, reweighted(candidates, best)?, &fitter, &settings)
}

/// Returns the part of a journal key that identifies the data and the order, so that layers fitted to other data have
/// other keys.
fn journal_key(candidates: &Candidates) -> String {
    let factorisation = candidates.factorisation;
    let mut crc = 0;
    for bits in [&factorisation.train, &factorisation.valid] {
        for set in &bits.sets {
            let bytes: Vec<u8> = set.iter().flat_map(|word| word.to_le_bytes()).collect();
            crc = checksum(&[&u32::to_le_bytes(crc)[..], &bytes].concat());
        }
    }
    let choices = candidates.choices;
    let offset = choices.layer.offset.then_some((choices.gamma, choices.strength, choices.l2));
    format!("{} {crc:08x} {:?} {offset:?}", env!("CARGO_PKG_VERSION"), factorisation.constraints)
}

/// Returns the settings with the number of units and the seed replaced.
fn with_size(mut settings: LayerSettings, units: usize, seed: u64) -> LayerSettings {
    settings.shape.units = units;
    settings.optimizer.seed = seed;
    settings
}

/// Fits hidden layers, or recalls them from the journal.
struct LayerFitter<'a> {
    /// Training rows and validation rows, in this order.
    rows: &'a [SparseRows; 2],
    constraints: &'a [u16],
    observer: &'a dyn Observer,
    /// Part of the journal key that identifies the data and the order.
    key: String,
}

impl LayerFitter<'_> {
    /// Fits layers in parallel and returns (model, mean log-likelihood of the validation rows in nats per row) for
    /// each.
    ///
    /// If the search is cancelled, each fit ends after its current epoch and is not written to the journal.
    fn fit(&self, settings: &[LayerSettings]) -> Vec<(FloatModel, f64)> {
        if let Some(LayerSettings { shape, .. }) = settings.last() {
            let name = format!("{} {}", shape.units, shape.activation.name());
            self.observer.event(Event::Stage { name: &name, steps: settings.len() });
        }
        let one = |settings: &LayerSettings| {
            let journal = self.observer.journal();
            let known = journal.and_then(|journal| journal.recall(&self.key, settings, self.constraints));
            let fitted = known.unwrap_or_else(|| {
                let [train, valid] = self.rows;
                let fitted = layer::fit(train, valid, self.constraints, settings, |_, _| !self.observer.is_cancelled());
                if let Some(journal) = journal.filter(|_| !self.observer.is_cancelled()) {
                    journal.keep(&self.key, settings, &fitted.0, fitted.1);
                }
                fitted
            });
            self.observer.event(Event::Step);
            fitted
        };
        settings.par_iter().map(one).collect()
    }

    /// Fits layers of `units` units with several settings, and returns the settings whose layer predicts the validation
    /// rows best. If there are fitted models of the requested families, the mean of a layer's logits and those of
    /// the model that suits it best is judged; otherwise the layer alone.
    fn tune(&self, candidates: &Candidates, units: usize) -> LayerSettings {
        let (choices, optimizer) = (&candidates.choices.layer, &candidates.choices.optimizer);
        let defaults = Optimizer { rate: Some(RATES[1]), epochs: self.epochs(), ..Optimizer::default() };
        let base = LayerSettings {
            shape: LayerShape {
                units,
                activation: choices.activation.unwrap_or_default(),
                dropout: choices.dropout.unwrap_or(0.0),
                input_dropout: choices.input_dropout.unwrap_or(0.0),
            },
            optimizer: Optimizer { seed: candidates.choices.seed, ..optimizer.over(defaults) },
        };
        let mut tried: Vec<LayerSettings> = Vec::new();
        for (activation, decay, dropout) in SETTINGS {
            let mut settings = base;
            settings.shape.activation = choices.activation.unwrap_or(activation);
            settings.shape.dropout = choices.dropout.unwrap_or(dropout);
            settings.optimizer.decay = optimizer.weight_decay.unwrap_or(decay);
            if !tried.contains(&settings) {
                tried.push(settings);
            }
        }
        let best = self.best_of(candidates, &tried);
        if optimizer.rate.is_some() || optimizer.optimizer.is_some() || self.observer.is_cancelled() {
            return best;
        }
        let rates =
            RATES.map(|rate| LayerSettings { optimizer: Optimizer { rate: Some(rate), ..best.optimizer }, ..best });
        self.best_of(candidates, &rates)
    }

    /// Fits a layer with each of the settings and returns the settings whose layer predicts the validation rows best.
    fn best_of(&self, candidates: &Candidates, settings: &[LayerSettings]) -> LayerSettings {
        if let [only] = settings {
            return *only;
        }
        let fitted = self.fit(settings);
        let score = |model: &FloatModel| candidates.best_mean(&model.logits(&candidates.factorisation.valid));
        let scores: Vec<f64> = fitted.par_iter().map(|(model, _)| score(model)).collect();
        let best = (0..settings.len()).max_by(|&a, &b| scores[a].total_cmp(&scores[b]).then(b.cmp(&a)));
        settings[best.unwrap_or(0)]
    }

    /// Returns the number of random starts for layers of `units` units.
    fn restarts(&self, units: usize) -> usize {
        let train = &self.rows[0];
        let work = 3.0 * (train.len() * self.epochs()) as f64 * (train.width * units) as f64;
        ((WORK / work) as usize).clamp(RESTARTS[0], RESTARTS[1])
    }

    /// Returns the largest number of epochs per fit, 40 to 150, so that all epochs together visit about a million rows.
    fn epochs(&self) -> usize {
        (1_000_000 / self.rows[0].len().max(1)).clamp(40, 150)
    }
}

/// Pareto-optimal models: no other model is at most as large and predicts the validation rows at least as well.
#[derive(Default)]
struct ParetoFront {
    found: Vec<SizedModel>,
}

impl ParetoFront {
    /// Adds a model and reports it to the observer, unless a model that is at most as large predicts as well.
    fn add(&mut self, candidates: &Candidates, sized: SizedModel) {
        let is_beaten = |other: &SizedModel| other.bytes <= sized.bytes && other.cautious_ll >= sized.cautious_ll;
        if !self.found.iter().any(is_beaten) {
            let name = sized.recipe.terms.clone().unwrap_or_else(|| "conditionals".into());
            let (bytes, valid_ll) = (sized.bytes, sized.valid_ll);
            candidates.observer.event(Event::Found { name: &name, bytes, valid_ll });
            self.found.retain(|other| other.bytes < sized.bytes || other.cautious_ll > sized.cautious_ll);
            self.found.push(sized);
        }
    }

    /// Returns the best model, where a larger model must gain more than half a standard error over the smaller one,
    /// because some of many models are the best on the validation rows by chance.
    fn choose(mut self) -> Option<SizedModel> {
        self.found.sort_by_key(|sized| sized.bytes);
        self.found.into_iter().reduce(|best, larger| {
            let rows = best.each.len() as f64;
            let gains = || larger.each.iter().zip(&best.each).map(|(a, b)| a - b);
            let mean = gains().sum::<f64>() / rows;
            let variance = gains().map(|gain| (gain - mean).powi(2)).sum::<f64>() / rows;
            if larger.cautious_ll - best.cautious_ll > 0.5 * (variance / rows).sqrt() { larger } else { best }
        })
    }
}

/// Fits the weights with which the logits of conditionals and layer are summed to the validation rows.
///
/// Weights that all bits share must gain more than 2 nats in total, which two parameters may gain by chance. Weights
/// per bit are chosen by cross-validation.
fn reweighted(candidates: &Candidates, best: SizedModel) -> Result<SizedModel> {
    let valid = &candidates.factorisation.valid;
    let Some(hidden) = best.model.hidden.clone() else { return Ok(best) };
    let alone = FloatModel { hidden: None, ..best.model.clone() };
    let terms = [alone.logits(valid), hidden.logits(valid)];
    let terms = [&terms[0], &terms[1]];
    let with = |weights: &[Vec<f64>]| FloatModel {
        conditionals: alone
            .conditionals
            .iter()
            .zip(weights)
            .map(|(conditional, weights)| FloatConditional::blend(&[(conditional, weights[0])]))
            .collect(),
        hidden: Some(hidden.scaled(|i| weights[i][1] as f32)),
        ..alone.clone()
    };
    let rows: Vec<(usize, &[u32])> = candidates.free.iter().map(Vec::as_slice).enumerate().collect();
    let shared = weigh(&terms, valid, &rows, &[1.0, 1.0], 1.0);
    let best = candidates.better(best, with(&vec![shared.clone(); rows.len()]), 2.0)?;
    candidates.better(best, with(&weigh_bits(&terms, valid, &candidates.free, &shared)), 0.0)
}

/// Continues the fit of the layer with the conditionals fixed. Then rounds the input weights as quantisation does and
/// refits the output weights to compensate.
fn refined(
    candidates: &Candidates,
    best: SizedModel,
    fitter: &LayerFitter,
    settings: &LayerSettings,
) -> Result<SizedModel> {
    let factorisation = candidates.factorisation;
    let (train, valid, constraints) = (&factorisation.train, &factorisation.valid, &factorisation.constraints);
    let Some(hidden) = best.model.hidden.clone() else { return Ok(best) };
    let alone = FloatModel { hidden: None, ..best.model.clone() };
    let rows = [train, valid].map(|bits| SparseRows::new(bits, constraints, Some(&alone.logits(bits))));
    let shape = LayerShape { units: hidden.units(), ..settings.shape };
    let continued = |objective: NadeObjective, layer: &HiddenLayer, bit_biases: &[f32], rate: f32| {
        let optimizer = Optimizer {
            rate: Some(rate),
            epochs: (settings.optimizer.epochs / 2).max(1),
            patience: settings.optimizer.patience.min(8),
            ..settings.optimizer
        };
        let start = objective.theta(layer, bit_biases);
        objective.layer(&optimize(&objective, start, &optimizer, |_, _| !fitter.observer.is_cancelled()).theta)
    };
    let with = |(layer, bit_biases): (HiddenLayer, Vec<f32>)| {
        let mut model = FloatModel { hidden: Some(layer), ..alone.clone() };
        model.conditionals.iter_mut().zip(bit_biases).for_each(|(c, bias)| c.bias += f64::from(bias));
        model
    };
    let rate = settings.optimizer.rate.unwrap_or(RATES[0]);
    let zeros = vec![0.0; train.width()];
    let whole = continued(NadeObjective::new(shape, &rows[0], &rows[1]), &hidden, &zeros, 0.3 * rate);
    let unrounded = candidates.better(best.clone(), with(whole.clone()), 1.0)?;
    let start = if unrounded.valid_ll > best.valid_ll { whole } else { (hidden, zeros) };
    let rounded = HiddenTable::rounded(&start.0);
    // A rounded layer predicts slightly worse in floats, but quantisation does not change its input weights.
    let shape = LayerShape { dropout: 0.0, input_dropout: 0.0, ..shape };
    let outputs_only = NadeObjective::new(shape, &rows[0], &rows[1]).outputs_only();
    let model = with(continued(outputs_only, &rounded, &start.1, 0.1 * rate));
    let rounded = candidates.better(SizedModel { valid_ll: f64::NEG_INFINITY, ..unrounded.clone() }, model, 0.0)?;
    let integer = |sized: &SizedModel| integer_log_likelihood(&sized.table, valid);
    Ok(if integer(&rounded)? > integer(&unrounded)? { rounded } else { unrounded })
}

/// Returns the mean log-likelihood of rows under a quantised table, in nats per row.
fn integer_log_likelihood(table: &OwnedTable, bits: &Bits) -> Result<f64> {
    let bytes = table.bytes()?;
    let words: Vec<u32> =
        bytes.chunks(4).map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]])).collect();
    Ok(with_shape!(table.shape(), N, H, K => {
        let table = Table::<N, H, K>::from_bytes(bytemuck::cast_slice(&words), surprisal::Fingerprint::ANY)?;
        let each = (0..bits.rows).into_par_iter().map(|at| {
            let mut row = [false; N];
            bits.row(at, &mut row);
            f64::from(table.model.surprisal(&row))
        });
        let each: Vec<f64> = each.collect();
        -each.iter().sum::<f64>() / bits.rows.max(1) as f64
    }))
}
