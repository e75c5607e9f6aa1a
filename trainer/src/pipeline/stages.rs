//! The later stages of a fit: encodes the rows, selects a model, calibrates it, and reports on it.

use std::time::Instant;

use surprisal::Reading;

use super::job::Job;
use super::load::{FrameRows, Split};
use super::report::{FitReport, finite};
use super::sampling::{PARTS, Sampling};
use crate::artefact::{Artefact, Notes, Provenance};
use crate::bits::Bits;
use crate::calibrate::Calibration;
use crate::error::Result;
use crate::evaluate::mean;
use crate::fit::Family;
use crate::golden::{self, with_golden_rows};
use crate::observer::Observer;
use crate::schema::{CELLS, Schema};
use crate::select::cells::choose_cells;
use crate::select::{Budget, Choices, Recipe, Selection, select, trial};
use crate::table::OwnedTable;
use crate::table::loss::divergence;
use crate::warning::Warning;

/// Number of sampled rows over which the divergence due to quantisation is averaged.
const PREFIXES: usize = 2000;

/// Readings `[row][source]`, where source is the position among the modelled columns in file order.
type Readings = Vec<Vec<Reading>>;

/// Third stage: the schema, and the rows as bits.
pub(super) struct Encoded<'j> {
    job: &'j Job,
    schema: Schema,
    train: Bits,
    valid: Bits,
    /// Mean log-width of the validation rows, in nats: the term that turns a probability of bits into a density of
    /// readings.
    valid_log_width: f64,
    valid_readings: Readings,
    calibration_readings: Readings,
    /// Normal rows in the order in which they came.
    stream: FrameRows,
    test_readings: Option<Readings>,
    /// The sample, if the fit sees a sample of the training rows.
    sampling: Option<Sampling>,
    /// Warnings about the training file.
    warnings: Vec<Warning>,
    /// Provenance of the fit, without the entries that depend on the selected model.
    provenance: Provenance,
}

/// Fourth stage: the model that was selected, not calibrated yet.
pub(super) struct Selected<'j> {
    encoded: Encoded<'j>,
    selection: Selection,
    /// Mean log-likelihood of the validation rows if every column is modelled on its own, in nats, without log-widths.
    marginal_valid_ll: f64,
}

/// Last stage: a model and what is known of it.
pub(super) struct Fitted {
    pub artefact: Artefact,
    pub report: FitReport,
}

impl Fitted {
    /// Returns the mean log-density of the validation rows in units of the readings.
    pub fn density(&self) -> f64 {
        self.report.valid_ll - self.report.log_unit
    }
}

/// Fifth stage: the calibrated table, and the artefact that holds it.
pub(super) struct Calibrated<'j> {
    selected: Selected<'j>,
    table: OwnedTable,
    artefact: Artefact,
    file_bytes: usize,
}

impl<'j> Split<'j> {
    /// Finds the schema and encodes the rows. Selects the number of cells (bins) unless the job fixes it.
    pub fn encode(self, observer: &dyn Observer) -> Result<Encoded<'j>> {
        let job = self.job;
        let schema = self.schema_in_bits(job.cells.unwrap_or(CELLS))?;
        let warnings = self.warnings(&schema, observer)?;
        let readings = |part: &FrameRows| schema.fitting_readings(&part.frame, &part.rows);
        let (train, valid) = (readings(&self.train)?, readings(&self.valid)?);
        let calibration_readings = readings(&self.calibrate)?;
        let test_readings = self.test.as_ref().map(readings).transpose()?;
        // Readings do not depend on the cells.
        let schema = match job.cells {
            Some(_) => schema,
            None => choose_cells(schema, &|cells| self.schema_in_bits(cells), &train, &valid, &job.choices, observer)?,
        };
        let density = |first, step| self.quick_density([first, step], &schema, &train, &valid, observer);
        let sampling = self.sampling(|| Ok(density(0, 1)?.unwrap_or_default()), |first| density(first, PARTS))?;
        let (train_bits, _) = schema.encode(&train)?;
        let (valid_bits, valid_log_widths) = schema.encode(&valid)?;
        let provenance = self.provenance();
        Ok(Encoded {
            job,
            schema,
            train: train_bits,
            valid: valid_bits,
            valid_log_width: mean(&valid_log_widths),
            valid_readings: valid,
            calibration_readings,
            stream: self.stream(),
            test_readings,
            sampling,
            warnings,
            provenance,
        })
    }
}

impl Split<'_> {
    /// Returns the log-density of each validation row after a quick fit to each `step`-th training row from `first` on, from
    /// which the edges of cells follow as well. `None` if these rows are too few for a fit.
    fn quick_density(
        &self,
        [first, step]: [usize; 2],
        schema: &Schema,
        train: &Readings,
        valid: &Readings,
        observer: &dyn Observer,
    ) -> Result<Option<Vec<f64>>> {
        let choices = &self.job.choices;
        let own = choices.family.has_conditionals_only() && choices.family != Family::Boost;
        let family = if own { choices.family } else { Family::LinearTrees };
        let cells = schema.columns.iter().map(|encoding| encoding.cells).max().unwrap_or(CELLS);
        let rows: Vec<usize> = self.train.rows.iter().copied().skip(first).step_by(step).collect();
        let Ok(schema) = self.schema_of(&rows, cells) else { return Ok(None) };
        let some: Readings = train.iter().skip(first).step_by(step).cloned().collect();
        let ((bits, _), (valid_bits, log_widths)) = (schema.encode(&some)?, schema.encode(valid)?);
        let each = trial(&schema, &bits, &valid_bits, choices, family, observer);
        let unit = schema.log_unit();
        Ok(Some(each.iter().zip(log_widths).map(|(likelihood, width)| likelihood - width - unit).collect()))
    }
}

impl<'j> Encoded<'j> {
    /// Fits models and selects the best one within the limits of the job.
    pub fn select(self, observer: &dyn Observer) -> Result<Selected<'j>> {
        let Self { job, schema, train, valid, .. } = &self;
        let columns = schema.columns.len();
        let calibration =
            Calibration::bytes(self.calibration_readings.len(), columns) + golden::bytes(columns, job.flash);
        let notes = |recipe: &Recipe| Notes::new(schema, job.label.clone(), self.provenance(recipe)).bytes().len();
        let budget = Budget {
            flash: job.flash.unwrap_or(usize::MAX),
            spare: golden::spare(columns, job.flash),
            ram: job.ram.unwrap_or(usize::MAX),
            operations: job.operations.unwrap_or(usize::MAX),
            overhead: &|recipe| calibration + notes(recipe),
        };
        let choices = Choices { seed: job.seed, ..job.choices.clone() };
        let selection = select(schema, train, valid, &choices, &budget, observer)?;
        let marginal = trial(schema, train, valid, &choices, Family::Marginal, observer);
        Ok(Selected { encoded: self, selection, marginal_valid_ll: mean(&marginal) })
    }

    /// Returns the provenance of the model whose order, settings and terms are in `recipe`.
    fn provenance(&self, recipe: &Recipe) -> Provenance {
        Provenance {
            order: recipe.order.clone(),
            gamma: recipe.setting.map(|(gamma, _)| gamma),
            strength: recipe.setting.map(|(_, strength)| strength),
            terms: recipe.terms.clone(),
            ..self.provenance.clone()
        }
    }
}

impl<'j> Selected<'j> {
    /// Calibrates the detector on the calibration rows, and assembles the artefact.
    pub fn calibrate(self) -> Result<Calibrated<'j>> {
        let Self { encoded, selection, .. } = &self;
        let job = encoded.job;
        let assemble = |table: &OwnedTable| {
            let provenance = encoded.provenance(&selection.recipe);
            Artefact::new(&table.bytes()?, &selection.schema, job.label.clone(), provenance)
        };
        let mut table = selection.table.clone();
        let uncalibrated = assemble(&table)?;
        let stream = encoded.stream.surprisals(&uncalibrated)?;
        table.calibration = Calibration::of(&uncalibrated, &encoded.calibration_readings, &stream, job.rates)?;
        let artefact = with_golden_rows(&assemble(&table)?, &encoded.calibration_readings, job.flash)?;
        let file_bytes = artefact.file_bytes().len();
        golden::check_flash(file_bytes, encoded.schema.columns.len(), job.flash)?;
        Ok(Calibrated { selected: self, table, artefact, file_bytes })
    }
}

impl Calibrated<'_> {
    /// Evaluates the model, and returns the artefact with a report on the fit that began at `start`.
    pub fn report(self, start: Instant) -> Result<Fitted> {
        let Self { selected, table, artefact, file_bytes } = self;
        let Selected { encoded, selection, marginal_valid_ll } = selected;
        let (job, valid_log_width) = (encoded.job, encoded.valid_log_width);
        let float_ll = |readings: &Readings| -> Result<f64> {
            let (bits, log_widths) = selection.schema.encode(readings)?;
            Ok(selection.model.log_likelihood(&bits) - mean(&log_widths))
        };
        let integer_ll = |readings: &Readings| -> Result<f64> { Ok(-mean(&artefact.surprisals(readings)?)) };
        let (detector, test) = (table.calibration.view(), encoded.test_readings.as_ref());
        let provenance = &artefact.notes.fit;
        let report = FitReport {
            family: provenance.family,
            order: provenance.order.clone(),
            gamma: provenance.gamma,
            strength: provenance.strength,
            terms: provenance.terms.clone(),
            orders: selection.orders,
            columns: selection.schema.columns.len(),
            bits: artefact.shape.bits,
            train_rows: provenance.train_rows,
            valid_rows: encoded.valid_readings.len(),
            calibration_rows: encoded.calibration_readings.len(),
            marginal_valid_ll: marginal_valid_ll - valid_log_width,
            float_valid_ll: selection.valid_ll - valid_log_width,
            valid_ll: integer_ll(&encoded.valid_readings)?,
            log_unit: selection.schema.log_unit(),
            sampling: encoded.sampling,
            bits_gain: None,
            excluded: selection.excluded,
            test_rows: test.map(Vec::len),
            float_test_ll: test.map(float_ll).transpose()?,
            test_ll: test.map(integer_ll).transpose()?,
            kl_quantisation: divergence(&selection.model, artefact.table_bytes(), PREFIXES, job.seed)?,
            table_bytes: artefact.table_bytes().len(),
            file_bytes,
            state_bytes: table.shape().state_bytes(),
            operations: table.operations()?,
            threshold: finite(detector.threshold),
            false_alarm: job.rates.false_alarm,
            entropy: detector.entropy.into(),
            deviation: detector.deviation.into(),
            reference: finite(detector.decision_interval).map(|_| detector.reference.into()),
            decision_interval: finite(detector.decision_interval),
            average_run_length: detector.average_run_length,
            stretch: artefact.notes.fit.stretch.unwrap_or(1),
            block: table.calibration.block(),
            warnings: encoded.warnings,
            seconds: start.elapsed().as_secs_f64(),
            float: selection.model,
        };
        Ok(Fitted { artefact, report })
    }
}
