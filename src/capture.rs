//! Readings as lines of a log that `surprisal collect` turns into the CSV file that `surprisal fit` reads.
//!
//! A capture is lines that hold `surprisal: ` and then cells with commas between: a line of names where the board
//! starts, then a line of numbers a row, where nothing stands for a missing reading. What is before the marker, and all
//! other lines, are the log's own. A serial port without defmt writes the same text.

use crate::encoder::Reading;

/// The line of names that begins a session: `defmt::println!("{}", Header(&["current", "valve"]))` logs
/// `surprisal: current,valve`.
#[derive(Clone, Copy, Debug)]
pub struct Header<'a>(pub &'a [&'a str]);

/// A row: `defmt::println!("{}", Row(&readings))` logs `surprisal: 512,1`.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a>(pub &'a [Reading]);

impl defmt::Format for Header<'_> {
    fn format(&self, f: defmt::Formatter<'_>) {
        for (name, lead) in self.0.iter().zip(leads()) {
            defmt::write!(f, "{=str}{=str}", lead, name);
        }
    }
}

impl defmt::Format for Row<'_> {
    fn format(&self, f: defmt::Formatter<'_>) {
        for (reading, lead) in self.0.iter().zip(leads()) {
            match *reading {
                Reading::Integer(value) => defmt::write!(f, "{=str}{=i32}", lead, value),
                Reading::Real(value) => defmt::write!(f, "{=str}{=f32}", lead, value),
                Reading::Missing => defmt::write!(f, "{=str}", lead),
            }
        }
    }
}

/// What goes before each cell.
fn leads() -> impl Iterator<Item = &'static str> {
    core::iter::once("surprisal: ").chain(core::iter::repeat(","))
}
