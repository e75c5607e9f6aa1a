//! A deterministic coin, for golden samples.

/// Knuth's linear congruential generator with the constants of *Numerical Recipes*. The coin is its upper half.
#[derive(Default)]
pub struct Coin(u32);

impl Coin {
    /// Returns the next coin, in 0..=65535.
    pub fn toss(&mut self) -> u16 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 16) as u16
    }
}

/// Packs up to eight bits into a byte, the first bit lowest.
pub fn pack(bits: &[bool]) -> u8 {
    bits.iter().rev().fold(0, |byte, &bit| byte << 1 | u8::from(bit))
}
