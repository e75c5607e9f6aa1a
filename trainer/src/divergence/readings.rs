//! Compares two models over readings, for models whose rows are not points of one grid: outcome tables, and models
//! whose numeric columns have different cells.
//!
//! Each model assigns a density to a row of readings. The estimates of the parent module hold for densities as well,
//! with ln p/q from the densities of rows that [`readings`] draws. The device counts a cell that is narrower than the
//! grain of its column as wide as the grain, so that the widths of all cells are taken from their edges here. A view
//! with prototypes keeps some probability for rows that it never draws, so that an estimate of KL may be slightly below
//! zero. A category that only one model knows counts as one of all others in the other. Wasserstein-1 is not defined, because the models have no bits in common.

use std::f64::consts::LN_2;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::ser::{Serialize, SerializeStruct, Serializer};
use surprisal::{Column, Detector, Kind, Nats, Reading, View};

use super::grid::{REMEDY, same_column, same_width};
use super::{Divergences, Estimate, SamplingSettings, bounded_terms};
use crate::artefact::Artefact;
use crate::error::{Error, Result};
use crate::evaluate::mean;
use crate::sample::readings;
use crate::schema::{ColumnEncoding, has_nominal_widths, true_log_widths};
use crate::with_views;

/// Two models of the same columns, which may encode them differently.
pub struct Pair<'a> {
    models: [&'a Artefact; 2],
}

/// How two models agree on the same rows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Agreement {
    /// Number of rows.
    pub rows: usize,
    /// Mean of ln p/q over the rows, in nats per row: how much more likely the first model makes them.
    pub ratio: Estimate,
    /// `[model]`: mean of -ln p over the rows, in nats per row. p is the density in units of the readings, so that models with
    /// other cells compare.
    pub nats: [f64; 2],
    /// `[model]`: number of rows on which the model raises an alarm.
    pub alarms: [usize; 2],
    /// Number of rows on which both models raise an alarm.
    pub both: usize,
}

impl Serialize for Agreement {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { rows, ratio, nats, alarms, both } = self;
        let mut fields = serializer.serialize_struct("Agreement", 7)?;
        fields.serialize_field("rows", rows)?;
        fields.serialize_field("ln_a_b", ratio)?;
        fields.serialize_field("nats_a", &nats[0])?;
        fields.serialize_field("nats_b", &nats[1])?;
        fields.serialize_field("alarms_a", &alarms[0])?;
        fields.serialize_field("alarms_b", &alarms[1])?;
        fields.serialize_field("alarms_both", both)?;
        fields.end()
    }
}

impl<'a> Pair<'a> {
    /// Prepares two models for comparison.
    ///
    /// # Errors
    /// [`Error::Incomparable`] if the models have different columns, or are models of a time series.
    pub fn new(p: &'a Artefact, q: &'a Artefact) -> Result<Self> {
        let models = [p, q];
        if models.iter().any(|model| model.schema.predictor.view().window() > 0) {
            let message = "a model of a time series is compared over the cells of its residuals only; fit both models on \
                           the same rows with the same --seed and --cells, and not with --family tables";
            return Err(Error::Incomparable(message.to_owned()));
        }
        same_width(&p.schema, &q.schema)?;
        for own in &p.schema.columns {
            let other = same_column(&q.schema, &p.schema, own)?;
            let is_nominal = [own, other].iter().any(|encoding| has_nominal_widths(&encoding.column()));
            if own.is_number() && is_nominal && own.values != other.values {
                return Err(Error::Incomparable(format!(
                    "column `{}` has few distinct values, which differ in the two models; {REMEDY}",
                    p.schema.name(own)
                )));
            }
        }
        Ok(Self { models })
    }

    /// Returns the detector of each model.
    pub fn detectors(&self) -> [Detector<'a>; 2] {
        self.models.map(Artefact::detector)
    }

    /// Estimates the divergences from rows that are drawn from each model, and returns them with the agreement of the
    /// models on the rows that were drawn from the first and from the second.
    ///
    /// # Errors
    /// [`Error::Table`] if a table cannot be read.
    pub fn divergences(&self, settings: &SamplingSettings) -> Result<(Divergences, [Agreement; 2])> {
        let mut random = ChaCha8Rng::seed_from_u64(settings.seed);
        let mut from = |own: usize| -> Result<([Estimate; 2], Agreement)> {
            let rows = readings(self.models[own], settings.rows, &mut random)?;
            let translated = self.translated(&rows, own);
            let rows = if own == 0 { [rows, translated] } else { [translated, rows] };
            let nats = self.surprisals(&rows)?;
            let ratios = ratios(&nats);
            let mean_of = |at: usize| {
                let terms: Vec<f64> = ratios.iter().map(|&ratio| bounded_terms(ratio)[at]).collect();
                Estimate::mean(&terms)
            };
            Ok(([mean_of(0), mean_of(1)], self.agreement_of(&rows, &nats)?))
        };
        let ([js_p, tv_p], on_p) = from(0)?;
        let ([js_q, tv_q], on_q) = from(1)?;
        let divergences = Divergences {
            forward: on_p.ratio,
            reverse: Estimate { value: 0.0 - on_q.ratio.value, ..on_q.ratio },
            jensen_shannon: js_p.between(js_q),
            total_variation: tv_p.between(tv_q),
        };
        Ok((divergences, [on_p, on_q]))
    }

    /// Compares the models on the same rows, given as the readings of each model: `[model][row][source]`.
    ///
    /// # Errors
    /// [`Error::Encode`] if a reading does not fit its column.
    pub fn agreement(&self, rows: &[Vec<Vec<Reading>>; 2]) -> Result<Agreement> {
        self.agreement_of(rows, &self.surprisals(rows)?)
    }

    fn agreement_of(&self, rows: &[Vec<Vec<Reading>>; 2], nats: &[Vec<f64>; 2]) -> Result<Agreement> {
        let raised = |at: usize| -> Result<Vec<bool>> {
            let detector = self.detectors()[at];
            let scores = self.models[at].scores(&rows[at])?;
            Ok(scores.iter().map(|score| detector.judge(score.anomaly).is_anomalous()).collect())
        };
        let (p, q) = (raised(0)?, raised(1)?);
        let alarms = [&p, &q].map(|raised| raised.iter().filter(|raised| **raised).count());
        let both = p.iter().zip(&q).filter(|(p, q)| **p && **q).count();
        let ratio = Estimate::mean(&ratios(nats));
        Ok(Agreement { rows: nats[0].len(), ratio, nats: nats.each_ref().map(|nats| mean(nats)), alarms, both })
    }

    /// Returns `[model][row]` the [`surprisals`] of each row.
    fn surprisals(&self, rows: &[Vec<Vec<Reading>>; 2]) -> Result<[Vec<f64>; 2]> {
        Ok([surprisals(self.models[0], &rows[0])?, surprisals(self.models[1], &rows[1])?])
    }

    /// Converts readings of one model, `own`, to readings of the other: columns have the same names in another order,
    /// and categories have other codes.
    fn translated(&self, rows: &[Vec<Reading>], own: usize) -> Vec<Vec<Reading>> {
        let [own, other] = [own, 1 - own].map(|at| &self.models[at].schema);
        let mut columns: Vec<(&ColumnEncoding, &ColumnEncoding)> = own
            .columns
            .iter()
            .filter_map(|column| Some((column, other.columns.iter().find(|at| other.name(at) == own.name(column))?)))
            .collect();
        columns.sort_by_key(|(_, other)| other.source);
        let reading = |row: &[Reading], (own, other): (&ColumnEncoding, &ColumnEncoding)| {
            match row[usize::from(own.source)] {
                // Codes are not negative: -1 stands for all texts that no training row has.
                Reading::Integer(code) if !own.labels.is_empty() => {
                    let label = own.labels.get(code as usize);
                    let code = label.and_then(|label| other.labels.iter().position(|other| other == label));
                    Reading::Integer(code.map_or(-1, |code| code as i32))
                }
                reading => reading,
            }
        };
        rows.iter().map(|row| columns.iter().map(|&pair| reading(row, pair)).collect()).collect()
    }
}

/// Returns ln p/q of each row, from -ln p and -ln q.
fn ratios([p, q]: &[Vec<f64>; 2]) -> Vec<f64> {
    p.iter().zip(q).map(|(p, q)| q - p).collect()
}

/// Returns -ln of the density of each row in units of the readings, with the widths of cells from their edges. Columns
/// whose cells have nominal widths count as categories.
fn surprisals(model: &Artefact, rows: &[Vec<Reading>]) -> Result<Vec<f64>> {
    if model.shape.views == 0 {
        let columns: Vec<Column> = model.schema.columns.iter().map(ColumnEncoding::column).collect();
        let widths: Vec<Vec<f64>> = columns.iter().map(|column| corrections(column, None)).collect();
        let nats = |(row, nats): (&Vec<Reading>, &Nats)| -> Result<f64> {
            let mut total = f64::from(*nats);
            for (column, widths) in columns.iter().zip(&widths) {
                total += widths.get(usize::from(column.outcome_index(row)?)).unwrap_or(&0.0);
            }
            Ok(total)
        };
        return rows.par_iter().zip(&model.surprisals(rows)?).map(nats).collect();
    }
    let views = model.views()?;
    let widths: Vec<Vec<Vec<f64>>> = views.iter().map(|view| corrections_of(view, model)).collect();
    with_views!(model.shape, C, V => {
        let nats = |row: &Vec<Reading>| -> Result<f64> {
            let (mut outcomes, mut each, mut in_views) = ([0; C], [Nats::ZERO; C], [0.0; V]);
            for ((view, widths), total) in views.iter().zip(&widths).zip(&mut in_views) {
                view.encode(row, &mut outcomes)?;
                let own = widths.iter().zip(outcomes).map(|(widths, at)| widths.get(usize::from(at)).unwrap_or(&0.0));
                *total = f64::from(view.explain::<C>(row, &mut each)?) - f64::from(view.log_unit) + own.sum::<f64>();
            }
            let least = in_views.iter().copied().fold(f64::INFINITY, f64::min);
            let density: f64 = in_views.iter().map(|nats| (least - nats).exp()).sum();
            Ok(least - (density / V as f64).ln())
        };
        rows.par_iter().map(nats).collect()
    })
}

/// Returns `[column][outcome]` the [`corrections`] of the columns of a view.
fn corrections_of(view: &View, model: &Artefact) -> Vec<Vec<f64>> {
    let of_column = |column: Column| {
        let mut axes = view.prototypes.slices().columns.iter();
        let axis = axes.find(|axis| axis[0] == i32::from(column.source));
        let level = model.schema.columns.iter().find(|level| level.source == column.source);
        let is_integer = level.is_some_and(|level| level.kind == Kind::Integer);
        corrections(&column, axis.map(|axis| (f64::from(axis[1]), is_integer)))
    };
    view.encoder.columns().map(|(column, _)| of_column(column)).collect()
}

/// Returns `[outcome]` the correction from the device's surprisal of a number to -ln of its density: the logarithm of the
/// true width of its cell minus the log-width that the device adds. Empty for columns without cells.
///
/// A column of residuals has (log2 of 256 of its steps, whether the readings are integers): a cell of integers holds at
/// least one.
fn corrections(column: &Column, residual: Option<(f64, bool)>) -> Vec<f64> {
    let is_number = matches!(column.kind, Kind::Integer | Kind::Real);
    if !is_number || residual.is_none() && has_nominal_widths(column) {
        return Vec::new();
    }
    let width = |width: f64| match residual {
        Some((scale, is_integer)) => {
            let width = width + (scale - 8.0) * LN_2;
            if is_integer { width.max(0.0) } else { width }
        }
        None => width,
    };
    let widths = true_log_widths(column).into_iter().zip(column.log_widths);
    widths.map(|(own, &stored)| width(own) - f64::from(stored) / 2048.0).collect()
}
