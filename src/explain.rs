//! A score by columns: all of them, the one that surprises most, or those that exceed what is usual of them.

use crate::detector::{Detector, Oddness};
use crate::encoder::Reading;
use crate::error::EncodeError;
use crate::link::Nats;
use crate::table::Table;

/// What is said of a row: its score, and how much of that one column or a few have to answer for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Surprise {
    /// The score.
    pub total: Nats,
    /// What the detector judges by: the columns' surprisals as one number, see [`Oddness`]; without columns the score.
    pub oddness: Nats,
    /// The largest surprisal of a single column.
    pub largest: Nats,
    /// Which column that is, by the position of its reading; the first of several that are equal.
    pub column: u16,
}

impl Surprise {
    /// Of a row that cannot be scored: as odd as can be.
    pub const IMPOSSIBLE: Self =
        Self { total: Nats::IMPOSSIBLE, oddness: Nats::IMPOSSIBLE, largest: Nats::IMPOSSIBLE, column: 0 };

    /// Of a row whose columns surprise so much each, by the positions of their readings. [`Table::surprise`] says the same;
    /// this is for those who have the columns' surprisals already.
    ///
    /// ```
    /// use surprisal::{Detector, Nats, Surprise};
    /// let surprise = Surprise::of(&Detector::OFF, &[(1, Nats::from_raw(500)), (0, Nats::from_raw(700))]);
    /// assert_eq!((surprise.total, surprise.column), (Nats::from_raw(1200), 0));
    /// ```
    pub fn of(detector: &Detector, columns: &[(u16, Nats)]) -> Self {
        let mut tally = Tally::new(detector);
        columns.iter().for_each(|&(column, nats)| tally.push(column, nats));
        tally.surprise().unwrap_or_default()
    }
}

/// A [`Surprise`] under way.
struct Tally<'d> {
    detector: &'d Detector<'d>,
    oddness: Oddness,
    /// None before the first column.
    surprise: Option<Surprise>,
}

impl<'d> Tally<'d> {
    fn new(detector: &'d Detector<'d>) -> Self {
        Self { detector, oddness: Oddness::new(detector), surprise: None }
    }

    fn push(&mut self, column: u16, nats: Nats) {
        self.oddness.push(self.detector, column, nats);
        let surprise = self.surprise.get_or_insert(Surprise { column, ..Surprise::default() });
        surprise.total += nats;
        if (surprise.largest, column) < (nats, surprise.column) {
            (surprise.largest, surprise.column) = (nats, column);
        }
    }

    fn surprise(self) -> Option<Surprise> {
        Some(Surprise { oddness: self.oddness.nats(self.detector), ..self.surprise? })
    }
}

/// What a column contributes to a score, beside what it usually does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Share {
    /// The position of the column's reading.
    pub column: u16,
    /// Its surprisal given the columns before it in model order.
    pub nats: Nats,
    /// The mean of that on held-out ordinary rows; zero if the table does not say.
    pub usual: Nats,
}

impl Share {
    /// `nats` minus `usual`, in units of 1/65536 nat.
    pub fn excess(&self) -> i64 {
        i64::from(self.nats.raw()) - i64::from(self.usual.raw())
    }

    /// Does it come before another: by a larger excess, or as the earlier of two that are equal?
    #[cfg(feature = "heapless")]
    fn leads(&self, other: &Self) -> bool {
        (other.excess(), self.column) < (self.excess(), other.column)
    }
}

impl<const N: usize, const H: usize, const K: usize> Table<'_, N, H, K> {
    /// The surprisal of each column given the columns before it in model order, into `each` by the position of its
    /// reading. They add up to the result, which is the score, exactly.
    ///
    /// # Errors
    /// As [`score`](Self::score).
    pub fn explain(&self, readings: &[Reading], each: &mut [Nats]) -> Result<Nats, EncodeError> {
        each.fill(Nats::ZERO);
        self.by_column(readings, |column, nats| {
            if let Some(slot) = each.get_mut(usize::from(column)) {
                *slot += nats;
            }
        })
    }

    /// The score, and the column that surprises most.
    ///
    /// # Errors
    /// As [`score`](Self::score).
    // Apart, so that the row's bits and their walk do not lie on the stack while the caller does other things.
    #[inline(never)]
    pub fn surprise(&self, readings: &[Reading]) -> Result<Surprise, EncodeError> {
        let mut tally = Tally::new(&self.detector);
        let total = self.by_column(readings, |column, nats| tally.push(column, nats))?;
        let surprise = tally.surprise().unwrap_or(Surprise { oddness: total, ..Surprise::default() });
        Ok(Surprise { total, ..surprise })
    }

    /// The at most C columns whose surprisal exceeds their usual one by most, in falling order; of equal ones the earlier
    /// first.
    ///
    /// ```
    /// # mod shuttle { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/shuttle.rs")); }
    /// use surprisal::Reading;
    /// let readings = [37, 0, 77, 0, 28, 0, 40, 48, 80].map(Reading::Integer);
    /// let top = shuttle::TABLE.top::<2>(&readings)?;
    /// assert_eq!(shuttle::COLUMNS[usize::from(top[0].column)], "V9");
    /// assert!(top[0].nats > top[0].usual && top[0].excess() >= top[1].excess());
    /// # Ok::<(), surprisal::EncodeError>(())
    /// ```
    ///
    /// # Errors
    /// As [`score`](Self::score).
    #[cfg(feature = "heapless")]
    pub fn top<const C: usize>(&self, readings: &[Reading]) -> Result<heapless::Vec<Share, C>, EncodeError> {
        let mut top = heapless::Vec::<Share, C>::new();
        self.by_column(readings, |column, nats| {
            let mut share = Share { column, nats, usual: self.detector.usual_of(column) };
            // It takes its place, the one there the next, and so on; the last falls off the end.
            for other in &mut top {
                if share.leads(other) {
                    core::mem::swap(other, &mut share);
                }
            }
            let _ = top.push(share);
        })?;
        Ok(top)
    }

    /// Hands the surprisal of each column to `each`, with the position of its reading, in model order; the sum is the
    /// score.
    pub(crate) fn by_column(&self, readings: &[Reading], mut each: impl FnMut(u16, Nats)) -> Result<Nats, EncodeError> {
        let (mut row, mut state, mut start, mut total) = ([false; N], self.model.start(), 0, Nats::ZERO);
        // A column's bits lie side by side, and are scored as soon as they are known.
        for column in self.encoder.columns() {
            let bits = row.get_mut(start..).and_then(|row| row.get_mut(..column.bits())).ok_or(EncodeError::TooWide)?;
            let width = column.encode(readings, bits)?;
            let end = start + column.bits();
            let nats = self.model.read(&mut state, &row, start..end, |_, _| {}) + width;
            if !self.model.is_given(start) {
                total += nats;
                each(column.source, nats);
            }
            start = end;
        }
        // A model that is fed bits directly has no columns.
        Ok(total + self.model.read(&mut state, &row, start..self.model.bits(), |_, _| {}))
    }
}
