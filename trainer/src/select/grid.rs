//! Fits a family of conditionals over a grid of settings.

use super::choices::Choices;
use super::factorisation::Factorisation;
use crate::bits::Bits;
use crate::fit::{Family, FitSettings, fit};
use crate::model::FloatModel;
use crate::observer::{Event, Observer};
use crate::schema::Schema;
use crate::table::quantise::most_splits;

/// (smallest gain of a split, strength) of the medium settings, with which orders or encodings are compared.
pub const MEDIUM: (f64, f64) = (2.5, 5.0);

/// Returns (smallest gains of a split, strengths) to try for a family. Strengths descend.
pub fn grid(family: Family, choices: &Choices) -> (Vec<f64>, Vec<f64>) {
    let (gammas, strengths): (&[f64], &[f64]) = match family {
        Family::ChowLiu => (&[0.0], &[20.0, 8.0, 3.0, 1.0]),
        Family::Tree => (&[0.0, 1.0, 2.5, 5.0, 10.0], &[20.0, 8.0, 3.0, 1.0]),
        Family::Linear => (&[0.0], &[20.0, 10.0, 5.0, 2.5, 1.2]),
        Family::LinearTrees => (&[1.0, 2.5, 5.0], &[20.0, 10.0, 5.0, 2.5]),
        Family::Boost => (&[5.0, 2.0, 0.7], &[0.1]),
        _ => (&[0.0], &[0.0]),
    };
    let fixed = |given: Option<f64>, grid: &[f64]| given.map_or(grid.to_vec(), |given| vec![given]);
    // The strength of boosting is a learning rate, so that a strength for another family does not apply.
    let strength = choices.strength.filter(|_| family != Family::Boost || choices.family == Family::Boost);
    (fixed(choices.gamma, gammas), fixed(strength, strengths))
}

/// Fits a family with `gamma` as the smallest gain of a split and returns one model per strength: `[strength]`.
pub fn run(
    factorisation: &Factorisation,
    family: Family,
    choices: &Choices,
    gamma: f64,
    strengths: &[f64],
    observer: &dyn Observer,
) -> Vec<FloatModel> {
    let n = factorisation.train.width();
    let settings = FitSettings {
        family,
        gamma,
        max_splits: most_splits(n),
        tree_features: factorisation.tree_features.as_deref(),
        l2: choices.l2,
    };
    let name = format!("{} {family}, gain {gamma}", factorisation.name);
    observer.event(Event::Stage { name: &name, steps: n });
    let step = || observer.event(Event::Step);
    let fitted = fit(&factorisation.train, &factorisation.constraints, &settings, strengths, &step);
    let model = |conditionals| FloatModel {
        conditionals,
        constraints: factorisation.constraints.clone(),
        ..FloatModel::default()
    };
    fitted.into_iter().map(model).collect()
}

/// Fits a family of conditionals with medium settings in the order of the schema and returns its validation
/// likelihoods.
///
/// The result is the log-likelihood of each validation row in nats, without log-widths: `[row]`.
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
    let model = &run(&factorisation, family, choices, MEDIUM.0, &[MEDIUM.1], observer)[0];
    let mut each = vec![0.0; valid.rows];
    for (i, conditional) in model.conditionals.iter().enumerate() {
        let likelihoods = conditional.log_likelihoods(valid, &factorisation.constraints, i);
        each.iter_mut().zip(likelihoods).for_each(|(sum, likelihood)| *sum += likelihood);
    }
    each
}
