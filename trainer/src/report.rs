//! A report on a model and the rows of a file: one page of HTML with all figures, which needs neither scripts nor a network.
//!
//! [`page`] is the door. It measures with the same functions as the command `surprisal eval`, so that the numbers of both
//! agree.

use serde::Serialize;
use serde_json::{Value, json};
use surprisal::{Reading, Report};

use crate::alarms::AlarmSettings;
use crate::applied::Applied;
use crate::divergence::readings::Pair;
use crate::error::Result;

mod chart;
mod columns;
mod detection;
mod figures;
mod html;
mod interval;
mod likelihood;
mod provenance;
mod sampled;
mod sections;
mod summary;
mod tables;
mod timeline;
mod walk;
mod words;

use columns::{BlameMatrix, Columns, TopRow, blame_matrix, columns, top_rows};
use detection::Detection;
use interval::spread;
use likelihood::Likelihood;
use sampled::{Sampled, sampled};
use summary::Summary;

/// Largest number of outcomes that are walked through for the likelihood: rows times outcomes of all columns.
const WALKED: usize = 3_000_000;

/// Settings of a report.
#[derive(Clone, Debug, Default)]
pub struct PageSettings {
    /// The rule of alarms, and the number of rows per second.
    pub alarms: AlarmSettings,
    /// Name of the model, such as its file.
    pub model: String,
    /// Name of the other model, if there is one.
    pub other: String,
    /// Seed of the drawn rows.
    pub seed: u64,
}

/// A report.
#[derive(Clone, Debug)]
pub struct Page {
    /// The page.
    pub html: String,
    /// The numbers of the page.
    pub numbers: Value,
    /// The answer of the first screen, in one sentence.
    pub verdict: String,
}

/// What is measured of one model.
struct Measured<'a> {
    applied: &'a Applied,
    reports: Vec<Report>,
    detection: Detection,
    likelihood: Option<Likelihood>,
    summary: Summary,
}

/// How much more likely one model makes the normal rows than another.
#[derive(Clone, Copy, Debug, Serialize)]
struct Advantage {
    /// Number of rows.
    rows: usize,
    /// Nats per row.
    nats: f64,
    /// Standard error.
    error: Option<f64>,
}

/// Everything that the page shows.
struct Content<'a> {
    settings: &'a PageSettings,
    own: Measured<'a>,
    other: Option<Measured<'a>>,
    advantage: Option<Result<Advantage>>,
    columns: Columns,
    blame: BlameMatrix,
    top: Vec<TopRow>,
    sampled: Result<Sampled>,
}

/// Returns the report on a model and rows of a file. `other` is another model, applied to the same rows, for comparison.
///
/// ```
/// use std::fs::write;
/// use surprisal_trainer::applied::{Applied, Selection};
/// use surprisal_trainer::data::Header;
/// use surprisal_trainer::pipeline::{Job, run};
/// use surprisal_trainer::report::{PageSettings, page};
/// let file = tempfile::Builder::new().suffix(".csv").tempfile()?;
/// let rows: String = (0..400).map(|i| format!("{},{}\n", i / 10 % 2, (i / 10 + usize::from(i % 10 == 0)) % 2)).collect();
/// write(file.path(), format!("pump,flow\n{rows}"))?;
/// let (artefact, _) = run(&Job::new(file.path()))?;
/// let frame = artefact.frame(file.path(), Header::Auto)?;
/// let selection = Selection { rows: (0..frame.rows()).collect(), ..Selection::default() };
/// let applied = Applied::new(artefact, frame, selection, &())?;
/// let page = page(&applied, None, &PageSettings::default())?;
/// assert!(page.html.starts_with("<!DOCTYPE html>"));
/// assert_eq!(page.numbers["detection"]["rows"], 400);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`Error::Encode`](crate::Error::Encode) if a reading does not fit its column.
pub fn page(applied: &Applied, other: Option<&Applied>, settings: &PageSettings) -> Result<Page> {
    let normal = normal_readings(applied)?;
    let own = Measured::of(applied, &normal, settings)?;
    let saved_by = own.likelihood.as_ref().map_or(Vec::new(), |likelihood| likelihood.saved_by.clone());
    let columns = columns(applied, &saved_by)?;
    let order: Vec<u16> = columns.each.iter().map(|column| column.source).collect();
    let advantage = other.map(|other| advantage(applied, other));
    let of_other = |other| Measured::of(other, &normal_readings(other)?, settings);
    let content = Content {
        settings,
        other: other.map(of_other).transpose()?,
        advantage,
        blame: blame_matrix(applied)?,
        top: top_rows(applied)?,
        sampled: sampled(applied, &normal, &order, settings.seed),
        columns,
        own,
    };
    let (html, verdict) = (sections::page(&content), content.own.summary.verdict.clone());
    Ok(Page { html, numbers: content.numbers(), verdict })
}

impl<'a> Measured<'a> {
    fn of(applied: &'a Applied, normal: &[Vec<Reading>], settings: &PageSettings) -> Result<Self> {
        let detector = applied.artefact.detector();
        let reports = applied.monitored(&detector, settings.alarms.rule);
        let detection = Detection::of(applied, &reports, &settings.alarms);
        let likelihood = Likelihood::of(applied, normal)?;
        let summary = Summary::of(&detection, likelihood.as_ref(), &detector, &settings.alarms);
        Ok(Self { applied, reports, detection, likelihood, summary })
    }

    fn numbers(&self) -> Value {
        json!({ "summary": self.summary, "detection": self.detection, "likelihood": self.likelihood })
    }
}

impl Content<'_> {
    fn numbers(&self) -> Value {
        let mut value = self.own.numbers();
        value["model"] = json!(self.settings.model);
        value["columns"] = json!(self.columns.each);
        value["blame"] = json!(self.blame);
        value["top_rows"] = json!(self.top);
        value["sampled"] = json!(self.sampled.as_ref().ok());
        value["provenance"] = provenance::numbers(self.own.applied);
        if let Some(other) = &self.other {
            value["against"] = other.numbers();
            value["against"]["model"] = json!(self.settings.other);
            value["against"]["advantage"] = json!(self.advantage.as_ref().and_then(|found| found.as_ref().ok()));
        }
        value
    }
}

/// Returns readings of normal rows that lack no reading which no training row lacks, at most as many as time allows.
fn normal_readings(applied: &Applied) -> Result<Vec<Vec<Reading>>> {
    let artefact = &applied.artefact;
    let outcomes: usize = artefact.schema.columns.iter().map(|encoding| encoding.column().outcomes()).sum();
    // Bits cost more than outcomes of a table, because each is a conditional of its own.
    let work = if artefact.shape.views == 0 { outcomes + outcomes * outcomes / 64 } else { outcomes };
    let most = (WALKED / work.max(1)).clamp(200, 5000);
    let mut rows: Vec<usize> = applied.of_kind(false).into_iter().map(|at| applied.rows[at]).collect();
    rows.retain(|&row| applied.frame.may_be_normal(row));
    let mut readings = artefact.schema.all_readings(&applied.frame, &spread(&rows, most))?;
    readings.retain(|row| !artefact.lacks(row));
    Ok(readings)
}

/// Returns how much more likely the model makes normal rows than the other model does.
fn advantage(applied: &Applied, other: &Applied) -> Result<Advantage> {
    let pair = Pair::new(&applied.artefact, &other.artefact)?;
    let chosen = spread(&applied.of_kind(false), 5000);
    let readings = |model: &Applied| -> Result<Vec<Vec<Reading>>> {
        let rows: Vec<usize> = chosen.iter().map(|&at| model.rows[at]).collect();
        model.artefact.schema.all_readings(&model.frame, &rows)
    };
    let both = [readings(applied)?, readings(other)?];
    let kept: Vec<bool> = both[0]
        .iter()
        .zip(&both[1])
        .map(|(own, old)| !applied.artefact.lacks(own) && !other.artefact.lacks(old))
        .collect();
    let both = both.map(|rows| rows.into_iter().zip(&kept).filter(|(_, kept)| **kept).map(|(row, _)| row).collect());
    let found = pair.agreement(&both)?;
    Ok(Advantage { rows: found.rows, nats: found.ratio.value, error: found.ratio.standard_error })
}
