//! A simulated motor, in integers, so that every machine computes the same samples.
#![allow(dead_code, reason = "each program uses a part")]

/// The number of samples of the example file, to which the golden table is fitted.
pub const RECORDED: usize = 16_384;
/// The number of later samples, of a sound and of a worn motor each, from which the golden rows are computed.
pub const HEARD: usize = 2048;

/// Yields the vibration: two tones of varying amplitude, and noise. A worn motor knocks once per turn.
pub fn motor(worn: bool) -> impl Iterator<Item = i16> {
    let mut noise = 1u32;
    (0u32..).map(move |t| {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let swell = 96 + triangle(t.wrapping_mul(37)) / 512;
        let tones = swell * (triangle(t.wrapping_mul(1311)) + triangle(t.wrapping_mul(7919)) / 3) / 2048;
        let knock = if worn && t % 211 < 3 { 5000 } else { 0 };
        (300 + tones + knock + (noise >> 23) as i32) as i16
    })
}

/// Returns a triangle wave from -16384 to 16384, with a period of 65536.
fn triangle(phase: u32) -> i32 {
    ((phase & 0xFFFF) as i32 - 0x8000).abs() - 0x4000
}
