//! The conditionals of rows, column by column, for tables of both kinds.

use surprisal::{LinearWeights, Masses, Nats, Reading, View};

use crate::artefact::Artefact;
use crate::error::Result;
use crate::{with_shape, with_views};

/// One column of a view, or of a model of bits.
#[derive(Clone, Debug)]
pub struct Part {
    /// Position of the reading, or [`View::REGIME`].
    pub source: u16,
    /// Number of outcomes.
    pub outcomes: usize,
    /// Bytes of the table that a conditional takes beyond a distribution of the column alone; `None` if the columns share
    /// them, as in a hidden layer.
    pub bytes: Option<usize>,
}

/// What the conditionals of one view, or of a model of bits, say of rows.
pub struct Walked {
    /// The scored columns in model order.
    pub parts: Vec<Part>,
    /// `[row][column]`: the outcome, and its surprisal given the columns before it, in nats, without the log-width.
    pub outcomes: Vec<Vec<(u16, f32)>>,
    /// `[row]`: the sum of the log-widths, in nats.
    pub rest: Vec<f64>,
    /// Bytes of the table that the view takes; zero for a model of bits.
    pub bytes: usize,
}

/// A row of probabilities of which one came true: (probability, whether it came true).
pub type Forecast<'f> = &'f mut dyn FnMut(f64, bool);

/// Walks through rows, which must lack no reading that no training row lacks, and passes each probability of each
/// conditional of the first view to `forecast`.
///
/// # Errors
/// [`Error::Encode`](crate::Error::Encode) if a reading does not fit its column.
pub fn walk(artefact: &Artefact, readings: &[Vec<Reading>], forecast: Forecast) -> Result<Vec<Walked>> {
    if artefact.shape.views == 0 {
        return Ok(vec![of_bits(artefact, readings, forecast)?]);
    }
    with_views!(artefact.shape, C, V => {
        let table = artefact.view_table::<C, V>()?;
        let mut walked = Vec::new();
        for (at, view) in table.views.iter().enumerate() {
            let mut ignore = |_: f64, _: bool| {};
            walked.push(of_view::<C>(view, readings, if at == 0 { &mut *forecast } else { &mut ignore })?);
        }
        Ok(walked)
    })
}

fn of_view<const C: usize>(view: &View, readings: &[Vec<Reading>], forecast: Forecast) -> Result<Walked> {
    let slices = view.tables.slices();
    let columns: Vec<_> = view.encoder.columns().map(|(column, _)| column).collect();
    let scored: Vec<usize> = (0..columns.len()).filter(|&at| slices.columns[at][1] > 0).collect();
    let part = |&at: &usize| {
        let [outcomes, rows, parent] = slices.columns[at].map(usize::from);
        let links = match slices.columns[at][2] {
            surprisal::OutcomeTables::NO_PARENT => 0,
            surprisal::OutcomeTables::TREE => 4 * (rows - 1),
            _ => usize::from(slices.columns[parent][0]),
        };
        Part { source: columns[at].source, outcomes, bytes: Some(2 * (rows - 1) * (outcomes - 1) + links) }
    };
    let mut walked =
        Walked { parts: scored.iter().map(part).collect(), outcomes: Vec::new(), rest: Vec::new(), bytes: bytes(view) };
    let mut row = [0; C];
    for readings in readings {
        view.encode::<C>(readings, &mut row)?;
        let total = view.explain::<C>(readings, &mut [])?;
        let (mut walk, mut each, mut sum) = (view.tables.walk(), Vec::with_capacity(scored.len()), 0.0);
        let mut at = 0;
        while let Some(conditional) = walk.next(&row) {
            if let Some(masses) = conditional {
                let nats = f64::from(masses.surprisal(row[at]));
                sum += nats;
                each.push((u16::from(row[at]), nats as f32));
                foresee(&masses, row[at], forecast);
            }
            at += 1;
        }
        walked.outcomes.push(each);
        walked.rest.push(f64::from(total) - sum);
    }
    Ok(walked)
}

fn foresee(masses: &Masses, outcome: u8, forecast: Forecast) {
    for other in 0..masses.outcomes() {
        let other = other as u8;
        forecast(f64::from(masses.mass(other)) / 65536.0, other == outcome);
    }
}

/// Returns the bytes of the sections that only this view needs.
fn bytes(view: &View) -> usize {
    let (tables, encoder, prototypes) = (view.tables.slices(), view.encoder.slices(), view.prototypes.slices());
    let of_tables = 2 * tables.rows.len() + tables.groups.len() + 4 * tables.splits.len() + 6 * tables.columns.len();
    let of_encoder = 2 * (encoder.columns.len() + encoder.log_widths.len()) + 4 * encoder.values.len();
    let of_prototypes = 16 * prototypes.columns.len() + prototypes.points.len();
    of_tables + of_encoder + of_prototypes + 20 * view.starts.len() + 2 * view.baselines.len()
}

fn of_bits(artefact: &Artefact, readings: &[Vec<Reading>], forecast: Forecast) -> Result<Walked> {
    with_shape!(artefact.shape, N, H, K => {
        let table = artefact.table::<N, H, K>()?;
        let terms = table.model.terms();
        let shares = terms.hidden.units() > 0 || terms.mixture.components() > 0;
        let of_bit = bytes_of_bits(&terms.linear.slices().weights, terms.trees.slices().starts, table.model.bits());
        let columns: Vec<_> =
            table.encoder.columns().filter(|(column, _)| !is_observed(artefact, column.source)).collect();
        let part = |(column, bits): &(surprisal::Column, std::ops::Range<usize>)| Part {
            source: column.source,
            outcomes: column.outcomes(),
            bytes: (!shares).then(|| of_bit[bits.clone()].iter().sum()),
        };
        let mut walked =
            Walked { parts: columns.iter().map(part).collect(), outcomes: Vec::new(), rest: Vec::new(), bytes: 0 };
        for readings in readings {
            let mut row = [false; N];
            table.encoder.encode(readings, &mut row)?;
            let mut each = vec![Nats::ZERO; table.model.bits()];
            let mut walk = table.model.walk();
            while let Some((bit, conditional)) = walk.next(&row) {
                each[bit] = conditional.surprisal(row[bit]);
                if conditional.mass().is_some() {
                    let one = (-f64::from(conditional.surprisal(true))).exp();
                    forecast(one, row[bit]);
                    forecast(1.0 - one, !row[bit]);
                }
                walk.observe(row[bit]);
            }
            let (mut outcomes, mut sum) = (Vec::with_capacity(columns.len()), 0.0);
            for (column, bits) in &columns {
                let nats: f64 = each[bits.clone()].iter().map(|&nats| f64::from(nats)).sum();
                sum += nats;
                let outcome = column.decode(&row[bits.clone()]).unwrap_or(column.outcomes() - 1);
                outcomes.push((outcome as u16, nats as f32));
            }
            walked.outcomes.push(outcomes);
            walked.rest.push(f64::from(table.surprisal(readings)?) - sum);
        }
        Ok(walked)
    })
}

fn is_observed(artefact: &Artefact, source: u16) -> bool {
    artefact.schema.of_source(source).is_some_and(|encoding| encoding.observed)
}

/// Returns the bytes of weights and trees by bit.
fn bytes_of_bits(weights: &LinearWeights, starts: &[u16], bits: usize) -> Vec<usize> {
    let mut bytes = vec![0; bits];
    match weights {
        LinearWeights::Dense([]) => {}
        LinearWeights::Dense(_) => bytes.iter_mut().enumerate().for_each(|(bit, bytes)| *bytes += bit),
        LinearWeights::Sparse { starts, entries } => {
            for (column, pair) in starts.windows(2).enumerate() {
                let mut row = column;
                for [gap, _] in &entries[usize::from(pair[0])..usize::from(pair[1])] {
                    row += usize::from(*gap);
                    bytes[row.min(bits - 1)] += 2;
                }
            }
        }
    }
    for (bytes, pair) in bytes.iter_mut().zip(starts.windows(2)) {
        *bytes += 3 * usize::from(pair[1] - pair[0]);
    }
    bytes
}
