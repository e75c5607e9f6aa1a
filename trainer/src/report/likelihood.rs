//! How well a model predicts normal rows: against models without dependence, against smaller tables, and bin by bin.

use serde::Serialize;
use surprisal::{Reading, View};

use super::interval::{Measured, Share};
use super::walk::{Walked, walk};
use crate::applied::Applied;
use crate::error::Result;

/// Number of bins of a probability, by its logit.
const BINS: usize = 16;
/// Largest number of smaller tables.
const SMALLER: usize = 12;

/// How well a model predicts normal rows. All means are over the same rows.
#[derive(Clone, Debug, Serialize)]
pub struct Likelihood {
    /// Number of rows.
    pub rows: usize,
    /// Mean surprisal under the model, in nats per row.
    pub model: f64,
    /// Mean surprisal under columns that do not depend on each other, with the frequencies of these very rows, each row left
    /// out of its own frequencies.
    pub independent: f64,
    /// Mean surprisal if all outcomes of a column are equally likely.
    pub uniform: f64,
    /// Nats per row that the model saves against independent columns.
    pub saved: Option<Measured>,
    /// Bytes of the table.
    pub bytes: usize,
    /// Bytes of the frequencies of independent columns.
    pub independent_bytes: usize,
    /// Nats per row that each column saves against its own frequencies: (position of the reading, nats).
    pub saved_by: Vec<(u16, f64)>,
    /// Smaller tables: this one with some conditionals replaced by frequencies. The smallest comes last.
    pub smaller: Vec<Smaller>,
    /// Why there are no smaller tables.
    pub no_smaller: Option<String>,
    /// Predicted probability against observed frequency.
    pub reliability: Vec<Bin>,
    /// Upper bound on the nats per row that the rounding of probabilities to 1/65536 costs, for outcome tables.
    pub rounding: Option<f64>,
}

/// A table that results from this one if conditionals are replaced by the frequencies of their columns.
#[derive(Clone, Debug, Serialize)]
pub struct Smaller {
    /// Bytes of the table, about.
    pub bytes: usize,
    /// Mean surprisal of the rows, in nats per row.
    pub nats: f64,
    /// What is replaced.
    pub without: String,
}

/// Outcomes whose predicted probability lies in a bin.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Bin {
    /// Mean predicted probability.
    pub predicted: f64,
    /// Share of them that came true.
    pub observed: Share,
}

/// A conditional that may be replaced, or a view that may be left out.
struct Change {
    view: usize,
    column: Option<usize>,
    bytes: usize,
    loss: f64,
    name: String,
}

impl Likelihood {
    /// Measures a model on readings of normal rows; `None` for fewer than two rows.
    ///
    /// # Errors
    /// [`Error::Encode`](crate::Error::Encode) if a reading does not fit its column.
    pub fn of(applied: &Applied, readings: &[Vec<Reading>]) -> Result<Option<Self>> {
        if readings.len() < 2 {
            return Ok(None);
        }
        let artefact = &applied.artefact;
        let mut sums = vec![(0usize, 0.0, 0usize); BINS];
        let views = walk(artefact, readings, &mut |p, came_true| {
            let logit = (p.max(1e-9) / (1.0 - p).max(1e-9)).ln();
            let bin = ((logit + BINS as f64 / 2.0).floor().max(0.0) as usize).min(BINS - 1);
            let (count, sum, hits) = &mut sums[bin];
            (*count, *sum, *hits) = (*count + 1, *sum + p, *hits + usize::from(came_true));
        })?;
        let bin = |&(count, sum, hits): &(usize, f64, usize)| {
            Share::of(hits, count).map(|observed| Bin { predicted: sum / count as f64, observed })
        };
        let frequencies: Vec<Vec<Vec<f64>>> = views.iter().map(|view| view.frequencies()).collect();
        let (first, alone) = (&views[0], &frequencies[0]);
        let rows = readings.len();
        let share = |nats: f64| nats / rows as f64;
        let model: Vec<f64> = (0..rows).map(|row| mixture(views.iter().map(|view| view.total(row)))).collect();
        let independent: Vec<f64> = (0..rows).map(|row| first.rest[row] + alone[row].iter().sum::<f64>()).collect();
        let uniform: f64 = first.parts.iter().map(|part| (part.outcomes as f64).ln()).sum();
        let saved: Vec<f64> = independent.iter().zip(&model).map(|(alone, nats)| alone - nats).collect();
        let of_column = |at: usize| {
            let nats = |row: usize| alone[row][at] - f64::from(first.outcomes[row][at].1);
            (first.parts[at].source, share((0..rows).map(nats).sum()))
        };
        let rounding = |row: &Vec<(u16, f32)>| -> f64 {
            row.iter().map(|(_, nats)| (1.0 + (f64::from(*nats)).exp() / 65536.0).ln()).sum()
        };
        let table = artefact.table_bytes().len();
        let shared = views.iter().flat_map(|view| &view.parts).any(|part| part.bytes.is_none());
        Ok(Some(Self {
            rows,
            model: share(model.iter().sum()),
            independent: share(independent.iter().sum()),
            uniform: uniform + share(first.rest.iter().sum()),
            saved: Measured::mean(&saved),
            bytes: table,
            independent_bytes: first.parts.iter().map(|part| 2 * (part.outcomes - 1)).sum(),
            saved_by: (0..first.parts.len()).map(of_column).collect(),
            smaller: if shared { Vec::new() } else { smaller(applied, &views, &frequencies) },
            no_smaller: shared.then(|| {
                "The columns share the hidden layer or the mixture of this model, so that no conditional can be taken out \
                 alone; fit with a smaller --flash to see what a smaller table loses."
                    .into()
            }),
            reliability: sums.iter().filter_map(bin).collect(),
            rounding: (artefact.shape.views > 0).then(|| share(first.outcomes.iter().map(rounding).sum())),
        }))
    }
}

impl Walked {
    /// Returns the surprisal of a row.
    fn total(&self, row: usize) -> f64 {
        self.rest[row] + self.outcomes[row].iter().map(|(_, nats)| f64::from(*nats)).sum::<f64>()
    }

    /// Returns `[row][column]` the surprisal of each outcome if the column depends on nothing, in nats: by its frequency in
    /// all other rows, with half a count more for every outcome.
    fn frequencies(&self) -> Vec<Vec<f64>> {
        let mut counts: Vec<Vec<usize>> = self.parts.iter().map(|part| vec![0; part.outcomes]).collect();
        for row in &self.outcomes {
            row.iter().zip(&mut counts).for_each(|((outcome, _), counts)| counts[usize::from(*outcome)] += 1);
        }
        let others = self.outcomes.len() as f64 - 1.0;
        let surprisal = |((outcome, _), counts): (&(u16, f32), &Vec<usize>)| {
            let own = counts[usize::from(*outcome)] as f64 - 1.0;
            -((own + 0.5) / (others + 0.5 * counts.len() as f64)).ln()
        };
        self.outcomes.iter().map(|row| row.iter().zip(&counts).map(surprisal).collect()).collect()
    }
}

/// Returns -ln of the mean density of some views.
fn mixture(views: impl Iterator<Item = f64> + Clone) -> f64 {
    let count = views.clone().count() as f64;
    let least = views.clone().fold(f64::INFINITY, f64::min);
    least + count.ln() - views.map(|nats| (least - nats).exp()).sum::<f64>().ln()
}

/// Returns tables that are smaller than this one, each better than all tables that are smaller still.
fn smaller(applied: &Applied, views: &[Walked], frequencies: &[Vec<Vec<f64>>]) -> Vec<Smaller> {
    let whole = applied.artefact.table_bytes().len();
    let mut found = chain(applied, views, frequencies, whole, "");
    if let [first, second] = views {
        let one = std::slice::from_ref(first);
        found.extend(chain(applied, one, frequencies, whole.saturating_sub(second.bytes), "the second view"));
    }
    // From the largest to the smallest, those that no smaller table equals.
    found.sort_by(|a, b| (a.bytes, a.nats).partial_cmp(&(b.bytes, b.nats)).unwrap_or(std::cmp::Ordering::Equal));
    let mut best = f64::INFINITY;
    found.retain(|table| {
        let is_better = table.nats < best - 1e-3;
        best = best.min(table.nats);
        is_better
    });
    found.reverse();
    found.retain(|table| table.bytes < whole);
    let (count, most) = (found.len(), SMALLER);
    if count > most {
        let kept: Vec<usize> = (0..most).map(|at| at * (count - 1) / (most - 1)).collect();
        let mut at = 0;
        found.retain(|_| {
            at += 1;
            kept.contains(&(at - 1))
        });
    }
    found
}

/// Replaces one conditional after another, the one first that loses least per byte, and returns the tables in between.
fn chain(
    applied: &Applied,
    views: &[Walked],
    frequencies: &[Vec<Vec<f64>>],
    whole: usize,
    already: &str,
) -> Vec<Smaller> {
    let rows = views[0].rest.len();
    let mut totals: Vec<Vec<f64>> = views.iter().map(|view| (0..rows).map(|row| view.total(row)).collect()).collect();
    let mean = |totals: &[Vec<f64>]| {
        (0..rows).map(|row| mixture(totals.iter().map(|view| view[row]))).sum::<f64>() / rows as f64
    };
    let change = |totals: &mut [Vec<f64>], change: &Change, sign: f64| {
        let (view, Some(column)) = (change.view, change.column) else { return };
        for (row, total) in totals[view].iter_mut().enumerate() {
            *total += sign * (frequencies[view][row][column] - f64::from(views[view].outcomes[row][column].1));
        }
    };
    let start = mean(&totals);
    let mut changes = Vec::new();
    for (view, walked) in views.iter().enumerate() {
        for (column, part) in walked.parts.iter().enumerate() {
            let bytes = part.bytes.unwrap_or(0);
            if bytes == 0 {
                continue;
            }
            let of = if view == 0 { "" } else { " (second view)" };
            let name = format!("{}{of}", name_of(applied, part.source));
            let mut one = Change { view, column: Some(column), bytes, loss: 0.0, name };
            change(&mut totals, &one, 1.0);
            one.loss = mean(&totals) - start;
            change(&mut totals, &one, -1.0);
            changes.push(one);
        }
    }
    changes.sort_by(|a, b| (a.loss / a.bytes as f64).total_cmp(&(b.loss / b.bytes as f64)));
    let mut names: Vec<String> = if already.is_empty() { Vec::new() } else { vec![already.to_owned()] };
    let mut found = Vec::new();
    let mut bytes = whole;
    if !already.is_empty() {
        found.push(Smaller { bytes, nats: start, without: already.to_owned() });
    }
    for one in &changes {
        change(&mut totals, one, 1.0);
        bytes = bytes.saturating_sub(one.bytes);
        names.push(one.name.clone());
        let without = if names.len() > 4 {
            format!("{} and {} more", names[..3].join(", "), names.len() - 3)
        } else {
            names.join(", ")
        };
        found.push(Smaller { bytes, nats: mean(&totals), without });
    }
    found
}

/// Returns the name of the column at a position among the readings.
pub fn name_of(applied: &Applied, source: u16) -> String {
    if source == View::REGIME {
        return "the regime".into();
    }
    let schema = &applied.artefact.schema;
    schema.of_source(source).map_or(String::new(), |encoding| schema.name(encoding).to_owned())
}
