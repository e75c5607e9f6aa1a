//! Capture: prints readings as lines of a log, which `surprisal collect` turns into the CSV file that `surprisal fit`
//! reads.
//!
//! A capture line holds `surprisal: ` followed by cells separated by commas. The board logs a line of column names when
//! it starts, and then one line of numbers per row; an empty cell is a missing reading. `surprisal collect` ignores
//! text before the marker and all other lines. A program without defmt can write the same text to a serial port.

use crate::reading::Reading;

/// The capture line of column names, which a board logs when it starts:
/// `defmt::println!("{}", CaptureHeader(&["current", "valve"]))` logs `surprisal: current,valve`.
#[derive(Clone, Copy, Debug)]
pub struct CaptureHeader<'a>(pub &'a [&'a str]);

/// The capture line of one row of readings: `defmt::println!("{}", CaptureRow(&readings))` logs `surprisal: 512,1`.
#[derive(Clone, Copy, Debug)]
pub struct CaptureRow<'a>(pub &'a [Reading]);

impl defmt::Format for CaptureHeader<'_> {
    fn format(&self, f: defmt::Formatter<'_>) {
        for (name, lead) in self.0.iter().zip(leads()) {
            defmt::write!(f, "{=str}{=str}", lead, name);
        }
    }
}

impl defmt::Format for CaptureRow<'_> {
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

/// Yields the text before each cell: the marker, and then commas.
fn leads() -> impl Iterator<Item = &'static str> {
    core::iter::once("surprisal: ").chain(core::iter::repeat(","))
}
