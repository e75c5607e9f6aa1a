//! Everything that the page shows, measured.

use serde::Serialize;
use serde_json::{Value, json};
use surprisal::{Reading, Report};

use super::columns::{BlameMatrix, Columns, TopRow, blame_matrix, columns, top_rows};
use super::detection::Detection;
use super::interval::spread;
use super::likelihood::Likelihood;
use super::provenance;
use super::sampled::{Sampled, sampled};
use super::summary::Summary;
use crate::alarms::AlarmSettings;
use crate::applied::Applied;
use crate::divergence::readings::Pair;
use crate::error::Result;

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

/// What is measured of one model.
pub struct Measured<'a> {
    /// The model, applied to the rows.
    pub applied: &'a Applied,
    /// `[row]`: the report of a board's monitor.
    pub reports: Vec<Report>,
    /// How well it detects.
    pub detection: Detection,
    /// How well it predicts normal rows; `None` for too few of them.
    pub likelihood: Option<Likelihood>,
    /// The answer of the first screen.
    pub summary: Summary,
}

/// How much more likely one model makes the normal rows than another.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Advantage {
    /// Number of rows.
    pub rows: usize,
    /// Nats per row.
    pub nats: f64,
    /// Standard error.
    pub error: Option<f64>,
}

/// Everything that the page shows.
pub struct Content<'a> {
    /// Settings of the report.
    pub settings: &'a PageSettings,
    /// The model of the page.
    pub own: Measured<'a>,
    /// The model to compare with.
    pub other: Option<Measured<'a>>,
    /// How much more likely the first makes normal rows than the other, or why that is unknown.
    pub advantage: Option<Result<Advantage>>,
    /// What each column contributes.
    pub columns: Columns,
    /// Columns at fault by label.
    pub blame: BlameMatrix,
    /// The most surprising rows.
    pub top: Vec<TopRow>,
    /// Drawn rows beside rows of the file, or why none can be drawn.
    pub sampled: Result<Sampled>,
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

impl<'a> Content<'a> {
    /// Measures everything that the page shows.
    ///
    /// # Errors
    /// [`Error::Encode`](crate::Error::Encode) if a reading does not fit its column.
    pub fn of(applied: &'a Applied, other: Option<&'a Applied>, settings: &'a PageSettings) -> Result<Self> {
        let normal = normal_readings(applied)?;
        let own = Measured::of(applied, &normal, settings)?;
        let saved_by = own.likelihood.as_ref().map_or(Vec::new(), |likelihood| likelihood.saved_by.clone());
        let columns = columns(applied, &saved_by)?;
        let order: Vec<u16> = columns.each.iter().map(|column| column.source).collect();
        let advantage = other.map(|other| advantage(applied, other));
        let of_other = |other| Measured::of(other, &normal_readings(other)?, settings);
        Ok(Content {
            settings,
            other: other.map(of_other).transpose()?,
            advantage,
            blame: blame_matrix(applied)?,
            top: top_rows(applied)?,
            sampled: sampled(applied, &normal, &order, settings.seed),
            columns,
            own,
        })
    }

    /// Returns the numbers of the page for programs.
    pub fn numbers(&self) -> Value {
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
    Ok(Advantage {
        rows: found.rows,
        nats: found.ratio.value,
        error: found.ratio.standard_error.filter(|error| error.is_finite()),
    })
}
