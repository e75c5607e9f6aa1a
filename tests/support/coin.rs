//! A coin that falls the same everywhere, for sampled streams that must not change.

/// Knuth's linear congruential generator with the constants of *Numerical Recipes*; its upper half is the coin.
#[derive(Default)]
pub struct Coin(u32);

impl Coin {
    /// The next coin.
    pub fn toss(&mut self) -> u16 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 16) as u16
    }
}

/// Up to eight bits as a byte, the first one lowest.
pub fn pack(bits: &[bool]) -> u8 {
    bits.iter().rev().fold(0, |byte, &bit| byte << 1 | u8::from(bit))
}
