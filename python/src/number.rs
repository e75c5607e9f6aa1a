//! Numbers as the texts that pandas writes to a CSV file.

/// A number that has a text.
pub trait Number: Copy {
    /// Returns the number as Python's `str` writes it; NaN is a missing reading, an empty text.
    fn text(self) -> String;
}

impl Number for i64 {
    fn text(self) -> String {
        self.to_string()
    }
}

impl Number for u64 {
    fn text(self) -> String {
        self.to_string()
    }
}

impl Number for f64 {
    fn text(self) -> String {
        if self.is_nan() {
            return String::new();
        }
        let size = self.abs();
        if size.is_infinite() || size == 0.0 || (1e-4..1e16).contains(&size) {
            let text = self.to_string();
            return if text.contains(['.', 'i']) { text } else { text + ".0" };
        }
        // Python writes the exponent with its sign and at least two digits.
        let text = format!("{self:e}");
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let sign = if exponent.starts_with('-') { '-' } else { '+' };
        format!("{digits}e{sign}{:0>2}", exponent.trim_start_matches('-'))
    }
}
