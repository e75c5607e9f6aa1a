//! A made-up motor, in integers, so that every machine hears the same.
#![allow(dead_code, reason = "each test takes what it needs")]

/// Samples of the example file, which the golden table is fitted on.
pub const RECORDED: usize = 16_384;
/// Samples after those, sound and then worn, that the golden rows are made of.
pub const HEARD: usize = 2048;

/// Its vibration: a hum and a whine whose strengths swell, and noise; a worn one knocks at every turn.
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

/// From -16384 up to 16384 and down again while the phase runs through 16 bits.
fn triangle(phase: u32) -> i32 {
    ((phase & 0xFFFF) as i32 - 0x8000).abs() - 0x4000
}
