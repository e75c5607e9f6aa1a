//! Splits of rows into training, validation, calibration and held-out rows.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::counted::counted;
use crate::data::{Cell, Frame};
use crate::error::{Error, Result};

/// Default [training, validation, calibration, held-out] shares of the rows of one file.
pub const SHARES: [f64; 4] = [0.7, 0.1, 0.1, 0.1];
/// [training, validation, calibration, held-out] shares of a separate file of validation rows.
///
/// The model predicts the rows that chose its settings slightly too well, so a quarter is kept for calibration.
pub const VALID_SHARES: [f64; 4] = [0.0, 0.75, 0.25, 0.0];
/// (smallest number of rows, kind of rows) that a fit needs.
const MIN_ROWS: [(usize, &str); 3] = [(20, "training"), (2, "validation"), (2, "calibration")];

/// Whether each row is anomalous, `[row]`; `None` where the label is missing, see [`anomalous_rows`].
pub type Labels = Vec<Option<bool>>;

/// Indices of training, validation, calibration and held-out rows, each list ascending.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SplitRows {
    /// Indices of the training rows, on which models are fitted.
    pub train: Vec<usize>,
    /// Indices of the validation rows, on which settings are chosen.
    pub valid: Vec<usize>,
    /// Indices of the calibration rows, which determine the thresholds.
    pub calibrate: Vec<usize>,
    /// Indices of the held-out rows, which the fit never reads.
    pub held_out: Vec<usize>,
}

/// Rule that assigns rows to the shares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SplitStrategy {
    /// At random.
    Shuffled {
        /// Seed of the shuffle.
        seed: u64,
        /// Number of consecutive rows that get into the same share: 1 for rows that are independent of their neighbours. A
        /// share of rows between training rows that resemble them would seem better known than fresh rows are.
        stretch: usize,
    },
    /// One share after the other, for rows that depend on their neighbours.
    InOrder {
        /// Number of rows between two shares that belong to neither, because they overlap with both.
        gap: usize,
    },
}

/// Splits ascending row indices by `shares`: [training, validation, calibration, held-out].
///
/// ```
/// use surprisal_trainer::split::{SplitStrategy, split};
/// let found = split((0..10).collect(), [0.5, 0.3, 0.2, 0.0], SplitStrategy::InOrder { gap: 1 });
/// assert_eq!((found.train, found.valid, found.calibrate), (vec![0, 1, 2, 3, 4], vec![6, 7], vec![9]));
/// ```
pub fn split(mut rows: Vec<usize>, shares: [f64; 4], strategy: SplitStrategy) -> SplitRows {
    let gap = match strategy {
        SplitStrategy::Shuffled { seed, stretch } => {
            let mut stretches: Vec<&[usize]> = rows.chunks(stretch.max(1)).collect();
            stretches.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
            rows = stretches.concat();
            None
        }
        SplitStrategy::InOrder { gap } => Some(gap),
    };
    let total = rows.len() as f64;
    let mut sum = 0.0;
    let ends = shares.map(|share| {
        sum += share;
        ((sum * total).round() as usize).min(rows.len())
    });
    let take = |from: usize, to: usize| {
        let mut taken = rows[from..to].to_vec();
        taken.sort_unstable();
        if let (Some(gap), Some(last)) = (gap, from.checked_sub(1).map(|last| rows[last])) {
            taken.retain(|&row| row > last + gap);
        }
        taken
    };
    SplitRows {
        train: take(0, ends[0]),
        valid: take(ends[0], ends[1]),
        calibrate: take(ends[1], ends[2]),
        held_out: take(ends[2], ends[3]),
    }
}

/// Checks that there are enough rows. `counts` are the numbers of [training, validation, calibration] rows.
///
/// # Errors
/// [`Error::Input`] if there are too few rows of one kind; the message names the kind.
pub fn check_enough(frame: &Frame, counts: [usize; 3]) -> Result<()> {
    for ((few, kind), count) in MIN_ROWS.into_iter().zip(counts) {
        if count < few {
            let message = format!(
                "{}, but at least {few} are needed; supply more rows",
                counted(count, &format!("normal {kind} row"))
            );
            return Err(Error::input(&frame.path, message));
        }
    }
    Ok(())
}

/// Returns `[row]` whether each row is anomalous, that is, whether its cell in `column` differs from `normal`. Numbers
/// are compared by value. A row is `None` if nobody said what it is: its cell is empty, `NA` or `?`. Other texts that stand for a
/// missing reading, such as `none` or `-`, are labels.
///
/// # Errors
/// [`Error::Input`] if there is no such column.
pub fn anomalous_rows(frame: &Frame, column: &str, normal: &str) -> Result<Vec<Option<bool>>> {
    let cells = &frame.columns[frame.position(column)?].cells;
    let number = normal.parse::<f64>().ok();
    let is_normal = |cell: Cell| cell.text() == normal || number.is_some() && cell.number() == number;
    let is_unknown = |cell: Cell| match cell {
        Cell::Text(text) => matches!(text, "" | "NA" | "?"),
        cell => cell.is_missing(),
    };
    Ok(cells.map(|cell| (is_normal(cell) || !is_unknown(cell)).then(|| !is_normal(cell))))
}

/// Returns whether each of these rows is anomalous, `[row]`, as [`anomalous_rows`] does, or `None` without a label: (column that
/// marks anomalies, its value in normal rows). A column in which none of these rows has a label counts as no labels.
///
/// # Errors
/// [`Error::Input`] if there is no such column.
pub fn labels_of(frame: &Frame, rows: &[usize], label: Option<&(String, String)>) -> Result<Option<Labels>> {
    let Some((column, normal)) = label else { return Ok(None) };
    let anomalous = anomalous_rows(frame, column, normal)?;
    let labels: Labels = rows.iter().map(|&row| anomalous[row]).collect();
    Ok(Some(labels).filter(|labels| labels.iter().any(Option::is_some)))
}

/// Returns the indices of the normal rows: all rows without a label, otherwise the rows whose label is normal. Rows
/// without any reading are not normal.
///
/// `label` is (column that marks anomalies, its value in normal rows). Rows of a time series are left out as well if
/// one of the earlier rows that they depend on is anomalous or has no label.
///
/// # Errors
/// [`Error::Input`] if there is no such column, or no row is normal.
pub fn normal_rows(frame: &Frame, label: Option<&(String, String)>) -> Result<Vec<usize>> {
    let candidates = (0..frame.rows()).filter(|&row| frame.may_be_normal(row));
    let Some((column, normal)) = label else { return Ok(candidates.collect()) };
    let anomalous = anomalous_rows(frame, column, normal)?;
    let rows: Vec<usize> = candidates.filter(|&row| anomalous[row] == Some(false)).collect();
    if rows.is_empty() { Err(no_normal_row(frame, column, normal, "")?) } else { Ok(rows) }
}

/// Returns the error that no row of a file has the label of normal rows. It names the values that there are; `or` is what else
/// can be done.
///
/// # Errors
/// [`Error::Input`] if there is no such column.
pub fn no_normal_row(frame: &Frame, column: &str, normal: &str, or: &str) -> Result<Error> {
    let values = frame.columns[frame.position(column)?].cells.counts(&[]);
    let values: Vec<_> = values.into_iter().take(20).map(|(cell, _)| format!("`{}`", cell.text())).collect();
    let message = format!(
        "has no row with the value `{normal}`; name the value of normal rows with --normal, one of {}{or}",
        values.join(", ")
    );
    Ok(Error::input(&frame.path, message).column(column))
}
