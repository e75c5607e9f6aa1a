//! Blame: which reading of an anomalous row is at fault, and what it should have been.

use crate::error::EncodeError;
use crate::nats::Nats;
use crate::reading::Reading;
use crate::table::Table;
use crate::view::View;
use crate::view_table::ViewTable;

/// The largest number of values that replace each reading in a table of bits, which does not say which are likely.
const MOST_OF_BITS: usize = 32;
/// The largest number of values that replace each reading in a table of views.
const MOST: usize = 16;
/// The largest number of further values that replace each reading, from the view of residuals.
const RESIDUALS: usize = 8;

/// The column whose replacement by a typical value makes an anomalous row most normal, and that value.
///
/// The column with the largest surprisal is often not the one at fault: a wrong reading also makes correct readings
/// surprising that depend on it. Replacing one reading at a time, while all others stay, finds the single column that
/// explains the anomaly (the counterfactual of Wachter, Mittelstadt & Russell, *Counterfactual Explanations Without
/// Opening the Black Box*, 2018).
///
/// [`Table::blame`] and [`ViewTable::blame`] return it.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Blame {
    /// The blamed column, as the position of its reading. Of columns that explain the row equally well it is the
    /// smallest position. It is 0 if no column of the table can be blamed.
    pub column: u16,
    /// The value of the blamed column that makes the row most normal. It represents its whole cell. It is
    /// [`Reading::Missing`] if no column of the table can be blamed.
    pub expected: Reading,
    /// The anomaly score of the row as it is.
    pub before: Nats,
    /// The anomaly score of the row after the blamed reading is replaced by the expected value.
    pub anomaly: Nats,
    /// The column that explains the row second best, and the anomaly score after its replacement. `None` if the table
    /// has one column.
    pub runner_up: Option<(u16, Nats)>,
}

impl Blame {
    /// Returns whether the row does not tell the blamed column from the runner-up: replacing the runner-up removes at
    /// least 7/8 as much anomaly score as replacing the blamed column, or replacing no column removes any.
    ///
    /// Two sensors that measure the same quantity are such a pair: if they disagree, either of them may be at fault.
    pub fn is_ambiguous(&self) -> bool {
        let removed = |anomaly: Nats| self.before.saturating_sub(anomaly).raw();
        let (most, of_runner_up) = (removed(self.anomaly), self.runner_up.map(|(_, anomaly)| removed(anomaly)));
        most == 0 || of_runner_up.is_some_and(|second| second >= most - most / 8)
    }
}

/// A [`Blame`] while the columns are tried.
struct Search {
    before: Nats,
    best: Option<(Nats, u16, Reading)>,
    runner_up: Option<(Nats, u16)>,
}

impl Search {
    fn new(before: Nats) -> Self {
        Self { before, best: None, runner_up: None }
    }

    /// Puts each value in the place of the reading of `column`, and keeps the one with the smallest `anomaly`.
    fn consider(
        &mut self,
        column: u16,
        readings: &mut [Reading],
        values: impl Iterator<Item = Reading>,
        anomaly: impl Fn(&[Reading]) -> Result<Nats, EncodeError>,
    ) {
        let at = usize::from(column);
        let Some(&own) = readings.get(at) else { return };
        let mut best: Option<(Nats, Reading)> = None;
        for value in values {
            if let Some(slot) = readings.get_mut(at) {
                *slot = value;
            }
            if let Ok(nats) = anomaly(readings)
                && best.is_none_or(|(least, _)| nats < least)
            {
                best = Some((nats, value));
            }
        }
        if let Some(slot) = readings.get_mut(at) {
            *slot = own;
        }
        let Some((nats, expected)) = best else { return };
        let mut loser = Some((nats, column));
        if self.best.is_none_or(|(least, first, _)| (nats, column) < (least, first)) {
            loser = self.best.replace((nats, column, expected)).map(|(nats, column, _)| (nats, column));
        }
        if let Some(loser) = loser
            && self.runner_up.is_none_or(|runner_up| loser < runner_up)
        {
            self.runner_up = Some(loser);
        }
    }

    fn finish(self) -> Blame {
        let (anomaly, column, expected) = self.best.unwrap_or((self.before, 0, Reading::Missing));
        let runner_up = self.runner_up.map(|(nats, column)| (column, nats));
        Blame { column, expected, before: self.before, anomaly, runner_up }
    }
}

impl<const N: usize, const H: usize, const K: usize> Table<'_, N, H, K> {
    /// Returns the column that is most likely at fault in an anomalous row, and the value that it should have had.
    ///
    /// It puts at most 32 typical values of each scored column in the place of its reading, one column at a time: cells
    /// that are spread evenly between the outermost edges, the most frequent codes of a category, or both values of a
    /// flag. A missing reading is replaced as well, but nothing is replaced by a missing reading. `readings` hold the
    /// same values afterwards. For a time series they are the readings that `Stream::push` returned, and so is the
    /// expected value.
    ///
    /// Takes at most 1 + 32 D times as long as [`score`](Self::score) for D columns. Call it for alarms: on a normal row
    /// the answer means nothing.
    ///
    /// ```
    /// # mod shuttle { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/shuttle.rs")); }
    /// use surprisal::Reading;
    /// let mut readings = [43, 1, 77, 0, 42, 0, 34, 35, 2].map(Reading::Integer);
    /// readings[4] = Reading::Integer(-18); // in place of 42
    /// assert_eq!(shuttle::COLUMNS[usize::from(shuttle::TABLE.score(&readings)?.column)], "V8"); // the most surprising
    /// let blame = shuttle::TABLE.blame(&mut readings)?;
    /// assert_eq!(shuttle::COLUMNS[usize::from(blame.column)], "V5");
    /// assert_eq!(blame.expected, Reading::Integer(40)); // the middle of the cell of 42
    /// assert!(shuttle::TABLE.detector.judge(blame.before).is_anomalous());
    /// assert!(!shuttle::TABLE.detector.judge(blame.anomaly).is_anomalous());
    /// # Ok::<(), surprisal::EncodeError>(())
    /// ```
    ///
    /// # Errors
    /// [`EncodeError`], as for [`score`](Self::score).
    pub fn blame(&self, readings: &mut [Reading]) -> Result<Blame, EncodeError> {
        let mut search = Search::new(self.score(readings)?.anomaly);
        for (column, bits) in self.encoder.columns() {
            if !self.model.is_observed(bits.start) {
                let values = column.spread(MOST_OF_BITS).filter_map(|outcome| column.typical(outcome));
                search.consider(column.source, readings, values, |readings| Ok(self.score(readings)?.anomaly));
            }
        }
        Ok(search.finish())
    }
}

impl<const C: usize, const V: usize> ViewTable<'_, C, V> {
    /// Returns the column that is most likely at fault in an anomalous row, and the value that it should have had.
    ///
    /// It puts at most 24 typical values of each scored column of the first view in the place of its reading, one column
    /// at a time. 16 are the middles of the cells, the codes or the flags that have the largest masses given the columns
    /// on which the column depends. The other 8 come from the second view: the prototype that is nearest without the
    /// column, plus the residuals that have the largest masses there. A missing reading is replaced as well, but nothing
    /// is replaced by a missing reading, and a missing reading is not replaced by a residual. `readings` hold the same
    /// values afterwards. For a time series they are the readings that `Stream::push` returned, and so is the expected
    /// value.
    ///
    /// Takes at most 1 + 25 D times as long as [`score`](Self::score) for D columns, and 24 passes over the masses of
    /// each column. Call it for alarms: on a normal row the answer means nothing.
    ///
    /// # Errors
    /// [`EncodeError`], as for [`score`](Self::score).
    pub fn blame(&self, readings: &mut [Reading]) -> Result<Blame, EncodeError> {
        let mut search = Search::new(self.score(readings)?.anomaly);
        let Some(view) = self.views.first() else { return Ok(search.finish()) };
        let (mut row, nearest) = ([0; C], view.prototypes.nearest::<C>(readings));
        view.encode::<C>(readings, &mut row)?;
        let mut walk = view.tables.walk();
        for (column, _) in view.encoder.columns() {
            let Some(conditional) = walk.next(&row) else { break };
            let (Some(masses), false) = (conditional, column.source == View::REGIME) else { continue };
            let reading = readings.get(usize::from(column.source)).copied().unwrap_or(Reading::Missing);
            let values = masses.likeliest().filter_map(|outcome| {
                let typical = column.typical(outcome.into())?;
                match view.prototypes.column_of(column.source) {
                    Some(at) => view.prototypes.restored(at, nearest, typical, reading),
                    None => Some(typical),
                }
            });
            let second = self.views.get(1).and_then(|view| view.typical_readings::<C>(column.source, readings));
            let values = values.take(MOST).chain(second.into_iter().flatten().take(RESIDUALS));
            search.consider(column.source, readings, values, |readings| Ok(self.score(readings)?.anomaly));
        }
        Ok(search.finish())
    }
}

impl<'t> View<'t> {
    /// Yields the readings that are typical of the column at `source`, the most likely first, in the regime that is the
    /// nearest without this column. Returns `None` if the column has no residuals. `readings` hold the same values
    /// afterwards.
    fn typical_readings<const C: usize>(
        &self,
        source: u16,
        readings: &mut [Reading],
    ) -> Option<impl Iterator<Item = Reading> + use<'t, C>> {
        let at = self.prototypes.column_of(source)?;
        // A residual is restored in the type of the present reading, which a missing one does not have.
        let slot = readings.get_mut(usize::from(source)).filter(|reading| !reading.is_missing())?;
        // A missing reading does not count in the distance.
        let own = core::mem::replace(slot, Reading::Missing);
        let nearest = self.prototypes.nearest::<C>(readings);
        // On the coordinate of the prototype, the reading leaves it the nearest.
        let on_prototype = self.prototypes.restored(at, nearest, Reading::Integer(0), own).unwrap_or(own);
        let mut row = [0; C];
        *readings.get_mut(usize::from(source))? = on_prototype;
        let encoded = self.encode::<C>(readings, &mut row);
        *readings.get_mut(usize::from(source))? = own;
        encoded.ok()?;
        let mut walk = self.tables.walk();
        for (column, _) in self.encoder.columns() {
            let conditional = walk.next(&row)?;
            if column.source == source {
                let prototypes = self.prototypes;
                let restored =
                    move |outcome: u8| prototypes.restored(at, nearest, column.typical(outcome.into())?, own);
                return Some(conditional?.likeliest().filter_map(restored));
            }
        }
        None
    }
}
