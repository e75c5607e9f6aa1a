//! Whether the model is good enough, in words and four numbers. The words follow from the numbers and their intervals.

use serde::Serialize;
use surprisal::Detector;

use super::chart::number;
use super::detection::Detection;
use super::interval::{Measured, Share};
use super::likelihood::Likelihood;
use crate::alarms::{AlarmSettings, no_alarm};

/// Share of anomalous rows that a good detector surely finds.
const GOOD_RECALL: f64 = 0.9;
/// Share of anomalous rows below which a detector surely misses most.
const POOR_RECALL: f64 = 0.5;
/// Rows per day at one row per second.
const DAY: f64 = 86_400.0;

/// How good the model is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Grade {
    /// The numbers show that it is good enough.
    Yes,
    /// The numbers show a weakness, or leave it open.
    Partly,
    /// The numbers show that it is not good enough.
    No,
}

/// One of the four numbers.
#[derive(Clone, Debug, Serialize)]
pub struct Tile {
    /// What the number is.
    pub what: String,
    /// The number; `None` where it is unknown.
    pub value: Option<f64>,
    /// 90 % interval.
    pub interval: Option<[f64; 2]>,
    /// What it is compared with, or why it is unknown.
    pub note: String,
}

/// The answer of the first screen.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// The grade.
    pub grade: Grade,
    /// The grade in one sentence.
    pub verdict: String,
    /// Sentences that say why.
    pub reasons: Vec<String>,
    /// The four numbers.
    pub tiles: Vec<Tile>,
}

/// Returns a number with its unit.
fn tile(what: impl Into<String>, measured: Option<Measured>, note: impl Into<String>) -> Tile {
    let interval = measured.map(|measured| [measured.low, measured.high]);
    Tile { what: what.into(), value: measured.map(|measured| measured.value), interval, note: note.into() }
}

fn scaled(share: Share, scale: f64) -> Measured {
    Measured { value: scale * share.share, low: scale * share.low, high: scale * share.high }
}

fn percent(share: f64) -> String {
    format!("{} %", number(100.0 * share))
}

impl Summary {
    /// Answers whether a model is good enough.
    pub fn of(
        detection: &Detection,
        likelihood: Option<&Likelihood>,
        detector: &Detector,
        settings: &AlarmSettings,
    ) -> Self {
        let has_faults = detection.recall.is_some();
        let (promise, promise_grade) = promise(detection, detector, has_faults);
        let (saved, saved_grade) = saved(likelihood);
        let mut reasons = vec![promise];
        let (second, second_grade) = if has_faults { recall(detection) } else { drift(detection) };
        reasons.push(second);
        reasons.push(saved);
        let grades = [promise_grade, second_grade];
        let grade = match () {
            () if grades.contains(&Grade::No) => Grade::No,
            () if grades.contains(&Grade::Partly) || saved_grade != Grade::Yes => Grade::Partly,
            () => Grade::Yes,
        };
        let verdict = match (grade, has_faults) {
            (Grade::Yes, true) => {
                "Good enough: it keeps its promise on false alarms and finds at least 90 % of the anomalous rows."
            }
            (Grade::Partly, true) => "Good enough in part: read below what holds it back.",
            (Grade::No, true) => "Not good enough yet: read below what fails.",
            (Grade::Yes, false) => {
                "These rows look like the rows of the fit: alarms are as rare as promised, and nothing has drifted."
            }
            (Grade::Partly, false) => "These rows look mostly like the rows of the fit: read below what differs.",
            (Grade::No, false) => {
                "These rows differ from the rows of the fit, or the model does not fit them: read below what differs."
            }
        };
        let tiles = tiles(detection, likelihood, settings, has_faults);
        Self { grade, verdict: verdict.to_owned(), reasons, tiles }
    }
}

fn tiles(
    detection: &Detection,
    likelihood: Option<&Likelihood>,
    settings: &AlarmSettings,
    has_faults: bool,
) -> Vec<Tile> {
    let kind = if has_faults { "false alarms" } else { "alarms" };
    let raised = Share::of(detection.raised.on_normal_rows, detection.normal_rows);
    let often = match settings.rate {
        Some(rate) => tile(
            format!("{kind} per day"),
            raised.map(|share| scaled(share, rate * DAY)),
            format!("raised by the rule “{}” at {} rows per second", detection.rule, number(rate)),
        ),
        None => tile(
            format!("{kind} per 1,000 rows"),
            raised.map(|share| scaled(share, 1000.0)),
            format!(
                "raised by the rule “{}”; the threshold promises at most {}",
                detection.rule,
                number(1000.0 * detection.promised)
            ),
        ),
    };
    let saved = tile(
        "nats saved per row",
        likelihood.and_then(|likelihood| likelihood.saved),
        "against columns that do not depend on each other",
    );
    if has_faults {
        let recall = tile(
            "recall, % of anomalous rows",
            detection.recall.map(|share| scaled(share, 100.0)),
            detection.recall.map_or(String::new(), |share| format!("{} of {} rows", share.hits, share.of)),
        );
        let auc = tile("AUC of the anomaly score", detection.auc_roc, "0.5 is chance, 1 separates all rows");
        return vec![often, recall, auc, saved];
    }
    let share = tile(
        "rows above the threshold, %",
        detection.false_alarms.map(|share| scaled(share, 100.0)),
        format!("promised: at most {}", percent(detection.promised)),
    );
    let drift = tile(
        "drift, nats per row",
        detection.drift.error.map(|error| Measured::with_error(detection.drift.estimate, error)),
        "change of the mean surprisal since the calibration",
    );
    vec![often, share, drift, saved]
}

/// Returns whether the promise on false alarms is kept.
fn promise(detection: &Detection, detector: &Detector, has_faults: bool) -> (String, Grade) {
    if detection.threshold.is_none() {
        return (format!("The model raises {}.", no_alarm(detector)), Grade::No);
    }
    let Some(observed) = detection.false_alarms else {
        return ("No row is normal, so that false alarms cannot be counted.".into(), Grade::Partly);
    };
    let rows = if has_faults { "normal rows" } else { "rows" };
    let [_, most] = detection.promised_interval;
    let (low, high) = (percent(observed.low), percent(observed.high));
    let head = format!(
        "The threshold calls {} of {} {rows} anomalous, {} (90 % interval {low} to {high}); the promise is at most {}",
        observed.hits,
        observed.of,
        percent(observed.share),
        percent(detection.promised)
    );
    if observed.low > most {
        let more = number(observed.share / detection.promised);
        let why = "these rows are not like the calibration rows, or follow each other so closely that they do not count as independent";
        return (format!("{head}. The promise is broken by a factor of {more}: {why}."), Grade::No);
    }
    if observed.low > detection.promised {
        let calibration = detection.calibration_rows;
        return (
            format!("{head}. That is more, but within what {calibration} calibration rows can promise."),
            Grade::Partly,
        );
    }
    if observed.high > 2.0 * most {
        return (format!("{head}. So few rows neither confirm nor refute the promise."), Grade::Partly);
    }
    (format!("{head}. The promise holds."), Grade::Yes)
}

fn recall(detection: &Detection) -> (String, Grade) {
    let Some(recall) = detection.recall else { return (String::new(), Grade::Partly) };
    let head = format!(
        "It finds {} of {} anomalous rows, {} (90 % interval {} to {})",
        recall.hits,
        recall.of,
        percent(recall.share),
        percent(recall.low),
        percent(recall.high)
    );
    let missed: Vec<String> = detection
        .labels
        .iter()
        .filter(|label| label.recall.high < GOOD_RECALL)
        .map(|label| format!("{} ({} of {})", label.label, label.recall.hits, label.recall.of))
        .take(5)
        .collect();
    let missed = match missed.is_empty() || detection.labels.len() < 2 {
        true => String::new(),
        false => format!(" Kinds of which it surely misses more than one row in ten: {}.", missed.join(", ")),
    };
    if recall.low >= GOOD_RECALL {
        (format!("{head}.{missed}"), if missed.is_empty() { Grade::Yes } else { Grade::Partly })
    } else if recall.high < POOR_RECALL {
        (format!("{head}: it misses most of them.{missed}"), Grade::No)
    } else {
        (format!("{head}.{missed}"), Grade::Partly)
    }
}

fn drift(detection: &Detection) -> (String, Grade) {
    let drift = detection.drift;
    let Some(error) = drift.error else {
        return ("There are too few rows to measure drift.".into(), Grade::Partly);
    };
    let size = format!("{} ± {} nats per row", number(drift.estimate), number(error));
    if !drift.drifted {
        return (format!("The mean surprisal has not drifted since the calibration ({size})."), Grade::Yes);
    }
    let direction = if drift.estimate > 0.0 { "more" } else { "less" };
    let what = format!(
        "The mean surprisal has drifted: rows are {direction} surprising than the calibration rows, by {size}."
    );
    // Calm rows are no fault of the machine, but of the comparison.
    (what, if drift.estimate > 0.0 { Grade::No } else { Grade::Partly })
}

fn saved(likelihood: Option<&Likelihood>) -> (String, Grade) {
    let Some((likelihood, saved)) = likelihood.and_then(|likelihood| Some((likelihood, likelihood.saved?))) else {
        return (
            "There are too few normal rows to measure what the model knows of how columns depend on each other.".into(),
            Grade::Partly,
        );
    };
    let size =
        format!("{} nats per row (90 % interval {} to {})", number(saved.value), number(saved.low), number(saved.high));
    if likelihood.saved_by.len() < 2 {
        return (
            format!("The model has one scored column, so that there is little dependence to know: it saves {size}."),
            Grade::Yes,
        );
    }
    if saved.low > 0.0 {
        let factor = number(saved.value.exp());
        return (
            format!(
                "It knows how the columns depend on each other: that saves {size}, so that a normal row is {factor} times as likely as by the frequencies of the columns alone."
            ),
            Grade::Yes,
        );
    }
    if saved.high < 0.0 {
        return (
            format!("It predicts these rows worse than the frequencies of their columns alone do, by {size}."),
            Grade::Partly,
        );
    }
    (
        format!("It predicts these rows no better than the frequencies of their columns alone do: it saves {size}."),
        Grade::Partly,
    )
}
