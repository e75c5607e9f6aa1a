//! Selects the number of cells (bins) of numeric columns by the validation log-likelihood.

use surprisal::{Kind, Reading};

use super::choices::Choices;
use super::grid::trial;
use crate::error::Result;
use crate::evaluate::mean;
use crate::fit::Family;
use crate::observer::Observer;
use crate::schema::{CELLS, Schema};

/// Numbers of cells (bins) per numeric column to try, ascending.
const CELLS_TRIED: [usize; 3] = [8, 16, 32];

/// Returns the schema with the smallest number of cells (bins) per numeric column whose validation log-density is
/// within one standard error of the best number's.
///
/// Each number of cells is evaluated by one fit with medium settings. `schema` has [`CELLS`] cells; `find(n)` returns
/// the schema with n cells.
///
/// # Errors
/// [`Error::Encode`](crate::Error::Encode) if a reading does not fit its column; any error of `find` for fewer cells.
pub fn choose_cells(
    schema: Schema,
    find: &dyn Fn(usize) -> Result<Schema>,
    train: &[Vec<Reading>],
    valid: &[Vec<Reading>],
    choices: &Choices,
    observer: &dyn Observer,
) -> Result<Schema> {
    if !schema.columns.iter().any(|encoding| matches!(encoding.kind, Kind::Integer | Kind::Real)) {
        return Ok(schema);
    }
    // A row with an isolated extreme, such as a glitch, says nothing about the width of cells.
    let is_plain = |row: &&Vec<Reading>| {
        schema.columns.iter().all(|encoding| encoding.is_in_bulk(row[usize::from(encoding.source)]))
    };
    let plain: Vec<Vec<Reading>> = valid.iter().filter(is_plain).cloned().collect();
    let valid = if plain.is_empty() { valid } else { &plain };
    let mut tried: Vec<(Schema, Vec<f64>)> = Vec::new();
    for cells in CELLS_TRIED {
        let schema = match find(cells) {
            _ if cells == CELLS => schema.clone(),
            Ok(schema) => schema,
            // More cells may take more bits than a model holds.
            Err(_) if cells > CELLS => break,
            Err(error) => return Err(error),
        };
        let ((bits, _), (valid_bits, widths)) = (schema.encode(train)?, schema.encode(valid)?);
        let unit = schema.log_unit();
        let each = trial(&schema, &bits, &valid_bits, choices, Family::LinearTrees, observer);
        tried.push((schema, each.iter().zip(widths).map(|(likelihood, width)| likelihood - width - unit).collect()));
    }
    let best = tried.iter().map(|(_, each)| each).max_by(|a, b| mean(a).total_cmp(&mean(b))).cloned();
    let best = best.expect("the list of cell numbers is not empty");
    let close = |each: &[f64]| {
        let lost: Vec<f64> = best.iter().zip(each).map(|(best, each)| best - each).collect();
        let mean = mean(&lost);
        let spread = lost.iter().map(|lost| (lost - mean).powi(2)).sum::<f64>() / lost.len().max(2) as f64;
        mean <= (spread / lost.len() as f64).sqrt()
    };
    let chosen = tried.into_iter().find(|(_, each)| close(each));
    Ok(chosen.map(|(schema, _)| schema).expect("the best number of cells is within its own standard error"))
}
