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
    escaped_json(&serde_json::Value::from(text).to_string())
}

/// Returns JSON text in which the characters that [`escaped`] replaces are escapes too, except line breaks between values.
pub fn escaped_json(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for character in json.chars() {
        // All unsafe characters are in the basic plane, so that four digits suffice.
        match character {
            '\n' => out.push(character),
            _ if is_unsafe(character) => {
                write!(out, "\\u{:04x}", u32::from(character)).expect("a string takes any text")
            }
            _ => out.push(character),
        }
    }
    out
}

/// Returns the option that leaves out a column, quoted for a shell where that is necessary.
pub(crate) fn ignore_option(name: &str) -> String {
    column_option("--ignore", name)
}

/// Returns an option with the name of a column as its value, quoted for a shell where that is necessary.
pub fn column_option(option: &str, name: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    if !name.is_empty() && !name.starts_with('-') && name.bytes().all(is_plain) {
        return format!("{option} {name}");
    }
    format!("{option}='{}'", name.replace('\'', "'\\''"))
}

fn is_unsafe(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}
