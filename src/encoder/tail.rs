//! What lies beyond the outermost edges: a density that falls with the distance, in integers.

use crate::link::Nats;

use super::{Kind, Reading, total_order};

/// Distances are counted in units of 2^reach / 256, and saturate here: far enough for 1e9 on a scale of millionths.
const MOST: i64 = 1 << 61;
const UNIT: u32 = 8;
/// 2 ln 2, in units of 1/65536.
const TWO_OCTAVES: u64 = 90_852;

/// What a reading outside (first, last] costs for its distance d from there: 2 ln(1 + d/s) with s = 2^reach, the part of
/// -ln of the density (1 + d/s)^-2 / s that depends on d (Lomax, *Business Failures*, 1954). Its tail is heavy on purpose:
/// a value a million times out of range costs 28 nats, and none swamps what it is added to.
pub(super) fn beyond(reading: Reading, kind: Kind, first: i32, last: i32, reach: i8) -> Nats {
    let edge = |key: i32| match kind {
        Kind::Real => Reading::Real(f32::from_bits(total_order(f32::from_bits(key as u32)) as u32)),
        _ => Reading::Integer(key),
    };
    let [value, first, last] = [reading, edge(first), edge(last)].map(|reading| fixed(reading, reach));
    let distance = first.saturating_sub(value).max(value.saturating_sub(last)).max(0);
    lomax(distance.unsigned_abs())
}

/// A reading in units of 2^reach / 256, within ±[`MOST`]; no floating-point instruction is needed to take a float apart.
pub(crate) fn fixed(reading: Reading, reach: i8) -> i64 {
    let (magnitude, negative, exponent) = match reading {
        Reading::Integer(value) => (value.unsigned_abs(), value < 0, 0),
        Reading::Real(value) => {
            let bits = value.to_bits();
            let exponent = (bits >> 23 & 0xFF) as i32;
            (bits & 0x7F_FFFF | u32::from(exponent > 0) << 23, bits >> 31 == 1, exponent.max(1) - 150)
        }
        Reading::Missing => return 0,
    };
    let shift = exponent + UNIT as i32 - i32::from(reach);
    let scaled = match shift {
        _ if magnitude == 0 => 0,
        // As far as it stays below MOST.
        0.. if shift as u32 <= magnitude.leading_zeros() + 29 => i64::from(magnitude) << shift,
        0.. => MOST,
        -31..=-1 => i64::from(magnitude >> -shift),
        _ => 0,
    };
    if negative { -scaled } else { scaled }
}

/// 2 ln(1 + d/256), the logarithm on straight lines between powers of two: at most 0.12 nats below it.
fn lomax(distance: u64) -> Nats {
    let x = distance.min(MOST as u64) + (1 << UNIT);
    let octave = x.ilog2();
    // x / 2^octave - 1, in units of 1/65536; x has at least 8 bits behind its first.
    let fraction = (x << (63 - octave) << 1) >> 48;
    let octaves = u64::from(octave.saturating_sub(UNIT)) << 16 | fraction;
    Nats::from_raw(((octaves * TWO_OCTAVES) >> 16) as u32)
}
