//! `surprisal fit`: fits a model on a file and writes it.

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use serde_json::json;
use surprisal::Fingerprint;
use surprisal_trainer::alarms::{no_alarm, of_threshold};
use surprisal_trainer::artefact::Artefact;
use surprisal_trainer::counted::counted;
use surprisal_trainer::fit::Family;
use surprisal_trainer::golden::fingerprint;
use surprisal_trainer::journal::Journal;
use surprisal_trainer::like::Like;
use surprisal_trainer::output;
use surprisal_trainer::pipeline::{BitsGain, Excluded, FitReport, Gain, Sampling, run_observed};

use crate::answer::Answer;
use crate::args::FitArgs;
use crate::observer::Progress;
use crate::terminal::{Lines, line, note};

pub fn fit(args: FitArgs, json: bool) -> Result<Answer> {
    let (inputs, target) = (args.inputs(), args.target());
    output::check(target, &inputs)?;
    let job = args.job()?;
    job.check()?;
    let progress = if args.family() == Family::Auto {
        let journal = Journal::beside(target);
        output::check(&journal, &inputs)?;
        Progress::resumable(&journal, json)?
    } else {
        Arc::new(Progress::new(json))
    };
    let written = run_observed(&job, &*progress).and_then(|(artefact, report)| {
        output::write_whole(target, &artefact.file_bytes(), &inputs)?;
        Ok((artefact, report))
    });
    progress.finish(written.is_ok());
    let (artefact, report) = written?;
    if report.threshold.is_none() {
        let shown = target.display();
        note(format_args!("warning: {shown} never alarms, because its calibration rows are too few for the rate"));
    }
    let mut value = serde_json::to_value(&report)?;
    value["output"] = json!(target);
    let fingerprint = fingerprint(&artefact.schema);
    value["fingerprint"] = json!(format!("{:08x}", fingerprint.get()));
    let mut text = summary(target, &artefact, &report);
    if let Some(like) = &job.like {
        let changes = like.changes(&artefact.schema);
        value["like"] = json!({ "fingerprint": format!("{:08x}", like.fingerprint().get()), "changes": changes });
        text += &compared(like, fingerprint, &changes);
    }
    Ok(Answer { text, value })
}

/// Returns whether firmware for the earlier model can read the new table. `changes` are what differs.
fn compared(like: &Like, fingerprint: Fingerprint, changes: &[String]) -> String {
    let mut text = Lines::default();
    let (old, expected) = (like.model(), like.fingerprint());
    if fingerprint == expected {
        line!(text, "  fingerprint {:08x}, as {old}: its firmware can read this table", fingerprint.get());
    } else {
        let because = if changes.is_empty() { "columns differ".to_owned() } else { changes.join(", and ") };
        line!(
            text,
            "  fingerprint {:08x} differs from {old}, because {because}: firmware that expects {:08x} refuses this table; \
             compile the exported rows again",
            fingerprint.get(),
            expected.get()
        );
    }
    text.into_text()
}

fn summary(output: &Path, artefact: &Artefact, report: &FitReport) -> String {
    let mut text = Lines::default();
    let (file, table) = (report.file_bytes, report.table_bytes);
    line!(text, "{}: {file} bytes, {table} of them for the board", output.display());
    let bits = if artefact.shape.views > 0 { String::new() } else { format!(", {}", counted(report.bits, "bit")) };
    line!(text, "  {}{bits}; {}", counted(report.columns, "column"), artefact.notes.fit.summary());
    line!(text, "  log-likelihood in nats per row  float    integer");
    let mut row = |name: &str, rows: usize, float: f64, integer: f64| {
        line!(text, "    {name:<11} {rows:>8} rows {float:>12.4} {integer:>10.4}");
    };
    row("validation", report.valid_rows, report.float_valid_ll, report.valid_ll);
    if let (Some(rows), Some(float), Some(integer)) = (report.test_rows, report.float_test_ll, report.test_ll) {
        row("test", rows, float, integer);
    }
    let gained = report.float_valid_ll - report.marginal_valid_ll;
    if gained > 0.0 {
        line!(text, "  {gained:.4} nats per validation row better than every column on its own");
    } else if report.family != Family::Marginal {
        line!(
            text,
            "  no better than every column on its own ({:.4}): the columns are independent, or the rows are too few; --family \
             marginal is smaller",
            report.marginal_valid_ll
        );
    }
    if report.stretch > 1 {
        line!(
            text,
            "  rows resemble their neighbours: stretches of {} rows got into the same share; rows of other days may alarm more often \
             than promised, unless such rows calibrate",
            report.stretch
        );
    }
    if let Some(Sampling { rows, of, gain, .. }) = report.sampling {
        line!(text, "  fitted to a random sample of {rows} of {of} training rows; --max-rows all fits them");
        if let Some(Gain { over_quarter, chance, least, most }) = gain {
            line!(
                text,
                "    a quarter of the sample loses {over_quarter:.4} nats per validation row, where fits differ by {chance:.4} by \
                 chance: all rows would gain {least:.4} to {most:.4}"
            );
        }
    }
    if let Some(BitsGain { nats, rows }) = report.bits_gain {
        let (how, apart) = (if nats > 0.0 { "better" } else { "worse" }, nats.abs());
        line!(
            text,
            "  --family linear-trees predicts a validation row {how} by {apart:.4} nats, by a quick fit to {rows} rows"
        );
    }
    if let Some(Excluded { nats, file_bytes, operations }) = report.excluded {
        line!(
            text,
            "  without limits: {nats:.4} nats per validation row better, in {file_bytes} bytes and {operations} operations per \
             row in place of {} and {}",
            report.file_bytes,
            report.operations
        );
    }
    if let Some(natural) = report.orders.iter().find(|tried| tried.order == "natural")
        && report.order != "natural"
    {
        let taken = report.orders.iter().find(|tried| tried.order == report.order).unwrap_or(natural);
        let gained = taken.valid_ll - natural.valid_ll;
        line!(
            text,
            "  order {}: {gained:+.4} nats per validation row over the natural one, by a quick fit",
            report.order
        );
    }
    line!(text, "  KL(float || integer) {:.5} nats per row", report.kl_quantisation);
    let detector = artefact.detector();
    let threshold = if report.threshold.is_some() { of_threshold(&detector) } else { no_alarm(&detector) };
    line!(text, "  {threshold}");
    let (entropy, deviation) = (report.entropy, report.deviation);
    line!(text, "  normal rows: mean surprisal {entropy:.3} nats, standard deviation {deviation:.3}");
    if let (Some(reference), Some(interval)) = (report.reference, report.decision_interval) {
        let how = match report.block {
            1 => "independent of each other".to_owned(),
            block => format!("as they come, by blocks of {block}"),
        };
        line!(
            text,
            "  cumulative sum above {reference:.3} nats per row: alarm above {interval:.3}, average run length {} rows, {how}",
            report.average_run_length
        );
    }
    text.into_text()
}
