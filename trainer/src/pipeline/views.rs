//! The later stages of a fit of outcome tables: encodes the rows, fits views, calibrates them, and reports.

use std::time::Instant;

use surprisal::Reading;

use super::job::Job;
use super::load::{FrameRows, Split};
use super::report::{BitsGain, FitReport, finite};
use super::sampling::PARTS;
use super::stages::Fitted;
use crate::artefact::{Artefact, Provenance};
use crate::calibrate::{Calibration, reach};
use crate::error::{Error, Result};
use crate::evaluate::mean;
use crate::fit::Family;
use crate::golden::{self, with_golden_rows};
use crate::model::FloatModel;
use crate::observer::{Event, Observer};
use crate::order::Order;
use crate::schema::Schema;
use crate::select::{Choices, Excluded, over_limit, trial};
use crate::views::{self, FittedView, OwnedViews, ViewSettings, prototypes};

/// Number of cells (bins) per numeric column. Detection gains from finer cells than likelihood asks for; measured on the
/// development sets of `docs/anomaly.md`.
pub(super) const CELLS: usize = 24;
/// Largest number of cells: two more outcomes lie outside the range, one is for missing readings, and repeated extremes
/// have cells of their own.
const MOST_CELLS: usize = 200;
/// Largest numbers of leaves of a column's tree, from the best to the smallest.
const LEAVES: [usize; 5] = [24, 12, 6, 3, 1];
/// Divisors of the number of prototypes, where limits exclude the number that the fit would choose.
const DIVISORS: [usize; 2] = [2, 4];
/// Weight of a column's marginal distribution in each row of masses, in training rows.
pub(super) const STRENGTH: f64 = 3.0;

/// Training rows times bits of the quick fit of terms over bits with which the table is compared, so that it takes a few
/// seconds at most.
const COMPARED: usize = 4_000_000;
/// Largest number of bits of a row for which they are compared.
const MOST_BITS: usize = 2000;

/// Readings `[row][source]`.
type Readings = Vec<Vec<Reading>>;

impl Split<'_> {
    /// Fits, calibrates and reports on a table of views. The fit began at `start`.
    ///
    /// # Errors
    /// [`Error::Option`] if the job has settings that only models of bits have, or limits that no table fits.
    pub fn fit_views(&self, observer: &dyn Observer, start: Instant) -> Result<Fitted> {
        let job = self.job;
        refuse_options_of_bits(job)?;
        let cells = job.cells.unwrap_or(CELLS).min(MOST_CELLS);
        let schema = self.schema(cells)?;
        let warnings = self.warnings(&schema, observer)?;
        let readings = |part: &FrameRows| schema.fitting_readings(&part.frame, &part.rows);
        let (train, valid, calibration) = (readings(&self.train)?, readings(&self.valid)?, readings(&self.calibrate)?);
        let test = self.test.as_ref().map(readings).transpose()?;
        let settings = ViewSettings {
            views: 2,
            prototypes: job.choices.prototypes,
            cells,
            leaves: 1,
            strength: job.choices.strength.unwrap_or(STRENGTH),
            seed: job.seed,
        };
        let provenance = Provenance { order: "chow-liu".into(), ..self.provenance() };
        let assemble = |owned: &OwnedViews, fitted: &[FittedView]| {
            let schema = Schema { columns: fitted[0].columns.clone(), ..schema.clone() };
            let regimes = fitted.get(1).map_or(0, |view| view.owned.regimes());
            let terms = match regimes {
                0 => "one view of outcome tables".to_owned(),
                _ => format!("two views of outcome tables, {regimes} prototypes"),
            };
            Artefact::new(
                &owned.bytes()?,
                &schema,
                job.label.clone(),
                Provenance { terms: Some(terms), ..provenance.clone() },
            )
        };
        // The log-density of each validation row, in units of the readings.
        let density = |fitted: &[FittedView]| -> Result<Vec<f64>> {
            let surprisals = assemble(&owned(fitted, &schema), fitted)?.surprisals(&valid)?;
            Ok(surprisals.into_iter().map(|nats| -f64::from(nats) - views::common_unit(fitted)).collect())
        };

        let parts = if self.sampled_from().is_some() { PARTS } else { 0 };
        observer.event(Event::Stage { name: "outcome tables", steps: 3 + parts });
        let most = prototypes::most(schema.columns.len(), train.len());
        let (mut found, mut smallest, mut largest) = (None::<(f64, Vec<FittedView>, ViewSettings)>, None, None);
        for size in sizes(job, settings, most) {
            if found.as_ref().is_some_and(|(_, _, taken)| taken.views > size.views) {
                break;
            }
            // The largest trees that fit: finer ones detect better than likelihood asks for.
            for leaves in LEAVES {
                go_on(observer)?;
                let size = ViewSettings { leaves, ..size };
                let fitted = views::fit(&schema, &train, &size)?;
                let artefact = assemble(&owned(&fitted, &schema), &fitted)?;
                let of_views: usize = fitted.iter().map(|view| (2 * view.columns.len()).next_multiple_of(4)).sum();
                let calibrated = of_views
                    + Calibration::bytes(calibration.len(), schema.columns.len())
                    + golden::bytes(schema.columns.len(), job.flash);
                let [file_bytes, operations] =
                    [artefact.file_bytes().len() + calibrated, artefact.views()?.iter().map(views::operations).sum()];
                let needs = [
                    ("--flash", file_bytes, job.flash),
                    ("--ram", artefact.shape.state_bytes(), job.ram),
                    ("--ops", operations, job.operations),
                ];
                let spare = golden::spare(schema.columns.len(), job.flash);
                let exceeded: Vec<(&str, usize)> = needs
                    .into_iter()
                    .filter(|(_, needed, limit)| limit.is_some_and(|limit| *needed > limit))
                    .map(|(option, needed, _)| (option, if option == "--flash" { needed + spare } else { needed }))
                    .collect();
                let nats = || -> Result<f64> { Ok(-mean(&artefact.surprisals(&valid)?) - views::common_unit(&fitted)) };
                if exceeded.is_empty() {
                    // Unless a limit binds, there is nothing to compare.
                    let nats = if largest.is_some() { nats()? } else { f64::INFINITY };
                    if found.as_ref().is_none_or(|&(best, ..)| nats > best) {
                        found = Some((nats, fitted, size));
                    }
                    break;
                }
                smallest = Some(exceeded);
                if largest.is_none() {
                    largest = Some(Excluded { nats: nats()?, file_bytes, operations });
                }
            }
            if largest.is_none() {
                break;
            }
        }
        let (fitted, taken) = match (found, smallest) {
            (Some((_, fitted, taken)), _) => (fitted, taken),
            (None, Some(exceeded)) => return Err(over_limit("table of the family tables", &exceeded, "with --ignore")),
            (None, None) => return Err(Error::option("--views", "expected 1 or 2")),
        };
        observer.event(Event::Step);
        go_on(observer)?;
        let independent = views::fit(&schema, &train, &ViewSettings { views: 1, leaves: 1, ..settings })?;
        // In the unit of the table, so that the two can be compared.
        let log_unit = views::common_unit(&fitted);
        let marginal_valid_ll = mean(&density(&independent)?) + log_unit;

        observer.event(Event::Step);
        let quick = ViewSettings { views: fitted.len(), ..taken };
        let part = |first: usize| {
            observer.event(Event::Step);
            go_on(observer)?;
            let rows: Vec<usize> = self.train.rows.iter().copied().skip(first).step_by(PARTS).collect();
            let Ok(schema) = self.schema_of(&rows, cells) else { return Ok(None) };
            let some: Readings = train.iter().skip(first).step_by(PARTS).cloned().collect();
            Ok(Some(density(&views::fit(&schema, &some, &quick)?)?))
        };
        let sampling = self.sampling(|| density(&fitted), part)?;

        go_on(observer)?;
        let mut table = owned(&fitted, &schema);
        // Not from calibration rows, so that these stay exchangeable with fresh rows.
        let baselines = assemble(&table, &fitted)?.open()?.view_baselines(&valid)?;
        table.views.iter_mut().zip(baselines).for_each(|(view, baselines)| view.baselines = baselines);
        let uncalibrated = assemble(&table, &fitted)?;
        table.calibration =
            Calibration::of(&uncalibrated, &calibration, &self.stream().surprisals(&uncalibrated)?, job.rates)?;
        let reach = reach(&uncalibrated, &calibration, job.rates.false_alarm)?;
        table.views.iter_mut().for_each(|view| view.reach = if view.regimes() > 0 { reach } else { u32::MAX });
        let artefact = with_golden_rows(&assemble(&table, &fitted)?, &calibration, job.flash)?;
        let file_bytes = artefact.file_bytes().len();
        golden::check_flash(file_bytes, artefact.schema.columns.len(), job.flash)?;
        observer.event(Event::Step);
        let integer_ll = |readings: &Readings| -> Result<f64> { Ok(-mean(&artefact.surprisals(readings)?)) };
        let (valid_ll, test_ll) = (integer_ll(&valid)?, test.as_ref().map(integer_ll).transpose()?);
        let excluded = largest.map(|largest| Excluded { nats: largest.nats - (valid_ll - log_unit), ..largest });
        let detector = table.calibration.view();
        let provenance = &artefact.notes.fit;
        let report = FitReport {
            family: provenance.family,
            order: provenance.order.clone(),
            gamma: None,
            strength: Some(settings.strength),
            warnings,
            terms: provenance.terms.clone(),
            orders: Vec::new(),
            columns: schema.columns.len(),
            bits: artefact.shape.bits,
            train_rows: train.len(),
            valid_rows: valid.len(),
            calibration_rows: calibration.len(),
            marginal_valid_ll,
            float_valid_ll: valid_ll,
            valid_ll,
            log_unit,
            sampling,
            bits_gain: match job.is_brief {
                true => None,
                false => bits_gain(&schema, &train, &valid, &artefact, log_unit, observer)?,
            },
            excluded: excluded.filter(|excluded| excluded.nats > 0.0),
            test_rows: test.as_ref().map(Vec::len),
            float_test_ll: test_ll,
            test_ll,
            kl_quantisation: fitted.iter().map(|view| view.kl_quantisation).sum::<f64>() / fitted.len() as f64,
            table_bytes: artefact.table_bytes().len(),
            file_bytes,
            state_bytes: artefact.shape.state_bytes(),
            operations: artefact.views()?.iter().map(views::operations).sum(),
            threshold: finite(detector.threshold),
            false_alarm: job.rates.false_alarm,
            entropy: detector.entropy.into(),
            deviation: detector.deviation.into(),
            reference: finite(detector.decision_interval).map(|_| detector.reference.into()),
            decision_interval: finite(detector.decision_interval),
            average_run_length: detector.average_run_length,
            stretch: provenance.stretch.unwrap_or(1),
            block: table.calibration.block(),
            seconds: start.elapsed().as_secs_f64(),
            float: FloatModel::default(),
        };
        Ok(Fitted { artefact, report })
    }
}

/// Returns the numbers of views and prototypes that a job may have, from the best to the smallest, where the fit would choose
/// `most` prototypes without limits.
fn sizes(job: &Job, settings: ViewSettings, most: usize) -> impl Iterator<Item = ViewSettings> {
    let named = job.choices.prototypes;
    // Who names a number of prototypes wants two views.
    let views = job.choices.views.or(named.map(|_| 2));
    let fewer = DIVISORS.map(|divisor| most / divisor).into_iter().filter(move |&count| named.is_none() && count > 1);
    let two = [named].into_iter().chain(fewer.map(Some));
    let two = two.map(move |prototypes| ViewSettings { views: 2, prototypes, ..settings });
    let all = two.chain([ViewSettings { views: 1, ..settings }]);
    all.filter(move |size| views.is_none_or(|views| size.views == views))
}

/// Returns an error if the observer cancels the fit.
fn go_on(observer: &dyn Observer) -> Result<()> {
    if observer.is_cancelled() { Err(Error::Cancelled) } else { Ok(()) }
}

/// Returns how many nats per validation row a quick fit of terms over bits predicts better than the table, whose unit of
/// density is e^`unit`; `None` for rows of too many bits.
fn bits_gain(
    schema: &Schema,
    train: &Readings,
    valid: &Readings,
    artefact: &Artefact,
    unit: f64,
    observer: &dyn Observer,
) -> Result<Option<BitsGain>> {
    let bits: usize = schema.columns.iter().map(|encoding| encoding.column().bits()).sum();
    if bits > MOST_BITS || valid.is_empty() || observer.is_cancelled() {
        return Ok(None);
    }
    let most = COMPARED / bits.max(1);
    let few = |rows: &Readings| -> Readings { rows.iter().step_by(rows.len().div_ceil(most)).cloned().collect() };
    let (train, valid) = (few(train), few(valid));
    let (train_bits, _) = schema.encode(&train)?;
    let (valid_bits, log_widths) = schema.encode(&valid)?;
    let each = trial(schema, &train_bits, &valid_bits, &Choices::default(), Family::LinearTrees, &());
    let of_bits = mean(&each) - mean(&log_widths) - schema.log_unit();
    let of_tables = -mean(&artefact.surprisals(&valid)?) - unit;
    Ok(Some(BitsGain { nats: of_bits - of_tables, rows: train.len() }))
}

/// Returns an artefact of fitted views without calibration, whose baselines are the mean surprisals of `rows`.
pub(super) fn assembled(job: &Job, schema: &Schema, fitted: &[FittedView], rows: &Readings) -> Result<Artefact> {
    let columns = Schema { columns: fitted[0].columns.clone(), ..schema.clone() };
    let fit = Provenance { signal: job.signal, history: job.history.clone(), ..Provenance::default() };
    let mut table = owned(fitted, schema);
    let artefact = |table: &OwnedViews| Artefact::new(&table.bytes()?, &columns, None, fit.clone());
    let baselines = artefact(&table)?.open()?.view_baselines(rows)?;
    table.views.iter_mut().zip(baselines).for_each(|(view, baselines)| view.baselines = baselines);
    artefact(&table)
}

/// Returns an error if the job has settings that only models of bits have.
fn refuse_options_of_bits(job: &Job) -> Result<()> {
    let choices = &job.choices;
    let given = [
        ("--order", choices.order != Order::Auto),
        ("--gamma", choices.gamma.is_some()),
        ("--components", choices.components.is_some()),
        ("--units", choices.layer.units.is_some()),
        ("--activation", choices.layer.activation.is_some()),
        ("--dropout", choices.layer.dropout.is_some()),
        ("--input-dropout", choices.layer.input_dropout.is_some()),
        ("--restarts", choices.layer.restarts.is_some()),
        ("--offset", choices.layer.offset),
        ("--l2", choices.l2 != Choices::default().l2),
    ];
    match given.into_iter().find(|(_, given)| *given) {
        Some((option, _)) => {
            let message = "the family tables has no such setting; leave it out, or choose --family linear-trees";
            Err(Error::option(option, message))
        }
        None => Ok(()),
    }
}

/// Returns the storage of a table that is not calibrated yet, except for the temperature of the anomaly score.
fn owned(fitted: &[FittedView], schema: &Schema) -> OwnedViews {
    OwnedViews {
        views: fitted.iter().map(|view| view.owned.clone()).collect(),
        calibration: Calibration::of_columns(schema.columns.iter().filter(|encoding| !encoding.observed).count()),
        predictor: schema.predictor.clone(),
    }
}
