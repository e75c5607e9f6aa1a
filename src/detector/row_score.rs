//! The score of one row, computed from the surprisals of its columns.

use super::{AnomalyScore, Detector};
use crate::nats::Nats;
use crate::view::Regime;

/// The score of one row: its surprisal, its anomaly score, and its column with the largest surprisal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct RowScore {
    /// The surprisal of the row: -ln of its probability, or of its density in units of each column's narrowest cell.
    pub nats: Nats,
    /// The anomaly score of the row, which the detector compares with its threshold, see [`AnomalyScore`]. It equals
    /// `nats` for a table without columns.
    pub anomaly: Nats,
    /// The largest surprisal of a single column.
    pub largest: Nats,
    /// The column with the largest surprisal, as the position of its reading. Of equal columns it is the smallest
    /// position.
    pub column: u16,
    /// The number of readings that are missing in columns that were never missing in training. These columns are left out
    /// of the score.
    pub missing: u16,
    /// The operating regime of the row in the first view that has prototypes, or `None` if the table has none.
    pub regime: Option<Regime>,
}

impl RowScore {
    /// The score that stands for a row that cannot be scored: the largest possible surprisals, and column 0.
    pub const IMPOSSIBLE: Self = Self {
        nats: Nats::IMPOSSIBLE,
        anomaly: Nats::IMPOSSIBLE,
        largest: Nats::IMPOSSIBLE,
        column: 0,
        missing: 0,
        regime: None,
    };

    /// Computes the score of a row from (position of the reading, surprisal) of each of its columns, in model order.
    ///
    /// [`Table::score`](crate::Table::score) computes the surprisals as well. Use this function if you already have the
    /// surprisals. Without columns all numbers of the score are zero.
    ///
    /// ```
    /// use surprisal::{Detector, Nats, RowScore};
    /// let score = RowScore::of(&Detector::OFF, &[(1, Nats::from_raw(500)), (0, Nats::from_raw(700))]);
    /// assert_eq!((score.nats, score.column), (Nats::from_raw(1200), 0));
    /// ```
    pub fn of(detector: &Detector, columns: &[(u16, Nats)]) -> Self {
        let mut scorer = RowScorer::new(detector);
        columns.iter().for_each(|&(column, nats)| scorer.push(column, nats));
        scorer.finish().unwrap_or_default()
    }
}

/// A [`RowScore`] while its columns are added.
pub(crate) struct RowScorer<'d> {
    detector: &'d Detector<'d>,
    anomaly: AnomalyScore,
    nats: Nats,
    /// The largest surprisal of a column, and that column. `None` before the first column.
    largest: Option<(Nats, u16)>,
}

impl<'d> RowScorer<'d> {
    pub(crate) fn new(detector: &'d Detector<'d>) -> Self {
        Self { detector, anomaly: AnomalyScore::new(detector), nats: Nats::ZERO, largest: None }
    }

    pub(crate) fn push(&mut self, column: u16, nats: Nats) {
        self.anomaly.push(self.detector, column, nats);
        self.nats += nats;
        // Of equal columns the smallest position.
        if self.largest.is_none_or(|(largest, at)| (largest, column) < (nats, at)) {
            self.largest = Some((nats, column));
        }
    }

    /// Returns the score, or `None` if there was no column.
    pub(crate) fn finish(self) -> Option<RowScore> {
        let (largest, column) = self.largest?;
        let Self { nats, .. } = self;
        Some(RowScore { nats, anomaly: self.anomaly.nats(self.detector), largest, column, ..RowScore::default() })
    }
}
