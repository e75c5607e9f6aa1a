//! The search for offsets: constants of the readings that make rows most likely, of which those stay that many rows support.

use core::cmp::Ordering;

use crate::decimal::{floor, steps};
use crate::nats::Nats;
use crate::reading::{Reading, total_order};

/// Largest number of passes over the columns.
const PASSES: usize = 4;
/// Largest number of moves of a column, alone or with others, by steps of the same size in a pass.
const MOVES: usize = 16;
/// Halvings of the scale of a column down to the largest and to the smallest step: a quarter and a thousandth.
const LARGEST: u32 = 2;
const SMALLEST: u32 = 10;
/// The most that one row adds to the gain of an offset, or takes from it: 4 nats.
const MOST_OF_ROW: u32 = 4 << 16;

/// A step of the search.
struct Step {
    /// The column that moves.
    first: usize,
    /// Whether the columns after it that rise and fall together with it move as well, if it moves itself.
    with_others: bool,
    /// Each column moves by its scale divided by two to this power, or by the next smaller multiple of its grain.
    halvings: u32,
    /// Whether the first column moves up.
    is_up: bool,
}

/// Finds the offsets that minimise a sum of surprisals, as [`Table::offsets`](crate::Table::offsets) does, for callers that
/// add up the rows themselves, such as the trainer, and keeps those that many rows support. `scales` are those of
/// [`Table::offset_scales`](crate::Table::offset_scales), `grains` those of [`grain`], and `together` is the [`concordance`] of
/// two columns. `offsets`, which has as many entries as `scales`, takes the result: [`Reading::Missing`] for readings without
/// an offset. `scratch` is as long, for offsets that are tried.
///
/// `sums` gets offsets, and pushes the surprisals of rows less these offsets to [`OffsetSums`]; if it also gets other offsets,
/// it pushes the surprisals by those beside them. `rows` is the number of rows that count as independent; if there are more
/// rows, divide the sums accordingly.
///
/// # Errors
/// The first error of `sums`.
pub fn search_offsets<E>(
    scales: &[Reading],
    grains: &[Reading],
    together: impl Fn(usize, usize) -> Ordering,
    [offsets, scratch]: [&mut [Reading]; 2],
    rows: usize,
    mut sums: impl FnMut(&[Reading], Option<&[Reading]>) -> Result<OffsetSums, E>,
) -> Result<(), E> {
    let columns = || scales.iter().enumerate().filter(|&(_, &scale)| is_positive(scale));
    offsets.fill(Reading::Missing);
    for (at, &scale) in columns() {
        put(offsets, at, zero(scale));
    }
    let none = sums(offsets, None)?.nats;
    let mut least = none;
    // Writes offsets after a step to `scratch`, and returns the number of those that moved.
    let shift = |offsets: &[Reading], scratch: &mut [Reading], step: &Step| {
        copy(offsets, scratch);
        let mut moved = 0_usize;
        for (at, &scale) in columns() {
            let coarse = grains.get(at).and_then(|&grain| multiple(grain, scale, step.halvings));
            let size = coarse.unwrap_or_else(|| divided(scale, step.halvings));
            let order = match at.cmp(&step.first) {
                Ordering::Equal => Ordering::Greater,
                Ordering::Greater if step.with_others && moved > 0 && is_positive(size) => together(step.first, at),
                _ => Ordering::Equal,
            };
            if order.is_ne() && is_positive(size) {
                let own = scratch.get(at).copied().unwrap_or(scale);
                put(scratch, at, own.less(if step.is_up == order.is_gt() { negated(size) } else { size }));
                moved = moved.saturating_add(1);
            }
        }
        moved
    };
    // Repeats a move as long as rows become more likely. Returns whether it was made at all.
    let mut line = |offsets: &mut [Reading], least: &mut u64, step: &Step| {
        for count in 0..MOVES {
            if shift(offsets, scratch, step) <= usize::from(step.with_others) {
                return Ok(count > 0);
            }
            let nats = sums(scratch, None)?.nats;
            if nats >= *least {
                return Ok(count > 0);
            }
            *least = nats;
            copy(scratch, offsets);
        }
        Ok(true)
    };
    for _ in 0..PASSES {
        let before = least;
        // Large steps of all columns come before small ones, so that columns seldom make up for one another.
        for halvings in LARGEST..=SMALLEST {
            // Sensors that tell the same and are off by the same become more likely only if all of them move.
            for with_others in [false, true] {
                for (first, _) in columns() {
                    // After a move, the other direction leads back.
                    let step = Step { first, with_others, halvings, is_up: false };
                    if !line(offsets, &mut least, &step)? {
                        line(offsets, &mut least, &Step { is_up: true, ..step })?;
                    }
                }
            }
        }
        // A pass that gains less than a nat is the last one.
        if before - least < 1 << 16 {
            break;
        }
    }
    // An offset of zero is none.
    offsets.iter_mut().filter(|offset| is_zero(**offset)).for_each(|offset| *offset = Reading::Missing);
    let rows = u32::try_from(rows).unwrap_or(u32::MAX);
    let cost = Nats::RAREST.saturating_sub(Nats::of_mass(rows)).raw() / 2;
    let (mut total, mut is_settled) = (least, false);
    while !is_settled {
        is_settled = true;
        // Of sensors that tell the same, one may not go without the others. A single one comes first, so that noise of the others
        // does not count against it.
        for with_others in [false, true] {
            for (first, _) in columns() {
                if !is_some(offsets, first) {
                    continue;
                }
                copy(offsets, scratch);
                let mut dropped = 0_u32;
                for (at, _) in columns() {
                    if is_some(offsets, at) && (at == first || with_others && at > first && together(first, at).is_ne())
                    {
                        put(offsets, at, Reading::Missing);
                        dropped = dropped.saturating_add(1);
                    }
                }
                if dropped <= u32::from(with_others) {
                    copy(scratch, offsets);
                    continue;
                }
                let without = sums(offsets, Some(scratch))?;
                if without.gains_more_than(cost.saturating_mul(dropped)) {
                    copy(scratch, offsets);
                } else {
                    // The other offsets gain less or more without these.
                    (total, is_settled) = (without.nats, false);
                }
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

/// Returns whether two sensors rise and fall together ([`Ordering::Greater`]), one falls where the other one rises
/// ([`Ordering::Less`]), or neither: whether Kendall's τ (*A New Measure of Rank Correlation*, 1938), by the pairs of rows that
/// are half of all rows apart, exceeds 1/2 or is below -1/2. Pairs with a lost reading, or with equal ones, count as neither. Sensors that drift through all of the rows rise and fall
/// together as well. The iterator yields the readings of both in each row.
///
/// ```
/// use surprisal::{Reading, concordance};
/// let rows = [(2.0, -4.0), (3.0, -7.0), (5.0, -9.0), (8.0, -10.0)];
/// let rows = rows.map(|(first, second)| (Reading::Real(first), Reading::Real(second)));
/// assert_eq!(concordance(rows.into_iter()), std::cmp::Ordering::Less);
/// ```
#[must_use]
pub fn concordance(rows: impl ExactSizeIterator<Item = (Reading, Reading)> + Clone) -> Ordering {
    let half = rows.len() / 2;
    let pairs = rows.clone().take(half).zip(rows.skip(half));
    let sum = pairs.fold(0_i32, |sum, ((first, second), (later_first, later_second))| {
        sum.saturating_add(order(first, later_first) as i32 * order(second, later_second) as i32)
    });
    // Fewer than half of the pairs, or as many, are neither.
    if sum.unsigned_abs() as usize <= half / 2 { Ordering::Equal } else { sum.cmp(&0) }
}

/// Returns the order of two numbers of the same type; others have none, and count as equal.
fn order(one: Reading, other: Reading) -> Ordering {
    match (one, other) {
        (Reading::Integer(one), Reading::Integer(other)) => one.cmp(&other),
        (Reading::Real(one), Reading::Real(other)) => total_order(one).cmp(&total_order(other)),
        _ => Ordering::Equal,
    }
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

fn is_some(row: &[Reading], at: usize) -> bool {
    row.get(at).is_some_and(|reading| !reading.is_missing())
}

fn copy(from: &[Reading], to: &mut [Reading]) {
    to.iter_mut().zip(from).for_each(|(slot, &reading)| *slot = reading);
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

fn is_zero(reading: Reading) -> bool {
    match reading {
        Reading::Integer(value) => value == 0,
        // Comparing bits needs no FPU.
        Reading::Real(value) => value.to_bits() << 1 == 0,
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
