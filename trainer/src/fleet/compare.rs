//! Which machine of a fleet is typical, and which are unlike the others.

use std::collections::BTreeMap;
use std::path::Path;

use rayon::prelude::*;
use surprisal::Nats;

use super::MachineFit;
use crate::artefact::Artefact;
use crate::data::Frame;
use crate::error::Result;
use crate::evaluate::{mean, median};
use crate::pipeline::Job;
use crate::recalibrate;

/// Number of rows of each machine, in the middle of its rows, that are compared.
const COMPARED: usize = 2000;
/// A machine is unlike the others if its difference from the typical machine is this many standard deviations above the median.
const UNLIKE: f64 = 5.0;
/// Ratio of the standard deviation of a normal distribution to its median absolute deviation.
const MAD_TO_DEVIATION: f64 = 1.4826;
/// Number of machines, in the middle by surprisal, of which one is the typical machine.
const CANDIDATES: usize = 5;
/// Least number of machines among which one can be unlike the others.
const LEAST: usize = 8;

/// The machines of a fleet beside each other. See [`FleetReport`](super::FleetReport).
#[derive(Default)]
pub(super) struct Compared {
    pub typical: Option<String>,
    pub unlike: Vec<(String, f64)>,
    pub apart: Vec<(String, String)>,
}

/// How much more a machine's rows surprise another table than their own, in nats per row, with the standard error.
#[derive(Clone, Copy)]
pub(super) struct Gap {
    pub nats: f64,
    pub error: f64,
}

/// Finds the typical machine, and the machines unlike the others.
pub(super) fn compare(
    job: &Job,
    fits: &[MachineFit],
    frame: &Frame,
    machines: &[(String, Vec<usize>)],
    folder: &Path,
) -> Compared {
    let mut by_nats: Vec<(f64, &MachineFit)> =
        fits.iter().filter_map(|fit| Some((fit.fitted.as_ref()?.nats, fit))).collect();
    by_nats.sort_by(|a, b| a.0.total_cmp(&b.0));
    if by_nats.len() < LEAST {
        return Compared::default();
    }
    let middle = (by_nats.len() - CANDIDATES) / 2;
    let read = |fit: &MachineFit| recalibrate::read(&folder.join(fit.file.as_deref().unwrap_or_default()));
    let candidates: Vec<Artefact> =
        by_nats[middle..middle + CANDIDATES].iter().filter_map(|(_, fit)| read(fit).ok()).collect();
    let rows: BTreeMap<&str, &Vec<usize>> = machines.iter().map(|(name, rows)| (name.as_str(), rows)).collect();
    let of_machine = |fit: &MachineFit| -> Result<Vec<Gap>> {
        let own = read(fit)?;
        let all = rows[fit.machine.as_str()];
        let first = (all.len() - all.len().min(COMPARED)) / 2;
        let some = frame.with_own_sessions(&all[first..first + all.len().min(COMPARED)], &job.time)?;
        let score = |artefact: &Artefact| surprisals(artefact, &some, job.reading.skip_bad);
        let of_own = score(&own)?;
        candidates.iter().map(|candidate| Ok(Gap::of(&score(candidate)?, &of_own))).collect()
    };
    let each: Vec<(&str, Result<Vec<Gap>>)> =
        by_nats.par_iter().map(|(_, fit)| (fit.machine.as_str(), of_machine(fit))).collect();
    let (mut gaps, mut apart) = (Vec::new(), Vec::new());
    for (machine, outcome) in each {
        match outcome {
            Ok(of_candidates) => gaps.push((machine, of_candidates)),
            Err(error) => apart.push((machine.to_owned(), format!("{error:#}"))),
        }
    }
    apart.sort();
    let centre = |at: usize| median(&gaps.iter().map(|(_, gaps)| gaps[at].nats).collect::<Vec<_>>());
    let centres: Vec<f64> = (0..candidates.len()).filter_map(centre).collect();
    let Some(at) = (0..centres.len()).min_by(|&a, &b| centres[a].total_cmp(&centres[b])) else {
        return Compared { apart, ..Compared::default() };
    };
    let spread = median(&gaps.iter().map(|(_, gaps)| (gaps[at].nats - centres[at]).abs()).collect::<Vec<_>>());
    let deviation = MAD_TO_DEVIATION * spread.unwrap_or(0.0);
    // Machines of one kind differ by chance at least.
    let is_unlike = |gap: Gap| gap.nats - centres[at] > UNLIKE * deviation.max(gap.error);
    let unlike =
        gaps.iter().filter(|(_, gaps)| is_unlike(gaps[at])).map(|(name, gaps)| ((*name).to_owned(), gaps[at].nats));
    let mut unlike: Vec<(String, f64)> = unlike.collect();
    unlike.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let typical = candidates[at].notes.fit.machine.as_ref().map(|machine| machine.name.clone());
    Compared { typical, unlike, apart }
}

/// Returns the surprisals of rows as a model reads them.
fn surprisals(artefact: &Artefact, rows: &Frame, skip_bad: usize) -> Result<Vec<Nats>> {
    let frame = artefact.prepared(rows.clone(), skip_bad)?;
    let every: Vec<usize> = (0..frame.rows()).collect();
    surprisals_of(artefact, &frame, &every)
}

/// Returns the surprisals of some rows of a frame that was prepared.
pub(super) fn surprisals_of(artefact: &Artefact, frame: &Frame, rows: &[usize]) -> Result<Vec<Nats>> {
    Ok(artefact.scores_of(frame, rows, &())?.iter().map(|score| score.nats).collect())
}

impl Gap {
    /// Two lists of the same rows, unless the models left out different bad rows.
    pub fn of(other: &[Nats], own: &[Nats]) -> Self {
        let nats = mean(other) - mean(own);
        let apart = |(other, own): (&Nats, &Nats)| f64::from(*other) - f64::from(*own) - nats;
        let squares: f64 = other.iter().zip(own).map(apart).map(|apart| apart * apart).sum();
        let count = own.len().max(2) as f64;
        Self { nats, error: (squares / (count - 1.0) / count).sqrt() }
    }
}
