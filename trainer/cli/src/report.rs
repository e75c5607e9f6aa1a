//! `surprisal report`: writes one page of HTML that shows whether a model is good enough.

use std::collections::HashSet;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::json;
use surprisal_trainer::applied::{Applied, Selection};
use surprisal_trainer::output;
use surprisal_trainer::recalibrate;
use surprisal_trainer::report::{PageSettings, page};
use surprisal_trainer::split::labels_of;

use crate::answer::Answer;
use crate::args::{AlarmArgs, RowArgs};
use crate::observer::Progress;
use crate::terminal::{Lines, line};

pub fn report(
    args: &RowArgs,
    alarms: &AlarmArgs,
    against: Option<&Path>,
    path: &Path,
    progress: &Progress,
) -> Result<Answer> {
    let inputs: Vec<&Path> = args.inputs().into_iter().chain(against).collect();
    output::check(path, &inputs)?;
    let is_input = |path: &Path| path.as_os_str() == "-";
    ensure!(
        against.is_none() || !args.data.iter().any(|path| is_input(path)),
        "--against: standard input cannot be read for two models; write the rows to a file first"
    );
    let applied = args.apply_to_measure(progress)?;
    let other = against.map(|model| of_other(args, model, &applied, progress)).transpose()?;
    let name = |path: &Path| path.file_name().unwrap_or(path.as_os_str()).display().to_string();
    let settings = PageSettings {
        alarms: alarms.settings(),
        model: name(&args.model),
        other: against.map_or(String::new(), name),
        seed: 0,
    };
    let page = page(&applied, other.as_ref(), &settings)?;
    progress.clear();
    output::write_whole(path, page.html.as_bytes(), &inputs)?;
    let mut text = Lines::default();
    line!(text, "{}", page.verdict);
    applied.left_out().iter().for_each(|sentence| line!(text, "{sentence}"));
    line!(text, "wrote {}, {} bytes; open it in a browser", path.display(), page.html.len());
    let mut value = page.numbers;
    value["output"] = json!(path);
    value["bytes"] = json!(page.html.len());
    Ok(Answer { text: text.into_text(), value })
}

/// Applies another model to the rows to which the first was applied, which it may read differently.
fn of_other(args: &RowArgs, model: &Path, applied: &Applied, progress: &Progress) -> Result<Applied> {
    let shown = model.display();
    let artefact = recalibrate::read(model)?;
    let options = args.options();
    let frame = artefact
        .frame_observed(&args.data, &options, progress)
        .with_context(|| format!("--against: {shown} cannot read the rows"))?;
    let wanted: HashSet<_> = applied.rows.iter().map(|&row| applied.frame.origin(row)).collect();
    let rows: Vec<usize> = (0..frame.rows()).filter(|&row| wanted.contains(&frame.origin(row))).collect();
    ensure!(
        rows.len() == applied.rows.len(),
        "--against: {shown} reads {} of the {} rows, because it leaves out others or has other windows; compare models of the same \
         kind of data",
        rows.len(),
        applied.rows.len()
    );
    let label = applied.label.clone();
    let anomalous = labels_of(&frame, &rows, label.as_ref())?;
    let selection = Selection { rows, label, anomalous, time: args.selection.time.clone() };
    Applied::new(artefact, frame, selection, progress)
        .with_context(|| format!("--against: {shown} cannot score the rows"))
}
