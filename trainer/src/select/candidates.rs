//! Fitted models that the selection combines: each bit gets the conditional of one model and a weight of the hidden
//! layer.

use rayon::prelude::*;

use super::choices::{Budget, Choices, Excluded, Recipe};
use super::factorisation::Factorisation;
use super::grid::{grid, run};
use crate::bits::{PerBit, members};
use crate::error::Result;
use crate::evaluate::mean;
use crate::fit::Family;
use crate::model::{FloatConditional, FloatModel, log_sigmoid, mean_log_likelihood};
use crate::names::Named;
use crate::observer::Observer;
use crate::shape::Shape;
use crate::table::OwnedTable;
use crate::table::quantise::quantise;

/// A fitted model with its logits on the validation rows.
#[derive(Clone, Debug)]
pub struct Fitted {
    /// Name of the model in reports, for example its family.
    pub name: String,
    /// (smallest gain of a split, strength), or `None` if these do not determine the model.
    pub setting: Option<(f64, f64)>,
    /// Fitted model before quantisation.
    pub model: FloatModel,
    /// Logits on the validation rows, in nats: `[bit][row]`.
    pub logits: PerBit,
}

/// A quantised model with its size and its validation log-likelihood.
#[derive(Clone, Debug)]
pub struct SizedModel {
    /// Fitted model before quantisation.
    pub model: FloatModel,
    /// Quantised model, whose detector is not calibrated.
    pub table: OwnedTable,
    /// Order, settings and terms of the model.
    pub recipe: Recipe,
    /// Log-likelihood of each validation row, in nats: `[row]`.
    pub each: Vec<f64>,
    /// Mean log-likelihood of the validation rows, in nats per row.
    pub valid_ll: f64,
    /// Estimate of the mean log-likelihood, in nats per row, corrected for the overfitting of choices bit by bit.
    pub cautious_ll: f64,
    /// Size of the `.srp` file, in bytes.
    pub bytes: usize,
}

/// Fitted models in one order of the columns, from which the selection chooses a conditional for each bit.
pub struct Candidates<'a> {
    pub(super) factorisation: &'a Factorisation,
    pub(super) choices: &'a Choices,
    pub(super) budget: &'a Budget<'a>,
    pub(super) observer: &'a dyn Observer,
    /// Models without a hidden layer. The first `full` models belong to the requested families; the others are smaller,
    /// for budgets that the requested families exceed.
    pub(super) fitted: Vec<Fitted>,
    /// Number of models of the requested families in `fitted`.
    pub(super) full: usize,
    families: Vec<Family>,
    /// Validation rows in which no constraint makes each bit observed or implied: `[bit][..]`.
    pub(super) free: Vec<Vec<u32>>,
}

/// Choice of terms for one bit: the conditional of a fitted model, if any, and the weights of conditional and hidden
/// layer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Choice {
    /// Index of the fitted model in [`Candidates::fitted`], or `None` for the hidden layer alone.
    pub(super) fitted: Option<usize>,
    /// Weights of [the fitted model's logit, the hidden layer's logit].
    pub(super) weights: [f64; 2],
}

impl<'a> Candidates<'a> {
    /// Returns a set of candidates without fitted models.
    pub(super) fn new(
        factorisation: &'a Factorisation,
        choices: &'a Choices,
        budget: &'a Budget<'a>,
        observer: &'a dyn Observer,
    ) -> Self {
        let (valid, constraints) = (&factorisation.valid, &factorisation.constraints);
        let free = (0..valid.width()).map(|i| members(&valid.free(constraints, i)).collect()).collect();
        Self { factorisation, choices, budget, observer, fitted: Vec::new(), full: 0, families: Vec::new(), free }
    }

    /// Fits a requested family over its grid of settings and adds the models.
    pub(super) fn fit_grid(&mut self, family: Family) {
        let (gammas, strengths) = grid(family, self.choices);
        self.fit(family, &gammas, &strengths);
        self.full = self.fitted.len();
        self.families.push(family);
    }

    /// Fits a family for each pair of a smallest split gain and a strength, and adds the models.
    fn fit(&mut self, family: Family, gammas: &[f64], strengths: &[f64]) {
        for &gamma in gammas {
            let fitted = run(self.factorisation, family, self.choices, gamma, strengths, self.observer);
            for (model, &strength) in fitted.into_iter().zip(strengths) {
                self.add(family.name().to_owned(), Some((gamma, strength)), model);
            }
        }
    }

    /// Adds a model without a hidden layer to the candidates.
    pub(super) fn add(&mut self, name: String, setting: Option<(f64, f64)>, model: FloatModel) {
        self.fitted.push(self.evaluate(name, setting, model));
    }

    /// Computes the logits of a model on the validation rows and returns both.
    pub(super) fn evaluate(&self, name: String, setting: Option<(f64, f64)>, model: FloatModel) -> Fitted {
        let logits = model.logits(&self.factorisation.valid);
        Fitted { name, setting, model, logits }
    }

    /// Adds models whose logits are means of two models' logits: separately fitted logistic regressions and trees, and
    /// the best linear-trees model and each boosted forest.
    pub(super) fn fit_means(&mut self) {
        let (valid, constraints) = (&self.factorisation.valid, &self.factorisation.constraints);
        let score = |fitted: &&Fitted| mean_log_likelihood(&fitted.logits, valid, constraints);
        let named = |family: Family| self.fitted.iter().filter(move |fitted| fitted.name == family.name());
        let best = named(Family::LinearTrees).max_by(|a, b| score(a).total_cmp(&score(b))).cloned();
        let forests: Vec<Fitted> = named(Family::Boost).cloned().collect();
        let linear = run(self.factorisation, Family::Linear, self.choices, 0.0, &[10.0, 7.0, 5.0, 3.5], self.observer);
        let trees: Vec<FloatModel> = [2.5, 5.0, 10.0]
            .into_iter()
            .flat_map(|gamma| run(self.factorisation, Family::Tree, self.choices, gamma, &[8.0, 2.0], self.observer))
            .collect();
        let mut means = Vec::new();
        for linear in &linear {
            let both = trees.iter().filter_map(|tree| FloatModel::blend(&[(linear, 0.5), (tree, 0.5)]));
            means.extend(both.map(|model| ("linear, tree", model)));
        }
        for forest in &forests {
            let both = best.as_ref().and_then(|best| FloatModel::blend(&[(&best.model, 0.5), (&forest.model, 0.5)]));
            means.extend(both.map(|model| ("linear-trees, boost", model)));
        }
        for (name, model) in means {
            self.add(name.to_owned(), None, model);
        }
        self.full = self.fitted.len();
    }

    /// Returns the highest mean log-likelihood of the validation rows, in nats per row, when the logits of a layer
    /// (`[bit][row]`) are averaged with the logits of a fitted model of the requested families.
    pub(super) fn best_mean(&self, layer: &PerBit) -> f64 {
        let (valid, constraints) = (&self.factorisation.valid, &self.factorisation.constraints);
        let with = |fitted: &Fitted| {
            let mean = |(a, b): (&Vec<f64>, &Vec<f64>)| a.iter().zip(b).map(|(a, b)| 0.5 * (a + b)).collect();
            let logits: PerBit = fitted.logits.iter().zip(layer).map(mean).collect();
            mean_log_likelihood(&logits, valid, constraints)
        };
        let alone = mean_log_likelihood(layer, valid, constraints);
        self.fitted[..self.full].iter().map(with).reduce(f64::max).unwrap_or(alone)
    }

    /// Returns the model of the requested families with the highest validation log-likelihood, without regard to its
    /// size.
    pub(super) fn best_full(&self) -> Option<Fitted> {
        let (valid, constraints) = (&self.factorisation.valid, &self.factorisation.constraints);
        let scores: Vec<f64> =
            self.fitted[..self.full].par_iter().map(|m| mean_log_likelihood(&m.logits, valid, constraints)).collect();
        let best = (0..self.full).max_by(|&a, &b| scores[a].total_cmp(&scores[b]).then(b.cmp(&a)));
        best.map(|at| self.fitted[at].clone())
    }

    /// Returns the model of the requested families, without a hidden layer, that predicts the validation rows best, if it
    /// exceeds the budget and predicts better than the chosen model.
    pub(super) fn excluded(&self, chosen: &SizedModel) -> Result<Option<Excluded>> {
        let Some(best) = self.best_full() else { return Ok(None) };
        let recipe = Recipe { order: self.factorisation.name.clone(), setting: best.setting, terms: None };
        let Some(sized) = self.finish(best.model, recipe, self.row_likelihoods(&best.logits))? else { return Ok(None) };
        let nats = sized.valid_ll - chosen.cautious_ll;
        let excluded = Excluded { nats, file_bytes: sized.bytes, operations: sized.table.operations()? };
        Ok(Some(excluded).filter(|_| nats > 0.0 && !self.fits(&sized)))
    }

    /// Returns the sum of a model and a layer that was fitted on top of the model, or `None` if the sum is too large
    /// for the table format.
    pub(super) fn sum(&self, under: &Fitted, layer: &Fitted) -> Result<Option<SizedModel>> {
        let Some(model) = FloatModel::blend(&[(&under.model, 1.0), (&layer.model, 1.0)]) else { return Ok(None) };
        let terms = Some(format!("{} under {}", under.name, layer.name));
        let recipe = Recipe { order: self.factorisation.name.clone(), setting: under.setting, terms };
        let each = self.row_likelihoods(&model.logits(&self.factorisation.valid));
        self.finish(model, recipe, each)
    }

    /// Returns the largest number of hidden units for which a model with a hidden layer is within the budget.
    pub(super) fn unit_capacity(&self) -> Result<usize> {
        let n = self.factorisation.train.width();
        let bare = FloatModel {
            conditionals: vec![FloatConditional::default(); n],
            constraints: self.factorisation.constraints.clone(),
            ..FloatModel::default()
        };
        let bare =
            self.finish(bare, Recipe::default(), Vec::new())?.expect("a model of biases only is always representable");
        // A unit takes two weights per bit, a bias and a gain; the layer takes a scale per bit and up to 64 bytes of
        // padding.
        let flash = self.budget.flash.saturating_sub(bare.bytes + 2 * n + 64) / (2 * n + 4);
        let ram = self.budget.ram.saturating_sub(bare.table.shape().state_bytes()) / Shape::UNIT_BYTES;
        let operations = self.budget.operations / (2 * n).max(1);
        Ok(flash.min(ram).min(operations).min(Shape::LARGEST.units))
    }

    /// Fits smaller families that are special cases of the requested families, unless this was done before.
    pub(super) fn fit_smaller(&mut self) {
        const MARGINAL: (Family, &[f64], &[f64]) = (Family::Marginal, &[0.0], &[0.0]);
        const TREE: (Family, &[f64], &[f64]) = (Family::Tree, &[1.0, 2.5, 5.0, 10.0, 20.0, 40.0], &[8.0]);
        const LINEAR: (Family, &[f64], &[f64]) = (Family::Linear, &[0.0], &[160.0, 80.0, 40.0, 20.0, 10.0]);
        if self.fitted.len() > self.full || self.families.is_empty() {
            return;
        }
        let has = |family: Family| self.families.contains(&family);
        let mut smaller = Vec::new();
        smaller.extend(Some(TREE).filter(|_| has(Family::Tree) || has(Family::LinearTrees) || has(Family::Boost)));
        smaller.extend(Some(LINEAR).filter(|_| has(Family::Linear) || has(Family::LinearTrees)));
        smaller.push(MARGINAL);
        for (family, gammas, strengths) in smaller {
            self.fit(family, gammas, strengths);
        }
    }

    /// Returns the log-likelihood of bit `i` in each validation row of `free[i]`, in nats.
    pub(super) fn likelihoods(&self, i: usize, choice: Choice, layer: Option<&Fitted>) -> Vec<f64> {
        let valid = &self.factorisation.valid;
        let [own_weight, layer_weight] = choice.weights;
        let own = choice.fitted.map(|at| &self.fitted[at].logits[i]);
        let layer = layer.map(|layer| &layer.logits[i]);
        let likelihood = |&row: &u32| {
            let row = row as usize;
            let logit = own.map_or(0.0, |logits| own_weight * logits[row])
                + layer.map_or(0.0, |logits| layer_weight * logits[row]);
            log_sigmoid(logit, valid.get(row, i))
        };
        self.free[i].iter().map(likelihood).collect()
    }

    /// Returns the log-likelihood of each validation row under the logits `[bit][row]`, in nats: `[row]`.
    pub(super) fn row_likelihoods(&self, logits: &PerBit) -> Vec<f64> {
        let valid = &self.factorisation.valid;
        let mut each = vec![0.0; valid.rows];
        for (i, (free, logits)) in self.free.iter().zip(logits).enumerate() {
            free.iter()
                .map(|&row| row as usize)
                .for_each(|row| each[row] += log_sigmoid(logits[row], valid.get(row, i)));
        }
        each
    }

    /// Returns the log-likelihood of each validation row under one choice per bit, in nats: `[row]`.
    pub(super) fn each(&self, choices: &[Choice], layer: Option<&Fitted>) -> Vec<f64> {
        let mut each = vec![0.0; self.factorisation.valid.rows];
        for (i, &choice) in choices.iter().enumerate() {
            let likelihoods = self.likelihoods(i, choice, layer);
            self.free[i].iter().zip(likelihoods).for_each(|(&row, likelihood)| each[row as usize] += likelihood);
        }
        each
    }

    /// Builds the model with one choice per bit, or returns `None` if the model is too large for the table format.
    pub(super) fn assemble(
        &self,
        choices: &[Choice],
        layer: Option<&Fitted>,
        setting: Option<(f64, f64)>,
        name: &str,
    ) -> Result<Option<SizedModel>> {
        let blended = |(i, choice): (usize, &Choice)| {
            let own = choice.fitted.map(|at| &self.fitted[at].model.conditionals[i]);
            let layer = layer.map(|layer| &layer.model.conditionals[i]);
            let both: Vec<_> =
                own.into_iter().zip([choice.weights[0]]).chain(layer.into_iter().zip([choice.weights[1]])).collect();
            FloatConditional::blend(&both)
        };
        let hidden = layer.and_then(|layer| layer.model.hidden.as_ref());
        let model = FloatModel {
            conditionals: choices.iter().enumerate().map(blended).collect(),
            hidden: hidden.map(|hidden| hidden.scaled(|i| choices[i].weights[1] as f32)),
            constraints: self.factorisation.constraints.clone(),
            ..FloatModel::default()
        };
        let terms = layer.map(|layer| match name {
            "" if choices.iter().all(|choice| choice.fitted.is_none()) => layer.name.clone(),
            "" => format!("conditionals + {}", layer.name),
            name => format!("{name} + {}", layer.name),
        });
        let recipe = Recipe { order: self.factorisation.name.clone(), setting, terms };
        self.finish(model, recipe, self.each(choices, layer))
    }

    /// Quantises a model and computes its size; returns `None` if the model is too large for the table format.
    ///
    /// `each` is the log-likelihood of each validation row in nats.
    pub(super) fn finish(&self, model: FloatModel, recipe: Recipe, each: Vec<f64>) -> Result<Option<SizedModel>> {
        let Some(table) = quantise(&self.factorisation.schema, &model) else { return Ok(None) };
        let bytes = table.bytes()?.len() + (self.budget.overhead)(&recipe);
        let valid_ll = mean(&each);
        Ok(Some(SizedModel { model, table, recipe, each, valid_ll, cautious_ll: valid_ll, bytes }))
    }

    /// Returns `model` if it is within the budget and gains more than `min_gain` nats over `best`, summed over all
    /// validation rows; otherwise returns `best`.
    pub(super) fn better(&self, best: SizedModel, model: FloatModel, min_gain: f64) -> Result<SizedModel> {
        let each = self.row_likelihoods(&model.logits(&self.factorisation.valid));
        let other = self.finish(model, best.recipe.clone(), each)?.filter(|other| self.fits(other));
        let rows = self.factorisation.valid.rows as f64;
        Ok(other.filter(|other| (other.valid_ll - best.valid_ll) * rows > min_gain).unwrap_or(best))
    }

    /// Returns whether a model is within the budget of flash, RAM and operations.
    pub(super) fn fits(&self, sized: &SizedModel) -> bool {
        sized.bytes <= self.budget.flash
            && sized.table.shape().state_bytes() <= self.budget.ram
            && sized.table.operations().is_ok_and(|operations| operations <= self.budget.operations)
    }
}

impl Choice {
    /// Choice of the hidden layer without a conditional.
    pub(super) const LAYER: Self = Self { fitted: None, weights: [0.0, 1.0] };

    /// Returns the choice of a fitted model's conditional, averaged with the hidden layer if `has_layer`.
    pub(super) fn of(fitted: usize, has_layer: bool) -> Self {
        Self { fitted: Some(fitted), weights: if has_layer { [0.5, 0.5] } else { [1.0, 0.0] } }
    }
}
