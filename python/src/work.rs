//! Runs the library beside Python: without its lock, on a pool of threads, until the work is done or Ctrl-C.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};
use surprisal_trainer::observer::{Event, Observer};

use crate::errors::{exception, panicked};

/// Time between two looks at signals and progress.
const TICK: Duration = Duration::from_millis(50);
/// Longest time that Ctrl-C waits for the work to end. Work that goes on ends later, and its result is dropped.
const GRACE: Duration = Duration::from_secs(2);
/// Largest number of threads.
const MOST_THREADS: usize = 1024;

/// Progress of the work, and whether it is cancelled.
#[derive(Default)]
struct Watch {
    is_cancelled: AtomicBool,
    stage: Mutex<Stage>,
}

#[derive(Default)]
struct Stage {
    name: String,
    done: usize,
    steps: usize,
    is_new: bool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Observer for Watch {
    fn event(&self, event: Event<'_>) {
        match event {
            Event::Stage { name, steps } => {
                *lock(&self.stage) = Stage { name: name.to_owned(), done: 0, steps, is_new: true };
            }
            Event::Step => {
                let mut stage = lock(&self.stage);
                stage.done += 1;
                stage.is_new = true;
            }
            _ => {}
        }
    }

    fn is_cancelled(&self) -> bool {
        self.is_cancelled.load(Ordering::Relaxed)
    }
}

impl Watch {
    /// Passes the progress to a function of Python if there is any.
    fn report(&self, py: Python<'_>, progress: Option<&Py<PyAny>>) -> PyResult<()> {
        let Some(progress) = progress else { return Ok(()) };
        let mut stage = lock(&self.stage);
        if !std::mem::take(&mut stage.is_new) {
            return Ok(());
        }
        let arguments = (stage.name.clone(), stage.done, stage.steps);
        drop(stage);
        progress.call1(py, arguments).map(drop)
    }
}

/// Returns a pool with this number of threads, or the pool of this process with one thread per core.
fn pool(threads: Option<usize>) -> PyResult<Arc<ThreadPool>> {
    /// The pool, and the process that made it: a pool does not survive a fork.
    static POOL: Mutex<Option<(u32, Arc<ThreadPool>)>> = Mutex::new(None);
    let build = |threads: usize| {
        let pool = ThreadPoolBuilder::new().num_threads(threads).build();
        pool.map(Arc::new).map_err(|error| PyRuntimeError::new_err(format!("the threads cannot be started: {error}")))
    };
    match threads {
        Some(threads @ 1..=MOST_THREADS) => build(threads),
        Some(_) => Err(PyValueError::new_err(format!("threads: expected a number from 1 to {MOST_THREADS}, or None"))),
        None => {
            let mut kept = lock(&POOL);
            if let Some((process, pool)) = kept.as_ref()
                && *process == std::process::id()
            {
                return Ok(Arc::clone(pool));
            }
            let built = build(0)?;
            // The threads of a pool of another process cannot be joined here.
            std::mem::forget(kept.replace((std::process::id(), Arc::clone(&built))));
            Ok(built)
        }
    }
}

/// Runs work without Python's lock, and returns its result. Meanwhile signals are handled, and `progress` is called with
/// (stage, steps done, steps in all). An exception of either cancels the work. A panic becomes a `RuntimeError`.
pub fn supervised<T: Send + 'static>(
    py: Python<'_>,
    threads: Option<usize>,
    progress: Option<&Py<PyAny>>,
    work: impl FnOnce(&dyn Observer) -> surprisal_trainer::Result<T> + Send + 'static,
) -> PyResult<T> {
    let pool = pool(threads)?;
    let watch = Arc::new(Watch::default());
    let observer = Arc::clone(&watch);
    let (send, receive) = channel();
    let run = move || {
        let result = catch_unwind(AssertUnwindSafe(|| pool.install(|| work(&*observer))));
        // Nobody waits for work that was cancelled.
        let _ = send.send(result);
    };
    thread::Builder::new().spawn(run)?;
    let receive = Mutex::new(receive);
    let wait = |time: Duration| py.detach(|| lock(&receive).recv_timeout(time));
    loop {
        match wait(TICK) {
            Ok(result) => {
                watch.report(py, progress)?;
                return result.map_err(|panic| panicked(&*panic))?.map_err(exception);
            }
            Err(RecvTimeoutError::Disconnected) => return Err(panicked(&"a thread ended without a result")),
            Err(RecvTimeoutError::Timeout) => {
                if let Err(error) = py.check_signals().and_then(|()| watch.report(py, progress)) {
                    watch.is_cancelled.store(true, Ordering::Relaxed);
                    let _ = wait(GRACE);
                    return Err(error);
                }
            }
        }
    }
}
