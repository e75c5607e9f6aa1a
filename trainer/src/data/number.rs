//! Numbers as people, instruments and spreadsheets write them: decimal commas, thousands separators, units.

use std::collections::HashMap;

use super::{Texts, is_missing};

/// A number that is not written as programs write it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Written<'t> {
    /// Value of the number.
    pub value: f64,
    /// The same number as programs write it, for example `1234.5`.
    pub plain: String,
    /// Unit after the number; empty if there is none.
    pub unit: &'t str,
    /// Whether the number contains the decimal separator.
    pub has_fraction: bool,
}

/// Longest unit, in bytes.
const UNIT: usize = 16;

/// Reads a number with the decimal separator `decimal`, which is a point or a comma; the other one may separate
/// thousands. Returns `None` if the text is anything else.
///
/// Thousands may also be separated by apostrophes, underscores or spaces. A sign may be a Unicode minus, an exponent may
/// begin with D as in Fortran, `0x` begins a hexadecimal number, and a unit may follow, for example `12.3 V` or `45%`.
pub(crate) fn parse(text: &str, decimal: u8) -> Option<Written<'_>> {
    let text = text.trim();
    let (sign, rest) = match text.chars().next()? {
        '-' | '\u{2212}' => ("-", text.trim_start_matches(['-', '\u{2212}'])),
        '+' => ("", &text[1..]),
        _ => ("", text),
    };
    // At most one sign.
    if text.len() - rest.len() > 3 || text.starts_with("--") {
        return None;
    }
    if let Some(digits) = rest.strip_prefix("0x").or_else(|| rest.strip_prefix("0X")) {
        let value = u64::from_str_radix(digits, 16).ok().filter(|_| !digits.starts_with('+'))?;
        let plain = format!("{sign}{value}");
        return Some(Written { value: plain.parse().ok()?, plain, unit: "", has_fraction: false });
    }
    let (whole, rest) = whole_digits(rest, decimal)?;
    let mut plain = format!("{sign}{whole}");
    let mut rest = rest;
    let mut has_fraction = false;
    if rest.as_bytes().first() == Some(&decimal) {
        let digits = digits(&rest[1..]);
        if whole.is_empty() && digits.is_empty() {
            return None;
        }
        plain = format!("{plain}{}.{digits}", if whole.is_empty() { "0" } else { "" });
        rest = &rest[1 + digits.len()..];
        has_fraction = true;
    } else if whole.is_empty() {
        return None;
    }
    if let Some((exponent, after)) = exponent(rest) {
        plain = format!("{plain}e{exponent}");
        rest = after;
    }
    let unit = rest.trim();
    is_unit(unit).then_some(())?;
    let value = plain.parse().ok()?;
    Some(Written { value, plain, unit, has_fraction })
}

/// Returns the digits at the start of a text.
fn digits(text: &str) -> &str {
    &text[..text.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len())]
}

/// Returns the digits before the decimal separator without separators of thousands, and the rest of the text. Returns
/// `None` if the groups between separators are not of three digits.
fn whole_digits(text: &str, decimal: u8) -> Option<(String, &str)> {
    let first = digits(text);
    let (mut whole, mut rest, mut separator) = (first.to_owned(), &text[first.len()..], None);
    if first.is_empty() || first.len() > 3 {
        return Some((whole, rest));
    }
    while let Some(next) = rest.chars().next() {
        let is_separator = match next {
            '.' | ',' => next as u32 != u32::from(decimal),
            _ => matches!(next, '\'' | '\u{2019}' | '_' | ' ' | '\u{a0}' | '\u{202f}' | '\u{2009}'),
        };
        let group = digits(&rest[next.len_utf8()..]);
        if !is_separator || separator.is_some_and(|separator| separator != next) || group.is_empty() {
            break;
        }
        if group.len() != 3 {
            return None;
        }
        separator = Some(next);
        whole += group;
        rest = &rest[next.len_utf8() + 3..];
    }
    Some((whole, rest))
}

/// Returns the exponent at the start of a text, and the rest of the text.
fn exponent(text: &str) -> Option<(&str, &str)> {
    let after = text.strip_prefix(['e', 'E', 'd', 'D'])?;
    let unsigned = after.strip_prefix(['+', '-']).unwrap_or(after);
    let count = digits(unsigned).len();
    let length = after.len() - unsigned.len() + count;
    (count > 0).then(|| after.split_at(length))
}

/// Returns whether a text may follow a number as its unit.
fn is_unit(text: &str) -> bool {
    let is_part = |c: char| c.is_alphabetic() || "%\u{b0}\u{2126}/\u{b2}\u{b3}\u{b7}^\"' ".contains(c);
    text.len() <= UNIT && text.chars().all(is_part) && !text.starts_with(['/', '^', ' ', '\'', '"'])
}

/// Returns whether a text is a number in some notation, with a point or a comma.
pub(crate) fn is_written(text: &str) -> bool {
    text.parse::<f64>().is_ok() || parse(text, b'.').is_some() || parse(text, b',').is_some()
}

/// What the texts of one column, or of one file, tell about the decimal separator.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Evidence {
    /// Whether a text can be read with a decimal comma only.
    pub comma: bool,
    /// Whether a text can be read with a decimal point only.
    pub point: bool,
    /// Whether a text has a comma before exactly three digits, which either may be decimals or a group of thousands.
    pub is_open: bool,
}

impl Evidence {
    fn of(text: &str, is_plain: bool) -> Self {
        let is_number = |decimal| parse(text, decimal).is_some();
        if is_plain {
            return Self { point: text.contains('.') && !is_number(b','), ..Self::default() };
        }
        match (is_number(b'.'), is_number(b',')) {
            (true, false) => Self { point: text.contains(['.', ',']), ..Self::default() },
            (false, true) => Self { comma: true, ..Self::default() },
            (true, true) => Self { is_open: text.contains(','), ..Self::default() },
            _ => Self::default(),
        }
    }

    fn and(self, other: Self) -> Self {
        Self {
            comma: self.comma || other.comma,
            point: self.point || other.point,
            is_open: self.is_open || other.is_open,
        }
    }
}

/// A column in which most cells are numbers, but some are not as programs write them.
#[derive(Clone, Debug)]
pub(crate) struct Unusual {
    /// `[text]`: number of rows of each distinct text.
    counts: Vec<usize>,
    /// What the texts tell about the decimal separator.
    pub evidence: Evidence,
}

/// Returns what has to be known to rewrite a column, or `None` if all numbers are as programs write them, or most cells
/// are no numbers. `is_comma` tells whether the user says that the decimal separator is a comma.
pub(crate) fn unusual(texts: &Texts, is_comma: bool) -> Option<Unusual> {
    let is_plain = |text: &str| text.parse::<f64>().is_ok() || is_missing(text);
    let is_odd = |text: &String| !is_plain(text) || is_comma && text.contains('.');
    if !texts.distinct.iter().any(is_odd) {
        return None;
    }
    let mut counts = vec![0; texts.distinct.len()];
    texts.codes.iter().for_each(|&code| counts[code as usize] += 1);
    let (mut evidence, mut numbers, mut total) = (Evidence::default(), 0, 0);
    for (text, count) in texts.distinct.iter().zip(&counts) {
        if is_missing(text) {
            continue;
        }
        total += count;
        numbers += if is_written(text) { *count } else { 0 };
        evidence = evidence.and(Evidence::of(text, text.parse::<f64>().is_ok()));
    }
    (2 * numbers >= total && numbers > 0).then_some(Unusual { counts, evidence })
}

/// Returns what has to be known to rewrite a column of numbers as programs write them, if every point in it may group
/// thousands and some do; otherwise `None`.
pub(crate) fn grouped(texts: &Texts) -> Option<Unusual> {
    let unusual = unusual(texts, true)?;
    let evidence = Evidence { is_open: true, ..unusual.evidence };
    (!evidence.point && !evidence.comma).then_some(Unusual { evidence, ..unusual })
}

/// Rewrites the numbers of a column as programs write them, with the decimal separator `decimal`. Returns the unit that
/// was removed, and an example of a text that was rewritten.
///
/// One unit is removed, the one of most cells. Cells that have another unit stay as they are, and so does a column of
/// codes such as `1A` and `2B`.
pub(crate) fn rewrite(texts: &mut Texts, unusual: &Unusual, decimal: u8) -> Option<(String, String)> {
    let read: Vec<Option<Written>> =
        texts.distinct.iter().map(|text| if is_missing(text) { None } else { parse(text, decimal) }).collect();
    let mut units: HashMap<&str, usize> = HashMap::new();
    for (written, count) in read.iter().zip(&unusual.counts) {
        if let Some(written) = written.as_ref().filter(|written| !written.unit.is_empty()) {
            *units.entry(written.unit).or_default() += count;
        }
    }
    let is_code = |(text, written): (&String, &Option<Written>)| {
        written.as_ref().is_none_or(|written| !written.has_fraction && !text.contains([' ', '%', '\u{b0}']))
    };
    if units.len() > 1 && texts.distinct.iter().zip(&read).all(is_code) {
        return None;
    }
    // A unit of few cells is more likely a mistake.
    let numbers: usize =
        read.iter().zip(&unusual.counts).filter(|(written, _)| written.is_some()).map(|(_, count)| count).sum();
    let units = units.into_iter().filter(|(_, count)| 2 * count >= numbers);
    let unit = units.max_by_key(|&(unit, count)| (count, std::cmp::Reverse(unit))).map_or("", |(unit, _)| unit);
    let mut example = None;
    let rewritten: Vec<Option<String>> = texts
        .distinct
        .iter()
        .zip(&read)
        .map(|(text, written)| {
            let written = written.as_ref().filter(|written| written.unit.is_empty() || written.unit == unit)?;
            // Texts that programs read as the same number stay, so that other columns and labels are untouched.
            if written.unit.is_empty() && text.parse::<f64>() == Ok(written.value) {
                return None;
            }
            example.get_or_insert_with(|| (text.clone(), written.plain.clone()));
            Some(written.plain.clone())
        })
        .collect();
    let unit = unit.to_owned();
    drop(read);
    let (text, plain) = example?;
    texts.replace(&rewritten);
    Some((unit, format!("`{text}` as {plain}")))
}
