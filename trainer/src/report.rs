//! A report on a model and the rows of a file: one page of HTML with all figures, which needs neither scripts nor a network.
//!
//! [`page`] is the door. It measures with the same functions as the command `surprisal eval`, so that the numbers of both
//! agree.

use serde_json::Value;

use crate::applied::Applied;
use crate::error::{Error, Result};

mod chart;
mod columns;
mod content;
mod detection;
mod figures;
pub(crate) mod html;
mod interval;
mod likelihood;
mod provenance;
mod sampled;
mod sections;
mod summary;
mod tables;
mod timeline;
mod walk;
pub(crate) mod words;

pub use content::PageSettings;
use content::{Content, Measured};
pub use summary::Grade;

/// A report.
#[derive(Clone, Debug)]
pub struct Page {
    /// The page.
    pub html: String,
    /// The numbers of the page.
    pub numbers: Value,
    /// The answer of the first screen, in one sentence.
    pub verdict: String,
    /// How good the model is.
    pub grade: Grade,
    /// Nats per row that the model saves against columns that do not depend on each other; `None` for too few normal rows.
    pub saved: Option<f64>,
    /// Share of the rows with an anomalous label that the threshold calls anomalous, in 0..=1; `None` without such rows.
    pub recall: Option<f64>,
}

/// Returns the report on a model and rows of a file. `other` is another model, applied to the same rows, for comparison.
///
/// ```
/// use std::fs::write;
/// use surprisal_trainer::applied::{Applied, Selection};
/// use surprisal_trainer::data::Header;
/// use surprisal_trainer::pipeline::{Job, run};
/// use surprisal_trainer::report::{PageSettings, page};
/// let file = tempfile::Builder::new().suffix(".csv").tempfile()?;
/// let rows: String = (0..400).map(|i| format!("{},{}\n", i / 10 % 2, (i / 10 + usize::from(i % 10 == 0)) % 2)).collect();
/// write(file.path(), format!("pump,flow\n{rows}"))?;
/// let (artefact, _) = run(&Job::new(file.path()))?;
/// let frame = artefact.frame(file.path(), Header::Auto)?;
/// let selection = Selection { rows: (0..frame.rows()).collect(), ..Selection::default() };
/// let applied = Applied::new(artefact, frame, selection, &())?;
/// let page = page(&applied, None, &PageSettings::default())?;
/// assert!(page.html.starts_with("<!DOCTYPE html>"));
/// assert_eq!(page.numbers["detection"]["rows"], 400);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`Error::Input`] if there is no row; [`Error::Encode`] if a reading does not fit its column.
pub fn page(applied: &Applied, other: Option<&Applied>, settings: &PageSettings) -> Result<Page> {
    if applied.rows.is_empty() {
        let message = "no row to report on; leave --held-out out, or pass other rows";
        return Err(Error::input(&applied.frame.path, message));
    }
    let content = Content::of(applied, other, settings)?;
    let Measured { detection, likelihood, summary, .. } = &content.own;
    Ok(Page {
        html: sections::page(&content),
        numbers: content.numbers(),
        verdict: summary.verdict.clone(),
        grade: summary.grade,
        saved: likelihood.as_ref().and_then(|likelihood| likelihood.saved).map(|saved| saved.value),
        recall: detection.recall.map(|recall| recall.share),
    })
}
