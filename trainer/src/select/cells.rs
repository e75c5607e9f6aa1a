//! How many cells a numeric column gets, by the validation rows.

use surprisal::{Kind, Reading};

use super::{Choices, trial};
use crate::error::Result;
use crate::evaluate::mean;
use crate::fit::Family;
use crate::observer::Observer;
use crate::schema::{CELLS, Schema};

/// How many cells a numeric column may get, from few to many.
const CELLS_TRIED: [usize; 3] = [8, 16, 32];

/// The schema with as many cells a column as give the validation rows the highest density, or fewer if the difference is
/// within its standard error. `schema` has [`CELLS`], and `find` makes the one of other numbers.
///
/// # Errors
/// A reading that does not fit its column.
pub fn choose_cells(
    schema: Schema,
    find: &dyn Fn(usize) -> Result<Schema>,
    train: &[Vec<Reading>],
    valid: &[Vec<Reading>],
    choices: &Choices,
    observer: &dyn Observer,
) -> Result<Schema> {
    if !schema.columns.iter().any(|coding| matches!(coding.kind, Kind::Integer | Kind::Real)) {
        return Ok(schema);
    }
    let mut tried: Vec<(Schema, Vec<f64>)> = Vec::new();
    for cells in CELLS_TRIED {
        let schema = if cells == CELLS { schema.clone() } else { find(cells)? };
        let ((bits, _), (valid_bits, widths)) = (schema.encode(train)?, schema.encode(valid)?);
        let unit: f64 = schema.columns.iter().map(|coding| coding.unit).sum();
        let each = trial(&schema, &bits, &valid_bits, choices, Family::Lintree, observer);
        tried.push((schema, each.iter().zip(widths).map(|(likelihood, width)| likelihood - width - unit).collect()));
    }
    let best = tried.iter().map(|(_, each)| each).max_by(|a, b| mean(a).total_cmp(&mean(b))).cloned();
    let best = best.expect("some numbers of cells are tried");
    let close = |each: &[f64]| {
        let lost: Vec<f64> = best.iter().zip(each).map(|(best, each)| best - each).collect();
        let mean = mean(&lost);
        let spread = lost.iter().map(|lost| (lost - mean).powi(2)).sum::<f64>() / lost.len().max(2) as f64;
        mean <= (spread / lost.len() as f64).sqrt()
    };
    let chosen = tried.into_iter().find(|(_, each)| close(each));
    Ok(chosen.map(|(schema, _)| schema).expect("the best is as good as itself"))
}
