//! Rows of a model with which an example shows its scores, as values of the typed rows.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use surprisal::{Kind, Reading};

use super::c::{Names, integer};
use super::fields::{Field, FieldType, fields};
use super::rows::{types, variants};
use crate::artefact::Artefact;
use crate::error::Result;
use crate::golden::golden_rows;
use crate::sample::sampled_rows;
use crate::schema::ColumnEncoding;

/// Number of rows that are drawn where a model has no golden rows, or where its golden rows are no rows of a series.
const DRAWN: usize = 4;

/// A row of an example.
pub(super) struct Row {
    /// `[field]`: the name of the field and its value as source code.
    pub fields: Vec<(String, String)>,
    /// Columns without a reading, although the type of their field cannot say so.
    pub failed: Vec<usize>,
}

/// Returns the golden rows of a model as C source, with the names of the header of the prefix `name`. Of a time series,
/// the rows are drawn from the model: as many as a prediction uses, and some more.
///
/// # Errors
/// [`Error::Table`](crate::Error::Table) if the table of the artefact cannot be read; [`Error::Option`](crate::Error::Option)
/// if rows have to be drawn and the model takes columns as given.
pub(super) fn c_rows(artefact: &Artefact, name: &str) -> Result<Vec<Row>> {
    let fields = fields(&artefact.schema);
    let names = Names::new(&fields, name);
    let value = |at: usize, field: &Field, reading: Reading| match (&field.ty, reading) {
        (FieldType::Flag, reading) => (reading != Reading::Integer(0) && reading != Reading::Missing).to_string(),
        (FieldType::Integer, Reading::Integer(value)) => integer(value),
        (FieldType::Real, Reading::Real(value)) => format!("{value:?}f"),
        (FieldType::Category(values, _), reading) => names.constants[at][place(values, reading)].clone(),
        _ => "0".to_owned(),
    };
    let says_missing = |field: &Field| field.may_miss && !matches!(field.ty, FieldType::Real);
    let flags = |readings: &[Reading]| {
        let flag = |(field, reading): (&Field, &Reading)| {
            says_missing(field).then(|| format!(".{} = {}", field.name, *reading == Reading::Missing))
        };
        let flags: Vec<String> = fields.iter().zip(readings).filter_map(flag).collect();
        (!flags.is_empty()).then(|| ("missing".to_owned(), format!("{{{}}}", flags.join(", "))))
    };
    let with_flags = |readings: &Vec<Reading>| {
        let mut row = row(&fields, readings, value, says_missing);
        row.fields.extend(flags(readings));
        row
    };
    Ok(rows(artefact)?.iter().map(with_flags).collect())
}

/// Returns the rows of [`c_rows`] as Rust source, with the names of the exported module `table`.
///
/// # Errors
/// Those of [`c_rows`].
pub(super) fn rust_rows(artefact: &Artefact) -> Result<Vec<Row>> {
    let fields = fields(&artefact.schema);
    let types = types(&fields);
    let value = |at: usize, field: &Field, reading: Reading| {
        let value = match (&field.ty, reading) {
            (FieldType::Flag, reading) => (reading != Reading::Integer(0)).to_string(),
            (FieldType::Integer, Reading::Integer(value)) => value.to_string(),
            (FieldType::Real, Reading::Real(value)) => format!("{value:?}"),
            (FieldType::Category(values, _), reading) => {
                format!("crate::table::{}::{}", types[at], variants(values)[place(values, reading)])
            }
            (FieldType::Real, _) => "f32::NAN".to_owned(),
            _ => "0".to_owned(),
        };
        match (field.may_miss, reading) {
            (true, Reading::Missing) => "None".to_owned(),
            (true, _) => format!("Some({value})"),
            (false, _) => value,
        }
    };
    let says_missing = |field: &Field| field.may_miss || matches!(field.ty, FieldType::Real);
    Ok(rows(artefact)?.iter().map(|readings| row(&fields, readings, value, says_missing)).collect())
}

/// Returns the position of a reading among the values of a category; behind them, if it is none of them.
fn place(values: &[(String, i32, &str)], reading: Reading) -> usize {
    values.iter().position(|(_, code, _)| reading == Reading::Integer(*code)).unwrap_or(values.len())
}

fn row(
    fields: &[Field],
    readings: &[Reading],
    value: impl Fn(usize, &Field, Reading) -> String,
    says_missing: impl Fn(&Field) -> bool,
) -> Row {
    let cells = || fields.iter().zip(readings).enumerate();
    Row {
        fields: cells().map(|(at, (field, &reading))| (field.name.clone(), value(at, field, reading))).collect(),
        failed: cells()
            .filter(|(_, (field, reading))| **reading == Reading::Missing && !says_missing(field))
            .map(|(at, _)| at)
            .collect(),
    }
}

/// Returns `[row][field]`: rows that a model can be tried with. A reading of a real column that is a NaN counts as missing.
fn rows(artefact: &Artefact) -> Result<Vec<Vec<Reading>>> {
    let window = artefact.schema.predictor.view().window();
    let golden = if window > 0 { Vec::new() } else { golden_rows(artefact)? };
    if !golden.is_empty() {
        return Ok(golden);
    }
    // A fixed seed, so that an export is the same every time.
    let (names, drawn) = sampled_rows(artefact, window + DRAWN, &mut ChaCha8Rng::seed_from_u64(0))?;
    let encodings = artefact.schema.readings_of_a_row();
    let cell = |cells: &[String], encoding: &ColumnEncoding| {
        let at = names.iter().position(|name| name == artefact.schema.name(encoding));
        at.map_or(Reading::Missing, |at| reading(encoding, &cells[at], window > 0))
    };
    Ok(drawn.iter().map(|cells| encodings.iter().map(|encoding| cell(cells, encoding)).collect()).collect())
}

/// Returns the reading for which the cell of a drawn row stands.
fn reading(encoding: &ColumnEncoding, cell: &str, is_series: bool) -> Reading {
    if cell.is_empty() {
        return Reading::Missing;
    }
    match encoding.kind {
        Kind::Category if !encoding.labels.is_empty() => {
            let code = encoding.labels.iter().position(|label| label == cell);
            Reading::Integer(code.map_or(-1, |code| code as i32))
        }
        Kind::Real => cell.parse().map_or(Reading::Missing, Reading::Real),
        Kind::Integer if is_series => cell.parse().map_or(Reading::Missing, Reading::Real),
        _ => cell.parse().map_or(Reading::Missing, Reading::Integer),
    }
}
