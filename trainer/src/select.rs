//! Selects the order, family and settings that predict the validation rows best within a budget.

use crate::bits::Bits;
use crate::error::{Error, Result};
use crate::fit::Family;
use crate::observer::Observer;
use crate::order::Order;
use crate::schema::Schema;

mod allocate;
pub mod auto;
mod candidates;
pub mod cells;
mod choices;
mod factorisation;
mod grid;
mod mixture;

use candidates::Candidates;
use factorisation::factorisations;
use grid::{MEDIUM, run};

pub(crate) use choices::over_limit;
pub use choices::{Budget, Choices, Excluded, LayerChoices, OrderTrial, Recipe, Selection};
pub use grid::trial;

/// Largest budget of flash, in bytes, up to which the family `auto` tries mixtures of trees.
const MIXTURE_FLASH: usize = 8 << 10;

/// Fits models over all settings that the user leaves open and returns the best one within the budget.
///
/// # Errors
/// [`Error::Io`] or [`Error::Input`] if an order file cannot be read or does not name each column once;
/// [`Error::Option`] if options exclude each other or no model fits the budget; [`Error::Cancelled`].
pub fn select(
    schema: &Schema,
    train: &Bits,
    valid: &Bits,
    choices: &Choices,
    budget: &Budget,
    observer: &dyn Observer,
) -> Result<Selection> {
    if choices.family == Family::Mixture {
        return mixture::select(schema, train, valid, choices, budget);
    }
    let mut factorisations = factorisations(schema, train, valid, choices)?;
    let mut orders = Vec::new();
    if factorisations.len() > 1 {
        // One fit with medium settings per order. Boosting takes long and its strength is a rate, so that linear-trees
        // is fitted in its place.
        let strength = choices.strength.filter(|_| choices.family != Family::Boost);
        let (gamma, strength) = (choices.gamma.unwrap_or(MEDIUM.0), strength.unwrap_or(MEDIUM.1));
        let own = choices.family.has_conditionals_only() && choices.family != Family::Boost;
        let family = if own { choices.family } else { Family::LinearTrees };
        let mut best = (f64::NEG_INFINITY, 0);
        for (at, factorisation) in factorisations.iter().enumerate() {
            if observer.is_cancelled() {
                return Err(Error::Cancelled);
            }
            let fitted = run(factorisation, family, choices, gamma, &[strength], observer);
            let valid_ll = fitted[0].log_likelihood(&factorisation.valid);
            orders.push(OrderTrial { order: factorisation.name.clone(), valid_ll });
            // An order that the user chose comes last and is always used; other orders are reported for comparison.
            if valid_ll > best.0 || choices.order != Order::Auto {
                best = (valid_ll, at);
            }
        }
        factorisations = vec![factorisations.swap_remove(best.1)];
    }
    let mut candidates = Candidates::new(&factorisations[0], choices, budget, observer);
    let best = if choices.family.has_conditionals_only() {
        candidates.fit_grid(choices.family);
        candidates.best(None)
    } else {
        auto::search(&mut candidates)
    };
    if choices.family == Family::Auto && budget.flash <= MIXTURE_FLASH {
        // A mixture may need another order than the other families.
        let mixture = mixture::select(schema, train, valid, choices, budget).ok();
        let is_beaten = |mixture: &Selection| best.as_ref().is_ok_and(|other| other.cautious_ll >= mixture.valid_ll);
        if let Some(mixture) = mixture.filter(|mixture| !is_beaten(mixture)) {
            return Ok(Selection { orders, ..mixture });
        }
    }
    let best = best?;
    Ok(Selection {
        excluded: candidates.excluded(&best)?,
        schema: factorisations[0].schema.clone(),
        model: best.model,
        table: best.table,
        recipe: best.recipe,
        valid_ll: best.valid_ll,
        bytes: best.bytes,
        orders,
    })
}
