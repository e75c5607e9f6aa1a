//! Derives the schema of a model file from its table, which the device reads, and its notes, which hold names and texts
//! for the host, and checks that the two agree.
//!
//! The device can score every valid table. The host also converts bits back to readings, names and texts, which is safe
//! only after these checks.

use std::collections::HashSet;

use surprisal::{Kind, View};

use super::notes::{Notes, require};
use crate::data::default_name;
use crate::error::{Error, Result};
use crate::predictor::PredictorTable;
use crate::row_table::RowTable;
use crate::schema::{ColumnEncoding, Schema};

/// Returns the schema that a table and its notes describe.
///
/// # Errors
/// [`Error::Inconsistent`] if table and notes contradict each other, or if the table has columns that `surprisal fit`
/// never writes.
pub(super) fn schema(table: &dyn RowTable, notes: &Notes) -> Result<Schema> {
    let names: Vec<String> =
        if notes.names.is_empty() { (0..notes.columns).map(default_name).collect() } else { notes.names.clone() };
    let mut is_modelled = vec![true; notes.columns];
    notes.left_out.iter().for_each(|&column| is_modelled[column] = false);
    let files: Vec<usize> = (0..notes.columns).filter(|&column| is_modelled[column]).collect();
    let (encoder, device) = (table.encoder(), table.predictor());
    let slices = device.slices();
    let predictor = PredictorTable { words: slices.words.to_vec(), weights: slices.weights.to_vec() };
    let mut is_used = vec![false; encoder.columns().count()];
    let mut columns = Vec::with_capacity(is_used.len());
    for (column, _) in encoder.columns() {
        let source = usize::from(column.source);
        let used = is_used.get_mut(source).filter(|used| !**used);
        *used.ok_or_else(|| {
            fault(format!("the table has two columns for reading {source}, or no column for an earlier reading"))
        })? = true;
        let count = notes.columns - notes.left_out.len();
        let file = *files.get(source).ok_or_else(|| {
            fault(format!("the table has {} columns, but the notes have {count}", encoder.columns().count()))
        })?;
        let labels = notes.labels.iter().find(|(at, _)| *at == file).map(|(_, labels)| labels.clone());
        columns.push(ColumnEncoding {
            file,
            source: column.source,
            kind: column.kind,
            may_miss: column.may_miss,
            values: column.values.to_vec(),
            pivot: column.pivot,
            tail_scale: column.tail_scale,
            log_widths: column.log_widths.to_vec(),
            labels: labels.unwrap_or_default(),
            observed: table.is_observed(column.source),
            ..ColumnEncoding::default()
        });
    }
    let schema = Schema { names, columns, predictor };
    check_window(&schema, notes)?;
    // A model that consists of bits has no columns, so that nothing else can be checked.
    if schema.columns.is_empty() {
        require(notes.fit.signal.is_none(), "fit.signal", "windows of a signal, but the table has no columns")?;
        return Ok(schema);
    }
    require(
        files.len() == schema.columns.len(),
        "columns",
        format!("{} modelled columns, but the table has {}", files.len(), schema.columns.len()),
    )?;
    schema.columns.iter().try_for_each(|encoding| check_column(&schema, encoding))?;
    check_history(&schema)?;
    if let Some(windows) = notes.fit.signal {
        let features = windows.features().len();
        // Columns of time stamps follow the features.
        let stamps = schema.names.iter().filter(|name| notes.fit.time.contains(name)).count();
        let columns = notes.columns - stamps;
        let valid = columns > 0 && columns.is_multiple_of(features);
        require(
            valid,
            "fit.signal",
            format!("{columns} columns, expected a multiple of {features}, the number of features per channel"),
        )?;
    }
    Ok(schema)
}

/// Checks the views of a table of outcome tables: the first view models the readings of all columns of the schema, and the
/// columns of every other view are those of the schema, residuals of its numbers, or the regime.
///
/// # Errors
/// [`Error::Inconsistent`] if a view has columns that `surprisal fit` never writes.
pub(super) fn views(views: &[View], schema: &Schema) -> Result<()> {
    for (at, view) in views.iter().enumerate() {
        let wrong = |what: &str| Err(fault(format!("view {} of the table {what}", at + 1)));
        if at == 0 && view.prototypes.count() > 0 {
            return wrong("has prototypes");
        }
        let (axes, rows) = (view.prototypes.slices().columns, view.tables.slices().columns);
        let mut sources = HashSet::new();
        for ((column, _), &[_, rows, _]) in view.encoder.columns().zip(rows) {
            if !sources.insert(column.source) {
                return wrong("has two columns for the same reading");
            }
            let is_number = matches!(column.kind, Kind::Integer | Kind::Real);
            if is_number && (column.values.is_empty() || !column.values.is_sorted_by(|a, b| a < b)) {
                return wrong("has bin edges that do not ascend");
            }
            if column.source == View::REGIME {
                if view.prototypes.count() == 0 || column.kind != Kind::Category || rows == 0 {
                    return wrong("has a regime without prototypes");
                }
                continue;
            }
            let Some(level) = schema.columns.iter().find(|level| level.source == column.source) else {
                return wrong("has a column for a reading that the first view does not have");
            };
            let is_residual = axes.iter().any(|axis| axis[0] == i32::from(column.source));
            let same = if is_residual { level.is_number() } else { level.kind == column.kind };
            if !same || level.may_miss != column.may_miss || level.observed != (rows == 0) {
                return wrong("has a column of another kind than the first view");
            }
        }
        if schema.columns.iter().any(|level| !sources.contains(&level.source)) {
            return wrong("lacks a column of the first view");
        }
    }
    Ok(())
}

/// Checks that the bin edges of a column ascend, and that its codes and labels agree.
fn check_column(schema: &Schema, encoding: &ColumnEncoding) -> Result<()> {
    let (name, values, labels) = (schema.name(encoding), &encoding.values, &encoding.labels);
    let valid = match encoding.kind {
        Kind::Integer | Kind::Real => !values.is_empty() && values.is_sorted_by(|a, b| a < b) && labels.is_empty(),
        Kind::Category if labels.is_empty() => true,
        Kind::Category => {
            let mut codes = values.clone();
            codes.sort_unstable();
            (0..labels.len() as i32).eq(codes)
        }
        _ => labels.is_empty(),
    };
    if !valid {
        return Err(fault(format!("the bin edges of column `{name}` do not ascend, or its codes and labels differ")));
    }
    Ok(())
}

/// Checks that the window of a time series is that of the table's predictor.
fn check_window(schema: &Schema, notes: &Notes) -> Result<()> {
    let window = notes.fit.history.as_ref().map(|history| history.window);
    let expected = Some(schema.predictor.view().window()).filter(|&window| window > 0);
    let rows =
        |window: Option<usize>| window.map_or("no window".to_owned(), |window| format!("a window of {window} rows"));
    require(window == expected, "fit.history", format!("{}, but the table has {}", rows(window), rows(expected)))
}

/// Checks that the channels and states of a time series agree with the table's predictor.
fn check_history(schema: &Schema) -> Result<()> {
    let predictor = schema.predictor.view();
    if predictor.window() == 0 {
        return Ok(());
    }
    let states: Vec<usize> = predictor.states().collect();
    let (channels, columns) = (predictor.width(), schema.columns.len());
    if columns != channels + states.len() {
        return Err(fault(format!(
            "the predictor has {channels} channels with {} states, but the table has {columns} columns",
            states.len()
        )));
    }
    let mut by_source: Vec<&ColumnEncoding> = schema.columns.iter().collect();
    by_source.sort_by_key(|encoding| encoding.source);
    let (scored, observed) = by_source.split_at(channels);
    let is_number = |encoding: &ColumnEncoding| encoding.kind == Kind::Integer;
    let numbers = (0..channels).filter(|channel| is_number(scored[*channel]));
    let last = states.iter().map(|&channel| (scored[channel].kind, &scored[channel].values));
    let fits = predictor.numbers().eq(numbers) && last.eq(observed.iter().map(|state| (state.kind, &state.values)));
    if !fits || observed.iter().any(|last| !last.observed) {
        return Err(fault("the columns differ from the channels of the predictor: expected an integer column for each channel of numbers, and for each \
             state one column with its value and one with its last value, of the same kind".into()));
    }
    Ok(())
}

fn fault(message: String) -> Error {
    Error::Inconsistent(format!("{message}; fit again"))
}
