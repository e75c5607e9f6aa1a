//! Numbers and names for a reader.

use crate::escape::escaped;

/// Returns a number with at most four significant digits, two below a tenth, and without trailing zeros.
pub fn number(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return if value.is_finite() { "0".into() } else { "∞".into() };
    }
    let size = value.abs().log10().floor() as i32;
    if size >= 3 {
        return grouped(&format!("{value:.0}"));
    }
    if size < -6 {
        return format!("{value:.1e}");
    }
    let digits = if size < -1 { 1 } else { 3 };
    let text = format!("{value:.*}", (digits - size).max(0) as usize);
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// Returns a share in percent.
pub fn percent(share: f64) -> String {
    format!("{} %", number(100.0 * share))
}

/// Returns a count with commas between groups of three digits.
pub fn count(count: usize) -> String {
    grouped(&count.to_string())
}

fn grouped(digits: &str) -> String {
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits), |digits| ("-", digits));
    let mut out = sign.to_owned();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Returns a count with its noun: "1 alarm", "1,200 alarms".
pub fn counted(number: usize, noun: &str) -> String {
    format!("{} {noun}{}", count(number), if number == 1 { "" } else { "s" })
}

/// Returns a name that fits beside an axis. Characters that hide or reorder their neighbours are escaped.
pub fn shortened(name: &str) -> String {
    let name = escaped(name);
    if name.chars().count() <= 17 {
        return name.into_owned();
    }
    name.chars().take(16).chain(['…']).collect()
}

/// Returns "1 row per second", or another number of rows.
pub fn per_second(rate: f64) -> String {
    format!("{} row{} per second", number(rate), if rate == 1.0 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let cases =
            [(0.0, "0"), (0.99864, "0.9986"), (0.004288, "0.0043"), (1061.3, "1,061"), (12.0, "12"), (-0.5, "-0.5")];
        for (value, text) in cases {
            assert_eq!(number(value), text);
        }
        assert_eq!((number(f64::INFINITY), number(1e-9)), ("∞".into(), "1.0e-9".into()));
        assert_eq!((count(1_234_567), count(999)), ("1,234,567".into(), "999".into()));
    }

    #[test]
    fn long_names_end_in_an_ellipsis() {
        assert_eq!(shortened("seventeen letters"), "seventeen letters");
        assert_eq!(shortened("eighteen letters, "), "eighteen letters…");
    }
}
