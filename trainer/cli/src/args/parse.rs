//! Parsers of option values.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use surprisal_trainer::names::Named;
use surprisal_trainer::pipeline::Contamination;

/// Returns a parser of the names and former names of a type's values; `help` returns the help text of a value.
pub fn named<T: Named + Send + Sync>(help: fn(T) -> &'static str) -> impl TypedValueParser<Value = T> {
    let values = T::NAMES.iter().map(move |&(name, value)| {
        let aliases = T::ALIASES.iter().filter(move |(_, other)| *other == value).map(|(alias, _)| *alias);
        PossibleValue::new(name).aliases(aliases).help(help(value))
    });
    PossibleValuesParser::new(values.collect::<Vec<_>>()).try_map(|name| T::named(&name))
}

/// Parses a share from 0 to below 1.
pub fn share(text: &str) -> Result<f32, String> {
    let share = text.parse::<f32>().ok().filter(|share| (0.0..1.0).contains(share));
    share.ok_or_else(|| "expected a share from 0 to below 1, for example 0.2".to_owned())
}

/// Parses a finite number that is not negative.
pub fn amount(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok().filter(|number| number.is_finite() && *number >= 0.0);
    number.ok_or_else(|| "expected a number that is zero or more, for example 2.5".to_owned())
}

/// Parses a number of rows, or `all`, which is zero.
pub fn rows(text: &str) -> Result<usize, String> {
    let rows = if text == "all" { Some(0) } else { text.parse().ok() };
    rows.filter(|rows| *rows == 0 || *rows >= 20)
        .ok_or_else(|| "expected a number of rows of at least 20, for example 200000, or all".to_owned())
}

/// Parses a share of faulty rows, or `auto`.
pub fn contamination(text: &str) -> Result<Contamination, String> {
    if text == "auto" {
        return Ok(Contamination::Auto);
    }
    let share = text.parse().ok().filter(|share| (0.0..0.5).contains(share)).map(Contamination::Share);
    share.ok_or_else(|| "expected auto or a share from 0 to below 0.5, for example 0.02".to_owned())
}

/// Parses a size such as `16KiB`, `16k`, `0.5MiB` or `16384` and returns it in bytes.
pub fn size(text: &str) -> Result<usize, String> {
    let lower = text.trim().to_ascii_lowercase();
    let digits = lower.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(lower.len());
    let factor = match lower[digits..].trim() {
        "" | "b" => 1.0,
        "k" | "kb" | "kib" => 1024.0,
        "m" | "mb" | "mib" => 1024.0 * 1024.0,
        unit => return Err(format!("unknown unit `{unit}`; expected B, KiB or MiB, for example 16KiB")),
    };
    let number: f64 = lower[..digits].parse().map_err(|_| "expected a size in bytes, for example 16KiB".to_owned())?;
    Ok((number * factor) as usize)
}

/// Parses a window and a hop such as `2048` or `2048:512` and returns (window, hop) in samples.
pub fn windows(text: &str) -> Result<(usize, usize), String> {
    let (window, hop) = text.split_once(':').unwrap_or((text, text));
    let windows = window.parse().ok().zip(hop.parse().ok());
    windows.filter(|&(window, hop)| (2..=65536).contains(&window) && (1..=window).contains(&hop)).ok_or_else(|| {
        "expected WINDOW or WINDOW:HOP in samples, for example 2048:512; a window has 2 to 65536, a hop 1 to WINDOW"
            .into()
    })
}

/// Parses a finite number above zero.
pub fn positive(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok().filter(|number| number.is_finite() && *number > 0.0);
    number.ok_or_else(|| "expected a number above zero, for example 2.5".to_owned())
}

/// Parses a rule such as `3:5` and returns (votes, rows).
pub fn votes(text: &str) -> Result<(u8, u8), String> {
    let numbers = text.split_once(':').and_then(|(votes, of)| votes.parse().ok().zip(of.parse().ok()));
    numbers.filter(|&(votes, of)| 1 <= votes && votes <= of && of <= 32).ok_or_else(|| {
        "expected VOTES:ROWS, for example 3:5 for three of the last five rows; ROWS is at most 32".to_owned()
    })
}
