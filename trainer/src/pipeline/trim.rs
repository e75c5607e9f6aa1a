//! Training rows that hold faults: finds the rows that the others do not explain, and leaves them out of the fit.

use std::sync::Arc;

use super::job::{Contamination, Job};
use super::load::{FrameRows, Split};
use super::views::{CELLS, STRENGTH, assembled};
use crate::artefact::Artefact;
use crate::error::Result;
use crate::observer::{Event, Observer};
use crate::views::{self, ViewSettings};
use crate::warning::Warning;

/// Largest share of the rows that is left out by [`Contamination::Auto`].
const MOST: f64 = 0.1;
/// Shares of the rows between which the tail of the scores is fitted.
const TAIL: [f64; 2] = [0.4, 0.15];
/// Leaves of a tree in the quick fits, and lines that a report names.
const LEAVES: usize = 12;
const NAMED: usize = 10;

impl<'j> Split<'j> {
    /// Leaves out the rows that look like faults, as the job wants.
    ///
    /// Two quick fits, each to half of the training rows, score the rows that they have not seen, so that no fault explains
    /// itself. The rows with the largest anomaly scores are left out of training rows, and of validation and calibration rows
    /// of the same files.
    pub fn trimmed(mut self, observer: &dyn Observer) -> Result<Self> {
        let Some(contamination) = self.job.contamination else { return Ok(self) };
        observer.event(Event::Stage { name: "faults in the rows", steps: 2 });
        let half = |odd: usize| -> Vec<usize> { self.train.rows.iter().copied().skip(odd).step_by(2).collect() };
        let halves = [half(0), half(1)];
        let mut models = Vec::new();
        for (own, other) in [(0, 1), (1, 0)] {
            models.push(self.quick(&halves[own], &halves[other])?);
            observer.event(Event::Step);
        }
        // (score, part, row): the parts are training, validation and calibration rows.
        let mut scored: Vec<(f64, usize, usize)> = Vec::new();
        let mut score = |model: &Artefact, part: usize, FrameRows { frame, rows }: &FrameRows| -> Result<()> {
            let scores = model.scores_of(frame, rows, &())?;
            scored.extend(rows.iter().zip(scores).map(|(&row, score)| (score.anomaly.into(), part, row)));
            Ok(())
        };
        let of_train = |rows: &[usize]| FrameRows { frame: self.train.frame.clone(), rows: rows.to_vec() };
        score(&models[0], 0, &of_train(&halves[1]))?;
        score(&models[1], 0, &of_train(&halves[0]))?;
        // Files of another day are unlike the training rows, and are not judged by them.
        for (part, rows) in [(1, &self.valid), (2, &self.calibrate)] {
            if Arc::ptr_eq(&rows.frame, &self.train.frame) {
                score(&models[0], part, rows)?;
            }
        }
        scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)).then(a.2.cmp(&b.2)));
        let count = match contamination {
            Contamination::Share(share) => (share * scored.len() as f64).round() as usize,
            Contamination::Auto => beyond_tail(&scored.iter().map(|&(score, ..)| score).collect::<Vec<_>>()),
        };
        let left_out = &scored[..count];
        self.remarks.push(self.remark(left_out, scored.len()));
        observer.event(Event::Warning(&self.remarks[self.remarks.len() - 1]));
        for (part, rows) in
            [&mut self.train.rows, &mut self.valid.rows, &mut self.calibrate.rows].into_iter().enumerate()
        {
            let mut gone: Vec<usize> = left_out.iter().filter(|(_, of, _)| *of == part).map(|(.., row)| *row).collect();
            gone.sort_unstable();
            rows.retain(|row| gone.binary_search(row).is_err());
            self.seen.retain(|row| gone.binary_search(row).is_err());
            self.counts[part] -= gone.len();
        }
        self.check_enough()?;
        Ok(self)
    }

    /// Fits tables to some rows, with the mean surprisals of other rows as baselines.
    fn quick(&self, rows: &[usize], others: &[usize]) -> Result<Artefact> {
        let Job { seed, .. } = *self.job;
        let schema = self.schema_of_few(rows, CELLS)?;
        let frame = &self.train.frame;
        let train = schema.fitting_readings(frame, rows)?;
        let settings =
            ViewSettings { views: 2, prototypes: None, cells: CELLS, leaves: LEAVES, strength: STRENGTH, seed };
        let fitted = views::fit(&schema, &train, &settings)?;
        assembled(self.job, &schema, &fitted, &schema.all_readings(frame, others)?)
    }

    /// Returns a remark that names the rows that were left out.
    fn remark(&self, left_out: &[(f64, usize, usize)], of: usize) -> Warning {
        let frame = &self.train.frame;
        let place = |&(_, _, row): &(f64, usize, usize)| {
            let file =
                if frame.files.is_empty() { String::new() } else { format!("{}: ", frame.path_of(row).display()) };
            format!("{file}{} {}", frame.unit, frame.lines[row])
        };
        let named: Vec<String> = left_out.iter().take(NAMED).map(place).collect();
        let more = if left_out.len() > NAMED { " and others" } else { "" };
        let which = if named.is_empty() { String::new() } else { format!(": {}{more}", named.join(", ")) };
        let percent = 100.0 * left_out.len() as f64 / of.max(1) as f64;
        let message = format!(
            "{} of {of} rows ({percent:.2} %) are left out as likely faults{which}; the rate of false alarms holds for rows like \
             those that are left",
            left_out.len()
        );
        Warning { file: self.train.frame.path.display().to_string(), column: String::new(), message }
    }
}

/// Returns how many of the scores, in descending order, lie beyond the tail of the others: an exponential distribution
/// through two quantiles, beyond which half a row is expected.
fn beyond_tail(scores: &[f64]) -> usize {
    let n = scores.len() as f64;
    let at = |share: f64| scores[((share * n) as usize).min(scores.len() - 1)];
    let [near, far] = TAIL;
    let scale = (at(far) - at(near)) / (near / far).ln();
    if scale <= 0.0 {
        // Many rows have the same score, and there is no tail to judge by.
        return 0;
    }
    let limit = at(far) + scale * (2.0 * n * far).ln();
    scores.iter().take_while(|&&score| score > limit).count().min((MOST * n) as usize)
}
