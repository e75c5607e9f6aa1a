//! The place of a reading within its cell: which of the readings that fall into the cell it is.

use crate::codec::Symbols;
use crate::decimal::{floor, scaled};
use crate::encoder::{Column, Kind};
use crate::logit::Mass;
use crate::reading::{Reading, real_of, total_order};

/// The whole numbers that stand for the readings of a numeric column in a packet: its *grid*.
#[derive(Clone, Copy, Debug)]
pub(super) enum Grid {
    /// Integers stand for themselves.
    Integer,
    /// Real numbers, by their place in [`total_order`].
    Float,
    /// Real numbers, in steps of 10^-decimals.
    Decimal(u8),
    /// Readings whose residual from `base`, in steps of 2^scale / 256, is modelled: integers if there are no decimals.
    Residual { decimals: Option<u8>, scale: i8, base: i64 },
}

/// log2 of the distance over which the density beyond the outermost edges falls to a quarter, for floats in [`total_order`].
const FLOAT_TAIL: i32 = 20;
const EVEN: Mass = Mass::new(1 << 15);

impl Grid {
    /// Returns the number that stands for a reading, or `None` if there is none.
    pub(super) fn number(self, reading: Reading) -> Option<i64> {
        let number = match (self, reading) {
            (Self::Integer | Self::Residual { decimals: None, .. }, Reading::Integer(value)) => value,
            (Self::Float, Reading::Real(value)) if !reading.is_missing() && value.to_bits() != 1 << 31 => {
                total_order(value)
            }
            (Self::Decimal(decimals) | Self::Residual { decimals: Some(decimals), .. }, _) => {
                reading.to_decimal(decimals)?
            }
            _ => return None,
        };
        Some(number.into())
    }

    /// Returns the reading for which a number stands: the inverse of [`number`](Self::number).
    pub(super) fn reading(self, number: i64) -> Reading {
        let number = number.clamp(i32::MIN.into(), i32::MAX.into()) as i32;
        match self {
            Self::Integer | Self::Residual { decimals: None, .. } => Reading::Integer(number),
            Self::Float => real_of(number),
            Self::Decimal(decimals) | Self::Residual { decimals: Some(decimals), .. } => {
                Reading::from_decimal(number, decimals)
            }
        }
    }

    /// Returns the largest number whose reading is at or below an edge, or one less than the smallest number if there is none,
    /// so that a cell has fewer than 2^32 numbers.
    #[inline(never)]
    pub(super) fn last(self, edge: i32) -> i64 {
        let last = match self {
            Self::Integer | Self::Float => return edge.into(),
            Self::Decimal(decimals) => floor(edge, decimals),
            Self::Residual { decimals, scale, base } => {
                let steps = base.saturating_add(edge.into());
                let bound = |steps| scaled(steps, i32::from(scale) - Reading::FIXED_BITS as i32, decimals.unwrap_or(0));
                // Readings are rounded towards zero: those below the next step round down to this one.
                if steps < 0 { bound(steps) } else { -bound(-1 - steps) - 1 }
            }
        };
        last.clamp(i64::from(i32::MIN) - 1, i32::MAX.into())
    }

    /// Returns what the edges of a column are compared with for a reading, which has this number.
    fn key(self, reading: Reading, number: i64) -> i32 {
        let key = match (self, reading) {
            (Self::Residual { scale, base, .. }, _) => reading.fixed(scale).saturating_sub(base),
            (Self::Decimal(_), Reading::Real(value)) => total_order(value).into(),
            _ => number,
        };
        key.clamp(i32::MIN.into(), i32::MAX.into()) as i32
    }

    /// Returns the outcome whose cell holds a number, given the outcome by the edges, which rounding can miss.
    #[inline(never)]
    pub(super) fn settled(self, column: &Column, mut outcome: usize, number: i64) -> usize {
        if let Self::Integer | Self::Float = self {
            return outcome;
        }
        while column.values.get(outcome).is_some_and(|&edge| number > self.last(edge)) {
            outcome += 1;
        }
        while let Some(below) = outcome.checked_sub(1)
            && column.values.get(below).is_some_and(|&edge| number <= self.last(edge))
        {
            outcome = below;
        }
        outcome
    }

    /// Returns the scale of tails in this grid, log2 of a distance in numbers, from that of the modelled quantity.
    pub(super) fn tail_scale(self, tail: i8) -> u32 {
        let tail = i32::from(tail);
        // 10^decimals is about 2^(213 decimals / 64).
        let octaves = |decimals: u8| (i32::from(decimals) * 213) >> 6;
        let scale = match self {
            Self::Integer => tail,
            Self::Float => FLOAT_TAIL,
            Self::Decimal(decimals) => tail + octaves(decimals),
            Self::Residual { decimals, scale, .. } => {
                tail + i32::from(scale) - Reading::FIXED_BITS as i32 + octaves(decimals.unwrap_or(0))
            }
        };
        scale.clamp(0, 31) as u32
    }

    /// Codes the place of a number within the cell of an outcome, and returns the number.
    #[inline(never)]
    pub(super) fn code(self, column: &Column, outcome: usize, number: i64, coder: &mut impl Symbols) -> i64 {
        let edge = |at: usize| column.values.get(at).map(|&edge| self.last(edge));
        match (outcome.checked_sub(1).and_then(edge), edge(outcome)) {
            (Some(low), Some(high)) => {
                let last = u32::try_from(high - low - 1).unwrap_or(0);
                let place = u32::try_from(number - low - 1).unwrap_or(0);
                low + 1 + i64::from(coder.up_to(place, last))
            }
            (Some(low), None) => low + 1 + tail(number - low - 1, self.tail_scale(column.tail_scale), coder),
            (None, Some(high)) => high - tail(high - number, self.tail_scale(column.tail_scale), coder),
            (None, None) => around(0, number, self.tail_scale(column.tail_scale), coder),
        }
    }
}

/// Codes a number by its distance from a middle on either side.
pub(super) fn around(middle: i64, number: i64, scale: u32, coder: &mut impl Symbols) -> i64 {
    if coder.flag(number < middle, EVEN) {
        middle - 1 - tail(middle - 1 - number, scale, coder)
    } else {
        middle + tail(number - middle, scale, coder)
    }
}

/// Codes a distance d of at least 0 with the tail of the encoder, whose density is proportional to (1 + d/s)^-2 with
/// s = 2^scale: the number of doublings of 1 + d/s, each of which halves the probability of more, and then the place between
/// two doublings.
#[inline(never)]
fn tail(distance: i64, scale: u32, coder: &mut impl Symbols) -> i64 {
    // Distances between two integers of 32 bits have at most 33 bits.
    const MOST: u32 = 34;
    let shifted = distance.max(0).unsigned_abs() + (1 << scale);
    let mut octave = scale;
    while octave < MOST && coder.flag(shifted >> octave > 1, EVEN) {
        octave += 1;
    }
    let rest = coder.bits(shifted & ((1 << octave) - 1), octave);
    (((1 << octave) | rest).saturating_sub(1 << scale)) as i64
}

/// Codes any reading, bit for bit.
#[inline(never)]
pub(super) fn raw(reading: Reading, coder: &mut impl Symbols) -> Reading {
    let (kind, bits) = match reading {
        Reading::Integer(value) => (0, value as u32),
        Reading::Real(value) => (1, value.to_bits()),
        Reading::Missing => (2, 0),
    };
    match coder.uniform(kind, 3) {
        0 => Reading::Integer(coder.bits(bits.into(), 32) as i32),
        1 => Reading::Real(f32::from_bits(coder.bits(bits.into(), 32) as u32)),
        _ => Reading::Missing,
    }
}

/// A reading of a column as packets hold it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cell {
    /// The outcome, or `None` for a missing reading.
    pub outcome: Option<usize>,
    /// The number of a numeric reading, the code of a category, or the value of a flag.
    pub number: i64,
    /// Whether the reading itself is so; otherwise it does not fit the column, and something else stands for it.
    pub fits: bool,
}

impl Cell {
    /// Returns the cell of a reading of a column.
    #[inline(never)]
    pub(super) fn of(column: &Column, grid: Grid, reading: Reading) -> Self {
        let fitting = |outcome, number| Self { outcome: Some(outcome), number, fits: true };
        match (column.kind, reading) {
            // A short way for the most frequent readings.
            (Kind::Integer, Reading::Integer(value)) if matches!(grid, Grid::Integer) => {
                fitting(column.values.partition_point(|&edge| value > edge), value.into())
            }
            (_, Reading::Missing) if column.may_miss => Self { outcome: None, number: 0, fits: true },
            (Kind::Flag { flipped }, Reading::Integer(value @ 0..=1)) => {
                fitting(usize::from(value != i32::from(flipped)), value.into())
            }
            (Kind::Category, Reading::Integer(code)) => {
                let known = column.values.iter().position(|&known| known == code);
                fitting(known.unwrap_or(column.values.len()), code.into())
            }
            (Kind::Integer | Kind::Real, _) => match grid.number(reading) {
                Some(number) => {
                    let key = grid.key(reading, number);
                    let outcome = column.values.partition_point(|&edge| key > edge);
                    // Residuals of integers are exact, unless they saturate.
                    let is_exact =
                        matches!(grid, Grid::Residual { decimals: None, .. }) && key != i32::MIN && key != i32::MAX;
                    fitting(if is_exact { outcome } else { grid.settled(column, outcome, number) }, number)
                }
                None => Self::substitute(column, grid),
            },
            _ => Self::substitute(column, grid),
        }
    }

    /// Returns the cell that stands for a reading that does not fit its column.
    fn substitute(column: &Column, grid: Grid) -> Self {
        let middle = column.values.len() / 2;
        let edge = column.values.get(middle);
        let (outcome, number) = match column.kind {
            _ if column.may_miss => (None, 0),
            Kind::Flag { flipped } => (Some(0), flipped.into()),
            Kind::Category => (Some(0), column.values.first().copied().unwrap_or(0).into()),
            Kind::Integer | Kind::Real => {
                let number = edge.map_or(0, |&edge| grid.last(edge));
                (Some(grid.settled(column, middle, number)), number)
            }
        };
        Self { outcome, number, fits: false }
    }

    /// Returns the reading that has this cell, unless it does not fit.
    pub(super) fn reading(self, column: &Column, grid: Grid) -> Reading {
        match (self.outcome, column.kind) {
            (None, _) => Reading::Missing,
            (_, Kind::Integer | Kind::Real) => grid.reading(self.number),
            _ => Reading::Integer(self.number as i32),
        }
    }

    /// Codes what the outcome leaves open, and returns the reading. On decoding, only the outcome is known.
    #[inline(never)]
    pub(super) fn code(self, column: &Column, grid: Grid, coder: &mut impl Symbols) -> Reading {
        let Some(outcome) = self.outcome else { return Reading::Missing };
        let code = match column.kind {
            Kind::Flag { flipped } => i32::from((outcome == 1) != flipped),
            Kind::Category => match column.values.get(outcome) {
                Some(&code) => code,
                // The outcome stands for all other codes.
                None => coder.bits((self.number as u32).into(), 32) as i32,
            },
            Kind::Integer | Kind::Real => {
                return grid.reading(grid.code(column, outcome, self.number, coder));
            }
        };
        Reading::Integer(code)
    }
}
