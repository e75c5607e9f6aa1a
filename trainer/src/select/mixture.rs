//! Selects the order, number of components and pseudo-count of a mixture of trees by the validation log-likelihood.

use super::choices::{Budget, Choices, Recipe, Selection, over_limit};
use super::factorisation::{Factorisation, factorisations};
use crate::bits::Bits;
use crate::error::{Error, Result};
use crate::fit::mixture::{MixtureSettings, em::Em, fit};
use crate::model::{FloatConditional, FloatMixture, FloatModel};
use crate::order::{self, Order};
use crate::schema::Schema;
use crate::shape::Shape;
use crate::table::quantise::quantise;

/// Numbers of components to try. With a budget, the largest number within the budget is tried as well.
const COMPONENTS: [usize; 4] = [2, 4, 8, 16];
/// Pseudo-counts in rows to try with the best number of components, which is selected with the first pseudo-count.
const PSEUDO_COUNTS: [f64; 3] = [2.0, 0.5, 8.0];
/// Number of iterations of expectation–maximisation for the mixture that determines the order.
const STEPS: usize = 30;

/// Returns the mixture within the budget that predicts the validation rows best.
///
/// # Errors
/// [`Error::Io`] or [`Error::Input`] if an order file cannot be read or does not name each column once;
/// [`Error::Option`] if no mixture fits the budget.
pub fn select(schema: &Schema, train: &Bits, valid: &Bits, choices: &Choices, budget: &Budget) -> Result<Selection> {
    let mut settings =
        MixtureSettings { seed: choices.seed, pseudo_count: PSEUDO_COUNTS[0], ..MixtureSettings::default() };
    settings.pseudo_count = choices.strength.unwrap_or(settings.pseudo_count);
    let factorisations = match choices.order {
        Order::Auto => {
            let natural: Vec<usize> = (0..schema.columns.len()).collect();
            let make = |name: &str, order: &[usize]| Factorisation::new(name, schema, order, train, valid);
            vec![make("natural", &natural), make("mixture", &own_order(schema, train, valid, settings))]
        }
        _ => factorisations(schema, train, valid, choices)?,
    };
    let capacity = component_capacity(&factorisations[0], budget)?;
    let tried = match (choices.components, budget.flash) {
        (Some(components), _) => vec![components.min(capacity)],
        (None, usize::MAX) if capacity == Shape::LARGEST.components => COMPONENTS.to_vec(),
        (None, _) => COMPONENTS.into_iter().filter(|&k| k < capacity).chain([capacity]).collect(),
    };
    let run = |factorisation: &Factorisation, settings: MixtureSettings| -> Result<Selection> {
        let mixture = fit(&factorisation.train, &factorisation.valid, &factorisation.constraints, &settings);
        sized(factorisation, mixture, settings.pseudo_count, budget)
    };
    // One fit with medium settings per order.
    let quick = MixtureSettings { starts: 1, ..settings };
    let medium = MixtureSettings { components: quick.components.min(capacity), ..quick };
    let mut best = None::<(f64, &Factorisation)>;
    for factorisation in factorisations.iter().filter(|_| factorisations.len() > 1) {
        let reached = run(factorisation, medium)?.valid_ll;
        if best.is_none_or(|(highest, _)| reached > highest) || choices.order != Order::Auto {
            best = Some((reached, factorisation));
        }
    }
    let factorisation = best.map_or(&factorisations[0], |(_, factorisation)| factorisation);
    let mut best = None::<(Selection, usize)>;
    for components in tried {
        let found = run(factorisation, MixtureSettings { components, ..quick })?;
        if best.as_ref().is_none_or(|(best, _)| found.valid_ll > best.valid_ll) {
            best = Some((found, components));
        }
    }
    let (mut selected, components) =
        best.ok_or_else(|| Error::option("--components", "expected at least 1 component"))?;
    let pseudo_counts = choices.strength.map_or(PSEUDO_COUNTS.to_vec(), |given| vec![given]);
    for pseudo_count in pseudo_counts {
        let other = run(factorisation, MixtureSettings { components, pseudo_count, ..settings })?;
        if other.valid_ll > selected.valid_ll {
            selected = other;
        }
    }
    Ok(selected)
}

/// Fits a mixture in the Chow–Liu order and returns the order of the maximum spanning tree of the dependence between
/// columns given the component, as column indices.
fn own_order(schema: &Schema, train: &Bits, valid: &Bits, settings: MixtureSettings) -> Vec<usize> {
    let (first, _) = order::chow_liu(schema, train);
    let factorisation = Factorisation::new("chow-liu", schema, &first, train, valid);
    let mut em = Em::new(&factorisation.train, &factorisation.constraints, &settings);
    em.start(settings.seed);
    (0..STEPS).for_each(|_| _ = em.step());
    order::of_mixture(&factorisation.schema, &em.dependence()).into_iter().map(|at| first[at]).collect()
}

/// Returns the largest number of components within the budget, at most [`Shape::LARGEST`].
fn component_capacity(factorisation: &Factorisation, budget: &Budget) -> Result<usize> {
    let n = factorisation.train.width();
    let one = FloatMixture { priors: vec![1.0], gaps: vec![0; n], weights: vec![0.0; n], biases: vec![0.0; n] };
    // The notes of the file record the settings; no pseudo-count is longer than this one in JSON.
    let least = sized(factorisation, one, 0.125, budget)?;
    let (state, operations) = (least.table.shape().state_bytes(), least.table.operations()?);
    if state > budget.ram || operations > budget.operations {
        return Err(over_limit("mixture", &budget.exceeded(least.bytes, state, operations), "with --ignore"));
    }
    let least = least.bytes;
    // A component takes four bytes of state and as many operations as the first one.
    let capacity =
        (1 + (budget.ram - state) / 4).min(budget.operations / operations.max(1)).min(Shape::LARGEST.components);
    let left = budget
        .flash
        .checked_sub(least)
        .ok_or_else(|| over_limit("mixture", &budget.exceeded(least, state, operations), "with --ignore"))?;
    // Sections are padded to a multiple of four bytes.
    Ok((1 + left.saturating_sub(6) / (n + 2)).min(capacity))
}

/// Quantises a mixture and returns it with its size and validation log-likelihood.
fn sized(
    factorisation: &Factorisation,
    mixture: FloatMixture,
    pseudo_count: f64,
    budget: &Budget,
) -> Result<Selection> {
    let model = FloatModel {
        conditionals: vec![FloatConditional::default(); factorisation.train.width()],
        constraints: factorisation.constraints.clone(),
        mixture: Some(mixture),
        ..FloatModel::default()
    };
    let table = quantise(&factorisation.schema, &model).expect("a mixture without weights and splits is representable");
    let terms = model.mixture.as_ref().map(|mixture| format!("{} components", mixture.components()));
    let recipe = Recipe { order: factorisation.name.clone(), setting: Some((0.0, pseudo_count)), terms };
    Ok(Selection {
        schema: factorisation.schema.clone(),
        valid_ll: model.log_likelihood(&factorisation.valid),
        bytes: table.bytes()?.len() + (budget.overhead)(&recipe),
        model,
        table,
        recipe,
        excluded: None,
        orders: Vec::new(),
    })
}
