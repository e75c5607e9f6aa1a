//! `surprisal fleet compare`: the models of each machine in two folders.

use std::path::PathBuf;

use anyhow::{Result, bail};
use serde_json::json;
use surprisal_trainer::applied::SelectionSettings;
use surprisal_trainer::counted::counted;
use surprisal_trainer::divergence::readings::Agreement;
use surprisal_trainer::divergence::{Estimate, SamplingSettings};
use surprisal_trainer::fleet::{self, FleetRows, Refit, RefitSettings, RefitState};

use crate::answer::Answer;
use crate::args::FleetCompareArgs;
use crate::compare::shown;
use crate::observer::Progress;
use crate::paths;
use crate::terminal::{Lines, line};

/// Compares the folders.
///
/// # Errors
/// The errors of the library. If some models cannot be compared, `print` prints the answer first, and then there is an error.
pub fn compare(args: FleetCompareArgs, progress: &Progress, print: impl FnOnce(Answer) -> Result<()>) -> Result<()> {
    let FleetCompareArgs { a, b, data, rows, seed, reading, time, label, normal, out } = args;
    let settings = RefitSettings {
        reading: reading.options(),
        selection: SelectionSettings { held_out: false, label, normal, time },
        sampling: SamplingSettings { rows: rows as usize, seed, ..SamplingSettings::default() },
    };
    let fresh = (!data.is_empty()).then(|| FleetRows::Files(data.clone()));
    let mut counts = (0, 0);
    let inputs = [data.clone(), fleet::files(&a)?, fleet::files(&b)?].concat();
    let answer = out.deliver(&paths(&inputs), || {
        let refits = fleet::compare_refits([&a, &b], fresh, &settings, progress)?;
        progress.clear();
        counts = (refits.iter().filter(|refit| refit.state == RefitState::Failed).count(), refits.len());
        let value = json!({ "a": a, "b": b, "seed": seed, "sampled_rows": rows, "machines": refits });
        Ok(Answer { text: table(&refits, [&a, &b], !data.is_empty()), value })
    })?;
    print(answer)?;
    if let (failed @ 1.., all) = counts {
        bail!("{failed} of {} cannot be compared; the list says why", counted(all, "machine"));
    }
    Ok(())
}

fn table(refits: &[Refit], [a, b]: [&PathBuf; 2], has_data: bool) -> String {
    let mut text = Lines::default();
    line!(text, "A = {}, B = {}, in nats per row", a.display(), b.display());
    let has_anomalies = refits.iter().any(|refit| refit.on_anomalous_data.is_some());
    let on_rows =
        |name: &str| format!("  {:>7} {:>9} {:>9} {:>9} {:>9}", name, "nats A", "nats B", "alarms A", "alarms B");
    let mut head = format!("{:<8} {:>19} {:>19}", "state", "KL(A || B)", "KL(B || A)");
    head += &if has_data { on_rows("rows") } else { String::new() };
    head += &if has_anomalies { on_rows("faults") } else { String::new() };
    line!(text, "{head}  machine");
    for Refit { machine, state, kl_a_b, kl_b_a, on_normal_data, on_anomalous_data, error } in refits {
        let state = match state {
            RefitState::Failed => "failed",
            RefitState::Compared => "compared",
            RefitState::OnlyA => "only A",
            RefitState::OnlyB => "only B",
            RefitState::NoModel => "no model",
        };
        let [there, back] = [kl_a_b, kl_b_a].map(|kl| kl.map_or(String::new(), short));
        let mut own = format!("{state:<8} {there:>19} {back:>19}");
        for (agreement, is_shown) in [(on_normal_data, has_data), (on_anomalous_data, has_anomalies)] {
            own += &if is_shown { numbers(agreement.as_ref()) } else { String::new() };
        }
        let why = error.as_ref().map_or(String::new(), |error| format!(": {error}"));
        line!(text, "{own}  {machine}{why}");
    }
    text.into_text()
}

/// Returns an estimate without the spaces with which [`shown`] aligns it.
fn short(estimate: Estimate) -> String {
    shown(estimate).trim_start().to_owned()
}

fn numbers(agreement: Option<&Agreement>) -> String {
    let Some(Agreement { rows, nats: [nats_a, nats_b], alarms, .. }) = agreement else { return " ".repeat(49) };
    let [a, b] = alarms.map(|count| format!("{:.2} %", 100.0 * count as f64 / *rows as f64));
    format!("  {rows:>7} {nats_a:>9.3} {nats_b:>9.3} {a:>9} {b:>9}")
}
