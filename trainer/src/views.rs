//! Fits views of outcome tables: prototypes, encodings of readings or residuals, and rows of masses.

use rayon::prelude::*;
use surprisal::{
    Column, Kind, Nats, OutcomeTables, OutcomeTablesSlices, Predictor, Prototypes, PrototypesSlices, Reading,
    TableError, View, ViewTable,
};

use crate::calibrate::Calibration;
use crate::error::{Error, Result};
use crate::predictor::PredictorTable;
use crate::schema::{ColumnEncoding, EncoderTable, Schema};
use crate::with_capacity;

pub mod prototypes;
pub mod trees;

/// Owned storage of a [`surprisal::View`], with the fields of its slices.
#[derive(Clone, Debug, Default)]
pub struct OwnedView {
    /// Encoder of the columns of the view, in model order.
    pub encoder: EncoderTable,
    /// Columns of the prototypes, as in [`PrototypesSlices::columns`]. Empty for a view of the readings themselves.
    pub prototype_columns: Vec<[i32; 4]>,
    /// Coordinates of the prototypes: `[prototype][column]`.
    pub points: Vec<i8>,
    /// Columns of the tables, as in [`OutcomeTablesSlices::columns`].
    pub columns: Vec<[u16; 3]>,
    /// Groups of the parents' outcomes, as in [`OutcomeTablesSlices::groups`].
    pub groups: Vec<u8>,
    /// Splits of the trees, as in [`OutcomeTablesSlices::splits`].
    pub splits: Vec<u32>,
    /// Cumulative masses, as in [`OutcomeTablesSlices::rows`].
    pub rows: Vec<u16>,
    /// Log-width that all rows have in common, in units of 1/65536 nat, as in [`View::log_unit`].
    pub log_unit: u32,
    /// Largest usual squared distance from the nearest prototype, as in [`View::reach`].
    pub reach: u32,
    /// Mean surprisal of each column, in units of 1/1024 nat, as in [`View::baselines`]. Empty before calibration.
    pub baselines: Vec<u16>,
    /// Where the parts of each column begin, as in [`View::starts`]: what [`set_starts`](Self::set_starts) computes.
    pub starts: Vec<[u32; 5]>,
}

/// Owned storage of a [`surprisal::ViewTable`].
#[derive(Clone, Debug, Default)]
pub struct OwnedViews {
    /// One or two views.
    pub views: Vec<OwnedView>,
    /// Calibration of the detector.
    pub calibration: Calibration,
    /// Predictor of a time series; empty if rows do not depend on earlier rows.
    pub predictor: PredictorTable,
}

impl OwnedView {
    /// Returns the number of prototypes, or zero for a view of the readings themselves.
    pub fn regimes(&self) -> usize {
        self.points.len() / self.prototype_columns.len().max(1)
    }

    /// Returns the device crate's view over these slices.
    ///
    /// # Errors
    /// [`TableError`] if the slices do not fit each other.
    pub fn view(&self) -> Result<View<'_>, TableError> {
        let Self { columns, groups, splits, rows, starts, .. } = self;
        Ok(View {
            prototypes: Prototypes::new(PrototypesSlices { columns: &self.prototype_columns, points: &self.points })?,
            encoder: self.encoder.view(),
            tables: OutcomeTables::new(OutcomeTablesSlices { columns, groups, splits, rows })?,
            log_unit: Nats::from_raw(self.log_unit),
            reach: self.reach,
            baselines: &self.baselines,
            starts,
        })
    }

    /// Computes `starts` from the columns.
    ///
    /// # Errors
    /// [`TableError`] if the slices do not fit each other.
    pub fn set_starts(&mut self) -> Result<(), TableError> {
        let view = self.view()?;
        self.starts = View::starts(&view.encoder, &view.tables).collect();
        Ok(())
    }
}

impl OwnedViews {
    /// Returns the table as bytes, in the format of a `.srp` file without notes.
    ///
    /// # Errors
    /// [`TableError`] if the slices do not fit each other, or there are neither one nor two views.
    pub fn bytes(&self) -> Result<Vec<u8>, TableError> {
        let (detector, predictor) = (self.calibration.view(), self.predictor.view());
        let mut bytes = Vec::new();
        let mut sink = |piece: &[u8]| bytes.extend_from_slice(piece);
        match &self.views[..] {
            [one] => self.table([one.view()?], detector, predictor)?.write(&mut sink),
            [one, two] => self.table([one.view()?, two.view()?], detector, predictor)?.write(&mut sink),
            _ => return Err(TableError::Inconsistent("views")),
        }
        Ok(bytes)
    }

    fn table<'t, const V: usize>(
        &self,
        views: [View<'t>; V],
        detector: surprisal::Detector<'t>,
        predictor: Predictor<'t>,
    ) -> Result<ViewTable<'t, MOST_COLUMNS, V>, TableError> {
        ViewTable::new(views, detector, predictor)
    }
}

/// Largest number of columns of a view.
const MOST_COLUMNS: usize = 4096;

/// Settings of a fit of views.
#[derive(Clone, Copy, Debug)]
pub struct ViewSettings {
    /// Number of views: 1 for the readings themselves, 2 to add a view of residuals.
    pub views: usize,
    /// Number of prototypes of the second view, or `None` for as many as the training rows support.
    pub prototypes: Option<usize>,
    /// Largest number of cells (bins) of a residual.
    pub cells: usize,
    /// Largest number of rows of masses per column: leaves of its tree.
    pub leaves: usize,
    /// Weight of a column's marginal distribution in each row of masses, in training rows.
    pub strength: f64,
    /// Seed of the random starts of the prototypes.
    pub seed: u64,
}

/// A fitted view: its owned storage, and its columns with the data that only the host needs.
#[derive(Clone, Debug)]
pub struct FittedView {
    /// Storage of the view, not calibrated yet.
    pub owned: OwnedView,
    /// Columns of the view in model order. The source of the column of the regime is [`View::REGIME`].
    pub columns: Vec<ColumnEncoding>,
    /// Kullback-Leibler divergence of the rows of masses from the fitted probabilities, in nats per training row.
    pub kl_quantisation: f64,
    /// Sum of the natural logarithms of the widths of the narrowest cells, in units of the readings.
    pub unit: f64,
}

/// Fits the views of a table on training rows (`[row][source]`). The first view models the readings by the encodings of
/// `schema`; the second models residuals from prototypes, unless no numeric column has enough distinct values.
///
/// # Errors
/// [`Error::Encode`] if a reading does not fit its column.
pub fn fit(schema: &Schema, train: &[Vec<Reading>], settings: &ViewSettings) -> Result<Vec<FittedView>> {
    let mut views = vec![fit_view(schema, OwnedView::default(), schema.columns.clone(), 0.0, train, settings)?];
    if settings.views > 1
        && let Some(found) = prototypes::find(schema, train, settings)
    {
        views.push(fit_view(schema, found.owned, found.columns, found.step_units, train, settings)?);
    }
    let least = common_unit(&views);
    for view in &mut views {
        view.owned.log_unit = (65536.0 * (view.unit - least)).round() as u32;
    }
    Ok(views)
}

/// Returns the logarithm of the unit of the densities that a table of these views gives: the smallest unit of a view.
pub fn common_unit(views: &[FittedView]) -> f64 {
    views.iter().map(|view| view.unit).fold(f64::INFINITY, f64::min)
}

/// Fits the rows of masses of one view, whose prototypes are in `view` and whose columns, in any order, in `columns`.
/// `step_units` is the sum of the logarithms of the units in which residuals are counted.
fn fit_view(
    schema: &Schema,
    mut view: OwnedView,
    columns: Vec<ColumnEncoding>,
    step_units: f64,
    train: &[Vec<Reading>],
    settings: &ViewSettings,
) -> Result<FittedView> {
    let encoder = |columns: &[ColumnEncoding]| Schema { columns: columns.to_vec(), ..Schema::default() }.table();
    if let Some(encoding) = columns.iter().find(|encoding| encoding.column().outcomes() > 256) {
        let (name, count) = (schema.name(encoding), encoding.column().outcomes());
        let message = format!(
            "column `{name}` has {count} outcomes, and the family tables holds at most 256 per column; choose --family \
             linear-trees, or fewer cells or codes in a --schema file"
        );
        return Err(Error::option("--family", message));
    }
    // Prototypes need their columns in the order of the encoder, which the fit changes, so that outcomes come first.
    view.encoder = encoder(&columns);
    view.set_starts()?;
    let outcomes = outcomes(&view, columns.len(), train)?;
    let counts: Vec<usize> = columns.iter().map(|encoding| encoding.column().outcomes()).collect();
    let observed: Vec<bool> = columns.iter().map(|encoding| encoding.observed).collect();
    let fitted = trees::fit(&outcomes, &counts, &observed, settings);
    let columns: Vec<ColumnEncoding> = fitted.order.iter().map(|&at| columns[at].clone()).collect();
    view.encoder = encoder(&columns);
    view.reorder_prototypes(&columns);
    (view.columns, view.groups, view.splits, view.rows) = (fitted.columns, fitted.groups, fitted.splits, fitted.rows);
    view.set_starts()?;
    let scored = columns.iter().filter(|encoding| !encoding.observed);
    let unit = scored.map(|encoding| encoding.unit).sum::<f64>() + step_units;
    Ok(FittedView { owned: view, columns, kl_quantisation: fitted.kl_quantisation, unit })
}

/// Returns the largest number of additions, multiplications, comparisons and tree steps that scoring one row by a view
/// takes, without the fixed work per column: three per coordinate of a prototype, the search for the outcome of each
/// reading, and the longest path of each tree. A row that lacks a reading that no training row lacked takes more: columns
/// that depend on it are tried with each of its outcomes.
pub fn operations(view: &View) -> usize {
    let distances = 3 * view.prototypes.slices().points.len();
    let search = |column: Column| match column.kind {
        Kind::Integer => column.values.len().max(1).ilog2() as usize + 1,
        _ => column.values.len(),
    };
    let searches: usize = view.encoder.columns().map(|(column, _)| search(column)).sum();
    let (columns, mut splits) = (view.tables.slices().columns, view.tables.slices().splits);
    let mut steps = 0;
    for &[_, rows, _] in columns.iter().filter(|column| column[2] == OutcomeTables::TREE && column[1] > 0) {
        let (tree, rest) = splits.split_at(usize::from(rows - 1).min(splits.len()));
        steps += depth(tree);
        splits = rest;
    }
    distances + searches + steps
}

/// Returns the number of splits on the longest path of a tree in preorder.
fn depth(tree: &[u32]) -> usize {
    let Some((&split, rest)) = tree.split_first() else { return 0 };
    let (_, _, left) = OutcomeTables::split_parts(split);
    let (left, right) = rest.split_at(usize::from(left).min(rest.len()));
    1 + depth(left).max(depth(right))
}

/// Returns the outcomes of the columns in each row: `[column][row]`.
fn outcomes(view: &OwnedView, columns: usize, rows: &[Vec<Reading>]) -> Result<Vec<Vec<u8>>> {
    let view = view.view()?;
    let encoded: Vec<Vec<u8>> = with_capacity!(columns, C => {
        let encode = |readings: &Vec<Reading>| {
            let mut row = [0; C];
            view.encode(readings, &mut row).map(|_| row[..columns].to_vec())
        };
        rows.par_iter().map(encode).collect::<Result<_, _>>()?
    });
    Ok((0..columns).into_par_iter().map(|column| encoded.iter().map(|row| row[column]).collect()).collect())
}

impl OwnedView {
    /// Sorts the columns of the prototypes by the order of the view's columns.
    fn reorder_prototypes(&mut self, columns: &[ColumnEncoding]) {
        let width = self.prototype_columns.len();
        let order: Vec<usize> = columns
            .iter()
            .filter_map(|encoding| {
                self.prototype_columns.iter().position(|column| column[0] == i32::from(encoding.source))
            })
            .collect();
        if width > 0 {
            self.points = self.points.chunks(width).flat_map(|point| order.iter().map(|&at| point[at])).collect();
            self.prototype_columns = order.iter().map(|&at| self.prototype_columns[at]).collect();
        }
    }
}
