//! Readings: the values that a board passes in, and their integer forms.

/// A reading: the value of one column in one row, or the fact that it is missing.
///
/// ```
/// use surprisal::Reading;
/// assert_eq!(Reading::from(512), Reading::Integer(512));
/// assert_eq!(Reading::from(None::<f32>), Reading::Missing);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Reading {
    /// An integer: an ADC count, a flag (0 or 1), or the code of a category.
    Integer(i32),
    /// A real number. A NaN counts as a missing reading.
    Real(f32),
    /// The sensor delivered no value.
    Missing,
}

/// Fixed-point readings saturate at ± this value. It suffices for a reading of 1e15 units of 2^scale.
const FIXED_LIMIT: i64 = 1 << 61;

impl Reading {
    /// log2 of 256, the number of fixed-point steps that [`fixed`](Self::fixed) divides 2^scale into.
    pub(crate) const FIXED_BITS: u32 = 8;

    /// Returns whether there is no value: the reading is missing or not a number.
    pub const fn is_missing(self) -> bool {
        match self {
            Self::Missing => true,
            // Infinity has the largest bit pattern of all numbers; comparing floats would call for an FPU.
            Self::Real(value) => value.to_bits() << 1 > f32::INFINITY.to_bits() << 1,
            Self::Integer(_) => false,
        }
    }

    /// Returns what [`fixed`](Self::fixed) returns, if it is below 2^31: in a fraction of its instructions on a core of 32
    /// bits. Returns `None` for a missing reading and for larger numbers.
    #[inline]
    pub(crate) fn fixed_small(self, scale: i8) -> Option<i32> {
        let shift = Self::FIXED_BITS as i32 - i32::from(scale);
        match self {
            Self::Integer(value) => match shift {
                0 => Some(value),
                1..=30 => {
                    let scaled = value << shift;
                    (scaled >> shift == value).then_some(scaled)
                }
                // Adds 2^k - 1 to a negative number, so that the shift rounds towards zero.
                -30..=-1 => Some(value.wrapping_add((value >> 31) & ((1 << -shift) - 1)) >> -shift),
                _ => None,
            },
            Self::Real(value) => {
                let bits = value.to_bits();
                let exponent = (bits >> 23 & 0xFF) as i32;
                let magnitude = (bits & 0x7F_FFFF | u32::from(exponent > 0) << 23) as i32;
                let scaled = match exponent.max(1) - 150 + shift {
                    // An infinity, or no number.
                    _ if exponent == 255 => return None,
                    left @ 0..=7 => magnitude << left,
                    right @ -31..=-1 => magnitude >> -right,
                    _ => return None,
                };
                Some(if bits >> 31 == 1 { -scaled } else { scaled })
            }
            Self::Missing => None,
        }
    }

    /// Returns the reading in steps of 2^scale / 256, rounded towards zero and saturating at ±2^61, or 0 for
    /// [`Missing`](Self::Missing). Callers check [`is_missing`](Self::is_missing) first, because a NaN saturates.
    ///
    /// The bits of a float are taken apart by integer operations, so that a core without an FPU links no floating-point
    /// code.
    pub(crate) fn fixed(self, scale: i8) -> i64 {
        let (magnitude, negative, exponent) = match self {
            Self::Integer(value) => (value.unsigned_abs(), value < 0, 0),
            Self::Real(value) => {
                let bits = value.to_bits();
                let exponent = (bits >> 23 & 0xFF) as i32;
                (bits & 0x7F_FFFF | u32::from(exponent > 0) << 23, bits >> 31 == 1, exponent.max(1) - 150)
            }
            Self::Missing => return 0,
        };
        let shift = exponent + Self::FIXED_BITS as i32 - i32::from(scale);
        let scaled = match shift {
            _ if magnitude == 0 => 0,
            // A magnitude of 32 - z bits, shifted by at most z + 29, stays below 2^61.
            0.. if shift as u32 <= magnitude.leading_zeros() + 29 => i64::from(magnitude) << shift,
            0.. => FIXED_LIMIT,
            -31..=-1 => i64::from(magnitude >> -shift),
            _ => 0,
        };
        if negative { -scaled } else { scaled }
    }

    /// Returns the real number that is `steps` steps of 2^scale / 256, rounded towards zero: the inverse of
    /// [`fixed`](Self::fixed). It saturates at the largest finite numbers, and is 0 below the smallest normal number.
    pub(crate) fn real_from_fixed(steps: i64, scale: i8) -> Self {
        let (magnitude, sign) = (steps.unsigned_abs(), u32::from(steps < 0) << 31);
        let zeros = magnitude.leading_zeros();
        // The highest bit of the magnitude is 2^(63 - zeros) steps.
        let exponent = 127 + 63 - zeros as i32 - Self::FIXED_BITS as i32 + i32::from(scale);
        let bits = match exponent {
            _ if magnitude == 0 => 0,
            ..=0 => 0,
            1..=254 => (exponent as u32) << 23 | (magnitude << zeros << 1 >> 41) as u32,
            _ => f32::MAX.to_bits(),
        };
        Self::Real(f32::from_bits(bits | sign))
    }

    /// Returns this number less another one of the same type. Integers saturate. Real numbers that have the same decimals, at most six,
    /// and at most seven digits are subtracted as decimal numbers, so that a reading in tenths stays one: a unit in the last place of an `f32` more
    /// could lie in another cell. Others above 2^-90 are rounded to the nearest `f32`, as an FPU rounds, except that no result is
    /// infinite, and smaller numbers lose digits. Infinite and missing readings, and those of another type than `offset`, stay as
    /// they are. Integer operations alone compute it, so that a core without an FPU links no floating-point code.
    ///
    /// ```
    /// use surprisal::Reading;
    /// assert_eq!(Reading::Real(18.6).less(Reading::Real(0.3)), Reading::Real(18.3));
    /// assert_ne!(18.6_f32 - 0.3, 18.3);
    /// assert_eq!(Reading::Integer(7).less(Reading::Missing), Reading::Integer(7));
    /// ```
    #[must_use]
    pub fn less(self, offset: Self) -> Self {
        match (self, offset) {
            (Self::Integer(value), Self::Integer(offset)) => Self::Integer(value.saturating_sub(offset)),
            (Self::Real(value), Self::Real(other)) => {
                let exponent = |value: f32| (value.to_bits() >> 23 & 0xFF) as i32;
                let exponents = exponent(value).max(exponent(other));
                if exponents == 255 || other.to_bits() << 1 == 0 {
                    return self;
                }
                if let Some(less) = self.less_decimal(offset) {
                    return less;
                }
                // The larger of the two has at most 2^61 steps. What the smaller loses is too little to round otherwise.
                let scale = (exponents - 179).max(-128) as i8;
                let steps = self.fixed(scale) - offset.fixed(scale);
                // The nearest multiple of a power of two that has 24 bits, of two the even one.
                let surplus = 40u32.saturating_sub(steps.unsigned_abs().leading_zeros());
                let half = (1i64 << surplus) >> 1;
                let is_odd = steps >> surplus & 1;
                let rounded = if surplus == 0 { steps } else { (steps + half - 1 + is_odd) >> surplus << surplus };
                Self::real_from_fixed(rounded, scale)
            }
            _ => self,
        }
    }

    /// Returns the integer nearest to `steps` steps of 2^scale / 256, saturating: the inverse of [`fixed`](Self::fixed).
    pub(crate) fn integer_from_fixed(steps: i64, scale: i8) -> Self {
        let shift = i32::from(scale) - Self::FIXED_BITS as i32;
        let limited = steps.clamp(i32::MIN.into(), i32::MAX.into());
        let value = match shift {
            0.. => limited << shift.min(31),
            // Half a unit more before the division rounds to the nearest unit.
            _ => ((steps >> (-shift - 1).min(63)).saturating_add(1)) >> 1,
        };
        Self::Integer(value.clamp(i32::MIN.into(), i32::MAX.into()) as i32)
    }
}

impl From<i32> for Reading {
    fn from(value: i32) -> Self {
        Self::Integer(value)
    }
}

impl From<f32> for Reading {
    fn from(value: f32) -> Self {
        Self::Real(value)
    }
}

impl<T: Into<Reading>> From<Option<T>> for Reading {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Missing, Into::into)
    }
}

/// Returns an integer that orders as `value` does, so that floats can be compared without floating-point instructions.
///
/// With b the bits of the float as an `i32`, the result is b if b >= 0, 0 for -0.0, and otherwise b with all bits
/// except the sign inverted. The infinities are the first and the last number of this order, and NaNs are outside. The
/// function is its own inverse: `total_order(f32::from_bits(total_order(x) as u32)) as u32` are the bits of `x`, except
/// for the sign of zero.
///
/// ```
/// use surprisal::total_order;
/// assert!(total_order(-1.5) < total_order(-1.0) && total_order(0.0) < total_order(f32::MIN_POSITIVE));
/// assert_eq!(total_order(-0.0), total_order(0.0));
/// ```
pub const fn total_order(value: f32) -> i32 {
    let bits = value.to_bits() as i32;
    if bits == i32::MIN {
        return 0;
    }
    bits ^ (((bits >> 31) as u32) >> 1) as i32
}

/// Returns the real number with this key in [`total_order`], as a reading. Keys of NaNs count as the nearest infinity.
pub(crate) fn real_of(key: i32) -> Reading {
    const INFINITY: i32 = total_order(f32::INFINITY);
    const LEAST: i32 = total_order(f32::NEG_INFINITY);
    let bits = total_order(f32::from_bits(key.clamp(LEAST, INFINITY) as u32));
    Reading::Real(f32::from_bits(bits as u32))
}
