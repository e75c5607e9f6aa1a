//! What was fitted, and the best that can be made of it under a budget, bit by bit if need be.

use rayon::prelude::*;

use super::ration::MARGINS;
use super::{Budget, Choices, Factorisation, Made, grid, run};
use crate::artefact::Shape;
use crate::bits::members;
use crate::error::{Error, Result};
use crate::evaluate::mean;
use crate::fit::Family;
use crate::model::{Conditional, Hidden, Model, PerBit, log_sigmoid, mean_log_likelihood};
use crate::names::Named;
use crate::observer::Observer;
use crate::quantise::TableData;

/// A fitted model and its logits on the validation rows.
#[derive(Clone, Debug)]
pub struct Member {
    /// What to call it.
    pub name: String,
    /// What a split had to gain, and the strength, if that says it all.
    pub setting: Option<(f64, f64)>,
    /// It.
    pub model: Model,
    /// Of the validation rows.
    pub logits: PerBit,
}

/// A model that fits, with what it takes and gives.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// As fitted.
    pub model: Model,
    /// As quantised.
    pub table: TableData,
    /// How it was made.
    pub made: Made,
    /// Log-likelihood of each validation row.
    pub each: Vec<f64>,
    /// Their mean.
    pub valid_ll: f64,
    /// The mean, less what choosing bit by bit makes of it by chance.
    pub cautious: f64,
    /// Of the file.
    pub bytes: usize,
}

/// Models of one order to choose from.
pub struct Pool<'a> {
    pub(super) factorisation: &'a Factorisation,
    pub(super) choices: &'a Choices,
    pub(super) budget: &'a Budget<'a>,
    pub(super) observer: &'a dyn Observer,
    /// Of conditionals only. The first `whole` of them are worth having as they are; the others are smaller and serve where
    /// those do not fit.
    pub(super) members: Vec<Member>,
    pub(super) whole: usize,
    families: Vec<Family>,
    /// For each bit, the validation rows in which it is free.
    pub(super) free: Vec<Vec<u32>>,
}

/// Which member's conditional a bit takes, if any, and the weights of that and of the hidden layer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pick {
    pub(super) member: Option<usize>,
    weights: [f64; 2],
}

impl<'a> Pool<'a> {
    pub(super) fn new(
        factorisation: &'a Factorisation,
        choices: &'a Choices,
        budget: &'a Budget<'a>,
        observer: &'a dyn Observer,
    ) -> Self {
        let (valid, guards) = (&factorisation.valid, &factorisation.guards);
        let free = (0..valid.width()).map(|i| members(&valid.free(guards, i)).collect()).collect();
        Self { factorisation, choices, budget, observer, members: Vec::new(), whole: 0, families: Vec::new(), free }
    }

    /// Fits a family in all its settings.
    pub(super) fn fit_grid(&mut self, family: Family) {
        let (gammas, strengths) = grid(family, self.choices);
        self.fit(family, &gammas, &strengths);
        self.whole = self.members.len();
        self.families.push(family);
    }

    fn fit(&mut self, family: Family, gammas: &[f64], strengths: &[f64]) {
        for &gamma in gammas {
            let fitted = run(self.factorisation, family, self.choices, gamma, strengths, self.observer);
            for (model, &strength) in fitted.into_iter().zip(strengths) {
                self.add(family.name().to_owned(), Some((gamma, strength)), model);
            }
        }
    }

    /// Adds a model of conditionals.
    pub(super) fn add(&mut self, name: String, setting: Option<(f64, f64)>, model: Model) {
        self.members.push(self.member(name, setting, model));
    }

    pub(super) fn member(&self, name: String, setting: Option<(f64, f64)>, model: Model) -> Member {
        let logits = model.logits(&self.factorisation.valid);
        Member { name, setting, model, logits }
    }

    /// Adds means of what is there: of a logistic row and a tree that were fitted apart, and of the best with each forest.
    pub(super) fn fit_means(&mut self) {
        let (valid, guards) = (&self.factorisation.valid, &self.factorisation.guards);
        let score = |member: &&Member| mean_log_likelihood(&member.logits, valid, guards);
        let lintrees = self.members.iter().filter(|member| member.name == Family::Lintree.name());
        let best = lintrees.max_by(|a, b| score(a).total_cmp(&score(b))).cloned();
        let forests: Vec<Member> = self.members.iter().filter(|m| m.name == Family::Boost.name()).cloned().collect();
        let rows = run(self.factorisation, Family::Linear, self.choices, 0.0, &[10.0, 7.0, 5.0, 3.5], self.observer);
        let trees: Vec<Model> = [2.5, 5.0, 10.0]
            .into_iter()
            .flat_map(|gamma| run(self.factorisation, Family::Tree, self.choices, gamma, &[8.0, 2.0], self.observer))
            .collect();
        let mut means = Vec::new();
        for row in &rows {
            let both = trees.iter().filter_map(|tree| Model::blend(&[(row, 0.5), (tree, 0.5)]));
            means.extend(both.map(|model| ("linear, tree", model)));
        }
        for forest in &forests {
            let both = best.as_ref().and_then(|best| Model::blend(&[(&best.model, 0.5), (&forest.model, 0.5)]));
            means.extend(both.map(|model| ("linear-trees, boost", model)));
        }
        for (name, model) in means {
            self.add(name.to_owned(), None, model);
        }
        self.whole = self.members.len();
    }

    /// The mean log-likelihood of the validation rows under a layer with these logits, beside the best conditionals.
    pub(super) fn beside(&self, layer: &PerBit) -> f64 {
        let (valid, guards) = (&self.factorisation.valid, &self.factorisation.guards);
        let with = |member: &Member| {
            let mean = |(a, b): (&Vec<f64>, &Vec<f64>)| a.iter().zip(b).map(|(a, b)| 0.5 * (a + b)).collect();
            let logits: PerBit = member.logits.iter().zip(layer).map(mean).collect();
            mean_log_likelihood(&logits, valid, guards)
        };
        let alone = mean_log_likelihood(layer, valid, guards);
        self.members[..self.whole].iter().map(with).reduce(f64::max).unwrap_or(alone)
    }

    /// The member that predicts the validation rows best on its own.
    pub(super) fn best_whole(&self) -> Option<Member> {
        let (valid, guards) = (&self.factorisation.valid, &self.factorisation.guards);
        let scores: Vec<f64> =
            self.members[..self.whole].par_iter().map(|m| mean_log_likelihood(&m.logits, valid, guards)).collect();
        let best = (0..self.whole).max_by(|&a, &b| scores[a].total_cmp(&scores[b]).then(b.cmp(&a)));
        best.map(|at| self.members[at].clone())
    }

    /// A layer that was fitted on top of a member, and the member.
    pub(super) fn sum(&self, under: &Member, layer: &Member) -> Result<Option<Candidate>> {
        let Some(model) = Model::blend(&[(&under.model, 1.0), (&layer.model, 1.0)]) else { return Ok(None) };
        let parts = Some(format!("{} under {}", under.name, layer.name));
        let made = Made { order: self.factorisation.name.clone(), setting: under.setting, parts };
        let each = self.each_of(&model.logits(&self.factorisation.valid));
        self.finish(model, made, each)
    }

    /// How many units a hidden layer may have, at most.
    pub(super) fn room_for_units(&self) -> Result<usize> {
        let n = self.factorisation.train.width();
        let bare = Model {
            conditionals: vec![Conditional::default(); n],
            guards: self.factorisation.guards.clone(),
            ..Model::default()
        };
        let bare = self.finish(bare, Made::default(), Vec::new())?.expect("biases have no limits to exceed");
        // A unit takes two weights a bit, its bias and its gain; the layer a scale a bit, and up to 64 bytes to round up.
        let flash = self.budget.flash.saturating_sub(bare.bytes + 2 * n + 64) / (2 * n + 4);
        let ram = self.budget.ram.saturating_sub(bare.table.shape().state_bytes()) / Shape::UNIT_BYTES;
        let operations = self.budget.operations / (2 * n).max(1);
        Ok(flash.min(ram).min(operations).min(Shape::MOST.units))
    }

    /// Fits what is smaller than the families asked for and contained in them, once.
    fn fit_smaller(&mut self) {
        const MARGINAL: (Family, &[f64], &[f64]) = (Family::Marginal, &[0.0], &[0.0]);
        const TREE: (Family, &[f64], &[f64]) = (Family::Tree, &[1.0, 2.5, 5.0, 10.0, 20.0, 40.0], &[8.0]);
        const LINEAR: (Family, &[f64], &[f64]) = (Family::Linear, &[0.0], &[160.0, 80.0, 40.0, 20.0, 10.0]);
        if self.members.len() > self.whole || self.families.is_empty() {
            return;
        }
        let has = |family: Family| self.families.contains(&family);
        let mut smaller = Vec::new();
        smaller.extend(Some(TREE).filter(|_| has(Family::Tree) || has(Family::Lintree) || has(Family::Boost)));
        smaller.extend(Some(LINEAR).filter(|_| has(Family::Linear) || has(Family::Lintree)));
        smaller.push(MARGINAL);
        for (family, gammas, strengths) in smaller {
            self.fit(family, gammas, strengths);
        }
    }

    /// The best under the budget, beside a hidden layer if there is one.
    pub(super) fn best(&mut self, layer: Option<&Member>) -> Result<Candidate> {
        let whole = |at: usize| {
            let pick = if layer.is_some() { Pick::both(at) } else { Pick::alone(at) };
            vec![pick; self.free.len()]
        };
        let mut ranked: Vec<(f64, usize)> =
            (0..self.whole).into_par_iter().map(|at| (mean(&self.each(&whole(at), layer)), at)).collect();
        ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let (mut reference, mut fitting) = (None, None);
        for &(_, at) in &ranked {
            let setting = self.members[at].setting;
            let Some(candidate) = self.candidate(&whole(at), layer, setting, &self.members[at].name)? else { continue };
            reference.get_or_insert(at);
            if self.fits(&candidate) {
                fitting = Some((candidate, at));
                break;
            }
        }
        let reference = reference.or(ranked.first().map(|&(_, at)| at));
        if let Some((candidate, at)) = &fitting
            && Some(*at) == reference
        {
            return Ok(candidate.clone());
        }
        let mut found: Vec<Candidate> = fitting.into_iter().map(|(candidate, _)| candidate).collect();
        self.fit_smaller();
        let reference = match reference {
            Some(at) if layer.is_some() => Pick::both(at),
            Some(at) => Pick::alone(at),
            None => Pick::LAYER,
        };
        let offers = self.offers(reference, layer);
        // Without any weights, or without any trees, a table saves what every bit pays for having some.
        let without = |lacks: &dyn Fn(&Conditional) -> bool| -> Vec<bool> {
            self.members.iter().map(|member| member.model.conditionals.iter().all(lacks)).collect()
        };
        let pools = [without(&|c| c.weights.is_empty()), without(&|c| c.splits() == 0), without(&|_| true)];
        let mut least = usize::MAX;
        for pool in &pools {
            for margin in MARGINS {
                let (best, smallest) = self.ration(reference, &offers, pool, margin, layer)?;
                least = least.min(smallest);
                found.extend(best);
            }
        }
        let best = found.into_iter().max_by(|a, b| a.cautious.total_cmp(&b.cautious));
        let units = layer.and_then(|layer| layer.model.hidden.as_ref()).map_or(0, Hidden::units);
        let state = Shape { bits: self.free.len(), units, components: 0 }.state_bytes();
        best.ok_or_else(|| {
            let (option, exceeded) = if state > self.budget.ram {
                ("--ram", format!("the state of a row takes {state} bytes"))
            } else {
                ("--flash", format!("the smallest file takes {least} bytes"))
            };
            let advice = "raise the limit, give numbers fewer --cells, or leave out columns with --ignore";
            Error::option(option, format!("{exceeded}; {advice}"))
        })
    }

    /// The log-likelihood of bit i in each validation row in which it is free.
    pub(super) fn likelihoods(&self, i: usize, pick: Pick, layer: Option<&Member>) -> Vec<f64> {
        let valid = &self.factorisation.valid;
        let [of_member, of_layer] = pick.weights;
        let member = pick.member.map(|at| &self.members[at].logits[i]);
        let layer = layer.map(|layer| &layer.logits[i]);
        let likelihood = |&row: &u32| {
            let row = row as usize;
            let logit = member.map_or(0.0, |logits| of_member * logits[row])
                + layer.map_or(0.0, |logits| of_layer * logits[row]);
            log_sigmoid(logit, valid.get(row, i))
        };
        self.free[i].iter().map(likelihood).collect()
    }

    /// The log-likelihood of each validation row under logits.
    pub(super) fn each_of(&self, logits: &PerBit) -> Vec<f64> {
        let valid = &self.factorisation.valid;
        let mut each = vec![0.0; valid.rows];
        for (i, (free, logits)) in self.free.iter().zip(logits).enumerate() {
            free.iter()
                .map(|&row| row as usize)
                .for_each(|row| each[row] += log_sigmoid(logits[row], valid.get(row, i)));
        }
        each
    }

    /// The log-likelihood of each validation row.
    pub(super) fn each(&self, picks: &[Pick], layer: Option<&Member>) -> Vec<f64> {
        let mut each = vec![0.0; self.factorisation.valid.rows];
        for (i, &pick) in picks.iter().enumerate() {
            let likelihoods = self.likelihoods(i, pick, layer);
            self.free[i].iter().zip(likelihoods).for_each(|(&row, likelihood)| each[row as usize] += likelihood);
        }
        each
    }

    /// The model of these picks, unless it is too large for the format.
    pub(super) fn candidate(
        &self,
        picks: &[Pick],
        layer: Option<&Member>,
        setting: Option<(f64, f64)>,
        name: &str,
    ) -> Result<Option<Candidate>> {
        let of_bit = |(i, pick): (usize, &Pick)| {
            let member = pick.member.map(|at| &self.members[at].model.conditionals[i]);
            let layer = layer.map(|layer| &layer.model.conditionals[i]);
            let both: Vec<_> =
                member.into_iter().zip([pick.weights[0]]).chain(layer.into_iter().zip([pick.weights[1]])).collect();
            Conditional::blend(&both)
        };
        let hidden = layer.and_then(|layer| layer.model.hidden.as_ref());
        let model = Model {
            conditionals: picks.iter().enumerate().map(of_bit).collect(),
            hidden: hidden.map(|hidden| hidden.scaled(|i| picks[i].weights[1] as f32)),
            guards: self.factorisation.guards.clone(),
            ..Model::default()
        };
        let parts = layer.map(|layer| match name {
            "" if picks.iter().all(|pick| pick.member.is_none()) => layer.name.clone(),
            "" => format!("conditionals + {}", layer.name),
            name => format!("{name} + {}", layer.name),
        });
        let made = Made { order: self.factorisation.name.clone(), setting, parts };
        self.finish(model, made, self.each(picks, layer))
    }

    /// Quantises and weighs.
    pub(super) fn finish(&self, model: Model, made: Made, each: Vec<f64>) -> Result<Option<Candidate>> {
        let Some(table) = TableData::new(&self.factorisation.schema, &model) else { return Ok(None) };
        let bytes = table.bytes()?.len() + (self.budget.beside)(&made);
        let valid_ll = mean(&each);
        Ok(Some(Candidate { model, table, made, each, valid_ll, cautious: valid_ll, bytes }))
    }

    /// The model instead of the best so far, if it fits and gains more than so many nats on all validation rows together.
    pub(super) fn better(&self, best: Candidate, model: Model, price: f64) -> Result<Candidate> {
        let each = self.each_of(&model.logits(&self.factorisation.valid));
        let other = self.finish(model, best.made.clone(), each)?.filter(|other| self.fits(other));
        let rows = self.factorisation.valid.rows as f64;
        Ok(other.filter(|other| (other.valid_ll - best.valid_ll) * rows > price).unwrap_or(best))
    }

    /// Is it within the budget?
    pub(super) fn fits(&self, candidate: &Candidate) -> bool {
        candidate.bytes <= self.budget.flash
            && candidate.table.shape().state_bytes() <= self.budget.ram
            && candidate.table.operations().is_ok_and(|operations| operations <= self.budget.operations)
    }
}

impl Pick {
    /// The hidden layer and nothing else.
    pub(super) const LAYER: Self = Self { member: None, weights: [0.0, 1.0] };

    /// A member without a hidden layer.
    pub(super) fn alone(member: usize) -> Self {
        Self { member: Some(member), weights: [1.0, 0.0] }
    }

    /// The mean of both.
    pub(super) fn both(member: usize) -> Self {
        Self { member: Some(member), weights: [0.5, 0.5] }
    }
}
