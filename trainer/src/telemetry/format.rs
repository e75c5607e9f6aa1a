//! How the numbers of a column are written, so that texts come back from readings.

use serde::{Deserialize, Serialize};
use surprisal::Reading;

use crate::data::{Decimal as Mark, is_missing};
use crate::schema::ColumnEncoding;

/// Stands for real numbers without a number of decimals.
pub(super) const FLOAT: u8 = 255;
/// Largest share of the numbers of a column that may have more decimals than the others.
const SHARE: f64 = 0.01;
/// Largest number of decimals that are written.
const MOST_SHOWN: u8 = 30;
/// Largest number of steps whose real numbers are all different.
const DISTINCT: u32 = 1 << 24;

/// How the cells of a column are written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Format {
    /// Position of the reading in a row.
    pub source: u16,
    /// Number of decimals of the readings, or [`FLOAT`].
    #[serde(default, skip_serializing_if = "is_default")]
    pub decimals: u8,
    /// Smallest number of decimals that are written; more are written only as far as they are not zero.
    #[serde(default, skip_serializing_if = "is_default")]
    pub shown: u8,
    /// Text of a missing reading.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub missing: String,
    /// Whether the decimal separator is a comma.
    #[serde(default, skip_serializing_if = "is_default")]
    pub comma: bool,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// A number as it is written: steps of 10^-decimals.
struct Decimal {
    steps: i64,
    decimals: u8,
}

/// Reads a number of digits, with a decimal separator in between or without.
fn decimal(text: &str, separator: char) -> Option<Decimal> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once(separator).unwrap_or((digits, ""));
    let is_written = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty()
        || digits.ends_with(separator)
        || digits.len() > 18
        || !is_written(whole)
        || !is_written(fraction)
    {
        return None;
    }
    let steps = format!("{whole}{fraction}").parse::<i64>().ok()?;
    Some(Decimal { steps: if digits.len() < text.len() { -steps } else { steps }, decimals: fraction.len() as u8 })
}

/// Returns whether the decimal separator of these texts is a comma, which the user may say.
pub(super) fn is_comma<'a>(said: Option<Mark>, texts: impl Iterator<Item = &'a str>) -> bool {
    let (mut commas, mut points) = (0, 0);
    for text in texts.filter(|_| said.is_none()) {
        commas += usize::from(text.contains(',') && decimal(text, ',').is_some());
        points += usize::from(text.contains('.') && decimal(text, '.').is_some());
    }
    said.map_or(commas > points, |mark| mark == Mark::Comma)
}

impl Format {
    /// Returns how most of these texts are written. `is_code` tells what else stands for a missing reading.
    pub fn find<'a>(
        source: u16,
        is_real: bool,
        comma: bool,
        is_code: impl Fn(&str) -> bool,
        texts: impl Iterator<Item = &'a str>,
    ) -> Self {
        let (mut missing, mut numbers, mut others) = (std::collections::HashMap::<&str, usize>::new(), Vec::new(), 0);
        for text in texts {
            match decimal(text, if comma { ',' } else { '.' }) {
                _ if is_missing(text) || is_code(text) => *missing.entry(text).or_default() += 1,
                Some(number) => numbers.push(number),
                None => others += 1,
            }
        }
        let most = missing.into_iter().max_by_key(|&(text, count)| (count, std::cmp::Reverse(text)));
        let missing = most.map_or(String::new(), |(text, _)| text.to_owned());
        let mut decimals: Vec<u8> = numbers.iter().map(|number| number.decimals).collect();
        decimals.sort_unstable();
        let few = (SHARE * decimals.len() as f64) as usize;
        let (least, most) = (decimals.get(few), decimals.len().checked_sub(few + 1).map(|at| decimals[at]));
        let shown = least.copied().unwrap_or(0).min(MOST_SHOWN);
        let scale = |number: &Decimal, decimals: u8| {
            number.steps.unsigned_abs() as f64 * 10f64.powi(i32::from(decimals) - i32::from(number.decimals))
        };
        let is_exact = |&decimals: &u8| {
            let far = numbers.iter().filter(|number| scale(number, decimals) > f64::from(DISTINCT)).count();
            decimals <= Reading::MOST_DECIMALS && far <= few && others <= few
        };
        let decimals = if is_real { most.filter(is_exact).unwrap_or(FLOAT) } else { 0 };
        Self { source, decimals, shown, missing, comma }
    }

    /// Returns the reading of a cell. Cells that cannot be read are missing readings.
    pub fn reading(&self, text: &str, is_real: bool, labels: &[String]) -> Reading {
        if is_missing(text) || text == self.missing {
            return Reading::Missing;
        }
        if !labels.is_empty() {
            // Codes are not negative: -1 stands for all texts that no training row has.
            return Reading::Integer(labels.iter().position(|label| label == text).map_or(-1, |code| code as i32));
        }
        let written = decimal(text, self.separator());
        if !is_real {
            let whole = written.and_then(|Decimal { steps, decimals }| {
                let power = 10i64.pow(decimals.into());
                i32::try_from(steps / power).ok().filter(|_| steps % power == 0)
            });
            return whole.map_or(Reading::Missing, Reading::Integer);
        }
        let in_steps = |&Decimal { steps, decimals }: &Decimal| {
            let more = self.decimals.checked_sub(decimals).filter(|_| self.decimals <= Reading::MOST_DECIMALS)?;
            i32::try_from(steps.checked_mul(10i64.pow(more.into()))?).ok()
        };
        match written.as_ref().and_then(in_steps) {
            Some(steps) => Reading::from_decimal(steps, self.decimals),
            None if self.comma => text.replace(',', ".").parse().map_or(Reading::Missing, Reading::Real),
            None => text.parse().map_or(Reading::Missing, Reading::Real),
        }
    }

    /// Returns the decimal separator.
    fn separator(&self) -> char {
        if self.comma { ',' } else { '.' }
    }

    /// Returns the text of a reading: the code itself if a category has no text for it.
    pub fn text(&self, reading: Reading, labels: &[String]) -> String {
        match reading {
            Reading::Missing => self.missing.clone(),
            Reading::Integer(code) if !labels.is_empty() => {
                let label = usize::try_from(code).ok().and_then(|code| labels.get(code));
                label.cloned().unwrap_or_else(|| code.to_string())
            }
            Reading::Integer(value) => self.written(value, 0),
            Reading::Real(value) => match reading.to_decimal(self.decimals) {
                Some(steps) if self.decimals <= Reading::MOST_DECIMALS => self.written(steps, self.decimals),
                _ => value.to_string().replace('.', &self.separator().to_string()),
            },
        }
    }

    /// Returns the text of so many steps of 10^-decimals.
    fn written(&self, steps: i32, decimals: u8) -> String {
        let (sign, digits) = (if steps < 0 { "-" } else { "" }, steps.unsigned_abs().to_string());
        let digits = format!("{digits:0>width$}", width = usize::from(decimals) + 1);
        let (whole, fraction) = digits.split_at(digits.len() - usize::from(decimals));
        let fraction =
            format!("{:0<width$}", fraction.trim_end_matches('0'), width = usize::from(self.shown.min(MOST_SHOWN)));
        if fraction.is_empty() {
            format!("{sign}{whole}")
        } else {
            format!("{sign}{whole}{}{fraction}", self.separator())
        }
    }
}

/// Returns whether the readings of a column are real numbers in packets. Those of a time series are if they have decimals.
pub(super) fn is_real(encoding: &ColumnEncoding, is_series: bool, has_decimals: impl FnOnce() -> bool) -> bool {
    match encoding.kind {
        surprisal::Kind::Real => true,
        surprisal::Kind::Integer if is_series => has_decimals(),
        _ => false,
    }
}

/// Returns whether any of these texts is a number with decimals other than zeros.
pub(super) fn has_decimals<'a>(comma: bool, mut texts: impl Iterator<Item = &'a str>) -> bool {
    let separator = if comma { ',' } else { '.' };
    texts.any(|text| {
        decimal(text, separator).is_some_and(|number| number.steps % 10i64.pow(number.decimals.into()) != 0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(texts: &[&str], is_real: bool) -> (u8, u8, usize) {
        let comma = is_comma(None, texts.iter().copied());
        let format = Format::find(0, is_real, comma, |_| false, texts.iter().copied());
        let back = texts.iter().map(|text| format.text(format.reading(text, is_real, &[]), &[]));
        (format.decimals, format.shown, back.zip(texts).filter(|(back, text)| back != *text).count())
    }

    #[test]
    fn numbers_are_written_as_they_were() {
        assert_eq!(round_trip(&["1", "-2", "30", ""], false), (0, 0, 0));
        assert_eq!(round_trip(&["1.0", "-2.0", "30.0", "NA", "NA"], false), (0, 1, 0));
        assert_eq!(round_trip(&["0.0265878", "0.5", "-1.25"], true), (7, 1, 0));
        assert_eq!(round_trip(&["23.40", "-0.05", "7.00"], true), (2, 2, 0));
        assert_eq!(round_trip(&["138.85213", "1.5"], true).0, 5);
        // More steps than a float tells apart.
        assert_eq!(round_trip(&["238.85213", "1.5"], true).0, FLOAT);
        // A number with an exponent, a sign of zero and leading zeros are texts of their own.
        assert_eq!(round_trip(&["1", "-0", "007", "1e3"], false), (0, 0, 3));
        assert_eq!(round_trip(&["1.5e-3", "2.5e-4"], true), (FLOAT, 0, 2));
        assert_eq!(round_trip(&["0.1234567890123", "0.25"], true).0, FLOAT);
        assert_eq!(round_trip(&["23,40", "-0,05", "7,00"], true), (2, 2, 0));
        assert_eq!(round_trip(&["23,4", "0,1", "7.5"], true), (FLOAT, 1, 1));
        assert_eq!(round_trip(&["0,15625", "123456789,5", "-0,25"], true), (FLOAT, 1, 1));
    }

    #[test]
    fn categories_are_written_as_their_labels() {
        let labels = ["on".to_owned(), "off".to_owned()];
        let format = Format { source: 0, decimals: 0, shown: 0, missing: "-".into(), comma: false };
        for text in ["on", "off", "-"] {
            assert_eq!(format.text(format.reading(text, false, &labels), &labels), text);
        }
        assert_eq!(format.reading("odd", false, &labels), Reading::Integer(-1));
        for code in [-5, 2, 99] {
            assert_eq!(format.text(Reading::Integer(code), &labels), code.to_string());
        }
    }
}
