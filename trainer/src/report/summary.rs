//! Whether the model is good enough, in words and four numbers. The words follow from the numbers and their intervals.

use serde::Serialize;
use surprisal::Detector;

use super::detection::{Detection, OfLabel};
use super::interval::{Measured, Share};
use super::likelihood::Likelihood;
use super::words::{count, number, per_second, percent};
use crate::alarms::{AlarmSettings, DAY, Raised, no_alarm};

/// Share of anomalous rows that a good detector surely finds.
const GOOD_RECALL: f64 = 0.9;
/// Share of anomalous rows below which a detector surely misses most.
const POOR_RECALL: f64 = 0.5;
/// Largest number of missed kinds of anomaly that are named.
const NAMED: usize = 5;

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

/// What the numbers say of one question: a clause for the verdict, a sentence, and a grade.
struct Finding {
    clause: String,
    sentence: String,
    grade: Grade,
}

impl Finding {
    fn new(grade: Grade, clause: impl Into<String>, sentence: impl Into<String>) -> Self {
        Self { clause: clause.into(), sentence: sentence.into(), grade }
    }
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
        let second = if has_faults { recall(detection.recall, &detection.labels) } else { drift(detection) };
        let findings = [promise(detection, detector, has_faults), second, saved(likelihood)];
        let grade = match () {
            () if findings[..2].iter().any(|finding| finding.grade == Grade::No) => Grade::No,
            () if findings.iter().any(|finding| finding.grade != Grade::Yes) => Grade::Partly,
            () => Grade::Yes,
        };
        let head = match (grade, has_faults) {
            (Grade::Yes, true) => "Good enough",
            (Grade::Partly, true) => "Good enough in part",
            (Grade::No, true) => "Not good enough",
            (_, false) if detection.threshold.is_none() => "Not usable as it is",
            (Grade::Yes, false) => "These rows look like the rows of the fit",
            (Grade::Partly, false) => "These rows look like the rows of the fit in part",
            (Grade::No, false) => "These rows differ from the rows of the fit",
        };
        let [first, second, third] = findings.each_ref().map(|finding| &*finding.clause);
        let verdict = format!("{head}: {first}, {second}, and {third}.");
        let reasons = findings.into_iter().map(|finding| finding.sentence).collect();
        Self { grade, verdict, reasons, tiles: tiles(detection, likelihood, settings, has_faults) }
    }
}

fn tiles(
    detection: &Detection,
    likelihood: Option<&Likelihood>,
    settings: &AlarmSettings,
    has_faults: bool,
) -> Vec<Tile> {
    let kind = if has_faults { "false alarms" } else { "alarms" };
    let Raised { alarms, on_normal_rows, .. } = detection.raised;
    let raised = Share::of(on_normal_rows.unwrap_or(alarms), detection.normal_rows);
    let often = match settings.rate {
        Some(rate) => tile(
            format!("{kind} per day"),
            raised.map(|share| scaled(share, rate * DAY)),
            format!("raised by the rule “{}” at {}", detection.rule, per_second(rate)),
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
            detection
                .recall
                .map_or(String::new(), |share| format!("{} of {} rows", count(share.hits), count(share.of))),
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
fn promise(detection: &Detection, detector: &Detector, has_faults: bool) -> Finding {
    if detection.threshold.is_none() {
        return Finding::new(Grade::No, "it raises no alarm ever", format!("The model raises {}.", no_alarm(detector)));
    }
    let Some(observed) = detection.false_alarms else {
        let clause = "no row is normal, so that false alarms cannot be counted";
        return Finding::new(Grade::Partly, clause, "No row is normal, so that false alarms cannot be counted.");
    };
    let rows = if has_faults { "normal rows" } else { "rows" };
    let [_, most] = detection.promised_interval;
    let (share, promised) = (percent(observed.share), percent(detection.promised));
    let head = format!(
        "The threshold calls {} of {} {rows} anomalous, {share} (90 % interval {} to {}); the promise is at most {promised}",
        count(observed.hits),
        count(observed.of),
        percent(observed.low),
        percent(observed.high),
    );
    if observed.low > most {
        let more = number(observed.share / detection.promised);
        let why = "these rows are not like the calibration rows, or follow each other so closely that they do not count as independent";
        let sentence = format!("{head}. The promise is broken by a factor of {more}: {why}.");
        return Finding::new(
            Grade::No,
            format!("{share} of the {rows} are above the threshold, {more} times the promise"),
            sentence,
        );
    }
    if observed.low > detection.promised {
        let calibration = count(detection.calibration_rows as usize);
        let sentence = format!("{head}. That is more, but within what {calibration} calibration rows can promise.");
        return Finding::new(
            Grade::Partly,
            format!("{share} of the {rows} are above the threshold, more than the promised {promised}"),
            sentence,
        );
    }
    if observed.high > 2.0 * most {
        let sentence = format!("{head}. So few rows neither confirm nor refute the promise.");
        return Finding::new(Grade::Partly, "there are too few rows to check the promise on false alarms", sentence);
    }
    let agrees = if observed.share > detection.promised {
        "That is above the promise by no more than chance"
    } else {
        "The promise is kept"
    };
    let clause = format!("{share} of the {rows} are above the threshold, which agrees with the promised {promised}");
    Finding::new(Grade::Yes, clause, format!("{head}. {agrees}."))
}

/// Returns whether the model surely finds the anomalous rows, and those of each kind: of each value of `labels`.
fn recall(recall: Option<Share>, labels: &[OfLabel]) -> Finding {
    let Some(recall) = recall else { return Finding::new(Grade::Partly, "recall is unknown", "") };
    let share = percent(recall.share);
    let head = format!(
        "It finds {} of {} anomalous rows, {share} (90 % interval {} to {})",
        count(recall.hits),
        count(recall.of),
        percent(recall.low),
        percent(recall.high)
    );
    if recall.high < POOR_RECALL {
        let clause = format!("it finds only {share} of the anomalous rows");
        return Finding::new(Grade::No, clause, format!("{head}: it misses most of them."));
    }
    let clause = format!("it finds {share} of the anomalous rows");
    let mut missed: Vec<_> = labels.iter().filter(|label| label.recall.high < GOOD_RECALL).collect();
    if missed.is_empty() || labels.len() < 2 {
        let open = labels.iter().filter(|label| label.recall.low < GOOD_RECALL).count();
        if recall.low >= GOOD_RECALL && open == 0 {
            return Finding::new(Grade::Yes, clause, format!("{head}."));
        }
        if labels.len() < 2 {
            return Finding::new(Grade::Partly, clause, format!("{head}."));
        }
        let good = percent(GOOD_RECALL);
        return Finding::new(
            Grade::Partly,
            format!("{clause}, though not surely {good} of each kind"),
            format!("{head}. Of {open} of {} kinds it is not sure that the model finds {good}.", labels.len()),
        );
    }
    // Of equal shares, that of more rows is worse.
    missed.sort_by(|a, b| a.recall.share.total_cmp(&b.recall.share).then(a.recall.high.total_cmp(&b.recall.high)));
    let more = match missed.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    missed.truncate(NAMED);
    let counts =
        missed.iter().map(|label| format!("{} (found {} of {})", label.label, label.recall.hits, label.recall.of));
    let counts = counts.collect::<Vec<_>>().join(", ");
    let names = missed.iter().map(|label| &*label.label).collect::<Vec<_>>().join(" and ");
    Finding::new(
        Grade::Partly,
        format!("{clause} but misses more than one in ten of {names}{more}"),
        format!("{head}. Kinds of which it surely misses more than one row in ten, the worst first: {counts}{more}."),
    )
}

fn drift(detection: &Detection) -> Finding {
    let drift = detection.drift;
    let Some(error) = drift.error else {
        return Finding::new(
            Grade::Partly,
            "there are too few rows to measure drift",
            "There are too few rows to measure drift.",
        );
    };
    let size = format!("{} ± {} nats per row", number(drift.estimate), number(error));
    if !drift.drifted {
        let sentence = format!(
            "The mean surprisal has not drifted since the calibration: {size} is within four standard errors, the rule of a board."
        );
        return Finding::new(Grade::Yes, "the mean surprisal has not drifted", sentence);
    }
    let direction = if drift.estimate > 0.0 { "more" } else { "less" };
    let sentence = format!(
        "The mean surprisal has drifted: rows are {direction} surprising than the calibration rows, by {size}."
    );
    // Calm rows are no fault of the machine, but rows of another kind than those of the fit.
    let grade = if drift.estimate > 0.0 { Grade::No } else { Grade::Partly };
    Finding::new(grade, format!("rows are {direction} surprising than at the calibration"), sentence)
}

fn saved(likelihood: Option<&Likelihood>) -> Finding {
    let Some((likelihood, saved)) = likelihood.and_then(|likelihood| Some((likelihood, likelihood.saved?))) else {
        let clause = "there are too few normal rows to measure what it knows of dependence";
        return Finding::new(
            Grade::Partly,
            clause,
            "There are too few normal rows to measure what the model knows of how columns depend on each other.",
        );
    };
    let size =
        format!("{} nats per row (90 % interval {} to {})", number(saved.value), number(saved.low), number(saved.high));
    if likelihood.saved_by.len() < 2 {
        let sentence =
            format!("The model has one scored column, so that there is no dependence to know: it saves {size}.");
        return Finding::new(Grade::Yes, "its one column depends on no other", sentence);
    }
    if saved.low > 0.0 {
        let factor = number(saved.value.exp());
        let sentence = format!(
            "It knows how the columns depend on each other: that saves {size}, so that a typical normal row is {factor} times as likely as \
             by the frequencies of the columns alone."
        );
        return Finding::new(Grade::Yes, "it knows how the columns depend on each other", sentence);
    }
    let than = "than the frequencies of their columns alone do";
    if saved.high < 0.0 {
        let sentence = format!("It predicts these rows worse {than}: it saves {size}.");
        return Finding::new(Grade::Partly, format!("it predicts the rows worse {than}"), sentence);
    }
    let sentence = format!("It predicts these rows no better {than}: it saves {size}.");
    Finding::new(Grade::Partly, format!("it predicts the rows no better {than}"), sentence)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Judges kinds of which so many of so many rows are found.
    fn judged(kinds: &[(&str, usize, usize)]) -> Finding {
        let label = |&(name, hits, of): &(&str, usize, usize)| OfLabel {
            label: name.into(),
            recall: Share::of(hits, of).unwrap(),
            episodes: of,
            found: hits,
            median_delay: None,
            longest_delay: None,
            median_length: 1,
        };
        let (hits, of) = kinds.iter().fold((0, 0), |sum, kind| (sum.0 + kind.1, sum.1 + kind.2));
        recall(Share::of(hits, of), &kinds.iter().map(label).collect::<Vec<_>>())
    }

    #[test]
    fn every_kind_must_surely_be_found() {
        // Of 25 rows, 90 % are surely found only if all are; of 24, never.
        assert_eq!(judged(&[("leak", 1000, 1000), ("jam", 25, 25)]).grade, Grade::Yes);
        let open = judged(&[("leak", 1000, 1000), ("jam", 24, 24)]);
        assert_eq!(open.grade, Grade::Partly);
        assert!(
            open.sentence.contains("Of 1 of 2 kinds it is not sure that the model finds 90 %"),
            "{}",
            open.sentence
        );
        assert_eq!(judged(&[("leak", 940, 1000)]).grade, Grade::Yes);
        assert_eq!(judged(&[("leak", 24, 24)]).grade, Grade::Partly);
        assert_eq!(judged(&[("leak", 100, 1000), ("jam", 25, 25)]).grade, Grade::No);
    }

    #[test]
    fn missed_kinds_are_named_worst_first() {
        let found = judged(&[
            ("a", 1000, 1000),
            ("b", 80, 100),
            ("c", 0, 3),
            ("d", 0, 9),
            ("e", 9, 30),
            ("f", 2, 9),
            ("g", 6, 10),
        ]);
        assert_eq!(found.grade, Grade::Partly);
        let worst = "the worst first: d (found 0 of 9), c (found 0 of 3), f (found 2 of 9), e (found 9 of 30), g (found 6 of 10) and 1 more.";
        assert!(found.sentence.ends_with(worst), "{}", found.sentence);
        assert!(found.clause.ends_with("d and c and f and e and g and 1 more"), "{}", found.clause);
    }
}
