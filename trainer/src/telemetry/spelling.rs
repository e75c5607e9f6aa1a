//! Cells that are kept as text, and what their spelling has to do with it.

use std::path::Path;

use super::Channel;
use crate::counted::counted;
use crate::data::{is_missing, parse_number};
use crate::schema::Schema;
use crate::warning::Warning;

/// Smallest share of the bytes of a file, and of those of all texts, that is worth a warning: one part in so many.
const SHARE: usize = 10;
/// Number of bytes of the numbers before a text.
const NUMBERS: usize = 3;
/// Largest number of characters of an example.
const EXAMPLE: usize = 40;

/// Cells of a column that are kept as text.
#[derive(Clone, Debug, Default)]
pub(super) struct Kept {
    cells: usize,
    bytes: usize,
    /// The first of them.
    example: Option<String>,
}

impl Kept {
    /// Adds a cell.
    pub fn push(&mut self, text: &str) {
        self.add(&Self { cells: 1, bytes: NUMBERS + text.len(), example: None });
        self.example.get_or_insert_with(|| text.to_owned());
    }

    /// Adds the cells of more rows.
    pub fn add(&mut self, more: &Self) {
        self.cells += more.cells;
        self.bytes += more.bytes;
        if self.example.is_none() {
            self.example.clone_from(&more.example);
        }
    }
}

/// Returns a warning for each column whose texts take a large part of a file of so many bytes.
pub(super) fn warnings(
    path: &Path,
    schema: &Schema,
    channels: &[Channel],
    kept: &[Kept],
    file_bytes: usize,
) -> Vec<Warning> {
    let total: usize = kept.iter().map(|kept| kept.bytes).sum();
    let is_large = |kept: &Kept| kept.bytes * SHARE > total && total * SHARE > file_bytes;
    let warning = |(channel, kept): (&Channel, &Kept)| {
        let example = kept.example.as_deref().filter(|_| is_large(kept))?;
        let start: String = example.chars().take(EXAMPLE).collect();
        let message = format!(
            "{}, {} of the {file_bytes} bytes of the file, are kept as text, for example `{start}`: {}",
            counted(kept.cells, "cell"),
            kept.bytes,
            advice(example, channel)
        );
        let column = schema.name(channel.encoding).to_owned();
        Some(Warning { file: path.display().to_string(), column, message })
    };
    channels.iter().zip(kept).filter_map(warning).collect()
}

/// Returns why a text is kept, and what makes the file smaller.
fn advice(text: &str, channel: &Channel) -> String {
    let labels = &channel.encoding.labels;
    let spelling = match text.trim_start_matches('-') {
        _ if is_missing(text) => {
            return "missing readings are spelt in several ways; spell them alike to make the file smaller".into();
        }
        _ if !labels.is_empty() => {
            return "no training row has this text; fit a model on rows that have it to make the file smaller".into();
        }
        _ if text.starts_with('+') => "a plus sign",
        digits if digits.starts_with(['.', ',']) => "no digit before the decimal separator",
        digits if digits.ends_with(['.', ',']) => "no digit behind the decimal separator",
        digits if text.parse::<f64>().is_ok() && digits.contains(['e', 'E']) => "an exponent",
        digits if digits.len() > 1 && digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            "leading zeros"
        }
        _ if text.parse::<f64>().is_ok_and(|value| !value.is_finite()) => "an infinity",
        _ if text.parse::<f64>() == Ok(0.0) => "a negative zero",
        _ if text.parse::<f64>().is_ok() && channel.format.comma => "a decimal point among decimal commas",
        _ if text.parse::<f64>().is_ok() && text.contains('.') && text.ends_with('0') => {
            "zeros at the end of the decimals, unlike most cells"
        }
        _ if text.parse::<f64>().is_ok() && channel.is_real => "more digits than a reading holds",
        _ if text.parse::<f64>().is_ok() => "no whole number of 32 bits, as the model expects",
        _ if [b'.', b','].iter().any(|&separator| parse_number(text, separator).is_some()) => {
            "a decimal comma, separators of thousands or a unit"
        }
        _ => return "no number; write numbers as the model expects them to make the file smaller".into(),
    };
    format!(
        "the spelling is unusual ({spelling}); rewrite the column as plain decimals such as -12.5 to make the file smaller"
    )
}
