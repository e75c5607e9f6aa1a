//! `surprisal eval`: reports how well a model predicts the rows of a file and detects anomalies.

use anyhow::Result;
use serde_json::{Value, json};
use surprisal::{Detector, Drift, Nats};
use surprisal_trainer::evaluate::{Alarms, auc_pr, auc_roc, mean};
use surprisal_trainer::pipeline::finite;

use crate::answer::Answer;
use crate::args::RowArgs;
use crate::inspect::no_alarm;
use crate::observer::Progress;
use crate::rows::Applied;
use crate::terminal::{Lines, line};

pub fn eval(args: &RowArgs, progress: &Progress) -> Result<Answer> {
    let applied = args.apply(progress)?;
    let mean_nats = mean(&applied.surprisals);
    let count = applied.rows.len();
    let detector = applied.artefact.detector();
    let alarms: Vec<bool> = applied.scores.iter().map(|score| detector.judge(score.anomaly).is_anomalous()).collect();
    let raised = alarms.iter().filter(|&&alarm| alarm).count();
    let mut text = Lines::default();
    let mut value = json!({
        "rows": count, "mean_nats": mean_nats, "log_likelihood": -mean_nats, "alarms": raised
    });
    value["warnings"] = applied.warnings();
    line!(text, "{count} rows, {mean_nats:.4} nats per row, {raised} alarms");
    let ends = [applied.rows.first(), applied.rows.last()].map(|row| row.and_then(|&row| applied.time_of(row)));
    if let [Some(first), Some(last)] = ends {
        line!(text, "  time stamps from {first} to {last}");
        value["time"] = json!({ "first": first, "last": last });
    }
    if detector.threshold == Nats::IMPOSSIBLE {
        line!(text, "  {}", no_alarm(&detector));
    }
    match &applied.anomalous {
        Some(anomalous) => {
            labelled(&applied, anomalous, &alarms, &mut text, &mut value);
            // Without anomalies there is nothing to separate, and the rows are those of a machine in use.
            if !anomalous.contains(&true) {
                unlabelled(&applied, &detector, &alarms, &mut text, &mut value);
            }
        }
        None => unlabelled(&applied, &detector, &alarms, &mut text, &mut value),
    }
    Ok(Answer { text: text.into_text(), value })
}

/// Reports the scores of normal and of anomalous rows, AUC, and alarm rates.
fn labelled(applied: &Applied, anomalous: &[bool], alarms: &[bool], text: &mut Lines, value: &mut Value) {
    let anomaly: Vec<Nats> = applied.scores.iter().map(|score| score.anomaly).collect();
    let largest: Vec<Nats> = applied.scores.iter().map(|score| score.largest).collect();
    let (roc, pr) = (auc_roc(&anomaly, anomalous), auc_pr(&anomaly, anomalous));
    let (roc_sum, roc_largest) = (auc_roc(&applied.surprisals, anomalous), auc_roc(&largest, anomalous));
    for (kind, name) in [(false, "normal"), (true, "anomalous")] {
        let of_kind: Vec<usize> = (0..anomalous.len()).filter(|&i| anomalous[i] == kind).collect();
        let alarms = of_kind.iter().filter(|&&i| alarms[i]).count();
        let scores: Vec<Nats> = of_kind.iter().map(|&i| applied.surprisals[i]).collect();
        let (count, mean_nats) = (scores.len(), mean(&scores));
        line!(text, "  {name:<9} {count:>8} rows, {mean_nats:>9.4} nats per row, {alarms} alarms");
        value[name] = json!({ "rows": count, "mean_nats": mean_nats, "alarms": alarms });
    }
    for (name, auc) in [("auc_roc", roc), ("auc_pr", pr), ("auc_roc_sum", roc_sum), ("auc_roc_largest", roc_largest)] {
        value[name] = json!(auc);
    }
    match (roc, pr, roc_sum, roc_largest) {
        (Some(roc), Some(pr), Some(sum), Some(largest)) => line!(
            text,
            "  anomaly score: AUC-ROC {roc:.4}, AUC-PR {pr:.4}; AUC-ROC of the sum {sum:.4}, of the largest column {largest:.4}"
        ),
        _ => line!(text, "  no AUC, which needs both normal and anomalous rows"),
    }
    let found = Alarms::of(alarms, anomalous);
    let measures = [
        ("precision", found.precision),
        ("recall", found.recall),
        ("f1", found.f1),
        ("false_alarm_rate", found.false_alarm_rate),
    ];
    let mut shown = Vec::new();
    for (name, measure) in measures {
        value[name] = json!(measure);
        shown.extend(measure.map(|measure| format!("{} {measure:.4}", name.replace('_', " "))));
    }
    line!(text, "  alarms: {}", shown.join(", "));
}

/// Reports the share of alarms and the drift of the mean surprisal since the calibration.
fn unlabelled(applied: &Applied, detector: &Detector, alarms: &[bool], text: &mut Lines, value: &mut Value) {
    let mut drift = Drift::new();
    applied.surprisals.iter().for_each(|&nats| drift.push(detector, nats));
    let estimate = drift.estimate(detector);
    let raised = alarms.iter().filter(|&&alarm| alarm).count();
    let share = (!alarms.is_empty()).then(|| raised as f64 / alarms.len() as f64);
    value["alarm_rate"] = json!(share);
    value["drift"] = json!({
        "estimate": f64::from(estimate.raw) / 65536.0, "error": finite(estimate.error), "drifted": estimate.is_drifted()
    });
    line!(text, "  alarms on {:.3} % of rows", 100.0 * share.unwrap_or(0.0));
    if estimate.error < Nats::IMPOSSIBLE {
        let drifted = if estimate.is_drifted() { "drifted" } else { "no drift" };
        line!(text, "  {drifted}: {estimate} per row more than the calibration rows of the fit");
    }
}
