//! The tests, by name.

use core::hint::black_box;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

macro_rules! tests {
    ($($name:ident),* $(,)?) => {
        /// Every test and its name, in the order in which they run.
        pub const TESTS: &[(&str, fn())] = &[$((stringify!($name), $name)),*];
    };
}

tests![memory_is_initialised, wide_arithmetic_is_exact];

/// The board was started properly: variables hold what the source says.
fn memory_is_initialised() {
    static SET: AtomicU32 = AtomicU32::new(0x5EED);
    static ZERO: AtomicU32 = AtomicU32::new(0);
    assert_eq!((SET.load(Relaxed), ZERO.load(Relaxed)), (0x5EED, 0));
}

/// 64-bit products and quotients come from software on these cores.
fn wide_arithmetic_is_exact() {
    let (a, b) = (black_box(0x0123_4567_89AB_CDEF_u64), black_box(0xFEDC_BA98_u64));
    assert_eq!(a / b * b + a % b, a);
    assert_eq!(black_box(-7_i64) >> 1, -4);
}
