//! The density beyond the outermost edges of a column, which falls with the distance, computed in integers.

use super::Kind;
use crate::nats::Nats;
use crate::reading::{Reading, total_order};

/// The largest distance, in steps of [`Reading::fixed`]. Larger distances count as this one.
const FARTHEST: u64 = 1 << 61;
/// 2 ln 2, the surprisal that each doubling of the distance adds, in units of 1/65536 nat.
const TWO_OCTAVES: u64 = 90_852;

/// Returns the surprisal that a reading adds for its distance d from the range `first` to `last`, which is 0 inside the
/// range: 2 ln(1 + d/s) with s = 2^tail_scale.
///
/// The formula is the summand of -ln((1 + d/s)^-2 / s) that depends on d (density of Lomax, *Business Failures*, 1954).
/// The tail is heavy on purpose: a distance of a million s costs 28 nats, so one wild reading never hides the other
/// columns. The bounds of a real column are in [`total_order`].
pub(super) fn beyond(reading: Reading, kind: Kind, first: i32, last: i32, tail_scale: i8) -> Nats {
    let edge = |key: i32| match kind {
        Kind::Real => Reading::Real(f32::from_bits(total_order(f32::from_bits(key as u32)) as u32)),
        _ => Reading::Integer(key),
    };
    let [value, first, last] = [reading, edge(first), edge(last)].map(|reading| reading.fixed(tail_scale));
    let distance = first.saturating_sub(value).max(value.saturating_sub(last)).max(0);
    lomax(distance.unsigned_abs())
}

/// Returns 2 ln(1 + distance/256), where `distance` counts steps of [`Reading::fixed`]. The logarithm is linear between
/// powers of two, and so at most 0.12 nats too low.
fn lomax(distance: u64) -> Nats {
    let x = distance.min(FARTHEST) + (1 << Reading::FIXED_BITS);
    let octave = x.ilog2();
    // The 16 bits below the highest one bit of x: x / 2^octave - 1, in units of 1/65536.
    let fraction = (x << (63 - octave) << 1) >> 48;
    let octaves = u64::from(octave.saturating_sub(Reading::FIXED_BITS)) << 16 | fraction;
    Nats::from_raw(((octaves * TWO_OCTAVES) >> 16) as u32)
}
