//! Rows, and what a verb took over them.

use semihosting::println;
use surprisal::Reading;

/// Little-endian words: how many rows are ordinary, and rows of readings, those first.
#[derive(Clone, Copy)]
pub struct Rows(pub &'static [u8]);

impl Rows {
    /// Is it odd, and its readings?
    pub fn each<const C: usize>(self) -> impl Iterator<Item = (bool, [Reading; C])> {
        let (words, _) = self.0.as_chunks::<2>();
        let (ordinary, words) = words.split_first().unwrap_or((&[0; 2], &[]));
        let (rows, _) = words.as_chunks::<C>();
        let ordinary = usize::from(u16::from_le_bytes(*ordinary));
        let reading = |word| Reading::Integer(i16::from_le_bytes(word).into());
        rows.iter().enumerate().map(move |(at, row)| (at >= ordinary, row.map(reading)))
    }
}

/// What a verb took, in instructions and bytes.
#[derive(Default)]
pub struct Tally {
    rows: u32,
    sum: u64,
    max: u32,
    worst: u32,
    /// Of stack.
    pub bytes: u32,
}

impl Tally {
    /// Takes in a row that is odd, or one that is not.
    pub fn add(&mut self, odd: bool, instructions: u32) {
        self.worst = self.worst.max(instructions);
        if !odd {
            self.rows += 1;
            self.sum += u64::from(instructions);
            self.max = self.max.max(instructions);
        }
    }

    /// Prints the mean and the largest number of instructions over ordinary rows, the largest over all, bytes of stack.
    pub fn print(&self, table: &str, verb: &str) {
        let rows = u64::from(self.rows).max(1);
        println!("{table} {verb} {} {} {} {}", (self.sum + rows / 2) / rows, self.max, self.worst, self.bytes);
    }
}
