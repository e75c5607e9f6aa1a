//! The search for offsets: constants of the readings that make rows most likely, of which those stay that many rows support.

use crate::decimal::{floor, steps};
use crate::nats::Nats;
use crate::reading::{Reading, total_order};

/// Largest number of passes over the columns.
const PASSES: usize = 4;
/// Largest number of moves of one column by steps of the same size in a pass.
const MOVES: usize = 16;
/// Halvings of the scale of a column down to the largest and to the smallest step: a quarter and a thousandth.
const LARGEST: u32 = 2;
const SMALLEST: u32 = 10;
/// The most that one row adds to the gain of an offset, or takes from it: 4 nats.
const MOST_OF_ROW: u32 = 4 << 16;

/// Finds the offsets that minimise a sum of surprisals, as [`Table::offsets`](crate::Table::offsets) does, for callers that
/// add up the rows themselves, such as the trainer, and keeps those that many rows support. `scales` are those of
/// [`Table::offset_scales`](crate::Table::offset_scales), `grains` those of [`grain`], and `offsets`, which has as many entries
/// as `scales`, takes the result: [`Reading::Missing`] for readings without an offset.
///
/// `sums` gets offsets, and pushes the surprisals of rows less these offsets to [`OffsetSums`]; if it also gets the offset
/// that another solution has for one reading, it pushes the surprisals by that solution beside them. `rows` is the number of
/// rows that count as independent; if there are more rows, divide the sums accordingly.
///
/// # Errors
/// The first error of `sums`.
pub fn search_offsets<E>(
    scales: &[Reading],
    grains: &[Reading],
    offsets: &mut [Reading],
    rows: usize,
    mut sums: impl FnMut(&[Reading], Option<(usize, Reading)>) -> Result<OffsetSums, E>,
) -> Result<(), E> {
    let columns = || scales.iter().enumerate().filter(|&(_, &scale)| is_positive(scale));
    offsets.fill(Reading::Missing);
    for (at, &scale) in columns() {
        put(offsets, at, zero(scale));
    }
    let none = sums(offsets, None)?.nats;
    let mut least = none;
    for _ in 0..PASSES {
        let before = least;
        // Large steps of all columns come before small ones, so that columns seldom make up for one another.
        for halvings in LARGEST..=SMALLEST {
            for (at, &scale) in columns() {
                let coarse = grains.get(at).and_then(|&grain| multiple(grain, scale, halvings));
                let step = coarse.unwrap_or_else(|| divided(scale, halvings));
                if !is_positive(step) {
                    continue;
                }
                // After a move, the other direction leads back.
                for step in [step, negated(step)] {
                    let mut moved = false;
                    for _ in 0..MOVES {
                        let own = offsets.get(at).copied().unwrap_or(scale);
                        put(offsets, at, own.less(step));
                        let nats = sums(offsets, None)?.nats;
                        if nats >= least {
                            put(offsets, at, own);
                            break;
                        }
                        (least, moved) = (nats, true);
                    }
                    if moved {
                        break;
                    }
                }
            }
        }
        // A pass that gains less than a nat is the last one.
        if before - least < 1 << 16 {
            break;
        }
    }
    let rows = u32::try_from(rows).unwrap_or(u32::MAX);
    let cost = Nats::RAREST.saturating_sub(Nats::of_mass(rows)).raw() / 2;
    let (mut total, mut is_settled) = (least, false);
    while !is_settled {
        is_settled = true;
        for (at, &scale) in columns() {
            let own = offsets.get(at).copied().unwrap_or(scale);
            put(offsets, at, Reading::Missing);
            if own.is_missing() || own == zero(scale) {
                continue;
            }
            let without = sums(offsets, Some((at, own)))?;
            if without.gains_more_than(cost) {
                put(offsets, at, own);
            } else {
                // The other offsets gain less or more without this one.
                (total, is_settled) = (without.nats, false);
            }
        }
    }
    // Offsets that need each other may be left without one of them, and are then worse than none.
    if total > none {
        offsets.fill(Reading::Missing);
    }
    Ok(())
}

/// Returns the grain of these readings: the largest number that divides all their differences. For many readings of a sensor it is
/// the smallest difference that the sensor tells. It is [`Reading::Missing`] if all are equal, if they differ in type, or if one is a
/// real number of more than six decimals or seven digits.
///
/// ```
/// use surprisal::{Reading, grain};
/// let readings = [20.5, 21.0, 19.5, 19.5, 20.0].map(Reading::Real);
/// assert_eq!(grain(readings.into_iter()), Reading::Real(0.5));
/// ```
#[must_use]
pub fn grain(readings: impl Iterator<Item = Reading> + Clone) -> Reading {
    grain_of(readings.filter(|reading| !reading.is_missing())).unwrap_or(Reading::Missing)
}

fn grain_of(mut readings: impl Iterator<Item = Reading> + Clone) -> Option<Reading> {
    let decimals = readings.clone().try_fold(0, |most, reading| reading.decimals(most))?;
    let first = readings.next()?;
    let is_real = matches!(first, Reading::Real(_));
    let first = steps(first, decimals)?;
    let mut common = 0_u32;
    for reading in readings {
        if matches!(reading, Reading::Real(_)) != is_real {
            return None;
        }
        let mut rest = steps(reading, decimals)?.abs_diff(first);
        // Euclid's algorithm.
        while let Some(remainder) = common.checked_rem(rest) {
            (common, rest) = (rest, remainder);
        }
    }
    let common = i32::try_from(common).ok().filter(|&common| common > 0)?;
    Some(if is_real { Reading::from_decimal(common, decimals) } else { Reading::Integer(common) })
}

/// Returns a scale divided by 2^halvings and rounded down to a multiple of the grain; for the largest step, at least the grain.
/// Returns `None` if that is zero, or if the smallest step of the search is a grain or more.
///
/// An offset that is no multiple of the grain is far less likely than the multiples on both sides of it, so that a search by smaller
/// steps would never leave a multiple.
fn multiple(grain: Reading, scale: Reading, halvings: u32) -> Option<Reading> {
    let decimals = grain.decimals(0)?;
    let own = u32::try_from(steps(grain, decimals)?).ok()?;
    let whole = match scale {
        Reading::Real(value) => floor(total_order(value), decimals),
        _ => steps(scale, decimals)?.into(),
    };
    let whole = u32::try_from(whole).ok()?;
    if own <= whole >> SMALLEST {
        return None;
    }
    let count = (whole >> halvings).checked_div(own)?;
    let count = if halvings == LARGEST { count.max(1) } else { count };
    let steps = i32::try_from(count.saturating_mul(own)).ok().filter(|&steps| steps > 0)?;
    Some(if matches!(scale, Reading::Real(_)) {
        Reading::from_decimal(steps, decimals)
    } else {
        Reading::Integer(steps)
    })
}

/// Sums over rows by which [`search_offsets`] compares offsets.
///
/// ```
/// use surprisal::{Nats, OffsetSums};
/// let mut sums = OffsetSums::default();
/// sums.push(Nats::from_raw(5 << 16), Nats::from_raw(2 << 16));
/// assert_eq!((sums.nats, sums.gain, sums.squares), (5 << 16, 3 << 16, 9 << 16));
/// // A row counts for 4 nats at most.
/// sums.push(Nats::ZERO, Nats::from_raw(20 << 16));
/// assert_eq!((sums.nats, sums.gain, sums.squares), (5 << 16, -1 << 16, 25 << 16));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OffsetSums {
    /// The sum of surprisals, in units of 1/65536 nat.
    pub nats: u64,
    /// The sum of what each row gains by another solution, at most 4 nats more or less, in units of 1/65536 nat.
    pub gain: i64,
    /// The sum of the squares of what each row gains, in units of 1/65536 square nat.
    pub squares: u64,
}

impl OffsetSums {
    /// Adds a row: its surprisal, and that by the other solution, or the same again if there is none.
    pub fn push(&mut self, own: Nats, other: Nats) {
        let gain = own.raw().abs_diff(other.raw()).min(MOST_OF_ROW);
        let signed = if own < other { -i64::from(gain) } else { gain.into() };
        self.nats = self.nats.saturating_add(own.raw().into());
        self.gain = self.gain.saturating_add(signed);
        self.squares = self.squares.saturating_add(((gain >> 8) * (gain >> 8)).into());
    }

    /// Returns whether the gain exceeds a cost by twice the root of the sum of squares.
    fn gains_more_than(&self, cost: u32) -> bool {
        let excess = (self.gain.saturating_sub(cost.into()).max(0) >> 8) as u64;
        excess.saturating_mul(excess) > self.squares.saturating_mul(4)
    }
}

pub(crate) fn put(row: &mut [Reading], at: usize, reading: Reading) {
    if let Some(slot) = row.get_mut(at) {
        *slot = reading;
    }
}

/// Returns whether a reading is a finite number above zero.
pub(crate) fn is_positive(reading: Reading) -> bool {
    match reading {
        Reading::Integer(value) => value > 0,
        // Comparing bits needs no FPU.
        Reading::Real(value) => (1..f32::INFINITY.to_bits()).contains(&value.to_bits()),
        Reading::Missing => false,
    }
}

/// Returns zero in the type of a reading.
fn zero(reading: Reading) -> Reading {
    match reading {
        Reading::Integer(_) => Reading::Integer(0),
        Reading::Real(_) => Reading::Real(0.0),
        Reading::Missing => Reading::Missing,
    }
}

pub(crate) fn negated(reading: Reading) -> Reading {
    match reading {
        Reading::Integer(value) => Reading::Integer(value.saturating_neg()),
        Reading::Real(value) => Reading::Real(f32::from_bits(value.to_bits() ^ 1 << 31)),
        Reading::Missing => Reading::Missing,
    }
}

/// Returns a number above zero, divided by 2^halvings. The largest step of an integer is at least 1, and smaller ones can be 0,
/// as those of real numbers below 2^-116 are.
fn divided(reading: Reading, halvings: u32) -> Reading {
    match reading {
        Reading::Integer(value) if halvings == LARGEST => Reading::Integer((value >> halvings).max(1)),
        Reading::Integer(value) => Reading::Integer(value >> halvings),
        Reading::Real(value) => match value.to_bits().checked_sub(halvings << 23) {
            Some(bits) if bits >= 1 << 23 => Reading::Real(f32::from_bits(bits)),
            _ => Reading::Real(0.0),
        },
        Reading::Missing => Reading::Missing,
    }
}
