//! Texts that stand for a missing reading: those of every file, and codes that the user names.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::number;

/// Texts that stand for a missing reading in every file, in lower case.
const KNOWN: [&str; 33] = [
    "",
    "?",
    "-",
    "--",
    "---",
    ".",
    "*",
    "na",
    "n/a",
    "n.a.",
    "<na>",
    "nan",
    "+nan",
    "-nan",
    "nan(ind)",
    "-nan(ind)",
    "nan(snan)",
    "-nan(snan)",
    "nat",
    "null",
    "(null)",
    "<null>",
    "none",
    "\\n",
    "#n/a",
    "#na",
    "#div/0!",
    "#num!",
    "#value!",
    "#ref!",
    "#name?",
    "#null!",
    "#n/a n/a",
];
/// Length of the longest text in [`KNOWN`].
const LONGEST: usize = 10;

/// Returns whether a text stands for a missing reading in every file: empty, `?`, `-`, `--`, `.`, `*`, NA, N/A, NaT,
/// null, (null), none, NaN in the spellings of C, of Windows (`1.#QNAN`, `-1.#IND`) and of MATLAB, and the error values
/// of spreadsheets such as `#N/A` and `#DIV/0!`.
pub fn is_missing(text: &str) -> bool {
    // Nearly all cells are numbers, which a look at the first bytes tells.
    match text.as_bytes() {
        [] => return true,
        [b'0'..=b'9', rest @ ..] | [b'-' | b'+', b'0'..=b'9', rest @ ..] => {
            return rest.starts_with(b".#") && is_windows_nan(rest);
        }
        _ => {}
    }
    text.len() <= LONGEST && KNOWN.iter().any(|word| text.eq_ignore_ascii_case(word))
}

/// Returns whether a text after `1` or `-1` is that of a NaN in old programs for Windows, such as `.#QNAN` or `.#IND00`.
fn is_windows_nan(rest: &[u8]) -> bool {
    let word = rest.get(2..).unwrap_or_default().to_ascii_uppercase();
    let word = word.strip_suffix(b"0").map_or(&word[..], |word| word.strip_suffix(b"0").unwrap_or(word));
    matches!(word, b"NAN" | b"QNAN" | b"SNAN" | b"IND")
}

/// Codes of missing readings that the user names, such as `-999`, `Bad` or `MM`.
///
/// A code that is a number matches all cells of the same value; a code that is a text matches the same text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MissingCodes {
    /// Codes in all columns.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub all: Vec<String>,
    /// Codes in single columns, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub columns: BTreeMap<String, Vec<String>>,
}

impl MissingCodes {
    /// Adds a code as the option `--missing` gives it: `CODE` for all columns, or `COLUMN=CODE`. A code that contains an
    /// equals sign is given as `=CODE`.
    pub fn add(&mut self, option: &str) {
        match option.split_once('=') {
            Some(("", code)) => self.all.push(code.trim().to_owned()),
            Some((column, code)) => self.columns.entry(column.to_owned()).or_default().push(code.trim().to_owned()),
            None => self.all.push(option.trim().to_owned()),
        }
    }

    /// Adds all codes of another set.
    pub fn extend(&mut self, other: &Self) {
        let add = |codes: &mut Vec<String>, more: &[String]| {
            more.iter().for_each(|code| {
                if !codes.contains(code) {
                    codes.push(code.clone());
                }
            });
        };
        add(&mut self.all, &other.all);
        other.columns.iter().for_each(|(name, more)| add(self.columns.entry(name.clone()).or_default(), more));
    }

    /// Returns whether there are no codes.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty() && self.columns.is_empty()
    }

    /// Returns the codes of a channel that are numbers, as samples.
    pub(crate) fn numbers(&self, channel: &str) -> Vec<f32> {
        self.of(channel).into_iter().filter_map(|(_, number)| Some(number? as f32)).collect()
    }

    /// Returns the codes that apply to a column, with their numbers.
    pub(crate) fn of(&self, column: &str) -> Vec<(&str, Option<f64>)> {
        let own = self.columns.get(column).into_iter().flatten();
        let value = |code: &str| code.parse::<f64>().ok().or_else(|| number::parse(code, b'.').map(|read| read.value));
        self.all.iter().chain(own).map(|code| (code.as_str(), value(code))).collect()
    }
}

/// Returns whether a cell, given as text and as a number if it is one, has one of these codes.
pub(crate) fn is_code(codes: &[(&str, Option<f64>)], text: &str, value: Option<f64>) -> bool {
    codes.iter().any(|&(code, number)| code == text || number.is_some() && number == value)
}
