//! Escapes characters that would change a terminal or the layout of a text.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Returns the text with escapes such as `\n` or `\u{1b}` in place of control characters and of characters that reorder
/// or hide their neighbours (Unicode bidirectional controls, zero-width characters).
///
/// ```
/// use surprisal_trainer::escape::escaped;
/// assert_eq!(escaped("heat \u{b0}C"), "heat \u{b0}C");
/// assert_eq!(escaped("\u{1b}[31mred\n"), "\\u{1b}[31mred\\n");
/// ```
pub fn escaped(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        match character {
            _ if !is_unsafe(character) => out.push(character),
            '\n' | '\r' | '\t' => out.extend(character.escape_default()),
            _ => write!(out, "{}", character.escape_unicode()).expect("a string takes any text"),
        }
    }
    Cow::Owned(out)
}

/// Returns the text as a quoted string that is valid in JSON and in TOML, with escapes for the same characters as in
/// [`escaped`].
pub(crate) fn quoted(text: &str) -> String {
    let json = serde_json::Value::from(text).to_string();
    let each = json.chars().map(|character| match character {
        // All unsafe characters are in the basic plane, so that four digits suffice.
        _ if is_unsafe(character) => format!("\\u{:04x}", u32::from(character)),
        _ => character.to_string(),
    });
    each.collect()
}

fn is_unsafe(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}
