//! A model applied to rows of a file: scores, verdicts, and columns at fault.

use std::borrow::Cow;

use rayon::prelude::*;
use surprisal::{Blame, Detector, Drift, DriftEstimate, Nats, Reading, RowScore};

use crate::artefact::Artefact;
use crate::counted::counted;
use crate::data::Frame;
use crate::error::Result;
use crate::evaluate::{Alarms, mean};
use crate::observer::Observer;
use crate::resemblance::inflation;
use crate::sample::text;
use crate::split::Labels;
use crate::warning::Warning;

mod selection;

pub use selection::{Selection, SelectionSettings};

/// A model, a data file, and the scores of selected rows of the file.
pub struct Applied {
    /// Model with which the rows are scored.
    pub artefact: Artefact,
    /// Names of the columns of time stamps that the file has.
    pub time: Vec<String>,
    /// Content of the data file.
    pub frame: Frame,
    /// Indices in `frame` of the rows that are scored.
    pub rows: Vec<usize>,
    /// Column of the labels, and its value in normal rows. `None` without a label column.
    pub label: Option<(String, String)>,
    /// Whether each scored row has an anomalous label: `[row]`. `None` without labels.
    pub anomalous: Option<Labels>,
    /// Surprisal, anomaly score and most surprising column of each scored row: `[row]`.
    pub scores: Vec<RowScore>,
    /// Surprisal of each scored row: `[row]`.
    pub surprisals: Vec<Nats>,
    /// Texts of categories that no training row has, and readings that are missing for the first time.
    pub unknown: Vec<Warning>,
}

/// The column that is most likely at fault in a row.
pub struct Blamed {
    /// Name of the column.
    pub column: String,
    /// Value that makes the row most normal; empty for a time series, whose model sees residuals.
    pub expected: String,
    /// What the device would report.
    pub blame: Blame,
    /// Name of the column that explains the row second best.
    pub runner_up: Option<String>,
}

impl Applied {
    /// Scores the selected rows, and reports progress to an observer.
    ///
    /// # Errors
    /// [`Error::Input`](crate::Error::Input) if a cell does not fit its column, and
    /// [`Error::Encode`](crate::Error::Encode) if a reading does not.
    pub fn new(artefact: Artefact, frame: Frame, selection: Selection, observer: &dyn Observer) -> Result<Self> {
        let Selection { rows, label, anomalous, mut time } = selection;
        let unknown = artefact.schema.unfamiliar(&frame, &rows)?;
        let scores = artefact.scores_of(&frame, &rows, observer)?;
        if time.is_empty() {
            time.clone_from(&artefact.notes.fit.time);
        }
        time.retain(|name| frame.position(name).is_ok());
        let surprisals = scores.iter().map(|score| score.nats).collect();
        Ok(Self { artefact, time, frame, rows, label, anomalous, scores, surprisals, unknown })
    }

    /// Returns whether the scored row at this position is anomalous by its label; without labels, no row is. `None` if
    /// its label is missing, or if it has no reading, so that it tells nothing about the model.
    pub fn kind(&self, at: usize) -> Option<bool> {
        if self.is_blank(at) { None } else { self.anomalous.as_ref().map_or(Some(false), |anomalous| anomalous[at]) }
    }

    /// Returns whether the scored row at this position is anomalous by its label, and has a reading.
    pub fn is_anomalous(&self, at: usize) -> bool {
        self.kind(at) == Some(true)
    }

    /// Returns whether the scored row at this position has no reading.
    pub fn is_blank(&self, at: usize) -> bool {
        self.frame.is_blank(self.rows[at])
    }

    /// Returns the positions of the scored rows of a [kind](Self::kind): anomalous ones, or normal ones. Without labels, all rows
    /// with a reading are normal ones.
    pub fn of_kind(&self, anomalous: bool) -> Vec<usize> {
        self.positions(|at| self.kind(at) == Some(anomalous))
    }

    /// Returns the positions of the scored rows that have a reading.
    pub fn with_reading(&self) -> Vec<usize> {
        self.positions(|at| !self.is_blank(at))
    }

    /// Returns the positions of the scored rows with a property.
    pub fn positions(&self, has_property: impl Fn(usize) -> bool) -> Vec<usize> {
        (0..self.rows.len()).filter(|&at| has_property(at)).collect()
    }

    /// Returns the number of scored rows without a reading, and of the other rows without a label in the label column.
    pub fn unknown_rows(&self) -> [usize; 2] {
        let blank = self.positions(|at| self.is_blank(at)).len();
        [blank, self.positions(|at| self.kind(at).is_none()).len() - blank]
    }

    /// Returns sentences that count the [rows that are unknown](Self::unknown_rows), if there are any.
    pub fn left_out(&self) -> Vec<String> {
        let [blank, unlabelled] = self.unknown_rows();
        let left_out = [
            (blank, "without any reading left out of all figures"),
            (unlabelled, "without a label left out of the figures by label"),
        ];
        let some = left_out.into_iter().filter(|(count, _)| *count > 0);
        some.map(|(count, what)| format!("{} {what}", counted(count, "row"))).collect()
    }

    /// Returns the mean surprisal of the scored rows at these positions, in nats; `None` without positions.
    pub fn mean_nats(&self, chosen: &[usize]) -> Option<f64> {
        let each: Vec<Nats> = chosen.iter().map(|&at| self.surprisals[at]).collect();
        (!each.is_empty()).then(|| mean(&each))
    }

    /// Returns the rates of a verdict on each scored row; without labels, only the share of rows that alarm is known.
    pub fn alarms(&self, verdicts: &[bool]) -> Alarms {
        let known = self.positions(|at| self.kind(at).is_some());
        let of_known = |of: &dyn Fn(usize) -> bool| known.iter().map(|&at| of(at)).collect::<Vec<bool>>();
        let found = Alarms::of(&of_known(&|at| verdicts[at]), &of_known(&|at| self.is_anomalous(at)));
        if self.anomalous.is_some() { found } else { Alarms { precision: None, f1: None, ..found } }
    }

    /// Returns whether a detector calls each scored row anomalous: `[row]`. Rows without a reading are not.
    pub fn verdicts(&self, detector: &Detector) -> Vec<bool> {
        let is_anomalous = |at: usize| !self.is_blank(at) && detector.judge(self.scores[at].anomaly).is_anomalous();
        (0..self.scores.len()).map(is_anomalous).collect()
    }

    /// Returns the drift of the scored rows at these positions since the calibration. If the rows of the fit resembled their
    /// neighbours, its standard error is larger, in proportion to that of the mean of such rows. A board takes rows for independent.
    pub fn drift(&self, chosen: &[usize]) -> DriftEstimate {
        let detector = self.artefact.detector();
        let (mut drift, mut series) = (Drift::new(), Vec::with_capacity(chosen.len()));
        for &at in chosen {
            drift.push(&detector, self.surprisals[at]);
            series.push(self.surprisals[at].min(detector.score_cap).into());
        }
        let mut estimate = drift.estimate(&detector);
        let error =
            f64::from(estimate.error.raw()) * inflation(&series, self.artefact.notes.fit.stretch.unwrap_or(1)).sqrt();
        estimate.error = Nats::from_raw(error as u32);
        estimate
    }

    /// Returns the text of a scored row's label, or an empty text without a label column.
    pub fn label_of(&self, at: usize) -> Cow<'_, str> {
        let column = self.label.as_ref().and_then(|(column, _)| self.frame.position(column).ok());
        column.map_or(Cow::Borrowed(""), |column| self.frame.columns[column].text(self.rows[at]))
    }

    /// Returns the time stamp of a row of the file as text, or `None` if it has none.
    pub fn time_of(&self, row: usize) -> Option<String> {
        let each = self.frame.time_of(row, &self.time);
        let texts: Vec<String> = each.into_iter().map(|(_, text)| text).collect();
        (!texts.is_empty()).then(|| texts.join(" "))
    }

    /// Returns the [warning](Artefact::warning_of_fit) if the model was fitted on these rows.
    pub fn of_fit(&self) -> Option<Warning> {
        self.artefact.warning_of_fit(&self.frame, self.rows.len())
    }

    /// Returns what was recognised in the files, and other findings.
    pub fn warnings(&self) -> Vec<&Warning> {
        self.frame.remarks.iter().chain(&self.unknown).collect()
    }

    /// Returns the surprisal of each column (`[row][source]`) in these scored rows, which are positions in `rows`.
    ///
    /// # Errors
    /// [`Error::Encode`](crate::Error::Encode) if a reading does not fit its column.
    pub fn explain(&self, chosen: &[usize]) -> Result<Vec<Vec<Nats>>> {
        let rows: Vec<usize> = chosen.iter().map(|&at| self.rows[at]).collect();
        let readings = self.artefact.schema.all_readings(&self.frame, &rows)?;
        let (table, columns) = (self.artefact.open()?, self.artefact.schema.columns.len());
        let explain = |readings: &Vec<_>| {
            let mut each = vec![Nats::ZERO; columns];
            table.explain(readings, &mut each).map(|_| each)
        };
        Ok(readings.par_iter().map(explain).collect::<Result<_, _>>()?)
    }

    /// Returns the column at fault in each of these scored rows, which are positions in `rows`.
    ///
    /// # Errors
    /// [`Error::Encode`](crate::Error::Encode) if a reading does not fit its column.
    pub fn blame(&self, chosen: &[usize]) -> Result<Vec<Blamed>> {
        let rows: Vec<usize> = chosen.iter().map(|&at| self.rows[at]).collect();
        blamed(&self.artefact, &self.artefact.schema.all_readings(&self.frame, &rows)?)
    }
}

/// Returns the column at fault in each of these rows of readings.
///
/// # Errors
/// [`Error::Encode`](crate::Error::Encode) if a reading does not fit its column.
pub fn blamed(artefact: &Artefact, readings: &[Vec<Reading>]) -> Result<Vec<Blamed>> {
    let schema = &artefact.schema;
    let name = |source: u16| schema.of_source(source).map_or(String::new(), |at| schema.name(at).to_owned());
    // The model of a time series sees residuals, which are no values to expect.
    let is_series = schema.predictor.view().window() > 0;
    let expected = |blame: &Blame| {
        schema.of_source(blame.column).filter(|_| !is_series).map(|at| text(at, at.plainest(blame.expected)))
    };
    let blamed = |blame: Blame| Blamed {
        column: name(blame.column),
        expected: expected(&blame).unwrap_or_default(),
        runner_up: blame.runner_up.map(|(column, _)| name(column)),
        blame,
    };
    Ok(artefact.blame(readings)?.into_iter().map(blamed).collect())
}
