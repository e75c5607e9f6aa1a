//! One table for all machines of a fleet, with a small calibration for each of them.

use std::path::Path;

use rayon::prelude::*;
use serde::Serialize;
use surprisal::Nats;

use super::compare::{Gap, surprisals_of};
use super::journal::Journal;
use super::{Fitted, MachineFit};
use crate::artefact::Artefact;
use crate::data::{Frame, Machine, checksum, join};
use crate::error::{Error, Result};
use crate::evaluate::mean;
use crate::observer::{Event, Observer};
use crate::output::write_whole;
use crate::pipeline::{FitReport, Job, Shares, finite, run_frame, shares};
use crate::recalibrate::{Adjustment, ENDING, Stored};

/// Name of the file of the table.
pub const FILE: &str = "shared.srp";
/// Name of the table in the journal, which no machine has.
const NAME: &str = "";

/// The table that machines share.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SharedReport {
    /// Name of its file in the folder of models.
    pub file: String,
    /// Size of the table that the board reads, in bytes.
    pub table_bytes: usize,
    /// Number of machines that use it.
    pub machines: usize,
}

/// The table that machines share, and the checksum of its file.
pub(super) struct Shared {
    artefact: Artefact,
    crc: u32,
}

/// The calibration of a machine: its file, and what its table says of the machine's rows.
pub(super) struct Candidate {
    pub bytes: Vec<u8>,
    artefact: Artefact,
    shares: Shares,
    /// Surprisals of the validation rows.
    valid: Vec<Nats>,
}

impl Shared {
    /// Fits the table to the training rows of all machines, each of which is split as its own fit splits it, and writes it. A
    /// machine whose rows cannot be split has no part in it.
    pub fn fit(
        (job, column): (&Job, &str),
        (frame, machines): (&Frame, &[(String, Vec<usize>)]),
        (folder, journal): (&Path, &Journal),
        observer: &dyn Observer,
    ) -> Result<Self> {
        if job.history.is_some() {
            let message = "the machines of time series have no constant offsets; leave the option out";
            return Err(Error::option("--shared", message));
        }
        observer.event(Event::Stage { name: "rows of all machines", steps: machines.len() });
        let of_machine = |(name, rows): &(String, Vec<usize>)| {
            let job = of(job, column, name);
            let shares = shares(&job, frame.rows_of_a_machine(rows)).ok();
            observer.event(Event::Step);
            shares.map(|shares| shares.frame.select(&shares.train))
        };
        let parts: Vec<Frame> = machines.par_iter().filter_map(of_machine).collect();
        let mut rows = join(parts.into_iter().map(Ok))?;
        rows.path.clone_from(&frame.path);
        rows.files.clear();
        (rows.blank, rows.mixed, rows.remarks) = Default::default();
        let (path, digest) = (folder.join(FILE), rows.digest);
        if journal.kept(NAME, digest).is_none() {
            let job = Job {
                // The rows are without likely faults, and with their readings left out at random, already.
                contamination: None,
                may_fail: None,
                is_brief: true,
                ignore: job.ignore.iter().cloned().chain([column.to_owned()]).collect(),
                ..job.clone()
            };
            let count = rows.rows();
            let (artefact, report) = run_frame(&job, rows, observer)?;
            let bytes = artefact.file_bytes();
            write_whole(&path, &bytes, &super::paths(&job.train))?;
            let fitted = Some(super::fitted(&report, &bytes));
            let (machine, file) = (NAME.to_owned(), Some(FILE.to_owned()));
            journal.add(MachineFit { machine, file, rows: count, digest, error: None, fitted })?;
        }
        let bytes = std::fs::read(&path).map_err(Error::io(&path, "cannot be read"))?;
        Ok(Self { artefact: Artefact::from_bytes(&path, &bytes)?, crc: checksum(&bytes) })
    }

    /// Returns whether the file of a machine is a table of its own, or a calibration of this table.
    pub fn is_current(&self, folder: &Path, done: &MachineFit) -> bool {
        let file = done.file.as_deref().unwrap_or_default();
        !file.ends_with(ENDING) || Stored::is_of(&folder.join(file), self.crc)
    }

    /// Returns the report on the table that some machines use.
    pub fn report(&self, machines: usize) -> SharedReport {
        SharedReport { file: FILE.to_owned(), table_bytes: self.artefact.table_bytes().len(), machines }
    }

    /// Calibrates the table for a machine: offsets and baselines by its training rows, threshold and quantiles by its calibration
    /// rows.
    pub fn calibrated(&self, job: &Job, rows: Frame) -> Result<Candidate> {
        let machine = job.machine.clone().unwrap_or_default();
        let shares = shares(job, rows)?;
        let frame = &*shares.frame;
        let readings = self.artefact.schema.all_readings(frame, &shares.calibrate)?;
        let stream = [&shares.train[..], &shares.seen];
        let adjustment = Adjustment::find(&self.artefact, frame, stream, &readings, job.rates)?;
        let stored = Stored::new(
            (FILE, self.crc),
            machine,
            (frame.rows(), frame.digest, shares.stretch),
            &adjustment,
            &self.artefact,
        );
        let artefact = stored.applied(&self.artefact)?;
        let valid = surprisals_of(&artefact, frame, &shares.valid)?;
        Ok(Candidate { bytes: stored.bytes(), artefact, valid, shares })
    }
}

impl Candidate {
    /// Compares the machine's table of its own with the calibrated one on the validation rows.
    pub fn gap(&self, own: &Artefact) -> Result<Gap> {
        Ok(Gap::of(&self.valid, &surprisals_of(own, &self.shares.frame, &self.shares.valid)?))
    }

    /// Returns the results of the calibrated table. `own` is the report on the machine's own fit, if there is one.
    pub fn fitted(&self, own: Option<&FitReport>) -> Fitted {
        let nats = mean(&self.valid);
        Fitted {
            file_bytes: self.bytes.len(),
            table_bytes: self.artefact.table_bytes().len(),
            crc: checksum(&self.bytes),
            threshold: finite(self.artefact.detector().threshold),
            nats,
            gain: own.map(|own| -own.marginal_valid_ll - nats),
            warnings: own.map_or(0, |own| own.warnings.len()),
            shared_loss: None,
        }
    }
}

/// Returns the job of one machine.
pub(super) fn of(job: &Job, column: &str, name: &str) -> Job {
    let machine = Some(Machine { column: column.to_owned(), name: name.to_owned() });
    Job { machine, is_brief: true, ..job.clone() }
}
