//! Chooses order, number of components and pseudo-count of a mixture of trees.

use super::{Budget, Choices, Chosen, Factorisation, Made, factorisations};
use crate::artefact::Shape;
use crate::bits::Bits;
use crate::error::{Error, Result};
use crate::fit::mixture::{Mixture, Settings, em::Em, fit};
use crate::model::{Conditional, Model};
use crate::order::{self, Order};
use crate::quantise::TableData;
use crate::schema::Schema;

/// Components to try; under a size, as many as fit besides.
const COMPONENTS: [usize; 4] = [2, 4, 8, 16];
/// Pseudo-counts to try with the best number of components, the first one before that.
const PSEUDO_COUNTS: [f64; 3] = [2.0, 0.5, 8.0];
/// Steps to the mixture whose order is looked for.
const STEPS: usize = 30;

/// The mixture that predicts the validation rows best, of those that fit.
///
/// # Errors
/// As [`select`](super::select); more components than fit into the size.
pub fn select(schema: &Schema, train: &Bits, valid: &Bits, choices: &Choices, budget: &Budget) -> Result<Chosen> {
    let mut settings = Settings { seed: choices.seed, pseudo_count: PSEUDO_COUNTS[0], ..Settings::default() };
    settings.pseudo_count = choices.strength.unwrap_or(settings.pseudo_count);
    let factorisations = match choices.order {
        Order::Auto => {
            let natural: Vec<usize> = (0..schema.columns.len()).collect();
            let make = |name: &str, order: &[usize]| Factorisation::new(name, schema, order, train, valid);
            vec![make("natural", &natural), make("mixture", &own_order(schema, train, valid, settings))]
        }
        _ => factorisations(schema, train, valid, choices)?,
    };
    let most = most_components(&factorisations[0], budget)?;
    let tried = match (choices.components, budget.flash) {
        (Some(components), _) => vec![components.min(most)],
        (None, usize::MAX) if most == Shape::MOST.components => COMPONENTS.to_vec(),
        (None, _) => COMPONENTS.into_iter().filter(|&k| k < most).chain([most]).collect(),
    };
    let run = |factorisation: &Factorisation, settings: Settings| -> Result<Chosen> {
        let mixture = fit(&factorisation.train, &factorisation.valid, &factorisation.guards, &settings);
        sized(factorisation, mixture, settings.pseudo_count, budget)
    };
    // One middling fit tells the orders apart.
    let quick = Settings { starts: 1, ..settings };
    let middling = Settings { components: quick.components.min(most), ..quick };
    let mut best = None::<(f64, &Factorisation)>;
    for factorisation in factorisations.iter().filter(|_| factorisations.len() > 1) {
        let reached = run(factorisation, middling)?.valid_ll;
        if best.is_none_or(|(most, _)| reached > most) || choices.order != Order::Auto {
            best = Some((reached, factorisation));
        }
    }
    let factorisation = best.map_or(&factorisations[0], |(_, factorisation)| factorisation);
    let mut best = None::<(Chosen, usize)>;
    for components in tried {
        let chosen = run(factorisation, Settings { components, ..quick })?;
        if best.as_ref().is_none_or(|(best, _)| chosen.valid_ll > best.valid_ll) {
            best = Some((chosen, components));
        }
    }
    let (mut chosen, components) = best.ok_or_else(|| Error::option("--components", "expected at least one"))?;
    let pseudo_counts = choices.strength.map_or(PSEUDO_COUNTS.to_vec(), |given| vec![given]);
    for pseudo_count in pseudo_counts {
        let other = run(factorisation, Settings { components, pseudo_count, ..settings })?;
        if other.valid_ll > chosen.valid_ll {
            chosen = other;
        }
    }
    Ok(chosen)
}

/// The order in which one tree shared by all components fits best, by a mixture in the Chow–Liu order.
fn own_order(schema: &Schema, train: &Bits, valid: &Bits, settings: Settings) -> Vec<usize> {
    let (first, _) = order::chow_liu(schema, train);
    let factorisation = Factorisation::new("chow-liu", schema, &first, train, valid);
    let mut em = Em::new(&factorisation.train, &factorisation.guards, &settings);
    em.start(settings.seed);
    (0..STEPS).for_each(|_| _ = em.step());
    order::of_mixture(&factorisation.schema, &em.dependence()).into_iter().map(|at| first[at]).collect()
}

/// How many components fit into the size, the RAM, the operations and the host.
fn most_components(factorisation: &Factorisation, budget: &Budget) -> Result<usize> {
    let n = factorisation.train.width();
    let one = Mixture { priors: vec![1.0], gaps: vec![0; n], weights: vec![0.0; n], biases: vec![0.0; n] };
    // Settings are notes, too: none is longer than this one.
    let least = sized(factorisation, one, 0.125, budget)?;
    let (state, operations) = (least.table.shape().state_bytes(), least.table.operations()?);
    if state > budget.ram || operations > budget.operations {
        let takes = format!("the smallest mixture takes {state} bytes of RAM and {operations} operations");
        let message = format!("{takes}; raise the limit, or leave out columns with --ignore");
        return Err(Error::option("--ram or --ops", message));
    }
    let least = least.bytes;
    // A component takes four bytes of state, and as many operations as any other.
    let room = (1 + (budget.ram - state) / 4).min(budget.operations / operations.max(1)).min(Shape::MOST.components);
    let left = budget.flash.checked_sub(least).ok_or_else(|| {
        let message =
            format!("the smallest mixture takes {least} bytes; raise --flash, or leave out columns with --ignore");
        Error::option("--flash", message)
    })?;
    // A section may need three bytes more to end at a multiple of four.
    Ok((1 + left.saturating_sub(6) / (n + 2)).min(room))
}

fn sized(factorisation: &Factorisation, mixture: Mixture, pseudo_count: f64, budget: &Budget) -> Result<Chosen> {
    let model = Model {
        conditionals: vec![Conditional::default(); factorisation.train.width()],
        guards: factorisation.guards.clone(),
        mixture: Some(mixture),
        ..Model::default()
    };
    let table = TableData::new(&factorisation.schema, &model);
    let table = table.expect("a mixture has neither weights nor splits to count");
    let parts = model.mixture.as_ref().map(|mixture| format!("{} components", mixture.components()));
    let made = Made { order: factorisation.name.clone(), setting: Some((0.0, pseudo_count)), parts };
    Ok(Chosen {
        schema: factorisation.schema.clone(),
        valid_ll: model.log_likelihood(&factorisation.valid),
        bytes: table.bytes()?.len() + (budget.beside)(&made),
        model,
        table,
        made,
        orders: Vec::new(),
    })
}
