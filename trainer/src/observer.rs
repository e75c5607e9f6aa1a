//! Progress, warnings and cancellation of a fit.

use crate::journal::Journal;
use crate::warning::Warning;

/// Progress of a fit, reported as it happens.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A stage of the fit begins, for example the fit of a family.
    Stage {
        /// Description of the terms that the stage fits.
        name: &'a str,
        /// Number of [`Step`](Self::Step)s until the stage is complete.
        steps: usize,
    },
    /// One step of the current stage is complete. Steps are reported from several threads.
    Step,
    /// The family `auto` found a model that predicts better than every smaller model so far.
    Found {
        /// Description of the model's terms.
        name: &'a str,
        /// Size of the `.srp` file in bytes.
        bytes: usize,
        /// Mean log-likelihood of the validation rows, in nats per row.
        valid_ll: f64,
    },
    /// An input file holds something that may spoil the fit. The report on the fit lists it too.
    Warning(&'a Warning),
}

/// Receives the progress of a fit, and may cancel the fit. The observer `()` ignores all events.
///
/// ```
/// use std::sync::atomic::{AtomicUsize, Ordering};
/// use surprisal_trainer::observer::{Event, Observer};
///
/// /// Counts the conditionals fitted.
/// #[derive(Default)]
/// struct Counter(AtomicUsize);
///
/// impl Observer for Counter {
///     fn event(&self, event: Event<'_>) {
///         if event == Event::Step {
///             self.0.fetch_add(1, Ordering::Relaxed);
///         }
///     }
/// }
///
/// let counter = Counter::default();
/// counter.event(Event::Step);
/// assert_eq!(counter.0.into_inner(), 1);
/// ```
pub trait Observer: Sync {
    /// Receives one event. Several threads may call this at the same time.
    fn event(&self, _event: Event<'_>) {}

    /// Returns whether the fit should end early. A search then returns the best model so far; a fit without a model
    /// fails with [`Error::Cancelled`](crate::Error::Cancelled).
    fn is_cancelled(&self) -> bool {
        false
    }

    /// Returns the journal in which a search stores its fitted layers, or `None` for a search that cannot be resumed.
    fn journal(&self) -> Option<&Journal> {
        None
    }
}

impl Observer for () {}
