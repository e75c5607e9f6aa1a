//! The table of a model that consists of views, and its operations over readings.

use crate::detector::{Detector, RowScore, SoftMaximum, Verdict};
use crate::error::{EncodeError, TableError};
use crate::logit::Logit;
use crate::nats::Nats;
use crate::outcome_tables::tail;
use crate::predictor::Predictor;
use crate::reading::Reading;
use crate::row_schema::{RowSchema, SelfTestError};
use crate::view::{Regime, View};

/// Everything that a board needs to score rows of readings by outcome tables: views, detector and predictor.
///
/// The densities of all rows add up to one in a view of the readings, and to at most one in a view with prototypes: it
/// keeps some probability for residuals that lie nearer to another prototype than to their own.
///
/// C is the capacity for columns of a view, and V the number of views. The density of a row is the mean of its densities
/// in the views, a mixture with equal weights, and its anomaly score is the sum of the anomaly scores of the views.
///
/// `surprisal export` writes a table as Rust source. [`ViewTable::from_bytes`] reads one from a `.srp` file in place. The
/// operations are those of [`Table`](crate::Table), which holds models of bits.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ViewTable<'t, const C: usize, const V: usize> {
    /// The views of a row.
    pub views: [View<'t>; V],
    /// The detector, which turns scores into verdicts. Its baselines are those of [`explain`](Self::explain).
    pub detector: Detector<'t>,
    /// The predictor of a time series, or [`Predictor::NONE`].
    pub predictor: Predictor<'t>,
    /// The readings that a row holds, and the golden rows of [`self_test`](Self::self_test).
    pub schema: RowSchema<'t>,
}

impl<'t, const C: usize, const V: usize> ViewTable<'t, C, V> {
    /// Checks the views and creates a table.
    ///
    /// # Errors
    /// [`TableError::TooManyColumns`] if a view has more than C columns; [`TableError::Inconsistent`] if the parts of a
    /// view have different columns or there is no view.
    pub fn new(views: [View<'t>; V], detector: Detector<'t>, predictor: Predictor<'t>) -> Result<Self, TableError> {
        for view in &views {
            view.check()?;
            if view.tables.columns() > C {
                return Err(TableError::TooManyColumns { columns: view.tables.columns() as u16 });
            }
        }
        if V == 0 {
            Err(TableError::Inconsistent("views"))
        } else {
            Ok(Self { views, detector, predictor, schema: RowSchema::NONE })
        }
    }

    /// Returns this table with another schema of a row.
    pub const fn with_schema(self, schema: RowSchema<'t>) -> Self {
        Self { schema, ..self }
    }

    /// Returns the score of a row: its surprisal, its anomaly score, and the column with the largest surprisal.
    ///
    /// `readings` holds one reading per column, in the order of the training columns.
    ///
    /// A reading that is missing although no training row misses it is left out: its column is not scored, and
    /// [`RowScore::missing`] counts it. Where later columns depend on such columns, their outcomes are tried, the same number in
    /// each, and the one counts that surprises least; such a row takes several times as long as one without. A row in which every
    /// scored reading is so missing has the score [`RowScore::IMPOSSIBLE`]: nothing is known of it, so that it must not pass for
    /// normal.
    ///
    /// # Errors
    /// [`EncodeError`] names the reading that does not fit its column: it is of the wrong type, or absent.
    #[inline(never)]
    pub fn score(&self, readings: &[Reading]) -> Result<RowScore, EncodeError> {
        self.schema.check_row(readings)?;
        let mut score = RowScore::default();
        let mut total = None;
        for view in &self.views {
            let mut anomaly = SoftMaximum::new(self.detector.log2_temperature, view.largest_baseline());
            let of_view = view.by_column::<C>(readings, |scored| {
                anomaly.push(scored.nats, view.baseline(scored.at));
                if let Some((low, high)) = scored.bounds {
                    anomaly.push(tail(low, high), Nats::ZERO);
                }
                // Few columns get past the first comparison.
                let is_largest = || (score.largest, scored.column) < (scored.nats, score.column);
                if scored.nats >= score.largest && is_largest() && scored.column != View::REGIME {
                    (score.largest, score.column) = (scored.nats, scored.column);
                }
            })?;
            score.anomaly += anomaly.finish();
            score.missing = of_view.missing.max(score.missing);
            score.regime = score.regime.or(of_view.regime);
            total = Some(mixture(total, of_view.nats + self.share()));
        }
        if score.missing > 0 && self.views.iter().all(|view| view.lacks_all(readings)) {
            return Ok(RowScore { missing: score.missing, regime: score.regime, ..RowScore::IMPOSSIBLE });
        }
        score.nats = total.unwrap_or_default();
        Ok(score)
    }

    /// Returns the surprisal of a row: -ln of the mean of its densities in the views. This is the `nats` of
    /// [`score`](Self::score), in fewer instructions.
    ///
    /// # Errors
    /// [`EncodeError`], as for [`score`](Self::score).
    pub fn surprisal(&self, readings: &[Reading]) -> Result<Nats, EncodeError> {
        self.schema.check_row(readings)?;
        let mut total = None;
        for view in &self.views {
            total = Some(mixture(total, view.by_column::<C>(readings, |_| {})?.nats + self.share()));
        }
        Ok(total.unwrap_or_default())
    }

    /// Returns the detector's verdict on a row: whether its anomaly score exceeds the threshold.
    ///
    /// # Errors
    /// [`EncodeError`], as for [`score`](Self::score).
    pub fn judge(&self, readings: &[Reading]) -> Result<Verdict, EncodeError> {
        Ok(self.detector.judge(self.score(readings)?.anomaly))
    }

    /// Scores the golden rows of the table, as [`Table::self_test`](crate::Table::self_test) does.
    ///
    /// # Errors
    /// [`SelfTestError`], as for a [`Table`](crate::Table).
    pub fn self_test<const R: usize>(&self) -> Result<(), SelfTestError> {
        self.schema.self_test::<R>(|row| self.score(row).map(|score| [score.nats.raw(), score.anomaly.raw()]))
    }

    /// Returns the operating regime of a row in the first view that has prototypes, or `None` if no view has. A row that is
    /// far from every regime is one whose readings, together, are unlike any state of the machine in training.
    pub fn regime(&self, readings: &[Reading]) -> Option<Regime> {
        self.views.iter().find_map(|view| view.regime::<C>(readings))
    }

    /// Writes the shares of the columns in the surprisal of a row to `each[p]`, where p is the position of the column's
    /// reading, and returns the surprisal.
    ///
    /// The shares are the surprisals of the columns, each given the columns before it, in the view in which the row has
    /// the higher density. What the choice of a regime and the mixture of views add is part of the largest share, so
    /// that the shares add up to the surprisal unless `each` is too short.
    ///
    /// # Errors
    /// [`EncodeError`], as for [`score`](Self::score).
    pub fn explain(&self, readings: &[Reading], each: &mut [Nats]) -> Result<Nats, EncodeError> {
        self.schema.check_row(readings)?;
        let (mut total, mut best, mut densest) = (None, Nats::IMPOSSIBLE, 0);
        for (at, view) in self.views.iter().enumerate() {
            let nats = view.by_column::<C>(readings, |_| {})?.nats;
            if nats < best {
                (best, densest) = (nats, at);
            }
            total = Some(mixture(total, nats + self.share()));
        }
        let total = total.unwrap_or_default();
        each.fill(Nats::ZERO);
        let mut shared = Nats::ZERO;
        if let Some(view) = self.views.get(densest) {
            view.by_column::<C>(readings, |scored| {
                if scored.column != View::REGIME {
                    shared += scored.nats;
                }
                if let Some(slot) = each.get_mut(usize::from(scored.column)) {
                    *slot = scored.nats;
                }
            })?;
        }
        if let Some(largest) = each.iter_mut().max() {
            *largest += total.saturating_sub(shared);
        }
        Ok(total)
    }

    /// Returns ln V, the surprisal of one view among all.
    fn share(&self) -> Nats {
        // Exact for one, two and four views; the trainer fits at most two.
        Nats::of_mass(65536 / (V as u32).clamp(1, 65536))
    }
}

/// Returns -ln(e^-sum + e^-nats), or `nats` if there is no sum yet. Each includes the share of
/// its views, so that the result is never below zero.
fn mixture(sum: Option<Nats>, nats: Nats) -> Nats {
    let Some(sum) = sum else { return nats };
    let apart = i32::try_from(sum.raw().abs_diff(nats.raw())).unwrap_or(i32::MAX);
    sum.min(nats).saturating_sub(Logit::from_raw(apart).surprisal(true))
}
