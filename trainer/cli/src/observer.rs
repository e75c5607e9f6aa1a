//! Shows the progress bar of a fit and handles Ctrl-C.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressStyle};
use surprisal_trainer::escape::escaped;
use surprisal_trainer::journal::Journal;
use surprisal_trainer::observer::{Event, Observer};

use crate::terminal::{is_quiet, note};

/// Observer that shows the progress of a fit on standard error.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    interrupted: AtomicBool,
    journal: Option<Journal>,
}

impl Progress {
    /// Returns an observer without a journal. Ctrl-C ends the command at once.
    ///
    /// The bar is drawn on a terminal only, and not if `hidden`, as for programs that read JSON, or with `--quiet`.
    pub fn new(hidden: bool) -> Self {
        let template = "{bar:30} {pos}/{len}  {eta} left  {msg}";
        let style = ProgressStyle::with_template(template).expect("the template is well formed");
        let bar = if hidden || is_quiet() { ProgressBar::hidden() } else { ProgressBar::no_length() };
        Self { bar: bar.with_style(style), interrupted: AtomicBool::new(false), journal: None }
    }

    /// Returns an observer with a journal, from which a search resumes and in which it stores fitted layers.
    ///
    /// The first Ctrl-C ends the search, and the best model so far is written; the second Ctrl-C ends the command.
    pub fn resumable(journal: &Path, hidden: bool) -> Result<Arc<Self>> {
        let kept = Journal::open(journal)?;
        if !kept.is_empty() {
            note(format_args!("{}: resuming with {} layers that were fitted before", journal.display(), kept.len()));
        }
        let progress = Arc::new(Self { journal: Some(kept), ..Self::new(hidden) });
        let seen = Arc::clone(&progress);
        ctrlc::set_handler(move || {
            if seen.interrupted.swap(true, Ordering::Relaxed) {
                std::process::exit(crate::INTERRUPTED.into());
            }
            seen.bar.suspend(|| {
                note(format_args!(
                    "stopping: the best model so far, if there is one, will be written; press Ctrl-C again to quit without it"
                ));
            });
        })
        .context("the handler of Ctrl-C cannot be installed; run the command in another terminal")?;
        Ok(progress)
    }

    /// Clears the progress bar until the next stage.
    pub fn clear(&self) {
        self.bar.finish_and_clear();
    }

    /// Clears the progress bar. Removes the journal if the search is complete or the journal is empty.
    pub fn finish(&self, complete: bool) {
        self.bar.finish_and_clear();
        let Some(journal) = &self.journal else { return };
        if complete && !self.is_cancelled() {
            journal.remove();
        } else {
            journal.remove_if_empty();
        }
    }
}

impl Observer for Progress {
    fn event(&self, event: Event<'_>) {
        match event {
            Event::Stage { name, steps } => {
                self.bar.reset();
                self.bar.set_length(steps as u64);
                self.bar.set_message(escaped(name).into_owned());
            }
            Event::Step => self.bar.inc(1),
            Event::Found { name, bytes, valid_ll } => {
                self.bar.suspend(|| note(format_args!("{bytes:>9} bytes  {valid_ll:>10.4} nats per row  {name}")));
            }
            Event::Warning(warning) => self.bar.suspend(|| note(format_args!("warning: {warning}"))),
            _ => {}
        }
    }

    fn is_cancelled(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }

    fn journal(&self) -> Option<&Journal> {
        self.journal.as_ref()
    }
}
