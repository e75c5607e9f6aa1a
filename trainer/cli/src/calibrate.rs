//! `surprisal calibrate`: computes the calibration of a model anew for another machine or season.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use serde_json::json;
use surprisal::Nats;
use surprisal_trainer::alarms::{no_alarm_but, of_threshold};
use surprisal_trainer::calibrate::Rates;
use surprisal_trainer::counted::counted;
use surprisal_trainer::output;
use surprisal_trainer::pipeline::finite;
use surprisal_trainer::recalibrate::{recalibrate, strange_columns};

use crate::answer::Answer;
use crate::args::{RateArgs, RowArgs};
use crate::observer::Progress;
use crate::terminal::{Lines, line, remarks};

pub fn calibrate(args: &RowArgs, rates: &RateArgs, offsets: bool, path: &Path, progress: &Progress) -> Result<Answer> {
    let inputs = args.inputs();
    output::check(path, &inputs)?;
    let read = args.read(progress)?;
    let old = read.artefact.detector();
    let defaults = match old.rows {
        0 => Rates::default(),
        _ => Rates {
            false_alarm: f64::from(old.false_alarm_ppm) / 1e6,
            average_run_length: old.average_run_length.max(2),
        },
    };
    let rates = rates.rates(defaults)?;
    let normal = read.normal_rows()?;
    read.warn_of_unknown(&normal)?;
    remarks(read.artefact.warning_of_fit(&read.frame, read.selection.rows.len()).as_slice());
    let (artefact, calibration) = recalibrate(&read.artefact, &read.frame, &normal, rates, offsets)?;
    remarks(&strange_columns(&read.artefact, &artefact, &read.frame, offsets));
    output::write_whole(path, &artefact.file_bytes(), &inputs)?;

    let (new, mut text) = (artefact.detector(), Lines::default());
    let others = counted(normal.len() - new.rows as usize, "other");
    let others = if offsets { format!("; {others} set aside for offsets") } else { String::new() };
    let (bytes, rows) = (artefact.file_bytes().len(), counted(new.rows as usize, "normal row"));
    line!(text, "{}: {bytes} bytes, calibrated on {rows}{others}", path.display());
    let moved = artefact.notes.fit.recalibrated.as_ref().map_or(&[][..], |done| &done.offsets);
    for (name, offset) in moved {
        line!(text, "  {name}: {} compared with the machine of the fit", shown(*offset));
    }
    if offsets && moved.is_empty() {
        line!(text, "  no column has an offset that gains more than noise");
    }
    let [nats, nats_before] = [new, old].map(|detector| (detector.rows > 0).then(|| f64::from(detector.entropy)));
    if let (Some(nats), Some(before)) = (nats, nats_before) {
        line!(text, "  mean surprisal {nats:.3} nats per row; before: {before:.3}");
    }
    let more = if offsets { "rows for the threshold, which are two in three with --offsets" } else { "normal rows" };
    if new.threshold == Nats::IMPOSSIBLE {
        line!(text, "  {}", no_alarm_but(&new, "calibrate with --false-alarm", more));
    } else {
        let before = finite(old.threshold).map_or("no alarm ever".into(), |threshold| format!("{threshold:.3}"));
        line!(text, "  {}; before: {before}", of_threshold(&new));
    }
    if let Some(interval) = finite(new.decision_interval) {
        let (rows, block) = (new.average_run_length, calibration.block());
        let how =
            if block > 1 { format!("blocks of {block} rows as they came") } else { "independent rows".to_owned() };
        line!(text, "  trend alarm above {interval:.3} nats, once in {rows} normal rows, by {how}");
    }
    let value = json!({
        "output": path, "rows": new.rows, "offsets": moved.iter().cloned().collect::<BTreeMap<_, _>>(),
        "nats": nats, "nats_before": nats_before, "threshold": finite(new.threshold), "threshold_before": finite(old.threshold),
        "false_alarm_ppm": new.false_alarm_ppm, "average_run_length": new.average_run_length, "block": calibration.block(),
    });
    Ok(Answer { text: text.into_text(), value })
}

/// Returns an offset with its sign and four digits, or more where there are more before the point.
fn shown(offset: f64) -> String {
    if offset.abs() < 1e-5 {
        return format!("{offset:+.3e}");
    }
    let decimals = (3.0 - offset.abs().log10().floor()).max(1.0) as usize;
    let shown = format!("{offset:+.decimals$}");
    shown.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    #[test]
    fn offsets_are_shown_with_four_digits() {
        let offsets = [0.3_f32.into(), -0.08789062, 12.0, 1200.0, 1234.5, -101_325.26, 0.000012344, -1.2344e-8];
        let shown = ["+0.3", "-0.08789", "+12", "+1200", "+1234.5", "-101325.3", "+0.00001234", "-1.234e-8"];
        assert_eq!(offsets.map(super::shown), shown);
    }
}
