//! `surprisal eval`: reports how well a model predicts the rows of a file and detects anomalies.

use anyhow::Result;
use serde_json::{Value, json};
use surprisal::{Detector, Nats};
use surprisal_trainer::alarms::{AlarmSettings, Raised, Threshold, no_alarm, sweep};
use surprisal_trainer::applied::Applied;
use surprisal_trainer::counted::counted;
use surprisal_trainer::evaluate::{auc_pr, auc_roc};
use surprisal_trainer::pipeline::finite;

use crate::answer::Answer;
use crate::args::{AlarmArgs, RowArgs};
use crate::observer::Progress;
use crate::terminal::{Lines, line};

pub fn eval(args: &RowArgs, rule: &AlarmArgs, with_sweep: bool, progress: &Progress) -> Result<Answer> {
    let (applied, rule) = (args.apply_to_measure(progress)?, rule.settings());
    let [blank, unlabelled] = applied.unknown_rows();
    let mean_nats = applied.mean_nats(&applied.with_reading());
    let count = applied.rows.len();
    let detector = applied.artefact.detector();
    let alarms = applied.verdicts(&detector);
    let raised = alarms.iter().filter(|&&alarm| alarm).count();
    let mut text = Lines::default();
    let mut value = json!({
        "rows": count, "rows_without_reading": blank, "mean_nats": mean_nats,
        "log_likelihood": mean_nats.map(|nats| -nats), "alarms": raised
    });
    value["warnings"] = json!(applied.warnings());
    line!(text, "{}{}, {}", counted(count, "row"), nats_per_row(mean_nats, 0), counted(raised, "alarm"));
    applied.left_out().iter().for_each(|sentence| line!(text, "  {sentence}"));
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
            value["rows_without_label"] = json!(unlabelled);
            by_label(&applied, &alarms, &mut text, &mut value);
            // Without anomalies there is nothing to separate, and the rows are those of a machine in use.
            if !anomalous.contains(&Some(true)) {
                as_one_kind(&applied, &alarms, &mut text, &mut value);
            }
        }
        None => as_one_kind(&applied, &alarms, &mut text, &mut value),
    }
    raised_alarms(&applied, &detector, &rule, &mut text, &mut value);
    if with_sweep {
        swept(&applied, &rule, &mut text, &mut value);
    }
    Ok(Answer { text: text.into_text(), value })
}

/// Reports the scores of normal and of anomalous rows, AUC, and alarm rates.
fn by_label(applied: &Applied, alarms: &[bool], text: &mut Lines, value: &mut Value) {
    let known = applied.positions(|at| applied.kind(at).is_some());
    let anomalous: Vec<bool> = known.iter().map(|&at| applied.is_anomalous(at)).collect();
    let of_known = |score: &dyn Fn(usize) -> Nats| -> Vec<Nats> { known.iter().map(|&at| score(at)).collect() };
    let anomaly = of_known(&|at| applied.scores[at].anomaly);
    let (roc, pr) = (auc_roc(&anomaly, &anomalous), auc_pr(&anomaly, &anomalous));
    let roc_sum = auc_roc(&of_known(&|at| applied.surprisals[at]), &anomalous);
    let roc_largest = auc_roc(&of_known(&|at| applied.scores[at].largest), &anomalous);
    for (kind, name) in [(false, "normal"), (true, "anomalous")] {
        let of_kind = applied.of_kind(kind);
        let alarms = of_kind.iter().filter(|&&i| alarms[i]).count();
        let (count, mean_nats) = (of_kind.len(), applied.mean_nats(&of_kind));
        line!(text, "  {name:<9} {count:>8} rows{}, {alarms} alarms", nats_per_row(mean_nats, 9));
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
    let found = applied.alarms(alarms);
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
    if !shown.is_empty() {
        line!(text, "  alarms: {}", shown.join(", "));
    }
}

/// Reports the share of alarms among normal rows, and the drift of their mean surprisal since the calibration.
fn as_one_kind(applied: &Applied, alarms: &[bool], text: &mut Lines, value: &mut Value) {
    let rows = applied.of_kind(false);
    let estimate = applied.drift(&rows);
    let raised = rows.iter().filter(|&&at| alarms[at]).count();
    let share = (!rows.is_empty()).then(|| raised as f64 / rows.len() as f64);
    value["alarm_rate"] = json!(share);
    value["drift"] = json!({
        "estimate": f64::from(estimate.raw) / 65536.0, "error": finite(estimate.error), "drifted": estimate.is_drifted()
    });
    let kind = if applied.anomalous.is_some() { "normal rows" } else { "rows" };
    let detector = applied.artefact.detector();
    let promised = match finite(detector.threshold) {
        Some(_) => format!(", for at most {} % promised", f64::from(detector.false_alarm_ppm) / 1e4),
        None => String::new(),
    };
    share.iter().for_each(|share| line!(text, "  alarms on {:.3} % of {kind}{promised}", 100.0 * share));
    if estimate.error < Nats::IMPOSSIBLE {
        let drifted = if estimate.is_drifted() { "drifted" } else { "no drift" };
        line!(text, "  {drifted}: {estimate} per row more than the calibration rows of the fit");
    }
}

/// Returns a mean for the end of a clause, or nothing if there are no rows.
fn nats_per_row(mean: Option<f64>, width: usize) -> String {
    mean.map_or(String::new(), |mean| format!(", {mean:>width$.4} nats per row"))
}

/// Reports the alarms that a board would raise by the rule, trends included.
fn raised_alarms(applied: &Applied, detector: &Detector, rule: &AlarmSettings, text: &mut Lines, value: &mut Value) {
    let raised = Raised::of(applied, &applied.monitored(detector, rule.rule), rule);
    let Raised { alarms, trends, on_normal_rows, false_alarms_per_day: per_day, .. } = raised;
    let of_normal = on_normal_rows.map_or(String::new(), |alarms| format!(", {alarms} of them on normal rows"));
    let kind = if applied.anomalous.is_some() { "false alarms" } else { "alarms" };
    let often = per_day.map_or(String::new(), |per_day| format!("; {per_day:.1} {kind} per day"));
    let (raised, trending) = (counted(alarms, "alarm"), counted(trends, "trend"));
    line!(text, "  a board raises {raised}{of_normal} ({}; {trending}){often}", rule.words());
    value["raised"] = json!({
        "alarms": alarms, "trends": trends, "on_normal_rows": on_normal_rows, "false_alarms_per_day": per_day,
        "votes": rule.rule.votes, "of": rule.rule.of, "hold_off": rule.rule.hold_off,
    });
}

/// Reports thresholds and alarms at other rates of false alarms.
fn swept(applied: &Applied, rule: &AlarmSettings, text: &mut Lines, value: &mut Value) {
    line!(text, "  at other rates of false alarms, by the same calibration rows:");
    let labelled = if applied.anomalous.is_some() { " row recall  precision" } else { "" };
    let (share, daily) = ("rows that alarm", if rule.rate.is_some() { "  raised per day" } else { "" });
    line!(text, "    {:>8} {:>11} {share:>17}{labelled}{daily}", "rate", "threshold");
    let shown = |share: Option<f64>| share.map_or("-".to_owned(), |share| format!("{share:.4}"));
    let thresholds = sweep(applied, rule);
    for Threshold { rate, threshold, found, false_alarms_per_day } in &thresholds {
        let (Some(threshold), Some(found)) = (threshold, found) else {
            line!(text, "    {rate:>8} {:>11}", "too few rows");
            continue;
        };
        let mut shares = format!("{:>17}", shown(found.false_alarm_rate));
        if applied.anomalous.is_some() {
            shares += &format!("{:>11}{:>11}", shown(found.recall), shown(found.precision));
        }
        shares += &false_alarms_per_day.map_or(String::new(), |per_day| format!("{per_day:>16.1}"));
        line!(text, "    {rate:>8} {threshold:>11.3} {shares}");
    }
    value["sweep"] = json!(thresholds);
}
