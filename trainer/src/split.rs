//! Which rows are for fitting, which for choosing, which for calibrating, and which are kept for the end.

use anyhow::{Result, ensure};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::data::Frame;

/// Shares of training, validation, calibration and held-out rows.
pub const SHARES: [f64; 4] = [0.7, 0.1, 0.1, 0.1];
/// The same for a file of validation rows: those that chose the settings would be a little too well predicted to
/// calibrate on.
pub const VALID_SHARES: [f64; 4] = [0.0, 0.75, 0.25, 0.0];
/// The least of each kind that makes sense.
const FEWEST: [(usize, &str); 3] = [(20, "training"), (2, "validation"), (2, "calibration")];

/// Row numbers, each list ascending.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Split {
    /// To fit on.
    pub train: Vec<usize>,
    /// To choose settings on.
    pub valid: Vec<usize>,
    /// To set the threshold on.
    pub calibrate: Vec<usize>,
    /// Never looked at by `fit`.
    pub held_out: Vec<usize>,
}

/// Who gets which row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deal {
    /// Anyone any row, by a seeded shuffle.
    Shuffled {
        /// Of the shuffle.
        seed: u64,
    },
    /// One share after the other, for rows that resemble their neighbours.
    InOrder {
        /// How many rows between two shares are dealt to none, as they have something in common with both.
        gap: usize,
    },
}

/// Deals ascending rows into the four shares.
///
/// ```
/// use surprisal_trainer::split::{Deal, split};
/// let dealt = split((0..10).collect(), [0.5, 0.3, 0.2, 0.0], Deal::InOrder { gap: 1 });
/// assert_eq!((dealt.train, dealt.valid, dealt.calibrate), (vec![0, 1, 2, 3, 4], vec![6, 7], vec![9]));
/// ```
pub fn split(mut rows: Vec<usize>, shares: [f64; 4], deal: Deal) -> Split {
    let gap = match deal {
        Deal::Shuffled { seed } => {
            rows.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
            None
        }
        Deal::InOrder { gap } => Some(gap),
    };
    let total = rows.len() as f64;
    let mut dealt = 0.0;
    let ends = shares.map(|share| {
        dealt += share;
        (dealt * total).round() as usize
    });
    let take = |from: usize, to: usize| {
        let mut taken = rows[from..to].to_vec();
        taken.sort_unstable();
        if let (Some(gap), Some(last)) = (gap, from.checked_sub(1).map(|last| rows[last])) {
            taken.retain(|&row| row > last + gap);
        }
        taken
    };
    Split {
        train: take(0, ends[0]),
        valid: take(ends[0], ends[1]),
        calibrate: take(ends[1], ends[2]),
        held_out: take(ends[2], ends[3]),
    }
}

/// Fails unless there are enough rows of each kind to fit at all.
///
/// # Errors
/// Names the kind that is short, and what to do.
pub fn check_enough(frame: &Frame, counts: [usize; 3]) -> Result<()> {
    for ((few, kind), count) in FEWEST.into_iter().zip(counts) {
        ensure!(
            count >= few,
            "{}: {count} ordinary {kind} rows, at least {few} are needed; supply more rows",
            frame.path.display(),
        );
    }
    Ok(())
}

/// For each row, is it odd: does the label column differ from its ordinary value?
///
/// # Errors
/// No such column.
pub fn odd_rows(frame: &Frame, column: &str, normal: &str) -> Result<Vec<bool>> {
    let cells = &frame.columns[frame.position(column)?];
    let number = normal.parse::<f64>().ok();
    let is_normal = |text: &String| text == normal || number.is_some() && text.parse::<f64>().ok() == number;
    let ordinary: Vec<bool> = cells.texts.iter().map(is_normal).collect();
    Ok(cells.codes.iter().map(|&code| !ordinary[code as usize]).collect())
}

/// The rows to learn from: all, or those that the label column calls ordinary.
///
/// # Errors
/// No such column, or it calls no row ordinary.
pub fn ordinary_rows(frame: &Frame, label: Option<&(String, String)>) -> Result<Vec<usize>> {
    let unmixed = |row: &usize| !frame.mixed.get(*row).copied().unwrap_or(false);
    let Some((column, normal)) = label else { return Ok((0..frame.rows()).collect()) };
    let odd = odd_rows(frame, column, normal)?;
    let ordinary: Vec<usize> = (0..frame.rows()).filter(|&row| !odd[row]).filter(unmixed).collect();
    let texts = frame.columns[frame.position(column)?].texts.iter().take(20).map(|text| format!("`{text}`"));
    ensure!(
        !ordinary.is_empty(),
        "{}: column `{column}` never is `{normal}`; name the ordinary value with --normal, one of {}",
        frame.path.display(),
        texts.collect::<Vec<_>>().join(", ")
    );
    Ok(ordinary)
}
