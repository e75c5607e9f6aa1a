//! Operations of a table over readings: the surprisal and anomaly score of a row, and the contributions of its columns.

use crate::detector::{RowScore, RowScorer, Verdict};
use crate::error::EncodeError;
use crate::nats::Nats;
use crate::reading::Reading;
use crate::row_schema::SelfTestError;
use crate::table::Table;

/// The surprisal of one column in a row, and its baseline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct ColumnScore {
    /// The column, as the position of its reading in the row.
    pub column: u16,
    /// The column's surprisal given the columns before it in model order.
    pub nats: Nats,
    /// The column's mean surprisal over calibration rows; zero if the table has no baselines.
    pub baseline: Nats,
}

impl ColumnScore {
    /// Returns the excess of the surprisal over the baseline, `nats` minus `baseline`, in units of 1/65536 nat.
    pub fn excess(&self) -> i64 {
        i64::from(self.nats.raw()) - i64::from(self.baseline.raw())
    }

    /// Returns whether this column has the larger excess of two, or the smaller position if the excesses are equal.
    #[cfg(feature = "heapless")]
    fn ranks_before(&self, other: &Self) -> bool {
        (other.excess(), self.column) < (self.excess(), other.column)
    }
}

impl<const N: usize, const H: usize, const K: usize> Table<'_, N, H, K> {
    /// Returns the score of a row: its surprisal, its anomaly score, and the column with the largest surprisal.
    ///
    /// `readings` holds one reading per column, in the order of the training columns. Every value of the right type has
    /// a positive probability, also a number out of the training range or a category that never occurred in training.
    ///
    /// A reading that is missing although no training row misses it is left out: its column is not scored, the column's
    /// likeliest value given the columns before it stands for it where later columns depend on it, and
    /// [`RowScore::missing`] counts it. A row in which every scored reading is so missing has the score
    /// [`RowScore::IMPOSSIBLE`]: nothing is known of it, so that it must not pass for normal.
    ///
    /// # Errors
    /// [`EncodeError`] names the reading that does not fit its column: it is of the wrong type, or absent.
    // Not inlined, so that the bits of the row and the state of the model leave the stack when the score is computed.
    #[inline(never)]
    pub fn score(&self, readings: &[Reading]) -> Result<RowScore, EncodeError> {
        let mut scorer = RowScorer::new(&self.detector);
        let (nats, missing) = self.by_column(readings, |column, nats| scorer.push(column, nats))?;
        Ok(match scorer.finish() {
            Some(score) => RowScore { nats, missing, ..score },
            None if missing > 0 => RowScore { missing, ..RowScore::IMPOSSIBLE },
            None => RowScore { nats, anomaly: nats, ..RowScore::default() },
        })
    }

    /// Returns the surprisal of a row: the surprisal of its bits plus the log-widths of its cells, see
    /// [`Encoder::encode`](crate::Encoder::encode). This is the `nats` of [`score`](Self::score), in fewer
    /// instructions.
    ///
    /// # Errors
    /// [`EncodeError`], as for [`score`](Self::score). A reading that is missing although no training row misses it is an
    /// error here, because leaving it out takes as much code as [`score`](Self::score).
    pub fn surprisal(&self, readings: &[Reading]) -> Result<Nats, EncodeError> {
        self.schema.check_row(readings)?;
        let mut row = [false; N];
        let log_widths = self.encode(readings, &mut row)?;
        Ok(self.model.surprisal(&row) + log_widths)
    }

    /// Returns the detector's verdict on a row: whether its anomaly score exceeds the threshold.
    ///
    /// # Errors
    /// [`EncodeError`], as for [`score`](Self::score).
    pub fn judge(&self, readings: &[Reading]) -> Result<Verdict, EncodeError> {
        Ok(self.detector.judge(self.score(readings)?.anomaly))
    }

    /// Scores the golden rows of the table and compares the results with those of the host that fitted it.
    ///
    /// Call it once at boot. An error says that the core, the compiler or the memory of this device does not compute what the
    /// trainer did, so that no score can be trusted. R is the capacity for the readings of a row. It takes as long as one
    /// [`score`](Self::score) per golden row, and a table has at most four golden rows.
    ///
    /// ```
    /// # mod shuttle { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/shuttle.rs")); }
    /// assert_eq!(shuttle::TABLE.self_test::<{ shuttle::COLUMNS.len() }>(), Ok(()));
    /// ```
    ///
    /// # Errors
    /// [`SelfTestError`] names the golden row with another score, or says that the table has none.
    pub fn self_test<const R: usize>(&self) -> Result<(), SelfTestError> {
        self.schema.self_test::<R>(|row| self.score(row).map(|score| [score.nats.raw(), score.anomaly.raw()]))
    }

    /// Writes the surprisal of each column given the columns before it in model order to `each[p]`, where p is the
    /// position of its reading, and returns their exact sum, the surprisal of the row.
    ///
    /// Positions without a scored column get zero. Columns beyond the end of `each` count in the sum alone.
    ///
    /// # Errors
    /// [`EncodeError`], as for [`score`](Self::score).
    pub fn explain(&self, readings: &[Reading], each: &mut [Nats]) -> Result<Nats, EncodeError> {
        each.fill(Nats::ZERO);
        let (nats, _) = self.by_column(readings, |column, nats| {
            if let Some(slot) = each.get_mut(usize::from(column)) {
                *slot += nats;
            }
        })?;
        Ok(nats)
    }

    /// Returns the C columns with the largest [`excess`](ColumnScore::excess) of surprisal over baseline, the largest
    /// first, or all columns if there are fewer. Columns of equal excess are in the order of their readings.
    ///
    /// ```
    /// # mod shuttle { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/shuttle.rs")); }
    /// use surprisal::Reading;
    /// let readings = [37, 0, 77, 0, 28, 0, 40, 48, 80].map(Reading::Integer);
    /// let top = shuttle::TABLE.top::<2>(&readings)?;
    /// assert_eq!(shuttle::COLUMNS[usize::from(top[0].column)], "V9");
    /// assert!(top[0].nats > top[0].baseline && top[0].excess() >= top[1].excess());
    /// # Ok::<(), surprisal::EncodeError>(())
    /// ```
    ///
    /// # Errors
    /// [`EncodeError`], as for [`score`](Self::score).
    #[cfg(feature = "heapless")]
    pub fn top<const C: usize>(&self, readings: &[Reading]) -> Result<heapless::Vec<ColumnScore, C>, EncodeError> {
        let mut top = heapless::Vec::<ColumnScore, C>::new();
        self.by_column(readings, |column, nats| {
            let mut score = ColumnScore { column, nats, baseline: self.detector.baseline(column) };
            // Insertion into the sorted list: each later entry moves on by one, and the last falls off a full list.
            for other in &mut top {
                if score.ranks_before(other) {
                    core::mem::swap(other, &mut score);
                }
            }
            let _ = top.push(score);
        })?;
        Ok(top)
    }

    /// Writes the bits of the readings to `row`, which must hold zeros, and returns the sum of the log-widths of the
    /// scored columns (columns that are not observed), see [`Encoder::encode`](crate::Encoder::encode).
    // Not inlined, so that its stack is free again before the model needs stack.
    #[inline(never)]
    fn encode(&self, readings: &[Reading], row: &mut [bool; N]) -> Result<Nats, EncodeError> {
        self.encoder.encode_scored(readings, row, |first| !self.model.is_observed(first))
    }

    /// Passes (position of the reading, surprisal) of each scored column to `each`, in model order. Returns the surprisal of
    /// the row, and the number of columns that are left out because a reading is missing although none was missing in
    /// training.
    fn by_column(&self, readings: &[Reading], mut each: impl FnMut(u16, Nats)) -> Result<(Nats, u16), EncodeError> {
        self.schema.check_row(readings)?;
        let (mut row, mut state, mut start, mut total) = ([false; N], self.model.start(), 0, Nats::ZERO);
        let mut missing = 0;
        // The bits of a column are neighbours, and are scored as soon as they are known.
        // Its own count of bits takes this loop fewer instructions than the ranges of the iterator.
        for (column, _) in self.encoder.columns() {
            // Two slices take a Cortex-M0 fewer instructions than one slice of the whole range.
            let bits = row.get_mut(start..).and_then(|row| row.get_mut(..column.bits()));
            let encoded = column.encode(readings, bits.ok_or(EncodeError::TooManyBits)?);
            let end = start + column.bits();
            let log_width = match encoded {
                Err(EncodeError::UnexpectedMissing { .. }) => {
                    self.model.complete_likeliest(&mut state, &mut row, start..end);
                    (missing, start) = (missing + 1, end);
                    continue;
                }
                encoded => encoded?,
            };
            let nats = self.model.read(&mut state, &row, start..end, |_, _| {}) + log_width;
            if !self.model.is_observed(start) {
                total += nats;
                each(column.source, nats);
            }
            start = end;
        }
        // Bits beyond the columns: all bits of a model that takes bits directly.
        Ok((total + self.model.read(&mut state, &row, start..self.model.bits(), |_, _| {}), missing))
    }
}
