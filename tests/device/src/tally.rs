//! Rows, and the cost of an operation over them.

use semihosting::println;
use surprisal::Reading;

/// Little-endian words of 16 bits: the number of normal rows, then the readings of the normal and of the other rows.
#[derive(Clone, Copy)]
pub struct Rows(pub &'static [u8]);

impl Rows {
    /// Yields each row: whether it is anomalous, and its readings.
    pub fn each<const C: usize>(self) -> impl Iterator<Item = (bool, [Reading; C])> {
        let (words, _) = self.0.as_chunks::<2>();
        let (normal, words) = words.split_first().unwrap_or((&[0; 2], &[]));
        let (rows, _) = words.as_chunks::<C>();
        let normal = usize::from(u16::from_le_bytes(*normal));
        let reading = |word| Reading::Integer(i16::from_le_bytes(word).into());
        rows.iter().enumerate().map(move |(at, row)| (at >= normal, row.map(reading)))
    }
}

/// The cost of an operation in instructions and bytes.
#[derive(Default)]
pub struct Tally {
    rows: u32,
    sum: u64,
    max: u32,
    worst: u32,
    /// The largest number of bytes of stack.
    pub bytes: u32,
}

impl Tally {
    /// Adds the instructions of a row.
    pub fn add(&mut self, anomalous: bool, instructions: u32) {
        self.worst = self.worst.max(instructions);
        if !anomalous {
            self.rows += 1;
            self.sum += u64::from(instructions);
            self.max = self.max.max(instructions);
        }
    }

    /// Prints the mean and the maximum over normal rows, the maximum over all rows, and the bytes of stack.
    pub fn print(&self, table: &str, operation: &str) {
        let rows = u64::from(self.rows).max(1);
        println!("{table} {operation} {} {} {} {}", (self.sum + rows / 2) / rows, self.max, self.worst, self.bytes);
    }
}
